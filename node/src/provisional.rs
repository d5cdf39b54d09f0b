//! Decisions taken without a quorum, kept on this replica's own disk until the log has them.
//!
//! One file, appended to and synced before each answer. A frame is its length and the sealed decision, bound to its place
//! in the file: a frame that is torn at the end was never answered and is cut off, one that does not open elsewhere is
//! damage. The file is emptied when the log holds every decision in it.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use hansa_keys::Secret;
use hansa_types::codec::{CodecError, Decode, Encode};
use hansa_types::payment::PaymentKey;
use hansa_types::record::DecisionRecord;
use rand::rngs::OsRng;
use tokio::sync::Notify;

/// The file in the data folder.
const FILE: &str = "without-quorum.journal";
/// What a frame is sealed for.
const CONTEXT: &[u8] = b"hansa/without-quorum/v1\0";
/// Bytes of a frame's length.
const LENGTH: usize = 4;
/// The longest frame, in bytes: what fits a leaf, sealed.
const MAX_FRAME: usize = 128 << 10;

/// Why a decision is not kept.
#[derive(Debug, thiserror::Error)]
pub enum ProvisionalError {
    /// The file system refused.
    #[error("the journal of decisions without a quorum, {path}: {source}")]
    Io {
        /// Which file.
        path: PathBuf,
        /// What it said.
        source: io::Error,
    },
    /// A frame in the middle does not open.
    #[error(
        "the journal of decisions without a quorum, {path}, is damaged at byte {at}: the decisions from there on cannot \
         be read; keep the file for the enquiry, and move it away to start without them"
    )]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// Where.
        at: u64,
    },
    /// It holds all it may.
    #[error("{0} decisions wait for a quorum, and payments.journal_limit allows no more")]
    Full(usize),
    /// A write failed before: what the disk holds is not known any more.
    #[error("the journal of decisions without a quorum failed before and takes no more: restart the node")]
    Poisoned,
    /// Writing stopped half-way.
    #[error("the journal of decisions without a quorum was not written to the end: {0}")]
    Stopped(#[from] tokio::task::JoinError),
    /// A decision does not decode.
    #[error("a journalled decision does not decode: {0}; was it written by a newer release?")]
    Codec(#[from] CodecError),
}

/// The decisions that wait for a quorum.
pub(crate) struct Provisional {
    path: PathBuf,
    key: Secret,
    limit: usize,
    state: Mutex<State>,
    /// Wakes whoever takes them to the log.
    pub(crate) more: Notify,
}

struct State {
    file: File,
    end: u64,
    poisoned: bool,
    waiting: BTreeMap<PaymentKey, DecisionRecord>,
}

impl Provisional {
    /// The journal in `dir`, sealed under what follows from the bank's `records` key, of at most `limit` decisions.
    pub(crate) fn open(dir: &Path, records: &Secret, limit: usize) -> Result<Self, ProvisionalError> {
        let path = dir.join(FILE);
        let io = |source| ProvisionalError::Io { path: path.clone(), source };
        std::fs::create_dir_all(dir).map_err(io)?;
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).mode(0o600);
        let mut file = options.open(&path).map_err(io)?;
        File::open(dir).and_then(|dir| dir.sync_all()).map_err(io)?;
        let key = records.derive(CONTEXT);
        let (waiting, end) = read(&mut file, &path, &key)?;
        let torn = file.metadata().map_err(io)?.len() - end;
        if torn > 0 {
            tracing::error!(
                torn,
                "the last bytes of the journal of decisions without a quorum are no decision"
            );
        }
        file.set_len(end).and_then(|()| file.sync_all()).map_err(io)?;
        file.seek(SeekFrom::Start(end)).map_err(io)?;
        let state = Mutex::new(State { file, end, poisoned: false, waiting });
        Ok(Self { path, key, limit, state, more: Notify::new() })
    }

    /// The decision on a payment that waits here.
    pub(crate) fn find(&self, key: &PaymentKey) -> Option<DecisionRecord> {
        self.state().waiting.get(key).cloned()
    }

    /// Every decision that waits.
    pub(crate) fn waiting(&self) -> Vec<DecisionRecord> {
        self.state().waiting.values().cloned().collect()
    }

    /// How many wait.
    pub(crate) fn len(&self) -> usize {
        self.state().waiting.len()
    }

    /// Keeps a decision; it is on disk when this returns. Blocks.
    pub(crate) fn keep(&self, record: &DecisionRecord) -> Result<(), ProvisionalError> {
        let mut state = self.state();
        if state.poisoned {
            return Err(ProvisionalError::Poisoned);
        }
        if state.waiting.len() >= self.limit {
            return Err(ProvisionalError::Full(state.waiting.len()));
        }
        let sealed = self.key.wrap(&context(state.end), &record.to_bytes(), &mut OsRng);
        let length = u32::try_from(sealed.len()).ok().filter(|length| *length as usize <= MAX_FRAME);
        let length =
            length.ok_or_else(|| CodecError::invalid("decision", "it is too long for the journal"))?;
        let frame = [length.to_be_bytes().as_slice(), &sealed].concat();
        let written = state.file.write_all(&frame).and_then(|()| state.file.sync_data());
        if let Err(source) = written {
            state.poisoned = true;
            return Err(ProvisionalError::Io { path: self.path.clone(), source });
        }
        state.end += frame.len() as u64;
        state.waiting.insert(record.decision.key.clone(), record.clone());
        drop(state);
        self.more.notify_one();
        Ok(())
    }

    /// Forgets a decision that the log holds, and empties the file after the last one. Blocks.
    pub(crate) fn settled(&self, key: &PaymentKey) -> Result<(), ProvisionalError> {
        let mut state = self.state();
        state.waiting.remove(key);
        if !state.waiting.is_empty() || state.poisoned {
            return Ok(());
        }
        let emptied = state.file.set_len(0).and_then(|()| state.file.seek(SeekFrom::Start(0)));
        if let Err(source) = emptied.and_then(|_| state.file.sync_all()) {
            state.poisoned = true;
            return Err(ProvisionalError::Io { path: self.path.clone(), source });
        }
        state.end = 0;
        Ok(())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A panic between write and insertion leaves a frame that the next start reads.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The decisions of a file, and where its last whole frame ends.
fn read(
    file: &mut File,
    path: &Path,
    key: &Secret,
) -> Result<(BTreeMap<PaymentKey, DecisionRecord>, u64), ProvisionalError> {
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).map_err(|source| ProvisionalError::Io { path: path.to_owned(), source })?;
    let (mut waiting, mut at) = (BTreeMap::new(), 0);
    while let Some((length, rest)) = bytes[at..].split_at_checked(LENGTH) {
        // A power cut may leave room that was never written.
        if bytes[at..].iter().all(|byte| *byte == 0) {
            break;
        }
        let length = u32::from_be_bytes(length.try_into().unwrap_or_default()) as usize;
        let Some(sealed) = rest.get(..length) else { break };
        let next = at + LENGTH + length;
        let Ok(plain) = key.unwrap(&context(at as u64), sealed) else {
            // The last frame may be torn; anything before it was synced.
            if next == bytes.len() {
                break;
            }
            return Err(ProvisionalError::Damaged { path: path.to_owned(), at: at as u64 });
        };
        let record = DecisionRecord::from_bytes(&plain)?;
        waiting.insert(record.decision.key.clone(), record);
        at = next;
    }
    Ok((waiting, at as u64))
}

fn context(at: u64) -> Vec<u8> {
    [CONTEXT, &at.to_be_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use hansa_types::decision::{Decision, Verdict};
    use hansa_types::payment::Payment;

    use super::*;

    fn record(id: &str) -> DecisionRecord {
        let payment = Payment { message_id: id.to_owned(), ..Payment::default() };
        let decision = Decision { key: payment.key(), verdict: Verdict::Clear, ..sample() };
        DecisionRecord { decision, payment, habits: hansa_types::habits::Habits::default() }
    }

    fn sample() -> Decision {
        use hansa_screening::{History, Known, Policy, RiskModel, Screener};
        let screener = Screener::new(Policy::default(), vec![], RiskModel::default_model()).unwrap();
        let assessed = screener.assess(
            &Payment::default(),
            &History::default(),
            Known::default(),
            hansa_types::id::Timestamp(1),
        );
        assessed.decision
    }

    fn open(dir: &Path, limit: usize) -> Provisional {
        Provisional::open(dir, &Secret::from_bytes([7; 32]), limit).unwrap()
    }

    fn bytes(dir: &Path) -> Vec<u8> {
        std::fs::read(dir.join(FILE)).unwrap()
    }

    #[test]
    fn decisions_survive_a_restart_sealed_and_go_when_the_log_has_them() {
        let dir = tempfile::tempdir().unwrap();
        let journal = open(dir.path(), 2);
        journal.keep(&record("M1")).unwrap();
        journal.keep(&record("M2")).unwrap();
        assert!(matches!(journal.keep(&record("M3")), Err(ProvisionalError::Full(2))));
        assert!(!bytes(dir.path()).windows(2).any(|window| window == b"M1"), "no plaintext");
        drop(journal);

        let journal = open(dir.path(), 2);
        assert_eq!(journal.find(&record("M2").decision.key), Some(record("M2")));
        journal.settled(&record("M1").decision.key).unwrap();
        assert!(!bytes(dir.path()).is_empty(), "one still waits");
        journal.settled(&record("M2").decision.key).unwrap();
        assert!(bytes(dir.path()).is_empty());
        journal.keep(&record("M3")).unwrap();
        drop(journal);
        assert_eq!(open(dir.path(), 2).waiting(), [record("M3")]);
    }

    #[test]
    fn a_torn_end_is_cut_off_and_damage_before_it_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let journal = open(dir.path(), 9);
        journal.keep(&record("M1")).unwrap();
        let first = bytes(dir.path()).len();
        journal.keep(&record("M2")).unwrap();
        drop(journal);
        let whole = bytes(dir.path());
        for torn in [first + 1, first + LENGTH + 1, whole.len() - 1] {
            std::fs::write(dir.path().join(FILE), &whole[..torn]).unwrap();
            assert_eq!(open(dir.path(), 9).waiting(), [record("M1")], "torn at {torn}");
            assert_eq!(bytes(dir.path()).len(), first);
        }
        let mut flipped = whole;
        flipped[LENGTH + 3] ^= 1;
        std::fs::write(dir.path().join(FILE), flipped).unwrap();
        let damaged = Provisional::open(dir.path(), &Secret::from_bytes([7; 32]), 9).err().unwrap();
        assert!(matches!(damaged, ProvisionalError::Damaged { at: 0, .. }), "{damaged}");
    }
}

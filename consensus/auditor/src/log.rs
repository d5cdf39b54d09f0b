//! One bank's log as the auditor has it: the key that signs it, from the manifest, and a folder with its tiles.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use hansa_audit_log::checkpoint::{Checkpoint, CheckpointError};
use hansa_audit_log::note::{MAX_NOTE_BYTES, SignedNote};
use hansa_audit_log::policy::{Policy, PolicyError};
use hansa_audit_log::tiles::bundle::MAX_BUNDLE_BYTES;
use hansa_audit_log::tiles::{CHECKPOINT_PATH, Content, FsckError, Tile, fsck};
use hansa_types::hash::{Digest, PublicKey};
use hansa_types::id::BankId;
use hansa_types::manifest::Manifest;
use serde::Serialize;

/// Whose log it is, and how its checkpoints are signed.
#[derive(Clone, Debug)]
pub struct Log {
    /// The bank.
    pub bank: BankId,
    /// The log's name.
    pub origin: String,
    /// The key that signs its checkpoints.
    pub key: PublicKey,
    /// Who must have cosigned them, if anybody.
    pub policy: Option<Policy>,
}

/// A folder in the layout of tlog-tiles.
#[derive(Clone, Debug)]
pub struct LogFolder(PathBuf);

/// Why a log is refused.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// Not a member.
    #[error("the manifest has no member {0}: name the bank whose log this is with --bank")]
    NotMember(BankId),
    /// A checkpoint.
    #[error("{path}: {source}")]
    Checkpoint {
        /// Where it is.
        path: PathBuf,
        /// What is wrong.
        source: CheckpointError,
    },
    /// A checkpoint that the policy does not hold for valid.
    #[error("{path}: {source}")]
    Policy {
        /// Where it is.
        path: PathBuf,
        /// What is wrong.
        source: PolicyError,
    },
    /// A checkpoint's file.
    #[error("{path}: {source}")]
    File {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The first thing that is wrong with the folder.
    #[error(transparent)]
    Fsck(#[from] FsckError<io::Error>),
}

/// What checking a folder showed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LogReport {
    /// Whose log.
    pub bank: BankId,
    /// How many entries.
    pub size: u64,
    /// The root over them.
    pub root: Digest,
}

impl std::fmt::Display for LogReport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { bank, size, root } = self;
        write!(f, "VERIFIED: the log of {bank}: {size} entries and all their tiles lead to the root {root}")
    }
}

impl Log {
    /// The log of `bank` as the manifest has it.
    pub fn of(manifest: &Manifest, bank: &BankId) -> Result<Self, LogError> {
        let member = manifest.members.get(bank).ok_or_else(|| LogError::NotMember(bank.clone()))?;
        let (bank, origin, key) = (bank.clone(), manifest.log_origin(bank), member.log_key);
        Ok(Self { bank, origin, key, policy: None })
    }

    /// Opens a signed checkpoint of this log; `path` is for the message.
    pub fn open(&self, path: &Path, bytes: &[u8]) -> Result<(SignedNote, Checkpoint), LogError> {
        let failed = |source| LogError::Checkpoint { path: path.to_owned(), source };
        let note = SignedNote::parse(bytes).map_err(|error| failed(error.into()))?;
        let checkpoint = Checkpoint::open(&note, &self.origin, &self.key).map_err(failed)?;
        self.check_policy(path, &note)?;
        Ok((note, checkpoint))
    }

    /// A checkpoint bears the cosignatures that the policy wants; `path` is for the message.
    pub fn check_policy(&self, path: &Path, note: &SignedNote) -> Result<(), LogError> {
        let failed = |source| LogError::Policy { path: path.to_owned(), source };
        self.policy.as_ref().map_or(Ok(()), |policy| policy.check(note).map(drop).map_err(failed))
    }

    /// Reads and opens a signed checkpoint of this log.
    pub fn read(&self, path: &Path) -> Result<(SignedNote, Checkpoint), LogError> {
        let bytes = read_bounded(path, MAX_NOTE_BYTES)
            .map_err(|source| LogError::File { path: path.to_owned(), source })?;
        self.open(path, &bytes)
    }

    /// Checks the whole of a folder, and shows each entry to `visit`.
    pub fn fsck(
        &self,
        folder: &LogFolder,
        visit: impl FnMut(u64, &[u8]) -> Result<(), io::Error>,
    ) -> Result<(SignedNote, Checkpoint), LogError> {
        let (note, checkpoint) = self.read(&folder.0.join(CHECKPOINT_PATH))?;
        fsck(&checkpoint, |tile| folder.read(tile), visit)?;
        Ok((note, checkpoint))
    }

    /// What is said of a checked checkpoint.
    #[must_use]
    pub fn report(&self, checkpoint: &Checkpoint) -> LogReport {
        LogReport { bank: self.bank.clone(), size: checkpoint.size, root: Digest(checkpoint.root) }
    }
}

impl LogFolder {
    /// The folder at `path`.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    /// Where its checkpoint is.
    #[must_use]
    pub fn checkpoint(&self) -> PathBuf {
        self.0.join(CHECKPOINT_PATH)
    }

    fn read(&self, tile: &Tile) -> io::Result<Vec<u8>> {
        let most = match tile.content() {
            Content::Entries => MAX_BUNDLE_BYTES,
            Content::Hashes { .. } => tile.hash_bytes(),
        };
        read_bounded(&self.0.join(tile.to_string()), most)
    }
}

/// A file's bytes: one more than allowed at the most, so that its reader sees that it is too long.
pub(crate) fn read_bounded(path: &Path, most: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(most as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

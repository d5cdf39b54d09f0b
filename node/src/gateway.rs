//! A payment gateway in small: from a message to frames, and from replies to verdicts. `hansa frame send` is one.

use std::fs;
use std::io::{self, Write};
use std::net::{SocketAddr, UdpSocket};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use hansa_screening::Scheme;
use hansa_screening::message::{MessageError, parse};
use hansa_types::uetr::Uetr;
use hansa_xdp::frame::{
    FieldsError, Frame, Key, MAX_FRAMES, REPLY_LEN, Reason, Reply, SEQUENCE_LIMIT, Verdict,
};

use crate::frames::{self, NoFrame};

/// Room for a datagram of replies.
const MAX_REPLIES: usize = MAX_FRAMES * REPLY_LEN;

/// Why a gateway cannot ask.
#[derive(Debug, thiserror::Error)]
pub enum GatewayError {
    /// The message.
    #[error(transparent)]
    Message(#[from] MessageError),
    /// A payment that has no frame.
    #[error("payment {position} of the message: {why}")]
    NoFrame {
        /// Its place, from 1.
        position: usize,
        /// Why.
        why: String,
    },
    /// A frame that is none.
    #[error(transparent)]
    Fields(#[from] FieldsError),
    /// The file of the sequence.
    #[error("{path}: {source}")]
    Sequence {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It holds something else.
    #[error(
        "{0} holds no sequence number: remove it, and the next frame begins at the microseconds since 1970"
    )]
    NoSequence(PathBuf),
    /// The network.
    #[error("{to}: {source}")]
    Network {
        /// Whom.
        to: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
}

/// The keys of a gateway, and where its sequence is kept.
#[derive(Clone, Debug)]
pub struct Gateway {
    /// The number of its key.
    pub key_id: u8,
    /// Its key.
    pub key: Key,
    /// The bank's digest key.
    pub digest_key: Key,
    /// The file with the next sequence number.
    pub sequence: PathBuf,
    /// The scheme of payments that do not say theirs.
    pub scheme: Scheme,
}

/// What became of one frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The payment's UETR.
    pub uetr: Uetr,
    /// Verdict and reason; none where no authentic reply came in time, and then the payment must not go out.
    pub said: Option<(Verdict, Reason)>,
}

impl Gateway {
    /// The frames of a message's payments, made at `now` (milliseconds since 1970). Their sequence numbers are used up,
    /// whatever becomes of them.
    pub fn frames(&self, message: &[u8], now: u64) -> Result<Vec<Frame>, GatewayError> {
        let payments = parse(message)?;
        let no_frame =
            |at: usize, why: NoFrame| GatewayError::NoFrame { position: at + 1, why: why.to_string() };
        let mut all = Vec::with_capacity(payments.len());
        for (at, payment) in payments.iter().enumerate() {
            all.push(
                frames::fields(&self.digest_key, payment, self.scheme).map_err(|why| no_frame(at, why))?,
            );
        }
        let first = self.take(all.len() as u64, now)?;
        let sealed = all.into_iter().zip(first..).map(|(mut fields, sequence)| {
            (fields.key_id, fields.time, fields.sequence) = (self.key_id, now, sequence);
            Ok(fields.seal(&self.key)?)
        });
        sealed.collect()
    }

    /// Sends frames, and waits for authentic replies until every frame has one or the time is over.
    pub fn ask(
        &self,
        to: SocketAddr,
        frames: &[Frame],
        patience: Duration,
    ) -> Result<Vec<Answer>, GatewayError> {
        let network = |source| GatewayError::Network { to, source };
        let any = if to.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
        let socket = UdpSocket::bind(any).map_err(network)?;
        // Only what comes from there is read.
        socket.connect(to).map_err(network)?;
        for datagram in frames.chunks(MAX_FRAMES) {
            let bytes: Vec<u8> = datagram.iter().flat_map(|frame| *frame.as_bytes()).collect();
            socket.send(&bytes).map_err(network)?;
        }
        let mut said: Vec<Option<(Verdict, Reason)>> = vec![None; frames.len()];
        let deadline = Instant::now() + patience;
        let mut room = [0; MAX_REPLIES];
        while said.contains(&None) {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            socket.set_read_timeout(Some(left)).map_err(network)?;
            // An unreachable port is silence too.
            let Ok(length) = socket.recv(&mut room) else { continue };
            for bytes in room[..length].as_chunks::<REPLY_LEN>().0 {
                let Ok(reply) = Reply::open(bytes, &self.key) else { continue };
                let asked = frames.iter().position(|frame| reply.answers(frame));
                if let Some(said) = asked.and_then(|at| said.get_mut(at)) {
                    *said = Some((reply.verdict(), reply.reason()));
                }
            }
        }
        let answers = frames.iter().zip(said).filter_map(|(frame, said)| {
            Some(Answer { uetr: Uetr::from_uuid(frame.fields()?.uetr).ok()?, said })
        });
        Ok(answers.collect())
    }

    /// Takes `count` sequence numbers, durably before they are used: a number that is used twice is refused.
    fn take(&self, count: u64, now: u64) -> Result<u64, GatewayError> {
        let path = &self.sequence;
        let file = |source| GatewayError::Sequence { path: path.clone(), source };
        let first = match fs::read_to_string(path) {
            Ok(text) => {
                let number = text.trim().parse().ok().filter(|number| *number < SEQUENCE_LIMIT);
                number.ok_or_else(|| GatewayError::NoSequence(path.clone()))?
            }
            // Above whatever was used before, as long as there were fewer than a million frames a second.
            Err(error) if error.kind() == io::ErrorKind::NotFound => now.saturating_mul(1000),
            Err(error) => return Err(file(error)),
        };
        keep(path, first.saturating_add(count)).map_err(file)?;
        Ok(first)
    }
}

/// Replaces the number in the file, so that it is the old one or the new one whatever happens.
fn keep(path: &Path, next: u64) -> io::Result<()> {
    let beside = path.with_extension("new");
    let mut file = fs::File::options().write(true).create(true).truncate(true).mode(0o600).open(&beside)?;
    writeln!(file, "{next}")?;
    file.sync_all()?;
    fs::rename(&beside, path)
}

/// The time as frames have it: milliseconds since 1970.
pub fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |elapsed| u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gateway(folder: &Path) -> Gateway {
        Gateway {
            key_id: 1,
            key: Key::new([1; 16]),
            digest_key: Key::new([2; 16]),
            sequence: folder.join("1.sequence"),
            scheme: Scheme::Sct,
        }
    }

    #[test]
    fn sequence_numbers_are_used_once_and_begin_above_the_last() {
        let dir = tempfile::tempdir().unwrap();
        let gateway = gateway(dir.path());
        assert_eq!(gateway.take(3, 1_000).unwrap(), 1_000_000);
        assert_eq!(gateway.take(1, 2_000).unwrap(), 1_000_003);
        fs::write(&gateway.sequence, "x").unwrap();
        assert!(matches!(gateway.take(1, 2_000), Err(GatewayError::NoSequence(_))));
    }

    #[test]
    fn a_gateway_hears_nothing_but_authentic_replies() {
        let dir = tempfile::tempdir().unwrap();
        let gateway = gateway(dir.path());
        let mut fields = frames::fields(&gateway.digest_key, &frames::example(), Scheme::Sct)
            .expect("the example has all");
        fields.key_id = 1;
        let frame = fields.seal(&gateway.key).unwrap();
        let node = UdpSocket::bind("127.0.0.1:0").unwrap();
        let to = node.local_addr().unwrap();
        let answering = std::thread::spawn(move || {
            let mut room = [0; 2048];
            let (_, from) = node.recv_from(&mut room).unwrap();
            let forged = Reply::seal(&frame, Reason::NothingFound, 1, &Key::new([9; 16])).to_bytes();
            let real = Reply::seal(&frame, Reason::DebtorListed, 1, &Key::new([1; 16])).to_bytes();
            node.send_to(&[forged, real].concat(), from).unwrap();
        });
        let answers = gateway.ask(to, &[frame], Duration::from_secs(30)).unwrap();
        assert_eq!(answers[0].said, Some((Verdict::Block, Reason::DebtorListed)));
        answering.join().unwrap();
        let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
        let answers = gateway.ask(silent.local_addr().unwrap(), &[frame], Duration::from_millis(20)).unwrap();
        assert_eq!(answers[0].said, None);
    }
}

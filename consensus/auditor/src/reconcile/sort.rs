//! Brings what concerns one payment together, though neither list fits memory: entries are dealt by UETR to temporary
//! files, and one file at a time is read and sorted.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Seek, Write};

use hansa_types::hash::{Digest, digest};
use hansa_types::uetr::Uetr;

use super::ReconcileError;

/// Into how many parts the lists are cut.
pub(super) const PARTS: usize = 128;

/// Bytes of an entry in a temporary file: UETR, side, leg, place.
const ENTRY: usize = 16 + 1 + 32 + 8;
/// Bytes held for each part before they are written.
const BUFFER: usize = 16 << 10;
/// The leg of an entry that names none; no digest is that.
const NO_LEG: [u8; 32] = [0; 32];

/// One line of the hub or one decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Entry {
    pub(super) uetr: Uetr,
    /// Whether it is a decision, or else a payment of the hub.
    pub(super) decided: bool,
    /// The digest of the payment's key, leg and all; the hub may leave it out.
    pub(super) leg: Option<Digest>,
    /// The record's index, or the line of the list.
    pub(super) at: u64,
}

/// The temporary files. They have no names, so that they are gone with the process, however it ends.
pub(super) struct Sorter(Vec<BufWriter<File>>);

fn failed(source: io::Error) -> ReconcileError {
    ReconcileError::Io { what: "temporary files (set TMPDIR to a folder with more room)", source }
}

impl Sorter {
    pub(super) fn new() -> Result<Self, ReconcileError> {
        let part = |_| Ok(BufWriter::with_capacity(BUFFER, tempfile::tempfile()?));
        (0..PARTS).map(part).collect::<io::Result<_>>().map(Self).map_err(failed)
    }

    pub(super) fn push(&mut self, entry: &Entry) -> Result<(), ReconcileError> {
        // A digest, as UETRs in a list need not be as random as they should be.
        let spread = digest("hansa/reconcile-part/v1", &[entry.uetr.as_bytes()]);
        let part = usize::from(spread.0[0]) % PARTS;
        self.0[part].write_all(&entry.to_bytes()).map_err(failed)
    }

    /// Calls `each` for every payment with all that concerns it, payments of the hub first.
    pub(super) fn each(self, mut each: impl FnMut(Uetr, &[Entry])) -> Result<(), ReconcileError> {
        for part in self.0 {
            let mut entries = read(part).map_err(failed)?;
            entries.sort_unstable();
            for payment in entries.chunk_by(|a, b| a.uetr == b.uetr) {
                each(payment[0].uetr, payment);
            }
        }
        Ok(())
    }
}

fn read(part: BufWriter<File>) -> io::Result<Vec<Entry>> {
    let mut file = part.into_inner().map_err(io::IntoInnerError::into_error)?;
    file.rewind()?;
    let count = usize::try_from(file.metadata()?.len()).unwrap_or(usize::MAX) / ENTRY;
    let mut input = BufReader::new(file);
    let mut entries = Vec::with_capacity(count);
    let mut bytes = [0; ENTRY];
    for _ in 0..count {
        input.read_exact(&mut bytes)?;
        entries.push(Entry::from_bytes(&bytes)?);
    }
    Ok(entries)
}

impl Entry {
    fn to_bytes(self) -> [u8; ENTRY] {
        let mut bytes = [0; ENTRY];
        bytes[..16].copy_from_slice(self.uetr.as_bytes());
        bytes[16] = self.decided.into();
        bytes[17..49].copy_from_slice(&self.leg.map_or(NO_LEG, |leg| leg.0));
        bytes[49..].copy_from_slice(&self.at.to_be_bytes());
        bytes
    }

    fn from_bytes(bytes: &[u8; ENTRY]) -> io::Result<Self> {
        let (mut uetr, mut leg, mut at) = ([0; 16], [0; 32], [0; 8]);
        uetr.copy_from_slice(&bytes[..16]);
        leg.copy_from_slice(&bytes[17..49]);
        at.copy_from_slice(&bytes[49..]);
        Ok(Self {
            uetr: Uetr::from_uuid(uetr).map_err(io::Error::other)?,
            decided: bytes[16] == 1,
            leg: (leg != NO_LEG).then_some(Digest(leg)),
            at: u64::from_be_bytes(at),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_come_together_by_payment() {
        let mut sorter = Sorter::new().unwrap();
        let uetr = |n: u8| Uetr::from_random([n; 16]);
        let entry = |n, decided, at| Entry {
            uetr: uetr(n),
            decided,
            leg: decided.then_some(Digest([n + 1; 32])),
            at,
        };
        for at in 0..3 {
            for n in 0..200 {
                sorter.push(&entry(n, at == 1, at)).unwrap();
            }
        }
        let mut seen = 0;
        sorter
            .each(|payment, entries| {
                let n = payment.as_bytes()[0];
                assert_eq!(entries, [entry(n, false, 0), entry(n, false, 2), entry(n, true, 1)]);
                seen += 1;
            })
            .unwrap();
        assert_eq!(seen, 200);
    }
}

//! What this bank remembers as a witness: for each log the checkpoint it cosigned last.
//!
//! Under its own log's name stands the checkpoint that it published last, with the cosignatures of others.

use hansa_audit_log::note::{MAX_NOTE_BYTES, SignedNote};
use hansa_audit_log::witness::Seen;
use hansa_types::codec::{CodecError, Decode, Encode, Reader, Writer};

use super::transaction::Transaction;
use super::{StateMachine, decode};
use crate::outcome::Outcome;
use crate::store::{StoreError, Table, scan_prefix};

/// A checkpoint that is remembered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Witnessed {
    /// Its log.
    pub origin: String,
    /// Its size and root.
    pub seen: Seen,
    /// The checkpoint as it was proposed.
    pub note: SignedNote,
}

/// A checkpoint as it is stored under its origin.
struct Stored {
    seen: Seen,
    note: Vec<u8>,
}

impl Encode for Stored {
    fn encode(&self, out: &mut Writer) {
        self.seen.encode(out);
        out.bytes(&self.note);
    }
}

impl Decode for Stored {
    fn decode(input: &mut Reader<'_>) -> Result<Self, CodecError> {
        Ok(Self { seen: Decode::decode(input)?, note: input.bytes("note", MAX_NOTE_BYTES)?.to_vec() })
    }
}

/// Remembers a checkpoint if the one before is still what it was checked against. Proposed again, it is remembered
/// again; a log never shrinks and never changes its root at one size, whatever was checked.
pub(super) fn remember(
    tx: &mut Transaction<'_>,
    origin: &str,
    old: Option<Seen>,
    new: Seen,
    note: Vec<u8>,
) -> Result<Outcome, StoreError> {
    let stored = tx.get(Table::Witness, origin.as_bytes())?;
    let seen = stored.map(|bytes| decode::<Stored>(Table::Witness, &bytes)).transpose()?.map(|s| s.seen);
    let extends = seen.is_none_or(|seen| seen.size < new.size);
    if seen != Some(new) && !(seen == old && extends) {
        return Ok(Outcome::WitnessRefused { seen });
    }
    tx.put(Table::Witness, origin, Stored { seen: new, note }.to_bytes());
    Ok(Outcome::Witnessed)
}

impl StateMachine {
    pub(crate) fn witnessed(&self, origin: &str) -> Result<Option<Witnessed>, StoreError> {
        let _tree = self.tree();
        let stored = self.store.get(Table::Witness, origin.as_bytes())?;
        stored.map(|bytes| read(origin.as_bytes(), &bytes)).transpose()
    }

    pub(crate) fn all_witnessed(&self) -> Result<Vec<Witnessed>, StoreError> {
        let _tree = self.tree();
        let stored = scan_prefix(&*self.store, Table::Witness, &[], usize::MAX)?;
        stored.iter().map(|(origin, bytes)| read(origin, bytes)).collect()
    }
}

fn read(origin: &[u8], bytes: &[u8]) -> Result<Witnessed, StoreError> {
    let Stored { seen, note } = decode(Table::Witness, bytes)?;
    let corrupt = |error: &dyn std::fmt::Display| StoreError::corrupt(Table::Witness, error);
    let origin = std::str::from_utf8(origin).map_err(|error| corrupt(&error))?.to_owned();
    let note = SignedNote::parse(&note).map_err(|error| corrupt(&error))?;
    Ok(Witnessed { origin, seen, note })
}

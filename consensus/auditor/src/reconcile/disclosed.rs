//! The disclosed keys beside the walk through the log: every decision has one, and nothing else has.

use std::io::{BufReader, Read};
use std::path::Path;

use hansa_audit_log::checkpoint::Checkpoint;
use hansa_audit_log::disclosure::{DisclosedKey, KEY_BYTES, PREFIX_BYTES, checkpoint_bytes};
use hansa_audit_log::envelope::{Envelope, LeafKey};
use hansa_types::codec::{CodecError, Decode};
use hansa_types::record::{DecisionRecord, Record, RecordClass};

use super::sort::{Entry, Sorter};
use super::{FindingKind, ReconcileError, Reconciliation};
use crate::log::Log;

/// A file of disclosures, read as the log is walked through.
pub(super) struct Disclosed<R> {
    /// The checkpoint that the keys were disclosed for, verified.
    pub(super) checkpoint: Checkpoint,
    origin: String,
    input: BufReader<R>,
    next: Option<DisclosedKey>,
}

fn failed(source: std::io::Error) -> ReconcileError {
    ReconcileError::Io { what: "the file of disclosures", source }
}

impl<R: Read> Disclosed<R> {
    pub(super) fn open(log: &Log, path: &Path, file: R) -> Result<Self, ReconcileError> {
        let mut input = BufReader::new(file);
        let mut prefix = [0; PREFIX_BYTES];
        input.read_exact(&mut prefix).map_err(failed)?;
        let mut note = vec![0; checkpoint_bytes(&prefix)?];
        input.read_exact(&mut note).map_err(failed)?;
        let (_, checkpoint) = log.open(path, &note)?;
        let mut disclosed = Self { checkpoint, origin: log.origin.clone(), input, next: None };
        disclosed.advance()?;
        Ok(disclosed)
    }

    /// One leaf of the log.
    pub(super) fn visit(
        &mut self,
        index: u64,
        leaf: &[u8],
        sorter: &mut Sorter,
        found: &mut Reconciliation,
    ) -> Result<(), ReconcileError> {
        let envelope =
            Envelope::new(leaf.to_vec()).map_err(|source| ReconcileError::Envelope { index, source })?;
        let key = self.next.take_if(|next| next.index <= index);
        if key.is_some() {
            self.advance()?;
        }
        if let Some(key) = key.as_ref().filter(|key| key.index < index || !is_decision(&envelope)) {
            return Err(ReconcileError::NotADecision(key.index));
        }
        if !is_decision(&envelope) {
            return Ok(());
        }
        found.decisions += 1;
        let Some(key) = key else {
            found.add(FindingKind::Hidden, None, index);
            return Ok(());
        };
        let DecisionRecord { decision, .. } = self.decision(index, &envelope, &key)?;
        match decision.key.uetr() {
            Some(uetr) => {
                let leg = Some(decision.key.digest());
                sorter.push(&Entry { uetr, decided: true, leg, at: index })
            }
            None => {
                found.without_uetr += 1;
                Ok(())
            }
        }
    }

    /// No key is left that belongs to nothing.
    pub(super) fn finish(self) -> Result<(), ReconcileError> {
        self.next.map_or(Ok(()), |key| Err(ReconcileError::NotADecision(key.index)))
    }

    /// What a leaf holds: a decision, on the payment beside it.
    fn decision(
        &self,
        index: u64,
        envelope: &Envelope,
        key: &DisclosedKey,
    ) -> Result<DecisionRecord, ReconcileError> {
        let opened = envelope.open(&self.origin, &LeafKey::new(key.leaf_key));
        let opened = opened.map_err(|source| ReconcileError::Envelope { index, source })?;
        let record =
            Record::from_bytes(&opened).map_err(|source| ReconcileError::Record { index, source })?;
        match record {
            Record::Decision(record)
                if record.decision.key == record.payment.key()
                    && record.decision.content == record.payment.content_hash() =>
            {
                Ok(record)
            }
            _ => Err(ReconcileError::FalseDecision(index)),
        }
    }

    fn advance(&mut self) -> Result<(), ReconcileError> {
        let mut bytes = [0; KEY_BYTES];
        let mut filled = 0;
        while filled < KEY_BYTES {
            match self.input.read(&mut bytes[filled..]).map_err(failed)? {
                0 => break,
                read => filled += read,
            }
        }
        match filled {
            0 => {}
            KEY_BYTES => self.next = Some(DisclosedKey::from_bytes(&bytes)),
            short => {
                let missing = KEY_BYTES - short;
                return Err(ReconcileError::Disclosures(CodecError::Truncated { missing }.into()));
            }
        }
        Ok(())
    }
}

fn is_decision(envelope: &Envelope) -> bool {
    envelope.class() == RecordClass::Decision
}

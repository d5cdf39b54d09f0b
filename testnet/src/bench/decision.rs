//! The decisions that the audit log is measured with: records of 256 bytes, sealed, under all the indexes that a real
//! one has. Each follows from its number alone, so that whoever knows the number can look for it.

use hansa_audit_log::envelope::{ENVELOPE_VERSION, Envelope, OVERHEAD};
use hansa_consensus::{Command, IndexTerm, Leaf, Unique};
use hansa_types::codec::Encode;
use hansa_types::record::RecordClass;
use rand::rngs::StdRng;
use rand::{RngCore, SeedableRng};

/// Bytes of a record before it is sealed.
const RECORD: usize = 256;
/// UETR, payment, decision, and the accounts of debtor and creditor.
const OWN_TERMS: usize = 5;
/// Decisions that share a term of time.
const PER_PERIOD: u64 = 1_000;
/// Sets the terms of time apart from all others.
const PERIOD: [u8; 8] = *b"period\0\0";

/// The keyed digest under which decision `number` is unique.
pub(super) fn unique_key(number: u64) -> [u8; 32] {
    let mut key = [0; 32];
    StdRng::seed_from_u64(number).fill_bytes(&mut key);
    key
}

/// A term under which decision `number` alone is found.
pub(super) fn term(number: u64) -> IndexTerm {
    let mut rng = StdRng::seed_from_u64(number);
    let mut bytes = [0; 32];
    // The first 32 bytes are the unique key.
    rng.fill_bytes(&mut bytes);
    rng.fill_bytes(&mut bytes);
    bytes
}

/// Appends decision `number`. The bytes of the sealed record are random, as ciphertext is: what the log does with them
/// is the same, and sealing is not what is measured.
pub(super) fn append(number: u64) -> Command {
    let mut rng = StdRng::seed_from_u64(number);
    let mut bytes32 = || {
        let mut bytes = [0; 32];
        rng.fill_bytes(&mut bytes);
        bytes
    };
    let key = bytes32();
    let mut terms: Vec<IndexTerm> = (0..OWN_TERMS).map(|_| bytes32()).collect();
    let mut period = [0; 32];
    period[..8].copy_from_slice(&PERIOD);
    period[8..16].copy_from_slice(&(number / PER_PERIOD).to_be_bytes());
    terms.push(period);
    let content = bytes32();
    let mut sealed = vec![0; OVERHEAD + RECORD];
    rng.fill_bytes(&mut sealed);
    sealed[0] = ENVELOPE_VERSION;
    sealed[1] = RecordClass::Decision.number();
    let envelope = Envelope::new(sealed).expect("the length, version and class are those of an envelope");
    let unique = Unique { key, content };
    let leaf = Leaf { terms, unique, ..Leaf::new(envelope) };
    Command::Append { leaf, follow_up: vec![] }
}

/// The same, encoded.
pub(super) fn encoded(number: u64) -> Vec<u8> {
    append(number).to_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_decision_is_found_by_its_number() {
        let Command::Append { leaf, .. } = append(7) else { panic!("appends") };
        assert_eq!(leaf.unique.key, unique_key(7));
        assert_eq!(leaf.terms[0], term(7));
        assert_eq!(leaf.terms.len(), OWN_TERMS + 1);
        assert_eq!(leaf.envelope.as_bytes().len(), OVERHEAD + RECORD);
        assert_eq!(append(7), append(7));
        assert_ne!(unique_key(7), unique_key(8));
    }
}

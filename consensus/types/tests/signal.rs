//! Frozen bytes of what crosses between banks, and properties of their codec.

use hansa_types::codec::{Decode, Encode};
use hansa_types::hash::{Digest, Field};
use hansa_types::id::{Epoch, GatewayId};
use hansa_types::signal::{Category, Gossip, PROOF_LENGTH, Retraction, Severity, Signal, SignalBody};
use hansa_types::subject::SubjectKind;
use proptest::prelude::*;

fn signal() -> Signal {
    let body = SignalBody {
        consortium: Digest([1; 32]),
        circuit: 1,
        gateway: GatewayId(2),
        epoch: Epoch(3),
        expires: Epoch(9),
        severity: Severity::Medium,
        subject: SubjectKind::Account,
        category: Category::MuleAccount,
        tag: Field([4; 32]),
        decision_commitment: Field([5; 32]),
        retraction_lock: Digest([6; 32]),
        reply_key: [7; 32],
    };
    Signal { body, nullifier: Field([8; 32]), share: Field([9; 32]), proof: [10; PROOF_LENGTH] }
}

fn retraction() -> Retraction {
    Retraction { gateway: GatewayId(2), epoch: Epoch(3), nullifier: Field([8; 32]), preimage: [11; 32] }
}

/// A line `name hex` for each value: a changed byte is a changed protocol, and needs a new version byte.
#[test]
fn bytes_and_digests_are_frozen() {
    let vectors = [
        ("signal", Gossip::Signal(signal()).to_bytes()),
        ("signal-body-digest", signal().body.digest().to_bytes()),
        ("signal-id", signal().id().to_bytes()),
        ("retraction", Gossip::Retraction(retraction()).to_bytes()),
        ("retraction-id", Gossip::Retraction(retraction()).id().to_bytes()),
    ];
    let text: String =
        vectors.iter().map(|(name, bytes)| format!("{name} {}\n", hex::encode(bytes))).collect();
    assert_eq!(text, include_str!("vectors/signal.txt"));
}

#[test]
fn a_signal_fits_the_wire_budget() {
    assert!(Gossip::Signal(signal()).to_bytes().len() <= 640, "a signal is at most 640 bytes on the wire");
}

#[test]
fn a_rerandomised_proof_keeps_the_id_and_anything_else_changes_it() {
    let honest = signal();
    let copy = Signal { proof: [12; PROOF_LENGTH], ..honest.clone() };
    assert_eq!(honest.id(), copy.id());
    let other_nullifier = Signal { nullifier: Field([13; 32]), ..honest.clone() };
    assert_ne!(honest.id(), other_nullifier.id());
    let mut other_body = honest.clone();
    other_body.body.severity = Severity::High;
    assert_ne!(honest.id(), other_body.id());
}

#[test]
fn every_truncation_and_every_extension_is_refused() {
    let bytes = Gossip::Signal(signal()).to_bytes();
    for end in 0..bytes.len() {
        assert!(Gossip::from_bytes(&bytes[..end]).is_err(), "{end} bytes decode");
    }
    assert!(Gossip::from_bytes(&[bytes.as_slice(), &[0]].concat()).is_err());
}

proptest! {
    #[test]
    fn whatever_decodes_encodes_to_the_same_bytes(
        mut bytes in proptest::collection::vec(any::<u8>(), 0..600),
        kind in 0u8..4,
    ) {
        if let Some(first) = bytes.first_mut() {
            *first = kind;
        }
        if let Ok(message) = Gossip::from_bytes(&bytes) {
            prop_assert_eq!(message.to_bytes(), bytes);
        }
    }

    #[test]
    fn one_changed_byte_never_decodes_to_the_same_signal(index in 0usize..480, flip in 1u8..) {
        let original = Gossip::Signal(signal());
        let mut bytes = original.to_bytes();
        let index = index % bytes.len();
        bytes[index] ^= flip;
        if let Ok(changed) = Gossip::from_bytes(&bytes) {
            prop_assert_ne!(changed, original);
        }
    }
}

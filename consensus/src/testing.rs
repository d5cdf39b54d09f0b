//! Leaves, signals and a verifier for the tests of this crate.

use std::sync::Arc;

use hansa_audit_log::envelope::{Envelope, RecordsKey};
use hansa_audit_log::witness::Seen;
use hansa_types::hash::{Digest, Field};
use hansa_types::id::{Epoch, GatewayId, Timestamp};
use hansa_types::record::RecordClass;
use hansa_types::signal::{
    Category, PROOF_LENGTH, Retraction, Severity, Signal, SignalBody, retraction_lock,
};
use hansa_types::subject::SubjectKind;
use hansa_types::verify::{SignalRules, SignalVerifier, Verifier, VerifyError};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;

use crate::command::{Command, Intent, Leaf, Unique};

pub(crate) const ORIGIN: &str = "bank-a.example/audit";
pub(crate) const GATEWAY: GatewayId = GatewayId(3);
pub(crate) const EPOCH: Epoch = Epoch(9);

/// Accepts a signal whose proof begins with 1.
struct FirstByte;

impl SignalRules for FirstByte {}

impl Verifier<Signal> for FirstByte {
    fn verify(&self, signal: &Signal) -> Result<(), VerifyError> {
        if signal.proof[0] == 1 { Ok(()) } else { Err(VerifyError::Reject("the proof is wrong".to_owned())) }
    }
}

pub(crate) fn verifier() -> Arc<SignalVerifier> {
    Arc::new(FirstByte)
}

pub(crate) fn envelope(seed: u64) -> Envelope {
    let mut rng = ChaCha20Rng::seed_from_u64(seed);
    RecordsKey::new([7; 32])
        .seal(ORIGIN, RecordClass::Decision, format!("record {seed}").as_bytes(), &mut rng)
        .unwrap()
}

pub(crate) fn leaf(seed: u64) -> Leaf {
    Leaf::new(envelope(seed))
}

/// Appends a leaf under a unique key.
pub(crate) fn append(seed: u64, key: u8, content: u8) -> Command {
    let unique = Unique { key: [key; 32], content: [content; 32] };
    Command::Append { leaf: Leaf { unique, ..leaf(seed) }, follow_up: vec![] }
}

/// A signal under a nullifier; `what` makes its body differ.
pub(crate) fn signal(nullifier: u8, what: u8) -> Signal {
    let body = SignalBody {
        consortium: Digest([1; 32]),
        circuit: 1,
        gateway: GATEWAY,
        epoch: EPOCH,
        expires: Epoch(12),
        severity: Severity::Medium,
        subject: SubjectKind::Account,
        category: Category::MuleAccount,
        tag: Field([what; 32]),
        decision_commitment: Field([2; 32]),
        retraction_lock: retraction_lock(&preimage(nullifier)),
        reply_key: [4; 32],
    };
    let mut proof = [0; PROOF_LENGTH];
    proof[0] = 1;
    Signal { body, nullifier: Field([nullifier; 32]), share: Field([5; 32]), proof }
}

pub(crate) fn preimage(nullifier: u8) -> [u8; 32] {
    [nullifier ^ 0xff; 32]
}

pub(crate) fn received(seed: u64, signal: Signal) -> Command {
    Command::Received {
        leaf: leaf(seed),
        signal,
        at: Timestamp(seed),
        follow_up: vec![leaf(seed + 1_000_000)],
    }
}

pub(crate) fn retract(seed: u64, nullifier: u8, preimage: [u8; 32]) -> Command {
    let nullifier = Field([nullifier; 32]);
    let retraction = Retraction { gateway: GATEWAY, epoch: EPOCH, nullifier, preimage };
    Command::Retract { leaf: leaf(seed), retraction, follow_up: vec![] }
}

pub(crate) fn intent(seed: u64, id: u8, counter: u32, subject: u8) -> Command {
    let intent = Intent {
        gateway: GATEWAY,
        epoch: EPOCH,
        counter,
        limit: 3,
        subject: [subject; 32],
        id: Digest([id; 32]),
        payload: vec![id; 10],
    };
    Command::Intent { leaf: leaf(seed), intent }
}

pub(crate) fn unlock(seed: u64, epoch: u32) -> Command {
    Command::Unlock { leaf: leaf(seed), epoch: Epoch(epoch) }
}

pub(crate) fn expire(seed: u64, id: u8) -> Command {
    Command::Expire { leaf: leaf(seed), intent: Digest([id; 32]) }
}

/// A checkpoint of another log, checked against `old`; sizes 0 stand for nothing.
pub(crate) fn witness(log: u8, old: u64, new: u64, root: u8) -> Command {
    let seen = |size| Seen { size, root: [root; 32] };
    let origin = format!("bank-{log}.example/audit");
    let text = format!("{origin}\n{new}\n");
    let note = format!("{text}\n\u{2014} {origin} AAAAAAA=\n").into_bytes();
    Command::Witness { origin, old: (old > 0).then(|| seen(old)), new: seen(new), note }
}

pub(crate) fn sent(seed: u64, id: u8, signal: Signal) -> Command {
    Command::Sent { leaf: leaf(seed), intent: Digest([id; 32]), signal, at: Timestamp(seed) }
}

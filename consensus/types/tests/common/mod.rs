//! Banks with keys in memory, and the manifest that they founded.

#![allow(dead_code, reason = "each test uses what it needs")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "the values made here are valid; a panic fails the test"
)]

pub(crate) mod governing;

use std::collections::{BTreeMap, BTreeSet};

use ed25519_dalek::{Signer as _, SigningKey};
use hansa_types::hash::{Digest, Element, Field, PublicKey};
use hansa_types::id::{BankId, Epoch, GatewayId, Timestamp};
use hansa_types::lei::Lei;
use hansa_types::manifest::{
    Circuit, EpochSchedule, Gateway, Manifest, Member, RegisteredModel, Registration, TagPolicy, Thresholds,
    WitnessPolicy,
};
use hansa_types::model::Model;
use hansa_types::sign::{SignError, Signer};

/// A key in memory.
pub(crate) struct Key(SigningKey);

impl Key {
    pub(crate) fn new(seed: u8) -> Self {
        Self(SigningKey::from_bytes(&[seed; 32]))
    }
}

impl Signer for Key {
    fn public_key(&self) -> PublicKey {
        PublicKey(self.0.verifying_key().to_bytes())
    }

    fn sign(&self, message: &[u8]) -> Result<[u8; 64], SignError> {
        Ok(self.0.sign(message).to_bytes())
    }
}

/// The id of the `n`th bank.
pub(crate) fn bank(n: u8) -> BankId {
    format!("bank-{n}").parse().unwrap()
}

/// Its entry; `n` from 1 to 24.
pub(crate) fn member(n: u8) -> Member {
    Member {
        institution: format!("Bank {n}"),
        parent: lei(n),
        zones: BTreeMap::from([("a".to_owned(), "DE".try_into().unwrap())]),
        governance_key: Key::new(n).public_key(),
        log_key: Key::new(n + 50).public_key(),
        cosigner_key: Key::new(n + 75).public_key(),
        peer_keys: BTreeSet::from([Key::new(n + 100).public_key()]),
        membership: Field([n; 32]),
        traces: BTreeMap::from([(Epoch(0), Field([n + 150; 32]))]),
        tag_share: None,
    }
}

/// A sound manifest of three banks.
pub(crate) fn manifest() -> Manifest {
    manifest_of(3)
}

/// A sound manifest of as many banks, each an institution of its own.
pub(crate) fn manifest_of(banks: u8) -> Manifest {
    let members: BTreeMap<_, _> = (1..=banks).map(|n| (bank(n), member(n))).collect();
    let registration = Registration { reference: "r-1".into(), expires: Timestamp(10_000) };
    let gateway = Gateway {
        name: "fraud".into(),
        legal_basis: "AMLR art. 75".into(),
        purpose: "mule accounts".into(),
        jurisdictions: BTreeSet::from(["DE".try_into().unwrap()]),
        members: members.keys().map(|bank| (bank.clone(), registration.clone())).collect(),
        minimum: 2,
        expires: Timestamp(10_000),
    };
    let registered = RegisteredModel {
        model: Model { version: 1, weights: [1; 16] },
        owner: "bank-1".into(),
        purpose: "mule accounts".into(),
        validation: Digest([4; 32]),
        approver: "bank-2".into(),
        review: "2027-01-31".try_into().unwrap(),
    };
    let circuit = Circuit {
        version: 1,
        hash: Digest([1; 32]),
        verifying_key: Digest([2; 32]),
        transcript: Some(Digest([5; 32])),
    };
    Manifest {
        name: "test".into(),
        development: true,
        refounds: None,
        epochs: EpochSchedule { start: Timestamp(1_000), seconds: 100, grace_seconds: 10 },
        members,
        gateways: BTreeMap::from([(GatewayId(1), gateway)]),
        thresholds: Thresholds { low: 100, medium: 200, high: 300 },
        models: vec![registered],
        circuits: BTreeMap::from([(Epoch(0), circuit)]),
        signal_limit: 8,
        signal_lifetime: 4,
        tags: TagPolicy { key: Element([3; 32]), threshold: 1 },
        witnesses: WitnessPolicy { quorum: banks - 1, faulty: 1.min(banks - 1) },
    }
}

/// An LEI with right check digits.
pub(crate) fn lei(n: u8) -> Lei {
    let body = format!("TESTBANK0000000{n:03}");
    let digit = |c: char| c.to_digit(36).unwrap();
    let rest =
        body.chars().chain("00".chars()).map(digit).fold(0, |rest, digit| {
            if digit < 10 { (rest * 10 + digit) % 97 } else { (rest * 100 + digit) % 97 }
        });
    format!("{body}{:02}", 98 - rest).parse().unwrap()
}

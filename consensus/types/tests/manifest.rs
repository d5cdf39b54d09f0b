//! What makes a manifest usable, and every way in which one is refused.

#![allow(clippy::unwrap_used, reason = "the values made here are valid; a panic fails the test")]

use std::collections::{BTreeMap, BTreeSet};

use ed25519_dalek::{Signer as _, SigningKey};
use hansa_types::codec::{Decode, Encode};
use hansa_types::hash::{Digest, Field, PublicKey};
use hansa_types::id::{BankId, Epoch, GatewayId, Timestamp};
use hansa_types::manifest::{
    Circuit, EpochSchedule, Gateway, Manifest, ManifestError, Member, SignedManifest, Thresholds,
};
use hansa_types::model::Model;
use hansa_types::sign::{SignError, Signer};
use hansa_types::signal::Severity;

struct Key(SigningKey);

impl Key {
    fn new(seed: u8) -> Self {
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

fn bank(n: u8) -> BankId {
    format!("bank-{n}").parse().unwrap()
}

fn member(n: u8) -> Member {
    Member {
        institution: format!("Bank {n}"),
        parent: "5493001KJTIIGC8Y1R12".try_into().unwrap(),
        governance_key: Key::new(n).public_key(),
        log_key: Key::new(n + 50).public_key(),
        cosigner_key: Key::new(n + 75).public_key(),
        peer_key: Key::new(n + 100).public_key(),
        membership: Field([n; 32]),
        traces: BTreeMap::from([(Epoch(0), Field([n + 150; 32]))]),
    }
}

fn manifest() -> Manifest {
    let members: BTreeMap<_, _> = (1..4).map(|n| (bank(n), member(n))).collect();
    let gateway = Gateway {
        name: "fraud".into(),
        legal_basis: "AMLR art. 75".into(),
        purpose: "mule accounts".into(),
        jurisdictions: BTreeSet::from(["DE".try_into().unwrap()]),
        members: members.keys().cloned().collect(),
        expires: Timestamp(10_000),
    };
    Manifest {
        name: "test".into(),
        development: true,
        epochs: EpochSchedule { start: Timestamp(1_000), seconds: 100, grace_seconds: 10 },
        members,
        gateways: BTreeMap::from([(GatewayId(1), gateway)]),
        thresholds: Thresholds { low: 100, medium: 200, high: 300 },
        models: vec![Model { version: 1, weights: [1; 16] }],
        circuit: Circuit { version: 1, hash: Digest([1; 32]), verifying_key: Digest([2; 32]) },
        signal_limit: 8,
        signal_lifetime: 4,
        tag_key: [3; 32],
        witness_quorum: 1,
    }
}

fn signed(manifest: Manifest) -> SignedManifest {
    let mut signed = SignedManifest::new(manifest);
    (1..4).for_each(|n| signed.sign(&bank(n), &Key::new(n)).unwrap());
    signed
}

#[test]
fn a_fully_signed_manifest_opens() {
    let bytes = signed(manifest()).to_bytes();
    assert_eq!(SignedManifest::open(&bytes).unwrap(), manifest());
    assert_eq!(Manifest::from_bytes(&manifest().to_bytes()), Ok(manifest()));
}

#[test]
fn the_encoding_is_frozen() {
    let vector = include_str!("vectors/manifest.txt").trim();
    let frozen = hex::encode(manifest().to_bytes());
    assert_eq!(frozen, vector, "a changed encoding needs a new MANIFEST_VERSION");
}

#[test]
fn the_witness_quorum_is_within_the_other_members() {
    for (quorum, sound) in [(0, false), (1, true), (2, true), (3, false)] {
        assert_eq!(Manifest { witness_quorum: quorum, ..manifest() }.check().is_ok(), sound, "{quorum}");
    }
    let mut alone = Manifest { witness_quorum: 0, ..manifest() };
    alone.members.retain(|id, _| *id == bank(1));
    alone.gateways.clear();
    assert!(alone.check().is_ok(), "nobody is there to witness");
}

#[test]
fn a_log_is_found_by_its_origin() {
    let manifest = manifest();
    let origin = manifest.log_origin(&bank(2));
    assert_eq!(manifest.log_owner(&origin).map(|(id, _)| id), Some(&bank(2)));
    assert_eq!(manifest.log_owner("hansa/other/bank-2"), None);
}

#[test]
fn a_missing_false_or_foreign_signature_is_refused() {
    let mut missing = signed(manifest());
    missing.signatures.remove(&bank(2));
    assert!(
        matches!(SignedManifest::open(&missing.to_bytes()), Err(ManifestError::Unsigned(b)) if b == bank(2))
    );

    let mut swapped = signed(manifest());
    let one = swapped.signatures[&bank(1)];
    swapped.signatures.insert(bank(2), one);
    assert!(matches!(SignedManifest::open(&swapped.to_bytes()), Err(ManifestError::Signature(_))));

    let mut stranger = signed(manifest());
    let one = stranger.signatures[&bank(1)];
    stranger.signatures.insert(bank(9), one);
    assert!(matches!(SignedManifest::open(&stranger.to_bytes()), Err(ManifestError::Stranger(_))));

    let wrong_key = SignedManifest::new(manifest()).sign(&bank(1), &Key::new(2));
    assert!(matches!(wrong_key, Err(ManifestError::Signature(_))));
}

#[test]
fn one_changed_byte_is_refused() {
    let bytes = signed(manifest()).to_bytes();
    for index in 0..bytes.len() {
        let mut changed = bytes.clone();
        changed[index] ^= 1;
        assert!(SignedManifest::open(&changed).is_err(), "byte {index} changed and the manifest opens");
    }
}

#[test]
fn contradictions_are_refused_though_signed() {
    type Change = fn(&mut Manifest);
    let cases: [(&str, Change); 10] = [
        ("no members", |m| m.members.clear()),
        ("no models", |m| m.models.clear()),
        ("two models of one version", |m| m.models.push(m.models[0].clone())),
        ("falling thresholds", |m| m.thresholds.medium = 50),
        ("grace of a whole epoch", |m| m.epochs.grace_seconds = 100),
        ("an epoch of no length", |m| m.epochs.seconds = 0),
        ("no signals allowed", |m| m.signal_limit = 0),
        ("a name with a space", |m| m.name = "a b".into()),
        ("a gateway without a legal basis", |m| {
            m.gateways.get_mut(&GatewayId(1)).unwrap().legal_basis.clear();
        }),
        ("a gateway with a stranger", |m| {
            m.gateways.get_mut(&GatewayId(1)).unwrap().members.insert(bank(9));
        }),
    ];
    for (what, change) in cases {
        let mut manifest = manifest();
        change(&mut manifest);
        assert!(matches!(manifest.check(), Err(ManifestError::Content(_))), "{what} is accepted");
    }
}

#[test]
fn a_key_has_one_purpose() {
    let mut shared = manifest();
    let key = shared.members[&bank(1)].log_key;
    shared.members.get_mut(&bank(2)).unwrap().peer_key = key;
    assert!(shared.check().is_err());
    let mut trace = manifest();
    let first = trace.members[&bank(1)].traces[&Epoch(0)];
    trace.members.get_mut(&bank(2)).unwrap().traces.insert(Epoch(0), first);
    assert!(trace.check().is_err());
}

#[test]
fn epochs_begin_at_the_start_and_the_last_is_accepted_within_its_grace() {
    let epochs = manifest().epochs;
    assert_eq!(epochs.at(Timestamp(999)), None);
    assert_eq!(epochs.at(Timestamp(1_000)), Some(Epoch(0)));
    assert_eq!(epochs.at(Timestamp(1_100)), Some(Epoch(1)));
    assert!(epochs.accepts(Epoch(1), Timestamp(1_150)));
    assert!(epochs.accepts(Epoch(0), Timestamp(1_109)));
    assert!(!epochs.accepts(Epoch(0), Timestamp(1_110)));
    assert!(!epochs.accepts(Epoch(2), Timestamp(1_199)), "a future epoch is not accepted");
}

#[test]
fn the_highest_severity_reached_is_claimed() {
    let thresholds = manifest().thresholds;
    assert_eq!(thresholds.severity(99), None);
    assert_eq!(thresholds.severity(100), Some(Severity::Low));
    assert_eq!(thresholds.severity(250), Some(Severity::Medium));
    assert_eq!(thresholds.severity(i64::MAX), Some(Severity::High));
}

#[test]
fn a_gateway_is_usable_by_its_members_until_it_expires() {
    let manifest = manifest();
    assert!(manifest.usable_gateway(GatewayId(1), &bank(1), Timestamp(10_000)).is_some());
    assert!(manifest.usable_gateway(GatewayId(1), &bank(1), Timestamp(10_001)).is_none());
    assert!(manifest.usable_gateway(GatewayId(1), &bank(9), Timestamp(1)).is_none());
    assert!(manifest.usable_gateway(GatewayId(2), &bank(1), Timestamp(1)).is_none());
    assert_eq!(manifest.active_members(GatewayId(1), Epoch(0)), 3);
    assert_eq!(
        manifest.active_members(GatewayId(1), Epoch(1)),
        0,
        "without trace commitments nobody signals"
    );
}

//! What makes a manifest usable, and every way in which one is refused.

#![allow(clippy::unwrap_used, reason = "the values made here are valid; a panic fails the test")]

mod common;

use hansa_types::codec::{Decode, Encode};
use hansa_types::hash::Digest;
use hansa_types::id::{Epoch, GatewayId, Timestamp};
use hansa_types::manifest::{Circuit, Manifest, ManifestError, Remark, SignedManifest, WitnessPolicy};
use hansa_types::signal::Severity;
use proptest::prelude::*;

use crate::common::{Key, bank, manifest};

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
        let witnesses = WitnessPolicy { quorum, faulty: 0 };
        assert_eq!(Manifest { witnesses, ..manifest() }.check().is_ok(), sound, "{quorum}");
    }
    let mut alone = Manifest { witnesses: WitnessPolicy { quorum: 0, faulty: 0 }, ..manifest() };
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
    let cases: [(&str, Change); 20] = [
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
            let gateway = m.gateways.get_mut(&GatewayId(1)).unwrap();
            let registration = gateway.members[&bank(1)].clone();
            gateway.members.insert(bank(9), registration);
        }),
        ("a gateway without a minimum", |m| m.gateways.get_mut(&GatewayId(1)).unwrap().minimum = 0),
        ("a registration without a reference", |m| {
            let gateway = m.gateways.get_mut(&GatewayId(1)).unwrap();
            gateway.members.get_mut(&bank(1)).unwrap().reference.clear();
        }),
        ("a model without an approver", |m| m.models[0].approver.clear()),
        ("no circuit at first", |m| {
            let circuit = m.circuits.remove(&Epoch(0)).unwrap();
            m.circuits.insert(Epoch(1), circuit);
        }),
        ("an older circuit later", |m| {
            m.circuits.insert(Epoch(9), Circuit { version: 0, ..m.circuits[&Epoch(0)].clone() });
        }),
        ("a key of no ceremony", |m| {
            m.development = false;
            m.circuits.get_mut(&Epoch(0)).unwrap().transcript = None;
        }),
        ("a member without peers", |m| m.members.get_mut(&bank(1)).unwrap().peer_keys.clear()),
        ("a zone without a name", |m| {
            let zones = &mut m.members.get_mut(&bank(1)).unwrap().zones;
            zones.insert(String::new(), "DE".try_into().unwrap());
        }),
        ("more holders of the tag key than members", |m| m.tags.threshold = 4),
        ("more faulty witnesses than there are", |m| m.witnesses.faulty = 3),
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
    shared.members.get_mut(&bank(2)).unwrap().peer_keys.insert(key);
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
    let mut lapsed = manifest.clone();
    let gateway = lapsed.gateways.get_mut(&GatewayId(1)).unwrap();
    gateway.members.get_mut(&bank(1)).unwrap().expires = Timestamp(1_098);
    assert!(lapsed.usable_gateway(GatewayId(1), &bank(1), Timestamp(1_098)).is_some());
    assert!(lapsed.usable_gateway(GatewayId(1), &bank(1), Timestamp(1_099)).is_none());
    let active =
        |manifest: &Manifest, epoch| manifest.active_members(GatewayId(1), Epoch(epoch)).unwrap().count();
    assert_eq!(active(&manifest, 0), 3);
    assert_eq!(active(&lapsed, 0), 2, "one is not registered for all of the epoch");
    assert_eq!(active(&manifest, 1), 0, "without trace commitments nobody signals");
    assert!(manifest.active_members(GatewayId(2), Epoch(0)).is_none());
}

#[test]
fn a_circuit_is_in_force_until_the_next() {
    let mut manifest = manifest();
    manifest.circuits.insert(Epoch(5), Circuit { version: 2, ..manifest.circuits[&Epoch(0)].clone() });
    manifest.check().unwrap();
    let version = |epoch| manifest.circuit(Epoch(epoch)).map(|circuit| circuit.version);
    assert_eq!([version(0), version(4), version(5), version(u32::MAX)], [Some(1), Some(1), Some(2), Some(2)]);
}

/// What the founders may decide and should know: here, each condition at its border.
#[test]
fn what_is_allowed_and_dangerous_is_said() {
    let mut manifest = manifest();
    let gateway = GatewayId(1);
    let wanted =
        [Remark::Development, Remark::TagThreshold(1), Remark::FewRegistered { gateway, registered: 3 }];
    assert_eq!(manifest.remarks(), wanted, "2 x 2 > 2 + 1: no fork is published");
    manifest.witnesses.faulty = 2;
    let policy = manifest.witnesses;
    assert!(manifest.remarks().contains(&Remark::Forks { policy, witnesses: 2 }));
    manifest.witnesses = WitnessPolicy { quorum: 1, faulty: 0 };
    let said: Vec<String> = manifest.remarks().iter().map(Remark::to_string).collect();
    assert!(said[1].contains("2k > w + f does not hold for k = 1 cosignatures of w = 2 witnesses, f = 0"));
    manifest.gateways.get_mut(&gateway).unwrap().minimum = 4;
    let below = Remark::BelowMinimum { gateway, registered: 3, minimum: 4 };
    assert_eq!(manifest.remarks().last(), Some(&below));
    manifest.development = false;
    manifest.tags.threshold = 3;
    assert_eq!(manifest.remarks().len(), 2);
}

#[test]
fn json_says_the_same() {
    let json = serde_json::to_string(&manifest()).unwrap();
    assert_eq!(serde_json::from_str::<Manifest>(&json).unwrap(), manifest());
    let unknown = json.replacen("\"refounds\"", "\"refound\"", 1);
    assert!(serde_json::from_str::<Manifest>(&unknown).is_err(), "an unknown field is a mistake");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Any manifest of these parts has one encoding, and no other bytes give it.
    #[test]
    fn each_manifest_has_one_encoding(
        limit: u32, quorum: u8, faulty: u8, threshold: u16, refounds: Option<[u8; 32]>, epochs: Vec<u32>, at: usize
    ) {
        let mut changed = manifest();
        changed.signal_limit = limit;
        changed.witnesses = WitnessPolicy { quorum, faulty };
        changed.tags.threshold = threshold;
        changed.refounds = refounds.map(Digest);
        let circuit = changed.circuits[&Epoch(0)].clone();
        changed.circuits.extend(epochs.iter().map(|epoch| (Epoch(*epoch), circuit.clone())));
        let bytes = changed.to_bytes();
        prop_assert_eq!(Manifest::from_bytes(&bytes), Ok(changed.clone()));
        let mut altered = bytes.clone();
        altered[at % bytes.len()] ^= 1;
        if let Ok(other) = Manifest::from_bytes(&altered) {
            prop_assert_eq!(other.to_bytes(), altered);
            prop_assert_ne!(other.id(), changed.id());
        }
        prop_assert!(Manifest::from_bytes(&bytes[..bytes.len() - 1]).is_err());
    }
}

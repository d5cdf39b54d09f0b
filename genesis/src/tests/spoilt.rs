//! Transcripts that somebody spoilt: each is refused with the place and the reason.

use hansa_types::codec::Decode;

use super::*;
use crate::{
    file::Kind,
    flaw::Flaw,
    knowledge::Secret,
    place::{Contributor, Phase, Place},
    points::PointsError,
    secret::Locked,
    transcript::contribution_name,
};

/// File and flaw of a refusal.
fn refusal(ceremony: &Ceremony) -> (String, Flaw) {
    match ceremony.open() {
        Err(CeremonyError::Refused { file, flaw }) => (file, flaw),
        other => panic!("not refused, but {other:?}"),
    }
}

fn replace(ceremony: &Ceremony, name: &str, bytes: &[u8]) {
    fs::write(ceremony.path(name), bytes).unwrap();
}

/// Every byte of every header, and bytes throughout the points, in every file.
#[test]
fn one_altered_byte_anywhere_is_refused() {
    let ceremony = Ceremony::complete();
    for name in ceremony.names() {
        let bytes = fs::read(ceremony.path(&name)).unwrap();
        let step = (bytes.len() / 25).max(1);
        let places = (0..bytes.len()).filter(|at| at % step == 0 || *at < 12 || *at + 1 == bytes.len());
        for at in places {
            let mut altered = bytes.clone();
            altered[at] ^= 1 << (at % 8);
            replace(&ceremony, &name, &altered);
            let refused = ceremony.open();
            assert!(refused.is_err(), "byte {at} of {name}");
            let said = refused.unwrap_err().to_string();
            assert!(said.contains(".hansa") || said.contains("charter"), "byte {at} of {name}: {said}");
        }
        for other in [&bytes[..bytes.len() - 1], &[&bytes[..], &[0]].concat()[..], &[]] {
            replace(&ceremony, &name, other);
            assert!(ceremony.open().is_err(), "length of {name}");
        }
        replace(&ceremony, &name, &bytes);
    }
    ceremony.open().unwrap();
}

#[test]
fn contributions_in_another_order_are_refused() {
    for phase in [Phase::One, Phase::Two] {
        let ceremony = Ceremony::complete();
        let [one, two] = [1, 2].map(|n| fs::read(ceremony.path(&contribution_name(phase, n))).unwrap());
        replace(&ceremony, &contribution_name(phase, 1), &two);
        replace(&ceremony, &contribution_name(phase, 2), &one);
        let (file, flaw) = refusal(&ceremony);
        assert_eq!(file, contribution_name(phase, 1));
        assert_eq!(flaw, Flaw::Number { found_phase: phase, found: 2, phase, number: 1 });
    }
}

#[test]
fn a_dropped_contribution_is_missed() {
    for name in [
        "phase1-0001.hansa",
        "phase1-0002.hansa",
        "phase2-0000.hansa",
        "phase2-0001.hansa",
        "phase2-0002.hansa",
    ] {
        let ceremony = Ceremony::complete();
        fs::remove_file(ceremony.path(name)).unwrap();
        match ceremony.open() {
            Err(CeremonyError::Missing { name: missing, .. }) => assert_eq!(missing, name),
            // The last of a phase leaves its attestation, or a successor that names it.
            Err(CeremonyError::Refused { file, .. }) => {
                assert!(name.ends_with("2.hansa") && file != name, "{name}: {file}");
            }
            other => panic!("{name}: {other:?}"),
        }
    }
}

#[test]
fn a_replayed_contribution_is_refused() {
    for phase in [Phase::One, Phase::Two] {
        let ceremony = Ceremony::complete();
        let one = fs::read(ceremony.path(&contribution_name(phase, 1))).unwrap();
        replace(&ceremony, &contribution_name(phase, 2), &one);
        assert_eq!(refusal(&ceremony).1, Flaw::Number { found_phase: phase, found: 1, phase, number: 2 });
    }
}

/// The same founders, the same rules, other contributions.
#[test]
fn a_contribution_of_another_run_is_refused() {
    let (ours, theirs) = (Ceremony::small(), Ceremony::small());
    ours.contribute(0).unwrap();
    theirs.contribute(1).unwrap();
    theirs.contribute(2).unwrap();
    let other = fs::read(theirs.path("phase1-0002.hansa")).unwrap();
    replace(&ours, "phase1-0002.hansa", &other);
    assert!(matches!(refusal(&ours), (file, Flaw::Previous { .. }) if file == "phase1-0002.hansa"));

    let (circuit, mut charter) = (circuit(5), charter(&circuit(5)));
    charter.name = "other".into();
    let elsewhere = Ceremony::new(circuit, charter);
    elsewhere.contribute(0).unwrap();
    replace(&ours, "phase1-0001.hansa", &fs::read(elsewhere.path("phase1-0001.hansa")).unwrap());
    fs::remove_file(ours.path("phase1-0002.hansa")).unwrap();
    assert!(matches!(refusal(&ours), (_, Flaw::Charter { .. })));
}

/// A contribution to phase 2 made by hand: `change` may spoil elements, place or proof before it is written.
fn forged(
    change: impl FnOnce(&mut crate::phase2::Divided, &mut Place),
    multiply_by: u64,
    second: impl FnOnce(&mut crate::phase2::Divided),
) -> Flaw {
    let ceremony = Ceremony::complete();
    let transcript = ceremony.open().unwrap();
    let mut place = transcript.next(Contributor::Institution(bank(2)));
    let mut divided = transcript.phase2.as_ref().unwrap().divided.clone();
    change(&mut divided, &mut place);
    let mut delta = Locked::new(Fr::ONE).unwrap();
    *delta = Fr::from(multiply_by);
    let knowledge = divided.multiply(&delta, &place).unwrap();
    second(&mut divided);
    place.previous = transcript.hash();
    let bytes = file::compose(Kind::Divided, &place, |out| {
        knowledge.write(out);
        divided.write(out);
    });
    replace(&ceremony, "phase2-0003.hansa", &bytes);
    let (file, flaw) = refusal(&ceremony);
    assert_eq!(file, "phase2-0003.hansa");
    flaw
}

#[test]
fn what_a_cheating_contributor_could_write_is_refused() {
    let nothing = |_: &mut crate::phase2::Divided| {};
    assert_eq!(forged(|_, _| {}, 1, nothing), Flaw::Nothing(Secret::Delta));
    // Built on another's elements: on those before the last contribution.
    let base = |d: &mut crate::phase2::Divided, _: &mut Place| {
        let tripled = Locked::new(Fr::from(3_u8)).unwrap();
        let place = crate::place::tests::place(1);
        d.multiply(&tripled, &place).unwrap();
    };
    assert_eq!(forged(base, 5, nothing), Flaw::Link(Secret::Delta));
    // Proved for another place.
    assert_eq!(forged(|_, p| p.previous.0[0] ^= 1, 5, nothing), Flaw::Knowledge(Secret::Delta));
    // One element not divided, or another's put in its place.
    assert_eq!(forged(|_, _| {}, 5, |d| d.h.swap(0, 1)), Flaw::Ratio("h"));
    assert_eq!(forged(|_, _| {}, 5, |d| d.h[3] = d.delta), Flaw::Ratio("h"));
    assert_eq!(forged(|_, _| {}, 5, |d| d.l.swap(0, 1)), Flaw::Ratio("the secret columns"));
    let in_g2 = |d: &mut crate::phase2::Divided| d.delta_g2 = -d.delta_g2;
    assert_eq!(forged(|_, _| {}, 5, in_g2), Flaw::Ratio("delta in G2"));
    // Nobody, or somebody else.
    let stranger = Contributor::Institution("bank-x".parse().unwrap());
    let name = stranger.clone();
    assert_eq!(forged(move |_, p| p.contributor = name, 5, nothing), Flaw::Stranger(stranger));
    let beacon = |_: &mut crate::phase2::Divided, p: &mut Place| p.contributor = Contributor::Beacon([0; 48]);
    assert_eq!(forged(beacon, 5, nothing), Flaw::Beacon("the charter names none"));
    // Delta at infinity, which would make any proof good or none.
    let infinity = |d: &mut crate::phase2::Divided| d.delta = ark_ec::AffineRepr::zero();
    assert!(matches!(
        forged(|_, _| {}, 5, infinity),
        Flaw::Points(PointsError::Point { what: "delta", index: 0, .. })
    ));
}

/// A contribution to phase 1 with one vector spoilt.
#[test]
fn a_cheating_contributor_to_phase_1_is_found() {
    type Change = fn(&mut crate::phase1::Powers);
    let cases: [(Change, Flaw); 9] = [
        (|p| p.tau_g1[3] = p.tau_g1[4], Flaw::Ratio("tau in G1")),
        (|p| p.tau_g1[0] = p.tau_g1[1], Flaw::Ratio("tau^0")),
        (|p| p.tau_g2[5] = p.tau_g2[4], Flaw::Ratio("tau in G2")),
        (|p| p.alpha_g1[7] = p.alpha_g1[6], Flaw::Ratio("alpha tau in G1")),
        (|p| p.beta_g1[1] = p.alpha_g1[1], Flaw::Ratio("beta tau in G1")),
        (|p| p.beta_g2 = -p.beta_g2, Flaw::Ratio("beta in G2")),
        (|p| p.tau_g1[1] = p.tau_g1[2], Flaw::Link(Secret::Tau)),
        (|p| p.alpha_g1[0] = p.alpha_g1[1], Flaw::Link(Secret::Alpha)),
        (|p| p.beta_g1[0] = p.beta_g1[1], Flaw::Link(Secret::Beta)),
    ];
    for (change, expected) in cases {
        let ceremony = Ceremony::small();
        let transcript = ceremony.open().unwrap();
        let place = transcript.next(Contributor::Institution(bank(0)));
        let mut powers = crate::phase1::Powers::initial(transcript.charter.power);
        let step = powers.contribute(&Entropy::known(b"x").unwrap(), &place).unwrap();
        change(&mut powers);
        let bytes = file::compose(Kind::Powers, &place, |out| {
            step.write(out);
            powers.write(out);
        });
        replace(&ceremony, "phase1-0001.hansa", &bytes);
        assert_eq!(refusal(&ceremony), ("phase1-0001.hansa".into(), expected));
    }
}

/// A point outside the subgroup, which pairings alone would not notice.
#[test]
fn a_point_outside_the_subgroup_is_named() {
    let ceremony = Ceremony::complete();
    let bytes = fs::read(ceremony.path("phase1-0001.hansa")).unwrap();
    let header = 10 + Place::from_bytes_of(&bytes[10..]);
    let knowledge = 3 * (96 + 192);
    // (0, 2) has order three.
    let mut outside = [0; 96];
    outside[95] = 2;
    let mut altered = bytes;
    let at = header + knowledge + 4 * 96;
    altered[at..at + 96].copy_from_slice(&outside);
    replace(&ceremony, "phase1-0001.hansa", &altered);
    let said = refusal(&ceremony).1.to_string();
    assert!(said.contains("element 4 of tau in G1") && said.contains("prime-order subgroup"), "{said}");
}

impl Place {
    /// How many bytes of these a place takes.
    fn from_bytes_of(bytes: &[u8]) -> usize {
        let mut reader = hansa_types::codec::Reader::new(bytes);
        let before = reader.remaining();
        Self::decode(&mut reader).unwrap();
        before - reader.remaining()
    }
}

/// With the public columns' points divided by delta anyone could change a proof's inputs.
#[test]
fn points_of_public_columns_are_never_divided() {
    let ceremony = Ceremony::complete();
    let keys = ceremony.open().unwrap().keys().unwrap();
    assert_eq!(keys.l_query.len(), ceremony.circuit.witnesses);
    let start = fs::read(ceremony.path("phase2-0000.hansa")).unwrap();
    let mut delta = Locked::new(Fr::ONE).unwrap();
    for name in ["phase2-0001.hansa", "phase2-0002.hansa"] {
        let bytes = fs::read(ceremony.path(name)).unwrap();
        // The two contributions' secrets, as `Ceremony::contribute` makes them.
        let i = name.as_bytes()[10] - b'1';
        *delta *= *Entropy::known(&[i, 1]).unwrap().scalar("delta").unwrap();
        for point in &keys.vk.gamma_abc_g1 {
            let mut divided = Vec::new();
            crate::points::write(
                &mut divided,
                &[ark_ec::CurveGroup::into_affine(*point * delta.inverse().unwrap())],
            );
            let has = |bytes: &[u8]| bytes.windows(96).any(|window| window == divided);
            assert!(!has(&bytes) && !has(&start), "{name}");
        }
    }
    assert_eq!(
        keys.delta_g1,
        ark_ec::CurveGroup::into_affine(
            <ark_bls12_381::G1Affine as ark_ec::AffineRepr>::generator() * *delta
        )
    );
}

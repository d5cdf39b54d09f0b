//! What an honest ceremony yields.

use ark_bls12_381::{Bls12_381, Fr};
use ark_ff::UniformRand;
use ark_groth16::{Groth16, prepare_verifying_key};
use ark_snark::SNARK;
use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng};

use super::*;
use crate::{beacon, place::Phase, report::Report};

/// Keys prove and verify with ark-groth16 as it is.
fn assert_usable(keys: &ark_groth16::ProvingKey<Bls12_381>, squarings: usize) {
    let mut rng = ChaCha20Rng::seed_from_u64(1);
    let statement = Squarings { squarings, x: Fr::rand(&mut rng) };
    let proof = Groth16::<Bls12_381>::prove(keys, statement.clone(), &mut rng).unwrap();
    let key = prepare_verifying_key(&keys.vk);
    assert!(Groth16::<Bls12_381>::verify_proof(&key, &proof, &[statement.y()]).unwrap());
    assert!(!Groth16::<Bls12_381>::verify_proof(&key, &proof, &[statement.y() + Fr::from(1_u8)]).unwrap());
}

#[test]
fn keys_prove_and_verify_with_ark_groth16() {
    let ceremony = Ceremony::complete();
    let transcript = ceremony.open().unwrap();
    assert_eq!((transcript.institutions(Phase::One), transcript.institutions(Phase::Two)), (2, 2));
    assert_usable(&transcript.keys().unwrap(), 5);
    assert_eq!(
        ceremony.names(),
        [
            "charter.hansa",
            "phase1-0001.attestation.hansa",
            "phase1-0001.hansa",
            "phase1-0002.attestation.hansa",
            "phase1-0002.hansa",
            "phase2-0000.hansa",
            "phase2-0001.attestation.hansa",
            "phase2-0001.hansa",
            "phase2-0002.attestation.hansa",
            "phase2-0002.hansa"
        ]
    );
}

#[test]
fn sizes_that_fill_their_domain_do_too() {
    for squarings in [2, 6, 7, 14] {
        let circuit = circuit(squarings);
        let charter = Charter { institutions_needed: 1, ..charter(&circuit) };
        let ceremony = Ceremony::new(circuit, charter);
        ceremony.contribute(2).unwrap();
        ceremony.attest(2).unwrap();
        ceremony.open().unwrap().start(&ceremony.circuit).unwrap();
        ceremony.contribute(2).unwrap();
        ceremony.attest(2).unwrap();
        assert_usable(&ceremony.open().unwrap().keys().unwrap(), squarings);
    }
}

#[test]
fn the_beacon_ends_it() {
    let circuit = circuit(5);
    let (round, signature) = beacon::tests::quicknet();
    let charter = Charter { beacon: Some(round), ..charter(&circuit) };
    let ceremony = Ceremony::new(circuit, charter);
    for _ in 0..2 {
        for i in [1, 2] {
            ceremony.contribute(i).unwrap();
            ceremony.attest(i).unwrap();
        }
        if !ceremony.open().unwrap().in_phase2() {
            ceremony.open().unwrap().start(&ceremony.circuit).unwrap();
        }
    }
    let before = ceremony.open().unwrap();
    assert!(matches!(before.keys(), Err(CeremonyError::NoBeacon(1000))));
    let mut other = signature;
    other[5] ^= 1;
    assert!(matches!(before.apply_beacon(other), Err(CeremonyError::NotAllowed(_))));
    before.apply_beacon(signature).unwrap();
    let after = ceremony.open().unwrap();
    assert!(after.is_closed());
    assert_eq!(after.institutions(Phase::Two), 2);
    assert_usable(&after.keys().unwrap(), 5);
    assert!(matches!(after.apply_beacon(signature), Err(CeremonyError::Closed)));
    assert!(matches!(ceremony.contribute(0), Err(CeremonyError::Closed)));
    assert!(Report::new(&ceremony.open().unwrap(), None).markdown().contains("signature verified"));
}

#[test]
fn the_report_says_who_did_what_and_what_is_missing() {
    let ceremony = Ceremony::complete();
    let transcript = ceremony.open().unwrap();
    let report = Report::new(&transcript, None);
    let markdown = report.markdown();
    for said in [
        "# Trusted-setup ceremony of test",
        "complete: verified",
        "Officer 1 <of> Bank",
        "laptop without radio \\| booted",
        "S-0 (photograph",
        &transcript.hash().to_string(),
        "2 institutions that attested",
    ] {
        assert!(markdown.contains(said), "{said}\n{markdown}");
    }
    let html = report.html();
    assert!(html.contains("Officer 1 &lt;of&gt; Bank") && !html.contains("<of>"));
    assert_eq!(html.matches("<table>").count(), html.matches("</table>").count());
    fs::remove_file(ceremony.path("phase2-0002.attestation.hansa")).unwrap();
    let markdown = Report::new(&ceremony.open().unwrap(), None).markdown();
    assert!(markdown.contains("NOT COMPLETE") && markdown.contains("NOBODY: does not count"));
}

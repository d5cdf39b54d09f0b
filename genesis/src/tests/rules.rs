//! The charter's rules: who counts, and when a step may be taken.

use super::*;
use crate::{
    flaw::Flaw,
    origin::{Given, Origin},
    phase1::{Phase1, Powers},
    place::Phase,
    transcript::PHASE1,
};

#[test]
fn institutions_of_one_parent_count_once() {
    let ceremony = Ceremony::small();
    for i in [0, 3, 0] {
        ceremony.contribute(i).unwrap();
        ceremony.attest(i).unwrap();
    }
    let transcript = ceremony.open().unwrap();
    assert_eq!((transcript.entries.len(), transcript.institutions(Phase::One)), (3, 1));
    let refused = transcript.start(&ceremony.circuit);
    assert!(matches!(refused, Err(CeremonyError::TooFew { phase: Phase::One, counted: 1, needed: 2 })));
    ceremony.contribute(1).unwrap();
    ceremony.attest(1).unwrap();
    ceremony.open().unwrap().start(&ceremony.circuit).unwrap();
    for i in [3, 0] {
        ceremony.contribute(i).unwrap();
        ceremony.attest(i).unwrap();
    }
    let refused = ceremony.open().unwrap().finalize();
    assert!(matches!(refused, Err(CeremonyError::TooFew { phase: Phase::Two, counted: 1, needed: 2 })));
}

#[test]
fn what_nobody_attests_to_does_not_count() {
    let ceremony = Ceremony::complete();
    fs::remove_file(ceremony.path("phase2-0001.attestation.hansa")).unwrap();
    let said = ceremony.open().unwrap().keys().unwrap_err().to_string();
    assert!(said.contains("1 institutions contributed to phase2") && said.contains("wants 2"), "{said}");
}

#[test]
fn steps_out_of_turn_are_refused() {
    let ceremony = Ceremony::small();
    let transcript = ceremony.open().unwrap();
    assert!(matches!(transcript.keys(), Err(CeremonyError::NotBegun)));
    assert!(matches!(transcript.apply_beacon([0; 48]), Err(CeremonyError::NotBegun)));
    let nothing = crate::attest(ceremony.folder.path(), &bank(0), statement(0), Timestamp(0), &key(0));
    assert!(matches!(nothing, Err(CeremonyError::NothingToAttest(_))));
    let stranger = "bank-x".parse().unwrap();
    let refused = transcript.contribute(&stranger, &Entropy::known(b"").unwrap());
    assert!(matches!(refused, Err(CeremonyError::NotAllowed(Flaw::Stranger(_)))));
    let complete = Ceremony::complete();
    assert!(matches!(complete.open().unwrap().start(&complete.circuit), Err(CeremonyError::Begun)));
}

#[test]
fn only_the_contributor_attests_and_only_to_what_it_made() {
    let ceremony = Ceremony::small();
    ceremony.contribute(0).unwrap();
    let attest = |statement, key: &FileSigner| {
        crate::attest(ceremony.folder.path(), &bank(0), statement, Timestamp(0), key)
    };
    let with_another_key = attest(statement(0), &key(1));
    assert!(matches!(with_another_key, Err(CeremonyError::NotAllowed(Flaw::Signature(_)))));
    let mut empty = statement(0);
    empty.person.clear();
    assert!(attest(empty, &key(0)).is_err());
    ceremony.attest(0).unwrap();
    ceremony.contribute(1).unwrap();
    let attestation = ceremony.path("phase1-0001.attestation.hansa");
    let other = ceremony.path("phase1-0002.attestation.hansa");
    fs::copy(&attestation, &other).unwrap();
    assert!(matches!(ceremony.open(), Err(CeremonyError::Refused { flaw: Flaw::Attests { .. }, .. })));
    fs::rename(&other, ceremony.path("phase1-0009.attestation.hansa")).unwrap();
    assert!(ceremony.open().is_err());
}

#[test]
fn a_charter_is_signed_by_all_with_their_own_keys() {
    let circuit = circuit(5);
    let charter = charter(&circuit);
    let mut signed = SignedCharter::new(charter.clone());
    let refused = signed.sign(&bank(0), &key(1));
    assert!(matches!(refused, Err(CeremonyError::NotAllowed(Flaw::Signature(bank))) if bank == "bank-0"));
    assert!(signed.sign(&"bank-x".parse().unwrap(), &key(1)).is_err());
    for i in 0..3 {
        signed.sign(&bank(i), &key(i)).unwrap();
    }
    assert_eq!(signed.unsigned().collect::<Vec<_>>(), [&bank(3)]);
    assert!(signed.complete().unwrap_err().to_string().contains("bank-3"));
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join(CHARTER), signed.to_file()).unwrap();
    assert!(Transcript::verify(folder.path(), &circuit, &mut |_| {}).is_err());
    signed.sign(&bank(3), &key(3)).unwrap();
    assert_eq!(SignedCharter::from_file(&signed.to_file()), Ok(signed.clone()));
    // A signature of one charter says nothing of another.
    let other = Charter { institutions_needed: 3, ..charter };
    let moved = SignedCharter { charter: other, signatures: signed.signatures };
    assert!(matches!(SignedCharter::from_file(&moved.to_file()), Err(Flaw::Signature(_))));
}

#[test]
fn charters_that_make_no_sense_are_refused() {
    let circuit = circuit(5);
    let good = charter(&circuit);
    good.check().unwrap();
    let refused = |change: &dyn Fn(&mut Charter)| {
        let mut charter = good.clone();
        change(&mut charter);
        charter.check().unwrap_err().to_string()
    };
    assert!(refused(&|c| c.institutions_needed = 4).contains("names 3 different ones"));
    assert!(refused(&|c| c.institutions_needed = 0).contains("wants 0"));
    assert!(refused(&|c| c.founders.clear()).contains("0 founders"));
    assert!(refused(&|c| c.power = 22).contains("power 22"));
    assert!(refused(&|c| c.name.clear()).contains("name"));
    assert!(
        refused(&|c| {
            let key = c.founders[&bank(0)].key;
            c.founders.get_mut(&bank(1)).unwrap().key = key;
        })
        .contains("same key")
    );
    let other = Circuit { hash: digest("test", &[b"other"]), ..super::circuit(5) };
    let ceremony = Ceremony::new(super::circuit(5), good.clone());
    let refused = Transcript::verify(ceremony.folder.path(), &other, &mut |_| {});
    assert!(matches!(refused, Err(CeremonyError::Refused { flaw: Flaw::Other { .. }, .. })));
}

#[test]
fn a_phase_1_from_elsewhere_is_the_one_that_was_agreed() {
    let circuit = circuit(5);
    let mut powers = Powers::initial(3);
    powers.multiply_by_known(Fr::from(7_u8), Fr::from(8_u8), Fr::from(9_u8));
    let given = Given { origin: Origin::Demonstration, phase1: Phase1::Powers(Box::new(powers)) };
    let bytes = given.to_file();
    let charter =
        Charter { phase1: Source::Given(file::hash(&bytes)), institutions_needed: 1, ..charter(&circuit) };
    let ceremony = Ceremony::new(circuit, charter);
    assert!(matches!(ceremony.open(), Err(CeremonyError::Missing { name, .. }) if name == PHASE1));
    fs::write(ceremony.path(PHASE1), &bytes).unwrap();
    assert!(matches!(ceremony.contribute(0), Err(CeremonyError::GivenPhase1)));
    ceremony.open().unwrap().start(&ceremony.circuit).unwrap();
    ceremony.contribute(0).unwrap();
    ceremony.attest(0).unwrap();
    let transcript = ceremony.open().unwrap();
    transcript.keys().unwrap();
    let report = crate::report::Report::new(&transcript, None).markdown();
    assert!(report.contains("that party can forge proofs"), "{report}");
    let mut altered = bytes;
    let last = altered.len() - 1;
    altered[last] ^= 1;
    fs::write(ceremony.path(PHASE1), &altered).unwrap();
    assert!(matches!(ceremony.open(), Err(CeremonyError::Refused { flaw: Flaw::Other { .. }, .. })));
}

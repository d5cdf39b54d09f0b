//! RFC 9497's vectors, and what a dishonest evaluator or bank could try.

use hansa_types::{
    codec::{Decode, Encode},
    hash::Digest,
    subject::Subject,
};
use proptest::prelude::*;
use rand::{CryptoRng, RngCore};
use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng};

use super::{
    transcript::{blinded, finalize},
    *,
};

/// Gives the bytes of the vector's `ProofRandomScalar`, from which voprf samples by wide reduction.
struct FixedRng([u8; 32], usize);

impl RngCore for FixedRng {
    fn next_u32(&mut self) -> u32 {
        unreachable!("scalars are drawn with fill_bytes")
    }
    fn next_u64(&mut self) -> u64 {
        unreachable!("scalars are drawn with fill_bytes")
    }
    fn fill_bytes(&mut self, out: &mut [u8]) {
        for byte in out {
            *byte = self.0.get(self.1).copied().unwrap_or(0);
            self.1 += 1;
        }
    }
    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), rand::Error> {
        self.fill_bytes(out);
        Ok(())
    }
}
impl CryptoRng for FixedRng {}

#[test]
fn vectors_of_rfc_9497() {
    let file = include_str!("../../tests/vectors/rfc9497-voprf.txt");
    let values: Vec<(&str, Vec<u8>)> = file
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| line.split_once(": ").unwrap())
        .map(|(name, value)| (name, hex::decode(value).unwrap()))
        .collect();
    let all =
        |name: &str| values.iter().filter(|(n, _)| *n == name).map(|(_, v)| v.clone()).collect::<Vec<_>>();
    let key = [b"HANSATAG\x01".as_slice(), &all("skSm")[0]].concat();
    let key = DevelopmentTagKey::from_bytes(&key).unwrap();
    assert_eq!(key.public_key().to_vec(), all("pkSm")[0]);
    assert_eq!(all("Input").len(), 2);
    for i in 0..2 {
        let (input, blind) = (&all("Input")[i], all("Blind")[i].clone().try_into().unwrap());
        let element = blinded(input, &blind).unwrap();
        assert_eq!(element.0.to_vec(), all("BlindedElement")[i]);
        let mut rng = FixedRng(all("ProofRandomScalar")[i].clone().try_into().unwrap(), 0);
        let Evaluation(answers) = key.evaluate_with(&[element], &mut rng).unwrap();
        assert_eq!(answers[0].element.to_vec(), all("EvaluationElement")[i]);
        assert_eq!(answers[0].proof.to_vec(), all("Proof")[i]);
        let u = finalize(input, &blind, &answers[0], &key.public_key()).unwrap();
        assert_eq!(u.as_bytes().to_vec(), all("Output")[i]);
    }
}

fn subject() -> Subject {
    Subject::Organisation("5493001KJTIIGC8Y1R12".parse().expect("a well-formed LEI"))
}

fn rng() -> ChaCha20Rng {
    ChaCha20Rng::seed_from_u64(11)
}

#[test]
fn two_banks_get_the_same_subject_secret() {
    let mut rng = rng();
    let key = DevelopmentTagKey::generate(&mut rng);
    let mut ask = || {
        let request = TagRequest::new(&subject(), &mut rng).unwrap();
        let blinded = request.blinded();
        let Evaluation(answers) = key.evaluate(&[blinded]).unwrap();
        (blinded, request.finish(&answers[0], &key.public_key()).unwrap())
    };
    let (a, b) = (ask(), ask());
    assert_ne!(a.0, b.0, "the evaluator cannot link them");
    assert_eq!(a.1.0, b.1.0);
    let scope = Fr::from(7_u8);
    assert_eq!(a.1.0.tag(scope), b.1.0.tag(scope));
    assert_ne!(a.1.0.tag(scope), a.1.0.tag(scope + scope), "tags of two scopes do not link");
}

#[test]
fn transcripts_prove_the_subject_secret() {
    let mut rng = rng();
    let key = DevelopmentTagKey::generate(&mut rng);
    let other = DevelopmentTagKey::generate(&mut rng);
    let request = TagRequest::new(&subject(), &mut rng).unwrap();
    let Evaluation(answers) = key.evaluate(&[request.blinded()]).unwrap();
    let (u, transcript) = request.finish(&answers[0], &key.public_key()).unwrap();
    assert_eq!(transcript.subject(), subject().digest());

    let bytes = transcript.to_bytes();
    let read = TagTranscript::from_bytes(&bytes).unwrap();
    assert_eq!(read.check(&key.public_key()), Ok(u.clone()));
    assert_eq!(read.check(&other.public_key()), Err(TagError::Proof));
    assert_eq!(read.check(&[0; 32]), Err(TagError::PublicKey), "the identity is no key");
    // Any one byte changed after the version: another subject, blind, element or proof. Never the same u.
    for i in 1..bytes.len() {
        let mut changed = bytes.clone();
        changed[i] ^= 1;
        let result = TagTranscript::from_bytes(&changed).map(|t| t.check(&key.public_key()));
        assert!(!matches!(&result, Ok(Ok(other)) if *other == u), "byte {i}");
        assert!(matches!(result, Ok(Err(_))), "byte {i}");
    }
}

#[test]
fn an_evaluator_with_another_key_is_found_out() {
    let mut rng = rng();
    let (key, other) = (DevelopmentTagKey::generate(&mut rng), DevelopmentTagKey::generate(&mut rng));
    let request = TagRequest::new(&subject(), &mut rng).unwrap();
    let Evaluation(answers) = other.evaluate(&[request.blinded()]).unwrap();
    assert_eq!(request.finish(&answers[0], &key.public_key()).unwrap_err(), TagError::Proof);
}

#[test]
fn evaluators_refuse_what_is_no_point() {
    let key = DevelopmentTagKey::generate(&mut rng());
    let good = blinded(b"x", &[1; 32].map(|b: u8| b & 0x0f)).unwrap();
    for bad in [[0; 32], [0xff; 32]] {
        let result = key.evaluate(&[good, BlindedElement(bad)]);
        assert_eq!(result, Err(EvaluatorError::Element(1)));
    }
    assert_eq!(key.evaluate(&vec![good; 1025]), Err(EvaluatorError::TooMany(1025)));
}

#[test]
fn key_files_are_strict() {
    let key = DevelopmentTagKey::generate(&mut rng());
    let bytes = key.to_bytes();
    assert_eq!(DevelopmentTagKey::from_bytes(&bytes).unwrap().public_key(), key.public_key());
    let mut order = [b"HANSATAG\x01".as_slice(), &[0; 32]].concat();
    assert!(DevelopmentTagKey::from_bytes(&order).is_err(), "zero");
    order[9..].fill(0xff);
    assert!(DevelopmentTagKey::from_bytes(&order).is_err(), "not below the order");
    assert!(DevelopmentTagKey::from_bytes(&bytes[1..]).is_err());
    assert!(DevelopmentTagKey::from_bytes(&bytes[..40]).is_err());
    assert!(DevelopmentTagKey::from_bytes(&[&bytes[..], &[0]].concat()).is_err());
    assert_eq!(format!("{key:?}"), "DevelopmentTagKey(..)");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn no_transcript_panics(bytes in prop::collection::vec(any::<u8>(), 0..200), digest: [u8; 32]) {
        if let Ok(transcript) = TagTranscript::from_bytes(&bytes) {
            let _ = transcript.check(&digest);
            prop_assert_eq!(transcript.to_bytes(), bytes);
        }
        let _ = Digest(digest);
    }
}

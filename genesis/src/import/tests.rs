//! Files of a small ceremony as Zcash's program would have written them, with its own libraries (pairing 0.14, rand 0.4).

use std::io::Cursor;

use blake2::{Blake2b512, Digest as _};
use pairing::{
    CurveAffine, CurveProjective, Field, PrimeField,
    bls12_381::{Fr, G1, G1Affine, G2, G2Affine},
};
use rand_of_pairing::{ChaChaRng, Rand, SeedableRng, XorShiftRng};

use super::*;

const POWER: u8 = 4;
const N: usize = 1 << POWER;

#[derive(Clone)]
struct Accumulator {
    tau_g1: Vec<G1Affine>,
    tau_g2: Vec<G2Affine>,
    alpha: Vec<G1Affine>,
    beta: Vec<G1Affine>,
    beta_g2: G2Affine,
}

fn put<C: CurveAffine>(out: &mut Vec<u8>, point: &C, compressed: bool) {
    if compressed {
        out.extend(point.into_compressed().as_ref());
    } else {
        out.extend(point.into_uncompressed().as_ref());
    }
}

impl Accumulator {
    fn new() -> Self {
        let (g1, g2) = (G1Affine::one(), G2Affine::one());
        Self {
            tau_g1: vec![g1; 2 * N - 1],
            tau_g2: vec![g2; N],
            alpha: vec![g1; N],
            beta: vec![g1; N],
            beta_g2: g2,
        }
    }

    fn bytes(&self, compressed: bool) -> Vec<u8> {
        let mut out = Vec::new();
        self.tau_g1.iter().for_each(|point| put(&mut out, point, compressed));
        self.tau_g2.iter().for_each(|point| put(&mut out, point, compressed));
        self.alpha.iter().for_each(|point| put(&mut out, point, compressed));
        self.beta.iter().for_each(|point| put(&mut out, point, compressed));
        put(&mut out, &self.beta_g2, compressed);
        out
    }

    fn transform(&mut self, [tau, alpha, beta]: &[Fr; 3]) {
        let power = |i: usize, first: Fr| {
            let mut power = tau.pow([i as u64]);
            power.mul_assign(&first);
            power.into_repr()
        };
        let one = Fr::one();
        for (i, point) in self.tau_g1.iter_mut().enumerate() {
            *point = point.mul(power(i, one)).into_affine();
        }
        for (i, point) in self.tau_g2.iter_mut().enumerate() {
            *point = point.mul(power(i, one)).into_affine();
        }
        for (i, point) in self.alpha.iter_mut().enumerate() {
            *point = point.mul(power(i, *alpha)).into_affine();
        }
        for (i, point) in self.beta.iter_mut().enumerate() {
            *point = point.mul(power(i, *beta)).into_affine();
        }
        self.beta_g2 = self.beta_g2.mul(*beta).into_affine();
    }
}

fn hash(parts: &[&[u8]]) -> [u8; 64] {
    let mut hash = Blake2b512::new();
    parts.iter().for_each(|part| hash.update(part));
    hash.finalize().into()
}

/// `hash_to_g2` of the ceremony's program.
fn their_hash_to_g2(digest: &[u8]) -> G2 {
    let words: Vec<u32> =
        digest[..32].chunks(4).map(|word| u32::from_be_bytes(word.try_into().unwrap())).collect();
    G2::rand(&mut ChaChaRng::from_seed(&words[..]))
}

fn public_key(secrets: &[Fr; 3], challenge: &[u8; 64], rng: &mut XorShiftRng) -> Vec<u8> {
    let (mut g1, mut g2) = (Vec::new(), Vec::new());
    for (personalization, secret) in (0_u8..).zip(secrets) {
        let s = G1::rand(rng).into_affine();
        let s_x = s.mul(*secret).into_affine();
        let mut message = vec![personalization];
        message.extend(challenge);
        put(&mut message, &s, false);
        put(&mut message, &s_x, false);
        let base = their_hash_to_g2(&hash(&[&message])).into_affine();
        put(&mut g1, &s, false);
        put(&mut g1, &s_x, false);
        put(&mut g2, &base.mul(*secret).into_affine(), false);
    }
    [g1, g2].concat()
}

/// The last response and the whole transcript of so many contributions.
fn ceremony(rounds: usize) -> (Vec<u8>, Vec<u8>) {
    let mut rng = XorShiftRng::from_seed([1, 2, 3, 4]);
    let (mut powers, mut transcript, mut response) = (Accumulator::new(), Vec::new(), Vec::new());
    let mut last = hash(&[]);
    for _ in 0..rounds {
        let challenge = hash(&[&last, &powers.bytes(false)]);
        let secrets = [Fr::rand(&mut rng), Fr::rand(&mut rng), Fr::rand(&mut rng)];
        let key = public_key(&secrets, &challenge, &mut rng);
        powers.transform(&secrets);
        response = [&challenge[..], &powers.bytes(true), &key].concat();
        transcript.extend(powers.bytes(false));
        transcript.extend(key);
        last = hash(&[&response]);
    }
    (response, transcript)
}

fn read_response(bytes: &[u8], wanted: u8, pinned: Option<&[u8; 64]>) -> Result<Given, ImportError> {
    response(&mut Cursor::new(bytes), POWER, wanted, pinned, &mut |_, _| {})
}

fn read_transcript(bytes: &[u8], wanted: u8) -> Result<Given, ImportError> {
    transcript(&mut Cursor::new(bytes), POWER, wanted, &mut |_, _| {})
}

#[test]
fn hashing_to_g2_is_theirs() {
    for seed in 0..8_u8 {
        let digest = hash(&[&[seed]]);
        let mut theirs = Vec::new();
        put(&mut theirs, &their_hash_to_g2(&digest).into_affine(), false);
        let mut ours = Vec::new();
        crate::points::write(&mut ours, &[hash::to_g2(digest[..32].try_into().unwrap())]);
        assert_eq!(ours, theirs);
    }
}

#[test]
fn a_response_gives_powers_of_any_smaller_size() {
    let (bytes, transcript) = ceremony(2);
    for wanted in [1, 3, POWER] {
        let given = read_response(&bytes, wanted, None).unwrap();
        assert_eq!((given.origin, given.phase1.size()), (Origin::Unproven, 1 << wanted));
        assert_eq!(given.phase1, read_transcript(&transcript, wanted).unwrap().phase1);
        given.phase1.lagrange().unwrap().check().unwrap();
    }
    let published = hash(&[&bytes]);
    assert_eq!(read_response(&bytes, 3, Some(&published)).unwrap().origin, Origin::Pinned(published));
    assert!(matches!(read_response(&bytes, 3, Some(&[0; 64])), Err(ImportError::Hash { .. })));
    assert!(matches!(read_response(&bytes, POWER + 1, None), Err(ImportError::Small { .. })));
    assert!(matches!(read_response(&bytes[1..], 3, None), Err(ImportError::Length { .. })));
}

#[test]
fn a_spoilt_response_is_refused() {
    let (bytes, _) = ceremony(1);
    // The second power of each vector: in range, on the curve or not.
    let layout = Layout { power: POWER, start: HASH, g1: 48 };
    for offset in &layout.offsets()[..5] {
        let at = usize::try_from(*offset).unwrap();
        for bit in [0x01, 0x20, 0x40, 0x80] {
            let mut altered = bytes.clone();
            altered[at] ^= bit;
            assert!(read_response(&altered, POWER, None).is_err(), "{at} {bit}");
        }
    }
    // A valid point in another's place.
    let mut swapped = bytes.clone();
    let [at, ..] = layout.offsets().map(|at| usize::try_from(at).unwrap());
    let (second, third) = (at + 2 * 48, at + 3 * 48);
    let moved = swapped[second..third].to_vec();
    swapped.copy_within(third..third + 48, second);
    swapped[third..third + 48].copy_from_slice(&moved);
    let said = read_response(&swapped, POWER, None).unwrap_err().to_string();
    assert!(said.contains("tau in G1"), "{said}");
}

#[test]
fn a_transcript_is_verified_from_the_first_contribution() {
    let (_, bytes) = ceremony(3);
    let given = read_transcript(&bytes, 3).unwrap();
    assert_eq!(given.origin, Origin::Transcript(3));
    assert_eq!(given.origin.describe(), "imported, all 3 contributions of its transcript verified");
    let round = bytes.len() / 3;
    let refused = |bytes: &[u8]| match read_transcript(bytes, 3) {
        Err(ImportError::Round { round, .. }) => round,
        other => panic!("{other:?}"),
    };
    // One byte of what nobody looks at but the hash: the next contributor's proof was about other bytes.
    for (contribution, refused_at) in [(0, 2), (1, 3)] {
        let mut altered = bytes.clone();
        altered[contribution * round + 5 * 96 + 95] ^= 1;
        assert_eq!(refused(&altered), refused_at);
    }
    // Contributions left out, exchanged or repeated.
    assert_eq!(refused(&bytes[round..]), 1);
    assert_eq!(refused(&[&bytes[..round], &bytes[2 * round..]].concat()), 2);
    assert_eq!(refused(&[&bytes[..round], &bytes[..round]].concat()), 2);
    // Another key.
    let mut stolen = bytes.clone();
    let key = round - usize::try_from(PUBLIC_KEY).unwrap();
    stolen.copy_within(key..round, round + key);
    assert_eq!(refused(&stolen), 2);
    // A point outside the subgroup among the last powers.
    let mut outside = bytes.clone();
    let at = 2 * round + 5 * 96;
    outside[at..at + 96].fill(0);
    outside[at + 95] = 2;
    assert!(matches!(read_transcript(&outside, 3), Err(ImportError::Flaw(_))));
    assert!(matches!(read_transcript(&bytes[1..], 3), Err(ImportError::Length { .. })));
    assert!(matches!(read_transcript(&[], 3), Err(ImportError::Length { .. })));
}

/// `phase1radix2m` files hold the basis that follows from the powers.
#[test]
fn a_radix_file_is_read_and_checked() {
    let (response, _) = ceremony(1);
    let powers = read_response(&response, 3, None).unwrap().phase1;
    let mut bytes = Vec::new();
    powers.lagrange().unwrap().write(&mut bytes);
    let read =
        |bytes: &[u8], pinned: Option<&[u8; 64]>| radix(&mut Cursor::new(bytes), 3, pinned, &mut |_, _| {});
    let given = read(&bytes, None).unwrap();
    assert_eq!(given.origin, Origin::Unproven);
    assert_eq!(given.phase1.lagrange().unwrap(), powers.lagrange().unwrap());
    assert!(matches!(read(&bytes, Some(&hash(&[&bytes]))).unwrap().origin, Origin::Pinned(_)));
    assert!(matches!(read(&bytes, Some(&[0; 64])), Err(ImportError::Hash { .. })));
    assert!(matches!(read(&bytes[1..], None), Err(ImportError::Length { .. })));
    let mut spoilt = bytes;
    spoilt.copy_within(96..192, 0);
    assert!(matches!(read(&spoilt, None), Err(ImportError::Flaw(_))));
}

//! A `transcript`: all contributions of a ceremony, each of which is verified.
//!
//! The hash chain is followed over every byte. Of the powers between, only those matter by which one contribution is
//! linked to the next: what a contributor wrote beside them is overwritten by the next one's. Of the last powers, all
//! that is taken is checked.

use std::io::{Read, Seek};

use ark_bls12_381::{G1Affine, G2Affine};
use ark_ec::AffineRepr;
use blake2::{Blake2b512, Digest as _};

use super::{ImportError, Layout, PUBLIC_KEY, hash, read_at, stream};
use crate::{
    flaw::Flaw,
    origin::{Given, Origin},
    phase1::{Phase1, Powers},
    points::{self, Identity, Reading},
    ratio::same,
};

/// More contributions than any ceremony had.
const MAX_ROUNDS: u64 = 100_000;

/// By which one contribution is linked to the next: tau, alpha and beta in G1.
type Firsts = [G1Affine; 3];

/// Verifies all contributions of a transcript for 2^`power`, and takes the powers for 2^`wanted` from the last.
///
/// # Errors
/// [`ImportError`] with the first contribution that is refused.
pub fn transcript(
    file: &mut (impl Read + Seek),
    power: u8,
    wanted: u8,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Given, ImportError> {
    if wanted > power {
        return Err(ImportError::Small { there: power, wanted });
    }
    let round = Layout { power, start: 0, g1: 96 }.bytes() + PUBLIC_KEY;
    let found = file.seek(std::io::SeekFrom::End(0))?;
    let rounds = found / round;
    if rounds == 0 || found % round != 0 || rounds > MAX_ROUNDS {
        let wanted = rounds.clamp(1, MAX_ROUNDS) * round;
        return Err(ImportError::Length { what: "a transcript", power, found, wanted });
    }
    let mut firsts = [G1Affine::generator(); 3];
    let mut challenge = first_challenge(power);
    for number in 0..rounds {
        let layout = Layout { power, start: number * round, g1: 96 };
        let round = u32::try_from(number + 1).expect("bounded");
        let key = Key::read(&read_at(file, layout.offsets()[5], PUBLIC_KEY)?)?;
        let next = firsts_of(file, &layout)?;
        key.verify(&challenge, &firsts, &next).map_err(|what| ImportError::Round { round, what })?;
        let response = response_hash(file, &layout, &challenge)?;
        challenge = challenge_hash(file, &layout, &response)?;
        firsts = next;
        progress(number + 1, rounds);
    }
    let last = Layout { power, start: (rounds - 1) * round, g1: 96 };
    let phase1 = Phase1::Powers(Box::new(powers(file, &last, wanted)?));
    Ok(Given { origin: Origin::Transcript(u32::try_from(rounds).expect("bounded")), phase1 })
}

fn powers(file: &mut (impl Read + Seek), layout: &Layout, wanted: u8) -> Result<Powers, ImportError> {
    let n = 1 << wanted;
    let [tau_g1, tau_g2, alpha, beta, beta_g2, _] = layout.offsets();
    let mut bytes = read_at(file, tau_g1, (2 * n - 1) * 96)?;
    bytes.extend(read_at(file, tau_g2, n * 192)?);
    bytes.extend(read_at(file, alpha, n * 96)?);
    bytes.extend(read_at(file, beta, n * 96)?);
    bytes.extend(read_at(file, beta_g2, 192)?);
    let powers = Powers::read(&mut Reading::new(&bytes), wanted).map_err(Flaw::from)?;
    powers.check()?;
    Ok(powers)
}

fn firsts_of(file: &mut (impl Read + Seek), layout: &Layout) -> Result<Firsts, ImportError> {
    let [tau_g1, _, alpha, beta, ..] = layout.offsets();
    let mut bytes = read_at(file, tau_g1 + 96, 96)?;
    bytes.extend(read_at(file, alpha, 96)?);
    bytes.extend(read_at(file, beta, 96)?);
    let firsts = Reading::new(&bytes).g1("tau, alpha and beta", 3, Identity::Refused).map_err(Flaw::from)?;
    Ok(firsts.try_into().expect("three were read"))
}

/// A contributor's public key: proofs of knowledge of tau, alpha and beta.
struct Key {
    /// s and s x, for each secret x.
    g1: Vec<G1Affine>,
    /// x times the point that hashes them.
    g2: Vec<G2Affine>,
}

impl Key {
    fn read(bytes: &[u8]) -> Result<Self, Flaw> {
        let mut reading = Reading::new(bytes);
        let g1 = reading.g1("a contributor's public key in G1", 6, Identity::Refused)?;
        Ok(Self { g1, g2: reading.g2("a contributor's public key in G2", 3, Identity::Refused)? })
    }

    /// Checks the proofs, and that the firsts changed by the secrets they are about.
    fn verify(&self, challenge: &[u8; 64], before: &Firsts, after: &Firsts) -> Result<(), &'static str> {
        let pairs = self.g1.as_chunks::<2>().0;
        for (secret, [s, s_x]) in pairs.iter().enumerate() {
            let personalization = u8::try_from(secret).expect("one of three");
            let base = hash::proof_base(personalization, challenge, s, s_x);
            if !same(s, s_x, &base, &self.g2[secret]) {
                return Err("a proof of knowledge does not hold");
            }
            if !same(&before[secret], &after[secret], &base, &self.g2[secret]) {
                return Err("its powers are not those before it times its secrets");
            }
        }
        Ok(())
    }
}

/// The hash of the challenge that the first contributor received: powers of one.
fn first_challenge(power: u8) -> [u8; 64] {
    let (mut g1, mut g2) = (Vec::new(), Vec::new());
    points::write(&mut g1, &[G1Affine::generator()]);
    points::write(&mut g2, &[G2Affine::generator()]);
    let n = 1_u64 << power;
    let mut hash = Blake2b512::new_with_prefix(Blake2b512::digest([]));
    for (count, bytes) in [(2 * n - 1, &g1), (n, &g2), (2 * n, &g1), (1, &g2)] {
        (0..count).for_each(|_| hash.update(bytes));
    }
    hash.finalize().into()
}

/// The hash of the challenge after a response: the response's, then the powers uncompressed.
fn challenge_hash(
    file: &mut (impl Read + Seek),
    layout: &Layout,
    response: &[u8; 64],
) -> Result<[u8; 64], ImportError> {
    let mut hash = Blake2b512::new_with_prefix(response);
    let [start, .., end] = layout.offsets();
    stream(file, start, end, 1, |bytes| hash.update(bytes))?;
    Ok(hash.finalize().into())
}

/// The hash of a response file: the challenge's, the powers compressed, the public key.
fn response_hash(
    file: &mut (impl Read + Seek),
    layout: &Layout,
    challenge: &[u8; 64],
) -> Result<[u8; 64], ImportError> {
    let mut hash = Blake2b512::new_with_prefix(challenge);
    let [tau_g1, tau_g2, alpha, _, beta_g2, end] = layout.offsets();
    for (from, to, in_g2) in
        [(tau_g1, tau_g2, false), (tau_g2, alpha, true), (alpha, beta_g2, false), (beta_g2, end, true)]
    {
        let mut compressed = Vec::new();
        stream(file, from, to, 192, |bytes| {
            compressed.clear();
            if in_g2 {
                bytes.as_chunks::<192>().0.iter().for_each(|point| compress(point, &mut compressed));
            } else {
                bytes.as_chunks::<96>().0.iter().for_each(|point| compress(point, &mut compressed));
            }
            hash.update(&compressed);
        })?;
    }
    let key = read_at(file, end, PUBLIC_KEY)?;
    hash.update(&key);
    Ok(hash.finalize().into())
}

/// Half of the base field's modulus, rounded down, big-endian: a larger y is the larger one of its pair.
const HALF: [u8; 48] = {
    let modulus = <ark_bls12_381::Fq as ark_ff::PrimeField>::MODULUS_MINUS_ONE_DIV_TWO.0;
    let mut half = [0; 48];
    let mut i = 0;
    while i < 48 {
        half[47 - i] = (modulus[i / 8] >> (8 * (i % 8))) as u8;
        i += 1;
    }
    half
};

/// The compressed form of an uncompressed point, byte by byte: x, and in its first bits whether y is the larger one. In
/// G2 the coefficients of u come first.
fn compress(uncompressed: &[u8], out: &mut Vec<u8>) {
    let (x, y) = uncompressed.split_at(uncompressed.len() / 2);
    let start = out.len();
    out.extend(x);
    let significant = y.chunks_exact(48).find(|part| part.iter().any(|byte| *byte != 0));
    let larger = significant.is_some_and(|part| part > &HALF[..]);
    out[start] |= 0x80 | (u8::from(larger) << 5);
}

#[cfg(test)]
mod tests {
    use ark_ec::CurveGroup;
    use ark_ff::UniformRand;
    use ark_serialize::CanonicalSerialize;
    use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng};

    use super::*;

    #[test]
    fn compressing_bytes_is_compressing_the_point() {
        let mut rng = ChaCha20Rng::seed_from_u64(3);
        fn check(point: &impl CanonicalSerialize) {
            let (mut long, mut short, mut ours) = (Vec::new(), Vec::new(), Vec::new());
            point.serialize_uncompressed(&mut long).unwrap();
            point.serialize_compressed(&mut short).unwrap();
            compress(&long, &mut ours);
            assert_eq!(ours, short);
        }
        for _ in 0..20 {
            check(&ark_bls12_381::G1Projective::rand(&mut rng).into_affine());
            check(&ark_bls12_381::G2Projective::rand(&mut rng).into_affine());
        }
    }
}

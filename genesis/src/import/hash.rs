//! The hashes of Zcash's ceremony: BLAKE2b-512 over files, and from a hash to a point of G2.

use std::io::{self, Read, Seek};

use ark_bls12_381::{Fq, Fq2, G1Affine, G2Affine};
use ark_ec::AffineRepr;
use ark_ff::{BigInt, PrimeField};
use blake2::{Blake2b512, Digest as _};
use rand_chacha::{
    ChaCha20Rng,
    rand_core::{RngCore, SeedableRng},
};

use super::stream;
use crate::points;

/// BLAKE2b-512 of part of a file.
pub(super) fn of_range(
    file: &mut (impl Read + Seek),
    offset: u64,
    end: u64,
    progress: &mut dyn FnMut(u64, u64),
) -> io::Result<[u8; 64]> {
    let mut hash = Blake2b512::new();
    let mut done = 0;
    stream(file, offset, end, 1, |bytes| {
        hash.update(bytes);
        done += bytes.len() as u64;
        progress(done, end - offset);
    })?;
    Ok(hash.finalize().into())
}

/// The point that a proof of knowledge is about: `compute_g2_s` of the ceremony's program.
pub(super) fn proof_base(personalization: u8, digest: &[u8; 64], s: &G1Affine, s_x: &G1Affine) -> G2Affine {
    let mut message = Vec::from([personalization]);
    message.extend(digest);
    points::write(&mut message, &[*s, *s_x]);
    let hash: [u8; 64] = Blake2b512::digest(&message).into();
    let mut seed = [0; 32];
    seed.copy_from_slice(&hash[..32]);
    to_g2(seed)
}

/// A point of G2 from a seed, drawn as the crates pairing 0.14 and rand 0.4 draw it.
pub(super) fn to_g2(mut seed: [u8; 32]) -> G2Affine {
    // The seed is read as big-endian words, ChaCha takes its key little-endian.
    seed.as_chunks_mut::<4>().0.iter_mut().for_each(|word| word.reverse());
    let mut rng = ChaCha20Rng::from_seed(seed);
    loop {
        let x = Fq2::new(element(&mut rng), element(&mut rng));
        let greatest = rng.next_u32() & 1 == 1;
        if let Some(point) = G2Affine::get_point_from_x_unchecked(x, greatest) {
            let point = point.mul_by_cofactor();
            if !point.is_zero() {
                return point;
            }
        }
    }
}

/// An element drawn limb by limb, in Montgomery form, until it is below the modulus.
fn element(rng: &mut ChaCha20Rng) -> Fq {
    loop {
        let mut limbs = [0; 6];
        for limb in &mut limbs {
            *limb = (u64::from(rng.next_u32()) << 32) | u64::from(rng.next_u32());
        }
        limbs[5] &= u64::MAX >> 3;
        let limbs = BigInt::new(limbs);
        if limbs < Fq::MODULUS {
            return Fq::new_unchecked(limbs);
        }
    }
}

//! A `response` file: the powers after one contribution, compressed.

use std::io::{Read, Seek};

use ark_bls12_381::{G1Affine, G2Affine};
use hansa_prover::{
    PointError,
    curve::{
        native::{decompress_g1, decompress_g2, is_in_g1},
        subgroup::all_in_g1,
    },
};
use rand::rngs::OsRng;

use super::{HASH, ImportError, Layout, PUBLIC_KEY, length, origin, read_at};
use crate::{
    flaw::Flaw,
    origin::Given,
    phase1::{Phase1, Powers},
    points::PointsError,
};

/// Reads the powers for 2^`wanted` from a response for 2^`power`, and checks them. With the hash that was published
/// beside the file its origin is as sure as that; without, it is unproven.
///
/// # Errors
/// [`ImportError`].
pub fn response(
    file: &mut (impl Read + Seek),
    power: u8,
    wanted: u8,
    pinned: Option<&[u8; 64]>,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Given, ImportError> {
    if wanted > power {
        return Err(ImportError::Small { there: power, wanted });
    }
    let layout = Layout { power, start: HASH, g1: 48 };
    let bytes = HASH + layout.bytes() + PUBLIC_KEY;
    length(file, "a response", power, bytes)?;
    let origin = origin(file, bytes, pinned, progress)?;
    let n = 1 << wanted;
    let [tau_g1, tau_g2, alpha, beta, beta_g2, _] = layout.offsets();
    let powers = Powers {
        tau_g1: vector_g1(file, tau_g1, 2 * n - 1, "tau in G1")?,
        tau_g2: vector_g2(file, tau_g2, n, "tau in G2")?,
        alpha_g1: vector_g1(file, alpha, n, "alpha tau in G1")?,
        beta_g1: vector_g1(file, beta, n, "beta tau in G1")?,
        beta_g2: vector_g2(file, beta_g2, 1, "beta in G2")?[0],
    };
    powers.check()?;
    Ok(Given { origin, phase1: Phase1::Powers(Box::new(powers)) })
}

fn vector_g1(
    file: &mut (impl Read + Seek),
    offset: u64,
    count: u64,
    what: &'static str,
) -> Result<Vec<G1Affine>, ImportError> {
    let bytes = read_at(file, offset, 48 * count)?;
    let points = decode(bytes.as_chunks().0, what, decompress_g1)?;
    if !all_in_g1(&points, &mut OsRng) {
        let index = points.iter().position(|point| !is_in_g1(point)).unwrap_or_default();
        return Err(Flaw::from(PointsError::Point { what, index, source: PointError::Invalid }).into());
    }
    Ok(points)
}

fn vector_g2(
    file: &mut (impl Read + Seek),
    offset: u64,
    count: u64,
    what: &'static str,
) -> Result<Vec<G2Affine>, ImportError> {
    let bytes = read_at(file, offset, 96 * count)?;
    decode(bytes.as_chunks().0, what, decompress_g2)
}

fn decode<P, const N: usize>(
    bytes: &[[u8; N]],
    what: &'static str,
    decompress: impl Fn(&[u8; N]) -> Result<P, PointError>,
) -> Result<Vec<P>, ImportError> {
    let point = |(index, bytes): (usize, &[u8; N])| {
        decompress(bytes).map_err(|source| Flaw::from(PointsError::Point { what, index, source }).into())
    };
    bytes.iter().enumerate().map(point).collect()
}

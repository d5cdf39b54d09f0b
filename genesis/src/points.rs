//! Vectors of curve points as bytes: uncompressed, as ZCash and arkworks write them.
//!
//! Uncompressed because a ceremony's files are read far more often than they are sent, and decompressing takes ten times
//! as long as all other checks of a point together.

use ark_bls12_381::{G1Affine, G2Affine};
use ark_ec::AffineRepr;
use ark_serialize::CanonicalSerialize;
use hansa_prover::{
    PointError,
    curve::{
        native::{is_in_g1, read_g1, read_g2},
        subgroup::all_in_g1,
    },
};
use rand::rngs::OsRng;

/// Bytes of a point of G1.
pub(crate) const G1_BYTES: usize = 96;
/// Bytes of a point of G2.
pub(crate) const G2_BYTES: usize = 192;

/// Why bytes are not the points they should be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PointsError {
    /// The input ends inside a vector.
    #[error("the file ends within {0}: copy it again")]
    Truncated(&'static str),
    /// Something follows the last vector.
    #[error("{0} bytes follow the last point: the file is not what it says")]
    Trailing(usize),
    /// One of them is none.
    #[error("element {index} of {what} is not acceptable: {source}")]
    Point {
        /// The vector.
        what: &'static str,
        /// Which of its elements, from 0.
        index: usize,
        /// What is wrong with it.
        source: PointError,
    },
}

/// Whether the point at infinity may occur.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Identity {
    /// In queries: a column that does not occur in a matrix.
    Allowed,
    /// Everywhere else it undoes what is proved.
    Refused,
}

/// Points that are still to be read. Every one is checked: canonical, on the curve, in the subgroup.
pub(crate) struct Reading<'a>(&'a [u8]);

impl<'a> Reading<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// The next `count` points of G1.
    pub(crate) fn g1(
        &mut self,
        what: &'static str,
        count: usize,
        identity: Identity,
    ) -> Result<Vec<G1Affine>, PointsError> {
        let points = self.points(what, count, identity, read_g1)?;
        if !all_in_g1(&points, &mut OsRng) {
            let index = points.iter().position(|point| !is_in_g1(point)).unwrap_or_default();
            return Err(PointsError::Point { what, index, source: PointError::Invalid });
        }
        Ok(points)
    }

    /// The next `count` points of G2.
    pub(crate) fn g2(
        &mut self,
        what: &'static str,
        count: usize,
        identity: Identity,
    ) -> Result<Vec<G2Affine>, PointsError> {
        self.points(what, count, identity, read_g2)
    }

    /// One point of G1 that is not the identity.
    pub(crate) fn one_g1(&mut self, what: &'static str) -> Result<G1Affine, PointsError> {
        Ok(self.g1(what, 1, Identity::Refused)?[0])
    }

    /// One point of G2 that is not the identity.
    pub(crate) fn one_g2(&mut self, what: &'static str) -> Result<G2Affine, PointsError> {
        Ok(self.g2(what, 1, Identity::Refused)?[0])
    }

    /// Refuses what is left.
    pub(crate) fn finish(self) -> Result<(), PointsError> {
        if self.0.is_empty() { Ok(()) } else { Err(PointsError::Trailing(self.0.len())) }
    }

    fn points<P: AffineRepr, const N: usize>(
        &mut self,
        what: &'static str,
        count: usize,
        identity: Identity,
        read: impl Fn(&[u8; N]) -> Result<P, PointError>,
    ) -> Result<Vec<P>, PointsError> {
        let (bytes, rest) = self.0.split_at_checked(count * N).ok_or(PointsError::Truncated(what))?;
        self.0 = rest;
        let read = |(index, bytes): (usize, &[u8; N])| {
            let point = match read(bytes) {
                Ok(point) if point.is_zero() && identity == Identity::Refused => Err(PointError::Identity),
                point => point,
            };
            point.map_err(|source| PointsError::Point { what, index, source })
        };
        bytes.as_chunks::<N>().0.iter().enumerate().map(read).collect()
    }
}

/// Appends points uncompressed.
pub(crate) fn write<P: CanonicalSerialize>(out: &mut Vec<u8>, points: &[P]) {
    for point in points {
        point.serialize_uncompressed(&mut *out).expect("writing to memory does not fail");
    }
}

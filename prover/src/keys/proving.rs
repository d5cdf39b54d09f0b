//! The proving key.

use ark_bls12_381::Bls12_381;
use ark_ec::{AffineRepr, pairing::Pairing};
use ark_serialize::CanonicalSerialize;

use super::{
    KeyError, VerifyingKey,
    file::{self, Kind},
    verifying,
};
use crate::{circuit::Shape, points::PointError};

/// Bytes of an uncompressed point of G1.
const G1_BYTES: usize = 96;
/// Bytes of an uncompressed point of G2.
const G2_BYTES: usize = 192;

/// A proving key of this circuit with its verifying key.
pub struct ProvingKey {
    pub(crate) points: ark_groth16::ProvingKey<Bls12_381>,
    verifying: VerifyingKey,
}

impl std::fmt::Debug for ProvingKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ProvingKey").field("verifying", &self.verifying).finish_non_exhaustive()
    }
}

/// Points in each query, which follow from the circuit.
struct Lengths {
    a: usize,
    b: usize,
    h: usize,
    l: usize,
}

impl Lengths {
    fn get() -> Self {
        let shape = Shape::get();
        let columns = shape.public + shape.witnesses;
        let domain = (shape.constraints + shape.public).next_power_of_two();
        Self { a: columns, b: columns, h: domain - 1, l: shape.witnesses }
    }

    fn payload(&self) -> usize {
        verifying::PAYLOAD + G1_BYTES * (2 + self.a + self.b + self.h + self.l) + G2_BYTES * self.b
    }
}

impl ProvingKey {
    /// Reads a key file; every point is checked, which takes a second or two.
    ///
    /// # Errors
    /// [`KeyError`] as for the verifying key inside, and if a point or the parts together are wrong.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, KeyError> {
        let lengths = Lengths::get();
        let payload = file::read(Kind::Proving, bytes, lengths.payload())?;
        let (verifying, mut rest) = payload.split_at(verifying::PAYLOAD);
        let verifying = VerifyingKey::from_payload(verifying)?;
        let [beta_g1, delta_g1] = query(&mut rest, 2, G1_BYTES, "beta or delta")?
            .try_into()
            .map_err(|_| KeyError::Inconsistent("beta and delta in G1"))?;
        let points = ark_groth16::ProvingKey {
            vk: verifying.points.clone(),
            beta_g1,
            delta_g1,
            a_query: query(&mut rest, lengths.a, G1_BYTES, "query A")?,
            b_g1_query: query(&mut rest, lengths.b, G1_BYTES, "query B in G1")?,
            b_g2_query: query(&mut rest, lengths.b, G2_BYTES, "query B in G2")?,
            h_query: query(&mut rest, lengths.h, G1_BYTES, "query H")?,
            l_query: query(&mut rest, lengths.l, G1_BYTES, "query L")?,
        };
        Self::assemble(points, verifying)
    }

    /// Wraps what a setup made.
    ///
    /// # Errors
    /// [`KeyError`] if it is not a sound key of this circuit.
    pub fn new(points: ark_groth16::ProvingKey<Bls12_381>) -> Result<Self, KeyError> {
        let verifying = VerifyingKey::new(points.vk.clone())?;
        Self::assemble(points, verifying)
    }

    fn assemble(
        points: ark_groth16::ProvingKey<Bls12_381>,
        verifying: VerifyingKey,
    ) -> Result<Self, KeyError> {
        let lengths = Lengths::get();
        let found = (points.a_query.len(), points.b_g1_query.len(), points.b_g2_query.len());
        if found != (lengths.a, lengths.b, lengths.b)
            || (points.h_query.len(), points.l_query.len()) != (lengths.h, lengths.l)
        {
            return Err(KeyError::Inconsistent("lengths of the queries"));
        }
        let vk = &points.vk;
        // Both halves hold the same delta : beta ratio, whatever the generators.
        if Bls12_381::pairing(points.delta_g1, vk.beta_g2) != Bls12_381::pairing(points.beta_g1, vk.delta_g2)
        {
            return Err(KeyError::Inconsistent("beta and delta in G1 and G2"));
        }
        Ok(Self { points, verifying })
    }

    /// The key file.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut payload = self.verifying.payload();
        let p = &self.points;
        let g1_points = [p.beta_g1, p.delta_g1];
        write(&mut payload, &g1_points);
        write(&mut payload, &p.a_query);
        write(&mut payload, &p.b_g1_query);
        write(&mut payload, &p.b_g2_query);
        write(&mut payload, &p.h_query);
        write(&mut payload, &p.l_query);
        file::write(Kind::Proving, &payload)
    }

    /// The verifying key it proves for.
    #[must_use]
    pub fn verifying_key(&self) -> &VerifyingKey {
        &self.verifying
    }
}

/// The next `count` points of `size` bytes, all on the curve and in the subgroup.
fn query<P: AffineRepr>(
    rest: &mut &[u8],
    count: usize,
    size: usize,
    what: &'static str,
) -> Result<Vec<P>, KeyError> {
    let invalid = KeyError::Point { what, source: PointError::Invalid };
    let (bytes, tail) = rest.split_at_checked(count * size).ok_or(invalid.clone())?;
    *rest = tail;
    let points: Vec<P> = bytes
        .chunks_exact(size)
        .map(P::deserialize_uncompressed_unchecked)
        .collect::<Result<_, _>>()
        .map_err(|_| invalid.clone())?;
    P::batch_check(points.iter()).map_err(|_| invalid)?;
    Ok(points)
}

fn write<P: CanonicalSerialize>(out: &mut Vec<u8>, points: &[P]) {
    for point in points {
        point.serialize_uncompressed(&mut *out).expect("writing to memory does not fail");
    }
}

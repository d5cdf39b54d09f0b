//! The linear model and its factors: a score is a sum, explainable exactly and provable cheaply.

use serde::{Deserialize, Serialize};

use crate::codec::{CodecError, Decode, Encode, Reader, Writer};
use crate::hash::{Digest, digest_of};

/// How many factors a score is made of. The circuit's packing depends on it.
pub const FACTORS: usize = 16;

/// The value of each factor for one payment, in the order of the screening crate's factor list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Factors(pub [u16; FACTORS]);

/// A registered model: sixteen weights under a version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Model {
    /// Grows with each registered model; unique in a registry.
    pub version: u32,
    /// Score points per unit of each factor.
    pub weights: [i16; FACTORS],
}

/// What a payment scored: `sum(weight * factor)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Score(pub i64);

impl Model {
    /// The score of `factors`. Sixteen products of 16-bit values fit an `i64` with room to spare.
    pub fn score(&self, factors: &Factors) -> Score {
        Score(self.contributions(factors).iter().sum())
    }

    /// Each factor's share of the score.
    pub fn contributions(&self, factors: &Factors) -> [i64; FACTORS] {
        std::array::from_fn(|i| i64::from(self.weights[i]) * i64::from(factors.0[i]))
    }

    /// What decisions cite: the digest of version and weights.
    pub fn digest(&self) -> Digest {
        digest_of("hansa/model/v1", self)
    }
}

impl Encode for Factors {
    fn encode(&self, out: &mut Writer) {
        self.0.iter().for_each(|f| f.encode(out));
    }
}

impl Decode for Factors {
    fn decode(input: &mut Reader<'_>) -> Result<Self, CodecError> {
        let mut factors = Self::default();
        for f in &mut factors.0 {
            *f = u16::decode(input)?;
        }
        Ok(factors)
    }
}

impl Encode for Model {
    fn encode(&self, out: &mut Writer) {
        self.version.encode(out);
        self.weights.iter().for_each(|w| w.encode(out));
    }
}

impl Decode for Model {
    fn decode(input: &mut Reader<'_>) -> Result<Self, CodecError> {
        let version = u32::decode(input)?;
        let mut weights = [0; FACTORS];
        for w in &mut weights {
            *w = i16::decode(input)?;
        }
        Ok(Self { version, weights })
    }
}

impl Encode for Score {
    fn encode(&self, out: &mut Writer) {
        self.0.encode(out);
    }
}

impl Decode for Score {
    fn decode(input: &mut Reader<'_>) -> Result<Self, CodecError> {
        Ok(Self(i64::decode(input)?))
    }
}

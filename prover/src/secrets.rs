//! A member's secrets: one seed, from which come sk and the trace secret of each epoch.
//!
//! The trace secrets are SHA-512 outputs of the seed and their epoch, so that each looks fresh: one that a
//! double signal or a lawful order reveals says nothing about another, nor about sk.

use hansa_types::{hash::Field, id::Epoch};
use rand::{CryptoRng, RngCore};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::{
    derive,
    field::{Fr, Meaning, encode, from_bytes},
};

/// Bytes of the seed.
pub const SEED_BYTES: usize = 32;

/// What a member proves with; wiped when dropped, never printed.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct MemberSecrets {
    seed: [u8; SEED_BYTES],
}

impl MemberSecrets {
    /// A fresh seed.
    #[must_use]
    pub fn generate(rng: &mut (impl RngCore + CryptoRng)) -> Self {
        let mut secrets = Self { seed: [0; SEED_BYTES] };
        rng.fill_bytes(&mut secrets.seed);
        secrets
    }

    /// The secrets of a stored seed.
    #[must_use]
    pub fn from_seed(seed: &[u8; SEED_BYTES]) -> Self {
        Self { seed: *seed }
    }

    /// The seed, for storing it.
    #[must_use]
    pub fn seed(&self) -> &[u8; SEED_BYTES] {
        &self.seed
    }

    /// `P(1, sk)`, for the manifest.
    #[must_use]
    pub fn membership(&self) -> Field {
        encode(&derive::public_key(*self.secret()))
    }

    /// `P(3, t_e)`, for the manifest.
    #[must_use]
    pub fn trace_commitment(&self, epoch: Epoch) -> Field {
        self.trace(epoch).commitment()
    }

    /// t_e. What a lawful order may make a bank disclose for one epoch: it links and enumerates all of the
    /// bank's signals of that epoch.
    #[must_use]
    pub fn trace(&self, epoch: Epoch) -> TraceSecret {
        let input = Zeroizing::new([&epoch.0.to_be_bytes()[..], &self.seed].concat());
        TraceSecret(from_bytes(Meaning::TraceSecret, &input))
    }

    /// sk.
    pub(crate) fn secret(&self) -> Zeroizing<Fr> {
        Zeroizing::new(from_bytes(Meaning::MemberSecret, &self.seed))
    }
}

/// A member's trace secret of one epoch; wiped when dropped, never printed.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct TraceSecret(pub(crate) Fr);

impl TraceSecret {
    /// `P(3, t_e)`: whose it is, the manifest says.
    #[must_use]
    pub fn commitment(&self) -> Field {
        encode(&derive::trace_commitment(self.0))
    }

    /// All nullifiers the member can have used in a scope, by counter.
    pub fn nullifiers(&self, scope: Fr, limit: u32) -> impl Iterator<Item = Field> {
        let trace = self.clone();
        (0..limit).map(move |counter| encode(&derive::nullifier(derive::slope(trace.0, scope, counter))))
    }

    /// The canonical 32 bytes, for disclosure.
    #[must_use]
    pub fn to_field(&self) -> Field {
        encode(&self.0)
    }
}

impl std::fmt::Debug for MemberSecrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("MemberSecrets(..)")
    }
}

impl std::fmt::Debug for TraceSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TraceSecret(..)")
    }
}

//! Whether a signal is true: everything the manifest says about it, then its proof, cheapest first.
//!
//! Order: consortium, circuit, gateway, (on arrival: epoch window, gateway's and signal's expiry), lifetime,
//! canonical field elements, x, member root, points, pairing. Whether a nullifier was seen before is not
//! asked here: the caller's state knows, and asks between [`Context::check_arrival`] and the proof.
//!
//! [`SignalVerifier`] without a clock gives every replica the same answer whenever it replays its log;
//! [`SignalVerifier::at`] adds the checks against the time of arrival.

mod context;
pub(crate) mod pairing;

use std::sync::Arc;

use hansa_types::{
    hash::Digest,
    id::{Epoch, GatewayId, Timestamp},
    signal::{PROOF_LENGTH, Signal},
    verify::{Verifier, VerifyError},
};
use rand::{CryptoRng, RngCore, rngs::OsRng};

pub use self::context::{Context, ContextError};
use crate::{
    circuit::PublicInputs,
    field::NonCanonical,
    keys::{KeyError, VerifyingKey},
    points::PointError,
    proof::{CurvePoints, ProofPoints},
    tree::TreeError,
};

/// The most signals checked in one pairing product.
pub const MAX_BATCH: usize = 256;

/// Why a signal is not accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignalError {
    /// Of another consortium, or under another state of this one's manifest.
    #[error("it names another consortium or another manifest than ours")]
    Consortium,
    /// For a circuit that is not in force in its epoch.
    #[error("it names circuit version {0}, the manifest another for its epoch")]
    Circuit(u16),
    /// For a circuit that this program does not know.
    #[error("circuit version {0} is in force in its epoch, which this program does not know: update it")]
    Outdated(u16),
    /// Under a key that this verifier does not have.
    #[error("the manifest pins verifying key {0} for its epoch: name that key's file in the configuration")]
    Key(Digest),
    /// No such gateway.
    #[error("the manifest names no gateway {0}")]
    Gateway(GatewayId),
    /// The gateway's legal basis has ended.
    #[error("gateway {0} has expired")]
    GatewayExpired(GatewayId),
    /// Not the current epoch, nor the previous one within its grace.
    #[error("its epoch {0} is not accepted now")]
    Epoch(Epoch),
    /// It no longer counts.
    #[error("it expired with epoch {0}")]
    Expired(Epoch),
    /// Its expiry precedes its epoch, or is later than the manifest allows.
    #[error("it expires with epoch {0}, which is before its own or beyond the manifest's lifetime")]
    Lifetime(Epoch),
    /// Nobody can have sent it, or so few that the sender is not hidden.
    #[error("fewer than {minimum} members of its gateway can signal in epoch {epoch}")]
    TooFewActive {
        /// Its epoch.
        epoch: Epoch,
        /// How many have to be active.
        minimum: u16,
    },
    /// A field that is not a field element.
    #[error("its {what}: {source}")]
    Element {
        /// Which field.
        what: &'static str,
        /// What is wrong with it.
        source: NonCanonical,
    },
    /// Its digest maps to x = 0, for which the share is the sender's trace secret.
    #[error("its digest maps to zero; send it with another salt")]
    ZeroX,
    /// A point of the proof.
    #[error("its proof: {0}")]
    Point(#[from] PointError),
    /// The proof does not hold for what the signal says.
    #[error("its proof does not hold for what it says")]
    Proof,
    /// Our own manifest gives no tree.
    #[error("our manifest: {0}")]
    Manifest(#[from] TreeError),
}

impl SignalError {
    /// Whether an honest peer may have forwarded it: it may be good elsewhere, or have been good before.
    /// All other errors are the same for everyone who holds this manifest.
    #[must_use]
    pub fn is_ignored(&self) -> bool {
        match self {
            Self::Consortium
            | Self::GatewayExpired(_)
            | Self::Epoch(_)
            | Self::Expired(_)
            | Self::Outdated(_)
            | Self::Key(_)
            | Self::Manifest(_) => true,
            Self::Circuit(_)
            | Self::Gateway(_)
            | Self::Lifetime(_)
            | Self::TooFewActive { .. }
            | Self::Element { .. }
            | Self::ZeroX
            | Self::Point(_)
            | Self::Proof => false,
        }
    }
}

impl From<SignalError> for VerifyError {
    fn from(error: SignalError) -> Self {
        if error.is_ignored() { Self::Ignore(error.to_string()) } else { Self::Reject(error.to_string()) }
    }
}

/// Whether bytes are the canonical encoding of a proof's points, each in its subgroup and none the identity; whether
/// the proof holds for anything is not asked.
///
/// # Errors
/// [`PointError`].
pub fn check_points(proof: &[u8; PROOF_LENGTH]) -> Result<(), PointError> {
    ProofPoints::decode(proof).map(|_| ())
}

/// Checks signals against the manifest and the pinned key.
pub struct SignalVerifier {
    context: Arc<Context>,
    key: VerifyingKey,
    hash: Digest,
}

impl SignalVerifier {
    /// A verifier for this manifest.
    ///
    /// # Errors
    /// [`KeyError::NotPinned`] if the manifest pins another key.
    pub fn new(context: Arc<Context>, key: VerifyingKey) -> Result<Self, KeyError> {
        let hash = key.hash();
        let mut circuits = context.manifests().flat_map(|manifest| manifest.circuits.values());
        if !circuits.any(|circuit| circuit.verifying_key == hash) {
            let pinned = context.circuit(Epoch(u32::MAX)).verifying_key;
            return Err(KeyError::NotPinned { found: hash, pinned });
        }
        drop(circuits);
        Ok(Self { context, key, hash })
    }

    /// A verifier with the same key under other rules, which may pin another key from some epoch on.
    #[must_use]
    pub fn under(&self, context: Arc<Context>) -> Self {
        Self { context, key: self.key.clone(), hash: self.hash }
    }

    /// What it checks against.
    #[must_use]
    pub fn context(&self) -> &Arc<Context> {
        &self.context
    }

    /// The same checks, and those of a signal that arrives at `now`.
    #[must_use]
    pub fn at(&self, now: Timestamp) -> Arrival<'_> {
        Arrival { verifier: self, now }
    }

    /// Checks one signal, without a clock.
    ///
    /// # Errors
    /// [`SignalError`], which says whether to ignore or to reject.
    pub fn check(&self, signal: &Signal) -> Result<(), SignalError> {
        let inputs = self.statement(signal)?;
        let proof = ProofPoints::decode(&signal.proof)?;
        if pairing::holds(&self.key, &proof, &inputs) { Ok(()) } else { Err(SignalError::Proof) }
    }

    /// Checks many signals, their pairings together; one bad signal is found by bisection and takes no other
    /// along. `rng` weighs the proofs and must be unpredictable to whoever made them.
    pub fn check_all(
        &self,
        signals: &[Signal],
        rng: &mut (impl RngCore + CryptoRng),
    ) -> Vec<Result<(), SignalError>> {
        self.check_decoded(signals.iter().map(|signal| self.decode(signal)).collect(), rng)
    }

    fn check_decoded(
        &self,
        decoded: Vec<Result<(CurvePoints, PublicInputs), SignalError>>,
        rng: &mut dyn RngCore,
    ) -> Vec<Result<(), SignalError>> {
        let decoded = in_subgroup(decoded, rng);
        let statements: Vec<_> = decoded.iter().filter_map(|result| result.as_ref().ok()).collect();
        let mut holds = Vec::with_capacity(statements.len());
        for batch in statements.chunks(MAX_BATCH) {
            holds.extend(pairing::holds_each(&self.key, batch, rng));
        }
        let mut holds = holds.into_iter();
        decoded
            .into_iter()
            .map(|result| {
                let _ = result?;
                if holds.next() == Some(true) { Ok(()) } else { Err(SignalError::Proof) }
            })
            .collect()
    }

    fn statement(&self, signal: &Signal) -> Result<PublicInputs, SignalError> {
        let pinned = self.context.circuit(signal.body.epoch).verifying_key;
        if pinned != self.hash {
            return Err(SignalError::Key(pinned));
        }
        self.context.statement(signal)
    }

    fn decode(&self, signal: &Signal) -> Result<(CurvePoints, PublicInputs), SignalError> {
        let inputs = self.statement(signal)?;
        Ok((CurvePoints::decode(&signal.proof)?, inputs))
    }
}

/// Those whose points are in the subgroup as well.
fn in_subgroup(
    decoded: Vec<Result<(CurvePoints, PublicInputs), SignalError>>,
    rng: &mut dyn RngCore,
) -> Vec<Result<(ProofPoints, PublicInputs), SignalError>> {
    let points: Vec<CurvePoints> =
        decoded.iter().filter_map(|result| result.as_ref().ok()).map(|(points, _)| *points).collect();
    let mut proofs = CurvePoints::check_all(&points, rng).into_iter();
    let each = decoded.into_iter().map(|result| {
        let (_, inputs) = result?;
        let proof = proofs.next().expect("one verdict for each that was decoded")?;
        Ok((proof, inputs))
    });
    each.collect()
}

impl Verifier<Signal> for SignalVerifier {
    fn verify(&self, signal: &Signal) -> Result<(), VerifyError> {
        Ok(self.check(signal)?)
    }

    /// Weighs the proofs with the operating system's randomness: the trait hands none down, and replicas agree
    /// whatever the weights are.
    fn verify_all(&self, signals: &[Signal]) -> Vec<Result<(), VerifyError>> {
        let results = self.check_all(signals, &mut OsRng);
        results.into_iter().map(|result| result.map_err(VerifyError::from)).collect()
    }
}

/// A verifier at one moment of arrival.
pub struct Arrival<'a> {
    verifier: &'a SignalVerifier,
    now: Timestamp,
}

impl Arrival<'_> {
    fn on_time(&self, signal: &Signal) -> Result<(), SignalError> {
        self.verifier.context.check_arrival(&signal.body, self.now)
    }
}

impl Verifier<Signal> for Arrival<'_> {
    fn verify(&self, signal: &Signal) -> Result<(), VerifyError> {
        self.on_time(signal)?;
        self.verifier.verify(signal)
    }

    fn verify_all(&self, signals: &[Signal]) -> Vec<Result<(), VerifyError>> {
        let decode = |signal| {
            self.on_time(signal)?;
            self.verifier.decode(signal)
        };
        let results = self.verifier.check_decoded(signals.iter().map(decode).collect(), &mut OsRng);
        results.into_iter().map(|result| result.map_err(VerifyError::from)).collect()
    }
}

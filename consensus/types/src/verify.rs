//! The second level of validity as a type: a value that a verifier has accepted.
//!
//! The field of [`Verified`] is private and [`Verified::check`] is its only constructor, so holding one is having run
//! the check. Consensus is given a [`Verifier`] (the prover's) without knowing any cryptography.

use crate::governance::{Effect, Entry, Refusal};
use crate::signal::Signal;

/// Why a value is not accepted, and what that says about who sent it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VerifyError {
    /// Not acceptable here and now (stale, early, unknown root); an honest peer may have forwarded it.
    #[error("ignored: {0}")]
    Ignore(String),
    /// Provably wrong wherever it is checked; whoever forwarded it did not check.
    #[error("rejected: {0}")]
    Reject(String),
}

/// Checks values of type `T` completely, apart from what only the replicated state knows (was it seen before).
pub trait Verifier<T>: Send + Sync {
    /// Accepts the value or says why not.
    fn verify(&self, value: &T) -> Result<(), VerifyError>;

    /// Checks many at once; a verifier that can batch overrides this. One bad value never takes a good one along.
    fn verify_all(&self, values: &[T]) -> Vec<Result<(), VerifyError>> {
        values.iter().map(|value| self.verify(value)).collect()
    }
}

/// Judges signals by rules that governance changes. Consensus hands in what it commits, in the order of its log, so that
/// every replica judges by the same rules at the same place.
pub trait SignalRules: Verifier<Signal> {
    /// Forgets all that was handed in: what comes now begins with the first entry again.
    ///
    /// # Errors
    /// [`Refusal`] if the rules cannot be what they were at first.
    fn restart(&self) -> Result<(), Refusal> {
        Ok(())
    }

    /// Takes in an entry of governance.
    ///
    /// # Errors
    /// [`Refusal`]; nothing has changed then.
    fn govern(&self, entry: &Entry) -> Result<Effect, Refusal> {
        Err(Refusal::Form(format!("these rules do not change: {}", entry.message.summary())))
    }
}

/// The verifier consensus is given.
pub type SignalVerifier = dyn SignalRules;

/// A value that its verifier accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified<T>(T);

impl<T> Verified<T> {
    /// Runs the check.
    pub fn check(value: T, verifier: &(impl Verifier<T> + ?Sized)) -> Result<Self, (T, VerifyError)> {
        match verifier.verify(&value) {
            Ok(()) => Ok(Self(value)),
            Err(error) => Err((value, error)),
        }
    }

    /// Runs the check on many values at once, in order.
    pub fn check_all(
        values: Vec<T>,
        verifier: &(impl Verifier<T> + ?Sized),
    ) -> Vec<Result<Self, (T, VerifyError)>> {
        let verdicts = verifier.verify_all(&values);
        assert_eq!(values.len(), verdicts.len(), "a verifier answers for each value");
        let check = |(value, verdict): (T, Result<(), VerifyError>)| match verdict {
            Ok(()) => Ok(Self(value)),
            Err(error) => Err((value, error)),
        };
        values.into_iter().zip(verdicts).map(check).collect()
    }

    /// The value.
    pub fn get(&self) -> &T {
        &self.0
    }

    /// The value, no longer known to be verified by its type.
    pub fn into_inner(self) -> T {
        self.0
    }
}

//! Double signalling: two signals under one nullifier reveal who sent them, for that epoch.
//!
//! Both shares lie on one line, `y = t_e + a1 * x`, so two of them give its slope and t_e. The evidence is the
//! two verifying signals, never a bare secret: anyone can repeat the computation.

use ark_ff::Field;
use hansa_types::{
    id::BankId,
    manifest::Manifest,
    signal::Signal,
    verify::{Verifier, VerifyError},
};

use crate::{
    derive,
    field::{NonCanonical, decode},
    secrets::TraceSecret,
};

/// Why two signals are no evidence.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RevealError {
    /// They do not share a nullifier and scope.
    #[error("the signals have different nullifiers or scopes: each is in order by itself")]
    Unrelated,
    /// They say the same, whatever their proofs look like.
    #[error("both are copies of one signal")]
    SameSignal,
    /// One of them is not valid.
    #[error("one of the signals does not verify: {0}")]
    Invalid(#[from] VerifyError),
    /// A share or nullifier is not a field element.
    #[error("a share or nullifier: {0}")]
    Element(#[from] NonCanonical),
    /// The shares do not lie on a line that belongs to the nullifier, which verifying signals do.
    #[error("the shares do not belong to the nullifier: verify both signals first")]
    Inconsistent,
}

/// The sender's trace secret of the epoch. The caller has verified both signals, or uses [`evidence`].
///
/// # Errors
/// [`RevealError`], also for two copies of one signal.
pub fn reveal(first: &Signal, second: &Signal) -> Result<TraceSecret, RevealError> {
    let scope = |signal: &Signal| {
        let body = &signal.body;
        (signal.nullifier, body.consortium, body.circuit, body.gateway, body.epoch)
    };
    if scope(first) != scope(second) {
        return Err(RevealError::Unrelated);
    }
    let (x1, x2) = (derive::x(&first.body), derive::x(&second.body));
    let (y1, y2) = (decode(&first.share)?, decode(&second.share)?);
    let slope = (x1 - x2).inverse().ok_or(RevealError::SameSignal)? * (y1 - y2);
    if derive::nullifier(slope) != decode(&first.nullifier)? {
        return Err(RevealError::Inconsistent);
    }
    Ok(TraceSecret(y1 - slope * x1))
}

/// Which member a trace secret of the signal's epoch belongs to; none if to nobody in the manifest.
#[must_use]
pub fn identify(manifest: &Manifest, signal: &Signal, trace: &TraceSecret) -> Option<BankId> {
    let commitment = trace.commitment();
    let published = |bank: &&BankId| {
        manifest.members.get(*bank).and_then(|member| member.traces.get(&signal.body.epoch))
            == Some(&commitment)
    };
    manifest.members.keys().find(published).cloned()
}

/// Verifies both signals, reveals and identifies: what anyone does with evidence of double signalling.
///
/// # Errors
/// [`RevealError`]. `Ok(None)` cannot happen for signals of this manifest, whose tree holds the commitment.
pub fn evidence(
    verifier: &(impl Verifier<Signal> + ?Sized),
    manifest: &Manifest,
    first: &Signal,
    second: &Signal,
) -> Result<Option<BankId>, RevealError> {
    verifier.verify(first)?;
    verifier.verify(second)?;
    let trace = reveal(first, second)?;
    Ok(identify(manifest, first, &trace))
}

//! Proving: a few signals at a time, of what waits in the log; what waits besides stays there, and is counted.
//!
//! What a member's signals of an epoch share is computed once and kept until another epoch, gateway or model is signalled
//! in. The prover verifies each proof before it returns it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use hansa_prover::keys::VerifyingKey;
use hansa_prover::prove::{EpochPart, ProveError, Prover, Request, Sender};
use hansa_prover::verify::Context;
use hansa_types::id::{Epoch, GatewayId};
use hansa_types::signal::Signal;
use rand::rngs::OsRng;

use crate::config::SignallingConfig;

/// What an [`EpochPart`] fits.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Fits {
    gateway: GatewayId,
    epoch: Epoch,
    model: u32,
}

/// The prover, with what it keeps between signals.
pub(crate) struct Proving {
    prover: Prover,
    part: Mutex<Option<(Fits, Arc<EpochPart>)>>,
    /// How many proofs are made at once.
    pub(crate) at_once: usize,
    /// How many signals may wait before it is said.
    backlog: usize,
    backed_up: AtomicBool,
}

impl Proving {
    pub(crate) fn new(prover: Prover, config: &SignallingConfig) -> Self {
        let (at_once, backlog) = (config.provers.max(1), config.backlog);
        Self { prover, part: Mutex::default(), at_once, backlog, backed_up: AtomicBool::new(false) }
    }

    /// Whether more signals wait than should, and did not before.
    pub(crate) fn backs_up(&self, waiting: usize) -> bool {
        let over = waiting > self.backlog;
        !self.backed_up.swap(over, Ordering::Relaxed) && over
    }

    /// The key that proofs are verified with.
    pub(crate) fn verifying_key(&self) -> &VerifyingKey {
        self.prover.key().verifying_key()
    }

    /// Computes what all proofs share, which takes seconds; for whoever has begun to lead.
    pub(crate) fn prepare(&self) {
        self.prover.prepare();
    }

    /// Proves a signal: the same x, nullifier and share however often.
    pub(crate) fn prove(&self, context: &Context, request: &Request<'_>) -> Result<Signal, ProveError> {
        let part = self.part(context, request)?;
        self.prover.prove_within(&part, context, request, &mut OsRng)
    }

    fn part(&self, context: &Context, request: &Request<'_>) -> Result<Arc<EpochPart>, ProveError> {
        let Request { bank, secrets, body, opening, .. } = request;
        let fits = Fits { gateway: body.gateway, epoch: body.epoch, model: opening.model.version };
        // Held while it is computed: whoever else proves now needs the same.
        let mut kept = self.part.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((of, part)) = kept.as_ref()
            && *of == fits
        {
            return Ok(part.clone());
        }
        let Fits { gateway, epoch, model } = fits;
        let part =
            Arc::new(self.prover.epoch_part(context, &Sender { bank, secrets, gateway, epoch, model })?);
        *kept = Some((fits, part.clone()));
        Ok(part)
    }
}

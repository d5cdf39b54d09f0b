//! What a bank's disclosed trace secret shows: which signals of one epoch are the bank's, and that others are not.

use std::fmt;
use std::sync::Arc;

use hansa_prover::disclosure::{Disclosure, DisclosureError};
use hansa_prover::verify::{Context, SignalVerifier};
use hansa_types::codec::{CodecError, Decode};
use hansa_types::hash::Digest;
use hansa_types::id::{BankId, Epoch, GatewayId};
use hansa_types::manifest::Manifest;
use serde::Serialize;

use crate::verify::{VerifyError, signals_in};

/// Why a disclosure shows nothing.
#[derive(Debug, thiserror::Error)]
pub enum TraceError {
    /// It is no disclosure.
    #[error("it is no disclosure of a trace secret: {0}")]
    Codec(#[from] CodecError),
    /// It is not what the manifest commits the bank to.
    #[error(transparent)]
    Disclosure(#[from] DisclosureError),
    /// A bundle of evidence.
    #[error(transparent)]
    Bundle(#[from] VerifyError),
}

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TraceReport {
    /// Whose secret it is.
    pub bank: BankId,
    /// Of which epoch.
    pub epoch: Epoch,
    /// Every nullifier that the bank can have used, in hexadecimal, with the gateway and the counter.
    pub nullifiers: Vec<TracedNullifier>,
    /// The signals of the bundles, in order.
    pub signals: Vec<TracedSignal>,
}

/// A nullifier.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TracedNullifier {
    /// It.
    pub nullifier: String,
    /// The gateway.
    pub gateway: GatewayId,
    /// Which of the bank's signals there, from 0.
    pub counter: u32,
}

/// A signal, and whose it is not or is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TracedSignal {
    /// The signal.
    pub signal: Digest,
    /// Its epoch: another one than the disclosure's tells nothing.
    pub epoch: Epoch,
    /// Which of the bank's signals it is; none if it is another's.
    pub counter: Option<u32>,
}

/// Checks a disclosure against the manifest, and looks for the signals of bundles among the bank's. A signal counts only
/// if its proof holds: its nullifier is then one that its sender's secret yields.
///
/// # Errors
/// [`TraceError`].
pub fn trace(disclosed: &[u8], manifest: &Manifest, bundles: &[Vec<u8>]) -> Result<TraceReport, TraceError> {
    let disclosure = Disclosure::from_bytes(disclosed)?;
    let context = Arc::new(Context::new(Arc::new(manifest.clone())).map_err(VerifyError::from)?);
    let found = disclosure.check(&context)?;
    let mut signals = Vec::new();
    for bytes in bundles {
        let (key, in_bundle) = signals_in(bytes, manifest)?;
        let verifier = SignalVerifier::new(context.clone(), key).map_err(VerifyError::from)?;
        for (_, signal) in in_bundle {
            let id = signal.id();
            verifier.check(&signal).map_err(|source| VerifyError::Signal { id, source })?;
            signals.push(TracedSignal {
                signal: id,
                epoch: signal.body.epoch,
                counter: found.counter_of(&signal),
            });
        }
    }
    let nullifiers = found.places.iter().map(|(nullifier, (gateway, counter))| TracedNullifier {
        nullifier: nullifier.to_string(),
        gateway: *gateway,
        counter: *counter,
    });
    Ok(TraceReport {
        bank: found.bank.clone(),
        epoch: found.epoch,
        nullifiers: nullifiers.collect(),
        signals,
    })
}

impl fmt::Display for TraceReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { bank, epoch, nullifiers, signals } = self;
        writeln!(f, "DISCLOSED: the trace secret of {bank} for epoch {epoch}, as the manifest commits it")?;
        write!(f, "  {} nullifiers can be the bank's in that epoch (--json lists them)", nullifiers.len())?;
        for TracedSignal { signal, epoch: of, counter } in signals {
            match counter {
                Some(counter) => write!(f, "\n  signal {signal}: sent by {bank}, its number {counter}")?,
                None if of == epoch => write!(f, "\n  signal {signal}: not sent by {bank}")?,
                None => write!(f, "\n  signal {signal}: of epoch {of}, which this says nothing about")?,
            }
        }
        Ok(())
    }
}

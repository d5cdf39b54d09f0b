//! The rules in force: what governance has made of the founders' manifest, for flows to read and for consensus to judge
//! signals by.
//!
//! Consensus hands in every entry in the order of its log ([`SignalRules`]), so each replica judges by the same rules at
//! the same place. Whoever reads gets a [`Context`] that does not change under its hands.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard};

use hansa_prover::keys::{KeyError, VerifyingKey};
use hansa_prover::verify::{Context, ContextError, SignalVerifier};
use hansa_types::governance::{Effect, Entry, Ledger, Refusal};
use hansa_types::hash::Digest;
use hansa_types::id::{BankId, Epoch, Timestamp};
use hansa_types::manifest::Manifest;
use hansa_types::signal::Signal;
use hansa_types::verify::{SignalRules, Verifier, VerifyError};
use tokio::sync::watch;

/// Governance as this replica has applied it.
pub(crate) struct Governed {
    /// What the founders signed.
    founded: Manifest,
    ledger: RwLock<Ledger>,
    /// Follows the ledger.
    verifier: watch::Sender<Arc<SignalVerifier>>,
    /// Since when each member is known to judge by other rules; none if it judges by the same.
    differs: Mutex<BTreeMap<BankId, Option<Timestamp>>>,
}

/// For how long a member whose rules differ is not blamed for what it forwards, in seconds: it, or this bank, has not
/// heard yet of what was decided.
const DIFFERENCE: u64 = 600;

/// Why the founders' manifest cannot be worked under.
#[derive(Debug, thiserror::Error)]
pub(crate) enum GovernedError {
    /// It is for another program.
    #[error(transparent)]
    Context(#[from] ContextError),
    /// It pins another key.
    #[error(transparent)]
    Key(#[from] KeyError),
}

impl Governed {
    /// The rules of a consortium that was just founded; `key` verifies proofs.
    pub(crate) fn found(manifest: Manifest, key: VerifyingKey) -> Result<Self, GovernedError> {
        let context = Context::new(Arc::new(manifest.clone()))?;
        let verifier = SignalVerifier::new(Arc::new(context), key)?;
        Ok(Self {
            ledger: RwLock::new(Ledger::found(manifest.clone())),
            verifier: watch::Sender::new(Arc::new(verifier)),
            differs: Mutex::default(),
            founded: manifest,
        })
    }

    /// Everything that is known of governance.
    pub(crate) fn ledger(&self) -> RwLockReadGuard<'_, Ledger> {
        // The ledger is replaced as a whole, so a panic elsewhere leaves it whole.
        self.ledger.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the founders signed.
    pub(crate) fn founded(&self) -> &Manifest {
        &self.founded
    }

    /// What signals are judged by now.
    pub(crate) fn verifier(&self) -> Arc<SignalVerifier> {
        self.verifier.borrow().clone()
    }

    /// Wakes whenever something changes.
    pub(crate) fn changes(&self) -> watch::Receiver<Arc<SignalVerifier>> {
        self.verifier.subscribe()
    }

    /// What proofs are about, in every epoch.
    pub(crate) fn context(&self) -> Arc<Context> {
        self.verifier().context().clone()
    }

    /// The epoch at `now`; before the consortium's time begins, its first.
    pub(crate) fn epoch(&self, now: Timestamp) -> Epoch {
        self.founded.epochs.at(now).unwrap_or(Epoch(0))
    }

    /// The manifest in force at `now`.
    pub(crate) fn manifest(&self, now: Timestamp) -> Arc<Manifest> {
        self.context().manifest(self.epoch(now)).clone()
    }

    /// Remembers whether a member judges signals as this bank does.
    pub(crate) fn compare(&self, bank: &BankId, fingerprint: Digest, now: Timestamp) {
        let same = self.ledger().fingerprint(self.epoch(now)) == fingerprint;
        let mut differs = self.differs.lock().unwrap_or_else(PoisonError::into_inner);
        let since = differs.entry(bank.clone()).or_default();
        *since = if same { None } else { Some(since.unwrap_or(now)) };
    }

    /// Whether a member that forwarded a wrong signal is to blame: what it says of its rules is this bank's, or has
    /// differed for too long.
    pub(crate) fn blames(&self, bank: &BankId, now: Timestamp) -> bool {
        let mut differs = self.differs.lock().unwrap_or_else(PoisonError::into_inner);
        let since = differs.entry(bank.clone()).or_insert(Some(now));
        since.is_none_or(|since| now.0 >= since.0.saturating_add(DIFFERENCE))
    }

    /// Makes `ledger` what is known.
    fn adopt(&self, ledger: Ledger) -> Result<(), Refusal> {
        let state = ledger.state();
        let versions = state.turns().into_iter().map(|epoch| (epoch, Arc::new(state.in_force(epoch))));
        let context = Context::governed(state.consortium(), versions.collect());
        let context = context.map_err(|error| Refusal::Content(error.to_string()))?;
        let verifier = self.verifier().under(Arc::new(context));
        *self.ledger.write().unwrap_or_else(PoisonError::into_inner) = ledger;
        self.verifier.send_replace(Arc::new(verifier));
        Ok(())
    }
}

impl Verifier<Signal> for Governed {
    fn verify(&self, value: &Signal) -> Result<(), VerifyError> {
        self.verifier().verify(value)
    }

    fn verify_all(&self, values: &[Signal]) -> Vec<Result<(), VerifyError>> {
        self.verifier().verify_all(values)
    }
}

impl SignalRules for Governed {
    fn restart(&self) -> Result<(), Refusal> {
        self.adopt(Ledger::found(self.founded.clone()))
    }

    fn govern(&self, entry: &Entry) -> Result<Effect, Refusal> {
        let mut ledger = self.ledger().clone();
        let effect = ledger.enter(entry)?;
        match effect {
            Effect::Known => {}
            // Nothing in force changes, and what was computed for it stays.
            Effect::Noted => {
                *self.ledger.write().unwrap_or_else(PoisonError::into_inner) = ledger;
                self.verifier.send_modify(|_| {});
            }
            Effect::Committed | Effect::Decided(_) => self.adopt(ledger)?,
        }
        Ok(effect)
    }
}

//! The nullifier table: which signals are known, retracted, or void because one nullifier carried two of them.

use hansa_types::codec::{CodecError, Decode, Encode, Reader, Writer};
use hansa_types::hash::Field;
use hansa_types::id::Timestamp;
use hansa_types::record::ScopeKey;
use hansa_types::signal::{Retraction, Signal, retraction_lock};
use hansa_types::verify::{SignalVerifier, Verified, VerifyError};

use super::transaction::{Placed, Transaction};
use super::{decode, scope_key};
use crate::command::Leaf;
use crate::outcome::Outcome;
use crate::store::{StoreError, Table};

/// What is known of one nullifier.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignalState {
    /// The signal that came first, or, once another came, the one with the smaller body digest.
    pub signal: Signal,
    /// The signal with the next larger digest: with it, both are the evidence that their sender spent one counter
    /// twice, and every signal of this nullifier is void.
    pub double: Option<Signal>,
    /// When the first came in, in Unix seconds.
    pub at: Timestamp,
    /// Whether this bank sent it.
    pub own: bool,
    /// What opened its retraction lock, once it was retracted.
    pub retracted: Option<[u8; 32]>,
}

impl SignalState {
    /// Whether the signal counts: neither void nor retracted.
    #[must_use]
    pub fn counts(&self) -> bool {
        self.double.is_none() && self.retracted.is_none()
    }

    fn holds(&self, signal: &Signal) -> bool {
        self.signal.body == signal.body
            || self.double.as_ref().is_some_and(|double| double.body == signal.body)
    }

    /// Whether a further signal of the nullifier is among the two with the smallest digests.
    fn takes(&self, signal: &Signal) -> bool {
        self.double.as_ref().is_none_or(|largest| signal.body.digest() < largest.body.digest())
    }

    /// Takes a further signal of the nullifier into the evidence.
    fn double_with(&mut self, signal: Signal) {
        let larger = if signal.body.digest() < self.signal.body.digest() {
            std::mem::replace(&mut self.signal, signal)
        } else {
            signal
        };
        self.double = Some(larger);
    }
}

impl Encode for SignalState {
    fn encode(&self, out: &mut Writer) {
        self.signal.encode(out);
        self.double.encode(out);
        self.at.encode(out);
        self.own.encode(out);
        self.retracted.encode(out);
    }
}

impl Decode for SignalState {
    fn decode(input: &mut Reader<'_>) -> Result<Self, CodecError> {
        Ok(Self {
            signal: Decode::decode(input)?,
            double: Decode::decode(input)?,
            at: Decode::decode(input)?,
            own: Decode::decode(input)?,
            retracted: Decode::decode(input)?,
        })
    }
}

/// Takes in another bank's signal.
pub(super) fn receive(
    tx: &mut Transaction<'_>,
    verifier: &SignalVerifier,
    leaf: Leaf,
    signal: Signal,
    at: Timestamp,
    follow_up: Vec<Leaf>,
) -> Result<Outcome, StoreError> {
    Ok(match take(tx, verifier, signal, at, false)? {
        Taken::New => {
            let index = placed(tx.append(leaf)?);
            tx.append_all(follow_up)?;
            Outcome::Accepted { index }
        }
        Taken::Known => Outcome::Duplicate,
        Taken::Double { changed: true } => Outcome::DoubleSignal { index: Some(placed(tx.append(leaf)?)) },
        Taken::Double { changed: false } => Outcome::DoubleSignal { index: None },
        Taken::Invalid(error) => Outcome::Invalid(error),
    })
}

/// Keeps a signal of this bank, so that its copies are duplicates and it can be retracted.
pub(super) fn keep_own(
    tx: &mut Transaction<'_>,
    verifier: &SignalVerifier,
    signal: Signal,
    at: Timestamp,
) -> Result<Result<(), VerifyError>, StoreError> {
    Ok(match take(tx, verifier, signal, at, true)? {
        Taken::New | Taken::Known | Taken::Double { .. } => Ok(()),
        Taken::Invalid(error) => Err(error),
    })
}

/// Takes a signal back whose retraction lock is opened.
pub(super) fn retract(
    tx: &mut Transaction<'_>,
    leaf: Leaf,
    retraction: &Retraction,
    follow_up: Vec<Leaf>,
) -> Result<Outcome, StoreError> {
    let scope = ScopeKey { gateway: retraction.gateway, epoch: retraction.epoch };
    let Some(stored) = tx.get(Table::Signals, &signal_key(&scope, &retraction.nullifier))? else {
        return Ok(Outcome::Unknown);
    };
    let mut state: SignalState = decode(Table::Signals, &stored)?;
    if state.retracted.is_some() {
        return Ok(Outcome::AlreadyRetracted);
    }
    if state.double.is_some() {
        return Ok(Outcome::DoubleSignal { index: None });
    }
    if retraction_lock(&retraction.preimage) != state.signal.body.retraction_lock {
        let reason = "the preimage does not open the signal's retraction lock".to_owned();
        return Ok(Outcome::Invalid(VerifyError::Reject(reason)));
    }
    state.retracted = Some(retraction.preimage);
    tx.put_signal(scope, retraction.nullifier, &state);
    let index = placed(tx.append(leaf)?);
    tx.append_all(follow_up)?;
    Ok(Outcome::Retracted { index })
}

/// The key of a nullifier: it is unique in its gateway and epoch.
pub(super) fn signal_key(scope: &ScopeKey, nullifier: &Field) -> Vec<u8> {
    [scope_key(scope).as_slice(), &nullifier.0].concat()
}

enum Taken {
    New,
    Known,
    Double { changed: bool },
    Invalid(VerifyError),
}

fn take(
    tx: &mut Transaction<'_>,
    verifier: &SignalVerifier,
    signal: Signal,
    at: Timestamp,
    own: bool,
) -> Result<Taken, StoreError> {
    let scope = ScopeKey { gateway: signal.body.gateway, epoch: signal.body.epoch };
    let nullifier = signal.nullifier;
    let stored = tx.get(Table::Signals, &signal_key(&scope, &nullifier))?;
    let mut known: Option<SignalState> = stored.map(|bytes| decode(Table::Signals, &bytes)).transpose()?;
    // Known content changes nothing, whatever its proof: no need to check it again.
    if let Some(state) = known.as_mut().filter(|state| state.holds(&signal)) {
        if own && !state.own {
            state.own = true;
            tx.put_signal(scope, nullifier, state);
        }
        return Ok(if state.double.is_some() { Taken::Double { changed: false } } else { Taken::Known });
    }
    // A void nullifier with smaller evidence stays as it is.
    if known.as_ref().is_some_and(|state| !state.takes(&signal)) {
        return Ok(Taken::Double { changed: false });
    }
    let signal = match Verified::check(signal, verifier) {
        Ok(verified) => verified.into_inner(),
        Err((_, error)) => return Ok(Taken::Invalid(error)),
    };
    match known {
        None => {
            let state = SignalState { signal, double: None, at, own, retracted: None };
            tx.put_signal(scope, nullifier, &state);
            Ok(Taken::New)
        }
        Some(mut state) => {
            state.own |= own;
            state.double_with(signal);
            tx.put_signal(scope, nullifier, &state);
            Ok(Taken::Double { changed: true })
        }
    }
}

/// The leaf that stands for the command, be it an earlier one under the same unique key.
fn placed(placed: Placed) -> u64 {
    match placed {
        Placed::Appended(index) | Placed::Existing(index) | Placed::Conflict(index) => index,
    }
}

//! What each command does.

use hansa_audit_log::merkle::root_at;
use hansa_types::codec::{Decode, Encode};
use hansa_types::codec_struct;
use hansa_types::hash::Digest;
use hansa_types::id::{Epoch, Timestamp};
use hansa_types::record::ScopeKey;
use hansa_types::signal::Signal;
use hansa_types::verify::SignalVerifier;

use super::transaction::{Placed, Transaction};
use super::{
    LEVEL, RESTORED, TreeHead, decode, governance, scope_key, signals, subjects, tree_error, witness,
};
use crate::command::{Command, Intent, Leaf, Proposal};
use crate::outcome::{CheckpointRefusal, IntentRefusal, Outcome};
use crate::store::{StoreError, Table};

/// An intent as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct StoredIntent {
    /// The intent.
    pub(super) intent: Intent,
    /// The index of its leaf.
    pub(super) index: u64,
    /// The index of the leaf that says it was sent.
    pub(super) sent: Option<u64>,
}
codec_struct!(StoredIntent { intent, index, sent });

/// Applies one proposal. A command that was applied before, as its leaf shows, changes nothing: whoever proposes may
/// have missed the first answer. One whose proposer had not seen what changed since is not applied either.
pub(super) fn propose(
    tx: &mut Transaction<'_>,
    verifier: &SignalVerifier,
    proposal: Proposal,
) -> Result<Outcome, StoreError> {
    let Proposal { seen, command } = proposal;
    // Appending looks the key up itself, unless the view has to be judged first.
    let looks_up = seen.is_none() && matches!(command, Command::Append { .. });
    if let Some(leaf) = command.leaf().filter(|_| !looks_up)
        && let Some(index) = tx.existing(&leaf.unique)?
    {
        return Ok(Outcome::Existing { index });
    }
    if !subjects::keys_are_current(tx, &command)? {
        return Ok(Outcome::SubjectKeyTaken);
    }
    if let Some(seen) = seen {
        let size = tx.changed_at()?;
        if seen < size {
            return Ok(Outcome::Stale { size });
        }
    }
    execute(tx, verifier, command)
}

fn execute(
    transaction: &mut Transaction<'_>,
    verifier: &SignalVerifier,
    command: Command,
) -> Result<Outcome, StoreError> {
    match command {
        Command::Append { leaf, follow_up } => append(transaction, leaf, follow_up),
        Command::Intent { leaf, intent } => spend(transaction, leaf, intent),
        Command::Sent { leaf, intent, signal, at } => sent(transaction, verifier, leaf, &intent, signal, at),
        Command::Expire { leaf, intent } => expire(transaction, leaf, &intent),
        Command::Received { leaf, signal, at, follow_up } => {
            signals::receive(transaction, verifier, leaf, signal, at, follow_up)
        }
        Command::Retract { leaf, retraction, follow_up } => {
            signals::retract(transaction, leaf, &retraction, follow_up)
        }
        Command::Hold { leaf, subject, held } => subjects::hold(transaction, leaf, subject, held),
        Command::Erase { leaf, subject, seen, forget } => {
            subjects::erase(transaction, leaf, subject, seen, &forget)
        }
        Command::Witness { origin, old, new, note } => {
            witness::remember(transaction, &origin, old, new, note)
        }
        Command::Govern { leaf, entry } => governance::enter(transaction, verifier, leaf, &entry),
        Command::Checkpoint { size, root } => checkpoint(transaction, TreeHead { size, root }),
        Command::Unlock { leaf, epoch } => unlock(transaction, leaf, epoch),
        Command::Finalize { level } => finalize(transaction, level),
    }
}

fn append(tx: &mut Transaction<'_>, leaf: Leaf, follow_up: Vec<Leaf>) -> Result<Outcome, StoreError> {
    Ok(match tx.append(leaf)? {
        Placed::Appended(index) => {
            tx.append_all(follow_up)?;
            Outcome::Appended { index }
        }
        Placed::Existing(index) => Outcome::Existing { index },
        Placed::Conflict(index) => Outcome::Conflict { index },
    })
}

fn spend(tx: &mut Transaction<'_>, leaf: Leaf, intent: Intent) -> Result<Outcome, StoreError> {
    if let Some(stored) = tx.get(Table::Intents, &intent.id.0)? {
        let stored: StoredIntent = decode(Table::Intents, &stored)?;
        return Ok(Outcome::Existing { index: stored.index });
    }
    if tx.restored()?.is_some_and(|restored| !restored.permits(intent.epoch)) {
        return Ok(Outcome::IntentRefused(IntentRefusal::Restored));
    }
    let counter_key = scope_key(&ScopeKey { gateway: intent.gateway, epoch: intent.epoch });
    let next = match tx.get(Table::Counters, &counter_key)? {
        Some(next) => decode(Table::Counters, &next)?,
        None => 0u32,
    };
    if next >= intent.limit {
        return Ok(Outcome::IntentRefused(IntentRefusal::LimitReached { limit: intent.limit }));
    }
    let subject_key = subject_key(intent.epoch, &intent.subject);
    if tx.get(Table::Subjects, &subject_key)?.is_some() {
        return Ok(Outcome::IntentRefused(IntentRefusal::SubjectSignalled));
    }
    if intent.counter != next {
        return Ok(Outcome::IntentRefused(IntentRefusal::WrongCounter { next }));
    }
    let index = match tx.append(leaf)? {
        Placed::Appended(index) => index,
        // The same leaf was looked for before: its key is another command's.
        Placed::Existing(index) | Placed::Conflict(index) => return Ok(Outcome::Conflict { index }),
    };
    // `next` is below the limit, a u32, so this cannot overflow.
    tx.put(Table::Counters, counter_key, (next + 1).to_bytes());
    tx.put(Table::Subjects, subject_key, intent.id.0);
    tx.put(Table::Pending, index.to_be_bytes(), intent.id.0);
    tx.put(Table::Intents, intent.id.0, StoredIntent { intent, index, sent: None }.to_bytes());
    Ok(Outcome::Appended { index })
}

fn sent(
    tx: &mut Transaction<'_>,
    verifier: &SignalVerifier,
    leaf: Leaf,
    id: &Digest,
    signal: Signal,
    at: Timestamp,
) -> Result<Outcome, StoreError> {
    let Some(stored) = tx.get(Table::Intents, &id.0)? else { return Ok(Outcome::Unknown) };
    let mut stored = StoredIntent::from_bytes(&stored).map_err(|e| StoreError::corrupt(Table::Intents, e))?;
    if let Some(index) = stored.sent {
        return Ok(Outcome::Existing { index });
    }
    if let Err(error) = signals::keep_own(tx, verifier, signal, at)? {
        return Ok(Outcome::Invalid(error));
    }
    let index = match tx.append(leaf)? {
        Placed::Appended(index) | Placed::Existing(index) => index,
        Placed::Conflict(index) => return Ok(Outcome::Conflict { index }),
    };
    tx.delete(Table::Pending, stored.index.to_be_bytes());
    stored.sent = Some(index);
    tx.put(Table::Intents, id.0, stored.to_bytes());
    Ok(Outcome::Appended { index })
}

fn expire(tx: &mut Transaction<'_>, leaf: Leaf, id: &Digest) -> Result<Outcome, StoreError> {
    let Some(stored) = tx.get(Table::Intents, &id.0)? else { return Ok(Outcome::Unknown) };
    let stored: StoredIntent = decode(Table::Intents, &stored)?;
    let pending = stored.index.to_be_bytes();
    // Sent or given up before: what happened first stays.
    if tx.get(Table::Pending, &pending)?.is_none() {
        return Ok(Outcome::Existing { index: stored.sent.unwrap_or(stored.index) });
    }
    Ok(match tx.append(leaf)? {
        Placed::Appended(index) => {
            tx.delete(Table::Pending, pending);
            Outcome::Appended { index }
        }
        Placed::Existing(index) => Outcome::Existing { index },
        Placed::Conflict(index) => Outcome::Conflict { index },
    })
}

fn checkpoint(tx: &mut Transaction<'_>, head: TreeHead) -> Result<Outcome, StoreError> {
    let refused = |refusal| Ok(Outcome::CheckpointRefused(refusal));
    if let Some(last) = tx.checkpoint()?.filter(|last| last.size > head.size) {
        return refused(CheckpointRefusal::Smaller { last: last.size });
    }
    if head.size > tx.size() {
        return refused(CheckpointRefusal::Larger { size: tx.size() });
    }
    if root_at(tx, head.size).map_err(tree_error)? != head.root {
        return refused(CheckpointRefusal::WrongRoot);
    }
    tx.record_checkpoint(head);
    Ok(Outcome::CheckpointRecorded)
}

/// Once: a later leader that also finds the log restored changes nothing.
fn unlock(tx: &mut Transaction<'_>, leaf: Leaf, epoch: Epoch) -> Result<Outcome, StoreError> {
    let Some(mut restored) = tx.restored()? else { return Ok(Outcome::Unknown) };
    if restored.epoch.is_some() {
        return Ok(Outcome::Existing { index: restored.size });
    }
    Ok(match tx.append(leaf)? {
        Placed::Appended(index) => {
            restored.epoch = Some(epoch);
            tx.put(Table::State, RESTORED, restored.to_bytes());
            Outcome::Appended { index }
        }
        Placed::Existing(index) => Outcome::Existing { index },
        Placed::Conflict(index) => Outcome::Conflict { index },
    })
}

/// Versions only go up: an older one that arrives late changes nothing.
fn finalize(tx: &mut Transaction<'_>, level: u32) -> Result<Outcome, StoreError> {
    let level = level.max(tx.level()?);
    tx.put(Table::State, LEVEL, level.to_bytes());
    Ok(Outcome::Finalized { level })
}

fn subject_key(epoch: Epoch, subject: &[u8; 32]) -> Vec<u8> {
    [epoch.to_bytes().as_slice(), subject].concat()
}

//! Governance: the entries that were taken in, in their order. What follows from them is the verifier's to know.

use std::ops::ControlFlow;

use hansa_types::codec::Encode;
use hansa_types::governance::{Effect, Entry};
use hansa_types::verify::SignalVerifier;

use super::decode;
use super::transaction::{Placed, Transaction};
use crate::command::Leaf;
use crate::outcome::Outcome;
use crate::store::{Store, StoreError, Table};

/// The key of [`Table::State`] under which the number of entries is kept.
const ENTRIES: &[u8] = b"governance-entries";

/// Has the rules take in an entry, and keeps it if it is news.
pub(super) fn enter(
    tx: &mut Transaction<'_>,
    rules: &SignalVerifier,
    leaf: Leaf,
    entry: &Entry,
) -> Result<Outcome, StoreError> {
    // Nothing may stand against the leaf once the rules have changed.
    if let Some(index) = tx.conflict(&leaf.unique)? {
        return Ok(Outcome::Conflict { index });
    }
    match rules.govern(entry) {
        Ok(Effect::Known) => return Ok(Outcome::Duplicate),
        Ok(_) => {}
        Err(refusal) => return Ok(Outcome::GovernanceRefused { reason: refusal.to_string() }),
    }
    let number = match tx.get(Table::State, ENTRIES)? {
        Some(number) => decode(Table::State, &number)?,
        None => 0u64,
    };
    tx.put(Table::Governance, number.to_be_bytes(), entry.to_bytes());
    tx.put(Table::State, ENTRIES, (number + 1).to_bytes());
    Ok(match tx.append(leaf)? {
        Placed::Appended(index) | Placed::Existing(index) | Placed::Conflict(index) => {
            Outcome::Appended { index }
        }
    })
}

/// Brings the rules to where the store is.
pub(super) fn replay(store: &dyn Store, rules: &SignalVerifier) -> Result<(), StoreError> {
    let corrupt = |error: &dyn std::fmt::Display| StoreError::corrupt(Table::Governance, error);
    rules.restart().map_err(|refusal| corrupt(&refusal))?;
    let mut damage = None;
    store.scan(Table::Governance, &[], &mut |_, value| {
        let entry = decode::<Entry>(Table::Governance, value);
        let entered = entry.and_then(|entry| rules.govern(&entry).map_err(|refusal| corrupt(&refusal)));
        match entered {
            Ok(_) => ControlFlow::Continue(()),
            Err(error) => {
                damage = Some(error);
                ControlFlow::Break(())
            }
        }
    })?;
    damage.map_or(Ok(()), Err)
}

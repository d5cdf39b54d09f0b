//! Subjects, holds and erasures as the node uses them, and what an erasure leaves behind until it is purged.
//!
//! An erased key is gone from this replica's database of keys at once. Until they are rewritten, the Raft log (which
//! brought the key) and files that wait for compaction may hold its bytes; [`Consensus::residue`] says how far that is.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use hansa_types::hash::Digest;
use hansa_types::verify::SignalVerifier;
use openraft::metrics::WaitError;
use tokio::time::Instant;

use crate::command::IndexTerm;
use crate::config::ConsensusConfig;
use crate::error::{OpenError, ProposeError, StoreError};
use crate::raft::{LogId, log_index};
use crate::state::ErasedKey;
use crate::{Consensus, Opened, open_store};

/// How long a snapshot and the purge behind it may take.
const SCRUB: Duration = Duration::from_secs(600);
/// After how long a snapshot is asked for again.
const ASK_AGAIN: Duration = Duration::from_millis(500);

/// What is left of erased keys on this replica.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Residue {
    /// How many keys were ever erased.
    pub erased: u64,
    /// How many of them the Raft log may still hold: it is not purged behind their erasure yet.
    pub in_raft_log: u64,
}

impl Consensus {
    /// The name of a subject's key, and the wrapped key.
    pub fn subject_key(&self, subject: &[u8; 32]) -> Result<Option<(Digest, Vec<u8>)>, StoreError> {
        self.state.subject_key(subject)
    }

    /// The wrapped key of this name.
    pub fn wrapped_key(&self, name: &Digest) -> Result<Option<Vec<u8>>, StoreError> {
        self.state.wrapped_key(name)
    }

    /// The names of the subject keys that a leaf is sealed under, in the leaf's order.
    pub fn keys_of_leaf(&self, index: u64) -> Result<Vec<Digest>, StoreError> {
        self.state.keys_of_leaf(index)
    }

    /// What the ledger of erasures says of a key.
    pub fn erased_key(&self, name: &Digest) -> Result<Option<ErasedKey>, StoreError> {
        self.state.erased_key(name)
    }

    /// The ledger of erasures. What restores a backup replays it first ([`replay_erasures`]).
    pub fn erased_keys(&self) -> Result<Vec<ErasedKey>, StoreError> {
        self.state.erased_keys()
    }

    /// The leaf of the legal hold that a subject is under.
    pub fn hold(&self, subject: &[u8; 32]) -> Result<Option<u64>, StoreError> {
        self.state.hold(subject)
    }

    /// Subjects that have a key, in the order of their digests from `from` on, at most `limit`.
    pub fn subjects(&self, from: &[u8; 32], limit: usize) -> Result<Vec<[u8; 32]>, StoreError> {
        self.state.subjects(from, limit)
    }

    /// Calls `visit` with the leaves under a term from the index `from` on, oldest first, until it breaks: one seek, and
    /// a step for each leaf.
    pub fn visit_term(
        &self,
        term: &IndexTerm,
        from: u64,
        mut visit: impl FnMut(u64) -> ControlFlow<()>,
    ) -> Result<(), StoreError> {
        self.state.visit_term(term, from, &mut visit)
    }

    /// Whether the leaf at `index` is under the term.
    pub fn has_term(&self, term: &IndexTerm, index: u64) -> Result<bool, StoreError> {
        self.state.has_term(term, index)
    }

    /// Every wrapped subject key with its name, for a backup that keeps keys apart. No snapshot, checkpoint or backup of
    /// the data folder's `db` holds them.
    pub fn subject_keys_export(
        &self,
    ) -> impl Iterator<Item = Result<(Digest, Vec<u8>), StoreError>> + use<'_> {
        self.state.subject_keys().iter()
    }

    /// What is left of erased keys on this replica.
    pub fn residue(&self) -> Result<Residue, StoreError> {
        let purged = self.raft.metrics().borrow().purged.map_or(0, |log_id| log_id.index);
        let erased = self.erased_keys()?;
        let in_raft_log =
            erased.iter().filter(|key| log_index(&key.place).is_none_or(|at| at > purged)).count();
        Ok(Residue { erased: erased.len() as u64, in_raft_log: in_raft_log as u64 })
    }

    /// Rewrites what may hold the bytes of erased keys: takes a snapshot, purges the log behind it, compacts the database
    /// of keys and the tables from which something was deleted, and takes a snapshot of that, which comes a little later.
    pub async fn scrub(&self) -> Result<Residue, ProposeError> {
        let stopped = |error: &dyn std::fmt::Display| ProposeError::Stopped(error.to_string());
        let applied = self.raft.metrics().borrow().last_applied.map_or(0, |log_id| log_id.index);
        let taken = |at: Option<LogId>| at.is_some_and(|at| at.index >= applied);
        let deadline = Instant::now() + SCRUB;
        loop {
            // One that was under way already may end before what is to be purged: then the next one is asked for.
            self.snapshot().await?;
            let wait = self.raft.wait(Some(ASK_AGAIN));
            match wait.metrics(|now| taken(now.snapshot), "a snapshot to purge behind").await {
                Ok(_) => break,
                Err(WaitError::Timeout(..)) if Instant::now() < deadline => {}
                Err(error) => return Err(stopped(&error)),
            }
        }
        self.raft.trigger().purge_log(applied).await.map_err(|error| stopped(&error))?;
        let wait = self.raft.wait(Some(SCRUB));
        wait.metrics(|now| taken(now.purged), "the purge").await.map_err(|error| stopped(&error))?;
        let (state, store) = (self.state.clone(), self.store.clone());
        let scrubbed = tokio::task::spawn_blocking(move || {
            state.subject_keys().compact()?;
            store.rewrite()
        });
        scrubbed.await.map_err(|error| stopped(&error))?.map_err(|error| stopped(&error))?;
        self.snapshot().await?;
        self.residue().map_err(|error| stopped(&error))
    }
}

/// Replays a ledger of erasures on a data folder that no node uses, for example one restored from an older backup:
/// every key in it is deleted, and entered in the folder's own ledger. Returns how many keys were there.
pub fn replay_erasures(
    config: &ConsensusConfig,
    verifier: Arc<SignalVerifier>,
    ledger: &[ErasedKey],
) -> Result<usize, OpenError> {
    let Opened { state, .. } = open_store(config, verifier)?;
    Ok(state.enter_ledger(ledger)?)
}

//! What the node asks of this replica's state. Answers are as of the last entry it applied; after a barrier they are
//! linearizable.

use hansa_audit_log::envelope::Envelope;
use hansa_audit_log::merkle::Hash;
use hansa_types::hash::{Digest, Field};
use hansa_types::record::ScopeKey;

use crate::*;

impl Consensus {
    /// How this replica stands.
    #[must_use]
    pub fn status(&self) -> Status {
        let size = self.size();
        let role = self.role.borrow().clone();
        let applied = self.raft.metrics().borrow().last_applied.map(|log_id| log_id.index);
        let stopped = role.stopped.or_else(|| why_stopped(&self.raft));
        Status {
            replica: self.config.replica,
            leader: role.leader,
            quorum: role.quorum,
            term: role.term,
            applied,
            size,
            stopped,
        }
    }

    /// The replicas that vote.
    #[must_use]
    pub fn voters(&self) -> Vec<u64> {
        self.raft.metrics().borrow().membership_config.membership().voter_ids().collect()
    }

    /// Whether commands are taken: Raft runs and somebody leads with a quorum.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        let status = self.status();
        status.stopped.is_none() && status.quorum
    }

    /// How many leaves the audit log has.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.state.size()
    }

    /// Size and root of the audit log.
    #[must_use]
    pub fn head(&self) -> TreeHead {
        self.state.head()
    }

    /// The root of the audit log's first `size` leaves.
    pub fn root_at(&self, size: u64) -> Result<Hash, ReadError> {
        self.state.root_at(size)
    }

    /// A leaf.
    pub fn leaf(&self, index: u64) -> Result<Option<Envelope>, StoreError> {
        self.state.leaf(index)
    }

    /// The leaf that holds a unique key.
    pub fn find_unique(&self, key: &[u8; 32]) -> Result<Option<u64>, StoreError> {
        self.state.find_unique(key)
    }

    /// The leaves under an index term, oldest first, at most `limit`.
    pub fn find_term(&self, term: &IndexTerm, limit: usize) -> Result<Vec<u64>, StoreError> {
        self.state.find_term(term, limit)
    }

    /// All documents of a collection, by key.
    pub fn documents(&self, collection: u8) -> Result<Vec<Document>, StoreError> {
        self.state.documents(collection)
    }

    /// One document's value.
    pub fn document(&self, collection: u8, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.state.document(collection, key)
    }

    /// An intent, sent or not.
    pub fn intent(&self, id: &Digest) -> Result<Option<Intent>, StoreError> {
        self.state.intent(id)
    }

    /// Intents that are neither sent nor given up, by the index of their leaf from `from` on, at most `limit`.
    pub fn pending_intents(&self, from: u64, limit: usize) -> Result<Vec<PendingIntent>, StoreError> {
        self.state.pending_intents(from, limit)
    }

    /// How many intents are neither sent nor given up.
    pub fn pending_count(&self) -> Result<usize, StoreError> {
        self.state.pending_count()
    }

    /// The counter that the next intent of a gateway and epoch spends.
    pub fn next_counter(&self, scope: &ScopeKey) -> Result<u32, StoreError> {
        self.state.next_counter(scope)
    }

    /// What is known of a nullifier.
    pub fn signal(&self, scope: &ScopeKey, nullifier: &Field) -> Result<Option<SignalState>, StoreError> {
        self.state.signal(scope, nullifier)
    }

    /// Calls `visit` for every nullifier known, by gateway and epoch.
    pub fn for_each_signal(&self, mut visit: impl FnMut(SignalState)) -> Result<(), StoreError> {
        self.state.for_each_signal(&mut visit)
    }

    /// Everything known of every nullifier, by gateway and epoch.
    pub fn signals(&self) -> Result<Vec<SignalState>, StoreError> {
        let mut signals = Vec::new();
        self.for_each_signal(|state| signals.push(state))?;
        Ok(signals)
    }

    /// The audit path of a leaf in the tree of the first `size` leaves.
    pub fn inclusion(&self, index: u64, size: u64) -> Result<Vec<Hash>, ReadError> {
        self.state.inclusion(index, size)
    }

    /// The proof that the tree of `new` leaves extends that of `old`.
    pub fn consistency(&self, old: u64, new: u64) -> Result<Vec<Hash>, ReadError> {
        self.state.consistency(old, new)
    }

    /// A tile of the log, checked against what is stored beside it: damage is an error, never an answer.
    pub fn tile(&self, tile: &Tile) -> Result<Vec<u8>, ReadError> {
        self.state.tile(tile)
    }

    /// The size and root that were last recorded for signing.
    pub fn last_checkpoint(&self) -> Result<Option<TreeHead>, StoreError> {
        self.state.last_checkpoint()
    }

    /// What this bank remembers of a log: the checkpoint last cosigned.
    pub fn witnessed(&self, origin: &str) -> Result<Option<Witnessed>, StoreError> {
        self.state.witnessed(origin)
    }

    /// Everything this bank remembers as a witness, by origin.
    pub fn all_witnessed(&self) -> Result<Vec<Witnessed>, StoreError> {
        self.state.all_witnessed()
    }
}

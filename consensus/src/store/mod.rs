//! What consensus asks of a database: ordered tables, one atomic batch at a time, in a log that is synced or not.
//!
//! Everything above this trait (the Raft log, the state machine) knows no RocksDB. All tables share one write-ahead
//! log, so a synced write makes every earlier write durable too, and what survives a crash is always a prefix.

mod keys;
mod rocks;

#[cfg(any(test, feature = "simulation"))]
pub(crate) mod memory;

use std::ops::ControlFlow;
use std::time::Duration;

use thiserror::Error;

pub use self::keys::subject_key_name;

pub(crate) use self::keys::{KeyChange, SubjectKeys, checked};
pub(crate) use self::rocks::RocksStore;

/// The tables, each a column family.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Table {
    /// Raft log: index -> entry.
    RaftLog,
    /// Vote, purged log id, snapshot in use: this replica's own, never part of a snapshot.
    RaftMeta,
    /// Leaf index -> envelope.
    Leaves,
    /// Leaf index -> hashes of the Merkle nodes that the leaf completed, its own first: each written once, in the order of
    /// the log.
    Nodes,
    /// Unique key -> content and leaf index.
    Unique,
    /// Index term and leaf index -> nothing.
    Terms,
    /// Collection and key -> encrypted current value.
    Documents,
    /// Intent id -> intent.
    Intents,
    /// Leaf index -> id of an intent that is not sent yet.
    Pending,
    /// Gateway and epoch -> next counter.
    Counters,
    /// Epoch and subject -> intent id.
    Subjects,
    /// Gateway, epoch, nullifier -> signals.
    Signals,
    /// Subject -> name of its key; the keys themselves are in a database of their own.
    SubjectKeys,
    /// Leaf index -> names of the keys it is sealed under.
    LeafKeys,
    /// Name of an erased key -> subject and erasure: the ledger.
    Erased,
    /// Subject -> leaf index of the legal hold it is under.
    Holds,
    /// Origin of a log -> the checkpoint last cosigned.
    Witness,
    /// Entries of governance in their order.
    Governance,
    /// Applied log id, membership, tree size and root, last checkpoint.
    State,
}

impl Table {
    /// Every table.
    pub(crate) const ALL: [Self; 19] = [
        Self::RaftLog,
        Self::RaftMeta,
        Self::Leaves,
        Self::Nodes,
        Self::Unique,
        Self::Terms,
        Self::Documents,
        Self::Intents,
        Self::Pending,
        Self::Counters,
        Self::Subjects,
        Self::Signals,
        Self::SubjectKeys,
        Self::LeafKeys,
        Self::Erased,
        Self::Holds,
        Self::Witness,
        Self::Governance,
        Self::State,
    ];

    /// The table's place in [`Table::ALL`].
    pub(crate) const fn place(self) -> usize {
        self as usize
    }

    /// The tables that are replicated: what a snapshot carries.
    pub(crate) fn replicated() -> impl Iterator<Item = Self> {
        Self::ALL.into_iter().filter(|table| !matches!(table, Self::RaftLog | Self::RaftMeta))
    }

    /// The name on disk; frozen.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::RaftLog => "raft-log",
            Self::RaftMeta => "raft-meta",
            Self::Leaves => "leaves",
            Self::Nodes => "nodes",
            Self::Unique => "unique",
            Self::Terms => "terms",
            Self::Documents => "documents",
            Self::Intents => "intents",
            Self::Pending => "pending",
            Self::Counters => "counters",
            Self::Subjects => "subjects",
            Self::Signals => "signals",
            Self::SubjectKeys => "subject-keys",
            Self::LeafKeys => "leaf-keys",
            Self::Erased => "erased",
            Self::Holds => "holds",
            Self::Witness => "witness",
            Self::Governance => "governance",
            Self::State => "state",
        }
    }
}

const _: () = {
    let mut at = 0;
    while at < Table::ALL.len() {
        assert!(Table::ALL[at].place() == at, "tables are listed in the order in which they are declared");
        at += 1;
    }
};

/// Why the database failed.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum StoreError {
    /// The database could not be opened.
    #[error("the database in {dir} cannot be opened: {reason}; if it is damaged, restore a backup")]
    Open {
        /// Its folder.
        dir: String,
        /// What RocksDB says.
        reason: String,
    },
    /// The database was written by another release.
    #[error("the database in {dir} has format {found}, this program reads {known}: use a matching release")]
    Format {
        /// Its folder.
        dir: String,
        /// The format found.
        found: u64,
        /// The format this program writes.
        known: u64,
    },
    /// A read failed.
    #[error("reading {table} failed: {reason}; the disk or the database may be damaged")]
    Read {
        /// The table.
        table: &'static str,
        /// What RocksDB says.
        reason: String,
    },
    /// A write failed: nothing more is written.
    #[error(
        "writing failed: {0}; no more is written, as what the disk holds is no longer known: check it and restart"
    )]
    Write(String),
    /// An earlier write failed.
    #[error("an earlier write failed ({0}): nothing is written until a restart")]
    Poisoned(String),
    /// A value that cannot be what was written.
    #[error("{table} is damaged: {reason}; restore a backup or rebuild this replica")]
    Corrupt {
        /// The table.
        table: &'static str,
        /// What is wrong.
        reason: String,
    },
    /// A file of a snapshot could not be handled.
    #[error("snapshot {path}: {reason}")]
    Snapshot {
        /// The file or folder.
        path: String,
        /// What failed.
        reason: String,
    },
}

impl StoreError {
    /// A [`StoreError::Corrupt`].
    #[expect(clippy::needless_pass_by_value, reason = "errors are handed over where they are mapped")]
    pub(crate) fn corrupt(table: Table, reason: impl ToString) -> Self {
        Self::Corrupt { table: table.name(), reason: reason.to_string() }
    }
}

/// One change in a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Write {
    Put(Table, Vec<u8>, Vec<u8>),
    Delete(Table, Vec<u8>),
    /// Deletes the keys from the first to the second, both included: RocksDB's own range is half-open, and the key
    /// `u64::MAX` would survive it.
    DeleteRange(Table, Vec<u8>, Vec<u8>),
}

impl Write {
    /// About how many bytes it takes in a log.
    pub(crate) fn length_hint(&self) -> usize {
        /// Its kind, table and lengths.
        const FRAMING: usize = 16;
        match self {
            Self::Put(_, first, second) | Self::DeleteRange(_, first, second) => {
                first.len() + second.len() + FRAMING
            }
            Self::Delete(_, key) => key.len() + FRAMING,
        }
    }
}

/// Changes that happen all or not at all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Batch(pub(crate) Vec<Write>);

impl Batch {
    pub(crate) fn put(&mut self, table: Table, key: impl Into<Vec<u8>>, value: impl Into<Vec<u8>>) {
        self.0.push(Write::Put(table, key.into(), value.into()));
    }

    pub(crate) fn delete(&mut self, table: Table, key: impl Into<Vec<u8>>) {
        self.0.push(Write::Delete(table, key.into()));
    }

    pub(crate) fn delete_range(&mut self, table: Table, first: impl Into<Vec<u8>>, last: impl Into<Vec<u8>>) {
        self.0.push(Write::DeleteRange(table, first.into(), last.into()));
    }
}

/// When a write is safe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Durability {
    /// On disk before the call returns.
    Synced,
    /// In order with all other writes, durable with the next synced one.
    Ordered,
}

/// A key and its value.
pub(crate) type Pair = (Vec<u8>, Vec<u8>);

/// Called for each pair of a scan, until it breaks.
pub(crate) type Visit<'a> = dyn FnMut(&[u8], &[u8]) -> ControlFlow<()> + 'a;

/// An ordered key-value store. Calls block; those that sync belong off the async threads.
pub(crate) trait Store: Send + Sync + 'static {
    /// The value under a key.
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError>;

    /// Visits the pairs from the key `from` on, in ascending order.
    fn scan(&self, table: Table, from: &[u8], visit: &mut Visit<'_>) -> Result<(), StoreError>;

    /// Visits the pairs whose key begins with `prefix`, from the key `from` on. A store may skip what a filter excludes.
    fn scan_prefix(
        &self,
        table: Table,
        prefix: &[u8],
        from: &[u8],
        visit: &mut Visit<'_>,
    ) -> Result<(), StoreError> {
        self.scan(table, from, &mut |key, value| {
            if key.starts_with(prefix) { visit(key, value) } else { ControlFlow::Break(()) }
        })
    }

    /// The pair with the greatest key.
    fn last(&self, table: Table) -> Result<Option<Pair>, StoreError>;

    /// Applies a batch atomically. After the first failure every later call fails.
    fn write(&self, batch: Batch, durability: Durability) -> Result<(), StoreError>;

    /// For a store that never blocks: how long the next call is to take on the runtime's clock, before it is done and
    /// after. `None`: calls block for as long as they take.
    fn latency(&self) -> Option<(Duration, Duration)> {
        None
    }
}

/// Does blocking work off the async threads, or in place on a store that never blocks.
pub(crate) async fn off_thread<T: Send + 'static>(
    store: &dyn Store,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, StoreError> {
    let Some((before, after)) = store.latency() else {
        let done = tokio::task::spawn_blocking(work).await;
        return done.map_err(|error| StoreError::Write(error.to_string()));
    };
    tokio::time::sleep(before).await;
    let done = work();
    tokio::time::sleep(after).await;
    Ok(done)
}

/// Reads a `u64` key or value.
pub(crate) fn read_u64(table: Table, bytes: &[u8]) -> Result<u64, StoreError> {
    let bytes = bytes.try_into().map_err(|_| StoreError::corrupt(table, "a number is not 8 bytes"))?;
    Ok(u64::from_be_bytes(bytes))
}

/// Collects the pairs whose key begins with `prefix`, at most `limit`.
pub(crate) fn scan_prefix(
    store: &dyn Store,
    table: Table,
    prefix: &[u8],
    limit: usize,
) -> Result<Vec<Pair>, StoreError> {
    let mut found = Vec::new();
    store.scan_prefix(table, prefix, prefix, &mut |key, value| {
        if found.len() >= limit {
            return ControlFlow::Break(());
        }
        found.push((key.to_vec(), value.to_vec()));
        ControlFlow::Continue(())
    })?;
    Ok(found)
}

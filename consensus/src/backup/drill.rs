//! A restore for practice: to scratch, read only, with the root computed from the leaves alone.

use std::ops::ControlFlow;
use std::path::Path;
use std::time::Instant;

use hansa_audit_log::merkle::{Frontier, Hash, leaf_hash};

use super::container::Manifest;
use super::error::BackupError;
use super::files::remove_dir;
use super::folder;
use super::restore::unpack;
use super::secrets::Identities;
use crate::store::{RocksStore, Store, Table, read_u64};

/// What a drill showed.
#[derive(Clone, Debug, PartialEq)]
pub struct Drill {
    /// What the backup is of.
    pub manifest: Manifest,
    /// The root that its leaves give.
    pub root: Hash,
    /// How long it took until the data could have been served, in seconds.
    pub seconds: f64,
}

/// Restores a backup to `scratch`, which must not exist and is removed again, and computes the root of its leaves.
pub fn drill(file: &Path, identities: &Identities, scratch: &Path) -> Result<Drill, BackupError> {
    if scratch.exists() {
        return Err(BackupError::NotEmpty(scratch.to_owned()));
    }
    let start = Instant::now();
    let drilled =
        folder::check_hash(file).and_then(|_| unpack(file, identities, scratch)).and_then(|manifest| {
            let root = recompute(&*RocksStore::open_checkpoint(&scratch.join("db"))?, &manifest, file)?;
            Ok(Drill { manifest, root, seconds: start.elapsed().as_secs_f64() })
        });
    let removed = remove_dir(scratch);
    let drilled = drilled?;
    removed?;
    Ok(drilled)
}

/// Computes the root from all leaves, whatever the stored nodes say, and compares it with the manifest's.
pub(super) fn recompute(store: &dyn Store, manifest: &Manifest, file: &Path) -> Result<Hash, BackupError> {
    let wrong = |reason: String| BackupError::Root { path: file.to_owned(), reason };
    let mut tree = Frontier::default();
    let mut gap = None;
    store.scan(Table::Leaves, &[], &mut |key, leaf| {
        if read_u64(Table::Leaves, key) != Ok(tree.size()) {
            gap = Some(tree.size());
            return ControlFlow::Break(());
        }
        tree.append(leaf_hash(leaf), |_, _| {});
        ControlFlow::Continue(())
    })?;
    if let Some(at) = gap {
        return Err(wrong(format!("leaf {at} is missing")));
    }
    if tree.size() != manifest.size {
        return Err(wrong(format!("there are {} leaves, not {}", tree.size(), manifest.size)));
    }
    if tree.root() != manifest.root {
        return Err(wrong("the root is another".to_owned()));
    }
    Ok(tree.root())
}

//! Makes a backup of a running replica.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::sync::TryLockError;

use age::Encryptor;
use age::x25519::Recipient;
use hansa_types::hash::Digest;
use hansa_types::id::Timestamp;

use super::config::BackupConfig;
use super::container::{self, Manifest};
use super::error::BackupError;
use super::files::{Hashing, Part, remove_dir, sync_dir};
use super::folder::{self, Backup};
use super::subject_keys;
use crate::raft::applied_index;
use crate::state::load_tree;
use crate::store::RocksStore;
use crate::{Consensus, TreeHead};

/// Folders beside the database, on its disk, in which a checkpoint lies while it is read.
const WORK: &str = "backup-work";
const CHECKPOINT: &str = "backup-checkpoint";

impl Consensus {
    /// Makes a backup of this replica as it is now, of the log named `origin`, and removes those beyond what is kept.
    /// Commands go on meanwhile.
    pub async fn back_up(
        &self,
        config: &BackupConfig,
        origin: &str,
        now: Timestamp,
    ) -> Result<Backup, BackupError> {
        let recipients = config.readers()?;
        let (store, state, alone) = (self.store.clone(), self.state.clone(), self.backing_up.clone());
        let (data, replica) = (self.config.data_dir.clone(), self.config.replica);
        let (config, origin) = (config.clone(), origin.to_owned());
        let making = tokio::task::spawn_blocking(move || {
            let _alone = match alone.try_lock() {
                Ok(alone) => alone,
                // It guards two folders, which are emptied first.
                Err(TryLockError::Poisoned(alone)) => alone.into_inner(),
                Err(TryLockError::WouldBlock) => return Err(BackupError::Busy),
            };
            let (work, checkpoint) = (data.join(WORK), data.join(CHECKPOINT));
            // What a crash left of an earlier one.
            remove_dir(&work)?;
            remove_dir(&checkpoint)?;
            let made = store
                .checkpoint_without_log(&work, &checkpoint)
                .map_err(BackupError::from)
                .and_then(|()| describe(&checkpoint, &origin, replica, now))
                .and_then(|manifest| write(&config.dir, &manifest, &checkpoint, &recipients));
            let removed = remove_dir(&work).and_then(|()| remove_dir(&checkpoint));
            let backup = made?;
            removed?;
            // After the checkpoint: every key that a record in it is under is there, but those erased meanwhile.
            subject_keys::write(&config, state.subject_keys().iter(), &state.erased_keys()?)?;
            folder::prune(&config.dir, &origin, config.keep)?;
            Ok(backup)
        });
        making.await.map_err(|error| BackupError::Stopped(error.to_string()))?
    }
}

/// What a checkpoint holds, read from itself: commands may have come since it was asked for.
fn describe(
    checkpoint: &Path,
    origin: &str,
    replica: u64,
    taken: Timestamp,
) -> Result<Manifest, BackupError> {
    let store = RocksStore::open_checkpoint(checkpoint)?;
    let tree = load_tree(&*store)?;
    let head = TreeHead { size: tree.size(), root: tree.root() };
    let applied = applied_index(&*store)?;
    drop(store);
    Ok(Manifest {
        origin: origin.to_owned(),
        size: head.size,
        root: head.root,
        applied,
        replica,
        release: env!("CARGO_PKG_VERSION").to_owned(),
        taken,
        files: Manifest::list(checkpoint).map_err(BackupError::at(checkpoint))?,
    })
}

/// Writes the file and its hash; either both are there in the end, or neither.
fn write(
    dir: &Path,
    manifest: &Manifest,
    checkpoint: &Path,
    recipients: &[Recipient],
) -> Result<Backup, BackupError> {
    fs::create_dir_all(dir).map_err(BackupError::at(dir))?;
    let Manifest { origin, size, taken, .. } = manifest;
    let path = dir.join(folder::name(origin, *size, *taken));
    let (part, hash, bytes) = encrypt(Part::create(&path)?, recipients, |mut out| {
        container::write(&mut out, manifest, checkpoint)
            .map_err(|source| BackupError::Container { path: path.clone(), source })
    })?;
    let mut beside = Part::create(&folder::hash_path(&path))?;
    let line = folder::hash_line(&path, &hash);
    beside.write_all(line.as_bytes()).map_err(BackupError::at(beside.path()))?;
    // First the hash: alone it is nothing, and a file without it would be no backup.
    beside.keep()?;
    part.keep()?;
    sync_dir(dir)?;
    Ok(Backup { path, log: folder::safe(origin), size: *size, taken: *taken, bytes, hash })
}

/// Encrypts what `content` writes, and makes it durable.
pub(super) fn encrypt(
    part: Part,
    recipients: &[Recipient],
    content: impl FnOnce(&mut dyn Write) -> Result<(), BackupError>,
) -> Result<(Part, Digest, u64), BackupError> {
    let path = part.path().to_owned();
    let all = recipients.iter().map(|recipient| recipient as &dyn age::Recipient);
    let encryptor = Encryptor::with_recipients(all)
        .map_err(|error| BackupError::Stopped(format!("age refuses the recipients: {error}")))?;
    let mut stream = encryptor.wrap_output(Hashing::new(part)).map_err(BackupError::at(&path))?;
    content(&mut stream)?;
    let (mut part, hash, bytes) = stream.finish().map_err(BackupError::at(&path))?.finish();
    part.sync()?;
    Ok((part, hash, bytes))
}

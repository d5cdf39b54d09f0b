//! Brings a backup back: into an empty data folder, with two officers' approval, as a new group with locked keys.
//!
//! Everything happens in a folder beside the data folder, which takes its name in one step at the end: a restore that
//! is broken off leaves nothing that a node would start from.

use std::fs::{self, File};
use std::io::{self, BufReader};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use age::Decryptor;
use hansa_audit_log::note::SignedNote;
use hansa_types::codec::Encode;
use hansa_types::id::Timestamp;

use super::approval::{self, Approval};
use super::config::BackupConfig;
use super::container::{self, Manifest};
use super::drill::recompute;
use super::error::BackupError;
use super::files::{CHUNK, remove_dir, sync_dir};
use super::folder;
use super::secrets::Identities;
use super::subject_keys::{self, Subjects};
use crate::config::ConsensusConfig;
use crate::lock::Restored;
use crate::raft::refound;
use crate::replica::Incarnation;
use crate::state::{RESTORED, enter_ledger};
use crate::store::{Batch, Durability, KeyChange, RocksStore, Store, SubjectKeys, Table, checked};
use crate::{INCARNATION_KEY, REPLICA_KEY, SUBJECT_KEYS, group};

/// The cache of the database while it is restored, in bytes.
const CACHE: usize = 8 << 20;
/// What is added to the name of the data folder while it is not complete.
const UNFINISHED: &str = ".restoring";

/// What is to be restored, and by whom.
pub struct Restore<'a> {
    /// The backup's file.
    pub file: &'a Path,
    /// The file of subject keys, which are in no backup; without it no record can be read again.
    pub subject_keys: Option<&'a Path>,
    /// What decrypts both.
    pub identities: &'a Identities,
    /// The replica to make: its data folder must be empty or absent.
    pub consensus: &'a ConsensusConfig,
    /// Who may approve.
    pub backup: &'a BackupConfig,
    /// The approvals.
    pub approvals: &'a [SignedNote],
    /// The time.
    pub now: Timestamp,
    /// Called with the configuration of the folder in the making, before it takes its place: erasures that came after
    /// the backup are replayed here.
    pub prepare: &'a mut dyn FnMut(&ConsensusConfig) -> Result<(), String>,
}

/// Restores a backup; returns what it was of, and who approved.
pub fn restore(request: Restore<'_>) -> Result<(Manifest, Vec<Approval>), BackupError> {
    let Restore { file, subject_keys, identities, consensus, backup, approvals, now, prepare } = request;
    backup.validate()?;
    let target = &consensus.data_dir;
    let hash = folder::check_hash(file)?;
    let approved = approval::check(approvals, &backup.approvers, &hash, consensus.replica, now)?;
    if !is_empty(target)? {
        return Err(BackupError::NotEmpty(target.clone()));
    }
    let keys = subject_keys.map(|path| subject_keys::read(path, identities)).transpose()?.unwrap_or_default();
    let unfinished = unfinished(target);
    remove_dir(&unfinished)?;
    let made = unpack(file, identities, &unfinished).and_then(|manifest| {
        let db = unfinished.join("db");
        recompute(&*RocksStore::open_checkpoint(&db)?, &manifest, file)?;
        put_keys(&unfinished, &db, keys)?;
        own(&db, consensus, &manifest, now)?;
        let staged = ConsensusConfig { data_dir: unfinished.clone(), ..consensus.clone() };
        prepare(&staged).map_err(BackupError::Prepare)?;
        put_in_place(&unfinished, target)?;
        Ok(manifest)
    });
    match made {
        Ok(manifest) => Ok((manifest, approved)),
        Err(error) => {
            let _ = remove_dir(&unfinished);
            Err(error)
        }
    }
}

/// Puts the subject keys beside the database, all but those that were erased before the backup or since.
fn put_keys(dir: &Path, db: &Path, subjects: Subjects) -> Result<(), BackupError> {
    let store = RocksStore::open(db, CACHE)?;
    enter_ledger(&*store, &subjects.ledger)?;
    let mut changes = Vec::with_capacity(subjects.keys.len());
    for (name, wrapped) in subjects.keys {
        let (name, wrapped) = checked(name, wrapped)?;
        if store.get(Table::Erased, &name.0)?.is_none() {
            changes.push(KeyChange::Put(name, wrapped));
        }
    }
    Ok(SubjectKeys::open(&dir.join(SUBJECT_KEYS))?.write(&changes)?)
}

/// Checks a backup as far as it can be: the hash beside it, and with an identity every byte inside.
pub fn verify(file: &Path, identities: Option<&Identities>) -> Result<Option<Manifest>, BackupError> {
    folder::check_hash(file)?;
    let decryptor = decryptor(file)?;
    let Some(identities) = identities else { return Ok(None) };
    read(file, decryptor, identities, None).map(Some)
}

/// Unpacks a backup into `dir/db`, which it makes.
pub(super) fn unpack(file: &Path, identities: &Identities, dir: &Path) -> Result<Manifest, BackupError> {
    let db = dir.join("db");
    // The node's user alone: as the data folder of a careful operator.
    fs::DirBuilder::new().recursive(true).mode(0o700).create(&db).map_err(BackupError::at(&db))?;
    let manifest = read(file, decryptor(file)?, identities, Some(&db))?;
    sync_dir(&db)?;
    Ok(manifest)
}

fn decryptor(file: &Path) -> Result<Decryptor<BufReader<File>>, BackupError> {
    let input = File::open(file).map_err(BackupError::at(file))?;
    Decryptor::new_buffered(BufReader::with_capacity(CHUNK, input))
        .map_err(|error| BackupError::Decrypt { path: file.to_owned(), reason: error.to_string() })
}

fn read(
    file: &Path,
    decryptor: Decryptor<BufReader<File>>,
    identities: &Identities,
    into: Option<&Path>,
) -> Result<Manifest, BackupError> {
    let plain = decryptor
        .decrypt(identities.iter())
        .map_err(|error| BackupError::Decrypt { path: file.to_owned(), reason: error.to_string() })?;
    container::read(plain, into).map_err(|source| BackupError::Container { path: file.to_owned(), source })
}

/// Makes the database that of this replica, alone in a new group, with a mark that every later member inherits.
fn own(db: &Path, config: &ConsensusConfig, manifest: &Manifest, now: Timestamp) -> Result<(), BackupError> {
    let store = RocksStore::open(db, CACHE)?;
    let incarnation = Incarnation::random();
    let mut batch = Batch::default();
    refound(&*store, config.replica, group::own(config, incarnation), &mut batch)?;
    batch.put(Table::RaftMeta, REPLICA_KEY, config.replica.to_be_bytes());
    batch.put(Table::RaftMeta, INCARNATION_KEY, incarnation.0.to_be_bytes());
    let Manifest { size, root, .. } = *manifest;
    batch.put(Table::State, RESTORED, Restored { size, root, at: now, epoch: None }.to_bytes());
    store.write(batch, Durability::Synced)?;
    Ok(())
}

fn unfinished(target: &Path) -> PathBuf {
    let mut name = target.as_os_str().to_owned();
    name.push(UNFINISHED);
    PathBuf::from(name)
}

fn is_empty(dir: &Path) -> Result<bool, BackupError> {
    match fs::read_dir(dir) {
        Ok(mut entries) => Ok(entries.next().is_none()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(true),
        Err(error) => Err(BackupError::at(dir)(error)),
    }
}

/// Gives the folder its name. An empty one that stands there is replaced by the same step.
fn put_in_place(from: &Path, to: &Path) -> Result<(), BackupError> {
    sync_dir(from)?;
    fs::rename(from, to).map_err(BackupError::at(to))?;
    let parent = to.parent().filter(|parent| !parent.as_os_str().is_empty());
    sync_dir(parent.unwrap_or(Path::new(".")))
}

//! Why a backup was not made, read or restored.

use std::io;
use std::path::{Path, PathBuf};

use hansa_types::hash::Digest;
use thiserror::Error;

use super::approval::ApprovalError;
use super::config::BackupConfigError;
use super::container::ContainerError;
use super::secrets::SecretError;
use super::subject_keys::SubjectKeysError;
use crate::store::StoreError;

/// Why a backup was not made, read or restored.
#[derive(Debug, Error)]
pub enum BackupError {
    /// The configuration.
    #[error(transparent)]
    Config(#[from] BackupConfigError),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The file of subject keys.
    #[error(transparent)]
    SubjectKeys(#[from] SubjectKeysError),
    /// A file or folder.
    #[error("{path}: {source}")]
    File {
        /// Which.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// What is inside the encryption.
    #[error("{path}: {source}")]
    Container {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        source: ContainerError,
    },
    /// The encryption.
    #[error("{path} cannot be decrypted: {reason}")]
    Decrypt {
        /// Which file.
        path: PathBuf,
        /// What age says.
        reason: String,
    },
    /// An identity file.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// The file is not the one that was written.
    #[error("{path} has the SHA-256 {found}, and {wanted} was written: it was damaged or exchanged")]
    Hash {
        /// Which file.
        path: PathBuf,
        /// What it has.
        found: Digest,
        /// What it should have.
        wanted: Digest,
    },
    /// The hash beside a backup is missing or no hash.
    #[error(
        "{0} is missing or is not a line of sha256sum: without it nobody knows whether the backup is whole"
    )]
    NoHash(PathBuf),
    /// Another backup is being made.
    #[error("another backup is being made: wait for it")]
    Busy,
    /// Data would be overwritten.
    #[error("{0} is not empty: a backup is restored into an empty data folder only; move what is there away")]
    NotEmpty(PathBuf),
    /// Too few approvals, or wrong ones.
    #[error(transparent)]
    Approval(#[from] ApprovalError),
    /// The leaves do not have the root that the backup was made with.
    #[error(
        "the leaves in {path} do not give the root that stands beside them ({reason}): use another backup"
    )]
    Root {
        /// Which file or folder.
        path: PathBuf,
        /// What differs.
        reason: String,
    },
    /// A step that comes between unpacking and serving.
    #[error("the restored folder was not made ready, and is removed again: {0}")]
    Prepare(String),
    /// The work was given up.
    #[error("the backup was given up: {0}")]
    Stopped(String),
}

impl BackupError {
    /// A [`BackupError::File`], as it is mapped.
    pub(super) fn at(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::File { path, source }
    }
}

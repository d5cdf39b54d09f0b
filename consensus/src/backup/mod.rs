//! Backup: one encrypted file of a running replica, and back.
//!
//! [`create`] takes a RocksDB checkpoint of the live database (hard links, nothing stops), leaves the Raft log out of it,
//! and streams it through [`container`] and age into a file of [`folder`], beside which stands its SHA-256. Keys of
//! subjects that may be erased are in no such file; [`subject_keys`] keeps the newest of them apart. [`restore`] needs
//! the [`approval`] of two officers, and founds a new group whose keys are locked ([`crate::lock`]). [`drill`] restores
//! to scratch and computes the root from the leaves.

pub mod approval;
pub mod config;
pub mod container;
pub mod folder;
pub mod subject_keys;

mod create;
mod drill;
mod error;
mod files;
mod restore;
mod secrets;

pub use self::approval::{Approval, ApprovalError};
pub use self::config::{Approver, BackupConfig, BackupConfigError};
pub use self::container::{ContainerError, Manifest};
pub use self::drill::{Drill, drill};
pub use self::error::BackupError;
pub use self::folder::{Backup, Comparison};
pub use self::restore::{Restore, restore, verify};
pub use self::secrets::{Identities, SecretError, keygen};

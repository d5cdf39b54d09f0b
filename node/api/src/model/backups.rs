//! Backups of the node, and roots of its log.

use hansa_types::hash::Digest;
use hansa_types::id::Timestamp;
use serde::{Deserialize, Serialize};

/// One backup in the node's folder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackupView {
    /// The file's name.
    pub file: String,
    /// How many entries the log had.
    pub log_size: u64,
    /// When it was taken.
    pub taken: Timestamp,
    /// The file's length.
    pub bytes: u64,
    /// The SHA-256 that was written beside it.
    pub sha256: Digest,
}

/// How the last attempt since the node started ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackupAttempt {
    /// When it ended.
    pub at: Timestamp,
    /// How long it took.
    pub micros: u64,
    /// What it made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub made: Option<BackupView>,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// The backups, and how making them goes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackupList {
    /// Whether one is being made.
    pub running: bool,
    /// How many attempts have ended since the node started: whoever asked for one waits until this has grown.
    pub attempts: u64,
    /// The last of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last: Option<BackupAttempt>,
    /// Whether the schedule was missed.
    pub overdue: bool,
    /// What is in the folder, oldest first.
    pub backups: Vec<BackupView>,
}

/// The root of the log when it had so many entries.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RootView {
    /// How many entries.
    pub size: u64,
    /// The root of them.
    pub root: Digest,
    /// How many entries there are now.
    pub log_size: u64,
}

//! The section `[files]` of the node's configuration.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::answer::AnswerForm;
use crate::config::{ConfigError, MAX_CONCURRENCY, MAX_MS};

/// Where messages come in as files, and how they are answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FilesConfig {
    /// The drop folder; none, and no files are taken in.
    pub dir: Option<PathBuf>,
    /// In what form messages are answered: a status report has the message's own name, JSON ends in `.json`.
    pub answer: AnswerForm,
    /// Files being decided at once.
    pub in_flight: usize,
    /// How often the folder is looked at, in milliseconds.
    pub poll_ms: u64,
}

impl Default for FilesConfig {
    fn default() -> Self {
        Self { dir: None, answer: AnswerForm::default(), in_flight: 8, poll_ms: 500 }
    }
}

impl FilesConfig {
    /// Refuses what cannot work.
    ///
    /// # Errors
    /// See [`ConfigError`].
    pub fn check(&self) -> Result<(), ConfigError> {
        let numbers = [
            ("files.in_flight", self.in_flight as u64, MAX_CONCURRENCY as u64),
            ("files.poll_ms", self.poll_ms, MAX_MS),
        ];
        ConfigError::check_range(numbers)
    }

    pub(crate) fn poll_time(&self) -> Duration {
        Duration::from_millis(self.poll_ms)
    }
}

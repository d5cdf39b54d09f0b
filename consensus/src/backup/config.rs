//! `[backup]`: where backups go, who can read them, and who may have one restored.

use std::path::PathBuf;

use age::x25519::Recipient;
use hansa_types::hash::PublicKey;
use hansa_types::id::Actor;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// How many officers have to approve a restore.
pub const APPROVALS: usize = 2;

/// How backups are made and used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BackupConfig {
    /// The folder that backups are written to: on another disk than the data.
    pub dir: PathBuf,
    /// Who can read them: age X25519 recipients (`age1..`). Without one, no backups are made.
    pub recipients: Vec<String>,
    /// How many are kept.
    pub keep: usize,
    /// How often the running node makes one; 0 for only when it is told to.
    pub every_minutes: u32,
    /// A folder that something else copies the backups to; it is compared, never written.
    pub off_site: Option<PathBuf>,
    /// Who may approve that one is restored.
    pub approvers: Vec<Approver>,
}

/// An officer whose approval counts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Approver {
    /// The officer's login.
    pub actor: Actor,
    /// The officer's own Ed25519 key.
    pub key: PublicKey,
}

impl Default for BackupConfig {
    fn default() -> Self {
        Self {
            dir: PathBuf::from("backups"),
            recipients: Vec::new(),
            keep: 42,
            every_minutes: 240,
            off_site: None,
            approvers: Vec::new(),
        }
    }
}

/// Why a configuration of backups cannot be used.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum BackupConfigError {
    /// A recipient that is none.
    #[error(
        "backup.recipients: {recipient:?} is no age recipient ({reason}): `hansa backup keygen` prints one"
    )]
    Recipient {
        /// What stands there.
        recipient: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Backups are wanted and nobody could read them.
    #[error("backup.recipients is empty: name at least one, whose identity is kept away from this machine")]
    NoRecipient,
    /// Nothing would be kept.
    #[error("backup.keep is 0: at least one backup is kept")]
    KeepNone,
    /// One officer, or one key, twice.
    #[error("backup.approvers names {0}, or that officer's key, twice: two approvals must be two people's")]
    SameApprover(Actor),
}

impl BackupConfig {
    /// Refuses what cannot be used.
    pub fn validate(&self) -> Result<(), BackupConfigError> {
        self.parsed_recipients()?;
        if self.keep == 0 {
            return Err(BackupConfigError::KeepNone);
        }
        for (at, approver) in self.approvers.iter().enumerate() {
            let same = |other: &Approver| other.actor == approver.actor || other.key == approver.key;
            if self.approvers[..at].iter().any(same) {
                return Err(BackupConfigError::SameApprover(approver.actor.clone()));
            }
        }
        Ok(())
    }

    /// Whether the running node makes backups by itself.
    #[must_use]
    pub fn is_scheduled(&self) -> bool {
        self.every_minutes > 0 && !self.recipients.is_empty()
    }

    /// Who a backup is encrypted for.
    pub(super) fn readers(&self) -> Result<Vec<Recipient>, BackupConfigError> {
        let recipients = self.parsed_recipients()?;
        if recipients.is_empty() { Err(BackupConfigError::NoRecipient) } else { Ok(recipients) }
    }

    fn parsed_recipients(&self) -> Result<Vec<Recipient>, BackupConfigError> {
        let parse = |text: &String| {
            text.parse::<Recipient>().map_err(|reason| BackupConfigError::Recipient {
                recipient: text.clone(),
                reason: reason.to_owned(),
            })
        };
        self.recipients.iter().map(parse).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn approver(actor: &str, key: u8) -> Approver {
        Approver { actor: actor.parse().unwrap(), key: PublicKey([key; 32]) }
    }

    #[test]
    fn the_default_makes_no_backups_and_is_no_error() {
        let config = BackupConfig::default();
        assert_eq!(config.validate(), Ok(()));
        assert!(!config.is_scheduled());
        assert!(matches!(config.readers(), Err(BackupConfigError::NoRecipient)));
    }

    #[test]
    fn wrong_recipients_and_one_officer_twice_are_refused() {
        let recipients = vec!["age1nonsense".to_owned()];
        let refused = BackupConfig { recipients, ..BackupConfig::default() }.validate().unwrap_err();
        assert!(matches!(refused, BackupConfigError::Recipient { .. }), "{refused}");
        let none = BackupConfig { keep: 0, ..BackupConfig::default() };
        assert_eq!(none.validate(), Err(BackupConfigError::KeepNone));
        for second in [approver("a", 2), approver("b", 1)] {
            let approvers = vec![approver("a", 1), second];
            let refused = BackupConfig { approvers, ..BackupConfig::default() }.validate();
            assert!(matches!(refused, Err(BackupConfigError::SameApprover(_))), "{refused:?}");
        }
    }
}

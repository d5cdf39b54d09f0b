//! Alerts: signals of other banks that matched somebody this bank knows.

use hansa_types::case::{Alert, AlertState};
use hansa_types::hash::Digest;
use hansa_types::id::{Epoch, Timestamp};
use hansa_types::signal::{Category, Severity};
use hansa_types::subject::Subject;
use serde::{Deserialize, Serialize};

/// A received signal that matched a subject this bank knows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlertView {
    /// The signal.
    pub signal: Digest,
    /// Who matched.
    pub subject: Subject,
    /// Whether this bank holds the account, or has only seen it as a counterparty.
    pub held_here: bool,
    /// As the sender said.
    pub severity: Severity,
    /// As the sender said.
    pub category: Category,
    /// The last epoch in which it counts.
    pub expires: Epoch,
    /// Whether it counts.
    pub state: AlertState,
    /// The case it opened.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub case: Option<u64>,
    /// When it was raised or changed.
    pub at: Timestamp,
}

impl From<Alert> for AlertView {
    fn from(alert: Alert) -> Self {
        let Alert { signal, subject, held_here, severity, category, expires, state, case, at } = alert;
        Self { signal, subject, held_here, severity, category, expires, state, case, at }
    }
}

/// The alerts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlertList {
    /// Oldest first.
    pub alerts: Vec<AlertView>,
}

//! Signals as an officer sees them: those this bank sends and those it receives.

use hansa_types::hash::{Digest, Field};
use hansa_types::id::{Actor, Epoch, GatewayId, Timestamp};
use hansa_types::signal::{Category, Severity, SignalBody};
use hansa_types::subject::SubjectKind;
use serde::{Deserialize, Serialize};

/// Whose signal it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Direction {
    /// This bank's.
    Sent,
    /// Another bank's; which one, nobody is told.
    Received,
}

/// How far a signal has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SignalState {
    /// This bank's: committed, and not yet proved or not yet with the network.
    Pending,
    /// This bank's: with the network.
    Published,
    /// Another bank's: verified and logged.
    Verified,
    /// Taken back by its sender.
    Retracted,
    /// Its epochs are over.
    Expired,
    /// Two signals came under its nullifier: neither counts.
    Void,
}

/// One signal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignalView {
    /// What names it in the consortium. A signal that is not proved yet has no nullifier and so none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<Digest>,
    /// Whose it is.
    pub direction: Direction,
    /// How far it has come.
    pub state: SignalState,
    /// The gateway it was shared under.
    pub gateway: GatewayId,
    /// When it was signalled.
    pub epoch: Epoch,
    /// The last epoch in which it counts.
    pub expires: Epoch,
    /// How severe its sender says it is.
    pub severity: Severity,
    /// What is suspected.
    pub category: Category,
    /// What kind of subject it is about.
    pub subject: SubjectKind,
    /// The subject's tag in its scope.
    pub tag: Field,
    /// How many subjects of this bank it matched.
    pub matches: u64,
    /// The case behind it (sent) or opened by it (received).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub case: Option<u64>,
    /// When it reached its state.
    pub at: Timestamp,
}

impl SignalView {
    /// The view of `body` without matches or case, which the caller fills in.
    pub fn new(
        id: Option<Digest>,
        body: &SignalBody,
        direction: Direction,
        state: SignalState,
        at: Timestamp,
    ) -> Self {
        Self {
            id,
            direction,
            state,
            gateway: body.gateway,
            epoch: body.epoch,
            expires: body.expires,
            severity: body.severity,
            category: body.category,
            subject: body.subject,
            tag: body.tag,
            matches: 0,
            case: None,
            at,
        }
    }
}

/// The signals.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignalList {
    /// Oldest first.
    pub signals: Vec<SignalView>,
}

/// Takes back a signal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RetractRequest {
    /// Who does it.
    pub actor: Actor,
}

/// Discloses the bank's trace secret of one epoch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TraceRequest {
    /// Which epoch.
    pub epoch: Epoch,
    /// Who does it.
    pub actor: Actor,
    /// On whose order, in words: kept for ever.
    pub reason: String,
}

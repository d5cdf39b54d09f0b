//! Exceptions: who resembles a listed name and was found to be somebody else.

use hansa_types::hash::Digest;
use hansa_types::id::{Actor, Timestamp};
use hansa_types::subject::Subject;
use serde::{Deserialize, Serialize};

/// An exception.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExceptionView {
    /// What decisions cite, and what withdraws it.
    pub id: Digest,
    /// Who is not listed.
    pub subject: Subject,
    /// The list.
    pub list: String,
    /// The entry that it is not.
    pub entry: String,
    /// Who found so.
    pub actor: Actor,
    /// Why.
    pub reason: String,
    /// Since when.
    pub since: Timestamp,
    /// Until when.
    pub expires: Timestamp,
    /// Whether it counts now: it has not expired, and the entry is as it was.
    pub holds: bool,
}

/// The exceptions that were not withdrawn.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExceptionList {
    /// By list and entry.
    pub exceptions: Vec<ExceptionView>,
}

/// An exception to be granted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExceptionRequest {
    /// Who is not listed.
    pub subject: Subject,
    /// The list.
    pub list: String,
    /// The entry that it is not.
    pub entry: String,
    /// For how many days.
    pub days: u32,
    /// Why.
    pub reason: String,
    /// Who found so.
    pub actor: Actor,
}

/// An exception to be withdrawn.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WithdrawalRequest {
    /// Why.
    pub reason: String,
    /// Who.
    pub actor: Actor,
}

//! Records: looked up by what they are about, held, exported and erased by subject.

use hansa_types::hash::{Digest, Field};
use hansa_types::id::{Actor, Timestamp};
use hansa_types::record::RecordClass;
use hansa_types::subject::Subject;
use hansa_types::uetr::Uetr;
use serde::{Deserialize, Serialize};

/// What to look for in the log. What is named must all hold of a record.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LogQuery {
    /// A payment, on every leg.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uetr: Option<Uetr>,
    /// An account, an organisation or a person.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<Subject>,
    /// A signal's tag.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tag: Option<Field>,
    /// A signal's nullifier.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nullifier: Option<Field>,
    /// Not before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// Not after.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// Of this class.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub class: Option<RecordClass>,
    /// Behind this place in the log: where the page before ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<u64>,
    /// How many entries at the most.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
}

/// One page of what was found, in the log's order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LogPage {
    /// The entries.
    pub entries: Vec<FoundEntry>,
    /// Where the next page continues, if there may be more: its `after`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<u64>,
}

/// One entry of the log that was found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FoundEntry {
    /// Its place in the log, from 0.
    pub index: u64,
    /// The class of the record.
    pub class: RecordClass,
    /// The RFC 6962 hash of its leaf.
    pub leaf: Digest,
    /// Whether a signed checkpoint covers it.
    pub published: bool,
    /// Whether it was erased: it is still proved to be in the log.
    pub erased: bool,
    /// The record, unless it was erased.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub record: Option<serde_json::Value>,
}

/// Asks for something to be done about a subject's records.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SubjectAction {
    /// Whose.
    pub subject: Subject,
    /// Why; it must not name the subject, as it outlives an erasure.
    pub reason: String,
    /// Who asks.
    pub actor: Actor,
}

/// Asks what is held about a subject.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SubjectQuestion {
    /// About whom.
    pub subject: Subject,
}

/// A legal hold, as it stands now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HoldView {
    /// The keyed digest that stands for the subject in the log.
    pub subject: Digest,
    /// Whether the hold is in force.
    pub held: bool,
    /// The entry of the log that says so.
    pub index: u64,
}

/// An erasure, and what remains until it is complete.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErasureView {
    /// The keyed digest that stood for the subject.
    pub subject: Digest,
    /// How many records can no longer be read.
    pub records: u64,
    /// The entry of the log that says so.
    pub index: u64,
    /// What still has to happen, a sentence each.
    pub remaining: Vec<String>,
}

/// What is held about a subject.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SubjectExport {
    /// The keyed digest that stands for the subject in the log.
    pub subject: Digest,
    /// The entry of the legal hold it is under.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hold: Option<u64>,
    /// Until when the last of its records is kept; none if nothing is held.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kept_until: Option<Timestamp>,
    /// The records.
    pub entries: Vec<FoundEntry>,
}

/// Asks for what is past retention to be listed, or erased.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExpiryRequest {
    /// Erase, rather than list.
    pub erase: bool,
    /// Who asks.
    pub actor: Actor,
    /// Where the call before ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<Digest>,
}

/// What is past retention.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExpiryView {
    /// The keyed digests of the subjects all of whose records are past retention and under no hold.
    pub expired: Vec<Digest>,
    /// How many of them were erased.
    pub erased: u64,
    /// How many lists and models were removed that no kept decision cites any more.
    pub removed: u64,
    /// Where the next call continues, if there is more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<Digest>,
}

/// How complete the erasures are, and whether what decisions cite is there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordsStatus {
    /// How many subject keys were erased.
    pub erased: u64,
    /// How many of them the Raft log may still hold.
    pub in_raft_log: u64,
    /// Lists and models that decisions cite and that are missing or damaged in the archive.
    pub missing: Vec<String>,
}

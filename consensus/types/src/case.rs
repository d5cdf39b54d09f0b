//! Cases and alerts as data: what an officer works on, and every step taken. The rules of what may follow what are in
//! the screening crate.

use serde::Serialize;

use crate::hash::Digest;
use crate::id::{Actor, Epoch, Timestamp};
use crate::payment::PaymentKey;
use crate::signal::{Category, Severity};
use crate::subject::Subject;
use crate::{codec_enum, codec_struct};

/// Where a case stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CaseState {
    /// Nobody works on it yet.
    Open,
    /// An officer works on it.
    Assigned,
    /// The suspicion is confirmed.
    Confirmed,
    /// There was nothing; the rationale says why.
    Cleared,
    /// Reported to the authority.
    Reported,
}
codec_enum!(CaseState {
    Open = 1, "open", Assigned = 2, "assigned", Confirmed = 3, "confirmed", Cleared = 4, "cleared",
    Reported = 5, "reported",
});

/// What an officer or a named policy did to a case.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CaseStep {
    /// The state after the step.
    pub state: CaseState,
    /// Who.
    pub actor: Actor,
    /// When.
    pub at: Timestamp,
    /// Why; required to clear.
    pub note: String,
}
codec_struct!(CaseStep { state, actor, at, note });

/// A case: one suspicion about one subject.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Case {
    /// Number within the bank, from 1.
    pub number: u64,
    /// Whom it is about.
    pub subject: Subject,
    /// The payment and decision that it grew from, if one.
    pub decision: Option<DecisionRef>,
    /// The signal ([`crate::signal::Signal::id`]) that it grew from, if one.
    pub signal: Option<Digest>,
    /// Every step; the first opened it.
    pub steps: Vec<CaseStep>,
}
codec_struct!(Case { number, subject, decision, signal, steps });

/// Where a decision is found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DecisionRef {
    /// The payment.
    pub key: PaymentKey,
    /// [`crate::decision::Decision::id`].
    pub id: Digest,
}
codec_struct!(DecisionRef { key, id });

/// Whether an alert still raises payments to INVESTIGATE.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AlertState {
    /// It does.
    Open,
    /// The sender took the signal back.
    Retracted,
    /// An officer cleared the case that it opened.
    Cleared,
    /// Its epochs are over.
    Expired,
    /// Two signals came under its nullifier: neither counts.
    Void,
}
codec_enum!(AlertState {
    Open = 1, "open", Retracted = 2, "retracted", Cleared = 3, "cleared", Expired = 4, "expired", Void = 5, "void",
});

/// A received signal that matched a subject this bank knows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Alert {
    /// The signal ([`crate::signal::Signal::id`]).
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
    pub case: Option<u64>,
    /// When it was raised or changed.
    pub at: Timestamp,
}
codec_struct!(Alert { signal, subject, held_here, severity, category, expires, state, case, at });

/// Which side of a payment is suspected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Suspect {
    /// The account that is paid from.
    Debtor,
    /// The account that is paid to.
    Creditor,
}
codec_enum!(Suspect { Debtor = 1, "debtor", Creditor = 2, "creditor" });

//! Cases and alerts as data: what an officer works on, and every step taken. The rules of what may follow what are in
//! the screening crate.

use serde::Serialize;

use crate::codec::{CodecError, Decode, Encode, Reader, Writer};
use crate::decision::{Reason, Verdict};
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

/// What was done to a case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CaseAct {
    /// It was opened.
    Open,
    /// An officer added a payment to it.
    Join,
    /// An officer took it on.
    Assign,
    /// It was taken to another state by one person.
    Decide,
    /// An officer asked for a state that takes a second one's approval.
    Propose,
    /// A second officer approved what was proposed.
    Approve,
    /// A second officer declined what was proposed.
    Decline,
    /// A cleared case was looked at again, and stands.
    Pass,
    /// A cleared case was looked at again, and is open anew.
    Fail,
}
codec_enum!(CaseAct {
    Open = 1, "open", Join = 2, "join", Assign = 3, "assign", Decide = 4, "decide", Propose = 5, "propose",
    Approve = 6, "approve", Decline = 7, "decline", Pass = 8, "pass", Fail = 9, "fail",
});

/// What an officer or a named policy did to a case.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CaseStep {
    /// What was done.
    pub act: CaseAct,
    /// The state after the step.
    pub state: CaseState,
    /// Who.
    pub actor: Actor,
    /// When.
    pub at: Timestamp,
    /// Why; required to clear.
    pub note: String,
}
codec_struct!(CaseStep { act, state, actor, at, note });

/// What an officer asked for and a second one has to approve.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CaseProposal {
    /// The state that is asked for.
    pub state: CaseState,
    /// With a confirmation: the category of the signal that goes with it.
    pub signal: Option<Category>,
    /// Who asked.
    pub actor: Actor,
    /// When.
    pub at: Timestamp,
}
codec_struct!(CaseProposal { state, signal, actor, at });

/// Whether a cleared case is looked at again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CaseReview {
    /// It was drawn, and waits; taken up again meanwhile, it waits until it is cleared again.
    Waiting,
    /// It was looked at and stands.
    Passed,
    /// It was looked at and opened anew.
    Failed,
}
codec_enum!(CaseReview { Waiting = 1, "waiting", Passed = 2, "passed", Failed = 3, "failed" });

/// What has to be done by a deadline.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Duty {
    /// The authority is to be told.
    Report,
    /// A person is to decide on a payment that waits.
    Decide,
}
codec_enum!(Duty { Report = 1, "report", Decide = 2, "decide" });

/// Until when something has to be done about a case.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Deadline {
    /// The rule that set it.
    pub rule: String,
    /// What has to be done.
    pub duty: Duty,
    /// The first moment that is too late.
    pub due: Timestamp,
    /// When it was done, or the case came to nothing.
    pub met: Option<Timestamp>,
    /// When it was seen to be over.
    pub overdue: Option<Timestamp>,
}
codec_struct!(Deadline { rule, duty, due, met, overdue });

/// A decision that a case is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CaseDecision {
    /// The payment.
    pub key: PaymentKey,
    /// [`crate::decision::Decision::id`].
    pub id: Digest,
    /// What screening concluded.
    pub verdict: Verdict,
    /// When.
    pub at: Timestamp,
}
codec_struct!(CaseDecision { key, id, verdict, at });

/// The most decisions that a case names. What comes later about the subject is found in the log under the subject.
pub const MAX_CASE_DECISIONS: usize = 24;
/// The most signals that a case names.
pub const MAX_CASE_SIGNALS: usize = 16;
/// The most deadlines of a case.
pub const MAX_DEADLINES: usize = 32;
/// The most watch lists that a case names.
pub const MAX_CASE_LISTS: usize = 32;
/// The most steps of a case; one that needs more goes on in a new one.
pub const MAX_CASE_STEPS: usize = 256;

/// A case: one suspicion about one subject.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Case {
    /// Number within the bank, from 1.
    pub number: u64,
    /// Whom it is about; none where no subject is known by account or LEI.
    pub subject: Option<Subject>,
    /// The decisions that it is about, oldest first.
    pub decisions: Vec<CaseDecision>,
    /// The signals ([`crate::signal::Signal::id`]) that it is about, oldest first.
    pub signals: Vec<Digest>,
    /// The worst verdict of all decisions about it, those included that it does not name.
    pub verdict: Verdict,
    /// Every reason of those decisions, in their order, each once.
    pub reasons: Vec<Reason>,
    /// The watch lists that were hit, each once.
    pub lists: Vec<String>,
    /// Whether anything in it speaks of the subject's conduct: more than list hits, missing or malformed data, and what
    /// other banks signalled.
    pub conduct: bool,
    /// What has to be done until when.
    pub deadlines: Vec<Deadline>,
    /// What waits for a second officer.
    pub proposal: Option<CaseProposal>,
    /// Whether it is looked at again.
    pub review: Option<CaseReview>,
    /// Every step; the first opened it.
    pub steps: Vec<CaseStep>,
}

impl Case {
    /// Where it stands: the state after the last step.
    pub fn state(&self) -> CaseState {
        self.steps.last().map_or(CaseState::Open, |step| step.state)
    }

    /// Whether nobody decided on it yet: what comes in about its subject joins it.
    pub fn is_undecided(&self) -> bool {
        matches!(self.state(), CaseState::Open | CaseState::Assigned)
    }

    /// Whether it is cleared, was drawn, and nobody has looked at it again yet.
    pub fn waits_for_review(&self) -> bool {
        self.state() == CaseState::Cleared && self.review == Some(CaseReview::Waiting)
    }

    /// When it last changed.
    pub fn at(&self) -> Timestamp {
        let steps = self.steps.iter().map(|step| step.at);
        let decisions = self.decisions.iter().map(|decision| decision.at);
        let noted = self.deadlines.iter().filter_map(|deadline| deadline.overdue);
        steps.chain(decisions).chain(noted).max().unwrap_or(Timestamp(0))
    }

    /// The deadlines that are not met.
    pub fn open_deadlines(&self) -> impl Iterator<Item = &Deadline> {
        self.deadlines.iter().filter(|deadline| deadline.met.is_none())
    }
}

impl Encode for Case {
    fn encode(&self, out: &mut Writer) {
        self.number.encode(out);
        self.subject.encode(out);
        self.decisions.encode(out);
        self.signals.encode(out);
        self.verdict.encode(out);
        self.reasons.encode(out);
        self.lists.encode(out);
        self.conduct.encode(out);
        self.deadlines.encode(out);
        self.proposal.encode(out);
        self.review.encode(out);
        self.steps.encode(out);
    }
}

impl Decode for Case {
    fn decode(input: &mut Reader<'_>) -> Result<Self, CodecError> {
        Ok(Self {
            number: Decode::decode(input)?,
            subject: Decode::decode(input)?,
            decisions: input.seq("decisions of a case", MAX_CASE_DECISIONS)?,
            signals: input.seq("signals of a case", MAX_CASE_SIGNALS)?,
            verdict: Decode::decode(input)?,
            reasons: input.seq("reasons of a case", Reason::ALL.len())?,
            lists: input.seq("lists of a case", MAX_CASE_LISTS)?,
            conduct: Decode::decode(input)?,
            deadlines: input.seq("deadlines of a case", MAX_DEADLINES)?,
            proposal: Decode::decode(input)?,
            review: Decode::decode(input)?,
            steps: input.seq("steps of a case", MAX_CASE_STEPS)?,
        })
    }
}

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

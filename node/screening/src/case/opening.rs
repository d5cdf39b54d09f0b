//! What opens a case: from a decision or a signal to its subject, its reasons and its deadlines. What comes in about a
//! subject whose case nobody has decided on joins that case.

use hansa_types::case::{
    Case, CaseAct, CaseDecision, CaseState, CaseStep, Deadline, MAX_CASE_DECISIONS, MAX_CASE_LISTS,
    MAX_CASE_SIGNALS, Suspect,
};
use hansa_types::codec::Encode;
use hansa_types::decision::{Decision, ListedParty, Reason, Verdict};
use hansa_types::hash::Digest;
use hansa_types::id::{Actor, Timestamp};
use hansa_types::model::Model;
use hansa_types::payment::{PartyRole, Payment};
use hansa_types::subject::Subject;

use super::deadlines;
use super::policy::CaseRules;
use super::room::{MAX_LISTS_BYTES, MAX_SUBJECT_BYTES, fits, has_room};
use super::{CaseError, MAX_NOTE, check_actor, check_note, check_time};
use crate::config::{Policy, Scheme};
use crate::decide::Role;
use crate::factors::Factor;
use crate::model::RiskModel;
use crate::screener::Screener;

/// What says nothing of a subject's conduct that other banks may be told (decision 3 of the design): a list is public or
/// between the bank and its authority (and a frame's BLOCK may rest on one), missing and malformed data are nobody's conduct, and another bank's signal is not
/// this one's knowledge.
const PRIVATE: [Reason; 6] = [
    Reason::ListedName,
    Reason::ListedIdentifier,
    Reason::MissingData,
    Reason::InvalidData,
    Reason::ConsortiumSignal,
    Reason::FrameBlock,
];
/// The factors that say the same in a score.
const PRIVATE_FACTORS: [Factor; 2] = [Factor::ListMatch, Factor::MissingOriginator];

/// The score of a decision under its model without what other banks must not be told.
pub fn shareable(model: &Model, decision: &Decision) -> i64 {
    let contributions = model.contributions(&decision.factors);
    let private: i64 = PRIVATE_FACTORS.iter().map(|factor| contributions[factor.slot()].max(0)).sum();
    decision.score.0 - private
}

/// Whether a decision speaks of conduct. The score does if it holds the payment also without list hits and missing data;
/// a payment that was clear becomes a case because an officer knows more.
fn speaks_of_conduct(screener: &Screener, decision: &Decision) -> bool {
    let RiskModel { model, hold_threshold } = screener.model();
    let speaks = |reason: &Reason| match reason {
        Reason::Score => model.digest() == decision.model && shareable(model, decision) >= hold_threshold.0,
        reason => !PRIVATE.contains(reason),
    };
    decision.verdict == Verdict::Clear || decision.reasons.iter().any(speaks)
}

/// What a case grows from, or what joins it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grounds {
    /// Whom it is about.
    pub subject: Option<Subject>,
    /// The decision, if one.
    pub decision: Option<CaseDecision>,
    /// Signals about the subject.
    pub signals: Vec<Digest>,
    /// Why.
    pub reasons: Vec<Reason>,
    /// The lists that were hit.
    pub lists: Vec<String>,
    /// Whether it speaks of the subject's conduct ([`Case::conduct`]).
    pub conduct: bool,
    /// What has to be done until when.
    pub deadlines: Vec<Deadline>,
}

impl Grounds {
    /// What a decision gives. Among its signals those count that are about the subject; `signalled` tells of each.
    pub fn of_decision(
        rules: &CaseRules,
        screener: &Screener,
        decision: &Decision,
        payment: &Payment,
        signalled: impl Fn(&Digest) -> Option<Subject>,
    ) -> Self {
        let policy = screener.policy();
        let listed = decision.findings.iter().filter_map(|found| found.listed.as_ref());
        let suspect = listed.clone().next().map_or_else(
            || decision.signals.iter().find_map(&signalled).or_else(|| customer(payment, policy)),
            |listed| listed_subject(payment, listed),
        );
        let about = |signal: &&Digest| suspect.is_some() && signalled(signal) == suspect;
        let mut lists: Vec<String> = Vec::new();
        for ListedParty { list, .. } in listed {
            if !lists.contains(list) {
                lists.push(list.clone());
            }
        }
        Self {
            decision: Some(named(decision)),
            signals: decision.signals.iter().filter(about).copied().collect(),
            reasons: decision.reasons.clone(),
            lists,
            conduct: speaks_of_conduct(screener, decision),
            deadlines: rules.deadlines().of_decision(decision, Scheme::of(payment, policy.scheme)),
            subject: suspect,
        }
    }

    /// What an officer suspects about one side of a payment, whatever was decided; none if the side has no account and
    /// no LEI. What a list says of the other side is not held against this one.
    pub fn of_side(
        rules: &CaseRules,
        screener: &Screener,
        decision: &Decision,
        payment: &Payment,
        side: Suspect,
    ) -> Option<Self> {
        let subject = Some(suspect(payment, side)?);
        let mut grounds = Self::of_decision(rules, screener, decision, payment, |_| None);
        if grounds.subject != subject {
            let is_listed = |reason: &Reason| matches!(reason, Reason::ListedName | Reason::ListedIdentifier);
            grounds.reasons.retain(|reason| !is_listed(reason));
            grounds.lists.clear();
            grounds.deadlines.clear();
            grounds.subject = subject;
        }
        Some(grounds)
    }

    /// What a received signal gives.
    pub fn of_signal(signal: Digest, subject: Subject) -> Self {
        Self {
            subject: Some(subject),
            decision: None,
            signals: vec![signal],
            reasons: vec![Reason::ConsortiumSignal],
            lists: vec![],
            conduct: false,
            deadlines: vec![],
        }
    }
}

fn named(decision: &Decision) -> CaseDecision {
    CaseDecision {
        key: decision.key.clone(),
        id: decision.id(),
        verdict: decision.verdict,
        at: decision.decided_at,
    }
}

/// An officer opens a case.
pub fn open_by_hand(
    number: u64,
    grounds: Grounds,
    actor: Actor,
    at: Timestamp,
    note: &str,
) -> Result<Case, CaseError> {
    check_note(note)?;
    check_actor(&actor)?;
    Ok(open(number, grounds, actor, at, note))
}

/// Opens a case; without a subject where that is longer than any account's number.
pub fn open(number: u64, grounds: Grounds, actor: Actor, at: Timestamp, note: &str) -> Case {
    let subject = grounds.subject.clone().filter(|subject| subject.to_bytes().len() <= MAX_SUBJECT_BYTES);
    let empty = Case {
        number,
        subject,
        decisions: vec![],
        signals: vec![],
        verdict: Verdict::Clear,
        reasons: vec![],
        lists: vec![],
        conduct: false,
        deadlines: vec![],
        proposal: None,
        review: None,
        steps: vec![CaseStep {
            act: CaseAct::Open,
            state: CaseState::Open,
            actor,
            at,
            note: note.chars().take(MAX_NOTE).collect(),
        }],
    };
    join(&empty, grounds).unwrap_or(empty)
}

/// The case with what came in about its subject; none if it adds nothing. What does not fit is found in the log under
/// the subject, and its verdict, reasons, lists and deadlines count all the same.
pub fn join(case: &Case, grounds: Grounds) -> Option<Case> {
    let mut next = case.clone();
    next.verdict = next.verdict.max(grounds.decision.as_ref().map_or(Verdict::Clear, |d| d.verdict));
    next.conduct |= grounds.conduct;
    add_new(&mut next.reasons, grounds.reasons, Reason::ALL.len());
    for list in grounds.lists {
        if !next.lists.contains(&list) {
            next.lists.push(list);
        }
        if next.lists.len() > MAX_CASE_LISTS || next.lists.to_bytes().len() > MAX_LISTS_BYTES {
            next.lists.pop();
        }
    }
    add_new(&mut next.signals, grounds.signals, MAX_CASE_SIGNALS);
    grounds.deadlines.into_iter().for_each(|deadline| deadlines::add(&mut next.deadlines, deadline));
    if let Some(decision) = grounds.decision
        && !next.decisions.iter().any(|known| known.id == decision.id)
        && next.decisions.len() < MAX_CASE_DECISIONS
    {
        next.decisions.push(decision);
        if !has_room(&next) {
            next.decisions.pop();
        }
    }
    (next != *case).then_some(next)
}

/// The case with a payment that an officer added to it.
pub fn add(
    case: &Case,
    grounds: Grounds,
    actor: Actor,
    at: Timestamp,
    note: &str,
) -> Result<Case, CaseError> {
    check_actor(&actor)?;
    add_by_policy(case, grounds, actor, at, note)
}

/// The case with what a policy found about its subject, and a note of what that was.
pub fn add_by_policy(
    case: &Case,
    grounds: Grounds,
    actor: Actor,
    at: Timestamp,
    note: &str,
) -> Result<Case, CaseError> {
    check_note(note)?;
    check_time(case, at)?;
    let mut next = join(case, grounds).unwrap_or_else(|| case.clone());
    let state = case.state();
    next.steps.push(CaseStep { act: CaseAct::Join, state, actor, at, note: note.to_owned() });
    fits(next)
}

fn add_new<T: PartialEq>(known: &mut Vec<T>, new: Vec<T>, most: usize) {
    for item in new {
        if known.len() < most && !known.contains(&item) {
            known.push(item);
        }
    }
}

/// The subject of a case about one side of a payment: the account, else the organisation; none if neither is known.
pub fn suspect(payment: &Payment, side: Suspect) -> Option<Subject> {
    match side {
        Suspect::Debtor => in_role(payment, PartyRole::Debtor),
        Suspect::Creditor => in_role(payment, PartyRole::Creditor),
    }
}

/// The customer whom this bank answers for: the creditor where it is the creditor's agent, else the debtor; the other
/// one where that one has no account and no LEI.
fn customer(payment: &Payment, policy: &Policy) -> Option<Subject> {
    let sides = match Role::of(payment, policy) {
        Role::CreditorAgent => [Suspect::Creditor, Suspect::Debtor],
        Role::DebtorAgent | Role::Intermediary => [Suspect::Debtor, Suspect::Creditor],
    };
    sides.into_iter().find_map(|side| suspect(payment, side))
}

/// Whoever in the payment is listed, or named like somebody who is. A party without account and LEI is found under the
/// account that it uses; a bank without LEI under nothing. A finding says in which role somebody was hit, and not which of
/// several in it: then it is nobody, rather than somebody who may have been beside it.
fn listed_subject(payment: &Payment, listed: &ListedParty) -> Option<Subject> {
    let uses = match listed.role {
        PartyRole::UltimateDebtor | PartyRole::InitiatingParty => Some(PartyRole::Debtor),
        PartyRole::UltimateCreditor => Some(PartyRole::Creditor),
        PartyRole::UnderlyingUltimateDebtor | PartyRole::UnderlyingInitiatingParty => {
            Some(PartyRole::UnderlyingDebtor)
        }
        PartyRole::UnderlyingUltimateCreditor => Some(PartyRole::UnderlyingCreditor),
        _ => None,
    };
    let mut roles = [listed.role].into_iter().chain(uses).take_while(|role| is_one(payment, *role));
    roles.find_map(|role| in_role(payment, role))
}

/// Whether whoever a payment names in a role is one and the same.
fn is_one(payment: &Payment, role: PartyRole) -> bool {
    fn alike<T: PartialEq>(mut named: impl Iterator<Item = T>) -> bool {
        named.next().is_none_or(|first| named.all(|other| other == first))
    }
    let beneath = matches!(
        role,
        PartyRole::UnderlyingDebtor
            | PartyRole::UnderlyingCreditor
            | PartyRole::UnderlyingUltimateDebtor
            | PartyRole::UnderlyingUltimateCreditor
            | PartyRole::UnderlyingInitiatingParty
            | PartyRole::UnderlyingAgent
    );
    // Of several transfers one may name the party, and another the account.
    (!beneath || payment.underlying.len() < 2)
        && alike(payment.accounts().filter(|(of, _)| *of == role))
        && alike(payment.parties().filter(|(of, _)| *of == role))
        && alike(payment.agents().filter(|(of, _)| *of == role))
}

/// Who stands in a role that is one's alone: by account, else by LEI.
fn in_role(payment: &Payment, role: PartyRole) -> Option<Subject> {
    let account = payment.accounts().find(|(of, _)| *of == role).map(|(_, account)| account.clone());
    let party = payment.parties().find(|(of, _)| *of == role).and_then(|(_, party)| party.lei);
    let agent = || payment.agents().find(|(of, _)| *of == role).and_then(|(_, agent)| agent.lei);
    account.map(Subject::Account).or_else(|| party.or_else(agent).map(Subject::Organisation))
}

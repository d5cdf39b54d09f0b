//! A hit of screening anew: about whom, and the one case that it opens.

use hansa_consensus::{Command, Outcome};
use hansa_screening::case::{self, Grounds};
use hansa_screening::{Assessment, Screener};
use hansa_types::case::{Case, CaseDecision, Suspect};
use hansa_types::codec::Encode;
use hansa_types::decision::{Decision, Reason};
use hansa_types::hash::Digest;
use hansa_types::id::Timestamp;
use hansa_types::payment::{PartyRole, Payment};
use hansa_types::record::{Operation, Record};
use hansa_types::subject::Subject;

use super::{MAX_CASES, RescreenError};
use crate::book::Book;
use crate::flows::cases::CaseError;
use crate::journal::JournalError;
use crate::node::{Node, policy_actor};

/// A listed entry that somebody resembles or is.
pub(super) struct Listed {
    role: PartyRole,
    list: String,
    entry: String,
    content: Digest,
    reason: Reason,
    text: String,
}

/// The listed entries that an assessment found, each once.
pub(super) fn listed(screener: &Screener, assessment: &Assessment) -> Vec<Listed> {
    let describe = |role: PartyRole, list: usize, entry: usize, reason: Reason, found: String| {
        let list = screener.lists().get(list)?;
        let entry = list.entries.get(entry)?;
        let name = entry.names.first().map_or("", |name| name.text.as_str());
        let text = format!("{role} {found}: {} {} {name:?}", list.name, entry.id);
        let content = entry.digest();
        Some(Listed { role, list: list.name.clone(), entry: entry.id.clone(), content, reason, text })
    };
    let names = assessment.name_hits.iter().filter_map(|hit| {
        let found = format!("{:?} resembles {:?} by {}/1000", hit.name, hit.hit.name, hit.hit.score);
        describe(hit.role, hit.hit.list, hit.hit.entry, Reason::ListedName, found)
    });
    let identifiers = assessment.identifier_hits.iter();
    let identifiers = identifiers.filter_map(|hit| {
        describe(hit.role, hit.list, hit.entry, Reason::ListedIdentifier, format!("is {}", hit.identifier))
    });
    let mut all: Vec<Listed> = identifiers.chain(names).collect();
    all.sort_by(|a, b| (&a.list, &a.entry).cmp(&(&b.list, &b.entry)));
    all.dedup_by(|a, b| (&a.list, &a.entry) == (&b.list, &b.entry));
    all
}

pub(super) async fn past_payment(
    node: &Node,
    decision: &Decision,
    payment: &Payment,
    hit: &Listed,
    cause: &str,
) -> Result<(), RescreenError> {
    let (side, other) = match hit.role {
        PartyRole::Creditor | PartyRole::UltimateCreditor | PartyRole::CreditorAgent => {
            (Suspect::Creditor, Suspect::Debtor)
        }
        _ => (Suspect::Debtor, Suspect::Creditor),
    };
    let id = decision.id();
    let (key, verdict, at) = (decision.key.clone(), decision.verdict, decision.decided_at);
    let reference = CaseDecision { key, id, verdict, at };
    match case::suspect(payment, side).or_else(|| case::suspect(payment, other)) {
        Some(subject) => open(node, &subject, Some(reference), hit, cause).await,
        // Nobody a case could be about: it is at least on record.
        None => {
            let detail = format!("payment {}: {}; {cause}", decision.key, hit.text);
            let operation = Operation { what: "rescreen-hit".to_owned(), detail, at: node.now() };
            let mut leaf = node.journal.leaf(&Record::Operation(operation))?;
            leaf.unique = node.journal.unique_of(b"rescreen", &parts(&reference.id.0, hit));
            node.journal.propose(Command::Append { leaf, follow_up: vec![] }).await?;
            Ok(())
        }
    }
}

fn parts<'a>(about: &'a [u8], hit: &'a Listed) -> [&'a [u8]; 4] {
    [about, hit.list.as_bytes(), hit.entry.as_bytes(), &hit.content.0]
}

/// Opens a case about a hit, unless one was opened before.
pub(super) async fn open(
    node: &Node,
    subject: &Subject,
    decision: Option<CaseDecision>,
    hit: &Listed,
    cause: &str,
) -> Result<(), RescreenError> {
    if node.rescreening.view().is_some_and(|view| view.cases >= MAX_CASES) {
        return Err(RescreenError::TooMany);
    }
    let now = node.now();
    let about = match &decision {
        Some(reference) => reference.id.to_bytes(),
        None => subject.digest().to_bytes(),
    };
    let unique = node.journal.unique_of(b"rescreen", &parts(&about, hit));
    if node.journal.consensus().find_unique(&unique.key).map_err(JournalError::from)?.is_some() {
        return Ok(());
    }
    let note = format!("{}; screened anew: {cause}", hit.text);
    let grounds = listed_grounds(subject, decision, hit.reason, &hit.list);
    let done = node.change(|book| {
        let case = noted(book, subject, grounds.clone(), "rescreen", now, &note);
        let mut leaf = node.journal.case_leaf(&case)?;
        leaf.unique = unique;
        Ok::<_, CaseError>((Command::Append { leaf, follow_up: vec![] }, ()))
    });
    if let (Outcome::Appended { .. }, ()) = done.await? {
        node.rescreening.change(|view| view.cases += 1);
    }
    Ok(())
}

/// The case about a subject with what a policy found, or another one.
pub(crate) fn noted(
    book: &Book,
    subject: &Subject,
    grounds: Grounds,
    policy: &str,
    now: Timestamp,
    note: &str,
) -> Case {
    let known = book.cases.undecided(Some(subject));
    // A case that is full goes on in a new one.
    let joined = known
        .and_then(|known| case::add_by_policy(known, grounds.clone(), policy_actor(policy), now, note).ok());
    joined.unwrap_or_else(|| case::open(book.cases.next_number(), grounds, policy_actor(policy), now, note))
}

/// What a policy found about a subject on a list, as a case is opened on it.
pub(crate) fn listed_grounds(
    subject: &Subject,
    decision: Option<CaseDecision>,
    reason: Reason,
    list: &str,
) -> Grounds {
    Grounds {
        subject: Some(subject.clone()),
        decision,
        signals: vec![],
        reasons: vec![reason],
        lists: vec![list.to_owned()],
        conduct: false,
        deadlines: vec![],
    }
}

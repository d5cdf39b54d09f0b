//! What changed is screened anew: a list's new and changed entries against customers and past payments, new and changed
//! customers against every list, and all customers against every list once a day.
//!
//! Only the leader does it. The group keeps which version of each list was gone through, so that whoever leads next goes on
//! with what was left; and what was found opens one case, however often it is found.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hansa_api::model::RescreeningView;
use hansa_consensus::{Command, Outcome};
use hansa_screening::case::{self, Grounds};
use hansa_screening::watchlist::{Watchlist, diff};
use hansa_screening::{Assessment, Policy, Screener};
use hansa_types::case::{CaseDecision, Suspect};
use hansa_types::codec::Encode;
use hansa_types::decision::{Decision, Reason};
use hansa_types::habits::Habits;
use hansa_types::hash::Digest;
use hansa_types::id::Timestamp;
use hansa_types::payment::{Account, PartyRole, Payment};
use hansa_types::record::{DecisionRecord, Operation, Record};
use hansa_types::subject::Subject;
use tokio::sync::Notify;
use tokio::task::spawn_blocking;
use tokio::time::Instant;

use super::cases::CaseError;
use crate::customers::Customer;
use crate::journal::{Collection, JournalError};
use crate::load::parse_list;
use crate::node::{Node, policy_actor};

/// How often every customer is screened against every list (Regulation (EU) No 260/2012 art. 5d(1): at least daily).
const DAILY: Duration = Duration::from_secs(24 * 3600);
/// After how long a round that broke off is begun again.
const RETRY: Duration = Duration::from_secs(30);
/// How far back payments are screened anew, in seconds: as long as counterparties are matched.
const PAST: u64 = super::tags::COUNTERPARTY_WINDOW;
/// How many decisions in a row must be older than that before the search goes no further back.
const OLDER: u32 = 1_000;
/// The most cases that one round opens; what exceeds it is an alarm of its own.
const MAX_CASES: u64 = 10_000;
/// How many customers are screened in one go.
const BATCH: usize = 256;
const DONE: &[u8] = b"rescreened";

/// What waits to be screened anew, and how it goes.
#[derive(Default)]
pub(crate) struct Rescreening {
    /// Customers who are new or changed.
    changed: Mutex<BTreeMap<Account, Customer>>,
    more: Notify,
    state: Mutex<Option<RescreeningView>>,
}

/// Why a round broke off.
#[derive(Debug, thiserror::Error)]
enum RescreenError {
    #[error(transparent)]
    Journal(#[from] JournalError),
    #[error(transparent)]
    Case(#[from] CaseError),
    #[error("{0}")]
    Other(String),
}

impl Rescreening {
    /// A list changed.
    pub(crate) fn lists_changed(&self) {
        self.more.notify_one();
    }

    /// Customers came or changed.
    pub(crate) fn customers_changed(&self, customers: impl IntoIterator<Item = (Account, Customer)>) {
        self.changed.lock().unwrap_or_else(PoisonError::into_inner).extend(customers);
        self.more.notify_one();
    }

    /// How the last round goes or went.
    pub(crate) fn view(&self) -> Option<RescreeningView> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn change(&self, change: impl FnOnce(&mut RescreeningView)) {
        if let Some(view) = &mut *self.state.lock().unwrap_or_else(PoisonError::into_inner) {
            change(view);
        }
    }

    fn begin(&self, cause: &str, began: Timestamp) {
        let view = RescreeningView {
            cause: cause.to_owned(),
            began,
            ended: None,
            customers: (0, 0),
            entries: (0, 0),
            cases: 0,
            error: None,
        };
        *self.state.lock().unwrap_or_else(PoisonError::into_inner) = Some(view);
    }
}

/// Screens anew whatever changed, as long as this replica leads.
pub(crate) async fn run(node: Arc<Node>) {
    // The first round of a leader is the day's: nobody knows when the last one was.
    let mut daily = Instant::now();
    loop {
        let everybody = Instant::now() >= daily;
        let round = round(&node, everybody).await;
        let next = match round {
            Ok(()) if everybody => {
                daily = Instant::now() + DAILY;
                daily
            }
            Ok(()) => daily,
            Err(error) => {
                tracing::warn!(%error, "screening anew broke off; it is begun again");
                node.rescreening.change(|view| view.error = Some(error.to_string()));
                Instant::now() + RETRY
            }
        };
        let _ = tokio::time::timeout_at(next, node.rescreening.more.notified()).await;
    }
}

/// Goes through everything that is due.
async fn round(node: &Arc<Node>, everybody: bool) -> Result<(), RescreenError> {
    let current = node.screening.current();
    let done: BTreeMap<String, Digest> =
        node.journal.read_document(Collection::Recorded, DONE)?.unwrap_or_default();
    let versions: BTreeMap<String, Digest> =
        current.lists().iter().map(|list| (list.name.clone(), list.digest())).collect();
    // A log that was never gone through has nothing behind it that was screened by older lists.
    let renewed = |list: &&Watchlist| !done.is_empty() && done.get(&list.name) != Some(&list.digest());
    for list in current.lists().iter().filter(renewed) {
        let Some(brought) = brought(node, list, done.get(&list.name))? else { continue };
        let cause = format!("list {} of {}: {} entries", list.name, list.date, brought.entries.len());
        let screener = Arc::new(screener(&current, vec![brought])?);
        node.rescreening.begin(&cause, node.now());
        customers(node, &screener, (*node.customers.current()).clone(), &cause).await?;
        payments(node, &screener, &cause).await?;
        finish(node, &cause).await?;
    }
    let changed =
        std::mem::take(&mut *node.rescreening.changed.lock().unwrap_or_else(PoisonError::into_inner));
    let (cause, due) = match everybody {
        true => ("every customer, once a day".to_owned(), (*node.customers.current()).clone()),
        false => (format!("{} customers changed", changed.len()), changed.clone()),
    };
    if !due.is_empty() {
        let screener = Arc::new(screener(&current, current.lists().to_vec())?);
        node.rescreening.begin(&cause, node.now());
        if let Err(error) = customers(node, &screener, due, &cause).await {
            node.rescreening.customers_changed(changed);
            return Err(error);
        }
        finish(node, &cause).await?;
    }
    if done != versions {
        record(node, &versions).await?;
    }
    Ok(())
}

/// A screener over these lists that leaves none out for any scheme: customers are screened against all of them.
fn screener(current: &Screener, lists: Vec<Watchlist>) -> Result<Screener, RescreenError> {
    let policy = Policy { skip_lists: BTreeMap::new(), ..current.policy().clone() };
    let screener = Screener::new(policy, lists, current.model().clone());
    screener.map_err(|error| RescreenError::Other(error.to_string()))
}

/// What a version of a list has that the one gone through did not have; everything, if that one is not in the archive.
fn brought(
    node: &Node,
    list: &Watchlist,
    before: Option<&Digest>,
) -> Result<Option<Watchlist>, RescreenError> {
    let versions =
        node.archive.versions(&list.name).map_err(|error| RescreenError::Other(error.to_string()))?;
    let before = versions.iter().find(|version| Some(&version.digest) == before);
    let before = before.and_then(|version| parse_list(&node.archive.list(version).ok()?).ok());
    let Some(before) = before else { return Ok(Some(list.clone())) };
    let found = diff::diff(&before, list);
    let entries: Vec<_> = found.added.into_iter().chain(found.changed).cloned().collect();
    if entries.is_empty() {
        return Ok(None);
    }
    let brought = Watchlist::new(&list.name, list.date, list.measure, entries);
    brought.map(Some).map_err(|error| RescreenError::Other(error.to_string()))
}

/// Screens customers by their names and accounts.
async fn customers(
    node: &Arc<Node>,
    screener: &Arc<Screener>,
    customers: BTreeMap<Account, Customer>,
    cause: &str,
) -> Result<(), RescreenError> {
    node.rescreening.change(|view| view.customers = (0, customers.len() as u64));
    let mut customers = customers.into_iter().peekable();
    while customers.peek().is_some() {
        let batch: Vec<_> = customers.by_ref().take(BATCH).collect();
        let (screening, by, count) = (node.clone(), screener.clone(), batch.len() as u64);
        let found = spawn_blocking(move || {
            let judge = |(account, customer): (Account, Customer)| {
                let payment = customer.as_debtor(account.clone());
                let found = by.judge(&payment, Habits::default(), screening.book().known(), screening.now());
                (Subject::Account(account), listed(&by, &found))
            };
            batch.into_iter().map(judge).collect::<Vec<_>>()
        });
        for (about, hits) in found.await.map_err(|error| RescreenError::Other(error.to_string()))? {
            for hit in hits {
                open(node, &about, None, &hit, cause).await?;
            }
        }
        node.rescreening.change(|view| view.customers.0 += count);
    }
    Ok(())
}

/// Screens the payments of the last while, newest first.
async fn payments(node: &Arc<Node>, screener: &Arc<Screener>, cause: &str) -> Result<(), RescreenError> {
    let size = node.journal.consensus().size();
    node.rescreening.change(|view| view.entries = (0, size));
    let oldest = node.now().0.saturating_sub(PAST);
    let mut older = 0;
    for index in (0..size).rev() {
        let (screening, by) = (node.clone(), screener.clone());
        let found = spawn_blocking(move || {
            let read = match screening.journal.read(index) {
                Err(JournalError::Erased(_)) => None,
                read => read?,
            };
            let Some((_, Record::Decision(record))) = read else { return Ok(None) };
            let DecisionRecord { decision, payment, habits } = record;
            let found = by.judge(&payment, habits, screening.book().known(), screening.now());
            Ok::<_, JournalError>(Some((listed(&by, &found), decision, payment)))
        });
        let found = found.await.map_err(|error| RescreenError::Other(error.to_string()))??;
        node.rescreening.change(|view| view.entries.0 += 1);
        let Some((found, decision, payment)) = found else { continue };
        older = if decision.decided_at.0 < oldest { older + 1 } else { 0 };
        if older >= OLDER {
            break;
        }
        for hit in found {
            past_payment(node, &decision, &payment, &hit, cause).await?;
        }
    }
    Ok(())
}

/// A listed entry that somebody resembles or is.
struct Listed {
    role: PartyRole,
    list: String,
    entry: String,
    content: Digest,
    reason: Reason,
    text: String,
}

/// The listed entries that an assessment found, each once.
fn listed(screener: &Screener, assessment: &Assessment) -> Vec<Listed> {
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

async fn past_payment(
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
async fn open(
    node: &Node,
    subject: &Subject,
    decision: Option<CaseDecision>,
    hit: &Listed,
    cause: &str,
) -> Result<(), RescreenError> {
    let opened = node.rescreening.view().map_or(0, |view| view.cases);
    if opened >= MAX_CASES {
        let said = format!("{MAX_CASES} cases were opened, and there are more hits: is the list right?");
        return Err(RescreenError::Other(said));
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
    let grounds = Grounds {
        subject: Some(subject.clone()),
        decision,
        signals: vec![],
        reasons: vec![hit.reason],
        lists: vec![hit.list.clone()],
        conduct: false,
        deadlines: vec![],
    };
    let done = node.change(|book| {
        let open =
            |grounds| case::open(book.cases.next_number(), grounds, policy_actor("rescreen"), now, &note);
        let case = match book.cases.undecided(Some(subject)) {
            // A case that is full goes on in a new one.
            Some(known) => {
                let actor = policy_actor("rescreen");
                case::add_by_policy(known, grounds.clone(), actor, now, &note)
                    .unwrap_or_else(|_| open(grounds.clone()))
            }
            None => open(grounds.clone()),
        };
        let mut leaf = node.journal.case_leaf(&case)?;
        leaf.unique = unique;
        Ok::<_, CaseError>((Command::Append { leaf, follow_up: vec![] }, ()))
    });
    if let (Outcome::Appended { .. }, ()) = done.await? {
        node.rescreening.change(|view| view.cases += 1);
    }
    Ok(())
}

async fn finish(node: &Node, cause: &str) -> Result<(), RescreenError> {
    node.rescreening.change(|view| view.ended = Some(node.now()));
    let Some(view) = node.rescreening.view() else { return Ok(()) };
    let (customers, entries, cases) = (view.customers.0, view.entries.0, view.cases);
    node.events.emit(&crate::events::Event::Rescreened {
        cause: cause.to_owned(),
        customers,
        entries,
        cases,
    });
    let detail =
        format!("{cause}: {customers} customers, {entries} entries of the log, {cases} cases opened");
    node.log_operation("rescreened", detail).await?;
    Ok(())
}

/// Keeps which versions were gone through.
async fn record(node: &Node, now: &BTreeMap<String, Digest>) -> Result<(), RescreenError> {
    let names: Vec<_> = now.keys().map(String::as_str).collect();
    let detail = format!("lists gone through: {}", names.join(", "));
    let operation = Operation { what: "rescreened".to_owned(), detail, at: node.now() };
    let mut leaf = node.journal.leaf(&Record::Operation(operation))?;
    leaf.documents.push(node.journal.document(Collection::Recorded, DONE, now));
    node.journal.propose(Command::Append { leaf, follow_up: vec![] }).await?;
    Ok(())
}

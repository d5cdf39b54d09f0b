//! What changed is screened anew: a list's new and changed entries against customers and past payments, new and changed
//! customers against every list, and all customers against every list once a day.
//!
//! Only the leader does it. The group keeps which version of each list was gone through, so that whoever leads next goes on
//! with what was left; and what was found opens one case, however often it is found.

mod hits;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hansa_api::model::RescreeningView;
use hansa_consensus::Command;
use hansa_screening::watchlist::{Watchlist, diff};
use hansa_screening::{Policy, Screener};
use hansa_types::decision::ListVersion;
use hansa_types::habits::Habits;
use hansa_types::hash::Digest;
use hansa_types::id::Timestamp;
use hansa_types::payment::Account;
use hansa_types::record::{DecisionRecord, Operation, Record};
use hansa_types::subject::Subject;
use tokio::sync::Notify;
use tokio::task::spawn_blocking;
use tokio::time::Instant;

use self::hits::{listed, open, past_payment};
pub(crate) use self::hits::{listed_grounds, noted};
use super::cases::CaseError;
use crate::customers::Customer;
use crate::events::Event;
use crate::journal::{Collection, JournalError};
use crate::load::parse_list;
use crate::node::Node;

/// How often every customer is screened against every list (Regulation (EU) No 260/2012 art. 5d(1): at least daily).
const DAILY: Duration = Duration::from_secs(24 * 3600);
/// After how long a round that broke off is begun again.
const RETRY: Duration = Duration::from_secs(30);
/// How far back payments are screened anew, in seconds: as long as counterparties are matched.
const PAST: u64 = super::tags::COUNTERPARTY_WINDOW;
/// How many decisions in a row must be older than that before the search goes no further back.
const OLDER: u32 = 1_000;
/// The most cases that are opened for one cause: what brings more is no list, and is told and not gone on with.
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
    #[error("{MAX_CASES} cases were opened for one cause, and there are more hits: is the list right?")]
    TooMany,
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
        self.keep(customers);
        self.more.notify_one();
    }

    /// Customers wait for the next round.
    fn keep(&self, customers: impl IntoIterator<Item = (Account, Customer)>) {
        self.changed.lock().unwrap_or_else(PoisonError::into_inner).extend(customers);
    }

    fn take(&self) -> BTreeMap<Account, Customer> {
        std::mem::take(&mut *self.changed.lock().unwrap_or_else(PoisonError::into_inner))
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
                // Whatever comes meanwhile waits as long: what failed would fail again at once.
                tokio::time::sleep(RETRY).await;
                continue;
            }
        };
        let _ = tokio::time::timeout_at(next, node.rescreening.more.notified()).await;
    }
}

/// Goes through everything that is due.
async fn round(node: &Arc<Node>, everybody: bool) -> Result<(), RescreenError> {
    let current = node.screening.current();
    let versions: BTreeMap<String, Digest> =
        current.lists().iter().map(|list| (list.name.clone(), list.digest())).collect();
    let done = match node.journal.read_document(Collection::Recorded, DONE)? {
        Some(done) => done,
        // A log that was never gone through has nothing behind it that was screened by older lists.
        None => {
            record(node, &versions).await?;
            versions.clone()
        }
    };
    for list in current.lists().iter().filter(|list| done.get(&list.name) != Some(&list.digest())) {
        if let Some(brought) = brought(node, list, done.get(&list.name))? {
            let cause = format!("list {} of {}: {} entries", list.name, list.date, brought.entries.len());
            node.rescreening.begin(&cause, node.now());
            let gone_through = list_changed(node, &current, list, brought, &cause).await;
            finish(node, &cause, gone_through).await?;
        }
    }
    if done != versions {
        record(node, &versions).await?;
    }
    let changed = node.rescreening.take();
    let (cause, due) = match everybody {
        true => ("every customer, once a day".to_owned(), (*node.customers.current()).clone()),
        false => (format!("{} customers changed", changed.len()), changed.clone()),
    };
    if due.is_empty() {
        return Ok(());
    }
    node.rescreening.begin(&cause, node.now());
    let by = Arc::new(whatever_scheme(&current, current.lists().to_vec())?);
    let gone_through = customers(node, &by, due, &cause).await;
    let finished = finish(node, &cause, gone_through).await;
    if finished.is_err() {
        node.rescreening.keep(changed);
    }
    finished
}

/// Screens customers and past payments against what a list brought.
async fn list_changed(
    node: &Arc<Node>,
    current: &Screener,
    list: &Watchlist,
    brought: Watchlist,
    cause: &str,
) -> Result<(), RescreenError> {
    let by = Arc::new(whatever_scheme(current, vec![brought.clone()])?);
    customers(node, &by, (*node.customers.current()).clone(), cause).await?;
    let by = Arc::new(screener(current.policy().clone(), vec![brought], current)?);
    payments(node, &by, &list.version(), cause).await
}

/// A screener over these lists that leaves none out for any scheme: customers are screened against all of them.
fn whatever_scheme(current: &Screener, lists: Vec<Watchlist>) -> Result<Screener, RescreenError> {
    let policy = Policy { skip_lists: BTreeMap::new(), ..current.policy().clone() };
    screener(policy, lists, current)
}

fn screener(policy: Policy, lists: Vec<Watchlist>, current: &Screener) -> Result<Screener, RescreenError> {
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

/// Screens the payments of the last while, newest first, but for those that were decided by this version already.
async fn payments(
    node: &Arc<Node>,
    screener: &Arc<Screener>,
    version: &ListVersion,
    cause: &str,
) -> Result<(), RescreenError> {
    let size = node.journal.consensus().size();
    node.rescreening.change(|view| view.entries = (0, size));
    let oldest = node.now().0.saturating_sub(PAST);
    let mut older = 0;
    for index in (0..size).rev() {
        let (screening, by, version) = (node.clone(), screener.clone(), version.clone());
        let found = spawn_blocking(move || {
            let read = match screening.journal.read(index) {
                Err(JournalError::Erased(_)) => None,
                read => read?,
            };
            let Some((_, Record::Decision(record))) = read else { return Ok(None) };
            let DecisionRecord { decision, payment, habits } = record;
            let hits = match decision.lists.contains(&version) {
                true => vec![],
                false => {
                    let known = screening.book();
                    listed(&by, &by.judge(&payment, habits, known.known(), screening.now()))
                }
            };
            Ok::<_, JournalError>(Some((hits, decision, payment)))
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

/// Says how a cause was gone through. One that brings too many cases is told of and ends all the same: it would only bring
/// more.
async fn finish(
    node: &Node,
    cause: &str,
    gone_through: Result<(), RescreenError>,
) -> Result<(), RescreenError> {
    let stopped = match gone_through {
        Ok(()) => None,
        Err(RescreenError::TooMany) => Some(RescreenError::TooMany.to_string()),
        Err(error) => return Err(error),
    };
    node.rescreening.change(|view| {
        view.ended = Some(node.now());
        view.error = stopped.clone();
    });
    let Some(view) = node.rescreening.view() else { return Ok(()) };
    let (customers, entries, cases) = (view.customers.0, view.entries.0, view.cases);
    let mut detail =
        format!("{cause}: {customers} customers, {entries} entries of the log, {cases} cases opened");
    if let Some(stopped) = &stopped {
        tracing::error!(cause, "{stopped}");
        detail = format!("{detail}; {stopped}");
    }
    let cause = cause.to_owned();
    node.events.emit(&Event::Rescreened { cause, customers, entries, cases, stopped });
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

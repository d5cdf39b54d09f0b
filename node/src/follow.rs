//! The views in memory follow the log: what any replica committed is seen by each.
//!
//! After every applied entry, the documents and signals that it changed are read again into the [`Book`], and the new
//! decisions are folded into the [`Past`]. Flows change neither; they wait until the views have caught up with what
//! they committed.

use std::sync::Arc;
use std::time::Duration;

use hansa_consensus::Change;
use hansa_types::record::{DecisionRecord, Record};
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::{RecvError, TryRecvError};
use tokio::time::timeout;

use crate::book::Book;
use crate::journal::{Collection, JournalError};
use crate::node::Node;

/// How long somebody waits for the views at the most. They follow in microseconds, so longer means that this replica
/// does not apply what the group commits.
const PATIENCE: Duration = Duration::from_secs(5);
/// How many changes are taken in at once.
const BATCH: usize = 256;

/// What happened to the state since the views were last brought up to date.
enum News {
    /// These changes, in their order.
    Changes(Vec<Change>),
    /// Too much to name: everything is read again.
    Everything,
}

/// Follows the log until consensus ends.
pub(crate) async fn run(node: Arc<Node>, mut changes: broadcast::Receiver<Change>) {
    node.metrics.cases_overdue(node.book().cases.overdue());
    while let Some(news) = next(&mut changes).await {
        let following = node.clone();
        let followed = tokio::task::spawn_blocking(move || take_in(&following, &news)).await;
        let error = match followed {
            Ok(Ok(())) => continue,
            Ok(Err(error)) => error.to_string(),
            Err(error) => error.to_string(),
        };
        tracing::error!(
            error,
            "the views cannot follow the log: this replica decides nothing on what it has"
        );
        return;
    }
}

/// Waits for news, and takes along what else is there.
async fn next(changes: &mut broadcast::Receiver<Change>) -> Option<News> {
    let mut batch = match changes.recv().await {
        Ok(change) if change.replaced => return Some(News::Everything),
        Ok(change) => vec![change],
        Err(RecvError::Lagged(_)) => return Some(News::Everything),
        Err(RecvError::Closed) => return None,
    };
    while batch.len() < BATCH {
        match changes.try_recv() {
            Ok(change) if change.replaced => return Some(News::Everything),
            Ok(change) => batch.push(change),
            Err(TryRecvError::Lagged(_)) => return Some(News::Everything),
            Err(TryRecvError::Empty | TryRecvError::Closed) => break,
        }
    }
    Some(News::Changes(batch))
}

fn take_in(node: &Node, news: &News) -> Result<(), JournalError> {
    let size = match news {
        News::Changes(batch) => {
            let size = batch.iter().map(|change| change.size).max().unwrap_or(0);
            refresh(node, batch, size)?;
            size
        }
        News::Everything => {
            tracing::info!("reading every case, alert and signal again");
            let book = Book::load(&node.journal)?;
            let size = book.size;
            *node.book_mut() = book;
            node.outbox.notify_one();
            size
        }
    };
    node.metrics.cases_overdue(node.book().cases.overdue());
    fold(node, size)?;
    node.followed.send_if_modified(|followed| {
        let grown = size > *followed;
        *followed = size.max(*followed);
        grown
    });
    Ok(())
}

/// Reads again what the changes name. A change that names nothing still moves the book on.
fn refresh(node: &Node, batch: &[Change], size: u64) -> Result<(), JournalError> {
    let mut own_changed = false;
    let mut book = node.book_mut();
    for (collection, key) in batch.iter().flat_map(|change| &change.documents) {
        own_changed |= *collection == Collection::OwnSignals as u8;
        book.refresh_document(&node.journal, *collection, key)?;
    }
    for (scope, nullifier) in batch.iter().flat_map(|change| &change.signals) {
        book.refresh_signal(&node.journal, scope, nullifier)?;
    }
    book.size = book.size.max(size);
    drop(book);
    if own_changed {
        // Committed here or through another replica: the leader sends it.
        node.outbox.notify_one();
    }
    Ok(())
}

/// Folds the decisions of leaves up to `size` into the past, and queues their accounts for tagging.
fn fold(node: &Node, size: u64) -> Result<(), JournalError> {
    let from = node.past().folded;
    let screener = node.screening.current();
    for index in from..size {
        let read = match node.journal.read(index) {
            // What was erased counts no more.
            Err(JournalError::Erased(_)) => None,
            read => read?,
        };
        match read {
            Some((_, Record::Decision(DecisionRecord { decision, payment, .. }))) => {
                node.past().take_in(&screener, &decision, &payment);
                node.seen_in(&payment);
            }
            Some((_, Record::Refusal(_))) => node.past().counters.duplicates += 1,
            _ => {}
        }
        node.past().folded = index + 1;
    }
    Ok(())
}

impl Node {
    /// Returns once the views show the log's first `size` leaves, or says that they do not in time.
    pub(crate) async fn caught_up(&self, size: u64) -> bool {
        let mut followed = self.followed.subscribe();
        let shown = timeout(PATIENCE, followed.wait_for(|followed| *followed >= size)).await;
        matches!(shown, Ok(Ok(_)))
    }
}

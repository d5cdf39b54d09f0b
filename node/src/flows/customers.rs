//! Customers come, change and go: file or feed -> compared with those known -> tagged and matched with signals -> screened
//! anew.

use std::sync::Arc;
use std::time::Duration;

use hansa_types::id::Actor;
use tokio::task::{JoinError, spawn_blocking};

use super::{inbound, tags};
use crate::customers::{Changes, Customers, FileError, Look, changes};
use crate::events::Event;
use crate::node::{Node, policy_actor};

/// How often the file is looked at.
const LOOK: Duration = Duration::from_secs(5);
/// A file with fewer than this share of the customers known, in percent, is taken for a broken one.
const SHRUNKEN: usize = 90;

/// Why customers are not taken over.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CustomersError {
    /// The file.
    #[error(transparent)]
    File(#[from] FileError),
    /// Much shorter.
    #[error(
        "{customers} customers where {known} are known: they stay, for a bank rarely loses a tenth at once; force it if \
         it is right"
    )]
    Shrunken {
        /// How many the file has.
        customers: usize,
        /// How many are known.
        known: usize,
    },
    /// The file as it is now cannot be used.
    #[error("the customers' file as it is now is refused ({0}): correct it first, or import a whole one")]
    Refused(String),
    /// Those who are new could not be tagged.
    #[error("new accounts could not be tagged, so they are not taken over yet: {0}")]
    Tags(String),
    /// A part failed.
    #[error("the customers were not taken over: {0}")]
    Failed(#[from] JoinError),
}

/// How many accounts came, changed and went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) added: usize,
    pub(crate) changed: usize,
    pub(crate) closed: usize,
}

/// Looks at the file again and again.
pub(crate) async fn run(node: Arc<Node>) {
    let mut ticks = tokio::time::interval(LOOK);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let actor = policy_actor("customers");
    loop {
        ticks.tick().await;
        let _changing = node.customers.changing.lock().await;
        follow(&node, &actor).await;
    }
}

/// Takes over the file if it changed. One that cannot be used is refused once; what failed otherwise is tried again.
async fn follow(node: &Arc<Node>, actor: &Actor) {
    let looking = node.clone();
    let Ok(Some(Look { stamp, read })) = spawn_blocking(move || looking.customers.look()).await else {
        return;
    };
    let taken = match read {
        Ok(after) => take_over(node, |_| after, Rules { force: false, write: false }, actor).await,
        Err(error) => Err(error.into()),
    };
    match taken {
        Ok(_) => node.customers.settle(stamp, None),
        Err(error @ (CustomersError::File(_) | CustomersError::Shrunken { .. })) => {
            tracing::warn!(%error, "the customers' file was not taken over; those known stay");
            node.customers.settle(stamp, Some(error.to_string()));
            node.metrics.screening.customers_refused();
            node.events.emit(&Event::CustomersRefused { reason: error.to_string() });
        }
        Err(error) => tracing::warn!(%error, "the customers' file was not taken over; it is tried again"),
    }
}

/// Takes over the customers that `change` makes of those known, and writes them to the file; fewer than before only if
/// `force`. A file that changed meanwhile is taken over first, and nothing is built on one that was refused, unless
/// `whole` takes its place.
pub(crate) async fn import(
    node: &Arc<Node>,
    change: impl FnOnce(&Customers) -> Customers + Send + 'static,
    whole: bool,
    force: bool,
    actor: &Actor,
) -> Result<Counts, CustomersError> {
    let _changing = node.customers.changing.lock().await;
    follow(node, actor).await;
    if let Some(reason) = node.customers.seen().1.filter(|_| !whole) {
        return Err(CustomersError::Refused(reason));
    }
    take_over(node, change, Rules { force, write: true }, actor).await
}

/// How customers are taken over.
struct Rules {
    /// There may be much fewer.
    force: bool,
    /// They are written to the file.
    write: bool,
}

fn sensible(before: &Customers, after: &Customers) -> Result<(), CustomersError> {
    let (customers, known) = (after.len(), before.len());
    if customers * 100 < known * SHRUNKEN {
        return Err(CustomersError::Shrunken { customers, known });
    }
    Ok(())
}

/// Puts customers in use once all that can fail is done: those who are new are tagged before, and the file is written.
async fn take_over(
    node: &Arc<Node>,
    change: impl FnOnce(&Customers) -> Customers + Send + 'static,
    Rules { force, write }: Rules,
    actor: &Actor,
) -> Result<Counts, CustomersError> {
    let (taking, now) = (node.clone(), node.now());
    let taken = spawn_blocking(move || {
        let before = taking.customers.current();
        let after = change(&before);
        if !force {
            sensible(&before, &after)?;
        }
        let found = changes(&before, &after);
        let held = found.added.keys().filter_map(tags::subject).map(|subject| (subject, true, now)).collect();
        taking.tags.learn(held).map_err(|error| CustomersError::Tags(error.to_string()))?;
        if write {
            taking.customers.replace(&after)?;
        }
        taking.customers.swap(after);
        found.closed.iter().filter_map(tags::subject).for_each(|subject| taking.tags.release(&subject));
        Ok::<_, CustomersError>(found)
    });
    let Changes { added, changed, closed } = taken.await??;
    let counts = Counts { added: added.len(), changed: changed.len(), closed: closed.len() };
    if counts == Counts::default() {
        return Ok(counts);
    }
    node.rescreening.customers_changed(added.into_iter().chain(changed));
    tell(node, counts, actor).await;
    Ok(counts)
}

/// Says what changed, and matches who is new with the signals on record. The customers are in use whatever fails here.
async fn tell(node: &Arc<Node>, Counts { added, changed, closed }: Counts, actor: &Actor) {
    node.events.emit(&Event::CustomersChanged { added, changed, closed });
    if node.leads()
        && let Err(error) = inbound::rematch(node).await
    {
        tracing::error!(%error, "new customers were not matched with signals; they are when next one comes or somebody leads");
        node.metrics.lost("counterparty");
    }
    let detail = format!("{added} accounts added, {changed} changed, {closed} closed; by {actor}");
    if let Err(error) = node.log_operation("customers-changed", detail).await {
        tracing::error!(%error, "the log does not say that customers changed");
        node.metrics.lost("operation");
    }
}

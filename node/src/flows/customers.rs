//! Customers come, change and go: file or feed -> compared with those known -> tagged and matched with signals -> screened
//! anew.

use std::sync::Arc;
use std::time::Duration;

use hansa_types::id::Actor;
use tokio::task::{JoinError, spawn_blocking};

use super::{inbound, tags};
use crate::customers::{Changes, Customers, FileError, changes};
use crate::events::Event;
use crate::journal::JournalError;
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
    /// The log.
    #[error(transparent)]
    Journal(#[from] JournalError),
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
        if let Err(error) = look(&node, &actor).await {
            tracing::warn!(%error, "the customers' file was not taken over; those known stay");
            node.customers.refuse(error.to_string());
            node.metrics.screening.customers_refused();
            node.events.emit(&Event::CustomersRefused { reason: error.to_string() });
        }
    }
}

async fn look(node: &Arc<Node>, actor: &Actor) -> Result<(), CustomersError> {
    let _changing = node.customers.changing.lock().await;
    let looking = node.clone();
    let Some(found) = spawn_blocking(move || looking.customers.look()).await? else { return Ok(()) };
    let after = found?;
    sensible(&node.customers.current(), &after)?;
    take_over(node, after, actor).await.map(drop)
}

/// Takes over the customers that `change` makes of those known, and writes them to the file; fewer than before only if
/// `force`.
pub(crate) async fn import(
    node: &Arc<Node>,
    change: impl FnOnce(&Customers) -> Customers,
    force: bool,
    actor: &Actor,
) -> Result<Counts, CustomersError> {
    let _changing = node.customers.changing.lock().await;
    let before = node.customers.current();
    let after = change(&before);
    if !force {
        sensible(&before, &after)?;
    }
    let (writing, written) = (node.clone(), after.clone());
    spawn_blocking(move || writing.customers.replace(&written)).await??;
    take_over(node, after, actor).await
}

fn sensible(before: &Customers, after: &Customers) -> Result<(), CustomersError> {
    let (customers, known) = (after.len(), before.len());
    if customers * 100 < known * SHRUNKEN {
        return Err(CustomersError::Shrunken { customers, known });
    }
    Ok(())
}

async fn take_over(node: &Arc<Node>, after: Customers, actor: &Actor) -> Result<Counts, CustomersError> {
    let before = node.customers.current();
    let Changes { added, changed, closed } = changes(&before, &after);
    let counts = Counts { added: added.len(), changed: changed.len(), closed: closed.len() };
    node.customers.swap(after);
    if counts == Counts::default() {
        return Ok(counts);
    }
    let (learning, now) = (node.clone(), node.now());
    let held: Vec<_> = added.keys().filter_map(tags::subject).map(|subject| (subject, true, now)).collect();
    let learnt = spawn_blocking(move || {
        closed.iter().filter_map(tags::subject).for_each(|subject| learning.tags.release(&subject));
        learning.tags.learn(held)
    });
    learnt.await?.map_err(|error| JournalError::Tags(error.to_string()))?;
    if node.leads() {
        inbound::rematch(node).await?;
    }
    node.rescreening.customers_changed(added.into_iter().chain(changed));
    let Counts { added, changed, closed } = counts;
    node.events.emit(&Event::CustomersChanged { added, changed, closed });
    let detail = format!("{added} accounts added, {changed} changed, {closed} closed; by {actor}");
    node.log_operation("customers-changed", detail).await?;
    Ok(counts)
}

//! What only the replica that leads its group does: it proves, publishes, signs, and speaks with other banks.
//!
//! Leadership comes and goes. On gaining it, this replica first sees all that was committed, closes what its predecessor
//! left open, and then joins the network under the bank's one peer id. On losing it, everything ends at once: what was
//! under way is in the log and done again by the next leader, a signal with the identical content.

use std::sync::Arc;
use std::time::Duration;

use hansa_consensus::{BarrierError, Role};
use tokio::task::JoinSet;

use crate::app;
use crate::config::Config;
use crate::events::Event;
use crate::flows::{governance, inbound};
use crate::journal::JournalError;
use crate::node::Node;

/// After how long a leader tries again to take up its duties.
const RETRY: Duration = Duration::from_millis(250);

/// Why a leader did not take up its duties.
#[derive(Debug, thiserror::Error)]
pub enum LeadError {
    /// It may not know all that was committed.
    #[error(transparent)]
    Barrier(#[from] BarrierError),
    /// The log.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// What node.amendments holds.
    #[error("node.amendments: {0}")]
    Amendments(String),
    /// The network of banks.
    #[error(transparent)]
    Network(#[from] hansa_p2p::StartError),
}

/// The duties, while they are done.
pub(crate) struct Duties(JoinSet<()>);

/// Takes up the leader's duties.
pub(crate) async fn begin(node: &Arc<Node>, config: &Config) -> Result<Duties, LeadError> {
    let consensus = node.journal.consensus();
    consensus.barrier().await?;
    if !node.caught_up(consensus.size()).await {
        return Err(JournalError::Behind.into());
    }
    inbound::settle(node).await?;
    inbound::rematch(node).await?;
    if node.gateway.is_some() {
        let node = node.clone();
        tokio::task::spawn_blocking(move || node.proving.prepare());
    }
    governance::take_in_chain(node, config).await?;
    node.follow_members().await;
    // Last: from here on members speak, and their messages have to be judged in time.
    let events = node.network.open()?;
    node.events.emit(&Event::Leading { term: consensus.status().term });
    Ok(Duties(app::spawn_duties(node, events, config)))
}

/// Lays the duties down. Nothing is half-sent: what is not in the log as sent is sent again.
pub(crate) async fn end(node: &Node, mut duties: Duties) {
    duties.0.shutdown().await;
    node.network.close().await;
    node.network_left();
    node.events.emit(&Event::Following);
}

/// Takes duties up and lays them down as leadership comes and goes. Returns why the node cannot go on.
pub(crate) async fn supervise(node: Arc<Node>, config: Config, mut duties: Option<Duties>) -> String {
    let mut role = node.journal.consensus().role();
    loop {
        let now = role.borrow_and_update().clone();
        if let Some(reason) = now.stopped {
            return format!("consensus stopped: {reason}");
        }
        let leads = now.leads && now.quorum;
        if let Some(done) = duties.take_if(|_| !leads) {
            tracing::info!(leader = ?now.leader, term = now.term, "this replica leads no longer");
            end(&node, done).await;
            continue;
        }
        if leads && duties.is_none() {
            match begin(&node, &config).await {
                Ok(begun) => {
                    tracing::info!(term = now.term, "this replica leads");
                    duties = Some(begun);
                }
                Err(error) => {
                    tracing::warn!(%error, "this replica leads, and cannot take up its duties; it is tried again");
                    let _ = tokio::time::timeout(RETRY, role.changed()).await;
                }
            }
            continue;
        }
        if let Some(reason) = wait(&mut role, duties.as_mut()).await {
            return reason;
        }
    }
}

/// Waits until the role changes, or says why the node cannot go on.
async fn wait(role: &mut tokio::sync::watch::Receiver<Role>, duties: Option<&mut Duties>) -> Option<String> {
    let ended = async {
        match duties {
            Some(Duties(tasks)) => tasks.join_next().await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        changed = role.changed() => changed.is_err().then(|| "consensus ended".to_owned()),
        Some(ended) = ended => Some(match ended {
            Err(error) => format!("a part of the node failed: {error}"),
            Ok(()) => "the network ended".to_owned(),
        }),
    }
}

//! When a read at this replica is linearizable: the leader, sure of its quorum, says which entry was committed last, and
//! this replica has applied it.

use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};

use crate::error::BarrierError;
use crate::net::{Request, Response};
use crate::proposer::{Ways, why_stopped};
use crate::replica::Replica;
use crate::role::Role;

/// How long one question to the leader may take.
pub(crate) const ASK: Duration = Duration::from_secs(2);
/// How often a question is asked again while nobody leads.
const RETRY: Duration = Duration::from_millis(20);
/// How often it is looked whether the entry is applied.
const APPLYING: Duration = Duration::from_millis(1);

impl Ways {
    /// Returns once this replica has applied all that was committed in the group before the call, or after `time`.
    pub(crate) async fn barrier(&self, time: Duration) -> Result<(), BarrierError> {
        let deadline = Instant::now() + time;
        let no_quorum = || BarrierError::NoQuorum { ms: u64::try_from(time.as_millis()).unwrap_or(u64::MAX) };
        let index = loop {
            if let Some(reason) = why_stopped(&self.raft) {
                return Err(BarrierError::Stopped(reason));
            }
            let now = self.role.borrow().clone();
            if let Some(index) = self.read_index(&now).await {
                break index;
            }
            if Instant::now() >= deadline {
                return Err(no_quorum());
            }
            // Looked at again rather than waited for: a watch wakes its waiters in random order, which no seed repeats.
            sleep(RETRY).await;
        };
        while self.raft.metrics().borrow().last_applied.map(|log_id| log_id.index) < index {
            if let Some(reason) = why_stopped(&self.raft) {
                return Err(BarrierError::Stopped(reason));
            }
            if Instant::now() >= deadline {
                return Err(no_quorum());
            }
            sleep(APPLYING).await;
        }
        Ok(())
    }

    /// The entry that a read must wait for, if somebody with a quorum vouches for it now.
    async fn read_index(&self, role: &Role) -> Option<Option<u64>> {
        let log_id = match role.leader {
            Some(_) if role.leads => timeout(ASK, self.raft.get_read_log_id()).await.ok()?.ok()?.0,
            Some(leader) => {
                let replica = self.replica(leader)?;
                let asked = self.client.as_ref()?.call(leader, &replica, &Request::ReadIndex);
                match timeout(ASK, asked).await.ok()?.ok()? {
                    Response::ReadIndex(log_id) => log_id,
                    _ => return None,
                }
            }
            None => return None,
        };
        Some(log_id.map(|log_id| log_id.index))
    }

    /// A replica of the group as its membership knows it.
    pub(crate) fn replica(&self, id: u64) -> Option<Replica> {
        let metrics = self.raft.metrics();
        let metrics = metrics.borrow();
        metrics.membership_config.membership().get_node(&id).cloned()
    }
}

//! Changing cases, alerts and signals, on whichever replica: decided on a view, applied only if the view was right.
//!
//! Two replicas may decide at once. Consensus takes a change only if nothing changed after what its proposer had seen;
//! else the proposer looks again and decides anew. On one replica they take turns, while a quorum stands: without one
//! nobody waits for those in front.

use std::time::Duration;

use hansa_consensus::{Command, Outcome, ProposeError, Role};
use tokio::sync::{Mutex, MutexGuard, Semaphore, SemaphorePermit, watch};
use tokio::time::timeout;

use crate::book::Book;
use crate::journal::JournalError;
use crate::node::Node;

/// How often a change is decided on before it is given up: somebody else changed something each time.
const TRIES: u32 = 64;
/// The most that wait for their turn; more are refused, as the queue of commands does.
const MAX_WAITING: usize = 1_024;

/// Turns at changing cases, alerts and signals here; another replica may change them at the same time.
pub(crate) struct Changing {
    turn: Mutex<()>,
    places: Semaphore,
}

/// While it lives nobody else here changes anything.
pub(crate) struct Turn<'a> {
    _turn: MutexGuard<'a, ()>,
    _place: SemaphorePermit<'a>,
}

impl Default for Changing {
    fn default() -> Self {
        Self { turn: Mutex::default(), places: Semaphore::new(MAX_WAITING) }
    }
}

impl Changing {
    /// Waits for its turn, and gives up once no quorum stood for as long as `patience`.
    async fn turn(
        &self,
        mut role: watch::Receiver<Role>,
        patience: Duration,
    ) -> Result<Turn<'_>, ProposeError> {
        let place = self.places.try_acquire().map_err(|_| ProposeError::Busy { limit: MAX_WAITING })?;
        let watched = role.clone();
        let turn = async {
            let turn = self.turn.lock().await;
            // Where consensus has ended, proposing says so.
            let _ = role.wait_for(|role| role.quorum).await;
            turn
        };
        Ok(Turn { _turn: while_quorum(watched, patience, turn).await?, _place: place })
    }
}

/// What `work` comes to; [`ProposeError::NoQuorum`] once no quorum stood for as long as `patience`.
pub(crate) async fn while_quorum<T>(
    mut role: watch::Receiver<Role>,
    patience: Duration,
    work: impl Future<Output = T>,
) -> Result<T, ProposeError> {
    let lost = async {
        while role.wait_for(|role| !role.quorum).await.is_ok() {
            if timeout(patience, role.wait_for(|role| role.quorum)).await.is_err() {
                return;
            }
        }
        // Consensus has ended: the work is told.
        std::future::pending::<()>().await;
    };
    tokio::select! {
        biased;
        done = work => Ok(done),
        () = lost => {
            Err(ProposeError::NoQuorum { ms: u64::try_from(patience.as_millis()).unwrap_or(u64::MAX) })
        }
    }
}

impl Node {
    /// Has `decide` make a command of the book as it is, proposes it, and returns its outcome with whatever else `decide`
    /// made, once the book shows it. `decide` is asked again whenever its view was out of date.
    pub(crate) async fn change<T, E: From<JournalError>>(
        &self,
        mut decide: impl FnMut(&Book) -> Result<(Command, T), E>,
    ) -> Result<(Outcome, T), E> {
        // Changes of this replica would only make one another decide again.
        let _turn = self.turn().await?;
        for _ in 0..TRIES {
            let (seen, decided) = {
                let book = self.book();
                (book.size, decide(&book))
            };
            let (command, made) = decided?;
            match self.journal.propose_after(seen, command).await? {
                Outcome::Stale { size } => {
                    if !self.caught_up(size).await {
                        return Err(JournalError::Behind.into());
                    }
                }
                outcome => {
                    self.shown(&outcome).await;
                    return Ok((outcome, made));
                }
            }
        }
        Err(JournalError::Contended.into())
    }

    /// Waits for its turn at changing something here.
    pub(crate) async fn turn(&self) -> Result<Turn<'_>, JournalError> {
        let patience = Duration::from_millis(self.payments.quorum_wait_ms);
        Ok(self.changing.turn(self.journal.consensus().role(), patience).await?)
    }

    /// Waits until the views show what a command came to. If they do not in time it is done all the same.
    pub(crate) async fn shown(&self, outcome: &Outcome) {
        let index = match outcome {
            Outcome::Appended { index }
            | Outcome::Existing { index }
            | Outcome::Conflict { index }
            | Outcome::Accepted { index }
            | Outcome::Retracted { index }
            | Outcome::DoubleSignal { index: Some(index) } => *index,
            _ => return,
        };
        if !self.caught_up(index + 1).await {
            tracing::warn!(index, "committed, and not applied by this replica yet");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use super::*;

    /// Longer than any test.
    const LONG: Duration = Duration::from_secs(3_600);

    fn role(quorum: bool) -> (watch::Sender<Role>, watch::Receiver<Role>) {
        watch::channel(Role { quorum, ..Role::default() })
    }

    fn no_quorum<T>(result: &Result<T, ProposeError>) -> bool {
        matches!(result, Err(ProposeError::NoQuorum { .. }))
    }

    #[tokio::test]
    async fn nobody_waits_for_those_in_front_once_the_quorum_is_gone() {
        let changing = Changing::default();
        let (sender, receiver) = role(true);
        let first = changing.turn(receiver.clone(), Duration::ZERO).await.unwrap();
        let wait = || changing.turn(receiver.clone(), Duration::ZERO);
        let (second, third, ()) = tokio::join!(wait(), wait(), async {
            tokio::task::yield_now().await;
            sender.send_modify(|role| role.quorum = false);
        });
        assert!(no_quorum(&second) && no_quorum(&third), "the first holds its turn all the while");
        drop(first);
        assert!(no_quorum(&wait().await), "its turn is of no use");

        // One that comes back in time is waited for.
        let (turn, ()) = tokio::join!(changing.turn(receiver.clone(), LONG), async {
            tokio::task::yield_now().await;
            sender.send_modify(|role| role.quorum = true);
        });
        assert!(turn.is_ok());
    }

    #[tokio::test]
    async fn what_is_done_is_done_whatever_becomes_of_the_quorum() {
        let (sender, receiver) = role(false);
        assert_eq!(while_quorum(receiver.clone(), Duration::ZERO, ready(7)).await, Ok(7));
        assert!(no_quorum(&while_quorum(receiver.clone(), Duration::ZERO, pending::<()>()).await));
        // Whoever proposes says that consensus has ended.
        drop(sender);
        assert!(Changing::default().turn(receiver, Duration::ZERO).await.is_ok());
    }

    #[tokio::test]
    async fn so_many_wait_and_no_more() {
        let changing = Changing::default();
        let (_sender, receiver) = role(true);
        let waiting = changing.places.acquire_many(u32::try_from(MAX_WAITING).unwrap()).await.unwrap();
        let refused = changing.turn(receiver.clone(), LONG).await;
        assert!(matches!(refused, Err(ProposeError::Busy { limit: MAX_WAITING })));
        drop(waiting);
        assert!(changing.turn(receiver, LONG).await.is_ok());
    }
}

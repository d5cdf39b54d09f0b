//! Changing cases, alerts and signals, on whichever replica: decided on a view, applied only if the view was right.
//!
//! Two replicas may decide at once. Consensus takes a change only if nothing changed after what its proposer had seen;
//! else the proposer looks again and decides anew.

use hansa_consensus::{Command, Outcome};

use crate::book::Book;
use crate::journal::JournalError;
use crate::node::Node;

/// How often a change is decided on before it is given up: somebody else changed something each time.
const TRIES: u32 = 64;

impl Node {
    /// Has `decide` make a command of the book as it is, proposes it, and returns its outcome with whatever else `decide`
    /// made, once the book shows it. `decide` is asked again whenever its view was out of date.
    pub(crate) async fn change<T, E: From<JournalError>>(
        &self,
        mut decide: impl FnMut(&Book) -> Result<(Command, T), E>,
    ) -> Result<(Outcome, T), E> {
        // Changes of this replica would only make one another decide again.
        let _changing = self.changing.lock().await;
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

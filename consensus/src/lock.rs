//! Whether this replica may use the bank's keys: sign checkpoints, and let signals out.
//!
//! A data folder cannot show by itself that it is an old copy, and a node on one would sign a second history and spend
//! counters twice. Those who cosigned this log know better. So the keys are locked when a process starts, and
//! [`Consensus::unlock`] opens them once enough witnesses have told the latest checkpoint of this log that they
//! cosigned, and this replica has all of it. A log that was restored from a backup is also closed to signals until the
//! epoch after the one in which it was unlocked: which counters were spent after the backup, nobody here knows.

use hansa_audit_log::merkle::Hash;
use hansa_types::codec_struct;
use hansa_types::id::{Epoch, Timestamp};
use thiserror::Error;
use tokio::sync::watch;
use tokio::time::timeout;

use crate::barrier::ASK;
use crate::command::{Command, Leaf};
use crate::error::UnlockError;
use crate::net::{Request, Response};
use crate::outcome::Outcome;
use crate::store::StoreError;
use crate::{Consensus, ReadError, TreeHead};

/// Why the keys are not used.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum Locked {
    /// Too few witnesses were heard since the process started.
    #[error("the keys are locked until enough witnesses have told what they last cosigned of this log")]
    Waiting,
    /// This is an old copy: entries are missing that were acknowledged and cosigned.
    #[error(
        "a witness cosigned {witnessed} entries of this log, and this replica has {have}: it is an old copy, and must \
         not go on under the same name and keys. Stop it, and use the copy that has them all or restore a newer \
         backup; if there is none, found the log anew under another origin"
    )]
    Shorter {
        /// The size that a witness cosigned.
        witnessed: u64,
        /// The size here.
        have: u64,
    },
    /// This is another history.
    #[error(
        "a witness cosigned another root than this replica has at {size} entries: two copies of this log have gone on \
         apart. Stop this one, and find out which of the two was published"
    )]
    Forked {
        /// The size at which the roots differ.
        size: u64,
    },
}

/// That the log was restored from a backup, as every replica of the group knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restored {
    /// How many leaves the backup had.
    pub size: u64,
    /// The root of that many leaves.
    pub root: Hash,
    /// When it was restored.
    pub at: Timestamp,
    /// Through which epoch nothing is signalled; unknown until the keys were unlocked for the first time.
    pub epoch: Option<Epoch>,
}
codec_struct!(Restored { size, root, at, epoch });

impl Restored {
    /// Whether a signal of this epoch may be committed and sent.
    #[must_use]
    pub fn permits(&self, epoch: Epoch) -> bool {
        self.epoch.is_some_and(|last| epoch > last)
    }
}

/// What the keys are to be unlocked with.
#[derive(Clone, Debug)]
pub struct Unlocking {
    /// The latest checkpoint of this log that each witness who answered has cosigned; `None` if it has none. The
    /// caller has checked that this log's key signed it.
    pub told: Vec<Option<TreeHead>>,
    /// How many witnesses have to answer.
    pub needed: usize,
    /// The present epoch.
    pub epoch: Epoch,
    /// The record of it; appended only if the log was restored and is unlocked for the first time.
    pub leaf: Leaf,
}

/// How many of a log's `others` witnesses have to answer before its keys are used, if `quorum` of them publish a
/// checkpoint. After a restore every set that could have published one must have a member among them.
#[must_use]
pub fn answers_needed(quorum: usize, others: usize, restored: bool) -> usize {
    match quorum {
        0 => 0,
        quorum if restored => quorum.max((others + 1).saturating_sub(quorum)).min(others.max(quorum)),
        quorum => quorum,
    }
}

/// The lock of one process.
pub(crate) struct KeyLock(watch::Sender<Option<Locked>>);

impl KeyLock {
    pub(crate) fn new() -> Self {
        Self(watch::Sender::new(Some(Locked::Waiting)))
    }

    /// Whether the keys may be used.
    pub(crate) fn is_open(&self) -> bool {
        self.0.borrow().is_none()
    }

    fn set(&self, locked: Option<&Locked>) {
        self.0.send_if_modified(|now| {
            // What is lost stays lost as long as the process lives.
            let final_word = matches!(now, Some(Locked::Shorter { .. } | Locked::Forked { .. }));
            let changes = !final_word && now.as_ref() != locked;
            if changes {
                *now = locked.cloned();
            }
            changes
        });
    }
}

impl Consensus {
    /// Why the keys are locked, now and whenever it changes; `None` once they are open.
    #[must_use]
    pub fn keys(&self) -> watch::Receiver<Option<Locked>> {
        self.lock.0.subscribe()
    }

    /// Refuses while the keys are locked.
    pub fn keys_open(&self) -> Result<(), Locked> {
        self.lock.0.borrow().clone().map_or(Ok(()), Err)
    }

    /// Refuses to sign unless the keys are open here, or in the process that leads: it has asked for the whole group.
    pub(crate) async fn may_sign(&self) -> Result<(), Locked> {
        match self.keys_open() {
            Err(Locked::Waiting) if self.leader_may_sign().await => Ok(()),
            other => other,
        }
    }

    async fn leader_may_sign(&self) -> bool {
        let role = self.role.borrow().clone();
        let Some(leader) = role.leader.filter(|_| !role.leads) else { return false };
        let (Some(replica), Some(client)) = (self.ways().replica(leader), &self.client) else { return false };
        let asked = timeout(ASK, client.call(leader, &replica, &Request::Describe)).await;
        matches!(
            asked,
            Ok(Ok(Response::Describe(leader))) if leader.keys_open && leader.incarnation == replica.incarnation
        )
    }

    /// That this log was restored from a backup, if it was.
    pub fn restored(&self) -> Result<Option<Restored>, StoreError> {
        self.state.restored()
    }

    /// Whether a signal of this epoch may leave.
    pub fn may_signal(&self, epoch: Epoch) -> Result<bool, StoreError> {
        let restored = self.restored()?;
        Ok(self.keys_open().is_ok() && restored.is_none_or(|restored| restored.permits(epoch)))
    }

    /// Unlocks the keys if enough witnesses answered and this replica has all that they cosigned.
    ///
    /// # Errors
    /// [`UnlockError::TooFew`] is no last word: ask again. [`UnlockError::Lost`] is, until the process ends.
    pub async fn unlock(&self, unlocking: Unlocking) -> Result<(), UnlockError> {
        let Unlocking { told, needed, epoch, leaf } = unlocking;
        match self.keys_open() {
            Ok(()) => return Ok(()),
            Err(Locked::Waiting) => {}
            Err(lost) => return Err(UnlockError::Lost(lost)),
        }
        // After the answers: what another replica signed before they were given is here from now on.
        self.barrier().await?;
        for head in told.iter().flatten() {
            self.compare(head)?;
        }
        if told.len() < needed {
            return Err(UnlockError::TooFew { answered: told.len(), needed });
        }
        if self.restored()?.is_some_and(|restored| restored.epoch.is_none()) {
            match self.propose(Command::Unlock { leaf, epoch }).await? {
                Outcome::Appended { .. } | Outcome::Existing { .. } => {}
                other => return Err(UnlockError::Unexpected(format!("{other:?}"))),
            }
        }
        self.lock.set(None);
        self.keys_open().map_err(UnlockError::Lost)
    }

    /// Compares this log with what a witness cosigned of it; the keys stay locked for good if something is missing.
    pub fn compare(&self, witnessed: &TreeHead) -> Result<(), UnlockError> {
        let lost = match self.root_at(witnessed.size) {
            Ok(root) if root == witnessed.root => return Ok(()),
            Ok(_) => Locked::Forked { size: witnessed.size },
            Err(ReadError::BeyondLog { size, have }) => Locked::Shorter { witnessed: size, have },
            Err(error) => return Err(error.into()),
        };
        tracing::error!(%lost, "the keys are locked for good");
        self.lock.set(Some(&lost));
        Err(UnlockError::Lost(lost))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_a_restore_every_publishing_set_is_heard() {
        for others in 1..=9usize {
            for quorum in 1..=others {
                let needed = answers_needed(quorum, others, true);
                assert!(
                    needed <= others && needed + quorum > others && needed >= quorum,
                    "{quorum} of {others}"
                );
                assert_eq!(answers_needed(quorum, others, false), quorum);
            }
        }
        assert_eq!(answers_needed(0, 4, true), 0, "where nobody cosigns, nobody can be asked");
    }

    #[test]
    fn what_is_lost_stays_lost() {
        let lock = KeyLock::new();
        let now = || lock.0.borrow().clone();
        assert_eq!(now(), Some(Locked::Waiting));
        lock.set(None);
        assert_eq!(now(), None);
        lock.set(Some(&Locked::Forked { size: 3 }));
        lock.set(None);
        assert_eq!(now(), Some(Locked::Forked { size: 3 }));
    }

    #[test]
    fn nothing_is_signalled_before_the_epoch_after_the_restore() {
        let restored = |epoch| Restored { size: 1, root: [0; 32], at: Timestamp(1), epoch };
        assert!(!restored(None).permits(Epoch(9)));
        assert!(!restored(Some(Epoch(9))).permits(Epoch(9)));
        assert!(restored(Some(Epoch(9))).permits(Epoch(10)));
    }
}

//! Four eyes: a backup is restored only if two officers have signed which one, into which replica, and why.
//!
//! An approval is a signed note, readable as it is. Encryption to a public recipient shows nothing about who made a
//! backup, so it is also the officers who vouch that this file is the bank's.

use std::fmt;

use hansa_audit_log::note::{KeyType, NoteError, SignNoteError, SignedNote, VerifierKey};
use hansa_types::codec::CodecError;
use hansa_types::hash::Digest;
use hansa_types::id::{Actor, Timestamp};
use hansa_types::sign::Signer;
use thiserror::Error;

use super::config::{APPROVALS, Approver};

/// What every approval begins with.
const TITLE: &str = "hansa restore approval v1";
/// The longest reason, in bytes.
const MAX_REASON: usize = 500;
/// After how many seconds an approval is no longer one.
pub const VALID_SECONDS: u64 = 24 * 3600;
/// How far ahead the clock of an officer's machine may be.
const AHEAD_SECONDS: u64 = 300;

/// What an officer agrees to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Approval {
    /// The SHA-256 of the backup's file.
    pub backup: Digest,
    /// The replica it is restored into.
    pub replica: u64,
    /// Who agrees.
    pub actor: Actor,
    /// Why.
    pub reason: String,
    /// When, in Unix seconds.
    pub at: Timestamp,
}

/// Why a restore is not approved.
#[derive(Debug, Error)]
pub enum ApprovalError {
    /// A reason that cannot stand in a note.
    #[error("a reason has 1 to {MAX_REASON} bytes in one line, without control characters")]
    Reason,
    /// The key did not sign.
    #[error(transparent)]
    Sign(#[from] SignNoteError),
    /// Not a note, or not signed by the officer's key.
    #[error("an approval does not verify: {0}")]
    Note(#[from] NoteError),
    /// Not an approval.
    #[error("the note is no approval of a restore")]
    Malformed,
    /// A name or digest that is none.
    #[error("the approval holds what is no value: {0}")]
    Value(#[from] CodecError),
    /// Somebody who may not.
    #[error("{0} is not among backup.approvers of this node's configuration")]
    Stranger(Actor),
    /// An approval of something else.
    #[error("{actor} approved {approved}, and what is to be restored is {wanted}")]
    Other {
        /// Who.
        actor: Actor,
        /// What was approved.
        approved: String,
        /// What is asked for.
        wanted: String,
    },
    /// Too old, or from the future.
    #[error("the approval of {actor} was given at {at} and holds for 24 hours; it is {now} now")]
    Stale {
        /// Who.
        actor: Actor,
        /// When it was given.
        at: Timestamp,
        /// The time.
        now: Timestamp,
    },
    /// Not two people.
    #[error("{found} officers approved, and {APPROVALS} different ones are needed")]
    TooFew {
        /// How many did.
        found: usize,
    },
}

impl Approval {
    /// Signs the approval with the officer's own key.
    pub fn sign(&self, signer: &dyn Signer) -> Result<SignedNote, ApprovalError> {
        let fits = (1..=MAX_REASON).contains(&self.reason.len());
        if !fits || self.reason.chars().any(char::is_control) {
            return Err(ApprovalError::Reason);
        }
        Ok(SignedNote::sign(&self.to_string(), self.actor.as_str(), signer)?)
    }

    fn parse(text: &str) -> Result<Self, ApprovalError> {
        let mut lines = text.strip_suffix('\n').ok_or(ApprovalError::Malformed)?.split('\n');
        let mut next = |label: &str| {
            let rest = lines.next().and_then(|line| line.strip_prefix(label));
            rest.map(str::to_owned).ok_or(ApprovalError::Malformed)
        };
        next(TITLE)?;
        let backup = next("backup ")?.parse::<Digest>()?;
        let replica = next("replica ")?.parse::<u64>().map_err(|_| ApprovalError::Malformed)?;
        let actor = next("actor ")?.parse::<Actor>()?;
        let at = Timestamp(next("at ")?.parse::<u64>().map_err(|_| ApprovalError::Malformed)?);
        let approval = Self { backup, replica, actor, at, reason: next("reason ")? };
        // One form only: what was signed is what was read.
        if approval.to_string() == text { Ok(approval) } else { Err(ApprovalError::Malformed) }
    }

    /// Checks one approval against the officers who may give any.
    fn open(note: &SignedNote, approvers: &[Approver]) -> Result<Self, ApprovalError> {
        let claimed = Self::parse(note.unverified_text())?;
        let known = approvers.iter().find(|approver| approver.actor == claimed.actor);
        let Some(Approver { actor, key }) = known else { return Err(ApprovalError::Stranger(claimed.actor)) };
        let key = VerifierKey::new(KeyType::Ed25519, actor.as_str(), *key).map_err(SignNoteError::from)?;
        note.open(&[key])?;
        Ok(claimed)
    }
}

impl fmt::Display for Approval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { backup, replica, actor, reason, at } = self;
        writeln!(f, "{TITLE}\nbackup {backup}\nreplica {replica}\nactor {actor}\nat {at}\nreason {reason}")
    }
}

/// Returns the approvals if they are enough, all for this backup and replica, and all fresh.
pub fn check(
    notes: &[SignedNote],
    approvers: &[Approver],
    backup: &Digest,
    replica: u64,
    now: Timestamp,
) -> Result<Vec<Approval>, ApprovalError> {
    let mut approvals: Vec<Approval> = Vec::new();
    for note in notes {
        let approval = Approval::open(note, approvers)?;
        if approval.backup != *backup || approval.replica != replica {
            return Err(ApprovalError::Other {
                approved: format!("backup {} into replica {}", approval.backup, approval.replica),
                wanted: format!("backup {backup} into replica {replica}"),
                actor: approval.actor,
            });
        }
        let ahead = approval.at.0 > now.0.saturating_add(AHEAD_SECONDS);
        if ahead || now.0.saturating_sub(approval.at.0) > VALID_SECONDS {
            return Err(ApprovalError::Stale { actor: approval.actor, at: approval.at, now });
        }
        if approvals.iter().all(|other| other.actor != approval.actor) {
            approvals.push(approval);
        }
    }
    // The configuration gives no two officers one key, so different names are different keys.
    match approvals.len() {
        found if found < APPROVALS => Err(ApprovalError::TooFew { found }),
        _ => Ok(approvals),
    }
}

#[cfg(test)]
mod tests {
    use ed25519_dalek::{Signer as _, SigningKey};
    use hansa_types::hash::PublicKey;
    use hansa_types::sign::SignError;

    use super::*;

    const NOW: Timestamp = Timestamp(1_800_000_000);
    const BACKUP: Digest = Digest([9; 32]);

    struct Officer(SigningKey);

    impl Signer for Officer {
        fn public_key(&self) -> PublicKey {
            PublicKey(self.0.verifying_key().to_bytes())
        }

        fn sign(&self, message: &[u8]) -> Result<[u8; 64], SignError> {
            Ok(self.0.sign(message).to_bytes())
        }
    }

    fn officer(seed: u8) -> Officer {
        Officer(SigningKey::from_bytes(&[seed; 32]))
    }

    fn approvers() -> Vec<Approver> {
        let approver = |(actor, seed): (&str, u8)| Approver {
            actor: actor.parse().unwrap(),
            key: officer(seed).public_key(),
        };
        [("ada", 1), ("bob", 2), ("eve", 3)].map(approver).to_vec()
    }

    fn approval(actor: &str) -> Approval {
        let reason = "disk lost in zone 1".to_owned();
        Approval { backup: BACKUP, replica: 1, actor: actor.parse().unwrap(), reason, at: NOW }
    }

    fn checked(notes: &[SignedNote]) -> Result<Vec<Approval>, ApprovalError> {
        check(notes, &approvers(), &BACKUP, 1, NOW)
    }

    #[test]
    fn two_officers_are_enough_and_one_twice_is_not() {
        let ada = approval("ada").sign(&officer(1)).unwrap();
        let bob = approval("bob").sign(&officer(2)).unwrap();
        assert_eq!(checked(&[ada.clone(), bob.clone()]).unwrap(), [approval("ada"), approval("bob")]);
        let read = SignedNote::parse(ada.to_string().as_bytes()).unwrap();
        assert!(checked(&[read, bob]).is_ok());
        let again = Approval { reason: "again".to_owned(), ..approval("ada") }.sign(&officer(1)).unwrap();
        for notes in [vec![], vec![ada.clone()], vec![ada.clone(), ada.clone()], vec![ada, again]] {
            assert!(matches!(checked(&notes), Err(ApprovalError::TooFew { .. })), "{}", notes.len());
        }
    }

    #[test]
    fn strangers_foreign_keys_and_altered_texts_are_refused() {
        let ada = approval("ada").sign(&officer(1)).unwrap();
        let mallory = approval("mallory").sign(&officer(4)).unwrap();
        assert!(matches!(checked(&[ada.clone(), mallory]), Err(ApprovalError::Stranger(_))));
        let forged = approval("bob").sign(&officer(4)).unwrap();
        assert!(matches!(checked(&[ada.clone(), forged]), Err(ApprovalError::Note(_))));
        let bob = approval("bob").sign(&officer(2)).unwrap().to_string();
        let altered = SignedNote::parse(bob.replace("zone 1", "zone 2").as_bytes()).unwrap();
        assert!(matches!(checked(&[ada, altered]), Err(ApprovalError::Note(_))));
    }

    #[test]
    fn another_backup_another_replica_and_old_approvals_are_refused() {
        let ada = approval("ada").sign(&officer(1)).unwrap();
        let with_bob = |bob: Approval| checked(&[ada.clone(), bob.sign(&officer(2)).unwrap()]);
        let bob = approval("bob");
        for other in
            [Approval { backup: Digest([8; 32]), ..bob.clone() }, Approval { replica: 2, ..bob.clone() }]
        {
            assert!(matches!(with_bob(other), Err(ApprovalError::Other { .. })));
        }
        let at = |seconds| Approval { at: Timestamp(seconds), ..bob.clone() };
        assert!(with_bob(at(NOW.0 - VALID_SECONDS)).is_ok());
        for stale in [NOW.0 - VALID_SECONDS - 1, NOW.0 + AHEAD_SECONDS + 1] {
            assert!(matches!(with_bob(at(stale)), Err(ApprovalError::Stale { .. })), "{stale}");
        }
        for reason in ["", "two\nlines"] {
            let wrong = Approval { reason: reason.to_owned(), ..bob.clone() };
            assert!(matches!(wrong.sign(&officer(2)), Err(ApprovalError::Reason)));
        }
    }
}

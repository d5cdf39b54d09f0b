//! An exception: somebody whose name resembles a listed one and who was found to be somebody else.

use serde::Serialize;

use crate::codec_struct;
use crate::hash::{Digest, digest_of};
use crate::id::{Actor, Timestamp};
use crate::subject::Subject;

/// That a subject is not the entry of a list that its name resembles. It holds for this subject, against this entry as
/// it then stood, until it expires: another account, another entry or a changed one is looked at anew.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Exception {
    /// Who is not listed.
    pub subject: Subject,
    /// The list's name.
    pub list: String,
    /// The entry's id on the list.
    pub entry: String,
    /// The digest of the entry as it stood.
    pub content: Digest,
    /// Who found so.
    pub actor: Actor,
    /// Why.
    pub reason: String,
    /// Since when it holds.
    pub since: Timestamp,
    /// Until when, this moment excluded.
    pub expires: Timestamp,
}
codec_struct!(Exception { subject, list, entry, content, actor, reason, since, expires });

impl Exception {
    /// What decisions cite, and what withdraws it.
    pub fn id(&self) -> Digest {
        digest_of("hansa/exception/v1", self)
    }

    /// Whether it holds at `now`.
    pub fn holds(&self, now: Timestamp) -> bool {
        self.since <= now && now < self.expires
    }
}

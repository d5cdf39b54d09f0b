//! What names a message, and what the application says about it.

use std::fmt;
use std::sync::Arc;

use hansa_types::hash::{Digest, digest};

/// Gives the content id of a message, or nothing for bytes that do not decode.
///
/// Runs in the driver's task on whatever a member sends: it must be quick and must not panic.
pub type ContentIdFn = Arc<dyn Fn(&[u8]) -> Option<Digest> + Send + Sync>;

/// The digest of a message's bytes, all of them: gossipsub's message id.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageId(pub [u8; 32]);

impl MessageId {
    /// The id of `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        Self(digest("hansa/gossip-bytes/v1", &[bytes]).0)
    }

    pub(crate) fn to_gossip(self) -> libp2p::gossipsub::MessageId {
        libp2p::gossipsub::MessageId::new(&self.0)
    }
}

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Digest(self.0).fmt(f)
    }
}

impl fmt::Debug for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MessageId({self})")
    }
}

/// The content id of `bytes`: the caller's, or for bytes that do not decode one of their own.
pub(crate) fn content_id(of: &ContentIdFn, bytes: &[u8]) -> Digest {
    of(bytes).unwrap_or_else(|| digest("hansa/gossip-undecodable/v1", &[bytes]))
}

/// What the application says about a message it was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Valid: forward it, and ignore further copies of its content.
    Accept,
    /// Neither forward nor blame: known already, or not acceptable here and now (stale, early, unknown root). An
    /// honest member may have forwarded it.
    Ignore,
    /// Wrong wherever it is checked: whoever forwarded it did not check. Lowers that member's score, and four of
    /// these within an hour silence it.
    Reject,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn undecodable_bytes_have_an_id_of_their_own() {
        let known = Digest([7; 32]);
        let of: ContentIdFn = Arc::new(move |bytes| bytes.starts_with(b"ok").then_some(known));
        assert_eq!(content_id(&of, b"ok 1"), content_id(&of, b"ok 2"));
        assert_ne!(content_id(&of, b"x 1"), content_id(&of, b"x 2"));
        assert_ne!(content_id(&of, b"x 1"), Digest(MessageId::of(b"x 1").0));
    }
}

//! A bank's signing keys and secrets, each for one purpose and each in a place of its own.
//!
//! Today that place is a file that only the node's user can read ([`file`]). The rest of the node sees a
//! [`hansa_types::sign::Signer`] or a [`Secret`], so that a token or a vault can take the files' place.

pub mod file;
pub mod pki;
mod secret;

pub use self::file::{FileSigner, KeyError, KeyFolder};
pub use self::secret::{Secret, UnwrapError};

use hansa_types::codec_enum;

/// What a key is for. No key serves two purposes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Purpose {
    /// Signs the manifest and governance (Ed25519).
    Governance,
    /// Signs the audit log's checkpoints (Ed25519).
    Log,
    /// The node's libp2p identity (Ed25519).
    Peer,
    /// Seed of the membership secret and of each epoch's trace secret.
    Member,
    /// Seals the audit log's records.
    Records,
    /// Keys the digests that indexes outside the log are made of.
    Index,
    /// Wraps the witness of a signal until it is proved.
    Witness,
    /// The bearer token of the HTTP interface.
    Api,
    /// Cosigns the checkpoints of other banks' logs (Ed25519).
    Cosigner,
    /// The bearer token of an auditor, who may copy the log and do nothing else.
    Auditor,
}
codec_enum!(Purpose {
    Governance = 1, "governance", Log = 2, "log", Peer = 3, "peer", Member = 4, "member",
    Records = 5, "records",
    Index = 6, "index", Witness = 7, "witness", Api = 8, "api",
    Cosigner = 9, "cosigner",
    Auditor = 10, "auditor",
});

//! Why a node does not start.

use std::path::PathBuf;

use hansa_api::ServeError;
use hansa_consensus::OpenError;
use hansa_keys::{KeyError, Purpose};
use hansa_p2p::InvalidPeerKey;
use hansa_prover::tag::NotATagKey;
use hansa_prover::verify::ContextError;
use hansa_screening::case::PolicyError;
use hansa_types::governance::Refusal;
use hansa_types::id::{BankId, GatewayId};
use hansa_types::manifest::ManifestError;

use crate::config::FramesError;
use crate::files::FileError;
use crate::journal::JournalError;
use crate::lead::LeadError;
use crate::load::LoadError;
use crate::provisional::ProvisionalError;
use crate::retention::RetentionError;

/// Why a node does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The manifest.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// Keys that anybody may have made.
    #[error(
        "the manifest says development = true: whoever made its keys can forge proofs, or try out whose account a tag is of. \
         Start with --development to accept that"
    )]
    Development,
    /// A development key in a consortium that is none.
    #[error(
        "node.development_tag_key is set, and the manifest is not of a development consortium: remove it"
    )]
    DevelopmentKey,
    /// No way to make tags.
    #[error("this release makes tags with node.development_tag_key alone: name the file")]
    NoTagKey,
    /// The tag key is another consortium's.
    #[error("{0} is not the tag key that the manifest names")]
    ForeignTagKey(PathBuf),
    /// Frames.
    #[error(transparent)]
    Frames(#[from] FramesError),
    /// The rules on cases.
    #[error(transparent)]
    Cases(#[from] PolicyError),
    /// The tag key's file.
    #[error(transparent)]
    TagKey(#[from] NotATagKey),
    /// What node.amendments holds does not follow from the manifest.
    #[error("node.amendments: {0}")]
    Amendments(#[from] Refusal),
    /// Not a member.
    #[error(
        "the manifest has no member {0}: is node.bank right? A bank that joined later needs node.amendments, \
         and one that was removed is none"
    )]
    NotMember(BankId),
    /// Another key than the manifest says.
    #[error(
        "the {purpose} key of this node is not the one the manifest has for {bank}: was the folder exchanged?"
    )]
    ForeignKey {
        /// Which key.
        purpose: Purpose,
        /// Of whom.
        bank: BankId,
    },
    /// The name of a log or witness.
    #[error("the manifest's names cannot stand in a checkpoint: {0}")]
    WitnessName(#[from] hansa_audit_log::note::KeyError),
    /// The gateway to share through does not exist.
    #[error("signalling.gateway is {0}, which the manifest does not have")]
    NoGateway(GatewayId),
    /// An address of somebody unknown.
    #[error("p2p.peers names {0}, which is not a member")]
    UnknownPeer(BankId),
    /// An address that is none.
    #[error("p2p.peers.{bank}: {reason}")]
    Address {
        /// Whose.
        bank: BankId,
        /// What is wrong.
        reason: String,
    },
    /// A file.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// A key file.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// A proving or verifying key.
    #[error("{path}: {source}")]
    ProofKey {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        source: hansa_prover::keys::KeyError,
    },
    /// The manifest is for another program.
    #[error(transparent)]
    Context(#[from] ContextError),
    /// A peer key of the manifest.
    #[error(transparent)]
    PeerKey(#[from] InvalidPeerKey),
    /// The store or the Raft group.
    #[error(transparent)]
    Consensus(#[from] OpenError),
    /// The customers' file.
    #[error(transparent)]
    Customers(#[from] crate::customers::FileError),
    /// The archive of lists and models.
    #[error(transparent)]
    Archive(#[from] FileError),
    /// How long records are kept.
    #[error(transparent)]
    Retention(#[from] RetentionError),
    /// The folder of backups.
    #[error(transparent)]
    Backup(#[from] hansa_consensus::backup::BackupError),
    /// The log.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The decisions taken without a quorum.
    #[error(transparent)]
    Provisional(#[from] ProvisionalError),
    /// The network of banks.
    #[error(transparent)]
    Network(#[from] hansa_p2p::StartError),
    /// What the leader does.
    #[error(transparent)]
    Lead(#[from] Box<LeadError>),
    /// The HTTP interface.
    #[error(transparent)]
    Serve(#[from] ServeError),
    /// A part that the node cannot do without gave up: what is in the log is safe, and a restart reads it again.
    #[error("{0}")]
    Stopped(String),
    /// The runtime.
    #[error("the runtime does not start: {0}")]
    Runtime(#[from] std::io::Error),
}

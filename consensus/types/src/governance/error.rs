//! Why something is not taken in.

use crate::hash::Digest;
use crate::id::{BankId, Epoch, GatewayId};
use crate::manifest::ManifestError;

/// Why a proposal, vote, certificate or commitment is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// For another state.
    #[error(
        "it is for head {found}, number {number}, and the consortium is at head {head}: look at `hansa governance \
         list` and propose it anew"
    )]
    Stale {
        /// The head it names.
        found: Digest,
        /// The number it names.
        number: u64,
        /// Where the consortium is.
        head: Digest,
    },
    /// Of nobody.
    #[error("{0} is no member")]
    NotMember(BankId),
    /// Not by that member's key.
    #[error("the signature of {0} does not fit: it was made for something else or with another key")]
    Signature(BankId),
    /// A newcomer, or one whose keys change, has not agreed.
    #[error("{0} has not signed the state that it joins or changes: have it accepted there anew")]
    NotAccepted(BankId),
    /// A member already.
    #[error("{0} is a member already")]
    Member(BankId),
    /// No such model.
    #[error("model {0} is not registered")]
    NoModel(u32),
    /// Model versions grow.
    #[error("a model's version must be above {last}, the last one registered")]
    ModelVersion {
        /// The last one.
        last: u32,
    },
    /// No such gateway.
    #[error("there is no gateway {0}")]
    NoGateway(GatewayId),
    /// The order of circuits is the order of epochs.
    #[error("a circuit is in force from epoch {0} on already: let the next one activate later")]
    CircuitEpoch(Epoch),
    /// The old key is known to who leaves.
    #[error("a removal needs a fresh tag key: the removed bank has a share of the present one")]
    TagKey,
    /// There are too few others.
    #[error(
        "{bank} cannot be removed: {wanted} of {institutions} institutions decide, and it has no vote on it. Revoke it \
         for a while, or found a new consortium whose manifest cites this head (refounds)"
    )]
    CannotRemove {
        /// Who.
        bank: BankId,
        /// How many institutions there are, its own among them.
        institutions: usize,
        /// How many decide.
        wanted: usize,
    },
    /// The target's institution voted.
    #[error("{0} belongs to the institution that this is about, and has no vote on it")]
    TargetVotes(BankId),
    /// Amendments hold in their order.
    #[error("it would activate in epoch {activates}, before the amendment it follows, in epoch {last}")]
    Activation {
        /// Its epoch.
        activates: Epoch,
        /// That of the last amendment.
        last: Epoch,
    },
    /// A revocation that ends before it begins, or too late.
    #[error("a revocation from epoch {from} on ends between then and epoch {latest}, not with {until}")]
    RevocationEnd {
        /// Its first epoch.
        from: Epoch,
        /// Its last.
        until: Epoch,
        /// The last possible.
        latest: Epoch,
    },
    /// The manifest that it gives is not usable.
    #[error("{0}")]
    Content(String),
    /// Not enough.
    #[error("{voted} of {institutions} institutions have voted for it, and {wanted} decide")]
    Quorum {
        /// How many have.
        voted: usize,
        /// Of how many.
        institutions: usize,
        /// How many have to.
        wanted: usize,
    },
    /// An earlier round may have decided otherwise.
    #[error(
        "round {round} could have decided otherwise: {excluded} institutions are known to have voted for something else \
         there, and {wanted} are needed. Ask those who have not voted in it to vote for none"
    )]
    NoEvidence {
        /// Which round.
        round: u16,
        /// How many exclude the likeliest other proposal.
        excluded: usize,
        /// How many have to.
        wanted: usize,
    },
    /// Beyond the last round.
    #[error("round {0} is beyond the last, {last}", last = super::MAX_ROUND)]
    Round(u16),
    /// The kind of vote does not fit the proposal.
    #[error("the vote is not for this proposal")]
    OtherProposal,
    /// Two choices in one round.
    #[error("{bank} has voted otherwise in round {round}: nobody votes twice in a round")]
    Equivocates {
        /// Who.
        bank: BankId,
        /// In which round.
        round: u16,
    },
    /// Not two such votes.
    #[error("the two votes can both be honest")]
    NoEquivocation,
    /// Too many open.
    #[error("{0} has {most} open proposals: let one be decided first", most = super::MAX_OPEN)]
    TooMany(BankId),
    /// A commitment that comes too late.
    #[error(
        "{bank} committed to its trace secret of epoch {epoch} in epoch {now}: too late, it has no leaf in that epoch"
    )]
    TooLate {
        /// Who.
        bank: BankId,
        /// For which epoch.
        epoch: Epoch,
        /// When.
        now: Epoch,
    },
    /// A commitment that comes too early.
    #[error(
        "{bank} committed to its trace secret of epoch {epoch} in epoch {now}: commit for {most} epochs ahead at the most",
        most = super::TRACE_HORIZON
    )]
    TooEarly {
        /// Who.
        bank: BankId,
        /// For which epoch.
        epoch: Epoch,
        /// When.
        now: Epoch,
    },
    /// Commitments of other secrets.
    #[error("{0} commits for another membership than it has")]
    OtherMembership(BankId),
    /// The message holds nothing, or too much.
    #[error("{0}")]
    Form(String),
}

impl From<ManifestError> for Refusal {
    fn from(error: ManifestError) -> Self {
        Self::Content(error.to_string())
    }
}

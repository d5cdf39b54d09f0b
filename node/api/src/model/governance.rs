//! Governance: what is in force and what is open, and what an operator wants of it. Actions and differences are
//! [`hansa_types::governance`]'s own.

use hansa_types::governance::{Action, Difference};
use hansa_types::hash::{Digest, Field};
use hansa_types::id::{Actor, BankId, Epoch, GatewayId};
use serde::{Deserialize, Serialize};

/// Where the consortium is, as this node has applied it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GovernanceView {
    /// The consortium's id.
    pub consortium: Digest,
    /// How many amendments were decided.
    pub number: u64,
    /// The head: what the next amendment changes.
    pub head: Digest,
    /// The epoch now.
    pub epoch: Epoch,
    /// From which epoch on the last amendment holds.
    pub activates: Epoch,
    /// How many institutions there are.
    pub institutions: usize,
    /// How many of them decide an amendment.
    pub quorum: usize,
    /// How many of them revoke a member.
    pub majority: usize,
    /// From how many equivocating institutions on two amendments could be decided in one place.
    pub bound: usize,
    /// The members in force.
    pub members: Vec<MemberView>,
    /// What is open.
    pub proposals: Vec<ProposalView>,
    /// What was decided, by number.
    pub amendments: Vec<AmendmentView>,
    /// Members that voted twice in one round, by their own signatures.
    pub equivocated: Vec<BankId>,
    /// The member root of each gateway in this epoch.
    pub member_roots: Vec<MemberRoot>,
    /// The root of the registry of models.
    pub registry_root: Field,
}

/// A member.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemberView {
    /// Its id.
    pub bank: BankId,
    /// Its institution.
    pub institution: String,
    /// Whether it is shut out now.
    pub revoked: bool,
    /// The last epoch for which it has committed to a trace secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_trace: Option<Epoch>,
}

/// A root that signals of a gateway are proved against.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemberRoot {
    /// The gateway.
    pub gateway: GatewayId,
    /// How many members are active in it.
    pub active: usize,
    /// The root.
    pub root: Field,
}

/// An open proposal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProposalView {
    /// What votes name.
    pub digest: Digest,
    /// In a few words.
    pub summary: String,
    /// Who proposed it.
    pub by: BankId,
    /// From which epoch on it would hold.
    pub activates: Epoch,
    /// How many institutions have to vote for it.
    pub wanted: usize,
    /// Who voted for it, by round.
    pub votes: Vec<RoundView>,
}

/// The votes of one round.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoundView {
    /// The round.
    pub round: u16,
    /// Who voted for the proposal.
    pub banks: Vec<BankId>,
}

/// A decided amendment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AmendmentView {
    /// Its number.
    pub number: u64,
    /// The proposal's digest.
    pub digest: Digest,
    /// In a few words.
    pub summary: String,
    /// From which epoch on it holds.
    pub activates: Epoch,
    /// Who voted for it.
    pub votes: Vec<BankId>,
}

/// A change that somebody thinks of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProposalRequest {
    /// What.
    pub action: Action,
    /// From which epoch on: without it from the next, and for a revocation from this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub activates: Option<Epoch>,
    /// Who of this bank proposes it; without it nothing is proposed, and the answer says what would change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor: Option<Actor>,
}

/// What a proposal would change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangesView {
    /// The proposal's digest.
    pub digest: Digest,
    /// In a few words.
    pub summary: String,
    /// The head that it changes.
    pub parent: Digest,
    /// The number that it would have.
    pub number: u64,
    /// From which epoch on it would hold.
    pub activates: Epoch,
    /// What differs.
    pub changes: Vec<Difference>,
    /// What the manifest that it gives may say, and its voters should know.
    pub remarks: Vec<String>,
    /// Whether it was decided by what was just done.
    pub decided: bool,
}

/// This bank's vote.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VoteRequest {
    /// The proposal.
    pub proposal: Digest,
    /// For it, or for none of the round.
    pub approve: bool,
    /// The round.
    #[serde(default)]
    pub round: u16,
    /// Who of this bank votes.
    pub actor: Actor,
}

/// Something signed elsewhere: a message from an offline key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MessageRequest {
    /// The message in its canonical encoding, in hexadecimal.
    pub message: String,
    /// Who of this bank brings it.
    pub actor: Actor,
}

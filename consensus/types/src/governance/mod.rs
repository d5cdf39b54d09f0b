//! Governance: how the members change what the manifest says, as data with pure, signed transitions.
//!
//! # The chain
//!
//! The signed manifest is state 0, and its id the first head. Each amendment names the head it changes (its parent) and
//! the next number; applied, it gives the next head, the digest of parent and proposal. A [`Certificate`] holds a
//! proposal and the votes for it, and verifies offline against its parent state, so anyone replays the chain from the
//! signed manifest to the head ([`State`]). Whatever was proposed or voted before an amendment names a head that is no
//! more: adding a circuit, like every other amendment, voids what is open.
//!
//! # Who decides
//!
//! Votes count per institution: the members with one ultimate parent have one vote together, and it is given when all
//! of them have signed. Of `n` institutions `q = floor(2n/3) + 1` decide. `n` includes the institution of a member that
//! is to be removed, which does not vote: three banks cannot remove one of them. They revoke it for a while (below), or
//! found a new consortium whose manifest cites the old head ([`crate::manifest::Manifest::refounds`]).
//!
//! # Why no two amendments are decided in one place
//!
//! A vote binds parent, number, round and proposal. Say an institution *equivocates* if it signs two choices in one
//! round. Fewer than `2q - n` equivocate; then at most one amendment follows a head:
//!
//! - **One round.** Two quorums share at least `2q - n` institutions, each of which signed for both.
//! - **Two rounds.** A certificate of round `r` carries, for every earlier round, signed votes that exclude every other
//!   proposal: for each such proposal `D`, `q` institutions signed something else than `D` in that round ([`Choice::None`]
//!   is something else). Had `D` a quorum there, these two sets of `q` would share `2q - n` institutions, each of which
//!   signed both, `D` and something else, in one round.
//!
//! The argument asks nothing of voters but not to sign twice in a round: the evidence is checked by whoever checks the
//! certificate. From `2q - n` equivocators on it fails (the test `counterexample_at_the_bound` shows how), and each of
//! them leaves two signatures that anyone can hold against it ([`Equivocation`]). The price is liveness: if votes split
//! so that no proposal is excluded by `q` institutions, no later round can begin, and the consortium is stuck until
//! someone who has not voted in the round does.
//!
//! # Emergency
//!
//! More than half of the institutions revoke a member at once ([`Action::Revoke`]). Majorities overlap in too little to
//! order anything, so revocations are no part of the chain: they are a set, in which order does not matter, each with an
//! end of its own at most [`MAX_REVOCATION`] epochs away. A removal makes one permanent; new keys for the member end it.

mod action;
mod apply;
mod ballot;
mod certificate;
mod diff;
mod electorate;
mod error;
mod ledger;
mod message;
mod paper;
mod state;
mod traces;
mod vote;

pub use self::action::{Action, Proposal, acceptance};
pub use self::ballot::Ballot;
pub use self::certificate::Certificate;
pub use self::diff::{Difference, diff};
pub use self::electorate::Electorate;
pub use self::error::Refusal;
pub use self::ledger::{Effect, Entry, Ledger};
pub use self::message::{Message, SYNC_REQUEST, SyncRequest, SyncResponse};
pub use self::paper::{MAX_CHAIN, Paper, PaperError};
pub use self::state::{Revocation, State};
pub use self::traces::SignedTraces;
pub use self::vote::{Choice, Equivocation, SignedVote, Vote};

/// The version byte of messages and papers.
pub const GOVERNANCE_VERSION: u8 = 1;
/// For how many epochs a revocation holds at the most.
pub const MAX_REVOCATION: u32 = 30;
/// The last round of a number: a consortium that is undecided after so many has another problem.
pub const MAX_ROUND: u16 = 15;
/// The most votes of earlier rounds that a certificate carries.
pub const MAX_EVIDENCE: usize = 512;
/// How many proposals of one member can be open at once.
pub const MAX_OPEN: usize = 8;
/// The most messages that one node tells another it has.
pub const MAX_KNOWN: usize = 4096;
/// The most bytes of messages in one answer.
pub const MAX_SYNC: usize = 200 << 10;
/// How many epochs one message commits trace secrets for at the most.
pub const MAX_TRACES: usize = 512;
/// How many epochs ahead of its own a trace commitment must arrive: none for the epoch that comes next.
pub const TRACE_CUTOFF: u32 = 1;
/// How many epochs ahead of its own a trace commitment may arrive: it bounds what a member can make others keep.
pub const TRACE_HORIZON: u32 = 512;

//! Governance as the interfaces ask for it: what is in force and open, what a change would do, this bank's part in it.

use std::collections::BTreeSet;

use hansa_api::Problem;
use hansa_api::model::{
    AmendmentView, ChangesView, GovernanceView, MemberRoot, MemberView, MessageRequest, ProposalRequest,
    ProposalView, RoundView, VoteRequest,
};
use hansa_keys::{FileSigner, KeyError, Purpose};
use hansa_prover::field::encode;
use hansa_types::codec::{Decode, Encode};
use hansa_types::governance::{
    Action, Choice, Effect, Electorate, Ledger, MAX_EVIDENCE, MAX_ROUND, Message, Paper, Proposal, Refusal,
    State, SyncResponse, Vote, diff,
};
use hansa_types::hash::Digest;
use hansa_types::id::{BankId, Epoch};
use hansa_types::manifest::Manifest;
use hansa_types::sign::Signer as _;

use crate::flows::governance::{GovernanceError, next_epoch, take_in};
use crate::node::Node;
use crate::service::journal_problem;

/// Where the consortium is.
pub(crate) fn view(node: &Node) -> Result<GovernanceView, Problem> {
    let (now, context) = (node.now(), node.context());
    let epoch = node.governed.epoch(now);
    let ledger = node.governed.ledger().clone();
    let (state, manifest) = (ledger.state(), context.manifest(epoch));
    let electorate = Electorate::of(state.decided());
    let revoked = state.revoked(epoch);
    let member = |(bank, member): (&BankId, &hansa_types::manifest::Member)| MemberView {
        bank: bank.clone(),
        institution: member.institution.clone(),
        revoked: revoked.contains(bank),
        last_trace: member.traces.keys().next_back().copied(),
    };
    let root = |gateway| {
        let members =
            context.members(gateway, epoch).map_err(|error| Problem::internal(error.to_string()))?;
        Ok(MemberRoot { gateway, active: members.active(), root: encode(&members.root()) })
    };
    Ok(GovernanceView {
        consortium: state.consortium(),
        number: state.number(),
        head: state.head(),
        epoch,
        activates: state.activates(),
        institutions: electorate.size(),
        quorum: electorate.quorum(),
        majority: electorate.majority(),
        bound: electorate.bound(),
        members: manifest.members.iter().map(member).collect(),
        proposals: proposals(&ledger, &electorate),
        amendments: amendments(&ledger),
        equivocated: equivocated(&ledger),
        member_roots: manifest
            .gateways
            .keys()
            .map(|gateway| root(*gateway))
            .collect::<Result<_, Problem>>()?,
        registry_root: encode(&context.registry(epoch).root()),
    })
}

fn proposals(ledger: &Ledger, electorate: &Electorate) -> Vec<ProposalView> {
    let votes: Vec<_> = ledger.ballot().votes().collect();
    let rounds = |proposal: &Proposal| {
        let of = |round| {
            let wanted = proposal.vote(round);
            let banks = votes.iter().filter(|signed| signed.vote == wanted).map(|signed| signed.bank.clone());
            RoundView { round, banks: banks.collect() }
        };
        (0..=MAX_ROUND).map(of).filter(|round| !round.banks.is_empty()).collect()
    };
    let view = |(by, proposal): &(BankId, Proposal)| ProposalView {
        digest: proposal.digest(),
        summary: proposal.action.summary(),
        by: by.clone(),
        activates: proposal.activates,
        wanted: proposal.wanted(electorate),
        votes: rounds(proposal),
    };
    // A decided revocation stays on the ballot, as the head is still the same.
    let decided: BTreeSet<Digest> = ledger.revocations().map(|found| found.proposal.digest()).collect();
    let open = |(_, proposal): &&(BankId, Proposal)| !decided.contains(&proposal.digest());
    ledger.ballot().proposals().filter(open).map(view).collect()
}

fn amendments(ledger: &Ledger) -> Vec<AmendmentView> {
    let view = |certificate: &hansa_types::governance::Certificate| AmendmentView {
        number: certificate.proposal.number,
        digest: certificate.proposal.digest(),
        summary: certificate.proposal.action.summary(),
        activates: certificate.proposal.activates,
        votes: certificate.votes.keys().cloned().collect(),
    };
    ledger.amendments().iter().map(view).collect()
}

fn equivocated(ledger: &Ledger) -> Vec<BankId> {
    let open = ledger.ballot().equivocations();
    let mut banks: Vec<BankId> =
        ledger.equivocations().iter().chain(&open).map(|found| found.first.bank.clone()).collect();
    banks.sort();
    banks.dedup();
    banks
}

/// What a change would do, and, if somebody is named who wants it, proposes it with this bank's vote.
pub(crate) async fn propose(node: &Node, request: ProposalRequest) -> Result<ChangesView, Problem> {
    let ProposalRequest { action, activates, actor } = request;
    let proposal = at_head(node, action, activates);
    let mut changes = changes(node, &proposal)?;
    if let Some(actor) = actor {
        let vote = sign(node, proposal.vote(0))?;
        let message = Message::Proposal { proposal, vote };
        let effect = take_in(node, message, Some(actor)).await.map_err(governance_problem)?;
        changes.decided = matches!(effect, Effect::Decided(_));
    }
    Ok(changes)
}

/// The proposal of a change to what was decided last: from the next epoch on unless told otherwise, a revocation from
/// this one.
fn at_head(node: &Node, action: Action, activates: Option<Epoch>) -> Proposal {
    let ledger = node.governed.ledger();
    let state = ledger.state();
    let now = node.now();
    let present = match action {
        Action::Revoke { .. } => node.governed.epoch(now),
        _ => next_epoch(node, now).max(state.activates()),
    };
    Proposal {
        parent: state.head(),
        number: state.number() + 1,
        activates: activates.unwrap_or(present),
        action,
    }
}

/// What an open proposal, or one that was decided, changes.
pub(crate) fn show(node: &Node, digest: Digest) -> Result<ChangesView, Problem> {
    let ledger = node.governed.ledger().clone();
    let mut decided = ledger.amendments().iter().chain(ledger.revocations()).map(|found| &found.proposal);
    let Some(proposal) = decided.find(|proposal| proposal.digest() == digest) else {
        return changes(node, ledger.ballot().proposal(&digest).ok_or_else(|| unknown(digest))?);
    };
    let internal = |refusal: Refusal| Problem::internal(refusal.to_string());
    let mut state = State::found(node.governed.founded().clone());
    for certificate in ledger.amendments().iter().filter(|found| found.proposal.number < proposal.number) {
        state.decide(certificate).map_err(internal)?;
    }
    let after = state.preview(proposal).map_err(internal)?;
    Ok(described(proposal, state.decided(), &after, true))
}

fn unknown(digest: Digest) -> Problem {
    Problem::not_found(format!("no proposal {digest} is open or decided"))
        .with_hint("`hansa governance list` shows the digests; an amendment voids what was open before it")
}

fn changes(node: &Node, proposal: &Proposal) -> Result<ChangesView, Problem> {
    let ledger = node.governed.ledger();
    let after = ledger.state().preview(proposal).map_err(|refusal| Problem::conflict(refusal.to_string()))?;
    Ok(described(proposal, ledger.state().decided(), &after, false))
}

fn described(proposal: &Proposal, before: &Manifest, after: &Manifest, decided: bool) -> ChangesView {
    ChangesView {
        digest: proposal.digest(),
        summary: proposal.action.summary(),
        parent: proposal.parent,
        number: proposal.number,
        activates: proposal.activates,
        changes: diff(before, after),
        remarks: after.remarks().iter().map(ToString::to_string).collect(),
        decided,
    }
}

/// Votes for a proposal, or for none of the round.
pub(crate) async fn vote(node: &Node, request: VoteRequest) -> Result<ChangesView, Problem> {
    let VoteRequest { proposal: digest, approve, round, actor } = request;
    let proposal =
        node.governed.ledger().ballot().proposal(&digest).cloned().ok_or_else(|| unknown(digest))?;
    let mut view = changes(node, &proposal)?;
    let vote = proposal.vote(round);
    let message = if approve {
        Message::Proposal { vote: sign(node, vote)?, proposal }
    } else if matches!(proposal.action, Action::Revoke { .. }) {
        return Err(Problem::conflict("a revocation is voted for, or not at all"));
    } else {
        Message::Vote(sign(node, Vote { choice: Choice::None, ..vote })?)
    };
    let effect = take_in(node, message, Some(actor)).await.map_err(governance_problem)?;
    view.decided = matches!(effect, Effect::Decided(_));
    Ok(view)
}

/// Signs a vote that an honest member may give, if the governance key is here.
fn sign(node: &Node, vote: Vote) -> Result<hansa_types::governance::SignedVote, Problem> {
    let key = governance_key(node)?;
    let refused = |refusal: Refusal| Problem::conflict(refusal.to_string());
    let ledger = node.governed.ledger();
    ledger.ballot().permits(ledger.state(), &node.bank, &vote).map_err(refused)?;
    let signed = vote.sign(&node.bank, &key).map_err(|error| Problem::internal(error.to_string()))?;
    signed.check(ledger.state().decided()).map_err(refused)?;
    Ok(signed)
}

fn governance_key(node: &Node) -> Result<FileSigner, Problem> {
    let problem = |error: KeyError| Problem::internal(error.to_string());
    if node.keys.find(Purpose::Governance).map_err(problem)?.is_none() {
        return Err(Problem::conflict("the governance key is not on this machine").with_hint(
            "write a ballot paper (`hansa governance propose FILE --paper OUT`, or `hansa governance paper` of an open \
             proposal), sign it where the key is with `hansa-genesis governance sign`, and hand in what comes back \
             with `hansa governance apply`",
        ));
    }
    let key = node.keys.signer(Purpose::Governance).map_err(problem)?;
    let ledger = node.governed.ledger();
    match ledger.state().decided().members.get(&node.bank) {
        Some(member) if member.governance_key == key.public_key() => Ok(key),
        Some(_) => {
            Err(Problem::conflict("the governance key here is not the one that the members decided last")
                .with_hint("put the new key in place of keys/governance.key"))
        }
        None => Err(Problem::conflict("this bank is no member any more")),
    }
}

/// What an offline key needs to vote on an open proposal.
pub(crate) fn paper(node: &Node, digest: Digest, round: u16) -> Result<Vec<u8>, Problem> {
    let open = node.governed.ledger().ballot().proposal(&digest).cloned();
    Ok(paper_on(node, open.ok_or_else(|| unknown(digest))?, round))
}

/// What an offline key needs to propose a change with its vote.
pub(crate) fn draft_paper(node: &Node, request: ProposalRequest) -> Result<Vec<u8>, Problem> {
    let ProposalRequest { action, activates, actor } = request;
    if actor.is_some() {
        return Err(Problem::malformed(
            "a ballot paper proposes nothing: leave the actor to who hands it in",
        ));
    }
    let proposal = at_head(node, action, activates);
    changes(node, &proposal)?;
    Ok(paper_on(node, proposal, 0))
}

fn paper_on(node: &Node, proposal: Proposal, round: u16) -> Vec<u8> {
    let ledger = node.governed.ledger();
    let earlier = ledger.ballot().votes().filter(|signed| signed.vote.round < round);
    let paper = Paper {
        founders: node.founders.clone(),
        amendments: ledger.amendments().to_vec(),
        earlier: earlier.take(MAX_EVIDENCE).collect(),
        proposal,
        round,
    };
    paper.to_bytes()
}

/// A message that was signed elsewhere.
pub(crate) async fn submit(node: &Node, request: MessageRequest) -> Result<GovernanceView, Problem> {
    let MessageRequest { message, actor } = request;
    let malformed =
        |error: &dyn std::fmt::Display| Problem::malformed(format!("it is no governance message: {error}"));
    let bytes = hex::decode(&message).map_err(|error| malformed(&error))?;
    let message = Message::from_bytes(&bytes).map_err(|error| malformed(&error))?;
    if let Message::Vote(signed) | Message::Proposal { vote: signed, .. } = &message
        && signed.bank == node.bank
    {
        let ledger = node.governed.ledger();
        let permitted = ledger.ballot().permits(ledger.state(), &signed.bank, &signed.vote);
        permitted.map_err(|refusal| Problem::conflict(refusal.to_string()))?;
    }
    take_in(node, message, Some(actor)).await.map_err(governance_problem)?;
    view(node)
}

/// Every amendment, for a bank that joins.
pub(crate) fn chain(node: &Node) -> Vec<u8> {
    let ledger = node.governed.ledger();
    let fingerprint = ledger.fingerprint(node.governed.epoch(node.now()));
    let messages = ledger.amendments().iter().cloned().map(Message::Certificate).collect();
    SyncResponse { number: ledger.state().number(), head: ledger.state().head(), fingerprint, messages }
        .to_bytes()
}

fn governance_problem(error: GovernanceError) -> Problem {
    match error {
        GovernanceError::Refused(refusal) => Problem::conflict(refusal.to_string()),
        GovernanceError::Journal(error) => journal_problem(error),
        other => Problem::internal(other.to_string()),
    }
}

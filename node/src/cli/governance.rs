//! `hansa governance`: what the members have decided, what is open, and this bank's part in it.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand};
use hansa_api::Client;
use hansa_api::model::{
    ChangesView, GovernanceView, MessageRequest, ProposalRequest, ProposalView, VoteRequest,
};
use hansa_keys::{KeyFolder, Purpose};
use hansa_types::codec::{Decode, Encode};
use hansa_types::governance::{Action, Message, acceptance};
use hansa_types::hash::Digest;
use hansa_types::id::{Actor, BankId, Epoch};
use hansa_types::manifest::{Member, SignedManifest};
use hansa_types::sign::{Signature, Signer as _};

use super::output::{Output, short, table};
use super::{CliError, audit, client, load};

/// What can be done about governance.
#[derive(Debug, Subcommand)]
pub enum GovernanceCommand {
    /// List the members, what is open and what was decided.
    #[command(after_help = "Example:\n  hansa governance list")]
    List,
    /// Show what a proposal changes, line by line.
    #[command(after_help = "Example:\n  hansa governance show 3f2a...9c")]
    Show {
        /// The proposal's digest.
        proposal: Digest,
    },
    /// Propose a change to the members, with this bank's vote for it; or write the ballot paper on which a governance key
    /// that is kept offline does so.
    #[command(
        after_help = "The file holds one action in JSON, for example {\"retire_model\": 3}.\n\nExample:\n  \
                            hansa governance propose model.json --activates 12 --actor officer.a\n  \
                            hansa governance propose model.json --paper paper.hansa"
    )]
    Propose(ProposeArgs),
    /// Vote for a proposal, or for none of its round. Nobody votes twice in a round.
    #[command(after_help = "Example:\n  hansa governance vote 3f2a...9c --actor officer.a")]
    Vote {
        /// The proposal's digest.
        proposal: Digest,
        /// For nothing in this round: enough of these let the next round begin.
        #[arg(long)]
        none: bool,
        /// The round.
        #[arg(long, default_value_t = 0)]
        round: u16,
        /// The officer's login.
        #[arg(long)]
        actor: Actor,
    },
    /// Hand in what was signed where the governance key is; or show what a file would change.
    #[command(after_help = "Example:\n  hansa governance apply model.json --dry-run\n  \
                            hansa governance apply vote.hansa --actor officer.a")]
    Apply(ApplyArgs),
    /// Write the ballot paper of an open proposal, for a governance key that is kept offline.
    #[command(after_help = "Example:\n  hansa governance paper 3f2a...9c --out paper.hansa")]
    Paper {
        /// The proposal's digest.
        proposal: Digest,
        /// The round.
        #[arg(long, default_value_t = 0)]
        round: u16,
        /// The file to write; one that exists is not overwritten.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
    /// Write every amendment, for a bank that joins (`node.amendments`).
    #[command(after_help = "Example:\n  hansa governance export --out amendments.hansa")]
    Export {
        /// The file to write; one that exists is not overwritten.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
    /// Sign the state that this bank joins, or under which its entry changes, and write the action for a member to
    /// propose. Needs no running node.
    #[command(
        after_help = "Example:\n  hansa governance accept --head 3f2a...9c --member member.json --out admit.json"
    )]
    Accept(AcceptArgs),
}

/// What to propose.
#[derive(Debug, Args)]
pub struct ProposeArgs {
    /// The action.
    file: PathBuf,
    /// The first epoch in which it holds; without it the next one, and for a revocation this one.
    #[arg(long, value_name = "EPOCH")]
    activates: Option<u32>,
    /// The officer's login.
    #[arg(long, required_unless_present = "paper", conflicts_with = "paper")]
    actor: Option<Actor>,
    /// Propose nothing: write the ballot paper to this file; one that exists is not overwritten.
    #[arg(long, value_name = "FILE")]
    paper: Option<PathBuf>,
}

/// What to hand in.
#[derive(Debug, Args)]
pub struct ApplyArgs {
    /// A signed message, or with --dry-run an action in JSON.
    file: PathBuf,
    /// Only show what would change.
    #[arg(long)]
    dry_run: bool,
    /// The first epoch in which it would hold.
    #[arg(long, value_name = "EPOCH", requires = "dry_run")]
    activates: Option<u32>,
    /// The officer's login.
    #[arg(long, required_unless_present = "dry_run")]
    actor: Option<Actor>,
}

/// What to accept.
#[derive(Debug, Args)]
pub struct AcceptArgs {
    /// The head that a member's `hansa governance list` shows.
    #[arg(long)]
    head: Digest,
    /// The bank's entry, as `hansa init` wrote it.
    #[arg(long, value_name = "FILE")]
    member: PathBuf,
    /// The bank is a member already, and its entry changes.
    #[arg(long)]
    rotate: bool,
    /// How many of the other members must cosign a checkpoint from now on; without it as the founders had it.
    #[arg(long, value_name = "K")]
    witness_quorum: Option<u8>,
    /// The file to write; one that exists is not overwritten.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

pub(super) fn execute(command: GovernanceCommand, config: &Path, out: &Output) -> Result<ExitCode, CliError> {
    match command {
        GovernanceCommand::List => out.print(&client(config)?.governance()?, list),
        GovernanceCommand::Show { proposal } => out.print(&client(config)?.proposal(&proposal)?, changes),
        GovernanceCommand::Propose(ProposeArgs { file, activates, actor, paper }) => {
            let action = read_action(&read(&file)?)?;
            let request = ProposalRequest { action, activates: activates.map(Epoch), actor };
            match paper {
                Some(paper) => written(&paper, &client(config)?.draft_paper(&request)?, out)?,
                None => out.print(&client(config)?.propose(&request)?, |view| done("proposed", view)),
            }
        }
        GovernanceCommand::Vote { proposal, none, round, actor } => {
            let request = VoteRequest { proposal, approve: !none, round, actor };
            out.print(&client(config)?.vote(&request)?, |view| done("voted on", view));
        }
        GovernanceCommand::Apply(args) => apply(args, &client(config)?, out)?,
        GovernanceCommand::Paper { proposal, round, out: file } => {
            written(&file, &client(config)?.ballot_paper(&proposal, round)?, out)?;
        }
        GovernanceCommand::Export { out: file } => written(&file, &client(config)?.amendments()?, out)?,
        GovernanceCommand::Accept(args) => accept(&args, config, out)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn read(path: &Path) -> Result<Vec<u8>, CliError> {
    std::fs::read(path).map_err(|source| CliError::File { path: path.to_owned(), source })
}

fn read_action(bytes: &[u8]) -> Result<Action, CliError> {
    serde_json::from_slice(bytes).map_err(|error| CliError::Action(error.to_string()))
}

fn apply(args: ApplyArgs, client: &Client, out: &Output) -> Result<(), CliError> {
    let ApplyArgs { file, dry_run, activates, actor } = args;
    let bytes = read(&file)?;
    match (Message::from_bytes(&bytes), dry_run, actor) {
        (Ok(message), false, Some(actor)) => {
            let request = MessageRequest { message: hex::encode(message.to_bytes()), actor };
            out.print(&client.take_in(&request)?, list);
        }
        (Ok(Message::Proposal { proposal, .. }), ..) => {
            let (action, activates) = (proposal.action, Some(proposal.activates));
            out.print(&client.propose(&ProposalRequest { action, activates, actor: None })?, changes);
        }
        (Ok(message), ..) => out.print(&message, Message::summary),
        (Err(_), true, _) => {
            let request = ProposalRequest {
                action: read_action(&bytes)?,
                activates: activates.map(Epoch),
                actor: None,
            };
            out.print(&client.propose(&request)?, changes);
        }
        (Err(_), false, _) => {
            return Err(CliError::Usage(
                "the file holds no signed message: an action is proposed with `hansa governance propose`",
            ));
        }
    }
    Ok(())
}

fn written(path: &Path, bytes: &[u8], out: &Output) -> Result<(), CliError> {
    audit::write(path, bytes)?;
    out.print(&serde_json::json!({ "file": path, "bytes": bytes.len() }), |_| {
        format!("written to {}", path.display())
    });
    Ok(())
}

fn accept(args: &AcceptArgs, config: &Path, out: &Output) -> Result<(), CliError> {
    let config = load(config)?;
    let member: Member =
        serde_json::from_slice(&read(&args.member)?).map_err(|e| CliError::Action(e.to_string()))?;
    let founders = SignedManifest::open(&read(&config.node.manifest)?)?;
    let key = KeyFolder::new(&config.node.keys).signer(Purpose::Governance)?;
    let bank = config.node.bank;
    let accepted =
        key.sign(&acceptance(&args.head, &bank, &member)).map_err(|e| CliError::Action(e.to_string()))?;
    let accepted = Signature(accepted);
    let action = if args.rotate {
        Action::Rotate { bank, member, accepted }
    } else {
        let mut witnesses = founders.witnesses;
        witnesses.quorum = args.witness_quorum.unwrap_or(witnesses.quorum);
        Action::Admit { bank, member, tags: founders.tags, witnesses, accepted }
    };
    let json = serde_json::to_vec_pretty(&action).map_err(|error| CliError::Action(error.to_string()))?;
    written(&args.out, &json, out)
}

fn done(what: &str, view: &ChangesView) -> String {
    let decided = if view.decided { "\nit is decided" } else { "" };
    format!("{what} {}: {}{decided}", view.digest, view.summary)
}

fn changes(view: &ChangesView) -> String {
    let ChangesView { digest, summary, number, activates, changes, remarks, decided, .. } = view;
    let state = if *decided { "decided" } else { "not decided" };
    let mut lines =
        vec![format!("{summary}\nproposal {digest}, number {number}, from epoch {activates} on, {state}")];
    lines.extend(changes.iter().map(ToString::to_string));
    lines.extend(remarks.iter().map(|remark| format!("! {remark}")));
    lines.join("\n")
}

fn list(view: &GovernanceView) -> String {
    let GovernanceView { number, head, epoch, activates, institutions, quorum, majority, bound, .. } = view;
    let mut text = format!(
        "amendment {number}, head {head}\nepoch {epoch}; the last amendment holds from epoch {activates} on\n\
         {quorum} of {institutions} institutions decide, {majority} revoke; from {bound} that vote twice on, two \
         amendments could be decided\n\n"
    );
    let member = |member: &hansa_api::model::MemberView| {
        vec![
            member.bank.to_string(),
            member.institution.clone(),
            if member.revoked { "revoked" } else { "" }.to_owned(),
            member.last_trace.map_or("-".to_owned(), |epoch| epoch.to_string()),
        ]
    };
    let rows: Vec<_> = view.members.iter().map(member).collect();
    text += &table(&["member", "institution", "state", "committed until"], &rows, "no members");
    let rows: Vec<_> = view.proposals.iter().flat_map(open).collect();
    text += "\n\n";
    text += &table(
        &["open", "by", "from epoch", "round", "voted", "wanted", "proposal"],
        &rows,
        "nothing is open",
    );
    let rows: Vec<_> = view
        .amendments
        .iter()
        .map(|amendment| {
            vec![
                amendment.number.to_string(),
                amendment.activates.to_string(),
                amendment.summary.clone(),
                short(&amendment.digest),
            ]
        })
        .collect();
    text += "\n\n";
    text += &table(
        &["number", "from epoch", "decided", "proposal"],
        &rows,
        "nothing was decided since the founding",
    );
    if !view.equivocated.is_empty() {
        text += &format!("\n\nVOTED TWICE IN A ROUND: {}", names(&view.equivocated));
    }
    text
}

fn open(proposal: &ProposalView) -> Vec<Vec<String>> {
    let row = |round: &hansa_api::model::RoundView| {
        vec![
            proposal.summary.clone(),
            proposal.by.to_string(),
            proposal.activates.to_string(),
            round.round.to_string(),
            names(&round.banks),
            proposal.wanted.to_string(),
            proposal.digest.to_string(),
        ]
    };
    proposal.votes.iter().map(row).collect()
}

fn names(banks: &[BankId]) -> String {
    banks.iter().map(BankId::as_str).collect::<Vec<_>>().join(", ")
}

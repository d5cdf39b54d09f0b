//! `hansa-genesis governance`: votes with keys that are on no network.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use hansa_types::{
    codec::{Decode as _, Encode as _},
    governance::Paper,
};

use super::{CliError, Signer};
use crate::file;

/// What can be done with a ballot paper.
#[derive(Debug, Subcommand)]
pub enum GovernanceCommand {
    /// Verify the paper from the founders' signatures on, and show what the proposal would change.
    Show {
        /// The ballot paper that `hansa governance` wrote.
        paper: PathBuf,
    },
    /// Verify it, and sign a vote. What is written goes back to a node.
    Sign(SignArgs),
}

/// A vote.
#[derive(Debug, Args)]
pub struct SignArgs {
    /// The ballot paper that `hansa governance` wrote.
    pub paper: PathBuf,
    /// Who signs.
    #[command(flatten)]
    pub signer: Signer,
    /// Vote for nothing in this round, so that another can begin.
    #[arg(long)]
    pub reject: bool,
    /// The file for the vote.
    #[arg(long)]
    pub out: PathBuf,
}

pub(super) fn execute(command: &GovernanceCommand) -> Result<(), CliError> {
    match command {
        GovernanceCommand::Show { paper } => show(paper).map(|_| ()),
        GovernanceCommand::Sign(args) => sign(args),
    }
}

fn show(path: &Path) -> Result<Paper, CliError> {
    let paper = Paper::from_bytes(&file::read(path)?).map_err(|source| CliError::Codec {
        path: path.to_owned(),
        what: "a ballot paper",
        source,
    })?;
    let refused = |source| CliError::Paper { path: path.to_owned(), source };
    let changes = paper.changes().map_err(refused)?;
    println!("proposal  {} ({})", paper.proposal.digest(), paper.proposal.action.summary());
    println!("number    {} after {}", paper.proposal.number, paper.proposal.parent);
    println!("round     {}", paper.round);
    changes.iter().for_each(|line| println!("{line}"));
    Ok(paper)
}

fn sign(args: &SignArgs) -> Result<(), CliError> {
    let paper = show(&args.paper)?;
    let key = args.signer.key()?;
    let vote = paper
        .sign(&args.signer.bank, !args.reject, &key)
        .map_err(|source| CliError::Paper { path: args.paper.clone(), source })?;
    file::write(&args.out, &vote.to_bytes())?;
    println!("{}: give it to a node with hansa governance", args.out.display());
    Ok(())
}

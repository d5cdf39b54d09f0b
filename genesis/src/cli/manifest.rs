//! `hansa-genesis manifest`: what the founders sign, drafted from their entries and the ceremony's outcome.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use clap::{Args, Subcommand};
use hansa_types::{
    codec::{Decode as _, Encode as _},
    governance::diff,
    id::{BankId, Epoch},
    manifest::{Circuit, Manifest, ManifestError, Member, SignedManifest},
};
use serde_json::{Map, Value};

use super::{CliError, Signer, ceremony::open, charter::founder};
use crate::{circuit::Circuit as Constraints, file};

/// A draft, for `manifest draft` to print.
const DRAFT: &str = include_str!("draft.json");

/// What can be done with a manifest.
#[derive(Debug, Subcommand)]
pub enum ManifestCommand {
    /// Print a draft to fill in.
    #[command(after_help = "Example:\n  hansa-genesis manifest draft > draft.json")]
    Draft,
    /// Make a manifest from a draft, the members' entries and the ceremony.
    #[command(
        after_help = "Example:\n  hansa-genesis manifest new manifest.hansa --draft draft.json \\\n    \
        --member bank-a=bank-a/member.json --member bank-b=bank-b/member.json --ceremony ceremony"
    )]
    New(NewArgs),
    /// Sign it for a founder.
    Sign(SignArgs),
    /// Take over the signatures of other copies.
    Collect(CollectArgs),
    /// Check it as a node does: every rule, every signature. Says also what is allowed and should be known.
    Check {
        /// The manifest.
        file: PathBuf,
    },
    /// Show it as JSON.
    Show {
        /// The manifest.
        file: PathBuf,
        /// Show what differs from this manifest instead.
        #[arg(long, value_name = "FILE")]
        against: Option<PathBuf>,
    },
}

/// A new manifest.
#[derive(Debug, Args)]
pub struct NewArgs {
    /// The file to make.
    pub file: PathBuf,
    /// The rules, as JSON: what `hansa-genesis manifest draft` prints, filled in.
    #[arg(long)]
    pub draft: PathBuf,
    /// A member: its id and the member.json that `hansa init` wrote for it.
    #[arg(long = "member", required = true, value_name = "BANK=FILE", value_parser = founder)]
    pub members: Vec<(BankId, PathBuf)>,
    /// The folder of the complete ceremony, which is verified: its keys and transcript are named.
    #[arg(long, value_name = "FOLDER")]
    pub ceremony: PathBuf,
}

/// A signature.
#[derive(Debug, Args)]
pub struct SignArgs {
    /// The manifest.
    pub file: PathBuf,
    /// Who signs.
    #[command(flatten)]
    pub signer: Signer,
}

/// Signatures of other copies.
#[derive(Debug, Args)]
pub struct CollectArgs {
    /// The manifest.
    pub file: PathBuf,
    /// Copies that founders signed.
    #[arg(required = true)]
    pub copies: Vec<PathBuf>,
}

pub(super) fn execute(command: &ManifestCommand) -> Result<(), CliError> {
    match command {
        ManifestCommand::Draft => print!("{DRAFT}"),
        ManifestCommand::New(args) => new(args)?,
        ManifestCommand::Sign(args) => sign(args)?,
        ManifestCommand::Collect(args) => collect(args)?,
        ManifestCommand::Check { file } => check(file)?,
        ManifestCommand::Show { file, against } => show(file, against.as_deref())?,
    }
    Ok(())
}

fn read(path: &Path) -> Result<SignedManifest, CliError> {
    SignedManifest::from_bytes(&file::read(path)?).map_err(|source| refused(path, source.into()))
}

fn refused(path: &Path, source: ManifestError) -> CliError {
    CliError::Manifest { path: path.to_owned(), source }
}

fn json<T: serde::de::DeserializeOwned>(path: &Path) -> Result<T, CliError> {
    serde_json::from_slice(&file::read(path)?)
        .map_err(|source| CliError::Json { path: path.to_owned(), source })
}

fn new(args: &NewArgs) -> Result<(), CliError> {
    let mut draft: Map<String, Value> = json(&args.draft)?;
    let members: BTreeMap<BankId, Member> = args
        .members
        .iter()
        .map(|(bank, path)| Ok((bank.clone(), json(path)?)))
        .collect::<Result<_, CliError>>()?;
    let transcript = open(&args.ceremony, &Constraints::risk_signal())?;
    let keys = transcript.finalize()?;
    let circuit = Circuit {
        version: transcript.charter.circuit_version,
        hash: transcript.charter.circuit,
        verifying_key: keys.verifying_key().hash(),
        transcript: Some(transcript.hash()),
    };
    let in_draft = |source| CliError::Json { path: args.draft.clone(), source };
    let value = |value| serde_json::to_value(value).map_err(in_draft);
    draft.insert("members".into(), value(&members)?);
    draft.insert(
        "circuits".into(),
        serde_json::to_value(BTreeMap::from([(Epoch(0), circuit)])).map_err(in_draft)?,
    );
    let manifest: Manifest = serde_json::from_value(draft.into()).map_err(in_draft)?;
    manifest.check().map_err(|source| refused(&args.draft, source))?;
    file::write(&args.file, &SignedManifest::new(manifest).to_bytes())?;
    say(&args.file)
}

fn sign(args: &SignArgs) -> Result<(), CliError> {
    let mut signed = read(&args.file)?;
    let key = args.signer.key()?;
    signed.sign(&args.signer.bank, &key).map_err(|source| refused(&args.file, source))?;
    file::replace(&args.file, &signed.to_bytes())?;
    say(&args.file)
}

fn collect(args: &CollectArgs) -> Result<(), CliError> {
    let mut signed = read(&args.file)?;
    for copy in &args.copies {
        let other = read(copy)?;
        if other.manifest != signed.manifest {
            let detail =
                format!("it is another manifest than {}: compare them with show", args.file.display());
            return Err(refused(copy, ManifestError::Content(detail)));
        }
        signed.signatures.extend(other.signatures);
    }
    file::replace(&args.file, &signed.to_bytes())?;
    say(&args.file)
}

fn check(path: &Path) -> Result<(), CliError> {
    let signed = read(path)?;
    signed.verify().map_err(|source| refused(path, source))?;
    println!("consortium  {}", signed.manifest.id());
    println!("signed by   all {} members", signed.manifest.members.len());
    signed.manifest.remarks().iter().for_each(|remark| println!("note        {remark}"));
    Ok(())
}

fn show(path: &Path, against: Option<&Path>) -> Result<(), CliError> {
    let manifest = read(path)?.manifest;
    match against {
        Some(other) => diff(&read(other)?.manifest, &manifest).iter().for_each(|line| println!("{line}")),
        None => println!(
            "{}",
            serde_json::to_string_pretty(&manifest).expect("a manifest's keys are text or numbers")
        ),
    }
    Ok(())
}

/// What it is, who has signed it, and what its signers should know.
fn say(path: &Path) -> Result<(), CliError> {
    let SignedManifest { manifest, signatures } = read(path)?;
    println!("consortium  {} {}", manifest.name, manifest.id());
    for (bank, member) in &manifest.members {
        let signed = if signatures.contains_key(bank) { "signed" } else { "not signed yet" };
        println!("member      {bank}: {}, {signed}", member.institution);
    }
    manifest.remarks().iter().for_each(|remark| println!("note        {remark}"));
    Ok(())
}

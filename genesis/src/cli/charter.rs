//! `hansa-genesis charter`: the rules, before anything is computed.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use clap::{Args, Subcommand};
use hansa_prover::circuit::CIRCUIT_VERSION;
use hansa_types::{
    hash::{Digest, PublicKey},
    id::BankId,
    lei::Lei,
};
use serde::Deserialize;

use super::{CliError, Signer};
use crate::{
    beacon::Beacon,
    charter::{Charter, Founder, SignedCharter, Source},
    circuit::Circuit,
    file,
    origin::{DEMONSTRATION, Given},
    transcript::{CHARTER, PHASE1},
};

/// What can be done with a charter.
#[derive(Debug, Subcommand)]
pub enum CharterCommand {
    /// Draft a charter in a new folder, for this release's circuit.
    #[command(after_help = "Example:\n  hansa-genesis charter new ceremony --name north \\\n    \
        --founder bank-a=bank-a/member.json --founder bank-b=bank-b/member.json --needed 2")]
    New(NewArgs),
    /// Sign it for a founder.
    Sign(SignArgs),
    /// Take over the signatures of other copies.
    Collect(CollectArgs),
    /// Show it, and who has signed.
    Show {
        /// The ceremony's folder.
        folder: PathBuf,
    },
}

/// A new charter.
#[derive(Debug, Args)]
pub struct NewArgs {
    /// The ceremony's folder; made if it is not there.
    pub folder: PathBuf,
    /// What people call the consortium.
    #[arg(long)]
    pub name: String,
    /// A founder: its id and the member.json that `hansa init` wrote for it.
    #[arg(long = "founder", required = true, value_name = "BANK=FILE", value_parser = founder)]
    pub founders: Vec<(BankId, PathBuf)>,
    /// How many different institutions must contribute to each phase made here.
    #[arg(long, value_name = "K")]
    pub needed: u32,
    /// A phase 1 made elsewhere, as `hansa-genesis import` wrote it; the founders make their own if none is named.
    #[arg(long, value_name = "FILE")]
    pub phase1: Option<PathBuf>,
    /// Take the phase 1 that comes with this program: made by one party, for demonstrations alone.
    #[arg(long, conflicts_with = "phase1")]
    pub demonstration: bool,
    /// The hash of the drand chain whose round ends phase 2 (scheme bls-unchained-g1-rfc9380).
    #[arg(long, value_name = "HASH", requires_all = ["beacon_key", "beacon_round"])]
    pub beacon_chain: Option<Digest>,
    /// The chain's key, in hexadecimal.
    #[arg(long, value_name = "KEY", requires = "beacon_chain", value_parser = key)]
    pub beacon_key: Option<[u8; 96]>,
    /// The round: one that lies in the future when the last founder signs.
    #[arg(long, value_name = "N", requires = "beacon_chain")]
    pub beacon_round: Option<u64>,
}

/// A signature.
#[derive(Debug, Args)]
pub struct SignArgs {
    /// The ceremony's folder.
    pub folder: PathBuf,
    /// Who signs.
    #[command(flatten)]
    pub signer: Signer,
}

/// Signatures of other copies.
#[derive(Debug, Args)]
pub struct CollectArgs {
    /// The ceremony's folder.
    pub folder: PathBuf,
    /// Copies of charter.hansa that founders signed.
    #[arg(required = true)]
    pub copies: Vec<PathBuf>,
}

/// What a charter needs of `member.json`.
#[derive(Deserialize)]
struct MemberFile {
    institution: String,
    parent: Lei,
    governance_key: PublicKey,
}

pub(super) fn founder(text: &str) -> Result<(BankId, PathBuf), String> {
    let (bank, file) = text.split_once('=').ok_or("write BANK=FILE")?;
    Ok((bank.parse().map_err(|e| format!("{e}"))?, file.into()))
}

fn key(text: &str) -> Result<[u8; 96], String> {
    let mut key = [0; 96];
    hex::decode_to_slice(text, &mut key).map_err(|e| format!("{e}; 192 hexadecimal digits are wanted"))?;
    Ok(key)
}

pub(super) fn execute(command: CharterCommand) -> Result<(), CliError> {
    match command {
        CharterCommand::New(args) => new(&args),
        CharterCommand::Sign(args) => sign(&args),
        CharterCommand::Collect(args) => collect(&args),
        CharterCommand::Show { folder } => show(&folder),
    }
}

fn new(args: &NewArgs) -> Result<(), CliError> {
    let circuit = Circuit::risk_signal();
    let mut founders = BTreeMap::new();
    for (bank, path) in &args.founders {
        let bytes = file::read(path)?;
        let MemberFile { institution, parent, governance_key } =
            serde_json::from_slice(&bytes).map_err(|source| CliError::Json { path: path.clone(), source })?;
        founders.insert(bank.clone(), Founder { institution, parent, key: governance_key });
    }
    let given = match &args.phase1 {
        _ if args.demonstration => Some(DEMONSTRATION.to_vec()),
        None => None,
        Some(path) => {
            let bytes = file::read(path)?;
            Given::from_file(&bytes)
                .map_err(|flaw| CliError::Refused { file: path.display().to_string(), flaw })?;
            Some(bytes)
        }
    };
    let beacon = match (args.beacon_chain, args.beacon_key, args.beacon_round) {
        (Some(chain), Some(key), Some(round)) => Some(Beacon { chain, key, round }),
        _ => None,
    };
    let charter = Charter {
        name: args.name.clone(),
        founders,
        institutions_needed: args.needed,
        circuit_version: CIRCUIT_VERSION,
        circuit: circuit.hash,
        power: circuit.power(),
        phase1: given.as_ref().map_or(Source::Own, |bytes| Source::Given(file::hash(bytes))),
        beacon,
    };
    charter.check().map_err(|flaw| CliError::Refused { file: CHARTER.to_owned(), flaw })?;
    std::fs::create_dir_all(&args.folder)
        .map_err(|source| file::FileError::Io { path: args.folder.clone(), source })?;
    if let Some(bytes) = given {
        file::write(&args.folder.join(PHASE1), &bytes)?;
    }
    file::write(&args.folder.join(CHARTER), &SignedCharter::new(charter).to_file())?;
    show(&args.folder)
}

fn read(path: &Path) -> Result<SignedCharter, CliError> {
    SignedCharter::from_file(&file::read(path)?)
        .map_err(|flaw| CliError::Refused { file: path.display().to_string(), flaw })
}

fn sign(args: &SignArgs) -> Result<(), CliError> {
    let path = args.folder.join(CHARTER);
    let mut charter = read(&path)?;
    let key = args.signer.key()?;
    charter.sign(&args.signer.bank, &key)?;
    file::replace(&path, &charter.to_file())?;
    show(&args.folder)
}

fn collect(args: &CollectArgs) -> Result<(), CliError> {
    let path = args.folder.join(CHARTER);
    let mut charter = read(&path)?;
    for copy in &args.copies {
        let other = read(copy)?;
        if other.charter != charter.charter {
            let (found, known) = (other.charter.digest(), charter.charter.digest());
            let flaw = crate::Flaw::Charter { found, charter: known };
            return Err(CliError::Refused { file: copy.display().to_string(), flaw });
        }
        charter.signatures.extend(other.signatures);
    }
    file::replace(&path, &charter.to_file())?;
    show(&args.folder)
}

fn show(folder: &Path) -> Result<(), CliError> {
    let signed = read(&folder.join(CHARTER))?;
    let charter = &signed.charter;
    println!("charter     {}", charter.digest());
    println!("consortium  {}", charter.name);
    println!(
        "circuit     version {}, {}, size 2^{}",
        charter.circuit_version, charter.circuit, charter.power
    );
    match charter.phase1 {
        Source::Own => println!("phase 1     made by the founders"),
        Source::Given(digest) => println!("phase 1     made elsewhere: {PHASE1} with hash {digest}"),
    }
    println!("needed      {} institutions in each phase made here", charter.institutions_needed);
    match &charter.beacon {
        None => println!("beacon      none"),
        Some(beacon) => println!("beacon      round {} of chain {}", beacon.round, beacon.chain),
    }
    for (bank, founder) in &charter.founders {
        let signed = if signed.signatures.contains_key(bank) { "signed" } else { "not signed yet" };
        println!("founder     {bank}: {}, parent {}, {signed}", founder.institution, founder.parent);
    }
    Ok(())
}

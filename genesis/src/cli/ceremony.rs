//! The steps of a ceremony on the command line.

use std::{
    path::{Path, PathBuf},
    time::{SystemTime, UNIX_EPOCH},
};

use ark_serialize::CanonicalSerialize;
use clap::Args;
use hansa_prover::keys::ProvingKey;
use hansa_types::id::{BankId, Timestamp};

use super::{CliError, Signer};
use crate::{
    CeremonyError, Written,
    attestation::Statement,
    circuit::Circuit,
    entropy, file,
    report::{KeyHashes, Report},
    secret::Entropy,
    transcript::Transcript,
};

pub(super) const ATTEST_HELP: &str = "The statement is a JSON file, for example:\n  \
    {\"person\": \"Ada Alder\", \"machine\": \"laptop without radio, booted from a disc\",\n   \
    \"entropy\": [\"99 throws of a die\"],\n   \
    \"destroyed\": [{\"serial\": \"S3Z9NB0K\", \"photograph\": \"<SHA-256 of the picture>\"}]}";

/// A ceremony's folder.
#[derive(Debug, Args)]
pub struct FolderArgs {
    /// The ceremony's folder.
    pub folder: PathBuf,
}

/// A contribution.
#[derive(Debug, Args)]
pub struct ContributeArgs {
    /// The ceremony's folder.
    pub folder: PathBuf,
    /// The founder that contributes.
    #[arg(long)]
    pub bank: BankId,
    /// Take the operator's entropy from a file of at least 32 bytes, not from the keyboard.
    #[arg(long, value_name = "FILE")]
    pub entropy_file: Option<PathBuf>,
}

/// The beacon's round.
#[derive(Debug, Args)]
pub struct BeaconArgs {
    /// The ceremony's folder.
    pub folder: PathBuf,
    /// The round's signature, in hexadecimal, as the chain publishes it.
    #[arg(long, value_parser = signature)]
    pub signature: [u8; 48],
}

/// An attestation.
#[derive(Debug, Args)]
pub struct AttestArgs {
    /// The ceremony's folder.
    pub folder: PathBuf,
    /// Who signs.
    #[command(flatten)]
    pub signer: Signer,
    /// What is declared, as JSON.
    #[arg(long, value_name = "FILE")]
    pub statement: PathBuf,
}

/// Where the keys go.
#[derive(Debug, Args)]
pub struct FinalizeArgs {
    /// The ceremony's folder.
    pub folder: PathBuf,
    /// The folder for proving.key, verifying.key and the report ceremony.md and .html; made if it is not there.
    #[arg(long)]
    pub out: PathBuf,
    /// Also write the proving key as ark-groth16 serialises it, uncompressed.
    #[arg(long, value_name = "FILE")]
    pub ark_groth16: Option<PathBuf>,
}

/// Where the report goes.
#[derive(Debug, Args)]
pub struct ReportArgs {
    /// The ceremony's folder.
    pub folder: PathBuf,
    /// The file without its ending: OUT.md and OUT.html are written.
    #[arg(long)]
    pub out: PathBuf,
}

fn signature(text: &str) -> Result<[u8; 48], String> {
    let mut signature = [0; 48];
    hex::decode_to_slice(text, &mut signature)
        .map_err(|e| format!("{e}; 96 hexadecimal digits are wanted"))?;
    Ok(signature)
}

pub(super) fn open(folder: &Path, circuit: &Circuit) -> Result<Transcript, CliError> {
    Ok(Transcript::verify(folder, circuit, &mut |name| eprintln!("verifying {name}"))?)
}

pub(super) fn say(written: &Written) {
    println!("{}\n  SHA-256 {}", written.path.display(), written.hash);
}

pub(super) fn contribute(args: &ContributeArgs) -> Result<(), CliError> {
    let transcript = open(&args.folder, &Circuit::risk_signal())?;
    let mut entropy = Entropy::from_system()?;
    match &args.entropy_file {
        Some(path) => entropy::from_file(&mut entropy, path)?,
        None => entropy::from_terminal(&mut entropy)?,
    }
    eprintln!("contributing");
    let written = transcript.contribute(&args.bank, &entropy)?;
    drop(entropy);
    say(&written);
    println!(
        "Read the hash out to the other founders, destroy what this machine wrote to, then attest to it."
    );
    Ok(())
}

pub(super) fn start(args: &FolderArgs) -> Result<(), CliError> {
    let circuit = Circuit::risk_signal();
    let transcript = open(&args.folder, &circuit)?;
    eprintln!("computing the start of phase 2");
    say(&transcript.start(&circuit)?);
    Ok(())
}

pub(super) fn beacon(args: &BeaconArgs) -> Result<(), CliError> {
    say(&open(&args.folder, &Circuit::risk_signal())?.apply_beacon(args.signature)?);
    Ok(())
}

pub(super) fn attest(args: &AttestArgs) -> Result<(), CliError> {
    let bytes = file::read(&args.statement)?;
    let statement: Statement = serde_json::from_slice(&bytes)
        .map_err(|source| CliError::Json { path: args.statement.clone(), source })?;
    let key = args.signer.key()?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |elapsed| elapsed.as_secs());
    say(&crate::attest(&args.folder, &args.signer.bank, statement, Timestamp(now), &key)?);
    Ok(())
}

pub(super) fn verify(args: &FolderArgs) -> Result<(), CliError> {
    let transcript = open(&args.folder, &Circuit::risk_signal())?;
    print!("{}", Report::new(&transcript, None).markdown());
    Ok(())
}

pub(super) fn finalize(args: &FinalizeArgs) -> Result<(), CliError> {
    let transcript = open(&args.folder, &Circuit::risk_signal())?;
    let keys = transcript.finalize()?;
    let io = |source| file::FileError::Io { path: args.out.clone(), source };
    std::fs::create_dir_all(&args.out).map_err(io)?;
    for (name, bytes) in
        [("proving.key", keys.to_bytes()), ("verifying.key", keys.verifying_key().to_bytes())]
    {
        let path = args.out.join(name);
        file::write(&path, &bytes)?;
        say(&Written { path, hash: file::hash(&bytes) });
    }
    if let Some(path) = &args.ark_groth16 {
        let mut bytes = Vec::new();
        transcript.keys()?.serialize_uncompressed(&mut bytes).expect("writing to memory does not fail");
        file::write(path, &bytes)?;
    }
    println!("transcript {}", transcript.hash());
    write_report(&transcript, &args.out.join("ceremony"), Some(&keys))
}

pub(super) fn report(args: &ReportArgs) -> Result<(), CliError> {
    let transcript = open(&args.folder, &Circuit::risk_signal())?;
    let keys = match transcript.finalize() {
        Ok(keys) => Some(keys),
        // The report says what is missing.
        Err(CeremonyError::TooFew { .. } | CeremonyError::NotBegun | CeremonyError::NoBeacon(_)) => None,
        Err(error) => return Err(error.into()),
    };
    write_report(&transcript, &args.out, keys.as_ref())
}

fn write_report(transcript: &Transcript, out: &Path, keys: Option<&ProvingKey>) -> Result<(), CliError> {
    let hashes = keys.map(|keys| KeyHashes {
        verifying: keys.verifying_key().hash(),
        proving: file::hash(&keys.to_bytes()),
    });
    let report = Report::new(transcript, hashes.as_ref());
    for (ending, text) in [("md", report.markdown()), ("html", report.html())] {
        let path = out.with_extension(ending);
        file::replace(&path, text.as_bytes())?;
        println!("{}", path.display());
    }
    Ok(())
}

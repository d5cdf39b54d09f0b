//! The command line of `hansa-genesis`.

mod ceremony;
mod charter;
mod governance;
mod import;
mod manifest;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use hansa_keys::{FileSigner, KeyError, KeyFolder, Purpose};
use hansa_types::{codec::CodecError, governance::PaperError, id::BankId, manifest::ManifestError};

use crate::{CeremonyError, FileError, Flaw, entropy::EntropyError, secret};

/// The trusted-setup ceremony and the offline side of governance. It opens no connection: files travel by hand.
///
/// Exit codes: 0 done, 1 refused or failed, 2 wrong usage.
#[derive(Debug, Parser)]
#[command(name = "hansa-genesis", version, max_term_width = 100)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What `hansa-genesis` can do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// The ceremony's rules: draft, sign, collect signatures, show.
    #[command(subcommand)]
    Charter(charter::CharterCommand),
    /// Take over a phase 1 made elsewhere, in the formats of Zcash's ceremony.
    #[command(subcommand)]
    Import(import::ImportCommand),
    /// Contribute to the phase that is open, having verified everything before.
    #[command(after_help = "Example:\n  hansa-genesis contribute ceremony --bank bank-a")]
    Contribute(ceremony::ContributeArgs),
    /// Close phase 1 and compute the start of phase 2.
    Start(ceremony::FolderArgs),
    /// End phase 2 with the round of the charter's beacon.
    Beacon(ceremony::BeaconArgs),
    /// Declare how a contribution was made, signed with the founder's key: only attested contributions count.
    #[command(after_help = ceremony::ATTEST_HELP)]
    Attest(ceremony::AttestArgs),
    /// Verify the whole transcript, as anyone can.
    Verify(ceremony::FolderArgs),
    /// Make the keys, if the charter's rules are met.
    #[command(after_help = "Example:\n  hansa-genesis finalize ceremony --out keys")]
    Finalize(ceremony::FinalizeArgs),
    /// The page an auditor reads.
    #[command(after_help = "Example:\n  hansa-genesis report ceremony --out report")]
    Report(ceremony::ReportArgs),
    /// The manifest: draft, sign, collect signatures, check, show.
    #[command(subcommand)]
    Manifest(manifest::ManifestCommand),
    /// Votes with keys that are on no network.
    #[command(subcommand)]
    Governance(governance::GovernanceCommand),
}

/// Who signs.
#[derive(Debug, Args)]
pub struct Signer {
    /// The member that signs.
    #[arg(long)]
    pub bank: BankId,
    /// The folder with its keys.
    #[arg(long)]
    pub keys: PathBuf,
}

impl Signer {
    fn key(&self) -> Result<FileSigner, KeyError> {
        KeyFolder::new(&self.keys).signer(Purpose::Governance)
    }
}

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    /// A step of the ceremony.
    #[error(transparent)]
    Ceremony(#[from] CeremonyError),
    /// A file.
    #[error(transparent)]
    File(#[from] FileError),
    /// A file's content.
    #[error("{file}: {flaw}")]
    Refused {
        /// Which.
        file: String,
        /// What is wrong.
        flaw: Flaw,
    },
    /// A text file's content.
    #[error("{path}: {source}")]
    Json {
        /// Which.
        path: PathBuf,
        /// What is wrong.
        source: serde_json::Error,
    },
    /// A manifest.
    #[error("{path}: {source}")]
    Manifest {
        /// Which.
        path: PathBuf,
        /// What is wrong.
        source: ManifestError,
    },
    /// A file of the canonical codec.
    #[error("{path} is not {what}: {source}")]
    Codec {
        /// Which.
        path: PathBuf,
        /// What it should be.
        what: &'static str,
        /// What is wrong.
        source: CodecError,
    },
    /// A ballot paper.
    #[error("{path}: {source}")]
    Paper {
        /// Which.
        path: PathBuf,
        /// What is wrong.
        source: PaperError,
    },
    /// A phase 1 made elsewhere.
    #[error(transparent)]
    Import(#[from] crate::import::RefusedImport),
    /// Entropy.
    #[error(transparent)]
    Entropy(#[from] EntropyError),
    /// A key.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// A key that cannot sign.
    #[error(transparent)]
    Sign(#[from] hansa_types::sign::SignError),
    /// The process cannot be made safe for secrets.
    #[error(transparent)]
    Secret(#[from] secret::SecretError),
}

impl Cli {
    /// Carries out the command.
    ///
    /// # Errors
    /// [`CliError`], which says what to do.
    pub fn execute(self) -> Result<(), CliError> {
        secret::harden()?;
        match self.command {
            Command::Charter(command) => charter::execute(command),
            Command::Import(command) => import::execute(&command),
            Command::Contribute(args) => ceremony::contribute(&args),
            Command::Start(args) => ceremony::start(&args),
            Command::Beacon(args) => ceremony::beacon(&args),
            Command::Attest(args) => ceremony::attest(&args),
            Command::Verify(args) => ceremony::verify(&args),
            Command::Finalize(args) => ceremony::finalize(&args),
            Command::Report(args) => ceremony::report(&args),
            Command::Manifest(command) => manifest::execute(&command),
            Command::Governance(command) => governance::execute(&command),
        }
    }
}

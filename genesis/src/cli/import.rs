//! `hansa-genesis import`: a phase 1 made elsewhere, into the file that a charter can name.

use std::{
    fs::File,
    path::{Path, PathBuf},
};

use clap::{Args, Subcommand};
use indicatif::ProgressBar;

use super::{CliError, ceremony::say};
use crate::{
    Written,
    circuit::Circuit,
    file,
    import::{self, ImportError, RefusedImport},
    origin::{Given, Origin},
    phase1::{Phase1, Powers},
    secret::Entropy,
};

/// The power of Zcash's ceremony.
const ZCASH: u8 = 21;

/// Where a phase 1 is taken from.
#[derive(Debug, Subcommand)]
pub enum ImportCommand {
    /// The powers after one contribution, with the hash that was published for the file.
    #[command(
        after_help = "Example:\n  hansa-genesis import response response.89 --blake2b HASH --out phase1.hansa"
    )]
    Response {
        #[command(flatten)]
        file: FileArgs,
        /// The file's BLAKE2b-512 hash as published; without it the report says \"origin unproven\".
        #[arg(long, value_name = "HASH", value_parser = hash)]
        blake2b: Option<[u8; 64]>,
    },
    /// A transcript, all of whose contributions are verified.
    Transcript {
        #[command(flatten)]
        file: FileArgs,
    },
    /// A phase1radix2m file of the circuit's size.
    Radix {
        /// The file.
        file: PathBuf,
        /// Where the phase 1 goes.
        #[arg(long)]
        out: PathBuf,
        /// The file's BLAKE2b-512 hash as published; without it the report says \"origin unproven\".
        #[arg(long, value_name = "HASH", value_parser = hash)]
        blake2b: Option<[u8; 64]>,
    },
    /// No import: one made here by one party, in Lagrange form, for demonstrations. Whoever runs this could keep its
    /// secrets and forge proofs.
    Demonstration {
        /// Where the phase 1 goes.
        #[arg(long)]
        out: PathBuf,
    },
}

/// A file of powers.
#[derive(Debug, Args)]
pub struct FileArgs {
    /// The file.
    pub file: PathBuf,
    /// Where the phase 1 goes.
    #[arg(long)]
    pub out: PathBuf,
    /// Log2 of how many powers the file has.
    #[arg(long, default_value_t = ZCASH, value_parser = clap::value_parser!(u8).range(1..=21))]
    pub power: u8,
}

fn hash(text: &str) -> Result<[u8; 64], String> {
    let mut hash = [0; 64];
    hex::decode_to_slice(text, &mut hash).map_err(|e| format!("{e}; 128 hexadecimal digits are wanted"))?;
    Ok(hash)
}

pub(super) fn execute(command: &ImportCommand) -> Result<(), CliError> {
    let wanted = Circuit::risk_signal().power();
    let bar = ProgressBar::new(1);
    let mut progress = |done, all| {
        bar.set_length(all);
        bar.set_position(done);
    };
    match command {
        ImportCommand::Response { file, blake2b } => {
            let given = read(&file.file, |source| {
                import::response(source, file.power, wanted, blake2b.as_ref(), &mut progress)
            })?;
            write(&given, &file.out)
        }
        ImportCommand::Transcript { file } => {
            let given =
                read(&file.file, |source| import::transcript(source, file.power, wanted, &mut progress))?;
            write(&given, &file.out)
        }
        ImportCommand::Radix { file, out, blake2b } => {
            let given = read(file, |source| import::radix(source, wanted, blake2b.as_ref(), &mut progress))?;
            write(&given, out)
        }
        ImportCommand::Demonstration { out } => {
            let mut powers = Powers::initial(wanted);
            powers.contribute_unproven(&Entropy::from_system()?)?;
            let phase1 = Phase1::Lagrange(Box::new(Phase1::Powers(Box::new(powers)).lagrange()?));
            write(&Given { origin: Origin::Demonstration, phase1 }, out)
        }
    }
}

fn read(path: &Path, take: impl FnOnce(&mut File) -> Result<Given, ImportError>) -> Result<Given, CliError> {
    let mut file =
        File::open(path).map_err(|source| file::FileError::Io { path: path.to_owned(), source })?;
    Ok(take(&mut file).map_err(|source| RefusedImport { path: path.to_owned(), source })?)
}

fn write(given: &Given, out: &Path) -> Result<(), CliError> {
    let bytes = given.to_file();
    file::write(out, &bytes)?;
    say(&Written { path: out.to_owned(), hash: file::hash(&bytes) });
    println!("  {}", given.origin.describe());
    Ok(())
}

//! The auditor's command line.

use std::path::{Path, PathBuf};

use clap::{Parser, Subcommand};
use hansa_audit_log::evidence::{Evidence, EvidenceError};
use hansa_types::manifest::{ManifestError, SignedManifest};

use crate::fork::{ForkReport, NoFork, forked};
use crate::report::{Report, contents};
use crate::verify::{VerifyError, verify};

/// Verifies what a bank shows, offline, trusting the manifest alone.
///
/// Exit codes: 0 everything shown is true, 1 refused with the reason, 2 wrong usage.
#[derive(Debug, Parser)]
#[command(name = "hansa-audit", version, max_term_width = 100)]
pub struct Cli {
    /// Print JSON instead of text.
    #[arg(long, global = true)]
    pub json: bool,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What `hansa-audit` can do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Check an evidence bundle against the consortium's manifest.
    #[command(after_help = "Example:\n  hansa-audit verify payment.evidence --manifest manifest.hansa")]
    Verify {
        /// The bundle.
        file: PathBuf,
        /// The consortium's manifest, from a source the auditor trusts.
        #[arg(long, value_name = "FILE")]
        manifest: PathBuf,
    },
    /// Check that two checkpoints prove that a member's log has forked.
    #[command(after_help = "Example:\n  hansa-audit fork bank-c-3f2a9c.fork --manifest manifest.hansa")]
    Fork {
        /// The evidence, as `hansa audit forks --out` writes it.
        file: PathBuf,
        /// The consortium's manifest, from a source the auditor trusts.
        #[arg(long, value_name = "FILE")]
        manifest: PathBuf,
    },
    /// Print what a bundle or manifest says, without checking that it is true.
    #[command(after_help = "Example:\n  hansa-audit show manifest.hansa")]
    Show {
        /// A bundle or a manifest.
        file: PathBuf,
    },
}

/// Why a file was refused.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    /// A file that cannot be read.
    #[error("{path}: {source}")]
    File {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The manifest.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// The bundle's form.
    #[error(transparent)]
    Evidence(#[from] EvidenceError),
    /// What the evidence of a fork shows.
    #[error(transparent)]
    Fork(#[from] NoFork),
    /// What the bundle shows.
    #[error(transparent)]
    Verify(#[from] VerifyError),
}

impl Cli {
    /// Carries out the command.
    pub fn execute(self) -> Result<(), AuditError> {
        match self.command {
            Command::Verify { file, manifest } => {
                let manifest = SignedManifest::open(&read(&manifest)?)?;
                let report = verify(&read(&file)?, &manifest)?;
                print(&report, self.json, Report::to_string);
            }
            Command::Fork { file, manifest } => {
                let manifest = SignedManifest::open(&read(&manifest)?)?;
                print(&forked(&read(&file)?, &manifest)?, self.json, ForkReport::to_string);
            }
            Command::Show { file } => {
                let bytes = read(&file)?;
                match Evidence::from_file(&bytes) {
                    Err(EvidenceError::NotEvidence) => {
                        print(&SignedManifest::open(&bytes)?, true, |_| String::new());
                    }
                    evidence => print(&contents(&evidence?), self.json, ToString::to_string),
                }
            }
        }
        Ok(())
    }
}

fn read(path: &Path) -> Result<Vec<u8>, AuditError> {
    std::fs::read(path).map_err(|source| AuditError::File { path: path.to_owned(), source })
}

fn print<T: serde::Serialize>(value: &T, json: bool, text: impl FnOnce(&T) -> String) {
    if json {
        let json = serde_json::to_string_pretty(value).expect("reports have only strings as keys");
        println!("{json}");
    } else {
        println!("{}", text(value));
    }
}

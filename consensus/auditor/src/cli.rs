//! The auditor's command line.

use std::fs::File;
use std::path::{Path, PathBuf};

use clap::{Args, Parser, Subcommand};
use hansa_audit_log::envelope::MAX_LEAF;
use hansa_audit_log::evidence::{Evidence, EvidenceError};
use hansa_audit_log::merkle::{MAX_PROOF_HASHES, leaf_hash};
use hansa_audit_log::policy::{Policy, PolicySyntax};
use hansa_audit_log::proof::{MAX_PROOF_BYTES, TlogProof, TlogProofError, parse_hashes};
use hansa_types::hash::Digest;
use hansa_types::id::BankId;
use hansa_types::manifest::{ManifestError, SignedManifest};

use crate::compare::{CompareError, Comparison, Link, compare};
use crate::export::{ExportReport, export};
use crate::fork::{ForkReport, NoFork, forked};
use crate::log::{Log, LogError, LogFolder, LogReport, read_bounded};
use crate::reconcile::{ReconcileError, Reconciliation, reconcile};
use crate::report::{ProofReport, Report, contents};
use crate::trace::{TraceError, TraceReport, trace};
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
    /// Write the proofs of a bundle's signals as JSON that snarkjs and others verify (Groth16 over BLS12-381).
    #[command(
        after_help = "Example:\n  hansa-audit export-proof payment.evidence --manifest manifest.hansa --out proofs\n  \
                            snarkjs groth16 verify proofs/verification_key.json proofs/public-7.json \
                            proofs/proof-7.json"
    )]
    ExportProof {
        /// The bundle.
        file: PathBuf,
        /// The consortium's manifest, from a source the auditor trusts.
        #[arg(long, value_name = "FILE")]
        manifest: PathBuf,
        /// Where to write; a file that exists is not overwritten.
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
    },
    /// Say which signals are a bank's, by the trace secret that it disclosed for one epoch.
    #[command(
        after_help = "Example:\n  hansa-audit trace epoch-3.trace --manifest manifest.hansa payment.evidence"
    )]
    Trace {
        /// What the bank disclosed (`hansa signals disclose`).
        file: PathBuf,
        /// Bundles whose signals are looked for.
        bundles: Vec<PathBuf>,
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
    /// Check that a leaf is in a bank's log, by a .tlog-proof (C2SP tlog-proof).
    #[command(after_help = "Example:\n  hansa-audit proof record.tlog-proof --leaf record.leaf --manifest \
                            manifest.hansa --bank bank-a")]
    Proof {
        /// The proof.
        file: PathBuf,
        /// The leaf.
        #[command(flatten)]
        leaf: LeafArgs,
        /// The log.
        #[command(flatten)]
        log: LogArgs,
    },
    /// Check a whole log: every entry and tile of an exported folder (C2SP tlog-tiles) against its signed checkpoint.
    #[command(
        after_help = "Example:\n  hansa-audit fsck log-of-bank-a --manifest manifest.hansa --bank bank-a"
    )]
    Fsck {
        /// The folder, as `hansa audit export-log` writes it.
        folder: PathBuf,
        /// The log.
        #[command(flatten)]
        log: LogArgs,
    },
    /// Compare two checkpoints of one log: the same tree, one the beginning of the other, or a fork.
    #[command(
        after_help = "Example:\n  hansa-audit compare may.checkpoint june.checkpoint --log log-of-bank-a \
                            --manifest manifest.hansa --bank bank-a --evidence bank-a.fork"
    )]
    Compare {
        /// A checkpoint.
        a: PathBuf,
        /// Another.
        b: PathBuf,
        /// An exported folder of the log, at least as long as the longer of the two.
        #[arg(long = "log", value_name = "DIR", conflicts_with = "consistency")]
        folder: Option<PathBuf>,
        /// A consistency proof from the shorter to the longer: a hash in base64 a line.
        #[arg(long, value_name = "FILE")]
        consistency: Option<PathBuf>,
        /// Where to write both notes if they are a fork; a file that exists is not overwritten.
        #[arg(long, value_name = "OUT")]
        evidence: Option<PathBuf>,
        /// The log.
        #[command(flatten)]
        log: LogArgs,
    },
    /// Compare the payment hub's list with the log: every payment has exactly one decision, and none is hidden.
    #[command(
        after_help = "Example:\n  hansa-audit reconcile hub.csv --decisions decisions.keys --log log-of-bank-a \
                            --manifest manifest.hansa --bank bank-a\n\nThe list is CSV with the header uetr, or \
                            uetr,instructing,instructed, and a line for each payment and leg."
    )]
    Reconcile {
        /// The payment hub's list.
        hub: PathBuf,
        /// The keys of the log's decisions, as `hansa audit decisions` writes them.
        #[arg(long, value_name = "FILE")]
        decisions: PathBuf,
        /// The folder with the log that the keys are for.
        #[arg(long = "log", value_name = "DIR")]
        folder: PathBuf,
        /// The list covers a part of the log's time: decisions on other payments are no findings.
        #[arg(long)]
        partial: bool,
        /// The log.
        #[command(flatten)]
        log: LogArgs,
    },
}

/// Whose log, and by which manifest.
#[derive(Debug, Args)]
pub struct LogArgs {
    /// The consortium's manifest, from a source the auditor trusts.
    #[arg(long, value_name = "FILE")]
    manifest: PathBuf,
    /// The bank whose log it is.
    #[arg(long)]
    bank: BankId,
    /// Whose cosignatures every checkpoint must bear besides (C2SP tlog-policy).
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
}

/// Which leaf.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub struct LeafArgs {
    /// The leaf's bytes.
    #[arg(long, value_name = "FILE")]
    leaf: Option<PathBuf>,
    /// The leaf's hash, in hexadecimal.
    #[arg(long, value_name = "HASH")]
    leaf_hash: Option<Digest>,
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
    /// What a disclosed trace secret shows.
    #[error(transparent)]
    Trace(#[from] TraceError),
    /// A proof of one leaf.
    #[error(transparent)]
    Proof(#[from] TlogProofError),
    /// A leaf that is none.
    #[error("{0} is longer than a leaf, which has at most {MAX_LEAF} bytes")]
    Leaf(PathBuf),
    /// A consistency proof that is none.
    #[error(
        "{0} is no consistency proof: a hash of 32 bytes in base64 a line is wanted, at most {MAX_PROOF_HASHES}"
    )]
    Hashes(PathBuf),
    /// A policy that is none.
    #[error("{path}: {source}")]
    Policy {
        /// Which.
        path: PathBuf,
        /// What is wrong.
        source: PolicySyntax,
    },
    /// A whole log.
    #[error(transparent)]
    Log(#[from] LogError),
    /// Two checkpoints.
    #[error(transparent)]
    Compare(#[from] CompareError),
    /// The hub's list and the log could not be compared.
    #[error(transparent)]
    Reconcile(#[from] ReconcileError),
    /// They were, and differ.
    #[error("payments and decisions differ: {0}")]
    NotReconciled(String),
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
            Command::ExportProof { file, manifest, out } => {
                let manifest = SignedManifest::open(&read(&manifest)?)?;
                let written = export(&read(&file)?, &manifest)?.write(&out);
                let report = written.map_err(|source| AuditError::File { path: out, source })?;
                print(&report, self.json, ExportReport::to_string);
            }
            Command::Trace { file, bundles, manifest } => {
                let manifest = SignedManifest::open(&read(&manifest)?)?;
                let bundles = bundles.iter().map(|path| read(path)).collect::<Result<Vec<_>, _>>()?;
                print(&trace(&read(&file)?, &manifest, &bundles)?, self.json, TraceReport::to_string);
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
            Command::Proof { file, leaf, log } => {
                print(&proof(&file, &leaf, &log.open()?)?, self.json, ProofReport::to_string);
            }
            Command::Fsck { folder, log } => {
                let log = log.open()?;
                let (_, checkpoint) = log.fsck(&LogFolder::new(folder), |_, _| Ok(()))?;
                print(&log.report(&checkpoint), self.json, LogReport::to_string);
            }
            Command::Compare { a, b, folder, consistency, evidence, log } => {
                let log = log.open()?;
                let link = link(folder, consistency.as_deref())?;
                let compared = compare(&log, log.read(&a)?, log.read(&b)?, link.as_ref());
                if let (Err(CompareError::Fork { evidence, .. }), Some(path)) = (&compared, evidence) {
                    write_new(&path, &evidence.to_file())?;
                }
                print(&compared?, self.json, Comparison::to_string);
            }
            Command::Reconcile { hub, decisions, folder, partial, log } => {
                let log = log.open()?;
                let (list, keys) = (open(&hub)?, open(&decisions)?);
                let found = reconcile(&log, &LogFolder::new(folder), (&decisions, keys), list, partial)?;
                print(&found, self.json, Reconciliation::to_string);
                if !found.holds() {
                    return Err(AuditError::NotReconciled(found.summary()));
                }
            }
        }
        Ok(())
    }
}

impl LogArgs {
    fn open(&self) -> Result<Log, AuditError> {
        let manifest = SignedManifest::open(&read(&self.manifest)?)?;
        let mut log = Log::of(&manifest, &self.bank)?;
        if let Some(path) = &self.policy {
            let policy = Policy::parse(&read(path)?);
            let failed = |source| AuditError::Policy { path: path.clone(), source };
            log.policy = Some(policy.map_err(failed)?);
        }
        Ok(log)
    }
}

fn proof(file: &Path, leaf: &LeafArgs, log: &Log) -> Result<ProofReport, AuditError> {
    let io = |path: &Path| {
        let path = path.to_owned();
        move |source| AuditError::File { path, source }
    };
    let hash = match (&leaf.leaf, leaf.leaf_hash) {
        (Some(path), _) => {
            let bytes = read_bounded(path, MAX_LEAF).map_err(io(path))?;
            if bytes.len() > MAX_LEAF {
                return Err(AuditError::Leaf(path.clone()));
            }
            leaf_hash(&bytes)
        }
        (None, hash) => hash.unwrap_or_default().0,
    };
    let proof = TlogProof::parse(&read_bounded(file, MAX_PROOF_BYTES).map_err(io(file))?)?;
    let checkpoint = proof.verify(&hash, &log.origin, &log.key)?;
    log.check_policy(file, &proof.checkpoint)?;
    Ok(ProofReport { leaf: Digest(hash), index: proof.index, log: log.report(&checkpoint) })
}

/// What connects two checkpoints.
fn link(folder: Option<PathBuf>, consistency: Option<&Path>) -> Result<Option<Link>, AuditError> {
    match (folder, consistency) {
        (Some(folder), _) => Ok(Some(Link::Folder(LogFolder::new(folder)))),
        (None, None) => Ok(None),
        (None, Some(path)) => {
            let hashes = String::from_utf8(read(path)?).ok().and_then(|text| parse_hashes(&text));
            Ok(Some(Link::Proof(hashes.ok_or_else(|| AuditError::Hashes(path.to_owned()))?)))
        }
    }
}

fn open(path: &Path) -> Result<File, AuditError> {
    File::open(path).map_err(|source| AuditError::File { path: path.to_owned(), source })
}

fn write_new(path: &Path, bytes: &[u8]) -> Result<(), AuditError> {
    use std::io::Write;
    let write = || File::create_new(path)?.write_all(bytes);
    write().map_err(|source| AuditError::File { path: path.to_owned(), source })
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

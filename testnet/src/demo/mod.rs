//! Money that no bank alone would stop, followed through three banks.
//!
//! Every step observes what it tells, at the nodes' interfaces, events and files; the first that does not is the end,
//! with a non-zero exit. `--sabotage` spoils one step for real, so that tests see that its observation can fail.

mod ceremony;
mod crash;
mod evidence;
mod frames;
mod messages;
mod mule;
mod samples;
mod story;
mod stranger;
mod table;

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use hansa_api::ClientError;
use hansa_types::hash::Digest;
use hansa_types::uetr::Uetr;

pub use self::messages::customers;
use self::story::Story;
use crate::cable::{Cable, CableError};
use crate::consortium::{Consortium, CreateError, Founding, List, ProofKeys};
use crate::process::{NodeProcess, ProcessError};
use crate::{data, process};

/// How to show it.
#[derive(Args, Clone, Debug, Default)]
pub struct DemoArgs {
    /// Keep everything (keys, logs, databases, evidence) in DIR, which must not exist.
    #[arg(long, value_name = "DIR")]
    pub keep: Option<PathBuf>,
    /// Leave the ceremony out: development keys, half a minute less.
    #[arg(long)]
    pub development_keys: bool,
    /// Spoil one step, to see that it is noticed.
    #[arg(long, value_enum, hide = true)]
    pub sabotage: Option<Sabotage>,
}

/// What can be spoilt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Sabotage {
    /// A byte of bank B's contribution to the ceremony is changed.
    Ceremony,
    /// A byte of the signed manifest is changed.
    Manifest,
    /// A node is not told that development keys are all right.
    Development,
    /// Bank A names no gateway, so no signal leaves.
    Gateway,
    /// Bank A screens against no list.
    Watchlist,
    /// Bank A's frames have no limit.
    Limit,
    /// Bank C's database is removed while it is down.
    Database,
    /// A byte of the evidence is changed before it is verified.
    Evidence,
    /// Bank C is stopped before the closing table is read.
    Table,
}

/// Why the story broke off.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// The consortium could not be made.
    #[error(transparent)]
    Create(#[from] CreateError),
    /// A process.
    #[error(transparent)]
    Process(#[from] ProcessError),
    /// A request.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// A file.
    #[error("{path}: {source}")]
    File {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The folder to keep everything in is there already.
    #[error("{0} exists: name a folder that does not")]
    Exists(PathBuf),
    /// Something else was observed than the story says.
    #[error("{0}")]
    Observed(String),
}

/// Fails with what was observed unless it is what the story says.
pub(crate) fn expect(holds: bool, observed: impl FnOnce() -> String) -> Result<(), DemoError> {
    if holds { Ok(()) } else { Err(DemoError::Observed(observed())) }
}

/// The running consortium, and what later steps need of earlier ones.
struct Stage {
    consortium: Consortium,
    nodes: Vec<NodeProcess>,
    story: Story,
    sabotage: Option<Sabotage>,
    /// The ceremony's report, if there was one.
    report: Option<PathBuf>,
    /// What bank A's gateway is at the other end of, or why it sends over this machine's loopback interface.
    cable: Result<Cable, CableError>,
}

/// What the mule's story left for the evidence.
struct Cast {
    /// The payment that the victim made.
    paid: Uetr,
    /// The payment that bank B held.
    held: Uetr,
    /// The signal between the two.
    signal: Digest,
}

/// Tells the whole story.
pub fn run(args: &DemoArgs) -> Result<(), DemoError> {
    let temporary =
        tempfile::tempdir().map_err(|source| DemoError::File { path: std::env::temp_dir(), source })?;
    let folder = match &args.keep {
        Some(keep) if keep.exists() => return Err(DemoError::Exists(keep.clone())),
        Some(keep) => keep.clone(),
        None => temporary.path().join("consortium"),
    };
    println!("Money that no bank alone would stop, followed through three banks.");
    let mut story = Story::new();
    let cable = frames::lay_cable();
    let (consortium, report) = create(&mut story, &folder, args)?;
    let mut stage = Stage { consortium, nodes: Vec::new(), story, sabotage: args.sabotage, report, cable };
    frames::configure(&stage)?;
    start(&mut stage)?;
    let cast = mule::play(&mut stage)?;
    samples::play(&mut stage)?;
    frames::play(&mut stage)?;
    crash::play(&mut stage)?;
    evidence::play(&mut stage, &cast)?;
    table::play(&mut stage)?;
    while let Some(node) = stage.nodes.pop() {
        node.stop()?;
    }
    println!("\nEvery step was observed, in {:.0} s.", stage.story.seconds());
    if let Some(keep) = &args.keep {
        println!("Everything is kept in {}.", keep.display());
    }
    Ok(())
}

/// Steps 1 and 2: the banks and their keys; the ceremony, configuration, customers and the manifest.
fn create(
    story: &mut Story,
    folder: &Path,
    args: &DemoArgs,
) -> Result<(Consortium, Option<PathBuf>), DemoError> {
    let sabotage = args.sabotage;
    story.step("Three banks are created");
    let founding = Founding::begin(folder, [1; 3])?;
    for bank in &founding.consortium.banks {
        story.tell(format!("{} ({}, {}) has keys of its own", bank.id, bank.institution, bank.bic));
    }
    story.step("They make the proving keys in a ceremony, and sign the manifest of their consortium");
    let (keys, report) = if args.development_keys {
        story.tell("the ceremony is left out: DEVELOPMENT proving keys");
        (ProofKeys::development()?, None)
    } else {
        let (keys, report) = ceremony::play(story, &founding.consortium, sabotage)?;
        (keys, Some(report))
    };
    let own = List { toml: samples::list_toml() };
    let real = data::file("ofac/sdn-2024-05-03.csv").map(|sdn| {
        let aliases = data::file("ofac/alt-2025-02.csv");
        List { toml: samples::ofac_toml(&sdn, aliases.as_deref()) }
    });
    let at_a = if sabotage == Some(Sabotage::Watchlist) { vec![] } else { vec![own] };
    let lists = [at_a, vec![], real.into_iter().collect()];
    let consortium = founding.complete(&keys, customers(), lists)?;
    story.tell("the manifest is signed by all three; its tag key is a DEVELOPMENT key, and it says so");
    match sabotage {
        Some(Sabotage::Manifest) => flip_byte(&consortium.manifest())?,
        Some(Sabotage::Gateway) => edit(&consortium.banks[0].config(), "gateway = 1", "")?,
        _ => {}
    }
    Ok((consortium, report))
}

/// Step 3: three processes that let nobody in but one another.
fn start(stage: &mut Stage) -> Result<(), DemoError> {
    stage.story.step("Three nodes start and join over QUIC; only the manifest's peers get in");
    let consortium = stage.consortium.clone();
    let refused =
        process::run("hansa", &["--config", &consortium.banks[0].config().display().to_string(), "run"]);
    let refused = refused.err().map(|error| error.to_string()).unwrap_or_default();
    expect(refused.contains("--development") || stage.sabotage == Some(Sabotage::Manifest), || {
        format!("a node without --development should refuse this manifest, and said: {refused}")
    })?;
    stage.story.tell("without --development a node refuses the manifest");
    for (index, bank) in consortium.banks.iter().enumerate() {
        let careless = index == 2 && stage.sabotage == Some(Sabotage::Development);
        let arguments: &[&str] = if careless { &[] } else { &["--development"] };
        stage.nodes.push(NodeProcess::start(bank, arguments)?);
    }
    for node in &mut stage.nodes {
        node.ready()?;
    }
    for node in &mut stage.nodes {
        node.joined(2)?;
    }
    for node in &stage.nodes {
        let readiness = node.client()?.readiness()?;
        expect(readiness.ready, || format!("a node is not ready: {:?}", readiness.checks))?;
    }
    stage.story.tell("all three are ready, each connected to the other two");
    stranger::dials(stage)?;
    stage
        .story
        .tell("a stranger who knows bank A's address and identity dials it and is turned away, and counted");
    Ok(())
}

/// Changes one byte in the middle of a file.
pub(crate) fn flip_byte(path: &Path) -> Result<(), DemoError> {
    let file = |source| DemoError::File { path: path.to_owned(), source };
    let mut bytes = std::fs::read(path).map_err(file)?;
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(path, bytes).map_err(file)
}

fn edit(path: &Path, from: &str, to: &str) -> Result<(), DemoError> {
    let file = |source| DemoError::File { path: path.to_owned(), source };
    let text = std::fs::read_to_string(path).map_err(file)?;
    std::fs::write(path, text.replace(from, to)).map_err(file)
}

//! The operator's command line: what `hansa` understands, one file a group of commands.

mod audit;
mod backup;
mod cases;
mod cluster;
mod customers;
mod exceptions;
mod firewall;
mod frame;
mod governance;
mod init;
mod lists;
mod model;
mod output;
mod records;
mod run;
mod screen;
mod shadow;
mod signals;
mod status;
mod why;
mod xdp;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use hansa_api::{ApiToken, Client, ClientError};
use hansa_keys::{KeyFolder, Purpose};

use crate::config::{Config, ConfigError};

pub use self::init::{InitArgs, InitError, init};

/// The configuration file where none is named.
const DEFAULT_CONFIG: &str = "hansa.toml";

/// A bank's node in a consortium that catches together what no bank sees alone.
///
/// Exit codes: 0 done, 1 failed, 2 wrong usage; `hansa screen` says more, see its help.
#[derive(Debug, Parser)]
#[command(name = "hansa", version, max_term_width = 100)]
pub struct Cli {
    /// The node's configuration file; hansa.toml here if none is named.
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Print JSON instead of text, wherever data is printed.
    #[arg(long, global = true)]
    pub json: bool,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What `hansa` can do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make a new bank: keys, configuration, empty customer file, and its entry for the manifest.
    #[command(
        after_help = "Example:\n  hansa init bank-a --bank bank-a --institution 'Bank A' --parent 5493001KJTIIGC8Y1R12"
    )]
    Init(InitArgs),
    /// Run the node until it is told to stop (SIGTERM or Ctrl-C). Events go to stdout as JSON lines, logs to stderr.
    #[command(after_help = "Example:\n  hansa --config bank-a/hansa.toml run")]
    Run(run::RunArgs),
    /// Where a running node stands: peers, replicas, log, counters.
    #[command(after_help = "Example:\n  hansa --config bank-a/hansa.toml status --json")]
    Status,
    /// Screen pacs.008 files without a running node, and log nothing.
    #[command(after_help = screen::AFTER_HELP)]
    Screen(screen::ScreenArgs),
    /// Why a payment was decided as it was: the score as a sum, what would have changed the verdict, and what it would be
    /// under today's lists.
    #[command(after_help = "Example:\n  hansa why 97ed4827-7b6f-4491-a06f-b548d5a7512d")]
    Why(why::PaymentArgs),
    /// Take the decision on a payment again, by the lists, the model and the rules that it cites.
    #[command(
        after_help = "Exit codes: 0 the same again, bit for bit; 1 otherwise, or failed.\n\nExample:\n  hansa replay 97ed4827-7b6f-4491-a06f-b548d5a7512d"
    )]
    Replay(why::PaymentArgs),
    /// Watch lists: what is screened against, and how newer versions come.
    #[command(subcommand)]
    Lists(lists::ListsCommand),
    /// Customers: whose accounts this bank holds.
    #[command(subcommand)]
    Customers(customers::CustomersCommand),
    /// The risk model: checked, tried on decisions taken, reloaded, watched.
    #[command(subcommand)]
    Model(model::ModelCommand),
    /// Beside another screener: compare verdicts.
    #[command(subcommand)]
    Shadow(shadow::ShadowCommand),
    /// Exceptions: who resembles a listed name and was found to be somebody else.
    #[command(subcommand)]
    Exceptions(exceptions::ExceptionsCommand),
    /// Frames: what a payment gateway sends ahead of a message, and what it is told.
    #[command(subcommand)]
    Frame(frame::FrameCommand),
    /// The driver: where frames are screened, and what was counted.
    #[command(subcommand)]
    Xdp(xdp::XdpCommand),
    /// The firewall: who may send frames, and who reaches the peers' port.
    #[command(subcommand)]
    Firewall(firewall::FirewallCommand),
    /// Cases: what an officer works on.
    #[command(subcommand)]
    Cases(cases::CasesCommand),
    /// Signals: what this bank told the others, and what they told it.
    #[command(subcommand)]
    Signals(signals::SignalsCommand),
    /// Alerts: signals of others that matched a subject known here.
    #[command(subcommand)]
    Alerts(signals::AlertsCommand),
    /// The bank's own replicas: who leads, who joins, who goes.
    #[command(subcommand)]
    Cluster(cluster::ClusterCommand),
    /// Governance: what the members decide together.
    #[command(subcommand)]
    Governance(governance::GovernanceCommand),
    /// The audit log: what it holds on a payment, and evidence for an auditor.
    #[command(subcommand)]
    Audit(audit::AuditCommand),
    /// Subjects: what is held about somebody, legal hold, erasure.
    #[command(subcommand)]
    Subject(records::SubjectCommand),
    /// Records as a whole: retention, and how complete erasures are.
    #[command(subcommand)]
    Records(records::RecordsCommand),
    /// Backups: made by the running node; checked, practised and restored without it.
    #[command(subcommand)]
    Backup(backup::BackupCommand),
}

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    /// No usable configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// No usable key.
    #[error(transparent)]
    Key(#[from] hansa_keys::KeyError),
    /// No certificate.
    #[error(transparent)]
    Pki(#[from] hansa_keys::pki::PkiError),
    /// The node did not do it.
    #[error("{0}")]
    Client(#[from] ClientError),
    /// The node could not be made.
    #[error(transparent)]
    Init(#[from] InitError),
    /// The node could not run.
    #[error(transparent)]
    Run(#[from] crate::error::StartError),
    /// The log could not be copied.
    #[error(transparent)]
    Export(#[from] crate::export::ExportError),
    /// Keys of frames.
    #[error(transparent)]
    Frames(#[from] crate::config::FramesError),
    /// No answer to frames could be had.
    #[error(transparent)]
    Gateway(#[from] crate::gateway::GatewayError),
    /// The archive of lists.
    #[error(transparent)]
    Archive(#[from] crate::files::FileError),
    /// A line of a table.
    #[error("{path}, line {line}: {what}")]
    Table {
        /// Which file.
        path: PathBuf,
        /// Which line, from 1.
        line: u64,
        /// What is wrong.
        what: String,
    },
    /// A list was not taken over.
    #[error(transparent)]
    List(#[from] crate::flows::lists::ListsError),
    /// What is screened against cannot be loaded.
    #[error(transparent)]
    Load(#[from] crate::load::LoadError),
    /// No action, or no member's entry.
    #[error("the file does not hold what is wanted: {0}")]
    Action(String),
    /// The manifest.
    #[error(transparent)]
    Manifest(#[from] hansa_types::manifest::ManifestError),
    /// Not enough was said.
    #[error("{0}")]
    Usage(&'static str),
    /// A backup.
    #[error(transparent)]
    Backup(#[from] hansa_consensus::backup::BackupError),
    /// A file.
    #[error("{path}: {source}")]
    File {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

impl Cli {
    /// Carries out the command; the exit code is for scripts.
    pub fn execute(self) -> Result<ExitCode, CliError> {
        let Self { config: named, json, command } = self;
        let out = output::Output { json };
        let config = named.clone().unwrap_or_else(|| PathBuf::from(DEFAULT_CONFIG));
        match command {
            Command::Init(args) => init::execute(&args, &out),
            Command::Run(args) => run::execute(&load(&config)?, &args),
            Command::Status => status::execute(&client(&config)?, &out),
            Command::Screen(args) => screen::execute(&args, named.as_deref(), &out),
            Command::Why(args) => why::why(&args, &client(&config)?, &out),
            Command::Replay(args) => why::replay(&args, &client(&config)?, &out),
            Command::Lists(command) => lists::execute(command, &config, &out),
            Command::Customers(command) => customers::execute(command, &client(&config)?, &out),
            Command::Model(command) => model::execute(command, &config, &out),
            Command::Shadow(command) => shadow::execute(command, &client(&config)?, &out),
            Command::Exceptions(command) => exceptions::execute(command, &client(&config)?, &out),
            Command::Frame(command) => frame::execute(&command, &config, &out),
            Command::Xdp(command) => xdp::execute(command, &client(&config)?, &out),
            Command::Firewall(command) => firewall::execute(command, &client(&config)?, &out),
            Command::Cases(command) => cases::execute(command, &client(&config)?, &out),
            Command::Signals(command) => signals::execute(command, &client(&config)?, &out),
            Command::Alerts(signals::AlertsCommand::List) => signals::alerts(&client(&config)?, &out),
            Command::Cluster(cluster::ClusterCommand::Certificate(args)) => cluster::certificate(&args, &out),
            Command::Cluster(command) => cluster::execute(command, &client(&config)?, &out),
            Command::Governance(command) => governance::execute(command, &config, &out),
            Command::Audit(command) => audit::execute(command, &client(&config)?, &out),
            Command::Subject(command) => records::subject(command, &client(&config)?, &out),
            Command::Records(command) => records::records(command, &client(&config)?, &out),
            Command::Backup(command) => backup::execute(command, &config, &out),
        }
    }
}

fn load(path: &Path) -> Result<Config, ConfigError> {
    // A variable that is no text is none of ours.
    let environment =
        std::env::vars_os().filter_map(|(k, v)| Some((k.into_string().ok()?, v.into_string().ok()?)));
    Config::load(path, environment)
}

/// A client of the node that `path` configures, with the token only that node's user can read.
fn client(path: &Path) -> Result<Client, CliError> {
    let config = load(path)?;
    let token = KeyFolder::new(&config.node.keys).secret(Purpose::Api)?;
    Ok(Client::new(&format!("http://{}", config.api.listen), &ApiToken::new(*token.expose()))?)
}

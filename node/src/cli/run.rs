//! `hansa run`.

use std::process::ExitCode;

use clap::Args;
use tracing_subscriber::EnvFilter;

use super::CliError;
use crate::app;
use crate::config::Config;

/// What is logged unless `HANSA_LOG` says otherwise: the libraries' inner workings are noise to an operator.
const LOG_FILTER: &str =
    "info,openraft=error,libp2p=warn,libp2p_gossipsub=error,libp2p_swarm=warn,quinn=warn";

/// How to run.
#[derive(Debug, Args)]
pub struct RunArgs {
    /// Accept a manifest whose keys come from a development set-up: whoever made them can forge proofs.
    #[arg(long)]
    pub development: bool,
    /// Write logs as JSON lines.
    #[arg(long)]
    pub log_json: bool,
}

pub(super) fn execute(config: &Config, args: &RunArgs) -> Result<ExitCode, CliError> {
    let filter = EnvFilter::try_from_env("HANSA_LOG").unwrap_or_else(|_| EnvFilter::new(LOG_FILTER));
    let logs = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    if args.log_json {
        logs.json().init();
    } else {
        logs.init();
    }
    app::run(config, args.development)?;
    Ok(ExitCode::SUCCESS)
}

//! `hansa-genesis`: the ceremony, and the offline commands for manifest and proposals.

use std::process::ExitCode;

use clap::Parser;
use hansa_genesis::cli::Cli;

fn main() -> ExitCode {
    match Cli::parse().execute() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("hansa-genesis: {error}");
            ExitCode::FAILURE
        }
    }
}

//! `hansa-audit`: verifies evidence offline.

use std::process::ExitCode;

use clap::Parser;
use hansa_auditor::cli::Cli;

fn main() -> ExitCode {
    match Cli::parse().execute() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("hansa-audit: REFUSED: {error}");
            ExitCode::FAILURE
        }
    }
}

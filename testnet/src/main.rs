//! `hansa-testnet`: a whole consortium on one machine.

use std::process::ExitCode;

use clap::Parser;
use hansa_testnet::cli::Cli;

fn main() -> ExitCode {
    match Cli::parse().execute() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("hansa-testnet: {error}");
            ExitCode::FAILURE
        }
    }
}

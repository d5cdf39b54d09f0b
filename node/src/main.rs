//! `hansa`: a bank's node, and the operator's commands.

use std::process::ExitCode;

use clap::Parser;
use hansa_node::cli::Cli;

fn main() -> ExitCode {
    match Cli::parse().execute() {
        Ok(code) => code,
        Err(error) => {
            eprintln!("hansa: {error}");
            ExitCode::FAILURE
        }
    }
}

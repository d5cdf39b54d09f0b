//! `hansa customers`: whose accounts the bank holds.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Subcommand;
use hansa_api::Client;
use hansa_api::model::{CustomerChangeView, CustomerImport, CustomersView};
use hansa_types::id::Actor;

use super::CliError;
use super::output::Output;

/// What can be done with customers.
#[derive(Debug, Subcommand)]
pub enum CustomersCommand {
    /// How many accounts are held, and how old the file is.
    #[command(after_help = "Example:\n  hansa customers status")]
    Status,
    /// Put another file of customers in place of the one in use: new and changed customers are tagged and screened at
    /// once. A broken file is refused as a whole, and one that lost a tenth of the accounts unless forced.
    #[command(
        after_help = "The file: account,name,birth_date,country (with that header); an account is an IBAN or SCHEME:NUMBER.\n\nExample:\n  hansa customers import customers.csv --actor feed.core-banking"
    )]
    Import {
        /// The file.
        file: PathBuf,
        /// Take it even if it has much fewer accounts.
        #[arg(long)]
        force: bool,
        /// Who.
        #[arg(long)]
        actor: Actor,
    },
}

pub(super) fn execute(
    command: CustomersCommand,
    client: &Client,
    out: &Output,
) -> Result<ExitCode, CliError> {
    match command {
        CustomersCommand::Status => out.print(&client.customers()?, status),
        CustomersCommand::Import { file, force, actor } => {
            let bytes = std::fs::read(&file).map_err(|source| CliError::File { path: file, source })?;
            let import = CustomerImport { actor, force, file: bytes };
            out.print(&client.import_customers(&import)?, change);
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn status(view: &CustomersView) -> String {
    let state = match (&view.refused, view.stale) {
        (Some(reason), _) => format!("the file as it is now is REFUSED: {reason}"),
        (None, true) => {
            "STALE: the file was not written for longer than node.customers_max_age_hours".to_owned()
        }
        (None, false) => "in use".to_owned(),
    };
    format!("{} accounts, written at {}: {state}", view.accounts, view.written)
}

fn change(view: &CustomerChangeView) -> String {
    let CustomerChangeView { added, changed, closed, accounts } = view;
    format!("{added} added, {changed} changed, {closed} closed: {accounts} accounts")
}

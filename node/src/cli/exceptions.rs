//! `hansa exceptions`: who resembles a listed name and was found to be somebody else.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use hansa_api::Client;
use hansa_api::model::{ExceptionRequest, ExceptionView, WithdrawalRequest};
use hansa_types::hash::Digest;
use hansa_types::id::Actor;
use hansa_types::subject::Subject;

use super::CliError;
use super::output::{Output, short, table};
use super::records::SubjectArgs;

/// What can be done with exceptions.
#[derive(Debug, Subcommand)]
pub enum ExceptionsCommand {
    /// The exceptions that were not withdrawn.
    #[command(after_help = "Example:\n  hansa exceptions list")]
    List,
    /// Grant one: this account, organisation or person is not that entry. It holds against the entry as it stands, until
    /// it expires or the entry changes; it never covers an exact identifier.
    #[command(
        after_help = "Example:\n  hansa exceptions grant ofac-sdn 36 --account DE89370400440532013000 --days 365 --reason 'born 1984, the listed one 1951; passport seen' --actor officer.a"
    )]
    Grant(GrantArgs),
    /// Withdraw one before it expires.
    #[command(
        after_help = "Example:\n  hansa exceptions withdraw 4f1a...9c --reason 'passport forged' --actor officer.b"
    )]
    Withdraw {
        /// Which: its whole id, as `hansa exceptions list --json` has it.
        id: Digest,
        /// Why.
        #[arg(long)]
        reason: String,
        /// Who.
        #[arg(long)]
        actor: Actor,
    },
}

/// An exception to grant.
#[derive(Debug, Args)]
pub struct GrantArgs {
    /// The list.
    list: String,
    /// The entry that it is not.
    entry: String,
    #[command(flatten)]
    subject: SubjectArgs,
    /// For how many days; a year at the most.
    #[arg(long, default_value_t = 365)]
    days: u32,
    /// Who was compared with whom, and what tells them apart.
    #[arg(long)]
    reason: String,
    /// Who found so.
    #[arg(long)]
    actor: Actor,
}

pub(super) fn execute(
    command: ExceptionsCommand,
    client: &Client,
    out: &Output,
) -> Result<ExitCode, CliError> {
    match command {
        ExceptionsCommand::List => out.print(&client.exceptions()?, |all| list(all)),
        ExceptionsCommand::Grant(args) => {
            let GrantArgs { list, entry, subject, days, reason, actor } = args;
            let subject = subject.required()?;
            let request = ExceptionRequest { subject, list, entry, days, reason, actor };
            out.print(&client.grant(&request)?, |view| {
                format!("granted until {}: exception {}", view.expires, view.id)
            });
        }
        ExceptionsCommand::Withdraw { id, reason, actor } => {
            out.print(&client.withdraw(id, &WithdrawalRequest { reason, actor })?, |view| {
                format!("withdrawn: exception {}", view.id)
            });
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn list(all: &[ExceptionView]) -> String {
    let row = |view: &ExceptionView| {
        let subject = match &view.subject {
            Subject::Account(account) => account.to_string(),
            Subject::Organisation(lei) => lei.to_string(),
            Subject::Person { name, birth_date, country } => format!("{name}, {birth_date}, {country}"),
        };
        let holds = if view.holds { "holds" } else { "holds no longer" };
        vec![
            short(&view.id),
            subject,
            format!("{} {}", view.list, view.entry),
            view.expires.to_string(),
            holds.to_owned(),
            view.actor.to_string(),
        ]
    };
    let rows: Vec<_> = all.iter().map(row).collect();
    table(&["id", "who", "is not", "until", "state", "by"], &rows, "no exceptions")
}

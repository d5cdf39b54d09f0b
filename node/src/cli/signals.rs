//! `hansa signals` and `hansa alerts`.

use std::process::ExitCode;

use clap::Subcommand;
use hansa_api::Client;
use hansa_api::model::{AlertView, Direction, SignalView};
use hansa_types::hash::Digest;
use hansa_types::id::Actor;
use hansa_types::subject::Subject;

use super::CliError;
use super::output::{Output, short, table};

/// What can be done with signals.
#[derive(Debug, Subcommand)]
pub enum SignalsCommand {
    /// List the signals sent and received.
    #[command(after_help = "Example:\n  hansa signals list --json")]
    List,
    /// Take back a signal of this bank: receivers close their alerts.
    #[command(after_help = "Example:\n  hansa signals retract 3f2a...9c --actor officer.a")]
    Retract {
        /// The signal's id, 64 hexadecimal digits.
        id: Digest,
        /// The officer's login.
        #[arg(long)]
        actor: Actor,
    },
}

/// What can be done with alerts.
#[derive(Debug, Subcommand)]
pub enum AlertsCommand {
    /// List the alerts.
    #[command(after_help = "Example:\n  hansa alerts list")]
    List,
}

pub(super) fn execute(command: SignalsCommand, client: &Client, out: &Output) -> Result<ExitCode, CliError> {
    match command {
        SignalsCommand::List => out.print(&client.signals()?, |signals| list(signals)),
        SignalsCommand::Retract { id, actor } => {
            out.print(&client.retract(id, actor)?, |_| format!("signal {} is retracted", short(&id)));
        }
    }
    Ok(ExitCode::SUCCESS)
}

pub(super) fn alerts(client: &Client, out: &Output) -> Result<ExitCode, CliError> {
    out.print(&client.alerts()?, |alerts| {
        let row = |alert: &AlertView| {
            let held = if alert.held_here { "held here" } else { "counterparty" };
            vec![
                short(&alert.signal),
                alert.state.to_string(),
                subject(&alert.subject),
                held.to_owned(),
                alert.severity.to_string(),
                alert.category.to_string(),
                alert.case.map_or(String::new(), |case| case.to_string()),
            ]
        };
        let rows: Vec<_> = alerts.iter().map(row).collect();
        table(&["signal", "state", "subject", "known as", "severity", "category", "case"], &rows, "no alerts")
    });
    Ok(ExitCode::SUCCESS)
}

fn list(signals: &[SignalView]) -> String {
    let row = |signal: &SignalView| {
        let direction = match signal.direction {
            Direction::Sent => "sent",
            Direction::Received => "received",
        };
        vec![
            signal.id.as_ref().map_or("-".to_owned(), ToString::to_string),
            direction.to_owned(),
            format!("{:?}", signal.state).to_lowercase(),
            signal.epoch.to_string(),
            signal.severity.to_string(),
            signal.category.to_string(),
            signal.matches.to_string(),
        ]
    };
    let rows: Vec<_> = signals.iter().map(row).collect();
    table(&["signal", "direction", "state", "epoch", "severity", "category", "matches"], &rows, "no signals")
}

/// A subject as an officer reads it.
pub(super) fn subject(subject: &Subject) -> String {
    match subject {
        Subject::Account(account) => format!("account {account}"),
        Subject::Organisation(lei) => format!("organisation {lei}"),
        Subject::Person { name, birth_date, country } => format!("person {name}, {birth_date}, {country}"),
    }
}

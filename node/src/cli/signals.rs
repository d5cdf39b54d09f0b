//! `hansa signals` and `hansa alerts`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Subcommand;
use hansa_api::Client;
use hansa_api::model::{AlertView, Direction, SignalView, TraceRequest};
use hansa_types::hash::Digest;
use hansa_types::id::{Actor, Epoch};
use hansa_types::subject::Subject;

use super::output::{Output, short, table};
use super::{CliError, audit};

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
    /// Write this bank's trace secret of one epoch to a file, on a lawful order: whoever has it finds all signals of the
    /// bank in that epoch, and of no other. It is recorded.
    #[command(
        after_help = "Example:\n  hansa signals disclose --epoch 3 --actor officer.a --reason 'order 17/2026 of the court' --out epoch-3.trace\n  hansa-audit trace epoch-3.trace --manifest manifest.hansa payment.evidence"
    )]
    Disclose {
        /// Which epoch.
        #[arg(long)]
        epoch: u32,
        /// The officer's login.
        #[arg(long)]
        actor: Actor,
        /// On whose order, and its reference: kept for ever.
        #[arg(long)]
        reason: String,
        /// The file to write; one that exists is not overwritten.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
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
        SignalsCommand::Disclose { epoch, actor, reason, out: path } => {
            let request = TraceRequest { epoch: Epoch(epoch), actor, reason };
            audit::write(&path, &client.disclose_trace(&request)?)?;
            let written = serde_json::json!({ "file": path, "epoch": epoch });
            out.print(&written, |_| {
                format!("the trace secret of epoch {epoch} written to {}", path.display())
            });
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

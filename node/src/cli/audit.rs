//! `hansa audit`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Subcommand;
use hansa_api::Client;
use hansa_api::model::{EvidenceRequest, Leg, LogEntry};
use hansa_types::uetr::Uetr;

use super::CliError;
use super::output::{Output, short, table};

/// What can be done with the log.
#[derive(Debug, Subcommand)]
pub enum AuditCommand {
    /// Everything the log holds on a payment.
    #[command(after_help = "Example:\n  hansa audit show 97ed4827-7b6f-4491-a06f-b548d5a7512d --json")]
    Show {
        /// The payment's UETR.
        uetr: Uetr,
        /// Only this leg, as INSTRUCTING/INSTRUCTED.
        #[arg(long)]
        leg: Option<Leg>,
    },
    /// Write the evidence on a payment to a file that `hansa-audit verify` checks without this node.
    #[command(
        after_help = "Example:\n  hansa audit export 97ed4827-7b6f-4491-a06f-b548d5a7512d --out payment.evidence"
    )]
    Export {
        /// The payment's UETR.
        uetr: Uetr,
        /// The leg, as INSTRUCTING/INSTRUCTED, where the payment went over several here.
        #[arg(long)]
        leg: Option<Leg>,
        /// The file to write; one that exists is not overwritten.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
}

pub(super) fn execute(command: AuditCommand, client: &Client, out: &Output) -> Result<ExitCode, CliError> {
    match command {
        AuditCommand::Show { uetr, leg } => {
            out.print(&client.history(uetr, leg.as_ref())?, |entries| list(entries));
        }
        AuditCommand::Export { uetr, leg, out: path } => {
            let bundle = client.evidence(&EvidenceRequest { uetr, leg })?;
            let write = || {
                use std::io::Write;
                use std::os::unix::fs::OpenOptionsExt;
                // It opens a customer's records: for whoever exports it, until that person passes it on.
                let mut file =
                    std::fs::File::options().write(true).create_new(true).mode(0o600).open(&path)?;
                file.write_all(&bundle).inspect_err(|_| drop(std::fs::remove_file(&path)))
            };
            write().map_err(|source| CliError::File { path: path.clone(), source })?;
            let written = serde_json::json!({ "file": path, "bytes": bundle.len() });
            out.print(&written, |_| {
                format!("{} bytes of evidence written to {}", bundle.len(), path.display())
            });
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn list(entries: &[LogEntry]) -> String {
    let row = |entry: &LogEntry| {
        let published = if entry.published { "published" } else { "integrated" };
        vec![entry.index.to_string(), entry.class.to_string(), short(&entry.leaf), published.to_owned()]
    };
    let rows: Vec<_> = entries.iter().map(row).collect();
    table(&["index", "class", "leaf", "state"], &rows, "nothing")
}

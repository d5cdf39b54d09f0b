//! `hansa audit`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand};
use hansa_api::Client;
use hansa_api::model::{EvidenceRequest, ForkView, Leg, LogEntry, LogQuery};
use hansa_types::date::Date;
use hansa_types::hash::Digest;
use hansa_types::hash::Field;
use hansa_types::id::Timestamp;
use hansa_types::record::RecordClass;
use hansa_types::uetr::Uetr;

use super::CliError;
use super::output::{Output, short, table};
use super::records::{self, SubjectArgs};
use crate::export;

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
    /// Find records by what they are about; everything named must hold.
    #[command(
        after_help = "Times are YYYY-MM-DD (its beginning, UTC) or Unix seconds.\n\nExample:\n  hansa audit find --account DE89370400440532013000 --since 2026-01-01 --class case"
    )]
    Find(Box<FindArgs>),
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
    /// The logs of members, this bank's included, that were found to have two views, or are suspected.
    #[command(after_help = "Example:\n  hansa audit forks --out evidence")]
    Forks {
        /// Write each piece of evidence into this folder, for `hansa-audit fork`; no file that exists is overwritten.
        #[arg(long, value_name = "FOLDER")]
        out: Option<PathBuf>,
    },
    /// Copy the whole published log into a folder that `hansa-audit fsck` checks without this node (C2SP tlog-tiles).
    #[command(after_help = "Example:\n  hansa audit export-log log-of-bank-a")]
    ExportLog {
        /// The folder; one that holds an earlier export is completed.
        folder: PathBuf,
    },
    /// Write an entry as it is in the published log, and the proof that it is there, for `hansa-audit proof`.
    #[command(after_help = "Example:\n  hansa audit proof 17 --out record")]
    Proof {
        /// The entry's index, as `hansa audit show` and `find` print it.
        index: u64,
        /// What both files are called, before `.leaf` and `.tlog-proof`; one that exists is not overwritten.
        #[arg(long, value_name = "NAME")]
        out: PathBuf,
    },
    /// Write the keys of every decision in an exported log: with them an auditor reads the decisions and nothing else.
    #[command(after_help = "Example:\n  hansa audit decisions --log log-of-bank-a --out decisions.keys")]
    Decisions {
        /// The folder that `hansa audit export-log` wrote.
        #[arg(long = "log", value_name = "DIR")]
        folder: PathBuf,
        /// The file to write; one that exists is not overwritten.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
}

/// What to find.
#[derive(Debug, Args)]
pub struct FindArgs {
    /// A payment's UETR.
    #[arg(long)]
    uetr: Option<Uetr>,
    #[command(flatten)]
    subject: SubjectArgs,
    /// A signal's tag, 64 hexadecimal digits.
    #[arg(long)]
    tag: Option<Field>,
    /// A signal's nullifier, 64 hexadecimal digits.
    #[arg(long)]
    nullifier: Option<Field>,
    /// Not before.
    #[arg(long, value_parser = time)]
    since: Option<Timestamp>,
    /// Not after.
    #[arg(long, value_parser = time)]
    until: Option<Timestamp>,
    /// Of one class, for example decision or case.
    #[arg(long)]
    class: Option<RecordClass>,
    /// Behind this entry: where the page before ended.
    #[arg(long, value_name = "INDEX")]
    after: Option<u64>,
    /// How many entries at the most.
    #[arg(long)]
    limit: Option<usize>,
}

/// A time: a date's beginning, or Unix seconds.
fn time(text: &str) -> Result<Timestamp, String> {
    if let Ok(seconds) = text.parse() {
        return Ok(Timestamp(seconds));
    }
    let date = Date::try_from(text).map_err(|e| e.to_string())?;
    let days = u64::try_from(date.days_since_epoch()).map_err(|_| format!("{text} is before 1970"))?;
    Ok(Timestamp(days * 86_400))
}

pub(super) fn execute(command: AuditCommand, client: &Client, out: &Output) -> Result<ExitCode, CliError> {
    match command {
        AuditCommand::Show { uetr, leg } => {
            out.print(&client.history(uetr, leg.as_ref())?, |entries| list(entries));
        }
        AuditCommand::Find(args) => {
            let FindArgs { uetr, subject, tag, nullifier, since, until, class, after, limit } = *args;
            let subject = subject.named();
            let query = LogQuery { uetr, subject, tag, nullifier, since, until, class, after, limit };
            out.print(&client.find(&query)?, |page| {
                let more = page.next.map_or(String::new(), |next| format!("\nmore: --after {next}"));
                format!("{}{more}", records::list(&page.entries))
            });
        }
        AuditCommand::Export { uetr, leg, out: path } => {
            let bundle = client.evidence(&EvidenceRequest { uetr, leg })?;
            // It opens a customer's records: for whoever exports it, until that person passes it on.
            write(&path, &bundle)?;
            let written = serde_json::json!({ "file": path, "bytes": bundle.len() });
            out.print(&written, |_| {
                format!("{} bytes of evidence written to {}", bundle.len(), path.display())
            });
        }
        AuditCommand::Forks { out: folder } => {
            let forks = client.forks()?;
            for (fork, folder) in forks.iter().zip(folder.iter().cycle()) {
                let file = fork.file_bytes().unwrap_or_default();
                write(&folder.join(fork_name(fork)), &file)?;
            }
            out.print(&forks, |forks| forked(forks));
        }
        AuditCommand::ExportLog { folder } => {
            let checkpoint = export::log(client, &folder)?;
            let written = serde_json::json!({
                "folder": folder, "size": checkpoint.size, "root": Digest(checkpoint.root),
            });
            out.print(&written, |_| {
                format!("{} entries and their tiles written to {}", checkpoint.size, folder.display())
            });
        }
        AuditCommand::Proof { index, out: name } => {
            let (leaf, proof) = export::proof(client, index)?;
            let files = ["leaf", "tlog-proof"].map(|extension| name.with_added_extension(extension));
            for (file, bytes) in files.iter().zip([&leaf, proof.as_bytes()]) {
                write(file, bytes)?;
            }
            let written = serde_json::json!({ "index": index, "files": files });
            out.print(&written, |_| {
                format!(
                    "entry {index} written to {}",
                    files.each_ref().map(|file| file.display().to_string()).join(" and ")
                )
            });
        }
        AuditCommand::Decisions { folder, out: path } => {
            let decisions = export::decisions(client, &folder, &path)?;
            let written = serde_json::json!({ "file": path, "decisions": decisions });
            out.print(&written, |_| {
                format!("the keys of {decisions} decisions written to {}", path.display())
            });
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Writes a new file that is for whoever asked for it, until that person passes it on.
pub(super) fn write(path: &Path, bytes: &[u8]) -> Result<(), CliError> {
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;
    let write = || {
        let mut file = std::fs::File::options().write(true).create_new(true).mode(0o600).open(path)?;
        file.write_all(bytes).inspect_err(|_| drop(std::fs::remove_file(path)))
    };
    write().map_err(|source| CliError::File { path: path.to_owned(), source })
}

/// What the evidence is called in its folder.
fn fork_name(fork: &ForkView) -> String {
    format!("{}-{}.fork", fork.bank, short(&fork.id))
}

fn forked(forks: &[ForkView]) -> String {
    let row = |fork: &ForkView| {
        let what = if fork.proved { "forked" } else { "suspected" };
        let [one, other] = fork.sizes;
        vec![fork.bank.to_string(), what.to_owned(), format!("{one} and {other}"), fork_name(fork)]
    };
    let rows: Vec<_> = forks.iter().map(row).collect();
    table(&["log of", "what", "at sizes", "file"], &rows, "no log is known to have forked")
}

fn list(entries: &[LogEntry]) -> String {
    let row = |entry: &LogEntry| {
        let published = if entry.published { "published" } else { "integrated" };
        vec![entry.index.to_string(), entry.class.to_string(), short(&entry.leaf), published.to_owned()]
    };
    let rows: Vec<_> = entries.iter().map(row).collect();
    table(&["index", "class", "leaf", "state"], &rows, "nothing")
}

//! `hansa subject` and `hansa records`: what is held about somebody, for how long, and what goes.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use hansa_api::Client;
use hansa_api::model::{ExpiryRequest, FoundEntry, SubjectAction};
use hansa_types::country::Country;
use hansa_types::date::Date;
use hansa_types::hash::Digest;
use hansa_types::id::Actor;
use hansa_types::lei::Lei;
use hansa_types::payment::Account;
use hansa_types::subject::Subject;

use super::CliError;
use super::output::{Output, short, table};
use crate::customers::parse_account;
use hansa_screening::subjects::person_named;

/// Whom something is about: exactly one of account, organisation and person.
#[derive(Clone, Debug, Args)]
#[group(skip)]
pub struct SubjectArgs {
    /// An account: an IBAN, or SCHEME:NUMBER.
    #[arg(long, value_parser = parse_account, conflicts_with_all = ["lei", "person"])]
    account: Option<Account>,
    /// An organisation's LEI.
    #[arg(long, value_parser = |text: &str| Lei::try_from(text).map_err(|e| e.to_string()), conflicts_with = "person")]
    lei: Option<Lei>,
    /// A person's name, as payments write it.
    #[arg(long, value_name = "NAME", requires = "born", requires = "country")]
    person: Option<String>,
    /// The person's birth date, YYYY-MM-DD.
    #[arg(long, value_parser = |text: &str| Date::try_from(text).map_err(|e| e.to_string()), requires = "person")]
    born: Option<Date>,
    /// The country of birth, else of residence, as payments name it.
    #[arg(long, value_parser = |text: &str| Country::try_from(text).map_err(|e| e.to_string()), requires = "person")]
    country: Option<Country>,
}

impl SubjectArgs {
    /// The subject, if one is named.
    pub(super) fn named(self) -> Option<Subject> {
        let Self { account, lei, person, born, country } = self;
        let person = person.and_then(|name| person_named(&name, born?.to_string(), country?));
        account.map(Subject::Account).or(lei.map(Subject::Organisation)).or(person)
    }

    pub(super) fn required(self) -> Result<Subject, CliError> {
        self.named()
            .ok_or(CliError::Usage("name a subject: --account, --lei, or --person with --born and --country"))
    }
}

/// Who does it, and why.
#[derive(Debug, Args)]
pub struct ActionArgs {
    #[command(flatten)]
    subject: SubjectArgs,
    /// Why, without naming the subject: it is kept for ever.
    #[arg(long)]
    reason: String,
    /// Who.
    #[arg(long)]
    actor: Actor,
}

impl ActionArgs {
    fn action(self) -> Result<SubjectAction, CliError> {
        Ok(SubjectAction { subject: self.subject.required()?, reason: self.reason, actor: self.actor })
    }
}

/// What can be done about a subject's records.
#[derive(Debug, Subcommand)]
pub enum SubjectCommand {
    /// Everything that is held about a subject.
    #[command(
        after_help = "Example:\n  hansa subject export --account DE89370400440532013000 --json > held.json"
    )]
    Export(SubjectArgs),
    /// Place a legal hold: nothing about the subject is erased until it is lifted.
    #[command(
        after_help = "Example:\n  hansa subject hold --account DE89370400440532013000 --reason 'court order 17/26' --actor officer.a"
    )]
    Hold(ActionArgs),
    /// Lift a legal hold.
    #[command(
        after_help = "Example:\n  hansa subject release --account DE89370400440532013000 --reason 'order lifted' --actor officer.a"
    )]
    Release(ActionArgs),
    /// Make a subject's records unreadable for ever; refused while one is under retention or legal hold.
    #[command(
        after_help = "Example:\n  hansa subject erase --account DE89370400440532013000 --reason 'request 17' --actor officer.a"
    )]
    Erase(ActionArgs),
}

/// What can be done about records as a whole.
#[derive(Debug, Subcommand)]
pub enum RecordsCommand {
    /// List what is past retention and under no hold, or erase it.
    #[command(after_help = "Example:\n  hansa records expire --actor officer.a --erase")]
    Expire {
        /// Who.
        #[arg(long)]
        actor: Actor,
        /// Erase, rather than list.
        #[arg(long)]
        erase: bool,
        /// Where the listing before ended.
        #[arg(long)]
        after: Option<Digest>,
    },
    /// Rewrite what may hold erased keys; say how complete erasures are and whether a cited list or model is missing.
    #[command(after_help = "Example:\n  hansa records scrub --json")]
    Scrub,
}

pub(super) fn subject(command: SubjectCommand, client: &Client, out: &Output) -> Result<ExitCode, CliError> {
    match command {
        SubjectCommand::Export(subject) => {
            out.print(&client.export_subject(subject.required()?)?, |held| {
                let hold =
                    held.hold.map_or("no legal hold".to_owned(), |at| format!("legal hold of entry {at}"));
                format!("{}\n{hold}", list(&held.entries))
            });
        }
        SubjectCommand::Hold(args) => {
            out.print(&client.hold(&args.action()?, true)?, |view| format!("held: entry {}", view.index));
        }
        SubjectCommand::Release(args) => {
            out.print(&client.hold(&args.action()?, false)?, |view| {
                format!("released: entry {}", view.index)
            });
        }
        SubjectCommand::Erase(args) => out.print(&client.erase(&args.action()?)?, |view| {
            let first = format!("{} records erased: entry {}", view.records, view.index);
            std::iter::once(first)
                .chain(view.remaining.iter().map(|left| format!("remains: {left}")))
                .collect::<Vec<_>>()
                .join("\n")
        }),
    }
    Ok(ExitCode::SUCCESS)
}

pub(super) fn records(command: RecordsCommand, client: &Client, out: &Output) -> Result<ExitCode, CliError> {
    match command {
        RecordsCommand::Expire { actor, erase, after } => {
            out.print(&client.expire(&ExpiryRequest { erase, actor, after })?, |view| {
                let mut lines: Vec<_> = view.expired.iter().map(ToString::to_string).collect();
                let (past, erased, removed) = (view.expired.len(), view.erased, view.removed);
                lines.push(format!(
                    "{past} past retention, {erased} erased, {removed} lists and models removed"
                ));
                lines.extend(view.next.map(|next| format!("more: --after {next}")));
                lines.join("\n")
            });
        }
        RecordsCommand::Scrub => out.print(&client.scrub()?, |status| {
            let first =
                format!("{} keys erased, {} may stand in the Raft log", status.erased, status.in_raft_log);
            std::iter::once(first).chain(status.missing.iter().cloned()).collect::<Vec<_>>().join("\n")
        }),
    }
    Ok(ExitCode::SUCCESS)
}

/// Entries as a table.
pub(super) fn list(entries: &[FoundEntry]) -> String {
    let row = |entry: &FoundEntry| {
        let state = match (entry.erased, entry.published) {
            (true, _) => "erased",
            (false, true) => "published",
            (false, false) => "integrated",
        };
        vec![entry.index.to_string(), entry.class.to_string(), short(&entry.leaf), state.to_owned()]
    };
    let rows: Vec<_> = entries.iter().map(row).collect();
    table(&["index", "class", "leaf", "state"], &rows, "nothing")
}

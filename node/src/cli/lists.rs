//! `hansa lists`: the watch lists in use, and how newer ones come.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand};
use hansa_api::ClientError;
use hansa_api::model::{
    ListChangeView, ListDiffQuery, ListEntryView, ListFiles, ListImport, ListView, ListsView, RescreeningView,
};
use hansa_types::date::Date;
use hansa_types::id::Actor;

use super::CliError;
use super::output::{Output, short, table};
use crate::archive::Archive;
use crate::config::Config;
use crate::flows::lists;

/// How many ids of a change are printed; JSON has all.
const SHOWN: usize = 20;

/// What can be done with lists.
#[derive(Debug, Subcommand)]
pub enum ListsCommand {
    /// The lists in use, how old they are, and how screening anew goes.
    #[command(after_help = "Example:\n  hansa lists status --json")]
    Status,
    /// Put another version of a list in use. It is compared with the one in use first: older ones, and those that lost a
    /// tenth of their entries, are refused. If the node is not running, it begins with this version.
    #[command(
        after_help = "Example:\n  hansa lists import ofac-sdn sdn.csv --aliases alt.csv --date 2026-11-20 --actor officer.a"
    )]
    Import(ImportArgs),
    /// Ask a list's source ([screening.lists.fetch]) for its newest version now.
    #[command(after_help = "Example:\n  hansa lists fetch ofac-sdn --actor officer.a")]
    Fetch {
        /// Which list.
        name: String,
        /// Who.
        #[arg(long)]
        actor: Actor,
    },
    /// What distinguishes two versions of a list, by the ids of entries.
    #[command(after_help = "Example:\n  hansa lists diff ofac-sdn --from 2026-10-30")]
    Diff {
        /// Which list.
        name: String,
        /// The day of the version before; the one in use if none is named.
        #[arg(long, value_parser = date)]
        from: Option<Date>,
        /// The day of the version after; the one in use if none is named.
        #[arg(long, value_parser = date)]
        to: Option<Date>,
    },
    /// An entry of a list in use.
    #[command(after_help = "Example:\n  hansa lists show ofac-sdn 36")]
    Show {
        /// Which list.
        name: String,
        /// Which entry, by the list's own number or reference.
        entry: String,
    },
}

/// A version of a list to import.
#[derive(Debug, Args)]
pub struct ImportArgs {
    /// Which list, as [[screening.lists]] names it.
    name: String,
    /// Its file.
    file: PathBuf,
    /// When it was published, YYYY-MM-DD.
    #[arg(long, value_parser = date)]
    date: Date,
    /// OFAC's alternative names.
    #[arg(long, value_name = "FILE")]
    aliases: Option<PathBuf>,
    /// OFAC's addresses.
    #[arg(long, value_name = "FILE")]
    addresses: Option<PathBuf>,
    /// OFAC's remarks that overflow the main file.
    #[arg(long, value_name = "FILE")]
    comments: Option<PathBuf>,
    /// Take it even if it is older than the one in use, or much shorter.
    #[arg(long)]
    force: bool,
    /// Only say what it would change.
    #[arg(long)]
    preview: bool,
    /// Who.
    #[arg(long)]
    actor: Actor,
}

fn date(text: &str) -> Result<Date, String> {
    Date::try_from(text).map_err(|e| e.to_string())
}

pub(super) fn execute(command: ListsCommand, config: &Path, out: &Output) -> Result<ExitCode, CliError> {
    let client = super::client(config)?;
    match command {
        ListsCommand::Status => out.print(&client.lists()?, status),
        ListsCommand::Import(args) => {
            let ImportArgs { name, date, force, preview, actor, .. } = &args;
            let (date, force, preview, actor) = (*date, *force, *preview, actor.clone());
            let import = ListImport { date, actor, force, preview, files: files(&args)? };
            let offline = || lists::import_offline(&opened(config)?, name, &import).map_err(CliError::from);
            out.print(&running_or(client.import_list(name, &import), offline)?, change);
        }
        ListsCommand::Fetch { name, actor } => {
            let by = actor.clone();
            let offline = || lists::fetch_offline(&opened(config)?, &name, by).map_err(CliError::from);
            out.print(&running_or(client.fetch_list(&name, actor), offline)?, change);
        }
        ListsCommand::Diff { name, from, to } => {
            out.print(&client.list_diff(&name, &ListDiffQuery { from, to })?, change);
        }
        ListsCommand::Show { name, entry } => out.print(&client.list_entry(&name, &entry)?, show),
    }
    Ok(ExitCode::SUCCESS)
}

/// What a running node did; if none is running, what is done without it.
fn running_or<T>(
    done: Result<T, ClientError>,
    offline: impl FnOnce() -> Result<T, CliError>,
) -> Result<T, CliError> {
    match done {
        Err(ClientError::Unreachable { .. }) => {
            eprintln!("hansa: no node is running: it will begin with this version");
            offline()
        }
        done => Ok(done?),
    }
}

fn opened(config: &Path) -> Result<(Config, Archive), CliError> {
    let config = super::load(config)?;
    let archive = Archive::open(config.archive())?;
    Ok((config, archive))
}

fn files(args: &ImportArgs) -> Result<ListFiles, CliError> {
    let read =
        |path: &PathBuf| std::fs::read(path).map_err(|source| CliError::File { path: path.clone(), source });
    let optional = |path: &Option<PathBuf>| path.as_ref().map(read).transpose();
    Ok(ListFiles {
        main: read(&args.file)?,
        aliases: optional(&args.aliases)?,
        addresses: optional(&args.addresses)?,
        comments: optional(&args.comments)?,
    })
}

fn status(view: &ListsView) -> String {
    let row = |list: &ListView| {
        let state = match (&list.refused, list.stale) {
            (Some(reason), _) => format!("REFUSED: {reason}"),
            (None, true) => "STALE".to_owned(),
            (None, false) => "in use".to_owned(),
        };
        let version = &list.version;
        vec![
            list.name.clone(),
            version.date.to_string(),
            version.entries.to_string(),
            list.measure.clone(),
            short(&version.digest),
            state,
        ]
    };
    let rows: Vec<_> = view.lists.iter().map(row).collect();
    let lists = table(
        &["list", "date", "entries", "measure", "digest", "state"],
        &rows,
        "no list: every name is let through",
    );
    match &view.rescreening {
        Some(rescreening) => format!("{lists}\n{}", progress(rescreening)),
        None => lists,
    }
}

fn progress(view: &RescreeningView) -> String {
    let RescreeningView { cause, customers, entries, cases, error, ended, .. } = view;
    let state = match (error, ended) {
        (Some(error), _) => format!("broke off: {error}"),
        (None, Some(_)) => "done".to_owned(),
        (None, None) => "under way".to_owned(),
    };
    format!(
        "screened anew ({cause}): {state}; {} of {} customers, {} of {} entries of the log, {cases} cases opened",
        customers.0, customers.1, entries.0, entries.1
    )
}

fn change(view: &ListChangeView) -> String {
    let ListChangeView { name, from, to, taken, added, removed, changed } = view;
    let from = from.as_ref().map(|from| format!(" after {} ({} entries)", from.date, from.entries));
    let first = format!(
        "{name}: {} ({} entries){}{}",
        to.date,
        to.entries,
        from.unwrap_or_default(),
        if *taken { ", in use" } else { "" }
    );
    let some = |what: &str, ids: &[String]| {
        let more = if ids.len() > SHOWN { ", ..." } else { "" };
        let shown: Vec<_> = ids.iter().take(SHOWN).map(String::as_str).collect();
        format!("{} {what}: {}{more}", ids.len(), shown.join(", ")).trim_end_matches([':', ' ']).to_owned()
    };
    [first, some("added", added), some("removed", removed), some("changed", changed)].join("\n")
}

fn show(entry: &ListEntryView) -> String {
    let mut lines = vec![format!("{} {}: {}", entry.list, entry.id, entry.kind)];
    lines.extend(entry.names.iter().map(|(name, strength)| format!("name ({strength}): {name}")));
    let births = entry.births.iter().map(|(from, to)| match from == to {
        true => format!("born {from}"),
        false => format!("born {from} to {to}"),
    });
    lines.extend(births);
    let listed = |what: &str, values: Vec<String>| {
        Some(format!("{what}: {}", values.join(", "))).filter(|_| !values.is_empty())
    };
    lines.extend(listed("countries", entry.countries.iter().map(ToString::to_string).collect()));
    lines.extend(listed("identifiers", entry.identifiers.clone()));
    lines.extend(listed("programmes", entry.programmes.clone()));
    lines.push(format!("content {}", entry.content));
    lines.join("\n")
}

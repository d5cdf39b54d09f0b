//! A list changes: files -> list -> compared with the one in use -> archive -> another screener, swapped in -> screened
//! anew.
//!
//! A version that is broken, cut off, older or much shorter is refused as a whole: the list in use stays, and everybody is
//! told. Nothing is decided by a list that the archive does not hold.

use std::sync::Arc;
use std::time::Duration;

use hansa_api::fetch::{FetchError, fetch};
use hansa_api::model::{ListChangeView, ListFiles, ListImport, MAX_LIST_FILE};
use hansa_screening::watchlist::{ListError, Watchlist, diff};
use hansa_screening::{Screener, ScreenerError};
use hansa_types::date::Date;
use hansa_types::decision::ListVersion;
use hansa_types::id::{Actor, Timestamp};
use tokio::task::{JoinError, spawn_blocking};

use crate::archive::{Archive, InUse};
use crate::config::{Config, FetchConfig, ListConfig, ScreeningConfig};
use crate::events::Event;
use crate::files::FileError;
use crate::journal::JournalError;
use crate::load::{RawList, newest, parse_list};
use crate::node::{Node, now, policy_actor};
use crate::screened::change_view;

/// A version with fewer than this share of the entries in use, in percent, is taken for a broken download.
const SHRUNKEN: usize = 90;

/// Why a version of a list is not taken over.
#[derive(Debug, thiserror::Error)]
pub enum ListsError {
    /// Not a list of the configuration.
    #[error("there is no list {0:?}: [[screening.lists]] names {1}")]
    Unknown(String, String),
    /// It does not say where it comes from.
    #[error("list {0}: [screening.lists.fetch] names no source to fetch it from: import a file instead")]
    NoSource(String),
    /// The source did not give it.
    #[error("list {list}: {source}")]
    Fetch {
        /// Which list.
        list: String,
        /// What went wrong.
        source: FetchError,
    },
    /// Broken.
    #[error("list {list}: {source}; the one in use stays")]
    Broken {
        /// Which list.
        list: String,
        /// What is wrong with it.
        source: ListError,
    },
    /// Older than the one in use.
    #[error(
        "list {list}: this version is of {date}, the one in use of {in_use}: it stays, unless you force the older one"
    )]
    Older {
        /// Which list.
        list: String,
        /// Of when the version is.
        date: Date,
        /// Of when the one in use is.
        in_use: Date,
    },
    /// Much shorter.
    #[error(
        "list {list}: this version has {entries} entries, the one in use {in_use}: it stays, for a list rarely loses a \
         tenth at once; force it if it is right"
    )]
    Shrunken {
        /// Which list.
        list: String,
        /// How many the version has.
        entries: usize,
        /// How many the one in use has.
        in_use: usize,
    },
    /// It cannot be screened by.
    #[error(transparent)]
    Screener(#[from] ScreenerError),
    /// It cannot be kept.
    #[error(transparent)]
    Archive(#[from] FileError),
    /// It was taken over, and the log does not say so.
    #[error("the list is in use, and the log does not say so: {0}")]
    Journal(#[from] JournalError),
    /// A part failed.
    #[error("the list was not taken over: {0}")]
    Failed(#[from] JoinError),
}

/// The list in use before, and the one that came.
pub(crate) struct Change {
    pub(crate) before: Watchlist,
    pub(crate) after: Watchlist,
    /// Whether it is in use now.
    pub(crate) taken: bool,
}

/// Takes over a version that somebody brought, or says what it would change.
pub(crate) async fn import(node: &Arc<Node>, name: &str, import: ListImport) -> Result<Change, ListsError> {
    let config = named(&node.screening.config, name)?.clone();
    let ListImport { date, actor, force, preview, files } = import;
    let parsed = spawn_blocking(move || {
        let raw = RawList::new(&config, date, files);
        // Whoever names a date and a file that says another has the wrong one of them.
        match parse_list(&raw) {
            Ok(after) => Ok(Arrived { raw, after, force }),
            Err(source) => Err(ListsError::Broken { list: config.name, source }),
        }
    });
    let arrived = match parsed.await? {
        Ok(arrived) => arrived,
        Err(error) if preview => return Err(error),
        Err(error) => return told(node, name, Err(error)),
    };
    if preview {
        let before = in_use(node, name)?;
        return Ok(Change { before, after: arrived.after, taken: false });
    }
    let taken = take_over(node, arrived, &actor).await;
    told(node, name, taken)
}

/// Asks a list's source for its newest version, and takes it over.
pub(crate) async fn fetch_now(node: &Arc<Node>, name: &str, actor: &Actor) -> Result<Change, ListsError> {
    let config = named(&node.screening.config, name)?.clone();
    let source = config.fetch.clone().ok_or_else(|| ListsError::NoSource(name.to_owned()))?;
    let taken = match fetched(config, source, node.now()).await {
        Ok(arrived) => take_over(node, arrived, actor).await,
        Err(error) => Err(error),
    };
    told(node, name, taken)
}

/// Asks every source again and again, each at its own interval, beginning now.
pub(crate) async fn run(node: Arc<Node>) {
    let sources = node.screening.config.lists.iter().filter_map(|list| {
        let source = list.fetch.as_ref()?;
        Some((list.name.clone(), Duration::from_secs(u64::from(source.every_minutes.max(1)) * 60)))
    });
    let actor = policy_actor("lists");
    let each = sources.map(async |(name, every)| {
        let mut ticks = tokio::time::interval(every);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            if let Err(error) = fetch_now(&node, &name, &actor).await {
                tracing::warn!(%error, "a list was not renewed; it is tried again");
            }
        }
    });
    futures::future::join_all(each).await;
    std::future::pending::<()>().await;
}

/// As [`import`], for a node that does not run: it begins with this version.
pub(crate) fn import_offline(
    (config, archive): &(Config, Archive),
    name: &str,
    import: &ListImport,
) -> Result<ListChangeView, ListsError> {
    let list = named(&config.screening, name)?;
    let ListImport { date, actor, force, preview, files } = import.clone();
    let raw = RawList::new(list, date, files);
    let after = parse_list(&raw).map_err(|source| ListsError::Broken { list: name.to_owned(), source })?;
    store(archive, list, Arrived { raw, after, force }, preview, actor)
}

/// As [`fetch_now`], for a node that does not run.
pub(crate) fn fetch_offline(
    (config, archive): &(Config, Archive),
    name: &str,
    actor: Actor,
) -> Result<ListChangeView, ListsError> {
    let list = named(&config.screening, name)?;
    let source = list.fetch.as_ref().ok_or_else(|| ListsError::NoSource(name.to_owned()))?;
    let (modified, files) = get(source).map_err(|source| failed_to_fetch(list, source))?;
    let (raw, after) = parse_dated(RawList::new(list, Date::of(modified.unwrap_or(now())), files))?;
    store(archive, list, Arrived { raw, after, force: false }, false, actor)
}

fn store(
    archive: &Archive,
    list: &ListConfig,
    Arrived { raw, after, force }: Arrived,
    preview: bool,
    actor: Actor,
) -> Result<ListChangeView, ListsError> {
    // The first version of a list follows nothing.
    let before = newest(list, Some(archive)).ok().and_then(|raw| parse_list(&raw).ok());
    if let Some(before) = before.as_ref().filter(|_| !force) {
        sensible(before, &after)?;
    }
    if !preview {
        archive.add_list(&after.version(), &raw)?;
        archive.use_list(&InUse { unlogged: Some(actor), ..in_use_of(list, &after) })?;
    }
    Ok(change_view(before.as_ref(), &after, !preview))
}

/// The note that a version is in use, before the configuration's files even where they are of a later day.
fn in_use_of(config: &ListConfig, list: &Watchlist) -> InUse {
    let over = config.date.filter(|date| *date > list.date);
    InUse { version: list.version(), over, unlogged: None }
}

/// Logs who brought lists while the node did not run.
pub(crate) async fn log_offline(node: &Node) -> Result<(), ListsError> {
    for list in &node.screening.config.lists {
        let Ok(Some(in_use)) = node.archive.in_use(&list.name) else { continue };
        let Some(actor) = &in_use.unlogged else { continue };
        let ListVersion { name, date, digest } = &in_use.version;
        let detail = format!("{name} of {date} ({digest}), while the node did not run; by {actor}");
        node.log_operation("list-changed", detail).await?;
        node.archive.use_list(&InUse { unlogged: None, ..in_use })?;
    }
    Ok(())
}

/// A version that is whole.
struct Arrived {
    raw: RawList,
    after: Watchlist,
    force: bool,
}

fn named<'a>(config: &'a ScreeningConfig, name: &str) -> Result<&'a ListConfig, ListsError> {
    let lists = &config.lists;
    lists.iter().find(|list| list.name == name).ok_or_else(|| {
        let names: Vec<_> = lists.iter().map(|list| list.name.as_str()).collect();
        ListsError::Unknown(name.to_owned(), names.join(", "))
    })
}

fn in_use(node: &Node, name: &str) -> Result<Watchlist, ListsError> {
    let screener = node.screening.current();
    let found = screener.lists().iter().find(|list| list.name == name).cloned();
    found.ok_or_else(|| ListsError::Unknown(name.to_owned(), "others".to_owned()))
}

/// Reads the list. A file that says itself of which day it is knows better than whoever serves it.
fn parse_dated(raw: RawList) -> Result<(RawList, Watchlist), ListsError> {
    let broken = |list: &str, source| ListsError::Broken { list: list.to_owned(), source };
    match parse_list(&raw) {
        Ok(list) => Ok((raw, list)),
        Err(ListError::Date { found, .. }) => {
            let raw = raw.dated(found);
            let list = parse_list(&raw).map_err(|source| broken(raw.name(), source))?;
            Ok((raw, list))
        }
        Err(source) => Err(broken(raw.name(), source)),
    }
}

/// When the main file was last changed, and the files.
fn get(source: &FetchConfig) -> Result<(Option<Timestamp>, ListFiles), FetchError> {
    let optional = |source: &Option<String>| {
        let fetched = source.as_deref().map(|source| fetch(source, MAX_LIST_FILE)).transpose();
        fetched.map(|fetched| fetched.map(|fetched| fetched.bytes))
    };
    let main = fetch(&source.main, MAX_LIST_FILE)?;
    let files = ListFiles {
        main: main.bytes,
        aliases: optional(&source.aliases)?,
        addresses: optional(&source.addresses)?,
        comments: optional(&source.comments)?,
    };
    Ok((main.modified, files))
}

fn failed_to_fetch(list: &ListConfig, source: FetchError) -> ListsError {
    ListsError::Fetch { list: list.name.clone(), source }
}

async fn fetched(config: ListConfig, source: FetchConfig, now: Timestamp) -> Result<Arrived, ListsError> {
    let arrived = spawn_blocking(move || {
        let (modified, files) = get(&source).map_err(|source| failed_to_fetch(&config, source))?;
        let (raw, after) = parse_dated(RawList::new(&config, Date::of(modified.unwrap_or(now)), files))?;
        Ok(Arrived { raw, after, force: false })
    });
    arrived.await?
}

/// Puts the version in use, unless it is in use already.
async fn take_over(node: &Arc<Node>, arrived: Arrived, actor: &Actor) -> Result<Change, ListsError> {
    let Arrived { raw, after, force } = arrived;
    let model = node.screening.changing.lock().await;
    let before = in_use(node, &after.name)?;
    let (old, new) = (before.version(), after.version());
    if old.digest == new.digest && before.date >= after.date {
        return Ok(Change { before, after, taken: true });
    }
    if !force {
        sensible(&before, &after)?;
    }
    let (making, swapped) = (node.clone(), after.clone());
    let model = model.clone();
    let made = spawn_blocking(move || {
        let current = making.screening.current();
        let lists = current
            .lists()
            .iter()
            .map(|list| if list.name == swapped.name { swapped.clone() } else { list.clone() });
        let screener = Screener::new(current.policy().clone(), lists.collect(), current.model().clone())?;
        making.archive.add_list(&swapped.version(), &raw)?;
        making.archive.adopt(&screener, &model)?;
        making.archive.use_list(&in_use_of(named(&making.screening.config, &swapped.name)?, &swapped))?;
        making.screening.swap(screener);
        Ok::<_, ListsError>(())
    });
    made.await??;
    let (added, removed, changed) = counts(&before, &after);
    node.events.emit(&Event::ListChanged {
        list: after.name.clone(),
        date: after.date,
        added,
        removed,
        changed,
    });
    node.metrics.screening.list(&after);
    let detail = describe(&old, &new, (added, removed, changed), actor);
    node.rescreening.lists_changed();
    node.log_operation("list-changed", detail).await?;
    Ok(Change { before, after, taken: true })
}

fn sensible(before: &Watchlist, after: &Watchlist) -> Result<(), ListsError> {
    let list = || after.name.clone();
    if after.date < before.date {
        return Err(ListsError::Older { list: list(), date: after.date, in_use: before.date });
    }
    let (entries, in_use) = (after.entries.len(), before.entries.len());
    if entries * 100 < in_use * SHRUNKEN {
        return Err(ListsError::Shrunken { list: list(), entries, in_use });
    }
    Ok(())
}

fn counts(before: &Watchlist, after: &Watchlist) -> (usize, usize, usize) {
    let found = diff::diff(before, after);
    (found.added.len(), found.removed.len(), found.changed.len())
}

fn describe(old: &ListVersion, new: &ListVersion, changes: (usize, usize, usize), actor: &Actor) -> String {
    let (added, removed, changed) = changes;
    format!(
        "{} of {} ({}) after {} ({}): {added} added, {removed} removed, {changed} changed; by {actor}",
        new.name, new.date, new.digest, old.date, old.digest
    )
}

/// Keeps in mind how it went, and raises the alarm over a version that was refused.
fn told(node: &Node, name: &str, taken: Result<Change, ListsError>) -> Result<Change, ListsError> {
    match &taken {
        Ok(_) | Err(ListsError::Journal(_)) => node.screening.heard(name, node.now()),
        Err(error) => {
            node.screening.refused(name, error.to_string());
            node.metrics.screening.list_refused(name);
            node.events.emit(&Event::ListRefused { list: name.to_owned(), reason: error.to_string() });
        }
    }
    taken
}

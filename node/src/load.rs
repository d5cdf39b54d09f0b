//! What screening works with, read from the files that the configuration names: watch lists, model.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use hansa_api::model::ListFiles;
use hansa_screening::model::{DEFAULT, ModelError};
use hansa_screening::watchlist::{ListError, Measure, Watchlist, eu, ofac, table, un};
use hansa_screening::{Policy, RiskModel, Scheme, Screener, ScreenerError};
use hansa_types::codec::{CodecError, Decode};
use hansa_types::codec_struct;
use hansa_types::date::Date;
use hansa_types::decision::ListVersion;
use hansa_types::governance::{Message, SyncResponse};

use crate::archive::{Archive, BasisError, InUse};
use crate::config::{ListConfig, ListFormat, ScreeningConfig};
use crate::files::FileError;

/// Why something to screen with cannot be loaded.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// A file.
    #[error("{path}: {source}")]
    File {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Amendments.
    #[error("{path}: {source}; `hansa governance export` of a member writes this file")]
    Amendments {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        source: CodecError,
    },
    /// A watch list.
    #[error("watch list {name}, {}: {source}", .path.as_ref().map_or("as imported".into(), |path| path.display().to_string()))]
    List {
        /// Which list.
        name: String,
        /// The configuration's file, if it is from there.
        path: Option<PathBuf>,
        /// What is wrong with it.
        source: ListError,
    },
    /// A watch list of which there is nothing yet.
    #[error(
        "watch list {0}: there is none yet: `hansa lists import {0}` or `hansa lists fetch {0}` brings one"
    )]
    NoList(String),
    /// Two lists of one name.
    #[error("watch list {0} stands twice in [[screening.lists]]: decisions name lists by their names")]
    Twice(String),
    /// Half of what says where a list is.
    #[error("watch list {0}: path and date belong together: name both, or neither")]
    HalfList(String),
    /// A list that came later is not in the archive any more.
    #[error("watch list {name}: {source}; or import it again")]
    Archived {
        /// Which list.
        name: String,
        /// What is wrong with it.
        source: BasisError,
    },
    /// The model.
    #[error("{path}: {source}")]
    Model {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        source: ModelError,
    },
    /// Whether the model was taken back cannot be told.
    #[error("the model: {0}; or remove the note, and the configuration's model decides")]
    RolledBack(BasisError),
    /// The policy, or how the parts go together.
    #[error(transparent)]
    Screener(#[from] ScreenerError),
}

/// Reads a whole file.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>, LoadError> {
    std::fs::read(path).map_err(|source| LoadError::File { path: path.to_owned(), source })
}

/// The amendments that a member wrote for a bank that joins.
pub(crate) fn amendments(path: &Path) -> Result<Vec<Message>, LoadError> {
    let read = SyncResponse::from_bytes(&read(path)?);
    let read = read.map_err(|source| LoadError::Amendments { path: path.to_owned(), source })?;
    Ok(read.messages)
}

/// A screener, and what it was read from.
pub(crate) struct Loaded {
    pub(crate) screener: Screener,
    pub(crate) lists: Vec<(ListVersion, RawList)>,
    pub(crate) model: Vec<u8>,
}

impl Loaded {
    /// Keeps in `archive` what the screener decides by.
    pub(crate) fn keep(&self, archive: &Archive) -> Result<(), FileError> {
        self.lists.iter().try_for_each(|(version, raw)| archive.add_list(version, raw))?;
        archive.adopt(&self.screener, &self.model)
    }
}

/// A screener over everything that the configuration names, with the files; lists that `archive` has newer versions of
/// in use are taken from there.
pub(crate) fn loaded(config: &ScreeningConfig, archive: Option<&Archive>) -> Result<Loaded, LoadError> {
    let (mut lists, mut raw, mut names) = (Vec::new(), Vec::new(), BTreeSet::new());
    for list in &config.lists {
        if !names.insert(&list.name) {
            return Err(LoadError::Twice(list.name.clone()));
        }
        let files = newest(list, archive)?;
        let parsed = parse_list(&files);
        let parsed = parsed.map_err(|source| {
            let path = list.path.clone().filter(|_| list.date == Some(files.date));
            LoadError::List { name: list.name.clone(), path, source }
        })?;
        raw.push((parsed.version(), files));
        lists.push(parsed);
    }
    let (model, bytes) = match archive {
        Some(archive) => model_unless_rolled_back(config, archive)?,
        None => model(config)?,
    };
    let screener = Screener::new(policy(config), lists, model)?;
    Ok(Loaded { screener, lists: raw, model: bytes })
}

/// The model that the configuration names, and its file.
pub(crate) fn model(config: &ScreeningConfig) -> Result<(RiskModel, Vec<u8>), LoadError> {
    let bytes = config.model.as_deref().map_or_else(|| Ok(DEFAULT.as_bytes().to_vec()), read)?;
    let refuse = |source| LoadError::Model { path: config.model.clone().unwrap_or_default(), source };
    let text = str::from_utf8(&bytes).map_err(|error| refuse(ModelError::Form(error.to_string())))?;
    Ok((RiskModel::parse(text).map_err(refuse)?, bytes))
}

/// The configuration's model; the one before, if that was taken back because it decided much otherwise.
fn model_unless_rolled_back(
    config: &ScreeningConfig,
    archive: &Archive,
) -> Result<(RiskModel, Vec<u8>), LoadError> {
    let (configured, bytes) = model(config)?;
    let Some(before) = archive.instead_of(&bytes).map_err(LoadError::RolledBack)? else {
        return Ok((configured, bytes));
    };
    let refuse = |source| LoadError::Model { path: config.model.clone().unwrap_or_default(), source };
    let text = str::from_utf8(&before).map_err(|error| refuse(ModelError::Form(error.to_string())))?;
    let model = RiskModel::parse(text).map_err(refuse)?;
    tracing::warn!(
        "model {} was taken back: model {} decides. `hansa model reload --unwatched` takes it over for good",
        configured.model.version,
        model.model.version
    );
    Ok((model, before))
}

/// The challenger that the configuration names.
pub(crate) fn challenger(config: &ScreeningConfig) -> Result<Option<RiskModel>, LoadError> {
    let Some(path) = &config.challenger else { return Ok(None) };
    let refuse = |source| LoadError::Model { path: path.clone(), source };
    let bytes = read(path)?;
    let text = str::from_utf8(&bytes).map_err(|error| refuse(ModelError::Form(error.to_string())))?;
    RiskModel::parse(text).map(Some).map_err(refuse)
}

/// The configuration's policy. Unless it says otherwise, instant euro transfers are not screened against lists of the
/// European Union (Regulation (EU) No 260/2012 art. 5d, inserted by Regulation (EU) 2024/886): customers are.
fn policy(config: &ScreeningConfig) -> Policy {
    let mut policy = config.policy.clone();
    policy.skip_lists.entry(Scheme::SctInst).or_insert_with(|| {
        let european = config.lists.iter().filter(|list| list.format == ListFormat::EuCsv);
        european.map(|list| list.name.clone()).collect()
    });
    policy
}

/// The newest there is of a list: the configuration's files, or what came later.
pub(crate) fn newest(list: &ListConfig, archive: Option<&Archive>) -> Result<RawList, LoadError> {
    let configured = match (&list.path, list.date) {
        (Some(path), Some(date)) => Some(read_list(list, path, date)?),
        (None, None) => None,
        _ => return Err(LoadError::HalfList(list.name.clone())),
    };
    match (configured, later(list, archive)?) {
        (Some(configured), Some((over, later))) => {
            let first = later.date >= configured.date || over == Some(configured.date);
            Ok(if first { later } else { configured })
        }
        (Some(configured), None) => Ok(configured),
        (None, Some((_, later))) => Ok(later),
        (None, None) => Err(LoadError::NoList(list.name.clone())),
    }
}

/// The version of a list that came after the configuration's files, if one did, and the date of the files that it comes
/// before although it is older. What it demands is what the configuration says now.
fn later(list: &ListConfig, archive: Option<&Archive>) -> Result<Option<(Option<Date>, RawList)>, LoadError> {
    let archived = |source| LoadError::Archived { name: list.name.clone(), source };
    let Some(archive) = archive else { return Ok(None) };
    let Some(InUse { version, over, .. }) = archive.in_use(&list.name).map_err(archived)? else {
        return Ok(None);
    };
    let raw = archive.list(&version).map_err(archived)?;
    Ok(Some((over, RawList { measure: list.measure, ..raw })))
}

/// A list as its files are, with what is needed to read them again.
#[derive(Clone, Debug)]
pub(crate) struct RawList {
    name: String,
    date: Date,
    format: ListFormat,
    measure: Measure,
    files: ListFiles,
}
codec_struct!(RawList { name, date, format, measure, files });

fn read_list(config: &ListConfig, path: &Path, date: Date) -> Result<RawList, LoadError> {
    let optional = |path: &Option<PathBuf>| path.as_deref().map(read).transpose();
    let files = ListFiles {
        main: read(path)?,
        aliases: optional(&config.aliases)?,
        addresses: optional(&config.addresses)?,
        comments: optional(&config.comments)?,
    };
    Ok(RawList::new(config, date, files))
}

impl RawList {
    /// The list that `config` describes, as published on `date` in these files.
    pub(crate) fn new(config: &ListConfig, date: Date, files: ListFiles) -> Self {
        let (name, format, measure) = (config.name.clone(), config.format, config.measure);
        Self { name, date, format, measure, files }
    }

    /// The list's name.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The same files, of another day.
    pub(crate) fn dated(self, date: Date) -> Self {
        Self { date, ..self }
    }
}

/// The list in these files.
pub(crate) fn parse_list(raw: &RawList) -> Result<Watchlist, ListError> {
    let ListFiles { main, aliases, addresses, comments } = &raw.files;
    let [alt, add, comments] = [aliases, addresses, comments].map(|file| file.as_deref());
    let files = ofac::Files { sdn: main.as_slice(), alt, add, comments };
    let mut list = match raw.format {
        ListFormat::OfacCsv => ofac::load(raw.date, &files),
        ListFormat::OfacConsolidated => ofac::load_consolidated(raw.date, &files),
        ListFormat::UnXml => un::load(raw.date, main),
        ListFormat::EuCsv => eu::load(&raw.name, raw.date, main),
        ListFormat::Csv => table::load(&raw.name, raw.date, raw.measure, main),
    }?;
    // Whatever its publisher calls it: decisions, the archive and the commands know it by the bank's name.
    list.name.clone_from(&raw.name);
    Ok(list)
}

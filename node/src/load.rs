//! What screening works with, read from the files that the configuration names: watch lists, model, customers.

use std::path::{Path, PathBuf};

use hansa_screening::model::{DEFAULT, ModelError};
use hansa_screening::watchlist::{ListError, MAX_LIST, Measure, Watchlist, eu, ofac, table, un};
use hansa_screening::{RiskModel, Screener, ScreenerError};
use hansa_types::codec::{CodecError, Decode, Encode, Reader, Writer};
use hansa_types::date::Date;
use hansa_types::decision::ListVersion;
use hansa_types::governance::{Message, SyncResponse};

use crate::config::{ListConfig, ListFormat, ScreeningConfig};
use crate::customers::{self, Customers, CustomersError};

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
    #[error("{path}: {source}")]
    List {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        source: ListError,
    },
    /// The model.
    #[error("{path}: {source}")]
    Model {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        source: ModelError,
    },
    /// The policy, or how the parts go together.
    #[error(transparent)]
    Screener(#[from] ScreenerError),
    /// The customer file.
    #[error("{path}: {source}")]
    Customers {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        source: CustomersError,
    },
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

/// The customers in `path`.
pub(crate) fn load_customers(path: &Path) -> Result<Customers, LoadError> {
    let parsed = customers::parse(&read(path)?);
    parsed.map_err(|source| LoadError::Customers { path: path.to_owned(), source })
}

/// A screener over everything that the configuration names.
pub(crate) fn screener(config: &ScreeningConfig) -> Result<Screener, LoadError> {
    Ok(loaded(config)?.screener)
}

/// A screener, and what it was read from.
pub(crate) struct Loaded {
    pub(crate) screener: Screener,
    pub(crate) lists: Vec<(ListVersion, RawList)>,
    pub(crate) model: Vec<u8>,
}

/// A screener over everything that the configuration names, with the files, for the archive.
pub(crate) fn loaded(config: &ScreeningConfig) -> Result<Loaded, LoadError> {
    let (mut lists, mut raw) = (Vec::new(), Vec::new());
    for list in &config.lists {
        let files = read_list(list)?;
        let parsed = parse_list(&files);
        let parsed = parsed.map_err(|source| LoadError::List { path: list.path.clone(), source })?;
        raw.push((parsed.version(), files));
        lists.push(parsed);
    }
    let bytes = config.model.as_deref().map_or_else(|| Ok(DEFAULT.as_bytes().to_vec()), read)?;
    let refuse = |source| LoadError::Model { path: config.model.clone().unwrap_or_default(), source };
    let text = str::from_utf8(&bytes).map_err(|error| refuse(ModelError::Form(error.to_string())))?;
    let model = RiskModel::parse(text).map_err(refuse)?;
    let screener = Screener::new(config.policy.clone(), lists, model)?;
    Ok(Loaded { screener, lists: raw, model: bytes })
}

/// A list as its files are, with what is needed to read them again.
pub(crate) struct RawList {
    name: String,
    date: Date,
    format: ListFormat,
    measure: Measure,
    main: Vec<u8>,
    aliases: Option<Vec<u8>>,
    addresses: Option<Vec<u8>>,
    comments: Option<Vec<u8>>,
}

impl Encode for RawList {
    fn encode(&self, out: &mut Writer) {
        self.name.encode(out);
        self.date.encode(out);
        self.format.encode(out);
        self.measure.encode(out);
        out.bytes(&self.main);
        for file in [&self.aliases, &self.addresses, &self.comments] {
            file.is_some().encode(out);
            if let Some(file) = file {
                out.bytes(file);
            }
        }
    }
}

impl Decode for RawList {
    fn decode(input: &mut Reader<'_>) -> Result<Self, CodecError> {
        fn file(input: &mut Reader<'_>) -> Result<Vec<u8>, CodecError> {
            Ok(input.bytes("file of a list", MAX_LIST)?.to_vec())
        }
        fn optional(input: &mut Reader<'_>) -> Result<Option<Vec<u8>>, CodecError> {
            bool::decode(input)?.then(|| file(input)).transpose()
        }
        Ok(Self {
            name: Decode::decode(input)?,
            date: Decode::decode(input)?,
            format: Decode::decode(input)?,
            measure: Decode::decode(input)?,
            main: file(input)?,
            aliases: optional(input)?,
            addresses: optional(input)?,
            comments: optional(input)?,
        })
    }
}

fn read_list(config: &ListConfig) -> Result<RawList, LoadError> {
    let optional = |path: &Option<PathBuf>| path.as_deref().map(read).transpose();
    Ok(RawList {
        name: config.name.clone(),
        date: config.date,
        format: config.format,
        measure: config.measure,
        main: read(&config.path)?,
        aliases: optional(&config.aliases)?,
        addresses: optional(&config.addresses)?,
        comments: optional(&config.comments)?,
    })
}

/// The list in these files.
pub(crate) fn parse_list(raw: &RawList) -> Result<Watchlist, ListError> {
    let [alt, add, comments] = [&raw.aliases, &raw.addresses, &raw.comments].map(|file| file.as_deref());
    let files = ofac::Files { sdn: &raw.main, alt, add, comments };
    match raw.format {
        ListFormat::OfacCsv => ofac::load(raw.date, &files),
        ListFormat::OfacConsolidated => ofac::load_consolidated(raw.date, &files),
        ListFormat::UnXml => un::load(raw.date, &raw.main),
        ListFormat::EuCsv => eu::load(&raw.name, raw.date, &raw.main),
        ListFormat::Csv => table::load(&raw.name, raw.date, raw.measure, &raw.main),
    }
}

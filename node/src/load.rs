//! What screening works with, read from the files that the configuration names: watch lists, model, customers.

use std::path::{Path, PathBuf};

use hansa_screening::model::ModelError;
use hansa_screening::watchlist::{ListError, Watchlist, ofac, table};
use hansa_screening::{RiskModel, Screener, ScreenerError};

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

/// The customers in `path`.
pub(crate) fn load_customers(path: &Path) -> Result<Customers, LoadError> {
    let parsed = customers::parse(&read(path)?);
    parsed.map_err(|source| LoadError::Customers { path: path.to_owned(), source })
}

/// A screener over everything that the configuration names.
pub(crate) fn screener(config: &ScreeningConfig) -> Result<Screener, LoadError> {
    let lists = config.lists.iter().map(load_list).collect::<Result<Vec<_>, _>>()?;
    let model =
        config.model.as_ref().map_or_else(|| Ok(RiskModel::default_model()), |path| load_model(path))?;
    Ok(Screener::new(config.policy.clone(), lists, model)?)
}

fn load_model(path: &Path) -> Result<RiskModel, LoadError> {
    let bytes = read(path)?;
    let refuse = |source| LoadError::Model { path: path.to_owned(), source };
    let text = str::from_utf8(&bytes).map_err(|error| refuse(ModelError::Form(error.to_string())))?;
    RiskModel::parse(text).map_err(refuse)
}

fn load_list(config: &ListConfig) -> Result<Watchlist, LoadError> {
    let ListConfig { name, date, format, path, aliases, addresses, comments, measure } = config;
    let refuse = |source| LoadError::List { path: path.clone(), source };
    let main = read(path)?;
    match format {
        ListFormat::OfacCsv => {
            let aliases = aliases.as_deref().map(read).transpose()?;
            let addresses = addresses.as_deref().map(read).transpose()?;
            let comments = comments.as_deref().map(read).transpose()?;
            let [alt, add, comments] = [&aliases, &addresses, &comments].map(|file| file.as_deref());
            let files = ofac::Files { sdn: &main, alt, add, comments };
            ofac::load(*date, &files).map_err(refuse)
        }
        ListFormat::Csv => table::load(name, *date, *measure, &main).map_err(refuse),
    }
}

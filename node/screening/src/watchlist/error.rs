//! Why a list is refused as a whole.

use hansa_types::date::Date;

use super::csv::CsvError;

/// A list that is not taken over; the one in use stays.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ListError {
    /// More bytes than are read at all.
    #[error("{file}: {bytes} bytes, at most {limit} are read: is this the right file?")]
    TooLarge {
        /// Which file.
        file: &'static str,
        /// Its size.
        bytes: usize,
        /// [`super::MAX_LIST`].
        limit: usize,
    },
    /// Not UTF-8.
    #[error("{file} is not UTF-8: {detail}")]
    Encoding {
        /// Which file.
        file: &'static str,
        /// Where.
        detail: String,
    },
    /// Not a table.
    #[error("{file}: {error}")]
    Csv {
        /// Which file.
        file: &'static str,
        /// What is wrong.
        error: CsvError,
    },
    /// The mark that ends OFAC's files (0x1A) is missing.
    #[error("{0} does not end with OFAC's end mark (0x1A): the download was cut off, fetch it again")]
    Truncated(&'static str),
    /// A file that says that it is of another day.
    #[error(
        "{file}: the file is of {found}, and {stated} is stated: correct the date, or fetch the right file"
    )]
    Date {
        /// Which file.
        file: &'static str,
        /// What it says.
        found: Date,
        /// What was said of it.
        stated: Date,
    },
    /// The end of the file is missing.
    #[error("{file} does not end with {end}: the download was cut off, fetch it again")]
    CutOff {
        /// Which file.
        file: &'static str,
        /// What it should end with.
        end: &'static str,
    },
    /// A row that does not fit.
    #[error("{file}, line {line}: {detail}")]
    Row {
        /// Which file.
        file: &'static str,
        /// Line, from 1.
        line: usize,
        /// What is wrong.
        detail: String,
    },
    /// Nobody is listed.
    #[error("the list is empty")]
    Empty,
    /// One id for two entries.
    #[error("the id {0:?} stands twice")]
    DuplicateId(String),
}

/// The text of a file within its bound.
pub(super) fn text<'a>(file: &'static str, bytes: &'a [u8]) -> Result<&'a str, ListError> {
    if bytes.len() > super::MAX_LIST {
        return Err(ListError::TooLarge { file, bytes: bytes.len(), limit: super::MAX_LIST });
    }
    let text = std::str::from_utf8(bytes).map_err(|e| ListError::Encoding { file, detail: e.to_string() })?;
    Ok(text.trim_start_matches('\u{feff}'))
}

/// The rows of a file.
pub(super) fn rows(file: &'static str, text: &str) -> Result<Vec<super::csv::Row>, ListError> {
    super::csv::rows(text).map_err(|error| ListError::Csv { file, error })
}

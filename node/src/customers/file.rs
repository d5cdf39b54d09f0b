//! The customers' file, as it is now: read again when it changes, written whole when somebody brings another.

use std::fs;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::UNIX_EPOCH;

use hansa_types::id::Timestamp;

use super::{Customers, CustomersError, parse, write};

/// The largest file, in bytes: ten million customers.
pub(crate) const MAX_FILE: u64 = 1 << 30;

/// Why a file of customers is not taken.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The system.
    #[error("{path}: {source}")]
    File {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// What stands in it.
    #[error("{path}: {source}")]
    Customers {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        source: CustomersError,
    },
    /// A value that would be read back as another.
    #[error("the customers hold a value that their file cannot: a name that begins or ends with a blank?")]
    Unwritable,
    /// Absurdly large.
    #[error("{path}: {bytes} bytes: at most {MAX_FILE} are read")]
    TooLarge {
        /// Which file.
        path: PathBuf,
        /// How many.
        bytes: u64,
    },
}

/// Tells one state of the file from another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    /// When it was last written, in nanoseconds since 1970.
    modified: u128,
    length: u64,
}

/// A state of the file, and what stands in it.
pub(crate) struct Look {
    pub(crate) stamp: Stamp,
    pub(crate) read: Result<Customers, FileError>,
}

impl Stamp {
    /// There is no file.
    const ABSENT: Self = Self { modified: 0, length: 0 };

    /// When the file was last written.
    pub(crate) fn modified(&self) -> Timestamp {
        Timestamp(u64::try_from(self.modified / 1_000_000_000).unwrap_or(u64::MAX))
    }
}

/// The customers in use, and the file they come from.
pub(crate) struct CustomerFile {
    path: PathBuf,
    /// After how many hours the file is stale.
    pub(crate) max_age_hours: Option<u32>,
    current: RwLock<Arc<Customers>>,
    /// The state of the file that was settled last, and why it was refused if it was.
    seen: Mutex<(Stamp, Option<String>)>,
    /// Held by whoever changes it.
    pub(crate) changing: tokio::sync::Mutex<()>,
}

impl CustomerFile {
    /// Reads the file in `path`, which is stale after so many hours.
    pub(crate) fn open(path: &Path, max_age_hours: Option<u32>) -> Result<Self, FileError> {
        let (customers, stamp) = read(path)?;
        Ok(Self {
            path: path.to_owned(),
            max_age_hours,
            current: RwLock::new(Arc::new(customers)),
            seen: Mutex::new((stamp, None)),
            changing: tokio::sync::Mutex::default(),
        })
    }

    /// The customers in use.
    pub(crate) fn current(&self) -> Arc<Customers> {
        self.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Puts these in use.
    pub(crate) fn swap(&self, customers: Customers) -> Arc<Customers> {
        let customers = Arc::new(customers);
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = customers.clone();
        customers
    }

    /// The file, if it is in another state than the one that was settled last ([`Self::settle`]).
    pub(crate) fn look(&self) -> Option<Look> {
        let stamp = stamp(&self.path).unwrap_or(Stamp::ABSENT);
        (stamp != self.seen().0).then(|| match read(&self.path) {
            Ok((customers, stamp)) => Look { stamp, read: Ok(customers) },
            Err(error) => Look { stamp, read: Err(error) },
        })
    }

    /// Writes another file in its place, whole and durably.
    pub(crate) fn replace(&self, customers: &Customers) -> Result<(), FileError> {
        let failed = |source| FileError::File { path: self.path.clone(), source };
        let wrong = |source| FileError::Customers { path: self.path.clone(), source };
        let bytes = write(customers).map_err(wrong)?;
        // The next start reads it.
        if parse(&bytes).map_err(wrong)? != *customers {
            return Err(FileError::Unwritable);
        }
        let new = self.path.with_extension("new");
        let put = || {
            let mut file =
                fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
            file.write_all(&bytes)?;
            file.sync_all()?;
            fs::rename(&new, &self.path)?;
            fs::File::open(self.path.parent().unwrap_or(Path::new(".")))?.sync_all()
        };
        put().map_err(failed)?;
        self.settle(stamp(&self.path).map_err(failed)?, None);
        Ok(())
    }

    /// The state of the file that was settled last, and why it was refused if it was.
    pub(crate) fn seen(&self) -> (Stamp, Option<String>) {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// A state of the file is in use, or refused for a reason: it is not looked at again.
    pub(crate) fn settle(&self, stamp: Stamp, refused: Option<String>) {
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = (stamp, refused);
    }
}

fn stamp(path: &Path) -> Result<Stamp, std::io::Error> {
    let metadata = fs::metadata(path)?;
    let modified = metadata.modified()?.duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
    Ok(Stamp { modified, length: metadata.len() })
}

fn read(path: &Path) -> Result<(Customers, Stamp), FileError> {
    let failed = |source| FileError::File { path: path.to_owned(), source };
    // Before the content: what is written meanwhile is looked at again.
    let stamp = stamp(path).map_err(failed)?;
    if stamp.length > MAX_FILE {
        return Err(FileError::TooLarge { path: path.to_owned(), bytes: stamp.length });
    }
    let bytes = fs::read(path).map_err(failed)?;
    let customers = parse(&bytes).map_err(|source| FileError::Customers { path: path.to_owned(), source })?;
    Ok((customers, stamp))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str = "account,name,birth_date,country\nBBAN:1,Ann,,\n";

    /// Looks at the file, and settles what was found.
    fn seen_anew(file: &CustomerFile) -> Option<Result<usize, String>> {
        let Look { stamp, read } = file.look()?;
        let found = read.map(|customers| customers.len()).map_err(|error| error.to_string());
        file.settle(stamp, found.clone().err());
        Some(found)
    }

    #[test]
    fn a_change_of_the_file_is_seen_until_it_is_settled() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("customers.csv");
        fs::write(&path, ONE).unwrap();
        let file = CustomerFile::open(&path, None).unwrap();
        assert!(file.look().is_none());
        fs::write(&path, format!("{ONE}BBAN:2,Bob,,\n")).unwrap();
        assert!(file.look().is_some() && file.look().is_some(), "nobody settled it");
        assert_eq!(seen_anew(&file), Some(Ok(2)));
        assert_eq!(seen_anew(&file), None);
        fs::write(&path, "nonsense").unwrap();
        let error = seen_anew(&file).unwrap().unwrap_err();
        assert!(error.contains("first line must be") && seen_anew(&file).is_none(), "{error}");
        fs::remove_file(&path).unwrap();
        assert!(seen_anew(&file).unwrap().is_err() && seen_anew(&file).is_none(), "told once");
        assert!(file.seen().1.is_some());
        assert_eq!(file.current().len(), 1, "what was in use stays in use");
    }

    #[test]
    fn what_a_start_would_not_read_is_not_written() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("customers.csv");
        fs::write(&path, ONE).unwrap();
        let file = CustomerFile::open(&path, None).unwrap();
        let mut customers = (*file.current()).clone();
        customers.values_mut().for_each(|customer| customer.name = " Ann".to_owned());
        assert!(matches!(file.replace(&customers), Err(FileError::Unwritable)));
        assert_eq!(fs::read_to_string(&path).unwrap(), ONE);
    }

    #[test]
    fn a_file_is_replaced_whole() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("customers.csv");
        fs::write(&path, ONE).unwrap();
        let file = CustomerFile::open(&path, None).unwrap();
        let two = parse(format!("{ONE}BBAN:2,\"B, ob\",1980-02-03,DE\n").as_bytes()).unwrap();
        file.replace(&two).unwrap();
        assert!(file.look().is_none());
        assert_eq!(*CustomerFile::open(&path, None).unwrap().current(), two);
    }
}

//! The folder of backups: names, the hash beside each, how many are kept, and whether another folder has the same.
//!
//! `hansa-ORIGIN-SIZE-SECONDS.backup.age` is a backup of a log when it had so many leaves; beside it stands the line of
//! `sha256sum`, so that anybody can check the file without this program.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use hansa_types::hash::Digest;
use hansa_types::id::Timestamp;

use super::error::BackupError;
use super::files::{PART, hash_file, sync_dir};

/// What the name of a backup begins and ends with.
const PREFIX: &str = "hansa-";
const SUFFIX: &str = ".backup.age";
/// What is added to a file's name for the file with its hash.
const HASH_SUFFIX: &str = ".sha256";
/// Hexadecimal digits of a hash.
const HASH_DIGITS: usize = 64;
/// The longest hash file, in bytes.
const MAX_HASH_FILE: u64 = 4096;

/// A backup in a folder, as its name tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backup {
    /// The file.
    pub path: PathBuf,
    /// The log's origin, with other characters than letters, digits and dots replaced.
    pub log: String,
    /// How many leaves the log had.
    pub size: u64,
    /// When it was taken, in Unix seconds.
    pub taken: Timestamp,
    /// The file's length.
    pub bytes: u64,
    /// Its SHA-256 as it was written.
    pub hash: Digest,
}

/// What another folder has of the backups in this one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Comparison {
    /// How many are in both, with the hash that was written.
    pub same: usize,
    /// Names of those that are missing there.
    pub missing: Vec<String>,
    /// Names of those that have another hash there.
    pub different: Vec<String>,
    /// How many are only there: kept longer.
    pub more: usize,
}

impl Comparison {
    /// Whether everything here is there too.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.missing.is_empty() && self.different.is_empty()
    }
}

/// The name of a backup.
pub(super) fn name(origin: &str, size: u64, taken: Timestamp) -> String {
    format!("{PREFIX}{}-{size}-{taken}{SUFFIX}", safe(origin))
}

/// An origin as a part of a file's name.
pub(super) fn safe(origin: &str) -> String {
    origin.chars().map(|c| if c.is_ascii_alphanumeric() || c == '.' { c } else { '_' }).collect()
}

/// The file beside `path` that holds its hash.
pub(super) fn hash_path(path: &Path) -> PathBuf {
    let mut beside = path.as_os_str().to_owned();
    beside.push(HASH_SUFFIX);
    PathBuf::from(beside)
}

/// The line that `sha256sum` would write.
pub(super) fn hash_line(path: &Path, hash: &Digest) -> String {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    format!("{hash}  {name}\n")
}

/// The hash that was written beside a file.
pub fn written_hash(path: &Path) -> Result<Digest, BackupError> {
    let beside = hash_path(path);
    let no_hash = || BackupError::NoHash(beside.clone());
    let length = fs::metadata(&beside).map_err(|_| no_hash())?.len();
    if length > MAX_HASH_FILE {
        return Err(no_hash());
    }
    let line = fs::read_to_string(&beside).map_err(|_| no_hash())?;
    line.get(..HASH_DIGITS).and_then(|hex| hex.parse().ok()).ok_or_else(no_hash)
}

/// Compares a file with the hash beside it; returns the hash.
pub fn check_hash(path: &Path) -> Result<Digest, BackupError> {
    let wanted = written_hash(path)?;
    let (found, _) = hash_file(path)?;
    if found == wanted { Ok(found) } else { Err(BackupError::Hash { path: path.to_owned(), found, wanted }) }
}

/// The backups in a folder, oldest first. A file without its hash is none.
pub fn list(dir: &Path) -> Result<Vec<Backup>, BackupError> {
    let entries = match fs::read_dir(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other.map_err(BackupError::at(dir))?,
    };
    let mut backups = Vec::new();
    for entry in entries {
        let entry = entry.map_err(BackupError::at(dir))?;
        let path = entry.path();
        let Some((log, size, taken)) = entry.file_name().to_str().and_then(parse) else { continue };
        let Ok(hash) = written_hash(&path) else { continue };
        let bytes = entry.metadata().map_err(BackupError::at(&path))?.len();
        backups.push(Backup { path, log, size, taken, bytes, hash });
    }
    backups
        .sort_by(|one, other| (one.taken, one.size, &one.path).cmp(&(other.taken, other.size, &other.path)));
    Ok(backups)
}

fn parse(name: &str) -> Option<(String, u64, Timestamp)> {
    let rest = name.strip_prefix(PREFIX)?.strip_suffix(SUFFIX)?;
    let (rest, taken) = rest.rsplit_once('-')?;
    let (log, size) = rest.rsplit_once('-')?;
    Some((log.to_owned(), size.parse().ok()?, Timestamp(taken.parse().ok()?)))
}

/// Removes all backups of a log but the newest `keep`, and what broken-off attempts left. Returns how many went.
pub fn prune(dir: &Path, origin: &str, keep: usize) -> Result<usize, BackupError> {
    let log = safe(origin);
    let backups: Vec<Backup> = list(dir)?.into_iter().filter(|backup| backup.log == log).collect();
    let old = backups.len().saturating_sub(keep.max(1));
    for backup in backups.iter().take(old) {
        // The hash goes last: without the file it is nothing, and without it the file would be no backup.
        fs::remove_file(&backup.path).map_err(BackupError::at(&backup.path))?;
        let beside = hash_path(&backup.path);
        fs::remove_file(&beside).map_err(BackupError::at(&beside))?;
    }
    remove_leftovers(dir, &log)?;
    sync_dir(dir)?;
    Ok(old)
}

/// Hashes without a file, and files that were never finished.
fn remove_leftovers(dir: &Path, log: &str) -> Result<(), BackupError> {
    let begin = format!("{PREFIX}{log}-");
    for entry in fs::read_dir(dir).map_err(BackupError::at(dir))? {
        let path = entry.map_err(BackupError::at(dir))?.path();
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else { continue };
        let unfinished = name.ends_with(PART);
        let orphan = name.strip_suffix(HASH_SUFFIX).is_some_and(|file| !dir.join(file).exists());
        if name.starts_with(&begin) && (unfinished || orphan) {
            fs::remove_file(&path).map_err(BackupError::at(&path))?;
        }
    }
    Ok(())
}

/// Compares the backups here with those in a folder that something else copies them to: count, and the hash of every
/// file there, computed anew.
pub fn compare(dir: &Path, off_site: &Path) -> Result<Comparison, BackupError> {
    // A folder that cannot be read is an error, not an empty one.
    fs::read_dir(off_site).map_err(BackupError::at(off_site))?;
    let here = list(dir)?;
    let mut comparison = Comparison::default();
    let name = |backup: &Backup| backup.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    for backup in &here {
        let there = off_site.join(name(backup));
        if !there.exists() {
            comparison.missing.push(name(backup));
        } else if hash_file(&there)?.0 != backup.hash {
            comparison.different.push(name(backup));
        } else {
            comparison.same += 1;
        }
    }
    let known = |there: &Backup| here.iter().any(|backup| name(backup) == name(there));
    comparison.more = list(off_site)?.iter().filter(|there| !known(there)).count();
    Ok(comparison)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ORIGIN: &str = "bank-a.example/audit";

    fn put(dir: &Path, size: u64, taken: u64) -> PathBuf {
        let path = dir.join(name(ORIGIN, size, Timestamp(taken)));
        fs::write(&path, format!("backup {size}")).unwrap();
        let (hash, _) = hash_file(&path).unwrap();
        fs::write(hash_path(&path), hash_line(&path, &hash)).unwrap();
        path
    }

    #[test]
    fn a_name_tells_what_the_backup_is_of() {
        let name = name("bank-a.example/audit", 12, Timestamp(1_700_000_000));
        assert_eq!(name, "hansa-bank_a.example_audit-12-1700000000.backup.age");
        assert_eq!(parse(&name), Some(("bank_a.example_audit".to_owned(), 12, Timestamp(1_700_000_000))));
        for other in ["hansa-x-1.backup.age", "hansa-x-a-1.backup.age", "x-1-1.backup.age", "hansa-x-1-1.age"]
        {
            assert_eq!(parse(other), None, "{other}");
        }
    }

    #[test]
    fn the_newest_are_kept_and_broken_off_attempts_go() {
        let dir = tempfile::tempdir().unwrap();
        let paths: Vec<_> = (1..=5).map(|n| put(dir.path(), n, 100 + n)).collect();
        let unfinished = dir.path().join("hansa-bank_a.example_audit-9-9.backup.age.part");
        let orphan = dir.path().join("hansa-bank_a.example_audit-8-8.backup.age.sha256");
        let foreign = dir.path().join("hansa-other-1-1.backup.age.part");
        for path in [&unfinished, &orphan, &foreign] {
            fs::write(path, "x").unwrap();
        }
        assert_eq!(prune(dir.path(), ORIGIN, 2).unwrap(), 3);
        let left: Vec<_> = list(dir.path()).unwrap().into_iter().map(|backup| backup.path).collect();
        assert_eq!(left, paths[3..]);
        assert!(!unfinished.exists() && !orphan.exists() && foreign.exists());
        assert_eq!(prune(dir.path(), ORIGIN, 0).unwrap(), 1, "the last one always stays");
    }

    #[test]
    fn an_off_site_copy_is_compared_by_its_bytes() {
        let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        for n in 1..=3 {
            put(here.path(), n, n);
        }
        put(there.path(), 1, 1);
        put(there.path(), 9, 9);
        let spoilt = put(there.path(), 2, 2);
        fs::write(&spoilt, "backup 7").unwrap();
        let comparison = compare(here.path(), there.path()).unwrap();
        assert_eq!((comparison.same, comparison.more), (1, 1));
        assert_eq!((comparison.missing.len(), comparison.different.len()), (1, 1));
        assert!(!comparison.is_complete());
        assert!(compare(here.path(), &there.path().join("not-mounted")).is_err());
    }

    #[test]
    fn a_damaged_file_and_a_missing_hash_are_said() {
        let dir = tempfile::tempdir().unwrap();
        let path = put(dir.path(), 1, 1);
        check_hash(&path).unwrap();
        fs::write(&path, "backup 2").unwrap();
        assert!(matches!(check_hash(&path), Err(BackupError::Hash { .. })));
        fs::write(hash_path(&path), "nonsense").unwrap();
        assert!(matches!(check_hash(&path), Err(BackupError::NoHash(_))));
        assert_eq!(list(dir.path()).unwrap(), [], "a file without its hash is no backup");
    }
}

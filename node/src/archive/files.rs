//! Files that are written whole or not at all.

use std::fs;
use std::io::Write;
use std::path::Path;

use super::ArchiveError;

/// The content of a file, if it can be read.
pub(super) fn read(path: &Path) -> Option<Vec<u8>> {
    fs::read(path).ok()
}

/// Writes a file whole and durably, unless it is there.
pub(super) fn keep(path: &Path, bytes: &[u8]) -> Result<(), ArchiveError> {
    if fs::read(path).is_ok_and(|found| found == bytes) {
        return Ok(());
    }
    let new = path.with_extension("new");
    let write = || {
        let mut file = fs::File::create(&new)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&new, path)?;
        fs::File::open(path.parent().unwrap_or(Path::new(".")))?.sync_all()
    };
    write().map_err(|source| ArchiveError { path: path.to_owned(), source })
}

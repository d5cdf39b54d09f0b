//! A ceremony's files: what stands in front of each, and how one is written whole or not at all.
//!
//! ```text
//! "HANSAMPC"  kind: u8  version: u8  fields (canonical codec), then points (uncompressed)
//! ```
//!
//! A file's hash is SHA-256 over all its bytes; the next file names it.

use std::{
    fs::{File, Permissions},
    io::{Read as _, Write as _},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use hansa_types::{
    codec::{Encode, Reader, Writer},
    codec_enum,
    hash::Digest,
};
use sha2::{Digest as _, Sha256};
use tempfile::NamedTempFile;

use crate::flaw::Flaw;

const MAGIC: &[u8; 8] = b"HANSAMPC";
const VERSION: u8 = 1;
/// No file of a ceremony is longer: powers for 2^21.
const MAX_FILE: u64 = 2 << 30;

/// What a file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A charter with its signatures.
    Charter,
    /// A phase 1 made elsewhere.
    Phase1,
    /// A contribution to a phase 1 of this ceremony.
    Powers,
    /// The start of phase 2.
    Start,
    /// A contribution to phase 2.
    Divided,
    /// What a contributor declares about its contribution.
    Attestation,
}
codec_enum!(Kind {
    Charter = 1, "charter",
    Phase1 = 2, "phase 1",
    Powers = 3, "phase 1 contribution",
    Start = 4, "phase 2 start",
    Divided = 5, "phase 2 contribution",
    Attestation = 6, "attestation",
});

/// Why a file cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The system refused.
    #[error("{path}: {source}")]
    Io {
        /// Which.
        path: PathBuf,
        /// What it said.
        source: std::io::Error,
    },
    /// It would be overwritten.
    #[error("{0} exists: a transcript only grows; move the file away if it should not be there")]
    Exists(PathBuf),
    /// It is longer than any ceremony's.
    #[error("{0} has more than 2 GiB: it is none of a ceremony's files")]
    TooLong(PathBuf),
}

/// Everything of a file.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>, FileError> {
    let io = |source| FileError::Io { path: path.to_owned(), source };
    let mut bytes = Vec::new();
    File::open(path).map_err(io)?.take(MAX_FILE + 1).read_to_end(&mut bytes).map_err(io)?;
    if bytes.len() as u64 > MAX_FILE { Err(FileError::TooLong(path.to_owned())) } else { Ok(bytes) }
}

/// Writes a new file, durably, under its name only when it is complete.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    if path.exists() {
        return Err(FileError::Exists(path.to_owned()));
    }
    put(path, bytes, |file| file.persist_noclobber(path).map_err(|error| error.error))
}

/// Writes a file in place of the one that may be there: what is not part of a transcript's chain.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    put(path, bytes, |file| file.persist(path).map_err(|error| error.error))
}

fn put(
    path: &Path,
    bytes: &[u8],
    persist: impl FnOnce(NamedTempFile) -> std::io::Result<File>,
) -> Result<(), FileError> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let write = || {
        let mut file = NamedTempFile::new_in(folder)?;
        file.write_all(bytes)?;
        file.as_file().set_permissions(Permissions::from_mode(0o644))?;
        file.as_file().sync_all()?;
        persist(file)?;
        File::open(folder)?.sync_all()
    };
    write().map_err(|source| match source.kind() {
        std::io::ErrorKind::AlreadyExists => FileError::Exists(path.to_owned()),
        _ => FileError::Io { path: path.to_owned(), source },
    })
}

/// A file of this kind: the fields, then what `points` appends.
pub(crate) fn compose(kind: Kind, fields: &impl Encode, points: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut out = Writer::default();
    out.raw(MAGIC);
    kind.encode(&mut out);
    out.u8(VERSION);
    fields.encode(&mut out);
    let mut bytes = out.into_bytes();
    points(&mut bytes);
    bytes
}

/// What follows the header of a file of this kind.
pub(crate) fn open(kind: Kind, bytes: &[u8]) -> Result<Reader<'_>, Flaw> {
    let mut reader = Reader::new(bytes);
    let wrong = |_| Flaw::Kind(kind.name());
    let magic: [u8; 8] = reader.array().map_err(wrong)?;
    if magic != *MAGIC || reader.u8().map_err(wrong)? != kind.number() {
        return Err(Flaw::Kind(kind.name()));
    }
    let version = reader.u8().map_err(wrong)?;
    if version == VERSION { Ok(reader) } else { Err(Flaw::Version { found: version, known: VERSION }) }
}

/// SHA-256 of a file's bytes.
pub(crate) fn hash(bytes: &[u8]) -> Digest {
    Digest(Sha256::digest(bytes).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_written_once_and_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        write(&path, b"one").unwrap();
        assert!(matches!(write(&path, b"two"), Err(FileError::Exists(_))));
        assert_eq!(read(&path).unwrap(), b"one");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
        assert!(matches!(write(&folder.path().join("none/file"), b""), Err(FileError::Io { .. })));
    }

    #[test]
    fn only_the_kind_asked_for_opens() {
        let bytes = compose(Kind::Start, &7_u32, |points| points.push(9));
        let mut reader = open(Kind::Start, &bytes).unwrap();
        assert_eq!(reader.take(5).unwrap(), [0, 0, 0, 7, 9]);
        assert_eq!(open(Kind::Powers, &bytes).err(), Some(Flaw::Kind("phase 1 contribution")));
        assert_eq!(open(Kind::Start, &bytes[1..]).err(), Some(Flaw::Kind("phase 2 start")));
        assert_eq!(open(Kind::Start, b"").err(), Some(Flaw::Kind("phase 2 start")));
        let mut newer = bytes.clone();
        newer[9] = 2;
        assert_eq!(open(Kind::Start, &newer).err(), Some(Flaw::Version { found: 2, known: 1 }));
    }
}

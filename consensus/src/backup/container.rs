//! What is inside the encryption: a manifest and the database's files, each with its SHA-256, one after another.
//!
//! ```text
//! "hansa-backup v1\n"
//! length (u32) | manifest | SHA-256 of the manifest
//! for each file of the manifest: its bytes | SHA-256 of them
//! SHA-256 of everything before
//! ```
//!
//! Written and read in one pass, with no more than a chunk in memory. Every byte is under a hash, and nothing follows.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;

use hansa_audit_log::merkle::Hash;
use hansa_types::codec::{CodecError, Decode, Encode, Reader, Writer};
use hansa_types::id::Timestamp;
use sha2::{Digest as _, Sha256};
use thiserror::Error;

use super::files::{CHUNK, Hashing};
use crate::replica::{MAX_TEXT, text};

/// What every archive begins with.
const MAGIC: &[u8; 16] = b"hansa-backup v1\n";
/// The version byte of the manifest.
const MANIFEST_VERSION: u8 = 1;
/// The longest manifest, in bytes.
const MAX_MANIFEST: usize = 16 << 20;
/// The most files.
const MAX_FILES: usize = 100_000;
/// Bytes of a SHA-256.
const DIGEST: usize = 32;

/// What a backup is of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// The name of the audit log.
    pub origin: String,
    /// How many leaves it had.
    pub size: u64,
    /// The root of them.
    pub root: Hash,
    /// The index of the last Raft entry applied.
    pub applied: Option<u64>,
    /// The replica it was taken of.
    pub replica: u64,
    /// The release of the program that took it.
    pub release: String,
    /// When, in Unix seconds.
    pub taken: Timestamp,
    /// The files, in their order.
    pub files: Vec<FileEntry>,
}

/// A file of the database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileEntry {
    /// Its plain name.
    pub name: String,
    /// How many bytes it has.
    pub length: u64,
}

/// Why an archive was not written or read.
#[derive(Debug, Error)]
pub enum ContainerError {
    /// Not an archive.
    #[error("not a backup of a version that this program reads")]
    NotABackup,
    /// The manifest.
    #[error("the manifest does not decode: {0}")]
    Manifest(#[from] CodecError),
    /// The manifest's length.
    #[error("the manifest has {0} bytes, above the limit of {MAX_MANIFEST}")]
    TooLong(u64),
    /// A name that could lead anywhere.
    #[error("{0:?} is not the plain name of a database file, or stands there twice")]
    Name(String),
    /// A hash that is not that of what stands before it.
    #[error("{0} does not have the hash that was written with it: the backup is damaged")]
    Digest(String),
    /// Something behind the end.
    #[error("bytes follow the end of the backup: it was altered")]
    Trailing,
    /// A file of the database while it was written to the archive, or out of it.
    #[error("{name}: {source}")]
    File {
        /// Its name.
        name: String,
        /// What the system says.
        source: io::Error,
    },
    /// The archive itself, or the encryption around it.
    #[error("the backup cannot be read or written: {0}")]
    Io(#[from] io::Error),
}

impl Manifest {
    /// Lists the files of a checkpoint; what RocksDB only writes for people is left out.
    pub(super) fn list(dir: &Path) -> io::Result<Vec<FileEntry>> {
        let mut files = Vec::new();
        for entry in std::fs::read_dir(dir)? {
            let entry = entry?;
            let name =
                entry.file_name().into_string().map_err(|name| io::Error::other(format!("{name:?}")))?;
            if !name.starts_with("LOG") {
                files.push(FileEntry { name, length: entry.metadata()?.len() });
            }
        }
        files.sort_unstable_by(|one, other| one.name.cmp(&other.name));
        Ok(files)
    }

    /// Refuses names that could lead out of a folder, or of one file twice.
    fn check(&self) -> Result<(), ContainerError> {
        let mut seen = BTreeSet::new();
        for FileEntry { name, .. } in &self.files {
            let plain = |b: u8| b.is_ascii_alphanumeric() || b"._-".contains(&b);
            let fits = !name.is_empty() && name.len() <= MAX_TEXT && !name.starts_with('.');
            if !fits || !name.bytes().all(plain) || !seen.insert(name) {
                return Err(ContainerError::Name(name.clone()));
            }
        }
        Ok(())
    }
}

/// Writes an archive of the files in `dir`.
pub fn write(out: &mut impl Write, manifest: &Manifest, dir: &Path) -> Result<(), ContainerError> {
    manifest.check()?;
    let mut out = Hashing::new(out);
    let head = manifest.to_bytes();
    let length = u32::try_from(head.len()).ok().filter(|length| *length as usize <= MAX_MANIFEST);
    let length = length.ok_or(ContainerError::TooLong(head.len() as u64))?;
    out.write_all(MAGIC)?;
    out.write_all(&length.to_be_bytes())?;
    out.write_all(&head)?;
    out.write_all(&Sha256::digest(&head))?;
    let mut chunk = vec![0; CHUNK];
    for FileEntry { name, length } in &manifest.files {
        let failed = |source| ContainerError::File { name: name.clone(), source };
        let mut file = File::open(dir.join(name)).map_err(failed)?;
        let mut hash = Sha256::new();
        let mut left = *length;
        while left > 0 {
            let wanted = usize::try_from(left).map_or(CHUNK, |left| left.min(CHUNK));
            file.read_exact(&mut chunk[..wanted]).map_err(failed)?;
            hash.update(&chunk[..wanted]);
            out.write_all(&chunk[..wanted])?;
            left -= wanted as u64;
        }
        out.write_all(&hash.finalize())?;
    }
    let all = out.so_far();
    out.write_all(&all)?;
    out.flush()?;
    Ok(())
}

/// Reads an archive to its end, with every hash checked; its files go into the folder `into`, if there is one, and are
/// durable there.
pub fn read(input: impl Read, into: Option<&Path>) -> Result<Manifest, ContainerError> {
    let mut input = Hashing::new(input);
    let mut magic = [0; MAGIC.len()];
    input.read_exact(&mut magic)?;
    if magic != *MAGIC {
        return Err(ContainerError::NotABackup);
    }
    let mut length = [0; 4];
    input.read_exact(&mut length)?;
    let length = u32::from_be_bytes(length);
    if length as usize > MAX_MANIFEST {
        return Err(ContainerError::TooLong(length.into()));
    }
    let mut head = Vec::new();
    input.by_ref().take(length.into()).read_to_end(&mut head)?;
    let mut digest = [0; DIGEST];
    input.read_exact(&mut digest)?;
    if Sha256::digest(&head).as_slice() != digest {
        return Err(ContainerError::Digest("the manifest".to_owned()));
    }
    let manifest = Manifest::from_bytes(&head)?;
    manifest.check()?;
    for entry in &manifest.files {
        read_file(&mut input, entry, into)?;
    }
    let all = input.so_far();
    input.read_exact(&mut digest)?;
    if all != digest {
        return Err(ContainerError::Digest("the whole".to_owned()));
    }
    if input.read(&mut [0])? > 0 {
        return Err(ContainerError::Trailing);
    }
    Ok(manifest)
}

fn read_file(input: &mut impl Read, entry: &FileEntry, into: Option<&Path>) -> Result<(), ContainerError> {
    let failed = |source| ContainerError::File { name: entry.name.clone(), source };
    let mut file = into.map(|dir| File::create_new(dir.join(&entry.name))).transpose().map_err(failed)?;
    let mut chunk = vec![0; CHUNK];
    let mut hash = Sha256::new();
    let mut left = entry.length;
    while left > 0 {
        let wanted = usize::try_from(left).map_or(CHUNK, |left| left.min(CHUNK));
        input.read_exact(&mut chunk[..wanted])?;
        hash.update(&chunk[..wanted]);
        if let Some(file) = &mut file {
            file.write_all(&chunk[..wanted]).map_err(failed)?;
        }
        left -= wanted as u64;
    }
    if let Some(file) = file {
        file.sync_all().map_err(failed)?;
    }
    let mut digest = [0; DIGEST];
    input.read_exact(&mut digest)?;
    if hash.finalize().as_slice() != digest {
        return Err(ContainerError::Digest(entry.name.clone()));
    }
    Ok(())
}

impl Encode for Manifest {
    fn encode(&self, out: &mut Writer) {
        out.u8(MANIFEST_VERSION);
        out.bytes(self.origin.as_bytes());
        self.size.encode(out);
        out.raw(&self.root);
        self.applied.encode(out);
        self.replica.encode(out);
        out.bytes(self.release.as_bytes());
        self.taken.encode(out);
        out.seq(&self.files);
    }
}

impl Decode for Manifest {
    fn decode(input: &mut Reader<'_>) -> Result<Self, CodecError> {
        input.version("backup manifest", MANIFEST_VERSION)?;
        Ok(Self {
            origin: text(input, "origin")?,
            size: Decode::decode(input)?,
            root: input.array()?,
            applied: Decode::decode(input)?,
            replica: Decode::decode(input)?,
            release: text(input, "release")?,
            taken: Decode::decode(input)?,
            files: input.seq("files", MAX_FILES)?,
        })
    }
}

impl Encode for FileEntry {
    fn encode(&self, out: &mut Writer) {
        out.bytes(self.name.as_bytes());
        self.length.encode(out);
    }
}

impl Decode for FileEntry {
    fn decode(input: &mut Reader<'_>) -> Result<Self, CodecError> {
        Ok(Self { name: text(input, "file name")?, length: Decode::decode(input)? })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn archive() -> (tempfile::TempDir, Manifest, Vec<u8>) {
        let dir = tempfile::tempdir().unwrap();
        for (name, bytes) in
            [("000007.sst", vec![7; 300]), ("CURRENT", b"MANIFEST-1\n".to_vec()), ("LOG", vec![1])]
        {
            std::fs::write(dir.path().join(name), bytes).unwrap();
        }
        let manifest = Manifest {
            origin: "bank-a.example/audit".to_owned(),
            size: 3,
            root: [3; 32],
            applied: Some(9),
            replica: 1,
            release: "0.1.0".to_owned(),
            taken: Timestamp(1_700_000_000),
            files: Manifest::list(dir.path()).unwrap(),
        };
        let mut bytes = Vec::new();
        write(&mut bytes, &manifest, dir.path()).unwrap();
        (dir, manifest, bytes)
    }

    #[test]
    fn what_is_written_is_read_and_a_log_for_people_is_left_out() {
        let (dir, manifest, bytes) = archive();
        let into = tempfile::tempdir().unwrap();
        assert_eq!(read(bytes.as_slice(), Some(into.path())).unwrap(), manifest);
        assert_eq!(manifest.files.len(), 2);
        for FileEntry { name, .. } in &manifest.files {
            let (one, other) = (dir.path().join(name), into.path().join(name));
            assert_eq!(std::fs::read(one).unwrap(), std::fs::read(other).unwrap());
        }
    }

    #[test]
    fn every_single_altered_byte_and_every_cut_is_found() {
        let (_, _, bytes) = archive();
        for at in 0..bytes.len() {
            for bit in [1, 0x80] {
                let mut altered = bytes.clone();
                altered[at] ^= bit;
                assert!(read(altered.as_slice(), None).is_err(), "byte {at}");
            }
            assert!(read(&bytes[..at], None).is_err(), "cut at {at}");
        }
        assert!(matches!(
            read([bytes.as_slice(), b"x"].concat().as_slice(), None),
            Err(ContainerError::Trailing)
        ));
    }

    #[test]
    fn a_name_that_leads_out_of_the_folder_is_refused() {
        for name in ["../x", "/etc/x", "", ".", "a/b", "CURRENT"] {
            let (dir, mut manifest, _) = archive();
            manifest.files.push(FileEntry { name: name.to_owned(), length: 0 });
            let refused = write(&mut Vec::new(), &manifest, dir.path());
            assert!(matches!(refused, Err(ContainerError::Name(_))), "{name}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..300), framed in any::<bool>()) {
            let mut input = Vec::new();
            if framed {
                input.extend_from_slice(MAGIC);
                input.extend_from_slice(&(bytes.len() as u32).to_be_bytes());
                input.extend_from_slice(&bytes);
                input.extend_from_slice(&Sha256::digest(&bytes));
            }
            input.extend_from_slice(&bytes);
            prop_assert!(read(input.as_slice(), None).is_err());
        }
    }
}

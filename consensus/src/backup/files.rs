//! Files that are there whole or not at all, and their hashes.

use std::fs::{self, File};
use std::io::{self, BufWriter, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use hansa_types::hash::Digest;
use sha2::{Digest as _, Sha256};

use super::error::BackupError;

/// How many bytes are read at once.
pub(super) const CHUNK: usize = 256 << 10;
/// What a file is called while it is written.
pub(super) const PART: &str = ".part";

/// Hashes and counts what passes through.
pub(super) struct Hashing<W> {
    inner: W,
    hash: Sha256,
    bytes: u64,
}

impl<W> Hashing<W> {
    pub(super) fn new(inner: W) -> Self {
        Self { inner, hash: Sha256::new(), bytes: 0 }
    }

    pub(super) fn finish(self) -> (W, Digest, u64) {
        (self.inner, Digest(self.hash.finalize().into()), self.bytes)
    }

    /// The hash of all so far.
    pub(super) fn so_far(&self) -> [u8; 32] {
        self.hash.clone().finalize().into()
    }
}

impl<W: Write> Write for Hashing<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.hash.update(&bytes[..written]);
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(into)?;
        self.hash.update(&into[..read]);
        self.bytes += read as u64;
        Ok(read)
    }
}

/// A file in the making: only the node's user may read it, and unless it is kept it is removed again.
pub(super) struct Part {
    path: PathBuf,
    part: PathBuf,
    file: Option<BufWriter<File>>,
}

impl Part {
    /// Begins the file at `path`, which must not exist.
    pub(super) fn create(path: &Path) -> Result<Self, BackupError> {
        let mut part = path.as_os_str().to_owned();
        part.push(PART);
        let part = PathBuf::from(part);
        let open = File::options().write(true).create(true).truncate(true).mode(0o600).open(&part);
        let file = open.map_err(BackupError::at(&part))?;
        let made = Self { path: path.to_owned(), part, file: Some(BufWriter::with_capacity(CHUNK, file)) };
        if path.exists() {
            return Err(BackupError::at(path)(io::ErrorKind::AlreadyExists.into()));
        }
        Ok(made)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Makes the content durable. The file has its name only after [`Part::keep`].
    pub(super) fn sync(&mut self) -> Result<(), BackupError> {
        let Some(mut file) = self.file.take() else { return Ok(()) };
        file.flush().and_then(|()| file.get_ref().sync_all()).map_err(BackupError::at(&self.part))
    }

    /// Gives the file its name, durably once the folder is synced.
    pub(super) fn keep(mut self) -> Result<(), BackupError> {
        self.sync()?;
        fs::rename(&self.part, &self.path).map_err(BackupError::at(&self.path))
    }
}

impl Write for Part {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.file {
            Some(file) => file.write(bytes),
            None => Err(io::Error::other("the file is finished")),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.as_mut().map_or(Ok(()), Write::flush)
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        // After `keep` it has another name.
        let _ = fs::remove_file(&self.part);
    }
}

/// Makes a folder's entries durable.
pub(super) fn sync_dir(dir: &Path) -> Result<(), BackupError> {
    File::open(dir).and_then(|dir| dir.sync_all()).map_err(BackupError::at(dir))
}

/// Removes a folder with all in it, if it is there.
pub(super) fn remove_dir(dir: &Path) -> Result<(), BackupError> {
    match fs::remove_dir_all(dir) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(BackupError::at(dir)(error)),
        _ => Ok(()),
    }
}

/// The SHA-256 and length of a file.
pub(super) fn hash_file(path: &Path) -> Result<(Digest, u64), BackupError> {
    let file = File::open(path).map_err(BackupError::at(path))?;
    let mut hashing = Hashing::new(file);
    let mut chunk = vec![0; CHUNK];
    while hashing.read(&mut chunk).map_err(BackupError::at(path))? > 0 {}
    let (_, digest, bytes) = hashing.finish();
    Ok((digest, bytes))
}

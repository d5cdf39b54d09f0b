//! The keys of subjects that may be erased, apart from all other backups: of this file only the newest is kept, so that
//! a key that was erased is gone from every copy once the next one is made.
//!
//! The ledger of erasures stands with them, so that whatever backup is restored, what was erased since is erased again.
//!
//! Inside the encryption: `"hansa-subjects v1\n"`, then for each key its name (32 bytes) and its wrapped bytes behind
//! their length (u32, not 0), then 0 (u32), the number of keys (u64), the ledger likewise (each entry behind its length,
//! then 0 and the number), and the SHA-256 of everything before.

use std::fs::{self, File};
use std::io::{self, BufReader, Read, Write};
use std::path::{Path, PathBuf};

use age::Decryptor;
use hansa_types::codec::{Decode, Encode};
use hansa_types::hash::Digest;
use thiserror::Error;

use super::config::BackupConfig;
use super::create::encrypt;
use super::error::BackupError;
use super::files::{CHUNK, Hashing, PART, Part, sync_dir};
use super::secrets::Identities;
use crate::state::ErasedKey;
use crate::store::StoreError;

const MAGIC: &[u8; 18] = b"hansa-subjects v1\n";
/// What the name of the file begins and ends with.
const PREFIX: &str = "subject-keys-";
const SUFFIX: &str = ".age";
/// The longest wrapped key, in bytes.
const MAX_WRAPPED: usize = 4096;
/// The longest entry of the ledger, in bytes.
const MAX_ENTRY: usize = 128 << 10;

/// A key's name, and the wrapped key.
pub type SubjectKey = (Digest, Vec<u8>);

/// What a file holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Subjects {
    /// The wrapped keys.
    pub keys: Vec<SubjectKey>,
    /// What was erased.
    pub ledger: Vec<ErasedKey>,
}

/// Why a file of keys cannot be read.
#[derive(Debug, Error)]
pub enum SubjectKeysError {
    /// Not such a file.
    #[error("not a file of subject keys")]
    Malformed,
    /// Altered.
    #[error("the file of subject keys was altered")]
    Digest,
    /// The file, or the encryption around it.
    #[error("the subject keys cannot be read: {0}")]
    Io(#[from] io::Error),
    /// Nobody has the identity, or the file is damaged.
    #[error("the subject keys cannot be decrypted: {0}")]
    Decrypt(String),
}

/// Writes all keys and the ledger to a new file, and removes the older ones once it is durable. Returns the file and how many keys.
pub fn write(
    config: &BackupConfig,
    keys: impl Iterator<Item = Result<SubjectKey, StoreError>>,
    ledger: &[ErasedKey],
) -> Result<(PathBuf, u64), BackupError> {
    let recipients = config.readers()?;
    let dir = &config.dir;
    fs::create_dir_all(dir).map_err(BackupError::at(dir))?;
    let older = list(dir)?;
    let next = older.last().map_or(1, |(number, _)| number + 1);
    let path = dir.join(format!("{PREFIX}{next}{SUFFIX}"));
    let mut count = 0;
    let failed = |source| BackupError::File { path: path.clone(), source };
    let (part, _, _) = encrypt(Part::create(&path)?, &recipients, |out| {
        let mut out = Hashing::new(out);
        out.write_all(MAGIC).map_err(failed)?;
        for key in keys {
            let (name, wrapped) = key?;
            let length =
                u32::try_from(wrapped.len()).ok().filter(|n| (1..=MAX_WRAPPED).contains(&(*n as usize)));
            let length =
                length.ok_or_else(|| failed(io::Error::other("a wrapped key is too long or empty")))?;
            out.write_all(&length.to_be_bytes()).map_err(failed)?;
            out.write_all(&name.0).map_err(failed)?;
            out.write_all(&wrapped).map_err(failed)?;
            count += 1;
        }
        out.write_all(&0u32.to_be_bytes()).map_err(failed)?;
        out.write_all(&u64::to_be_bytes(count)).map_err(failed)?;
        for erased in ledger {
            let entry = erased.to_bytes();
            let length = u32::try_from(entry.len()).unwrap_or(u32::MAX);
            out.write_all(&length.to_be_bytes()).map_err(failed)?;
            out.write_all(&entry).map_err(failed)?;
        }
        out.write_all(&0u32.to_be_bytes()).map_err(failed)?;
        out.write_all(&(ledger.len() as u64).to_be_bytes()).map_err(failed)?;
        let all = out.so_far();
        out.write_all(&all).map_err(failed)
    })?;
    part.keep()?;
    sync_dir(dir)?;
    for (_, old) in older {
        fs::remove_file(&old).map_err(BackupError::at(&old))?;
    }
    sync_dir(dir)?;
    Ok((path, count))
}

/// The newest file of keys in a folder.
pub fn newest(dir: &Path) -> Result<Option<PathBuf>, BackupError> {
    Ok(list(dir)?.pop().map(|(_, path)| path))
}

/// Reads a file of keys whole, with its hash checked.
pub fn read(path: &Path, identities: &Identities) -> Result<Subjects, SubjectKeysError> {
    let input = BufReader::with_capacity(CHUNK, File::open(path)?);
    let decrypt = |error: age::DecryptError| SubjectKeysError::Decrypt(error.to_string());
    let plain =
        Decryptor::new_buffered(input).map_err(decrypt)?.decrypt(identities.iter()).map_err(decrypt)?;
    read_plain(plain)
}

fn read_plain(input: impl Read) -> Result<Subjects, SubjectKeysError> {
    let mut input = Hashing::new(input);
    let mut magic = [0; MAGIC.len()];
    input.read_exact(&mut magic)?;
    if magic != *MAGIC {
        return Err(SubjectKeysError::Malformed);
    }
    let mut subjects = Subjects::default();
    while let Some(length) = next_length(&mut input, MAX_WRAPPED)? {
        let (mut name, mut wrapped) = ([0; 32], vec![0; length]);
        input.read_exact(&mut name)?;
        input.read_exact(&mut wrapped)?;
        subjects.keys.push((Digest(name), wrapped));
    }
    let keys = read_count(&mut input)?;
    while let Some(length) = next_length(&mut input, MAX_ENTRY)? {
        let mut entry = vec![0; length];
        input.read_exact(&mut entry)?;
        subjects.ledger.push(ErasedKey::from_bytes(&entry).map_err(|_| SubjectKeysError::Malformed)?);
    }
    let erased = read_count(&mut input)?;
    let all = input.so_far();
    let mut digest = [0; 32];
    input.read_exact(&mut digest)?;
    let counted = keys == subjects.keys.len() as u64 && erased == subjects.ledger.len() as u64;
    let whole = counted && digest == all && input.read(&mut [0])? == 0;
    if whole { Ok(subjects) } else { Err(SubjectKeysError::Digest) }
}

/// The length of the next item, or that there is none.
fn next_length(input: &mut impl Read, limit: usize) -> Result<Option<usize>, SubjectKeysError> {
    let mut length = [0; 4];
    input.read_exact(&mut length)?;
    match u32::from_be_bytes(length) as usize {
        0 => Ok(None),
        length if length > limit => Err(SubjectKeysError::Malformed),
        length => Ok(Some(length)),
    }
}

fn read_count(input: &mut impl Read) -> Result<u64, SubjectKeysError> {
    let mut count = [0; 8];
    input.read_exact(&mut count)?;
    Ok(u64::from_be_bytes(count))
}

/// The files of keys in a folder by their numbers; what was never finished is removed.
fn list(dir: &Path) -> Result<Vec<(u64, PathBuf)>, BackupError> {
    let mut files = Vec::new();
    for entry in fs::read_dir(dir).map_err(BackupError::at(dir))? {
        let path = entry.map_err(BackupError::at(dir))?.path();
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else { continue };
        let Some(rest) = name.strip_prefix(PREFIX) else { continue };
        if rest.ends_with(PART) {
            fs::remove_file(&path).map_err(BackupError::at(&path))?;
        } else if let Some(number) = rest.strip_suffix(SUFFIX).and_then(|number| number.parse().ok()) {
            files.push((number, path));
        }
    }
    files.sort_unstable();
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backup::keygen;

    fn key(n: u8) -> SubjectKey {
        (Digest([n; 32]), vec![n; 60])
    }

    #[test]
    fn only_the_newest_file_stays_and_holds_what_was_exported_last() {
        let dir = tempfile::tempdir().unwrap();
        let identity = dir.path().join("identity");
        let config = BackupConfig {
            dir: dir.path().join("backups"),
            recipients: vec![keygen(&identity).unwrap()],
            ..BackupConfig::default()
        };
        let identities = Identities::load(&identity).unwrap();
        let (first, count) = write(&config, [key(1), key(2)].into_iter().map(Ok), &[]).unwrap();
        assert_eq!(count, 2);
        assert_eq!(read(&first, &identities).unwrap().keys, [key(1), key(2)]);
        let (second, _) = write(&config, [key(2)].into_iter().map(Ok), &[]).unwrap();
        assert!(!first.exists(), "an erased key is in no copy");
        assert_eq!(newest(&config.dir).unwrap().as_ref(), Some(&second));
        assert_eq!(read(&second, &identities).unwrap().keys, [key(2)]);

        let damage = StoreError::Write("injected".to_owned());
        assert!(write(&config, [Ok(key(3)), Err(damage)].into_iter(), &[]).is_err());
        assert_eq!(
            newest(&config.dir).unwrap(),
            Some(second),
            "the older one stays until the new one is durable"
        );
    }

    #[test]
    fn every_altered_byte_is_found() {
        let mut plain = Hashing::new(Vec::new());
        plain.write_all(MAGIC).unwrap();
        for (name, wrapped) in [key(1), key(2)] {
            plain.write_all(&(wrapped.len() as u32).to_be_bytes()).unwrap();
            plain.write_all(&name.0).unwrap();
            plain.write_all(&wrapped).unwrap();
        }
        plain.write_all(&[0; 4]).unwrap();
        plain.write_all(&2u64.to_be_bytes()).unwrap();
        plain.write_all(&[0; 12]).unwrap();
        let all = plain.so_far();
        plain.write_all(&all).unwrap();
        let (bytes, _, _) = plain.finish();
        assert_eq!(read_plain(bytes.as_slice()).unwrap().keys.len(), 2);
        for at in 0..bytes.len() {
            let mut altered = bytes.clone();
            altered[at] ^= 1;
            assert!(read_plain(altered.as_slice()).is_err(), "byte {at}");
            assert!(read_plain(&bytes[..at]).is_err(), "cut at {at}");
        }
    }
}

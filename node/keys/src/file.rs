//! Keys in a folder: one file a purpose, mode 0600, text of one line: `hansa-key-v1 PURPOSE HEX`.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use ed25519_dalek::{Signer as _, SigningKey};
use hansa_types::hash::PublicKey;
use hansa_types::sign::{SignError, Signer};
use rand::{CryptoRng, RngCore};
use zeroize::Zeroizing;

use crate::{Purpose, Secret};

const HEADER: &str = "hansa-key-v1";
/// What an officer's own key is for: it is in no bank's folder.
pub const OFFICER: &str = "officer";
/// Bytes of a short key.
pub const SHORT: usize = 16;
/// No key file is longer.
const MAX_FILE: u64 = 256;

/// Why a key cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The file system refused.
    #[error("{path}: {source}")]
    Io {
        /// Which file.
        path: PathBuf,
        /// What it said.
        source: io::Error,
    },
    /// Others could read the key.
    #[error(
        "{0} can be read by others than its owner: run chmod 600 on it, and replace the key if they may have"
    )]
    Exposed(PathBuf),
    /// Not a key file, or one for another purpose.
    #[error("{path} is not a hansa key file for {purpose}")]
    Malformed {
        /// Which file.
        path: PathBuf,
        /// What it should be for.
        purpose: String,
    },
    /// A key would be overwritten.
    #[error("{0} exists: a key is never overwritten; move it away first if it is to be replaced")]
    Exists(PathBuf),
}

/// The folder with a bank's keys.
#[derive(Clone, Debug)]
pub struct KeyFolder(PathBuf);

impl KeyFolder {
    /// The keys in `path`.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    /// Makes the folder with a fresh key for every purpose. Refuses to overwrite one.
    pub fn create(path: impl Into<PathBuf>, rng: &mut (impl RngCore + CryptoRng)) -> Result<Self, KeyError> {
        let folder = Self::new(path);
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&folder.0)
            .map_err(|source| KeyError::Io { path: folder.0.clone(), source })?;
        for purpose in Purpose::ALL {
            folder.store(*purpose, &Secret::random(rng))?;
        }
        Ok(folder)
    }

    /// Where the key for `purpose` is.
    pub fn path(&self, purpose: Purpose) -> PathBuf {
        self.0.join(format!("{purpose}.key"))
    }

    /// Writes a key that is not there yet, durably.
    pub fn store(&self, purpose: Purpose, secret: &Secret) -> Result<(), KeyError> {
        store_secret(&self.path(purpose), purpose.name(), secret)
    }

    /// Reads the key for `purpose`.
    pub fn secret(&self, purpose: Purpose) -> Result<Secret, KeyError> {
        load_secret(&self.path(purpose), purpose.name())
    }

    /// Reads the key for `purpose` if there is one: for keys whose absence means that nobody has them.
    pub fn find(&self, purpose: Purpose) -> Result<Option<Secret>, KeyError> {
        match self.secret(purpose) {
            Err(KeyError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => Ok(None),
            found => found.map(Some),
        }
    }

    /// The signing key for `purpose`.
    pub fn signer(&self, purpose: Purpose) -> Result<FileSigner, KeyError> {
        Ok(FileSigner::new(&self.secret(purpose)?))
    }
}

/// Writes a key file for `purpose` that is not there yet, durably.
pub fn store_secret(path: &Path, purpose: &str, secret: &Secret) -> Result<(), KeyError> {
    store(path, purpose, secret.expose())
}

/// As [`store_secret`], for a key of 16 bytes: SipHash takes no longer one.
pub fn store_short(path: &Path, purpose: &str, key: &[u8; SHORT]) -> Result<(), KeyError> {
    store(path, purpose, key)
}

fn store(path: &Path, purpose: &str, bytes: &[u8]) -> Result<(), KeyError> {
    let line = Zeroizing::new(format!("{HEADER} {purpose} {}\n", hex::encode(bytes)));
    let folder = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let write = || {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
        file.write_all(line.as_bytes())?;
        file.sync_all()?;
        File::open(folder)?.sync_all()
    };
    write().map_err(|source| match source.kind() {
        io::ErrorKind::AlreadyExists => KeyError::Exists(path.to_owned()),
        _ => KeyError::Io { path: path.to_owned(), source },
    })
}

/// Reads a key file that is for `purpose`.
pub fn load_secret(path: &Path, purpose: &str) -> Result<Secret, KeyError> {
    load(path, purpose).map(|bytes| Secret::from_bytes(*bytes))
}

/// As [`load_secret`], for a key of 16 bytes.
pub fn load_short(path: &Path, purpose: &str) -> Result<Zeroizing<[u8; SHORT]>, KeyError> {
    load(path, purpose)
}

fn load<const N: usize>(path: &Path, purpose: &str) -> Result<Zeroizing<[u8; N]>, KeyError> {
    let io = |source| KeyError::Io { path: path.to_owned(), source };
    let metadata = fs::metadata(path).map_err(io)?;
    if metadata.permissions().mode() & 0o077 != 0 {
        return Err(KeyError::Exposed(path.to_owned()));
    }
    let malformed = || KeyError::Malformed { path: path.to_owned(), purpose: purpose.to_owned() };
    if metadata.len() > MAX_FILE {
        return Err(malformed());
    }
    let line = Zeroizing::new(fs::read_to_string(path).map_err(io)?);
    let hex = line
        .strip_prefix(HEADER)
        .and_then(|rest| rest.strip_prefix(' '))
        .and_then(|rest| rest.strip_prefix(purpose))
        .and_then(|rest| rest.strip_prefix(' '))
        .ok_or_else(malformed)?;
    let mut bytes = Zeroizing::new([0; N]);
    hex::decode_to_slice(hex.trim_end(), bytes.as_mut()).map_err(|_| malformed())?;
    Ok(bytes)
}

/// An Ed25519 key (RFC 8032) held in memory; `ed25519-dalek` zeroises it when dropped.
pub struct FileSigner(SigningKey);

impl FileSigner {
    /// The key with this seed.
    pub fn new(seed: &Secret) -> Self {
        Self(SigningKey::from_bytes(seed.expose()))
    }
}

impl Signer for FileSigner {
    fn public_key(&self) -> PublicKey {
        PublicKey(self.0.verifying_key().to_bytes())
    }

    fn sign(&self, message: &[u8]) -> Result<[u8; 64], SignError> {
        Ok(self.0.sign(message).to_bytes())
    }
}

#[cfg(test)]
mod tests {
    use hansa_types::sign::verify;
    use rand::SeedableRng;
    use rand::rngs::StdRng;

    use super::*;

    fn folder() -> (tempfile::TempDir, KeyFolder) {
        let dir = tempfile::tempdir().unwrap();
        let keys = KeyFolder::create(dir.path().join("keys"), &mut StdRng::seed_from_u64(1)).unwrap();
        (dir, keys)
    }

    #[test]
    fn every_purpose_has_its_own_key_and_a_signature_verifies() {
        let (_dir, keys) = folder();
        let mut seen = std::collections::BTreeSet::new();
        for purpose in Purpose::ALL {
            assert!(seen.insert(*keys.secret(*purpose).unwrap().expose()));
        }
        let signer = keys.signer(Purpose::Log).unwrap();
        let signature = signer.sign(b"note").unwrap();
        assert!(verify(&signer.public_key(), b"note", &signature));
        assert!(!verify(&signer.public_key(), b"nota", &signature));
    }

    #[test]
    fn a_key_is_never_overwritten() {
        let (_dir, keys) = folder();
        let error = keys.store(Purpose::Log, &Secret::from_bytes([1; 32])).unwrap_err();
        assert!(matches!(error, KeyError::Exists(_)), "{error}");
    }

    #[test]
    fn a_key_that_is_not_there_is_none_where_that_is_allowed() {
        let (_dir, keys) = folder();
        assert!(keys.find(Purpose::Auditor).unwrap().is_some());
        fs::remove_file(keys.path(Purpose::Auditor)).unwrap();
        assert!(keys.find(Purpose::Auditor).unwrap().is_none());
        fs::write(keys.path(Purpose::Auditor), "no key").unwrap();
        assert!(keys.find(Purpose::Auditor).is_err());
    }

    #[test]
    fn a_key_that_others_can_read_is_refused() {
        let (_dir, keys) = folder();
        fs::set_permissions(keys.path(Purpose::Log), fs::Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(keys.secret(Purpose::Log), Err(KeyError::Exposed(_))));
    }

    #[test]
    fn a_short_key_is_kept_as_carefully() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("frame.key");
        store_short(&path, "frame-3", &[7; SHORT]).unwrap();
        assert_eq!(*load_short(&path, "frame-3").unwrap(), [7; SHORT]);
        assert!(matches!(store_short(&path, "frame-3", &[8; SHORT]), Err(KeyError::Exists(_))));
        assert!(matches!(load_short(&path, "frame-4"), Err(KeyError::Malformed { .. })));
        assert!(matches!(load_secret(&path, "frame-3"), Err(KeyError::Malformed { .. })), "too short");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(matches!(load_short(&path, "frame-3"), Err(KeyError::Exposed(_))));
    }

    #[test]
    fn a_key_for_another_purpose_is_refused() {
        let (_dir, keys) = folder();
        fs::remove_file(keys.path(Purpose::Log)).unwrap();
        fs::copy(keys.path(Purpose::Peer), keys.path(Purpose::Log)).unwrap();
        assert!(matches!(keys.secret(Purpose::Log), Err(KeyError::Malformed { .. })));
    }
}

//! The files that open backups: age identities, as `age-keygen` writes them.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use age::secrecy::ExposeSecret;
use age::x25519::Identity;
use thiserror::Error;
use zeroize::Zeroizing;

/// The longest identity file, in bytes.
const MAX_FILE: u64 = 64 << 10;

/// Why an identity cannot be had.
#[derive(Debug, Error)]
pub enum SecretError {
    /// The file system refused.
    #[error("{path}: {source}")]
    File {
        /// Which file.
        path: PathBuf,
        /// What it said.
        source: io::Error,
    },
    /// Others could read it.
    #[error(
        "{0} can be read by others than its owner: run chmod 600 on it, and make a new one if they may have"
    )]
    Exposed(PathBuf),
    /// Not an identity file.
    #[error("{path} is no file of age identities: {reason}")]
    Malformed {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
}

/// What decrypts backups.
pub struct Identities(Vec<Identity>);

impl Identities {
    /// Reads an identity file, which only its owner may be able to read.
    pub fn load(path: &Path) -> Result<Self, SecretError> {
        let failed = |source| SecretError::File { path: path.to_owned(), source };
        let file = File::open(path).map_err(failed)?;
        let mode = file.metadata().map_err(failed)?.permissions().mode();
        if mode & 0o077 != 0 {
            return Err(SecretError::Exposed(path.to_owned()));
        }
        let mut text = Zeroizing::new(String::new());
        file.take(MAX_FILE).read_to_string(&mut text).map_err(failed)?;
        let malformed =
            |reason: &str| SecretError::Malformed { path: path.to_owned(), reason: reason.to_owned() };
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
        let identities: Result<Vec<Identity>, _> = lines.map(str::parse::<Identity>).collect();
        match identities.map_err(malformed)? {
            none if none.is_empty() => Err(malformed("it holds none")),
            identities => Ok(Self(identities)),
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &dyn age::Identity> {
        self.0.iter().map(|identity| identity as &dyn age::Identity)
    }
}

/// Makes an identity, writes it to `path`, which must not exist, and returns its recipient.
pub fn keygen(path: &Path) -> Result<String, SecretError> {
    let identity = Identity::generate();
    let recipient = identity.to_public().to_string();
    let secret = identity.to_string();
    let text = Zeroizing::new(format!("# public key: {recipient}\n{}\n", secret.expose_secret()));
    let write = || {
        let mut file = File::options().write(true).create_new(true).mode(0o600).open(path)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()
    };
    write().map_err(|source| SecretError::File { path: path.to_owned(), source })?;
    Ok(recipient)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_identity_is_read_back_and_never_overwritten() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("backup.identity");
        let recipient = keygen(&path).unwrap();
        let Identities(read) = Identities::load(&path).unwrap();
        assert_eq!(read[0].to_public().to_string(), recipient);
        assert!(matches!(keygen(&path), Err(SecretError::File { .. })));
    }

    #[test]
    fn an_exposed_file_and_one_without_identities_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("backup.identity");
        keygen(&path).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(Identities::load(&path), Err(SecretError::Exposed(_))));
        for text in ["", "# nothing\n", "age1nonsense\n"] {
            std::fs::write(&path, text).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
            assert!(matches!(Identities::load(&path), Err(SecretError::Malformed { .. })), "{text:?}");
        }
    }
}

//! The keys that verify notes, and their one-line form (`vkey`): `name+id+base64(type || public key)`.

use std::fmt;
use std::str::FromStr;

use hansa_types::hash::PublicKey;
use sha2::{Digest as _, Sha256};
use thiserror::Error;

use super::KEY_ID_LENGTH;
use crate::text::{from_base64, to_base64};

/// The longest key name accepted, in bytes.
pub(crate) const MAX_KEY_NAME: usize = 255;

/// The signature algorithms this crate verifies, by the type byte that C2SP signed-note assigns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum KeyType {
    /// 0x01: Ed25519 over the note's text.
    Ed25519 = 0x01,
    /// 0x04: a witness's timestamped Ed25519 cosignature (`cosignature/v1`).
    Cosignature = 0x04,
}

/// A public key with the name it signs notes under.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifierKey {
    name: String,
    key_type: KeyType,
    key: PublicKey,
}

/// Why a key's name or one-line form was refused.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum KeyError {
    /// Not a name that a note can hold.
    #[error(
        "{0:?} is not a key name: use 1 to {MAX_KEY_NAME} bytes without spaces, '+' or control characters"
    )]
    BadName(String),
    /// Not three parts joined by `+`.
    #[error("a verifier key reads name+id+key: this text does not")]
    Malformed,
    /// An algorithm that this program does not verify.
    #[error("keys of type {0:#04x} are not supported: use Ed25519 (0x01) or cosignature/v1 (0x04)")]
    UnknownType(u8),
    /// The id is not the hash of name, type and key.
    #[error("the key id does not belong to this name and key: the text was altered")]
    WrongId,
}

impl VerifierKey {
    /// A key under a name.
    pub fn new(key_type: KeyType, name: &str, key: PublicKey) -> Result<Self, KeyError> {
        if !is_key_name(name) {
            return Err(KeyError::BadName(name.to_owned()));
        }
        Ok(Self { name: name.to_owned(), key_type, key })
    }

    /// The key's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The algorithm.
    #[must_use]
    pub fn key_type(&self) -> KeyType {
        self.key_type
    }

    /// The public key.
    #[must_use]
    pub fn public_key(&self) -> &PublicKey {
        &self.key
    }

    /// The key id: the first four bytes of `SHA-256(name || 0x0A || type || public key)`.
    #[must_use]
    pub fn id(&self) -> [u8; KEY_ID_LENGTH] {
        let hash = Sha256::new()
            .chain_update(&self.name)
            .chain_update([b'\n', self.key_type as u8])
            .chain_update(self.key.0)
            .finalize();
        [hash[0], hash[1], hash[2], hash[3]]
    }
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let encoded = [&[self.key_type as u8], self.key.0.as_slice()].concat();
        write!(f, "{}+{:08x}+{}", self.name, u32::from_be_bytes(self.id()), to_base64(&encoded))
    }
}

impl FromStr for VerifierKey {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        let mut parts = text.splitn(3, '+');
        let (Some(name), Some(id), Some(encoded)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(KeyError::Malformed);
        };
        let bytes = from_base64(encoded).ok_or(KeyError::Malformed)?;
        let (key_type, key) = bytes.split_first().ok_or(KeyError::Malformed)?;
        let key_type = match key_type {
            0x01 => KeyType::Ed25519,
            0x04 => KeyType::Cosignature,
            other => return Err(KeyError::UnknownType(*other)),
        };
        let key = PublicKey(key.try_into().map_err(|_| KeyError::Malformed)?);
        let key = Self::new(key_type, name, key)?;
        if format!("{:08x}", u32::from_be_bytes(key.id())) != id {
            return Err(KeyError::WrongId);
        }
        Ok(key)
    }
}

/// Whether a name can stand in a signature line: not empty, no Unicode spaces, no plus sign, no control characters.
#[must_use]
pub fn is_key_name(name: &str) -> bool {
    let allowed = |c: char| !c.is_whitespace() && !c.is_control() && c != '+';
    !name.is_empty() && name.len() <= MAX_KEY_NAME && name.chars().all(allowed)
}

//! The leaf of the log: a record sealed so that the log reveals nothing, and one leaf can be opened alone.
//!
//! `version || class || salt || commitment || ciphertext`. The leaf key is `HKDF-SHA256(records key, salt)`; the
//! cipher's key and nonce and the commitment are expanded from the leaf key, so the commitment binds the leaf to one
//! key (a ChaCha20-Poly1305 ciphertext alone can be made to open under two: Albertini et al., *How to Abuse and Fix
//! Authenticated Encryption Without Key Commitment*, 2022). The salt is random, so two leaves with the same content
//! differ and no leaf can be recomputed from a public signal. The header and the log's origin are associated data.

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{ChaCha20Poly1305, Key, Nonce};
use hansa_types::codec::Decode;
use hansa_types::record::RecordClass;
use hkdf::Hkdf;
use rand::{CryptoRng, RngCore};
use sha2::Sha256;
use subtle::ConstantTimeEq;
use thiserror::Error;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

/// The version byte of an envelope.
pub const ENVELOPE_VERSION: u8 = 1;
/// The longest leaf: an entry of tlog-tiles bears its length in 16 bits.
pub const MAX_LEAF: usize = u16::MAX as usize;
/// What sealing adds to a record: version, class, salt, commitment, and the cipher's tag.
pub const OVERHEAD: usize = HEADER + TAG;
/// The longest record that can be sealed.
pub const MAX_PLAINTEXT: usize = MAX_LEAF - OVERHEAD;

const SALT: usize = 32;
const COMMITMENT: usize = 32;
const HEADER: usize = 2 + SALT + COMMITMENT;
const TAG: usize = 16;

const LEAF_KEY_INFO: &[u8] = b"hansa/leaf-key/v1";
const CIPHER_KEY_INFO: &[u8] = b"hansa/leaf-cipher-key/v1";
const CIPHER_NONCE_INFO: &[u8] = b"hansa/leaf-cipher-nonce/v1";
const COMMITMENT_INFO: &[u8] = b"hansa/leaf-commitment/v1";
const ASSOCIATED_DATA: &[u8] = b"hansa/leaf/v1\0";

/// The bank's key from which the keys of all its leaves come.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct RecordsKey([u8; 32]);

/// The key of one leaf: whoever is given it can open that leaf and no other.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct LeafKey([u8; 32]);

/// Why a record could not be sealed.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum SealError {
    /// Above [`MAX_PLAINTEXT`].
    #[error("a record of {0} bytes does not fit a leaf: the limit is {MAX_PLAINTEXT}")]
    TooLong(usize),
}

/// Why a leaf could not be opened.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum OpenError {
    /// Shorter than any envelope, or longer than a leaf may be.
    #[error("a leaf has {OVERHEAD} to {MAX_LEAF} bytes, this one {0}")]
    BadLength(usize),
    /// An envelope of a version this program does not know.
    #[error("envelope version {0}, this program reads version {ENVELOPE_VERSION}: use a matching release")]
    Version(u8),
    /// A class of record this program does not know.
    #[error("record class {0} is unknown: use a matching release")]
    Class(u8),
    /// The key is not the one this leaf was sealed with.
    #[error("the key does not belong to this leaf")]
    WrongKey,
    /// The key is right, but header, origin or ciphertext is not what was sealed.
    #[error("the leaf was altered, or belongs to another log")]
    Altered,
}

/// The bytes of a sealed record, of valid length, version and class.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope {
    bytes: Vec<u8>,
    class: RecordClass,
}

impl RecordsKey {
    /// Takes the key's bytes.
    #[must_use]
    pub fn new(key: [u8; 32]) -> Self {
        Self(key)
    }

    /// The key of the leaf with this salt.
    #[must_use]
    pub fn leaf_key(&self, salt: &[u8; SALT]) -> LeafKey {
        let mut key = [0; 32];
        expand(&Hkdf::new(Some(salt), &self.0), LEAF_KEY_INFO, &mut key);
        LeafKey(key)
    }

    /// Seals a record of the given class for the log `origin`.
    pub fn seal(
        &self,
        origin: &str,
        class: RecordClass,
        plaintext: &[u8],
        rng: &mut (impl RngCore + CryptoRng),
    ) -> Result<Envelope, SealError> {
        if plaintext.len() > MAX_PLAINTEXT {
            return Err(SealError::TooLong(plaintext.len()));
        }
        let mut salt = [0; SALT];
        rng.fill_bytes(&mut salt);
        let parts = self.leaf_key(&salt).parts();
        let mut leaf = Vec::with_capacity(OVERHEAD + plaintext.len());
        leaf.extend_from_slice(&[ENVELOPE_VERSION, class.number()]);
        leaf.extend_from_slice(&salt);
        leaf.extend_from_slice(&parts.commitment);
        let aad = associated_data(&leaf, origin);
        let sealed = parts
            .cipher
            .encrypt(&parts.nonce, Payload { msg: plaintext, aad: &aad })
            .expect("a record is far below the cipher's limit of 2^38 bytes");
        leaf.extend_from_slice(&sealed);
        Ok(Envelope { bytes: leaf, class })
    }

    /// Opens a leaf of the bank's own log.
    pub fn open(&self, origin: &str, envelope: &Envelope) -> Result<Zeroizing<Vec<u8>>, OpenError> {
        envelope.open(origin, &self.leaf_key(&envelope.salt()))
    }
}

impl LeafKey {
    /// Takes a disclosed key.
    #[must_use]
    pub fn new(key: [u8; 32]) -> Self {
        Self(key)
    }

    /// The bytes, for disclosure.
    #[must_use]
    pub fn disclose(&self) -> [u8; 32] {
        self.0
    }

    fn parts(&self) -> LeafParts {
        let hkdf = Hkdf::from_prk(&self.0).expect("a leaf key is as long as SHA-256's output");
        let mut key = Zeroizing::new([0; 32]);
        let mut nonce = [0; 12];
        let mut commitment = [0; COMMITMENT];
        expand(&hkdf, CIPHER_KEY_INFO, key.as_mut_slice());
        expand(&hkdf, CIPHER_NONCE_INFO, &mut nonce);
        expand(&hkdf, COMMITMENT_INFO, &mut commitment);
        let cipher = ChaCha20Poly1305::new(Key::from_slice(key.as_slice()));
        LeafParts { cipher, nonce: *Nonce::from_slice(&nonce), commitment }
    }
}

impl Envelope {
    /// Takes a leaf's bytes.
    pub fn new(bytes: Vec<u8>) -> Result<Self, OpenError> {
        if !(OVERHEAD..=MAX_LEAF).contains(&bytes.len()) {
            return Err(OpenError::BadLength(bytes.len()));
        }
        if bytes[0] != ENVELOPE_VERSION {
            return Err(OpenError::Version(bytes[0]));
        }
        let class = RecordClass::from_bytes(&bytes[1..2]).map_err(|_| OpenError::Class(bytes[1]))?;
        Ok(Self { bytes, class })
    }

    /// The leaf's bytes, as the tree hashes them.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The leaf's bytes.
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// The class of the record, which stands outside the ciphertext so that retention can be applied by class.
    #[must_use]
    pub fn class(&self) -> RecordClass {
        self.class
    }

    /// The salt from which the leaf's key is derived.
    #[must_use]
    pub fn salt(&self) -> [u8; SALT] {
        let mut salt = [0; SALT];
        salt.copy_from_slice(&self.bytes[2..2 + SALT]);
        salt
    }

    /// Opens the leaf with its own key.
    pub fn open(&self, origin: &str, key: &LeafKey) -> Result<Zeroizing<Vec<u8>>, OpenError> {
        let (header, ciphertext) = self.bytes.split_at(HEADER);
        let parts = key.parts();
        if !bool::from(header[2 + SALT..].ct_eq(&parts.commitment)) {
            return Err(OpenError::WrongKey);
        }
        let aad = associated_data(header, origin);
        let opened = parts.cipher.decrypt(&parts.nonce, Payload { msg: ciphertext, aad: &aad });
        opened.map(Zeroizing::new).map_err(|_| OpenError::Altered)
    }
}

/// What a leaf key expands to.
struct LeafParts {
    cipher: ChaCha20Poly1305,
    nonce: Nonce,
    commitment: [u8; COMMITMENT],
}

fn associated_data(header: &[u8], origin: &str) -> Vec<u8> {
    [ASSOCIATED_DATA, header, origin.as_bytes()].concat()
}

fn expand(hkdf: &Hkdf<Sha256>, info: &[u8], out: &mut [u8]) {
    hkdf.expand(info, out).expect("HKDF-SHA256 gives up to 8,160 bytes");
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha20Rng;
    use rand_chacha::rand_core::SeedableRng;

    use super::*;

    const ORIGIN: &str = "bank-a.example/audit";

    fn sealed(plaintext: &[u8]) -> (RecordsKey, Envelope) {
        let key = RecordsKey::new([3; 32]);
        let envelope =
            key.seal(ORIGIN, RecordClass::Case, plaintext, &mut ChaCha20Rng::seed_from_u64(1)).unwrap();
        (key, envelope)
    }

    #[test]
    fn a_sealed_record_opens_with_the_records_key_and_with_its_leaf_key() {
        let (key, envelope) = sealed(b"decision");
        assert_eq!(envelope.class(), RecordClass::Case);
        assert_eq!(envelope.as_bytes().len(), OVERHEAD + 8);
        assert_eq!(key.open(ORIGIN, &envelope).unwrap().as_slice(), b"decision");
        let leaf_key = LeafKey::new(key.leaf_key(&envelope.salt()).disclose());
        let read = Envelope::new(envelope.into_bytes()).unwrap();
        assert_eq!(read.open(ORIGIN, &leaf_key).unwrap().as_slice(), b"decision");
    }

    #[test]
    fn one_leaf_key_opens_one_leaf() {
        let key = RecordsKey::new([3; 32]);
        let mut rng = ChaCha20Rng::seed_from_u64(2);
        let first = key.seal(ORIGIN, RecordClass::Decision, b"same", &mut rng).unwrap();
        let second = key.seal(ORIGIN, RecordClass::Decision, b"same", &mut rng).unwrap();
        assert_ne!(first, second);
        assert_eq!(second.open(ORIGIN, &key.leaf_key(&first.salt())), Err(OpenError::WrongKey));
    }

    #[test]
    fn every_altered_byte_and_another_origin_are_refused() {
        let (key, envelope) = sealed(b"decision");
        let leaf_key = key.leaf_key(&envelope.salt());
        for at in 0..envelope.as_bytes().len() {
            let mut bytes = envelope.clone().into_bytes();
            bytes[at] ^= 0x10;
            let opened = Envelope::new(bytes).and_then(|altered| altered.open(ORIGIN, &leaf_key));
            assert!(opened.is_err(), "byte {at}");
        }
        assert_eq!(envelope.open("bank-b.example/audit", &leaf_key), Err(OpenError::Altered));
    }

    #[test]
    fn the_longest_record_fits_and_one_byte_more_does_not() {
        let (_, longest) = sealed(&vec![0; MAX_PLAINTEXT]);
        assert_eq!(longest.as_bytes().len(), MAX_LEAF);
        let (key, too_long) = (RecordsKey::new([3; 32]), vec![0; MAX_PLAINTEXT + 1]);
        let refused = key.seal(ORIGIN, RecordClass::Decision, &too_long, &mut ChaCha20Rng::seed_from_u64(1));
        assert_eq!(refused, Err(SealError::TooLong(MAX_PLAINTEXT + 1)));
        assert_eq!(Envelope::new(vec![1; OVERHEAD - 1]), Err(OpenError::BadLength(OVERHEAD - 1)));
        assert_eq!(Envelope::new(vec![9; OVERHEAD]), Err(OpenError::Version(9)));
        let unknown = [&[ENVELOPE_VERSION, 200], [0; OVERHEAD].as_slice()].concat();
        assert_eq!(Envelope::new(unknown), Err(OpenError::Class(200)));
    }

    #[test]
    fn the_sealed_bytes_are_frozen() {
        let (_, envelope) = sealed(b"decision");
        assert_eq!(hex::encode(envelope.as_bytes()), include_str!("../tests/vectors/envelope.hex").trim());
    }
}

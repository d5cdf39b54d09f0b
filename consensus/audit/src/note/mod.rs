//! C2SP signed-note v1.0.0: a text, a blank line, and signature lines.
//!
//! Known keys decide: a signature by an unknown key is ignored, one by a known key that fails rejects the whole note,
//! and at least one known key must have signed.

mod key;

#[cfg(test)]
mod tests;

use std::fmt;

use hansa_types::sign::{SignError, Signer, verify};
use thiserror::Error;

use crate::cosignature;
use crate::text::{from_base64, to_base64};

pub use self::key::{KeyError, KeyType, VerifierKey, is_key_name};

/// The longest note accepted, in bytes: room for sixteen post-quantum signatures of nearly 5 kB each.
pub const MAX_NOTE_BYTES: usize = 1 << 17;
/// The most signatures accepted; the specification demands at least 16.
pub const MAX_SIGNATURES: usize = 100;

/// What each signature line begins with: an em dash and a space.
const SIGNATURE_PREFIX: &str = "\u{2014} ";
const KEY_ID_LENGTH: usize = 4;

/// Why a note was refused.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum NoteError {
    /// Above [`MAX_NOTE_BYTES`].
    #[error("the note has {0} bytes, above the limit of {MAX_NOTE_BYTES}")]
    TooLong(usize),
    /// Not UTF-8, or with control characters.
    #[error("the note is not plain UTF-8 text: it is damaged or not a note")]
    NotText,
    /// No text, blank line and signature lines.
    #[error("the note lacks the blank line between text and signatures, or the newline that ends each")]
    Malformed,
    /// A signature line that cannot be read.
    #[error("signature line {0} is malformed")]
    BadSignatureLine(usize),
    /// Above [`MAX_SIGNATURES`].
    #[error("the note has more than {MAX_SIGNATURES} signatures")]
    TooManySignatures,
    /// A known key's signature does not verify.
    #[error("the signature by {name} does not verify: text or signature was altered")]
    InvalidSignature {
        /// The name of the key.
        name: String,
    },
    /// No known key has signed.
    #[error("no known key has signed the note (it carries signatures by: {signers})")]
    NoKnownSignature {
        /// Who signed, as they call themselves.
        signers: String,
    },
    /// Two of the caller's keys share name and id.
    #[error("two known keys have the name {name} and the same key id: remove one of them")]
    AmbiguousKeys {
        /// The name both have.
        name: String,
    },
}

/// One signature line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoteSignature {
    /// The key's name.
    pub name: String,
    /// The first four bytes of the key's hash.
    pub key_id: [u8; KEY_ID_LENGTH],
    /// What follows the key id: for Ed25519 the signature, for a cosignature a timestamp and the signature.
    pub signature: Vec<u8>,
}

/// A note that is well formed; its text means nothing before [`SignedNote::open`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedNote {
    text: String,
    signatures: Vec<NoteSignature>,
}

/// A note's text with the known keys that signed it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opened<'a> {
    /// The signed text, with its final newline.
    pub text: &'a str,
    /// For each known key that signed: its place among the keys given, and when, if it is a cosigner's.
    pub signers: Vec<VerifiedSignature>,
}

/// One verified signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VerifiedSignature {
    /// The place of the key among those given to [`SignedNote::open`].
    pub key: usize,
    /// When a cosigner says it signed, in Unix seconds; `None` for a plain signature.
    pub timestamp: Option<u64>,
}

impl SignedNote {
    /// Signs `text`, which must end in a newline and hold no other control characters, under the key name `name`.
    pub fn sign(text: &str, name: &str, signer: &dyn Signer) -> Result<Self, SignNoteError> {
        if !is_note_text(text) || !text.ends_with('\n') {
            return Err(SignNoteError::BadText);
        }
        let key = VerifierKey::new(KeyType::Ed25519, name, signer.public_key())?;
        let signature = signer.sign(text.as_bytes())?.to_vec();
        let signature = NoteSignature { name: name.to_owned(), key_id: key.id(), signature };
        Ok(Self { text: text.to_owned(), signatures: vec![signature] })
    }

    /// Parses a note strictly, without checking any signature.
    pub fn parse(bytes: &[u8]) -> Result<Self, NoteError> {
        if bytes.len() > MAX_NOTE_BYTES {
            return Err(NoteError::TooLong(bytes.len()));
        }
        let note = std::str::from_utf8(bytes).map_err(|_| NoteError::NotText)?;
        if !is_note_text(note) {
            return Err(NoteError::NotText);
        }
        let (text, lines) = note.rsplit_once("\n\n").ok_or(NoteError::Malformed)?;
        let lines = lines.strip_suffix('\n').ok_or(NoteError::Malformed)?;
        let mut signatures = Vec::new();
        for (at, line) in lines.split('\n').enumerate() {
            if at == MAX_SIGNATURES {
                return Err(NoteError::TooManySignatures);
            }
            signatures.push(NoteSignature::parse(line).ok_or(NoteError::BadSignatureLine(at + 1))?);
        }
        Ok(Self { text: format!("{text}\n"), signatures })
    }

    /// The text, with its final newline: not to be relied on before [`SignedNote::open`].
    #[must_use]
    pub fn unverified_text(&self) -> &str {
        &self.text
    }

    /// The signature lines in order.
    #[must_use]
    pub fn signatures(&self) -> &[NoteSignature] {
        &self.signatures
    }

    /// Adds a signature line, for example a witness's cosignature.
    pub fn add(&mut self, signature: NoteSignature) -> Result<(), NoteError> {
        if self.signatures.len() >= MAX_SIGNATURES {
            return Err(NoteError::TooManySignatures);
        }
        self.signatures.push(signature);
        Ok(())
    }

    /// Verifies the note against the keys known to the caller.
    pub fn open(&self, keys: &[VerifierKey]) -> Result<Opened<'_>, NoteError> {
        let mut signers: Vec<VerifiedSignature> = Vec::new();
        for signature in &self.signatures {
            let mut known = keys
                .iter()
                .enumerate()
                .filter(|(_, key)| key.name() == signature.name && key.id() == signature.key_id);
            let Some((at, key)) = known.next() else { continue };
            if known.next().is_some() {
                return Err(NoteError::AmbiguousKeys { name: signature.name.clone() });
            }
            let invalid = || NoteError::InvalidSignature { name: signature.name.clone() };
            let timestamp = check(key, &self.text, &signature.signature).ok_or_else(invalid)?;
            if signers.iter().all(|signer| signer.key != at) {
                signers.push(VerifiedSignature { key: at, timestamp });
            }
        }
        if signers.is_empty() {
            let names: Vec<_> = self.signatures.iter().map(|s| s.name.as_str()).collect();
            return Err(NoteError::NoKnownSignature { signers: names.join(", ") });
        }
        Ok(Opened { text: &self.text, signers })
    }
}

impl fmt::Display for SignedNote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.text)?;
        self.signatures.iter().try_for_each(|signature| writeln!(f, "{signature}"))
    }
}

impl NoteSignature {
    fn parse(line: &str) -> Option<Self> {
        let (name, encoded) = line.strip_prefix(SIGNATURE_PREFIX)?.split_once(' ')?;
        let bytes = from_base64(encoded)?;
        let (key_id, signature) = bytes.split_first_chunk::<KEY_ID_LENGTH>()?;
        if !is_key_name(name) || signature.is_empty() {
            return None;
        }
        Some(Self { name: name.to_owned(), key_id: *key_id, signature: signature.to_vec() })
    }
}

impl fmt::Display for NoteSignature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = [self.key_id.as_slice(), &self.signature].concat();
        write!(f, "{SIGNATURE_PREFIX}{} {}", self.name, to_base64(&bytes))
    }
}

/// Why a note could not be signed.
#[derive(Debug, Error)]
pub enum SignNoteError {
    /// Not a text that a note can hold.
    #[error("a note's text ends in a newline and holds no other control characters")]
    BadText,
    /// The key's name cannot stand in a note.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The key did not sign.
    #[error(transparent)]
    Sign(#[from] SignError),
}

/// Verifies one signature; the outer `None` says that it is wrong, the inner that it has no timestamp.
fn check(key: &VerifierKey, text: &str, signature: &[u8]) -> Option<Option<u64>> {
    match key.key_type() {
        KeyType::Ed25519 => {
            let signature = signature.try_into().ok()?;
            verify(key.public_key(), text.as_bytes(), signature).then_some(None)
        }
        KeyType::Cosignature => cosignature::check(key.public_key(), text, signature).map(Some),
    }
}

/// Whether the text has no control characters but newlines.
fn is_note_text(text: &str) -> bool {
    text.bytes().all(|b| b >= b' ' || b == b'\n')
}

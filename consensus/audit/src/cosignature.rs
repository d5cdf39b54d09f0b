//! C2SP tlog-cosignature, the Ed25519 form `cosignature/v1` (signature type 0x04): a witness says that, at a time, it
//! had seen no larger consistent tree of this log.
//!
//! The form does not commit to the witness's name, so each cosigner needs a key of its own.

use hansa_types::hash::PublicKey;
use hansa_types::sign::{Signer, verify};

use crate::note::{KeyType, NoteSignature, SignNoteError, VerifierKey};

/// The latest timestamp that a cosignature may bear, in Unix seconds.
pub const MAX_TIMESTAMP: u64 = i64::MAX as u64;

/// The bytes that a cosigner signs: a header line, a time line, and the checkpoint's text.
#[must_use]
pub fn message(timestamp: u64, checkpoint_text: &str) -> Vec<u8> {
    format!("cosignature/v1\ntime {timestamp}\n{checkpoint_text}").into_bytes()
}

/// Cosigns a checkpoint's text at `timestamp` (Unix seconds) under the witness's key name.
pub fn sign(
    checkpoint_text: &str,
    timestamp: u64,
    name: &str,
    signer: &dyn Signer,
) -> Result<NoteSignature, SignNoteError> {
    let key = VerifierKey::new(KeyType::Cosignature, name, signer.public_key())?;
    let timestamp = timestamp.min(MAX_TIMESTAMP);
    let signature = signer.sign(&message(timestamp, checkpoint_text))?;
    let signature = [timestamp.to_be_bytes().as_slice(), &signature].concat();
    Ok(NoteSignature { name: name.to_owned(), key_id: key.id(), signature })
}

/// Checks a `timestamped_signature` over a checkpoint's text and returns its time, or `None` if it is wrong.
pub(crate) fn check(key: &PublicKey, checkpoint_text: &str, signature: &[u8]) -> Option<u64> {
    let (timestamp, signature) = signature.split_first_chunk::<8>()?;
    let timestamp = u64::from_be_bytes(*timestamp);
    let signature = signature.try_into().ok()?;
    let right = timestamp <= MAX_TIMESTAMP && verify(key, &message(timestamp, checkpoint_text), signature);
    right.then_some(timestamp)
}

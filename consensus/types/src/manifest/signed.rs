//! The manifest with its founders' signatures.

use std::collections::BTreeMap;

use super::Manifest;
use crate::codec::{CodecError, Decode};
use crate::codec_struct;
use crate::id::BankId;
use crate::sign::{SignError, Signer, verify};

/// Why a manifest is not to be used.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// The bytes are not a manifest.
    #[error("this is not a manifest file: {0}")]
    Codec(#[from] CodecError),
    /// A founder has not signed.
    #[error("{0} has not signed this manifest: every member must")]
    Unsigned(BankId),
    /// A signature does not fit.
    #[error(
        "the signature of {0} does not fit this manifest: it was made for another one or with another key"
    )]
    Signature(BankId),
    /// A signature of nobody.
    #[error("{0} signed this manifest and is not a member of it")]
    Stranger(BankId),
    /// The content contradicts itself.
    #[error("the manifest is not usable: {0}")]
    Content(String),
    /// The key could not sign.
    #[error(transparent)]
    Sign(#[from] SignError),
}

/// A manifest and the signatures of its founders, as the file holds them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedManifest {
    /// What is signed.
    pub manifest: Manifest,
    /// By member.
    pub signatures: BTreeMap<BankId, [u8; 64]>,
}
codec_struct!(SignedManifest { manifest, signatures });

impl SignedManifest {
    /// A manifest that nobody has signed yet.
    pub fn new(manifest: Manifest) -> Self {
        Self { manifest, signatures: BTreeMap::new() }
    }

    /// Adds the signature of `bank`.
    pub fn sign(&mut self, bank: &BankId, key: &dyn Signer) -> Result<(), ManifestError> {
        let member = self.manifest.members.get(bank).ok_or_else(|| ManifestError::Stranger(bank.clone()))?;
        if member.governance_key != key.public_key() {
            return Err(ManifestError::Signature(bank.clone()));
        }
        let signature = key.sign(&self.manifest.signed_bytes())?;
        self.signatures.insert(bank.clone(), signature);
        Ok(())
    }

    /// Reads a manifest file and accepts it only if it is sound and every member signed it.
    pub fn open(bytes: &[u8]) -> Result<Manifest, ManifestError> {
        let signed = Self::from_bytes(bytes)?;
        signed.verify()?;
        Ok(signed.manifest)
    }

    /// Whether the manifest is sound and every member signed it, and nobody else.
    ///
    /// # Errors
    /// [`ManifestError`] with the first fault.
    pub fn verify(&self) -> Result<(), ManifestError> {
        self.manifest.check()?;
        let message = self.manifest.signed_bytes();
        for (bank, member) in &self.manifest.members {
            let signature = self.signatures.get(bank).ok_or_else(|| ManifestError::Unsigned(bank.clone()))?;
            if !verify(&member.governance_key, &message, signature) {
                return Err(ManifestError::Signature(bank.clone()));
            }
        }
        let stranger = self.signatures.keys().find(|bank| !self.manifest.members.contains_key(*bank));
        stranger.map_or(Ok(()), |stranger| Err(ManifestError::Stranger(stranger.clone())))
    }
}

impl Manifest {
    /// What founders sign: the manifest's id under a domain of its own.
    fn signed_bytes(&self) -> Vec<u8> {
        [b"hansa/manifest-signature/v1\0".as_slice(), &self.id().0].concat()
    }
}

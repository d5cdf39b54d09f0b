//! The manifest with its founders' signatures, and the rules without which it is not one.

use std::collections::{BTreeMap, BTreeSet};

use super::{MAX_MEMBERS, MAX_MODELS, Manifest, Thresholds};
use crate::codec::{CodecError, Decode};
use crate::codec_struct;
use crate::id::{BankId, GatewayId};
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
        signed.manifest.check()?;
        let message = signed.manifest.signed_bytes();
        for (bank, member) in &signed.manifest.members {
            let signature =
                signed.signatures.get(bank).ok_or_else(|| ManifestError::Unsigned(bank.clone()))?;
            if !verify(&member.governance_key, &message, signature) {
                return Err(ManifestError::Signature(bank.clone()));
            }
        }
        if let Some(stranger) =
            signed.signatures.keys().find(|bank| !signed.manifest.members.contains_key(*bank))
        {
            return Err(ManifestError::Stranger(stranger.clone()));
        }
        Ok(signed.manifest)
    }
}

impl Manifest {
    /// What founders sign: the manifest's id under a domain of its own.
    fn signed_bytes(&self) -> Vec<u8> {
        [b"hansa/manifest-signature/v1\0".as_slice(), &self.id().0].concat()
    }

    /// The rules that hold for every manifest, signed or not.
    pub fn check(&self) -> Result<(), ManifestError> {
        let fail = |detail: String| Err(ManifestError::Content(detail));
        if self.members.is_empty() || self.members.len() > MAX_MEMBERS {
            return fail(format!("it has {} members; 1 to {MAX_MEMBERS} are possible", self.members.len()));
        }
        if self.models.is_empty() || self.models.len() > MAX_MODELS {
            return fail(format!("it has {} models; 1 to {MAX_MODELS} are possible", self.models.len()));
        }
        if !self.models.is_sorted_by(|a, b| a.version < b.version) {
            return fail("model versions do not strictly ascend".into());
        }
        let name_ok = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        if self.name.is_empty() || self.name.len() > crate::id::MAX_NAME || !self.name.bytes().all(name_ok) {
            return fail(format!("the name {:?} must be of a-z, 0-9 and '-'", self.name));
        }
        if self.epochs.seconds == 0 || self.epochs.grace_seconds >= self.epochs.seconds {
            return fail("an epoch must last longer than its grace, and that longer than nothing".into());
        }
        let Thresholds { low, medium, high } = self.thresholds;
        if low == 0 || low > medium || medium > high {
            return fail("thresholds must be above 0 and not fall from low to high".into());
        }
        if self.signal_limit == 0 || self.signal_limit > u32::from(u16::MAX) || self.signal_lifetime == 0 {
            return fail("the signal limit is 1 to 65535 per epoch, the lifetime at least one epoch".into());
        }
        let others = self.members.len() - 1;
        let most = u8::try_from(others).unwrap_or(u8::MAX);
        if !(most.min(1)..=most).contains(&self.witness_quorum) {
            return fail(format!("the witness quorum must be from 1 to the {others} other members"));
        }
        self.check_members()?;
        self.gateways.iter().try_for_each(|(id, gateway)| {
            match gateway.members.iter().find(|bank| !self.members.contains_key(*bank)) {
                Some(bank) => fail(format!("gateway {id} names {bank}, which is not a member")),
                None => self.check_gateway(*id),
            }
        })
    }

    /// No two members share a key or a membership commitment: each is an identity.
    fn check_members(&self) -> Result<(), ManifestError> {
        let mut seen = BTreeSet::new();
        for (bank, member) in &self.members {
            let keys = [
                member.governance_key.0,
                member.log_key.0,
                member.cosigner_key.0,
                member.peer_key.0,
                member.membership.0,
            ];
            if keys.iter().any(|key| !seen.insert(*key)) {
                return Err(ManifestError::Content(format!(
                    "a key of {bank} is used twice: each has one purpose"
                )));
            }
            if let Some(epoch) = member.traces.iter().find(|(_, t)| !seen.insert(t.0)).map(|(e, _)| e) {
                let detail = format!("the trace commitment of {bank} for epoch {epoch} is used twice");
                return Err(ManifestError::Content(detail));
            }
        }
        Ok(())
    }

    fn check_gateway(&self, id: GatewayId) -> Result<(), ManifestError> {
        let gateway = &self.gateways[&id];
        let named = !gateway.legal_basis.is_empty() && !gateway.purpose.is_empty();
        if named && !gateway.jurisdictions.is_empty() && !gateway.members.is_empty() {
            return Ok(());
        }
        let detail = format!("gateway {id} must name its legal basis, purpose, jurisdictions and members");
        Err(ManifestError::Content(detail))
    }
}

//! Trace commitments for coming epochs: what a bank signs by itself, and nobody votes on.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{MAX_TRACES, Refusal};
use crate::codec::Encode;
use crate::codec_struct;
use crate::hash::{Digest, Field, digest_of};
use crate::id::{BankId, Epoch};
use crate::manifest::Member;
use crate::sign::{SignError, Signature, Signer, verify};

/// A bank's commitments to its trace secrets of coming epochs. Signed by its log key: that one is at hand in every epoch,
/// while the governance key may lie in a safe.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SignedTraces {
    /// The consortium.
    pub consortium: Digest,
    /// Who commits.
    pub bank: BankId,
    /// Its membership commitment: those under another are void.
    pub membership: Field,
    /// `P(3, t_e)` by epoch.
    pub traces: BTreeMap<Epoch, Field>,
    /// By the bank's log key.
    pub signature: Signature,
}
codec_struct!(SignedTraces { consortium, bank, membership, traces, signature });

impl SignedTraces {
    /// Signs commitments with the bank's log key.
    ///
    /// # Errors
    /// [`SignError`] if the key is not available.
    pub fn sign(
        consortium: Digest,
        bank: BankId,
        membership: Field,
        traces: BTreeMap<Epoch, Field>,
        key: &dyn Signer,
    ) -> Result<Self, SignError> {
        let signature = Signature([0; 64]);
        let mut signed = Self { consortium, bank, membership, traces, signature };
        signed.signature = Signature(key.sign(&signed.signed_bytes())?);
        Ok(signed)
    }

    fn signed_bytes(&self) -> Vec<u8> {
        let Self { consortium, bank, membership, traces, .. } = self;
        let what =
            [consortium.to_bytes(), bank.to_bytes(), membership.to_bytes(), traces.to_bytes()].concat();
        [b"hansa/traces/v1\0".as_slice(), &what].concat()
    }

    /// What names them.
    pub fn digest(&self) -> Digest {
        digest_of("hansa/traces-id/v1", self)
    }

    /// The last epoch that they are for.
    pub fn last(&self) -> Option<Epoch> {
        self.traces.keys().next_back().copied()
    }

    /// Whether `member` signed them, for the membership that it has.
    ///
    /// # Errors
    /// [`Refusal`] with what does not fit.
    pub fn check(&self, consortium: &Digest, member: &Member) -> Result<(), Refusal> {
        if !(1..=MAX_TRACES).contains(&self.traces.len()) {
            return Err(Refusal::Form(format!("a message commits for 1 to {MAX_TRACES} epochs")));
        }
        if self.consortium != *consortium || self.membership != member.membership {
            return Err(Refusal::OtherMembership(self.bank.clone()));
        }
        if verify(&member.log_key, &self.signed_bytes(), &self.signature.0) {
            return Ok(());
        }
        Err(Refusal::Signature(self.bank.clone()))
    }
}

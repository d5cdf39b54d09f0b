//! Opening a decision commitment: what a bank shows its auditor, and what the auditor recomputes.

use hansa_types::{
    codec::{CodecError, Decode, Encode, Reader, Writer},
    hash::{Digest, Field},
    model::{Factors, Model},
};
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::{
    derive,
    field::{Fr, Meaning, encode, from_bytes},
    tag::SubjectSecret,
};

/// Bytes of the salt.
pub const SALT_BYTES: usize = 32;
const VERSION: u8 = 1;

/// Everything under `D = P(8, u, F1, F2, M, decision id, salt)`; secrets wiped when dropped, never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct DecisionOpening {
    /// The subject's OPRF output.
    pub subject: SubjectSecret,
    /// The factors of the decision.
    pub factors: Factors,
    /// The model that scored them.
    pub model: Model,
    /// The decision's identifier.
    pub decision: Digest,
    /// What makes the commitment hiding.
    pub salt: Salt,
}

/// Thirty-two random bytes.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct Salt(pub [u8; SALT_BYTES]);

impl DecisionOpening {
    /// The commitment that the signal carries and the proof is about.
    #[must_use]
    pub fn commitment(&self) -> Field {
        let model = derive::model_commitment(&self.model);
        let (id, salt) = (self.decision_element(), self.salt_element());
        encode(&derive::decision_commitment(self.subject.element(), &self.factors, model, id, salt))
    }

    pub(crate) fn decision_element(&self) -> Fr {
        from_bytes(Meaning::Decision, &self.decision.0)
    }

    pub(crate) fn salt_element(&self) -> Fr {
        from_bytes(Meaning::Salt, &self.salt.0)
    }
}

impl Encode for DecisionOpening {
    fn encode(&self, out: &mut Writer) {
        out.u8(VERSION);
        out.raw(self.subject.as_bytes());
        self.factors.encode(out);
        self.model.encode(out);
        self.decision.encode(out);
        out.raw(&self.salt.0);
    }
}

impl Decode for DecisionOpening {
    fn decode(input: &mut Reader<'_>) -> Result<Self, CodecError> {
        input.version("decision opening", VERSION)?;
        Ok(Self {
            subject: SubjectSecret::from_bytes(&input.array()?),
            factors: Decode::decode(input)?,
            model: Decode::decode(input)?,
            decision: Decode::decode(input)?,
            salt: Salt(input.array()?),
        })
    }
}

impl std::fmt::Debug for DecisionOpening {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("DecisionOpening(..)")
    }
}

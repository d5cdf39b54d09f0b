//! The signal: "one of us, within its rate limit, scored this subject at least this high under a registered model".
//!
//! Fixed length, enumerations only, nothing finer than the epoch. What the proof shows is in the prover; here are the
//! bytes, and which of them the proof binds: everything but nullifier, share and proof goes through
//! [`SignalBody::digest`] into the public input `x`, so one counter covers one signal.

use serde::Serialize;

use crate::codec::{CodecError, Decode, Encode, Reader, Writer};
use crate::hash::{Digest, Field, digest, digest_of};
use crate::id::{Epoch, GatewayId};
use crate::subject::SubjectKind;
use crate::{codec_enum, codec_struct};

/// The version byte of a signal's encoding.
pub const SIGNAL_VERSION: u8 = 1;
/// Compressed Groth16 proof over BLS12-381: G1, G2, G1.
pub const PROOF_LENGTH: usize = 48 + 96 + 48;

/// How severe the sender says it is; each has a threshold in the manifest that the score provably reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Worth a look.
    Low,
    /// A confirmed suspicion.
    Medium,
    /// Act at once.
    High,
}
codec_enum!(Severity { Low = 1, "low", Medium = 2, "medium", High = 3, "high" });

/// What the suspicion is, as coarse as a receiver needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Category {
    /// The account receives or forwards the proceeds of fraud.
    MuleAccount,
    /// A customer was deceived into paying.
    Scam,
    /// Laundering patterns other than the above.
    Laundering,
    /// Terrorist financing.
    TerroristFinancing,
}
codec_enum!(Category {
    MuleAccount = 1, "mule-account", Scam = 2, "scam", Laundering = 3, "laundering",
    TerroristFinancing = 4, "terrorist-financing",
});

/// What the sender says, and what the proof binds as a whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SignalBody {
    /// The manifest's consortium.
    pub consortium: Digest,
    /// The circuit the proof is for.
    pub circuit: u16,
    /// The gateway whose legal basis covers the sharing.
    pub gateway: GatewayId,
    /// When it was signalled.
    pub epoch: Epoch,
    /// The last epoch in which it counts.
    pub expires: Epoch,
    /// How severe.
    pub severity: Severity,
    /// What kind of subject the tag is of.
    pub subject: SubjectKind,
    /// What is suspected.
    pub category: Category,
    /// `P(u, scope)`: matches only for who knows the subject.
    pub tag: Field,
    /// The hiding commitment to subject, factors, model and decision.
    pub decision_commitment: Field,
    /// The digest of the preimage ([`retraction_lock`]) whose publication retracts this signal.
    pub retraction_lock: Digest,
    /// A one-time X25519 public key to which a bank with a match may reply blindly.
    pub reply_key: [u8; 32],
}
codec_struct!(SignalBody {
    consortium,
    circuit,
    gateway,
    epoch,
    expires,
    severity,
    subject,
    category,
    tag,
    decision_commitment,
    retraction_lock,
    reply_key,
});

impl SignalBody {
    /// The 32 bytes behind the public input `x`.
    pub fn digest(&self) -> Digest {
        digest_of("hansa/signal/v1", self)
    }
}

/// The lock that `preimage` opens.
pub fn retraction_lock(preimage: &[u8; 32]) -> Digest {
    digest("hansa/retraction/v1", &[preimage])
}

/// A signal as it crosses the wire: well formed, not yet verified.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Signal {
    /// What is said.
    pub body: SignalBody,
    /// Unique to member, scope and counter.
    pub nullifier: Field,
    /// `y = t_e + a1 x`: two shares under one nullifier give the sender's trace secret of the epoch.
    pub share: Field,
    /// The Groth16 proof, compressed.
    #[serde(serialize_with = "hex_proof")]
    pub proof: [u8; PROOF_LENGTH],
}

fn hex_proof<S: serde::Serializer>(proof: &[u8; PROOF_LENGTH], s: S) -> Result<S::Ok, S::Error> {
    s.serialize_str(&hex::encode(proof))
}

impl Encode for Signal {
    fn encode(&self, out: &mut Writer) {
        out.u8(SIGNAL_VERSION);
        self.body.encode(out);
        self.nullifier.encode(out);
        self.share.encode(out);
        out.raw(&self.proof);
    }
}

impl Decode for Signal {
    fn decode(input: &mut Reader<'_>) -> Result<Self, CodecError> {
        input.version("signal", SIGNAL_VERSION)?;
        Ok(Self {
            body: SignalBody::decode(input)?,
            nullifier: Field::decode(input)?,
            share: Field::decode(input)?,
            proof: input.array()?,
        })
    }
}

impl Signal {
    /// What names this signal in a consortium: gateway, epoch and nullifier (the scope), and what was said under it.
    /// Copies that differ only in a re-randomised proof have the same id.
    pub fn id(&self) -> Digest {
        let scope =
            [self.body.consortium.to_bytes(), self.body.gateway.to_bytes(), self.body.epoch.to_bytes()];
        digest("hansa/signal-id/v1", &[&scope.concat(), &self.body.digest().0, &self.nullifier.0])
    }
}

/// The publication that takes a signal back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Retraction {
    /// The gateway of the signal.
    pub gateway: GatewayId,
    /// The epoch of the signal.
    pub epoch: Epoch,
    /// The nullifier of the signal.
    pub nullifier: Field,
    /// Opens the signal's retraction lock.
    pub preimage: [u8; 32],
}
codec_struct!(Retraction { gateway, epoch, nullifier, preimage });

/// What banks gossip.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "messages are decoded one at a time and moved on")]
pub enum Gossip {
    /// A new signal.
    Signal(Signal),
    /// A signal taken back.
    Retraction(Retraction),
}

impl Gossip {
    /// What deduplicates: the content, whatever proof it came with.
    pub fn id(&self) -> Digest {
        match self {
            Self::Signal(signal) => signal.id(),
            Self::Retraction(retraction) => digest_of("hansa/retraction-id/v1", retraction),
        }
    }
}

impl Encode for Gossip {
    fn encode(&self, out: &mut Writer) {
        match self {
            Self::Signal(signal) => {
                out.u8(1);
                signal.encode(out);
            }
            Self::Retraction(retraction) => {
                out.u8(2);
                retraction.encode(out);
            }
        }
    }
}

impl Decode for Gossip {
    fn decode(input: &mut Reader<'_>) -> Result<Self, CodecError> {
        match input.u8()? {
            1 => Ok(Self::Signal(Signal::decode(input)?)),
            2 => Ok(Self::Retraction(Retraction::decode(input)?)),
            other => Err(CodecError::invalid("gossip", format!("{other} is not a kind of message"))),
        }
    }
}

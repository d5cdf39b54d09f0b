//! The decision on one payment: verdict, what happens to the money, why, and what it was based on.

use serde::Serialize;

use crate::codec::{CodecError, Decode, Encode, Reader};
use crate::frame::BoundByFrame;
use crate::hash::{Digest, digest_of};
use crate::id::Timestamp;
use crate::model::{Factors, Score};
use crate::payment::{PartyRole, PaymentKey};
use crate::{codec_enum, codec_struct};

/// What screening concluded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verdict {
    /// Nothing stands against the payment.
    Clear,
    /// A person has to look.
    Investigate,
    /// The payment must not be carried out.
    Block,
}
codec_enum!(Verdict { Clear = 1, "CLEAR", Investigate = 2, "INVESTIGATE", Block = 3, "BLOCK" });

/// What happens to the money of a payment that is not CLEAR.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Disposition {
    /// The instruction is refused; no money moves.
    Reject,
    /// The money is blocked in place and reported; it does not go back.
    Freeze,
    /// The payment waits for a person.
    Hold,
    /// Money already received goes back.
    Return,
}
codec_enum!(Disposition { Reject = 1, "reject", Freeze = 2, "freeze", Hold = 3, "hold", Return = 4, "return" });

/// The bank's own reason; it never leaves the bank (tipping off). The outward ISO code is a field of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// A party's name resembles a listed name.
    ListedName,
    /// A party carries an identifier that is on a list.
    ListedIdentifier,
    /// The score reaches the hold threshold.
    Score,
    /// Another member signalled an account of the payment.
    ConsortiumSignal,
    /// Data that the scheme requires is missing.
    MissingData,
    /// Data is present and cannot be right (checksum, country).
    InvalidData,
    /// A rule of the bank's own, by amount.
    AmountLimit,
    /// The account is on the bank's own block list.
    BlockedAccount,
    /// A payment frame of this payment was blocked before the full message came.
    FrameBlock,
}
codec_enum!(Reason {
    ListedName = 1, "listed-name", ListedIdentifier = 2, "listed-identifier", Score = 3, "score",
    ConsortiumSignal = 4, "consortium-signal", MissingData = 5, "missing-data", InvalidData = 6, "invalid-data",
    AmountLimit = 7, "amount-limit", BlockedAccount = 8, "blocked-account",
    FrameBlock = 9, "frame-block",
});

/// A watch list as it stood when a decision used it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct ListVersion {
    /// The list's name, for example `ofac-sdn`.
    pub name: String,
    /// Its publication date, `YYYY-MM-DD`.
    pub date: String,
    /// The digest of what it demands and of its canonical entries.
    pub digest: Digest,
}
codec_struct!(ListVersion { name, date, digest });

/// One statement about the payment that a reader of the decision can check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The reason it bears on, where it led to one.
    pub reason: Option<Reason>,
    /// The entry of a watch list that it is about, if one.
    pub listed: Option<ListedParty>,
    /// What was found, for example `debtor name "JOHN DOE" ~ ofac-sdn 1234 "DOE, John" 0.97`.
    pub text: String,
}
codec_struct!(Finding { reason, listed, text });

/// Who in the payment stands on a watch list, or is named like somebody who does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ListedParty {
    /// Who in the payment.
    pub role: PartyRole,
    /// The list's name.
    pub list: String,
    /// The entry's id on it.
    pub entry: String,
}
codec_struct!(ListedParty { role, list, entry });

/// The most findings a decision keeps, and their reasons; what exceeds it is counted in the last one.
pub const MAX_FINDINGS: usize = 64;

/// The decision on one payment at one bank.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Decision {
    /// Which payment, on which leg.
    pub key: PaymentKey,
    /// The digest of the payment's content: what makes a repetition a retry rather than a duplicate.
    pub content: Digest,
    /// What screening concluded.
    pub verdict: Verdict,
    /// What happens to the money; none when CLEAR.
    pub disposition: Option<Disposition>,
    /// Why, most severe first.
    pub reasons: Vec<Reason>,
    /// The ISO 20022 status reason code for the outside; none when CLEAR.
    pub outward_code: Option<String>,
    /// The score under the model.
    pub score: Score,
    /// The sixteen factors behind it.
    pub factors: Factors,
    /// The registered version of the model.
    pub model_version: u32,
    /// The model's digest.
    pub model: Digest,
    /// The digest of the rules: the bank's policy and thresholds, and the release's own tables.
    pub rules: Digest,
    /// The lists consulted.
    pub lists: Vec<ListVersion>,
    /// The signals ([`crate::signal::Signal::id`]) that this decision rests on.
    pub signals: Vec<Digest>,
    /// The exceptions ([`crate::exception::Exception::id`]) that took a listed name out of it.
    pub exceptions: Vec<Digest>,
    /// The blocked frame that binds it, if one.
    pub frame: Option<BoundByFrame>,
    /// What was found.
    pub findings: Vec<Finding>,
    /// When it was decided.
    pub decided_at: Timestamp,
}

impl Decision {
    /// Names this very decision: the digest of all of it. The proof's decision commitment binds it.
    pub fn id(&self) -> Digest {
        digest_of("hansa/decision/v1", self)
    }
}

impl Encode for Decision {
    fn encode(&self, out: &mut crate::codec::Writer) {
        self.key.encode(out);
        self.content.encode(out);
        self.verdict.encode(out);
        self.disposition.encode(out);
        self.reasons.encode(out);
        self.outward_code.encode(out);
        self.score.encode(out);
        self.factors.encode(out);
        self.model_version.encode(out);
        self.model.encode(out);
        self.rules.encode(out);
        self.lists.encode(out);
        self.signals.encode(out);
        self.exceptions.encode(out);
        self.frame.encode(out);
        self.findings.encode(out);
        self.decided_at.encode(out);
    }
}

impl Decode for Decision {
    fn decode(input: &mut Reader<'_>) -> Result<Self, CodecError> {
        Ok(Self {
            key: Decode::decode(input)?,
            content: Decode::decode(input)?,
            verdict: Decode::decode(input)?,
            disposition: Decode::decode(input)?,
            reasons: input.seq("reasons", MAX_FINDINGS)?,
            outward_code: Decode::decode(input)?,
            score: Decode::decode(input)?,
            factors: Decode::decode(input)?,
            model_version: Decode::decode(input)?,
            model: Decode::decode(input)?,
            rules: Decode::decode(input)?,
            lists: input.seq("lists", MAX_FINDINGS)?,
            signals: input.seq("signals", MAX_FINDINGS)?,
            exceptions: input.seq("exceptions", MAX_FINDINGS)?,
            frame: Decode::decode(input)?,
            findings: input.seq("findings", MAX_FINDINGS)?,
            decided_at: Decode::decode(input)?,
        })
    }
}

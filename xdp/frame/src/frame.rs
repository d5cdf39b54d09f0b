//! The frame's 128 bytes.
//!
//! Numbers are little-endian. Every bit has a meaning or must be zero, so that a payment has one encoding.
//!
//! | offset | bytes | field |
//! |---|---|---|
//! | 0 | 1 | kind and version: [`FRAME_KIND`] |
//! | 1 | 1 | key id: under which key the tag is |
//! | 2 | 6 | time: milliseconds since 1970, below 2^44 |
//! | 8 | 8 | sequence: one more with each frame under the key, below 2^52 |
//! | 16 | 16 | UETR, a UUID of version 4 |
//! | 32 | 16 | digest of the debtor's account |
//! | 48 | 16 | digest of the creditor's account |
//! | 64 | 16 | digest of the instructing agent |
//! | 80 | 16 | digest of the instructed agent |
//! | 96 | 8 | amount in the currency's minor units, below 10^18 |
//! | 104 | 3 | currency: three capital letters (ISO 4217) |
//! | 107 | 2 | the debtor's country: two capital letters (ISO 3166-1) |
//! | 109 | 2 | the creditor's country: likewise |
//! | 111 | 1 | scheme: a number of [`Scheme`] |
//! | 112 | 16 | tag: SipHash-2-4-128 of bytes 0 to 111 under the key |
//!
//! The first byte is under the tag and differs from a reply's, so a reply is never a frame, nor the reverse.

use core::fmt;
use core::ops::Range;

use crate::digest::Digest;
use crate::siphash::{Key, hash_words};

/// Bytes of a frame.
pub const FRAME_LEN: usize = 128;
/// First byte of a frame of version 1.
pub const FRAME_KIND: u8 = 0xF1;
/// Times are below this (the year 2527), so that they fit 64 bits in nanoseconds.
pub const TIME_LIMIT: u64 = 1 << 44;
/// Sequence numbers are below this: 142 years at a million frames a second.
pub const SEQUENCE_LIMIT: u64 = 1 << 52;
/// Amounts are below this: ISO 20022 has 18 digits.
pub const AMOUNT_LIMIT: u64 = 1_000_000_000_000_000_000;
/// Conceivable currencies: three letters.
pub const CURRENCIES: usize = 26 * 26 * 26;

/// 64-bit words under the tag.
const TAGGED_WORDS: usize = 14;
/// Nanoseconds in a millisecond.
const NS_PER_MS: u64 = 1_000_000;

const UETR: usize = 16;
const DEBTOR: usize = 32;
const CREDITOR: usize = 48;
const INSTRUCTING: usize = 64;
const INSTRUCTED: usize = 80;
const AMOUNT: usize = 96;
const CODES: usize = 104;
const TAG: Range<usize> = 112..FRAME_LEN;

/// The schemes that a frame can name; the numbers are those of the node's own list.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[repr(u8)]
pub enum Scheme {
    /// Correspondent banking over SWIFT.
    CbprPlus = 1,
    /// The SEPA credit transfer.
    Sct = 2,
    /// The instant SEPA credit transfer.
    SctInst = 3,
    /// The Federal Reserve's instant payments.
    FedNow = 4,
}

/// Every scheme, in the order of their numbers from 1.
pub const SCHEMES: [Scheme; 4] = [Scheme::CbprPlus, Scheme::Sct, Scheme::SctInst, Scheme::FedNow];

/// A frame as it travels. Nothing is known of its bytes until it is screened.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(transparent)]
pub struct Frame([u8; FRAME_LEN]);

/// What a frame says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Fields {
    /// Under which key the tag is.
    pub key_id: u8,
    /// When the gateway made it, in milliseconds since 1970.
    pub time: u64,
    /// One more with each frame under the key.
    pub sequence: u64,
    /// The payment's UETR.
    pub uetr: [u8; 16],
    /// The debtor's account.
    pub debtor: Digest,
    /// The creditor's account.
    pub creditor: Digest,
    /// The agent that sends this leg.
    pub instructing: Digest,
    /// The agent that receives this leg.
    pub instructed: Digest,
    /// The amount in the currency's minor units.
    pub amount: u64,
    /// The currency's three letters.
    pub currency: [u8; 3],
    /// The debtor's country.
    pub debtor_country: [u8; 2],
    /// The creditor's country.
    pub creditor_country: [u8; 2],
    /// The scheme.
    pub scheme: Scheme,
}

/// Why fields make no frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FieldsError {
    /// The time does not fit.
    Time,
    /// The sequence number does not fit.
    Sequence,
    /// The UETR is no UUID of version 4.
    Uetr,
    /// The amount has more than 18 digits.
    Amount,
    /// A currency or country is not written in capital letters.
    Letters,
}

impl core::error::Error for FieldsError {}

impl fmt::Display for FieldsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Time => "the time is not below 2^44: give milliseconds since 1970",
            Self::Sequence => "the sequence number is not below 2^52: take the next key id and begin anew",
            Self::Uetr => "the UETR is no UUID of version 4: take the payment's own",
            Self::Amount => "the amount has more than 18 digits: give it in the currency's minor units",
            Self::Letters => "currency and countries are capital letters: ISO 4217 and ISO 3166-1 alpha-2",
        })
    }
}

impl Fields {
    /// The frame that says this, tagged under `key`.
    pub fn seal(&self, key: &Key) -> Result<Frame, FieldsError> {
        let mut bytes = [0; FRAME_LEN];
        let header = u64::from(FRAME_KIND) | u64::from(self.key_id) << 8 | self.time << 16;
        let mut put = |at: usize, part: &[u8]| bytes[at..at + part.len()].copy_from_slice(part);
        put(0, &header.to_le_bytes());
        put(8, &self.sequence.to_le_bytes());
        put(UETR, &self.uetr);
        put(DEBTOR, &self.debtor.0);
        put(CREDITOR, &self.creditor.0);
        put(INSTRUCTING, &self.instructing.0);
        put(INSTRUCTED, &self.instructed.0);
        put(AMOUNT, &self.amount.to_le_bytes());
        put(CODES, &self.currency);
        put(CODES + 3, &self.debtor_country);
        put(CODES + 5, &self.creditor_country);
        put(CODES + 7, &[self.scheme as u8]);
        let mut frame = Frame(bytes);
        self.check(&frame)?;
        let [low, high] = frame.expected_tag(key);
        frame.0[TAG].copy_from_slice(&(u128::from(low) | u128::from(high) << 64).to_le_bytes());
        Ok(frame)
    }

    fn check(&self, frame: &Frame) -> Result<(), FieldsError> {
        if self.time >= TIME_LIMIT {
            Err(FieldsError::Time)
        } else if self.sequence >= SEQUENCE_LIMIT {
            Err(FieldsError::Sequence)
        } else if !frame.has_uetr() {
            Err(FieldsError::Uetr)
        } else if self.amount >= AMOUNT_LIMIT {
            Err(FieldsError::Amount)
        } else if !frame.has_letters() {
            Err(FieldsError::Letters)
        } else {
            Ok(())
        }
    }
}

impl Frame {
    /// A frame of these bytes, which are yet to be judged.
    pub const fn new(bytes: [u8; FRAME_LEN]) -> Self {
        Self(bytes)
    }

    /// The bytes.
    pub const fn as_bytes(&self) -> &[u8; FRAME_LEN] {
        &self.0
    }

    /// What the frame says, if it is canonical. Whether it is authentic only [`screen`](crate::screen) tells.
    pub fn fields(&self) -> Option<Fields> {
        if !self.is_canonical() {
            return None;
        }
        let [c0, c1, c2, d0, d1, e0, e1, scheme] = self.at(CODES);
        Some(Fields {
            key_id: self.key_id(),
            time: self.time(),
            sequence: self.sequence(),
            uetr: self.at(UETR),
            debtor: self.debtor(),
            creditor: self.creditor(),
            instructing: self.digest(INSTRUCTING),
            instructed: self.digest(INSTRUCTED),
            amount: self.amount(),
            currency: [c0, c1, c2],
            debtor_country: [d0, d1],
            creditor_country: [e0, e1],
            scheme: *SCHEMES.get(usize::from(scheme).checked_sub(1)?)?,
        })
    }

    /// Whether every bit is as the layout says, whatever the tag.
    #[inline(always)]
    pub fn is_canonical(&self) -> bool {
        let scheme = self.0[CODES + 7];
        self.0[0] == FRAME_KIND
            && self.time() < TIME_LIMIT
            && self.sequence() < SEQUENCE_LIMIT
            && self.amount() < AMOUNT_LIMIT
            && self.has_uetr()
            && self.has_letters()
            && scheme.wrapping_sub(1) < SCHEMES.len() as u8
    }

    /// Whether the tag is that of the bytes under `key`, in a time that does not depend on where they differ.
    #[inline(always)]
    pub fn is_authentic(&self, key: &Key) -> bool {
        let [low, high] = self.expected_tag(key);
        (low ^ self.word(14)) | (high ^ self.word(15)) == 0
    }

    /// Under which key the tag is said to be.
    #[inline(always)]
    pub fn key_id(&self) -> u8 {
        self.0[1]
    }

    /// The sequence number.
    #[inline(always)]
    pub fn sequence(&self) -> u64 {
        self.word(1)
    }

    /// The time in milliseconds since 1970.
    #[inline(always)]
    pub fn time(&self) -> u64 {
        self.word(0) >> 16
    }

    /// The time of a canonical frame in nanoseconds since 1970.
    #[inline(always)]
    pub(crate) fn time_ns(&self) -> u64 {
        self.time().wrapping_mul(NS_PER_MS)
    }

    #[inline(always)]
    pub(crate) fn debtor(&self) -> Digest {
        self.digest(DEBTOR)
    }

    #[inline(always)]
    pub(crate) fn creditor(&self) -> Digest {
        self.digest(CREDITOR)
    }

    #[inline(always)]
    pub(crate) fn amount(&self) -> u64 {
        self.word(12)
    }

    /// [`currency_index`] of a canonical frame.
    #[inline(always)]
    pub(crate) fn currency(&self) -> u32 {
        letters_index(self.at(CODES))
    }

    /// The little-endian word number `at`.
    #[inline(always)]
    pub(crate) fn word(&self, at: usize) -> u64 {
        u64::from_le_bytes(self.at(8 * at))
    }

    #[inline(always)]
    fn expected_tag(&self, key: &Key) -> [u64; 2] {
        hash_words::<TAGGED_WORDS>(key, |at| self.word(at))
    }

    /// Version 4, and the variant of RFC 9562.
    #[inline(always)]
    fn has_uetr(&self) -> bool {
        self.0[UETR + 6] >> 4 == 4 && self.0[UETR + 8] >> 6 == 0b10
    }

    /// Whether the seven bytes of currency and countries are capital letters, all at once: a byte is one if adding
    /// what `A` lacks to 128 sets its top bit, and adding what follows `Z` lacks does not.
    #[inline(always)]
    fn has_letters(&self) -> bool {
        const TOP: u64 = 0x0080_8080_8080_8080;
        const FROM_A: u64 = 0x003F_3F3F_3F3F_3F3F;
        const PAST_Z: u64 = 0x0025_2525_2525_2525;
        let letters = self.word(13) & (u64::MAX >> 8);
        letters & TOP == 0 && (letters + FROM_A) & TOP == TOP && (letters + PAST_Z) & TOP == 0
    }

    #[inline(always)]
    fn digest(&self, offset: usize) -> Digest {
        Digest::from_words([self.word(offset / 8), self.word(offset / 8 + 1)])
    }

    #[inline(always)]
    fn at<const LEN: usize>(&self, offset: usize) -> [u8; LEN] {
        *self.0[offset..].first_chunk().expect("offsets are constants inside the frame")
    }
}

impl fmt::Debug for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Frame(")?;
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))?;
        f.write_str(")")
    }
}

/// The number of a currency among all three-letter codes; `None` unless it is three capital letters.
pub fn currency_index(currency: [u8; 3]) -> Option<u32> {
    currency.iter().all(u8::is_ascii_uppercase).then(|| letters_index(currency))
}

#[inline(always)]
fn letters_index(letters: [u8; 3]) -> u32 {
    letters.iter().fold(0, |index, letter| index * 26 + u32::from(letter.wrapping_sub(b'A')))
}

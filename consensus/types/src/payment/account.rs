//! The account of a payment, in canonical form.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Agent;
use crate::codec::{CodecError, Decode, Encode, Reader, Writer};
use crate::country::Country;
use crate::hash::{Digest, digest_of};
use crate::iban::Iban;

/// A payment account, in the one form that every bank derives alike.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", try_from = "Written")]
pub enum Account {
    /// By its IBAN.
    Iban(Iban),
    /// By another number.
    Other {
        /// The number's scheme; without one the first eight characters of the servicing bank's BIC, so that equal
        /// numbers at two banks stay two accounts; empty if neither is known.
        scheme: String,
        /// The number: upper case, without spaces.
        id: String,
    },
    /// What stood where an IBAN belongs and is none: upper case, without spaces.
    InvalidIban(String),
}

/// An account as somebody wrote it: it may not be in canonical form.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Written {
    Iban(Iban),
    Other { scheme: String, id: String },
    InvalidIban(String),
}

impl TryFrom<Written> for Account {
    type Error = CodecError;

    /// What is not in canonical form is refused, wherever it comes from: it would name another account than it seems.
    fn try_from(written: Written) -> Result<Self, CodecError> {
        let (account, canonical) = match written {
            Written::Iban(iban) => (Self::Iban(iban), true),
            Written::Other { scheme, id } => {
                let canonical =
                    compact(&scheme) == scheme && compact(&id) == id && Iban::try_from(id.as_str()).is_err();
                (Self::Other { scheme, id }, canonical)
            }
            Written::InvalidIban(text) => {
                let canonical = compact(&text) == text && Iban::try_from(text.as_str()).is_err();
                (Self::InvalidIban(text), canonical)
            }
        };
        if canonical { Ok(account) } else { Err(CodecError::invalid("account", "not in canonical form")) }
    }
}

/// Upper case without white space: how account numbers are compared.
fn compact(text: &str) -> String {
    text.chars().filter(|c| !c.is_whitespace()).flat_map(char::to_uppercase).collect()
}

impl Account {
    /// An account by another number than an IBAN, in canonical form. An IBAN that stands there all the same is taken
    /// for one, so that writing it in the wrong place hides nothing.
    pub fn other(scheme: Option<&str>, servicer: Option<&Agent>, id: &str) -> Self {
        // Compared as it is kept: what an IBAN is written with, such as a line break, must not decide.
        let id = compact(id);
        if let Ok(iban) = Iban::try_from(id.as_str()) {
            return Self::Iban(iban);
        }
        let bank = || servicer.and_then(|a| a.bic).map(|b| b.institution().to_owned());
        let scheme = scheme.map(compact).filter(|s| !s.is_empty()).or_else(bank).unwrap_or_default();
        Self::Other { scheme, id }
    }

    /// The account of an IBAN element's text, valid or not.
    pub fn from_iban_text(text: &str) -> Self {
        let text = compact(text);
        Iban::try_from(text.as_str()).map_or_else(|_| Self::InvalidIban(text.clone()), Self::Iban)
    }

    /// The country, which only an IBAN tells.
    pub fn country(&self) -> Option<Country> {
        match self {
            Self::Iban(iban) => Some(iban.country()),
            Self::Other { .. } | Self::InvalidIban(_) => None,
        }
    }

    /// SHA-256 of the canonical encoding: how windows and indices name the account.
    pub fn digest(&self) -> Digest {
        digest_of("hansa/account/v1", self)
    }
}

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Iban(iban) => iban.fmt(f),
            Self::Other { scheme, id } if scheme.is_empty() => f.pad(id),
            Self::Other { scheme, id } => write!(f, "{scheme}:{id}"),
            Self::InvalidIban(text) => f.pad(text),
        }
    }
}

impl Encode for Account {
    fn encode(&self, out: &mut Writer) {
        match self {
            Self::Iban(iban) => {
                out.u8(1);
                iban.encode(out);
            }
            Self::Other { scheme, id } => {
                out.u8(2);
                scheme.encode(out);
                id.encode(out);
            }
            Self::InvalidIban(text) => {
                out.u8(3);
                text.encode(out);
            }
        }
    }
}

impl Decode for Account {
    fn decode(input: &mut Reader<'_>) -> Result<Self, CodecError> {
        let written = match input.u8()? {
            1 => Written::Iban(Iban::decode(input)?),
            2 => Written::Other { scheme: String::decode(input)?, id: String::decode(input)? },
            3 => Written::InvalidIban(String::decode(input)?),
            tag => return Err(CodecError::invalid("account", format!("{tag} is no kind of account"))),
        };
        written.try_into()
    }
}

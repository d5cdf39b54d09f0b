//! Whom a signal is about, in the one form that every bank derives alike.
//!
//! Two banks match a subject only if they write it to the same bytes, so the form is strict: an IBAN without spaces,
//! other account numbers with their scheme, an LEI, a person as normalised name, birth date and country. The kind is
//! part of the bytes, so that an account never equals an organisation.

use serde::{Deserialize, Serialize};

use crate::codec::{CodecError, Decode, Encode, Reader, Writer};
use crate::codec_enum;
use crate::hash::{Digest, digest_of};
use crate::lei::Lei;
use crate::payment::Account;

/// What kind of subject a signal is about; public in the signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SubjectKind {
    /// A payment account.
    Account,
    /// An organisation by LEI.
    Organisation,
    /// A natural person.
    Person,
}
codec_enum!(SubjectKind { Account = 1, "account", Organisation = 2, "organisation", Person = 3, "person" });

/// The longest normalised name of a person in a subject, in bytes.
pub const MAX_PERSON_NAME: usize = 140;

/// A subject in canonical form.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Subject {
    /// An account.
    Account(Account),
    /// An organisation.
    Organisation(Lei),
    /// A person: normalised name (upper-case ASCII words in order, one space between), birth date `YYYY-MM-DD`,
    /// ISO 3166 country.
    Person {
        /// The normalised name.
        name: String,
        /// The birth date.
        birth_date: String,
        /// The country of the identity document.
        country: crate::country::Country,
    },
}

impl Subject {
    /// The kind, as the signal states it.
    pub fn kind(&self) -> SubjectKind {
        match self {
            Self::Account(_) => SubjectKind::Account,
            Self::Organisation(_) => SubjectKind::Organisation,
            Self::Person { .. } => SubjectKind::Person,
        }
    }

    /// The input of the tag function: domain-separated canonical bytes.
    pub fn digest(&self) -> Digest {
        digest_of("hansa/subject/v1", self)
    }
}

impl Encode for Subject {
    fn encode(&self, out: &mut Writer) {
        self.kind().encode(out);
        match self {
            Self::Account(account) => account.encode(out),
            Self::Organisation(lei) => lei.encode(out),
            Self::Person { name, birth_date, country } => {
                name.encode(out);
                birth_date.encode(out);
                country.encode(out);
            }
        }
    }
}

impl Decode for Subject {
    fn decode(input: &mut Reader<'_>) -> Result<Self, CodecError> {
        Ok(match SubjectKind::decode(input)? {
            SubjectKind::Account => Self::Account(Account::decode(input)?),
            SubjectKind::Organisation => Self::Organisation(Lei::decode(input)?),
            SubjectKind::Person => {
                let name = String::decode(input)?;
                if name.len() > MAX_PERSON_NAME {
                    return Err(CodecError::TooLong {
                        what: "person's name",
                        length: name.len(),
                        limit: MAX_PERSON_NAME,
                    });
                }
                Self::Person { name, birth_date: String::decode(input)?, country: Decode::decode(input)? }
            }
        })
    }
}

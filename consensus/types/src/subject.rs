//! Whom a signal is about, in the one form that every bank derives alike.
//!
//! Two banks match a subject only if they write it to the same bytes, so the form is strict: an IBAN without spaces,
//! other account numbers with their scheme, an LEI, a person as normalised name, birth date and country. The kind is
//! part of the bytes, so that an account never equals an organisation.

use serde::{Deserialize, Serialize};

use crate::codec::{CodecError, Decode, Encode, Reader, Writer};
use crate::codec_enum;
use crate::country::Country;
use crate::date::Date;
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
#[serde(rename_all = "snake_case", try_from = "Written")]
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
        country: Country,
    },
}

/// A subject as somebody wrote it: it may be beyond its bounds.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Written {
    Account(Account),
    Organisation(Lei),
    Person { name: String, birth_date: String, country: Country },
}

impl TryFrom<Written> for Subject {
    type Error = CodecError;

    fn try_from(written: Written) -> Result<Self, CodecError> {
        Ok(match written {
            Written::Account(account) => Self::Account(account),
            Written::Organisation(lei) => Self::Organisation(lei),
            Written::Person { name, birth_date, country } => {
                let length = name.len();
                if length > MAX_PERSON_NAME {
                    return Err(CodecError::TooLong {
                        what: "person's name",
                        length,
                        limit: MAX_PERSON_NAME,
                    });
                }
                if Date::try_from(birth_date.as_str()).map(|date| date.to_string()).as_ref()
                    != Ok(&birth_date)
                {
                    return Err(CodecError::invalid("person's birth date", "YYYY-MM-DD is wanted"));
                }
                Self::Person { name, birth_date, country }
            }
        })
    }
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
        let written = match SubjectKind::decode(input)? {
            SubjectKind::Account => Written::Account(Account::decode(input)?),
            SubjectKind::Organisation => Written::Organisation(Lei::decode(input)?),
            SubjectKind::Person => Written::Person {
                name: String::decode(input)?,
                birth_date: String::decode(input)?,
                country: Country::decode(input)?,
            },
        };
        written.try_into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn person(name: &str, birth_date: &str) -> Subject {
        let country = "DE".try_into().unwrap();
        Subject::Person { name: name.to_owned(), birth_date: birth_date.to_owned(), country }
    }

    #[test]
    fn what_the_codec_refuses_json_refuses_too() {
        let loose = Account::Other { scheme: "bban".to_owned(), id: "12 34".to_owned() };
        let long = person(&"A".repeat(MAX_PERSON_NAME + 1), "1980-02-03");
        for wrong in [Subject::Account(loose), long, person("ANN", "3.2.1980"), person("ANN", "1980-02-03Z")]
        {
            assert!(Subject::from_bytes(&wrong.to_bytes()).is_err(), "{wrong:?}");
            let json = serde_json::to_string(&wrong).unwrap();
            assert!(serde_json::from_str::<Subject>(&json).is_err(), "{json}");
        }
        let right = person("ANN OTHER", "1980-02-03");
        assert_eq!(Subject::from_bytes(&right.to_bytes()).as_ref(), Ok(&right));
        let json = serde_json::to_string(&right).unwrap();
        assert_eq!(serde_json::from_str::<Subject>(&json).unwrap(), right);
    }
}

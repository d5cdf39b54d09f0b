//! Watch lists: persons, organisations, vessels and aircraft that payments are screened against.
//!
//! A list is loaded whole from bytes or refused, never in part; it names its source, its date and, by digest, its
//! content, and decisions cite all three.

mod countries;
pub mod csv;
pub mod diff;
mod error;
pub mod eu;
pub mod ofac;
pub mod table;
#[cfg(test)]
mod tests;
pub mod un;

use hansa_types::bic::Bic;
use hansa_types::codec::{Encode, Writer};
use hansa_types::codec_enum;
use hansa_types::country::Country;
use hansa_types::date::Date;
use hansa_types::decision::ListVersion;
use hansa_types::hash::{Digest, digest_of};
use hansa_types::iban::Iban;
use hansa_types::lei::Lei;

pub use error::ListError;

/// The most bytes of one file of a list.
pub const MAX_LIST: usize = 256 << 20;

/// What a list demands for what belongs to the listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Measure {
    /// Property is blocked in place and reported; it does not go back.
    Freeze,
    /// Dealings are refused.
    Reject,
    /// A person has to look: a list of the bank's own, or a warning.
    Review,
}
codec_enum!(Measure { Freeze = 1, "freeze", Reject = 2, "reject", Review = 3, "review" });

/// What is listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum EntryKind {
    /// A natural person.
    Person,
    /// A company, authority or group.
    Organisation,
    /// A ship.
    Vessel,
    /// An aircraft.
    Aircraft,
}
codec_enum!(EntryKind {
    Person = 1, "person", Organisation = 2, "organisation", Vessel = 3, "vessel", Aircraft = 4, "aircraft",
});

/// How surely a name points at the entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Strength {
    /// The name proper.
    Primary,
    /// An alias.
    Strong,
    /// An alias that many others bear.
    Weak,
}
codec_enum!(Strength { Primary = 1, "primary", Strong = 2, "strong", Weak = 3, "weak" });

/// A name as the list writes it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ListedName {
    /// The name.
    pub text: String,
    /// How surely it points.
    pub strength: Strength,
}

/// A birth date as far as it is known: a range of years.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct BirthYears {
    /// The first year that it may be.
    pub from: u16,
    /// The last.
    pub to: u16,
}

impl BirthYears {
    /// How many years lie between the range and `year`.
    pub fn years_from(&self, year: u16) -> u16 {
        self.from.saturating_sub(year).max(year.saturating_sub(self.to))
    }
}

/// A number or code that is the entry's own.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Identifier {
    /// A bank's code.
    Bic(Bic),
    /// A legal entity's identifier.
    Lei(Lei),
    /// An account.
    Iban(Iban),
    /// Another, for example a passport: its kind and value.
    Other {
        /// The list's word for it.
        scheme: String,
        /// The value, upper case, letters and digits only.
        value: String,
    },
}

impl Encode for Identifier {
    fn encode(&self, out: &mut Writer) {
        match self {
            Self::Bic(bic) => {
                out.u8(1);
                bic.encode(out);
            }
            Self::Lei(lei) => {
                out.u8(2);
                lei.encode(out);
            }
            Self::Iban(iban) => {
                out.u8(3);
                iban.encode(out);
            }
            Self::Other { scheme, value } => {
                out.u8(4);
                scheme.encode(out);
                value.encode(out);
            }
        }
    }
}

/// Somebody or something listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The list's own number or reference.
    pub id: String,
    /// What it is.
    pub kind: EntryKind,
    /// The sanctions programmes or regimes that it is listed under.
    pub programmes: Vec<String>,
    /// Its names, the first the primary.
    pub names: Vec<ListedName>,
    /// When a person was born, as far as known.
    pub births: Vec<BirthYears>,
    /// Nationalities, residences and addresses.
    pub countries: Vec<Country>,
    /// Its own numbers and codes.
    pub identifiers: Vec<Identifier>,
}

impl Entry {
    /// Names its content: an entry that changed is looked at anew.
    pub fn digest(&self) -> Digest {
        digest_of("hansa/list-entry/v1", self)
    }
}

impl Encode for Entry {
    fn encode(&self, out: &mut Writer) {
        self.id.encode(out);
        self.kind.encode(out);
        self.programmes.encode(out);
        out.length(self.names.len());
        for name in &self.names {
            name.text.encode(out);
            name.strength.encode(out);
        }
        out.length(self.births.len());
        for birth in &self.births {
            birth.from.encode(out);
            birth.to.encode(out);
        }
        self.countries.encode(out);
        self.identifiers.encode(out);
    }
}

/// A list as published on a day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Watchlist {
    /// Its short name, for example `ofac-sdn`.
    pub name: String,
    /// When it was published.
    pub date: Date,
    /// What it demands.
    pub measure: Measure,
    /// Who is on it, ascending by id.
    pub entries: Vec<Entry>,
    /// Rows of its files that became no entry: of files of different days, or under a measure that freezes nothing.
    pub orphans: usize,
    digest: Digest,
}

/// What a list's digest is of: who is on it, and what that leads to.
struct Content<'a> {
    measure: Measure,
    entries: &'a Vec<Entry>,
}

impl Encode for Content<'_> {
    fn encode(&self, out: &mut Writer) {
        self.measure.encode(out);
        self.entries.encode(out);
    }
}

impl Watchlist {
    /// A list of `entries`, refused if there are none or an id stands twice.
    pub fn new(name: &str, date: Date, measure: Measure, mut entries: Vec<Entry>) -> Result<Self, ListError> {
        if entries.is_empty() {
            return Err(ListError::Empty);
        }
        entries.sort_by(|a, b| a.id.cmp(&b.id));
        if let Some(pair) = entries.windows(2).find(|pair| pair[0].id == pair[1].id) {
            return Err(ListError::DuplicateId(pair[0].id.clone()));
        }
        for entry in &mut entries {
            entry.births.sort_unstable();
            entry.births.dedup();
            entry.countries.sort_unstable();
            entry.countries.dedup();
            entry.identifiers.sort_unstable();
            entry.identifiers.dedup();
        }
        let digest = digest_of("hansa/watchlist/v2", &Content { measure, entries: &entries });
        Ok(Self { name: name.to_owned(), date, measure, entries, orphans: 0, digest })
    }

    /// What decisions cite.
    pub fn version(&self) -> ListVersion {
        ListVersion { name: self.name.clone(), date: self.date.to_string(), digest: self.digest }
    }

    /// The digest of measure and canonical entries.
    pub fn digest(&self) -> Digest {
        self.digest
    }
}

/// Upper case, letters and digits only: how other identifiers are compared.
pub fn compact_id(text: &str) -> String {
    text.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_uppercase()).collect()
}

//! Who takes part in a payment: persons, organisations, banks.

use serde::{Deserialize, Serialize};

use crate::bic::Bic;
use crate::codec_struct;
use crate::country::Country;
use crate::date::Date;
use crate::lei::Lei;

/// A person or organisation that takes part.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Party {
    /// The name as written.
    pub name: Option<String>,
    /// Names beside it: of the account and of the contact.
    pub other_names: Vec<String>,
    /// The postal address.
    pub address: Address,
    /// The country of residence, where given.
    pub residence: Option<Country>,
    /// Date and place of birth of a person.
    pub birth: Option<Birth>,
    /// The organisation's LEI.
    pub lei: Option<Lei>,
    /// The organisation's BIC.
    pub bic: Option<Bic>,
    /// Other identifications.
    pub other_ids: Vec<OtherId>,
}
codec_struct!(Party { name, other_names, address, residence, birth, lei, bic, other_ids });

impl Party {
    /// Every name.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.name.iter().chain(&self.other_names).map(String::as_str)
    }

    /// The country of the party: of its address, else of its residence.
    pub fn country(&self) -> Option<Country> {
        self.address.country.or(self.residence)
    }
}

/// A postal address: the country and town apart, everything else as lines in the message's order.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Address {
    /// The country.
    pub country: Option<Country>,
    /// The town.
    pub town: Option<String>,
    /// Street, building, post code and unstructured lines.
    pub lines: Vec<String>,
}
codec_struct!(Address { country, town, lines });

impl Address {
    /// Whether nothing is known.
    pub fn is_empty(&self) -> bool {
        self.country.is_none() && self.town.is_none() && self.lines.is_empty()
    }
}

/// Date and place of birth.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Birth {
    /// The date.
    pub date: Option<Date>,
    /// The city.
    pub city: Option<String>,
    /// The country.
    pub country: Option<Country>,
}
codec_struct!(Birth { date, city, country });

/// An identification that is neither LEI nor BIC.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct OtherId {
    /// The scheme's code or name.
    pub scheme: Option<String>,
    /// The identification.
    pub id: String,
    /// Who issued it.
    pub issuer: Option<String>,
}
codec_struct!(OtherId { scheme, id, issuer });

/// A financial institution that takes part.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Agent {
    /// The BIC.
    pub bic: Option<Bic>,
    /// The LEI.
    pub lei: Option<Lei>,
    /// The membership of a clearing system.
    pub clearing_member: Option<ClearingMember>,
    /// The name as written.
    pub name: Option<String>,
    /// Names beside it: of the branch, the account and the contact.
    pub other_names: Vec<String>,
    /// The postal address.
    pub address: Address,
    /// Other identifications.
    pub other_ids: Vec<OtherId>,
}
codec_struct!(Agent { bic, lei, clearing_member, name, other_names, address, other_ids });

impl Agent {
    /// Every name.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.name.iter().chain(&self.other_names).map(String::as_str)
    }

    /// The country: of the BIC, else of the address.
    pub fn country(&self) -> Option<Country> {
        self.bic.map(|bic| bic.country()).or(self.address.country)
    }
}

/// An institution's number in a clearing system.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
pub struct ClearingMember {
    /// The clearing system's code, for example `USABA`.
    pub system: Option<String>,
    /// The member's number.
    pub id: String,
}
codec_struct!(ClearingMember { system, id });

//! Whom a payment is about, in the form that subjects have.

use hansa_types::country::Country;
use hansa_types::payment::Party;
use hansa_types::subject::{MAX_PERSON_NAME, Subject};

use crate::names::normalise::tokens;

/// A person in the form that subjects have; none without a name, a birth date or a country.
pub fn person(party: &Party) -> Option<Subject> {
    let birth = party.birth.as_ref()?;
    let country = birth.country.or(party.country())?;
    person_named(party.name.as_deref()?, birth.date?.to_string(), country)
}

/// A person by name, birth date and country.
pub fn person_named(name: &str, birth_date: String, country: Country) -> Option<Subject> {
    let words: Vec<String> = tokens(name).into_iter().map(|token| token.text.to_ascii_uppercase()).collect();
    let mut name = words.join(" ");
    name.truncate(MAX_PERSON_NAME);
    (!name.is_empty()).then_some(Subject::Person { name, birth_date, country })
}

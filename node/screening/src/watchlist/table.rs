//! The list format of our own: one CSV file, one row an entry.
//!
//! The first row is the header, with exactly these columns in this order:
//!
//! `id,kind,programmes,name,aliases,weak_aliases,birth_dates,countries,bics,leis,ibans,other_ids`
//!
//! Columns in the plural hold values separated by `;`. `kind` is `person`, `organisation`, `vessel` or `aircraft`;
//! birth dates are `YYYY` or `YYYY-MM-DD`; countries are ISO 3166 alpha-2; other ids are `scheme:value`. A file is
//! taken whole or refused with the line at fault.

use hansa_types::bic::Bic;
use hansa_types::country::Country;
use hansa_types::date::Date;
use hansa_types::iban::Iban;
use hansa_types::lei::Lei;

use super::error::{rows, text};
use super::{
    BirthYears, Entry, EntryKind, Identifier, ListError, ListedName, Measure, Strength, Watchlist, compact_id,
};

/// The header row.
pub const HEADER: [&str; 12] = [
    "id",
    "kind",
    "programmes",
    "name",
    "aliases",
    "weak_aliases",
    "birth_dates",
    "countries",
    "bics",
    "leis",
    "ibans",
    "other_ids",
];

const FILE: &str = "list";

/// Reads a list of our own format.
pub fn load(name: &str, date: Date, measure: Measure, bytes: &[u8]) -> Result<Watchlist, ListError> {
    let mut rows = rows(FILE, text(FILE, bytes)?)?.into_iter();
    let header = rows.next().ok_or(ListError::Empty)?;
    if header.fields != HEADER {
        let detail = format!("the header must be {}", HEADER.join(","));
        return Err(ListError::Row { file: FILE, line: header.line, detail });
    }
    let entries: Result<Vec<_>, _> = rows
        .map(|row| entry(&row.fields).map_err(|detail| ListError::Row { file: FILE, line: row.line, detail }))
        .collect();
    Watchlist::new(name, date, measure, entries?)
}

fn entry(fields: &[String]) -> Result<Entry, String> {
    let [id, kind, programmes, name, aliases, weak, births, countries, bics, leis, ibans, others] = fields
    else {
        return Err(format!("{} fields, {} are wanted", fields.len(), HEADER.len()));
    };
    if id.is_empty() || name.is_empty() {
        return Err("an entry needs an id and a name".to_owned());
    }
    let kind: EntryKind = kind.parse()?;
    let mut names = vec![ListedName { text: name.clone(), strength: Strength::Primary }];
    let named = |text: &str, strength| ListedName { text: text.to_owned(), strength };
    names.extend(values(aliases).map(|text| named(text, Strength::Strong)));
    names.extend(values(weak).map(|text| named(text, Strength::Weak)));
    let mut identifiers = Vec::new();
    for value in values(bics) {
        identifiers.push(Identifier::Bic(Bic::try_from(value).map_err(|e| e.to_string())?));
    }
    for value in values(leis) {
        identifiers.push(Identifier::Lei(Lei::try_from(value).map_err(|e| e.to_string())?));
    }
    for value in values(ibans) {
        identifiers.push(Identifier::Iban(Iban::try_from(value).map_err(|e| e.to_string())?));
    }
    for value in values(others) {
        let (scheme, value) =
            value.split_once(':').ok_or_else(|| format!("{value:?} is not scheme:value"))?;
        identifiers.push(Identifier::Other { scheme: scheme.to_owned(), value: compact_id(value) });
    }
    Ok(Entry {
        id: id.clone(),
        kind,
        programmes: values(programmes).map(str::to_owned).collect(),
        names,
        births: values(births).map(birth).collect::<Result<_, _>>()?,
        countries: values(countries)
            .map(|c| Country::try_from(c).map_err(|e| e.to_string()))
            .collect::<Result<_, _>>()?,
        identifiers,
    })
}

fn values(field: &str) -> impl Iterator<Item = &str> {
    field.split(';').map(str::trim).filter(|value| !value.is_empty())
}

fn birth(text: &str) -> Result<BirthYears, String> {
    let year = match text.len() {
        4 => text.parse().map_err(|_| format!("{text:?} is not a year")),
        _ => Date::try_from(text).map(|date| date.year()).map_err(|e| e.to_string()),
    }?;
    Ok(BirthYears { from: year, to: year })
}

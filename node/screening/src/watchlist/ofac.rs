//! OFAC's lists in their legacy CSV files: that of Specially Designated Nationals as `sdn.csv` with `alt.csv`, `add.csv`
//! and `sdn_comments.csv`, and the consolidated list of others under `cons_` names.
//!
//! The files have no header; null is `-0- ` with a blank; the last line is the single byte 0x1A, which tells a whole
//! download from a cut one; persons are `LAST, First`; weak aliases, birth dates, nationalities and identifiers stand
//! in the remarks, which overflow into the comments. Files of different days leave orphans, which are counted.
//! Source: OFAC, "SDN List data formats" (dat_spec.txt).

use std::collections::BTreeMap;

use hansa_types::bic::Bic;
use hansa_types::date::Date;
use hansa_types::iban::Iban;
use hansa_types::lei::Lei;

use super::csv::Row;
use super::error::{rows, text};
use super::{
    BirthYears, Entry, EntryKind, Identifier, ListError, ListedName, Measure, Strength, Watchlist,
    compact_id, countries,
};

/// The name of the list of specially designated nationals.
pub const NAME: &str = "ofac-sdn";
/// The name of OFAC's list of others, under narrower measures.
pub const CONSOLIDATED: &str = "ofac-consolidated";

const NULL: &str = "-0-";
const END_MARK: char = '\u{1a}';

/// The files of one publication; only the first is indispensable.
#[derive(Clone, Copy, Debug, Default)]
pub struct Files<'a> {
    /// `sdn.csv`: number, name, type, programme, title, and vessel's particulars, remarks.
    pub sdn: &'a [u8],
    /// `alt.csv`: number, number of the alias, its type, name, remarks.
    pub alt: Option<&'a [u8]>,
    /// `add.csv`: number, number of the address, street, city, country, remarks.
    pub add: Option<&'a [u8]>,
    /// `sdn_comments.csv`: number, the rest of the remarks.
    pub comments: Option<&'a [u8]>,
}

/// Reads the list of specially designated nationals as published on `date`.
///
/// # Errors
/// [`ListError`] if a file is cut off or a row does not fit.
pub fn load(date: Date, files: &Files<'_>) -> Result<Watchlist, ListError> {
    read(NAME, Measure::Freeze, date, files)
}

/// Reads OFAC's consolidated list of others (`cons_prim.csv` with `cons_alt.csv`, `cons_add.csv`, `cons_comments.csv`):
/// what is asked for differs by programme, so a person has to look.
///
/// # Errors
/// As [`load`].
pub fn load_consolidated(date: Date, files: &Files<'_>) -> Result<Watchlist, ListError> {
    read(CONSOLIDATED, Measure::Review, date, files)
}

fn read(name: &str, measure: Measure, date: Date, files: &Files<'_>) -> Result<Watchlist, ListError> {
    let mut entries: BTreeMap<String, (Entry, String)> = BTreeMap::new();
    for row in table("sdn.csv", files.sdn, 12)? {
        let (entry, remarks) = sdn_entry(&row)?;
        if let Some((old, _)) = entries.insert(entry.id.clone(), (entry, remarks)) {
            return Err(ListError::DuplicateId(old.id));
        }
    }
    let mut orphans = 0;
    let mut each = |file, bytes: Option<&[u8]>, width, add: fn(&mut Entry, &mut String, &Row)| {
        for row in bytes.map_or(Ok(Vec::new()), |bytes| table(file, bytes, width))? {
            match entries.get_mut(value(&row, 0)) {
                Some((entry, remarks)) => add(entry, remarks, &row),
                None => orphans += 1,
            }
        }
        Ok::<_, ListError>(())
    };
    each("alt.csv", files.alt, 5, |entry, _, row| {
        let strength = if value(row, 4).contains("weak") { Strength::Weak } else { Strength::Strong };
        push_name(entry, value(row, 3), strength);
    })?;
    each("add.csv", files.add, 6, |entry, _, row| {
        entry.countries.extend(countries::by_name(value(row, 4)));
    })?;
    each("sdn_comments.csv", files.comments, 2, |_, remarks, row| {
        remarks.push_str(value(row, 1));
    })?;
    let entries = entries.into_values().map(|(mut entry, remarks)| {
        read_remarks(&mut entry, &remarks);
        entry
    });
    let mut list = Watchlist::new(name, date, measure, entries.collect())?;
    list.orphans = orphans;
    Ok(list)
}

/// The rows of a file that is whole and of the right width.
fn table(file: &'static str, bytes: &[u8], width: usize) -> Result<Vec<Row>, ListError> {
    let text = text(file, bytes)?.trim_end_matches(['\r', '\n']);
    let text = text.strip_suffix(END_MARK).ok_or(ListError::Truncated(file))?;
    let rows = rows(file, text)?;
    match rows.iter().find(|row| row.fields.len() != width) {
        Some(row) => {
            let detail = format!("{} fields, {width} are wanted", row.fields.len());
            Err(ListError::Row { file, line: row.line, detail })
        }
        None => Ok(rows),
    }
}

/// A field, empty if null.
fn value(row: &Row, at: usize) -> &str {
    let value = row.fields.get(at).map_or("", |field| field.trim());
    if value == NULL { "" } else { value }
}

fn push_name(entry: &mut Entry, name: &str, strength: Strength) {
    if !name.is_empty() && entry.names.iter().all(|known| known.text != name) {
        entry.names.push(ListedName { text: name.to_owned(), strength });
    }
}

fn sdn_entry(row: &Row) -> Result<(Entry, String), ListError> {
    let wrong = |detail: String| ListError::Row { file: "sdn.csv", line: row.line, detail };
    let (id, name) = (value(row, 0), value(row, 1));
    if id.is_empty() || !id.bytes().all(|b| b.is_ascii_digit()) || name.is_empty() {
        return Err(wrong(format!("{id:?}, {name:?}: a number and a name are wanted")));
    }
    let kind = match value(row, 2) {
        "individual" => EntryKind::Person,
        "vessel" => EntryKind::Vessel,
        "aircraft" => EntryKind::Aircraft,
        "" => EntryKind::Organisation,
        other => return Err(wrong(format!("{other:?} is no type of entry"))),
    };
    let programmes = value(row, 3).split("] [").map(|p| p.trim_matches(['[', ']', ' ']).to_owned());
    let mut entry = Entry {
        id: id.to_owned(),
        kind,
        programmes: programmes.filter(|p| !p.is_empty()).collect(),
        names: Vec::new(),
        births: Vec::new(),
        countries: Vec::new(),
        identifiers: Vec::new(),
    };
    push_name(&mut entry, name, Strength::Primary);
    Ok((entry, value(row, 11).to_owned()))
}

/// Reads aliases, births, countries and identifiers off the remarks, which `;` separates.
fn read_remarks(entry: &mut Entry, remarks: &str) {
    for remark in remarks.split(';') {
        let remark = remark.trim().trim_end_matches('.');
        let remark = remark.strip_prefix("alt. ").unwrap_or(remark);
        let after = |prefix: &str| remark.strip_prefix(prefix);
        if let Some(name) = after("a.k.a. '").or_else(|| after("f.k.a. '")) {
            push_name(entry, name.trim_end_matches('\''), Strength::Weak);
        } else if let Some(birth) = after("DOB ") {
            entry.births.extend(births(birth));
        } else if let Some(country) = after("nationality ").or_else(|| after("citizen ")) {
            entry.countries.extend(countries::by_name(country));
        } else {
            entry.identifiers.extend(identifier(remark));
        }
    }
}

/// The years of `01 Jan 1970`, `Jan 1970`, `circa 1965`, `1965 to 1967`.
fn births(text: &str) -> Option<BirthYears> {
    let circa = u16::from(text.contains("circa"));
    let years =
        text.split_whitespace().filter(|word| word.len() == 4).filter_map(|word| word.parse::<u16>().ok());
    let years: Vec<u16> = years.collect();
    let (from, to) = (years.iter().min()?, years.iter().max()?);
    Some(BirthYears { from: from.saturating_sub(circa), to: to.saturating_add(circa) })
}

/// Schemes of identifiers that payments carry, by the words that introduce them.
const SCHEMES: [&str; 9] = [
    "Passport",
    "National ID No.",
    "Tax ID No.",
    "Registration Number",
    "Registration ID",
    "Identification Number",
    "Business Registration Number",
    "Unified Social Credit Code (USCC)",
    "Company Number",
];

fn identifier(remark: &str) -> Option<Identifier> {
    if let Some(text) = remark.strip_prefix("SWIFT/BIC ") {
        return Bic::try_from(text.split(' ').next()?).ok().map(Identifier::Bic);
    }
    if let Some(text) = remark.strip_prefix("Legal Entity Number ") {
        return Lei::try_from(text.split(' ').next()?).ok().map(Identifier::Lei);
    }
    if let Some(text) = remark.strip_prefix("IBAN ") {
        return Iban::try_from(text).ok().map(Identifier::Iban);
    }
    let scheme = SCHEMES.iter().find(|scheme| remark.starts_with(**scheme))?;
    // `Passport A123456 (Iran) issued 2010`: the number ends at the country.
    let value = compact_id(remark[scheme.len()..].split('(').next()?);
    let number = value.len() >= 4 && value.bytes().any(|b| b.is_ascii_digit());
    number.then(|| Identifier::Other { scheme: (*scheme).to_owned(), value })
}

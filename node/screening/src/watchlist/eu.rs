//! Annexes of the European Union's sanctions regulations as tables: one CSV file a regulation, with a header.
//!
//! A regulation lists some for whom funds are frozen and others under narrower measures (exports, transport, loans). Only
//! the former become entries; the rest are counted. Aliases stand in one field, separated by `;` or ` / `.

use std::collections::{BTreeMap, BTreeSet};

use hansa_types::bic::Bic;
use hansa_types::country::Country;
use hansa_types::date::Date;
use hansa_types::lei::Lei;

use super::csv::Row;
use super::error::{rows, text};
use super::{
    BirthYears, Entry, EntryKind, Identifier, ListError, ListedName, Measure, Strength, Watchlist,
    compact_id, countries,
};

const FILE: &str = "EU list";
/// The measure by which funds are frozen.
const FREEZE: &str = "Asset freeze";
/// Columns without which it is another table.
const WANTED: [&str; 7] = ["celex", "annex", "recordId", "measure", "schema", "name", "alias"];
/// Columns with numbers that are the entry's own, by what payments call them.
const NUMBERS: [(&str, &str); 7] = [
    ("passportNumber", "passport"),
    ("idNumber", "national id"),
    ("taxNumber", "tax number"),
    ("registrationNumber", "registration number"),
    ("innCode", "INN"),
    ("ogrnCode", "OGRN"),
    ("imoNumber", "IMO"),
];

/// Reads a regulation's table as of `date`.
///
/// # Errors
/// [`ListError`] if the file is cut off, has other columns, or a row lacks what it must have.
pub fn load(name: &str, date: Date, bytes: &[u8]) -> Result<Watchlist, ListError> {
    let mut rows = rows(FILE, text(FILE, bytes)?)?.into_iter();
    let header = rows.next().ok_or(ListError::Empty)?;
    let columns = Columns::of(&header)?;
    let (mut entries, mut others, mut ids) = (Vec::new(), 0, BTreeSet::new());
    for row in rows {
        let record = columns.read(&row)?;
        if record.get("measure") != FREEZE {
            others += 1;
            continue;
        }
        let mut entry = entry(&record)?;
        entry.id = unique(&mut ids, entry.id);
        entries.push(entry);
    }
    let mut list = Watchlist::new(name, date, Measure::Freeze, entries)?;
    list.orphans = others;
    Ok(list)
}

/// Records without a number of their own are told apart by their name, and by a number if that stands twice.
fn unique(ids: &mut BTreeSet<String>, id: String) -> String {
    let numbered = (2..).map(|n| format!("{id} #{n}"));
    let free = std::iter::once(id.clone()).chain(numbered).find(|id| !ids.contains(id));
    let free = free.unwrap_or(id);
    ids.insert(free.clone());
    free
}

/// Where each column stands.
struct Columns(BTreeMap<String, usize>);

/// One record.
struct Record<'a> {
    columns: &'a Columns,
    row: &'a Row,
}

impl Columns {
    fn of(header: &Row) -> Result<Self, ListError> {
        let columns =
            header.fields.iter().enumerate().map(|(at, name)| (name.trim().to_owned(), at)).collect();
        let columns = Self(columns);
        match WANTED.iter().find(|name| !columns.0.contains_key(**name)) {
            None => Ok(columns),
            Some(name) => Err(ListError::Row {
                file: FILE,
                line: header.line,
                detail: format!("no column {name:?}: {} are wanted", WANTED.join(", ")),
            }),
        }
    }

    fn read<'a>(&'a self, row: &'a Row) -> Result<Record<'a>, ListError> {
        if row.fields.len() == self.0.len() {
            return Ok(Record { columns: self, row });
        }
        let detail = format!("{} fields, {} are wanted", row.fields.len(), self.0.len());
        Err(ListError::Row { file: FILE, line: row.line, detail })
    }
}

impl Record<'_> {
    /// A field without blanks around it; empty if there is no such column.
    fn get(&self, column: &str) -> &str {
        let at = self.columns.0.get(column);
        at.and_then(|at| self.row.fields.get(*at)).map_or("", |field| field.trim())
    }

    fn list(&self, column: &str) -> impl Iterator<Item = &str> {
        let quotes = ['"', '\u{2018}', '\u{2019}', '\u{201c}', '\u{201d}', '\u{ab}', '\u{bb}', ' '];
        let values = self.get(column).split(';').flat_map(|part| part.split(" / "));
        values.map(move |value| value.trim_matches(quotes)).filter(|value| !value.is_empty())
    }
}

fn entry(row: &Record<'_>) -> Result<Entry, ListError> {
    let wrong = |detail: String| ListError::Row { file: FILE, line: row.row.line, detail };
    let kind = match row.get("schema") {
        "Person" => EntryKind::Person,
        "Vessel" => EntryKind::Vessel,
        "Airplane" => EntryKind::Aircraft,
        "LegalEntity" | "Company" | "Organization" | "PublicBody" | "Asset" => EntryKind::Organisation,
        other => return Err(wrong(format!("{other:?} is no kind of entry"))),
    };
    let name = row.get("name");
    if name.is_empty() || row.get("celex").is_empty() {
        return Err(wrong("a record needs the regulation's number and a name".into()));
    }
    let record = match row.get("recordId") {
        "" => name,
        number => number,
    };
    let mut names = vec![ListedName { text: name.to_owned(), strength: Strength::Primary }];
    for (column, strength) in
        [("alias", Strength::Strong), ("previousName", Strength::Strong), ("weakAlias", Strength::Weak)]
    {
        for alias in row.list(column) {
            if names.iter().all(|known| known.text != alias) {
                names.push(ListedName { text: alias.to_owned(), strength });
            }
        }
    }
    let places = ["country", "nationality", "jurisdiction", "flag"].into_iter();
    Ok(Entry {
        id: format!("{}/{}/{record}", row.get("celex"), row.get("annex")),
        kind,
        programmes: row.list("programKey").map(str::to_owned).collect(),
        names,
        births: births(row.get("birthDate")),
        countries: places.flat_map(|column| places_in(row.get(column))).collect(),
        identifiers: identifiers(row),
    })
}

/// The countries of `Russian and Ukrainian`, `(a) German, (b) Moroccan`: of all words that are one's.
fn places_in(text: &str) -> impl Iterator<Item = Country> {
    let parts = text
        .split([',', ';', '/', '(', ')'])
        .flat_map(|part| part.split(" and "))
        .flat_map(|part| part.split(" or "));
    parts.filter_map(|part| countries::by_name(part.trim_end_matches('.')))
}

/// The years of `9.11.1972`, `1965`, `1965 or 1966`, `circa 1970`: those that stand alone, and a year about others.
fn births(text: &str) -> Vec<BirthYears> {
    let about = u16::from(["circa", "approximately", "around"].iter().any(|word| text.contains(word)));
    let years = text.split(|c: char| !c.is_ascii_digit()).filter(|word| word.len() == 4);
    let years = years.filter_map(|word| word.parse::<u16>().ok());
    years
        .map(|year| BirthYears { from: year.saturating_sub(about), to: year.saturating_add(about) })
        .collect()
}

fn identifiers(row: &Record<'_>) -> Vec<Identifier> {
    let mut found = Vec::new();
    found.extend(row.list("swiftBic").filter_map(|bic| Bic::try_from(bic).ok()).map(Identifier::Bic));
    found.extend(row.list("leiCode").filter_map(|lei| Lei::try_from(lei).ok()).map(Identifier::Lei));
    for (column, scheme) in NUMBERS {
        for value in row.list(column) {
            // `A31142734 (Malaysian number, ..)`: the number ends at the bracket.
            let value = compact_id(value.split('(').next().unwrap_or_default());
            if value.len() >= 4 && value.bytes().any(|b| b.is_ascii_digit()) {
                found.push(Identifier::Other { scheme: scheme.to_owned(), value });
            }
        }
    }
    found
}

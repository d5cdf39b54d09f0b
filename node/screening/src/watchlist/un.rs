//! The United Nations Security Council's consolidated list, as its XML file (schema sc-sanctions.xsd).
//!
//! Entries are `INDIVIDUAL` and `ENTITY`; names come in up to four parts, aliases with a quality, dates exact,
//! approximate or between two years. The file names its own date. A file whose root does not close was cut off.

use hansa_types::date::Date;
use quick_xml::Reader;
use quick_xml::events::Event;

use super::error::text;
use super::{
    BirthYears, Entry, EntryKind, Identifier, ListError, ListedName, Measure, Strength, Watchlist,
    compact_id, countries,
};

/// The name of the list.
pub const NAME: &str = "un";

const FILE: &str = "UN list";
const ROOT: &str = "CONSOLIDATED_LIST";
/// Deeper than any element of the schema.
const MAX_DEPTH: usize = 16;
/// Years that an approximate date may be off.
const APPROXIMATE: u16 = 1;

/// Reads the list as generated on `date`.
///
/// # Errors
/// [`ListError`] if it is cut off, not this schema or of another day, or an entry has no reference or name.
pub fn load(date: Date, bytes: &[u8]) -> Result<Watchlist, ListError> {
    let text = text(FILE, bytes)?;
    let mut scan = Scan::default();
    let mut reader = Reader::from_str(text);
    loop {
        let at = reader.buffer_position();
        let wrong = |detail: String| ListError::Row { file: FILE, line: line(text, at), detail };
        match reader.read_event().map_err(|e| wrong(e.to_string()))? {
            Event::Start(start) => {
                let name = String::from_utf8_lossy(start.local_name().as_ref()).into_owned();
                if scan.stack.is_empty() {
                    let generated =
                        start.try_get_attribute("dateGenerated").map_err(|e| wrong(e.to_string()))?;
                    let generated = generated.map(|value| String::from_utf8_lossy(&value.value).into_owned());
                    scan.begin(&name, generated.as_deref()).map_err(wrong)?;
                }
                scan.open(name).map_err(wrong)?;
            }
            Event::Text(value) => scan.text.push_str(&value.decode().map_err(|e| wrong(e.to_string()))?),
            Event::GeneralRef(reference) => {
                let character = reference.resolve_char_ref().map_err(|e| wrong(e.to_string()))?;
                let name: &[u8] = &reference;
                let named = match name {
                    b"amp" => Some('&'),
                    b"lt" => Some('<'),
                    b"gt" => Some('>'),
                    b"quot" => Some('"'),
                    b"apos" => Some('\''),
                    _ => character,
                };
                scan.text.push(named.ok_or_else(|| wrong("an entity that XML does not predefine".into()))?);
            }
            Event::CData(value) => scan.text.push_str(&String::from_utf8_lossy(&value)),
            Event::End(_) => scan.close().map_err(wrong)?,
            Event::DocType(_) => return Err(wrong("a document type, which the list does not have".into())),
            Event::Eof => break,
            Event::Empty(_) | Event::Comment(_) | Event::Decl(_) | Event::PI(_) => {}
        }
    }
    if !scan.stack.is_empty() || scan.date.is_none() {
        return Err(ListError::CutOff { file: FILE, end: "</CONSOLIDATED_LIST>" });
    }
    if let Some(found) = scan.date.filter(|found| *found != date) {
        return Err(ListError::Date { file: FILE, found, stated: date });
    }
    Watchlist::new(NAME, date, Measure::Freeze, scan.entries)
}

fn line(text: &str, at: u64) -> usize {
    let at = usize::try_from(at).unwrap_or(usize::MAX).min(text.len());
    text.as_bytes()[..at].iter().filter(|byte| **byte == b'\n').count() + 1
}

/// What was read so far.
#[derive(Default)]
struct Scan {
    date: Option<Date>,
    stack: Vec<String>,
    text: String,
    /// The entry's elements with their text: the group they are in, or nothing, then their name.
    fields: Vec<(String, String, String)>,
    entries: Vec<Entry>,
}

/// Elements between the root and an entry's own.
const ENTRY_DEPTH: usize = 3;

impl Scan {
    fn begin(&mut self, root: &str, generated: Option<&str>) -> Result<(), String> {
        if root != ROOT || self.date.is_some() {
            return Err(format!("{root} is not {ROOT}"));
        }
        let day = generated.and_then(|text| text.get(..10)).unwrap_or_default();
        let date = Date::try_from(day).map_err(|e| format!("dateGenerated: {e}"))?;
        self.date = Some(date);
        Ok(())
    }

    fn open(&mut self, name: String) -> Result<(), String> {
        if self.stack.len() == MAX_DEPTH {
            return Err(format!("elements within more than {MAX_DEPTH} others"));
        }
        self.stack.push(name);
        self.text.clear();
        Ok(())
    }

    fn close(&mut self) -> Result<(), String> {
        let depth = self.stack.len();
        let Some(name) = self.stack.pop() else { return Ok(()) };
        let value = std::mem::take(&mut self.text).trim().to_owned();
        if depth == ENTRY_DEPTH {
            let fields = std::mem::take(&mut self.fields);
            match name.as_str() {
                "INDIVIDUAL" => self.entries.push(entry(EntryKind::Person, &fields)?),
                "ENTITY" => self.entries.push(entry(EntryKind::Organisation, &fields)?),
                _ => {}
            }
        } else if depth > ENTRY_DEPTH {
            let group = if depth > ENTRY_DEPTH + 1 {
                self.stack.last().cloned().unwrap_or_default()
            } else {
                String::new()
            };
            self.fields.push((group, name, value));
        }
        Ok(())
    }
}

fn entry(kind: EntryKind, fields: &[(String, String, String)]) -> Result<Entry, String> {
    let all = |group: &str, name: &str| -> Vec<&str> {
        let wanted = |(g, n, v): &&(String, String, String)| g == group && n == name && !v.is_empty();
        fields.iter().filter(wanted).map(|(_, _, value)| value.as_str()).collect()
    };
    let id = all("", "REFERENCE_NUMBER").first().map(|id| (*id).to_owned()).unwrap_or_default();
    let parts: Vec<&str> = ["FIRST_NAME", "SECOND_NAME", "THIRD_NAME", "FOURTH_NAME"]
        .iter()
        .flat_map(|part| all("", part))
        .collect();
    if id.is_empty() || parts.is_empty() {
        return Err(format!("{id:?}, {:?}: a reference number and a name are wanted", parts.join(" ")));
    }
    let mut names = vec![ListedName { text: parts.join(" "), strength: Strength::Primary }];
    for original in all("", "NAME_ORIGINAL_SCRIPT") {
        push(&mut names, original, Strength::Strong);
    }
    let group = if kind == EntryKind::Person { "INDIVIDUAL_ALIAS" } else { "ENTITY_ALIAS" };
    let mut quality = "";
    for (_, name, value) in fields.iter().filter(|(g, ..)| g == group) {
        match name.as_str() {
            "QUALITY" => quality = value,
            "ALIAS_NAME" => {
                let strength = if quality == "Low" { Strength::Weak } else { Strength::Strong };
                // Some aliases are lists of their own.
                value.split(';').for_each(|alias| push(&mut names, alias.trim(), strength));
            }
            _ => {}
        }
    }
    let places = [("NATIONALITY", "VALUE"), ("INDIVIDUAL_ADDRESS", "COUNTRY"), ("ENTITY_ADDRESS", "COUNTRY")];
    let countries = places.iter().flat_map(|(group, name)| all(group, name)).filter_map(countries::by_name);
    let documents = all("INDIVIDUAL_DOCUMENT", "NUMBER").into_iter().map(compact_id);
    let number = |value: &String| value.len() >= 4 && value.bytes().any(|b| b.is_ascii_digit());
    Ok(Entry {
        id,
        kind,
        programmes: all("", "UN_LIST_TYPE").into_iter().map(str::to_owned).collect(),
        names,
        births: births(fields),
        countries: countries.collect(),
        identifiers: documents
            .filter(number)
            .map(|value| Identifier::Other { scheme: "document".to_owned(), value })
            .collect(),
    })
}

fn push(names: &mut Vec<ListedName>, text: &str, strength: Strength) {
    if !text.is_empty() && names.iter().all(|known| known.text != text) {
        names.push(ListedName { text: text.to_owned(), strength });
    }
}

/// Each group of a birth date begins with its type.
fn births(fields: &[(String, String, String)]) -> Vec<BirthYears> {
    let mut births: Vec<BirthYears> = Vec::new();
    let (mut approximate, mut from) = (0, None);
    for (_, name, value) in fields.iter().filter(|(group, ..)| group == "INDIVIDUAL_DATE_OF_BIRTH") {
        let year = value.get(..4).and_then(|year| year.parse::<u16>().ok());
        match (name.as_str(), year) {
            ("TYPE_OF_DATE", _) => approximate = u16::from(value == "APPROXIMATELY") * APPROXIMATE,
            ("YEAR" | "DATE", Some(year)) => births.push(BirthYears {
                from: year.saturating_sub(approximate),
                to: year.saturating_add(approximate),
            }),
            ("FROM_YEAR", year) => from = year,
            ("TO_YEAR", Some(to)) => {
                births.extend(from.take().map(|from| BirthYears { from, to: to.max(from) }));
            }
            _ => {}
        }
    }
    births
}

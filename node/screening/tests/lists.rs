//! The published lists of the shared data, whole.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod common;

use hansa_screening::names::{DEFAULT_THRESHOLD, Hints, Matcher};
use hansa_screening::watchlist::{Entry, EntryKind, Identifier, Watchlist, eu, ofac, un};

fn finds(list: Watchlist, name: &str, id: &str) {
    let lists = [list];
    let hits = Matcher::build(&lists).screen(&lists, name, &Hints::default(), DEFAULT_THRESHOLD);
    let found: Vec<_> = hits.iter().map(|hit| lists[0].entries[hit.entry].id.as_str()).collect();
    assert!(found.contains(&id), "{name}: {found:?}");
}

#[test]
fn the_united_nations_list() {
    let Some(path) = common::data("the_united_nations_list", "un/UN_consolidated.xml") else { return };
    let bytes = std::fs::read(path).unwrap();
    let date = "2026-02-27".try_into().unwrap();
    let list = un::load(date, &bytes).unwrap();
    assert!(un::load("2026-02-28".try_into().unwrap(), &bytes).is_err());
    let persons = list.entries.iter().filter(|entry| entry.kind == EntryKind::Person).count();
    assert_eq!((persons, list.entries.len() - persons), (730, 273));
    let badege = list.entries.iter().find(|entry| entry.id == "CDi.001").unwrap();
    assert_eq!((badege.names[0].text.as_str(), badege.births[0].from), ("ERIC BADEGE", 1971));
    assert_eq!(badege.countries.iter().map(ToString::to_string).collect::<Vec<_>>(), ["CD", "RW"]);
    for cut in [bytes.len() - 1, bytes.len() / 2, 100, 0] {
        assert!(un::load(date, &bytes[..cut]).is_err(), "{cut}");
    }
    finds(list.clone(), "Erik Badege", "CDi.001");
    // As the list has it in its own script, and spelt in ours.
    let arabic = list.entries.iter().flat_map(|e| &e.names).filter(|n| n.text.contains('\u{0645}')).count();
    assert!(arabic > 50, "{arabic}");
}

#[test]
fn annexes_of_european_regulations() {
    let Some(folder) = common::data("annexes_of_european_regulations", "eu") else { return };
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let date = "2025-06-01".try_into().unwrap();
    let (mut entries, mut others, mut bics, mut belarusian) = (0, 0, 0, 0);
    for path in files {
        let bytes = std::fs::read(&path).unwrap();
        let list = eu::load("eu", date, &bytes).unwrap();
        entries += list.entries.len();
        others += list.orphans;
        let identifiers = list.entries.iter().flat_map(|entry| &entry.identifiers);
        bics += identifiers.filter(|identifier| matches!(identifier, Identifier::Bic(_))).count();
        let of_belarus = |entry: &&Entry| entry.countries.iter().any(|country| country.as_str() == "BY");
        belarusian += list.entries.iter().filter(of_belarus).count();
        assert!(eu::load("eu", date, &bytes[1..]).is_err());
        if path.ends_with("32014R0269.csv") {
            assert!(eu::load("eu", date, &bytes[..bytes.len() / 2]).is_err());
            finds(list, "Sergei Valerievich Aksyonov", "32014R0269/I.PERSONS/1");
        }
    }
    assert_eq!((entries, others, bics), (3814, 72, 3));
    assert!(belarusian > 240, "{belarusian}");
    assert!(eu::load("eu", date, b"").is_err());
}

#[test]
fn ofacs_consolidated_list() {
    let Some(folder) = common::data("ofacs_consolidated_list", "ofac") else { return };
    let read = |name: &str| std::fs::read(folder.join(name)).unwrap();
    let (prim, alt, add) = (read("cons_prim.csv"), read("cons_alt.csv"), read("cons_add.csv"));
    let comments = read("cons_comments.csv");
    let files = ofac::Files { sdn: &prim, alt: Some(&alt), add: Some(&add), comments: Some(&comments) };
    let list = ofac::load_consolidated("2025-02-15".try_into().unwrap(), &files).unwrap();
    assert_eq!((list.name.as_str(), list.orphans), ("ofac-consolidated", 0));
    assert!(list.entries.len() > 400, "{}", list.entries.len());
}

//! Names that should be found, and names that should not.

use hansa_types::country::Country;
use hansa_types::date::Date;
use proptest::prelude::*;

use super::*;
use crate::watchlist::{Measure, table};

/// Names around the ones in question, so that weights have something to weigh.
const ROWS: &str = "\
p1,person,,\"PUTIN, Vladimir Vladimirovich\",,,1952,RU,,,,
p2,person,,\"LADEN, Usama bin\",Osama bin Laden,,1957,SA,,,,
p3,person,,\"HUSSEIN, Saddam\",,,1937,IQ,,,,
p4,person,,\"AHMAD, Ali Muhammad\",,,,,,,,
p5,person,,\"MUSTERMANN, Erika Maria\",,Erika,,DE,,,,
o1,organisation,,CRYSTALORD LIMITED,,,,,,,,
o2,organisation,,YA MAHDI INDUSTRIES GROUP,,,,,,,,
o3,organisation,,Gazprom OAO,Open Joint Stock Company Gazprom,,,RU,,,,
o4,organisation,,AL-QAIDA,,,,,,,,
v1,vessel,,LADY LEILA,,,,,,,,
";

fn lists() -> [Watchlist; 1] {
    let text = format!("{}\n{ROWS}", table::HEADER.join(","));
    [table::load("test", "2026-01-01".try_into().unwrap(), Measure::Freeze, text.as_bytes()).unwrap()]
}

fn best(name: &str, hints: &Hints) -> Option<(String, u16)> {
    let lists = lists();
    let hits = Matcher::build(&lists).screen(&lists, name, hints, DEFAULT_THRESHOLD);
    hits.first().map(|hit| (lists[0].entries[hit.entry].id.clone(), hit.score))
}

#[test]
fn spellings_find_their_entry() {
    for (name, entry) in [
        ("Vladimir Vladimirovich Putin", "p1"),
        ("PUTIN VLADIMIR VLADIMIROVICH", "p1"),
        ("Vladmir Vladimirovich Putin", "p1"),
        ("Владимир Владимирович Путин", "p1"),
        ("صدام حسين", "p3"),
        ("Vladimir Putin", "p1"),
        ("Vladimir V. Putin", "p1"),
        ("VladimirVladimirovich Putin", "p1"),
        ("Osama bin Ladin", "p2"),
        ("Usama ibn Laden", "p2"),
        ("Sadam Husein", "p3"),
        ("Crystalord Ltd.", "o1"),
        ("Yamahdi Industries Group", "o2"),
        ("Gazprom", "o3"),
        ("Al Qa'ida", "o4"),
        ("M/V LADY LEILA", "v1"),
    ] {
        assert_eq!(best(name, &Hints::default()).map(|(id, _)| id).as_deref(), Some(entry), "{name}");
    }
}

#[test]
fn strangers_find_nothing() {
    for name in
        ["", "...", "Boris Netanyahu", "Maria Ivanova", "Lady Rania", "Limited", "Group", "bin", "Ali Baba"]
    {
        assert_eq!(best(name, &Hints::default()), None, "{name}");
    }
}

#[test]
fn birth_and_country_weigh_in() {
    let hints = |year: &str, country: &str| Hints {
        birth: Some(Date::try_from(format!("{year}-01-01")).unwrap()),
        country: Some(Country::try_from(country).unwrap()),
    };
    let name = "Vladimir Vladimirovich Putin";
    assert_eq!(best(name, &hints("1953", "RU")), Some(("p1".to_owned(), 1000)));
    assert_eq!(best(name, &hints("1953", "DE")), Some(("p1".to_owned(), 980)));
    assert_eq!(best(name, &hints("1990", "RU")), Some(("p1".to_owned(), 850)));
    assert_eq!(best("Erika", &Hints::default()), Some(("p5".to_owned(), 950)));
}

#[test]
fn a_hit_is_explained_token_by_token() {
    let lists = lists();
    let hits = Matcher::build(&lists).screen(&lists, "V. Vladimirovitch Putin", &Hints::default(), 700);
    let explained: Vec<_> =
        hits[0].tokens.iter().map(|t| (t.query.as_str(), t.listed.as_str(), t.how)).collect();
    assert_eq!(
        explained,
        [
            ("putin", "putin", How::Same),
            ("vladimirovitch", "vladimirovich", How::Spelling),
            ("v", "vladimir", How::Initial)
        ]
    );
}

#[test]
fn an_empty_list_matches_nothing() {
    let matcher = Matcher::build(&[]);
    assert!(matcher.is_empty());
    assert_eq!(matcher.screen(&[], "Vladimir Putin", &Hints::default(), 600), []);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_name_panics_and_every_score_is_in_range(name in "\\PC{0,80}") {
        let lists = lists();
        let matcher = Matcher::build(&lists);
        for hit in matcher.screen(&lists, &name, &Hints::default(), 600) {
            prop_assert!((600..=1000).contains(&hit.score));
        }
        prop_assert!(matcher.compare(&name, "Vladimir Putin") <= 1000);
    }
}

//! Lists that are whole are read, others refused.

use super::*;

const DATE: &str = "2024-05-03";

fn date() -> Date {
    Date::try_from(DATE).unwrap()
}

const SDN: &str = "36,\"AEROCARIBBEAN AIRLINES\",-0- ,\"CUBA\",-0- ,-0- ,-0- ,-0- ,-0- ,-0- ,-0- ,-0- \r\n\
    35096,\"PUTIN, Vladimir Vladimirovich\",\"individual\",\"RUSSIA-EO14024] [UKRAINE-EO13661\",\"President\",-0- ,-0- ,\
    -0- ,-0- ,-0- ,-0- ,\"DOB 07 Oct 1952; POB St. Petersburg, Russia; nationality Russia; Gender Male; \
    a.k.a. 'VOVA'; Passport 100200300 (Russia).\"\r\n\
    17016,\"VTB BANK\",-0- ,\"RUSSIA\",-0- ,-0- ,-0- ,-0- ,-0- ,-0- ,-0- ,\"SWIFT/BIC VTBRRUMM; \
    Legal Entity Number 253400V1H6ART1UQ0N98; alt. DOB circa 1990\"\r\n\u{1a}";
const ALT: &str = "36,12,\"aka\",\"AERO-CARIBBEAN\",-0- \r\n99999,1,\"aka\",\"NEWER\",-0- \r\n\u{1a}\r\n";
const ADD: &str = "36,25,-0- ,\"Havana\",\"Cuba\",-0- \r\n\u{1a}";
const COMMENTS: &str = "17016,\"; SWIFT/BIC VTBRDEFF.\"\r\n\u{1a}";

fn load(sdn: &str) -> Result<Watchlist, ListError> {
    let (alt, add) = (Some(ALT.as_bytes()), Some(ADD.as_bytes()));
    ofac::load(date(), &ofac::Files { sdn: sdn.as_bytes(), alt, add, comments: Some(COMMENTS.as_bytes()) })
}

#[test]
fn ofac_rows_become_entries() {
    let list = load(SDN).unwrap();
    assert_eq!((list.entries.len(), list.orphans), (3, 1));
    let entry = |id: &str| list.entries.iter().find(|e| e.id == id).unwrap();
    let airline = entry("36");
    assert_eq!(
        airline.names[1],
        ListedName { text: "AERO-CARIBBEAN".to_owned(), strength: Strength::Strong }
    );
    assert_eq!(airline.countries, [Country::try_from("CU").unwrap()]);
    let person = entry("35096");
    assert_eq!(person.kind, EntryKind::Person);
    assert_eq!(person.programmes, ["RUSSIA-EO14024", "UKRAINE-EO13661"]);
    assert_eq!(person.births, [BirthYears { from: 1952, to: 1952 }]);
    assert_eq!(person.names[1].strength, Strength::Weak);
    let passport = Identifier::Other { scheme: "Passport".to_owned(), value: "100200300".to_owned() };
    assert_eq!(person.identifiers, [passport]);
    let bank = entry("17016");
    assert!(bank.identifiers.contains(&Identifier::Bic(Bic::try_from("VTBRRUMM").unwrap())));
    assert_eq!(bank.births, [BirthYears { from: 1989, to: 1991 }]);
}

#[test]
fn comments_continue_the_remarks() {
    let cut = SDN.replace("SWIFT/BIC VTBRRUMM;", "").replace("; alt. DOB circa 1990", "");
    let list = load(&cut).unwrap();
    let bank = list.entries.iter().find(|e| e.id == "17016").unwrap();
    assert!(bank.identifiers.contains(&Identifier::Bic(Bic::try_from("VTBRDEFF").unwrap())));
}

#[test]
fn broken_ofac_files_are_refused_whole() {
    assert_eq!(load(&SDN[..SDN.len() - 1]), Err(ListError::Truncated("sdn.csv")));
    assert!(matches!(load(&SDN[..300]), Err(ListError::Truncated(_))));
    let narrow = SDN.replace("36,\"AERO", "36,1,\"AERO");
    assert!(matches!(load(&narrow), Err(ListError::Row { line: 1, .. })));
    let quote = SDN.replace("\"President\"", "\"President");
    assert!(matches!(load(&quote), Err(ListError::Csv { .. })));
    let twice = SDN.replace("17016", "36");
    assert_eq!(load(&twice), Err(ListError::DuplicateId("36".to_owned())));
    let kind = SDN.replace("\"individual\"", "\"robot\"");
    assert!(matches!(load(&kind), Err(ListError::Row { line: 2, .. })));
    assert_eq!(load("\u{1a}"), Err(ListError::Empty));
}

#[test]
fn the_version_names_the_content() {
    let (one, same) = (load(SDN).unwrap(), load(SDN).unwrap());
    let other = load(&SDN.replace("VOVA", "VOVO")).unwrap();
    assert_eq!(one.version(), same.version());
    assert_ne!(one.digest(), other.digest());
    assert_eq!((one.version().name.as_str(), one.version().date.as_str()), ("ofac-sdn", DATE));
}

fn own(rows: &str) -> Result<Watchlist, ListError> {
    let text = format!("{}\n{rows}", table::HEADER.join(","));
    table::load("own", date(), Measure::Review, text.as_bytes())
}

#[test]
fn our_own_table_is_read() {
    let row = "x1,person,fraud,Erik Mustermann,E. Mustermann;Eric M,Mule,1980-02-03;1981,DE,DEUTDEFF,,\
               DE89370400440532013000,passport:C01 X0-1\n";
    let list = own(row).unwrap();
    let entry = &list.entries[0];
    assert_eq!(entry.names.len(), 4);
    assert_eq!(entry.births.len(), 2);
    let passport = Identifier::Other { scheme: "passport".to_owned(), value: "C01X01".to_owned() };
    assert!(entry.identifiers.contains(&passport));
    assert_eq!(entry.identifiers.len(), 3);
}

#[test]
fn rows_of_our_own_table_that_are_wrong_are_named() {
    for row in [
        "x1,person,,",
        "x1,ghost,,Name,,,,,,,,",
        ",person,,Name,,,,,,,,",
        "x1,person,,Name,,,31.12.80,,,,,",
        "x1,person,,Name,,,,Germany,,,,",
        "x1,person,,Name,,,,,,,DE00,",
        "x1,person,,Name,,,,,,,,123",
    ] {
        assert!(matches!(own(row), Err(ListError::Row { line: 2, .. })), "{row}");
    }
    assert_eq!(own(""), Err(ListError::Empty));
    let bad_header = table::load("own", date(), Measure::Review, b"id,name\n1,x");
    assert!(matches!(bad_header, Err(ListError::Row { line: 1, .. })));
}

const UN: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<CONSOLIDATED_LIST dateGenerated="2024-05-03T00:00:00Z"><INDIVIDUALS><INDIVIDUAL>
  <FIRST_NAME>ANNA</FIRST_NAME><SECOND_NAME>EXAMPLE &amp; SONS</SECOND_NAME><UN_LIST_TYPE>DRC</UN_LIST_TYPE>
  <REFERENCE_NUMBER>XXi.001</REFERENCE_NUMBER><NATIONALITY><VALUE>Russian Federation</VALUE></NATIONALITY>
  <INDIVIDUAL_ALIAS><QUALITY>Low</QUALITY><ALIAS_NAME>Nan; Annie</ALIAS_NAME></INDIVIDUAL_ALIAS>
  <INDIVIDUAL_ALIAS><QUALITY>Good</QUALITY><ALIAS_NAME>Anna Beispiel</ALIAS_NAME></INDIVIDUAL_ALIAS>
  <INDIVIDUAL_DATE_OF_BIRTH><TYPE_OF_DATE>BETWEEN</TYPE_OF_DATE><FROM_YEAR>1960</FROM_YEAR><TO_YEAR>1962</TO_YEAR>
  </INDIVIDUAL_DATE_OF_BIRTH><INDIVIDUAL_DATE_OF_BIRTH><TYPE_OF_DATE>APPROXIMATELY</TYPE_OF_DATE><YEAR>1970</YEAR>
  </INDIVIDUAL_DATE_OF_BIRTH><INDIVIDUAL_DOCUMENT><NUMBER>P 123-456</NUMBER></INDIVIDUAL_DOCUMENT>
</INDIVIDUAL></INDIVIDUALS><ENTITIES><ENTITY><FIRST_NAME>EXAMPLE GROUP</FIRST_NAME>
  <REFERENCE_NUMBER>XXe.001</REFERENCE_NUMBER><ENTITY_ADDRESS><COUNTRY>Mali</COUNTRY></ENTITY_ADDRESS></ENTITY></ENTITIES>
</CONSOLIDATED_LIST>"#;

#[test]
fn the_united_nations_elements_become_entries() {
    let list = un::load(date(), UN.as_bytes()).unwrap();
    let [group, person] = &list.entries[..] else { panic!("{list:?}") };
    assert_eq!((group.kind, person.kind), (EntryKind::Organisation, EntryKind::Person));
    let names: Vec<_> = person.names.iter().map(|name| (name.text.as_str(), name.strength)).collect();
    let expected = [
        ("ANNA EXAMPLE & SONS", Strength::Primary),
        ("Nan", Strength::Weak),
        ("Annie", Strength::Weak),
        ("Anna Beispiel", Strength::Strong),
    ];
    assert_eq!(names, expected);
    assert_eq!(person.births, [BirthYears { from: 1960, to: 1962 }, BirthYears { from: 1969, to: 1971 }]);
    assert_eq!(person.countries, [Country::try_from("RU").unwrap()]);
    let document = Identifier::Other { scheme: "document".to_owned(), value: "P123456".to_owned() };
    assert_eq!(person.identifiers, [document]);
}

#[test]
fn broken_united_nations_files_are_refused_whole() {
    for at in (0..UN.len()).filter(|at| UN.is_char_boundary(*at)) {
        assert!(un::load(date(), &UN.as_bytes()[..at]).is_err(), "cut at {at}");
    }
    let spoilt = |from: &str, to: &str| un::load(date(), UN.replace(from, to).as_bytes()).unwrap_err();
    assert!(matches!(spoilt("2024-05-03", "2024-05-04"), ListError::Date { .. }));
    assert!(matches!(spoilt("XXi.001", ""), ListError::Row { line: 10, .. }));
    assert!(matches!(spoilt("XXi.001", "XXe.001"), ListError::DuplicateId(_)));
    assert!(matches!(spoilt("CONSOLIDATED_LIST", "LIST"), ListError::Row { .. }));
    assert!(matches!(spoilt("&amp;", "&unknown;"), ListError::Row { .. }));
    let bomb = UN.replace("<CONSOLIDATED", "<!DOCTYPE x [<!ENTITY a \"b\">]><CONSOLIDATED");
    assert!(un::load(date(), bomb.as_bytes()).is_err());
    let deep = UN.replace("ANNA", &"<A>".repeat(40));
    assert!(un::load(date(), deep.as_bytes()).is_err());
}

const EU: &str = "celex,recordId,programKey,annex,measure,schema,name,alias,nationality,birthDate,swiftBic,passportNumber\n\
    32024R0001,1,EU-XXX,I,Asset freeze,Person,Anna EXAMPLE,\u{2018}Nan\u{2019}; Anna BEISPIEL / Анна,Russian and Ukrainian,9.11.1972,,\"P123456 (Malian, 2013)\"\n\
    32024R0001,,EU-XXX,II,Asset freeze,LegalEntity,Example Bank,,,circa 1990,VTBRRUMM,\n\
    32024R0001,,EU-XXX,II,Asset freeze,LegalEntity,Example Bank,,,,,\n\
    32024R0001,,EU-XXX,III,Export control,LegalEntity,Example Works,,,,,\n";

#[test]
fn annexes_of_a_regulation_become_entries() {
    let list = eu::load("eu-1", date(), EU.as_bytes()).unwrap();
    let ids: Vec<_> = list.entries.iter().map(|entry| entry.id.as_str()).collect();
    let expected = ["32024R0001/I/1", "32024R0001/II/Example Bank", "32024R0001/II/Example Bank #2"];
    assert_eq!((ids, list.orphans), (expected.to_vec(), 1));
    let person = &list.entries[0];
    let names: Vec<_> = person.names.iter().map(|name| name.text.as_str()).collect();
    assert_eq!(names, ["Anna EXAMPLE", "Nan", "Anna BEISPIEL", "Анна"]);
    assert_eq!(person.births, [BirthYears { from: 1972, to: 1972 }]);
    assert_eq!(person.countries.iter().map(Country::as_str).collect::<Vec<_>>(), ["RU", "UA"]);
    let passport = Identifier::Other { scheme: "passport".to_owned(), value: "P123456".to_owned() };
    assert_eq!(person.identifiers, [passport]);
    assert_eq!(list.entries[1].identifiers, [Identifier::Bic(Bic::try_from("VTBRRUMM").unwrap())]);
}

#[test]
fn broken_tables_of_a_regulation_are_refused_whole() {
    let refused = |text: &str| eu::load("eu", date(), text.as_bytes()).unwrap_err();
    assert!(matches!(refused(&EU.replace("celex", "x")), ListError::Row { line: 1, .. }));
    assert!(matches!(refused(&EU.replace(",circa 1990", "")), ListError::Row { line: 3, .. }));
    assert!(matches!(refused(&EU.replace("Person", "Planet")), ListError::Row { line: 2, .. }));
    assert!(matches!(refused(&EU.replace("Anna EXAMPLE", "")), ListError::Row { line: 2, .. }));
    assert!(matches!(refused(EU.lines().next().unwrap()), ListError::Empty));
    assert!(matches!(refused(&EU[..EU.find("2013").unwrap()]), ListError::Csv { .. }));
}

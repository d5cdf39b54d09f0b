//! What is kept is found again, and what is damaged is said.

use std::path::Path;

use hansa_api::model::ListFiles;
use hansa_screening::model::DEFAULT;
use hansa_screening::watchlist::Measure;
use hansa_screening::{History, Known};
use hansa_types::id::Timestamp;
use hansa_types::payment::Payment;

use super::*;
use crate::config::{ListConfig, ListFormat, ScreeningConfig};

const LIST: &str = include_str!("../../../testnet/samples/watchlist.csv");

/// The archive in `folder`, opened as a start does, and the screener that it holds.
fn open(folder: &Path) -> (Archive, Screener) {
    let path = folder.join("list.csv");
    fs::write(&path, LIST).unwrap();
    let list = ListConfig {
        date: Some("2026-11-20".try_into().unwrap()),
        path: Some(path),
        measure: Measure::Freeze,
        ..ListConfig::new("samples", ListFormat::Csv)
    };
    let archive = Archive::open(folder.join("archive")).unwrap();
    let config = ScreeningConfig { lists: vec![list], ..ScreeningConfig::default() };
    let loaded = load::loaded(&config, Some(&archive)).unwrap();
    loaded.keep(&archive).unwrap();
    (archive, loaded.screener)
}

#[test]
fn what_was_loaded_is_kept_whole_and_what_is_damaged_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("archive");
    let (archive, screener) = open(folder.path());
    assert_eq!(archive.missing().unwrap(), [""; 0]);
    let version = screener.lists()[0].version();
    let list = dir.join(LISTS).join(list_name(&version));
    let whole = fs::read(&list).unwrap();
    fs::write(&list, &whole[..whole.len() - 40]).unwrap();
    let model = dir.join(MODELS).join(RiskModel::default_model().model.digest().to_string());
    assert_eq!(fs::read_to_string(&model).unwrap(), DEFAULT);
    fs::remove_file(&model).unwrap();
    let missing = archive.missing().unwrap();
    assert!(missing.len() == 2 && missing[0].contains("the list samples of 2026-11-20"), "{missing:?}");
    assert_eq!(open(folder.path()).0.missing().unwrap(), [""; 0], "the next start writes them again");
}

#[test]
fn a_decision_is_taken_again_by_what_it_cites() {
    let folder = tempfile::tempdir().unwrap();
    let (archive, screener) = open(folder.path());
    let decide = |screener: &Screener| {
        screener.assess(&Payment::default(), &History::default(), Known::default(), Timestamp(9)).decision
    };
    let decision = decide(&screener);
    assert_eq!(decide(&archive.screener_of(&decision).unwrap()), decision);
    let unknown = Decision { rules: Digest([1; 32]), ..decision };
    assert!(matches!(archive.screener_of(&unknown), Err(BasisError::Missing(_))));
}

#[test]
fn a_list_in_use_comes_before_older_files() {
    let folder = tempfile::tempdir().unwrap();
    let (archive, screener) = open(folder.path());
    let files = ListFiles { main: LIST.into(), ..ListFiles::default() };
    let config = ListConfig::new("samples", ListFormat::Csv);
    let newer = RawList::new(&config, "2026-11-21".try_into().unwrap(), files);
    let version = load::parse_list(&newer).unwrap().version();
    archive.add_list(&version, &newer).unwrap();
    let note = InUse { version: version.clone(), over: None, unlogged: None };
    archive.use_list(&note).unwrap();
    assert_eq!(archive.in_use("samples").unwrap(), Some(note));
    let (archive, with_newer) = open(folder.path());
    // The measure is the configuration's, whatever it was when the list came.
    let measure = screener.lists()[0].measure;
    let in_use = &with_newer.lists()[0];
    assert_eq!((in_use.date.to_string().as_str(), in_use.measure), ("2026-11-21", measure));
    assert_ne!(in_use.version().digest, version.digest, "another measure is another list");
    assert_eq!(archive.versions("samples").unwrap().len(), 2);
    assert_eq!(screener.lists()[0].date.to_string(), "2026-11-20");
}

#[test]
fn an_older_list_comes_before_the_files_only_where_it_was_to() {
    let folder = tempfile::tempdir().unwrap();
    let (archive, _) = open(folder.path());
    let files = ListFiles { main: LIST.into(), ..ListFiles::default() };
    let config = ListConfig::new("samples", ListFormat::Csv);
    let older = RawList::new(&config, "2026-11-19".try_into().unwrap(), files);
    let version = load::parse_list(&older).unwrap().version();
    archive.add_list(&version, &older).unwrap();
    let date = |over: Option<&str>| {
        let over = over.map(|date| date.try_into().unwrap());
        archive.use_list(&InUse { version: version.clone(), over, unlogged: None }).unwrap();
        open(folder.path()).1.lists()[0].date.to_string()
    };
    assert_eq!(date(None), "2026-11-20");
    assert_eq!(date(Some("2026-11-20")), "2026-11-19", "it was forced over these files");
    assert_eq!(date(Some("2026-11-18")), "2026-11-20", "these files came later");
}

#[test]
fn what_is_there_and_cannot_be_read_is_not_taken_for_absent() {
    let folder = tempfile::tempdir().unwrap();
    let (archive, _) = open(folder.path());
    let note = folder.path().join("archive").join(IN_USE).join(hex::encode("samples"));
    fs::write(&note, "nonsense").unwrap();
    assert!(matches!(archive.in_use("samples"), Err(BasisError::Damaged(_))));
    fs::remove_file(&note).unwrap();
    fs::create_dir(&note).unwrap();
    assert!(matches!(archive.in_use("samples"), Err(BasisError::Archive(_))));
    archive.roll_back(b"bad", DEFAULT.as_bytes()).unwrap();
    assert_eq!(archive.instead_of(b"bad").unwrap().as_deref(), Some(DEFAULT.as_bytes()));
    assert_eq!(archive.instead_of(b"other").unwrap(), None);
    fs::write(folder.path().join("archive").join(ROLLED_BACK), "nonsense").unwrap();
    assert!(matches!(archive.instead_of(b"bad"), Err(BasisError::Damaged(_))));
}

#[test]
fn a_list_is_known_by_the_name_that_the_bank_gave_it() {
    const SDN: &str =
        "36,\"NORTHWIND TRADING\",-0- ,\"SAMPLE\",-0- ,-0- ,-0- ,-0- ,-0- ,-0- ,-0- ,-0- \r\n\u{1a}";
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sdn.csv");
    fs::write(&path, SDN).unwrap();
    let config = ListConfig {
        date: Some("2026-11-20".try_into().unwrap()),
        path: Some(path),
        ..ListConfig::new("sdn", ListFormat::OfacCsv)
    };
    let archive = Archive::open(folder.path().join("archive")).unwrap();
    let files = ListFiles { main: SDN.into(), ..ListFiles::default() };
    let newer = RawList::new(&config, "2026-11-21".try_into().unwrap(), files);
    let version = load::parse_list(&newer).unwrap().version();
    assert_eq!(version.name, "sdn");
    archive.add_list(&version, &newer).unwrap();
    archive.use_list(&InUse { version: version.clone(), over: None, unlogged: None }).unwrap();
    let config = ScreeningConfig { lists: vec![config], ..ScreeningConfig::default() };
    let loaded = load::loaded(&config, Some(&archive)).unwrap();
    assert_eq!(loaded.screener.lists()[0].version(), version, "what was imported outlives a start");
}

//! Screening names against OFAC's list of 2024-05-03 with the aliases of February 2025: how right, and how fast.
//!
//! Misspelt names are made from the list by one edit, with a seed of their own: the tests that the matcher was written
//! against use another. The labelled pairs were looked at while vowels were weighed, and one STRONG pair among them is why
//! names in scripts without short vowels have a rule of their own; what is reported on them says how they are fitted, not
//! how well others would be.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use hansa_screening::names::{DEFAULT_THRESHOLD, Hints, Matcher};
use hansa_screening::watchlist::{Entry, EntryKind, ListedName, Measure, Strength, Watchlist, csv, ofac};
use hansa_types::date::Date;
use rand::rngs::StdRng;
use rand::seq::SliceRandom as _;
use rand::{Rng, SeedableRng};

use super::figure::{Figure, Target};
use super::peer::{Peer, Peers};
use super::plan::timed;
use super::sample::Sample;
use super::{BenchError, BenchName, child};
use crate::data;

const RECALL: Target = Target::value_at_least(0.98);
const ALERTS: Target = Target::value_at_most(0.002);
const F1: Target = Target::value_at_least(0.82);
const STRONG_WRONG: Target = Target::value_at_most(0.0);
const PER_CORE: Target = Target::value_at_least(50_000.0);
const P99_MS: Target = Target::value_at_most(1.0);
const MEMORY_MB: Target = Target::value_at_most(1_000.0);
const LOAD_SECONDS: Target = Target::value_at_most(2.0);
/// Misspelt names.
const MISSPELT: usize = 200;
const SEED: u64 = 20_250_215;
/// Names of a pass, all different, and passes.
const PASS: usize = 10_000;
const PASSES: usize = 5;
/// Names that the peer screens between two of our passes: it takes milliseconds for each.
const PEER_PASS: usize = 50;
/// Entries of the long list.
const MILLION: usize = 1_000_000;

/// The hidden option that makes a child of this program, with the file of names as its value.
pub(super) const OPTION: &str = "--names-child";
const FILES: [&str; 6] = [
    "ofac/sdn-2024-05-03.csv",
    "ofac/alt-2025-02.csv",
    "ofac/add-2025-02.csv",
    "names/negatives_us.csv",
    "names/nk_cases_open.csv",
    "names/ofac_fixtures.csv",
];

/// All figures; without the data they are skipped.
pub(super) fn measure(peers: &Peers) -> Result<Vec<Figure>, BenchError> {
    let paths: Vec<Option<PathBuf>> = FILES.iter().map(|name| data::file(name)).collect();
    let Some(paths) = paths.into_iter().collect::<Option<Vec<PathBuf>>>() else {
        let names = [
            "recall",
            "alerts",
            "pairs_f1",
            "pairs_strong_wrong",
            "per_core",
            "p99",
            "ofac_rank",
            "memory_1m",
            "load",
        ];
        let reason = "needs the shared data: set HANSA_DATA to its folder";
        return Ok(names.map(|name| Figure::skipped(&format!("names.{name}"), "", reason)).into());
    };
    let files: Vec<Vec<u8>> = paths
        .iter()
        .map(|path| std::fs::read(path).map_err(|source| BenchError::Read { path: path.clone(), source }))
        .collect::<Result<_, _>>()?;
    let began = Instant::now();
    let list = ofac(&files)?;
    let lists = [list];
    let matcher = Matcher::build(&lists);
    let load = began.elapsed().as_secs_f64();

    let strangers = strangers(&files[3]);
    let misspelt = misspelt(&lists[0]);
    let found = |(name, entry): &&(String, usize)| {
        let hits = matcher.screen(&lists, name, &Hints::default(), DEFAULT_THRESHOLD);
        hits.iter().any(|hit| hit.entry == *entry)
    };
    let recall = misspelt.iter().filter(found).count() as f64 / misspelt.len() as f64;
    let alerted =
        |name: &&String| !matcher.screen(&lists, name, &Hints::default(), DEFAULT_THRESHOLD).is_empty();
    let alerts = strangers.iter().filter(alerted).count() as f64 / strangers.len() as f64;
    let (f1, strong_wrong) = pairs(&matcher, &files[4])?;
    let mut figures = vec![
        Figure::exact("names.recall", "share", recall).with_target(RECALL),
        Figure::exact("names.alerts", "share", alerts).with_target(ALERTS),
        Figure::exact("names.pairs_f1", "", f1).with_target(F1),
        Figure::exact("names.pairs_strong_wrong", "", strong_wrong).with_target(STRONG_WRONG),
    ];
    let listed = lists[0].entries.iter().flat_map(|entry| &entry.names).map(|name| name.text.as_str());
    let mut peer = rapidfuzz(peers, &listed.collect::<Vec<_>>(), &strangers)?;
    figures.extend(speed(&matcher, &lists, &strangers, &misspelt, peer.as_mut())?);
    figures.push(Figure::exact("names.ofac_rank", "correlation", rank_agreement(&matcher, &files[5])?));
    figures.push(memory(&paths[3])?);
    figures.push(Figure::exact("names.load", "s", load).with_target(LOAD_SECONDS));
    Ok(figures)
}

fn failed(reason: impl std::fmt::Display) -> BenchError {
    BenchError::failed(BenchName::Names, reason)
}

fn ofac(files: &[Vec<u8>]) -> Result<Watchlist, BenchError> {
    let parts = ofac::Files { sdn: &files[0], alt: Some(&files[1]), add: Some(&files[2]), comments: None };
    ofac::load(Date::new(2024, 5, 3).map_err(failed)?, &parts).map_err(failed)
}

fn rows(file: &[u8]) -> Result<Vec<Vec<String>>, BenchError> {
    let rows = csv::rows(std::str::from_utf8(file).map_err(failed)?).map_err(failed)?;
    Ok(rows.into_iter().skip(1).map(|row| row.fields).collect())
}

/// Full names of persons who are not listed, all different.
fn strangers(file: &[u8]) -> Vec<String> {
    let mut names: Vec<String> = rows(file)
        .unwrap_or_default()
        .into_iter()
        .filter_map(|mut fields| (!fields.is_empty()).then(|| fields.swap_remove(0)))
        .collect();
    names.sort();
    names.dedup();
    names.shuffle(&mut StdRng::seed_from_u64(SEED));
    names
}

/// Listed persons as they are spoken, with one edit in a token of five letters or more.
fn misspelt(list: &Watchlist) -> Vec<(String, usize)> {
    let mut rng = StdRng::seed_from_u64(SEED);
    let persons = list.entries.iter().enumerate().filter(|(_, entry)| entry.kind == EntryKind::Person);
    let persons: Vec<(usize, &Entry)> = persons.collect();
    let chosen: Vec<_> = persons.choose_multiple(&mut rng, MISSPELT).copied().collect();
    chosen
        .into_iter()
        .map(|(at, entry)| {
            let name = &entry.names[0].text;
            let spoken = name.split_once(',').map(|(last, first)| format!("{} {last}", first.trim()));
            (edited(&spoken.unwrap_or_else(|| name.clone()), &mut rng), at)
        })
        .collect()
}

fn edited(name: &str, rng: &mut StdRng) -> String {
    let mut words: Vec<String> = name.split_whitespace().map(str::to_lowercase).collect();
    let long: Vec<usize> = (0..words.len()).filter(|i| words[*i].chars().count() >= 5).collect();
    if let Some(&at) = long.choose(rng) {
        let mut letters: Vec<char> = words[at].chars().collect();
        let j = rng.gen_range(1..letters.len() - 1);
        match rng.gen_range(0..3) {
            0 => drop(letters.remove(j)),
            1 => letters[j] = b"aeiou"[rng.gen_range(0..5)].into(),
            _ => letters.swap(j, j + 1),
        }
        words[at] = letters.into_iter().collect();
    }
    words.join(" ")
}

/// F1 on the labelled pairs, and how many of those that must be right are wrong.
fn pairs(matcher: &Matcher, file: &[u8]) -> Result<(f64, f64), BenchError> {
    let (mut both, mut wrong, mut strong) = (0, 0, 0);
    for row in rows(file)? {
        let [_, _, one, other, truth, quality, ..] = row.as_slice() else { continue };
        let (predicted, truth) = (matcher.compare(one, other) >= DEFAULT_THRESHOLD, truth == "true");
        both += u32::from(predicted && truth);
        wrong += u32::from(predicted != truth);
        strong += u32::from(predicted != truth && quality == "STRONG");
    }
    Ok((2.0 * f64::from(both) / f64::from(2 * both + wrong).max(1.0), f64::from(strong)))
}

/// Names a second, none twice, and the time that all but one in a hundred stay below.
fn speed(
    matcher: &Matcher,
    lists: &[Watchlist],
    strangers: &[String],
    misspelt: &[(String, usize)],
    mut peer: Option<&mut Peer>,
) -> Result<Vec<Figure>, BenchError> {
    let screen = |name: &str| matcher.screen(lists, name, &Hints::default(), DEFAULT_THRESHOLD);
    let (mut rates, mut peer_rates) = (Vec::new(), Vec::new());
    for pass in strangers.chunks_exact(PASS).take(PASSES) {
        let (hits, taken) = timed(|| pass.iter().map(|name| screen(name).len()).sum::<usize>());
        rates.push(pass.len() as f64 / taken.as_secs_f64());
        std::hint::black_box(hits);
        if let Some(peer) = &mut peer {
            let taken = peer.ask(&format!("names {PEER_PASS}"))?;
            peer_rates.push(PEER_PASS as f64 / taken.as_secs_f64());
        }
    }
    let mixed = strangers.iter().take(PASS).chain(misspelt.iter().map(|(name, _)| name));
    let times: Vec<Duration> = mixed.map(|name| timed(|| std::hint::black_box(screen(name))).1).collect();
    let times = Sample::of_durations(&times).ok_or_else(|| failed("no name was screened"))?;
    let rate = Sample::new(rates).ok_or_else(|| failed("too few names for a pass"))?;
    let theirs = Sample::new(peer_rates).zip(peer.map(|peer| peer.name().to_owned()));
    let theirs = theirs.map(|(rates, name)| super::PeerFigure { name, value: rates.median() });
    Ok(vec![
        Figure::of_sample("names.per_core", "per s", &rate).beside(theirs).with_target(PER_CORE),
        Figure::exact("names.p99", "ms", times.percentile(0.99)).with_target(P99_MS),
    ])
}

/// Spearman's rank correlation of our likeness with the scores of OFAC's own search site.
fn rank_agreement(matcher: &Matcher, file: &[u8]) -> Result<f64, BenchError> {
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for row in rows(file)? {
        let [query, result, score, ..] = row.as_slice() else { continue };
        ours.push(f64::from(matcher.compare(query, result)));
        theirs.push(score.trim().parse::<f64>().map_err(failed)?);
    }
    let (ours, theirs) = (ranks(&ours), ranks(&theirs));
    let mean = (ours.len() as f64 + 1.0) / 2.0;
    let product = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| (a - mean) * (b - mean)).sum::<f64>();
    Ok(product(&ours, &theirs) / (product(&ours, &ours) * product(&theirs, &theirs)).sqrt())
}

/// Ranks from 1; equal values share the mean of theirs.
fn ranks(values: &[f64]) -> Vec<f64> {
    let below = |value: f64| values.iter().filter(|other| **other < value).count() as f64;
    let equal = |value: f64| values.iter().filter(|other| **other == value).count() as f64;
    values.iter().map(|value| below(*value) + f64::midpoint(equal(*value), 1.0)).collect()
}

/// The peak memory of a process that indexes a million names.
fn memory(names: &Path) -> Result<Figure, BenchError> {
    let program = std::env::current_exe()?;
    let mut process = Peer::start(Command::new(program).args(["bench", OPTION]).arg(names))?;
    let peak = process.number(child::PEAK)? as f64 / 1e6;
    Ok(Figure::exact("names.memory_1m", "MB", peak).with_target(MEMORY_MB))
}

/// A list of a million persons whose names are made of those in `file`.
fn million(file: &Path) -> Result<Watchlist, BenchError> {
    let bytes = std::fs::read(file).map_err(|source| BenchError::Read { path: file.to_owned(), source })?;
    let rows = rows(&bytes)?;
    let part = |row: usize, field: usize| rows[row % rows.len()].get(field).cloned().unwrap_or_default();
    let entry = |at: usize| Entry {
        id: at.to_string(),
        kind: EntryKind::Person,
        names: vec![ListedName {
            text: format!("{} {} {}", part(at, 1), part(at / 7 + 13, 2), part(at.wrapping_mul(31) / 5, 3)),
            strength: Strength::Primary,
        }],
        programmes: Vec::new(),
        births: Vec::new(),
        countries: Vec::new(),
        identifiers: Vec::new(),
    };
    let date = Date::new(2026, 1, 1).map_err(failed)?;
    Watchlist::new("million", date, Measure::Review, (0..MILLION).map(entry).collect()).map_err(failed)
}

/// Answers in the child process: indexes the million, and says what that took at the most.
pub(super) fn serve(file: &Path) -> Result<(), BenchError> {
    child::serve_peak(|| {
        let lists = [million(file)?];
        let matcher = Matcher::build(&lists);
        std::hint::black_box(matcher.screen(&lists, "Vladimir Putin", &Hints::default(), DEFAULT_THRESHOLD));
        Ok(())
    })
}

/// rapidfuzz with these names, if peers were asked for.
fn rapidfuzz(peers: &Peers, listed: &[&str], queries: &[String]) -> Result<Option<Peer>, BenchError> {
    let folder = tempfile::tempdir()?;
    let [names, asked] = ["listed", "queries"].map(|name| folder.path().join(name));
    std::fs::write(&names, listed.join("\n"))?;
    std::fs::write(&asked, queries.join("\n"))?;
    // The peer has read both when it is ready.
    Ok(peers.rapidfuzz(&names, &asked)?)
}

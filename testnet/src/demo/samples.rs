//! Step 6: the sample messages give what they should, and real messages are screened against the real list.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use hansa_api::model::{AnswerStatus, PaymentAnswer, Submission};
use hansa_api::{Client, ClientError};
use hansa_types::decision::Verdict;
use serde::Deserialize;

use super::{DemoError, Stage, expect};
use crate::data;

/// The day the sample list and the real one are of.
const SAMPLE_DATE: &str = "2026-11-20";
const OFAC_DATE: &str = "2024-05-03";

/// A line of `expected.csv`.
#[derive(Debug, Deserialize)]
struct Expected {
    file: String,
    transaction: Option<usize>,
    outcome: String,
    reason: String,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("samples")
}

/// The samples' watch list, as a bank's configuration names it.
pub(super) fn list_toml() -> String {
    let path = folder().join("watchlist.csv");
    format!(
        "[[screening.lists]]\nname = \"samples\"\ndate = \"{SAMPLE_DATE}\"\nformat = \"csv\"\npath = {path:?}\n\
         measure = \"freeze\"\n\n"
    )
}

/// OFAC's list, as a bank's configuration names it.
pub(super) fn ofac_toml(sdn: &Path, aliases: Option<&Path>) -> String {
    let aliases = aliases.map_or(String::new(), |path| format!("aliases = {path:?}\n"));
    format!(
        "[[screening.lists]]\nname = \"ofac-sdn\"\ndate = \"{OFAC_DATE}\"\nformat = \"ofac-csv\"\npath = {sdn:?}\n{aliases}\n"
    )
}

/// Plays the step.
pub(super) fn play(stage: &mut Stage) -> Result<(), DemoError> {
    stage.story.step("Sample messages of every kind, and real ones against the real OFAC list");
    let mut reader = csv::Reader::from_path(folder().join("expected.csv"))
        .map_err(|error| DemoError::Observed(format!("expected.csv: {error}")))?;
    let mut files: BTreeMap<String, Vec<Expected>> = BTreeMap::new();
    for row in reader.deserialize() {
        let row: Expected = row.map_err(|error| DemoError::Observed(format!("expected.csv: {error}")))?;
        files.entry(row.file.clone()).or_default().push(row);
    }
    let client = stage.nodes[0].client()?;
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for (file, expected) in &files {
        let message = read(&folder().join("messages").join(file))?;
        let outcomes = outcomes(&client, &message)?;
        expect(outcomes.len() == expected.len(), || format!("{file}: {} answers", outcomes.len()))?;
        for (outcome, expected) in outcomes.into_iter().zip(expected) {
            let wanted = expected.outcome.split(':').next().unwrap_or_default();
            expect(outcome.0 == wanted && outcome.1 == expected.reason, || {
                format!(
                    "{file} {:?}: {wanted} {} expected, {outcome:?} given",
                    expected.transaction, expected.reason
                )
            })?;
            *counts.entry(outcome.0).or_default() += 1;
        }
        let size = client.status()?.log.size;
        again(&client, file, &message, expected)?;
        expect(client.status()?.log.size == size, || format!("{file} again was logged again"))?;
    }
    let counts: Vec<String> = counts.iter().map(|(outcome, count)| format!("{count} {outcome}")).collect();
    stage.story.tell(format!("bank-a: {} sample messages as expected: {}", files.len(), counts.join(", ")));
    stage.story.tell("bank-a: each of them again: the same answer, and nothing is logged twice");
    real(stage)
}

/// Outcome and first reason of each payment of a message, or of its refusal.
fn outcomes(client: &Client, message: &[u8]) -> Result<Vec<(String, String)>, DemoError> {
    match client.submit(message, true) {
        Ok(submission) => Ok(submission.payments.iter().map(outcome).collect()),
        Err(ClientError::Refused(problem)) if problem.status < 500 => {
            Ok(vec![("refused".into(), String::new())])
        }
        Err(error) => Err(error.into()),
    }
}

fn outcome(answer: &PaymentAnswer) -> (String, String) {
    if answer.status == AnswerStatus::Duplicate {
        return ("duplicate".into(), String::new());
    }
    let reasons = answer.internal.as_ref().map(|internal| internal.reasons.as_slice()).unwrap_or_default();
    let verdict = answer.verdict.map_or("none".to_owned(), |verdict| verdict.to_string());
    (verdict, reasons.first().map_or(String::new(), ToString::to_string))
}

/// The same request gets the same answer, marked as repeated.
fn again(client: &Client, file: &str, message: &[u8], expected: &[Expected]) -> Result<(), DemoError> {
    if expected.iter().any(|row| row.outcome.starts_with("refused") || row.outcome == "duplicate") {
        return Ok(());
    }
    let Submission { payments, .. } = client.submit(message, true)?;
    let wanted = expected.iter().map(|row| row.outcome.as_str());
    let same = payments.len() == expected.len()
        && payments.iter().zip(wanted).all(|(answer, wanted)| {
            answer.status == AnswerStatus::Repeated
                && answer.verdict.is_some_and(|verdict| verdict.name() == wanted)
        });
    expect(same, || format!("{file} again should get the same answer, and got {payments:?}"))
}

/// Every pacs.008 of the data folder, screened by bank C against the full list.
fn real(stage: &Stage) -> Result<(), DemoError> {
    let (Some(messages), Some(_)) = (data::file("iso20022"), data::file("ofac/sdn-2024-05-03.csv")) else {
        stage.story.tell("SKIPPED: real messages: no data folder (HANSA_DATA, or ../shared/data)");
        return Ok(());
    };
    let client = stage.nodes[2].client()?;
    let mut verdicts: BTreeMap<Verdict, usize> = BTreeMap::new();
    let (mut duplicates, mut refused, mut files) = (0, 0, 0);
    for path in xml_files(&messages)? {
        let message = read(&path)?;
        match client.submit(&message, true) {
            Ok(submission) => {
                files += 1;
                for answer in submission.payments {
                    match answer.verdict {
                        Some(verdict) => *verdicts.entry(verdict).or_default() += 1,
                        None => duplicates += 1,
                    }
                }
            }
            Err(ClientError::Refused(problem)) if problem.status == 422 => refused += 1,
            Err(error) => return Err(error.into()),
        }
    }
    expect(files > 0, || "no pacs.008 was found in the data folder".into())?;
    let verdicts: Vec<String> =
        verdicts.iter().map(|(verdict, count)| format!("{count} {verdict}")).collect();
    stage.story.tell(format!(
        "bank-c: {files} real pacs.008 messages against OFAC's list of {OFAC_DATE}: {}, {duplicates} duplicates of a \
         key with other content; {refused} messages of other types refused",
        verdicts.join(", ")
    ));
    Ok(())
}

fn xml_files(folder: &Path) -> Result<Vec<PathBuf>, DemoError> {
    let io = |source| DemoError::File { path: folder.to_owned(), source };
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(io)? {
        let path = entry.map_err(io)?.path();
        if path.is_dir() {
            files.extend(xml_files(&path)?);
        } else if path.extension().is_some_and(|extension| extension == "xml") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

fn read(path: &Path) -> Result<Vec<u8>, DemoError> {
    std::fs::read(path).map_err(|source| DemoError::File { path: path.to_owned(), source })
}

//! The sample messages give what `samples/expected.csv` says, in their order, at one bank with the samples' list.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use hansa_screening::message::{self, MessageError};
use hansa_screening::watchlist::{Measure, csv, table};
use hansa_screening::{History, Known, Policy, RiskModel, Screener};
use hansa_types::date::Date;
use hansa_types::decision::Verdict;
use hansa_types::hash::Digest;
use hansa_types::id::Timestamp;
use hansa_types::payment::{Payment, PaymentKey};

/// When the first sample arrives; the others follow minute by minute.
const START: u64 = 1_795_190_400;

fn samples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("samples")
}

/// A bank that remembers what it decided.
struct Bank {
    screener: Screener,
    history: History,
    decided: BTreeMap<PaymentKey, Digest>,
    now: u64,
}

impl Bank {
    fn new() -> Self {
        let bytes = std::fs::read(samples().join("watchlist.csv")).unwrap();
        let date = Date::new(2026, 11, 20).unwrap();
        let list = table::load("samples", date, Measure::Freeze, &bytes).unwrap();
        let screener = Screener::new(Policy::default(), vec![list], RiskModel::default_model()).unwrap();
        Self { screener, history: History::default(), decided: BTreeMap::new(), now: START }
    }

    /// Outcome, reason, and what a reader of a failure wants to know.
    fn decide(&mut self, payment: &Payment) -> [String; 3] {
        self.now += 60;
        let (key, content) = (payment.key(), payment.content_hash());
        if self.decided.get(&key).is_some_and(|decided| *decided != content) {
            return ["duplicate".to_owned(), String::new(), String::new()];
        }
        self.decided.insert(key, content);
        let now = Timestamp(self.now);
        let decision = self.screener.assess(payment, &self.history, Known::default(), now).decision;
        if decision.verdict == Verdict::Clear {
            self.history.observe(&self.screener.observation(payment, now));
        }
        let reason = decision.reasons.first().map_or_else(String::new, ToString::to_string);
        let findings: Vec<_> = decision.findings.iter().map(|f| f.text.as_str()).collect();
        let detail = format!("score {}: {}", decision.score.0, findings.join("; "));
        [decision.verdict.to_string(), reason, detail]
    }
}

fn refusal(error: &MessageError) -> &'static str {
    match error {
        MessageError::TooLarge { .. } => "refused:too-large",
        MessageError::Encoding(_) => "refused:encoding",
        MessageError::Syntax { .. } => "refused:syntax",
        MessageError::Forbidden { .. } => "refused:forbidden",
        MessageError::Limit { .. } => "refused:limit",
        MessageError::Duplicate { .. } => "refused:duplicate-element",
        MessageError::UnsupportedMessage { .. } => "refused:unsupported-message",
        MessageError::NoDocument => "refused:no-document",
        MessageError::SeveralDocuments { .. } => "refused:several-documents",
        MessageError::NoTransaction => "refused:no-transaction",
    }
}

#[test]
fn each_sample_has_the_outcome_that_is_expected() {
    let expected = std::fs::read_to_string(samples().join("expected.csv")).unwrap();
    let rows = csv::rows(&expected).unwrap();
    assert_eq!(rows[0].fields, ["file", "transaction", "outcome", "reason", "story"]);
    let expected: Vec<[String; 4]> =
        rows[1..].iter().map(|row| row.fields[..4].to_vec().try_into().unwrap()).collect();

    let mut files: Vec<_> =
        std::fs::read_dir(samples().join("messages")).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let mut bank = Bank::new();
    let (mut found, mut details) = (Vec::new(), Vec::new());
    for file in &files {
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        match message::parse(&std::fs::read(file).unwrap()) {
            Ok(payments) => {
                for (at, payment) in payments.iter().enumerate() {
                    let [outcome, reason, detail] = bank.decide(payment);
                    found.push([name.clone(), at.to_string(), outcome, reason]);
                    details.push(detail);
                }
            }
            Err(error) => {
                found.push([name, String::new(), refusal(&error).to_owned(), String::new()]);
                details.push(error.to_string());
            }
        }
    }
    let different: Vec<_> = found
        .iter()
        .zip(&details)
        .filter(|(row, _)| !expected.contains(row))
        .map(|(row, detail)| format!("{row:?}\n    {detail}"))
        .collect();
    assert!(different.is_empty(), "not as expected:\n{}", different.join("\n"));
    assert_eq!(found.len(), expected.len(), "expected.csv names files or transactions that are not there");
    assert!(files.len() >= 34);
}

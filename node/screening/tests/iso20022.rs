//! The published ISO 20022 samples: every pacs message is read as its extracted fields say, every other one refused.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on panics")]

mod common;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use hansa_screening::message::{Message, MessageError, parse, read};
use hansa_types::money::Money;
use hansa_types::payment::{Account, Agent, FindingKind, Party, Payment, PaymentKind};
use serde_json::Value;

/// The elements that hold messages that are read, those with payments first.
const ROOTS: [&str; 4] = ["FIToFICstmrCdtTrf", "FICdtTrf", "PmtRtr", "FIToFIPmtStsRpt"];

fn files(under: &Path, into: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(under).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, into);
        } else if path.extension().is_some_and(|e| e == "xml") {
            into.push(path);
        }
    }
}

fn iban(account: Option<&Account>) -> Option<String> {
    match account? {
        Account::Iban(_) | Account::InvalidIban(_) => account.map(ToString::to_string),
        Account::Other { .. } => None,
    }
}

fn other(account: Option<&Account>) -> Option<String> {
    match account? {
        Account::Other { id, .. } => Some(id.clone()),
        Account::Iban(_) | Account::InvalidIban(_) => None,
    }
}

/// What was read, or what stood there and could not be.
fn or_finding(value: Option<String>, payment: &Payment, kind: FindingKind, path: &str) -> Option<String> {
    let wrong = || payment.findings.iter().find(|f| f.kind == kind && f.path.starts_with(path));
    value.or_else(|| wrong().map(|f| f.value.clone()))
}

fn bic(agent: Option<&Agent>, payment: &Payment, path: &str) -> Option<String> {
    or_finding(agent?.bic.map(|b| b.to_string()), payment, FindingKind::InvalidBic, path)
}

fn country(party: &Party, payment: &Payment, path: &str) -> Option<String> {
    let country = party.address.country.map(|c| c.to_string());
    or_finding(country, payment, FindingKind::InvalidCountry, path)
}

fn name(party: Option<&Party>) -> Option<String> {
    party?.name.clone()
}

fn fields(payment: &Payment) -> BTreeMap<&'static str, Option<String>> {
    let debtor = payment.debtor_account.as_ref();
    let creditor = payment.creditor_account.as_ref();
    let uetr = payment.uetr.map(|u| u.to_string());
    BTreeMap::from([
        ("uetr", or_finding(uetr, payment, FindingKind::InvalidUetr, "PmtId")),
        ("e2e", payment.end_to_end_id.clone()),
        ("dbtr", name(Some(&payment.debtor))),
        ("dbtr_ctry", country(&payment.debtor, payment, "Dbtr")),
        ("cdtr", name(Some(&payment.creditor))),
        ("cdtr_ctry", country(&payment.creditor, payment, "Cdtr")),
        ("dbtr_iban", iban(debtor)),
        ("dbtr_othr", other(debtor)),
        ("cdtr_iban", iban(creditor)),
        ("cdtr_othr", other(creditor)),
        ("dbtr_agt", bic(payment.debtor_agent.as_ref(), payment, "DbtrAgt")),
        ("cdtr_agt", bic(payment.creditor_agent.as_ref(), payment, "CdtrAgt")),
        ("intrmy1", bic(payment.intermediary_agents.first(), payment, "IntrmyAgt1")),
        ("ultmt_dbtr", name(payment.ultimate_debtor.as_ref())),
        ("ultmt_cdtr", name(payment.ultimate_creditor.as_ref())),
        ("purp", payment.purpose.clone()),
    ])
}

fn expect_fields(file: &Path, expected: &Value, payment: &Payment) {
    for (field, found) in fields(payment) {
        let mut wanted = expected.get(field).and_then(Value::as_str).map(str::to_owned);
        if field.ends_with("_othr") {
            wanted = wanted.map(|id| id.replace(' ', "").to_uppercase());
        }
        assert_eq!(found, wanted, "{}: {field}", file.display());
    }
    let text = |field: &str| expected.get(field).and_then(Value::as_str).unwrap_or_default();
    let amount = Money::parse(text("amt"), text("ccy")).ok();
    assert_eq!(payment.settlement_amount, amount, "{}: amount", file.display());
}

/// What was read of a file, and how many of its transactions agreed field by field.
fn agrees(path: &Path, expected: &Value) -> Result<usize, String> {
    let parsed = read(&std::fs::read(path).unwrap());
    let definition = expected.get("msg").and_then(Value::as_str).unwrap_or_default();
    let said = |message_type: &str| {
        (message_type == definition).then_some(()).ok_or(format!("{message_type} is not {definition}"))
    };
    match (expected.get("tx").and_then(Value::as_array), parsed.map_err(|e| e.to_string())?) {
        (Some(transactions), Message::Payments(payments)) => {
            assert_eq!(payments.len(), transactions.len(), "{}", path.display());
            for (payment, expected) in payments.iter().zip(transactions) {
                said(&payment.message_type)?;
                expect_fields(path, expected, payment);
            }
            Ok(payments.len())
        }
        (None, Message::Payments(payments)) => {
            assert!(payments.iter().all(|p| p.kind != PaymentKind::Customer), "{}", path.display());
            payments.iter().try_for_each(|payment| said(&payment.message_type)).map(|()| 0)
        }
        (None, Message::Status(report)) => said(&report.message_type).map(|()| 0),
        (Some(_), Message::Status(_)) => Err("payments are read as a status report".to_owned()),
    }
}

#[test]
fn every_published_message_agrees_with_what_is_known_of_it() {
    let Some(folder) = common::data("every_published_message", "iso20022") else { return };
    let expected = std::fs::read(folder.join("expected_fields.json")).unwrap();
    let expected: BTreeMap<String, Value> = serde_json::from_slice(&expected).unwrap();
    let mut paths = Vec::new();
    files(&folder, &mut paths);
    // By root element: files that agree, files in all.
    let mut counts: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    let (mut transactions, mut different) = (0, Vec::new());
    for path in &paths {
        let relative = format!("iso20022/{}", path.strip_prefix(&folder).unwrap().display());
        let Some(expected) = expected.get(&relative) else { continue };
        let source = std::fs::read_to_string(path).unwrap();
        let Some(root) = ROOTS.iter().find(|root| source.contains(**root)) else {
            let parsed = read(source.as_bytes());
            assert!(matches!(parsed, Err(MessageError::UnsupportedMessage { .. })), "{relative}: {parsed:?}");
            continue;
        };
        let count = counts.entry(root).or_default();
        count.1 += 1;
        match agrees(path, expected) {
            Ok(read) => {
                count.0 += 1;
                transactions += read;
            }
            Err(error) => different.push(format!("{relative}: {error}")),
        }
    }
    println!("{counts:?}, {transactions} transactions field by field");
    // One published file is no message of the definition that its header names, and is still read.
    assert!(different.is_empty(), "{different:#?}");
    assert!(counts.values().map(|(agree, _)| agree).sum::<usize>() >= 100, "{counts:?}");
}

/// The text of every element of these names below `root`, as a plain search finds it.
fn texts_of(source: &str, root: &str, names: &[&str]) -> Vec<String> {
    let body = source.split_once(root).map_or("", |(_, body)| body);
    let mut texts = Vec::new();
    for part in body.split('<').filter(|part| !part.starts_with('/')) {
        let Some((tag, text)) = part.split_once('>') else { continue };
        let name = tag.split([' ', '/']).next().unwrap_or_default();
        let name = name.split_once(':').map_or(name, |(_, local)| local);
        if names.contains(&name) && !text.trim().is_empty() {
            texts.push(text.replace("&amp;", "&").replace("&apos;", "'"));
        }
    }
    texts
}

/// Not the parser's own reading again: whatever a plain search finds in the file must be somewhere in the payment.
#[test]
fn nothing_that_names_somebody_is_lost() {
    let Some(folder) = common::data("nothing_that_names_somebody", "iso20022") else { return };
    let names = ["Nm", "BICFI", "AnyBIC", "LEI", "IBAN", "UETR", "OrgnlUETR", "MmbId", "Ustrd", "InstrInf"];
    let names = [&names[..], &["TwnNm", "AdrLine", "StrtNm", "BirthDt", "CityOfBirth", "AddtlInf"]].concat();
    let mut paths = Vec::new();
    files(&folder, &mut paths);
    let mut searched = 0;
    for path in &paths {
        let source = std::fs::read_to_string(path).unwrap();
        let Some(root) = ROOTS[..3].iter().find(|root| source.contains(**root)) else { continue };
        let kept = serde_json::to_string(&parse(source.as_bytes()).unwrap()).unwrap();
        for text in texts_of(&source, root, &names) {
            let quoted = serde_json::to_string(&text).unwrap();
            let compact = text.replace(' ', "");
            let found = kept.contains(quoted.trim_matches('"')) || kept.contains(&compact);
            assert!(found, "{}: {text:?} is lost", path.display());
            searched += 1;
        }
    }
    assert!(searched > 1_000, "{searched}");
}

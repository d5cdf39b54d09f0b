//! The published ISO 20022 samples: every pacs.008 is read as its extracted fields say, every other message refused.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on panics")]

mod common;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use hansa_screening::message::{MessageError, parse};
use hansa_types::money::Money;
use hansa_types::payment::{Account, Agent, FindingKind, Party, Payment};
use serde_json::Value;

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

#[test]
fn every_published_message_is_read_or_refused_by_its_kind() {
    let Some(folder) = common::data("every_published_message", "iso20022") else { return };
    let expected = std::fs::read(folder.join("expected_fields.json")).unwrap();
    let expected: BTreeMap<String, Value> = serde_json::from_slice(&expected).unwrap();
    let mut paths = Vec::new();
    files(&folder, &mut paths);
    let (mut read, mut refused) = (0, 0);
    for path in &paths {
        let relative = format!("iso20022/{}", path.strip_prefix(&folder).unwrap().display());
        let Some(expected) = expected.get(&relative) else { continue };
        let parsed = parse(&std::fs::read(path).unwrap());
        let Some(transactions) = expected.get("tx").and_then(Value::as_array) else {
            let unsupported = matches!(parsed, Err(MessageError::UnsupportedMessage { .. }));
            assert!(unsupported, "{relative}: {parsed:?}");
            refused += 1;
            continue;
        };
        let payments = parsed.unwrap_or_else(|e| panic!("{relative}: {e}"));
        assert_eq!(payments.len(), transactions.len(), "{relative}");
        let definition = expected.get("msg").and_then(Value::as_str);
        for (payment, expected) in payments.iter().zip(transactions) {
            assert_eq!(Some(payment.message_type.as_str()), definition, "{relative}");
            expect_fields(path, expected, payment);
            read += 1;
        }
    }
    assert!(read >= 60 && refused >= 40, "read {read}, refused {refused}");
}

//! The answer: schema-valid, in the code sets, and read again as what was said.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on panics")]

mod common;
mod samples;

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use hansa_screening::message::report::{ReportError, write};
use hansa_screening::message::{Message, parse, read};
use hansa_screening::{HoldReject, Outward, Scheme, codes};
use hansa_types::decision::{Disposition, Reason};
use hansa_types::id::Timestamp;
use hansa_types::payment::{FindingKind, Payment};
use samples::{COVER, RETURN, customer_transfer, customer_transfers};
use serde_json::Value;

const NOW: Timestamp = Timestamp(1_795_190_400);

/// Every answer that a scheme knows, once.
fn outwards(scheme: Scheme) -> Vec<Outward> {
    let mut outwards = vec![codes::clear(scheme), codes::duplicate(scheme)];
    outwards.extend(codes::released(scheme));
    outwards.extend(codes::frozen(scheme));
    let findings: Vec<_> = FindingKind::ALL.iter().copied().map(Some).chain([None]).collect();
    for disposition in [Disposition::Hold, Disposition::Freeze, Disposition::Reject, Disposition::Return] {
        for reason in Reason::ALL.iter().copied() {
            for hold in HoldReject::ALL.iter().copied() {
                outwards
                    .extend(findings.iter().map(|f| codes::outward(scheme, disposition, reason, *f, hold)));
            }
        }
    }
    let different: BTreeMap<_, _> = outwards.into_iter().map(|said| (said.to_string(), said)).collect();
    different.into_values().collect()
}

fn messages() -> Vec<Vec<Payment>> {
    let transactions: Vec<_> = (1..=3).map(customer_transfer).collect();
    let long = COVER.replace("E2E-1", &"E".repeat(36)).replace("COV-1", "  ").replace("+01:00", " o'clock");
    let texts = [customer_transfers(&transactions), COVER.to_owned(), RETURN.to_owned(), long];
    texts.iter().map(|text| parse(text.as_bytes()).unwrap()).collect()
}

/// A report for every message, scheme and answer.
fn reports() -> Vec<(Scheme, String)> {
    let mut reports = Vec::new();
    for scheme in Scheme::ALL.iter().copied() {
        for outward in outwards(scheme) {
            for payments in messages() {
                let answers: Vec<_> = payments.iter().map(|payment| (payment, outward.clone())).collect();
                reports.push((scheme, write(scheme, "ANSWER-1", NOW, &answers).unwrap()));
            }
        }
    }
    reports
}

#[test]
fn a_report_is_read_again_as_what_was_said() {
    for scheme in Scheme::ALL.iter().copied() {
        for payments in messages() {
            let said = [codes::clear(scheme), codes::duplicate(scheme)];
            let answers: Vec<_> = payments.iter().zip(said.iter().cycle().cloned()).collect();
            let text = write(scheme, "ANSWER-1", NOW, &answers).unwrap();
            let Message::Status(report) = read(text.as_bytes()).unwrap() else { panic!("{text}") };
            assert_eq!(report.message_id, "ANSWER-1");
            assert_eq!(report.creation_time.as_deref(), Some("2026-11-20T16:00:00Z"));
            assert_eq!((report.findings.len(), report.transactions.len()), (0, payments.len()));
            for (status, (payment, outward)) in report.transactions.iter().zip(&answers) {
                assert_eq!(status.references.uetr, payment.uetr);
                assert_eq!(status.references.transaction_id, payment.transaction_id);
                assert_eq!(status.status.as_deref(), Some(outward.status.as_str()));
                let reason = status.reasons.first().and_then(|reason| reason.code.as_ref());
                assert_eq!(reason, outward.reason.as_ref());
                // It goes the way back.
                assert_eq!(status.instructing_agent, payment.instructed_agent);
                assert_eq!(status.instructed_agent, payment.instructing_agent);
            }
        }
    }
}

#[test]
fn what_cannot_be_cited_is_left_out_and_never_cut() {
    let [.., long] = &messages()[..] else { panic!("no messages") };
    let text = write(Scheme::CbprPlus, "A", NOW, &[(&long[0], codes::clear(Scheme::CbprPlus))]).unwrap();
    assert!(text.contains("<OrgnlMsgId>NOTPROVIDED</OrgnlMsgId>"), "{text}");
    assert!(!text.contains("EEE") && !text.contains("OrgnlCreDtTm"), "{text}");
    assert!(!text.contains("A Debtor") && text.contains("7a562c67"), "{text}");
}

#[test]
fn what_no_report_can_say_is_refused() {
    let messages = messages();
    let clear = || codes::clear(Scheme::SctInst);
    let (first, other) = (&messages[0][0], &messages[1][0]);
    assert_eq!(write(Scheme::SctInst, "A", NOW, &[]), Err(ReportError::NoAnswer));
    let two = write(Scheme::SctInst, "A", NOW, &[(first, clear()), (other, clear())]);
    assert!(matches!(two, Err(ReportError::SeveralMessages { .. })));
    for id in ["", " ", "A\u{7}", &"A".repeat(36)] {
        assert_eq!(
            write(Scheme::SctInst, id, NOW, &[(first, clear())]),
            Err(ReportError::MessageId(id.into()))
        );
    }
}

#[test]
fn every_report_is_valid_in_its_schema() {
    let Some(schemas) = common::data("every_report_is_valid", "iso20022/xsd") else { return };
    let lint = |schema: &Path, texts: &[String]| -> Option<bool> {
        let folder = std::env::temp_dir().join(format!("hansa-report-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let mut command = Command::new("xmllint");
        command.args(["--nonet", "--noout", "--schema"]).arg(schema).stderr(Stdio::piped());
        for (at, text) in texts.iter().enumerate() {
            let file = folder.join(format!("{at}.xml"));
            std::fs::write(&file, text).unwrap();
            command.arg(file);
        }
        let output = command.output().ok();
        std::fs::remove_dir_all(&folder).unwrap();
        let output = output?;
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        Some(true)
    };
    for version in ["10", "12", "14", "15"] {
        let definition = format!("pacs.002.001.{version}");
        let texts: Vec<_> =
            reports().iter().map(|(_, text)| text.replace("pacs.002.001.10", &definition)).collect();
        if lint(&schemas.join(format!("{definition}.xsd")), &texts).is_none() {
            let skipped = "SKIPPED: every_report_is_valid: no xmllint: install libxml2-utils";
            let _ = writeln!(std::io::stderr(), "{skipped}");
            return;
        }
        println!("{} reports are valid in {definition}", texts.len());
    }
}

#[test]
fn every_code_is_in_the_external_code_sets() {
    let Some(folder) = common::data("every_code_is_in_the_sets", "ref") else { return };
    let set = |name: &str| -> BTreeMap<String, Value> {
        let bytes = std::fs::read(folder.join(format!("external_{name}_code.json"))).unwrap();
        let mut file: BTreeMap<String, Value> = serde_json::from_slice(&bytes).unwrap();
        serde_json::from_value(file.remove("codes").unwrap()).unwrap()
    };
    let (statuses, reasons) = (set("payment_transaction_status"), set("status_reason"));
    for scheme in Scheme::ALL.iter().copied() {
        for outward in outwards(scheme) {
            assert!(statuses.contains_key(&outward.status), "{scheme}: {outward}");
            assert!(outward.reason.iter().all(|reason| reasons.contains_key(reason)), "{scheme}: {outward}");
        }
    }
}

//! The public JSON, frozen: a change of these files is a change of the interface.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::samples;
use crate::error::{Problem, ProblemBody};
use crate::model::*;

#[track_caller]
fn frozen<T>(value: &T, vector: &str)
where
    T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug,
{
    let text = format!("{}\n", serde_json::to_string_pretty(value).unwrap());
    assert_eq!(text, vector, "the JSON differs from its vector; it is now:\n{text}");
    assert_eq!(&serde_json::from_str::<T>(vector).unwrap(), value);
}

macro_rules! vector {
    ($name:literal) => {
        include_str!(concat!("../../tests/vectors/", $name, ".json"))
    };
}

#[test]
fn answers_keep_their_shape() {
    frozen(&samples::decided(), vector!("submission-internal"));
    frozen(&samples::decided().outward(), vector!("submission"));
    frozen(&LogHistory { uetr: samples::uetr(), entries: vec![] }, vector!("history"));
    frozen(&samples::case_result(), vector!("case-result"));
    frozen(&samples::case_list(), vector!("cases"));
    frozen(&AlertList { alerts: vec![samples::alert()] }, vector!("alerts"));
    frozen(&SignalList { signals: vec![samples::signal()] }, vector!("signals"));
    frozen(&LogPage { entries: vec![samples::found()], next: Some(41) }, vector!("log-page"));
    frozen(&ForkList { forks: vec![samples::fork()] }, vector!("forks"));
    frozen(&samples::backups(), vector!("backups"));
    frozen(&samples::status(), vector!("status"));
    frozen(&samples::cluster(), vector!("cluster"));
    frozen(&samples::governance(), vector!("governance"));
    frozen(&samples::changes(), vector!("changes"));
    frozen(&samples::readiness(false), vector!("readiness"));
    frozen(&samples::lists(), vector!("lists"));
    frozen(&samples::list_change(), vector!("list-change"));
    frozen(&samples::list_entry(), vector!("list-entry"));
    frozen(&samples::customers(), vector!("customers"));
    frozen(&samples::customer_change(), vector!("customer-change"));
    frozen(&ExceptionList { exceptions: vec![samples::exception()] }, vector!("exceptions"));
    frozen(&samples::frames(), vector!("frames"));
    frozen(&samples::frame_counters(), vector!("frame-counters"));
    frozen(&samples::firewall(), vector!("firewall"));
    frozen(&samples::why(), vector!("why"));
    frozen(&samples::replay(), vector!("replay"));
    frozen(&samples::model(), vector!("model"));
    frozen(&samples::backtest(), vector!("backtest"));
    frozen(&samples::drift(), vector!("drift"));
    frozen(&samples::sample(), vector!("sample"));
    frozen(&samples::verdicts(), vector!("verdicts"));
    frozen(&samples::decided().in_shadow().outward(), vector!("submission-shadow"));
    let problem = Problem::conflict("case 2 is cleared").with_hint("open a new one");
    frozen(&ProblemBody::from(problem), vector!("problem"));
}

#[test]
fn requests_keep_their_shape() {
    frozen(&samples::opening(), vector!("case-opening"));
    frozen(&samples::joining(), vector!("cluster-request"));
    frozen(&samples::proposal_request(), vector!("proposal-request"));
    frozen(&samples::vote_request(), vector!("vote-request"));
    frozen(&samples::case_action(), vector!("case-action"));
    frozen(&samples::case_answer(), vector!("case-answer"));
    frozen(&samples::case_reviewing(), vector!("case-reviewing"));
    frozen(&CaseReading { actor: samples::actor() }, vector!("case-reading"));
    frozen(
        &EvidenceRequest { uetr: samples::uetr(), leg: Some(samples::leg()) },
        vector!("evidence-request"),
    );
    frozen(&samples::subject_action(), vector!("subject-action"));
    let query = LogQuery {
        subject: Some(samples::subject_action().subject),
        since: Some(samples::NOW),
        class: Some(hansa_types::record::RecordClass::Case),
        after: Some(41),
        ..LogQuery::default()
    };
    frozen(&query, vector!("log-query"));
    frozen(&samples::customer_changes(), vector!("customer-changes"));
    frozen(&samples::exception_request(), vector!("exception-request"));
    frozen(&samples::driver_request(), vector!("driver-request"));
    frozen(&samples::blocklist_question(), vector!("blocklist-question"));
    frozen(&samples::firewall_request(), vector!("firewall-request"));
    let reload = ModelReload { actor: samples::actor(), unwatched: true };
    frozen(&reload, vector!("model-reload"));
    let backtest = BacktestRequest { model: "version = 2".to_owned(), since: samples::NOW };
    frozen(&backtest, vector!("backtest-request"));
    frozen(&VerdictsRequest { uetrs: vec![samples::uetr()] }, vector!("verdicts-request"));
    let withdrawal = WithdrawalRequest { reason: "forged".to_owned(), actor: samples::actor() };
    frozen(&withdrawal, vector!("withdrawal-request"));
    frozen(&RetractRequest { actor: samples::actor() }, vector!("retract-request"));
}

#[test]
fn answers_may_grow() {
    let grown = vector!("readiness").replacen('{', "{\"since\": 1,", 1);
    assert_eq!(serde_json::from_str::<Readiness>(&grown).unwrap(), samples::readiness(false));
}

#[test]
fn few_members_are_said_to_hide_nobody() {
    assert_eq!(Anonymity::among(4).note.as_deref(), Some("sender not anonymous"));
    assert_eq!(Anonymity::among(5).note, None);
}

#[test]
fn a_leg_knows_its_payments() {
    let (leg, key) = (samples::leg(), samples::key());
    assert!(leg.contains(&key));
    let other = Leg { instructed: serde_json::from_str("\"COBADEFFXXX\"").unwrap(), ..leg };
    assert!(!other.contains(&key));
}

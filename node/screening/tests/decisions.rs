//! Payments through the whole of screening: verdict, disposition, reasons, codes.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on panics")]

mod common;

use std::time::Instant;

use hansa_screening::history::History;
use hansa_screening::message;
use hansa_screening::watchlist::{Measure, Watchlist, ofac, table};
use hansa_screening::why::explain;
use hansa_screening::{ActiveAlerts, Assessment, Exceptions, Known, Policy, RiskModel, Scheme, Screener};
use hansa_types::case::{Alert, AlertState};
use hansa_types::decision::{Disposition, Reason, Verdict};
use hansa_types::exception::Exception;
use hansa_types::frame::{BoundByFrame, FrameField};
use hansa_types::hash::Digest;
use hansa_types::id::{Epoch, Timestamp};
use hansa_types::money::Money;
use hansa_types::payment::{Account, Agent, FindingKind, Payment};
use hansa_types::signal::{Category, Severity};
use hansa_types::subject::Subject;

const NOW: Timestamp = Timestamp(1_800_000_000);
const DEBTOR: &str = "DE89370400440532013000";
const CREDITOR: &str = "GB29NWBK60161331926819";
const LISTED_IBAN: &str = "BE24290035852938";

fn lists(measure: Measure) -> Vec<Watchlist> {
    let rows = format!("{}\n1,person,,\"PUTIN, Vladimir\",,,,RU,,,{LISTED_IBAN},\n", table::HEADER.join(","));
    let rows = rows + "2,organisation,,VTB BANK,,,,RU,VTBRRUMM,253400V1H6ART1UQ0N98,,\n";
    vec![table::load("test", "2026-01-01".try_into().unwrap(), measure, rows.as_bytes()).unwrap()]
}

fn screener(policy: Policy) -> Screener {
    Screener::new(policy, lists(Measure::Freeze), RiskModel::default_model()).unwrap()
}

fn agent(bic: &str) -> Option<Agent> {
    Some(Agent { bic: Some(bic.try_into().unwrap()), ..Agent::default() })
}

fn payment() -> Payment {
    let mut payment = Payment {
        message_id: "M1".to_owned(),
        settlement_amount: Some(Money::parse("100.10", "EUR").unwrap()),
        debtor_account: Some(Account::from_iban_text(DEBTOR)),
        creditor_account: Some(Account::from_iban_text(CREDITOR)),
        debtor_agent: agent("DEUTDEFF"),
        creditor_agent: agent("NWBKGB2L"),
        instructing_agent: agent("DEUTDEFF"),
        instructed_agent: agent("NWBKGB2L"),
        ..Payment::default()
    };
    payment.debtor.name = Some("Erika Mustermann".to_owned());
    payment.debtor.address.country = Some("DE".try_into().unwrap());
    payment.creditor.name = Some("John Smith".to_owned());
    payment.creditor.address.country = Some("GB".try_into().unwrap());
    payment
}

fn assess(screener: &Screener, payment: &Payment) -> Assessment {
    screener.assess(payment, &History::default(), Known::default(), NOW)
}

fn outcome(assessment: &Assessment) -> (Verdict, Option<Disposition>, &[Reason], Option<&str>) {
    let decision = &assessment.decision;
    (decision.verdict, decision.disposition, &decision.reasons, decision.outward_code.as_deref())
}

#[test]
fn an_ordinary_payment_is_clear_and_its_score_a_sum() {
    let assessment = assess(&screener(Policy::default()), &payment());
    assert_eq!(outcome(&assessment), (Verdict::Clear, None, &[][..], None));
    assert_eq!(assessment.contributions.iter().sum::<i64>(), assessment.decision.score.0);
    assert_eq!(assessment.decision.lists[0].name, "test");
    assert_eq!(assessment, assess(&screener(Policy::default()), &payment()));
}

#[test]
fn a_name_alone_is_for_a_person_to_look_at() {
    let mut payment = payment();
    payment.creditor.name = Some("Vladimir Putin".to_owned());
    let assessment = assess(&screener(Policy::default()), &payment);
    let held = (Verdict::Investigate, Some(Disposition::Hold), &[Reason::ListedName][..], Some("PDNG"));
    assert_eq!(outcome(&assessment), held);
    assert_eq!(assessment.name_hits[0].entry, "1");
    let text = &assessment.decision.findings[0].text;
    assert_eq!(text, "creditor \"Vladimir Putin\" ~ test 1 \"PUTIN, Vladimir\" 0.98");
}

#[test]
fn a_listed_identifier_blocks_as_the_list_demands() {
    let mut payment = payment();
    payment.creditor_account = Some(Account::from_iban_text(LISTED_IBAN));
    let by = |measure, bics: &[&str], scheme| {
        let bics = bics.iter().map(|bic| (*bic).try_into().unwrap()).collect();
        let policy = Policy { bics, scheme, ..Policy::default() };
        let screener = Screener::new(policy, lists(measure), RiskModel::default_model()).unwrap();
        let decision = assess(&screener, &payment).decision;
        (decision.verdict, decision.disposition.unwrap(), decision.outward_code.unwrap())
    };
    let cbpr = Scheme::CbprPlus;
    let blocked = |disposition, code: &str| (Verdict::Block, disposition, code.to_owned());
    assert_eq!(by(Measure::Freeze, &["NWBKGB2LXXX"], cbpr), blocked(Disposition::Freeze, "PDNG"));
    assert_eq!(by(Measure::Reject, &["DEUTDEFF"], cbpr), blocked(Disposition::Reject, "RR04"));
    assert_eq!(by(Measure::Reject, &["NWBKGB2L"], cbpr), blocked(Disposition::Return, "RR04"));
    assert_eq!(by(Measure::Reject, &["NWBKGB2L"], Scheme::SctInst), blocked(Disposition::Reject, "RR04"));
    let review = (Verdict::Investigate, Disposition::Hold, "PDNG".to_owned());
    assert_eq!(by(Measure::Review, &[], cbpr), review);
}

#[test]
fn listed_banks_are_found_in_every_role_and_branch() {
    let mut payment = payment();
    payment.intermediary_agents.extend(agent("VTBRRUMM123"));
    let assessment = assess(&screener(Policy::default()), &payment);
    assert_eq!(assessment.decision.verdict, Verdict::Block);
    assert_eq!(assessment.identifier_hits[0].identifier, "VTBRRUMM123");
    let mut payment = self::payment();
    payment.debtor.lei = Some("253400V1H6ART1UQ0N98".try_into().unwrap());
    assert_eq!(assess(&screener(Policy::default()), &payment).decision.verdict, Verdict::Block);
}

fn alert(signal: u8, state: AlertState) -> Alert {
    Alert {
        signal: Digest([signal; 32]),
        subject: Subject::Account(Account::from_iban_text(CREDITOR)),
        held_here: true,
        severity: Severity::High,
        category: Category::MuleAccount,
        expires: Epoch(9),
        state,
        case: None,
        at: NOW,
    }
}

#[test]
fn a_signal_raises_to_investigate_and_never_to_block() {
    let screener = screener(Policy::default());
    let mut alerts = ActiveAlerts::new(&[alert(1, AlertState::Open), alert(2, AlertState::Open)]);
    let under = |alerts: &ActiveAlerts| {
        screener.assess(&payment(), &History::default(), Known { alerts, ..Known::default() }, NOW)
    };
    let assessment = under(&alerts);
    let held = (Verdict::Investigate, Some(Disposition::Hold), &[Reason::ConsortiumSignal][..], Some("PDNG"));
    assert_eq!(outcome(&assessment), held);
    assert_eq!(assessment.decision.signals, [Digest([1; 32]), Digest([2; 32])]);
    // The rule stands beside the score: the signal changes no factor.
    assert_eq!(assessment.decision.factors, under(&ActiveAlerts::default()).decision.factors);
    alerts.update(&alert(1, AlertState::Retracted));
    assert_eq!(under(&alerts).decision.signals, [Digest([2; 32])]);
    alerts.update(&alert(2, AlertState::Expired));
    assert_eq!(under(&alerts).decision.verdict, Verdict::Clear);
    assert!(alerts.is_empty());
}

#[test]
fn a_blocked_frame_binds_whatever_else_is_found_and_is_held_against_nobody() {
    let frame = BoundByFrame {
        record: Digest([1; 32]),
        reason: "amount-limit".to_owned(),
        differs: vec![FrameField::Amount],
    };
    let known = Known { frame: Some(&frame), ..Known::default() };
    let screener = screener(Policy { bics: vec!["DEUTDEFF".try_into().unwrap()], ..Policy::default() });
    let bound = |payment: &Payment| screener.assess(payment, &History::default(), known, NOW);
    let refused = (Verdict::Block, Some(Disposition::Reject), &[Reason::FrameBlock][..], Some("MS03"));
    assert_eq!(outcome(&bound(&payment())), refused);
    let said = bound(&payment()).decision;
    assert_eq!(said.frame.as_ref(), Some(&frame));
    let texts: Vec<&str> = said.findings.iter().map(|finding| finding.text.as_str()).collect();
    assert!(texts.contains(&"the payment's frame was blocked before: amount-limit"), "{texts:?}");
    assert!(texts.contains(&"the frame had another amount than the message"), "{texts:?}");
    // The score is the message's own, and without the frame the decision is too.
    let free = assess(&screener, &payment()).decision;
    assert_eq!((said.score, said.factors), (free.score, free.factors));
    let why = explain(&screener, &payment(), bound(&payment()).habits, known, NOW);
    assert_eq!(why.without[0].verdict, free.verdict);
    // What a list wants frozen is frozen.
    let listed = Payment { creditor_account: Some(Account::from_iban_text(LISTED_IBAN)), ..payment() };
    let decision = bound(&listed).decision;
    assert_eq!(decision.disposition, Some(Disposition::Freeze));
    assert!(decision.reasons.contains(&Reason::FrameBlock), "{:?}", decision.reasons);
}

#[test]
fn missing_and_invalid_data_follow_the_policy() {
    let mut payment = payment();
    payment.creditor.name = None;
    payment.debtor_account = Some(Account::from_iban_text("DE89370400440532013001"));
    payment.findings.push(hansa_types::payment::Finding {
        kind: FindingKind::InvalidIban,
        path: "DbtrAcct/Id/IBAN".to_owned(),
        value: "DE89370400440532013001".to_owned(),
    });
    let assessment = assess(&screener(Policy::default()), &payment);
    assert_eq!(assessment.decision.verdict, Verdict::Investigate);
    assert_eq!(assessment.decision.reasons, [Reason::MissingData, Reason::InvalidData]);
    let strict = Policy { invalid_data: Verdict::Block, ..Policy::default() };
    let decision = assess(&screener(strict), &payment).decision;
    assert_eq!((decision.verdict, decision.outward_code.as_deref()), (Verdict::Block, Some("AC01")));
    let lax = Policy { invalid_data: Verdict::Clear, missing_data: Verdict::Clear, ..Policy::default() };
    let decision = assess(&screener(lax), &payment).decision;
    assert_eq!(decision.verdict, Verdict::Clear);
    assert!(decision.findings.iter().any(|f| f.reason.is_none() && f.text.starts_with("invalid-iban")));
}

#[test]
fn the_banks_own_limits_block() {
    let limit = Policy { amount_limit: Money::parse("100", "EUR").ok(), ..Policy::default() };
    let decision = assess(&screener(limit), &payment()).decision;
    assert_eq!((decision.verdict, decision.reasons), (Verdict::Block, vec![Reason::AmountLimit]));
    let blocked = Policy { blocked_accounts: [CREDITOR.try_into().unwrap()].into(), ..Policy::default() };
    let decision = assess(&screener(blocked), &payment()).decision;
    assert_eq!(
        (decision.reasons, decision.outward_code),
        (vec![Reason::BlockedAccount], Some("MS03".to_owned()))
    );
}

#[test]
fn a_high_score_holds() {
    let screener = screener(Policy::default());
    let mut history = History::default();
    let mut structured = payment();
    structured.settlement_amount = Some(Money::parse("9500.00", "EUR").unwrap());
    for minutes in 1..=9 {
        let at = Timestamp(NOW.0 - minutes * 60);
        history.observe(&screener.observation(&structured, at));
    }
    let assessment = screener.assess(&structured, &history, Known::default(), NOW);
    assert_eq!(outcome(&assessment).2, [Reason::Score]);
    assert!(assessment.decision.findings.iter().any(|f| f.text.starts_with("structuring 10 (1500 points)")));
}

#[test]
fn a_scheme_leaves_out_the_lists_that_the_policy_skips_for_it() {
    let policy = Policy {
        scheme: Scheme::Sct,
        skip_lists: [(Scheme::SctInst, ["test".to_owned()].into())].into(),
        ..Policy::default()
    };
    let screener = screener(policy);
    let mut payment = payment();
    payment.creditor.name = Some("Vladimir Putin".to_owned());
    payment.creditor_account = Some(Account::from_iban_text(LISTED_IBAN));
    let decision = assess(&screener, &payment).decision;
    assert_eq!((decision.verdict, decision.lists.len()), (Verdict::Block, 1));
    payment.service_levels = vec!["SEPA".to_owned()];
    payment.local_instrument = Some("INST".to_owned());
    let decision = assess(&screener, &payment).decision;
    assert_eq!((decision.verdict, decision.lists.len()), (Verdict::Clear, 0));
}

fn exception(screener: &Screener, subject: Subject) -> Exception {
    let entry = &screener.lists()[0].entries[0];
    Exception {
        subject,
        list: "test".to_owned(),
        entry: entry.id.clone(),
        content: entry.digest(),
        actor: "officer.a".parse().unwrap(),
        reason: "a namesake: passport seen".to_owned(),
        since: NOW,
        expires: Timestamp(NOW.0 + 86_400),
    }
}

#[test]
fn an_exception_covers_this_subject_against_this_entry_while_it_holds() {
    let screener = screener(Policy::default());
    let mut payment = payment();
    payment.creditor.name = Some("Vladimir Putin".to_owned());
    let under = |payment: &Payment, exceptions: Vec<Exception>, now| {
        let exceptions = Exceptions::new(exceptions);
        let known = Known { exceptions: &exceptions, ..Known::default() };
        screener.assess(payment, &History::default(), known, now).decision
    };
    let good = exception(&screener, Subject::Account(Account::from_iban_text(CREDITOR)));
    let decision = under(&payment, vec![good.clone()], NOW);
    assert_eq!((decision.verdict, &decision.exceptions[..]), (Verdict::Clear, &[good.id()][..]));
    assert_eq!(decision.factors.0[0], 0, "what is excepted does not weigh either");
    let said = &decision.findings[0].text;
    assert!(said.starts_with("excepted by officer.a until ") && said.contains("PUTIN, Vladimir"), "{said}");

    let others = Exception { content: Digest([1; 32]), ..good.clone() };
    assert_eq!(under(&payment, vec![others], NOW).verdict, Verdict::Investigate, "the entry changed");
    let other = exception(&screener, Subject::Account(Account::from_iban_text(DEBTOR)));
    assert_eq!(under(&payment, vec![other], NOW).verdict, Verdict::Investigate, "another account");
    assert_eq!(under(&payment, vec![good.clone()], good.expires).verdict, Verdict::Investigate, "expired");
    payment.creditor_account = Some(Account::from_iban_text(LISTED_IBAN));
    let listed = exception(&screener, Subject::Account(Account::from_iban_text(LISTED_IBAN)));
    assert_eq!(under(&payment, vec![listed], NOW).verdict, Verdict::Block, "identifiers are not excepted");
}

#[test]
fn the_record_alone_gives_the_decision_again() {
    let screener = screener(Policy::default());
    let mut history = History::default();
    for at in 1..9 {
        let earlier =
            Payment { settlement_amount: Some(Money::parse("9500.00", "EUR").unwrap()), ..payment() };
        history.observe(&screener.observation(&earlier, Timestamp(NOW.0 - at * 3600)));
    }
    let assessment = screener.assess(&payment(), &history, Known::default(), NOW);
    assert!(assessment.habits.near_threshold == 8 && assessment.habits.acquainted);
    assert_eq!(screener.judge(&payment(), assessment.habits, Known::default(), NOW), assessment);
}

#[test]
fn published_messages_are_decided_against_the_full_list() {
    let Some(folder) = common::data("published_messages", "iso20022") else { return };
    let Some(ofac) = common::data("published_messages", "ofac") else { return };
    let read = |name: &str| std::fs::read(ofac.join(name)).unwrap();
    let (sdn, alt) = (read("sdn-2024-05-03.csv"), read("alt-2025-02.csv"));
    let files = ofac::Files { sdn: &sdn, alt: Some(&alt), ..ofac::Files::default() };
    let list = ofac::load("2024-05-03".try_into().unwrap(), &files).unwrap();
    let screener = Screener::new(Policy::default(), vec![list], RiskModel::default_model()).unwrap();
    let mut messages = Vec::new();
    for source in
        std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).filter(|p| p.is_dir())
    {
        for file in std::fs::read_dir(source).unwrap() {
            let bytes = std::fs::read(file.unwrap().path()).unwrap();
            messages.extend(message::parse(&bytes).is_ok().then_some(bytes));
        }
    }
    let history = History::default();
    let began = Instant::now();
    let rounds = 20;
    let mut verdicts = [0; 3];
    for bytes in messages.iter().cycle().take(messages.len() * rounds) {
        for payment in message::parse(bytes).unwrap() {
            let assessment = screener.assess(&payment, &history, Known::default(), NOW);
            verdicts[usize::from(assessment.decision.verdict.number()) - 1] += 1;
        }
    }
    let decided: usize = verdicts.iter().sum();
    println!("{decided} decisions {verdicts:?}, {:?} each from XML", began.elapsed() / decided as u32);
    assert!(messages.len() >= 60);
    assert_eq!(verdicts[2], 0, "no published sample carries a listed identifier");
}

#[test]
fn why_is_a_sum_and_every_flip_flips() {
    let screener = screener(Policy::default());
    let mut payment = payment();
    payment.creditor.address.country = Some("KP".try_into().unwrap());
    payment.settlement_amount = Some(Money::parse("9500.00", "EUR").unwrap());
    let habits = hansa_types::habits::Habits { near_threshold: 2, out_count: 2, ..Default::default() };
    for count in [0, 9] {
        let habits = hansa_types::habits::Habits { near_threshold: count, ..habits };
        let why = explain(&screener, &payment, habits, Known::default(), NOW);
        let decision = &why.assessment.decision;
        assert_eq!(why.summands.iter().map(|summand| summand.points).sum::<i64>(), decision.score.0);
        let held = decision.score >= why.threshold;
        assert_eq!(held, count == 9);
        assert!(!why.flips.is_empty());
        for flip in &why.flips {
            let score = |value: u16| {
                let mut factors = decision.factors;
                factors.0[flip.factor.slot()] = value;
                screener.model().model.score(&factors)
            };
            let back = if flip.to > flip.value { flip.to - 1 } else { flip.to + 1 };
            assert_eq!(score(flip.to) >= why.threshold, !held, "{flip:?}");
            assert_eq!(score(back) >= why.threshold, held, "{flip:?} is the least");
        }
    }
}

#[test]
fn each_reason_is_told_by_what_would_be_without_it() {
    let screener = screener(Policy::default());
    let mut payment = payment();
    payment.creditor.name = Some("Vladimir Putin".to_owned());
    payment.creditor_account = Some(Account::from_iban_text(LISTED_IBAN));
    let why = explain(&screener, &payment, Default::default(), Known::default(), NOW);
    let without: Vec<_> = why.without.iter().map(|without| (without.reason, without.verdict)).collect();
    let expected = [(Reason::ListedIdentifier, Verdict::Investigate), (Reason::ListedName, Verdict::Block)];
    assert!(expected.iter().all(|pair| without.contains(pair)), "{without:?}");
}

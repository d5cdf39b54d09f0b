//! Each factor alone, by its value and its words.

use hansa_types::id::Timestamp;
use hansa_types::money::Money;
use hansa_types::payment::{Account, Agent};

use super::*;
use crate::history::{History, Observation};

const NOW: u64 = 1_800_000_000;
const DAY: u64 = 86_400;

fn account(id: &str) -> Account {
    Account::other(Some("test"), None, id)
}

fn payment(amount: &str) -> Payment {
    Payment {
        settlement_amount: Some(Money::parse(amount, "EUR").unwrap()),
        debtor_account: Some(account("d")),
        creditor_account: Some(account("c")),
        ..Payment::default()
    }
}

/// A past of payments `(debtor, creditor, euros, seconds ago)`.
fn past(payments: &[(&str, &str, u64, u64)]) -> History {
    let mut history = History::default();
    for (debtor, creditor, euros, ago) in payments {
        history.observe(&Observation {
            debtor: Some(account(debtor).digest()),
            creditor: Some(account(creditor).digest()),
            amount: euros * 100,
            at: NOW - ago,
        });
    }
    history
}

fn of(payment: &Payment, history: &History) -> impl Fn(Factor) -> u16 + use<> {
    let policy = Policy::default();
    let habits = habits::of(payment, history, &policy, Timestamp(NOW));
    let (factors, evidence) = compute(&Inputs::new(payment, &habits, &policy, 0, NOW));
    let nonzero = factors.0.iter().filter(|value| **value > 0).count();
    assert_eq!(nonzero, evidence.len());
    move |factor| factors.0[factor.slot()]
}

#[test]
fn velocity_counts_and_sums_a_day() {
    let history = past(&[("d", "x", 2_000, 3_600), ("d", "y", 4_000, 7_200), ("d", "y", 9_000, 2 * DAY)]);
    let value = of(&payment("1500.00"), &history);
    assert_eq!((value(Factor::VelocityCount), value(Factor::VelocitySum)), (3, 7));
}

#[test]
fn structuring_counts_what_stays_just_below() {
    let history = past(&[("d", "x", 9_500, DAY), ("d", "y", 9_900, 2 * DAY), ("d", "y", 5_000, DAY)]);
    assert_eq!(of(&payment("9400.00"), &history)(Factor::Structuring), 3);
    assert_eq!(of(&payment("8000.00"), &history)(Factor::Structuring), 0);
    assert_eq!(of(&payment("10000.00"), &history)(Factor::Structuring), 0);
}

#[test]
fn amounts_round_and_unusual() {
    let value = |amount| of(&payment(amount), &History::default())(Factor::RoundAmount);
    assert_eq!((value("50000.00"), value("50000.01"), value("120.00"), value("0.00")), (2, 0, 0, 0));
    let history = past(&[("d", "x", 100, 9), ("d", "x", 100, 8), ("d", "x", 100, 7)]);
    assert_eq!(of(&payment("1000.00"), &history)(Factor::OwnHistory), 100);
    assert_eq!(of(&payment("200.00"), &history)(Factor::OwnHistory), 0);
}

#[test]
fn new_counterparties_matter_for_accounts_with_habits() {
    let habits = [("d", "x", 100, 5 * DAY); 5];
    assert_eq!(of(&payment("10.00"), &past(&habits))(Factor::NewCounterparty), 1);
    assert_eq!(of(&payment("10.00"), &past(&habits[..4]))(Factor::NewCounterparty), 0);
    let known = [("d", "c", 100, 5 * DAY); 5];
    assert_eq!(of(&payment("10.00"), &past(&known))(Factor::NewCounterparty), 0);
}

#[test]
fn dormant_accounts_and_money_that_passes_through() {
    let value = of(&payment("10.00"), &past(&[("d", "x", 10, 365 * DAY)]));
    assert_eq!(value(Factor::Dormant), 12);
    let history = past(&[("x", "d", 10_000, 3_600)]);
    assert_eq!(of(&payment("9500.00"), &history)(Factor::RapidInOut), 95);
    assert_eq!(of(&payment("400.00"), &history)(Factor::RapidInOut), 0);
}

#[test]
fn fans_count_different_accounts_beyond_three() {
    let fan = [("a", "c", 10, 9), ("b", "c", 10, 8), ("e", "c", 10, 7), ("f", "c", 10, 6), ("f", "c", 10, 5)];
    assert_eq!(of(&payment("10.00"), &past(&fan))(Factor::FanIn), 2);
    let fan = [("d", "a", 10, 9), ("d", "b", 10, 8), ("d", "e", 10, 7), ("d", "f", 10, 6)];
    assert_eq!(of(&payment("10.00"), &past(&fan))(Factor::FanOut), 2);
}

#[test]
fn money_that_goes_back_to_where_it_came_from() {
    let value = |past: &History| of(&payment("10.00"), past)(Factor::Cycle);
    assert_eq!(value(&past(&[("c", "d", 10, DAY)])), 1);
    assert_eq!(value(&past(&[("c", "x", 10, 3 * DAY), ("x", "d", 10, DAY)])), 2);
    assert_eq!(value(&past(&[("c", "x", 10, 3 * DAY), ("x", "y", 9, 2 * DAY), ("y", "d", 9, DAY)])), 3);
    assert_eq!(value(&past(&[("c", "d", 10, 8 * DAY)])), 0, "beyond the window");
    assert_eq!(value(&past(&[("d", "c", 10, DAY)])), 0, "the same way again");
}

#[test]
fn particulars_of_the_payment() {
    let mut payment = payment("10.00");
    let value = of(&payment, &History::default());
    assert_eq!((value(Factor::MissingOriginator), value(Factor::Geography)), (2, 0));
    payment.debtor.name = Some("X".to_owned());
    payment.debtor.address.country = Some("DE".try_into().unwrap());
    payment.creditor.address.country = Some("KP".try_into().unwrap());
    payment.creditor_account = Some(Account::from_iban_text("DE89370400440532013000"));
    payment.intermediary_agents = vec![Agent::default(); 3];
    let value = of(&payment, &History::default());
    assert_eq!((value(Factor::MissingOriginator), value(Factor::Geography)), (0, 5));
    assert_eq!((value(Factor::CountryMismatch), value(Factor::AgentChain)), (1, 2));
}

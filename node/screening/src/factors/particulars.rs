//! Factors of the payment itself. Each gives its value and what it rests on.

use hansa_types::payment::{Account, Party, PaymentKind};

use super::Inputs;
use super::fatf::{self, Standing};

/// Zeros that many amounts end with.
const USUAL_ZEROS: u64 = 2;
/// Banks that may well stand between.
const USUAL_BANKS: u64 = 1;
/// What a black-listed country counts.
const BLACK: u64 = 5;
/// What a grey-listed country counts.
const GREY: u64 = 1;

type Value = (u64, String);

pub(super) fn round_amount(inputs: &Inputs<'_>) -> Value {
    // Between institutions round amounts are the rule.
    let customers = inputs.payment.kind != PaymentKind::Institution;
    let Some(money) = inputs.payment.settlement_amount.filter(|_| customers) else {
        return (0, String::new());
    };
    let whole = money.whole();
    if whole == 0 || money.amount() != whole.to_string() {
        return (0, String::new());
    }
    let mut zeros = 0;
    let mut rest = whole;
    while rest % 10 == 0 {
        rest /= 10;
        zeros += 1;
    }
    (zeros.max(USUAL_ZEROS) - USUAL_ZEROS, format!("{money} is a round amount"))
}

pub(super) fn geography(inputs: &Inputs<'_>) -> Value {
    let payment = inputs.payment;
    let parties = payment.parties().filter_map(|(role, party)| Some((role, "", party.country()?)));
    let agents = payment.agents().filter_map(|(role, agent)| Some((role, "", agent.country()?)));
    let accounts = payment.accounts();
    let accounts = accounts.filter_map(|(role, account)| Some((role, " account", account.country()?)));
    let listed = parties.chain(agents).chain(accounts).filter_map(|(role, account, country)| {
        let value = match fatf::standing(country)? {
            Standing::Black => BLACK,
            Standing::Grey => GREY,
        };
        Some((value, format!("{role}{account} in {country}, on FATF's list of {}", fatf::DATE)))
    });
    // The first of the highest, so that the text is always the same.
    listed.reduce(|best, next| if next.0 > best.0 { next } else { best }).unwrap_or_default()
}

pub(super) fn missing_originator(inputs: &Inputs<'_>) -> Value {
    let Some([(debtor, account), _]) = inputs.payment.customers() else { return (0, String::new()) };
    let missing = [
        ("name", debtor.is_none_or(|debtor| debtor.name.is_none())),
        ("account", account.is_none()),
        ("address", debtor.is_none_or(|debtor| debtor.address.is_empty())),
    ];
    let missing: Vec<_> = missing.into_iter().filter(|(_, missing)| *missing).map(|(what, _)| what).collect();
    (missing.len() as u64, format!("the originator's {} missing", missing.join(", ")))
}

pub(super) fn country_mismatch(inputs: &Inputs<'_>) -> Value {
    let Some([debtor, creditor]) = inputs.payment.customers() else { return (0, String::new()) };
    let sides = [("debtor", debtor), ("creditor", creditor)];
    let texts: Vec<String> =
        sides.into_iter().filter_map(|(role, (party, account))| mismatch(role, party?, account?)).collect();
    (texts.len() as u64, texts.join("; "))
}

fn mismatch(role: &str, party: &Party, account: &Account) -> Option<String> {
    let (lives, banks) = (party.country()?, account.country()?);
    (lives != banks).then(|| format!("{role} in {lives} with an account in {banks}"))
}

pub(super) fn agent_chain(inputs: &Inputs<'_>) -> Value {
    let payment = inputs.payment;
    let between = payment.intermediary_agents.len() + payment.previous_instructing_agents.len();
    let beyond = (between as u64).saturating_sub(USUAL_BANKS);
    (beyond, format!("{between} banks between the debtor's and the creditor's"))
}

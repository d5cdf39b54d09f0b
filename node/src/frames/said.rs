//! What a payment's frame says: digests, minor units, countries. Sender and node make it alike.

use hansa_screening::Scheme;
use hansa_types::country::Country;
use hansa_types::frame::FrameField;
use hansa_types::money::{FRACTION_DIGITS, Money};
use hansa_types::payment::{Account, Agent, Party, Payment, PaymentKind};
use hansa_xdp::frame::{AMOUNT_LIMIT, Digest, Fields, Key, SCHEMES, Subject, digest};

/// Digits of the minor unit where a currency has another number than two (ISO 4217, as of 2026).
const MINOR_DIGITS: [(u32, &str); 3] = [
    (0, "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF"),
    (3, "BHD IQD JOD KWD LYD OMR TND"),
    (4, "CLF UYW"),
];
/// Digits of every other currency's minor unit.
const USUAL_DIGITS: u32 = 2;

/// Why a payment has no frame. The full message alone is sent then.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NoFrame {
    /// Another kind.
    #[error("frames are for customers' credit transfers: send the message alone")]
    Kind,
    /// A part is missing, or has no digest.
    #[error("the payment has no usable {0}, which a frame needs: send the message alone")]
    Missing(&'static str),
    /// Finer than the minor unit, or too much.
    #[error("the amount does not fit the currency's minor unit: send the message alone")]
    Amount,
}

/// A leg as frames name it: the digests of instructing and instructed agent.
pub(crate) type LegDigests = [Digest; 2];

/// The leg of a payment; none if an agent has neither BIC nor clearing membership.
pub(crate) fn leg(key: &Key, payment: &Payment) -> Option<LegDigests> {
    let agent = |agent: &Option<Agent>| digest(key, Subject::Agent, &agent_text(agent.as_ref()?)?);
    Some([agent(&payment.instructing_agent)?, agent(&payment.instructed_agent)?])
}

/// The digest of an account.
pub(crate) fn account(key: &Key, account: &Account) -> Option<Digest> {
    digest(key, Subject::Account, &account_text(account))
}

/// What a payment's frame says, but for the key, the time and the sequence number.
pub(crate) fn fields(key: &Key, payment: &Payment, default: Scheme) -> Result<Fields, NoFrame> {
    if payment.kind != PaymentKind::Customer {
        return Err(NoFrame::Kind);
    }
    let [instructing, instructed] =
        leg(key, payment).ok_or(NoFrame::Missing("agents on both sides of the leg"))?;
    let party = |named: &Option<Account>, what| {
        named.as_ref().and_then(|named| account(key, named)).ok_or(NoFrame::Missing(what))
    };
    let from = |party, account: &Option<Account>, agent: &Option<Agent>, what| {
        country(party, account.as_ref(), agent.as_ref()).ok_or(NoFrame::Missing(what))
    };
    let amount = payment.settlement_amount.ok_or(NoFrame::Missing("settlement amount"))?;
    let scheme = usize::from(Scheme::of(payment, default).number()) - 1;
    Ok(Fields {
        key_id: 0,
        time: 0,
        sequence: 0,
        uetr: *payment.uetr.ok_or(NoFrame::Missing("UETR"))?.as_bytes(),
        debtor: party(&payment.debtor_account, "debtor account")?,
        creditor: party(&payment.creditor_account, "creditor account")?,
        instructing,
        instructed,
        amount: minor_units(&amount).ok_or(NoFrame::Amount)?,
        currency: letters(amount.currency().as_str()).ok_or(NoFrame::Missing("currency"))?,
        debtor_country: from(
            &payment.debtor,
            &payment.debtor_account,
            &payment.debtor_agent,
            "debtor's country",
        )?,
        creditor_country: from(
            &payment.creditor,
            &payment.creditor_account,
            &payment.creditor_agent,
            "creditor's country",
        )?,
        scheme: *SCHEMES.get(scheme).ok_or(NoFrame::Missing("scheme that frames can name"))?,
    })
}

/// What the full message says otherwise than its frame.
pub(crate) fn differences(key: &Key, fields: &Fields, payment: &Payment) -> Vec<FrameField> {
    let is_other = |named: &Option<Account>, digest: Digest| {
        named.as_ref().and_then(|named| account(key, named)) != Some(digest)
    };
    let money = payment.settlement_amount;
    let currency = money.and_then(|money| letters(money.currency().as_str()));
    [
        (FrameField::Debtor, is_other(&payment.debtor_account, fields.debtor)),
        (FrameField::Creditor, is_other(&payment.creditor_account, fields.creditor)),
        (FrameField::Amount, money.and_then(|money| minor_units(&money)) != Some(fields.amount)),
        (FrameField::Currency, currency != Some(fields.currency)),
    ]
    .into_iter()
    .filter_map(|(field, differs)| differs.then_some(field))
    .collect()
}

/// The amount in the currency's minor units; none if it is finer or has too many digits.
pub(crate) fn minor_units(money: &Money) -> Option<u64> {
    let currency = money.currency();
    let has = |currencies: &str| currencies.split(' ').any(|other| other == currency.as_str());
    let unusual = MINOR_DIGITS.iter().find(|(_, currencies)| has(currencies));
    let unit = 10_u128.pow(FRACTION_DIGITS - unusual.map_or(USUAL_DIGITS, |(digits, _)| *digits));
    let whole = money.units().is_multiple_of(unit).then_some(money.units() / unit)?;
    u64::try_from(whole).ok().filter(|amount| *amount < AMOUNT_LIMIT)
}

/// An account's canonical text: upper case, without white space.
fn account_text(account: &Account) -> String {
    match account {
        Account::Iban(iban) => iban.to_string(),
        Account::Other { id, .. } | Account::InvalidIban(id) => id.clone(),
    }
}

/// An agent's canonical text: its BIC, of eight characters where the branch is XXX, else its number in a clearing system.
fn agent_text(agent: &Agent) -> Option<String> {
    if let Some(bic) = agent.bic {
        let code = bic.normalised();
        let code = code.strip_suffix(b"XXX").unwrap_or(&code);
        return Some(String::from_utf8_lossy(code).into_owned());
    }
    let member = agent.clearing_member.as_ref()?;
    Some(format!("{}/{}", member.system.as_deref()?, member.id))
}

/// A party's country: its own, else its account's, else its agent's.
fn country(party: &Party, account: Option<&Account>, agent: Option<&Agent>) -> Option<[u8; 2]> {
    let country: Country = party
        .country()
        .or_else(|| account.and_then(Account::country))
        .or_else(|| agent.and_then(Agent::country))?;
    Some(country.as_bytes())
}

fn letters<const LEN: usize>(text: &str) -> Option<[u8; LEN]> {
    text.as_bytes().try_into().ok()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    const KEY: Key = Key::new([7; 16]);

    fn money(amount: &str, currency: &str) -> Money {
        Money::parse(amount, currency).unwrap()
    }

    pub(crate) fn payment() -> Payment {
        let agent = |bic: &str| Some(Agent { bic: Some(bic.try_into().unwrap()), ..Agent::default() });
        Payment {
            uetr: Some("e2e00000-0000-4000-8000-000000000001".try_into().unwrap()),
            settlement_amount: Some(money("75.20", "EUR")),
            debtor_account: Some(Account::from_iban_text("DE89370400440532013000")),
            creditor_account: Some(Account::other(None, None, "ab 12-3")),
            creditor_agent: agent("BRCHFRP0XXX"),
            instructing_agent: agent("ALDRDEF0XXX"),
            instructed_agent: agent("BRCHFRP0123"),
            ..Payment::default()
        }
    }

    #[test]
    fn a_payment_says_digests_minor_units_and_countries() {
        let said = fields(&KEY, &payment(), Scheme::SctInst).unwrap();
        assert_eq!((said.amount, &said.currency, said.scheme as u8), (7520, b"EUR", 3));
        assert_eq!((&said.debtor_country, &said.creditor_country), (b"DE", b"FR"));
        assert_eq!(Some(said.creditor), digest(&KEY, Subject::Account, "AB12-3"));
        assert_eq!(Some(said.instructing), digest(&KEY, Subject::Agent, "ALDRDEF0"));
        assert_eq!(Some(said.instructed), digest(&KEY, Subject::Agent, "BRCHFRP0123"));
        assert_eq!(differences(&KEY, &said, &payment()), []);
        let other = Payment { settlement_amount: Some(money("75.20", "USD")), ..payment() };
        assert_eq!(differences(&KEY, &said, &other), [FrameField::Currency]);
        let other = Payment { creditor_account: None, settlement_amount: None, ..payment() };
        let all = [FrameField::Creditor, FrameField::Amount, FrameField::Currency];
        assert_eq!(differences(&KEY, &said, &other), all);
    }

    #[test]
    fn a_payment_that_lacks_something_has_no_frame_and_is_told_what() {
        let refused = |payment| fields(&KEY, &payment, Scheme::Sct).unwrap_err();
        assert_eq!(refused(Payment { uetr: None, ..payment() }), NoFrame::Missing("UETR"));
        assert_eq!(refused(Payment { kind: PaymentKind::Return, ..payment() }), NoFrame::Kind);
        let fine = Payment { settlement_amount: Some(money("1.005", "EUR")), ..payment() };
        assert_eq!(refused(fine), NoFrame::Amount);
    }

    #[test]
    fn every_currency_counts_in_its_own_minor_unit() {
        assert_eq!(minor_units(&money("1", "JPY")), Some(1));
        assert_eq!(minor_units(&money("1.5", "JPY")), None);
        assert_eq!(minor_units(&money("1.234", "KWD")), Some(1234));
        assert_eq!(minor_units(&money("1.2", "CLF")), Some(12_000));
    }
}

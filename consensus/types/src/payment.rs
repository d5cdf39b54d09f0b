//! The domain form of one credit transfer: what is screened, logged and cited.
//!
//! Wire values that are not valid domain values (an IBAN with wrong check digits, a date that does not exist) are not
//! lost: the payment carries them as [`Finding`]s, is screened with what is left, and policy decides what a finding
//! means.

mod account;
mod finding;
mod key;
mod kind;
mod party;
mod role;
mod underlying;

use serde::{Deserialize, Serialize};

pub use account::Account;
pub use finding::{Finding, FindingKind};
pub use key::{AgentId, PaymentKey, TransactionRef};
pub use kind::PaymentKind;
pub use party::{Address, Agent, Birth, ClearingMember, OtherId, Party};
pub use role::PartyRole;
pub use underlying::{ReasonInformation, References, Underlying};

use crate::codec_struct;
use crate::date::Date;
use crate::hash::{Digest, digest_of};
use crate::money::Money;
use crate::uetr::Uetr;

/// One credit transfer transaction of a message.
///
/// The kind comes first in its encoding. The encoding before there were kinds began with a zero byte, which is no kind:
/// neither is taken for the other.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Payment {
    /// Which kind of transfer it is.
    pub kind: PaymentKind,
    /// The message's definition, for example `pacs.008.001.08`: as its header says, else as its namespace says.
    pub message_type: String,
    /// The header's business service, for example `swift.cbprplus.03`.
    pub business_service: Option<String>,
    /// The message's identification; empty, with a finding, if it has none.
    pub message_id: String,
    /// When the message was created, as written.
    pub creation_time: Option<String>,
    /// The transaction's place in its message, from 0.
    pub position: u32,
    /// The instruction identification.
    pub instruction_id: Option<String>,
    /// The end-to-end identification.
    pub end_to_end_id: Option<String>,
    /// The transaction identification.
    pub transaction_id: Option<String>,
    /// The unique end-to-end transaction reference.
    pub uetr: Option<Uetr>,
    /// The service levels' codes or names.
    pub service_levels: Vec<String>,
    /// The local instrument's code or name, for example `INST`.
    pub local_instrument: Option<String>,
    /// The interbank settlement amount.
    pub settlement_amount: Option<Money>,
    /// The amount the customer instructed, where it differs.
    pub instructed_amount: Option<Money>,
    /// The interbank settlement date.
    pub settlement_date: Option<Date>,
    /// Who bears the charges.
    pub charge_bearer: Option<String>,
    /// Who pays.
    pub debtor: Party,
    /// Whose account is debited.
    pub debtor_account: Option<Account>,
    /// Who is paid.
    pub creditor: Party,
    /// Whose account is credited.
    pub creditor_account: Option<Account>,
    /// On whose behalf the debtor pays.
    pub ultimate_debtor: Option<Party>,
    /// For whom the creditor receives.
    pub ultimate_creditor: Option<Party>,
    /// Who initiated the payment.
    pub initiating_party: Option<Party>,
    /// The debtor's bank.
    pub debtor_agent: Option<Agent>,
    /// The creditor's bank.
    pub creditor_agent: Option<Agent>,
    /// Who sent this leg.
    pub instructing_agent: Option<Agent>,
    /// Who receives this leg.
    pub instructed_agent: Option<Agent>,
    /// Banks between the instructed and the creditor's, in their order.
    pub intermediary_agents: Vec<Agent>,
    /// Banks that passed the payment on before, in their order.
    pub previous_instructing_agents: Vec<Agent>,
    /// Banks through which the agents reimburse each other.
    pub reimbursement_agents: Vec<Agent>,
    /// Banks that took charges off the amount.
    pub charges_agents: Vec<Agent>,
    /// Accounts of the agents, for settlement and between one another, in their order.
    pub agent_accounts: Vec<Account>,
    /// The purpose's code or text.
    pub purpose: Option<String>,
    /// The category purpose's code or text.
    pub category_purpose: Option<String>,
    /// Remittance text and references, in their order.
    pub remittance: Vec<String>,
    /// Instructions for the creditor's and the next agent.
    pub instructions: Vec<String>,
    /// Regulatory reporting details.
    pub regulatory: Vec<String>,
    /// What it settles or sends back, the nearest first: the customer's transfer beneath a cover payment; the original
    /// of a return, and what was beneath that.
    pub underlying: Vec<Underlying>,
    /// Why it is returned.
    pub return_reasons: Vec<ReasonInformation>,
    /// What was wrong with the message's values.
    pub findings: Vec<Finding>,
}
codec_struct!(Payment {
    kind,
    message_type,
    business_service,
    message_id,
    creation_time,
    position,
    instruction_id,
    end_to_end_id,
    transaction_id,
    uetr,
    service_levels,
    local_instrument,
    settlement_amount,
    instructed_amount,
    settlement_date,
    charge_bearer,
    debtor,
    debtor_account,
    creditor,
    creditor_account,
    ultimate_debtor,
    ultimate_creditor,
    initiating_party,
    debtor_agent,
    creditor_agent,
    instructing_agent,
    instructed_agent,
    intermediary_agents,
    previous_instructing_agents,
    reimbursement_agents,
    charges_agents,
    agent_accounts,
    purpose,
    category_purpose,
    remittance,
    instructions,
    regulatory,
    underlying,
    return_reasons,
    findings,
});

impl Payment {
    /// SHA-256 of the canonical encoding: a repetition of the payment has the same, a changed one another.
    pub fn content_hash(&self) -> Digest {
        digest_of("hansa/payment/v2", self)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::codec::{Decode, Encode};

    fn bank(bic: &str) -> Option<Agent> {
        Some(Agent { bic: Some(bic.try_into().unwrap()), ..Agent::default() })
    }

    fn payment() -> Payment {
        Payment {
            message_id: "M1".to_owned(),
            transaction_id: Some("T1".to_owned()),
            uetr: Some("174c245f-2682-4291-ad67-2a41e530cd27".try_into().unwrap()),
            settlement_amount: Some(Money::parse("10.00", "EUR").unwrap()),
            debtor_account: Some(Account::from_iban_text("GB29 NWBK 6016 1331 9268 18")),
            creditor_account: Some(Account::other(None, bank("DEUTDEFF500").as_ref(), "12 34a")),
            instructing_agent: bank("DEUTDEFF"),
            instructed_agent: bank("NWBKGB2LXXX"),
            findings: vec![Finding {
                kind: FindingKind::InvalidIban,
                path: "DbtrAcct/Id/IBAN".to_owned(),
                value: "GB29 NWBK 6016 1331 9268 18".to_owned(),
            }],
            ..Payment::default()
        }
    }

    #[test]
    fn a_payment_decodes_to_itself() {
        let payment = payment();
        assert_eq!(Payment::from_bytes(&payment.to_bytes()).as_ref(), Ok(&payment));
        assert_eq!(PaymentKey::from_bytes(&payment.key().to_bytes()), Ok(payment.key()));
    }

    /// A change here is another version: it needs another domain of [`Payment::content_hash`].
    #[test]
    fn the_encoding_is_frozen() {
        let mut payment = payment();
        payment.kind = PaymentKind::Return;
        payment.debtor.name = Some("A".to_owned());
        payment.underlying = vec![Underlying { debtor: Some(Party::default()), ..Underlying::default() }];
        payment.return_reasons =
            vec![ReasonInformation { code: Some("AC04".to_owned()), ..Default::default() }];
        assert_eq!(Payment::from_bytes(&payment.to_bytes()).as_ref(), Ok(&payment));
        assert_eq!(payment.to_bytes().first(), Some(&PaymentKind::Return.number()));
        assert_eq!(
            payment.content_hash().to_string(),
            "a146b230e43c005e197e2d20b3017d60661ac59438f7162b94ac6f9093874360"
        );
        assert!(Payment::from_bytes(&payment.to_bytes()[1..]).is_err());
    }

    #[test]
    fn one_reference_on_two_legs_is_two_keys_and_a_branchless_bic_is_the_primary_office() {
        let (first, mut second, mut same) = (payment(), payment(), payment());
        second.instructed_agent = bank("BNPAFRPP");
        same.instructing_agent = bank("DEUTDEFFXXX");
        assert_ne!(first.key(), second.key());
        assert_eq!(first.key(), same.key());
        assert_eq!(first.key().to_string(), "174c245f-2682-4291-ad67-2a41e530cd27/DEUTDEFFXXX/NWBKGB2LXXX");
    }

    #[test]
    fn without_a_reference_message_and_transaction_identify() {
        let mut first = payment();
        first.uetr = None;
        assert_eq!(first.key().to_string(), "DEUTDEFFXXX/M1/T1");
        first.transaction_id = None;
        let second = Payment { position: 1, ..first.clone() };
        assert_ne!(first.key(), second.key());
    }

    #[test]
    fn any_change_changes_the_content_hash() {
        let (first, mut second) = (payment(), payment());
        second.remittance.push("invoice 7".to_owned());
        assert_eq!(first.content_hash(), payment().content_hash());
        assert_ne!(first.content_hash(), second.content_hash());
    }

    #[test]
    fn accounts_have_one_form() {
        let payment = payment();
        assert_eq!(payment.debtor_account.map(|a| a.to_string()).as_deref(), Some("GB29NWBK60161331926818"));
        let other = payment.creditor_account.unwrap();
        assert_eq!(other, Account::Other { scheme: "DEUTDEFF".to_owned(), id: "1234A".to_owned() });
        let loose = Account::Other { scheme: String::new(), id: "12 34".to_owned() };
        assert!(Account::from_bytes(&loose.to_bytes()).is_err());
        let valid = Account::InvalidIban("DE89370400440532013000".to_owned());
        assert!(Account::from_bytes(&valid.to_bytes()).is_err());
        let misplaced = Account::Other { scheme: "X".to_owned(), id: "DE89370400440532013000".to_owned() };
        for other in [loose, valid, misplaced] {
            assert!(Account::from_bytes(&other.to_bytes()).is_err(), "{other:?}");
            let json = serde_json::to_string(&other).unwrap();
            assert!(serde_json::from_str::<Account>(&json).is_err(), "{json}");
        }
    }

    #[test]
    fn an_iban_is_one_whatever_blanks_it_is_written_with() {
        for text in
            ["DE89\n370400440532013000", "de89\u{a0}3704 0044 0532 0130 00", "DE89 3704\t00440532013000"]
        {
            let iban = Account::from_iban_text("DE89370400440532013000");
            assert_eq!(
                (Account::from_iban_text(text), Account::other(Some("X"), None, text)),
                (iban.clone(), iban)
            );
        }
    }

    proptest! {
        /// What a message makes of an account can be read again.
        #[test]
        fn every_account_that_is_made_is_canonical(
            scheme in prop::option::of(any::<String>()),
            id in prop_oneof![any::<String>(), "[dD][eE]89[ \t\n\u{a0}]?3704 ?0044\u{2003}?0532013000"],
        ) {
            for account in [Account::other(scheme.as_deref(), None, &id), Account::from_iban_text(&id)] {
                prop_assert_eq!(Account::from_bytes(&account.to_bytes()), Ok(account.clone()));
                let json = serde_json::to_string(&account).unwrap();
                prop_assert_eq!(serde_json::from_str::<Account>(&json).unwrap(), account);
            }
        }
    }
}

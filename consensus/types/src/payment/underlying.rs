//! What lies beneath a payment: the transfer that a cover payment settles, or that a return sends back.

use serde::{Deserialize, Serialize};

use super::{Account, Agent, Party};
use crate::codec_struct;
use crate::date::Date;
use crate::money::Money;
use crate::uetr::Uetr;

/// How a message cites a transaction of another message.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct References {
    /// The other message's identification.
    pub message_id: Option<String>,
    /// Its definition, for example `pacs.008.001.08`, as written.
    pub message_type: Option<String>,
    /// When it was created, as written.
    pub creation_time: Option<String>,
    /// The instruction identification.
    pub instruction_id: Option<String>,
    /// The end-to-end identification.
    pub end_to_end_id: Option<String>,
    /// The transaction identification.
    pub transaction_id: Option<String>,
    /// The clearing system's reference.
    pub clearing_reference: Option<String>,
    /// The unique end-to-end transaction reference.
    pub uetr: Option<Uetr>,
}
codec_struct!(References {
    message_id,
    message_type,
    creation_time,
    instruction_id,
    end_to_end_id,
    transaction_id,
    clearing_reference,
    uetr,
});

/// A credit transfer as a cover payment or a return repeats it.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Underlying {
    /// How it is cited; empty beneath a cover payment, which cites nothing.
    pub references: References,
    /// The interbank settlement amount.
    pub settlement_amount: Option<Money>,
    /// The interbank settlement date.
    pub settlement_date: Option<Date>,
    /// The amount the customer instructed.
    pub instructed_amount: Option<Money>,
    /// Who pays.
    pub debtor: Option<Party>,
    /// Whose account is debited.
    pub debtor_account: Option<Account>,
    /// Who is paid.
    pub creditor: Option<Party>,
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
    /// All other banks that it names, in their order.
    pub other_agents: Vec<Agent>,
    /// Accounts of banks, in their order.
    pub agent_accounts: Vec<Account>,
    /// The purpose's code or text.
    pub purpose: Option<String>,
    /// Remittance text and references, in their order.
    pub remittance: Vec<String>,
    /// Instructions for agents, and regulatory and tax details.
    pub instructions: Vec<String>,
}
codec_struct!(Underlying {
    references,
    settlement_amount,
    settlement_date,
    instructed_amount,
    debtor,
    debtor_account,
    creditor,
    creditor_account,
    ultimate_debtor,
    ultimate_creditor,
    initiating_party,
    debtor_agent,
    creditor_agent,
    other_agents,
    agent_accounts,
    purpose,
    remittance,
    instructions,
});

/// Why a payment is returned or has its status.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ReasonInformation {
    /// Who gave the reason.
    pub originator: Option<Party>,
    /// The reason's code or proprietary name.
    pub code: Option<String>,
    /// What is said beside it.
    pub text: Vec<String>,
}
codec_struct!(ReasonInformation { originator, code, text });

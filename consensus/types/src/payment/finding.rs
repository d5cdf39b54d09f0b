//! What a message said that is no valid value, or did not say.

use serde::{Deserialize, Serialize};

use crate::{codec_enum, codec_struct};

/// What is wrong with a value or missing from a payment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FindingKind {
    /// An IBAN of wrong form, length, country or check digits.
    InvalidIban,
    /// A BIC of wrong form.
    InvalidBic,
    /// An LEI of wrong form or check digits.
    InvalidLei,
    /// A UETR that is no lower-case UUID of version 4.
    InvalidUetr,
    /// A country that is not two upper-case letters.
    InvalidCountry,
    /// An amount or currency that cannot be read.
    InvalidAmount,
    /// A date that does not exist.
    InvalidDate,
    /// The header and the document disagree on the message's definition.
    MessageTypeMismatch,
    /// The group header counts other than there are transactions.
    TransactionCountMismatch,
    /// No message identification.
    MissingMessageId,
    /// No settlement amount.
    MissingAmount,
    /// No name of the debtor.
    MissingDebtorName,
    /// No account of the debtor.
    MissingDebtorAccount,
    /// No address of the debtor with a country.
    MissingDebtorAddress,
    /// No name of the creditor.
    MissingCreditorName,
    /// No account of the creditor.
    MissingCreditorAccount,
    /// Neither instructing nor instructed agent.
    MissingLeg,
    /// An element twice, word for word, that may stand only once.
    RepeatedElement,
}
codec_enum!(FindingKind {
    InvalidIban = 1, "invalid-iban", InvalidBic = 2, "invalid-bic", InvalidLei = 3, "invalid-lei",
    InvalidUetr = 4, "invalid-uetr", InvalidCountry = 5, "invalid-country", InvalidAmount = 6, "invalid-amount",
    InvalidDate = 7, "invalid-date", MessageTypeMismatch = 8, "message-type-mismatch",
    TransactionCountMismatch = 9, "transaction-count-mismatch", MissingMessageId = 10, "missing-message-id",
    MissingAmount = 11, "missing-amount", MissingDebtorName = 12, "missing-debtor-name",
    MissingDebtorAccount = 13, "missing-debtor-account", MissingDebtorAddress = 14, "missing-debtor-address",
    MissingCreditorName = 15, "missing-creditor-name", MissingCreditorAccount = 16, "missing-creditor-account",
    MissingLeg = 17, "missing-leg", RepeatedElement = 18, "repeated-element",
});

/// One thing that is wrong or missing, with its place and the value as it was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// What.
    pub kind: FindingKind,
    /// Where: the element's path below the transaction, for example `DbtrAcct/Id/IBAN`.
    pub path: String,
    /// The value as written; empty if it is missing.
    pub value: String,
}
codec_struct!(Finding { kind, path, value });

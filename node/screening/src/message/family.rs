//! The kinds of messages that are read, and their versions.
//!
//! Versions differ in elements that are not screened, and in a few names that the readers know in each of their forms
//! (`BICFI` was once `BIC`, `AnyBIC` was `BICOrBEI`). So one reading by element name serves every version of a message.

use std::ops::RangeInclusive;

/// A message of the payments clearing and settlement domain (pacs).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    /// pacs.008, the customer's credit transfer.
    CustomerTransfer,
    /// pacs.009, core and cov.
    InstitutionTransfer,
    /// pacs.004, the return.
    Return,
    /// pacs.002, the status report.
    StatusReport,
}

impl Family {
    const ALL: [Self; 4] =
        [Self::CustomerTransfer, Self::InstitutionTransfer, Self::Return, Self::StatusReport];

    /// The family with this root element, in a definition that is read: `pacs.008.001.08`, or none for a document
    /// without namespace.
    pub(super) fn of(root: &str, definition: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|family| family.root() == root && family.reads(definition))
    }

    /// The element that holds the message.
    fn root(self) -> &'static str {
        match self {
            Self::CustomerTransfer => "FIToFICstmrCdtTrf",
            Self::InstitutionTransfer => "FICdtTrf",
            Self::Return => "PmtRtr",
            Self::StatusReport => "FIToFIPmtStsRpt",
        }
    }

    /// The element of one transaction.
    pub(super) fn transaction(self) -> &'static str {
        match self {
            Self::CustomerTransfer | Self::InstitutionTransfer => "CdtTrfTxInf",
            Self::Return => "TxInf",
            Self::StatusReport => "TxInfAndSts",
        }
    }

    /// The element with which the message as a whole cites another.
    pub(super) fn original_group(self) -> Option<&'static str> {
        match self {
            Self::CustomerTransfer | Self::InstitutionTransfer => None,
            Self::Return => Some("OrgnlGrpInf"),
            Self::StatusReport => Some("OrgnlGrpInfAndSts"),
        }
    }

    /// What its definition begins with, and the versions that are read.
    fn versions(self) -> (&'static str, RangeInclusive<u8>) {
        match self {
            Self::CustomerTransfer => ("pacs.008.001.", 7..=13),
            Self::InstitutionTransfer => ("pacs.009.001.", 7..=12),
            Self::Return => ("pacs.004.001.", 8..=14),
            Self::StatusReport => ("pacs.002.001.", 3..=15),
        }
    }

    fn reads(self, definition: &str) -> bool {
        let (prefix, versions) = self.versions();
        let Some(version) = definition.strip_prefix(prefix) else { return definition.is_empty() };
        // A country's own variant carries more behind the version, as in `pacs.008.001.08.ch.02`.
        version.split('.').next().and_then(|v| v.parse().ok()).is_some_and(|v| versions.contains(&v))
    }
}

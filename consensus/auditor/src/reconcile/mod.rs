//! The payment hub's list against the log: every payment has exactly one decision, and no decision is hidden.
//!
//! The bank gives the keys of its decisions and nothing else that opens a leaf. That none is held back is seen in the
//! log itself, where the class of each leaf stands in the clear: every decision there must be among those disclosed.
//! Hub and log may be larger than memory; what is held is one part of [`sort::PARTS`] of them, and a bounded number of
//! findings.

mod disclosed;
mod hub;
mod matching;
mod sort;

use std::fmt;
use std::io::{self, Read};
use std::path::Path;

use hansa_audit_log::disclosure::DisclosureError;
use hansa_audit_log::envelope::OpenError;
use hansa_types::codec::CodecError;
use hansa_types::id::BankId;
use hansa_types::uetr::Uetr;
use serde::Serialize;

use self::disclosed::Disclosed;
use self::sort::Sorter;
use crate::log::{Log, LogError, LogFolder};

/// The most findings that are listed one by one; all are counted.
pub const MAX_LISTED: usize = 10_000;

/// What is wrong with one payment or decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FindingKind {
    /// A payment without a decision.
    Gap,
    /// A decision more than the payment needs.
    Double,
    /// A decision on a payment that the hub does not list.
    Extra,
    /// A decision of the log whose key was not disclosed.
    Hidden,
}

/// One finding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What.
    pub kind: FindingKind,
    /// Which payment; a hidden decision does not say.
    pub uetr: Option<Uetr>,
    /// Which record of the log, or for a gap which line of the hub's list.
    pub at: u64,
}

/// What the comparison showed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Reconciliation {
    /// Whose log.
    pub bank: BankId,
    /// How many entries the log has.
    pub log_size: u64,
    /// Payments in the hub's list.
    pub payments: u64,
    /// Decisions in the log.
    pub decisions: u64,
    /// Decisions on payments that have no UETR: no list of UETRs can name them.
    pub without_uetr: u64,
    /// Payments with their one decision.
    pub matched: u64,
    /// Payments without one.
    pub gaps: u64,
    /// Decisions too many.
    pub doubles: u64,
    /// Decisions on payments that the hub does not list.
    pub extras: u64,
    /// Decisions not disclosed.
    pub hidden: u64,
    /// The first [`MAX_LISTED`] findings.
    pub findings: Vec<Finding>,
    /// Whether the hub's list may be of a part of the log's time only: extras are then expected.
    pub partial: bool,
}

/// Why nothing is shown at all.
#[derive(Debug, thiserror::Error)]
pub enum ReconcileError {
    /// The log.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The file of disclosures.
    #[error(transparent)]
    Disclosures(#[from] DisclosureError),
    /// The keys are of another moment.
    #[error(
        "the keys were disclosed for {disclosed} entries, the log has {log}, or another root: disclose them again for \
         this log"
    )]
    OtherCheckpoint {
        /// Entries that the keys are for.
        disclosed: u64,
        /// Entries of the log.
        log: u64,
    },
    /// A file cannot be read, or the temporary files not be written.
    #[error("{what}: {source}")]
    Io {
        /// Which.
        what: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// A key of something else than a decision, or of nothing.
    #[error("a key for record {0} is disclosed, which is no decision of the log, or comes out of order")]
    NotADecision(u64),
    /// A leaf that is none of ours.
    #[error("record {index}: {source}")]
    Envelope {
        /// Which.
        index: u64,
        /// What is wrong.
        source: OpenError,
    },
    /// A leaf whose content does not decode.
    #[error("record {index}: {source}")]
    Record {
        /// Which.
        index: u64,
        /// What is wrong.
        source: CodecError,
    },
    /// A leaf that says it is a decision and is not, or one on another payment than the one beside it.
    #[error("record {0} was logged as a decision, and is none on the payment beside it")]
    FalseDecision(u64),
    /// The hub's list.
    #[error("line {line} of the hub's list: {reason}")]
    Hub {
        /// Which line.
        line: u64,
        /// What is wrong.
        reason: String,
    },
}

/// Compares the hub's list with the log in `folder`, whose decisions `disclosures` opens.
pub fn reconcile(
    log: &Log,
    folder: &LogFolder,
    disclosures: (&Path, impl Read),
    hub: impl Read,
    partial: bool,
) -> Result<Reconciliation, ReconcileError> {
    let mut found = Reconciliation {
        bank: log.bank.clone(),
        log_size: 0,
        payments: 0,
        decisions: 0,
        without_uetr: 0,
        matched: 0,
        gaps: 0,
        doubles: 0,
        extras: 0,
        hidden: 0,
        findings: Vec::new(),
        partial,
    };
    let mut sorter = Sorter::new()?;
    hub::read(hub, &mut sorter, &mut found)?;
    let mut disclosed = Disclosed::open(log, disclosures.0, disclosures.1)?;
    // The walk through the log passes errors of its own kind alone: what a leaf showed is kept beside it.
    let mut refused = None;
    let walked = log.fsck(folder, |index, leaf| {
        disclosed.visit(index, leaf, &mut sorter, &mut found).map_err(|error| {
            refused = Some(error);
            io::Error::other("refused")
        })
    });
    if let Some(error) = refused {
        return Err(error);
    }
    let checkpoint = walked?.1;
    if checkpoint != disclosed.checkpoint {
        let disclosed = disclosed.checkpoint.size;
        return Err(ReconcileError::OtherCheckpoint { disclosed, log: checkpoint.size });
    }
    disclosed.finish()?;
    found.log_size = checkpoint.size;
    sorter.each(|uetr, entries| matching::payment(uetr, entries, &mut found))?;
    Ok(found)
}

impl Reconciliation {
    /// Whether every payment has exactly one decision, and the other way round.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.gaps == 0 && self.doubles == 0 && self.hidden == 0 && (self.partial || self.extras == 0)
    }

    fn add(&mut self, kind: FindingKind, uetr: Option<Uetr>, at: u64) {
        let count = match kind {
            FindingKind::Gap => &mut self.gaps,
            FindingKind::Double => &mut self.doubles,
            FindingKind::Extra => &mut self.extras,
            FindingKind::Hidden => &mut self.hidden,
        };
        *count += 1;
        if self.findings.len() < MAX_LISTED && !(self.partial && kind == FindingKind::Extra) {
            self.findings.push(Finding { kind, uetr, at });
        }
    }

    /// The counts in one line.
    #[must_use]
    pub fn summary(&self) -> String {
        let Self { gaps, doubles, extras, hidden, .. } = self;
        let expected = if self.partial { " (expected of a list that covers a part)" } else { "" };
        format!("{gaps} gaps, {doubles} doubles, {extras} extras{expected}, {hidden} hidden")
    }
}

impl fmt::Display for Reconciliation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verdict = if self.holds() { "RECONCILED" } else { "NOT RECONCILED" };
        writeln!(f, "{verdict}: the payments of {} with its log of {} entries", self.bank, self.log_size)?;
        writeln!(f, "  {} payments, {} decisions, {} matched", self.payments, self.decisions, self.matched)?;
        write!(f, "  {}", self.summary())?;
        if self.without_uetr > 0 {
            write!(f, "\n  NOTE    {} decisions are on payments without UETR", self.without_uetr)?;
        }
        for Finding { kind, uetr, at } in &self.findings {
            let payment = uetr.map(|uetr| format!("payment {uetr}")).unwrap_or_default();
            match kind {
                FindingKind::Gap => {
                    write!(f, "\n  gap     {payment}, line {at} of the list, has no decision")?;
                }
                FindingKind::Double => write!(f, "\n  double  {payment} is decided again in record {at}")?,
                FindingKind::Extra => write!(f, "\n  extra   {payment} of record {at} is not in the list")?,
                FindingKind::Hidden => {
                    write!(f, "\n  hidden  record {at} is a decision that is not disclosed")?;
                }
            }
        }
        let all = self.gaps + self.doubles + self.hidden + if self.partial { 0 } else { self.extras };
        let more = all.saturating_sub(self.findings.len() as u64);
        if more > 0 { write!(f, "\n  and {more} more") } else { Ok(()) }
    }
}

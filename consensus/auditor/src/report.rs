//! What a verification says, for people and as JSON.

use std::fmt;

use hansa_audit_log::evidence::Evidence;
use hansa_types::hash::Digest;
use hansa_types::id::BankId;
use serde::Serialize;

use crate::log::LogReport;

/// Something that the bundle proves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Statement {
    /// What it is about: `witness`, `log`, `decision`, `signal`, `opening` or `tag`.
    pub about: &'static str,
    /// What is shown.
    pub shown: String,
}

/// Everything that the bundle proves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Whose log it is from.
    pub bank: BankId,
    /// The consortium.
    pub consortium: Digest,
    /// The consortium is one for development: its tag key has one holder, and without a ceremony its proof keys too.
    pub development: bool,
    /// The transcript of the ceremony that made the proof keys.
    pub ceremony: Option<Digest>,
    /// How many entries the log's checkpoint covers.
    pub log_size: u64,
    /// The root over them, by which an auditor compares checkpoints.
    pub log_root: Digest,
    /// What is shown, in the order it was checked.
    pub statements: Vec<Statement>,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "VERIFIED: evidence from the log of {} in consortium {}", self.bank, self.consortium)?;
        writeln!(f, "  log       {} entries, root {}", self.log_size, self.log_root)?;
        for Statement { about, shown } in &self.statements {
            writeln!(f, "  {about:<9} {shown}")?;
        }
        if let Some(transcript) = self.ceremony {
            writeln!(f, "  keys      the proof keys come from the ceremony with transcript {transcript}")?;
        }
        if self.development {
            let note = match self.ceremony {
                None => "this consortium's keys come from a development set-up: its maker can forge proofs",
                Some(_) => {
                    "this consortium's tag key has one holder, who can try out whose account a tag is of"
                }
            };
            writeln!(f, "  NOTE      {note}")?;
        }
        write!(
            f,
            "  NOTE      a proof binds the sender to its decision; it does not show that the factors are true"
        )
    }
}

/// A leaf proved to be in a log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ProofReport {
    /// The leaf's hash.
    pub leaf: Digest,
    /// Its index.
    pub index: u64,
    /// The log, as its checkpoint says; nothing else of it was looked at.
    pub log: LogReport,
}

impl fmt::Display for ProofReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { leaf, index, log } = self;
        writeln!(f, "VERIFIED: leaf {leaf} is entry {index} of the log of {}", log.bank)?;
        write!(f, "  log       {} entries, root {}", log.size, log.root)
    }
}

/// What a bundle holds, unverified.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Contents {
    /// The checkpoint as it is signed.
    pub checkpoint: String,
    /// The records' indices in the log.
    pub records: Vec<u64>,
    /// The attachments: kind and length in bytes.
    pub attachments: Vec<(String, usize)>,
}

/// Lists a bundle's parts.
pub fn contents(evidence: &Evidence) -> Contents {
    Contents {
        checkpoint: evidence.checkpoint.to_string(),
        records: evidence.records.iter().map(|record| record.index).collect(),
        attachments: evidence.attachments.iter().map(|a| (a.kind.to_string(), a.bytes.len())).collect(),
    }
}

impl fmt::Display for Contents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "NOT VERIFIED: use `hansa-audit verify`\n\n{}", self.checkpoint.trim_end())?;
        writeln!(f, "\nrecords at {:?}", self.records)?;
        self.attachments
            .iter()
            .try_for_each(|(kind, length)| writeln!(f, "attachment: {kind}, {length} bytes"))
    }
}

//! The status report (pacs.002): what another bank says of payments. Nothing in it is decided on.

use hansa_types::payment::{Agent, Finding, FindingKind, ReasonInformation, References};

use super::reading::{Read, Reading, owned};
use super::transfer::Origin;
use super::tree::{Element, Tree};

/// A status report.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct StatusReport {
    /// The report's definition, for example `pacs.002.001.10`.
    pub message_type: String,
    /// The header's business service.
    pub business_service: Option<String>,
    /// The report's own identification; empty, with a finding, if it has none.
    pub message_id: String,
    /// When it was created, as written.
    pub creation_time: Option<String>,
    /// Who sent it.
    pub instructing_agent: Option<Agent>,
    /// Who receives it.
    pub instructed_agent: Option<Agent>,
    /// What it says of whole messages.
    pub messages: Vec<Status>,
    /// What it says of single transactions.
    pub transactions: Vec<Status>,
    /// What was wrong with its values.
    pub findings: Vec<Finding>,
}

/// The status of a message or transaction.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Status {
    /// The status' own identification.
    pub id: Option<String>,
    /// Of what.
    pub references: References,
    /// The status' code, for example `RJCT`.
    pub status: Option<String>,
    /// Why.
    pub reasons: Vec<ReasonInformation>,
    /// Who sent the leg that the status is on.
    pub instructing_agent: Option<Agent>,
    /// Who receives it.
    pub instructed_agent: Option<Agent>,
}

impl StatusReport {
    /// Reads `GrpHdr`.
    pub(super) fn read(header: Element<'_, '_>, origin: &Origin<'_>) -> Read<Self> {
        let mut read = Reading::default();
        origin.check(&mut read);
        let message_id = header.text("MsgId")?.unwrap_or_default().to_owned();
        if message_id.is_empty() {
            read.found(FindingKind::MissingMessageId, "GrpHdr/MsgId", "");
        }
        Ok(Self {
            message_type: origin.message_type(),
            business_service: owned(origin.service),
            message_id,
            creation_time: owned(header.text("CreDtTm")?),
            instructing_agent: read.agent(header, "InstgAgt")?,
            instructed_agent: read.agent(header, "InstdAgt")?,
            findings: read.findings,
            ..Self::default()
        })
    }

    /// Takes an `OrgnlGrpInfAndSts` in.
    pub(super) fn message(&mut self, tree: &Tree<'_>) -> Read<()> {
        let (group, mut read) = (tree.root(), Reading::default());
        let status = Status {
            references: read.group_references(group)?,
            status: owned(group.text("GrpSts")?),
            reasons: read.reasons(group, "StsRsnInf")?,
            ..Status::default()
        };
        self.messages.push(status);
        self.findings.extend(read.finish(tree));
        Ok(())
    }

    /// Takes a `TxInfAndSts` in.
    pub(super) fn transaction(&mut self, tree: &Tree<'_>) -> Read<()> {
        let (tx, mut read) = (tree.root(), Reading::default());
        // The one message that the report is about is that of its transactions.
        let message = match self.messages.as_slice() {
            [only] => only.references.clone(),
            _ => References::default(),
        };
        let status = Status {
            id: owned(tx.text("StsId")?),
            references: read.original_references(tx, &message)?,
            status: owned(tx.text("TxSts")?),
            reasons: read.reasons(tx, "StsRsnInf")?,
            instructing_agent: read.agent(tx, "InstgAgt")?,
            instructed_agent: read.agent(tx, "InstdAgt")?,
        };
        self.transactions.push(status);
        self.findings.extend(read.finish(tree));
        Ok(())
    }
}

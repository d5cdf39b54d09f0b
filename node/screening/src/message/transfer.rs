//! Credit transfers (pacs.008, pacs.009): from their elements to the domain's payment.

use hansa_types::date::Date;
use hansa_types::payment::{Finding, FindingKind, Payment, PaymentKind, Underlying};
use hansa_types::uetr::Uetr;

use super::family::Family;
use super::parties::Form;
use super::reading::{Read, Reading, code, owned, service_levels, texts};
use super::tree::{Element, Tree};

/// What stands around the message.
pub(super) struct Origin<'a> {
    /// The definition by the document's namespace.
    pub(super) definition: &'a str,
    /// The definition by the header.
    pub(super) header_definition: Option<&'a str>,
    /// The header's business service.
    pub(super) service: Option<&'a str>,
}

impl Origin<'_> {
    /// The message's definition: as the header says, else as the namespace says.
    pub(super) fn message_type(&self) -> String {
        self.header_definition.unwrap_or(self.definition).to_owned()
    }

    /// Notes that header and namespace disagree.
    pub(super) fn check(&self, read: &mut Reading) {
        let differs = |said| said != self.definition && !self.definition.is_empty();
        if self.header_definition.is_some_and(differs) {
            read.found(FindingKind::MessageTypeMismatch, "Document", self.definition);
        }
    }
}

/// What all transactions of a message share.
pub(super) struct GroupHeader {
    /// The payment as far as the header says it.
    pub(super) shared: Payment,
    count: Option<String>,
}

impl GroupHeader {
    /// Reads `GrpHdr`.
    pub(super) fn read(header: Element<'_, '_>, origin: &Origin<'_>) -> Read<Self> {
        let mut read = Reading::default();
        let mut shared = Payment {
            message_type: origin.message_type(),
            business_service: owned(origin.service),
            message_id: header.text("MsgId")?.unwrap_or_default().to_owned(),
            creation_time: owned(header.text("CreDtTm")?),
            settlement_date: read.value(header, "IntrBkSttlmDt", FindingKind::InvalidDate)?,
            instructing_agent: read.agent(header, "InstgAgt")?,
            instructed_agent: read.agent(header, "InstdAgt")?,
            service_levels: service_levels(header)?,
            local_instrument: code(header, "PmtTpInf/LclInstrm")?,
            category_purpose: code(header, "PmtTpInf/CtgyPurp")?,
            ..Payment::default()
        };
        read.settlement(header, &mut shared.reimbursement_agents, &mut shared.agent_accounts)?;
        origin.check(&mut read);
        if shared.message_id.is_empty() {
            read.found(FindingKind::MissingMessageId, "GrpHdr/MsgId", "");
        }
        shared.findings = read.findings;
        Ok(Self { shared, count: owned(header.text("NbOfTxs")?) })
    }

    /// Notes on every payment if there are more or fewer than the header says.
    pub(super) fn check_count(&self, payments: &mut [Payment]) {
        let found = payments.len();
        let Some(said) = self.count.as_deref().filter(|said| said.parse() != Ok(found)) else { return };
        for payment in payments {
            payment.findings.push(Finding {
                kind: FindingKind::TransactionCountMismatch,
                path: "GrpHdr/NbOfTxs".to_owned(),
                value: said.to_owned(),
            });
        }
    }
}

/// Reads one `CdtTrfTxInf`.
pub(super) fn payment(tree: &Tree<'_>, group: &GroupHeader, family: Family, position: u32) -> Read<Payment> {
    let tx = tree.root();
    let mut read = Reading { findings: group.shared.findings.clone() };
    let (mut kind, mut form) = (PaymentKind::Customer, Form::Party);
    let mut underlying = Vec::new();
    if family == Family::InstitutionTransfer {
        (kind, form) = (PaymentKind::Institution, Form::Institution);
        if let Some(transfer) = tx.at("UndrlygCstmrCdtTrf")? {
            kind = PaymentKind::Cover;
            underlying.push(read.underlying(transfer, Form::Party)?);
        }
    }
    let base = read.chain(tx, form)?.payment(group.shared.clone());
    let mut payment = Payment {
        kind,
        position,
        instruction_id: owned(tx.text("PmtId/InstrId")?),
        end_to_end_id: owned(tx.text("PmtId/EndToEndId")?),
        transaction_id: owned(tx.text("PmtId/TxId")?),
        uetr: read.value::<Uetr>(tx, "PmtId/UETR", FindingKind::InvalidUetr)?,
        service_levels: Some(service_levels(tx)?)
            .filter(|own| !own.is_empty())
            .unwrap_or(base.service_levels),
        local_instrument: code(tx, "PmtTpInf/LclInstrm")?.or(base.local_instrument),
        category_purpose: code(tx, "PmtTpInf/CtgyPurp")?.or(base.category_purpose),
        settlement_amount: read.settlement_amount(tx, "IntrBkSttlmAmt")?,
        instructed_amount: read.amount(tx, "InstdAmt")?,
        settlement_date: read
            .value::<Date>(tx, "IntrBkSttlmDt", FindingKind::InvalidDate)?
            .or(base.settlement_date),
        charge_bearer: owned(tx.text("ChrgBr")?),
        instructing_agent: read.agent(tx, "InstgAgt")?.or(base.instructing_agent),
        instructed_agent: read.agent(tx, "InstdAgt")?.or(base.instructed_agent),
        charges_agents: read.charges_agents(tx)?,
        purpose: code(tx, "Purp")?,
        remittance: texts(tx, &["RmtInf", "RltdRmtInf"]),
        instructions: texts(tx, &["InstrForDbtrAgt", "InstrForCdtrAgt", "InstrForNxtAgt"]),
        regulatory: texts(tx, &["RgltryRptg", "Tax"]),
        underlying,
        ..base
    };
    payment.findings = read.finish(tree);
    Ok(payment)
}

impl Reading {
    /// All that was found, with what stands twice in the transaction.
    pub(super) fn finish(mut self, tree: &Tree<'_>) -> Vec<Finding> {
        if let Some(path) = tree.repeated() {
            self.found(FindingKind::RepeatedElement, &path, "");
        }
        self.findings
    }

    /// A transfer that another message repeats.
    pub(super) fn underlying(&mut self, transfer: Element<'_, '_>, form: Form) -> Read<Underlying> {
        let chain = self.chain(transfer, form)?;
        let mut underlying = Underlying {
            settlement_amount: self.amount(transfer, "IntrBkSttlmAmt")?,
            settlement_date: self.value(transfer, "IntrBkSttlmDt", FindingKind::InvalidDate)?,
            instructed_amount: match self.amount(transfer, "InstdAmt")? {
                Some(amount) => Some(amount),
                None => self.amount(transfer, "Amt/InstdAmt")?,
            },
            debtor: chain.debtor,
            debtor_account: chain.debtor_account,
            creditor: chain.creditor,
            creditor_account: chain.creditor_account,
            ultimate_debtor: chain.ultimate_debtor,
            ultimate_creditor: chain.ultimate_creditor,
            initiating_party: chain.initiating_party,
            debtor_agent: chain.debtor_agent,
            creditor_agent: chain.creditor_agent,
            other_agents: chain.previous_instructing_agents,
            agent_accounts: chain.agent_accounts,
            purpose: code(transfer, "Purp")?,
            remittance: texts(transfer, &["RmtInf"]),
            instructions: texts(transfer, &UNDERLYING_TEXTS),
            ..Underlying::default()
        };
        underlying.other_agents.extend(chain.intermediary_agents);
        self.settlement(transfer, &mut underlying.other_agents, &mut underlying.agent_accounts)?;
        Ok(underlying)
    }
}

/// Whatever else says something in an underlying transfer.
const UNDERLYING_TEXTS: [&str; 6] =
    ["InstrForDbtrAgt", "InstrForCdtrAgt", "InstrForNxtAgt", "Tax", "CdtrSchmeId", "MndtRltdInf"];

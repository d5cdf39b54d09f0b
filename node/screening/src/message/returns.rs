//! The return (pacs.004): money that goes back, with the payment that it was.
//!
//! The parties of the return are those of its return chain; a message without one means the original's, the other way
//! round. The original stands beneath, so that everybody in it is screened too.

use hansa_types::date::Date;
use hansa_types::payment::{FindingKind, Payment, PaymentKind, ReasonInformation, References, Underlying};
use hansa_types::uetr::Uetr;

use super::parties::{Chain, Form};
use super::reading::{Read, Reading, code, owned, service_levels, texts};
use super::transfer::GroupHeader;
use super::tree::{Element, Tree};

/// What the message as a whole says of the original message.
#[derive(Default)]
pub(super) struct OriginalGroup {
    references: References,
    reasons: Vec<ReasonInformation>,
}

impl OriginalGroup {
    /// Reads `OrgnlGrpInf`.
    pub(super) fn read(group: Element<'_, '_>) -> Read<Self> {
        let mut read = Reading::default();
        let references = read.group_references(group)?;
        Ok(Self { references, reasons: read.reasons(group, "RtrRsnInf")? })
    }
}

/// Reads one `TxInf`.
pub(super) fn payment(
    tree: &Tree<'_>,
    group: &GroupHeader,
    original_group: &OriginalGroup,
    position: u32,
) -> Read<Payment> {
    let tx = tree.root();
    let mut read = Reading { findings: group.shared.findings.clone() };
    let references = read.original_references(tx, &original_group.references)?;
    let underlying = read.originals(tx, references.clone())?;
    let chain = match tx.at("RtrChain")? {
        Some(chain) => read.chain(chain, Form::Choice)?,
        None => underlying.first().map(backwards).unwrap_or_default(),
    };
    let base = chain.payment(group.shared.clone());
    let mut return_reasons = read.reasons(tx, "RtrRsnInf")?;
    if return_reasons.is_empty() {
        return_reasons.clone_from(&original_group.reasons);
    }
    let mut payment = Payment {
        kind: PaymentKind::Return,
        position,
        end_to_end_id: references.end_to_end_id,
        transaction_id: owned(tx.text("RtrId")?),
        uetr: references.uetr,
        settlement_amount: read.settlement_amount(tx, "RtrdIntrBkSttlmAmt")?,
        instructed_amount: read.amount(tx, "RtrdInstdAmt")?,
        settlement_date: read
            .value::<Date>(tx, "IntrBkSttlmDt", FindingKind::InvalidDate)?
            .or(base.settlement_date),
        charge_bearer: owned(tx.text("ChrgBr")?),
        instructing_agent: read.agent(tx, "InstgAgt")?.or(base.instructing_agent),
        instructed_agent: read.agent(tx, "InstdAgt")?.or(base.instructed_agent),
        charges_agents: read.charges_agents(tx)?,
        underlying,
        return_reasons,
        ..base
    };
    if let Some(original) = tx.at("OrgnlTxRef")? {
        payment.service_levels = service_levels(original)?;
        payment.local_instrument = code(original, "PmtTpInf/LclInstrm")?;
        payment.category_purpose = code(original, "PmtTpInf/CtgyPurp")?;
    }
    payment.findings = read.finish(tree);
    Ok(payment)
}

/// The way back through those who were in the original.
fn backwards(original: &Underlying) -> Chain {
    let original = original.clone();
    Chain {
        debtor: original.creditor,
        debtor_account: original.creditor_account,
        creditor: original.debtor,
        creditor_account: original.debtor_account,
        ultimate_debtor: original.ultimate_creditor,
        ultimate_creditor: original.ultimate_debtor,
        debtor_agent: original.creditor_agent,
        creditor_agent: original.debtor_agent,
        ..Chain::default()
    }
}

impl Reading {
    /// The original, and the customer's transfer beneath it if the original was its cover.
    fn originals(&mut self, tx: Element<'_, '_>, references: References) -> Read<Vec<Underlying>> {
        let mut originals = Vec::new();
        let mut original = Underlying::default();
        if let Some(transfer) = tx.at("OrgnlTxRef")? {
            original = self.underlying(transfer, Form::Choice)?;
            if let Some(beneath) = transfer.at("UndrlygCstmrCdtTrf")? {
                originals.push(self.underlying(beneath, Form::Party)?);
            }
        }
        original.references = references;
        if let Some(amount) = self.amount(tx, "OrgnlIntrBkSttlmAmt")? {
            original.settlement_amount = Some(amount);
        }
        let date = self.value(tx, "OrgnlIntrBkSttlmDt", FindingKind::InvalidDate)?;
        original.settlement_date = date.or(original.settlement_date);
        originals.insert(0, original);
        Ok(originals)
    }

    /// How the message as a whole cites another.
    pub(super) fn group_references(&mut self, group: Element<'_, '_>) -> Read<References> {
        Ok(References {
            message_id: owned(group.text("OrgnlMsgId")?),
            message_type: owned(group.text("OrgnlMsgNmId")?),
            creation_time: owned(group.text("OrgnlCreDtTm")?),
            ..References::default()
        })
    }

    /// How one transaction cites another; what it leaves out of the message, `group` says.
    pub(super) fn original_references(
        &mut self,
        tx: Element<'_, '_>,
        group: &References,
    ) -> Read<References> {
        let message = match tx.at("OrgnlGrpInf")? {
            Some(own) => self.group_references(own)?,
            None => group.clone(),
        };
        Ok(References {
            instruction_id: owned(tx.text("OrgnlInstrId")?),
            end_to_end_id: owned(tx.text("OrgnlEndToEndId")?),
            transaction_id: owned(tx.text("OrgnlTxId")?),
            clearing_reference: owned(tx.text("OrgnlClrSysRef")?),
            uetr: self.value::<Uetr>(tx, "OrgnlUETR", FindingKind::InvalidUetr)?,
            ..message
        })
    }

    /// The reasons in the elements of this name.
    pub(super) fn reasons(&mut self, element: Element<'_, '_>, name: &str) -> Read<Vec<ReasonInformation>> {
        let mut reasons = Vec::new();
        for reason in element.all(name) {
            reasons.push(ReasonInformation {
                originator: self.party(reason, "Orgtr", Form::Choice)?,
                code: code(reason, "Rsn")?,
                text: texts(reason, &["AddtlInf"]),
            });
        }
        Ok(reasons)
    }
}

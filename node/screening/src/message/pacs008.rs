//! The customer credit transfer (pacs.008): from its elements to the domain's payment.
//!
//! Versions .07 to .13 differ in elements that are not screened, and in two names: `BICFI` and `AnyBIC` were once
//! `BIC` and `BICOrBEI`. So one reading by element name serves all.

use hansa_types::bic::Bic;
use hansa_types::country::Country;
use hansa_types::date::Date;
use hansa_types::lei::Lei;
use hansa_types::money::Money;
use hansa_types::payment::{
    Account, Address, Agent, Birth, ClearingMember, Finding, FindingKind, OtherId, Party, Payment,
};
use hansa_types::uetr::Uetr;

use super::error::MessageError;
use super::tree::{Element, Tree};

/// The element that holds the message.
pub(super) const ROOT: &str = "FIToFICstmrCdtTrf";
/// The versions that are read.
const VERSIONS: std::ops::RangeInclusive<u8> = 7..=13;

/// Whether a definition, from the document's namespace, is one that is read; a document without namespace is.
pub(super) fn reads(definition: &str) -> bool {
    let Some(version) = definition.strip_prefix("pacs.008.001.") else { return definition.is_empty() };
    // A country's own variant carries more behind the version, as in `pacs.008.001.08.ch.02`.
    version.split('.').next().and_then(|v| v.parse().ok()).is_some_and(|v| VERSIONS.contains(&v))
}

/// What stands around the message.
pub(super) struct Origin<'a> {
    /// The definition by the document's namespace.
    pub(super) definition: &'a str,
    /// The definition by the header.
    pub(super) header_definition: Option<&'a str>,
    /// The header's business service.
    pub(super) service: Option<&'a str>,
}

/// What all transactions of a message share.
pub(super) struct GroupHeader {
    shared: Payment,
    count: Option<String>,
}

type Read<T> = Result<T, MessageError>;

impl GroupHeader {
    /// Reads `GrpHdr`.
    pub(super) fn read(header: Element<'_, '_>, origin: &Origin<'_>) -> Read<Self> {
        let mut read = Reading::default();
        let mut shared = Payment {
            message_type: origin.header_definition.unwrap_or(origin.definition).to_owned(),
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
        for agent in ["InstgRmbrsmntAgt", "InstdRmbrsmntAgt", "ThrdRmbrsmntAgt"] {
            shared.reimbursement_agents.extend(read.agent(header, &format!("SttlmInf/{agent}"))?);
        }
        if origin
            .header_definition
            .is_some_and(|said| said != origin.definition && !origin.definition.is_empty())
        {
            read.found(FindingKind::MessageTypeMismatch, "Document", origin.definition);
        }
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
pub(super) fn payment(tree: &Tree<'_>, group: &GroupHeader, position: u32) -> Read<Payment> {
    let tx = tree.root();
    let shared = group.shared.clone();
    let mut read = Reading { findings: shared.findings.clone() };
    let debtor_agent = read.agent(tx, "DbtrAgt")?;
    let creditor_agent = read.agent(tx, "CdtrAgt")?;
    let mut payment = Payment {
        position,
        instruction_id: owned(tx.text("PmtId/InstrId")?),
        end_to_end_id: owned(tx.text("PmtId/EndToEndId")?),
        transaction_id: owned(tx.text("PmtId/TxId")?),
        uetr: read.value::<Uetr>(tx, "PmtId/UETR", FindingKind::InvalidUetr)?,
        service_levels: Some(service_levels(tx)?)
            .filter(|own| !own.is_empty())
            .unwrap_or(shared.service_levels),
        local_instrument: code(tx, "PmtTpInf/LclInstrm")?.or(shared.local_instrument),
        category_purpose: code(tx, "PmtTpInf/CtgyPurp")?.or(shared.category_purpose),
        settlement_amount: read.amount(tx, "IntrBkSttlmAmt")?,
        instructed_amount: read.amount(tx, "InstdAmt")?,
        settlement_date: read
            .value::<Date>(tx, "IntrBkSttlmDt", FindingKind::InvalidDate)?
            .or(shared.settlement_date),
        charge_bearer: owned(tx.text("ChrgBr")?),
        debtor: read.party(tx, "Dbtr")?.unwrap_or_default(),
        debtor_account: read.account(tx, "DbtrAcct", debtor_agent.as_ref())?,
        creditor: read.party(tx, "Cdtr")?.unwrap_or_default(),
        creditor_account: read.account(tx, "CdtrAcct", creditor_agent.as_ref())?,
        ultimate_debtor: read.party(tx, "UltmtDbtr")?,
        ultimate_creditor: read.party(tx, "UltmtCdtr")?,
        initiating_party: read.party(tx, "InitgPty")?,
        debtor_agent,
        creditor_agent,
        instructing_agent: read.agent(tx, "InstgAgt")?.or(shared.instructing_agent),
        instructed_agent: read.agent(tx, "InstdAgt")?.or(shared.instructed_agent),
        purpose: code(tx, "Purp")?,
        remittance: texts(tx, &["RmtInf", "RltdRmtInf"]),
        instructions: texts(tx, &["InstrForCdtrAgt", "InstrForNxtAgt"]),
        regulatory: texts(tx, &["RgltryRptg", "Tax"]),
        findings: Vec::new(),
        intermediary_agents: Vec::new(),
        previous_instructing_agents: Vec::new(),
        message_type: shared.message_type,
        business_service: shared.business_service,
        message_id: shared.message_id,
        creation_time: shared.creation_time,
        reimbursement_agents: shared.reimbursement_agents,
    };
    for agent in ["IntrmyAgt1", "IntrmyAgt2", "IntrmyAgt3"] {
        payment.intermediary_agents.extend(read.agent(tx, agent)?);
    }
    for agent in ["PrvsInstgAgt1", "PrvsInstgAgt2", "PrvsInstgAgt3"] {
        payment.previous_instructing_agents.extend(read.agent(tx, agent)?);
    }
    if payment.settlement_amount.is_none() && tx.at("IntrBkSttlmAmt")?.is_none() {
        read.found(FindingKind::MissingAmount, "IntrBkSttlmAmt", "");
    }
    if let Some(path) = tree.repeated() {
        read.found(FindingKind::RepeatedElement, &path, "");
    }
    payment.findings = read.findings;
    Ok(payment)
}

fn owned(text: Option<&str>) -> Option<String> {
    text.map(str::to_owned)
}

/// A choice between a code and a proprietary name.
fn code(element: Element<'_, '_>, path: &str) -> Read<Option<String>> {
    let Some(choice) = element.at(path)? else { return Ok(None) };
    Ok(owned(choice.text_of(&["Cd", "Prtry"])?))
}

/// Up to three service levels may stand beside each other.
fn service_levels(element: Element<'_, '_>) -> Read<Vec<String>> {
    let mut levels = Vec::new();
    if let Some(kind) = element.at("PmtTpInf")? {
        for level in kind.all("SvcLvl") {
            levels.extend(owned(level.text_of(&["Cd", "Prtry"])?));
        }
    }
    Ok(levels)
}

fn texts(tx: Element<'_, '_>, names: &[&str]) -> Vec<String> {
    let mut texts = Vec::new();
    for name in names {
        tx.all(name).for_each(|element| element.leaves(&mut texts));
    }
    texts
}

/// A reading under way: values, and what was wrong with some.
#[derive(Default)]
struct Reading {
    findings: Vec<Finding>,
}

impl Reading {
    fn found(&mut self, kind: FindingKind, path: &str, value: &str) {
        self.findings.push(Finding { kind, path: path.to_owned(), value: value.to_owned() });
    }

    /// The value at `path`; a wrong one is noted and left out.
    fn value<T: for<'s> TryFrom<&'s str>>(
        &mut self,
        element: Element<'_, '_>,
        path: &str,
        kind: FindingKind,
    ) -> Read<Option<T>> {
        let Some(place) = element.at(path)? else { return Ok(None) };
        let Some(text) = place.own_text() else { return Ok(None) };
        let value = T::try_from(text.trim()).ok();
        if value.is_none() {
            self.found(kind, &place.path(), text);
        }
        Ok(value)
    }

    /// The value at the first of the paths that has one.
    fn value_of<T: for<'s> TryFrom<&'s str>>(
        &mut self,
        element: Element<'_, '_>,
        paths: [&str; 2],
        kind: FindingKind,
    ) -> Read<Option<T>> {
        match self.value(element, paths[0], kind)? {
            Some(value) => Ok(Some(value)),
            None => self.value(element, paths[1], kind),
        }
    }

    fn amount(&mut self, element: Element<'_, '_>, path: &str) -> Read<Option<Money>> {
        let Some(place) = element.at(path)? else { return Ok(None) };
        let (amount, currency) = (place.own_text().unwrap_or_default(), place.currency().unwrap_or_default());
        let money = Money::parse(amount.trim(), currency.trim()).ok();
        if money.is_none() {
            self.found(FindingKind::InvalidAmount, &place.path(), &format!("{amount} {currency}"));
        }
        Ok(money)
    }

    fn address(&mut self, element: Element<'_, '_>) -> Read<Address> {
        let Some(place) = element.at("PstlAdr")? else { return Ok(Address::default()) };
        let lines = place
            .children()
            .filter(|part| !matches!(part.name(), "Ctry" | "TwnNm" | "AdrTp"))
            .filter_map(|part| owned(part.own_text()))
            .collect();
        let country = self.value::<Country>(place, "Ctry", FindingKind::InvalidCountry)?;
        Ok(Address { country, town: owned(place.text("TwnNm")?), lines })
    }

    fn party(&mut self, element: Element<'_, '_>, path: &str) -> Read<Option<Party>> {
        let Some(place) = element.at(path)? else { return Ok(None) };
        let mut party = Party {
            name: owned(place.text("Nm")?),
            address: self.address(place)?,
            residence: self.value(place, "CtryOfRes", FindingKind::InvalidCountry)?,
            lei: self.value::<Lei>(place, "Id/OrgId/LEI", FindingKind::InvalidLei)?,
            bic: self.value_of::<Bic>(
                place,
                ["Id/OrgId/AnyBIC", "Id/OrgId/BICOrBEI"],
                FindingKind::InvalidBic,
            )?,
            birth: None,
            other_ids: Vec::new(),
        };
        for kind in ["Id/OrgId", "Id/PrvtId"] {
            if let Some(id) = place.at(kind)? {
                party.other_ids.append(&mut other_ids(id)?);
            }
        }
        if let Some(birth) = place.at("Id/PrvtId/DtAndPlcOfBirth")? {
            party.birth = Some(Birth {
                date: self.value(birth, "BirthDt", FindingKind::InvalidDate)?,
                city: owned(birth.text("CityOfBirth")?),
                country: self.value(birth, "CtryOfBirth", FindingKind::InvalidCountry)?,
            });
        }
        Ok(Some(party))
    }

    fn agent(&mut self, element: Element<'_, '_>, path: &str) -> Read<Option<Agent>> {
        let Some(place) = element.at(path)? else { return Ok(None) };
        let branch_name = place.text("BrnchId/Nm")?;
        let Some(id) = place.at("FinInstnId")? else { return Ok(Some(Agent::default())) };
        let clearing_member = match id.text("ClrSysMmbId/MmbId")? {
            Some(member) => {
                Some(ClearingMember { system: code(id, "ClrSysMmbId/ClrSysId")?, id: member.to_owned() })
            }
            None => None,
        };
        Ok(Some(Agent {
            bic: self.value_of(id, ["BICFI", "BIC"], FindingKind::InvalidBic)?,
            lei: self.value(id, "LEI", FindingKind::InvalidLei)?,
            clearing_member,
            name: owned(id.text("Nm")?.or(branch_name)),
            address: self.address(id)?,
            other_ids: other_ids(id)?,
        }))
    }

    fn account(
        &mut self,
        element: Element<'_, '_>,
        path: &str,
        servicer: Option<&Agent>,
    ) -> Read<Option<Account>> {
        let Some(place) = element.at(path)? else { return Ok(None) };
        if let Some(iban) = place.at("Id/IBAN")? {
            let Some(text) = iban.own_text() else { return Ok(None) };
            let account = Account::from_iban_text(text);
            if matches!(account, Account::InvalidIban(_)) {
                self.found(FindingKind::InvalidIban, &iban.path(), text);
            }
            return Ok(Some(account));
        }
        let Some(other) = place.at("Id/Othr")? else { return Ok(None) };
        let scheme = code(other, "SchmeNm")?;
        Ok(other.text("Id")?.map(|id| Account::other(scheme.as_deref(), servicer, id)))
    }
}

fn other_ids(element: Element<'_, '_>) -> Read<Vec<OtherId>> {
    let mut ids = Vec::new();
    for other in element.all("Othr") {
        if let Some(id) = other.text("Id")? {
            ids.push(OtherId {
                scheme: code(other, "SchmeNm")?,
                id: id.to_owned(),
                issuer: owned(other.text("Issr")?),
            });
        }
    }
    Ok(ids)
}

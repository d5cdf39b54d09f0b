//! Who takes part: parties, agents and accounts as every message writes them.

use hansa_types::bic::Bic;
use hansa_types::country::Country;
use hansa_types::lei::Lei;
use hansa_types::payment::{
    Account, Address, Agent, Birth, ClearingMember, FindingKind, OtherId, Party, Payment,
};

use super::error::MessageError;
use super::reading::{Read, Reading, code, owned};
use super::tree::Element;

/// What a message may write where a party stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// A person or organisation.
    Party,
    /// A financial institution.
    Institution,
    /// Either, in an element `Pty` or `Agt`; the former may also stand there without.
    Choice,
}

/// The ends of a transfer and all between them.
#[derive(Default)]
pub(super) struct Chain {
    pub(super) debtor: Option<Party>,
    pub(super) debtor_account: Option<Account>,
    pub(super) creditor: Option<Party>,
    pub(super) creditor_account: Option<Account>,
    pub(super) ultimate_debtor: Option<Party>,
    pub(super) ultimate_creditor: Option<Party>,
    pub(super) initiating_party: Option<Party>,
    pub(super) debtor_agent: Option<Agent>,
    pub(super) creditor_agent: Option<Agent>,
    pub(super) previous_instructing_agents: Vec<Agent>,
    pub(super) intermediary_agents: Vec<Agent>,
    pub(super) agent_accounts: Vec<Account>,
}

impl Chain {
    /// A payment between these, with what `shared` says of all payments of its message.
    pub(super) fn payment(self, mut shared: Payment) -> Payment {
        shared.agent_accounts.extend(self.agent_accounts);
        Payment {
            debtor: self.debtor.unwrap_or_default(),
            debtor_account: self.debtor_account,
            creditor: self.creditor.unwrap_or_default(),
            creditor_account: self.creditor_account,
            ultimate_debtor: self.ultimate_debtor,
            ultimate_creditor: self.ultimate_creditor,
            initiating_party: self.initiating_party,
            debtor_agent: self.debtor_agent,
            creditor_agent: self.creditor_agent,
            intermediary_agents: self.intermediary_agents,
            previous_instructing_agents: self.previous_instructing_agents,
            ..shared
        }
    }
}

const PREVIOUS_INSTRUCTING_AGENTS: [&str; 4] =
    ["PrvsInstgAgt", "PrvsInstgAgt1", "PrvsInstgAgt2", "PrvsInstgAgt3"];
const INTERMEDIARY_AGENTS: [&str; 3] = ["IntrmyAgt1", "IntrmyAgt2", "IntrmyAgt3"];
const REIMBURSEMENT_AGENTS: [&str; 3] = ["InstgRmbrsmntAgt", "InstdRmbrsmntAgt", "ThrdRmbrsmntAgt"];

impl Reading {
    /// Who takes part in the transfer that `element` describes.
    pub(super) fn chain(&mut self, element: Element<'_, '_>, form: Form) -> Read<Chain> {
        let mut chain = Chain {
            ultimate_debtor: self.party(element, "UltmtDbtr", form)?,
            ultimate_creditor: self.party(element, "UltmtCdtr", form)?,
            initiating_party: self.party(element, "InitgPty", form)?,
            ..Chain::default()
        };
        let accounts = &mut chain.agent_accounts;
        chain.debtor_agent = self.serviced_agent(element, "DbtrAgt", accounts)?;
        for name in PREVIOUS_INSTRUCTING_AGENTS {
            chain.previous_instructing_agents.extend(self.serviced_agent(element, name, accounts)?);
        }
        for name in INTERMEDIARY_AGENTS {
            chain.intermediary_agents.extend(self.serviced_agent(element, name, accounts)?);
        }
        chain.creditor_agent = self.serviced_agent(element, "CdtrAgt", accounts)?;
        (chain.debtor, chain.debtor_account) =
            self.account_holder(element, "Dbtr", form, chain.debtor_agent.as_ref())?;
        (chain.creditor, chain.creditor_account) =
            self.account_holder(element, "Cdtr", form, chain.creditor_agent.as_ref())?;
        Ok(chain)
    }

    /// The agents that reimburse one another, and the accounts that settle.
    pub(super) fn settlement(
        &mut self,
        element: Element<'_, '_>,
        agents: &mut Vec<Agent>,
        accounts: &mut Vec<Account>,
    ) -> Read<()> {
        let Some(settlement) = element.at("SttlmInf")? else { return Ok(()) };
        accounts.extend(self.account(settlement, "SttlmAcct", None)?.account);
        for name in REIMBURSEMENT_AGENTS {
            agents.extend(self.serviced_agent(settlement, name, accounts)?);
        }
        Ok(())
    }

    /// The agents that took charges.
    pub(super) fn charges_agents(&mut self, element: Element<'_, '_>) -> Read<Vec<Agent>> {
        let mut agents = Vec::new();
        for charges in element.all("ChrgsInf") {
            agents.extend(self.agent(charges, "Agt")?);
            agents.extend(self.agent(charges, "Pty")?);
        }
        Ok(agents)
    }

    /// A party and its account. The account's name and proxy are the party's as well.
    fn account_holder(
        &mut self,
        element: Element<'_, '_>,
        name: &str,
        form: Form,
        servicer: Option<&Agent>,
    ) -> Read<(Option<Party>, Option<Account>)> {
        let mut party = self.party(element, name, form)?;
        let account = self.account(element, &format!("{name}Acct"), servicer)?;
        if account.name.is_some() || account.proxy.is_some() {
            let party = party.get_or_insert_default();
            party.other_names.extend(account.name);
            party.other_ids.extend(account.proxy);
        }
        Ok((party, account.account))
    }

    /// An agent and its account, which goes to `accounts`.
    fn serviced_agent(
        &mut self,
        element: Element<'_, '_>,
        name: &str,
        accounts: &mut Vec<Account>,
    ) -> Read<Option<Agent>> {
        let mut agent = self.agent(element, name)?;
        let account = self.account(element, &format!("{name}Acct"), agent.as_ref())?;
        if account.name.is_some() || account.proxy.is_some() {
            let agent = agent.get_or_insert_default();
            agent.other_names.extend(account.name);
            agent.other_ids.extend(account.proxy);
        }
        accounts.extend(account.account);
        Ok(agent)
    }

    /// A party in the form that the message writes it in.
    pub(super) fn party(&mut self, element: Element<'_, '_>, path: &str, form: Form) -> Read<Option<Party>> {
        if form == Form::Institution {
            return Ok(self.agent(element, path)?.map(institution));
        }
        let Some(place) = element.at(path)? else { return Ok(None) };
        if form == Form::Party {
            return self.person(place).map(Some);
        }
        match (place.at("Pty")?, place.at("Agt")?) {
            (Some(_), Some(agent)) => Err(agent.duplicate()),
            (Some(party), None) => self.person(party).map(Some),
            (None, Some(_)) => Ok(self.agent(place, "Agt")?.map(institution)),
            (None, None) => self.person(place).map(Some),
        }
    }

    fn person(&mut self, place: Element<'_, '_>) -> Read<Party> {
        let mut party = Party {
            name: owned(place.text("Nm")?),
            other_names: contact_names(place)?,
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
        Ok(party)
    }

    /// An agent: the institution and, beneath it, its branch.
    pub(super) fn agent(&mut self, element: Element<'_, '_>, path: &str) -> Read<Option<Agent>> {
        let Some(place) = element.at(path)? else { return Ok(None) };
        let mut agent = match place.at("FinInstnId")? {
            Some(id) => self.institution(id)?,
            None => Agent::default(),
        };
        if let Some(branch) = place.at("BrnchId")? {
            self.branch(branch, &mut agent)?;
        }
        Ok(Some(agent))
    }

    fn institution(&mut self, id: Element<'_, '_>) -> Read<Agent> {
        let clearing_member = match id.text("ClrSysMmbId/MmbId")? {
            Some(member) => {
                Some(ClearingMember { system: code(id, "ClrSysMmbId/ClrSysId")?, id: member.to_owned() })
            }
            None => None,
        };
        Ok(Agent {
            bic: self.value_of(id, ["BICFI", "BIC"], FindingKind::InvalidBic)?,
            lei: self.value(id, "LEI", FindingKind::InvalidLei)?,
            clearing_member,
            name: owned(id.text("Nm")?),
            other_names: Vec::new(),
            address: self.address(id)?,
            other_ids: other_ids(id)?,
        })
    }

    /// What the branch says fills what the institution leaves open; the rest stands beside it.
    fn branch(&mut self, branch: Element<'_, '_>, agent: &mut Agent) -> Read<()> {
        let name = owned(branch.text("Nm")?);
        if agent.name.is_none() {
            agent.name = name;
        } else {
            agent.other_names.extend(name);
        }
        let lei = self.value(branch, "LEI", FindingKind::InvalidLei)?;
        agent.lei = agent.lei.or(lei);
        if let Some(id) = branch.text("Id")? {
            agent.other_ids.push(OtherId { scheme: None, id: id.to_owned(), issuer: None });
        }
        let address = self.address(branch)?;
        if agent.address.is_empty() {
            agent.address = address;
        } else {
            agent.address.lines.extend(address.lines.into_iter().chain(address.town));
        }
        Ok(())
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

    fn account(
        &mut self,
        element: Element<'_, '_>,
        path: &str,
        servicer: Option<&Agent>,
    ) -> Read<AccountElement> {
        let Some(place) = element.at(path)? else { return Ok(AccountElement::default()) };
        let proxy = match place.text("Prxy/Id")? {
            Some(id) => Some(OtherId { scheme: code(place, "Prxy/Tp")?, id: id.to_owned(), issuer: None }),
            None => None,
        };
        let account = if let Some(iban) = place.at("Id/IBAN")?.filter(|iban| iban.own_text().is_some()) {
            let text = iban.own_text().unwrap_or_default();
            let account = Account::from_iban_text(text);
            if matches!(account, Account::InvalidIban(_)) {
                self.found(FindingKind::InvalidIban, &iban.path(), text);
            }
            Some(account)
        } else {
            match place.at("Id/Othr")? {
                Some(other) => {
                    let scheme = code(other, "SchmeNm")?;
                    other.text("Id")?.map(|id| Account::other(scheme.as_deref(), servicer, id))
                }
                None => None,
            }
        };
        // Whoever is paid by telephone number or mail address has no other account in the message.
        let account =
            account.or_else(|| proxy.as_ref().map(|p| Account::other(p.scheme.as_deref(), servicer, &p.id)));
        Ok(AccountElement { account, name: owned(place.text("Nm")?), proxy })
    }
}

/// What an account's element says.
#[derive(Default)]
struct AccountElement {
    account: Option<Account>,
    name: Option<String>,
    proxy: Option<OtherId>,
}

/// An institution that stands where a party does.
fn institution(agent: Agent) -> Party {
    let member =
        agent.clearing_member.map(|member| OtherId { scheme: member.system, id: member.id, issuer: None });
    Party {
        name: agent.name,
        other_names: agent.other_names,
        address: agent.address,
        lei: agent.lei,
        bic: agent.bic,
        other_ids: member.into_iter().chain(agent.other_ids).collect(),
        ..Party::default()
    }
}

fn contact_names(place: Element<'_, '_>) -> Result<Vec<String>, MessageError> {
    Ok(owned(place.text("CtctDtls/Nm")?).into_iter().collect())
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

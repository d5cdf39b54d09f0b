//! Everybody that a payment names, and in what role: what screening has to look at.

use super::{Account, Agent, Party, Payment, PaymentKind, Underlying};
use crate::codec_enum;

/// In what role a payment names somebody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PartyRole {
    /// Who pays.
    Debtor,
    /// Who is paid.
    Creditor,
    /// On whose behalf the debtor pays.
    UltimateDebtor,
    /// For whom the creditor receives.
    UltimateCreditor,
    /// Who initiated the payment.
    InitiatingParty,
    /// The debtor's bank.
    DebtorAgent,
    /// The creditor's bank.
    CreditorAgent,
    /// Who sent this leg.
    InstructingAgent,
    /// Who receives this leg.
    InstructedAgent,
    /// A bank between the instructed and the creditor's.
    IntermediaryAgent,
    /// A bank that passed the payment on before.
    PreviousInstructingAgent,
    /// A bank through which the agents reimburse each other.
    ReimbursementAgent,
    /// A bank that took charges off the amount.
    ChargesAgent,
    /// A bank by its account.
    AgentAccount,
    /// Who gave the reason of a return.
    ReturnOriginator,
    /// Who pays in the underlying transfer.
    UnderlyingDebtor,
    /// Who is paid in the underlying transfer.
    UnderlyingCreditor,
    /// On whose behalf the debtor of the underlying transfer pays.
    UnderlyingUltimateDebtor,
    /// For whom the creditor of the underlying transfer receives.
    UnderlyingUltimateCreditor,
    /// Who initiated the underlying transfer.
    UnderlyingInitiatingParty,
    /// A bank of the underlying transfer.
    UnderlyingAgent,
}
codec_enum!(PartyRole {
    Debtor = 1, "debtor", Creditor = 2, "creditor", UltimateDebtor = 3, "ultimate-debtor",
    UltimateCreditor = 4, "ultimate-creditor", InitiatingParty = 5, "initiating-party",
    DebtorAgent = 6, "debtor-agent", CreditorAgent = 7, "creditor-agent",
    InstructingAgent = 8, "instructing-agent", InstructedAgent = 9, "instructed-agent",
    IntermediaryAgent = 10, "intermediary-agent", PreviousInstructingAgent = 11, "previous-instructing-agent",
    ReimbursementAgent = 12, "reimbursement-agent", ChargesAgent = 13, "charges-agent",
    AgentAccount = 14, "agent-account", ReturnOriginator = 15, "return-originator",
    UnderlyingDebtor = 16, "underlying-debtor", UnderlyingCreditor = 17, "underlying-creditor",
    UnderlyingUltimateDebtor = 18, "underlying-ultimate-debtor",
    UnderlyingUltimateCreditor = 19, "underlying-ultimate-creditor",
    UnderlyingInitiatingParty = 20, "underlying-initiating-party", UnderlyingAgent = 21, "underlying-agent",
});

impl Payment {
    /// The parties that it names, with their roles: its own first, then those of the transfers beneath it.
    pub fn parties(&self) -> impl Iterator<Item = (PartyRole, &Party)> {
        let own = [
            (PartyRole::Debtor, Some(&self.debtor)),
            (PartyRole::Creditor, Some(&self.creditor)),
            (PartyRole::UltimateDebtor, self.ultimate_debtor.as_ref()),
            (PartyRole::UltimateCreditor, self.ultimate_creditor.as_ref()),
            (PartyRole::InitiatingParty, self.initiating_party.as_ref()),
        ];
        let originators = self.return_reasons.iter().map(|reason| reason.originator.as_ref());
        own.into_iter()
            .chain(self.underlying.iter().flat_map(Underlying::parties))
            .chain(originators.map(|party| (PartyRole::ReturnOriginator, party)))
            .filter_map(|(role, party)| Some((role, party?)))
    }

    /// The agents that it names, with their roles: its own first, then those of the transfers beneath it.
    pub fn agents(&self) -> impl Iterator<Item = (PartyRole, &Agent)> {
        let single = [
            (PartyRole::DebtorAgent, self.debtor_agent.as_ref()),
            (PartyRole::CreditorAgent, self.creditor_agent.as_ref()),
            (PartyRole::InstructingAgent, self.instructing_agent.as_ref()),
            (PartyRole::InstructedAgent, self.instructed_agent.as_ref()),
        ];
        let many = [
            (PartyRole::IntermediaryAgent, &self.intermediary_agents),
            (PartyRole::PreviousInstructingAgent, &self.previous_instructing_agents),
            (PartyRole::ReimbursementAgent, &self.reimbursement_agents),
            (PartyRole::ChargesAgent, &self.charges_agents),
        ];
        let single = single.into_iter().filter_map(|(role, agent)| Some((role, agent?)));
        single
            .chain(many.into_iter().flat_map(|(role, agents)| agents.iter().map(move |agent| (role, agent))))
            .chain(self.underlying.iter().flat_map(Underlying::agents))
    }

    /// The accounts that it names, with whose they are: its own first, then those of the transfers beneath it.
    pub fn accounts(&self) -> impl Iterator<Item = (PartyRole, &Account)> {
        let own = [
            (PartyRole::Debtor, self.debtor_account.as_ref()),
            (PartyRole::Creditor, self.creditor_account.as_ref()),
        ];
        let agents = self.agent_accounts.iter().map(|account| (PartyRole::AgentAccount, account));
        own.into_iter()
            .filter_map(|(role, account)| Some((role, account?)))
            .chain(agents)
            .chain(self.underlying.iter().flat_map(Underlying::accounts))
    }
}

impl Payment {
    /// The accounts of debtor and creditor whose habits the payment is part of. A transfer between institutions is not
    /// their customers' habit, a cover repeats a payment that stands for itself, and a return undoes one.
    pub fn customer_accounts(&self) -> [Option<&Account>; 2] {
        match self.kind {
            PaymentKind::Customer => [self.debtor_account.as_ref(), self.creditor_account.as_ref()],
            PaymentKind::Institution | PaymentKind::Cover | PaymentKind::Return => [None, None],
        }
    }

    /// The ends of the customer's transfer, debtor first, each with its account: the payment's own, or those beneath a
    /// cover payment; none where no customer pays.
    pub fn customers(&self) -> Option<[(Option<&Party>, Option<&Account>); 2]> {
        match (self.kind, self.underlying.first()) {
            (PaymentKind::Customer, _) => Some([
                (Some(&self.debtor), self.debtor_account.as_ref()),
                (Some(&self.creditor), self.creditor_account.as_ref()),
            ]),
            (PaymentKind::Cover, Some(transfer)) => Some([
                (transfer.debtor.as_ref(), transfer.debtor_account.as_ref()),
                (transfer.creditor.as_ref(), transfer.creditor_account.as_ref()),
            ]),
            _ => None,
        }
    }
}

impl Underlying {
    fn parties(&self) -> impl Iterator<Item = (PartyRole, Option<&Party>)> {
        [
            (PartyRole::UnderlyingDebtor, self.debtor.as_ref()),
            (PartyRole::UnderlyingCreditor, self.creditor.as_ref()),
            (PartyRole::UnderlyingUltimateDebtor, self.ultimate_debtor.as_ref()),
            (PartyRole::UnderlyingUltimateCreditor, self.ultimate_creditor.as_ref()),
            (PartyRole::UnderlyingInitiatingParty, self.initiating_party.as_ref()),
        ]
        .into_iter()
    }

    fn agents(&self) -> impl Iterator<Item = (PartyRole, &Agent)> {
        let ends = [self.debtor_agent.as_ref(), self.creditor_agent.as_ref()];
        ends.into_iter().flatten().chain(&self.other_agents).map(|agent| (PartyRole::UnderlyingAgent, agent))
    }

    fn accounts(&self) -> impl Iterator<Item = (PartyRole, &Account)> {
        let ends = [
            (PartyRole::UnderlyingDebtor, self.debtor_account.as_ref()),
            (PartyRole::UnderlyingCreditor, self.creditor_account.as_ref()),
        ];
        let agents = self.agent_accounts.iter().map(|account| (PartyRole::AgentAccount, account));
        ends.into_iter().filter_map(|(role, account)| Some((role, account?))).chain(agents)
    }
}

//! What an action makes of a manifest.

use super::{Action, Electorate, Proposal, Refusal, acceptance};
use crate::id::BankId;
use crate::manifest::{Circuit, Manifest, Member, RegisteredModel};
use crate::sign::{Signature, verify};

impl Proposal {
    /// The manifest that this proposal makes of `before`, checked. A revocation leaves it as it is.
    ///
    /// # Errors
    /// [`Refusal`] if the action does not fit, or gives a manifest that is not usable.
    pub fn apply(&self, before: &Manifest) -> Result<Manifest, Refusal> {
        let mut after = before.clone();
        match &self.action {
            Action::Admit { bank, member, tags, witnesses, accepted } => {
                if before.members.contains_key(bank) {
                    return Err(Refusal::Member(bank.clone()));
                }
                self.accepted(bank, member, accepted)?;
                after.members.insert(bank.clone(), member.clone());
                (after.tags, after.witnesses) = (*tags, *witnesses);
            }
            Action::Remove { bank, tags, witnesses } => {
                removable(before, bank)?;
                // A development consortium has one tag key, which every bank holds.
                if !before.development && tags.key == before.tags.key {
                    return Err(Refusal::TagKey);
                }
                remove(&mut after, bank);
                (after.tags, after.witnesses) = (*tags, *witnesses);
            }
            Action::Rotate { bank, member, accepted } => {
                member_of(before, bank)?;
                self.accepted(bank, member, accepted)?;
                after.members.insert(bank.clone(), member.clone());
            }
            Action::RegisterModel(registered) => register(&mut after, registered)?,
            Action::RetireModel(version) => {
                before.model(*version).ok_or(Refusal::NoModel(*version))?;
                after.models.retain(|registered| registered.model.version != *version);
            }
            Action::AddCircuit(circuit) => self.add_circuit(&mut after, circuit)?,
            Action::PutGateway { id, gateway } => drop(after.gateways.insert(*id, gateway.clone())),
            Action::CloseGateway(id) => drop(after.gateways.remove(id).ok_or(Refusal::NoGateway(*id))?),
            Action::Revoke { bank, .. } => member_of(before, bank).map(drop)?,
        }
        after.check()?;
        Ok(after)
    }

    fn accepted(&self, bank: &BankId, member: &Member, accepted: &Signature) -> Result<(), Refusal> {
        let message = acceptance(&self.parent, bank, member);
        let signed = verify(&member.governance_key, &message, &accepted.0);
        if signed { Ok(()) } else { Err(Refusal::NotAccepted(bank.clone())) }
    }

    fn add_circuit(&self, after: &mut Manifest, circuit: &Circuit) -> Result<(), Refusal> {
        match after.circuits.last_key_value() {
            Some((last, _)) if *last >= self.activates => Err(Refusal::CircuitEpoch(*last)),
            _ => {
                after.circuits.insert(self.activates, circuit.clone());
                Ok(())
            }
        }
    }
}

fn member_of<'a>(manifest: &'a Manifest, bank: &BankId) -> Result<&'a Member, Refusal> {
    manifest.members.get(bank).ok_or_else(|| Refusal::NotMember(bank.clone()))
}

/// The others are enough to decide without the bank's institution.
fn removable(before: &Manifest, bank: &BankId) -> Result<(), Refusal> {
    member_of(before, bank)?;
    let electorate = Electorate::of(before);
    let (institutions, wanted) = (electorate.size(), electorate.quorum());
    if institutions - 1 < wanted {
        return Err(Refusal::CannotRemove { bank: bank.clone(), institutions, wanted });
    }
    Ok(())
}

/// A gateway that loses its last member closes.
fn remove(after: &mut Manifest, bank: &BankId) {
    after.members.remove(bank);
    after.gateways.retain(|_, gateway| {
        let registered = gateway.members.remove(bank).is_some();
        !(registered && gateway.members.is_empty())
    });
}

fn register(after: &mut Manifest, registered: &RegisteredModel) -> Result<(), Refusal> {
    let last = after.models.last().map_or(0, |last| last.model.version);
    if registered.model.version <= last {
        return Err(Refusal::ModelVersion { last });
    }
    after.models.push(registered.clone());
    Ok(())
}

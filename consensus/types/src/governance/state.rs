//! The state of the consortium: every decided manifest from the founders' on, and what is in force in an epoch.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::{
    Action, Certificate, MAX_REVOCATION, Proposal, Refusal, SignedTraces, TRACE_CUTOFF, TRACE_HORIZON,
};
use crate::codec::Encode as _;
use crate::hash::{Digest, Field, digest};
use crate::id::{BankId, Epoch};
use crate::manifest::{Manifest, Member};

/// One place in the chain.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Decided {
    head: Digest,
    activates: Epoch,
    manifest: Manifest,
}

/// A member shut out for some epochs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Revocation {
    /// Who.
    pub bank: BankId,
    /// The keys that it is shut out with; with others it is not.
    identity: Digest,
    /// The first epoch of it.
    pub from: Epoch,
    /// The last.
    pub until: Epoch,
}

/// Where a consortium is: the same for everyone who has the same certificates and commitments, whatever their order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State {
    /// From the founders' manifest to the last one decided.
    chain: Vec<Decided>,
    /// By the digests of their proposals.
    revocations: BTreeMap<Digest, Revocation>,
    /// By bank and membership. An epoch for which two differ has none.
    traces: BTreeMap<(BankId, Field), BTreeMap<Epoch, Option<Field>>>,
}

impl State {
    /// State 0: a manifest that its founders signed ([`crate::manifest::SignedManifest::open`]).
    pub fn found(manifest: Manifest) -> Self {
        let founded = Decided { head: manifest.id(), activates: Epoch(0), manifest };
        Self { chain: vec![founded], revocations: BTreeMap::new(), traces: BTreeMap::new() }
    }

    fn last(&self) -> &Decided {
        self.chain.last().expect("the founders' manifest is there from the beginning")
    }

    /// The consortium's id: the founders' manifest.
    pub fn consortium(&self) -> Digest {
        self.chain[0].head
    }

    /// The head: what the next amendment names as its parent.
    pub fn head(&self) -> Digest {
        self.last().head
    }

    /// How many amendments were decided.
    pub fn number(&self) -> u64 {
        self.chain.len() as u64 - 1
    }

    /// The manifest decided last, whether it is in force or not yet. Its members vote.
    pub fn decided(&self) -> &Manifest {
        &self.last().manifest
    }

    /// From when the manifest decided last is in force.
    pub fn activates(&self) -> Epoch {
        self.last().activates
    }

    /// The epochs in which what is in force changes, by amendments and by revocations' beginnings and ends.
    pub fn turns(&self) -> BTreeSet<Epoch> {
        let amended = self.chain.iter().map(|decided| decided.activates);
        let ended = |until: Epoch| Epoch(until.0.saturating_add(1));
        let revoked = self.revocations.values().flat_map(|revoked| [revoked.from, ended(revoked.until)]);
        amended.chain(revoked).collect()
    }

    /// What is in force in `epoch`: the last manifest activated by then, with the commitments known, and without the
    /// registrations of revoked members.
    pub fn in_force(&self, epoch: Epoch) -> Manifest {
        let active = self.chain.iter().rev().find(|decided| decided.activates <= epoch);
        let mut manifest = active.unwrap_or(&self.chain[0]).manifest.clone();
        for (bank, member) in &mut manifest.members {
            for (epoch, trace) in self.traces.get(&(bank.clone(), member.membership)).into_iter().flatten() {
                match trace {
                    Some(trace) => drop(member.traces.entry(*epoch).or_insert(*trace)),
                    None => drop(member.traces.remove(epoch)),
                }
            }
        }
        for bank in self.revoked_from(&manifest, epoch) {
            manifest.gateways.values_mut().for_each(|gateway| drop(gateway.members.remove(&bank)));
        }
        manifest
    }

    /// Who is shut out in `epoch`.
    pub fn revoked(&self, epoch: Epoch) -> BTreeSet<BankId> {
        let active = self.chain.iter().rev().find(|decided| decided.activates <= epoch);
        self.revoked_from(&active.unwrap_or(&self.chain[0]).manifest, epoch)
    }

    fn revoked_from(&self, manifest: &Manifest, epoch: Epoch) -> BTreeSet<BankId> {
        let holds = |revoked: &&Revocation| {
            let same = |member| identity(member) == revoked.identity;
            (revoked.from..=revoked.until).contains(&epoch)
                && manifest.members.get(&revoked.bank).is_some_and(same)
        };
        self.revocations.values().filter(holds).map(|revoked| revoked.bank.clone()).collect()
    }

    /// Whether this proposal is a revocation that was decided.
    pub(super) fn revoked_by(&self, proposal: &Digest) -> bool {
        self.revocations.contains_key(proposal)
    }

    /// Every revocation, past ones among them.
    pub fn revocations(&self) -> impl Iterator<Item = &Revocation> {
        self.revocations.values()
    }

    /// The manifest that `proposal` would give: whether it fits this state, not whether it is decided.
    ///
    /// # Errors
    /// [`Refusal`] if it is for another state, or does not fit it.
    pub fn preview(&self, proposal: &Proposal) -> Result<Manifest, Refusal> {
        if (proposal.parent, proposal.number) != (self.head(), self.number() + 1) {
            return Err(self.stale(proposal));
        }
        if let Action::Revoke { until, .. } = proposal.action {
            in_bounds(proposal.activates, until)?;
        } else if proposal.activates < self.activates() {
            return Err(Refusal::Activation { activates: proposal.activates, last: self.activates() });
        }
        proposal.apply(self.decided())
    }

    fn stale(&self, proposal: &Proposal) -> Refusal {
        Refusal::Stale { found: proposal.parent, number: proposal.number, head: self.head() }
    }

    /// Takes in a decision. Says whether it is news.
    ///
    /// # Errors
    /// [`Refusal`]; nothing has changed then.
    pub fn decide(&mut self, certificate: &Certificate) -> Result<bool, Refusal> {
        let proposal = &certificate.proposal;
        if let Action::Revoke { bank, until } = &proposal.action {
            return self.revoke(certificate, bank, *until);
        }
        let index = usize::try_from(proposal.number).unwrap_or(usize::MAX);
        if self.chain.get(index).is_some_and(|decided| decided.head == proposal.head()) {
            return Ok(false);
        }
        let manifest = self.preview(proposal)?;
        certificate.check(self.decided())?;
        self.chain.push(Decided { head: proposal.head(), activates: proposal.activates, manifest });
        Ok(true)
    }

    /// A revocation may come late, when its parent is no longer the head. It counts all the same, so that order does not
    /// matter; but not if its parent was no longer in force when it begins, or former members could revoke.
    fn revoke(&mut self, certificate: &Certificate, bank: &BankId, until: Epoch) -> Result<bool, Refusal> {
        let proposal = &certificate.proposal;
        let (digest, from) = (proposal.digest(), proposal.activates);
        if self.revocations.contains_key(&digest) {
            return Ok(false);
        }
        in_bounds(from, until)?;
        let place = proposal.number.checked_sub(1).and_then(|place| usize::try_from(place).ok());
        let parent = place.and_then(|place| Some((place, self.chain.get(place)?)));
        let (place, parent) = parent.ok_or_else(|| self.stale(proposal))?;
        let superseded = self.chain.get(place + 1).is_some_and(|next| from > next.activates);
        if parent.head != proposal.parent || superseded {
            return Err(self.stale(proposal));
        }
        proposal.apply(&parent.manifest)?;
        certificate.check(&parent.manifest)?;
        let member = parent.manifest.members.get(bank).ok_or_else(|| Refusal::NotMember(bank.clone()))?;
        let revocation = Revocation { bank: bank.clone(), identity: identity(member), from, until };
        self.revocations.insert(digest, revocation);
        Ok(true)
    }

    /// Takes in trace commitments that arrive in epoch `now`; without it they are known to have been in time. Says
    /// whether any is news. Two that differ for one epoch leave it without.
    ///
    /// # Errors
    /// [`Refusal`]; nothing has changed then.
    pub fn commit(&mut self, signed: &SignedTraces, now: Option<Epoch>) -> Result<bool, Refusal> {
        let bank = &signed.bank;
        let member = self.decided().members.get(bank).ok_or_else(|| Refusal::NotMember(bank.clone()))?;
        signed.check(&self.consortium(), member)?;
        let known = self.traces.get(&(bank.clone(), signed.membership));
        let fresh: BTreeMap<Epoch, Option<Field>> = signed
            .traces
            .iter()
            .filter_map(|(epoch, trace)| {
                let before = known.and_then(|known| known.get(epoch).copied());
                let before = before.or_else(|| member.traces.get(epoch).map(|trace| Some(*trace)));
                match before {
                    Some(None) => None,
                    Some(Some(before)) => (before != *trace).then_some((*epoch, None)),
                    None => Some((*epoch, Some(*trace))),
                }
            })
            .collect();
        if let Some(now) = now {
            in_time(bank, &fresh, now)?;
        }
        let news = !fresh.is_empty();
        self.traces.entry((bank.clone(), signed.membership)).or_default().extend(fresh);
        Ok(news)
    }
}

/// Whether what is new arrives in time for its epochs. That two differ is told at any time.
fn in_time(bank: &BankId, fresh: &BTreeMap<Epoch, Option<Field>>, now: Epoch) -> Result<(), Refusal> {
    let ahead = |epochs| Epoch(now.0.saturating_add(epochs));
    for epoch in fresh.iter().filter(|(_, trace)| trace.is_some()).map(|(epoch, _)| *epoch) {
        if epoch <= ahead(TRACE_CUTOFF) {
            return Err(Refusal::TooLate { bank: bank.clone(), epoch, now });
        }
        if epoch > ahead(TRACE_HORIZON) {
            return Err(Refusal::TooEarly { bank: bank.clone(), epoch, now });
        }
    }
    Ok(())
}

fn in_bounds(from: Epoch, until: Epoch) -> Result<(), Refusal> {
    let latest = Epoch(from.0.saturating_add(MAX_REVOCATION - 1));
    if (from..=latest).contains(&until) {
        Ok(())
    } else {
        Err(Refusal::RevocationEnd { from, until, latest })
    }
}

/// What a member is known by: its keys and its membership.
fn identity(member: &Member) -> Digest {
    let Member { governance_key, log_key, cosigner_key, peer_keys, membership, .. } = member;
    let keys = [governance_key, log_key, cosigner_key].map(|key| key.0).concat();
    digest("hansa/identity/v1", &[&keys, &peer_keys.to_bytes(), &membership.0])
}

//! The rules that hold for every manifest, and what is allowed but should be known.

use std::collections::BTreeSet;
use std::fmt;

use super::{
    ANONYMITY_FLOOR, MAX_CIRCUITS, MAX_GATEWAYS, MAX_MEMBERS, MAX_MODELS, MAX_PEER_KEYS, MAX_TEXT, MAX_ZONES,
    Manifest, ManifestError, Thresholds, WitnessPolicy,
};
use crate::id::{Epoch, GatewayId, MAX_NAME};

/// Fewer holders of the tag key than this can be talked into trying out subjects: for demonstrations only.
pub(super) const TAG_THRESHOLD_FLOOR: u16 = 3;

/// Something that a manifest may say, and that whoever signs it or runs under it should know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remark {
    /// The proof keys come from no ceremony.
    Development,
    /// Two views of one log can both be published.
    Forks {
        /// The policy.
        policy: WitnessPolicy,
        /// How many witnesses a log has.
        witnesses: usize,
    },
    /// Few members can compute the tag of any subject together.
    TagThreshold(u16),
    /// A sender is hardly hidden.
    FewRegistered {
        /// In which gateway.
        gateway: GatewayId,
        /// How many are registered.
        registered: usize,
    },
    /// Nothing can be signalled in a gateway.
    BelowMinimum {
        /// In which.
        gateway: GatewayId,
        /// How many are registered.
        registered: usize,
        /// How many have to be active.
        minimum: u16,
    },
}

impl fmt::Display for Remark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Development => write!(
                f,
                "development keys: whoever made them can forge proofs, or try out whose account a tag is of"
            ),
            Self::Forks { policy: WitnessPolicy { quorum, faulty }, witnesses } => write!(
                f,
                "2k > w + f does not hold for k = {quorum} cosignatures of w = {witnesses} witnesses, f = {faulty} of \
                 them faulty: two views of a log could each find a witness quorum, and comparing checkpoints is what \
                 catches them"
            ),
            Self::TagThreshold(threshold) => write!(
                f,
                "{threshold} members together can try out every subject's tag: fewer than {TAG_THRESHOLD_FLOOR} are for \
                 demonstrations"
            ),
            Self::FewRegistered { gateway, registered } => write!(
                f,
                "{registered} members in gateway {gateway}: below {ANONYMITY_FLOOR} the sender of a signal is not anonymous"
            ),
            Self::BelowMinimum { gateway, registered, minimum } => write!(
                f,
                "nothing can be signalled in gateway {gateway}: {registered} members are registered and {minimum} must \
                 be active"
            ),
        }
    }
}

fn content(detail: impl Into<String>) -> ManifestError {
    ManifestError::Content(detail.into())
}

fn ensure(holds: bool, detail: impl FnOnce() -> String) -> Result<(), ManifestError> {
    if holds { Ok(()) } else { Err(content(detail())) }
}

fn within(what: &str, count: usize, least: usize, most: usize) -> Result<(), ManifestError> {
    ensure((least..=most).contains(&count), || {
        format!("it has {count} {what}; {least} to {most} are possible")
    })
}

fn said(what: impl fmt::Display, texts: &[&str]) -> Result<(), ManifestError> {
    let fits = |text: &&str| !text.trim().is_empty() && text.len() <= MAX_TEXT;
    ensure(texts.iter().all(fits), || format!("{what}, each in 1 to {MAX_TEXT} bytes of text"))
}

impl Manifest {
    /// The rules that hold for every manifest, signed or not.
    ///
    /// # Errors
    /// [`ManifestError::Content`] with the first rule that is broken.
    pub fn check(&self) -> Result<(), ManifestError> {
        within("members", self.members.len(), 1, MAX_MEMBERS)?;
        within("models", self.models.len(), 1, MAX_MODELS)?;
        within("gateways", self.gateways.len(), 0, MAX_GATEWAYS)?;
        let name_ok = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        let name = &self.name;
        ensure((1..=MAX_NAME).contains(&name.len()) && name.bytes().all(name_ok), || {
            format!("the name {name:?} must be 1 to {MAX_NAME} of a-z, 0-9 and '-'")
        })?;
        ensure(self.epochs.seconds > 0 && self.epochs.grace_seconds < self.epochs.seconds, || {
            "an epoch must last longer than its grace, and that longer than nothing".into()
        })?;
        let Thresholds { low, medium, high } = self.thresholds;
        ensure(low > 0 && low <= medium && medium <= high, || {
            "thresholds must be above 0 and not fall from low to high".into()
        })?;
        let limit = (1..=u32::from(u16::MAX)).contains(&self.signal_limit);
        ensure(limit && self.signal_lifetime > 0, || {
            "the signal limit is 1 to 65535 per epoch, the lifetime at least one epoch".into()
        })?;
        self.check_quorums()?;
        self.check_models()?;
        self.check_circuits()?;
        self.check_members()?;
        self.gateways.keys().try_for_each(|id| self.check_gateway(*id))
    }

    fn check_quorums(&self) -> Result<(), ManifestError> {
        let others = self.members.len() - 1;
        let most = u8::try_from(others).unwrap_or(u8::MAX);
        ensure((most.min(1)..=most).contains(&self.witnesses.quorum), || {
            format!("the witness quorum must be from 1 to the {others} other members")
        })?;
        ensure(usize::from(self.witnesses.faulty) <= others, || {
            format!("no more than the {others} other members can be faulty witnesses")
        })?;
        ensure((1..=self.members.len()).contains(&usize::from(self.tags.threshold)), || {
            format!("the tag threshold must be from 1 to the {} members", self.members.len())
        })
    }

    fn check_models(&self) -> Result<(), ManifestError> {
        ensure(self.models.is_sorted_by(|a, b| a.model.version < b.model.version), || {
            "model versions do not strictly ascend".into()
        })?;
        self.models.iter().try_for_each(|registered| {
            let what =
                format!("model {} must name its owner, purpose and approver", registered.model.version);
            said(what, &[&registered.owner, &registered.purpose, &registered.approver])
        })
    }

    fn check_circuits(&self) -> Result<(), ManifestError> {
        within("circuits", self.circuits.len(), 1, MAX_CIRCUITS)?;
        ensure(self.circuits.contains_key(&Epoch(0)), || "no circuit is in force from epoch 0".into())?;
        let versions: Vec<u16> = self.circuits.values().map(|circuit| circuit.version).collect();
        ensure(versions.is_sorted(), || "an older circuit is to follow a newer one".into())?;
        let made = |version| {
            format!("circuit {version} has no ceremony transcript: only development keys have none")
        };
        self.circuits.values().try_for_each(|circuit| {
            ensure(self.development || circuit.transcript.is_some(), || made(circuit.version))
        })
    }

    /// No two members share a key or a membership commitment: each is an identity.
    fn check_members(&self) -> Result<(), ManifestError> {
        let mut seen = BTreeSet::new();
        for (bank, member) in &self.members {
            said(format!("{bank} must have the name of its institution"), &[&member.institution])?;
            within(&format!("peer keys of {bank}"), member.peer_keys.len(), 1, MAX_PEER_KEYS)?;
            within(&format!("zones of {bank}"), member.zones.len(), 0, MAX_ZONES)?;
            let zones: Vec<&str> = member.zones.keys().map(String::as_str).collect();
            said(format!("the zones of {bank} must have names"), &zones)?;
            let single =
                [member.governance_key.0, member.log_key.0, member.cosigner_key.0, member.membership.0];
            let mut keys = single.into_iter().chain(member.peer_keys.iter().map(|key| key.0));
            ensure(keys.all(|key| seen.insert(key)), || {
                format!("a key of {bank} is used twice: each has one purpose")
            })?;
            let twice = member.traces.iter().find(|(_, trace)| !seen.insert(trace.0));
            if let Some((epoch, _)) = twice {
                return Err(content(format!(
                    "the trace commitment of {bank} for epoch {epoch} is used twice"
                )));
            }
        }
        Ok(())
    }

    fn check_gateway(&self, id: GatewayId) -> Result<(), ManifestError> {
        let gateway = &self.gateways[&id];
        let what = format!("gateway {id} must name its legal basis, purpose, jurisdictions and members");
        said(&what, &[&gateway.legal_basis, &gateway.purpose])?;
        ensure(!gateway.jurisdictions.is_empty() && !gateway.members.is_empty(), || what)?;
        said(format!("gateway {id} must have a name"), &[&gateway.name])?;
        ensure(gateway.minimum > 0, || format!("gateway {id} must want at least 1 active member"))?;
        gateway.members.iter().try_for_each(|(bank, registration)| {
            ensure(self.members.contains_key(bank), || {
                format!("gateway {id} names {bank}, which is not a member")
            })?;
            said(format!("gateway {id} must have a reference for {bank}"), &[&registration.reference])
        })
    }

    /// What the manifest is allowed to say and its readers should know.
    pub fn remarks(&self) -> Vec<Remark> {
        let mut remarks = Vec::new();
        if self.development {
            remarks.push(Remark::Development);
        }
        let witnesses = self.members.len().saturating_sub(1);
        if witnesses > 0 && !self.witnesses.excludes_forks(witnesses) {
            remarks.push(Remark::Forks { policy: self.witnesses, witnesses });
        }
        if self.tags.threshold < TAG_THRESHOLD_FLOOR {
            remarks.push(Remark::TagThreshold(self.tags.threshold));
        }
        for (id, gateway) in &self.gateways {
            let (gateway, registered, minimum) = (*id, gateway.members.len(), gateway.minimum);
            if registered < usize::from(minimum) {
                remarks.push(Remark::BelowMinimum { gateway, registered, minimum });
            } else if registered < ANONYMITY_FLOOR {
                remarks.push(Remark::FewRegistered { gateway, registered });
            }
        }
        remarks
    }
}

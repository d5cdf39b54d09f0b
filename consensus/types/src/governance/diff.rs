//! What differs between two manifests, one line for each thing that a voter would ask about.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::manifest::{Circuit, Gateway, Manifest, Member, RegisteredModel};

/// One thing that differs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Difference {
    /// Which.
    pub what: String,
    /// What it was; none if it is new.
    pub before: Option<String>,
    /// What it is; none if it is gone.
    pub after: Option<String>,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { what, before, after } = self;
        match (before, after) {
            (Some(before), Some(after)) => write!(f, "~ {what}: {before} -> {after}"),
            (None, Some(after)) => write!(f, "+ {what}: {after}"),
            (Some(before), None) => write!(f, "- {what}: {before}"),
            (None, None) => Ok(()),
        }
    }
}

/// What differs, in the order of its names.
pub fn diff(before: &Manifest, after: &Manifest) -> Vec<Difference> {
    let (before, mut after) = (lines(before), lines(after));
    let changed = before.into_iter().filter_map(|(what, before)| {
        let after = after.remove(&what);
        (after.as_ref() != Some(&before)).then_some(Difference { what, before: Some(before), after })
    });
    let mut differences: Vec<Difference> = changed.collect();
    differences.extend(after.into_iter().map(|(what, after)| Difference {
        what,
        before: None,
        after: Some(after),
    }));
    differences.sort_by(|a, b| a.what.cmp(&b.what));
    differences
}

/// A manifest as names and values.
fn lines(manifest: &Manifest) -> BTreeMap<String, String> {
    let mut lines = Lines(BTreeMap::new());
    lines.add("name", &manifest.name);
    lines.add("development", &manifest.development);
    if let Some(refounds) = manifest.refounds {
        lines.add("refounds", &refounds);
    }
    let epochs = &manifest.epochs;
    lines.add(
        "epochs",
        &format!("{} s from {}, grace {} s", epochs.seconds, epochs.start, epochs.grace_seconds),
    );
    let (low, medium, high) = (manifest.thresholds.low, manifest.thresholds.medium, manifest.thresholds.high);
    lines.add("thresholds", &format!("low {low}, medium {medium}, high {high}"));
    lines.add("signal limit", &manifest.signal_limit);
    lines.add("signal lifetime", &format!("{} epochs", manifest.signal_lifetime));
    lines.add("tag key", &manifest.tags.key);
    lines.add("tag threshold", &manifest.tags.threshold);
    lines.add(
        "witnesses",
        &format!("{} of them, {} faulty", manifest.witnesses.quorum, manifest.witnesses.faulty),
    );
    manifest.members.iter().for_each(|(bank, member)| lines.member(bank, member));
    manifest.gateways.iter().for_each(|(id, gateway)| lines.gateway(id, gateway));
    manifest.models.iter().for_each(|registered| lines.model(registered));
    manifest.circuits.iter().for_each(|(epoch, circuit)| lines.circuit(epoch, circuit));
    lines.0
}

struct Lines(BTreeMap<String, String>);

impl Lines {
    fn add(&mut self, what: impl Into<String>, value: &dyn fmt::Display) {
        self.0.insert(what.into(), value.to_string());
    }

    fn member(&mut self, bank: &impl fmt::Display, member: &Member) {
        let of = |what: &str| format!("member {bank}, {what}");
        self.add(of("institution"), &member.institution);
        self.add(of("ultimate parent"), &member.parent.as_str());
        self.add(of("governance key"), &member.governance_key);
        self.add(of("log key"), &member.log_key);
        self.add(of("cosigner key"), &member.cosigner_key);
        self.add(of("membership"), &member.membership);
        member.peer_keys.iter().for_each(|key| self.add(of(&format!("peer key {key}")), &"connects"));
        member
            .zones
            .iter()
            .for_each(|(zone, country)| self.add(of(&format!("zone {zone}")), &country.as_str()));
        if let Some(share) = member.tag_share {
            self.add(of("tag share"), &share);
        }
        if let (Some((first, _)), Some((last, _))) =
            (member.traces.first_key_value(), member.traces.last_key_value())
        {
            let count = member.traces.len();
            self.add(of("trace commitments"), &format!("{count}, for epochs {first} to {last}"));
        }
    }

    fn gateway(&mut self, id: &impl fmt::Display, gateway: &Gateway) {
        let of = |what: &str| format!("gateway {id}, {what}");
        self.add(of("name"), &gateway.name);
        self.add(of("legal basis"), &gateway.legal_basis);
        self.add(of("purpose"), &gateway.purpose);
        let countries: Vec<&str> = gateway.jurisdictions.iter().map(|country| country.as_str()).collect();
        self.add(of("jurisdictions"), &countries.join(" "));
        self.add(of("minimum"), &format!("{} active members", gateway.minimum));
        self.add(of("expires"), &gateway.expires);
        for (bank, registration) in &gateway.members {
            let registered = format!("{}, expires {}", registration.reference, registration.expires);
            self.add(of(&format!("registration of {bank}")), &registered);
        }
    }

    fn model(&mut self, registered: &RegisteredModel) {
        let of = |what: &str| format!("model {}, {what}", registered.model.version);
        let weights: Vec<String> = registered.model.weights.iter().map(ToString::to_string).collect();
        self.add(of("weights"), &weights.join(" "));
        self.add(of("owner"), &registered.owner);
        self.add(of("purpose"), &registered.purpose);
        self.add(of("validation report"), &registered.validation);
        self.add(of("approver"), &registered.approver);
        self.add(of("review"), &registered.review);
    }

    fn circuit(&mut self, epoch: &impl fmt::Display, circuit: &Circuit) {
        let of = |what: &str| format!("circuit from epoch {epoch}, {what}");
        self.add(of("version"), &circuit.version);
        self.add(of("hash"), &circuit.hash);
        self.add(of("verifying key"), &circuit.verifying_key);
        let transcript = circuit.transcript.map(|transcript| transcript.to_string());
        self.add(
            of("ceremony transcript"),
            &transcript.unwrap_or_else(|| "none: a development key".to_owned()),
        );
    }
}

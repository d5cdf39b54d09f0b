//! The facade: lists, model and policy together, from payment to assessment.

use hansa_types::decision::{Decision, ListVersion, MAX_FINDINGS};
use hansa_types::hash::Digest;
use hansa_types::id::Timestamp;
use hansa_types::model::FACTORS;
use hansa_types::payment::{Account, PartyRole, Payment};
use serde::Serialize;

use crate::alerts::ActiveAlerts;
use crate::config::{Policy, PolicyError};
use crate::decide::{self, Grounds, Listed};
use crate::factors::{self, Evidence, Inputs};
use crate::history::{History, Observation};
use crate::identifiers::{IdentifierHit, Identifiers};
use crate::model::{ModelError, RiskModel};
use crate::names::{Hints, Hit, Matcher};
use crate::watchlist::Watchlist;

/// A listed name that somebody in a payment resembles.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NameHit {
    /// Who.
    pub role: PartyRole,
    /// The name in the payment.
    pub name: String,
    /// The list's name.
    pub list: String,
    /// The entry's id on the list.
    pub entry: String,
    /// How alike, and why.
    pub hit: Hit,
}

/// A decision, and everything that explains it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Assessment {
    /// The decision, as it is logged.
    pub decision: Decision,
    /// Each factor's share of the score; their sum is the score.
    pub contributions: [i64; FACTORS],
    /// Why each factor is what it is.
    pub evidence: Vec<Evidence>,
    /// Names like listed ones.
    pub name_hits: Vec<NameHit>,
    /// Listed identifiers.
    pub identifier_hits: Vec<IdentifierHit>,
}

/// Why a screener cannot be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScreenerError {
    /// A policy out of range.
    #[error("screening policy: {0}")]
    Policy(#[from] PolicyError),
    /// A model that is not valid.
    #[error("model: {0}")]
    Model(#[from] ModelError),
}

/// Screens payments under one policy, one model and the lists of one moment. Whoever changes one of them makes a new
/// screener and swaps it in.
pub struct Screener {
    policy: Policy,
    model: RiskModel,
    model_digest: Digest,
    lists: Vec<Watchlist>,
    versions: Vec<ListVersion>,
    matcher: Matcher,
    identifiers: Identifiers,
}

impl Screener {
    /// Checks and indexes everything.
    pub fn new(policy: Policy, lists: Vec<Watchlist>, model: RiskModel) -> Result<Self, ScreenerError> {
        policy.validate()?;
        model.validate()?;
        let lists: Vec<_> =
            lists.into_iter().filter(|list| !policy.skip_lists.contains(&list.name)).collect();
        Ok(Self {
            versions: lists.iter().map(Watchlist::version).collect(),
            matcher: Matcher::build(&lists),
            identifiers: Identifiers::build(&lists),
            model_digest: model.model.digest(),
            policy,
            model,
            lists,
        })
    }

    /// The policy.
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// The model.
    pub fn model(&self) -> &RiskModel {
        &self.model
    }

    /// The lists consulted.
    pub fn lists(&self) -> &[Watchlist] {
        &self.lists
    }

    /// The names of all lists, indexed.
    pub fn matcher(&self) -> &Matcher {
        &self.matcher
    }

    /// The listed names that `name` resembles under the policy.
    pub fn screen_name(&self, name: &str, hints: &Hints) -> Vec<Hit> {
        self.matcher.screen(&self.lists, name, hints, self.policy.name_threshold)
    }

    /// Decides on a payment: pure, so the same arguments give the same assessment on every replica and in replay.
    /// `history` holds what was carried out before, not this payment.
    pub fn assess(
        &self,
        payment: &Payment,
        history: &History,
        alerts: &ActiveAlerts,
        now: Timestamp,
    ) -> Assessment {
        let name_hits = self.name_hits(payment);
        let identifier_hits = self.identifiers.screen(payment);
        let list_match = name_hits.iter().map(|hit| hit.hit.score).max().unwrap_or(0);
        let inputs = Inputs::new(payment, history, &self.policy, list_match, now.0);
        let (factors, evidence) = factors::compute(&inputs);
        let score = self.model.model.score(&factors);
        let mut signals = alerts.of_payment(payment);
        signals.truncate(MAX_FINDINGS);
        let ruled = decide::rule(&Grounds {
            payment,
            policy: &self.policy,
            model: &self.model,
            score,
            evidence: &evidence,
            names: name_hits.iter().map(|hit| self.describe_name(hit)).collect(),
            identifiers: identifier_hits.iter().map(|hit| self.describe_identifier(hit)).collect(),
            signals: &signals,
        });
        let decision = Decision {
            key: payment.key(),
            content: payment.content_hash(),
            verdict: ruled.verdict,
            disposition: ruled.disposition,
            reasons: ruled.reasons,
            outward_code: ruled.outward_code,
            score,
            factors,
            model_version: self.model.model.version,
            model: self.model_digest,
            lists: self.versions.clone(),
            signals: signals.into_iter().map(|(_, signal)| signal).collect(),
            findings: ruled.findings,
            decided_at: now,
        };
        let contributions = self.model.model.contributions(&factors);
        Assessment { decision, contributions, evidence, name_hits, identifier_hits }
    }

    /// What a payment that is carried out adds to the history.
    pub fn observation(&self, payment: &Payment, at: Timestamp) -> Observation {
        let [debtor, creditor] = payment.customer_accounts().map(|account| account.map(Account::digest));
        Observation {
            debtor,
            creditor,
            amount: payment.settlement_amount.map_or(0, |money| self.policy.reference_cents(&money)),
            at: at.0,
        }
    }

    fn name_hits(&self, payment: &Payment) -> Vec<NameHit> {
        let parties = payment.parties().flat_map(|(role, party)| {
            let hints = Hints { birth: party.birth.as_ref().and_then(|b| b.date), country: party.country() };
            party.names().map(move |name| (role, name, hints))
        });
        let agents = payment.agents().flat_map(|(role, agent)| {
            let hints = Hints { birth: None, country: agent.country() };
            agent.names().map(move |name| (role, name, hints))
        });
        let mut hits = Vec::new();
        for (role, name, hints) in parties.chain(agents) {
            for hit in self.screen_name(name, &hints) {
                let Some((list, entry)) = self.entry(hit.list, hit.entry) else { continue };
                hits.push(NameHit { role, name: name.to_owned(), list, entry, hit });
            }
        }
        hits
    }

    fn entry(&self, list: usize, entry: usize) -> Option<(String, String)> {
        let list = self.lists.get(list)?;
        Some((list.name.clone(), list.entries.get(entry)?.id.clone()))
    }

    fn describe_name(&self, hit: &NameHit) -> Listed {
        let measure = self.lists[hit.hit.list].measure;
        let (score, listed) = (f64::from(hit.hit.score) / 1000.0, &hit.hit.name);
        let text = format!("{} {:?} ~ {} {} {listed:?} {score:.2}", hit.role, hit.name, hit.list, hit.entry);
        Listed { measure, text }
    }

    fn describe_identifier(&self, hit: &IdentifierHit) -> Listed {
        let list = &self.lists[hit.list];
        let entry = &list.entries[hit.entry];
        let name = entry.names.first().map_or("", |name| name.text.as_str());
        let text = format!("{} {} is on {} as {} {name:?}", hit.role, hit.identifier, list.name, entry.id);
        Listed { measure: list.measure, text }
    }
}

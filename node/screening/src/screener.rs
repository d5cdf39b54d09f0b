//! The facade: lists, model and policy together, from payment to assessment.

use std::collections::BTreeSet;

use hansa_types::decision::{Decision, ListVersion, ListedParty, MAX_FINDINGS, Reason};
use hansa_types::exception::Exception;
use hansa_types::frame::BoundByFrame;
use hansa_types::habits::Habits;
use hansa_types::hash::Digest;
use hansa_types::id::Timestamp;
use hansa_types::model::FACTORS;
use hansa_types::payment::{Account, PartyRole, Payment};
use serde::Serialize;

use crate::alerts::ActiveAlerts;
use crate::config::{Policy, PolicyError, Scheme};
use crate::decide::{self, Grounds, Listed};
use crate::exceptions::{self, Entry, Exceptions};
use crate::factors::{self, Evidence, Inputs};
use crate::history::{History, Observation};
use crate::identifiers::{IdentifierHit, Identifiers};
use crate::model::{ModelError, RiskModel};
use crate::names::{Hints, Hit, Matcher};
use crate::rules::Rules;
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
    /// What the accounts did before.
    pub habits: Habits,
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

/// What is known beside lists, model and policy when a payment is decided on.
#[derive(Clone, Copy, Debug)]
pub struct Known<'a> {
    /// What other members signalled.
    pub alerts: &'a ActiveAlerts,
    /// Who was found not to be listed.
    pub exceptions: &'a Exceptions,
    /// A blocked frame of the payment.
    pub frame: Option<&'a BoundByFrame>,
}

impl Default for Known<'static> {
    /// Nothing is known.
    fn default() -> Self {
        static ALERTS: ActiveAlerts = ActiveAlerts::NONE;
        static EXCEPTIONS: Exceptions = Exceptions::NONE;
        Self { alerts: &ALERTS, exceptions: &EXCEPTIONS, frame: None }
    }
}

/// Screens payments under one policy, one model and the lists of one moment. Whoever changes one of them makes a new
/// screener and swaps it in.
pub struct Screener {
    policy: Policy,
    model: RiskModel,
    model_digest: Digest,
    rules: Rules,
    rules_digest: Digest,
    lists: Vec<Watchlist>,
    matcher: Matcher,
    identifiers: Identifiers,
}

impl Screener {
    /// Checks and indexes everything.
    pub fn new(policy: Policy, lists: Vec<Watchlist>, model: RiskModel) -> Result<Self, ScreenerError> {
        policy.validate()?;
        model.validate()?;
        let rules = Rules::new(&policy, &model);
        Ok(Self {
            matcher: Matcher::build(&lists),
            identifiers: Identifiers::build(&lists),
            model_digest: model.model.digest(),
            rules_digest: rules.digest(),
            rules,
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

    /// The rules, as decisions cite them.
    pub fn rules(&self) -> &Rules {
        &self.rules
    }

    /// The lists; [`Policy::skip_lists`] says which schemes leave some out.
    pub fn lists(&self) -> &[Watchlist] {
        &self.lists
    }

    /// The versions of the lists that payments of `scheme` are screened against.
    pub fn consulted(&self, scheme: Scheme) -> Vec<ListVersion> {
        self.lists.iter().filter(|list| !self.skips(scheme, list)).map(Watchlist::version).collect()
    }

    fn skips(&self, scheme: Scheme, list: &Watchlist) -> bool {
        self.policy.skip_lists.get(&scheme).is_some_and(|skipped| skipped.contains(&list.name))
    }

    /// The names of all lists, indexed.
    pub fn matcher(&self) -> &Matcher {
        &self.matcher
    }

    /// The listed names that `name` resembles under the policy.
    pub fn screen_name(&self, name: &str, hints: &Hints) -> Vec<Hit> {
        self.matcher.screen(&self.lists, name, hints, self.policy.name_threshold)
    }

    /// Decides on a payment by what its accounts did before: `history` holds what was carried out, not this payment.
    pub fn assess(
        &self,
        payment: &Payment,
        history: &History,
        known: Known<'_>,
        now: Timestamp,
    ) -> Assessment {
        self.judge(payment, factors::habits::of(payment, history, &self.policy, now), known, now)
    }

    /// Decides on a payment whose accounts' habits are known: pure, so the same arguments give the same assessment on
    /// every replica and in replay.
    pub fn judge(&self, payment: &Payment, habits: Habits, known: Known<'_>, now: Timestamp) -> Assessment {
        self.judge_without(None, payment, habits, known, now)
    }

    /// As [`Self::judge`], but no rule applies that would give the reason `without`: what a decision would be if that
    /// reason fell away.
    pub(crate) fn judge_without(
        &self,
        without: Option<Reason>,
        payment: &Payment,
        habits: Habits,
        known: Known<'_>,
        now: Timestamp,
    ) -> Assessment {
        let scheme = Scheme::of(payment, self.policy.scheme);
        let consulted = |list: usize| self.lists.get(list).is_some_and(|list| !self.skips(scheme, list));
        let mut name_hits = self.name_hits(payment);
        name_hits.retain(|hit| consulted(hit.hit.list));
        let mut identifier_hits = self.identifiers.screen(payment);
        identifier_hits.retain(|hit| consulted(hit.list));
        let excepted = self.take_excepted(payment, known.exceptions, now, &mut name_hits);
        let list_match = name_hits.iter().map(|hit| hit.hit.score).max().unwrap_or(0);
        let inputs = Inputs::new(payment, &habits, &self.policy, list_match, now.0);
        let (factors, evidence) = factors::compute(&inputs);
        let score = self.model.model.score(&factors);
        let mut signals = known.alerts.of_payment(payment);
        signals.truncate(MAX_FINDINGS);
        let grounds = Grounds {
            payment,
            policy: &self.policy,
            model: &self.model,
            score,
            evidence: &evidence,
            names: name_hits.iter().map(|hit| self.describe_name(hit)).collect(),
            identifiers: identifier_hits.iter().map(|hit| self.describe_identifier(hit)).collect(),
            signals: &signals,
            frame: known.frame,
            excepted: excepted
                .iter()
                .map(|(hit, exception)| self.describe_excepted(hit, exception))
                .collect(),
        };
        let ruled = decide::rule(&grounds, without);
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
            rules: self.rules_digest,
            lists: self.consulted(scheme),
            signals: signals.into_iter().map(|(_, signal)| signal).collect(),
            exceptions: excepted_ids(&excepted),
            frame: known.frame.cloned(),
            findings: ruled.findings,
            decided_at: now,
        };
        let contributions = self.model.model.contributions(&factors);
        Assessment { decision, contributions, evidence, name_hits, identifier_hits, habits }
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

    /// Takes the hits out of `hits` that an exception covers, and returns them with it.
    fn take_excepted<'a>(
        &self,
        payment: &Payment,
        exceptions: &'a Exceptions,
        now: Timestamp,
        hits: &mut Vec<NameHit>,
    ) -> Vec<(NameHit, &'a Exception)> {
        if exceptions.is_empty() {
            return Vec::new();
        }
        let mut excepted = Vec::new();
        for hit in std::mem::take(hits) {
            let content = self.lists[hit.hit.list].entries[hit.hit.entry].digest();
            let entry = Entry { list: &hit.list, id: &hit.entry, content };
            match exceptions.covering(entry, &exceptions::subjects(payment, hit.role), now) {
                Some(exception) => excepted.push((hit, exception)),
                None => hits.push(hit),
            }
        }
        excepted
    }

    fn entry(&self, list: usize, entry: usize) -> Option<(String, String)> {
        let list = self.lists.get(list)?;
        Some((list.name.clone(), list.entries.get(entry)?.id.clone()))
    }

    fn describe_name(&self, hit: &NameHit) -> Listed {
        let measure = self.lists[hit.hit.list].measure;
        let (score, listed) = (f64::from(hit.hit.score) / 1000.0, &hit.hit.name);
        let text = format!("{} {:?} ~ {} {} {listed:?} {score:.2}", hit.role, hit.name, hit.list, hit.entry);
        let party = ListedParty { role: hit.role, list: hit.list.clone(), entry: hit.entry.clone() };
        Listed { measure, party, text }
    }

    fn describe_excepted(&self, hit: &NameHit, exception: &Exception) -> String {
        let (id, actor, expires) = (exception.id(), &exception.actor, exception.expires);
        format!("excepted by {actor} until {expires} ({id}): {}", self.describe_name(hit).text)
    }

    fn describe_identifier(&self, hit: &IdentifierHit) -> Listed {
        let list = &self.lists[hit.list];
        let entry = &list.entries[hit.entry];
        let name = entry.names.first().map_or("", |name| name.text.as_str());
        let text = format!("{} {} is on {} as {} {name:?}", hit.role, hit.identifier, list.name, entry.id);
        let party = ListedParty { role: hit.role, list: list.name.clone(), entry: entry.id.clone() };
        Listed { measure: list.measure, party, text }
    }
}

/// The exceptions applied, each once.
fn excepted_ids(excepted: &[(NameHit, &Exception)]) -> Vec<Digest> {
    let ids: BTreeSet<Digest> = excepted.iter().map(|(_, exception)| exception.id()).collect();
    ids.into_iter().take(MAX_FINDINGS).collect()
}

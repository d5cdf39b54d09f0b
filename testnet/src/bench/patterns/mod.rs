//! What banks flag of laundering patterns, each alone and with one another's signals, at equal alerts.
//!
//! Background and patterns are of one generator: AMLSim's sets, accounts dealt to banks by seed. Each bank runs the
//! product's screener and packaged model with a history of what passed through it. Patterns, and accounts outside them,
//! are split into halves: on the one, two thresholds are chosen, so that a bank alone holds no more than so many payments
//! of a thousand, and one in the consortium no more than it, those held for a signal included; the other half is reported. HI-Small's
//! patterns then run under the same settings by themselves: recall, without a background.
//!
//! A pattern is flagged at a bank if that bank held or refused a payment of it before the pattern's last, be it for the
//! score, for a signal or because it confirmed one of the accounts before; it counts at every bank that sees a payment of
//! it before the last. The `any_` figures ask whether any bank did: there signals cannot help by much, for nothing is
//! signalled that no bank has flagged before. The `fitted_` figures replace the packaged weights by ones fitted to the
//! first half.

mod dealt;
mod fit;
mod judge;
mod network;
mod traffic;

use std::path::PathBuf;

use hansa_screening::{Policy, RiskModel, Screener};
use hansa_types::model::{Factors, Model, Score};

use self::dealt::{CHOSEN_ON, Dealt, REPORTED, Split};
use self::judge::{Banks, Scores};
use self::network::Count;
use self::traffic::{RATES, Traffic};
use super::figure::Figure;
use super::plan::Plan;
use super::sample::Sample;
use super::{BenchError, BenchName};
use crate::data;

const DAY: u64 = 86_400;
/// Banks that AMLSim's accounts are dealt to.
const BANKS: u32 = 10;
/// Payments of a thousand that a bank may hold: of AMLSim's, some fifteen are part of a pattern.
const ALERTS_PER_1000: f64 = 10.0;
const SPLIT_SEED: u64 = 20_240_601;
const DEAL_SEED: u64 = 20_240_602;

/// The figures of AMLSim and those of HI-Small, by what is counted.
const AMLSIM: [&str; 12] = [
    "patterns.single_bank",
    "patterns.consortium",
    "patterns.any_single",
    "patterns.any_consortium",
    "patterns.alerts_per_1000_single",
    "patterns.alerts_per_1000",
    "patterns.fitted_single",
    "patterns.fitted_consortium",
    "patterns.fitted_any_single",
    "patterns.fitted_any_consortium",
    "patterns.fitted_alerts_per_1000_single",
    "patterns.fitted_alerts_per_1000",
];
const HISMALL: [&str; 4] = [
    "patterns.hismall_single",
    "patterns.hismall_consortium",
    "patterns.hismall_any_single",
    "patterns.hismall_any_consortium",
];

/// All figures; those without their data are skipped.
pub(super) fn measure(plan: &Plan) -> Result<Vec<Figure>, BenchError> {
    let sets: Vec<Traffic> = amlsim_files()?
        .iter()
        .map(|(nodes, transactions)| traffic::amlsim(nodes, transactions).map_err(failed))
        .collect::<Result<_, _>>()?;
    let hismall: Vec<Traffic> = files("aml-ibm-hismall")?
        .iter()
        .filter(|(_, name)| name.starts_with("patterns"))
        .map(|(path, _)| traffic::hismall(path).map_err(failed))
        .collect::<Result<_, _>>()?;
    let skipped = |names: &[&str]| -> Vec<Figure> {
        let reason = "needs the shared data: set HANSA_DATA to its folder";
        names.iter().map(|name| Figure::skipped(name, unit(name), reason)).collect()
    };
    if sets.is_empty() {
        return Ok(skipped(&[AMLSIM.as_slice(), HISMALL.as_slice()].concat()));
    }
    let (mut amlsim, mut recall) = (vec![Vec::new(); AMLSIM.len()], vec![Vec::new(); HISMALL.len()]);
    for number in 0..plan.deals {
        let deal = Deal::new(&sets, DEAL_SEED + number)?;
        let mut packaged = Chosen::on(&deal, RiskModel::default_model().model);
        let mut fitted = Chosen::on(&deal, deal.fitted());
        let values = outcome(&packaged.screened(&deal)?).into_iter().chain(outcome(&fitted.scored(&deal)));
        amlsim.iter_mut().zip(values).for_each(|(values, value)| values.push(value));
        let values = shares(&packaged.recall(&hismall)?);
        recall.iter_mut().zip(values).for_each(|(values, value)| values.push(value));
    }
    let mut figures = figures(&AMLSIM, amlsim)?;
    figures.extend(if hismall.is_empty() { skipped(&HISMALL) } else { self::figures(&HISMALL, recall)? });
    Ok(figures)
}

fn failed(reason: impl std::fmt::Display) -> BenchError {
    BenchError::failed(BenchName::Patterns, reason)
}

fn unit(name: &str) -> &'static str {
    if name.contains("per_1000") { "alerts" } else { "share" }
}

fn figures(names: &[&str], values: Vec<Vec<f64>>) -> Result<Vec<Figure>, BenchError> {
    let sampled = names.iter().zip(values).map(|(name, values)| {
        let sample = Sample::new(values).ok_or_else(|| failed("no deal was made"))?;
        Ok(Figure::of_sample(name, unit(name), &sample))
    });
    sampled.collect()
}

/// The shares of patterns flagged at their banks, and by any, in the order of the figures.
fn shares([single, consortium]: &[Count; 2]) -> [f64; 4] {
    let share = |part: u64, all: u64| part as f64 / all.max(1) as f64;
    let at_banks = |count: &Count| share(count.flagged_at_banks, count.at_banks);
    let any = |count: &Count| share(count.flagged, count.patterns);
    [at_banks(single), at_banks(consortium), any(single), any(consortium)]
}

/// The same with the alerts that it took.
fn outcome(counts: &[Count; 2]) -> Vec<f64> {
    shares(counts).into_iter().chain(counts.iter().map(Count::alerts_per_1000)).collect()
}

/// The files in a folder of the data, each with its name, in order; none without the folder.
fn files(folder: &str) -> Result<Vec<(PathBuf, String)>, BenchError> {
    let Some(folder) = data::file(folder) else { return Ok(Vec::new()) };
    let listed = std::fs::read_dir(&folder).map_err(|source| BenchError::Read { path: folder, source })?;
    let mut files = Vec::new();
    for entry in listed {
        let entry = entry?;
        files.push((entry.path(), entry.file_name().to_string_lossy().into_owned()));
    }
    files.sort();
    Ok(files)
}

/// Every set of AMLSim in the data: its accounts and its payments.
fn amlsim_files() -> Result<Vec<(PathBuf, PathBuf)>, BenchError> {
    let sets = files("aml-ibm-amlsim")?.into_iter().filter_map(|(nodes, name)| {
        let set = name.strip_suffix("-nodes.csv")?;
        let transactions = nodes.with_file_name(format!("{set}-transactions.csv"));
        transactions.exists().then_some((nodes, transactions))
    });
    Ok(sets.collect())
}

/// The sets with their accounts dealt to banks, and the factors of what each bank sees.
struct Deal<'t> {
    sets: Vec<(Dealt<'t>, Split)>,
    factors: Vec<Vec<Factors>>,
}

impl<'t> Deal<'t> {
    fn new(sets: &'t [Traffic], seed: u64) -> Result<Self, BenchError> {
        // The split does not depend on the deal: what is reported was chosen on in none of them.
        let split = |set| (Dealt::new(set, BANKS, seed), Split::halves(set, SPLIT_SEED));
        let sets: Vec<_> = sets.iter().map(split).collect();
        // Factors do not depend on the model.
        let screener = screener(RiskModel::default_model().model, i64::MAX)?;
        let factors = sets.iter().map(|(dealt, _)| dealt.factors(&screener)).collect();
        Ok(Self { sets, factors })
    }

    /// A model with weights fitted to the first half.
    fn fitted(&self) -> Model {
        let mut tally = fit::Tally::new();
        for ((dealt, split), factors) in self.sets.iter().zip(&self.factors) {
            for view in dealt.views.iter().filter(|view| split.transfers[view.transfer] == CHOSEN_ON) {
                let pattern = dealt.traffic.transfers[view.transfer].pattern.is_some();
                fit::tally(&mut tally, &factors[view.number], pattern);
            }
        }
        Model { version: 1, weights: fit::weights(&tally) }
    }
}

/// A model with the thresholds that were chosen for it on the first half.
struct Chosen {
    model: Model,
    scores: Vec<Scores>,
    /// From which score a bank alone holds a payment, and one in the consortium.
    thresholds: [i64; 2],
}

/// A bank alone, and one in the consortium.
const SHARING: [bool; 2] = [false, true];

impl Chosen {
    fn on(deal: &Deal<'_>, model: Model) -> Self {
        let sets = deal.sets.iter().zip(&deal.factors);
        let scores = sets.map(|((dealt, _), factors)| Scores::new(dealt, factors, &model)).collect();
        let mut chosen = Self { model, scores, thresholds: [0; 2] };
        let alone = chosen.threshold(deal, false, ALERTS_PER_1000);
        // Scores are whole: a bank alone may fall short of what it may hold, and the consortium gets no more than it.
        let most = chosen.count(deal, alone, false, CHOSEN_ON).alerts_per_1000();
        chosen.thresholds = [alone, chosen.threshold(deal, true, most)];
        chosen
    }

    /// The lowest threshold at which no more than `most` of a thousand payments of the first half are held.
    fn threshold(&mut self, deal: &Deal<'_>, sharing: bool, most: f64) -> i64 {
        let mut candidates: Vec<i64> =
            self.scores.iter().flat_map(|scores| scores.scores()).copied().collect();
        candidates.retain(|score| *score > 0);
        candidates.sort_unstable();
        candidates.dedup();
        let (mut low, mut high) = (0, candidates.len());
        while low < high {
            let middle = usize::midpoint(low, high);
            let count = self.count(deal, candidates[middle], sharing, CHOSEN_ON);
            if count.alerts_per_1000() <= most { high = middle } else { low = middle + 1 }
        }
        // Above the highest score nothing is held.
        candidates.get(low).copied().unwrap_or(i64::MAX)
    }

    /// What comes of one half, by the scores.
    fn count(&mut self, deal: &Deal<'_>, threshold: i64, sharing: bool, half: usize) -> Count {
        let sets = deal.sets.iter().zip(&mut self.scores);
        let counts = sets.map(|((dealt, split), scores)| {
            network::run(dealt, split, sharing, scores.from(dealt, threshold))[half]
        });
        counts.fold(Count::default(), Count::plus)
    }

    /// What comes of the half that is reported, by the scores.
    fn scored(&mut self, deal: &Deal<'_>) -> [Count; 2] {
        let thresholds = self.thresholds;
        std::array::from_fn(|at| self.count(deal, thresholds[at], SHARING[at], REPORTED))
    }

    /// The same by the product's screener with its own rule for signals.
    fn screened(&mut self, deal: &Deal<'_>) -> Result<[Count; 2], BenchError> {
        let mut counts = [Count::default(); 2];
        for (at, count) in counts.iter_mut().enumerate() {
            let screener = screener(self.model.clone(), self.thresholds[at])?;
            for (dealt, split) in &deal.sets {
                let banks = &mut Banks::new(dealt, &screener);
                *count = count.plus(network::run(dealt, split, SHARING[at], banks)[REPORTED]);
            }
        }
        if counts != self.scored(deal) {
            return Err(failed("the screener decides otherwise than its scores"));
        }
        Ok(counts)
    }

    /// What comes of patterns by themselves, between the banks that their data names.
    fn recall(&self, sets: &[Traffic]) -> Result<[Count; 2], BenchError> {
        let mut counts = [Count::default(); 2];
        for (at, count) in counts.iter_mut().enumerate() {
            let screener = screener(self.model.clone(), self.thresholds[at])?;
            for traffic in sets {
                let (dealt, split) = (Dealt::new(traffic, BANKS, DEAL_SEED), Split::reported(traffic));
                let banks = &mut Banks::new(&dealt, &screener);
                *count = count.plus(network::run(&dealt, &split, SHARING[at], banks)[REPORTED]);
            }
        }
        Ok(counts)
    }
}

fn screener(model: Model, threshold: i64) -> Result<Screener, BenchError> {
    let mut policy = Policy::default();
    policy.rates.extend(RATES.map(|(currency, rate)| (currency.to_owned(), rate)));
    Screener::new(policy, Vec::new(), RiskModel { model, hold_threshold: Score(threshold) }).map_err(failed)
}

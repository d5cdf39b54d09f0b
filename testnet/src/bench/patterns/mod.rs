//! What banks flag of laundering patterns, each alone and with one another's signals, thresholds chosen at equal alerts.
//!
//! Background and patterns are of one generator: AMLSim's sets, accounts dealt to banks by seed. Each bank runs the
//! product's screener and packaged model with a history of what passed through it. Patterns, and accounts outside them,
//! are split into halves: on the one, two thresholds are chosen, so that a bank alone holds no more than so many payments
//! of a thousand, and one in the consortium no more than it, those held for a signal included; the other half is
//! reported, with the alerts that it took there. HI-Small's patterns then run under the same settings by themselves:
//! recall, without a background.
//!
//! A pattern is flagged at a bank if that bank held a payment of it before the pattern's last, be it for the score or for
//! a signal; it counts at every bank that sees a payment of it before the last. The `any_` figures ask whether any bank
//! did: there signals help only through accounts that are in several patterns, for nothing is signalled that no bank has
//! flagged before. The `fitted_` figures replace the packaged weights by ones fitted to the first half.

mod dealt;
mod fit;
mod judge;
mod network;
mod traffic;

use std::path::PathBuf;

use hansa_screening::{Policy, RiskModel, Screener};
use hansa_types::model::{Factors, Model, Score};

use self::dealt::{CHOSEN_ON, Dealt, HALVES, REPORTED, Split};
use self::judge::Banks;
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
/// Two thresholds that are tried lie so many alerts of a thousand payments apart, by the scores of a bank that holds nothing.
const STEP_PER_1000: f64 = 0.25;
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
        .map(|(nodes, transactions)| traffic::amlsim(nodes, transactions, plan.transfers).map_err(failed))
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
    let first = Deal::new(&sets, DEAL_SEED);
    let factors = first.factors()?;
    let packaged = Chosen::on(&first, &factors, RiskModel::default_model().model)?;
    let fitted = Chosen::on(&first, &factors, first.fitted(&factors))?;
    for number in 0..plan.deals {
        let deal = Deal::new(&sets, DEAL_SEED + number);
        let values = outcome(&packaged.reported(&deal)?).into_iter().chain(outcome(&fitted.reported(&deal)?));
        amlsim.iter_mut().zip(values).for_each(|(values, value)| values.push(value));
    }
    let values = shares(&packaged.recall(&hismall)?);
    recall.iter_mut().zip(values).for_each(|(values, value)| values.push(value));
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

/// The sets with their accounts dealt to banks.
struct Deal<'t> {
    sets: Vec<(Dealt<'t>, Split)>,
}

impl<'t> Deal<'t> {
    fn new(sets: &'t [Traffic], seed: u64) -> Self {
        // The split does not depend on the deal: what is reported was chosen on in none of them.
        let split = |set| (Dealt::new(set, BANKS, seed), Split::halves(set, SPLIT_SEED));
        Self { sets: sets.iter().map(split).collect() }
    }

    /// The factors of what each bank sees, by set. They do not depend on the model while nothing is held.
    fn factors(&self) -> Result<Vec<Vec<Factors>>, BenchError> {
        let screener = screener(RiskModel::default_model().model, i64::MAX)?;
        Ok(self.sets.iter().map(|(dealt, _)| dealt.factors(&screener)).collect())
    }

    /// A model with weights fitted to the first half.
    fn fitted(&self, factors: &[Vec<Factors>]) -> Model {
        let mut tally = fit::Tally::new();
        for ((dealt, split), factors) in self.sets.iter().zip(factors) {
            for view in dealt.views.iter().filter(|view| split.transfers[view.transfer] == CHOSEN_ON) {
                let paid = &dealt.traffic.transfers[view.transfer];
                if !paid.doubtful {
                    fit::tally(&mut tally, &factors[view.number], paid.pattern.is_some());
                }
            }
        }
        Model { version: 1, weights: fit::weights(&tally) }
    }

    /// What comes of both halves if banks hold payments from `threshold` on, with signals or without.
    fn run(&self, model: &Model, threshold: i64, sharing: bool) -> Result<[Count; HALVES], BenchError> {
        let screener = screener(model.clone(), threshold)?;
        let mut counts = [Count::default(); HALVES];
        for (dealt, split) in &self.sets {
            let of_set = network::run(dealt, split, sharing, &mut Banks::new(dealt, &screener));
            counts.iter_mut().zip(of_set).for_each(|(count, of_set)| *count = count.plus(of_set));
        }
        Ok(counts)
    }
}

/// The thresholds to choose from, ascending: scores that a model gives, as far apart as [`STEP_PER_1000`] asks.
fn rungs(factors: &[Vec<Factors>], model: &Model) -> Vec<i64> {
    let scores = factors.iter().flatten().map(|factors| model.score(factors).0);
    let mut scores: Vec<i64> = scores.filter(|score| *score > 0).collect();
    scores.sort_unstable_by_key(|score| std::cmp::Reverse(*score));
    let views: usize = factors.iter().map(Vec::len).sum();
    let mut rungs: Vec<i64> = Vec::new();
    let (mut held, mut held_at_last) = (0.0, 0.0);
    // Payments of the same score are held together.
    for same in scores.chunk_by(|a, b| a == b) {
        held += same.len() as f64 * 1000.0 / views as f64;
        if rungs.is_empty() || held - held_at_last >= STEP_PER_1000 {
            rungs.push(same[0]);
            held_at_last = held;
        }
    }
    rungs.reverse();
    rungs
}

/// A model with the thresholds that were chosen for it on the first half.
struct Chosen {
    model: Model,
    /// From which score a bank alone holds a payment, and one in the consortium.
    thresholds: [i64; 2],
}

/// A bank alone, and one in the consortium.
const SHARING: [bool; 2] = [false, true];

impl Chosen {
    fn on(deal: &Deal<'_>, factors: &[Vec<Factors>], model: Model) -> Result<Self, BenchError> {
        let rungs = rungs(factors, &model);
        let choose = |sharing, most| {
            let alerts = |counts: [Count; HALVES]| counts[CHOSEN_ON].alerts_per_1000();
            crossing(&rungs, most, |threshold| deal.run(&model, threshold, sharing).map(alerts))
        };
        let (alone, most) = choose(false, ALERTS_PER_1000)?;
        // Scores are whole: a bank alone may fall short of what it may hold, and the consortium gets no more than it.
        let (together, _) = choose(true, most)?;
        Ok(Self { model, thresholds: [alone, together] })
    }

    /// What comes of the half that is reported, alone and in the consortium.
    fn reported(&self, deal: &Deal<'_>) -> Result<[Count; 2], BenchError> {
        let mut counts = [Count::default(); 2];
        for (at, count) in counts.iter_mut().enumerate() {
            *count = deal.run(&self.model, self.thresholds[at], SHARING[at])?[REPORTED];
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

/// The rung at which no more than `most` alerts come of a thousand payments, and at the next below it more do; with the
/// alerts that come. They need not fall as the threshold rises: what a bank no longer holds becomes part of its history,
/// and is not signalled. So there may be several such rungs; of the one that is found, both sides were counted. From
/// above the highest rung nothing is held by its score.
fn crossing(
    rungs: &[i64],
    most: f64,
    mut alerts: impl FnMut(i64) -> Result<f64, BenchError>,
) -> Result<(i64, f64), BenchError> {
    let (mut low, mut high) = (0, rungs.len());
    let mut within = None;
    while low < high {
        let middle = usize::midpoint(low, high);
        let held = alerts(rungs[middle])?;
        if held <= most {
            (within, high) = (Some((rungs[middle], held)), middle);
        } else {
            low = middle + 1;
        }
    }
    match within {
        Some(within) => Ok(within),
        None => Ok((i64::MAX, alerts(i64::MAX)?)),
    }
}

fn screener(model: Model, threshold: i64) -> Result<Screener, BenchError> {
    let mut policy = Policy::default();
    policy.rates.extend(RATES.map(|(currency, rate)| (currency.to_owned(), rate)));
    Screener::new(policy, Vec::new(), RiskModel { model, hold_threshold: Score(threshold) }).map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::super::figure::Outcome;
    use super::traffic::tests::traffic;
    use super::*;

    #[test]
    fn a_threshold_is_where_alerts_cross_even_if_they_do_not_fall() {
        let rungs: Vec<i64> = (1..=12).collect();
        let bumps = [[40, 30, 9, 8, 20, 21, 11, 7, 12, 3, 2, 1], [9, 8, 7, 6, 5, 4, 3, 2, 1, 0, 0, 0]];
        for held in bumps {
            let at = |threshold: i64| f64::from(held[usize::try_from(threshold).unwrap() - 1]);
            let (threshold, alerts) = crossing(&rungs, 10.0, |threshold| Ok(at(threshold))).unwrap();
            assert!(alerts <= 10.0 && alerts.total_cmp(&at(threshold)).is_eq(), "{threshold}");
            assert!(threshold == 1 || at(threshold - 1) > 10.0, "{threshold} could be lower");
        }
        let (threshold, _) = crossing(&rungs, 10.0, |_| Ok(11.0)).unwrap();
        assert_eq!(threshold, i64::MAX, "where every score holds too much, none does");
    }

    /// Accounts that pay one another once a day, and eight patterns of many legs, each on one day.
    fn laundering() -> Traffic {
        let innocent = (0..40).flat_map(|day| (0..30).map(move |n| (n, (n + 1 + day % 29) % 30, day, None)));
        let legs = (0..8).flat_map(|pattern| {
            let first = 30 + pattern * 5;
            (0..20).map(move |leg| (first + leg % 4, first + 4, 3 + pattern * 4, Some(pattern)))
        });
        let mut rows: Vec<_> = innocent.chain(legs).collect();
        rows.sort_by_key(|row| row.2);
        traffic(&rows)
    }

    #[test]
    fn neither_a_bank_alone_nor_the_consortium_holds_more_than_it_may_where_that_is_chosen() {
        let sets = [laundering()];
        let deal = Deal::new(&sets, DEAL_SEED);
        let factors = deal.factors().unwrap();
        for model in [RiskModel::default_model().model, deal.fitted(&factors)] {
            let chosen = Chosen::on(&deal, &factors, model).unwrap();
            let [alone, together] = [0, 1].map(|at| {
                let counts = deal.run(&chosen.model, chosen.thresholds[at], SHARING[at]).unwrap();
                counts[CHOSEN_ON].alerts_per_1000()
            });
            assert!(alone <= ALERTS_PER_1000, "{alone}");
            assert!(together <= alone, "{together} {alone}");
        }
    }

    #[test]
    fn thresholds_are_tried_where_scores_are() {
        let sets = [laundering()];
        let factors = Deal::new(&sets, DEAL_SEED).factors().unwrap();
        let model = RiskModel::default_model().model;
        let rungs = rungs(&factors, &model);
        let scores: Vec<i64> = factors.iter().flatten().map(|factors| model.score(factors).0).collect();
        assert!(rungs.is_sorted_by(|a, b| a < b));
        assert!(rungs.iter().all(|rung| *rung > 0 && scores.contains(rung)));
        assert_eq!(rungs.last(), scores.iter().max(), "the highest score is among them");
    }

    #[test]
    fn every_figure_of_the_data_is_a_share_or_a_rate() {
        let plan = Plan { transfers: 3_000, deals: 1, ..Plan::DEFAULT };
        let figures = measure(&plan).unwrap();
        let names: Vec<&str> = figures.iter().map(|figure| figure.name.as_str()).collect();
        assert_eq!(names, [AMLSIM.as_slice(), HISMALL.as_slice()].concat());
        for figure in figures {
            match &figure.outcome {
                Outcome::Skipped { skipped } => data::skipped(&figure.name, skipped),
                Outcome::Measured(measured) => {
                    let most = if figure.unit == "share" { 1.0 } else { 1000.0 };
                    assert!((0.0..=most).contains(&measured.value), "{}: {}", figure.name, measured.value);
                }
            }
        }
    }
}

//! The risk model and decisions taken, as the interfaces see them.

use std::sync::Arc;

use hansa_api::Problem;
use hansa_api::model::{
    BacktestRequest, BacktestView, DriftQuery, DriftView, MAX_VERDICTS, ModelReload, ModelView, SampleQuery,
    SampleView, SampledView, Shares, VerdictView, VerdictsRequest, VerdictsView,
};
use hansa_screening::RiskModel;
use hansa_screening::drift::Shift;
use hansa_screening::factors::Factor;
use hansa_types::decision::Decision;
use hansa_types::record::{DecisionRecord, Record};
use hansa_types::uetr::Uetr;
use tokio::task::spawn_blocking;

use crate::flows::decided::{self, Backtest};
use crate::flows::model::{self, ModelError};
use crate::journal::JournalError;
use crate::node::Node;
use crate::service::journal_problem;
use crate::terms::Term;

/// The most payments that are drawn on either side.
const MAX_SAMPLE: u32 = 1_000;

pub(crate) fn model(node: &Node) -> ModelView {
    let screener = node.screening.current();
    let RiskModel { model, hold_threshold } = screener.model();
    let weight = |factor: &Factor| (factor.to_string(), model.weights[factor.slot()]);
    let registered =
        node.manifest().models.iter().any(|registered| registered.model.digest() == model.digest());
    ModelView {
        version: model.version,
        digest: model.digest(),
        hold_threshold: hold_threshold.0,
        weights: Factor::ALL.iter().map(weight).filter(|(_, weight)| *weight != 0).collect(),
        registered,
        watched_until: node.watching.until(),
        challenger: node.screening.challenger.as_ref().map(|challenger| challenger.model.version),
    }
}

pub(crate) async fn reload(node: &Arc<Node>, request: ModelReload) -> Result<ModelView, Problem> {
    match model::reload(node, &request.actor, !request.unwatched).await {
        Ok(()) => Ok(model(node)),
        Err(error @ (ModelError::Load(_) | ModelError::Screener(_))) => {
            Err(Problem::malformed(error.to_string()))
        }
        Err(ModelError::Journal(error)) => Err(journal_problem(error)),
        Err(error) => Err(Problem::internal(error.to_string())),
    }
}

pub(crate) async fn backtest(node: &Arc<Node>, request: BacktestRequest) -> Result<BacktestView, Problem> {
    let BacktestRequest { model, since } = request;
    let model = RiskModel::parse(&model).map_err(|error| Problem::malformed(error.to_string()))?;
    let Backtest { was, is, newly_held, no_longer, truncated } =
        looking(node, move |node| decided::backtest(node, &model, since)).await?;
    let shift = Shift::between(&was, &is);
    Ok(BacktestView {
        decisions: was.len() as u64,
        was: shares(shift.alerts.0, shift.blocks.0),
        is: shares(shift.alerts.1, shift.blocks.1),
        psi: shift.psi,
        newly_held: newly_held.0,
        newly_held_payments: newly_held.1,
        no_longer_held: no_longer.0,
        no_longer_held_payments: no_longer.1,
        truncated,
    })
}

pub(crate) async fn drift(node: &Arc<Node>, query: DriftQuery) -> Result<DriftView, Problem> {
    let DriftQuery { before, since } = query;
    if before >= since {
        return Err(Problem::malformed("the reference must begin before what is compared with it"));
    }
    let drift = looking(node, move |node| decided::drift(node, before, since)).await?;
    let side =
        |pick: fn((f64, f64)) -> f64| drift.shift.map(|shift| shares(pick(shift.alerts), pick(shift.blocks)));
    Ok(DriftView {
        decisions: (drift.decisions.0 as u64, drift.decisions.1 as u64),
        psi: drift.shift.map(|shift| shift.psi),
        shifted: drift.shift.is_some_and(|shift| shift.is_large()),
        was: side(|(before, _)| before),
        is: side(|(_, after)| after),
        factors: drift.factors.into_iter().map(|(factor, psi)| (factor.to_string(), psi)).collect(),
        truncated: drift.truncated,
    })
}

pub(crate) async fn sample(node: &Arc<Node>, query: SampleQuery) -> Result<SampleView, Problem> {
    let SampleQuery { since, points, count } = query;
    if !(1..=MAX_SAMPLE).contains(&count) {
        return Err(Problem::malformed(format!("count is {count}; 1 to {MAX_SAMPLE} are wanted")));
    }
    let sample = looking(node, move |node| decided::sample(node, since, points, count as usize)).await?;
    let view = |decision: &Decision| SampledView {
        payment: decision.key.to_string(),
        score: decision.score.0,
        decided_at: decision.decided_at,
    };
    Ok(SampleView {
        threshold: node.screening.current().model().hold_threshold.0,
        below: sample.below.iter().map(view).collect(),
        above: sample.above.iter().map(view).collect(),
        truncated: sample.truncated,
    })
}

pub(crate) async fn verdicts(node: &Arc<Node>, request: VerdictsRequest) -> Result<VerdictsView, Problem> {
    let uetrs = request.uetrs;
    if uetrs.len() > MAX_VERDICTS {
        return Err(Problem::malformed(format!(
            "{} payments; at most {MAX_VERDICTS} are wanted",
            uetrs.len()
        )));
    }
    let all = looking(node, move |node| uetrs.iter().map(|uetr| verdict(node, *uetr)).collect());
    Ok(VerdictsView { verdicts: all.await? })
}

fn verdict(node: &Node, uetr: Uetr) -> Result<VerdictView, JournalError> {
    let mut most: Option<Decision> = None;
    for index in node.journal.find(Term::Uetr(&uetr))? {
        let read = match node.journal.read(index) {
            Err(JournalError::Erased(_)) => continue,
            read => read?,
        };
        if let Some((_, Record::Decision(DecisionRecord { decision, .. }))) = read
            && most.as_ref().is_none_or(|most| decision.verdict > most.verdict)
        {
            most = Some(decision);
        }
    }
    Ok(VerdictView {
        uetr,
        verdict: most.as_ref().map(|decision| decision.verdict),
        score: most.as_ref().map(|decision| decision.score.0),
        reasons: most.map(|decision| decision.reasons).unwrap_or_default(),
    })
}

fn shares(alerts: f64, blocks: f64) -> Shares {
    Shares { alerts_per_1000: alerts * 1000.0, blocks_per_1000: blocks * 1000.0 }
}

/// Looks at the log, away from the tasks that answer payments.
async fn looking<T: Send + 'static>(
    node: &Arc<Node>,
    look: impl FnOnce(&Arc<Node>) -> Result<T, JournalError> + Send + 'static,
) -> Result<T, Problem> {
    let node = node.clone();
    let looked = spawn_blocking(move || look(&node)).await;
    looked.map_err(|error| Problem::internal(error.to_string()))?.map_err(journal_problem)
}

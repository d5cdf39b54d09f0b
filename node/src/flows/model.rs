//! The model changes: file -> checked -> archive -> another screener, swapped in -> watched, and taken back if payments are
//! decided much otherwise.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hansa_screening::drift::{Scored, Shift};
use hansa_screening::{RiskModel, Screener, ScreenerError};
use hansa_types::id::{Actor, Timestamp};
use tokio::task::{JoinError, spawn_blocking};

use crate::events::Event;
use crate::files::FileError;
use crate::journal::JournalError;
use crate::load::{self, LoadError};
use crate::node::Node;

/// For how long a new model is watched, in seconds.
pub(crate) const WATCHED: u64 = 15 * 60;
/// How many of the last decisions are remembered, to compare with.
const REMEMBERED: usize = 10_000;
/// From how many decisions on either side a comparison says something.
const ENOUGH: usize = 200;
/// How often a model under watch is looked at.
const LOOK: Duration = Duration::from_secs(5);

/// Why a model is not taken over.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ModelError {
    /// Its file.
    #[error("{0}; the model in use stays")]
    Load(#[from] LoadError),
    /// It cannot be screened by.
    #[error(transparent)]
    Screener(#[from] ScreenerError),
    /// It cannot be kept.
    #[error(transparent)]
    Archive(#[from] FileError),
    /// It is in use, and the log does not say so.
    #[error("the model is in use, and the log does not say so: {0}")]
    Journal(#[from] JournalError),
    /// A part failed.
    #[error("the model was not taken over: {0}")]
    Failed(#[from] JoinError),
}

/// The last decisions, and the model that is under watch if one is.
#[derive(Default)]
pub(crate) struct Watching(Mutex<State>);

#[derive(Default)]
struct State {
    recent: VecDeque<Scored>,
    trial: Option<Trial>,
}

/// A model under watch.
struct Trial {
    since: Timestamp,
    /// The model before, and its file.
    before: (RiskModel, Vec<u8>),
    /// What was decided by that one.
    decided: Vec<Scored>,
}

impl Watching {
    fn with<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// A payment was decided.
    pub(crate) fn decided(&self, scored: Scored) {
        self.with(|state| {
            state.recent.push_back(scored);
            if state.recent.len() > REMEMBERED {
                state.recent.pop_front();
            }
        });
    }

    /// Until when the model in use is under watch, if it is.
    pub(crate) fn until(&self) -> Option<Timestamp> {
        self.with(|state| state.trial.as_ref().map(|trial| Timestamp(trial.since.0 + WATCHED)))
    }

    /// A new model decides from here on.
    fn begin(&self, since: Timestamp, before: (RiskModel, Vec<u8>)) {
        self.with(|state| {
            let decided = std::mem::take(&mut state.recent).into();
            // A second model within the watch of the first is compared with what was before both.
            let (before, decided) = match state.trial.take() {
                Some(earlier) => (earlier.before, earlier.decided),
                None => (before, decided),
            };
            state.trial = Some(Trial { since, before, decided });
        });
    }

    /// What the watch comes to at `now`. It goes on until it is told that it ended.
    fn judge(&self, now: Timestamp) -> Option<Outcome> {
        self.with(|state| {
            let trial = state.trial.as_ref()?;
            let enough = trial.decided.len() >= ENOUGH && state.recent.len() >= ENOUGH;
            let shift = enough.then(|| Shift::between(&trial.decided, state.recent.make_contiguous()));
            if let Some(shift) = shift.filter(Shift::is_large) {
                return Some(Outcome::RollBack(shift, trial.before.clone()));
            }
            (now.0 >= trial.since.0 + WATCHED).then_some(Outcome::Keep(shift))
        })
    }

    /// The model in use stays: from here on it is what others are compared with.
    fn kept(&self) {
        self.with(|state| state.trial = None);
    }

    /// Another model decides from here on, and nothing is compared with what was decided before.
    fn unwatched(&self) {
        self.with(|state| *state = State::default());
    }

    /// The model before decides again: what it decided is what others are compared with.
    fn rolled_back(&self) {
        self.with(|state| {
            if let Some(trial) = state.trial.take() {
                state.recent = trial.decided.into();
            }
        });
    }
}

/// What a watch came to.
enum Outcome {
    /// Nothing stands against it, as far as enough was decided to say so.
    Keep(Option<Shift>),
    /// Payments are decided much otherwise.
    RollBack(Shift, (RiskModel, Vec<u8>)),
}

/// Reads the model's file again, and takes it over if it is another one. It is watched, unless it is to stay whatever comes
/// of it: then a watch that is going on ends too.
pub(crate) async fn reload(node: &Arc<Node>, actor: &Actor, watched: bool) -> Result<(), ModelError> {
    let mut file = node.screening.changing.lock().await;
    let reading = node.clone();
    let (model, bytes) = spawn_blocking(move || load::model(&reading.screening.config)).await??;
    let before = node.screening.current().model().clone();
    if model == before {
        if !watched && node.watching.until().is_some() {
            node.watching.kept();
            drop(file);
            tell(node, "model-kept", &before, &before, &format!("by {actor}")).await?;
        }
        return Ok(());
    }
    swap(node, model.clone(), bytes.clone()).await?;
    let replaced = (before.clone(), std::mem::replace(&mut *file, bytes));
    match watched {
        true => node.watching.begin(node.now(), replaced),
        false => node.watching.unwatched(),
    }
    node.archive.no_roll_back()?;
    drop(file);
    let watch = match watched {
        true => format!("watched for {} minutes", WATCHED / 60),
        false => "not watched".to_owned(),
    };
    tell(node, "model-changed", &before, &model, &format!("by {actor}; {watch}")).await
}

/// Watches new models.
pub(crate) async fn run(node: Arc<Node>) {
    let mut ticks = tokio::time::interval(LOOK);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        if let Err(error) = look(&node).await {
            tracing::error!(%error, "a model that decides much otherwise was not taken back: reload the one before");
        }
    }
}

async fn look(node: &Arc<Node>) -> Result<(), ModelError> {
    if node.watching.until().is_none() {
        return Ok(());
    }
    // Nobody changes the model between the judgement and what follows from it.
    let mut file = node.screening.changing.lock().await;
    let Some(outcome) = node.watching.judge(node.now()) else { return Ok(()) };
    let current = node.screening.current().model().clone();
    match outcome {
        Outcome::Keep(shift) => {
            node.watching.kept();
            let why = match shift {
                Some(shift) => format!("kept: {}", said(&shift)),
                None => format!("kept: fewer than {ENOUGH} decisions to compare"),
            };
            tell(node, "model-kept", &current, &current, &why).await
        }
        Outcome::RollBack(shift, (before, bytes)) => {
            swap(node, before.clone(), bytes.clone()).await?;
            node.watching.rolled_back();
            let refused = std::mem::replace(&mut *file, bytes);
            node.archive.roll_back(&refused, &file)?;
            node.metrics.screening.model_rolled_back();
            tell(node, "model-rolled-back", &current, &before, &said(&shift)).await
        }
    }
}

fn said(shift: &Shift) -> String {
    let percent = |(before, after): (f64, f64)| format!("{:.1} % to {:.1} %", before * 100.0, after * 100.0);
    let (alerts, blocks) = (percent(shift.alerts), percent(shift.blocks));
    format!("stability index {:.3}, alerts {alerts}, blocks {blocks}", shift.psi)
}

/// Puts a model in use, with the lists and the policy as they are.
async fn swap(node: &Arc<Node>, model: RiskModel, bytes: Vec<u8>) -> Result<(), ModelError> {
    let making = node.clone();
    spawn_blocking(move || {
        let current = making.screening.current();
        let screener = Screener::new(current.policy().clone(), current.lists().to_vec(), model)?;
        making.archive.adopt(&screener, &bytes)?;
        making.screening.swap(screener);
        Ok(())
    })
    .await?
}

async fn tell(
    node: &Node,
    what: &str,
    before: &RiskModel,
    after: &RiskModel,
    why: &str,
) -> Result<(), ModelError> {
    let (from, to) = (before.model.version, after.model.version);
    node.events.emit(&Event::Model { what: what.to_owned(), from, to, why: why.to_owned() });
    let detail = format!(
        "version {to} ({}), held from {}, after version {from} ({}), held from {}: {why}",
        after.model.digest(),
        after.hold_threshold.0,
        before.model.digest(),
        before.hold_threshold.0
    );
    node.log_operation(what, detail).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use hansa_types::decision::Verdict;

    use super::*;

    fn decide(watching: &Watching, count: usize, verdict: Verdict) {
        for _ in 0..count {
            watching.decided(Scored { score: 10, verdict });
        }
    }

    fn begin(watching: &Watching, at: u64) {
        watching.begin(Timestamp(at), (RiskModel::default_model(), b"before".to_vec()));
    }

    #[test]
    fn a_model_that_decides_as_before_is_kept_when_its_time_is_over() {
        let watching = Watching::default();
        decide(&watching, ENOUGH, Verdict::Clear);
        begin(&watching, 100);
        decide(&watching, ENOUGH, Verdict::Clear);
        assert!(watching.judge(Timestamp(100 + WATCHED - 1)).is_none());
        assert!(matches!(watching.judge(Timestamp(100 + WATCHED)), Some(Outcome::Keep(Some(_)))));
        watching.kept();
        assert!(watching.until().is_none() && watching.judge(Timestamp(u64::MAX)).is_none());
    }

    #[test]
    fn a_model_that_decides_otherwise_is_taken_back_as_soon_as_enough_says_so() {
        let watching = Watching::default();
        decide(&watching, ENOUGH, Verdict::Clear);
        begin(&watching, 100);
        decide(&watching, ENOUGH - 1, Verdict::Investigate);
        assert!(watching.judge(Timestamp(101)).is_none(), "too few to say so");
        // Another model meanwhile: what was before the first is what is gone back to.
        watching.begin(Timestamp(102), (RiskModel::default_model(), b"between".to_vec()));
        decide(&watching, ENOUGH, Verdict::Investigate);
        // What could not be taken back is judged again.
        for _ in 0..2 {
            let Some(Outcome::RollBack(shift, (_, file))) = watching.judge(Timestamp(103)) else {
                panic!("all payments are held where none was")
            };
            assert_eq!((shift.alerts, &file[..]), ((0.0, 1.0), &b"before"[..]));
        }
        watching.rolled_back();
        assert!(watching.until().is_none());
        // The next model is compared with the one that decides again, not with the one that was taken back.
        begin(&watching, 200);
        decide(&watching, ENOUGH, Verdict::Investigate);
        assert!(matches!(watching.judge(Timestamp(201)), Some(Outcome::RollBack(..))));
    }

    #[test]
    fn a_model_that_is_not_watched_stays_whatever_it_decides() {
        let watching = Watching::default();
        decide(&watching, ENOUGH, Verdict::Clear);
        begin(&watching, 100);
        watching.unwatched();
        decide(&watching, ENOUGH, Verdict::Investigate);
        assert!(watching.until().is_none() && watching.judge(Timestamp(101)).is_none());
    }
}

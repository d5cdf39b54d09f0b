//! A decision taken again: log -> archive -> screener -> the same decision, bit for bit; or why it was taken, and what it
//! would be today.

use std::sync::Arc;

use hansa_screening::rules::ENGINE;
use hansa_screening::why::{Why, explain};
use hansa_screening::{ActiveAlerts, Exceptions, Known};
use hansa_types::case::{Alert, AlertState};
use hansa_types::codec::Encode;
use hansa_types::decision::Decision;
use hansa_types::exception::Exception;
use hansa_types::frame::BoundByFrame;
use hansa_types::hash::Digest;
use hansa_types::payment::PaymentKey;
use hansa_types::record::{DecisionRecord, Record};
use tokio::task::{JoinError, spawn_blocking};

use super::cases;
use crate::archive::BasisError;
use crate::journal::JournalError;
use crate::node::Node;
use crate::terms::Term;

/// Why a decision is not taken again.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AgainError {
    /// No such payment.
    #[error("the log holds no decision on payment {0}")]
    NoPayment(PaymentKey),
    /// What it was taken with is gone.
    #[error(transparent)]
    Basis(#[from] BasisError),
    /// An exception that it rests on cannot be read any more.
    #[error("the decision rests on an exception whose record was erased")]
    Exception,
    /// The log.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// A part failed.
    #[error("the decision was not taken again: {0}")]
    Failed(#[from] JoinError),
}

/// A decision as it stands in the log, and as it comes out now.
pub(crate) struct Replay {
    pub(crate) recorded: Decision,
    pub(crate) replayed: Decision,
}

/// Why a decision was taken, and what the same payment would come to under today's lists, model and rules.
pub(crate) struct Reasons {
    pub(crate) recorded: Decision,
    pub(crate) why: Why,
    pub(crate) today: Decision,
}

impl Replay {
    /// Whether it is the same decision, bit for bit.
    pub(crate) fn same(&self) -> bool {
        self.recorded.to_bytes() == self.replayed.to_bytes()
    }

    /// What differs, a sentence each.
    pub(crate) fn differences(&self) -> Vec<String> {
        let (a, b) = (&self.recorded, &self.replayed);
        let said = |what: &str, was: String, is: String| {
            (was != is).then(|| format!("{what}: recorded {was}, now {is}"))
        };
        let parts = [
            said("verdict", a.verdict.to_string(), b.verdict.to_string()),
            said("disposition", format!("{:?}", a.disposition), format!("{:?}", b.disposition)),
            said("reasons", format!("{:?}", a.reasons), format!("{:?}", b.reasons)),
            said("outward code", format!("{:?}", a.outward_code), format!("{:?}", b.outward_code)),
            said("score", a.score.0.to_string(), b.score.0.to_string()),
            said("factors", format!("{:?}", a.factors.0), format!("{:?}", b.factors.0)),
            said("rules", a.rules.to_string(), b.rules.to_string()),
        ];
        let mut differences: Vec<String> = parts.into_iter().flatten().collect();
        if a.rules != b.rules {
            differences.push(format!("this release decides by engine {ENGINE}, with its own tables"));
        }
        if differences.is_empty() && !self.same() {
            differences.push("the findings are worded otherwise".to_owned());
        }
        differences
    }
}

/// Takes the decision on a payment again, by what it was taken with.
pub(crate) async fn replay(node: &Arc<Node>, key: PaymentKey) -> Result<Replay, AgainError> {
    let node = node.clone();
    spawn_blocking(move || {
        let (record, known) = recorded(&node, &key)?;
        let DecisionRecord { decision, payment, habits } = record;
        let screener = node.archive.screener_of(&decision)?;
        let replayed = screener.judge(&payment, habits, known.borrow(), decision.decided_at).decision;
        Ok(Replay { recorded: decision, replayed })
    })
    .await?
}

/// Explains the decision on a payment.
pub(crate) async fn why(node: &Arc<Node>, key: PaymentKey) -> Result<Reasons, AgainError> {
    let node = node.clone();
    spawn_blocking(move || {
        let (record, known) = recorded(&node, &key)?;
        let DecisionRecord { decision, payment, habits } = record;
        let screener = node.archive.screener_of(&decision)?;
        let why = explain(&screener, &payment, habits, known.borrow(), decision.decided_at);
        // Signals and exceptions too are today's; a frame's BLOCK binds for ever.
        let today = node.screening.current();
        let book = node.book();
        let then = Known { frame: known.frame.as_ref(), ..book.known() };
        let today = today.judge(&payment, habits, then, node.now()).decision;
        drop(book);
        Ok(Reasons { recorded: decision, why, today })
    })
    .await?
}

/// What was known beside the basis of a decision.
struct Then {
    alerts: ActiveAlerts,
    exceptions: Exceptions,
    frame: Option<BoundByFrame>,
}

impl Then {
    fn borrow(&self) -> Known<'_> {
        Known { alerts: &self.alerts, exceptions: &self.exceptions, frame: self.frame.as_ref() }
    }
}

/// The record of a decision, and the signals and exceptions that it rests on: others were of no effect on it.
fn recorded(node: &Node, key: &PaymentKey) -> Result<(DecisionRecord, Then), AgainError> {
    let record = cases::decision(node, key)?.ok_or_else(|| AgainError::NoPayment(key.clone()))?;
    let alerts: Vec<Alert> = {
        let book = node.book();
        let cited = book.alerts.values().filter(|alert| record.decision.signals.contains(&alert.signal));
        cited.map(|alert| Alert { state: AlertState::Open, ..alert.clone() }).collect()
    };
    let exceptions: Result<Vec<_>, _> =
        record.decision.exceptions.iter().map(|id| exception(node, id)).collect();
    let frame = record.decision.frame.clone();
    Ok((record, Then { alerts: ActiveAlerts::new(&alerts), exceptions: Exceptions::new(exceptions?), frame }))
}

/// An exception as it was granted, whatever became of it.
fn exception(node: &Node, id: &Digest) -> Result<Exception, AgainError> {
    for index in node.journal.find(Term::Exception(*id))? {
        match node.journal.read(index) {
            Ok(Some((_, Record::Exception(record)))) if record.exception.id() == *id => {
                return Ok(record.exception);
            }
            Ok(_) | Err(JournalError::Erased(_)) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(AgainError::Exception)
}

//! Payments while no quorum stands: refused, or decided on what this replica knows and journalled here, as the scheme's
//! policy says. When a quorum is back, what was journalled goes to the log.
//!
//! Two replicas that hear nobody may decide the same payment differently. The log takes the decision that comes first;
//! the other one is recorded as a conflict, for somebody to look into, and is never dropped.

use std::sync::Arc;
use std::time::Duration;

use hansa_api::model::PaymentAnswer;
use hansa_consensus::{Command, Outcome, ProposeError};
use hansa_screening::Scheme;
use hansa_types::decision::Decision;
use hansa_types::payment::{Payment, PaymentKey};
use hansa_types::record::{DecisionRecord, Operation, Record};
use tokio::time::timeout;

use crate::change::while_quorum;
use crate::config::WithoutQuorum;
use crate::events::Event;
use crate::journal::JournalError;
use crate::node::Node;
use crate::provisional::ProvisionalError;

/// How long is waited after what was journalled could not be taken to the log.
const RETRY: Duration = Duration::from_secs(1);

/// What happens to a payment without a quorum.
pub(crate) fn policy(node: &Node, payment: &Payment) -> WithoutQuorum {
    let scheme = Scheme::of(payment, node.screening.current().policy().scheme);
    node.payments.without_quorum.get(&scheme).copied().unwrap_or_default()
}

/// The answer to a payment that was decided here without a quorum, and that the log does not hold yet.
pub(crate) fn decided(node: &Node, key: &PaymentKey, payment: &Payment) -> Option<PaymentAnswer> {
    let DecisionRecord { decision, .. } = node.provisional.find(key)?;
    Some(match decision.content == payment.content_hash() {
        true => PaymentAnswer::provisional(&decision, true),
        false => PaymentAnswer { provisional: true, ..PaymentAnswer::duplicate(key.clone()) },
    })
}

/// Whether a payment is to be journalled, as nobody leads with a quorum within the time that the policy leaves.
pub(crate) async fn journals_now(node: &Node, payment: &Payment) -> bool {
    if policy(node, payment) != WithoutQuorum::Journal {
        return false;
    }
    let mut role = node.journal.consensus().role();
    let patience = Duration::from_millis(node.payments.quorum_wait_ms);
    timeout(patience, role.wait_for(|role| role.quorum)).await.is_err()
}

/// What logging a decision comes to. Where a payment is to be journalled nobody waits longer for a quorum that is lost
/// meanwhile: the log may take the decision all the same, and is then found to hold it when it is reconciled.
pub(crate) async fn in_time(
    node: &Node,
    payment: &Payment,
    logging: impl Future<Output = Result<Outcome, JournalError>>,
) -> Result<Outcome, JournalError> {
    if policy(node, payment) != WithoutQuorum::Journal {
        return logging.await;
    }
    let patience = Duration::from_millis(node.payments.quorum_wait_ms);
    while_quorum(node.journal.consensus().role(), patience, logging).await?
}

/// What becomes of a decision that the group did not take.
pub(crate) async fn not_taken(
    node: &Arc<Node>,
    record: DecisionRecord,
    error: JournalError,
) -> Result<PaymentAnswer, JournalError> {
    if !matches!(error, JournalError::Propose(ProposeError::NoQuorum { .. })) {
        return Err(error);
    }
    match policy(node, &record.payment) {
        WithoutQuorum::Journal => keep(node, record).await,
        WithoutQuorum::Refuse => {
            node.metrics.without_quorum("refuse");
            Err(error)
        }
    }
}

/// Journals a decision, and answers once it is on this replica's disk.
pub(crate) async fn keep(node: &Arc<Node>, record: DecisionRecord) -> Result<PaymentAnswer, JournalError> {
    let keeping = node.clone();
    let kept = tokio::task::spawn_blocking(move || {
        keeping.provisional.keep(&record)?;
        Ok::<_, JournalError>(record.decision)
    });
    let decision = kept.await.map_err(ProvisionalError::from)??;
    let waiting = node.provisional.len();
    node.metrics.without_quorum("journal");
    node.metrics.provisional(waiting);
    tracing::error!(
        payment = %decision.key, waiting,
        "a payment was decided without a quorum: its answer is provisional until the log has it"
    );
    node.events.emit(&Event::DecidedWithoutQuorum { waiting });
    Ok(PaymentAnswer::provisional(&decision, false))
}

/// Takes what was journalled to the log whenever a quorum stands.
pub(crate) async fn reconcile(node: Arc<Node>) {
    let mut role = node.journal.consensus().role();
    loop {
        if node.provisional.len() == 0 {
            node.provisional.more.notified().await;
            continue;
        }
        if role.wait_for(|role| role.quorum || role.stopped.is_some()).await.is_err() {
            return;
        }
        if let Err(error) = settle_all(&node).await {
            tracing::warn!(%error, "decisions taken without a quorum are not in the log yet; it is tried again");
            tokio::time::sleep(RETRY).await;
        }
        node.metrics.provisional(node.provisional.len());
    }
}

async fn settle_all(node: &Arc<Node>) -> Result<(), JournalError> {
    let (mut decisions, mut conflicts) = (0, 0);
    for record in node.provisional.waiting() {
        let key = record.decision.key.clone();
        let conflict = settle(node, record).await?;
        let settling = node.clone();
        let settled = tokio::task::spawn_blocking(move || settling.provisional.settled(&key));
        settled.await.map_err(ProvisionalError::from)??;
        node.metrics.reconciled(conflict);
        decisions += 1;
        conflicts += usize::from(conflict);
    }
    tracing::info!(decisions, conflicts, "decisions taken without a quorum are in the log");
    node.events.emit(&Event::Reconciled { decisions, conflicts });
    Ok(())
}

/// Takes one decision to the log; says whether another one stands there instead.
async fn settle(node: &Arc<Node>, record: DecisionRecord) -> Result<bool, JournalError> {
    let decision = &record.decision;
    let outcome = super::cases::log_decision(node, &record).await?;
    if let Outcome::Appended { index } = outcome {
        super::frame::check_frame(node, &record, index).await?;
    }
    let (Outcome::Existing { index } | Outcome::Conflict { index }) = outcome else { return Ok(false) };
    node.shown(&outcome).await;
    let record = match node.journal.read(index)? {
        Some((_, Record::Decision(record))) => record,
        Some(_) => return Err(JournalError::NotADecision(index)),
        None => return Err(JournalError::Behind),
    };
    super::frame::check_frame(node, &record, index).await?;
    let standing = record.decision;
    if standing.content == decision.content && standing.verdict == decision.verdict {
        return Ok(false);
    }
    conflict(node, decision, &standing, index).await?;
    Ok(true)
}

/// Records that a payment was answered otherwise than the log says.
async fn conflict(
    node: &Node,
    given: &Decision,
    standing: &Decision,
    index: u64,
) -> Result<(), JournalError> {
    let whole = serde_json::to_string(given).unwrap_or_else(|_| format!("{given:?}"));
    let detail = format!(
        "payment {} was answered {} without a quorum, and entry {index} says {}; what was answered: {whole}",
        given.key, given.verdict, standing.verdict
    );
    let record = Record::Operation(Operation { what: "reconcile-conflict".into(), detail, at: node.now() });
    let mut leaf = node.journal.leaf_about(&record, &given.key)?;
    leaf.unique = node.journal.unique_conflict(&given.id());
    node.journal.propose(Command::Append { leaf, follow_up: vec![] }).await?;
    tracing::error!(
        payment = %given.key, answered = %given.verdict, stands = %standing.verdict, index,
        "a payment was answered otherwise than the log says: look into it"
    );
    node.events.emit(&Event::ReconcileConflict { payment: given.key.to_string(), index });
    Ok(())
}

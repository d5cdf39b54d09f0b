//! The audit of one decision: the record in the log, opened, with what it rests on and the proofs there are of it.

use std::sync::Arc;

use hansa_api::audit::{FactorView, ModelSnapshot, SignalProof, TransactionAudit};
use hansa_api::{Problem, ProblemKind};
use hansa_audit_log::merkle::leaf_hash;
use hansa_screening::factors::Factor;
use hansa_screening::factors::note::FactorNote;
use hansa_types::decision::Decision;
use hansa_types::hash::Digest;
use hansa_types::payment::PaymentKey;
use hansa_types::record::{DecisionRecord, Record};

use crate::flows::outbound;
use crate::journal::JournalError;
use crate::node::Node;
use crate::published;
use crate::service::journal_problem;
use crate::terms::Term;

/// What the log holds about the decision on the payment `key`; with the proof of its signal if that is asked for.
pub(crate) fn transaction(
    node: &Arc<Node>,
    key: &PaymentKey,
    zkp_proof: bool,
) -> Result<TransactionAudit, Problem> {
    let (log_index, leaf, decision) = decided(node, key)?;
    let signal = match zkp_proof {
        true => sent(node, &decision.id()).map_err(journal_problem)?,
        false => Err("it was not asked for".to_owned()),
    };
    let tlog_proof = match published::proof(node, log_index) {
        Ok(proof) => Ok(proof.to_string()),
        Err(Problem { kind: ProblemKind::NotFound, detail, .. }) => Err(detail),
        Err(problem) => return Err(problem),
    };
    let model = node.archive.model_of(&decision).map_err(|error| error.to_string());
    let model = model.map(|model| ModelSnapshot {
        version: model.model.version,
        hold_threshold: model.hold_threshold.0,
        weights: model.model.weights.to_vec(),
    });
    let factors = Factor::ALL.iter().map(|factor| view(*factor, &decision)).collect();
    Ok(TransactionAudit { decision, log_index, leaf, signal, tlog_proof, factors, model })
}

/// The decision on a payment, where it is in the log.
fn decided(node: &Node, key: &PaymentKey) -> Result<(u64, Digest, Decision), Problem> {
    for index in node.journal.find(Term::Payment(key)).map_err(journal_problem)? {
        match node.journal.read(index) {
            Ok(Some((envelope, Record::Decision(DecisionRecord { decision, .. })))) => {
                return Ok((index, Digest(leaf_hash(envelope.as_bytes())), decision));
            }
            Ok(_) | Err(JournalError::Erased(_)) => {}
            Err(error) => return Err(journal_problem(error)),
        }
    }
    Err(Problem::not_found(format!("the log holds no decision on payment {key} that can be read")))
}

/// The proof of the first signal that grew from a decision and was sent, or why there is none.
fn sent(node: &Node, decision: &Digest) -> Result<Result<SignalProof, String>, JournalError> {
    let signals = outbound::signals_of_decision(node, decision)?;
    for signal in &signals {
        for index in node.journal.find(Term::Signal(*signal))? {
            match node.journal.read(index) {
                Ok(Some((_, Record::SignalSent(sent)))) => {
                    return Ok(Ok(SignalProof { id: *signal, proof: sent.signal.proof.to_vec() }));
                }
                Ok(_) | Err(JournalError::Erased(_)) => {}
                Err(error) => return Err(error),
            }
        }
    }
    Ok(Err(match signals.first() {
        Some(signal) => format!("signal {signal} was not sent: it waits, or its epoch is over"),
        None => "no signal grew from this decision".to_owned(),
    }))
}

fn view(factor: Factor, decision: &Decision) -> FactorView {
    let value = decision.factors.0[factor.slot()];
    FactorView {
        name: factor.to_string(),
        value,
        unit: factor.unit().to_owned(),
        evidence: evidence(factor, decision).unwrap_or_default().to_owned(),
    }
}

/// What a factor's value rests on, as the decision's findings note it.
fn evidence(factor: Factor, decision: &Decision) -> Option<&str> {
    let mut notes = decision.findings.iter().filter_map(|finding| FactorNote::parse(&finding.text));
    notes.find(|note| note.factor == factor).map(|note| note.text)
}

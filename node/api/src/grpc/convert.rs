//! From what the service answers to protobuf. Nothing is decided here.

use hansa_types::decision::{Decision, ListVersion, Verdict};
use hansa_types::payment::{PaymentKey, TransactionRef};

use super::proto;
use crate::audit::{FactorView, SignalProof, TransactionAudit};
use crate::model::{AnswerStatus, FindingView, InternalAnswer, PaymentAnswer, Submission};

impl From<Submission> for proto::ScreenResponse {
    fn from(submission: Submission) -> Self {
        let Submission { message_type, payments, shadow } = submission;
        Self { message_type, payments: payments.into_iter().map(Into::into).collect(), shadow }
    }
}

impl From<PaymentAnswer> for proto::PaymentAnswer {
    fn from(answer: PaymentAnswer) -> Self {
        let PaymentAnswer { payment, status, provisional, verdict, outward_code, internal } = answer;
        Self {
            payment: Some(payment.into()),
            status: match status {
                AnswerStatus::Decided => proto::AnswerStatus::Decided,
                AnswerStatus::Repeated => proto::AnswerStatus::Repeated,
                AnswerStatus::Duplicate => proto::AnswerStatus::Duplicate,
            } as i32,
            provisional,
            decision: verdict.map_or(proto::Verdict::Unspecified, Into::into) as i32,
            reason_code: outward_code.unwrap_or_default(),
            internal: internal.map(Into::into),
        }
    }
}

impl From<Verdict> for proto::Verdict {
    fn from(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Clear => Self::Clear,
            Verdict::Investigate => Self::Investigate,
            Verdict::Block => Self::Block,
        }
    }
}

impl From<PaymentKey> for proto::PaymentKey {
    fn from(key: PaymentKey) -> Self {
        match key {
            PaymentKey::Uetr { uetr, instructing, instructed } => Self {
                uetr: uetr.to_string(),
                instructing: instructing.as_str().to_owned(),
                instructed: instructed.as_str().to_owned(),
                ..Self::default()
            },
            PaymentKey::Reference { instructing, message_id, transaction } => {
                let (transaction_id, position) = match transaction {
                    TransactionRef::Id(id) => (id, None),
                    TransactionRef::Position(at) => (String::new(), Some(at)),
                };
                let instructing = instructing.as_str().to_owned();
                Self { instructing, message_id, transaction_id, position, ..Self::default() }
            }
        }
    }
}

impl From<InternalAnswer> for proto::InternalAnswer {
    fn from(internal: InternalAnswer) -> Self {
        Self {
            decision_id: internal.decision.0.to_vec(),
            log_index: internal.log_index,
            disposition: internal.disposition.map_or_else(String::new, |what| what.to_string()),
            reasons: internal.reasons.iter().map(ToString::to_string).collect(),
            score: internal.score.0,
            model_version: internal.model_version,
            signals: internal.signals.iter().map(|signal| signal.0.to_vec()).collect(),
            findings: internal.findings.into_iter().map(Into::into).collect(),
            decided_at: internal.decided_at.0,
        }
    }
}

impl From<FindingView> for proto::Finding {
    fn from(FindingView { reason, text }: FindingView) -> Self {
        Self { reason: reason.map_or_else(String::new, |reason| reason.to_string()), text }
    }
}

impl proto::TransactionAudit {
    /// The audit, with the model itself if `snapshot` asks for it.
    pub(super) fn of(audit: TransactionAudit, snapshot: bool) -> Self {
        let internal = InternalAnswer::new(&audit.decision, Some(audit.log_index));
        let risk_factors = risk_factors(&audit);
        let TransactionAudit { decision, leaf, signal, tlog_proof, factors, model, .. } = audit;
        let (signal, zkp_proof_absent) = split(signal);
        let (timestamp_signature, timestamp_signature_absent) = split(tlog_proof);
        let (model, model_snapshot_absent) = split(model);
        let (zkp_signal_id, zkp_proof) =
            signal.map_or_else(Default::default, |SignalProof { id, proof }| (id.0.to_vec(), proof));
        let Decision { key, verdict, outward_code, lists, .. } = decision;
        let weight = |(factor, points): (String, i16)| proto::Weight { factor, points: points.into() };
        let model_snapshot = model.filter(|_| snapshot).map(|model| proto::ModelSnapshot {
            version: model.version,
            hold_threshold: model.hold_threshold,
            weights: factors.into_iter().map(|factor| factor.name).zip(model.weights).map(weight).collect(),
        });
        let list = |list: ListVersion| proto::SanctionsListVersion {
            name: list.name,
            date: list.date,
            digest: list.digest.0.to_vec(),
        };
        Self {
            uetr: key.uetr().map_or_else(String::new, |uetr| uetr.to_string()),
            decision: proto::Verdict::from(verdict) as i32,
            reason_code: outward_code.unwrap_or_default(),
            model_version_hash: decision.model.0.to_vec(),
            zkp_proof,
            timestamp_signature: timestamp_signature.map_or_else(Vec::new, String::into_bytes),
            risk_factors,
            sanctions_list_version: lists.into_iter().map(list).collect(),
            zkp_signal_id,
            zkp_proof_absent,
            timestamp_signature_absent,
            model_snapshot,
            model_snapshot_absent,
            payment: Some(key.into()),
            internal: Some(internal.into()),
            leaf_hash: leaf.0.to_vec(),
        }
    }
}

fn risk_factors(audit: &TransactionAudit) -> Vec<proto::RiskFactor> {
    let contribution = |slot: usize, value: u16| {
        let weight = *audit.model.as_ref().ok()?.weights.get(slot)?;
        Some(i64::from(weight) * i64::from(value))
    };
    let factor = |(slot, factor): (usize, &FactorView)| proto::RiskFactor {
        name: factor.name.clone(),
        value: factor.value.into(),
        unit: factor.unit.clone(),
        contribution: contribution(slot, factor.value),
        evidence: factor.evidence.clone(),
    };
    audit.factors.iter().enumerate().map(factor).collect()
}

/// What there is, or else why there is not.
fn split<T>(found: Result<T, String>) -> (Option<T>, String) {
    match found {
        Ok(found) => (Some(found), String::new()),
        Err(why) => (None, why),
    }
}

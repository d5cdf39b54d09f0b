//! What holds for every member: how time is cut, what a signal must show, and how many must agree.

use serde::{Deserialize, Serialize};

use crate::codec_struct;
use crate::date::Date;
use crate::hash::{Digest, Element};
use crate::id::{Epoch, Timestamp};
use crate::model::Model;
use crate::signal::Severity;

/// How time is cut into epochs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EpochSchedule {
    /// When epoch 0 begins.
    pub start: Timestamp,
    /// Seconds an epoch lasts.
    pub seconds: u32,
    /// Seconds for which the previous epoch is still accepted, for signals under way.
    pub grace_seconds: u32,
}
codec_struct!(EpochSchedule { start, seconds, grace_seconds });

impl EpochSchedule {
    /// The epoch at `now`; none before the start.
    pub fn at(&self, now: Timestamp) -> Option<Epoch> {
        let elapsed = now.0.checked_sub(self.start.0)?;
        u32::try_from(elapsed.checked_div(u64::from(self.seconds))?).ok().map(Epoch)
    }

    /// The last second of an epoch.
    pub fn last_moment(&self, epoch: Epoch) -> Timestamp {
        let seconds = (u64::from(epoch.0) + 1).saturating_mul(u64::from(self.seconds));
        Timestamp(self.start.0.saturating_add(seconds).saturating_sub(1))
    }

    /// Whether a signal of `epoch` may arrive at `now`: the current epoch, or the previous one within the grace.
    pub fn accepts(&self, epoch: Epoch, now: Timestamp) -> bool {
        let earlier = Timestamp(now.0.saturating_sub(u64::from(self.grace_seconds)));
        self.at(now) == Some(epoch)
            || (self.at(earlier) == Some(epoch) && self.at(now) == epoch.0.checked_add(1).map(Epoch))
    }
}

/// The score a signal must provably reach, for each severity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Thresholds {
    /// For [`Severity::Low`].
    pub low: u32,
    /// For [`Severity::Medium`].
    pub medium: u32,
    /// For [`Severity::High`].
    pub high: u32,
}
codec_struct!(Thresholds { low, medium, high });

impl Thresholds {
    /// The threshold of one severity.
    pub fn of(&self, severity: Severity) -> u32 {
        match severity {
            Severity::Low => self.low,
            Severity::Medium => self.medium,
            Severity::High => self.high,
        }
    }

    /// The highest severity that `score` reaches.
    pub fn severity(&self, score: i64) -> Option<Severity> {
        Severity::ALL.iter().rev().copied().find(|s| score >= i64::from(self.of(*s)))
    }
}

/// A model of the registry, and who answers for it. Its weights are here for those who vote on it to see.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RegisteredModel {
    /// Version and weights.
    pub model: Model,
    /// Who maintains it.
    pub owner: String,
    /// What it is for.
    pub purpose: String,
    /// The SHA-256 of the validation report.
    pub validation: Digest,
    /// Who approved it.
    pub approver: String,
    /// By when it has to be reviewed.
    pub review: Date,
}
codec_struct!(RegisteredModel { model, owner, purpose, validation, approver, review });

/// A proof system.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Circuit {
    /// The version signals name.
    pub version: u16,
    /// The digest of the constraint matrices.
    pub hash: Digest,
    /// The digest of the verifying key's file.
    pub verifying_key: Digest,
    /// The digest of the transcript of the ceremony that made the key; none for a development key.
    pub transcript: Option<Digest>,
}
codec_struct!(Circuit { version, hash, verifying_key, transcript });

/// The tag function's key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TagPolicy {
    /// The public key (RFC 9497 VOPRF mode, ristretto255).
    pub key: Element,
    /// How many members evaluate a tag together, and could try out subjects together.
    pub threshold: u16,
}
codec_struct!(TagPolicy { key, threshold });

/// When a checkpoint of a member's log counts as published.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WitnessPolicy {
    /// How many of the other members must have cosigned it: `k`.
    pub quorum: u8,
    /// How many witnesses that cosign anything the policy is to withstand: `f`.
    pub faulty: u8,
}
codec_struct!(WitnessPolicy { quorum, faulty });

impl WitnessPolicy {
    /// Whether two views of a log cannot both be published: `2k > w + f` with `w` witnesses. If they can, comparing
    /// checkpoints is what finds them.
    pub fn excludes_forks(&self, witnesses: usize) -> bool {
        2 * usize::from(self.quorum) > witnesses + usize::from(self.faulty)
    }
}

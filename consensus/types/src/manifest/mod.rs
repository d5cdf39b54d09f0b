//! The manifest: who the members are, under which rules and keys they signal. Data, signed by every founder.
//!
//! Everything a verifier needs that is not in a signal comes from here: membership and trace commitments (the roots
//! are computed from them), gateways, thresholds, the registry of models, and the hashes of the proof's keys. The
//! canonical encoding's digest is the consortium's id, so a signal of one consortium says nothing in another.

mod signed;

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

pub use self::signed::{ManifestError, SignedManifest};
use crate::codec::{CodecError, Decode, Encode, Reader, Writer};
use crate::codec_struct;
use crate::country::Country;
use crate::hash::{Digest, Field, PublicKey, digest_of};
use crate::id::{BankId, Epoch, GatewayId, Timestamp};
use crate::lei::Lei;
use crate::model::Model;
use crate::signal::Severity;

/// The version byte of a manifest.
pub const MANIFEST_VERSION: u8 = 2;
/// The most members: the member tree has 4^5 leaves.
pub const MAX_MEMBERS: usize = 1024;
/// The most models in the registry: its tree has 4^2 leaves.
pub const MAX_MODELS: usize = 16;
/// Below this many active members in a gateway the sender is hardly hidden, and status says so.
pub const ANONYMITY_FLOOR: usize = 5;

/// How time is cut into epochs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
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

    /// Whether a signal of `epoch` may arrive at `now`: the current epoch, or the previous one within the grace.
    pub fn accepts(&self, epoch: Epoch, now: Timestamp) -> bool {
        let earlier = Timestamp(now.0.saturating_sub(u64::from(self.grace_seconds)));
        self.at(now) == Some(epoch)
            || (self.at(earlier) == Some(epoch) && self.at(now) == epoch.0.checked_add(1).map(Epoch))
    }
}

/// One bank of the consortium.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Member {
    /// The legal name.
    pub institution: String,
    /// The ultimate parent, per which votes count.
    pub parent: Lei,
    /// Signs the manifest and governance.
    pub governance_key: PublicKey,
    /// Signs the checkpoints of the bank's log.
    pub log_key: PublicKey,
    /// Cosigns the checkpoints of the other members' logs.
    pub cosigner_key: PublicKey,
    /// The libp2p identity of the bank's node.
    pub peer_key: PublicKey,
    /// `P(1, sk)`: the membership commitment.
    pub membership: Field,
    /// `P(3, t_e)` for each epoch in which it may signal; an epoch without one has no leaf.
    pub traces: BTreeMap<Epoch, Field>,
}
codec_struct!(Member {
    institution,
    parent,
    governance_key,
    log_key,
    cosigner_key,
    peer_key,
    membership,
    traces
});

/// A lawful channel for sharing. Signals name one; there is none without.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Gateway {
    /// A short name.
    pub name: String,
    /// The law it rests on.
    pub legal_basis: String,
    /// What may be shared, and why.
    pub purpose: String,
    /// Where it is lawful.
    pub jurisdictions: BTreeSet<Country>,
    /// Who is registered in it.
    pub members: BTreeSet<BankId>,
    /// The last moment at which it may be used.
    pub expires: Timestamp,
}

/// The score a signal must provably reach, for each severity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
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

/// The proof system in force.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Circuit {
    /// The version signals name.
    pub version: u16,
    /// The digest of the constraint matrices.
    pub hash: Digest,
    /// The digest of the verifying key's file.
    pub verifying_key: Digest,
}
codec_struct!(Circuit { version, hash, verifying_key });

/// The consortium's rules and keys.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Manifest {
    /// What people call the consortium.
    pub name: String,
    /// Keys without a ceremony: a node refuses such a manifest unless started with `--development`.
    pub development: bool,
    /// How time is cut.
    pub epochs: EpochSchedule,
    /// The banks.
    pub members: BTreeMap<BankId, Member>,
    /// The channels.
    pub gateways: BTreeMap<GatewayId, Gateway>,
    /// The scores that severities claim.
    pub thresholds: Thresholds,
    /// The registered models.
    pub models: Vec<Model>,
    /// The proof system.
    pub circuit: Circuit,
    /// How many signals a member may send per gateway and epoch.
    pub signal_limit: u32,
    /// How many epochs a signal may count at the most.
    pub signal_lifetime: u32,
    /// The ristretto255 public key of the tag function (RFC 9497 VOPRF mode).
    pub tag_key: [u8; 32],
    /// How many of the other members must have cosigned a checkpoint before it counts as published.
    pub witness_quorum: u8,
}

impl Manifest {
    /// The consortium's id.
    pub fn id(&self) -> Digest {
        digest_of("hansa/manifest/v1", self)
    }

    /// The C2SP origin of a member's log.
    pub fn log_origin(&self, bank: &BankId) -> String {
        format!("hansa/{}/{bank}", self.name)
    }

    /// The C2SP key name under which a member cosigns.
    pub fn witness_name(&self, bank: &BankId) -> String {
        format!("hansa/{}/{bank}/witness", self.name)
    }

    /// The member whose log is called `origin`.
    pub fn log_owner(&self, origin: &str) -> Option<(&BankId, &Member)> {
        self.members.iter().find(|(bank, _)| self.log_origin(bank) == origin)
    }

    /// The model of `version`.
    pub fn model(&self, version: u32) -> Option<&Model> {
        self.models.iter().find(|model| model.version == version)
    }

    /// A gateway that `bank` may use at `now`.
    pub fn usable_gateway(&self, id: GatewayId, bank: &BankId, now: Timestamp) -> Option<&Gateway> {
        self.gateways.get(&id).filter(|g| g.members.contains(bank) && now <= g.expires)
    }

    /// The members of a gateway that can signal in an epoch: those among whom a sender hides.
    pub fn active_members(&self, gateway: GatewayId, epoch: Epoch) -> usize {
        let registered = self.gateways.get(&gateway).map(|g| &g.members);
        let active = |id: &&BankId| self.members.get(*id).is_some_and(|m| m.traces.contains_key(&epoch));
        registered.map_or(0, |members| members.iter().filter(active).count())
    }
}

impl Encode for Manifest {
    fn encode(&self, out: &mut Writer) {
        out.u8(MANIFEST_VERSION);
        self.name.encode(out);
        self.development.encode(out);
        self.epochs.encode(out);
        self.members.encode(out);
        self.gateways.encode(out);
        self.thresholds.encode(out);
        self.models.encode(out);
        self.circuit.encode(out);
        self.signal_limit.encode(out);
        self.signal_lifetime.encode(out);
        self.tag_key.encode(out);
        self.witness_quorum.encode(out);
    }
}

impl Decode for Manifest {
    fn decode(input: &mut Reader<'_>) -> Result<Self, CodecError> {
        input.version("manifest", MANIFEST_VERSION)?;
        Ok(Self {
            name: Decode::decode(input)?,
            development: Decode::decode(input)?,
            epochs: Decode::decode(input)?,
            members: Decode::decode(input)?,
            gateways: Decode::decode(input)?,
            thresholds: Decode::decode(input)?,
            models: input.seq("models", MAX_MODELS)?,
            circuit: Decode::decode(input)?,
            signal_limit: Decode::decode(input)?,
            signal_lifetime: Decode::decode(input)?,
            tag_key: Decode::decode(input)?,
            witness_quorum: Decode::decode(input)?,
        })
    }
}

impl Encode for Gateway {
    fn encode(&self, out: &mut Writer) {
        self.name.encode(out);
        self.legal_basis.encode(out);
        self.purpose.encode(out);
        encode_set(&self.jurisdictions, out);
        encode_set(&self.members, out);
        self.expires.encode(out);
    }
}

impl Decode for Gateway {
    fn decode(input: &mut Reader<'_>) -> Result<Self, CodecError> {
        Ok(Self {
            name: Decode::decode(input)?,
            legal_basis: Decode::decode(input)?,
            purpose: Decode::decode(input)?,
            jurisdictions: decode_set(input)?,
            members: decode_set(input)?,
            expires: Decode::decode(input)?,
        })
    }
}

fn encode_set<T: Encode>(set: &BTreeSet<T>, out: &mut Writer) {
    out.length(set.len());
    set.iter().for_each(|item| item.encode(out));
}

fn decode_set<T: Decode + Ord>(input: &mut Reader<'_>) -> Result<BTreeSet<T>, CodecError> {
    let items: Vec<T> = input.seq("set", MAX_MEMBERS)?;
    if items.is_sorted_by(|a, b| a < b) {
        return Ok(items.into_iter().collect());
    }
    Err(CodecError::invalid("set", "items do not strictly ascend"))
}

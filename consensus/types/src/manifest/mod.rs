//! The manifest: who the members are, under which rules and keys they signal. Data, signed by every founder.
//!
//! Everything a verifier needs that is not in a signal comes from here: membership and trace commitments (the roots
//! are computed from them), gateways, thresholds, the registry of models, and the hashes of the proof's keys. The
//! canonical encoding's digest is the consortium's id, so a signal of one consortium says nothing in another.
//!
//! What the founders signed does not change; [`crate::governance`] derives from it what is in force later.

mod check;
mod gateway;
mod member;
mod rules;
mod signed;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use self::check::Remark;
pub use self::gateway::{Gateway, Registration};
pub use self::member::Member;
pub use self::rules::{Circuit, EpochSchedule, RegisteredModel, TagPolicy, Thresholds, WitnessPolicy};
pub use self::signed::{ManifestError, SignedManifest};
use crate::codec::{CodecError, Decode, Encode, Reader, Writer};
use crate::hash::{Digest, digest_of};
use crate::id::{BankId, Epoch, GatewayId, Timestamp};
use crate::model::Model;

/// The version byte of a manifest.
pub const MANIFEST_VERSION: u8 = 3;
/// The most members: the member tree has 4^5 leaves.
pub const MAX_MEMBERS: usize = 1024;
/// The most models in the registry: its tree has 4^2 leaves.
pub const MAX_MODELS: usize = 16;
/// The most circuits, past ones among them.
pub const MAX_CIRCUITS: usize = 64;
/// The most gateways.
pub const MAX_GATEWAYS: usize = 256;
/// The most peer keys of a member: one for each replica.
pub const MAX_PEER_KEYS: usize = 16;
/// The most zones of a member.
pub const MAX_ZONES: usize = 16;
/// The longest name, purpose or reference, in bytes.
pub const MAX_TEXT: usize = 1024;
/// Below this many active members in a gateway the sender is hardly hidden, and status says so.
pub const ANONYMITY_FLOOR: usize = 5;

/// The consortium's rules and keys.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// What people call the consortium.
    pub name: String,
    /// Keys without a ceremony: a node refuses such a manifest unless started with `--development`.
    pub development: bool,
    /// The head of the consortium that this one continues, because it could decide nothing any more.
    pub refounds: Option<Digest>,
    /// How time is cut.
    pub epochs: EpochSchedule,
    /// The banks.
    pub members: BTreeMap<BankId, Member>,
    /// The channels.
    pub gateways: BTreeMap<GatewayId, Gateway>,
    /// The scores that severities claim.
    pub thresholds: Thresholds,
    /// The registered models, by ascending version.
    pub models: Vec<RegisteredModel>,
    /// The proof systems, each by the first epoch in which it is in force, until the next.
    pub circuits: BTreeMap<Epoch, Circuit>,
    /// How many signals a member may send per gateway and epoch.
    pub signal_limit: u32,
    /// How many epochs a signal may count at the most.
    pub signal_lifetime: u32,
    /// The tag function.
    pub tags: TagPolicy,
    /// Whose cosignatures publish a checkpoint.
    pub witnesses: WitnessPolicy,
}

impl Manifest {
    /// The consortium's id, if this is the manifest that it was founded with.
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
        self.models.iter().map(|registered| &registered.model).find(|model| model.version == version)
    }

    /// The circuit in force in `epoch`; none before the first.
    pub fn circuit(&self, epoch: Epoch) -> Option<&Circuit> {
        self.circuits.range(..=epoch).next_back().map(|(_, circuit)| circuit)
    }

    /// A gateway that `bank` may use at `now`.
    pub fn usable_gateway(&self, id: GatewayId, bank: &BankId, now: Timestamp) -> Option<&Gateway> {
        let gateway = self.gateways.get(&id)?;
        let registration = gateway.members.get(bank)?;
        (now <= gateway.expires && now <= registration.expires).then_some(gateway)
    }

    /// The members of a gateway that can signal in an epoch, those among whom a sender hides: registered for all of it,
    /// and committed to a trace secret. None if there is no such gateway.
    pub fn active_members(
        &self,
        gateway: GatewayId,
        epoch: Epoch,
    ) -> Option<impl Iterator<Item = (&BankId, &Member)>> {
        let last = self.epochs.last_moment(epoch);
        let registered = self.gateways.get(&gateway)?.members.iter();
        Some(registered.filter(move |(_, registration)| last <= registration.expires).filter_map(
            move |(bank, _)| {
                self.members.get_key_value(bank).filter(|(_, member)| member.traces.contains_key(&epoch))
            },
        ))
    }
}

impl Encode for Manifest {
    fn encode(&self, out: &mut Writer) {
        out.u8(MANIFEST_VERSION);
        self.name.encode(out);
        self.development.encode(out);
        self.refounds.encode(out);
        self.epochs.encode(out);
        self.members.encode(out);
        self.gateways.encode(out);
        self.thresholds.encode(out);
        self.models.encode(out);
        self.circuits.encode(out);
        self.signal_limit.encode(out);
        self.signal_lifetime.encode(out);
        self.tags.encode(out);
        self.witnesses.encode(out);
    }
}

impl Decode for Manifest {
    fn decode(input: &mut Reader<'_>) -> Result<Self, CodecError> {
        input.version("manifest", MANIFEST_VERSION)?;
        Ok(Self {
            name: Decode::decode(input)?,
            development: Decode::decode(input)?,
            refounds: Decode::decode(input)?,
            epochs: Decode::decode(input)?,
            members: Decode::decode(input)?,
            gateways: Decode::decode(input)?,
            thresholds: Decode::decode(input)?,
            models: input.seq("models", MAX_MODELS)?,
            circuits: Decode::decode(input)?,
            signal_limit: Decode::decode(input)?,
            signal_lifetime: Decode::decode(input)?,
            tags: Decode::decode(input)?,
            witnesses: Decode::decode(input)?,
        })
    }
}

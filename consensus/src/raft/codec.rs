//! The canonical encoding of what Raft stores: entries, votes, membership, and the commands packed into an entry.

use std::collections::{BTreeMap, BTreeSet};

use hansa_types::codec::{CodecError, Decode, Encode, Reader, Writer};
use openraft::{
    BasicNode, CommittedLeaderId, Entry, EntryPayload, LogId, Membership, StoredMembership, Vote,
};
use thiserror::Error;

use super::TypeConfig;
use crate::command::{Command, MAX_COMMAND};

/// The version byte of an entry.
const ENTRY_VERSION: u8 = 1;
/// The version byte of packed commands.
const PACKED_VERSION: u8 = 1;
/// The longest entry: one full batch and the command that overfills it.
const MAX_ENTRY: usize = (64 << 20) + 2 * MAX_COMMAND;
/// The most configurations of a joint membership.
const MAX_CONFIGS: usize = 2;
/// The most replicas of a group.
const MAX_REPLICAS: usize = 64;
/// The longest address of a replica.
const MAX_ADDRESS: usize = 256;

/// Commands encoded into the payload of one entry: as they are hashed to disk, so that the leader encodes them once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Packed(Vec<u8>);

/// Why a command cannot be packed.
#[derive(Debug, Error, PartialEq, Eq)]
pub(crate) enum PackError {
    #[error("{length} bytes, the limit is {MAX_COMMAND}")]
    TooLong { length: usize },
    #[error(transparent)]
    Bounds(#[from] CodecError),
}

impl Packed {
    /// Packs encoded commands in order.
    pub(crate) fn new<'a>(commands: impl Iterator<Item = &'a [u8]>) -> Self {
        let mut out = Writer::default();
        out.u8(PACKED_VERSION);
        commands.for_each(|command| out.bytes(command));
        Self(out.into_bytes())
    }

    /// Encodes one command, and refuses what no replica would decode.
    pub(crate) fn encode_command(command: &Command) -> Result<Vec<u8>, PackError> {
        let bytes = command.to_bytes();
        if bytes.len() > MAX_COMMAND {
            return Err(PackError::TooLong { length: bytes.len() });
        }
        Command::from_bytes(&bytes)?;
        Ok(bytes)
    }

    /// The commands.
    pub(crate) fn commands(&self) -> Result<Vec<Command>, CodecError> {
        let mut input = Reader::new(&self.0);
        input.version("packed commands", PACKED_VERSION)?;
        let mut commands = Vec::new();
        while input.remaining() > 0 {
            commands.push(Command::from_bytes(input.bytes("command", MAX_COMMAND)?)?);
        }
        Ok(commands)
    }
}

/// Encodes an entry.
pub(crate) fn entry_to_bytes(entry: &Entry<TypeConfig>) -> Vec<u8> {
    let mut out = Writer::default();
    out.u8(ENTRY_VERSION);
    write_log_id(&entry.log_id, &mut out);
    match &entry.payload {
        EntryPayload::Blank => out.u8(0),
        EntryPayload::Normal(packed) => {
            out.u8(1);
            out.bytes(&packed.0);
        }
        EntryPayload::Membership(membership) => {
            out.u8(2);
            write_membership(membership, &mut out);
        }
    }
    out.into_bytes()
}

/// Decodes an entry.
pub(crate) fn entry_from_bytes(bytes: &[u8]) -> Result<Entry<TypeConfig>, CodecError> {
    let mut input = Reader::new(bytes);
    let log_id = entry_head(&mut input)?;
    let payload = match input.u8()? {
        0 => EntryPayload::Blank,
        1 => EntryPayload::Normal(Packed(input.bytes("packed commands", MAX_ENTRY)?.to_vec())),
        2 => EntryPayload::Membership(read_membership(&mut input)?),
        other => return Err(CodecError::invalid("entry", format!("{other} is not a kind of payload"))),
    };
    input.finish()?;
    Ok(Entry { log_id, payload })
}

/// The log id of an encoded entry, without its payload.
pub(crate) fn entry_log_id(bytes: &[u8]) -> Result<LogId<u64>, CodecError> {
    entry_head(&mut Reader::new(bytes))
}

/// Encodes a log id.
pub(crate) fn log_id_to_bytes(log_id: &LogId<u64>) -> Vec<u8> {
    let mut out = Writer::default();
    write_log_id(log_id, &mut out);
    out.into_bytes()
}

/// Decodes a log id.
pub(crate) fn log_id_from_bytes(bytes: &[u8]) -> Result<LogId<u64>, CodecError> {
    let mut input = Reader::new(bytes);
    let log_id = read_log_id(&mut input)?;
    input.finish()?;
    Ok(log_id)
}

/// Encodes a vote.
pub(crate) fn vote_to_bytes(vote: &Vote<u64>) -> Vec<u8> {
    let mut out = Writer::default();
    vote.leader_id.term.encode(&mut out);
    vote.leader_id.node_id.encode(&mut out);
    vote.committed.encode(&mut out);
    out.into_bytes()
}

/// Decodes a vote.
pub(crate) fn vote_from_bytes(bytes: &[u8]) -> Result<Vote<u64>, CodecError> {
    let mut input = Reader::new(bytes);
    let (term, node) = (u64::decode(&mut input)?, u64::decode(&mut input)?);
    let committed = bool::decode(&mut input)?;
    input.finish()?;
    Ok(if committed { Vote::new_committed(term, node) } else { Vote::new(term, node) })
}

/// The last entry applied and the membership in force.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Applied {
    pub(crate) log_id: Option<LogId<u64>>,
    pub(crate) membership: StoredMembership<u64, BasicNode>,
}

impl Encode for Applied {
    fn encode(&self, out: &mut Writer) {
        write_optional_log_id(self.log_id.as_ref(), out);
        write_optional_log_id(self.membership.log_id().as_ref(), out);
        write_membership(self.membership.membership(), out);
    }
}

impl Decode for Applied {
    fn decode(input: &mut Reader<'_>) -> Result<Self, CodecError> {
        let log_id = read_optional_log_id(input)?;
        let since = read_optional_log_id(input)?;
        Ok(Self { log_id, membership: StoredMembership::new(since, read_membership(input)?) })
    }
}

fn entry_head(input: &mut Reader<'_>) -> Result<LogId<u64>, CodecError> {
    input.version("entry", ENTRY_VERSION)?;
    read_log_id(input)
}

fn write_log_id(log_id: &LogId<u64>, out: &mut Writer) {
    log_id.leader_id.term.encode(out);
    log_id.leader_id.node_id.encode(out);
    log_id.index.encode(out);
}

fn read_log_id(input: &mut Reader<'_>) -> Result<LogId<u64>, CodecError> {
    let (term, node) = (u64::decode(input)?, u64::decode(input)?);
    Ok(LogId::new(CommittedLeaderId::new(term, node), u64::decode(input)?))
}

fn write_optional_log_id(log_id: Option<&LogId<u64>>, out: &mut Writer) {
    log_id.is_some().encode(out);
    if let Some(log_id) = log_id {
        write_log_id(log_id, out);
    }
}

fn read_optional_log_id(input: &mut Reader<'_>) -> Result<Option<LogId<u64>>, CodecError> {
    bool::decode(input)?.then(|| read_log_id(input)).transpose()
}

fn write_membership(membership: &Membership<u64, BasicNode>, out: &mut Writer) {
    let configs = membership.get_joint_config();
    out.length(configs.len());
    for config in configs {
        out.length(config.len());
        config.iter().for_each(|id| id.encode(out));
    }
    out.length(membership.nodes().count());
    for (id, node) in membership.nodes() {
        id.encode(out);
        node.addr.encode(out);
    }
}

fn read_membership(input: &mut Reader<'_>) -> Result<Membership<u64, BasicNode>, CodecError> {
    let mut configs = Vec::new();
    for _ in 0..input.length("membership", MAX_CONFIGS)? {
        let ids: Vec<u64> = input.seq("replicas", MAX_REPLICAS)?;
        let count = ids.len();
        let config: BTreeSet<u64> = ids.into_iter().collect();
        if config.len() != count {
            return Err(CodecError::invalid("membership", "a replica is named twice"));
        }
        configs.push(config);
    }
    let mut nodes = BTreeMap::new();
    for _ in 0..input.length("replicas", MAX_REPLICAS)? {
        let id = u64::decode(input)?;
        let address = input.bytes("address", MAX_ADDRESS)?;
        let address =
            std::str::from_utf8(address).map_err(|e| CodecError::invalid("address", e.to_string()))?;
        nodes.insert(id, BasicNode::new(address));
    }
    Ok(Membership::new(configs, nodes))
}

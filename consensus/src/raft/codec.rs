//! The canonical encoding of what Raft stores and sends: entries, votes, membership, and the proposals packed into an
//! entry.

use std::collections::{BTreeMap, BTreeSet};

use hansa_types::codec::{CodecError, Decode, Encode, Reader, Writer};
use openraft::{CommittedLeaderId, Entry, EntryPayload, LogId, Membership, StoredMembership, Vote};
use thiserror::Error;

use super::TypeConfig;
use crate::command::{MAX_COMMAND, Proposal};
use crate::replica::Replica;

/// The version byte of an entry.
const ENTRY_VERSION: u8 = 2;
/// The version byte of packed proposals.
const PACKED_VERSION: u8 = 2;
/// The longest entry: one full batch and the command that overfills it.
pub(crate) const MAX_ENTRY: usize = (64 << 20) + 2 * MAX_COMMAND;
/// The most configurations of a joint membership.
const MAX_CONFIGS: usize = 2;
/// The most replicas of a group.
const MAX_REPLICAS: usize = 64;
/// What stands around a value: versions, lengths, a log id.
const FRAMING: usize = 64;
/// The longest encoded proposal.
const MAX_PROPOSAL: usize = MAX_COMMAND + 16;

/// Proposals encoded into the payload of one entry: as they go to disk, so that the leader encodes them once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Packed(Vec<u8>);

/// Why a command cannot be packed.
#[derive(Debug, Error, PartialEq, Eq)]
pub(crate) enum PackError {
    #[error("{length} bytes, the limit is {MAX_PROPOSAL}")]
    TooLong { length: usize },
    #[error(transparent)]
    Bounds(#[from] CodecError),
}

impl Packed {
    /// Packs encoded proposals in order.
    pub(crate) fn new<'a>(proposals: impl Iterator<Item = &'a [u8]> + Clone) -> Self {
        let length: usize = proposals.clone().map(|proposal| proposal.len() + FRAMING).sum();
        let mut out = Writer::with_capacity(length + FRAMING);
        out.u8(PACKED_VERSION);
        proposals.for_each(|proposal| out.bytes(proposal));
        Self(out.into_bytes())
    }

    /// Encodes one proposal, and refuses what no replica would decode.
    pub(crate) fn encode(proposal: &Proposal) -> Result<Vec<u8>, PackError> {
        let bytes = proposal.to_bytes();
        Self::check(&bytes)?;
        Ok(bytes)
    }

    /// Refuses bytes that no replica would decode as a proposal.
    pub(crate) fn check(proposal: &[u8]) -> Result<(), PackError> {
        if proposal.len() > MAX_PROPOSAL {
            return Err(PackError::TooLong { length: proposal.len() });
        }
        Proposal::from_bytes(proposal)?;
        Ok(())
    }

    /// The proposals.
    pub(crate) fn proposals(&self) -> Result<Vec<Proposal>, CodecError> {
        let mut input = Reader::new(&self.0);
        input.version("packed proposals", PACKED_VERSION)?;
        let mut proposals = Vec::new();
        while input.remaining() > 0 {
            proposals.push(Proposal::from_bytes(input.bytes("proposal", MAX_PROPOSAL)?)?);
        }
        Ok(proposals)
    }
}

/// About how many bytes an encoded entry takes.
pub(crate) fn length_hint(entry: &Entry<TypeConfig>) -> usize {
    match &entry.payload {
        EntryPayload::Normal(packed) => packed.0.len() + FRAMING,
        EntryPayload::Blank | EntryPayload::Membership(_) => FRAMING,
    }
}

/// Encodes an entry.
pub(crate) fn entry_to_bytes(entry: &Entry<TypeConfig>) -> Vec<u8> {
    let mut out = Writer::with_capacity(length_hint(entry));
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
        1 => EntryPayload::Normal(Packed(input.bytes("packed proposals", MAX_ENTRY)?.to_vec())),
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
    write_vote(vote, &mut out);
    out.into_bytes()
}

/// Decodes a vote.
pub(crate) fn vote_from_bytes(bytes: &[u8]) -> Result<Vote<u64>, CodecError> {
    let mut input = Reader::new(bytes);
    let vote = read_vote(&mut input)?;
    input.finish()?;
    Ok(vote)
}

/// Writes a vote.
pub(crate) fn write_vote(vote: &Vote<u64>, out: &mut Writer) {
    vote.leader_id.term.encode(out);
    vote.leader_id.node_id.encode(out);
    vote.committed.encode(out);
}

/// Reads a vote.
pub(crate) fn read_vote(input: &mut Reader<'_>) -> Result<Vote<u64>, CodecError> {
    let (term, node) = (u64::decode(input)?, u64::decode(input)?);
    Ok(if bool::decode(input)? { Vote::new_committed(term, node) } else { Vote::new(term, node) })
}

/// The last entry applied and the membership in force.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Applied {
    pub(crate) log_id: Option<LogId<u64>>,
    pub(crate) membership: StoredMembership<u64, Replica>,
}

impl Encode for Applied {
    fn encode(&self, out: &mut Writer) {
        write_optional_log_id(self.log_id.as_ref(), out);
        write_stored_membership(&self.membership, out);
    }
}

impl Decode for Applied {
    fn decode(input: &mut Reader<'_>) -> Result<Self, CodecError> {
        let log_id = read_optional_log_id(input)?;
        Ok(Self { log_id, membership: read_stored_membership(input)? })
    }
}

/// Writes a membership and the entry since which it holds.
pub(crate) fn write_stored_membership(membership: &StoredMembership<u64, Replica>, out: &mut Writer) {
    write_optional_log_id(membership.log_id().as_ref(), out);
    write_membership(membership.membership(), out);
}

/// Reads what [`write_stored_membership`] wrote.
pub(crate) fn read_stored_membership(
    input: &mut Reader<'_>,
) -> Result<StoredMembership<u64, Replica>, CodecError> {
    Ok(StoredMembership::new(read_optional_log_id(input)?, read_membership(input)?))
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

/// Writes a log id or that there is none.
pub(crate) fn write_optional_log_id(log_id: Option<&LogId<u64>>, out: &mut Writer) {
    log_id.is_some().encode(out);
    if let Some(log_id) = log_id {
        write_log_id(log_id, out);
    }
}

/// Reads what [`write_optional_log_id`] wrote.
pub(crate) fn read_optional_log_id(input: &mut Reader<'_>) -> Result<Option<LogId<u64>>, CodecError> {
    bool::decode(input)?.then(|| read_log_id(input)).transpose()
}

fn write_membership(membership: &Membership<u64, Replica>, out: &mut Writer) {
    let configs = membership.get_joint_config();
    out.length(configs.len());
    for config in configs {
        out.length(config.len());
        config.iter().for_each(|id| id.encode(out));
    }
    out.length(membership.nodes().count());
    for (id, node) in membership.nodes() {
        id.encode(out);
        node.encode(out);
    }
}

fn read_membership(input: &mut Reader<'_>) -> Result<Membership<u64, Replica>, CodecError> {
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
        nodes.insert(id, Replica::decode(input)?);
    }
    Ok(Membership::new(configs, nodes))
}

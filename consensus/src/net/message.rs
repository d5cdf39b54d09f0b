//! What replicas say to one another: one request and one response on each stream, in the canonical codec.

use hansa_types::codec::{CodecError, Decode, Encode, Reader, Writer};
use hansa_types::codec_struct;
use openraft::raft::{
    AppendEntriesRequest, AppendEntriesResponse, SnapshotResponse, VoteRequest, VoteResponse,
};
use openraft::{SnapshotMeta, Vote};

use crate::cluster::ClusterError;
use crate::outcome::Outcome;
use crate::raft::{
    LogId, MAX_ENTRY, TypeConfig, entry_from_bytes, entry_to_bytes, length_hint, read_optional_log_id,
    read_stored_membership, read_vote, write_optional_log_id, write_stored_membership, write_vote,
};
use crate::replica::{Incarnation, Levels, Replica, bounded, text};

/// The version byte of requests and responses.
const VERSION: u8 = 1;
/// Bytes that everything but the entries of a request takes at the most, about.
const SMALL: usize = 256;
/// The most entries of one request.
const MAX_ENTRIES: usize = 1024;
/// The most proposals of one request.
pub(crate) const MAX_PROPOSALS: usize = 65_536;
/// The longest encoded proposal, in bytes.
const MAX_PROPOSAL: usize = crate::command::MAX_COMMAND + 64;
/// The longest request or response but a snapshot's files, in bytes.
pub(crate) const MAX_MESSAGE: usize = MAX_ENTRY + (16 << 20);
/// The most files of a snapshot.
pub(super) const MAX_FILES: usize = 100_000;

/// A request, and whom it is meant for.
#[derive(Debug)]
pub(crate) enum Request {
    /// Raft's AppendEntries.
    Append(AppendEntriesRequest<TypeConfig>),
    /// Raft's RequestVote.
    Vote(VoteRequest<u64>),
    /// Would you vote for me, whose log ends with this entry?
    PreVote(Option<LogId>),
    /// Encoded proposals for the leader's queue.
    Propose(Vec<Vec<u8>>),
    /// Which entry a linearizable read must wait for.
    ReadIndex,
    /// Stand for election now: the leader hands over.
    Elect,
    /// Who are you?
    Describe,
    /// An operator's wish, for the leader.
    Admin(Admin),
    /// A snapshot, whose files follow on the stream.
    Snapshot(SnapshotHead),
}

/// What an operator wants of the group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Admin {
    /// Take in a replica that runs and waits for it.
    Join {
        /// Its number.
        id: u64,
        /// What it says of itself; the incarnation is asked of it.
        replica: Replica,
    },
    /// Let a replica go.
    Leave(u64),
    /// Hand leadership over.
    Transfer(Option<u64>),
    /// Use what the newest release understands.
    Finalize,
}

/// What announces a snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SnapshotHead {
    pub(crate) vote: Vote<u64>,
    pub(crate) meta: SnapshotMeta<u64, Replica>,
    /// Name and length of each file, in the order in which they follow.
    pub(crate) files: Vec<(String, u64)>,
}

/// What answers a request.
#[derive(Debug)]
pub(crate) enum Response {
    Append(AppendEntriesResponse<u64>),
    Vote(VoteResponse<u64>),
    PreVote(bool),
    Propose(ProposeAnswer),
    /// The entry to wait for; none before the first.
    ReadIndex(Option<LogId>),
    /// The election was begun.
    Electing,
    Describe(Description),
    Admin(Result<String, ClusterError>),
    Snapshot(SnapshotResponse<u64>),
    /// Not answered: this replica cannot.
    Refused(Refused),
}

/// What became of forwarded proposals.
#[derive(Debug)]
pub(crate) enum ProposeAnswer {
    /// The outcomes, in order.
    Done(Vec<Outcome>),
    /// The queue is full.
    Busy,
}

/// Why a replica does not answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refused {
    /// It does not lead.
    #[error("it does not lead")]
    NotLeader,
    /// It has another data folder than the caller thinks.
    #[error("its data folder is {0}, not the one the group knows: let the old one leave and join it anew")]
    OtherIncarnation(Incarnation),
    /// It has stopped, or failed.
    #[error("it failed: {0}")]
    Failed(String),
    /// The caller is no replica of this group.
    #[error("it does not know the caller, replica {0}, as one of its group")]
    Stranger(u64),
    /// The request does not decode.
    #[error("it could not read the request: {0}")]
    Malformed(String),
}

/// What a replica says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Description {
    /// Its number.
    pub id: u64,
    /// Its data folder.
    pub incarnation: Incarnation,
    /// Whether it belongs to a group already.
    pub founded: bool,
    /// Which versions of the state it understands.
    pub levels: Levels,
    /// Its release.
    pub release: String,
    /// The index of the last entry it applied.
    pub applied: Option<u64>,
    /// The size of its audit log.
    pub size: u64,
    /// Whether it takes no leadership, being drained.
    pub draining: bool,
    /// Whether its process may use the bank's keys.
    pub keys_open: bool,
}
codec_struct!(Description { id, incarnation, founded, levels, release, applied, size, draining, keys_open });

/// A request with its addressee.
pub(crate) fn encode_request(to: Incarnation, request: &Request) -> Vec<u8> {
    let mut out = match request {
        Request::Append(append) => {
            Writer::with_capacity(append.entries.iter().map(length_hint).sum::<usize>() + SMALL)
        }
        _ => Writer::default(),
    };
    out.u8(VERSION);
    to.encode(&mut out);
    match request {
        Request::Append(append) => {
            out.u8(1);
            write_vote(&append.vote, &mut out);
            write_optional_log_id(append.prev_log_id.as_ref(), &mut out);
            write_optional_log_id(append.leader_commit.as_ref(), &mut out);
            out.length(append.entries.len());
            append.entries.iter().for_each(|entry| out.bytes(&entry_to_bytes(entry)));
        }
        Request::Vote(vote) => {
            out.u8(2);
            write_vote(&vote.vote, &mut out);
            write_optional_log_id(vote.last_log_id.as_ref(), &mut out);
        }
        Request::Propose(proposals) => {
            out.u8(3);
            out.length(proposals.len());
            proposals.iter().for_each(|proposal| out.bytes(proposal));
        }
        Request::ReadIndex => out.u8(4),
        Request::Elect => out.u8(5),
        Request::Describe => out.u8(6),
        Request::Admin(admin) => {
            out.u8(7);
            admin.encode(&mut out);
        }
        Request::Snapshot(head) => {
            out.u8(8);
            head.encode(&mut out);
        }
        Request::PreVote(last) => {
            out.u8(9);
            write_optional_log_id(last.as_ref(), &mut out);
        }
    }
    out.into_bytes()
}

/// Reads what [`encode_request`] wrote.
pub(crate) fn decode_request(bytes: &[u8]) -> Result<(Incarnation, Request), CodecError> {
    let mut input = Reader::new(bytes);
    input.version("request", VERSION)?;
    let to = Incarnation::decode(&mut input)?;
    let request = match input.u8()? {
        1 => Request::Append(read_append(&mut input)?),
        2 => Request::Vote(VoteRequest {
            vote: read_vote(&mut input)?,
            last_log_id: read_optional_log_id(&mut input)?,
        }),
        3 => {
            let count = input.length("proposals", MAX_PROPOSALS)?;
            let read = |_| input.bytes("proposal", MAX_PROPOSAL).map(<[u8]>::to_vec);
            Request::Propose((0..count).map(read).collect::<Result<_, _>>()?)
        }
        4 => Request::ReadIndex,
        5 => Request::Elect,
        6 => Request::Describe,
        7 => Request::Admin(Decode::decode(&mut input)?),
        8 => Request::Snapshot(Decode::decode(&mut input)?),
        9 => Request::PreVote(read_optional_log_id(&mut input)?),
        other => return Err(CodecError::invalid("request", format!("{other} is not one of its kinds"))),
    };
    input.finish()?;
    Ok((to, request))
}

fn read_append(input: &mut Reader<'_>) -> Result<AppendEntriesRequest<TypeConfig>, CodecError> {
    let vote = read_vote(input)?;
    let (prev_log_id, leader_commit) = (read_optional_log_id(input)?, read_optional_log_id(input)?);
    let count = input.length("entries", MAX_ENTRIES)?;
    let entries =
        (0..count).map(|_| entry_from_bytes(input.bytes("entry", MAX_ENTRY)?)).collect::<Result<_, _>>()?;
    Ok(AppendEntriesRequest { vote, prev_log_id, entries, leader_commit })
}

impl Encode for Response {
    fn encode(&self, out: &mut Writer) {
        out.u8(VERSION);
        match self {
            Self::Append(answer) => {
                out.u8(1);
                write_append_response(answer, out);
            }
            Self::Vote(answer) => {
                out.u8(2);
                write_vote(&answer.vote, out);
                answer.vote_granted.encode(out);
                write_optional_log_id(answer.last_log_id.as_ref(), out);
            }
            Self::Propose(ProposeAnswer::Done(outcomes)) => {
                out.u8(3);
                out.seq(outcomes);
            }
            Self::Propose(ProposeAnswer::Busy) => out.u8(4),
            Self::ReadIndex(log_id) => {
                out.u8(5);
                write_optional_log_id(log_id.as_ref(), out);
            }
            Self::Electing => out.u8(6),
            Self::Describe(description) => {
                out.u8(7);
                description.encode(out);
            }
            Self::Admin(Ok(said)) => {
                out.u8(8);
                out.bytes(bounded(said));
            }
            Self::Admin(Err(error)) => {
                out.u8(9);
                error.encode(out);
            }
            Self::Snapshot(answer) => {
                out.u8(10);
                write_vote(&answer.vote, out);
            }
            Self::Refused(refused) => {
                out.u8(11);
                refused.encode(out);
            }
            Self::PreVote(would) => {
                out.u8(12);
                would.encode(out);
            }
        }
    }
}

impl Decode for Response {
    fn decode(input: &mut Reader<'_>) -> Result<Self, CodecError> {
        input.version("response", VERSION)?;
        Ok(match input.u8()? {
            1 => Self::Append(read_append_response(input)?),
            2 => Self::Vote(VoteResponse {
                vote: read_vote(input)?,
                vote_granted: Decode::decode(input)?,
                last_log_id: read_optional_log_id(input)?,
            }),
            3 => Self::Propose(ProposeAnswer::Done(input.seq("outcomes", MAX_PROPOSALS)?)),
            4 => Self::Propose(ProposeAnswer::Busy),
            5 => Self::ReadIndex(read_optional_log_id(input)?),
            6 => Self::Electing,
            7 => Self::Describe(Decode::decode(input)?),
            8 => Self::Admin(Ok(text(input, "answer")?)),
            9 => Self::Admin(Err(Decode::decode(input)?)),
            10 => Self::Snapshot(SnapshotResponse { vote: read_vote(input)? }),
            11 => Self::Refused(Decode::decode(input)?),
            12 => Self::PreVote(Decode::decode(input)?),
            other => return Err(CodecError::invalid("response", format!("{other} is not one of its kinds"))),
        })
    }
}

fn write_append_response(answer: &AppendEntriesResponse<u64>, out: &mut Writer) {
    match answer {
        AppendEntriesResponse::Success => out.u8(0),
        AppendEntriesResponse::PartialSuccess(log_id) => {
            out.u8(1);
            write_optional_log_id(log_id.as_ref(), out);
        }
        AppendEntriesResponse::Conflict => out.u8(2),
        AppendEntriesResponse::HigherVote(vote) => {
            out.u8(3);
            write_vote(vote, out);
        }
    }
}

fn read_append_response(input: &mut Reader<'_>) -> Result<AppendEntriesResponse<u64>, CodecError> {
    Ok(match input.u8()? {
        0 => AppendEntriesResponse::Success,
        1 => AppendEntriesResponse::PartialSuccess(read_optional_log_id(input)?),
        2 => AppendEntriesResponse::Conflict,
        3 => AppendEntriesResponse::HigherVote(read_vote(input)?),
        other => return Err(CodecError::invalid("append", format!("{other} is not one of its answers"))),
    })
}

impl Encode for Admin {
    fn encode(&self, out: &mut Writer) {
        match self {
            Self::Join { id, replica } => {
                out.u8(1);
                id.encode(out);
                replica.encode(out);
            }
            Self::Leave(id) => {
                out.u8(2);
                id.encode(out);
            }
            Self::Transfer(to) => {
                out.u8(3);
                to.encode(out);
            }
            Self::Finalize => out.u8(4),
        }
    }
}

impl Decode for Admin {
    fn decode(input: &mut Reader<'_>) -> Result<Self, CodecError> {
        Ok(match input.u8()? {
            1 => Self::Join { id: Decode::decode(input)?, replica: Decode::decode(input)? },
            2 => Self::Leave(Decode::decode(input)?),
            3 => Self::Transfer(Decode::decode(input)?),
            4 => Self::Finalize,
            other => return Err(CodecError::invalid("wish", format!("{other} is not one of its kinds"))),
        })
    }
}

impl Encode for SnapshotHead {
    fn encode(&self, out: &mut Writer) {
        write_vote(&self.vote, out);
        write_optional_log_id(self.meta.last_log_id.as_ref(), out);
        write_stored_membership(&self.meta.last_membership, out);
        out.bytes(bounded(&self.meta.snapshot_id));
        out.length(self.files.len());
        for (name, length) in &self.files {
            out.bytes(bounded(name));
            length.encode(out);
        }
    }
}

impl Decode for SnapshotHead {
    fn decode(input: &mut Reader<'_>) -> Result<Self, CodecError> {
        let vote = read_vote(input)?;
        let meta = SnapshotMeta {
            last_log_id: read_optional_log_id(input)?,
            last_membership: read_stored_membership(input)?,
            snapshot_id: text(input, "snapshot id")?,
        };
        let count = input.length("files", MAX_FILES)?;
        let file = |_| Ok((text(input, "file name")?, u64::decode(input)?));
        Ok(Self { vote, meta, files: (0..count).map(file).collect::<Result<_, CodecError>>()? })
    }
}

impl Encode for Refused {
    fn encode(&self, out: &mut Writer) {
        match self {
            Self::NotLeader => out.u8(1),
            Self::OtherIncarnation(incarnation) => {
                out.u8(2);
                incarnation.encode(out);
            }
            Self::Failed(reason) => {
                out.u8(3);
                out.bytes(bounded(reason));
            }
            Self::Stranger(id) => {
                out.u8(4);
                id.encode(out);
            }
            Self::Malformed(reason) => {
                out.u8(5);
                out.bytes(bounded(reason));
            }
        }
    }
}

impl Decode for Refused {
    fn decode(input: &mut Reader<'_>) -> Result<Self, CodecError> {
        Ok(match input.u8()? {
            1 => Self::NotLeader,
            2 => Self::OtherIncarnation(Decode::decode(input)?),
            3 => Self::Failed(text(input, "reason")?),
            4 => Self::Stranger(Decode::decode(input)?),
            5 => Self::Malformed(text(input, "reason")?),
            other => return Err(CodecError::invalid("refusal", format!("{other} is not one of its kinds"))),
        })
    }
}

//! The lines that a replica speaks: `ID REQUEST` in, `ID ANSWER` out, in any order; the id is a number of the asker's.
//!
//! | request | answer |
//! |---|---|
//! | `append KEY SEED` | `ok INDEX`, `existing INDEX`, `conflict INDEX` |
//! | `read` | `ok SIZE ROOT` once everything committed is applied here |
//! | `head` | `ok SIZE ROOT` as applied here |
//! | `leaf INDEX` | `ok HEX`, `none` |
//! | `find KEY` | `ok INDEX`, `none` |
//! | `root SIZE` | `ok ROOT` of the first leaves |
//! | `inclusion INDEX SIZE` | `ok HASH,HASH..` |
//! | `status` | `ok JSON` ([`State`]) |
//! | `led NOT` | `ok LEADER` once somebody leads with a quorum who is not replica NOT |
//! | `snapshot` | `ok` |
//! | `transfer ID`, `leave ID`, `join ID ADDRESS ZONE` | `ok WHAT WAS DONE` |
//!
//! Any request may be answered `error WHY`. Unasked, a replica says `ready` once it serves and `stopped WHY` when its
//! disk failed; it ends after that.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::Content;

/// What a replica is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// Append a leaf unless its key is taken.
    Append(Content),
    /// Size and root, linearizable.
    Read,
    /// Size and root of what is applied here.
    Head,
    /// A leaf.
    Leaf(u64),
    /// The leaf under a key.
    Find(u64),
    /// The root of the first leaves.
    Root(u64),
    /// The audit path of a leaf.
    Inclusion {
        /// Which leaf.
        index: u64,
        /// In the tree of how many.
        size: u64,
    },
    /// How it stands.
    Status,
    /// Who leads, once it is not this one.
    Led {
        /// Who it should not be.
        not: u64,
    },
    /// Take a snapshot now.
    Snapshot,
    /// Hand leadership to a replica.
    Transfer(u64),
    /// Let a replica go.
    Leave(u64),
    /// Take a replica in.
    Join {
        /// Its number.
        id: u64,
        /// Where it listens.
        address: String,
        /// Where it stands.
        zone: String,
    },
}

/// What it answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Done, with what was asked for.
    Ok(String),
    /// The same was appended before.
    Existing(u64),
    /// The key holds other content.
    Conflict(u64),
    /// There is none.
    None,
    /// Not done, or nobody knows.
    Error(String),
    /// The process has ended: nobody knows.
    Gone,
}

/// How a replica stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// Which one.
    pub replica: u64,
    /// Who leads, as far as it knows.
    pub leader: Option<u64>,
    /// Whether commands can be committed.
    pub quorum: bool,
    /// Raft's term.
    pub term: u64,
    /// The last Raft entry applied.
    pub applied: Option<u64>,
    /// How many leaves its log has.
    pub size: u64,
    /// What its wall clock says, in Unix seconds.
    pub clock: u64,
}

/// Why a line is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not understood")]
pub struct LineError(String);

impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Append(Content { key, seed }) => write!(f, "append {key} {seed}"),
            Self::Read => f.write_str("read"),
            Self::Head => f.write_str("head"),
            Self::Leaf(index) => write!(f, "leaf {index}"),
            Self::Find(key) => write!(f, "find {key}"),
            Self::Root(size) => write!(f, "root {size}"),
            Self::Inclusion { index, size } => write!(f, "inclusion {index} {size}"),
            Self::Status => f.write_str("status"),
            Self::Led { not } => write!(f, "led {not}"),
            Self::Snapshot => f.write_str("snapshot"),
            Self::Transfer(id) => write!(f, "transfer {id}"),
            Self::Leave(id) => write!(f, "leave {id}"),
            Self::Join { id, address, zone } => write!(f, "join {id} {address} {zone}"),
        }
    }
}

impl FromStr for Request {
    type Err = LineError;

    fn from_str(text: &str) -> Result<Self, LineError> {
        let bad = || LineError(text.to_owned());
        let words: Vec<&str> = text.split(' ').collect();
        let number = |word: &str| word.parse::<u64>().map_err(|_| bad());
        Ok(match words[..] {
            ["append", key, seed] => Self::Append(Content { key: number(key)?, seed: number(seed)? }),
            ["read"] => Self::Read,
            ["head"] => Self::Head,
            ["leaf", index] => Self::Leaf(number(index)?),
            ["find", key] => Self::Find(number(key)?),
            ["root", size] => Self::Root(number(size)?),
            ["inclusion", index, size] => Self::Inclusion { index: number(index)?, size: number(size)? },
            ["status"] => Self::Status,
            ["led", not] => Self::Led { not: number(not)? },
            ["snapshot"] => Self::Snapshot,
            ["transfer", id] => Self::Transfer(number(id)?),
            ["leave", id] => Self::Leave(number(id)?),
            ["join", id, address, zone] => {
                Self::Join { id: number(id)?, address: address.to_owned(), zone: zone.to_owned() }
            }
            _ => return Err(bad()),
        })
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ok(what) if what.is_empty() => f.write_str("ok"),
            Self::Ok(what) => write!(f, "ok {what}"),
            Self::Existing(index) => write!(f, "existing {index}"),
            Self::Conflict(index) => write!(f, "conflict {index}"),
            Self::None => f.write_str("none"),
            Self::Error(why) => write!(f, "error {}", why.replace('\n', " ")),
            Self::Gone => f.write_str("gone"),
        }
    }
}

impl FromStr for Answer {
    type Err = LineError;

    fn from_str(text: &str) -> Result<Self, LineError> {
        let (kind, rest) = text.split_once(' ').unwrap_or((text, ""));
        let index = || rest.parse().map_err(|_| LineError(text.to_owned()));
        Ok(match kind {
            "ok" => Self::Ok(rest.to_owned()),
            "existing" => Self::Existing(index()?),
            "conflict" => Self::Conflict(index()?),
            "none" => Self::None,
            "error" => Self::Error(rest.to_owned()),
            "gone" => Self::Gone,
            _ => return Err(LineError(text.to_owned())),
        })
    }
}

impl Answer {
    /// The index that an append was given, now or before.
    pub fn index(&self) -> Option<u64> {
        match self {
            Self::Ok(index) => index.parse().ok(),
            Self::Existing(index) => Some(*index),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_as_they_are_written() {
        let join = Request::Join { id: 3, address: "127.0.0.1:9".to_owned(), zone: "zone-3".to_owned() };
        let requests = [
            Request::Append(Content { key: 1, seed: 2 }),
            Request::Read,
            Request::Head,
            Request::Leaf(4),
            Request::Find(5),
            Request::Root(6),
            Request::Inclusion { index: 7, size: 8 },
            Request::Status,
            Request::Led { not: 0 },
            Request::Snapshot,
            Request::Transfer(2),
            Request::Leave(3),
            join,
        ];
        for request in requests {
            assert_eq!(request.to_string().parse(), Ok(request));
        }
        let answers = ["ok", "ok 5", "existing 6", "conflict 7", "none", "error no such leaf", "gone"];
        for answer in answers {
            assert_eq!(answer.parse::<Answer>().unwrap().to_string(), answer);
        }
        let lines = Answer::Error("two\nlines".to_owned()).to_string();
        assert_eq!(lines, "error two lines", "an answer is one line");
        for wrong in ["", "append 1", "append 1 x", "leaf -1", "join 1 a", "read 1"] {
            assert!(wrong.parse::<Request>().is_err(), "{wrong}");
        }
        assert!("existing".parse::<Answer>().is_err());
    }
}

//! C2SP tlog-policy: which logs are known, and whose cosignatures make a checkpoint count.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use hansa_types::id::BankId;
use hansa_types::manifest::Manifest;
use thiserror::Error;

use crate::checkpoint::{Checkpoint, CheckpointError};
use crate::note::{KeyError, KeyType, SignedNote, VerifierKey};
use crate::text::from_decimal;

/// The longest policy read, in bytes.
pub const MAX_POLICY_BYTES: usize = 1 << 20;
/// The most logs, witnesses and groups, each; the specification recommends at least 32.
pub const MAX_ENTRIES: usize = 1024;
/// The name that stands for no quorum.
const NONE: &[u8] = b"none";

/// A policy that was read or follows from a manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    logs: Vec<VerifierKey>,
    witnesses: Vec<Witness>,
    groups: Vec<Group>,
    quorum: Option<Part>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Witness {
    /// Names are octets: what they look like decides nothing.
    name: Vec<u8>,
    key: VerifierKey,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Group {
    name: Vec<u8>,
    threshold: usize,
    parts: Vec<Part>,
}

/// A witness or a group by its place; a group holds only earlier ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    Witness(usize),
    Group(usize),
}

/// A checkpoint that a policy holds for valid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Satisfied {
    /// The checkpoint.
    pub checkpoint: Checkpoint,
    /// Who cosigned it, by key name, and when, in Unix seconds: all known witnesses, not only those needed.
    pub cosigners: BTreeMap<String, u64>,
}

/// Why a text is not a policy.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("line {line} of the policy: {fault}")]
pub struct PolicySyntax {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub fault: PolicyFault,
}

/// What is wrong with a line of a policy.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum PolicyFault {
    /// Above [`MAX_POLICY_BYTES`].
    #[error("the file has more than {MAX_POLICY_BYTES} bytes")]
    TooLong,
    /// Above [`MAX_ENTRIES`].
    #[error("there are more than {MAX_ENTRIES} logs, witnesses or groups")]
    TooMany,
    /// A control character, or no newline at the end.
    #[error("only tab and newline are allowed as control characters, and each line ends in a newline")]
    Octets,
    /// Not one of the four kinds of line, or not its items.
    #[error(
        "a line reads `log KEY [URL]`, `witness NAME KEY [URL]`, `group NAME K NAME...` or `quorum NAME`"
    )]
    Form,
    /// A key that is none.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// A log's key where a witness's should be, or the other way round.
    #[error("a log signs with a key of type 0x01, a witness with one of type 0x04")]
    KeyType,
    /// One key twice.
    #[error("this key stands in the policy already, perhaps under another name")]
    DuplicateKey,
    /// One name twice, or the reserved one.
    #[error("the name is taken or reserved")]
    Name,
    /// A name that no line before defines.
    #[error("no line before defines the name {0:?}")]
    Unknown(String),
    /// A name in two groups, or twice in one.
    #[error("{0:?} is a member already: each name is so at most once")]
    Member(String),
    /// A threshold outside 1 to the number of members.
    #[error("the threshold must be from 1 to the number of members")]
    Threshold,
    /// No quorum line, or two.
    #[error("a policy has exactly one quorum line")]
    Quorum,
}

/// Why a checkpoint does not satisfy a policy.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum PolicyError {
    /// A log that is not in the policy.
    #[error("the policy does not know the log {0:?}")]
    UnknownLog(String),
    /// The checkpoint, or a signature of a known key, was refused.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// Cosignatures are missing.
    #[error("the policy's quorum is not reached: cosigned by {}", if .0.is_empty() { "nobody known" } else { .0 })]
    NoQuorum(String),
}

impl Policy {
    /// The policy on `bank`'s log: as many of the other members as the manifest's witness policy wants.
    pub fn of(manifest: &Manifest, bank: &BankId) -> Result<Self, KeyError> {
        let member = manifest.members.get(bank);
        let log = |key| VerifierKey::new(KeyType::Ed25519, &manifest.log_origin(bank), key);
        let logs = member.map(|member| log(member.log_key)).transpose()?.into_iter().collect();
        let mut witnesses = Vec::new();
        for (other, member) in manifest.members.iter().filter(|(other, _)| *other != bank) {
            let name = manifest.witness_name(other);
            let key = VerifierKey::new(KeyType::Cosignature, &name, member.cosigner_key)?;
            witnesses.push(Witness { name: other.as_str().into(), key });
        }
        let threshold = usize::from(manifest.witnesses.quorum);
        let parts = (0..witnesses.len()).map(Part::Witness).collect();
        let group = Group { name: b"members".to_vec(), threshold, parts };
        let (groups, quorum) =
            if threshold == 0 { (vec![], None) } else { (vec![group], Some(Part::Group(0))) };
        Ok(Self { logs, witnesses, groups, quorum })
    }

    /// Reads a policy strictly.
    pub fn parse(bytes: &[u8]) -> Result<Self, PolicySyntax> {
        let at = |line, fault| PolicySyntax { line, fault };
        if bytes.len() > MAX_POLICY_BYTES {
            return Err(at(1, PolicyFault::TooLong));
        }
        let mut parser = Parser::default();
        let mut count = 0;
        let body = match bytes.strip_suffix(b"\n") {
            Some(body) => body,
            None if bytes.is_empty() => bytes,
            None => return Err(at(bytes.split(|b| *b == b'\n').count(), PolicyFault::Octets)),
        };
        for (index, line) in body.split(|byte| *byte == b'\n').enumerate() {
            count = index + 1;
            parser.line(line).map_err(|fault| at(count, fault))?;
        }
        parser.finish().map_err(|fault| at(count, fault))
    }

    /// The witnesses' keys, in their order.
    pub fn witness_keys(&self) -> impl Iterator<Item = &VerifierKey> {
        self.witnesses.iter().map(|witness| &witness.key)
    }

    /// Checks a signed and cosigned checkpoint.
    pub fn check(&self, note: &SignedNote) -> Result<Satisfied, PolicyError> {
        let origin = note.unverified_text().lines().next().unwrap_or_default();
        let logs: Vec<_> = self.logs.iter().filter(|log| log.name() == origin).cloned().collect();
        if logs.is_empty() {
            return Err(PolicyError::UnknownLog(origin.to_owned()));
        }
        let refused = |error| PolicyError::Checkpoint(CheckpointError::Note(error));
        let checkpoint: Checkpoint = note.open(&logs).map_err(refused)?.text.parse()?;
        let keys: Vec<_> = logs.iter().chain(self.witness_keys()).cloned().collect();
        let signed = note.open(&keys).map_err(refused)?.signers;
        let mut by = BTreeSet::new();
        let mut cosigners = BTreeMap::new();
        for signer in signed {
            let Some(witness) = signer.key.checked_sub(logs.len()) else { continue };
            by.insert(witness);
            cosigners.insert(self.witnesses[witness].key.name().to_owned(), signer.timestamp.unwrap_or(0));
        }
        if self.quorum.is_none_or(|part| self.witnessed(part, &by)) {
            return Ok(Satisfied { checkpoint, cosigners });
        }
        Err(PolicyError::NoQuorum(cosigners.into_keys().collect::<Vec<_>>().join(", ")))
    }

    fn witnessed(&self, part: Part, by: &BTreeSet<usize>) -> bool {
        match part {
            Part::Witness(witness) => by.contains(&witness),
            Part::Group(group) => {
                let group = &self.groups[group];
                group.parts.iter().filter(|part| self.witnessed(**part, by)).count() >= group.threshold
            }
        }
    }

    fn name(&self, part: Part) -> String {
        let name = match part {
            Part::Witness(witness) => &self.witnesses[witness].name,
            Part::Group(group) => &self.groups[group].name,
        };
        String::from_utf8_lossy(name).into_owned()
    }
}

impl fmt::Display for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for log in &self.logs {
            writeln!(f, "log {log}")?;
        }
        for witness in &self.witnesses {
            writeln!(f, "witness {} {}", String::from_utf8_lossy(&witness.name), witness.key)?;
        }
        for (at, group) in self.groups.iter().enumerate() {
            write!(f, "group {} {}", self.name(Part::Group(at)), group.threshold)?;
            group.parts.iter().try_for_each(|part| write!(f, " {}", self.name(*part)))?;
            writeln!(f)?;
        }
        writeln!(f, "quorum {}", self.quorum.map_or_else(|| "none".to_owned(), |part| self.name(part)))
    }
}

/// What the lines before have defined.
#[derive(Default)]
struct Parser {
    logs: Vec<VerifierKey>,
    witnesses: Vec<Witness>,
    groups: Vec<Group>,
    names: BTreeMap<Vec<u8>, Part>,
    members: BTreeSet<Part>,
    quorum: Option<Option<Part>>,
}

impl Parser {
    fn line(&mut self, line: &[u8]) -> Result<(), PolicyFault> {
        if line.iter().any(|byte| *byte != b'\t' && (*byte < b' ' || *byte == 0x7f)) {
            return Err(PolicyFault::Octets);
        }
        let items: Vec<&[u8]> =
            line.split(|b| matches!(b, b' ' | b'\t')).filter(|item| !item.is_empty()).collect();
        match items.as_slice() {
            [] => Ok(()),
            [first, ..] if first.starts_with(b"#") => Ok(()),
            [b"log", key] | [b"log", key, _] => self.log(key),
            [b"witness", name, key] | [b"witness", name, key, _] => self.witness(name, key),
            [b"group", name, threshold, first, rest @ ..] => self.group(name, threshold, first, rest),
            [b"quorum", name] => self.set_quorum(name),
            _ => Err(PolicyFault::Form),
        }
    }

    fn log(&mut self, key: &[u8]) -> Result<(), PolicyFault> {
        let key = verifier_key(key, KeyType::Ed25519)?;
        if self.logs.iter().any(|log| log.public_key() == key.public_key()) {
            return Err(PolicyFault::DuplicateKey);
        }
        room(self.logs.len())?;
        self.logs.push(key);
        Ok(())
    }

    fn witness(&mut self, name: &[u8], key: &[u8]) -> Result<(), PolicyFault> {
        let key = verifier_key(key, KeyType::Cosignature)?;
        if self.witnesses.iter().any(|witness| witness.key.public_key() == key.public_key()) {
            return Err(PolicyFault::DuplicateKey);
        }
        room(self.witnesses.len())?;
        self.define(name, Part::Witness(self.witnesses.len()))?;
        self.witnesses.push(Witness { name: name.to_vec(), key });
        Ok(())
    }

    fn group(
        &mut self,
        name: &[u8],
        threshold: &[u8],
        first: &[u8],
        rest: &[&[u8]],
    ) -> Result<(), PolicyFault> {
        let mut parts = Vec::with_capacity(rest.len() + 1);
        for member in std::iter::once(first).chain(rest.iter().copied()) {
            let part = self.known(member)?;
            if !self.members.insert(part) {
                return Err(PolicyFault::Member(String::from_utf8_lossy(member).into_owned()));
            }
            parts.push(part);
        }
        let threshold = match threshold {
            b"all" => parts.len(),
            b"any" => 1,
            number => std::str::from_utf8(number)
                .ok()
                .and_then(from_decimal)
                .and_then(|number| usize::try_from(number).ok())
                .ok_or(PolicyFault::Threshold)?,
        };
        if !(1..=parts.len()).contains(&threshold) {
            return Err(PolicyFault::Threshold);
        }
        room(self.groups.len())?;
        self.define(name, Part::Group(self.groups.len()))?;
        self.groups.push(Group { name: name.to_vec(), threshold, parts });
        Ok(())
    }

    fn set_quorum(&mut self, name: &[u8]) -> Result<(), PolicyFault> {
        if self.quorum.is_some() {
            return Err(PolicyFault::Quorum);
        }
        self.quorum = Some(if name == NONE { None } else { Some(self.known(name)?) });
        Ok(())
    }

    fn known(&self, name: &[u8]) -> Result<Part, PolicyFault> {
        let unknown = || PolicyFault::Unknown(String::from_utf8_lossy(name).into_owned());
        self.names.get(name).copied().ok_or_else(unknown)
    }

    fn define(&mut self, name: &[u8], part: Part) -> Result<(), PolicyFault> {
        if name == NONE || self.names.insert(name.to_vec(), part).is_some() {
            return Err(PolicyFault::Name);
        }
        Ok(())
    }

    fn finish(self) -> Result<Policy, PolicyFault> {
        let quorum = self.quorum.ok_or(PolicyFault::Quorum)?;
        Ok(Policy { logs: self.logs, witnesses: self.witnesses, groups: self.groups, quorum })
    }
}

fn verifier_key(text: &[u8], wanted: KeyType) -> Result<VerifierKey, PolicyFault> {
    let text = std::str::from_utf8(text).map_err(|_| KeyError::Malformed)?;
    let key: VerifierKey = text.parse()?;
    if key.key_type() == wanted { Ok(key) } else { Err(PolicyFault::KeyType) }
}

fn room(taken: usize) -> Result<(), PolicyFault> {
    if taken < MAX_ENTRIES { Ok(()) } else { Err(PolicyFault::TooMany) }
}

#[cfg(test)]
mod tests;

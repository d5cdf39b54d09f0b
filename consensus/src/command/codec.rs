//! The canonical encoding of commands and what they hold.

use hansa_audit_log::envelope::{Envelope, MAX_LEAF};
use hansa_types::codec::{CodecError, Decode, Encode, Reader, Writer};

use super::*;

impl Encode for Leaf {
    fn encode(&self, out: &mut Writer) {
        out.bytes(self.envelope.as_bytes());
        out.seq(&self.terms);
        out.seq(&self.subjects);
        out.seq(&self.documents);
        self.unique.encode(out);
    }
}

impl Decode for Leaf {
    fn decode(input: &mut Reader<'_>) -> Result<Self, CodecError> {
        let envelope = Envelope::new(input.bytes("leaf", MAX_LEAF)?.to_vec())
            .map_err(|error| CodecError::invalid("leaf", error.to_string()))?;
        Ok(Self {
            envelope,
            terms: input.seq("index terms", MAX_TERMS)?,
            subjects: input.seq("subjects", MAX_SUBJECTS)?,
            documents: input.seq("documents", MAX_DOCUMENTS)?,
            unique: Decode::decode(input)?,
        })
    }
}

impl Encode for SubjectRef {
    fn encode(&self, out: &mut Writer) {
        out.raw(&self.subject);
        self.key.encode(out);
        self.wrapped.is_some().encode(out);
        if let Some(wrapped) = &self.wrapped {
            out.bytes(wrapped);
        }
    }
}

impl Decode for SubjectRef {
    fn decode(input: &mut Reader<'_>) -> Result<Self, CodecError> {
        let (subject, key) = (input.array()?, Decode::decode(input)?);
        let wrapped = match bool::decode(input)? {
            true => Some(wrapped_key(input)?),
            false => None,
        };
        Ok(Self { subject, key, wrapped })
    }
}

fn wrapped_key(input: &mut Reader<'_>) -> Result<Vec<u8>, CodecError> {
    let wrapped = input.bytes("wrapped key", MAX_WRAPPED_KEY)?;
    if wrapped.is_empty() {
        return Err(CodecError::invalid("wrapped key", "it is empty"));
    }
    Ok(wrapped.to_vec())
}

impl Encode for DocumentWrite {
    fn encode(&self, out: &mut Writer) {
        out.u8(self.collection);
        out.bytes(&self.key);
        self.value.is_some().encode(out);
        if let Some(value) = &self.value {
            out.bytes(value);
        }
    }
}

impl Decode for DocumentWrite {
    fn decode(input: &mut Reader<'_>) -> Result<Self, CodecError> {
        let collection = input.u8()?;
        let key = input.bytes("document key", MAX_DOCUMENT_KEY)?.to_vec();
        let value = match bool::decode(input)? {
            true => Some(input.bytes("document", MAX_DOCUMENT_VALUE)?.to_vec()),
            false => None,
        };
        Ok(Self { collection, key, value })
    }
}

impl Encode for Intent {
    fn encode(&self, out: &mut Writer) {
        self.gateway.encode(out);
        self.epoch.encode(out);
        self.counter.encode(out);
        self.limit.encode(out);
        out.raw(&self.subject);
        self.id.encode(out);
        out.bytes(&self.payload);
    }
}

impl Decode for Intent {
    fn decode(input: &mut Reader<'_>) -> Result<Self, CodecError> {
        Ok(Self {
            gateway: Decode::decode(input)?,
            epoch: Decode::decode(input)?,
            counter: Decode::decode(input)?,
            limit: Decode::decode(input)?,
            subject: input.array()?,
            id: Decode::decode(input)?,
            payload: input.bytes("intent payload", MAX_INTENT_PAYLOAD)?.to_vec(),
        })
    }
}

impl Command {
    /// Encodes a command that appends no leaf; others are not its business.
    fn encode_leafless(&self, out: &mut Writer) {
        match self {
            Self::Checkpoint { size, root } => {
                out.u8(6);
                size.encode(out);
                out.raw(root);
            }
            Self::Finalize { level } => {
                out.u8(8);
                level.encode(out);
            }
            Self::Witness { origin, old, new, note } => {
                out.u8(9);
                origin.encode(out);
                old.encode(out);
                new.encode(out);
                out.bytes(note);
            }
            _ => {}
        }
    }
}

impl Encode for Command {
    fn encode(&self, out: &mut Writer) {
        match self {
            Self::Append { leaf, follow_up } => {
                out.u8(1);
                leaf.encode(out);
                out.seq(follow_up);
            }
            Self::Intent { leaf, intent } => {
                out.u8(2);
                leaf.encode(out);
                intent.encode(out);
            }
            Self::Sent { leaf, intent, signal, at } => {
                out.u8(3);
                leaf.encode(out);
                intent.encode(out);
                signal.encode(out);
                at.encode(out);
            }
            Self::Received { leaf, signal, at, follow_up } => {
                out.u8(4);
                leaf.encode(out);
                signal.encode(out);
                at.encode(out);
                out.seq(follow_up);
            }
            Self::Retract { leaf, retraction, follow_up } => {
                out.u8(5);
                leaf.encode(out);
                retraction.encode(out);
                out.seq(follow_up);
            }
            Self::Expire { leaf, intent } => {
                out.u8(7);
                leaf.encode(out);
                intent.encode(out);
            }
            Self::Hold { leaf, subject, held } => {
                out.u8(10);
                leaf.encode(out);
                out.raw(subject);
                held.encode(out);
            }
            Self::Erase { leaf, subject, seen, forget } => {
                out.u8(11);
                leaf.encode(out);
                out.raw(subject);
                seen.encode(out);
                out.seq(forget);
            }
            Self::Unlock { leaf, epoch } => {
                out.u8(20);
                leaf.encode(out);
                epoch.encode(out);
            }
            Self::Govern { leaf, entry } => {
                out.u8(21);
                leaf.encode(out);
                entry.encode(out);
            }
            Self::Checkpoint { .. } | Self::Finalize { .. } | Self::Witness { .. } => {
                self.encode_leafless(out);
            }
        }
    }
}

impl Decode for Command {
    fn decode(input: &mut Reader<'_>) -> Result<Self, CodecError> {
        let kind = input.u8()?;
        match kind {
            6 => return Ok(Self::Checkpoint { size: Decode::decode(input)?, root: input.array()? }),
            8 => return Ok(Self::Finalize { level: Decode::decode(input)? }),
            9 => return witness(input),
            _ => {}
        }
        let leaf = Leaf::decode(input)?;
        Ok(match kind {
            1 => Self::Append { leaf, follow_up: follow_up(input)? },
            2 => Self::Intent { leaf, intent: Decode::decode(input)? },
            3 => Self::Sent {
                leaf,
                intent: Decode::decode(input)?,
                signal: Decode::decode(input)?,
                at: Decode::decode(input)?,
            },
            4 => Self::Received {
                leaf,
                signal: Decode::decode(input)?,
                at: Decode::decode(input)?,
                follow_up: follow_up(input)?,
            },
            5 => Self::Retract { leaf, retraction: Decode::decode(input)?, follow_up: follow_up(input)? },
            7 => Self::Expire { leaf, intent: Decode::decode(input)? },
            10 => Self::Hold { leaf, subject: input.array()?, held: Decode::decode(input)? },
            11 => Self::Erase {
                leaf,
                subject: input.array()?,
                seen: Decode::decode(input)?,
                forget: input.seq("index terms", MAX_TERMS)?,
            },
            20 => Self::Unlock { leaf, epoch: Decode::decode(input)? },
            21 => Self::Govern { leaf, entry: Decode::decode(input)? },
            other => return Err(CodecError::invalid("command", format!("{other} is not one of its kinds"))),
        })
    }
}

fn witness(input: &mut Reader<'_>) -> Result<Command, CodecError> {
    let origin = std::str::from_utf8(input.bytes("origin", MAX_ORIGIN)?)
        .map_err(|error| CodecError::invalid("origin", error.to_string()))?
        .to_owned();
    let (old, new) = (Decode::decode(input)?, Decode::decode(input)?);
    Ok(Command::Witness { origin, old, new, note: input.bytes("note", MAX_NOTE_BYTES)?.to_vec() })
}

fn follow_up(input: &mut Reader<'_>) -> Result<Vec<Leaf>, CodecError> {
    input.seq("follow-ups", MAX_FOLLOW_UPS)
}

//! What identifies a payment on one leg.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Agent, Payment};
use crate::codec::{CodecError, Decode, Encode, Reader, Writer};
use crate::hash::{Digest, digest_of};
use crate::uetr::Uetr;

impl Payment {
    /// What identifies this payment on this leg, in the audit log and against duplicates.
    pub fn key(&self) -> PaymentKey {
        let instructing = AgentId::of(self.instructing_agent.as_ref());
        match self.uetr {
            Some(uetr) => PaymentKey::Uetr {
                uetr,
                instructing,
                instructed: AgentId::of(self.instructed_agent.as_ref()),
            },
            None => PaymentKey::Reference {
                instructing,
                message_id: self.message_id.clone(),
                transaction: match &self.transaction_id {
                    Some(id) => TransactionRef::Id(id.clone()),
                    None => TransactionRef::Position(self.position),
                },
            },
        }
    }
}

/// How a leg names an agent: by the first of BIC (eleven characters), clearing membership, LEI and name that it has.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AgentId(String);

impl AgentId {
    /// The name of `agent`; `-` for an absent or nameless one.
    pub fn of(agent: Option<&Agent>) -> Self {
        let Some(agent) = agent else { return Self("-".to_owned()) };
        Self(if let Some(bic) = agent.bic {
            String::from_utf8_lossy(&bic.normalised()).into_owned()
        } else if let Some(member) = &agent.clearing_member {
            format!("member:{}:{}", member.system.as_deref().unwrap_or(""), member.id)
        } else if let Some(lei) = agent.lei {
            format!("lei:{lei}")
        } else if let Some(name) = &agent.name {
            format!("name:{name}")
        } else {
            "-".to_owned()
        })
    }

    /// The agent that is so named, as [`Self::of`] names it.
    pub fn named(name: &str) -> Self {
        Self(name.to_owned())
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// How a payment without a UETR is told from others of its message.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TransactionRef {
    /// By its transaction identification.
    Id(String),
    /// By its place in the message, when it has none.
    Position(u32),
}

/// What identifies a payment on one leg (decision 6 of the design).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PaymentKey {
    /// The UETR, which stays the same from bank to bank, and the leg.
    Uetr {
        /// The reference.
        uetr: Uetr,
        /// The sender of the leg.
        instructing: AgentId,
        /// The receiver of the leg.
        instructed: AgentId,
    },
    /// For a payment without UETR.
    Reference {
        /// The sender of the leg.
        instructing: AgentId,
        /// The message's identification.
        message_id: String,
        /// Which of its transactions.
        transaction: TransactionRef,
    },
}

impl PaymentKey {
    /// The UETR, if that is what identifies it.
    pub fn uetr(&self) -> Option<Uetr> {
        match self {
            Self::Uetr { uetr, .. } => Some(*uetr),
            Self::Reference { .. } => None,
        }
    }

    /// A fixed-length name for indices.
    pub fn digest(&self) -> Digest {
        digest_of("hansa/payment-key/v1", self)
    }
}

impl fmt::Display for PaymentKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Uetr { uetr, instructing, instructed } => {
                write!(f, "{uetr}/{}/{}", instructing.0, instructed.0)
            }
            Self::Reference { instructing, message_id, transaction: TransactionRef::Id(id) } => {
                write!(f, "{}/{message_id}/{id}", instructing.0)
            }
            Self::Reference { instructing, message_id, transaction: TransactionRef::Position(at) } => {
                write!(f, "{}/{message_id}/#{at}", instructing.0)
            }
        }
    }
}

impl Encode for AgentId {
    fn encode(&self, out: &mut Writer) {
        self.0.encode(out);
    }
}

impl Decode for AgentId {
    fn decode(input: &mut Reader<'_>) -> Result<Self, CodecError> {
        String::decode(input).map(Self)
    }
}

impl Encode for TransactionRef {
    fn encode(&self, out: &mut Writer) {
        match self {
            Self::Id(id) => {
                out.u8(1);
                id.encode(out);
            }
            Self::Position(at) => {
                out.u8(2);
                at.encode(out);
            }
        }
    }
}

impl Decode for TransactionRef {
    fn decode(input: &mut Reader<'_>) -> Result<Self, CodecError> {
        match input.u8()? {
            1 => String::decode(input).map(Self::Id),
            2 => u32::decode(input).map(Self::Position),
            tag => Err(CodecError::invalid("transaction reference", format!("{tag} is none of its kinds"))),
        }
    }
}

impl Encode for PaymentKey {
    fn encode(&self, out: &mut Writer) {
        match self {
            Self::Uetr { uetr, instructing, instructed } => {
                out.u8(1);
                uetr.encode(out);
                instructing.encode(out);
                instructed.encode(out);
            }
            Self::Reference { instructing, message_id, transaction } => {
                out.u8(2);
                instructing.encode(out);
                message_id.encode(out);
                transaction.encode(out);
            }
        }
    }
}

impl Decode for PaymentKey {
    fn decode(input: &mut Reader<'_>) -> Result<Self, CodecError> {
        Ok(match input.u8()? {
            1 => Self::Uetr {
                uetr: Uetr::decode(input)?,
                instructing: AgentId::decode(input)?,
                instructed: AgentId::decode(input)?,
            },
            2 => Self::Reference {
                instructing: AgentId::decode(input)?,
                message_id: String::decode(input)?,
                transaction: TransactionRef::decode(input)?,
            },
            tag => return Err(CodecError::invalid("payment key", format!("{tag} is none of its kinds"))),
        })
    }
}

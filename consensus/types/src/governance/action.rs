//! What can be proposed.

use serde::{Deserialize, Serialize};

use crate::codec::{CodecError, Decode, Encode, Reader, Writer};
use crate::codec_struct;
use crate::hash::{Digest, digest_of};
use crate::id::{BankId, Epoch, GatewayId};
use crate::manifest::{Circuit, Gateway, Member, RegisteredModel, TagPolicy, WitnessPolicy};
use crate::sign::Signature;

/// A change of what the manifest says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// A bank joins. What depends on the number of members changes with it.
    Admit {
        /// Its id.
        bank: BankId,
        /// Its entry.
        member: Member,
        /// The tag key, shared anew.
        tags: TagPolicy,
        /// The witness policy with one witness more.
        witnesses: WitnessPolicy,
        /// The new governance key's signature over the state it joins ([`acceptance`]).
        accepted: Signature,
    },
    /// A bank leaves. The holders of the tag key and the witnesses change at the same moment, or a removed bank would
    /// go on counting.
    Remove {
        /// Which.
        bank: BankId,
        /// A fresh tag key, and of how many.
        tags: TagPolicy,
        /// The witness policy with one witness less.
        witnesses: WitnessPolicy,
    },
    /// A member's entry changes: keys, zones, name. Commitments under another membership are void.
    Rotate {
        /// Whose.
        bank: BankId,
        /// The entry from now on.
        member: Member,
        /// Its governance key's signature over the state it changes ([`acceptance`]): nobody votes keys onto a member.
        accepted: Signature,
    },
    /// A model enters the registry.
    RegisterModel(RegisteredModel),
    /// The model of this version leaves it.
    RetireModel(u32),
    /// A proof system is in force from the activation on.
    AddCircuit(Circuit),
    /// A gateway opens or changes.
    PutGateway {
        /// Its number.
        id: GatewayId,
        /// What it is from now on.
        gateway: Gateway,
    },
    /// A gateway closes.
    CloseGateway(GatewayId),
    /// A member is shut out at once, until the end of an epoch. A removal makes it permanent; [`Action::Rotate`] ends it.
    Revoke {
        /// Which.
        bank: BankId,
        /// The last epoch of it.
        until: Epoch,
    },
}

impl Action {
    /// The member that the action is against, and that has no vote on it.
    pub fn target(&self) -> Option<&BankId> {
        match self {
            Self::Remove { bank, .. } | Self::Revoke { bank, .. } => Some(bank),
            _ => None,
        }
    }

    /// In a few words.
    pub fn summary(&self) -> String {
        match self {
            Self::Admit { bank, member, .. } => format!("admit {bank} ({})", member.institution),
            Self::Remove { bank, .. } => format!("remove {bank}"),
            Self::Rotate { bank, .. } => format!("change the keys of {bank}"),
            Self::RegisterModel(registered) => format!("register model {}", registered.model.version),
            Self::RetireModel(version) => format!("retire model {version}"),
            Self::AddCircuit(circuit) => format!("add circuit {}", circuit.version),
            Self::PutGateway { id, gateway } => format!("put gateway {id} ({})", gateway.name),
            Self::CloseGateway(id) => format!("close gateway {id}"),
            Self::Revoke { bank, until } => format!("revoke {bank} until the end of epoch {until}"),
        }
    }
}

impl Encode for Action {
    fn encode(&self, out: &mut Writer) {
        match self {
            Self::Admit { bank, member, tags, witnesses, accepted } => {
                out.u8(1);
                bank.encode(out);
                member.encode(out);
                tags.encode(out);
                witnesses.encode(out);
                accepted.encode(out);
            }
            Self::Remove { bank, tags, witnesses } => {
                out.u8(2);
                bank.encode(out);
                tags.encode(out);
                witnesses.encode(out);
            }
            Self::Rotate { bank, member, accepted } => {
                out.u8(3);
                bank.encode(out);
                member.encode(out);
                accepted.encode(out);
            }
            Self::RegisterModel(registered) => numbered(4, registered, out),
            Self::RetireModel(version) => numbered(5, version, out),
            Self::AddCircuit(circuit) => numbered(6, circuit, out),
            Self::PutGateway { id, gateway } => {
                numbered(7, id, out);
                gateway.encode(out);
            }
            Self::CloseGateway(id) => numbered(8, id, out),
            Self::Revoke { bank, until } => {
                numbered(9, bank, out);
                until.encode(out);
            }
        }
    }
}

fn numbered(kind: u8, value: &impl Encode, out: &mut Writer) {
    out.u8(kind);
    value.encode(out);
}

impl Decode for Action {
    fn decode(input: &mut Reader<'_>) -> Result<Self, CodecError> {
        Ok(match input.u8()? {
            1 => Self::Admit {
                bank: Decode::decode(input)?,
                member: Decode::decode(input)?,
                tags: Decode::decode(input)?,
                witnesses: Decode::decode(input)?,
                accepted: Decode::decode(input)?,
            },
            2 => Self::Remove {
                bank: Decode::decode(input)?,
                tags: Decode::decode(input)?,
                witnesses: Decode::decode(input)?,
            },
            3 => Self::Rotate {
                bank: Decode::decode(input)?,
                member: Decode::decode(input)?,
                accepted: Decode::decode(input)?,
            },
            4 => Self::RegisterModel(Decode::decode(input)?),
            5 => Self::RetireModel(Decode::decode(input)?),
            6 => Self::AddCircuit(Decode::decode(input)?),
            7 => Self::PutGateway { id: Decode::decode(input)?, gateway: Decode::decode(input)? },
            8 => Self::CloseGateway(Decode::decode(input)?),
            9 => Self::Revoke { bank: Decode::decode(input)?, until: Decode::decode(input)? },
            other => return Err(CodecError::invalid("action", format!("{other} is none"))),
        })
    }
}

/// A change of one state, and when it begins to hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Proposal {
    /// The head that it changes.
    pub parent: Digest,
    /// The number it would have.
    pub number: u64,
    /// The first epoch in which it holds.
    pub activates: Epoch,
    /// What changes.
    pub action: Action,
}
codec_struct!(Proposal { parent, number, activates, action });

impl Proposal {
    /// What votes are for.
    pub fn digest(&self) -> Digest {
        digest_of("hansa/proposal/v1", self)
    }

    /// The head once it is decided.
    pub fn head(&self) -> Digest {
        crate::hash::digest("hansa/head/v1", &[&self.parent.0, &self.digest().0])
    }
}

/// What a bank signs to join the state `parent`, or to change its keys there, with its new governance key.
pub fn acceptance(parent: &Digest, bank: &BankId, member: &Member) -> Vec<u8> {
    let what = [parent.to_bytes(), bank.to_bytes(), member.to_bytes()].concat();
    [b"hansa/acceptance/v1\0".as_slice(), &what].concat()
}

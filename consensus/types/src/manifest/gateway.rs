//! A gateway: the legal basis on which some of the members share something for one purpose.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::codec_struct;
use crate::country::Country;
use crate::id::{BankId, Timestamp};

/// A lawful channel for sharing. Signals name one; there is none without.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
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
    pub members: BTreeMap<BankId, Registration>,
    /// Nothing is signalled while fewer members are active: the fewer there are, the better a sender is guessed.
    pub minimum: u16,
    /// The last moment at which it may be used.
    pub expires: Timestamp,
}
codec_struct!(Gateway { name, legal_basis, purpose, jurisdictions, members, minimum, expires });

/// A member's registration in a gateway.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Registration {
    /// How the notification or registration is called where it was made.
    pub reference: String,
    /// The last moment at which the member may use the gateway.
    pub expires: Timestamp,
}
codec_struct!(Registration { reference, expires });

//! Customers: whose accounts the bank holds, and how they change.

use hansa_types::codec::{CodecError, Decode, Encode, Reader, Writer};
use hansa_types::country::Country;
use hansa_types::date::Date;
use hansa_types::id::{Actor, Timestamp};
use serde::{Deserialize, Serialize};

/// The most bytes of a file of customers that is imported.
pub const MAX_CUSTOMER_FILE: usize = 256 << 20;

/// The customers in use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CustomersView {
    /// How many accounts.
    pub accounts: u64,
    /// When their file was last written.
    pub written: Timestamp,
    /// Why the file as it is now is not in use.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
    /// Whether it was not written for longer than the configuration allows.
    pub stale: bool,
}

/// All customers, as a file; sent in the canonical encoding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CustomerImport {
    /// Who imports them.
    pub actor: Actor,
    /// Whether there may be much fewer than before.
    pub force: bool,
    /// The file: `account,name,birth_date,country`, with that header.
    pub file: Vec<u8>,
}

impl Encode for CustomerImport {
    fn encode(&self, out: &mut Writer) {
        self.actor.encode(out);
        self.force.encode(out);
        out.bytes(&self.file);
    }
}

impl Decode for CustomerImport {
    fn decode(input: &mut Reader<'_>) -> Result<Self, CodecError> {
        Ok(Self {
            actor: Decode::decode(input)?,
            force: Decode::decode(input)?,
            file: input.bytes("file of customers", MAX_CUSTOMER_FILE)?.to_vec(),
        })
    }
}

/// What a feed says of one account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "change", rename_all = "kebab-case", deny_unknown_fields)]
pub enum CustomerChange {
    /// It is held, and this is its holder: a new account, or one that is known otherwise.
    Put {
        /// The account: an IBAN, or `SCHEME:NUMBER`.
        account: String,
        /// Its holder.
        name: String,
        /// Of a person.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        birth_date: Option<Date>,
        /// Of residence.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        country: Option<Country>,
    },
    /// It is held no longer.
    Close {
        /// The account.
        account: String,
    },
}

/// Changes of customers, in their order: all are taken, or none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CustomerChanges {
    /// Who, or which feed.
    pub actor: Actor,
    /// The changes.
    pub changes: Vec<CustomerChange>,
}

/// What a change of customers came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CustomerChangeView {
    /// Accounts that are new.
    pub added: u64,
    /// Accounts whose holder is known otherwise.
    pub changed: u64,
    /// Accounts that are held no longer.
    pub closed: u64,
    /// Accounts held now.
    pub accounts: u64,
}

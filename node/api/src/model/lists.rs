//! Watch lists: what is in use, how it changes, and who is on it.

use hansa_types::codec::{CodecError, Decode, Encode, Reader, Writer};
use hansa_types::codec_struct;
use hansa_types::country::Country;
use hansa_types::date::Date;
use hansa_types::hash::Digest;
use hansa_types::id::{Actor, Timestamp};
use serde::{Deserialize, Serialize};

/// The most bytes of one file of a list that is imported.
pub const MAX_LIST_FILE: usize = 256 << 20;

/// The files that a list is published as. Only OFAC has others beside the main one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListFiles {
    /// The main file.
    pub main: Vec<u8>,
    /// Alternative names.
    pub aliases: Option<Vec<u8>>,
    /// Addresses.
    pub addresses: Option<Vec<u8>>,
    /// Remarks that overflow the main file.
    pub comments: Option<Vec<u8>>,
}

impl Encode for ListFiles {
    fn encode(&self, out: &mut Writer) {
        out.bytes(&self.main);
        for file in [&self.aliases, &self.addresses, &self.comments] {
            file.is_some().encode(out);
            if let Some(file) = file {
                out.bytes(file);
            }
        }
    }
}

impl Decode for ListFiles {
    fn decode(input: &mut Reader<'_>) -> Result<Self, CodecError> {
        fn file(input: &mut Reader<'_>) -> Result<Vec<u8>, CodecError> {
            Ok(input.bytes("file of a list", MAX_LIST_FILE)?.to_vec())
        }
        fn optional(input: &mut Reader<'_>) -> Result<Option<Vec<u8>>, CodecError> {
            bool::decode(input)?.then(|| file(input)).transpose()
        }
        Ok(Self {
            main: file(input)?,
            aliases: optional(input)?,
            addresses: optional(input)?,
            comments: optional(input)?,
        })
    }
}

/// A version of a list that is to be taken over; sent in the canonical encoding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListImport {
    /// When it was published.
    pub date: Date,
    /// Who imports it.
    pub actor: Actor,
    /// Whether it may be older than the one in use, or much shorter.
    pub force: bool,
    /// Whether only to say what it would change.
    pub preview: bool,
    /// Its files.
    pub files: ListFiles,
}
codec_struct!(ListImport { date, actor, force, preview, files });

/// A version of a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListVersionView {
    /// When it was published.
    pub date: Date,
    /// The digest of its entries, as decisions cite it.
    pub digest: Digest,
    /// How many there are.
    pub entries: u64,
}

/// A list that payments are screened against.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListView {
    /// Its name.
    pub name: String,
    /// Its form: `ofac-csv`, `un-xml` and so on.
    pub format: String,
    /// What it demands: `freeze`, `reject` or `review`.
    pub measure: String,
    /// The version in use.
    pub version: ListVersionView,
    /// When its source last said that this is the newest version, since the node started.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub checked: Option<Timestamp>,
    /// Why the last version that came was refused, since the node started.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
    /// Whether there was no news for longer than the configuration allows.
    pub stale: bool,
}

/// The lists in use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListsView {
    /// By name.
    pub lists: Vec<ListView>,
    /// How screening customers and past payments against what changed last goes, if something changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rescreening: Option<RescreeningView>,
}

/// How screening anew goes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RescreeningView {
    /// Why: which list or customers changed.
    pub cause: String,
    /// When it began.
    pub began: Timestamp,
    /// When it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended: Option<Timestamp>,
    /// Customers looked at so far, of how many.
    pub customers: (u64, u64),
    /// Entries of the log looked at so far, of how many.
    pub entries: (u64, u64),
    /// Cases that were opened.
    pub cases: u64,
    /// Why it broke off: it is begun again, unless it has ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// What distinguishes two versions of a list, by the ids of entries, ascending.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListChangeView {
    /// The list.
    pub name: String,
    /// The version before, if there was one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<ListVersionView>,
    /// The version after.
    pub to: ListVersionView,
    /// Whether the version after is in use now.
    pub taken: bool,
    /// Entries that are new.
    pub added: Vec<String>,
    /// Entries that are gone.
    pub removed: Vec<String>,
    /// Entries that changed.
    pub changed: Vec<String>,
}

/// An entry of a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListEntryView {
    /// The list.
    pub list: String,
    /// The list's own number or reference.
    pub id: String,
    /// The digest of its content: an exception holds for this content alone.
    pub content: Digest,
    /// `person`, `organisation`, `vessel` or `aircraft`.
    pub kind: String,
    /// The programmes or regimes that it is listed under.
    pub programmes: Vec<String>,
    /// Its names, the primary first, each with how surely it points.
    pub names: Vec<(String, String)>,
    /// The years of birth that are known, each from and to.
    pub births: Vec<(u16, u16)>,
    /// Nationalities, residences and addresses.
    pub countries: Vec<Country>,
    /// Its own numbers and codes.
    pub identifiers: Vec<String>,
}

/// Which versions of a list to compare: those of these days, the one in use if none is named.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ListDiffQuery {
    /// The day of the version before.
    pub from: Option<Date>,
    /// The day of the version after.
    pub to: Option<Date>,
}

/// Who asks for something that is logged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ActorRequest {
    /// Who.
    pub actor: Actor,
}

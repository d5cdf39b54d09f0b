//! Who the replicas of a group are: what the membership says of each, agreed by the group itself.

use std::fmt;

use hansa_types::codec::{CodecError, Decode, Encode, Reader, Writer};
use hansa_types::country::Country;
use rand::RngCore;

/// The longest address, zone or reason that replicas tell one another, in bytes.
pub const MAX_TEXT: usize = 1024;

/// A replica as the group's membership knows it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Replica {
    /// Where it listens for the others: host and port.
    pub address: String,
    /// The failure domain that it stands in.
    pub zone: String,
    /// The country whose law reaches its disk.
    pub jurisdiction: Option<Country>,
    /// Which data folder it is. A replica that lost its disk comes back as another incarnation: it has forgotten its
    /// votes and entries, so it may not count as the one that gave them.
    pub incarnation: Incarnation,
}

/// Names one life of a replica's data folder; drawn at random when the folder is made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Incarnation(pub u64);

impl Incarnation {
    /// A fresh one.
    pub(crate) fn random() -> Self {
        Self(rand::rngs::OsRng.next_u64())
    }
}

impl fmt::Display for Incarnation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl Encode for Incarnation {
    fn encode(&self, out: &mut Writer) {
        self.0.encode(out);
    }
}

impl Decode for Incarnation {
    fn decode(input: &mut Reader<'_>) -> Result<Self, CodecError> {
        u64::decode(input).map(Self)
    }
}

impl Encode for Replica {
    fn encode(&self, out: &mut Writer) {
        out.bytes(self.address.as_bytes());
        out.bytes(self.zone.as_bytes());
        self.jurisdiction.encode(out);
        self.incarnation.encode(out);
    }
}

impl Decode for Replica {
    fn decode(input: &mut Reader<'_>) -> Result<Self, CodecError> {
        Ok(Self {
            address: text(input, "address")?,
            zone: text(input, "zone")?,
            jurisdiction: Decode::decode(input)?,
            incarnation: Decode::decode(input)?,
        })
    }
}

/// The versions of the replicated state that a program understands. What a newer one adds is used only once the
/// group has finalised it, so that replicas of two releases run side by side and either release can be gone back to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Levels {
    /// The oldest it can run.
    pub oldest: u32,
    /// The newest it can run.
    pub newest: u32,
}

impl Default for Levels {
    fn default() -> Self {
        Self::OURS
    }
}

impl Levels {
    /// What this program understands.
    pub const OURS: Self = Self { oldest: 1, newest: 1 };

    /// Whether a group at `level` can be run.
    #[must_use]
    pub fn includes(self, level: u32) -> bool {
        (self.oldest..=self.newest).contains(&level)
    }
}

impl fmt::Display for Levels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} to {}", self.oldest, self.newest)
    }
}

hansa_types::codec_struct!(Levels { oldest, newest });

/// Reads a bounded text.
pub(crate) fn text(input: &mut Reader<'_>, what: &'static str) -> Result<String, CodecError> {
    let bytes = input.bytes(what, MAX_TEXT)?;
    std::str::from_utf8(bytes)
        .map(str::to_owned)
        .map_err(|error| CodecError::invalid(what, error.to_string()))
}

/// As much of a text as its reader takes, cut between characters.
pub(crate) fn bounded(text: &str) -> &[u8] {
    let mut end = text.len().min(MAX_TEXT);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text.as_bytes()[..end]
}

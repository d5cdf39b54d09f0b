//! Small identifiers: banks, gateways, epochs, actors.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::codec::{CodecError, Decode, Encode, Reader, Writer};
use crate::date::Date;

/// The longest name of a bank or officer.
pub const MAX_NAME: usize = 64;
/// A day of twenty-four hours.
const SECONDS_A_DAY: u64 = 86_400;

macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $what:literal) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
        impl TryFrom<String> for $name {
            type Error = CodecError;
            fn try_from(text: String) -> Result<Self, CodecError> {
                let ok = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-._@".contains(&b);
                if text.is_empty() || text.len() > MAX_NAME || !text.bytes().all(ok) {
                    let detail = format!(
                        "{text:?}: use 1 to {MAX_NAME} of the characters a-z, 0-9, '-', '.', '_', '@'"
                    );
                    return Err(CodecError::invalid($what, detail));
                }
                Ok(Self(text))
            }
        }
        impl std::str::FromStr for $name {
            type Err = CodecError;
            fn from_str(text: &str) -> Result<Self, CodecError> {
                text.to_owned().try_into()
            }
        }
        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }
        impl Encode for $name {
            fn encode(&self, out: &mut Writer) {
                self.0.encode(out);
            }
        }
        impl Decode for $name {
            fn decode(input: &mut Reader<'_>) -> Result<Self, CodecError> {
                String::decode(input)?.try_into()
            }
        }
    };
}

name! {
    /// A member bank's short name in the consortium, for example `bank-a`.
    BankId, "bank"
}
name! {
    /// A person or system that acted: an officer's login, or `policy.NAME` for a named policy.
    Actor, "actor"
}

macro_rules! number {
    ($(#[$doc:meta])* $name:ident($inner:ty)) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub $inner);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
        impl Encode for $name {
            fn encode(&self, out: &mut Writer) {
                self.0.encode(out);
            }
        }
        impl Decode for $name {
            fn decode(input: &mut Reader<'_>) -> Result<Self, CodecError> {
                Ok(Self(<$inner>::decode(input)?))
            }
        }
    };
}

number! {
    /// A gateway's number in the manifest.
    GatewayId(u16)
}
number! {
    /// The consortium's coarse time: membership, limits, tags and nullifiers are per epoch.
    Epoch(u32)
}
number! {
    /// Seconds since 1970-01-01T00:00:00Z.
    Timestamp(u64)
}

impl Timestamp {
    /// The time in UTC as ISO 8601 has it, for example `2026-11-26T09:30:00Z`.
    pub fn to_utc(self) -> String {
        let seconds = self.0 % SECONDS_A_DAY;
        let (hour, minute, second) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
        format!("{}T{hour:02}:{minute:02}:{second:02}Z", Date::of(self))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_in_utc() {
        let known = [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_399, "2000-02-28T23:59:59Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_767_225_600, "2026-01-01T00:00:00Z"),
        ];
        for (seconds, text) in known {
            assert_eq!(Timestamp(seconds).to_utc(), text);
        }
        assert!(!Timestamp(u64::MAX).to_utc().is_empty());
    }
}

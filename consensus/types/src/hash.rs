//! SHA-256 with a domain in front, and the digests it gives.

use std::fmt;

use sha2::{Digest as _, Sha256};

use crate::codec::{CodecError, Decode, Encode, Reader, Writer};

macro_rules! bytes32 {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
        pub struct $name(pub [u8; 32]);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&hex::encode(self.0))
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({})", stringify!($name), hex::encode(self.0))
            }
        }
        impl std::str::FromStr for $name {
            type Err = CodecError;
            fn from_str(text: &str) -> Result<Self, CodecError> {
                let mut out = [0; 32];
                hex::decode_to_slice(text, &mut out).map_err(|e| {
                    CodecError::invalid(stringify!($name), format!("{e}; 64 hexadecimal digits are wanted"))
                })?;
                Ok(Self(out))
            }
        }
        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                s.collect_str(self)
            }
        }
        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                let text = <String as serde::Deserialize>::deserialize(d)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
        impl Encode for $name {
            fn encode(&self, out: &mut Writer) {
                out.raw(&self.0);
            }
        }
        impl Decode for $name {
            fn decode(input: &mut Reader<'_>) -> Result<Self, CodecError> {
                Ok(Self(input.array()?))
            }
        }
    };
}

bytes32! {
    /// A SHA-256 digest.
    Digest
}
bytes32! {
    /// A scalar of BLS12-381 as its 32 canonical little-endian bytes. Whether the bytes are below the order is
    /// checked where arithmetic is done (the prover); nothing else interprets them.
    Field
}
bytes32! {
    /// An Ed25519 public key.
    PublicKey
}
bytes32! {
    /// An element of ristretto255 as its 32 canonical bytes (RFC 9496). Only the prover looks inside.
    Element
}

/// SHA-256 of `domain`, a zero byte, and the parts: each part of variable length must already carry its length.
pub fn digest(domain: &str, parts: &[&[u8]]) -> Digest {
    let mut hasher = Sha256::new();
    hasher.update(domain.as_bytes());
    hasher.update([0]);
    for part in parts {
        hasher.update(part);
    }
    Digest(hasher.finalize().into())
}

/// The digest of a value's canonical encoding under `domain`.
pub fn digest_of(domain: &str, value: &impl Encode) -> Digest {
    digest(domain, &[&value.to_bytes()])
}

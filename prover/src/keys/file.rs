//! The header in front of every key.

use hansa_types::codec::{CodecError, Decode, Encode, Reader, Writer};

use super::KeyError;
use crate::circuit::{CIRCUIT_VERSION, circuit_hash};

const MAGIC: &[u8; 8] = b"HANSAKEY";
const VERSION: u8 = 1;

/// What a key file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Verifying = 1,
    Proving = 2,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Verifying => "a verifying key",
            Self::Proving => "a proving key",
        }
    }
}

/// Header and payload.
pub(super) fn write(kind: Kind, payload: &[u8]) -> Vec<u8> {
    let mut out = Writer::default();
    out.raw(MAGIC);
    out.u8(kind as u8);
    out.u8(VERSION);
    CIRCUIT_VERSION.encode(&mut out);
    circuit_hash().encode(&mut out);
    (payload.len() as u64).encode(&mut out);
    out.raw(payload);
    out.into_bytes()
}

/// The payload behind a header that fits this program's circuit, of exactly `length` bytes.
pub(super) fn read(kind: Kind, bytes: &[u8], length: usize) -> Result<&[u8], KeyError> {
    let mut input = Reader::new(bytes);
    let not_a_key = |_: CodecError| KeyError::NotAKey(kind.name());
    let magic: [u8; 8] = input.array().map_err(not_a_key)?;
    if magic != *MAGIC || input.u8().map_err(not_a_key)? != kind as u8 {
        return Err(KeyError::NotAKey(kind.name()));
    }
    let version = input.u8().map_err(not_a_key)?;
    if version != VERSION {
        return Err(KeyError::Version { found: version, known: VERSION });
    }
    let found_version = u16::decode(&mut input).map_err(not_a_key)?;
    let found = Decode::decode(&mut input).map_err(not_a_key)?;
    let known = circuit_hash();
    if found_version != CIRCUIT_VERSION || found != known {
        return Err(KeyError::Circuit { found_version, found, known });
    }
    let stated = u64::decode(&mut input).map_err(not_a_key)?;
    let there = input.remaining() as u64;
    for found in [stated, there] {
        if found != length as u64 {
            return Err(KeyError::Length { found, known: length as u64 });
        }
    }
    input.take(length).map_err(not_a_key)
}

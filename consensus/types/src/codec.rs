//! The canonical codec: one encoding for each value, for bytes that are hashed, signed or proved.
//!
//! Integers are big-endian and of fixed width. A sequence or byte string is preceded by its length as `u32`; an
//! option or boolean is one byte, 0 or 1; an enumeration is one byte of its own numbering. A map or set is a sequence
//! whose keys strictly ascend. Documents that stand alone begin with a version byte. Decoding refuses what encoding would
//! not produce (other tag values, unordered maps, trailing bytes) and every length is checked against what is left in
//! the input before anything is allocated.

use std::collections::{BTreeMap, BTreeSet};

/// No single byte string or sequence is longer than this.
pub const MAX_LENGTH: usize = 16 << 20;

/// Why bytes are not the canonical encoding of a value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CodecError {
    /// The input ended inside a value.
    #[error("the input ends {missing} bytes too early")]
    Truncated {
        /// How many bytes are missing at the least.
        missing: usize,
    },
    /// Bytes are left behind the value.
    #[error("{0} bytes follow the end of the value")]
    Trailing(usize),
    /// A length is beyond its bound.
    #[error("{what}: length {length} exceeds {limit}")]
    TooLong {
        /// What was being read.
        what: &'static str,
        /// The length found.
        length: usize,
        /// The most allowed.
        limit: usize,
    },
    /// A value that the type does not have.
    #[error("{what}: {detail}")]
    Invalid {
        /// The type being read.
        what: &'static str,
        /// What is wrong with it.
        detail: String,
    },
    /// A document of a version this program does not know.
    #[error("{what}: version {found}, this program reads version {known}: use a matching release")]
    Version {
        /// The document.
        what: &'static str,
        /// The version byte found.
        found: u8,
        /// The version this program writes.
        known: u8,
    },
}

impl CodecError {
    /// An `Invalid` error for the type `what`.
    pub fn invalid(what: &'static str, detail: impl Into<String>) -> Self {
        Self::Invalid { what, detail: detail.into() }
    }
}

/// A value with a canonical encoding.
pub trait Encode {
    /// Appends the encoding to `out`.
    fn encode(&self, out: &mut Writer);

    /// The encoding on its own.
    fn to_bytes(&self) -> Vec<u8> {
        let mut out = Writer::default();
        self.encode(&mut out);
        out.0
    }
}

/// A value that can be read back from its canonical encoding.
pub trait Decode: Sized {
    /// Reads one value from the front of `input`.
    fn decode(input: &mut Reader<'_>) -> Result<Self, CodecError>;

    /// Reads a value that is the whole of `bytes`.
    fn from_bytes(bytes: &[u8]) -> Result<Self, CodecError> {
        let mut input = Reader(bytes);
        let value = Self::decode(&mut input)?;
        input.finish()?;
        Ok(value)
    }
}

/// The bytes written so far.
#[derive(Default)]
pub struct Writer(Vec<u8>);

impl Writer {
    /// Writes into memory for `bytes` bytes: large values grow without being moved.
    #[must_use]
    pub fn with_capacity(bytes: usize) -> Self {
        Self(Vec::with_capacity(bytes))
    }

    /// Appends raw bytes without a length: for fixed-size fields.
    pub fn raw(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    /// Appends one byte.
    pub fn u8(&mut self, value: u8) {
        self.0.push(value);
    }

    /// Appends a length-prefixed byte string.
    pub fn bytes(&mut self, bytes: &[u8]) {
        self.length(bytes.len());
        self.raw(bytes);
    }

    /// Appends the length of a sequence whose items follow.
    pub fn length(&mut self, length: usize) {
        let length = u32::try_from(length).expect("values are bounded far below 4 GiB by their types");
        self.raw(&length.to_be_bytes());
    }

    /// Appends a sequence with its length.
    pub fn seq<T: Encode>(&mut self, items: &[T]) {
        self.length(items.len());
        for item in items {
            item.encode(self);
        }
    }

    /// The bytes written.
    pub fn into_bytes(self) -> Vec<u8> {
        self.0
    }
}

/// What is left to read.
pub struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    /// Reads from `bytes`.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// The next `n` bytes.
    pub fn take(&mut self, n: usize) -> Result<&'a [u8], CodecError> {
        let (head, tail) = self
            .0
            .split_at_checked(n)
            .ok_or_else(|| CodecError::Truncated { missing: n.saturating_sub(self.0.len()) })?;
        self.0 = tail;
        Ok(head)
    }

    /// The next `N` bytes as an array.
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], CodecError> {
        let mut out = [0; N];
        out.copy_from_slice(self.take(N)?);
        Ok(out)
    }

    /// One byte.
    pub fn u8(&mut self) -> Result<u8, CodecError> {
        Ok(self.array::<1>()?[0])
    }

    /// A length, at most `limit`.
    pub fn length(&mut self, what: &'static str, limit: usize) -> Result<usize, CodecError> {
        let length = u32::decode(self)? as usize;
        if length > limit {
            return Err(CodecError::TooLong { what, length, limit });
        }
        Ok(length)
    }

    /// A length-prefixed byte string of at most `limit` bytes.
    pub fn bytes(&mut self, what: &'static str, limit: usize) -> Result<&'a [u8], CodecError> {
        let length = self.length(what, limit)?;
        self.take(length)
    }

    /// A sequence of at most `limit` items.
    pub fn seq<T: Decode>(&mut self, what: &'static str, limit: usize) -> Result<Vec<T>, CodecError> {
        let length = self.length(what, limit)?;
        // Each item takes at least a byte, so a length beyond the input never allocates.
        let mut items = Vec::with_capacity(length.min(self.0.len()));
        for _ in 0..length {
            items.push(T::decode(self)?);
        }
        Ok(items)
    }

    /// The version byte of a document, which must be `known`.
    pub fn version(&mut self, what: &'static str, known: u8) -> Result<(), CodecError> {
        let found = self.u8()?;
        if found == known { Ok(()) } else { Err(CodecError::Version { what, found, known }) }
    }

    /// How many bytes are left.
    pub fn remaining(&self) -> usize {
        self.0.len()
    }

    /// Refuses trailing bytes.
    pub fn finish(self) -> Result<(), CodecError> {
        if self.0.is_empty() { Ok(()) } else { Err(CodecError::Trailing(self.0.len())) }
    }
}

macro_rules! integers {
    ($($t:ty),*) => {$(
        impl Encode for $t {
            fn encode(&self, out: &mut Writer) {
                out.raw(&self.to_be_bytes());
            }
        }
        impl Decode for $t {
            fn decode(input: &mut Reader<'_>) -> Result<Self, CodecError> {
                Ok(Self::from_be_bytes(input.array()?))
            }
        }
    )*};
}
integers!(u8, u16, u32, u64, u128, i16, i64, i128);

impl<const N: usize> Encode for [u8; N] {
    fn encode(&self, out: &mut Writer) {
        out.raw(self);
    }
}

impl<const N: usize> Decode for [u8; N] {
    fn decode(input: &mut Reader<'_>) -> Result<Self, CodecError> {
        input.array()
    }
}

impl Encode for bool {
    fn encode(&self, out: &mut Writer) {
        out.u8(u8::from(*self));
    }
}

impl Decode for bool {
    fn decode(input: &mut Reader<'_>) -> Result<Self, CodecError> {
        match input.u8()? {
            0 => Ok(false),
            1 => Ok(true),
            other => Err(CodecError::invalid("boolean", format!("{other} is neither 0 nor 1"))),
        }
    }
}

impl Encode for str {
    fn encode(&self, out: &mut Writer) {
        out.bytes(self.as_bytes());
    }
}

impl Encode for String {
    fn encode(&self, out: &mut Writer) {
        self.as_str().encode(out);
    }
}

impl Decode for String {
    fn decode(input: &mut Reader<'_>) -> Result<Self, CodecError> {
        let bytes = input.bytes("text", MAX_LENGTH)?;
        let text = std::str::from_utf8(bytes).map_err(|e| CodecError::invalid("text", e.to_string()))?;
        Ok(text.to_owned())
    }
}

impl<T: Encode> Encode for Option<T> {
    fn encode(&self, out: &mut Writer) {
        self.is_some().encode(out);
        if let Some(value) = self {
            value.encode(out);
        }
    }
}

impl<T: Decode> Decode for Option<T> {
    fn decode(input: &mut Reader<'_>) -> Result<Self, CodecError> {
        bool::decode(input)?.then(|| T::decode(input)).transpose()
    }
}

impl<T: Encode> Encode for Vec<T> {
    fn encode(&self, out: &mut Writer) {
        out.seq(self);
    }
}

impl<T: Decode> Decode for Vec<T> {
    fn decode(input: &mut Reader<'_>) -> Result<Self, CodecError> {
        input.seq("sequence", MAX_LENGTH)
    }
}

impl<K: Encode, V: Encode> Encode for BTreeMap<K, V> {
    fn encode(&self, out: &mut Writer) {
        out.length(self.len());
        for (key, value) in self {
            key.encode(out);
            value.encode(out);
        }
    }
}

impl<K: Decode + Ord, V: Decode> Decode for BTreeMap<K, V> {
    fn decode(input: &mut Reader<'_>) -> Result<Self, CodecError> {
        let mut map = Self::new();
        for _ in 0..input.length("map", MAX_LENGTH)? {
            let (key, value) = (K::decode(input)?, V::decode(input)?);
            if map.last_key_value().is_some_and(|(last, _)| *last >= key) {
                return Err(CodecError::invalid("map", "keys do not strictly ascend"));
            }
            map.insert(key, value);
        }
        Ok(map)
    }
}

impl<T: Encode> Encode for BTreeSet<T> {
    fn encode(&self, out: &mut Writer) {
        out.length(self.len());
        for item in self {
            item.encode(out);
        }
    }
}

impl<T: Decode + Ord> Decode for BTreeSet<T> {
    fn decode(input: &mut Reader<'_>) -> Result<Self, CodecError> {
        let mut set = Self::new();
        for _ in 0..input.length("set", MAX_LENGTH)? {
            let item = T::decode(input)?;
            if set.last().is_some_and(|last| *last >= item) {
                return Err(CodecError::invalid("set", "items do not strictly ascend"));
            }
            set.insert(item);
        }
        Ok(set)
    }
}

/// Gives a field-by-field codec to a struct: the order of the fields here is the order of the bytes.
#[macro_export]
macro_rules! codec_struct {
    ($name:ident { $($field:ident),* $(,)? }) => {
        impl $crate::codec::Encode for $name {
            fn encode(&self, out: &mut $crate::codec::Writer) {
                $( $crate::codec::Encode::encode(&self.$field, out); )*
            }
        }
        impl $crate::codec::Decode for $name {
            fn decode(input: &mut $crate::codec::Reader<'_>) -> Result<Self, $crate::codec::CodecError> {
                Ok(Self { $( $field: $crate::codec::Decode::decode(input)?, )* })
            }
        }
    };
}

/// Gives a one-byte codec, `ALL` and a stable name to an enumeration without fields: numbers and names are frozen
/// once published.
#[macro_export]
macro_rules! codec_enum {
    ($name:ident { $($variant:ident = $number:literal, $text:literal),* $(,)? }) => {
        impl $name {
            /// Every value, in the order of the numbers.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];
            /// The name printed, stored in JSON and accepted on the command line.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $text),* }
            }
            /// The number in the canonical codec.
            pub fn number(self) -> u8 {
                match self { $(Self::$variant => $number),* }
            }
        }
        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.name())
            }
        }
        impl std::str::FromStr for $name {
            type Err = String;
            fn from_str(text: &str) -> Result<Self, String> {
                Self::ALL.iter().copied().find(|v| v.name() == text).ok_or_else(|| {
                    let names: Vec<_> = Self::ALL.iter().map(|v| v.name()).collect();
                    format!("{text:?} is not one of {}", names.join(", "))
                })
            }
        }
        impl $crate::serde::Serialize for $name {
            fn serialize<S: $crate::serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                s.serialize_str(self.name())
            }
        }
        impl<'de> $crate::serde::Deserialize<'de> for $name {
            fn deserialize<D: $crate::serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                let text = <String as $crate::serde::Deserialize>::deserialize(d)?;
                text.parse().map_err($crate::serde::de::Error::custom)
            }
        }
        impl $crate::codec::Encode for $name {
            fn encode(&self, out: &mut $crate::codec::Writer) {
                out.u8(self.number());
            }
        }
        impl $crate::codec::Decode for $name {
            fn decode(input: &mut $crate::codec::Reader<'_>) -> Result<Self, $crate::codec::CodecError> {
                match input.u8()? {
                    $( $number => Ok(Self::$variant), )*
                    other => Err($crate::codec::CodecError::invalid(stringify!($name), format!("{other} is not one of its values"))),
                }
            }
        }
    };
}

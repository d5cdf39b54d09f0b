//! The unique end-to-end transaction reference of a payment: a UUID of version 4 (RFC 9562), in lower case.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::codec::{CodecError, Decode, Encode, Reader, Writer};
use crate::text::text_form;

/// A UETR. ISO 20022 prints it in lower case (`[a-f0-9]{8}-…`), and upper case is refused, so that one reference has
/// one spelling.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Uetr([u8; 16]);

/// Why a text is not a UETR.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UetrError {
    /// Not 36 characters `8-4-4-4-12` in lower-case hexadecimal.
    #[error("{0:?} is not a UETR: lower-case hexadecimal in groups of 8-4-4-4-12 is wanted")]
    Form(String),
    /// A UUID, but not a random one of version 4 and the RFC's variant.
    #[error("{0:?} is a UUID but not of version 4, as a UETR must be")]
    Version(String),
}

/// Where the hyphens stand.
const HYPHENS: [usize; 4] = [8, 13, 18, 23];

impl Uetr {
    /// The 16 bytes, refused unless version and variant are those of a UETR.
    pub fn from_uuid(bytes: [u8; 16]) -> Result<Self, UetrError> {
        let uetr = Self(bytes);
        if bytes[6] >> 4 != 4 || bytes[8] >> 6 != 0b10 {
            return Err(UetrError::Version(uetr.to_string()));
        }
        Ok(uetr)
    }

    /// Makes a UETR of 16 random bytes by setting version and variant.
    pub fn from_random(mut bytes: [u8; 16]) -> Self {
        bytes[6] = bytes[6] & 0x0f | 0x40;
        bytes[8] = bytes[8] & 0x3f | 0x80;
        Self(bytes)
    }

    /// The 16 bytes.
    pub fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl TryFrom<&str> for Uetr {
    type Error = UetrError;

    fn try_from(text: &str) -> Result<Self, UetrError> {
        let form = || UetrError::Form(text.to_owned());
        if text.len() != 36 {
            return Err(form());
        }
        let mut bytes = [0_u8; 16];
        let mut digits = 0;
        for (at, byte) in text.bytes().enumerate() {
            let value = match byte {
                b'-' if HYPHENS.contains(&at) => continue,
                b'0'..=b'9' if !HYPHENS.contains(&at) => byte - b'0',
                b'a'..=b'f' if !HYPHENS.contains(&at) => byte - b'a' + 10,
                _ => return Err(form()),
            };
            bytes[digits / 2] |= value << (4 * (1 - digits % 2));
            digits += 1;
        }
        Self::from_uuid(bytes)
    }
}

text_form!(Uetr, UetrError);

impl fmt::Display for Uetr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hex = hex::encode(self.0);
        write!(f, "{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
    }
}

impl Encode for Uetr {
    fn encode(&self, out: &mut Writer) {
        out.raw(&self.0);
    }
}

impl Decode for Uetr {
    fn decode(input: &mut Reader<'_>) -> Result<Self, CodecError> {
        Self::from_uuid(input.array()?).map_err(|e| CodecError::invalid("UETR", e.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uetr_prints_as_it_was_read() {
        let text = "174c245f-2682-4291-ad67-2a41e530cd27";
        let uetr = Uetr::try_from(text).unwrap();
        assert_eq!(uetr.to_string(), text);
        assert_eq!(Uetr::from_bytes(&uetr.to_bytes()), Ok(uetr));
    }

    #[test]
    fn other_spellings_and_versions_are_refused() {
        for bad in [
            "",
            "174C245F-2682-4291-AD67-2A41E530CD27",
            "174c245f26824291ad672a41e530cd27",
            "174c245f-2682-4291-ad67-2a41e530cd2",
            "174c245f-2682-4291-ad67-2a41e530cd2é",
            "174c245f-2682-4291-ad67a2a41e530cd27",
        ] {
            assert!(matches!(Uetr::try_from(bad), Err(UetrError::Form(_))), "{bad}");
        }
        for bad in ["174c245f-2682-1291-ad67-2a41e530cd27", "174c245f-2682-4291-cd67-2a41e530cd27"] {
            assert!(matches!(Uetr::try_from(bad), Err(UetrError::Version(_))), "{bad}");
        }
        assert!(Uetr::from_bytes(&[0; 16]).is_err());
    }

    #[test]
    fn random_bytes_become_a_uetr() {
        let uetr = Uetr::from_random([0xff; 16]);
        assert_eq!(Uetr::try_from(uetr.to_string()), Ok(uetr));
    }
}

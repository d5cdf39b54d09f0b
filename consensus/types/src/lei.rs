//! The legal entity identifier (ISO 17442): 18 letters or digits and two check digits (ISO 7064, MOD 97-10).

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::codec::{CodecError, Decode, Encode, Reader, Writer};
use crate::text::text_form;

/// Characters in an LEI.
pub const LEI_LENGTH: usize = 20;

/// A legal entity identifier whose check digits are right.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Lei([u8; LEI_LENGTH]);

/// Why a text is not an LEI.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LeiError {
    /// Not 18 upper-case letters or digits and two digits.
    #[error("{0:?} is not an LEI: 18 upper-case letters or digits and two check digits are wanted")]
    Form(String),
    /// The check digits are wrong.
    #[error("the check digits of LEI {0} are wrong: look for a mistyped character")]
    Checksum(String),
}

/// The remainder modulo 97 of digits and upper-case letters, a letter standing for two digits (A = 10, Z = 35).
/// Other bytes do not occur: callers check the form first. Shared with the IBAN.
pub(crate) fn mod_97(bytes: impl Iterator<Item = u8>) -> u32 {
    bytes.fold(0, |rest, byte| match byte {
        b'0'..=b'9' => (rest * 10 + u32::from(byte - b'0')) % 97,
        _ => (rest * 100 + u32::from(byte.wrapping_sub(b'A')) + 10) % 97,
    })
}

impl Lei {
    /// The twenty characters.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("the constructor admits ASCII only")
    }
}

impl TryFrom<&[u8]> for Lei {
    type Error = LeiError;

    fn try_from(bytes: &[u8]) -> Result<Self, LeiError> {
        let text = || String::from_utf8_lossy(bytes).into_owned();
        let lei: [u8; LEI_LENGTH] = bytes.try_into().map_err(|_| LeiError::Form(text()))?;
        let body = |b: &u8| b.is_ascii_uppercase() || b.is_ascii_digit();
        if !lei[..18].iter().all(body) || !lei[18..].iter().all(u8::is_ascii_digit) {
            return Err(LeiError::Form(text()));
        }
        if mod_97(lei.into_iter()) != 1 {
            return Err(LeiError::Checksum(text()));
        }
        Ok(Self(lei))
    }
}

impl TryFrom<&str> for Lei {
    type Error = LeiError;

    fn try_from(text: &str) -> Result<Self, LeiError> {
        text.as_bytes().try_into()
    }
}

text_form!(Lei, LeiError);

impl fmt::Display for Lei {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl Encode for Lei {
    fn encode(&self, out: &mut Writer) {
        out.raw(&self.0);
    }
}

impl Decode for Lei {
    fn decode(input: &mut Reader<'_>) -> Result<Self, CodecError> {
        Self::try_from(input.take(LEI_LENGTH)?).map_err(|e| CodecError::invalid("LEI", e.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn published_identifiers_pass() {
        // GLEIF's own, and one of OFAC's list.
        for text in ["506700GE1G29325QX363", "253400WSS48YWMBUA688"] {
            let lei = Lei::try_from(text).unwrap();
            assert_eq!(lei.to_string(), text);
            assert_eq!(Lei::from_bytes(&lei.to_bytes()), Ok(lei));
        }
    }

    #[test]
    fn a_mistyped_character_is_noticed() {
        assert!(matches!(Lei::try_from("506700GE1G29325QX364"), Err(LeiError::Checksum(_))));
        assert!(matches!(Lei::try_from("506700GE1G29325QY363"), Err(LeiError::Checksum(_))));
        for bad in ["", "506700ge1g29325qx363", "506700GE1G29325QX36", "506700GE1G29325QX3A3"] {
            assert!(matches!(Lei::try_from(bad), Err(LeiError::Form(_))), "{bad}");
        }
    }
}

//! The form of an ISO 3166-1 alpha-2 country code.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::codec::{CodecError, Decode, Encode, Reader, Writer};
use crate::text::text_form;

/// Two upper-case ASCII letters. Whether the code is assigned is not checked: the standard changes, and XK (Kosovo),
/// in use in IBANs, is in none of its lists.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Country([u8; 2]);

/// Why a text is not a country code.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a country code: two upper-case letters are wanted (ISO 3166-1 alpha-2)")]
pub struct CountryError(String);

impl Country {
    /// The two letters.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("the constructor admits ASCII letters only")
    }

    /// The two letters as bytes.
    pub fn as_bytes(&self) -> [u8; 2] {
        self.0
    }
}

impl TryFrom<&[u8]> for Country {
    type Error = CountryError;

    fn try_from(bytes: &[u8]) -> Result<Self, CountryError> {
        match bytes {
            &[a, b] if a.is_ascii_uppercase() && b.is_ascii_uppercase() => Ok(Self([a, b])),
            _ => Err(CountryError(String::from_utf8_lossy(bytes).into_owned())),
        }
    }
}

impl TryFrom<&str> for Country {
    type Error = CountryError;

    fn try_from(text: &str) -> Result<Self, CountryError> {
        text.as_bytes().try_into()
    }
}

text_form!(Country, CountryError);

impl fmt::Display for Country {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl Encode for Country {
    fn encode(&self, out: &mut Writer) {
        out.raw(&self.0);
    }
}

impl Decode for Country {
    fn decode(input: &mut Reader<'_>) -> Result<Self, CodecError> {
        let bytes: [u8; 2] = input.array()?;
        Self::try_from(bytes.as_slice()).map_err(|e| CodecError::invalid("country", e.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_upper_case_letters_and_nothing_else() {
        assert_eq!(Country::try_from("DE").unwrap().to_string(), "DE");
        for bad in ["", "D", "de", "DEU", "D1", "Ä"] {
            assert!(Country::try_from(bad).is_err(), "{bad}");
        }
        assert!(Country::from_bytes(b"de").is_err());
    }
}

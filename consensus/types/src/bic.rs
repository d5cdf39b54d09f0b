//! The business identifier code of an institution (ISO 9362), of 8 or 11 characters.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::codec::{CodecError, Decode, Encode, Reader, Writer};
use crate::country::Country;
use crate::text::text_form;

/// A BIC, kept as written: `DEUTDEFF` and `DEUTDEFFXXX` are two values, and [`Bic::normalised`] makes them one for
/// comparison. There is no check digit.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Bic {
    /// Eleven characters; the last three are zero bytes when the branch was not written.
    bytes: [u8; 11],
}

/// Why a text is not a BIC.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is not a BIC: 4 letters or digits, 2 letters of country, 2 letters or digits, then optionally 3 of branch"
)]
pub struct BicError(String);

impl Bic {
    /// The characters as written.
    pub fn as_str(&self) -> &str {
        let length = if self.bytes[8] == 0 { 8 } else { 11 };
        std::str::from_utf8(&self.bytes[..length]).expect("the constructor admits ASCII only")
    }

    /// Institution, country and location: the first eight characters.
    pub fn institution(&self) -> &str {
        std::str::from_utf8(&self.bytes[..8]).expect("the constructor admits ASCII only")
    }

    /// Eleven characters, with the primary office's `XXX` where no branch was written.
    pub fn normalised(&self) -> [u8; 11] {
        let mut bytes = self.bytes;
        if bytes[8] == 0 {
            bytes[8..].copy_from_slice(b"XXX");
        }
        bytes
    }

    /// Whether both name the same office.
    pub fn same_office(&self, other: &Self) -> bool {
        self.normalised() == other.normalised()
    }

    /// The country, from the fifth and sixth character.
    pub fn country(&self) -> Country {
        Country::try_from(&self.bytes[4..6]).expect("the constructor admits letters only there")
    }
}

impl TryFrom<&[u8]> for Bic {
    type Error = BicError;

    fn try_from(text: &[u8]) -> Result<Self, BicError> {
        let code = |b: &u8| b.is_ascii_uppercase() || b.is_ascii_digit();
        let form = matches!(text.len(), 8 | 11)
            && text.iter().all(code)
            && text.iter().skip(4).take(2).all(u8::is_ascii_uppercase);
        if !form {
            return Err(BicError(String::from_utf8_lossy(text).into_owned()));
        }
        let mut bytes = [0; 11];
        bytes[..text.len()].copy_from_slice(text);
        Ok(Self { bytes })
    }
}

impl TryFrom<&str> for Bic {
    type Error = BicError;

    fn try_from(text: &str) -> Result<Self, BicError> {
        text.as_bytes().try_into()
    }
}

text_form!(Bic, BicError);

impl fmt::Display for Bic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl Encode for Bic {
    fn encode(&self, out: &mut Writer) {
        self.as_str().encode(out);
    }
}

impl Decode for Bic {
    fn decode(input: &mut Reader<'_>) -> Result<Self, CodecError> {
        Self::try_from(input.bytes("BIC", 11)?).map_err(|e| CodecError::invalid("BIC", e.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn eight_and_eleven_characters_name_one_office() {
        let (short, long) = (Bic::try_from("DEUTDEFF").unwrap(), Bic::try_from("DEUTDEFFXXX").unwrap());
        assert_ne!(short, long);
        assert!(short.same_office(&long));
        assert!(!short.same_office(&Bic::try_from("DEUTDEFF500").unwrap()));
        assert_eq!((short.to_string().as_str(), long.to_string().as_str()), ("DEUTDEFF", "DEUTDEFFXXX"));
        assert_eq!(short.country().to_string(), "DE");
        for bic in [short, long] {
            assert_eq!(Bic::from_bytes(&bic.to_bytes()), Ok(bic));
        }
    }

    #[test]
    fn other_forms_are_refused() {
        for bad in ["", "DEUTDEF", "deutdeff", "DEUT1EFF", "DEUTDEFFX", "DEUTDEFFXXXX", "DEUTDEFFÄ"] {
            assert!(Bic::try_from(bad).is_err(), "{bad}");
        }
    }
}

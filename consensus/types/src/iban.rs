//! The international bank account number (ISO 13616): country, two check digits, and the national account number.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::codec::{CodecError, Decode, Encode, Reader, Writer};
use crate::country::Country;
use crate::lei::mod_97;
use crate::text::text_form;

/// The longest IBAN the standard allows.
pub const MAX_IBAN: usize = 34;

/// An IBAN whose country, length and check digits are right; upper case, no spaces.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Iban {
    /// The characters, then zero bytes.
    bytes: [u8; MAX_IBAN],
    length: u8,
}

/// Why a text is not an IBAN.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IbanError {
    /// Not two letters, two digits and up to thirty letters or digits.
    #[error("{0:?} is not an IBAN: two letters of country, two digits, then letters and digits are wanted")]
    Form(String),
    /// A country that issues no IBANs.
    #[error("IBAN {0:?}: its country is not in the IBAN registry")]
    UnknownCountry(String),
    /// Not as long as the country's IBANs are.
    #[error("IBAN {text:?} has {found} characters, the country's have {wanted}")]
    Length {
        /// The IBAN.
        text: String,
        /// Its length.
        found: usize,
        /// The country's length.
        wanted: usize,
    },
    /// The check digits are wrong.
    #[error("the check digits of IBAN {0} are wrong: look for a mistyped character")]
    Checksum(String),
}

/// Length by country, sorted. Written from general knowledge of the SWIFT IBAN registry and not yet compared with a
/// release of it: a wrong or missing country makes a finding, never a lost payment.
#[rustfmt::skip] // a table reads better seven to a line
const LENGTHS: [([u8; 2], u8); 89] = [
    (*b"AD", 24), (*b"AE", 23), (*b"AL", 28), (*b"AT", 20), (*b"AZ", 28), (*b"BA", 20), (*b"BE", 16),
    (*b"BG", 22), (*b"BH", 22), (*b"BI", 27), (*b"BR", 29), (*b"BY", 28), (*b"CH", 21), (*b"CR", 22),
    (*b"CY", 28), (*b"CZ", 24), (*b"DE", 22), (*b"DJ", 27), (*b"DK", 18), (*b"DO", 28), (*b"EE", 20),
    (*b"EG", 29), (*b"ES", 24), (*b"FI", 18), (*b"FK", 18), (*b"FO", 18), (*b"FR", 27), (*b"GB", 22),
    (*b"GE", 22), (*b"GI", 23), (*b"GL", 18), (*b"GR", 27), (*b"GT", 28), (*b"HN", 28), (*b"HR", 21),
    (*b"HU", 28), (*b"IE", 22), (*b"IL", 23), (*b"IQ", 23), (*b"IS", 26), (*b"IT", 27), (*b"JO", 30),
    (*b"KW", 30), (*b"KZ", 20), (*b"LB", 28), (*b"LC", 32), (*b"LI", 21), (*b"LT", 20), (*b"LU", 20),
    (*b"LV", 21), (*b"LY", 25), (*b"MC", 27), (*b"MD", 24), (*b"ME", 22), (*b"MK", 19), (*b"MN", 20),
    (*b"MR", 27), (*b"MT", 31), (*b"MU", 30), (*b"NI", 28), (*b"NL", 18), (*b"NO", 15), (*b"OM", 23),
    (*b"PK", 24), (*b"PL", 28), (*b"PS", 29), (*b"PT", 25), (*b"QA", 29), (*b"RO", 24), (*b"RS", 22),
    (*b"RU", 33), (*b"SA", 24), (*b"SC", 31), (*b"SD", 18), (*b"SE", 24), (*b"SI", 19), (*b"SK", 24),
    (*b"SM", 27), (*b"SO", 23), (*b"ST", 25), (*b"SV", 28), (*b"TL", 23), (*b"TN", 24), (*b"TR", 26),
    (*b"UA", 29), (*b"VA", 22), (*b"VG", 24), (*b"XK", 20), (*b"YE", 30),
];

/// How long the IBANs of `country` are, if it issues any.
fn registered_length(country: [u8; 2]) -> Option<usize> {
    LENGTHS.binary_search_by_key(&country, |(c, _)| *c).ok().map(|at| usize::from(LENGTHS[at].1))
}

impl Iban {
    /// The characters, in upper case and without spaces.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.bytes[..usize::from(self.length)])
            .expect("the constructor admits ASCII only")
    }

    /// The country of the account.
    pub fn country(&self) -> Country {
        Country::try_from(&self.bytes[..2]).expect("the constructor admits letters only there")
    }
}

impl TryFrom<&str> for Iban {
    type Error = IbanError;

    /// Reads an IBAN in its electronic or printed form: spaces are left out and letters raised to upper case.
    fn try_from(text: &str) -> Result<Self, IbanError> {
        let form = || IbanError::Form(text.to_owned());
        let mut bytes = [0; MAX_IBAN];
        let mut length = 0;
        for byte in text.bytes().filter(|b| *b != b' ') {
            if !byte.is_ascii_alphanumeric() || length == MAX_IBAN {
                return Err(form());
            }
            bytes[length] = byte.to_ascii_uppercase();
            length += 1;
        }
        if length < 5
            || !bytes[..2].iter().all(u8::is_ascii_uppercase)
            || !bytes[2..4].iter().all(u8::is_ascii_digit)
        {
            return Err(form());
        }
        let wanted = registered_length([bytes[0], bytes[1]])
            .ok_or_else(|| IbanError::UnknownCountry(text.to_owned()))?;
        if length != wanted {
            return Err(IbanError::Length { text: text.to_owned(), found: length, wanted });
        }
        if mod_97(bytes[4..length].iter().chain(&bytes[..4]).copied()) != 1 {
            return Err(IbanError::Checksum(text.to_owned()));
        }
        Ok(Self { bytes, length: length as u8 })
    }
}

text_form!(Iban, IbanError);

impl fmt::Display for Iban {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl Encode for Iban {
    fn encode(&self, out: &mut Writer) {
        self.as_str().encode(out);
    }
}

impl Decode for Iban {
    fn decode(input: &mut Reader<'_>) -> Result<Self, CodecError> {
        let invalid = |e: String| CodecError::invalid("IBAN", e);
        let text = std::str::from_utf8(input.bytes("IBAN", MAX_IBAN)?).map_err(|e| invalid(e.to_string()))?;
        let iban = Self::try_from(text).map_err(|e| invalid(e.to_string()))?;
        // Printed forms read well but are not the one encoding.
        if iban.as_str() == text {
            Ok(iban)
        } else {
            Err(invalid(format!("{text:?} is not in canonical form")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn examples_of_the_registry_pass() {
        for text in [
            "GB29NWBK60161331926819",
            "DE89370400440532013000",
            "NO9386011117947",
            "LC55HEMM000100010012001200023015",
            "BE24290035852938",
        ] {
            let iban = Iban::try_from(text).unwrap();
            assert_eq!(iban.as_str(), text);
            assert_eq!(Iban::from_bytes(&iban.to_bytes()), Ok(iban));
        }
    }

    #[test]
    fn the_printed_form_reads_as_the_electronic_one() {
        let iban = Iban::try_from("de89 3704 0044 0532 0130 00").unwrap();
        assert_eq!(iban.as_str(), "DE89370400440532013000");
        assert_eq!(iban.country().to_string(), "DE");
        assert!(Iban::from_bytes(&"DE89 3704 0044 0532 0130 00".to_owned().to_bytes()).is_err());
    }

    #[test]
    fn each_fault_has_its_name() {
        assert!(matches!(Iban::try_from("GB29NWBK60161331926818"), Err(IbanError::Checksum(_))));
        assert!(matches!(Iban::try_from("GB29NWBK6016133192681"), Err(IbanError::Length { .. })));
        assert!(matches!(Iban::try_from("US29NWBK60161331926819"), Err(IbanError::UnknownCountry(_))));
        for bad in ["", "GB2", "1229NWBK60161331926819", "GB2ÄNWBK6016133192681", &"G".repeat(40)] {
            assert!(matches!(Iban::try_from(bad), Err(IbanError::Form(_))), "{bad}");
        }
    }

    #[test]
    fn the_table_is_sorted_for_the_search() {
        assert!(LENGTHS.windows(2).all(|w| w[0].0 < w[1].0));
    }
}

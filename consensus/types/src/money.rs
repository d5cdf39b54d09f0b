//! An amount of money as ISO 20022 writes it: up to 18 digits, at most five of them behind the point, and a currency.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::codec::{CodecError, Decode, Encode, Reader, Writer};

/// Digits behind the point that are kept.
pub const FRACTION_DIGITS: u32 = 5;
/// Most significant digits (`totalDigits` of the schema's amount type).
pub const TOTAL_DIGITS: usize = 18;
/// Units in one of the currency.
pub const UNITS_PER_ONE: u128 = 100_000;

/// An ISO 4217 alphabetic code: three upper-case letters.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Currency([u8; 3]);

/// A non-negative amount, exact to five places.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(try_from = "MoneyText", into = "MoneyText")]
pub struct Money {
    currency: Currency,
    units: u128,
}

/// Why a text is not an amount.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MoneyError {
    /// Not a plain non-negative decimal.
    #[error("{0:?} is not an amount: digits with at most one point are wanted, no sign or exponent")]
    Form(String),
    /// Too many digits.
    #[error("{0:?} has too many digits: at most 18, at most 5 of them behind the point")]
    Digits(String),
    /// Not a currency code.
    #[error("{0:?} is not a currency: three upper-case letters are wanted (ISO 4217)")]
    Currency(String),
}

impl Currency {
    /// The three letters.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("the constructor admits ASCII letters only")
    }
}

impl TryFrom<&str> for Currency {
    type Error = MoneyError;

    fn try_from(text: &str) -> Result<Self, MoneyError> {
        match text.as_bytes() {
            code @ [_, _, _] if code.iter().all(u8::is_ascii_uppercase) => {
                Ok(Self([code[0], code[1], code[2]]))
            }
            _ => Err(MoneyError::Currency(text.to_owned())),
        }
    }
}

impl TryFrom<String> for Currency {
    type Error = MoneyError;

    fn try_from(text: String) -> Result<Self, MoneyError> {
        text.as_str().try_into()
    }
}

impl From<Currency> for String {
    fn from(currency: Currency) -> Self {
        currency.as_str().to_owned()
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Currency({self})")
    }
}

impl Money {
    /// `units` hundred-thousandths of one of `currency`, refused beyond 18 digits.
    pub fn new(units: u128, currency: Currency) -> Result<Self, MoneyError> {
        let mut significant = units;
        for _ in 0..FRACTION_DIGITS {
            if significant.is_multiple_of(10) {
                significant /= 10;
            }
        }
        if significant >= 10_u128.pow(TOTAL_DIGITS as u32) {
            return Err(MoneyError::Digits(decimal(units)));
        }
        Ok(Self { currency, units })
    }

    /// Reads the decimal `amount` (no sign, no exponent) in `currency`.
    pub fn parse(amount: &str, currency: &str) -> Result<Self, MoneyError> {
        let form = || MoneyError::Form(amount.to_owned());
        let (whole, fraction) = amount.split_once('.').unwrap_or((amount, ""));
        let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
        if whole.len() + fraction.len() == 0 || !digits(whole) || !digits(fraction) {
            return Err(form());
        }
        let (whole, fraction) = (whole.trim_start_matches('0'), fraction.trim_end_matches('0'));
        if fraction.len() > FRACTION_DIGITS as usize || whole.len() + fraction.len() > TOTAL_DIGITS {
            return Err(MoneyError::Digits(amount.to_owned()));
        }
        let number = |text: &str| text.bytes().fold(0_u128, |sum, b| sum * 10 + u128::from(b - b'0'));
        let shift = 10_u128.pow(FRACTION_DIGITS - fraction.len() as u32);
        Self::new(number(whole) * UNITS_PER_ONE + number(fraction) * shift, currency.try_into()?)
    }

    /// The amount in hundred-thousandths.
    pub fn units(&self) -> u128 {
        self.units
    }

    /// The amount in whole units of the currency, rounded down.
    pub fn whole(&self) -> u64 {
        (self.units / UNITS_PER_ONE).try_into().expect("the constructor admits 18 digits, which fit")
    }

    /// The currency.
    pub fn currency(&self) -> Currency {
        self.currency
    }

    /// The amount without its currency, as short as it can be written; cents always in pairs.
    pub fn amount(&self) -> String {
        decimal(self.units)
    }
}

fn decimal(units: u128) -> String {
    let (whole, fraction) = (units / UNITS_PER_ONE, units % UNITS_PER_ONE);
    if fraction == 0 {
        return whole.to_string();
    }
    let digits = format!("{fraction:05}");
    let shortest = digits.trim_end_matches('0');
    format!("{whole}.{shortest:0<2}")
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.amount(), self.currency)
    }
}

/// Money in JSON and TOML: the amount as text, for no JSON number carries it exactly.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct MoneyText {
    amount: String,
    currency: String,
}

impl TryFrom<MoneyText> for Money {
    type Error = MoneyError;

    fn try_from(text: MoneyText) -> Result<Self, MoneyError> {
        Self::parse(&text.amount, &text.currency)
    }
}

impl From<Money> for MoneyText {
    fn from(money: Money) -> Self {
        Self { amount: money.amount(), currency: money.currency.into() }
    }
}

impl Encode for Money {
    fn encode(&self, out: &mut Writer) {
        out.raw(&self.currency.0);
        self.units.encode(out);
    }
}

impl Decode for Money {
    fn decode(input: &mut Reader<'_>) -> Result<Self, CodecError> {
        let invalid = |e: MoneyError| CodecError::invalid("amount", e.to_string());
        let code: [u8; 3] = input.array()?;
        let currency = Currency::try_from(String::from_utf8_lossy(&code).as_ref()).map_err(invalid)?;
        Self::new(u128::decode(input)?, currency).map_err(invalid)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn amounts_are_exact() {
        let money = |text| Money::parse(text, "EUR").unwrap();
        assert_eq!(money("1000.00"), money("1000"));
        assert_eq!(money("0.00001").units(), 1);
        assert_eq!(money("12345.67").to_string(), "12345.67 EUR");
        assert_eq!(money("7138.4").to_string(), "7138.40 EUR");
        assert_eq!(money("00.10000000").to_string(), "0.10 EUR");
        assert_eq!(money("999999999999999999").whole(), 999_999_999_999_999_999);
    }

    #[test]
    fn what_is_not_an_amount_is_refused() {
        for bad in ["", ".", "-1", "+1", "1e3", "1,000", " 1", "1.2.3", "١"] {
            assert!(matches!(Money::parse(bad, "EUR"), Err(MoneyError::Form(_))), "{bad}");
        }
        for bad in ["1.000001", "1000000000000000000", "12345678901234.56789"] {
            assert!(matches!(Money::parse(bad, "EUR"), Err(MoneyError::Digits(_))), "{bad}");
        }
        for bad in ["", "EU", "eur", "EURO", "€"] {
            assert!(matches!(Money::parse("1", bad), Err(MoneyError::Currency(_))), "{bad}");
        }
        assert!(Money::from_bytes(&[&b"EUR"[..], &[0xff; 16]].concat()).is_err());
    }

    proptest! {
        #[test]
        fn every_amount_prints_and_encodes_to_itself(cents in 0_u64..=99_999_999_999_999_999) {
            let money = Money::new(u128::from(cents) * 1000, Currency::try_from("CHF").unwrap()).unwrap();
            prop_assert_eq!(Money::parse(&money.amount(), "CHF"), Ok(money));
            prop_assert_eq!(Money::from_bytes(&money.to_bytes()), Ok(money));
            prop_assert_eq!(Money::try_from(MoneyText::from(money)), Ok(money));
        }
    }
}

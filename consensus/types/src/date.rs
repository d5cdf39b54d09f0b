//! A calendar date of the proleptic Gregorian calendar, as ISO 8601 writes it.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::codec::{CodecError, Decode, Encode, Reader, Writer};
use crate::id::Timestamp;
use crate::text::text_form;

/// Seconds of a day.
const DAY: u64 = 86_400;
/// 9999-12-31, counted from 1970.
const LAST_DAY: u64 = 2_932_896;

/// A date from year 1 to 9999, without a time zone.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Date {
    year: u16,
    month: u8,
    day: u8,
}

/// Why a text or a number is not a date.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a date: YYYY-MM-DD is wanted, and a day that the month has")]
pub struct DateError(String);

fn days_in_month(year: u16, month: u8) -> u8 {
    match month {
        2 if year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400)) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

impl Date {
    /// The date of its parts, months and days from 1.
    pub fn new(year: u16, month: u8, day: u8) -> Result<Self, DateError> {
        let valid = (1..=9999).contains(&year)
            && (1..=12).contains(&month)
            && (1..=days_in_month(year, month)).contains(&day);
        if valid {
            Ok(Self { year, month, day })
        } else {
            Err(DateError(format!("{year:04}-{month:02}-{day:02}")))
        }
    }

    /// How many days lie between this date and 1970-01-01; negative before it.
    pub fn days_since_epoch(&self) -> i64 {
        // Years counted from March, so that a leap day ends one; eras of 400 years are alike.
        let (year, month, day) = (i64::from(self.year), i64::from(self.month), i64::from(self.day));
        let year = if month <= 2 { year - 1 } else { year };
        let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
        let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
        era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
    }

    /// The day that `now` falls on, in UTC.
    pub fn of(now: Timestamp) -> Self {
        // The inverse of the count above, after Hinnant's chrono-compatible algorithms. The last day is that of the last
        // year with four digits.
        let days = (now.0 / DAY).min(LAST_DAY).cast_signed() + 719_468;
        let (era, day_of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
        let leaps = day_of_era / 1_460 - day_of_era / 36_524 + day_of_era / 146_096;
        let year_of_era = (day_of_era - leaps) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * month + 2) / 5 + 1;
        let month = if month < 10 { month + 3 } else { month - 9 };
        let year = era * 400 + year_of_era + i64::from(month <= 2);
        let small = |number: i64| u8::try_from(number).unwrap_or(u8::MAX);
        Self { year: u16::try_from(year).unwrap_or(u16::MAX), month: small(month), day: small(day) }
    }

    /// The year.
    pub fn year(&self) -> u16 {
        self.year
    }

    /// The month, from 1.
    pub fn month(&self) -> u8 {
        self.month
    }

    /// The day of the month, from 1.
    pub fn day(&self) -> u8 {
        self.day
    }
}

impl TryFrom<&str> for Date {
    type Error = DateError;

    /// Reads `YYYY-MM-DD`; a time zone behind it (`Z`, `+02:00`), which ISO 20022 allows, is read over.
    fn try_from(text: &str) -> Result<Self, DateError> {
        let form = || DateError(text.to_owned());
        let (date, zone) = text.split_at_checked(10).ok_or_else(form)?;
        let zone_form = matches!(zone.as_bytes(), [] | [b'Z'])
            || matches!(zone.as_bytes(), [b'+' | b'-', h1, h2, b':', m1, m2]
                if [h1, h2, m1, m2].iter().all(|b| b.is_ascii_digit()));
        let bytes = date.as_bytes();
        let digits = bytes.iter().enumerate().all(|(i, b)| match i {
            4 | 7 => *b == b'-',
            _ => b.is_ascii_digit(),
        });
        if !digits || !zone_form {
            return Err(form());
        }
        let number = |range: std::ops::Range<usize>| {
            bytes[range].iter().fold(0_u16, |sum, b| sum * 10 + u16::from(b - b'0'))
        };
        Self::new(number(0..4), number(5..7) as u8, number(8..10) as u8).map_err(|_| form())
    }
}

text_form!(Date, DateError);

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}-{:02}", self.year, self.month, self.day)
    }
}

impl Encode for Date {
    fn encode(&self, out: &mut Writer) {
        self.year.encode(out);
        self.month.encode(out);
        self.day.encode(out);
    }
}

impl Decode for Date {
    fn decode(input: &mut Reader<'_>) -> Result<Self, CodecError> {
        Self::new(u16::decode(input)?, input.u8()?, input.u8()?)
            .map_err(|e| CodecError::invalid("date", e.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_counted_from_1970() {
        for (text, days) in
            [("1970-01-01", 0), ("1969-12-31", -1), ("2000-03-01", 11_017), ("2024-02-29", 19_782)]
        {
            assert_eq!(Date::try_from(text).unwrap().days_since_epoch(), days, "{text}");
        }
    }

    #[test]
    fn a_moment_falls_on_the_day_that_is_counted_back() {
        for day in (0..LAST_DAY).step_by(97).chain([59, 60, 11_016, 11_017, 19_782, LAST_DAY]) {
            let date = Date::of(Timestamp(day * DAY + DAY - 1));
            assert_eq!(date.days_since_epoch(), day.cast_signed(), "{date}");
            assert_eq!(Date::new(date.year, date.month, date.day), Ok(date));
        }
        assert_eq!(Date::of(Timestamp(u64::MAX)).to_string(), "9999-12-31");
    }

    #[test]
    fn dates_print_as_read() {
        let date = Date::try_from("2024-02-29").unwrap();
        assert_eq!(date.to_string(), "2024-02-29");
        assert_eq!(Date::try_from("2024-02-29Z"), Ok(date));
        assert_eq!(Date::try_from("2024-02-29+02:00"), Ok(date));
        assert_eq!(Date::from_bytes(&date.to_bytes()), Ok(date));
    }

    #[test]
    fn days_that_do_not_exist_are_refused() {
        for bad in ["", "2023-02-29", "1900-02-29", "2024-13-01", "2024-00-01", "2024-04-31", "0000-01-01"] {
            assert!(Date::try_from(bad).is_err(), "{bad}");
        }
        for bad in ["2024-1-01", "20240101", "2024-01-01T00:00:00", "2024-01-01x", "２０24-01-01"] {
            assert!(Date::try_from(bad).is_err(), "{bad}");
        }
    }
}

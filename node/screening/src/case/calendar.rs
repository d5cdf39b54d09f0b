//! Business days: which days count where, and when the last of so many is over.
//!
//! A calendar is data: rules for its holidays, each with the date from which it holds. Where a day begins and ends
//! depends on summer time; a calendar names both offsets, a deadline begins with the western one and ends with the
//! eastern one, and so never ends later than by the clock on the wall.

use std::collections::BTreeSet;

use hansa_types::codec_enum;
use hansa_types::date::Date;
use hansa_types::id::Timestamp;
use serde::Deserialize;

const SECONDS_A_DAY: i64 = 86_400;
const SECONDS_AN_HOUR: i64 = 3_600;
/// The most business days of a deadline.
pub(super) const MAX_BUSINESS_DAYS: u16 = 366;

/// A day of the week.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Weekday {
    /// Monday.
    Monday,
    /// Tuesday.
    Tuesday,
    /// Wednesday.
    Wednesday,
    /// Thursday.
    Thursday,
    /// Friday.
    Friday,
    /// Saturday.
    Saturday,
    /// Sunday.
    Sunday,
}
codec_enum!(Weekday {
    Monday = 1, "monday", Tuesday = 2, "tuesday", Wednesday = 3, "wednesday", Thursday = 4, "thursday",
    Friday = 5, "friday", Saturday = 6, "saturday", Sunday = 7, "sunday",
});

/// On which other day a holiday is kept that falls on a weekend.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Observed {
    /// On the Friday before a Saturday, and the Monday after a Sunday.
    Nearest,
    /// On the Monday after a Sunday; one that falls on a Saturday is kept on no other day.
    Monday,
}
codec_enum!(Observed { Nearest = 1, "nearest", Monday = 2, "monday" });

/// When a holiday is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum When {
    /// On the same date each year.
    Fixed {
        /// From 1.
        month: u8,
        /// From 1.
        day: u8,
        /// Where a weekend moves it; nowhere without.
        observed: Option<Observed>,
    },
    /// On the `nth` such weekday of a month, from 1; on the last for 0.
    Nth {
        /// From 1.
        month: u8,
        /// The day of the week.
        weekday: Weekday,
        /// Which of them.
        nth: u8,
    },
    /// So many days after Easter Sunday of the western churches.
    Easter {
        /// Negative for before.
        days: i8,
    },
}

/// A holiday.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Holiday {
    /// What it is called.
    pub name: String,
    /// When it is.
    pub on: When,
    /// The first day that it holds for.
    pub since: Option<Date>,
}

/// Which days are business days. Saturdays and Sundays never are.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Calendar {
    /// Hours east of UTC, in winter and in summer, in either order.
    pub offsets: [i8; 2],
    /// What is closed.
    pub holidays: Vec<Holiday>,
}

impl Calendar {
    /// The first moment after the `count`th business day that follows the day of `from`.
    pub fn end_of(&self, count: u16, from: Timestamp) -> Timestamp {
        let offsets = self.offsets.map(|hours| i64::from(hours) * SECONDS_AN_HOUR);
        let [west, east] = [offsets[0].min(offsets[1]), offsets[0].max(offsets[1])];
        let from = i64::try_from(from.0).unwrap_or(i64::MAX / 2);
        let mut day = from.saturating_add(west).div_euclid(SECONDS_A_DAY);
        for _ in 0..count.min(MAX_BUSINESS_DAYS) {
            day = self.next(day);
        }
        let end = (day + 1).saturating_mul(SECONDS_A_DAY) - east;
        Timestamp(u64::try_from(end).unwrap_or(0))
    }

    /// The business day after this one; days are counted from 1970-01-01.
    fn next(&self, day: i64) -> i64 {
        let mut next = day + 1;
        let mut closed: Option<(u16, BTreeSet<i64>)> = None;
        loop {
            let Some(year) = year_of(next) else { return next };
            if closed.as_ref().is_none_or(|(of, _)| *of != year) {
                closed = Some((year, self.closed(year)));
            }
            let holiday = closed.as_ref().is_some_and(|(_, days)| days.contains(&next));
            if !holiday && weekday(next) < Weekday::Saturday {
                return next;
            }
            next += 1;
        }
    }

    /// The days on which the holidays of `year` are kept, and those of the next that fall into it.
    fn closed(&self, year: u16) -> BTreeSet<i64> {
        let of = |year: u16| self.holidays.iter().filter_map(move |holiday| holiday.day(year));
        of(year).chain(of(year.saturating_add(1))).collect()
    }
}

impl Holiday {
    /// The day on which it is kept in `year`; none before it was introduced.
    fn day(&self, year: u16) -> Option<i64> {
        let day = match self.on {
            When::Fixed { month, day, observed } => {
                let day = day_number(year, month, day)?;
                match (weekday(day), observed) {
                    (Weekday::Saturday, Some(Observed::Nearest)) => day - 1,
                    (Weekday::Sunday, Some(_)) => day + 1,
                    _ => day,
                }
            }
            When::Nth { month, weekday, nth } => nth_weekday(year, month, weekday, nth)?,
            When::Easter { days } => easter(year)? + i64::from(days),
        };
        self.since.is_none_or(|since| day >= since.days_since_epoch()).then_some(day)
    }
}

fn day_number(year: u16, month: u8, day: u8) -> Option<i64> {
    Date::new(year, month, day).ok().map(|date| date.days_since_epoch())
}

/// The year that a day lies in; none beyond the calendar.
fn year_of(day: i64) -> Option<u16> {
    let mut year = u16::try_from(1970 + day.div_euclid(366)).ok()?;
    while day_number(year.checked_add(1)?, 1, 1)? <= day {
        year += 1;
    }
    Some(year)
}

fn weekday(day: i64) -> Weekday {
    // 1970-01-01 was a Thursday.
    Weekday::ALL[(day + 3).rem_euclid(7) as usize]
}

fn nth_weekday(year: u16, month: u8, wanted: Weekday, nth: u8) -> Option<i64> {
    let first = day_number(year, month, 1)?;
    let ahead = |from: i64| (i64::from(wanted.number()) - i64::from(weekday(from).number())).rem_euclid(7);
    if nth > 0 {
        return (nth <= 4).then(|| first + ahead(first) + 7 * i64::from(nth - 1));
    }
    let (next_year, next_month) = if month == 12 { (year + 1, 1) } else { (year, month + 1) };
    let next = day_number(next_year, next_month, 1)?;
    Some(next - 7 + ahead(next - 7))
}

/// Easter Sunday of the western churches (Gauss, in the form of the anonymous Gregorian algorithm, Nature 1876).
fn easter(year: u16) -> Option<i64> {
    let y = i64::from(year);
    let (a, b, c) = (y % 19, y / 100, y % 100);
    let (d, e) = (b / 4, b % 4);
    let g = (b - (b + 8) / 25 + 1) / 3;
    let h = (19 * a + b - d - g + 15) % 30;
    let (i, k) = (c / 4, c % 4);
    let l = (32 + 2 * e + 2 * i - h - k) % 7;
    let m = (a + 11 * h + 22 * l) / 451;
    let n = h + l - 7 * m + 114;
    day_number(year, u8::try_from(n / 31).ok()?, u8::try_from(n % 31 + 1).ok()?)
}

#[cfg(test)]
mod tests {
    use super::super::deadlines;
    use super::*;

    fn calendar(name: &str) -> Calendar {
        deadlines::packaged().calendars[name].clone()
    }

    /// Noon UTC of a date.
    fn noon(date: &str) -> Timestamp {
        let days = Date::try_from(date).unwrap().days_since_epoch();
        Timestamp(u64::try_from(days).unwrap() * 86_400 + 43_200)
    }

    fn closed(calendar: &Calendar, year: u16) -> Vec<String> {
        let days = calendar.closed(year).into_iter().filter(|day| year_of(*day) == Some(year));
        days.map(|day| Timestamp(u64::try_from(day).unwrap() * 86_400).to_utc()[5..10].to_owned()).collect()
    }

    /// The holidays that the Office of Personnel Management published for the year.
    #[test]
    fn us_federal_holidays_are_where_they_were_kept() {
        let us = calendar("us-federal");
        let of_2022 =
            ["01-17", "02-21", "05-30", "06-20", "07-04", "09-05", "10-10", "11-11", "11-24", "12-26"];
        assert_eq!(
            closed(&us, 2022),
            of_2022,
            "new year's day of 2022 was kept in 2021, Christmas on a Monday"
        );
        let of_2021 = [
            "01-01", "01-18", "02-15", "05-31", "06-18", "07-05", "09-06", "10-11", "11-11", "11-25",
            "12-24", "12-31",
        ];
        assert_eq!(closed(&us, 2021), of_2021);
        assert!(!closed(&us, 2020).contains(&"06-19".to_owned()), "Juneteenth came in 2021");
        let of_2026 = [
            "01-01", "01-19", "02-16", "05-25", "06-19", "07-03", "09-07", "10-12", "11-11", "11-26", "12-25",
        ];
        assert_eq!(closed(&us, 2026), of_2026);
    }

    /// The days on which the Reserve Banks said that they close: they are open on the Friday before a Saturday.
    #[test]
    fn reserve_banks_are_open_on_the_friday_before_a_saturday() {
        let fedwire = calendar("fedwire");
        let of_2026 = [
            "01-01", "01-19", "02-16", "05-25", "06-19", "07-04", "09-07", "10-12", "11-11", "11-26", "12-25",
        ];
        assert_eq!(closed(&fedwire, 2026), of_2026, "4 July 2026 is a Saturday, and the 3rd a business day");
        let of_2027 = [
            "01-01", "01-18", "02-15", "05-31", "06-19", "07-05", "09-06", "10-11", "11-11", "11-25", "12-25",
        ];
        assert_eq!(closed(&fedwire, 2027), of_2027, "4 July 2027 is a Sunday");
        assert_eq!(fedwire.end_of(1, noon("2026-07-02")).to_utc(), "2026-07-04T04:00:00Z");
        assert_eq!(calendar("us-federal").end_of(1, noon("2026-07-02")).to_utc(), "2026-07-07T04:00:00Z");
    }

    #[test]
    fn target_is_closed_on_six_days() {
        let target = calendar("target");
        assert_eq!(closed(&target, 2025), ["01-01", "04-18", "04-21", "05-01", "12-25", "12-26"]);
        assert_eq!(closed(&target, 2026), ["01-01", "04-03", "04-06", "05-01", "12-25", "12-26"]);
        assert_eq!(easter(2038), day_number(2038, 4, 25), "the latest day there is");
        assert_eq!(easter(1818), day_number(1818, 3, 22), "the earliest");
    }

    #[test]
    fn every_packaged_holiday_falls_on_some_day() {
        for (name, calendar) in deadlines::packaged().calendars {
            for holiday in calendar.holidays {
                // A leap year has every date that there is, and is after all that began.
                assert!(holiday.day(2096).is_some(), "{name}: {}", holiday.name);
            }
        }
    }

    #[test]
    fn weekends_and_holidays_do_not_count() {
        let us = calendar("us-federal");
        let end = |from: &str, count| us.end_of(count, noon(from)).to_utc();
        // The tenth business day after Friday, 2026-11-20: Thanksgiving and two weekends lie between.
        assert_eq!(end("2026-11-20", 10), "2026-12-08T04:00:00Z");
        assert_eq!(end("2026-11-21", 1), "2026-11-24T04:00:00Z", "a Saturday is followed by Monday");
        assert_eq!(end("2021-12-30", 1), "2022-01-04T04:00:00Z", "the year's last day was a holiday");
    }

    #[test]
    fn a_day_begins_in_the_west_and_ends_in_the_east() {
        let us = calendar("us-federal");
        let late = noon("2026-11-24").0 - 43_200 + 3 * 3_600;
        // Three in the morning of the 24th in UTC is the evening of the 23rd in New York.
        assert_eq!(us.end_of(1, Timestamp(late)).to_utc(), "2026-11-25T04:00:00Z");
        let calendar = Calendar { offsets: [2, 1], holidays: vec![] };
        assert_eq!(calendar.end_of(1, noon("2026-11-24")).to_utc(), "2026-11-25T22:00:00Z");
        assert_eq!(calendar.end_of(0, noon("2026-11-24")).to_utc(), "2026-11-24T22:00:00Z");
    }

    #[test]
    fn times_beyond_the_calendar_end_too() {
        let us = calendar("us-federal");
        assert!(us.end_of(MAX_BUSINESS_DAYS, Timestamp(u64::MAX)).0 > 0);
        assert!(us.end_of(10, Timestamp(0)) > Timestamp(0));
    }
}

//! What a decision notes of a factor among its findings: written by the rules, and read again by who explains it.

use std::fmt::{self, Display, Formatter};

use super::Factor;

/// A factor's value, what it brought, and what it rests on: `velocity_count 3 (45 points): three since yesterday`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FactorNote<'a> {
    /// Which.
    pub factor: Factor,
    /// Its value, in the factor's unit.
    pub value: u16,
    /// The value times the model's weight.
    pub points: i64,
    /// What it rests on.
    pub text: &'a str,
}

impl Display for FactorNote<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self { factor, value, points, text } = self;
        write!(f, "{factor} {value} ({points} points): {text}")
    }
}

impl<'a> FactorNote<'a> {
    /// What a finding notes, if it is of a factor.
    pub fn parse(finding: &'a str) -> Option<Self> {
        let (factor, rest) = finding.split_once(' ')?;
        let (value, rest) = rest.split_once(" (")?;
        let (points, text) = rest.split_once(" points): ")?;
        let factor = factor.parse().ok()?;
        Some(Self { factor, value: value.parse().ok()?, points: points.parse().ok()?, text })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        for factor in Factor::ALL.iter().copied() {
            for (value, points, text) in
                [(0, 0, ""), (3, -45, "three (3 points): since"), (u16::MAX, i64::MIN, "\u{e4}")]
            {
                let note = FactorNote { factor, value, points, text };
                assert_eq!(FactorNote::parse(&note.to_string()), Some(note));
            }
        }
        let note = FactorNote { factor: Factor::VelocityCount, value: 3, points: 45, text: "three" };
        assert_eq!(note.to_string(), "velocity_count 3 (45 points): three");
    }

    #[test]
    fn other_findings_are_none() {
        for other in [
            "",
            "velocity_count",
            "velocity_count 3",
            "velocity 3 (45 points): three",
            "velocity_count x (45 points): three",
            "velocity_count 3 (many points): three",
            "velocity_count 65536 (45 points): three",
            "velocity_count 3 (45 points) three",
        ] {
            assert_eq!(FactorNote::parse(other), None, "{other}");
        }
    }
}

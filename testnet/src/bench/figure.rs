//! What a bench says: figures with their unit, spread, peer and target, in the JSON form that all benches share.

use serde::{Deserialize, Serialize};

use super::machine::Machine;
use super::sample::Sample;

/// One line of the JSON output: the figures of one bench and where they were taken.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// The bench's name.
    pub bench: String,
    /// The commit that was measured, with `-dirty` if files differ from it; `unknown` outside a repository.
    pub commit: String,
    /// The cargo profile: `dev` or `release`.
    pub profile: String,
    /// Where it ran.
    pub machine: Machine,
    /// What was measured.
    pub figures: Vec<Figure>,
}

/// One named figure.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Figure {
    /// Its fixed name, for example `prove.full`.
    pub name: String,
    /// The unit of value, minimum and maximum, and of the peer's value; empty for a count.
    pub unit: String,
    /// What came out.
    #[serde(flatten)]
    pub outcome: Outcome,
    /// What it should reach, if there is a target.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<Target>,
}

/// A figure is measured or says why not.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Outcome {
    /// Not measured.
    Skipped {
        /// Why not.
        skipped: String,
    },
    /// Measured.
    Measured(Measured),
}

/// A measured figure.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Measured {
    /// The median, unless the figure's name says otherwise.
    pub value: f64,
    /// How many measurements.
    pub samples: usize,
    /// The smallest.
    pub min: f64,
    /// The largest.
    pub max: f64,
    /// The peer's value, if it was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub peer: Option<PeerFigure>,
    /// Ours over the peer's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ratio: Option<f64>,
}

/// What the peer reached.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PeerFigure {
    /// Name and version of the peer.
    pub name: String,
    /// Its median, in the figure's unit.
    pub value: f64,
}

/// What a figure should reach.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Target {
    /// The bound.
    #[serde(flatten)]
    pub bound: Bound,
    /// What it bounds.
    pub of: Of,
}

/// A bound, itself still within the target.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Bound {
    /// No more than this.
    AtMost(f64),
    /// No less than this.
    AtLeast(f64),
}

/// What a target bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Of {
    /// The figure's value.
    Value,
    /// Ours over the peer's.
    Ratio,
}

impl Target {
    /// The value is to be at most `bound`.
    pub(super) const fn value_at_most(bound: f64) -> Self {
        Self { bound: Bound::AtMost(bound), of: Of::Value }
    }

    /// The value is to be at least `bound`.
    pub(super) const fn value_at_least(bound: f64) -> Self {
        Self { bound: Bound::AtLeast(bound), of: Of::Value }
    }

    /// The ratio is to be at most `bound`.
    pub(super) const fn ratio_at_most(bound: f64) -> Self {
        Self { bound: Bound::AtMost(bound), of: Of::Ratio }
    }

    /// The ratio is to be at least `bound`.
    pub(super) const fn ratio_at_least(bound: f64) -> Self {
        Self { bound: Bound::AtLeast(bound), of: Of::Ratio }
    }
}

impl Figure {
    /// A figure whose value is the median of `sample`.
    pub(super) fn of_sample(name: &str, unit: &str, sample: &Sample) -> Self {
        Self::measured(name, unit, sample.median(), sample)
    }

    /// A figure whose value is `value`, taken from the measurements of `sample`.
    pub(super) fn measured(name: &str, unit: &str, value: f64, sample: &Sample) -> Self {
        let measured = Measured {
            value,
            samples: sample.len(),
            min: sample.min(),
            max: sample.max(),
            peer: None,
            ratio: None,
        };
        Self {
            name: name.to_owned(),
            unit: unit.to_owned(),
            outcome: Outcome::Measured(measured),
            target: None,
        }
    }

    /// A figure that does not vary: a count or a size.
    pub(super) fn exact(name: &str, unit: &str, value: f64) -> Self {
        Self::measured(name, unit, value, &Sample::one(value))
    }

    /// A figure that was not measured.
    pub(super) fn skipped(name: &str, unit: &str, reason: impl Into<String>) -> Self {
        let outcome = Outcome::Skipped { skipped: reason.into() };
        Self { name: name.to_owned(), unit: unit.to_owned(), outcome, target: None }
    }

    /// The same with a target.
    #[must_use]
    pub(super) fn with_target(mut self, target: Target) -> Self {
        self.target = Some(target);
        self
    }

    /// The same beside the peer's `value`, in the figure's unit; unchanged if the peer was not asked.
    #[must_use]
    pub(super) fn beside(mut self, peer: Option<PeerFigure>) -> Self {
        if let (Outcome::Measured(ours), Some(peer)) = (&mut self.outcome, peer) {
            // A peer that takes no time was not measured: no ratio rather than infinity, which JSON cannot say.
            ours.ratio = (peer.value > 0.0).then(|| ours.value / peer.value);
            ours.peer = Some(peer);
        }
        self
    }

    /// Whether the target is met; none without a target, or where what it bounds was not measured.
    pub fn meets_target(&self) -> Option<bool> {
        let target = self.target?;
        let Outcome::Measured(measured) = &self.outcome else { return None };
        let reached = match target.of {
            Of::Value => measured.value,
            Of::Ratio => measured.ratio?,
        };
        Some(match target.bound {
            Bound::AtMost(bound) => reached <= bound,
            Bound::AtLeast(bound) => reached >= bound,
        })
    }
}

impl Report {
    /// The report as one line of JSON with its line end.
    pub fn json_line(&self) -> String {
        let mut line = serde_json::to_string(self).expect("a report has string keys and finite numbers");
        line.push('\n');
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figure(value: f64, target: Target) -> Figure {
        Figure::exact("x.y", "ms", value).with_target(target)
    }

    #[test]
    fn ratio_is_ours_over_the_peers() {
        let peer = PeerFigure { name: "fake 1".to_owned(), value: 200.0 };
        let figure = figure(100.0, Target::ratio_at_most(0.5)).beside(Some(peer));
        let Outcome::Measured(measured) = &figure.outcome else { panic!("measured") };
        assert_eq!(measured.ratio, Some(0.5));
        assert_eq!(figure.meets_target(), Some(true));
    }

    #[test]
    fn a_target_is_met_missed_or_not_judged() {
        assert_eq!(figure(2.0, Target::value_at_most(2.0)).meets_target(), Some(true));
        assert_eq!(figure(2.1, Target::value_at_most(2.0)).meets_target(), Some(false));
        assert_eq!(figure(2.0, Target::value_at_least(2.5)).meets_target(), Some(false));
        assert_eq!(figure(2.0, Target::ratio_at_most(9.0)).meets_target(), None, "no peer was asked");
        assert_eq!(Figure::exact("x.y", "", 1.0).meets_target(), None);
        let skipped = Figure::skipped("x.y", "", "no data").with_target(Target::value_at_most(1.0));
        assert_eq!(skipped.meets_target(), None);
        let timeless = PeerFigure { name: "fake 1".to_owned(), value: 0.0 };
        assert_eq!(figure(1.0, Target::ratio_at_most(9.0)).beside(Some(timeless)).meets_target(), None);
    }

    #[test]
    fn the_json_has_the_form_that_is_agreed() {
        let sample = Sample::new(vec![430.5, 420.0, 441.0]).unwrap();
        let peer = PeerFigure { name: "rln 3.0.0".to_owned(), value: 861.0 };
        let report = Report {
            bench: "prove".to_owned(),
            commit: "abc".to_owned(),
            profile: "dev".to_owned(),
            machine: Machine { cpu: "c".to_owned(), cores: 2, memory_gib: 24, kernel: "6".to_owned() },
            figures: vec![
                Figure::of_sample("prove.full", "ms", &sample)
                    .beside(Some(peer))
                    .with_target(Target::ratio_at_most(1.0)),
                Figure::skipped("prove.cached", "ms", "later"),
            ],
        };
        let line = report.json_line();
        assert_eq!(
            line.trim_end(),
            concat!(
                r#"{"bench":"prove","commit":"abc","profile":"dev","#,
                r#""machine":{"cpu":"c","cores":2,"memory_gib":24,"kernel":"6"},"figures":["#,
                r#"{"name":"prove.full","unit":"ms","value":430.5,"samples":3,"min":420.0,"max":441.0,"#,
                r#""peer":{"name":"rln 3.0.0","value":861.0},"ratio":0.5,"target":{"at_most":1.0,"of":"ratio"}},"#,
                r#"{"name":"prove.cached","unit":"ms","skipped":"later"}]}"#
            )
        );
        assert_eq!(serde_json::from_str::<Report>(&line).unwrap(), report);
    }
}

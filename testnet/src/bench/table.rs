//! A report as a table for people.

use super::figure::{Bound, Figure, Measured, Of, Outcome, Report, Target};

/// The table's head.
pub(super) const HEAD: [&str; 8] = ["figure", "value", "unit", "min .. max", "n", "peer", "ratio", "target"];
/// Which columns hold numbers and stand at the right.
const RIGHT: [bool; 8] = [false, true, false, true, true, true, true, false];

/// The report with a line about the machine above it and an empty line below.
pub(super) fn render(report: &Report) -> String {
    let mut rows = vec![HEAD.map(str::to_owned)];
    rows.extend(report.figures.iter().map(row));
    let widths: [usize; 8] =
        std::array::from_fn(|i| rows.iter().map(|row| row[i].chars().count()).max().unwrap_or(0));
    let mut text = format!("{}: {}\n", report.bench, origin(report));
    for row in rows {
        let cells: Vec<_> = (0..row.len())
            .map(|i| {
                let width = widths[i];
                if RIGHT[i] { format!("{:>width$}", row[i]) } else { format!("{:<width$}", row[i]) }
            })
            .collect();
        text.push_str(cells.join("  ").trim_end());
        text.push('\n');
    }
    for figure in &report.figures {
        if let Outcome::Skipped { skipped } = &figure.outcome {
            text.push_str(&format!("{} skipped: {skipped}\n", figure.name));
        }
    }
    text.push('\n');
    text
}

/// Commit, profile and machine in a phrase.
pub(super) fn origin(report: &Report) -> String {
    let machine = &report.machine;
    format!(
        "commit {}, profile {}, {}, {} cores, {} GiB, Linux {}, {}",
        report.commit,
        report.profile,
        machine.cpu,
        machine.cores,
        machine.memory_gib,
        machine.kernel,
        threads(&report.bench)
    )
}

/// On how much of the machine a bench runs.
fn threads(bench: &str) -> &'static str {
    match bench {
        "audit-append" | "failover" => "clients and replicas together on all cores",
        "xdp" => "traffic on all cores, single runs on one",
        _ => "one thread",
    }
}

/// The cells of one figure.
pub(super) fn row(figure: &Figure) -> [String; 8] {
    let target = figure.target.map_or_else(String::new, |t| target_cell(t, figure.meets_target()));
    let (name, unit) = (figure.name.clone(), figure.unit.clone());
    match &figure.outcome {
        Outcome::Skipped { .. } => {
            let none = String::new;
            [name, "skipped".to_owned(), unit, none(), none(), none(), none(), target]
        }
        Outcome::Measured(m) => [
            name,
            number(m.value),
            unit,
            spread(m),
            m.samples.to_string(),
            m.peer.as_ref().map_or_else(String::new, |p| format!("{} ({})", number(p.value), p.name)),
            m.ratio.map_or_else(String::new, number),
            target,
        ],
    }
}

fn spread(measured: &Measured) -> String {
    if measured.samples == 1 {
        return String::new();
    }
    format!("{} .. {}", number(measured.min), number(measured.max))
}

fn target_cell(target: Target, met: Option<bool>) -> String {
    let (sign, bound) = match target.bound {
        Bound::AtMost(bound) => ("<=", bound),
        Bound::AtLeast(bound) => (">=", bound),
    };
    let of = match target.of {
        Of::Value => "",
        Of::Ratio => "ratio ",
    };
    let judged = match met {
        Some(true) => " met",
        Some(false) => " missed",
        None => "",
    };
    format!("{of}{sign} {}{judged}", number(bound))
}

/// Three significant digits and whole numbers above 100; exact for small whole numbers.
pub(super) fn number(value: f64) -> String {
    if value == value.trunc() && value.abs() < 1e15 {
        return format!("{value:.0}");
    }
    match value.abs() {
        v if v >= 100.0 => format!("{value:.0}"),
        v if v >= 10.0 => format!("{value:.1}"),
        v if v >= 1.0 => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::figure::PeerFigure;
    use super::super::machine::Machine;
    use super::super::sample::Sample;
    use super::*;

    /// A report with one figure of each kind.
    pub(in crate::bench) fn example() -> Report {
        let sample = Sample::new(vec![1430.25, 1410.0, 1500.5]).unwrap();
        let peer = PeerFigure { name: "rln 3.0.0".to_owned(), value: 441.0 };
        Report {
            bench: "prove".to_owned(),
            commit: "abc123".to_owned(),
            profile: "dev".to_owned(),
            machine: Machine {
                cpu: "Example".to_owned(),
                cores: 2,
                memory_gib: 24,
                kernel: "6.1".to_owned(),
            },
            figures: vec![
                Figure::of_sample("prove.full", "ms", &sample)
                    .beside(Some(peer))
                    .with_target(Target::ratio_at_most(1.0)),
                Figure::skipped("prove.cached", "ms", "nothing is cached yet")
                    .with_target(Target::ratio_at_most(0.5)),
                Figure::exact("signal.bytes", "bytes", 440.0).with_target(Target::value_at_most(640.0)),
            ],
        }
    }

    #[test]
    fn the_table_shows_missed_met_and_skipped() {
        let expected = "\
prove: commit abc123, profile dev, Example, 2 cores, 24 GiB, Linux 6.1, one thread
figure          value  unit     min .. max  n             peer  ratio  target
prove.full       1430  ms     1410 .. 1500  3  441 (rln 3.0.0)   3.24  ratio <= 1 missed
prove.cached  skipped  ms                                              ratio <= 0.500
signal.bytes      440  bytes                1                          <= 640 met
prove.cached skipped: nothing is cached yet

";
        assert_eq!(render(&example()), expected);
    }

    #[test]
    fn numbers_keep_what_matters() {
        let cases = [
            (0.0, "0"),
            (0.9754, "0.975"),
            (2.166, "2.17"),
            (15.25, "15.2"),
            (430.4, "430"),
            (13871.0, "13871"),
        ];
        for (value, text) in cases {
            assert_eq!(number(value), text);
        }
    }
}

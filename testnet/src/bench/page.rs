//! `docs/benchmarks.md`, generated from the JSON lines of a thorough run.

use super::BenchError;
use super::figure::{Outcome, Report};
use super::table::{HEAD, origin, row};

/// What stands above the figures.
const OPENING: &str = "\
# Benchmarks

Generated: `hansa-testnet bench --thorough --json --with-peers > FILE`, then `hansa-testnet bench --page FILE`. Do not
edit by hand.

A value is the median unless its name says otherwise, with the smallest and largest measurement beside it. A ratio is
ours over the peer's, from alternating measurements in one run. A missed target says so.

A group of replicas is as many processes on this machine and this disk, with the settings a bank begins with and the
load beside them. `audit.append` has 1,024 clients, each waiting for its answer, as etcd has; a decision is a sealed
record of 256 bytes under a unique key and six index terms. `audit.fsync_per_decision` counts the synced writes of the
Raft log on all replicas. `failover.serving_again` is the slowest run, from `kill -9` to the first acknowledgement of
a decision sent after it; `failover.write_p99` is of decisions due at a steady pace from a second before to two after.

`patterns` deals the accounts of AMLSim's sets to ten banks and runs the product's screener at each of them.
Laundering patterns and accounts are split into halves: thresholds, and for the `fitted_` figures weights, are chosen on
the one, under the first deal, for at most ten alerts of a thousand payments alone and no more than that in the
consortium; what is reported is the other half. Alerts are equal there only as far as the `alerts_per_1000` figures are.
A pattern counts at every bank that sees a payment of it before its last, and is flagged there if that bank held one of
those; the `any_` figures ask whether any bank did. What is behind them, what is assumed of people, and what they do not
say, is in [decision 26](decisions/0026-measuring-the-consortium.md).

`xdp` times single frames by running the kernel program on one packet half a million times, less what the run and its
undoing cost; `xdp.pass` is a program that does nothing. The whole one looks up lists, limits and windows, takes the
sequence number, limits the sender's rate and writes the answer in place. Costs of traffic are CPU time of the whole
machine for one frame over a virtual cable, beyond that of sending it, beside a socket that judges by the same rules; what
is blocked ends where a node would log it. They are differences of larger ones, hence their width, and the machine must do
nothing else meanwhile. `xdp.verdict_to_audit_p99` is a running node's own time from the verdict in the driver until the
BLOCK is durable on a bank's only replica, at 100,000 frames a second of which one in a hundred is blocked;
`xdp.block_round_trip_p99` is what its gateway waits meanwhile. Gateway and node share the machine's cores.
";

/// The page for `lines`, one JSON report a line, in their order; empty lines are passed over.
///
/// # Errors
/// If a line is not a report.
pub fn render_page(lines: &str) -> Result<String, BenchError> {
    let mut page = OPENING.to_owned();
    for (at, line) in lines.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let report: Report = serde_json::from_str(line)
            .map_err(|e| BenchError::Report { line: at + 1, reason: e.to_string() })?;
        page.push_str(&section(&report));
    }
    Ok(page)
}

fn section(report: &Report) -> String {
    let mut text = format!("\n## {}\n\n{}\n\n", report.bench, escaped(&origin(report)));
    text.push_str(&table_row(&HEAD.map(str::to_owned)));
    text.push_str("|---|---:|---|---:|---:|---:|---:|---|\n");
    for figure in &report.figures {
        text.push_str(&table_row(&row(figure)));
    }
    let skipped: Vec<_> = report
        .figures
        .iter()
        .filter_map(|figure| match &figure.outcome {
            Outcome::Skipped { skipped } => {
                Some(format!("- `{}` skipped: {}\n", figure.name, escaped(skipped)))
            }
            Outcome::Measured(_) => None,
        })
        .collect();
    if !skipped.is_empty() {
        text.push('\n');
        text.push_str(&skipped.concat());
    }
    text
}

fn table_row(cells: &[String; 8]) -> String {
    format!("| {} |\n", cells.each_ref().map(|cell| escaped(cell)).join(" | "))
}

/// Text that Markdown takes as such: `|` would end a cell and `<` begin a tag.
fn escaped(text: &str) -> String {
    text.replace('|', "\\|").replace('<', "&lt;").replace(['\n', '\r'], " ")
}

#[cfg(test)]
mod tests {
    use super::super::table::tests::example;
    use super::*;

    #[test]
    fn each_report_becomes_a_section() {
        let mut second = example();
        second.bench = "verify".to_owned();
        second.machine.cpu = "A|B".to_owned();
        let page = render_page(&format!("{}\n{}", example().json_line(), second.json_line())).unwrap();
        assert!(page.starts_with("# Benchmarks\n"));
        assert!(page.contains("\n## prove\n\ncommit abc123, profile dev, Example, 2 cores"));
        assert!(page.contains("\n## verify\n\ncommit abc123, profile dev, A\\|B, 2 cores"));
        let line =
            "| prove.full | 1430 | ms | 1410 .. 1500 | 3 | 441 (rln 3.0.0) | 3.24 | ratio &lt;= 1 missed |";
        assert_eq!(page.lines().filter(|l| *l == line).count(), 2);
        assert!(page.contains("- `prove.cached` skipped: nothing is cached yet\n"));
    }

    #[test]
    fn a_line_that_is_no_report_is_named() {
        let lines = format!("{}{{\"bench\":1}}\n", example().json_line());
        assert!(matches!(render_page(&lines), Err(BenchError::Report { line: 2, .. })));
    }
}

//! `hansa shadow`: what this node decided beside what another screener did.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Subcommand;
use hansa_api::Client;
use hansa_api::model::{MAX_VERDICTS, VerdictView, VerdictsRequest};
use hansa_types::decision::Verdict;
use hansa_types::uetr::Uetr;
use serde::Serialize;

use super::CliError;
use super::output::Output;

/// The first line of the other screener's file.
const HEADER: [&str; 2] = ["uetr", "alert"];

/// What can be done beside another screener.
#[derive(Debug, Subcommand)]
pub enum ShadowCommand {
    /// Compare this node's verdicts with another screener's.
    #[command(
        after_help = "The file: uetr,alert (with that header), a line a payment; alert is yes or no. What this node held or blocked is an alert.\n\nExample:\n  hansa shadow compare incumbent.csv --out differences.csv"
    )]
    Compare {
        /// What the other screener said.
        file: PathBuf,
        /// Write the payments that only one of both alerted on, with this node's reasons.
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
}

/// How two screeners agree.
#[derive(Debug, Default, PartialEq, Serialize)]
struct Comparison {
    /// Payments that both saw.
    payments: u64,
    /// Payments of the file that this node's log does not hold.
    missing: u64,
    both: u64,
    neither: u64,
    only_ours: u64,
    only_theirs: u64,
    ours_per_1000: f64,
    theirs_per_1000: f64,
}

pub(super) fn execute(command: ShadowCommand, client: &Client, out: &Output) -> Result<ExitCode, CliError> {
    let ShadowCommand::Compare { file, out: differences } = command;
    let theirs = incumbent(&file)?;
    let uetrs: Vec<Uetr> = theirs.keys().copied().collect();
    let mut ours = Vec::with_capacity(uetrs.len());
    for batch in uetrs.chunks(MAX_VERDICTS) {
        ours.extend(client.verdicts(&VerdictsRequest { uetrs: batch.to_vec() })?.verdicts);
    }
    if let Some(path) = differences {
        write(&path, &theirs, &ours)?;
    }
    out.print(&compare(&theirs, &ours), text);
    Ok(ExitCode::SUCCESS)
}

/// Whether the other screener alerted on each payment.
fn incumbent(path: &Path) -> Result<BTreeMap<Uetr, bool>, CliError> {
    let wrong = |line: u64, what: String| CliError::Table { path: path.to_owned(), line, what };
    let broken =
        |error: csv::Error| wrong(error.position().map_or(0, csv::Position::line), error.to_string());
    let file = File::open(path).map_err(|source| CliError::File { path: path.to_owned(), source })?;
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(file);
    if reader.headers().map_err(broken)?.iter().ne(HEADER) {
        return Err(wrong(1, format!("the first line must be {}", HEADER.join(","))));
    }
    let mut alerts = BTreeMap::new();
    for row in reader.records() {
        let row = row.map_err(broken)?;
        let line = row.position().map_or(0, csv::Position::line);
        let uetr = Uetr::try_from(row.get(0).unwrap_or_default()).map_err(|e| wrong(line, e.to_string()))?;
        let alert = match row.get(1) {
            Some("yes") => true,
            Some("no") => false,
            _ => return Err(wrong(line, "alert is yes or no".to_owned())),
        };
        if alerts.insert(uetr, alert).is_some_and(|before| before != alert) {
            return Err(wrong(line, format!("{uetr} stands twice, with yes and with no")));
        }
    }
    Ok(alerts)
}

fn is_alert(verdict: Verdict) -> bool {
    verdict != Verdict::Clear
}

fn compare(theirs: &BTreeMap<Uetr, bool>, ours: &[VerdictView]) -> Comparison {
    let mut found = Comparison::default();
    for view in ours {
        let (Some(verdict), Some(alert)) = (view.verdict, theirs.get(&view.uetr)) else {
            found.missing += 1;
            continue;
        };
        found.payments += 1;
        *match (is_alert(verdict), alert) {
            (true, true) => &mut found.both,
            (false, false) => &mut found.neither,
            (true, false) => &mut found.only_ours,
            (false, true) => &mut found.only_theirs,
        } += 1;
    }
    let per_1000 = |alerts: u64| alerts as f64 * 1000.0 / found.payments.max(1) as f64;
    found.ours_per_1000 = per_1000(found.both + found.only_ours);
    found.theirs_per_1000 = per_1000(found.both + found.only_theirs);
    found
}

fn write(path: &Path, theirs: &BTreeMap<Uetr, bool>, ours: &[VerdictView]) -> Result<(), CliError> {
    let failed = |error: csv::Error| CliError::File {
        path: path.to_owned(),
        source: std::io::Error::other(error.to_string()),
    };
    let mut writer = csv::Writer::from_path(path).map_err(failed)?;
    writer.write_record(["uetr", "only", "verdict", "score", "reasons"]).map_err(failed)?;
    for view in ours {
        let (Some(verdict), Some(alert)) = (view.verdict, theirs.get(&view.uetr)) else { continue };
        if is_alert(verdict) == *alert {
            continue;
        }
        let only = if *alert { "theirs" } else { "ours" };
        let reasons: Vec<_> = view.reasons.iter().map(ToString::to_string).collect();
        let score = view.score.map(|score| score.to_string()).unwrap_or_default();
        let row = [view.uetr.to_string(), only.to_owned(), verdict.to_string(), score, reasons.join(" ")];
        writer.write_record(row).map_err(failed)?;
    }
    writer.flush().map_err(|source| CliError::File { path: path.to_owned(), source })
}

fn text(found: &Comparison) -> String {
    let Comparison { payments, missing, both, neither, only_ours, only_theirs, .. } = found;
    format!(
        "{payments} payments that both saw, {missing} that this log does not hold\n\
         agreed: {both} alerts, {neither} without\n\
         only ours: {only_ours}\nonly theirs: {only_theirs}\n\
         alerts of 1,000 payments: ours {:.1}, theirs {:.1}",
        found.ours_per_1000, found.theirs_per_1000
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uetr(number: u64) -> Uetr {
        Uetr::try_from(format!("e2e00000-0000-4000-8000-{number:012x}").as_str()).unwrap()
    }

    #[test]
    fn agreement_is_counted_of_what_both_saw() {
        let theirs = BTreeMap::from([
            (uetr(1), true),
            (uetr(2), false),
            (uetr(3), false),
            (uetr(4), true),
            (uetr(5), true),
        ]);
        let view =
            |number, verdict| VerdictView { uetr: uetr(number), verdict, reasons: vec![], score: None };
        let ours = [
            view(1, Some(Verdict::Block)),
            view(2, Some(Verdict::Clear)),
            view(3, Some(Verdict::Investigate)),
            view(4, Some(Verdict::Clear)),
            view(5, None),
        ];
        let found = compare(&theirs, &ours);
        assert_eq!((found.payments, found.missing), (4, 1));
        assert_eq!((found.both, found.neither, found.only_ours, found.only_theirs), (1, 1, 1, 1));
        assert!(found.ours_per_1000 == 500.0 && found.theirs_per_1000 == 500.0);
    }

    #[test]
    fn a_file_that_is_wrong_is_refused_with_its_line() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("incumbent.csv");
        let said = |text: &str| {
            std::fs::write(&path, text).unwrap();
            incumbent(&path).map_err(|error| error.to_string())
        };
        let one = uetr(1);
        assert_eq!(said(&format!("uetr,alert\n{one},yes\n{one}, yes\n")).unwrap().len(), 1);
        for (text, part) in [
            ("uetr,hit\n".to_owned(), "line 1: the first line must be uetr,alert"),
            ("uetr,alert\nx,yes\n".to_owned(), "line 2"),
            (format!("uetr,alert\n{one},maybe\n"), "line 2: alert is yes or no"),
            (format!("uetr,alert\n{one},yes\n{one},no\n"), "line 3"),
        ] {
            let error = said(&text).unwrap_err();
            assert!(error.contains(part), "{error}");
        }
    }
}

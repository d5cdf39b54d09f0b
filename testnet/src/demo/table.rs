//! The closing table, read from the nodes: nothing in it is the demo's own count.

use std::path::{Path, PathBuf};

use hansa_api::model::{StageTimes, Status};
use hansa_types::decision::Verdict;

use super::{DemoError, Sabotage, Stage, expect, frames};
use crate::process::hansa;

/// Prints the table, and compares what banks say of one another.
pub(super) fn play(stage: &mut Stage) -> Result<(), DemoError> {
    stage.story.step("What the nodes say at the end");
    if stage.sabotage == Some(Sabotage::Table) {
        stage.nodes.remove(2).kill()?;
    }
    let banks = stage.consortium.banks.clone();
    let statuses: Vec<Status> =
        banks.iter().map(|bank| hansa(bank, &["status"])).collect::<Result<_, _>>()?;
    print_row("", statuses.iter().map(|status| status.bank.to_string()));
    for verdict in Verdict::ALL {
        let count = |status: &Status| {
            status.counters.payments.verdicts.get(verdict).copied().unwrap_or(0).to_string()
        };
        print_row(&format!("payments {verdict}"), statuses.iter().map(count));
    }
    type Column = (&'static str, fn(&Status) -> u64);
    let columns: [Column; 8] = [
        ("duplicates refused", |status| status.counters.payments.duplicates),
        ("cases", |status| status.counters.cases.values().sum()),
        ("signals sent", |status| status.counters.signals.sent),
        ("signals verified", |status| status.counters.signals.verified),
        ("signals matched", |status| status.counters.signals.matched),
        ("signals retracted", |status| status.counters.signals.retracted),
        ("log entries", |status| status.log.size),
        ("of them published", |status| status.log.checkpoint_size),
    ];
    for (name, value) in columns {
        print_row(name, statuses.iter().map(|status| value(status).to_string()));
    }
    for stage in ["parse", "screen", "log", "prove", "verify"] {
        let time = |status: &Status| status.stages.get(stage).map_or("-".to_owned(), milliseconds);
        print_row(&format!("{stage}, p50 / p99 ms"), statuses.iter().map(time));
    }
    stage.story.tell(format!("bank-a's frames were screened {}", frames::path(stage)?));
    let sent: u64 = statuses.iter().map(|status| status.counters.signals.sent).sum();
    for status in &statuses {
        let signals = &status.counters.signals;
        expect(signals.sent + signals.verified == sent, || {
            format!(
                "{} sent {} signals and verified {}, of {sent} in all",
                status.bank, signals.sent, signals.verified
            )
        })?;
        expect(status.anonymity.note.is_some(), || {
            "three banks hide nobody, and a node should say so".into()
        })?;
    }
    if let Some(report) = &stage.report {
        stage.story.tell(format!("the ceremony's report: {}", keep_report(report)?.display()));
    }
    stage
        .story
        .tell("(three banks: the nodes say \"sender not anonymous\"; five active members are the least)");
    Ok(())
}

/// A copy of the report that is there when the demo's folder is not any more.
fn keep_report(report: &Path) -> Result<PathBuf, DemoError> {
    let kept = std::env::temp_dir().join("hansa-demo-ceremony.html");
    std::fs::copy(report, &kept).map_err(|source| DemoError::File { path: kept.clone(), source })?;
    Ok(kept)
}

fn milliseconds(times: &StageTimes) -> String {
    let ms = |micros: u64| micros as f64 / 1000.0;
    format!("{:.2} / {:.2}", ms(times.p50_us), ms(times.p99_us))
}

fn print_row(name: &str, cells: impl IntoIterator<Item = String>) {
    let cells: String = cells.into_iter().map(|cell| format!("{cell:>18}")).collect();
    println!("   {name:<24}{cells}");
}

//! The payment hub's list: CSV with a header, `uetr[,instructing,instructed]`, a line for each payment and leg.

use std::io::Read;

use csv::{Reader, ReaderBuilder, StringRecord};
use hansa_types::payment::{AgentId, PaymentKey};
use hansa_types::uetr::Uetr;

use super::sort::{Entry, Sorter};
use super::{ReconcileError, Reconciliation};

/// The longest name of an agent.
const MAX_AGENT: usize = 256;

/// Reads the list to its end.
pub(super) fn read(
    hub: impl Read,
    sorter: &mut Sorter,
    found: &mut Reconciliation,
) -> Result<(), ReconcileError> {
    let mut rows = ReaderBuilder::new().trim(csv::Trim::All).from_reader(hub);
    let legs = match rows.headers().map_err(|error| csv_error(&error))?.iter().collect::<Vec<_>>()[..] {
        ["uetr"] => false,
        ["uetr", "instructing", "instructed"] => true,
        _ => {
            let reason = "a header is wanted: uetr, or uetr,instructing,instructed".to_owned();
            return Err(ReconcileError::Hub { line: 1, reason });
        }
    };
    let mut row = StringRecord::new();
    while read_row(&mut rows, &mut row)? {
        let line = row.position().map_or(0, csv::Position::line);
        let refused = |reason: String| ReconcileError::Hub { line, reason };
        let uetr: Uetr = row[0].try_into().map_err(|error| refused(format!("{error}")))?;
        let leg = if legs { leg(uetr, &row[1], &row[2]).map_err(refused)? } else { None };
        sorter.push(&Entry { uetr, decided: false, leg, at: line })?;
        found.payments += 1;
    }
    Ok(())
}

fn read_row<R: Read>(rows: &mut Reader<R>, row: &mut StringRecord) -> Result<bool, ReconcileError> {
    rows.read_record(row).map_err(|error| csv_error(&error))
}

/// The leg, if the line names one: both ends or none.
fn leg(uetr: Uetr, instructing: &str, instructed: &str) -> Result<Option<hansa_types::hash::Digest>, String> {
    if [instructing, instructed].iter().any(|name| name.len() > MAX_AGENT) {
        return Err(format!("an agent's name is longer than {MAX_AGENT} bytes"));
    }
    match (instructing, instructed) {
        ("", "") => Ok(None),
        ("", _) | (_, "") => Err("a leg has two ends: name both agents, or neither".to_owned()),
        (instructing, instructed) => {
            let (instructing, instructed) = (AgentId::named(instructing), AgentId::named(instructed));
            Ok(Some(PaymentKey::Uetr { uetr, instructing, instructed }.digest()))
        }
    }
}

fn csv_error(error: &csv::Error) -> ReconcileError {
    let line = error.position().map_or(0, csv::Position::line);
    ReconcileError::Hub { line, reason: error.to_string() }
}

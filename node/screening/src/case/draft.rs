//! The neutral draft of a report: what was recorded about a case, in the order of time, and nothing that is concluded
//! from it. A person completes and sends it; the node sends it nowhere.
//!
//! Text that a payment brought stands in quotation marks with its control characters escaped, so that it cannot pass for
//! a part of the draft. Which bank sent a signal is not known, and the banks that passed a payment on are left out.

use std::fmt::{self, Write as _};

use hansa_types::case::{Case, CaseStep, MAX_CASE_DECISIONS};
use hansa_types::decision::{Decision, Finding, Reason};
use hansa_types::id::{BankId, GatewayId, Timestamp};
use hansa_types::payment::{Account, Party, Payment};
use hansa_types::record::DecisionRecord;
use hansa_types::signal::{Category, Severity};
use hansa_types::subject::Subject;

/// What became of a signal that was received.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    /// It counts.
    Counts,
    /// Its epochs are over.
    Expired,
    /// Its sender took it back.
    Retracted,
    /// Another one came under its nullifier: neither counts.
    Void,
}

impl Standing {
    /// What a draft says of it.
    fn said(self) -> &'static str {
        match self {
            Self::Counts => "it stands",
            Self::Expired => "its time is over",
            Self::Retracted => "its sender took it back",
            Self::Void => "void: its sender sent two where one is allowed",
        }
    }
}

/// A signal that the case is about, as far as its receiver knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received {
    /// The gateway it came under.
    pub gateway: GatewayId,
    /// When.
    pub at: Timestamp,
    /// As the sender said.
    pub severity: Severity,
    /// As the sender said.
    pub category: Category,
    /// What became of it.
    pub standing: Standing,
}

/// What a draft is written from.
#[derive(Clone, Debug)]
pub struct Facts<'a> {
    /// Whose case it is.
    pub bank: &'a BankId,
    /// The case.
    pub case: &'a Case,
    /// The decisions that it names, in its order; none for one that was erased.
    pub decisions: &'a [Option<DecisionRecord>],
    /// The signals that it names, as far as they are still known.
    pub received: &'a [Received],
    /// When the draft is written.
    pub at: Timestamp,
}

/// Writes the draft: the same facts give the same text.
pub fn write(facts: &Facts<'_>) -> String {
    let mut out = String::new();
    // Writing to a string does not fail.
    let _ = draft(&mut out, facts);
    out
}

fn draft(out: &mut String, facts: &Facts<'_>) -> fmt::Result {
    let Facts { bank, case, decisions, received, at } = facts;
    writeln!(out, "DRAFT. Not sent to anybody.")?;
    writeln!(
        out,
        "What {bank} recorded about case {}, as of {}. It concludes nothing.",
        case.number,
        at.to_utc()
    )?;
    writeln!(out, "\n1. Who\n")?;
    match &case.subject {
        Some(subject) => writeln!(out, "   {}", Named(subject))?,
        None => writeln!(out, "   No subject is known by account or LEI.")?,
    }
    writeln!(out, "\n2. Payments\n")?;
    if case.decisions.is_empty() {
        writeln!(out, "   None.")?;
    }
    for (number, (named, record)) in case.decisions.iter().zip(*decisions).enumerate() {
        match record {
            Some(record) => payment(out, number + 1, record)?,
            None => writeln!(out, "   {}. Decided {}: erased since.", number + 1, named.at.to_utc())?,
        }
    }
    if case.decisions.len() == MAX_CASE_DECISIONS {
        writeln!(out, "   The log may hold later payments of the subject that this case does not name.")?;
    }
    writeln!(out, "\n3. Information received\n")?;
    if case.signals.is_empty() {
        writeln!(out, "   None.")?;
    }
    for Received { gateway, at, severity, category, standing } in *received {
        let (at, standing) = (at.to_utc(), standing.said());
        writeln!(
            out,
            "   {at}: information received under gateway {gateway}: {category}, severity {severity}; {standing}."
        )?;
    }
    writeln!(out, "\n4. Steps taken\n")?;
    for CaseStep { act, state, actor, at, note } in &case.steps {
        let note = if note.is_empty() { String::new() } else { format!(" {note:?}") };
        writeln!(out, "   {}: {act} by {actor}, then {state}.{note}", at.to_utc())?;
    }
    writeln!(out, "\n5. Deadlines\n")?;
    if case.deadlines.is_empty() {
        writeln!(out, "   None.")?;
    }
    for deadline in &case.deadlines {
        let done = match (deadline.met, deadline.overdue) {
            (Some(met), _) => format!("closed {}", met.to_utc()),
            (None, Some(_)) => "over".to_owned(),
            (None, None) => "open".to_owned(),
        };
        writeln!(out, "   {} ({}): before {}, {done}.", deadline.duty, deadline.rule, deadline.due.to_utc())?;
    }
    writeln!(out, "\nDRAFT. To be checked and completed by a person before anything is reported.")
}

fn payment(out: &mut String, number: usize, record: &DecisionRecord) -> fmt::Result {
    let DecisionRecord { decision, payment, habits: _ } = record;
    let amount =
        payment.settlement_amount.map_or("an unknown amount".to_owned(), |amount| amount.to_string());
    writeln!(out, "   {number}. {} on {}", amount, decision.decided_at.to_utc())?;
    match payment.uetr {
        Some(uetr) => writeln!(out, "      UETR {uetr}")?,
        None => {
            let transaction = payment.transaction_id.as_deref().unwrap_or("");
            writeln!(out, "      message {:?}, transaction {transaction:?}", payment.message_id)?;
        }
    }
    if let Some(date) = payment.settlement_date {
        writeln!(out, "      settlement date {date}")?;
    }
    party(out, "debtor", Some(&payment.debtor), payment.debtor_account.as_ref())?;
    party(out, "creditor", Some(&payment.creditor), payment.creditor_account.as_ref())?;
    party(out, "on whose behalf the debtor pays", payment.ultimate_debtor.as_ref(), None)?;
    party(out, "for whom the creditor receives", payment.ultimate_creditor.as_ref(), None)?;
    free_text(out, payment)?;
    outcome(out, decision)
}

fn free_text(out: &mut String, payment: &Payment) -> fmt::Result {
    for (what, texts) in [("remittance", &payment.remittance), ("instruction", &payment.instructions)] {
        for text in texts {
            writeln!(out, "      {what}: {text:?}")?;
        }
    }
    Ok(())
}

fn party(out: &mut String, role: &str, party: Option<&Party>, account: Option<&Account>) -> fmt::Result {
    if party.is_none() && account.is_none() {
        return Ok(());
    }
    let name = party.and_then(|party| party.name.as_ref()).map_or("no name".to_owned(), |n| format!("{n:?}"));
    write!(out, "      {role}: {name}")?;
    if let Some(account) = account {
        write!(out, ", account {:?}", account.to_string())?;
    }
    if let Some(lei) = party.and_then(|party| party.lei) {
        write!(out, ", LEI {lei}")?;
    }
    if let Some(birth) = party.and_then(|party| party.birth.as_ref()).and_then(|birth| birth.date) {
        write!(out, ", born {birth}")?;
    }
    if let Some(country) = party.and_then(Party::country) {
        write!(out, ", {country}")?;
    }
    writeln!(out)
}

/// What screening did and on what, but for what it says of other banks' signals: those stand under information received.
fn outcome(out: &mut String, decision: &Decision) -> fmt::Result {
    let then = decision.disposition.map_or(String::new(), |disposition| format!(", {disposition}"));
    writeln!(
        out,
        "      screened: {}{then}; score {} under model {}",
        decision.verdict, decision.score.0, decision.model_version
    )?;
    let said = decision.findings.iter().filter(|found| found.reason != Some(Reason::ConsortiumSignal));
    for Finding { listed, text, .. } in said {
        match listed.as_ref() {
            Some(listed) => {
                let version = decision.lists.iter().find(|version| version.name == listed.list);
                let date = version.map_or("unknown date", |version| version.date.as_str());
                writeln!(out, "      - list {} of {date}, entry {}: {text}", listed.list, listed.entry)?;
            }
            None => writeln!(out, "      - {text}")?,
        }
    }
    Ok(())
}

struct Named<'a>(&'a Subject);

impl fmt::Display for Named<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Subject::Account(account) => write!(f, "The holder of account {:?}", account.to_string()),
            Subject::Organisation(lei) => write!(f, "The organisation with LEI {lei}"),
            Subject::Person { name, birth_date, country } => {
                write!(f, "{name:?}, born {birth_date}, {country}")
            }
        }
    }
}

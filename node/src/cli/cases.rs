//! `hansa cases`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use hansa_api::Client;
use hansa_api::model::{
    CaseAction, CaseAnswer, CaseFilter, CaseOpening, CaseResult, CaseReviewing, CaseStepView, CaseSummary,
    CaseView, DeadlineView, Leg,
};
use hansa_types::case::{CaseReview, CaseState, Suspect};
use hansa_types::id::Actor;
use hansa_types::signal::Category;
use hansa_types::subject::Subject;
use hansa_types::uetr::Uetr;

use super::output::{Output, short, table};
use super::{CliError, audit};

/// What can be done with cases.
#[derive(Debug, Subcommand)]
pub enum CasesCommand {
    /// List the cases: the work list, without what is in them.
    #[command(after_help = "Example:\n  hansa cases list --state open")]
    List {
        /// Only cases of this state: open, assigned, confirmed, cleared, reported.
        #[arg(long)]
        state: Option<CaseState>,
        /// Only cases with a deadline that is over.
        #[arg(long)]
        overdue: bool,
        /// Only cleared cases that were drawn and wait to be looked at again.
        #[arg(long)]
        review: bool,
        /// Only cases in which something waits for a second officer.
        #[arg(long)]
        proposed: bool,
        /// Behind this case: where the page before ended.
        #[arg(long, value_name = "NUMBER")]
        after: Option<u64>,
        /// How many cases at the most.
        #[arg(long)]
        limit: Option<usize>,
    },
    /// Show what is in a case. Who reads it is recorded in the log.
    #[command(after_help = "Example:\n  hansa cases show 1 --actor officer.a")]
    Show(Reading),
    /// Write the neutral draft of a report: what was recorded, and nothing that is concluded from it. Who reads it is
    /// recorded in the log; it is sent nowhere.
    #[command(after_help = "Example:\n  hansa cases draft 1 --actor officer.a --out case-1.txt")]
    Draft {
        /// Which case, and who reads it.
        #[command(flatten)]
        reading: Reading,
        /// The file to write; one that exists is not overwritten. To standard output without.
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// Open a case on a payment, because of what is known beside it.
    #[command(
        after_help = "Example:\n  hansa cases open 97f0...b1 --suspect creditor --actor officer.a --note 'customer reported a scam'"
    )]
    Open {
        /// The payment's UETR.
        uetr: Uetr,
        /// The leg, as INSTRUCTING/INSTRUCTED, where the payment went over several here.
        #[arg(long)]
        leg: Option<Leg>,
        /// Which account is suspected: debtor or creditor.
        #[arg(long)]
        suspect: Suspect,
        /// Who and why.
        #[command(flatten)]
        act: Act,
    },
    /// Take a case on.
    Assign(Step),
    /// Confirm the suspicion; with --signal, tell the other members of the gateway.
    #[command(
        after_help = "Example:\n  hansa cases confirm 1 --signal mule-account --actor officer.a --note 'money forwarded within the hour'"
    )]
    Confirm {
        /// Which case.
        #[command(flatten)]
        step: Step,
        /// Signal the subject in this category: mule-account, scam, laundering, terrorist-financing.
        #[arg(long, value_name = "CATEGORY")]
        signal: Option<Category>,
        /// What is known beyond list hits, missing or malformed data and other banks' signals: where screening found
        /// nothing else, a signal takes it.
        #[arg(long, value_name = "TEXT", requires = "signal", default_value = "")]
        grounds: String,
    },
    /// There was nothing: the note says why. Alerts behind the case stop raising payments.
    Clear(Step),
    /// The case was reported to the authority.
    Report(Step),
    /// Approve what another officer proposed: it happens at once.
    #[command(after_help = "Example:\n  hansa cases approve 1 --actor officer.b")]
    Approve(Step),
    /// Decline what another officer proposed: the note says why.
    Decline(Step),
    /// Say whether a case that was drawn for review was cleared rightly.
    #[command(
        after_help = "Example:\n  hansa cases list --review\n  hansa cases review 1 --failed --actor officer.c --note 'the birth dates agree'"
    )]
    Review {
        /// Which case, who looks at it, and why it fails.
        #[command(flatten)]
        step: Step,
        /// It was; nothing changes.
        #[arg(long, required_unless_present = "failed", conflicts_with = "failed")]
        passed: bool,
        /// It was not: the case is open anew.
        #[arg(long)]
        failed: bool,
    },
}

/// Who reads which case.
#[derive(Debug, Args)]
pub struct Reading {
    /// The case's number.
    number: u64,
    /// The officer's login.
    #[arg(long)]
    actor: Actor,
}

/// Who does it, and why.
#[derive(Debug, Args)]
pub struct Act {
    /// The officer's login.
    #[arg(long)]
    actor: Actor,
    /// Why, for whoever reads the log.
    #[arg(long, default_value = "")]
    note: String,
}

/// A step on one case.
#[derive(Debug, Args)]
pub struct Step {
    /// The case's number.
    number: u64,
    #[command(flatten)]
    act: Act,
}

pub(super) fn execute(command: CasesCommand, client: &Client, out: &Output) -> Result<ExitCode, CliError> {
    match command {
        CasesCommand::List { state, overdue, review, proposed, after, limit } => {
            let filter = CaseFilter { state, overdue, review, proposed, after, limit };
            out.print(&client.cases(filter)?, |page| {
                let more = page.next.map_or(String::new(), |next| format!("\nmore: --after {next}"));
                format!("{}{more}", list(&page.cases))
            });
        }
        CasesCommand::Show(Reading { number, actor }) => out.print(&client.read_case(number, actor)?, show),
        CasesCommand::Draft { reading: Reading { number, actor }, out: file } => {
            draft(&client.draft_case(number, actor)?, file, out)?;
        }
        CasesCommand::Open { uetr, leg, suspect, act: Act { actor, note } } => {
            out.print(&client.open_case(&CaseOpening { uetr, leg, suspect, actor, note })?, describe);
        }
        CasesCommand::Confirm { step, signal, grounds } => {
            out.print(&take(client, CaseState::Confirmed, step, signal, grounds)?, describe);
        }
        CasesCommand::Assign(step) => out.print(&simply(client, CaseState::Assigned, step)?, describe),
        CasesCommand::Clear(step) => out.print(&simply(client, CaseState::Cleared, step)?, describe),
        CasesCommand::Report(step) => out.print(&simply(client, CaseState::Reported, step)?, describe),
        CasesCommand::Approve(step) => out.print(&answer(client, step, true)?, describe),
        CasesCommand::Decline(step) => out.print(&answer(client, step, false)?, describe),
        CasesCommand::Review { step: Step { number, act: Act { actor, note } }, passed, failed: _ } => {
            out.print(&client.review_case(number, &CaseReviewing { passed, actor, note })?, describe);
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn simply(client: &Client, state: CaseState, step: Step) -> Result<CaseResult, CliError> {
    take(client, state, step, None, String::new())
}

fn take(
    client: &Client,
    state: CaseState,
    step: Step,
    signal: Option<Category>,
    grounds: String,
) -> Result<CaseResult, CliError> {
    let Act { actor, note } = step.act;
    Ok(client.step_case(step.number, &CaseAction { state, actor, note, signal, grounds })?)
}

fn answer(client: &Client, step: Step, approve: bool) -> Result<CaseResult, CliError> {
    let Act { actor, note } = step.act;
    Ok(client.answer_case(step.number, &CaseAnswer { approve, actor, note })?)
}

fn draft(text: &str, file: Option<PathBuf>, out: &Output) -> Result<(), CliError> {
    let Some(file) = file else {
        out.print(&serde_json::json!({ "draft": text }), |_| text.trim_end().to_owned());
        return Ok(());
    };
    audit::write(&file, text.as_bytes())?;
    let file = file.display().to_string();
    out.print(&serde_json::json!({ "file": file }), |_| format!("{file}: a draft; nothing was sent"));
    Ok(())
}

fn list(cases: &[CaseSummary]) -> String {
    let row = |case: &CaseSummary| {
        let reasons: Vec<_> = case.reasons.iter().map(|reason| reason.name()).collect();
        let due = case.due.as_ref().map_or(String::new(), |due| format!("{} {}", due.duty, due.due.to_utc()));
        let waits = match (&case.proposal, case.review) {
            (Some(proposal), _) => format!("approval: {}", proposal.state),
            (None, Some(CaseReview::Waiting)) if case.state == CaseState::Cleared => "review".to_owned(),
            _ => String::new(),
        };
        vec![
            case.number.to_string(),
            case.state.to_string(),
            subject(case.subject.as_ref()),
            format!("{}: {}", case.verdict, reasons.join(", ")),
            if case.overdue { format!("{due}, OVER") } else { due },
            waits,
        ]
    };
    let rows: Vec<_> = cases.iter().map(row).collect();
    table(&["case", "state", "subject", "why", "due", "waits for"], &rows, "no cases")
}

fn subject(subject: Option<&Subject>) -> String {
    subject.map_or("nobody named".to_owned(), super::signals::subject)
}

fn show(case: &CaseView) -> String {
    let mut text = format!("case {} is {}: {}", case.number, case.state, subject(case.subject.as_ref()));
    for decision in &case.decisions {
        text += &format!("\n  {}  {} {}", decision.at.to_utc(), decision.verdict, decision.payment);
    }
    for signal in &case.signals {
        text += &format!("\n  signal {}", short(signal));
    }
    for DeadlineView { rule, duty, due, met, overdue } in &case.deadlines {
        let state = match (met, overdue) {
            (Some(met), _) => format!("closed {}", met.to_utc()),
            (None, Some(_)) => "OVER".to_owned(),
            (None, None) => "open".to_owned(),
        };
        text += &format!("\n  {duty} before {} ({rule}): {state}", due.to_utc());
    }
    for CaseStepView { act, state, actor, at, note } in &case.steps {
        text += &format!("\n  {}  {act} by {actor}, {state}: {note}", at.to_utc());
    }
    text
}

fn describe(result: &CaseResult) -> String {
    let case = &result.case;
    let mut text = format!("case {} is {}: {}", case.number, case.state, subject(case.subject.as_ref()));
    if let Some(signal) = &result.signal {
        let id = signal.id.as_ref().map_or("pending".to_owned(), ToString::to_string);
        text += &format!("\nsignal {id} ({}, {}) is on its way", signal.severity, signal.category);
    }
    if let Some(note) = &result.note {
        text += &format!("\n{note}");
    }
    text
}

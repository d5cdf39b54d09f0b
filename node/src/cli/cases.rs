//! `hansa cases`.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use hansa_api::Client;
use hansa_api::model::{CaseAction, CaseOpening, CaseResult, CaseView, Leg};
use hansa_types::case::{CaseState, Suspect};
use hansa_types::id::Actor;
use hansa_types::signal::Category;
use hansa_types::uetr::Uetr;

use super::CliError;
use super::output::{Output, short, table};

/// What can be done with cases.
#[derive(Debug, Subcommand)]
pub enum CasesCommand {
    /// List the cases.
    #[command(after_help = "Example:\n  hansa cases list --state open")]
    List {
        /// Only cases of this state: open, assigned, confirmed, cleared, reported.
        #[arg(long)]
        state: Option<CaseState>,
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
    },
    /// There was nothing: the note says why. Alerts behind the case stop raising payments.
    Clear(Step),
    /// The case was reported to the authority.
    Report(Step),
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
    let (number, state, act, signal) = match command {
        CasesCommand::List { state } => {
            out.print(&client.cases(state)?, |cases| list(cases));
            return Ok(ExitCode::SUCCESS);
        }
        CasesCommand::Open { uetr, leg, suspect, act: Act { actor, note } } => {
            let result = client.open_case(&CaseOpening { uetr, leg, suspect, actor, note })?;
            out.print(&result, describe);
            return Ok(ExitCode::SUCCESS);
        }
        CasesCommand::Confirm { step, signal } => (step.number, CaseState::Confirmed, step.act, signal),
        CasesCommand::Assign(step) => (step.number, CaseState::Assigned, step.act, None),
        CasesCommand::Clear(step) => (step.number, CaseState::Cleared, step.act, None),
        CasesCommand::Report(step) => (step.number, CaseState::Reported, step.act, None),
    };
    let result = client.step_case(number, &CaseAction { state, actor: act.actor, note: act.note, signal })?;
    out.print(&result, describe);
    Ok(ExitCode::SUCCESS)
}

fn list(cases: &[CaseView]) -> String {
    let row = |case: &CaseView| {
        let origin = case.signal.as_ref().map_or_else(
            || case.decision.as_ref().map_or(String::new(), |d| d.payment.to_string()),
            |signal| format!("signal {}", short(signal)),
        );
        vec![case.number.to_string(), case.state.to_string(), subject(case), origin]
    };
    let rows: Vec<_> = cases.iter().map(row).collect();
    table(&["case", "state", "subject", "from"], &rows, "no cases")
}

fn subject(case: &CaseView) -> String {
    super::signals::subject(&case.subject)
}

fn describe(result: &CaseResult) -> String {
    let case = &result.case;
    let mut text = format!("case {} is {}: {}", case.number, case.state, subject(case));
    if let Some(signal) = &result.signal {
        let id = signal.id.as_ref().map_or("pending".to_owned(), ToString::to_string);
        text += &format!("\nsignal {id} ({}, {}) is on its way", signal.severity, signal.category);
    }
    if let Some(note) = &result.note {
        text += &format!("\n{note}");
    }
    text
}

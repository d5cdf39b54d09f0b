//! `hansa why` and `hansa replay`: a decision explained, and taken again.

use std::process::ExitCode;

use clap::Args;
use hansa_api::Client;
use hansa_api::model::{FlipView, Leg, OutcomeView, ReplayView, SummandView, WhyView};
use hansa_types::uetr::Uetr;

use super::CliError;
use super::output::{Output, table};

/// How many changes are named that would bring the score across the threshold.
const FLIPS: usize = 3;

/// Which payment.
#[derive(Debug, Args)]
pub struct PaymentArgs {
    /// The payment's UETR.
    uetr: Uetr,
    /// The leg, as INSTRUCTING/INSTRUCTED, where the payment went over several here.
    #[arg(long)]
    leg: Option<Leg>,
}

/// Exit code 1 if the decision comes out otherwise: scripts need not read.
pub(super) fn replay(args: &PaymentArgs, client: &Client, out: &Output) -> Result<ExitCode, CliError> {
    let view = client.replay(args.uetr, args.leg.as_ref())?;
    out.print(&view, replayed);
    Ok(if view.same { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

pub(super) fn why(args: &PaymentArgs, client: &Client, out: &Output) -> Result<ExitCode, CliError> {
    out.print(&client.why(args.uetr, args.leg.as_ref())?, explained);
    Ok(ExitCode::SUCCESS)
}

fn replayed(view: &ReplayView) -> String {
    let first = format!("{}: {} at {}", view.payment, outcome(&view.decided), view.decided_at);
    if view.same {
        return format!("{first}\nthe same again, bit for bit, under {}", basis(&view.decided));
    }
    let second = format!("now {}", outcome(&view.replayed));
    [vec![first, second], view.differences.clone()].concat().join("\n")
}

fn outcome(view: &OutcomeView) -> String {
    let reasons: Vec<_> = view.reasons.iter().map(ToString::to_string).collect();
    let why = if reasons.is_empty() { String::new() } else { format!(" for {}", reasons.join(", ")) };
    let disposition = view.disposition.map(|disposition| format!(", {disposition}")).unwrap_or_default();
    format!("{}{disposition}{why}, score {}", view.verdict, view.score)
}

fn basis(view: &OutcomeView) -> String {
    let lists: Vec<_> = view.lists.iter().map(|list| format!("{} of {}", list.name, list.date)).collect();
    let lists = if lists.is_empty() { "no list".to_owned() } else { lists.join(", ") };
    format!("{lists}, and model {}", view.model_version)
}

fn explained(view: &WhyView) -> String {
    let mut lines = vec![
        format!("{}: {} at {}", view.payment, outcome(&view.decided), view.decided_at),
        format!("under {}", basis(&view.decided)),
        String::new(),
        score(view),
    ];
    let found: Vec<_> = view
        .findings
        .iter()
        .filter_map(|finding| finding.reason.map(|reason| format!("{reason}: {}", finding.text)))
        .collect();
    if !found.is_empty() {
        lines.push(String::new());
        lines.extend(found);
    }
    lines.push(String::new());
    let without =
        view.without.iter().map(|without| format!("without {}: {}", without.reason, without.verdict));
    lines.extend(without);
    lines.push(flips(view));
    lines.push(format!("today: {} under {}", outcome(&view.today), basis(&view.today)));
    lines.join("\n")
}

fn score(view: &WhyView) -> String {
    let row = |summand: &SummandView| {
        vec![
            summand.points.to_string(),
            format!("{} x {}", summand.value, summand.weight),
            summand.factor.clone(),
            summand.evidence.clone(),
        ]
    };
    let mut rows: Vec<_> = view.summands.iter().map(row).collect();
    let sum = view.decided.score;
    rows.push(vec![
        sum.to_string(),
        String::new(),
        "score".to_owned(),
        format!("held from {}", view.threshold),
    ]);
    table(&["points", "value x weight", "factor", "because"], &rows, "")
}

fn flips(view: &WhyView) -> String {
    let change = |flip: &FlipView| format!("{} {} instead of {}", flip.factor, flip.to, flip.value);
    let changes: Vec<_> = view.flips.iter().take(FLIPS).map(change).collect();
    let to = if view.decided.score >= view.threshold { "be below" } else { "reach" };
    match changes.is_empty() {
        true => format!("no factor alone would make the score {to} the threshold"),
        false => format!("the score would {to} the threshold with {}", changes.join(", or ")),
    }
}

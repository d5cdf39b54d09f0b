//! `hansa model`: the risk model, before it decides and while it does.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand};
use hansa_api::model::{
    BacktestRequest, BacktestView, DriftQuery, DriftView, ModelReload, ModelView, SampleQuery, SampleView,
    SampledView,
};
use hansa_screening::RiskModel;
use hansa_screening::factors::Factor;
use hansa_types::id::{Actor, Timestamp};
use serde::Serialize;

use super::CliError;
use super::output::{Output, short, table};
use crate::load::LoadError;
use crate::node::now;

const DAY: u64 = 86_400;

/// What can be done with the model.
#[derive(Debug, Subcommand)]
pub enum ModelCommand {
    /// The model in use.
    #[command(after_help = "Example:\n  hansa model status")]
    Status,
    /// Read a model's file and say what it weighs; without a node.
    #[command(after_help = "Example:\n  hansa model check model-2.toml")]
    Check {
        /// The file.
        file: PathBuf,
    },
    /// What distinguishes two models; without a node.
    #[command(after_help = "Example:\n  hansa model diff model-1.toml model-2.toml")]
    Diff {
        /// The file of the model before.
        before: PathBuf,
        /// The file of the model after.
        after: PathBuf,
    },
    /// What a model would have made of decisions taken: alerts, and the payments whose verdict would change.
    #[command(after_help = "Example:\n  hansa model backtest model-2.toml --days 30")]
    Backtest {
        /// The file.
        file: PathBuf,
        /// From how many days ago on.
        #[arg(long, default_value_t = 30)]
        days: u32,
    },
    /// Read the configuration's model again and take it over. It is watched for fifteen minutes, and taken back if
    /// payments are decided much otherwise.
    #[command(after_help = "Example:\n  hansa model reload --actor officer.a")]
    Reload {
        /// Who.
        #[arg(long)]
        actor: Actor,
        /// It is to stay, however differently payments are decided; also ends a watch that is going on.
        #[arg(long)]
        unwatched: bool,
    },
    /// Whether the last days' scores and factors are distributed as those of the days before.
    #[command(
        after_help = "The population stability index: below 0.1 stable, above 0.25 shifted.\n\nExample:\n  hansa model drift --days 7 --reference 30"
    )]
    Drift {
        /// How many days are compared.
        #[arg(long, default_value_t = 7)]
        days: u32,
        /// With how many days before them.
        #[arg(long, default_value_t = 30)]
        reference: u32,
    },
    /// Draw payments just below the threshold and just above it, for a person to look at.
    #[command(after_help = "Example:\n  hansa model sample --points 100 --count 20")]
    Sample(SampleArgs),
}

/// Which payments to draw.
#[derive(Debug, Args)]
pub struct SampleArgs {
    /// From how many days ago on.
    #[arg(long, default_value_t = 30)]
    days: u32,
    /// How far from the threshold at the most.
    #[arg(long, default_value_t = 100)]
    points: u32,
    /// How many on either side.
    #[arg(long, default_value_t = 20)]
    count: u32,
}

/// A model as its file says.
#[derive(Serialize)]
struct Checked {
    version: u32,
    digest: String,
    hold_threshold: i64,
    weights: BTreeMap<String, i16>,
}

/// A factor that two models weigh differently.
#[derive(Serialize)]
struct Reweighed {
    factor: String,
    before: i64,
    after: i64,
}

pub(super) fn execute(command: ModelCommand, config: &Path, out: &Output) -> Result<ExitCode, CliError> {
    let client = || super::client(config);
    match command {
        ModelCommand::Status => out.print(&client()?.model()?, status),
        ModelCommand::Check { file } => out.print(&checked(&read(&file)?.0), check),
        ModelCommand::Diff { before, after } => {
            out.print(&reweighed(&read(&before)?.0, &read(&after)?.0), |changes| diff(changes));
        }
        ModelCommand::Backtest { file, days } => {
            let request = BacktestRequest { model: read(&file)?.1, since: ago(days) };
            out.print(&client()?.backtest(&request)?, backtest);
        }
        ModelCommand::Reload { actor, unwatched } => {
            out.print(&client()?.reload_model(&ModelReload { actor, unwatched })?, status);
        }
        ModelCommand::Drift { days, reference } => {
            let query = DriftQuery { before: ago(days.saturating_add(reference)), since: ago(days) };
            out.print(&client()?.drift(&query)?, drift);
        }
        ModelCommand::Sample(SampleArgs { days, points, count }) => {
            out.print(&client()?.sample(&SampleQuery { since: ago(days), points, count })?, sample);
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn ago(days: u32) -> Timestamp {
    Timestamp(now().0.saturating_sub(u64::from(days) * DAY))
}

fn read(path: &Path) -> Result<(RiskModel, String), CliError> {
    let text =
        std::fs::read_to_string(path).map_err(|source| CliError::File { path: path.to_owned(), source })?;
    match RiskModel::parse(&text) {
        Ok(model) => Ok((model, text)),
        Err(source) => Err(LoadError::Model { path: path.to_owned(), source }.into()),
    }
}

fn checked(RiskModel { model, hold_threshold }: &RiskModel) -> Checked {
    let weight = |factor: &Factor| (factor.to_string(), model.weights[factor.slot()]);
    Checked {
        version: model.version,
        digest: model.digest().to_string(),
        hold_threshold: hold_threshold.0,
        weights: Factor::ALL.iter().map(weight).filter(|(_, weight)| *weight != 0).collect(),
    }
}

fn reweighed(before: &RiskModel, after: &RiskModel) -> Vec<Reweighed> {
    let factors = Factor::ALL.iter().map(|factor| {
        let weight = |model: &RiskModel| i64::from(model.model.weights[factor.slot()]);
        (factor.to_string(), weight(before), weight(after))
    });
    let others = [
        ("version".to_owned(), i64::from(before.model.version), i64::from(after.model.version)),
        ("hold_threshold".to_owned(), before.hold_threshold.0, after.hold_threshold.0),
    ];
    let all = others.into_iter().chain(factors).filter(|(_, before, after)| before != after);
    all.map(|(factor, before, after)| Reweighed { factor, before, after }).collect()
}

fn weights(weights: &BTreeMap<String, i16>) -> String {
    let unit = |name: &str| {
        Factor::ALL
            .iter()
            .find(|factor| factor.name() == name)
            .map(|factor| factor.unit())
            .unwrap_or_default()
    };
    let row = |(name, weight): (&String, &i16)| vec![name.clone(), weight.to_string(), unit(name).to_owned()];
    table(&["factor", "points", "for each of"], &weights.iter().map(row).collect::<Vec<_>>(), "")
}

fn check(model: &Checked) -> String {
    let Checked { version, digest, hold_threshold, weights: all } = model;
    format!("model {version} ({}), held from {hold_threshold}\n{}", short(digest), weights(all))
}

fn status(view: &ModelView) -> String {
    let registered = if view.registered { "registered" } else { "NOT registered: nothing can be signalled" };
    let mut lines = vec![format!(
        "model {} ({}), held from {}, {registered}",
        view.version,
        short(&view.digest),
        view.hold_threshold
    )];
    lines.extend(view.watched_until.map(|until| format!("watched until {until}")));
    lines.extend(view.challenger.map(|version| format!("model {version} is scored beside it")));
    lines.push(weights(&view.weights));
    lines.join("\n")
}

fn diff(changes: &[Reweighed]) -> String {
    let row =
        |change: &Reweighed| vec![change.factor.clone(), change.before.to_string(), change.after.to_string()];
    table(&["", "before", "after"], &changes.iter().map(row).collect::<Vec<_>>(), "they are the same")
}

/// Said where not everything that was asked for was looked at.
fn truncation(truncated: bool) -> Option<String> {
    truncated
        .then(|| "there are more decisions than were looked at: ask for fewer days to see all".to_owned())
}

fn backtest(view: &BacktestView) -> String {
    let named =
        |payments: &[String]| payments.iter().map(|payment| format!("  {payment}")).collect::<Vec<_>>();
    let mut lines = vec![
        format!("{} decisions, stability index {:.3}", view.decisions, view.psi),
        format!(
            "alerts {:.1} of 1,000 payments instead of {:.1}",
            view.is.alerts_per_1000, view.was.alerts_per_1000
        ),
        format!("{} would be held and were not", view.newly_held),
    ];
    lines.extend(named(&view.newly_held_payments));
    lines.push(format!("{} were held and would not be", view.no_longer_held));
    lines.extend(named(&view.no_longer_held_payments));
    lines.extend(truncation(view.truncated));
    lines.join("\n")
}

fn drift(view: &DriftView) -> String {
    let Some(psi) = view.psi else {
        return format!("{} and {} decisions: nothing to compare", view.decisions.0, view.decisions.1);
    };
    let verdict = if view.shifted { "SHIFTED" } else { "no shift" };
    let first = format!(
        "{verdict}: stability index {psi:.3}, {} decisions after {}",
        view.decisions.1, view.decisions.0
    );
    let alerts = view.was.zip(view.is).map(|(was, is)| {
        format!("alerts {:.1} of 1,000 payments after {:.1}", is.alerts_per_1000, was.alerts_per_1000)
    });
    let row = |(factor, psi): (&String, &f64)| vec![factor.clone(), format!("{psi:.3}")];
    let factors = table(&["factor", "index"], &view.factors.iter().map(row).collect::<Vec<_>>(), "");
    [Some(first), alerts, Some(factors), truncation(view.truncated)]
        .into_iter()
        .flatten()
        .collect::<Vec<_>>()
        .join("\n")
}

fn sample(view: &SampleView) -> String {
    let rows = |side: &str, payments: &[SampledView]| {
        let row = |payment: &SampledView| {
            vec![
                side.to_owned(),
                payment.score.to_string(),
                payment.decided_at.to_string(),
                payment.payment.clone(),
            ]
        };
        payments.iter().map(row).collect::<Vec<_>>()
    };
    let rows = [rows("below", &view.below), rows("above", &view.above)].concat();
    let threshold = format!("threshold {}", view.threshold);
    let rows = table(&["", "score", "decided", "payment"], &rows, "nobody is near");
    [Some(threshold), Some(rows), truncation(view.truncated)]
        .into_iter()
        .flatten()
        .collect::<Vec<_>>()
        .join("\n")
}

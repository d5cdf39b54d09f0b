//! The ceremony: what contributing, starting phase 2 and verifying cost, beside snarkjs at the same size and curve.
//!
//! Ours runs in a child process behind the peers' line protocol, so that its peak memory is its own, and both answer
//! with the CPU time of all their threads. Contributions are timed without the verification before them, which is a step
//! of its own. Ours does more in that: it begins with the whole transcript, and checks every point's subgroup.

use std::path::Path;
use std::process::Command;

use super::figure::{Figure, PeerFigure, Target};
use super::peer::{Peer, Peers};
use super::plan::Plan;
use super::sample::Sample;
use super::{BenchError, BenchName, ceremony_child};

const CONTRIBUTE: Target = Target::ratio_at_most(0.1);
const CONTRIBUTE_SECONDS: Target = Target::value_at_most(2.0);
const VERIFY_WITH_START: Target = Target::ratio_at_most(0.1);
const RSS_MB: Target = Target::value_at_most(500.0);
/// Times n log n: what growth may cost beside it.
const GROWTH: Target = Target::value_at_most(1.25);

/// The commands in the order of a ceremony, their figures, and what is wanted of them.
const STEPS: [(&str, &str, Option<Target>); 5] = [
    ("phase1-contribute", "ceremony.phase1_contribute", Some(CONTRIBUTE)),
    ("phase1-verify", "ceremony.phase1_verify", None),
    ("phase2-start", "ceremony.phase2_start", None),
    ("phase2-contribute", "ceremony.phase2_contribute", Some(CONTRIBUTE_SECONDS)),
    ("phase2-verify", "ceremony.phase2_verify", None),
];
/// What a verifier who believes nothing pays: all but the contributions.
const VERIFYING: [usize; 3] = [1, 2, 4];

/// One ceremony of each, step by step in turns.
pub(super) fn measure(plan: &Plan, peers: &Peers) -> Result<Vec<Figure>, BenchError> {
    let folder = tempfile::tempdir()?;
    let [own, theirs] = ["own", "theirs"].map(|name| folder.path().join(name));
    std::fs::create_dir(&own)?;
    std::fs::create_dir(&theirs)?;
    let mut ours = child(&own)?;
    let mut peer = peers.snarkjs(&theirs)?;
    let new = format!("new {}", plan.ceremony_power);
    ours.number(&new)?;
    if let Some(peer) = &mut peer {
        peer.number(&new)?;
    }
    let mut seconds = Vec::new();
    for (command, ..) in STEPS {
        let own = ours.ask(command)?.as_secs_f64();
        let other = peer.as_mut().map(|peer| peer.ask(command)).transpose()?;
        seconds.push((own, other.map(|other| other.as_secs_f64())));
    }
    let beside = |value: Option<f64>| {
        let name = peer.as_ref().map(|peer| peer.name().to_owned());
        name.zip(value).map(|(name, value)| PeerFigure { name, value })
    };
    let mut figures: Vec<Figure> = STEPS
        .iter()
        .zip(&seconds)
        .map(|((_, name, target), (own, other))| {
            let figure = Figure::exact(name, "CPU s", *own).beside(beside(*other));
            target.iter().fold(figure, |figure, target| figure.with_target(*target))
        })
        .collect();
    let own = VERIFYING.iter().map(|step| seconds[*step].0).sum();
    let other = VERIFYING.iter().map(|step| seconds[*step].1).sum();
    figures.push(
        Figure::exact("ceremony.verify_with_start", "CPU s", own)
            .beside(beside(other))
            .with_target(VERIFY_WITH_START),
    );
    let peak = ours.number(ceremony_child::PEAK)? as f64 / 1e6;
    figures.push(Figure::exact("ceremony.rss", "MB", peak).with_target(RSS_MB));
    figures.extend(growth(plan)?);
    Ok(figures)
}

/// How much more than n log n the steps take at the largest size than at the smallest.
fn growth(plan: &Plan) -> Result<Vec<Figure>, BenchError> {
    let Some((small, large)) = plan.ceremony_growth else { return Ok(Vec::new()) };
    let mut steps = Vec::new();
    for power in [small, large] {
        let folder = tempfile::tempdir()?;
        let mut child = child(folder.path())?;
        child.number(&format!("new {power}"))?;
        let times: Result<Vec<f64>, BenchError> =
            STEPS.iter().map(|(command, ..)| Ok(child.ask(command)?.as_secs_f64())).collect();
        steps.push(times?);
    }
    let n_log_n = |power: u8| f64::from(power) * 2_f64.powi(power.into());
    let allowed = n_log_n(large) / n_log_n(small);
    let figure = |(step, (_, name, _)): (usize, &(&str, &str, Option<Target>))| {
        let value = steps[1][step] / steps[0][step] / allowed;
        let sample = Sample::new(vec![value]).ok_or_else(|| {
            BenchError::failed(BenchName::Ceremony, format!("{name} took no time at 2^{small}"))
        })?;
        Ok(Figure::of_sample(&format!("{name}_growth"), "times n log n", &sample).with_target(GROWTH))
    };
    STEPS.iter().enumerate().map(figure).collect()
}

fn child(folder: &Path) -> Result<Peer, BenchError> {
    let program = std::env::current_exe()?;
    Ok(Peer::start(Command::new(program).args(["bench", ceremony_child::OPTION]).arg(folder))?)
}

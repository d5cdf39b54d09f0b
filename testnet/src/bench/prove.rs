//! Making a signal: the time of a proof beside the RLN library's, the memory it takes, the size of the outcome.

use std::process::Command;

use hansa_prover::setup;
use hansa_types::codec::Encode;
use rand::rngs::OsRng;

use super::figure::{Figure, Target};
use super::fixture::Consortium;
use super::peer::{Peer, Peers};
use super::plan::{Plan, timed};
use super::{BenchError, BenchName, child};

const FULL: Target = Target::ratio_at_most(1.0);
const CACHED: Target = Target::ratio_at_most(0.5);
const RSS_MB: Target = Target::value_at_most(150.0);
const SIGNAL_BYTES: Target = Target::value_at_most(640.0);

/// A full proof is what a node does for a signal: derive, compute the assignment, check it, prove, verify the own
/// proof. A cached one is the same with the part that the sender's signals of the epoch share computed beforehand.
/// The peer's is a full proof for both, which says less.
pub(super) fn measure(plan: &Plan, peers: &mut Peers) -> Result<Vec<Figure>, BenchError> {
    let failed = |e: &dyn std::fmt::Display| BenchError::failed(BenchName::Prove, e);
    let key = setup::development(&mut OsRng).map_err(|e| failed(&e))?;
    let memory = peak_memory(&key.to_bytes())?;
    let consortium = Consortium::new(key).map_err(|e| failed(&e))?;
    consortium.prepare();
    let (mut number, mut bytes) = (0, 0);
    let ours = || {
        let (signal, taken) = timed(|| consortium.prove(number, &mut OsRng));
        number += 1;
        bytes = signal.map_err(|e| failed(&e))?.to_bytes().len();
        Ok(taken)
    };
    let measured = plan.alternate(ours, peers.rln()?.map(|rln| (rln, "prove")))?;
    let part = consortium.epoch_part().map_err(|e| failed(&e))?;
    let mut counter = 0;
    let ours = || {
        let (signal, taken) = timed(|| consortium.prove_within(&part, counter, &mut OsRng));
        counter += 1;
        signal.map_err(|e| failed(&e)).map(|_| taken)
    };
    let cached = plan.alternate(ours, peers.rln()?.map(|rln| (rln, "prove")))?;
    Ok(vec![
        Figure::of_sample("prove.full", "ms", &measured.ours)
            .beside(measured.peer_milliseconds())
            .with_target(FULL),
        Figure::of_sample("prove.cached", "ms", &cached.ours)
            .beside(cached.peer_milliseconds())
            .with_target(CACHED),
        Figure::exact("prove.rss", "MB", memory).with_target(RSS_MB),
        Figure::exact("signal.bytes", "bytes", bytes as f64).with_target(SIGNAL_BYTES),
    ])
}

/// The peak memory in MB of a process that loads the key, proves one signal and does nothing else.
fn peak_memory(key: &[u8]) -> Result<f64, BenchError> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("proving.key");
    std::fs::write(&file, key)?;
    let program = std::env::current_exe()?;
    let mut process = Peer::start(Command::new(program).args(["bench", child::OPTION]).arg(&file))?;
    Ok(process.number(child::PEAK)? as f64 / 1e6)
}

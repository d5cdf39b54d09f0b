//! Checking signals: one by one, and in batches that share one final exponentiation.

use hansa_prover::setup;
use hansa_prover::verify::{MAX_BATCH, SignalVerifier};
use hansa_types::signal::Signal;
use hansa_types::verify::{Verifier, VerifyError};
use rand::rngs::OsRng;

use super::figure::{Figure, Target};
use super::fixture::Consortium;
use super::peer::Peers;
use super::plan::{Plan, timed};
use super::{BenchError, BenchName};

/// A higher ratio is better here: both are rates.
const BATCH: Target = Target::ratio_at_least(4.0);
/// Signals in the batch, as the figure's name says.
const BATCH_SIZE: usize = 256;
const _: () = assert!(BATCH_SIZE <= MAX_BATCH, "the figure is about one pairing product");
/// Different signals among them. The rest are copies: nothing is kept between proofs, so a copy costs as much.
const DIFFERENT: usize = 4;

/// Both figures start from the signal as received: the proof is decoded and its points checked to be in the subgroup.
/// The peer is given a decoded proof.
pub(super) fn measure(plan: &Plan, peers: &mut Peers) -> Result<Vec<Figure>, BenchError> {
    let failed = |e: &dyn std::fmt::Display| BenchError::failed(BenchName::Verify, e);
    let key = setup::development(&mut OsRng).map_err(|e| failed(&e))?;
    let consortium = Consortium::new(key).map_err(|e| failed(&e))?;
    let signals: Vec<Signal> = (0..DIFFERENT)
        .map(|number| consortium.prove(number, &mut OsRng).map_err(|e| failed(&e)))
        .collect::<Result<_, _>>()?;
    let batch: Vec<Signal> = signals.iter().cycle().take(BATCH_SIZE).cloned().collect();
    let verifier = SignalVerifier::new(consortium.context().clone(), consortium.verifying_key().clone())
        .map_err(|e| failed(&e))?;
    let accepted = |verdict: Result<(), VerifyError>| verdict.map_err(|e| failed(&e));

    let mut next = signals.iter().cycle();
    let single = || {
        let Some(signal) = next.next() else { return Err(failed(&"no signal to verify")) };
        let (verdict, taken) = timed(|| verifier.verify(signal));
        accepted(verdict).map(|()| taken)
    };
    let single = plan.alternate(single, peers.rln()?.map(|rln| (rln, "verify")))?;

    let together = || {
        let (verdicts, taken) = timed(|| verifier.verify_all(&batch));
        verdicts.into_iter().try_for_each(accepted).map(|()| taken)
    };
    let together = plan.alternate(together, peers.rln()?.map(|rln| (rln, "verify")))?;
    let rate = together.ours.map(|milliseconds| BATCH_SIZE as f64 * 1e3 / milliseconds);
    let rate = rate.ok_or_else(|| failed(&"a batch took no time"))?;

    Ok(vec![
        Figure::of_sample("verify.single", "ms", &single.ours).beside(single.peer_milliseconds()),
        Figure::of_sample("verify.batch256", "per s per core", &rate)
            .beside(together.peer_per_second())
            .with_target(BATCH),
    ])
}

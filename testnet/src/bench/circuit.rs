//! How large the circuit is.

use hansa_prover::circuit::metrics;

use super::BenchError;
use super::figure::{Figure, Target};

/// Domains up to this fit the design (decision 8); the domain doubles the cost of a proof's transforms.
const DOMAIN_LOG2: Target = Target::value_at_most(13.0);

/// Counts of this build's circuit.
pub(super) fn measure() -> Result<Vec<Figure>, BenchError> {
    let metrics = metrics();
    Ok(vec![
        Figure::exact("circuit.constraints", "", metrics.constraints as f64),
        Figure::exact("circuit.domain_log2", "", f64::from(metrics.domain_log2)).with_target(DOMAIN_LOG2),
        Figure::exact("circuit.nonzeros_b", "", metrics.nonzeros_b as f64),
    ])
}

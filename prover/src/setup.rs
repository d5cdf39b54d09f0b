//! Development keys: one party knows the trapdoor, so it can forge. A manifest that pins such a key must say
//! `development = true`, and nodes refuse it unless started with `--development`.

use ark_bls12_381::{Bls12_381, Fr, G1Projective, G2Projective};
use ark_ec::PrimeGroup;
use ark_ff::{Field, UniformRand};
use ark_groth16::Groth16;
use rand::{CryptoRng, RngCore};

use crate::{
    circuit::Shape,
    keys::{KeyError, ProvingKey},
};

/// Why the setup failed.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// arkworks could not make a key from the constraints.
    #[error("the setup could not process the constraints: {0}")]
    Synthesis(#[from] ark_relations::gr1cs::SynthesisError),
    /// The key made is unsound, which has negligible probability with a sound random generator.
    #[error(transparent)]
    Key(#[from] KeyError),
}

/// A fresh pair of keys, over the standard generators as the ceremony's are.
///
/// # Errors
/// [`SetupError`]; not expected for this circuit.
pub fn development(rng: &mut (impl RngCore + CryptoRng)) -> Result<ProvingKey, SetupError> {
    development_with(rng)
}

/// [`development`], compiled here and not in every crate that brings a generator.
fn development_with(mut rng: &mut dyn RngCore) -> Result<ProvingKey, SetupError> {
    let mut nonzero = || loop {
        let element = Fr::rand(rng);
        if element.inverse().is_some() {
            return element;
        }
    };
    let [alpha, beta, gamma, delta] = [nonzero(), nonzero(), nonzero(), nonzero()];
    let points = Groth16::<Bls12_381>::generate_parameters_with_qap(
        &Shape::blank_system(),
        alpha,
        beta,
        gamma,
        delta,
        G1Projective::generator(),
        G2Projective::generator(),
        &mut rng,
    )?;
    Ok(ProvingKey::new(points)?)
}

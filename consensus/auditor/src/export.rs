//! The proofs of a bundle's signals as files that other implementations of Groth16 read (snarkjs' JSON layout).
//!
//! An auditor who trusts none of our arithmetic lets snarkjs or py_ecc judge whether a proof holds for its public
//! inputs. That the inputs are the right ones is a matter of the manifest and recomputed here, whoever judges.

use std::fmt;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;

use hansa_prover::export::{G1, G2, KeyCoordinates, ProofCoordinates, key, proof};
use hansa_prover::verify::{Context, SignalVerifier};
use hansa_types::hash::Digest;
use hansa_types::manifest::Manifest;
use serde::Serialize;
use serde_json::{Value, json};

use crate::verify::{VerifyError, signals_in};

/// The file with the verifying key.
pub const KEY_FILE: &str = "verification_key.json";

/// The proofs of a bundle.
#[derive(Clone, Debug)]
pub struct Export {
    /// The verifying key that the manifest pins.
    pub key: Value,
    /// The signals' proofs, in the order of the log.
    pub proofs: Vec<ExportedProof>,
}

/// The proof of one signal.
#[derive(Clone, Debug)]
pub struct ExportedProof {
    /// The place of its record in the log.
    pub index: u64,
    /// The signal.
    pub signal: Digest,
    /// A, B and C.
    pub proof: Value,
    /// The public inputs, recomputed from manifest and signal.
    pub inputs: Value,
    /// Our own verdict.
    pub holds: bool,
}

/// What was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ExportReport {
    /// The file with the verifying key.
    pub key: String,
    /// The proofs.
    pub proofs: Vec<WrittenProof>,
}

/// The files of one proof.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct WrittenProof {
    /// The signal.
    pub signal: Digest,
    /// The file with A, B and C.
    pub proof: String,
    /// The file with the public inputs.
    pub inputs: String,
    /// Our own verdict, for comparison.
    pub holds: bool,
}

/// The proofs of every signal in the bundle `bytes`, true or not. The records are checked to be in a member's log.
///
/// # Errors
/// [`VerifyError`] if the log does not hold them, the key is missing or not the manifest's, or a signal has no public
/// inputs under this manifest.
pub fn export(bytes: &[u8], manifest: &Manifest) -> Result<Export, VerifyError> {
    let (verifying, signals) = signals_in(bytes, manifest)?;
    let exported_key = key_json(&key(&verifying));
    let context = Arc::new(Context::new(Arc::new(manifest.clone()))?);
    let verifier = SignalVerifier::new(context.clone(), verifying)?;
    let mut proofs = Vec::new();
    for (index, signal) in signals {
        let id = signal.id();
        let exported = proof(&context, &signal).map_err(|source| VerifyError::Signal { id, source })?;
        proofs.push(ExportedProof {
            index,
            signal: id,
            proof: proof_json(&exported),
            inputs: json!(exported.inputs),
            holds: verifier.check(&signal).is_ok(),
        });
    }
    Ok(Export { key: exported_key, proofs })
}

impl Export {
    /// Writes the files into `folder`, which is made; none that exists is overwritten.
    ///
    /// # Errors
    /// What the system says.
    pub fn write(&self, folder: &Path) -> std::io::Result<ExportReport> {
        fs::create_dir_all(folder)?;
        let write = |name: String, value: &Value| -> std::io::Result<String> {
            let text = format!("{value:#}\n");
            File::create_new(folder.join(&name))?.write_all(text.as_bytes())?;
            Ok(name)
        };
        let key = write(KEY_FILE.to_owned(), &self.key)?;
        let mut proofs = Vec::new();
        for ExportedProof { index, signal, proof, inputs, holds } in &self.proofs {
            proofs.push(WrittenProof {
                signal: *signal,
                proof: write(format!("proof-{index}.json"), proof)?,
                inputs: write(format!("public-{index}.json"), inputs)?,
                holds: *holds,
            });
        }
        Ok(ExportReport { key, proofs })
    }
}

impl fmt::Display for ExportReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "EXPORTED, for others to judge: snarkjs groth16 verify {} PUBLIC PROOF", self.key)?;
        for WrittenProof { signal, proof, inputs, holds } in &self.proofs {
            let verdict = if *holds { "holds" } else { "does NOT hold" };
            writeln!(f, "  {inputs} {proof}: signal {signal}, the proof {verdict} by our own check")?;
        }
        write!(f, "  NOTE      that the public inputs are the right ones was recomputed from the manifest")
    }
}

fn g1([x, y]: &G1) -> Value {
    json!([x, y, "1"])
}

fn g2([x, y]: &G2) -> Value {
    json!([x, y, ["1", "0"]])
}

fn key_json(key: &KeyCoordinates) -> Value {
    json!({
        "protocol": "groth16",
        "curve": "bls12381",
        "nPublic": key.inputs.len() - 1,
        "vk_alpha_1": g1(&key.alpha),
        "vk_beta_2": g2(&key.beta),
        "vk_gamma_2": g2(&key.gamma),
        "vk_delta_2": g2(&key.delta),
        "IC": key.inputs.iter().map(g1).collect::<Vec<_>>(),
    })
}

fn proof_json(proof: &ProofCoordinates) -> Value {
    json!({
        "protocol": "groth16",
        "curve": "bls12381",
        "pi_a": g1(&proof.a),
        "pi_b": g2(&proof.b),
        "pi_c": g1(&proof.c),
    })
}

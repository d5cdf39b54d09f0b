//! The bench's own child process, behind the same line protocol as a peer: it proves one signal in a process that has
//! done nothing else, so that the kernel's high-water mark of its memory is the prover's.

use std::io::{BufRead, Write, stdin, stdout};
use std::path::Path;

use hansa_prover::keys::ProvingKey;
use rand::rngs::OsRng;

use super::fixture::Consortium;
use super::machine::peak_resident_bytes;
use super::{BenchError, BenchName};

/// The hidden option that makes a child of this program, with the proving key's file as its value.
pub(super) const OPTION: &str = "--prover-child";
/// Asks for the peak of resident memory after one proof, in bytes.
pub(super) const PEAK: &str = "peak-memory";

/// Answers commands until the input ends.
pub(super) fn serve(key: &Path) -> Result<(), BenchError> {
    let mut out = stdout().lock();
    writeln!(out, "ready hansa {}", env!("CARGO_PKG_VERSION"))?;
    out.flush()?;
    for line in stdin().lock().lines() {
        match line?.trim() {
            PEAK => writeln!(out, "ok {}", peak_after_a_proof(key)?)?,
            other => writeln!(out, "error unknown command {other:?}: {PEAK} is wanted")?,
        }
        out.flush()?;
    }
    Ok(())
}

fn peak_after_a_proof(key: &Path) -> Result<u64, BenchError> {
    let failed = |e: &dyn std::fmt::Display| BenchError::failed(BenchName::Prove, e);
    let bytes = std::fs::read(key).map_err(|source| BenchError::Read { path: key.to_owned(), source })?;
    let key = ProvingKey::from_bytes(&bytes).map_err(|e| failed(&e))?;
    drop(bytes);
    Consortium::new(key).map_err(|e| failed(&e))?.prove(0, &mut OsRng).map_err(|e| failed(&e))?;
    peak_resident_bytes().ok_or_else(|| failed(&"/proc/self/status gives no VmHWM; it needs Linux"))
}

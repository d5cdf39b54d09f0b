//! The bench's own child processes, behind the same line protocol as a peer: each carries out one operation in a process
//! that has done nothing else, so that the kernel's high-water mark of its memory is that operation's.

use std::io::{BufRead, Write, stdin, stdout};
use std::path::Path;

use hansa_prover::keys::ProvingKey;
use rand::rngs::OsRng;

use super::fixture::Consortium;
use super::machine::peak_resident_bytes;
use super::{BenchError, BenchName};

/// The hidden option that makes a child of this program, with the proving key's file as its value.
pub(super) const OPTION: &str = "--prover-child";
/// Asks for the peak of resident memory after the operation, in bytes.
pub(super) const PEAK: &str = "peak-memory";

/// Answers commands until the input ends.
pub(super) fn serve(key: &Path) -> Result<(), BenchError> {
    serve_peak(|| prove_once(key))
}

/// Answers [`PEAK`] with the peak of memory after `operation`, until the input ends.
pub(super) fn serve_peak(operation: impl Fn() -> Result<(), BenchError>) -> Result<(), BenchError> {
    let mut out = stdout().lock();
    writeln!(out, "ready hansa {}", env!("CARGO_PKG_VERSION"))?;
    out.flush()?;
    for line in stdin().lock().lines() {
        match line?.trim() {
            PEAK => {
                operation()?;
                let peak = peak_resident_bytes().ok_or_else(|| {
                    std::io::Error::other("/proc/self/status gives no VmHWM; it needs Linux")
                })?;
                writeln!(out, "ok {peak}")?;
            }
            other => writeln!(out, "error unknown command {other:?}: {PEAK} is wanted")?,
        }
        out.flush()?;
    }
    Ok(())
}

fn prove_once(key: &Path) -> Result<(), BenchError> {
    let failed = |e: &dyn std::fmt::Display| BenchError::failed(BenchName::Prove, e);
    let bytes = std::fs::read(key).map_err(|source| BenchError::Read { path: key.to_owned(), source })?;
    let key = ProvingKey::from_bytes(&bytes).map_err(|e| failed(&e))?;
    drop(bytes);
    Consortium::new(key).map_err(|e| failed(&e))?.prove(0, &mut OsRng).map_err(|e| failed(&e))?;
    Ok(())
}

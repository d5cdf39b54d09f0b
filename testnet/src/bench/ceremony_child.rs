//! The bench's own ceremony in a child process, behind the peers' line protocol: each step is answered with the CPU time
//! of all threads.

use std::collections::BTreeMap;
use std::io::{BufRead, Write, stdin, stdout};
use std::path::{Path, PathBuf};
use std::time::Duration;

use hansa_genesis::attestation::Statement;
use hansa_genesis::charter::{Charter, Founder, SignedCharter, Source};
use hansa_genesis::circuit::Circuit;
use hansa_genesis::secret::Entropy;
use hansa_genesis::transcript::{CHARTER, Transcript};
use hansa_genesis::{Written, attest};
use hansa_keys::{FileSigner, Secret};
use hansa_prover::field::Fr;
use hansa_types::hash::digest;
use hansa_types::id::{BankId, Timestamp};
use hansa_types::lei::Lei;
use hansa_types::sign::Signer as _;
use nix::sys::resource::{UsageWho, getrusage};
use rand::rngs::OsRng;

use super::machine::peak_resident_bytes;
use super::{BenchError, BenchName};

/// The hidden option that makes a child of this program, with the ceremony's folder as its value.
pub(super) const OPTION: &str = "--ceremony-child";
/// Asks for the peak of resident memory, in bytes.
pub(super) const PEAK: &str = "peak-memory";
/// Public columns of the circuit: the constant and the last product.
const PUBLIC: usize = 2;

/// A ceremony of one founder in a folder.
struct Ceremony {
    folder: PathBuf,
    circuit: Circuit,
    bank: BankId,
    key: FileSigner,
    /// Phase 1 has been attested to.
    verified: Option<Transcript>,
}

/// Answers commands until the input ends.
pub(super) fn serve(folder: &Path) -> Result<(), BenchError> {
    let mut out = stdout().lock();
    writeln!(out, "ready hansa {}", env!("CARGO_PKG_VERSION"))?;
    out.flush()?;
    let mut ceremony: Option<Ceremony> = None;
    for line in stdin().lock().lines() {
        let line = line?;
        let (command, argument) = line.trim().split_once(' ').unwrap_or((line.trim(), ""));
        let answer = match (command, &mut ceremony) {
            ("new", _) => Ceremony::new(folder, argument).map(|new| {
                ceremony = Some(new);
                0
            }),
            (PEAK, _) => peak_resident_bytes()
                .ok_or_else(|| failed("/proc/self/status gives no VmHWM; it needs Linux")),
            (step, Some(ceremony)) => ceremony.step(step),
            (_, None) => Err(failed("`new POWER` comes first")),
        };
        match answer {
            Ok(number) => writeln!(out, "ok {number}")?,
            Err(error) => writeln!(out, "error {error}")?,
        }
        out.flush()?;
    }
    Ok(())
}

fn failed(reason: impl std::fmt::Display) -> BenchError {
    BenchError::failed(BenchName::Ceremony, reason)
}

impl Ceremony {
    fn new(folder: &Path, power: &str) -> Result<Self, BenchError> {
        let power: u32 = power.parse().map_err(failed)?;
        let circuit = squares(1 << power);
        let key = FileSigner::new(&Secret::random(&mut OsRng));
        let bank: BankId = "bench".parse().map_err(failed)?;
        let parent = Lei::try_from("5493001KJTIIGC8Y1R12").map_err(failed)?;
        let founder = Founder { institution: "Bench".to_owned(), parent, key: key.public_key() };
        let charter = Charter {
            name: "bench".to_owned(),
            founders: BTreeMap::from([(bank.clone(), founder)]),
            institutions_needed: 1,
            circuit_version: 1,
            circuit: circuit.hash,
            power: circuit.power(),
            phase1: Source::Own,
            beacon: None,
        };
        let mut signed = SignedCharter::new(charter);
        signed.sign(&bank, &key).map_err(failed)?;
        std::fs::write(folder.join(CHARTER), signed.to_file())?;
        Ok(Self { folder: folder.to_owned(), circuit, bank, key, verified: None })
    }

    /// Carries out a step; the CPU time that it took in nanoseconds.
    fn step(&mut self, step: &str) -> Result<u64, BenchError> {
        let taken = match step {
            "phase1-contribute" | "phase2-contribute" => {
                // What is verified before is measured as its own step.
                let transcript = self.transcript()?;
                let entropy = Entropy::from_system().map_err(failed)?;
                let (written, taken) = cpu(|| transcript.contribute(&self.bank, &entropy))?;
                written.map_err(failed).and_then(|written| self.attest(&written))?;
                taken
            }
            "phase1-verify" | "phase2-verify" => {
                let (verified, taken) = cpu(|| self.verify())?;
                self.verified = Some(verified?);
                taken
            }
            "phase2-start" => {
                let transcript = self.transcript()?;
                let (written, taken) = cpu(|| transcript.start(&self.circuit))?;
                written.map_err(failed)?;
                taken
            }
            other => return Err(failed(format!("unknown command {other:?}"))),
        };
        u64::try_from(taken.as_nanos()).map_err(failed)
    }

    fn verify(&self) -> Result<Transcript, BenchError> {
        Transcript::verify(&self.folder, &self.circuit, &mut |_| {}).map_err(failed)
    }

    /// The transcript as last verified, or verified now.
    fn transcript(&mut self) -> Result<Transcript, BenchError> {
        self.verified.take().map_or_else(|| self.verify(), Ok)
    }

    fn attest(&self, written: &Written) -> Result<(), BenchError> {
        let statement = Statement {
            person: "bench".to_owned(),
            machine: written.path.display().to_string(),
            entropy: Vec::new(),
            destroyed: Vec::new(),
        };
        attest(&self.folder, &self.bank, statement, Timestamp(0), &self.key).map(|_| ()).map_err(failed)
    }
}

/// x (x + 5) = next, as often as a domain of this size has room; the last is public.
fn squares(size: usize) -> Circuit {
    let rows = size - PUBLIC;
    let (one, five) = (Fr::from(1_u8), Fr::from(5_u8));
    let next = |i: usize| if i + 1 == rows { 1 } else { i + PUBLIC + 1 };
    Circuit {
        matrices: [
            (0..rows).map(|i| vec![(one, i + PUBLIC)]).collect(),
            (0..rows).map(|i| vec![(five, 0), (one, i + PUBLIC)]).collect(),
            (0..rows).map(|i| vec![(one, next(i))]).collect(),
        ],
        public: PUBLIC,
        witnesses: rows,
        hash: digest("hansa/bench/circuit", &[&rows.to_be_bytes()]),
    }
}

/// Runs `operation`; the CPU time of this process meanwhile.
fn cpu<T>(operation: impl FnOnce() -> T) -> Result<(T, Duration), BenchError> {
    let before = used()?;
    let value = operation();
    Ok((value, used()?.saturating_sub(before)))
}

fn used() -> Result<Duration, BenchError> {
    let usage = getrusage(UsageWho::RUSAGE_SELF).map_err(failed)?;
    let time = |time: nix::sys::time::TimeVal| {
        let micros = time.tv_sec() * 1_000_000 + time.tv_usec();
        Duration::from_micros(u64::try_from(micros).unwrap_or_default())
    };
    Ok(time(usage.user_time()) + time(usage.system_time()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ceremony_goes_through_its_steps() {
        let folder = tempfile::tempdir().unwrap();
        let mut ceremony = Ceremony::new(folder.path(), "3").unwrap();
        assert_eq!(ceremony.circuit.power(), 3);
        for step in
            ["phase1-contribute", "phase1-verify", "phase2-start", "phase2-contribute", "phase2-verify"]
        {
            ceremony.step(step).unwrap();
        }
        assert!(ceremony.step("nonsense").is_err());
        ceremony.verify().unwrap().keys().unwrap();
    }
}

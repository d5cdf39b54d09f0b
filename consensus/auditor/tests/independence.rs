//! Other implementations of Groth16 agree with us on exported proofs, good and bad.
//!
//! Each is used where it is installed: `snarkjs` on the path or named by `HANSA_SNARKJS` (npm install snarkjs), and
//! `py_ecc` in `python3` or the interpreter named by `HANSA_PYTHON` (pip install py_ecc). What is not there is SKIPPED.

#![allow(clippy::unwrap_used, reason = "helpers of tests: what fails here fails the test")]

#[expect(dead_code, reason = "the other tests use the rest")]
mod common;

use std::ffi::OsString;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use hansa_auditor::export::{Export, KEY_FILE, export};
use hansa_types::hash::Digest;
use hansa_types::signal::Severity;
use serde_json::{Value, json};

use self::common::{BOB, Bundle, honest_signal, received, world};

/// A proof as files, with what must be said of it.
struct Case {
    what: &'static str,
    inputs: PathBuf,
    proof: PathBuf,
    holds: bool,
}

/// A true signal, and signals whose words were changed under their proofs.
fn exported() -> Export {
    let mut bundle = Bundle::plain();
    let mut severity = honest_signal();
    severity.body.severity = Severity::High;
    let mut reply_key = honest_signal();
    reply_key.body.reply_key[0] ^= 1;
    let mut nullifier = honest_signal();
    nullifier.nullifier.0[0] ^= 1;
    bundle.records.extend([honest_signal(), severity, reply_key, nullifier].map(received));
    bundle.attach(hansa_audit_log::evidence::AttachmentKind::VerifyingKey, &[common::verifying_key()]);
    export(&bundle.seal(), &world().manifest).unwrap()
}

/// The exported proofs, and the true one spoilt in every part.
fn cases(folder: &Path) -> Vec<Case> {
    let export = exported();
    let verdicts: Vec<bool> = export.proofs.iter().map(|proof| proof.holds).collect();
    assert_eq!(verdicts, [true, false, false, false], "our own verdicts");
    let report = export.write(folder).unwrap();
    assert!(export.write(folder).is_err(), "nothing is overwritten");
    let names = ["the true signal", "a higher severity", "another reply key", "another nullifier"];
    let mut cases: Vec<Case> = names
        .into_iter()
        .zip(report.proofs)
        .map(|(what, files)| Case {
            what,
            inputs: folder.join(files.inputs),
            proof: folder.join(files.proof),
            holds: files.holds,
        })
        .collect();
    let (inputs, proof) = (export.proofs[0].inputs.clone(), export.proofs[0].proof.clone());
    let spoilt = |change: fn(&mut Value, &mut Value)| {
        let (mut inputs, mut proof) = (inputs.clone(), proof.clone());
        change(&mut inputs, &mut proof);
        (inputs, proof)
    };
    let more = [
        ("A for C", spoilt(|_, p| p["pi_a"] = p["pi_c"].clone()), false),
        ("C for A", spoilt(|_, p| p["pi_c"] = p["pi_a"].clone()), false),
        ("another input", spoilt(|i, _| i[7] = json!("1")), false),
        ("inputs exchanged", spoilt(|i, _| i.as_array_mut().unwrap().swap(0, 1)), false),
        ("the true signal again", spoilt(|_, _| ()), true),
    ];
    for (n, (what, (inputs, proof), holds)) in more.into_iter().enumerate() {
        let write = |kind: &str, value: &Value| {
            let path = folder.join(format!("{kind}-spoilt-{n}.json"));
            std::fs::write(&path, value.to_string()).unwrap();
            path
        };
        cases.push(Case { what, inputs: write("public", &inputs), proof: write("proof", &proof), holds });
    }
    cases
}

fn named(variable: &str, otherwise: &str) -> OsString {
    std::env::var_os(variable).unwrap_or_else(|| otherwise.into())
}

/// Not through `eprintln!`, which the test harness keeps to itself.
fn skipped(what: &str) {
    let _ = writeln!(std::io::stderr(), "SKIPPED: {what}");
}

#[test]
fn snarkjs_agrees_with_us() {
    let program = named("HANSA_SNARKJS", "snarkjs");
    if Command::new(&program).arg("--version").output().is_err() {
        eprintln!(
            "SKIPPED: snarkjs_agrees_with_us: no snarkjs on the path or in HANSA_SNARKJS (npm install snarkjs)"
        );
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    for Case { what, inputs, proof, holds } in cases(folder.path()) {
        let key = folder.path().join(KEY_FILE);
        let output = Command::new(&program)
            .args(["groth16", "verify"])
            .args([&key, &inputs, &proof])
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(said.contains("OK!"), holds, "{what}: {said}");
        assert_eq!(output.status.success(), holds, "{what}: {said}");
        assert!(holds || said.contains("Invalid proof"), "{what}: {said}");
    }
}

#[test]
fn py_ecc_agrees_with_us() {
    let python = named("HANSA_PYTHON", "python3");
    let there = Command::new(&python).args(["-c", "import py_ecc"]).output();
    if !there.is_ok_and(|output| output.status.success()) {
        skipped("py_ecc_agrees_with_us: no py_ecc in python3 or in HANSA_PYTHON (pip install py_ecc)");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let cases = cases(folder.path());
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/py_ecc_groth16.py");
    let output = Command::new(&python)
        .arg(script)
        .arg(folder.path().join(KEY_FILE))
        .args(cases.iter().flat_map(|case| [&case.inputs, &case.proof]))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let said = String::from_utf8(output.stdout).unwrap();
    let said: Vec<_> = said.lines().collect();
    assert_eq!(said.len(), cases.len());
    for (case, said) in cases.iter().zip(said) {
        assert_eq!(said, if case.holds { "OK" } else { "INVALID" }, "{}", case.what);
    }
}

/// What an export says, and what it refuses to export.
#[test]
fn an_export_names_its_files_and_needs_the_pinned_key() {
    let folder = tempfile::tempdir().unwrap();
    let report = exported().write(folder.path()).unwrap();
    let text = report.to_string();
    assert!(text.contains("snarkjs groth16 verify verification_key.json"), "{text}");
    assert!(text.contains("does NOT hold") && text.contains("the proof holds"), "{text}");
    assert_ne!(report.proofs[0].signal, Digest::default());
    let export = |bundle: &Bundle| export(&bundle.seal(), &world().manifest).map(|e| e.proofs.len());
    let mut bundle = Bundle::honest_sender();
    assert_eq!(export(&bundle).unwrap(), 1);
    let kind = hansa_audit_log::evidence::AttachmentKind::VerifyingKey;
    bundle.attach(kind, &[common::another_verifying_key()]);
    assert!(export(&bundle).unwrap_err().to_string().contains("pins"));
    bundle.attach(kind, &[]);
    assert!(export(&bundle).unwrap_err().to_string().contains("no verifying key"));
    assert!(!text.contains(BOB));
}

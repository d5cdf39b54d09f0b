//! The ceremony that makes the proving keys: each bank contributes in a process of its own, and the banks verify one
//! another. Phase 1 is the one that comes with the program, and the report says so.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use hansa_prover::keys::ProvingKey;
use hansa_types::hash::Digest;
use rand::RngCore;
use rand::rngs::OsRng;

use super::story::Story;
use super::{DemoError, Sabotage, expect, flip_byte};
use crate::consortium::{Bank, Consortium, ProofKeys};
use crate::process::run;

/// The consortium's folder for the ceremony's files.
const CEREMONY: &str = "ceremony";
/// And the one for what comes out.
const KEYS: &str = "keys";
/// How many institutions must contribute.
const NEEDED: &str = "2";
/// Bytes of the file that stands for an operator's dice.
const ENTROPY: usize = 64;

/// Keys that no bank alone could have kept the secrets of, and the report on them.
pub(super) fn play(
    story: &Story,
    consortium: &Consortium,
    sabotage: Option<Sabotage>,
) -> Result<(ProofKeys, PathBuf), DemoError> {
    let folder = consortium.folder.join(CEREMONY);
    let ceremony = folder.display().to_string();
    charter(consortium, &ceremony)?;
    story.tell(
        "all three sign the charter; phase 1 is the one that comes with hansa-genesis, for demonstrations",
    );
    run("hansa-genesis", &["start", &ceremony])?;
    for bank in &consortium.banks {
        contribute(bank, &ceremony)?;
        story.tell(format!("{} verifies all before it, contributes to phase 2 and attests to it", bank.id));
        if sabotage == Some(Sabotage::Ceremony) && bank.id.as_str() == "bank-b" {
            flip_byte(&folder.join("phase2-0002.hansa"))?;
        }
    }
    let keys = consortium.folder.join(KEYS);
    let said = run("hansa-genesis", &["finalize", &ceremony, "--out", &keys.display().to_string()])?;
    let file = |path: &Path| {
        let path = path.to_owned();
        move |source| DemoError::File { path, source }
    };
    let proving = keys.join("proving.key");
    let bytes = fs::read(&proving).map_err(file(&proving))?;
    let refused =
        |what: &dyn std::fmt::Display| DemoError::Observed(format!("the ceremony's outcome: {what}"));
    let proving = ProvingKey::from_bytes(&bytes).map_err(|e| refused(&e))?;
    let last = said.lines().find_map(|line| line.strip_prefix("transcript "));
    let transcript: Digest = last.ok_or_else(|| refused(&said))?.parse().map_err(|e| refused(&e))?;
    let report = keys.join("ceremony.html");
    let text = fs::read_to_string(&report).map_err(file(&report))?;
    expect(text.contains("complete: verified") && text.contains("that party can forge proofs"), || {
        format!("the report should say what is complete and what is not proven: {text}")
    })?;
    story.tell(format!(
        "the keys come out; the report names their hash and transcript {}",
        &last.unwrap_or("")[..16]
    ));
    Ok((ProofKeys { proving, transcript: Some(transcript) }, report))
}

fn charter(consortium: &Consortium, ceremony: &str) -> Result<(), DemoError> {
    let founders: Vec<String> = consortium
        .banks
        .iter()
        .map(|bank| format!("{}={}", bank.id, bank.folder.join("member.json").display()))
        .collect();
    let mut arguments = vec!["charter", "new", ceremony, "--name", crate::consortium::NAME];
    arguments.extend(founders.iter().flat_map(|founder| ["--founder", founder]));
    arguments.extend(["--needed", NEEDED, "--demonstration"]);
    run("hansa-genesis", &arguments)?;
    for bank in &consortium.banks {
        let keys = bank.folder.join("keys").display().to_string();
        let arguments = ["charter", "sign", ceremony, "--bank", bank.id.as_str(), "--keys", &keys];
        run("hansa-genesis", &arguments)?;
    }
    Ok(())
}

fn contribute(bank: &Bank, ceremony: &str) -> Result<(), DemoError> {
    let entropy = bank.folder.join("entropy");
    let statement = bank.folder.join("statement.json");
    let mut bytes = [0; ENTROPY];
    OsRng.fill_bytes(&mut bytes);
    let said = format!(
        r#"{{"person": "officer of {}", "machine": "the one this demo runs on", "entropy": ["a file"], "destroyed": []}}"#,
        bank.institution
    );
    write(&entropy, &bytes)?;
    write(&statement, said.as_bytes())?;
    let path = |path: &Path| path.display().to_string();
    let (id, keys) = (bank.id.as_str(), path(&bank.folder.join("keys")));
    run("hansa-genesis", &["contribute", ceremony, "--bank", id, "--entropy-file", &path(&entropy)])?;
    fs::remove_file(&entropy).map_err(|source| DemoError::File { path: entropy, source })?;
    let statement = path(&statement);
    run("hansa-genesis", &["attest", ceremony, "--bank", id, "--keys", &keys, "--statement", &statement])?;
    Ok(())
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), DemoError> {
    let file = fs::File::options().write(true).create_new(true).mode(0o600).open(path);
    let written = file.and_then(|mut file| file.write_all(bytes));
    written.map_err(|source| DemoError::File { path: path.to_owned(), source })
}

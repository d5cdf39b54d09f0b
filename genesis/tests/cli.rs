//! The program as people run it: a ceremony over the phase 1 that comes with it, then manifest and a vote.

#![allow(clippy::unwrap_used, reason = "helpers of tests: what fails fails the test")]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::{BufRead as _, BufReader, Write as _},
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use hansa_keys::{KeyFolder, Purpose};
use hansa_prover::{keys::ProvingKey, keys::VerifyingKey, secrets::MemberSecrets};
use hansa_types::{
    codec::{Decode as _, Encode as _},
    governance::{Action, Message, Paper, Proposal},
    id::Epoch,
    lei::Lei,
    manifest::{Member, SignedManifest},
    sign::Signer as _,
};
use rand::rngs::OsRng;

const BANKS: [(&str, &str); 2] = [("bank-a", "HANSA000000000000A57"), ("bank-b", "HANSA000000000000B54")];

struct Stage {
    folder: tempfile::TempDir,
}

impl Stage {
    fn new() -> Self {
        let stage = Self { folder: tempfile::tempdir().unwrap() };
        for (bank, parent) in BANKS {
            let keys = KeyFolder::create(stage.keys(bank), &mut OsRng).unwrap();
            let key = |purpose| keys.signer(purpose).unwrap().public_key();
            let secrets = MemberSecrets::from_seed(keys.secret(Purpose::Member).unwrap().expose());
            let member = Member {
                institution: format!("Institution of {bank}"),
                parent: Lei::try_from(parent).unwrap(),
                zones: BTreeMap::new(),
                governance_key: key(Purpose::Governance),
                log_key: key(Purpose::Log),
                cosigner_key: key(Purpose::Cosigner),
                peer_keys: BTreeSet::from([key(Purpose::Peer)]),
                membership: secrets.membership(),
                traces: BTreeMap::from([(Epoch(0), secrets.trace_commitment(Epoch(0)))]),
                tag_share: None,
            };
            fs::write(stage.path(&format!("{bank}.json")), serde_json::to_string(&member).unwrap()).unwrap();
        }
        fs::write(stage.path("entropy"), [7; 40]).unwrap();
        let statement = r#"{"person": "Ada", "machine": "laptop", "entropy": ["dice"], "destroyed": []}"#;
        fs::write(stage.path("statement.json"), statement).unwrap();
        stage
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn keys(&self, bank: &str) -> PathBuf {
        self.path(&format!("{bank}-keys"))
    }

    /// The program with arguments split at blanks, in the folder.
    fn command(&self, arguments: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hansa-genesis"));
        command.args(arguments.split_whitespace()).current_dir(self.folder.path()).stdin(Stdio::null());
        command
    }

    fn run(&self, arguments: &str) -> Output {
        self.command(arguments).output().unwrap()
    }

    fn done(&self, arguments: &str) -> String {
        let output = self.run(arguments);
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success(), "{arguments}: {said}");
        String::from_utf8(output.stdout).unwrap()
    }

    fn refused(&self, arguments: &str, words: &[&str]) {
        let output = self.run(arguments);
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{arguments}: {said}");
        for word in words {
            assert!(said.contains(word), "{arguments}: {word:?} is missing in {said}");
        }
    }

    fn charter(&self) {
        self.done(
            "charter new ceremony --name north --founder bank-a=bank-a.json --founder bank-b=bank-b.json \
             --needed 2 --demonstration",
        );
        for (bank, _) in BANKS {
            self.done(&format!("charter sign ceremony --bank {bank} --keys {bank}-keys"));
        }
    }

    fn attest(&self, bank: &str) {
        self.done(&format!("attest ceremony --bank {bank} --keys {bank}-keys --statement statement.json"));
    }
}

/// Starts a contribution and kills it while it computes.
fn kill_while_contributing(stage: &Stage) {
    let mut child = stage
        .command("contribute ceremony --bank bank-a --entropy-file entropy")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap() == "contributing"));
    child.kill().unwrap();
    child.wait().unwrap();
}

/// Types keys at the prompt, too few or enough.
fn type_keys(stage: &Stage, keys: usize) -> Output {
    let mut child = stage
        .command("contribute ceremony --bank bank-b")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let typed: String = "ab".chars().cycle().take(keys).collect();
    child.stdin.take().unwrap().write_all(typed.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

#[test]
fn a_ceremony_a_manifest_and_a_vote() {
    let stage = Stage::new();
    stage.charter();
    stage.refused(
        "contribute ceremony --bank bank-a --entropy-file entropy",
        &["phase 1 was made elsewhere", "start"],
    );
    stage.done("start ceremony");
    stage.refused("start ceremony", &["has begun already"]);

    kill_while_contributing(&stage);
    assert!(!stage.path("ceremony/phase2-0001.hansa").exists());
    stage.done("verify ceremony");
    fs::write(stage.path("short"), [7; 31]).unwrap();
    stage.refused("contribute ceremony --bank bank-a --entropy-file short", &["31 bytes", "at least 32"]);
    stage.refused("contribute ceremony --bank bank-x --entropy-file entropy", &["bank-x is not a founder"]);
    stage.done("contribute ceremony --bank bank-a --entropy-file entropy");
    stage.attest("bank-a");
    stage.done("report ceremony --out report");
    assert!(fs::read_to_string(stage.path("report.md")).unwrap().contains("NOT COMPLETE"));
    stage.refused("finalize ceremony --out keys", &["1 institutions contributed to phase2", "wants 2"]);

    let short = type_keys(&stage, 20);
    assert!(!short.status.success() && String::from_utf8_lossy(&short.stderr).contains("of 256 bits"));
    assert!(type_keys(&stage, 300).status.success());
    stage.attest("bank-b");
    stage.refused(
        "attest ceremony --bank bank-b --keys bank-b-keys --statement statement.json",
        &["no contribution without an attestation"],
    );
    finish(&stage);
    vote(&stage);
}

/// Keys, report and manifest.
fn finish(stage: &Stage) {
    let said = stage.done("finalize ceremony --out keys --ark-groth16 keys.ark");
    let proving = ProvingKey::from_bytes(&fs::read(stage.path("keys/proving.key")).unwrap()).unwrap();
    let verifying = VerifyingKey::from_bytes(&fs::read(stage.path("keys/verifying.key")).unwrap()).unwrap();
    assert_eq!(proving.verifying_key().hash(), verifying.hash());
    assert!(said.contains(&verifying.hash().to_string()));
    stage.refused("finalize ceremony --out keys", &["proving.key exists"]);

    let report = fs::read_to_string(stage.path("keys/ceremony.md")).unwrap();
    for words in ["complete: verified", "that party can forge proofs", &verifying.hash().to_string()] {
        assert!(report.contains(words), "{words}");
    }
    assert!(fs::read_to_string(stage.path("keys/ceremony.html")).unwrap().contains("<table>"));

    fs::write(stage.path("draft.json"), stage.done("manifest draft")).unwrap();
    stage.done(
        "manifest new manifest.hansa --draft draft.json --member bank-a=bank-a.json --member bank-b=bank-b.json \
         --ceremony ceremony",
    );
    stage.refused("manifest check manifest.hansa", &["bank-a has not signed", "every member must"]);
    fs::copy(stage.path("manifest.hansa"), stage.path("copy.hansa")).unwrap();
    stage.refused(
        "manifest sign manifest.hansa --bank bank-a --keys bank-b-keys",
        &["signature of bank-a does not fit"],
    );
    stage.done("manifest sign manifest.hansa --bank bank-a --keys bank-a-keys");
    stage.done("manifest sign copy.hansa --bank bank-b --keys bank-b-keys");
    let signed = stage.done("manifest collect manifest.hansa copy.hansa");
    assert_eq!(signed.matches(", signed").count(), 2, "{signed}");
    assert!(stage.done("manifest check manifest.hansa").contains("all 2 members"));
    assert_eq!(stage.done("manifest show manifest.hansa --against copy.hansa"), "");
    let manifest = SignedManifest::open(&fs::read(stage.path("manifest.hansa")).unwrap()).unwrap();
    assert_eq!(manifest.circuits[&Epoch(0)].verifying_key, verifying.hash());
    let transcript = manifest.circuits[&Epoch(0)].transcript.unwrap().to_string();
    assert!(report.contains(&transcript) && said.contains(&format!("transcript {transcript}")));
}

/// A ballot paper is verified, shown and signed.
fn vote(stage: &Stage) {
    let founders = SignedManifest::from_bytes(&fs::read(stage.path("manifest.hansa")).unwrap()).unwrap();
    let manifest = founders.manifest.clone();
    let mut model = manifest.models[0].clone();
    model.model.version = 2;
    let proposal = Proposal {
        parent: manifest.id(),
        number: 1,
        activates: Epoch(5),
        action: Action::RegisterModel(model),
    };
    let paper = Paper { founders, amendments: vec![], proposal, round: 0, earlier: vec![] };
    fs::write(stage.path("paper"), paper.to_bytes()).unwrap();
    assert!(stage.done("governance show paper").contains("+ model 2, owner: model risk working group"));
    stage.done("governance sign paper --bank bank-a --keys bank-a-keys --out vote");
    let vote = Message::from_bytes(&fs::read(stage.path("vote")).unwrap()).unwrap();
    assert!(matches!(vote, Message::Proposal { vote, .. } if vote.check(&manifest).is_ok()));
    stage.refused("governance sign paper --bank bank-b --keys bank-a-keys --out other", &["paper"]);
    let mut altered = paper;
    altered.proposal.number = 2;
    fs::write(stage.path("altered"), altered.to_bytes()).unwrap();
    stage.refused("governance sign altered --bank bank-a --keys bank-a-keys --out other", &["altered"]);
    fs::write(stage.path("nothing"), b"nothing").unwrap();
    stage.refused("governance show nothing", &["not a ballot paper"]);
    assert!(!Path::new(&stage.path("other")).exists());
}

#[test]
fn what_is_no_file_of_a_ceremony_is_said() {
    let stage = Stage::new();
    stage.refused("verify nowhere", &["nowhere"]);
    fs::create_dir(stage.path("empty")).unwrap();
    stage.refused("verify empty", &["has no charter.hansa"]);
    fs::write(stage.path("bank-c.json"), "{").unwrap();
    stage.refused(
        "charter new c --name n --founder bank-c=bank-c.json --needed 1",
        &["bank-c.json", "line 1"],
    );
    stage.refused(
        "charter new c --name n --founder bank-a=bank-a.json --needed 2",
        &["names 1 different ones"],
    );
    stage.charter();
    stage.refused(
        "charter sign ceremony --bank bank-a --keys bank-b-keys",
        &["signature of bank-a does not fit"],
    );
    fs::copy(stage.path("ceremony/charter.hansa"), stage.path("charter.copy")).unwrap();
    stage.done("charter collect ceremony charter.copy");
    stage.refused(
        "import response entropy --out p1 --power 13",
        &["entropy", "40 bytes", "is the power right?"],
    );
    fs::write(stage.path("ceremony/charter.hansa"), b"HANSAMPC").unwrap();
    stage.refused("charter show ceremony", &["charter.hansa", "not a charter file"]);
    assert_eq!(stage.run("nonsense").status.code(), Some(2));
}

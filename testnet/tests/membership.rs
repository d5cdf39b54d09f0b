//! Who may run a node, with which keys, files and settings: everything else does not start, and says why.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests: what fails here fails the test")]

mod common;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use common::command::{refused_start, run, says};
use common::message::{HARMLESS, MULE, to_b};
use common::{A, Group, consortium, copy, copy_keys, without_frames};
use hansa_api::model::AnswerStatus;
use hansa_keys::{KeyFolder, Purpose};
use hansa_node::cli::{InitArgs, init};
use hansa_testnet::consortium::Consortium;
use hansa_types::codec::{Decode, Encode};
use hansa_types::hash::Digest;
use hansa_types::id::Epoch;
use hansa_types::manifest::{Circuit, Manifest, Member, SignedManifest};
use tempfile::TempDir;

/// How every one of these nodes is started.
const START: [&str; 1] = ["--development"];

/// Two consortia of the same names, which all tests of this file read and none changes.
struct Shared {
    ours: Consortium,
    theirs: Consortium,
    folder: TempDir,
}

static SHARED: Mutex<Weak<Shared>> = Mutex::new(Weak::new());

fn shared() -> Arc<Shared> {
    let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(made) = shared.upgrade() {
        return made;
    }
    let folder = tempfile::tempdir().unwrap();
    let [ours, theirs] = ["ours", "theirs"].map(|name| consortium(&folder.path().join(name)));
    let made = Arc::new(Shared { ours, theirs, folder });
    *shared = Arc::downgrade(&made);
    made
}

/// A copy of bank A's folder beside it, to be spoilt: it reads the same manifest and keys, and takes any free port.
struct Variant {
    folder: PathBuf,
    shared: Arc<Shared>,
}

impl Variant {
    fn new(name: &str) -> Self {
        let shared = shared();
        let folder = shared.ours.folder.join(name);
        let bank = shared.ours.banks[A].clone();
        fs::create_dir(&folder).unwrap();
        copy(&bank.folder, &folder, &["hansa.toml", "customers.csv"]);
        fs::create_dir(folder.join("keys")).unwrap();
        copy_keys(&bank, &folder, Purpose::ALL);
        let variant = Self { folder, shared };
        let config = fs::read_to_string(variant.config()).unwrap();
        let config = without_frames(&config)
            .replace(&format!("127.0.0.1:{}", bank.api_port), "127.0.0.1:0")
            .replace(&format!("udp/{}/", bank.p2p_port), "udp/0/");
        fs::write(variant.config(), config).unwrap();
        variant
    }

    fn config(&self) -> PathBuf {
        self.folder.join("hansa.toml")
    }

    /// Replaces what must be there in the configuration.
    fn edit(&self, from: &str, to: &str) {
        let text = fs::read_to_string(self.config()).unwrap();
        assert!(text.contains(from), "{from:?} is missing in {text}");
        fs::write(self.config(), text.replace(from, to)).unwrap();
    }

    /// Gives the node another manifest.
    fn manifest(&self, bytes: &[u8]) {
        fs::write(self.folder.join("other.hansa"), bytes).unwrap();
        self.edit("\"../manifest.hansa\"", "\"other.hansa\"");
    }

    #[track_caller]
    fn refuses(&self, wanted: &[&str]) {
        says(&refused_start(&self.config(), &START, &[]), wanted);
    }

    #[track_caller]
    fn refuses_with(&self, variable: (&str, &str), wanted: &[&str]) -> String {
        let said = refused_start(&self.config(), &START, &[variable]);
        says(&said, wanted);
        said
    }
}

fn signed(consortium: &Consortium) -> SignedManifest {
    SignedManifest::from_bytes(&fs::read(consortium.manifest()).unwrap()).unwrap()
}

/// A bank that is no founder.
fn stranger(folder: &Path) -> Member {
    init(&InitArgs {
        folder: folder.to_owned(),
        bank: "bank-d".parse().unwrap(),
        institution: "Dogwood Bank".to_owned(),
        parent: "5493001KJTIIGC8Y1R12".try_into().unwrap(),
        zones: vec![],
        first_epoch: 0,
        epochs: 30,
    })
    .unwrap()
}

#[test]
fn a_node_with_another_banks_keys_does_not_start() {
    let variant = Variant::new("all-keys");
    copy_keys(&variant.shared.ours.banks[common::B], &variant.folder, Purpose::ALL);
    variant.refuses(&["not the one the manifest has for bank-a", "was the folder exchanged?"]);

    let variant = Variant::new("same-names");
    copy_keys(&variant.shared.theirs.banks[A], &variant.folder, Purpose::ALL);
    variant.refuses(&["not the one the manifest has for bank-a", "was the folder exchanged?"]);
}

#[test]
fn every_key_that_the_manifest_pins_is_compared() {
    for purpose in [Purpose::Governance, Purpose::Log, Purpose::Cosigner, Purpose::Peer, Purpose::Member] {
        let variant = Variant::new(&format!("key-{purpose}"));
        copy_keys(&variant.shared.ours.banks[common::B], &variant.folder, &[purpose]);
        let named = format!("the {purpose} key");
        variant.refuses(&[&named, "not the one the manifest has for bank-a"]);
    }
}

/// What the log is sealed and indexed with cannot be in the manifest; the log itself shows when it was exchanged.
#[test]
fn keys_that_do_not_fit_the_log_are_noticed() {
    for purpose in [Purpose::Records, Purpose::Index] {
        let mut group = Group::running(&[A]);
        let transfer = to_b(1, HARMLESS, MULE);
        assert_eq!(group.pay(A, &transfer).status, AnswerStatus::Decided);
        group.stop(A);
        let (own, other) = (group.bank(A).clone(), group.bank(common::B).clone());
        copy_keys(&other, &own.folder, &[purpose]);
        let said = refused_start(&own.config(), &START, &[]);
        says(&said, &["key"]);
    }
}

#[test]
fn keys_that_others_can_read_are_refused() {
    for purpose in Purpose::ALL {
        for mode in [0o640, 0o604] {
            let variant = Variant::new(&format!("exposed-{purpose}-{mode:o}"));
            let path = KeyFolder::new(variant.folder.join("keys")).path(*purpose);
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            let named = format!("{purpose}.key");
            variant.refuses(&[&named, "can be read by others", "chmod 600"]);
        }
    }
}

#[test]
fn keys_that_are_missing_or_of_another_purpose_are_refused() {
    // Without an auditor's token nobody copies the log, and the governance key may lie elsewhere.
    let optional = [Purpose::Auditor, Purpose::Governance];
    for purpose in Purpose::ALL.iter().filter(|purpose| **purpose != Purpose::Auditor) {
        let variant = Variant::new(&format!("missing-{purpose}"));
        let keys = KeyFolder::new(variant.folder.join("keys"));
        fs::remove_file(keys.path(*purpose)).unwrap();
        let named = format!("{purpose}.key");
        if !optional.contains(purpose) {
            variant.refuses(&[&named, "No such file"]);
        }
        let other = if *purpose == Purpose::Log { Purpose::Peer } else { Purpose::Log };
        fs::copy(keys.path(other), keys.path(*purpose)).unwrap();
        let wanted = format!("is not a hansa key file for {purpose}");
        variant.refuses(&[&named, &wanted]);
    }
}

#[test]
fn a_fourth_bank_does_not_get_in() {
    let variant = Variant::new("bank-d");
    fs::remove_dir_all(variant.folder.join("keys")).unwrap();
    let made = variant.folder.join("made");
    let member = stranger(&made);
    fs::rename(made.join("keys"), variant.folder.join("keys")).unwrap();

    // Under another's name it has the wrong keys; under its own it is no member.
    variant.refuses(&["not the one the manifest has for bank-a"]);
    variant.edit("bank = \"bank-a\"", "bank = \"bank-d\"");
    variant.refuses(&["the manifest has no member bank-d"]);

    // It writes itself into the manifest: the others' signatures are for the old one.
    let keys = KeyFolder::new(variant.folder.join("keys")).signer(Purpose::Governance).unwrap();
    let bank_d = "bank-d".parse().unwrap();
    let mut tampered = signed(&variant.shared.ours);
    tampered.manifest.members.insert("bank-d".parse().unwrap(), member);
    variant.manifest(&tampered.to_bytes());
    variant.refuses(&["the signature of bank-a does not fit this manifest"]);
    tampered.sign(&bank_d, &keys).unwrap();
    fs::write(variant.folder.join("other.hansa"), tampered.to_bytes()).unwrap();
    variant.refuses(&["the signature of bank-a does not fit this manifest"]);

    // Without the others' signatures nobody vouches for it.
    tampered.signatures.retain(|bank, _| *bank == bank_d);
    fs::write(variant.folder.join("other.hansa"), tampered.to_bytes()).unwrap();
    variant.refuses(&["bank-a has not signed this manifest: every member must"]);
}

#[test]
fn a_manifest_that_is_not_everybodys_is_refused() {
    let ours = signed(&shared().ours);
    for bank in ours.manifest.members.keys() {
        let variant = Variant::new(&format!("unsigned-{bank}"));
        let mut unsigned = ours.clone();
        unsigned.signatures.remove(bank);
        variant.manifest(&unsigned.to_bytes());
        let wanted = format!("{bank} has not signed this manifest: every member must");
        variant.refuses(&[&wanted]);
    }

    let variant = Variant::new("another-signature");
    let mut exchanged = ours.clone();
    exchanged.signatures = signed(&variant.shared.theirs).signatures;
    variant.manifest(&exchanged.to_bytes());
    variant.refuses(&["the signature of bank-a does not fit this manifest"]);

    let variant = Variant::new("a-signature-more");
    let mut more = ours;
    let signature = more.signatures.values().next().copied().unwrap();
    more.signatures.insert("bank-d".parse().unwrap(), signature);
    variant.manifest(&more.to_bytes());
    variant.refuses(&["bank-d signed this manifest and is not a member of it"]);

    let variant = Variant::new("their-manifest");
    variant.manifest(&fs::read(variant.shared.theirs.manifest()).unwrap());
    variant.refuses(&["not the one the manifest has for bank-a"]);
}

#[test]
fn no_byte_of_the_manifest_can_be_changed() {
    const STRIDE: usize = 97;
    let variant = Variant::new("changed-bytes");
    let bytes = fs::read(variant.shared.ours.manifest()).unwrap();
    variant.manifest(&bytes);
    for at in (0..bytes.len()).step_by(STRIDE) {
        let mut changed = bytes.clone();
        changed[at] ^= 1;
        fs::write(variant.folder.join("other.hansa"), &changed).unwrap();
        variant.refuses(&["manifest"]);
    }
    fs::write(variant.folder.join("other.hansa"), &bytes[..bytes.len() - 1]).unwrap();
    variant.refuses(&["this is not a manifest file"]);
    fs::write(variant.folder.join("other.hansa"), [&bytes[..], b"\0"].concat()).unwrap();
    variant.refuses(&["this is not a manifest file"]);
}

fn circuit(manifest: &mut Manifest) -> &mut Circuit {
    manifest.circuits.get_mut(&Epoch(0)).unwrap()
}

/// Changes the manifest in a way that all members sign.
fn agreed(shared: &Shared, change: impl FnOnce(&mut Manifest)) -> Vec<u8> {
    let mut manifest = signed(&shared.ours).manifest;
    change(&mut manifest);
    let mut agreed = SignedManifest::new(manifest);
    for bank in &shared.ours.banks {
        let key = KeyFolder::new(bank.folder.join("keys")).signer(Purpose::Governance).unwrap();
        agreed.sign(&bank.id, &key).unwrap();
    }
    agreed.to_bytes()
}

#[test]
fn what_contradicts_itself_is_refused_though_everybody_signed_it() {
    type Change = fn(&mut Manifest);
    let changes: [(&str, Change, &str); 5] = [
        ("no-basis", |m| m.gateways.values_mut().for_each(|g| g.legal_basis.clear()), "legal basis"),
        ("no-model", |m| m.models.clear(), "it has 0 models"),
        ("no-threshold", |m| m.thresholds.low = 0, "thresholds must be above 0"),
        ("other-circuit", |m| circuit(m).hash.0[0] ^= 1, "circuit"),
        ("other-key", |m| circuit(m).verifying_key.0[0] ^= 1, "verifying.key"),
    ];
    for (name, change, wanted) in changes {
        let variant = Variant::new(name);
        variant.manifest(&agreed(&variant.shared, change));
        variant.refuses(&[wanted]);
    }
    let variant = Variant::new("two-with-one-key");
    variant.manifest(&agreed(&variant.shared, |manifest| {
        let members: Vec<_> = manifest.members.keys().cloned().collect();
        let peers = manifest.members[&members[0]].peer_keys.clone();
        manifest.members.get_mut(&members[1]).unwrap().peer_keys = peers;
    }));
    variant.refuses(&["a key of bank-b is used twice"]);
}

#[test]
fn development_keys_are_accepted_only_where_that_is_said() {
    let variant = Variant::new("careless");
    says(
        &refused_start(&variant.config(), &[], &[]),
        &["development = true", "forge proofs", "--development"],
    );

    let variant = Variant::new("not-development");
    variant.manifest(&agreed(&variant.shared, |manifest| {
        manifest.development = false;
        circuit(manifest).transcript = Some(Digest::default());
    }));
    for arguments in [&START[..], &[]] {
        says(
            &refused_start(&variant.config(), arguments, &[]),
            &["node.development_tag_key is set", "remove it"],
        );
    }
    variant.edit("development_tag_key = \"../tag.key\"\n", "");
    let said = refused_start(&variant.config(), &[], &[]);
    says(&said, &["development_tag_key"]);
}

#[test]
fn keys_of_another_set_up_are_refused() {
    for (name, file) in [("tag", "tag.key"), ("verifying", "verifying.key"), ("proving", "proving.key")] {
        let variant = Variant::new(&format!("foreign-{name}"));
        fs::copy(variant.shared.theirs.folder.join(file), variant.folder.join(file)).unwrap();
        variant.edit(&format!("\"../{file}\""), &format!("{:?}", variant.folder.join(file)));
        variant.refuses(&[file]);
        fs::write(variant.folder.join(file), b"not a key").unwrap();
        variant.refuses(&["key"]);
    }
}

#[test]
fn settings_that_cannot_be_meant_are_refused() {
    let edits = [
        (
            "gateway",
            "gateway = 1",
            "gateway = 7",
            &["signalling.gateway is 7", "the manifest does not have"][..],
        ),
        (
            "listen",
            "listen = \"127.0.0.1:0\"",
            "listen = \"0.0.0.0:0\"",
            &["api.listen", "0.0.0.0:0", "loopback"],
        ),
        (
            "listen-name",
            "listen = \"127.0.0.1:0\"",
            "listen = \"192.0.2.1:7400\"",
            &["api.listen", "192.0.2.1:7400", "loopback"],
        ),
        (
            "listen-v6",
            "listen = \"127.0.0.1:0\"",
            "listen = \"[::]:0\"",
            &["api.listen", "[::]:0", "loopback"],
        ),
        ("no-body", "[api]", "[api]\nbody_limit = 0", &["api.body_limit", "is 0"]),
        (
            "unknown",
            "[api]",
            "[api]\nlisten_address = \"x\"",
            &["hansa.toml", "unknown field `listen_address`"],
        ),
        ("unknown-top", "[api]", "[tariff]\nevery = 1\n\n[api]", &["hansa.toml", "unknown field `tariff`"]),
        (
            "unknown-deep",
            "[screening.policy]",
            "[screening.policy]\nstrict = true",
            &["hansa.toml", "strict"],
        ),
        (
            "unknown-list",
            "measure = \"freeze\"",
            "measure = \"freeze\"\nregime = \"EU\"",
            &["hansa.toml", "regime"],
        ),
        (
            "unknown-peer",
            "[p2p.peers]",
            "[p2p.peers]\nbank-d = \"/ip4/127.0.0.1/udp/1/quic-v1\"",
            &["p2p.peers", "bank-d", "not a member"],
        ),
        ("wrong-peer", "bank-b = \"/ip4", "bank-b = \"ip4", &["p2p.peers.bank-b"]),
        ("wrong-type", "gateway = 1", "gateway = \"one\"", &["hansa.toml", "gateway"]),
        ("no-toml", "[api]", "[api", &["hansa.toml"]),
        ("no-bank", "bank = \"bank-a\"", "", &["hansa.toml", "missing field `bank`"]),
        (
            "replicas",
            "[api]",
            "[consensus]\nreplicas = [{ id = 1, address = \"127.0.0.1:1\" }, { id = 2, address = \"127.0.0.1:2\" }]\n\n[api]",
            &["replica"],
        ),
    ];
    for (name, from, to, wanted) in edits {
        let variant = Variant::new(&format!("setting-{name}"));
        variant.edit(from, to);
        variant.refuses(wanted);
    }
}

#[test]
fn the_environment_is_held_to_the_same_rules_and_holds_no_secret() {
    let variant = Variant::new("environment");
    variant.refuses_with(("HANSA_API__LISTEN", "0.0.0.0:7400"), &["api.listen", "loopback"]);
    variant.refuses_with(("HANSA_SIGNALLING__GATEWAY", "9"), &["signalling.gateway is 9"]);
    variant.refuses_with(("HANSA_NODE__SPEED", "3"), &["unknown field `speed`"]);
    variant.refuses_with(("HANSA_SPEED", "3"), &["HANSA_SPEED", "HANSA_SECTION__KEY"]);
    for name in
        ["HANSA_API__TOKEN", "HANSA_NODE__KEYS_PASSWORD", "HANSA_NODE__PIN", "HANSA_NODE__MEMBER_SECRET"]
    {
        let said = variant
            .refuses_with((name, "hunter2-hunter2"), &[name, "secrets do not belong into the environment"]);
        assert!(!said.contains("hunter2"), "the secret itself is not repeated: {said}");
        let config = variant.config().display().to_string();
        let status = std::process::Command::new(hansa_testnet::process::program("hansa").unwrap())
            .args(["--config", &config, "status"])
            .env(name, "hunter2-hunter2")
            .output()
            .unwrap();
        assert_eq!(status.status.code(), Some(1), "not by other commands either");
    }
}

#[test]
fn files_that_cannot_be_read_as_they_should_stop_the_start() {
    let header =
        "id,kind,programmes,name,aliases,weak_aliases,birth_dates,countries,bics,leis,ibans,other_ids\n";
    let row = "HX-001,person,FICTION,Ostrik Belanthor,,,1961-03-14,MT,,,,\n";
    let lists: [(&str, Vec<u8>, &[&str]); 8] = [
        ("empty", vec![], &[]),
        ("header-only", header.into(), &["the list is empty"]),
        ("other-header", row.into(), &[]),
        ("short-row", format!("{header}{row}HX-002,person\n").into(), &["line 3"]),
        ("wrong-kind", format!("{header}{}", row.replace("person", "ghost")).into(), &["line 2", "ghost"]),
        ("wrong-date", format!("{header}{}", row.replace("1961-03-14", "1961-13-14")).into(), &["line 2"]),
        ("twice", format!("{header}{row}{row}").into(), &["HX-001", "twice"]),
        ("latin-1", [header.as_bytes(), b"HX-1,person,F,Andr\xe9,,,,,,,,\n"].concat(), &["UTF-8"]),
    ];
    let path = format!("{:?}", common::samples().join("watchlist.csv"));
    for (name, bytes, wanted) in lists {
        let variant = Variant::new(&format!("list-{name}"));
        fs::write(variant.folder.join("broken.csv"), bytes).unwrap();
        variant.edit(&path, "\"broken.csv\"");
        variant.refuses(&[&["broken.csv"], wanted].concat());
    }
    let variant = Variant::new("list-cut-off");
    fs::write(variant.folder.join("sdn.csv"), "36,\"AEROCARIBBEAN AIRLINES\",-0- ,\"CUBA\",-0- \r\n")
        .unwrap();
    variant.edit(&path, "\"sdn.csv\"");
    variant.edit("format = \"csv\"", "format = \"ofac-csv\"");
    variant.edit("measure = \"freeze\"", "");
    variant.refuses(&["sdn.csv"]);
    let variant = Variant::new("list-missing");
    variant.edit(&path, "\"nowhere.csv\"");
    variant.refuses(&["nowhere.csv", "No such file"]);

    let variant = Variant::new("customers");
    fs::write(variant.folder.join("customers.csv"), "account,name,birth_date,country\nDE00,X,,DE\n").unwrap();
    variant.refuses(&["customers.csv", "line 2"]);
    fs::write(variant.folder.join("customers.csv"), "iban,name\n").unwrap();
    variant.refuses(&["customers.csv", "the first line must be account,name,birth_date,country"]);
    for (file, key) in
        [("manifest.hansa", "manifest"), ("proving.key", "proving_key"), ("verifying.key", "verifying_key")]
    {
        let variant = Variant::new(&format!("missing-{key}"));
        variant.edit(&format!("\"../{file}\""), "\"nowhere\"");
        variant.refuses(&["nowhere", "No such file"]);
    }
    let none = shared().folder.path().join("none.toml").display().to_string();
    let ended = run("hansa", &["--config", &none, "run"]);
    assert_eq!(ended.code, 1, "{ended:?}");
    says(&ended.stderr, &["none.toml", "hansa init"]);
}

/// The variants are good but for what is spoilt: unspoilt, one starts.
#[test]
fn an_unspoilt_variant_starts() {
    let variant = Variant::new("unspoilt");
    let mut bank = variant.shared.ours.banks[A].clone();
    bank.folder.clone_from(&variant.folder);
    let mut node = hansa_testnet::process::NodeProcess::start(&bank, &START).unwrap();
    node.ready().unwrap();
    node.stop().unwrap();
}

//! Every bank a witness of every other bank's log: real nodes cosign, publish without one of them, and find out a log
//! that shows two views.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests: what fails here fails the test")]

mod common;

use std::path::Path;
use std::process::Command;

use common::command::{run, says};
use common::message::{HARMLESS, MULE, OTHER, to_b, uetr};
use common::{A, B, C, Group};
use hansa_audit_log::checkpoint::Checkpoint;
use hansa_audit_log::note::SignedNote;
use hansa_audit_log::witness::AddCheckpoint;
use hansa_keys::{KeyFolder, Purpose};
use hansa_node::events::Event;
use hansa_p2p::{Config, Identity, Member, Network, NetworkHandle, NetworkMetrics, PeerId, Setup};
use hansa_testnet::consortium::Bank;
use hansa_testnet::process::{NodeProcess, client};
use hansa_types::codec::{Decode, Encode};
use hansa_types::manifest::{Manifest, SignedManifest};
use hansa_types::witness::{WitnessRequest, WitnessResponse};
use prometheus_client::registry::Registry;
use serde_json::Value;
use tokio::runtime::Runtime;

impl Group {
    /// Waits until the bank at `at` has published all that its log holds now, cosigned by `by` others.
    fn published(&mut self, at: usize, by: usize) {
        let all = client(self.bank(at)).unwrap().status().unwrap().log.size;
        let published = |event: &Event| match event {
            Event::CheckpointPublished { size, cosigners } if *size >= all && *cosigners >= by => Some(()),
            _ => None,
        };
        self.node(at).wait("checkpoint published", published).unwrap();
    }

    /// Waits until the bank at `at` finds that the log of the bank at `of` forked; says whether it has the proof.
    fn forked(&mut self, at: usize, of: usize) -> bool {
        let bank_of = self.bank(of).id.clone();
        let forked = |event: &Event| match event {
            Event::LogForked { bank, proved, .. } if *bank == bank_of => Some(*proved),
            _ => None,
        };
        self.node(at).wait("a fork found", forked).unwrap()
    }

    fn the_manifest(&self) -> Manifest {
        SignedManifest::open(&std::fs::read(self.consortium.manifest()).unwrap()).unwrap()
    }

    /// The evidence that the bank at `at` keeps, as files in a folder.
    fn evidence(&self, at: usize) -> Vec<std::path::PathBuf> {
        let folder = self.folder.path().join(format!("forks-{at}"));
        std::fs::create_dir_all(&folder).unwrap();
        let out = folder.display().to_string();
        let listed: Vec<Value> = self.hansa(at, &["audit", "forks", "--out", &out]);
        let files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        assert_eq!(files.len(), listed.len());
        files
    }
}

/// Somebody with a bank's keys and without its node: what a bank that wants two views can do.
struct Liar<'a> {
    runtime: Runtime,
    handle: NetworkHandle,
    keys: KeyFolder,
    origin: String,
    group: &'a Group,
}

impl<'a> Liar<'a> {
    /// Speaks for the bank at `at`, whose node does not run, to those at `to`.
    fn of(at: usize, to: &[usize], group: &'a Group) -> Self {
        let runtime = Runtime::new().unwrap();
        let keys = KeyFolder::new(group.bank(at).folder.join("keys"));
        let members = to.iter().map(|&other| Member {
            peer_id: peer(group.bank(other)),
            addresses: vec![
                format!("/ip4/127.0.0.1/udp/{}/quic-v1", group.bank(other).p2p_port).parse().unwrap(),
            ],
        });
        let setup = Setup {
            config: Config { listen: vec![], ..Config::default() },
            identity: Identity::from_seed(keys.secret(Purpose::Peer).unwrap().expose()),
            members: members.collect(),
            topic: "none".to_owned(),
            content_id: std::sync::Arc::new(|_| None),
            jitter_seed: 1,
        };
        let handle = runtime.block_on(async {
            let (handle, mut events) =
                Network::start(setup, &NetworkMetrics::register(&mut Registry::default())).unwrap();
            let mut missing = to.len();
            while missing > 0 {
                if let hansa_p2p::Event::PeerConnected(_) = events.recv().await.unwrap() {
                    missing -= 1;
                }
            }
            // Somebody has to hold the events, or the network ends.
            drop(tokio::spawn(async move { while events.recv().await.is_some() {} }));
            handle
        });
        let origin = group.the_manifest().log_origin(&group.bank(at).id);
        Self { runtime, handle, keys, origin, group }
    }

    fn ask(&self, at: usize, request: &WitnessRequest) -> WitnessResponse {
        let peer = peer(self.group.bank(at));
        let answer = self.runtime.block_on(self.handle.request(peer, request.to_bytes())).unwrap();
        WitnessResponse::from_bytes(&answer).unwrap()
    }

    /// The checkpoint of the bank's true log that the bank at `at` cosigned last.
    fn latest(&self, at: usize) -> Checkpoint {
        match self.ask(at, &WitnessRequest::Latest(self.origin.clone())) {
            WitnessResponse::Latest(Some(note)) => {
                SignedNote::parse(&note).unwrap().unverified_text().parse().unwrap()
            }
            other => panic!("{other:?}"),
        }
    }

    /// Asks the bank at `at` to cosign another view of the log at `size`.
    fn other_view(&self, at: usize, size: u64) -> WitnessResponse {
        let checkpoint = Checkpoint { origin: self.origin.clone(), size, root: [9; 32] };
        let checkpoint = checkpoint.sign(&self.keys.signer(Purpose::Log).unwrap()).unwrap();
        let request = AddCheckpoint { old: 0, proof: vec![], checkpoint };
        self.ask(at, &WitnessRequest::Add(request.to_string().into_bytes()))
    }
}

fn peer(bank: &Bank) -> PeerId {
    let keys = KeyFolder::new(bank.folder.join("keys"));
    Identity::from_seed(keys.secret(Purpose::Peer).unwrap().expose()).peer_id()
}

fn audit_fork(file: &Path, group: &Group) -> common::command::Ended {
    let (file, manifest) = (file.display().to_string(), group.consortium.manifest().display().to_string());
    run("hansa-audit", &["fork", &file, "--manifest", &manifest])
}

#[test]
fn three_banks_cosign_one_another() {
    let mut group = Group::running(&[A, B, C]);
    group.pay(A, &to_b(1, HARMLESS, MULE));
    [A, B, C].into_iter().for_each(|at| group.published(at, 2));
    let status = client(group.bank(A)).unwrap().status().unwrap();
    assert!(
        status.log.checkpoint_size > 0,
        "what was paid is published; records of the node itself may follow"
    );
    for at in [A, B, C] {
        assert_eq!(group.hansa::<Vec<Value>>(at, &["audit", "forks"]), Vec::<Value>::new());
    }

    let file = group.folder.path().join("cosigned.evidence");
    let out = file.display().to_string();
    let _: Value = group.hansa(A, &["audit", "export", &uetr(1).to_string(), "--out", &out]);
    let manifest = group.consortium.manifest().display().to_string();
    let verified = run("hansa-audit", &["verify", &out, "--manifest", &manifest]);
    let witnesses = [B, C].map(|at| group.the_manifest().witness_name(&group.bank(at).id));
    says(&verified.stdout, &["the checkpoint is published", &witnesses[0], &witnesses[1]]);
}

#[test]
fn a_witness_that_is_down_does_not_stop_the_others() {
    let mut group = Group::running(&[A, B, C]);
    group.kill(C);
    group.pay(A, &to_b(1, HARMLESS, MULE));
    group.published(A, 1);

    // Without any witness payments go on, and what is logged waits to be published.
    group.kill(B);
    group.pay(A, &to_b(2, HARMLESS, OTHER));
    let status = client(group.bank(A)).unwrap().status().unwrap();
    assert!(status.log.checkpoint_size < status.log.size, "{:?}", status.log);
    group.start(&[C]);
    group.published(A, 1);
}

/// One of two witnesses is a quorum here, so that a bank can find one for each view. That they tell each other what
/// they were shown is what catches it.
#[test]
fn a_log_that_shows_two_views_to_two_witnesses_is_caught_and_the_notes_are_kept() {
    let mut group = Group::running(&[A, C]);
    group.published(C, 1);
    group.stop(C);
    group.start(&[B]);

    let liar = Liar::of(C, &[A, B], &group);
    let size = liar.latest(A).size;
    let cosigned = liar.other_view(B, size);
    assert!(matches!(cosigned, WitnessResponse::Cosigned(_)), "{cosigned:?}");
    // One that saw the other view does not cosign this one.
    assert_eq!(liar.other_view(A, size), WitnessResponse::Refused { status: 409, size: Some(size) });
    let absent = Checkpoint { origin: "hansa/testnet/nobody".into(), size, root: [9; 32] };
    let absent = absent.sign(&liar.keys.signer(Purpose::Log).unwrap()).unwrap();
    let request = AddCheckpoint { old: 0, proof: vec![], checkpoint: absent }.to_string().into_bytes();
    let unknown = liar.ask(A, &WitnessRequest::Add(request));
    assert_eq!(unknown, WitnessResponse::Refused { status: 404, size: None });
    drop(liar);

    for at in [A, B] {
        assert!(group.forked(at, C), "two notes of one size are a proof");
        let files = group.evidence(at);
        assert_eq!(files.len(), 1, "{files:?}");
        let shown = audit_fork(&files[0], &group);
        assert_eq!(shown.code, 0, "{shown:?}");
        says(&shown.stdout, &["FORKED: the log of bank-c", &format!("its first {size} entries")]);
        let mut altered = std::fs::read(&files[0]).unwrap();
        let last = altered.len() - 9;
        altered[last] ^= 1;
        std::fs::write(&files[0], altered).unwrap();
        assert_eq!(audit_fork(&files[0], &group).code, 1);
    }
}

/// A bank restores an old copy of its data and goes on: what its witnesses remember gives it away, to itself too.
#[test]
fn a_log_that_was_rolled_back_is_found_out() {
    let mut group = Group::running(&[A, B, C]);
    group.published(C, 2);
    group.stop(C);
    let data = group.bank(C).folder.join("data");
    let copy = group.folder.path().join("old-copy");
    copy_folder(&data, &copy);

    group.start(&[C]);
    group.pay(C, &to_b(1, HARMLESS, MULE));
    group.published(C, 2);
    group.stop(C);
    std::fs::remove_dir_all(&data).unwrap();
    copy_folder(&copy, &data);

    let mut node = NodeProcess::start(group.bank(C), &["--development"]).unwrap();
    let lost = |event: &Event| match event {
        Event::KeysLost { reason } => Some(reason.clone()),
        _ => None,
    };
    let reason = node.wait("keys lost", lost).unwrap();
    assert!(reason.contains("it is an old copy"), "{reason}");
    let (status, said) = node.failed().unwrap();
    assert_eq!(status.code(), Some(1));
    assert!(said.contains(&reason) && !said.contains("start again"), "{said}");
}

fn copy_folder(from: &Path, to: &Path) {
    let copied = Command::new("cp").arg("-a").arg(from).arg(to).status().unwrap();
    assert!(copied.success());
}

//! Real nodes decide together: a model, keys, a bank that joins, one that is removed and one that is shut out. Every
//! node comes to the same head and roots, and the network follows.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests: what fails here fails the test")]

mod common;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use common::command::{run, says};
use common::message::{MULE, SUSPICIOUS, to_b};
use common::{A, B, C, Group, without_frames};
use hansa_api::model::{ChangesView, GovernanceView};
use hansa_keys::file::load_secret;
use hansa_keys::{FileSigner, KeyFolder, Purpose, Secret};
use hansa_node::cli::{InitArgs, init};
use hansa_node::events::Event;
use hansa_testnet::consortium::{Bank, GATEWAY};
use hansa_testnet::process::{NodeProcess, PATIENCE, client, hansa};
use hansa_types::codec::{Decode, Encode};
use hansa_types::governance::{Action, Paper};
use hansa_types::hash::Digest;
use hansa_types::id::{BankId, Epoch};
use hansa_types::manifest::{Gateway, Manifest, Registration, SignedManifest, TagPolicy, WitnessPolicy};
use hansa_types::sign::Signer as _;
use rand::rngs::OsRng;

const ACTOR: [&str; 2] = ["--actor", "officer"];

fn founders(group: &Group) -> Manifest {
    SignedManifest::open(&fs::read(group.consortium.manifest()).unwrap()).unwrap()
}

/// Waits until `look` finds something.
fn eventually<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "not within {PATIENCE:?}: {what}");
        std::thread::yield_now();
    }
}

/// Members that run, each by its files.
struct Members<'g> {
    group: &'g Group,
    banks: Vec<Bank>,
}

impl Members<'_> {
    fn view(&self, at: usize) -> GovernanceView {
        client(&self.banks[at]).unwrap().governance().unwrap()
    }

    /// Writes an action for `hansa governance`.
    fn action(&self, name: &str, action: &Action) -> String {
        let path = self.group.folder.path().join(name);
        fs::write(&path, serde_json::to_vec(action).unwrap()).unwrap();
        path.display().to_string()
    }

    /// The bank at `at` proposes what a file holds, from this epoch on.
    fn propose(&self, at: usize, file: &str) -> ChangesView {
        let arguments = ["governance", "propose", file, "--activates", "0", ACTOR[0], ACTOR[1]];
        hansa(&self.banks[at], &arguments).unwrap()
    }

    /// The bank at `at` votes, once it has heard of the proposal.
    fn vote(&self, at: usize, proposal: Digest) -> ChangesView {
        eventually("the proposal arrives", || {
            self.view(at).proposals.iter().any(|open| open.digest == proposal).then_some(())
        });
        let digest = proposal.to_string();
        hansa(&self.banks[at], &["governance", "vote", &digest, ACTOR[0], ACTOR[1]]).unwrap()
    }

    /// The first of `voters` proposes, the others vote, and everybody comes to the same.
    fn decide(&self, name: &str, action: &Action, voters: &[usize]) -> GovernanceView {
        let proposed = self.propose(voters[0], &self.action(name, action));
        let number = self.view(voters[0]).number;
        voters[1..].iter().for_each(|at| drop(self.vote(*at, proposed.digest)));
        let chained = !matches!(action, Action::Revoke { .. });
        let agreed = self.agree(number + u64::from(chained), &(0..self.banks.len()).collect::<Vec<_>>());
        if chained {
            assert_eq!(agreed.amendments.last().map(|amendment| amendment.digest), Some(proposed.digest));
        }
        agreed
    }

    /// Waits until the banks at `at` have as many amendments, and the same head and roots.
    fn agree(&self, number: u64, at: &[usize]) -> GovernanceView {
        eventually("the members agree", || {
            let views: Vec<GovernanceView> = at.iter().map(|at| self.view(*at)).collect();
            let same = |view: &GovernanceView| {
                (view.number, view.head, &view.member_roots, view.registry_root)
                    == (number, views[0].head, &views[0].member_roots, views[0].registry_root)
            };
            views.iter().all(same).then(|| views[0].clone())
        })
    }
}

fn connected(view: &Bank) -> BTreeSet<BankId> {
    let peers = client(view).unwrap().status().unwrap().peers;
    peers.into_iter().filter(|peer| peer.connected).map(|peer| peer.bank).collect()
}

/// A bank that no founder knows, beside the others.
fn newcomer(group: &Group) -> Bank {
    let id: BankId = "bank-d".parse().unwrap();
    let folder = group.consortium.folder.join(id.as_str());
    let args = InitArgs {
        folder: folder.clone(),
        bank: id.clone(),
        institution: "Dogwood Bank".to_owned(),
        parent: "HANSA000000000000D48".try_into().unwrap(),
        zones: vec![],
        first_epoch: 0,
        epochs: 2,
    };
    init(&args).unwrap();
    let ports = [tcp_port(), udp_port()];
    let other = group.bank(A);
    let config = fs::read_to_string(other.config()).unwrap();
    let mut config = without_frames(&config)
        .replace("bank = \"bank-a\"", "bank = \"bank-d\"\namendments = \"amendments.hansa\"")
        .replace(&format!("127.0.0.1:{}", other.api_port), &format!("127.0.0.1:{}", ports[0]))
        .replace(&format!("udp/{}/", other.p2p_port), &format!("udp/{}/", ports[1]))
        .replace(other.bic, "DGWDDEF0XXX");
    config.push_str(&format!("bank-a = \"/ip4/127.0.0.1/udp/{}/quic-v1\"\n", other.p2p_port));
    fs::write(folder.join("hansa.toml"), config).unwrap();
    let mut bank = other.clone();
    (bank.id, bank.folder, bank.api_port, bank.p2p_port) = (id, folder, ports[0], ports[1]);
    bank
}

fn tcp_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn udp_port() -> u16 {
    std::net::UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn path(text: &Path) -> String {
    text.display().to_string()
}

/// The bank signs the state that it joins, and all vote for it; its node starts from what a member wrote for it.
fn admit(members: &mut Members<'_>, newcomer: &Bank) -> NodeProcess {
    let (admit, chain) = (newcomer.folder.join("admit.json"), newcomer.folder.join("amendments.hansa"));
    let (config, entry) = (path(&newcomer.config()), path(&newcomer.folder.join("member.json")));
    let head = members.view(A).head.to_string();
    let arguments =
        ["--config", &config, "governance", "accept", "--head", &head, "--member", &entry, "--out"];
    assert_eq!(run("hansa", &[&arguments[..], &[&path(&admit), "--witness-quorum", "2"]].concat()).code, 0);
    let action: Action = serde_json::from_slice(&fs::read(&admit).unwrap()).unwrap();
    members.decide("admit.json", &action, &[A, B, C]);
    let _: serde_json::Value =
        hansa(&members.banks[A], &["governance", "export", "--out", &path(&chain)]).unwrap();
    let mut node = NodeProcess::start(newcomer, &["--development"]).unwrap();
    node.ready().unwrap();
    members.banks.push(newcomer.clone());
    let view = members.view(A);
    members.agree(view.number, &[A, B, C, 3]);
    eventually("the new member has committed to coming epochs", || {
        let view = members.view(B);
        let new = view.members.iter().find(|member| member.bank == newcomer.id)?;
        (new.last_trace == Some(Epoch(30))).then_some(())
    });
    eventually("the new member is connected", || {
        connected(&members.banks[A]).contains(&newcomer.id).then_some(())
    });
    node
}

fn model(manifest: &Manifest, version: u32) -> Action {
    let mut registered = manifest.models[0].clone();
    registered.model.version = version;
    Action::RegisterModel(registered)
}

/// A gateway in which the newcomer is registered too.
fn gateway(manifest: &Manifest, banks: &[BankId]) -> Gateway {
    let gateway = manifest.gateways[&GATEWAY].clone();
    let registration: Registration = gateway.members.values().next().unwrap().clone();
    Gateway { members: banks.iter().map(|bank| (bank.clone(), registration.clone())).collect(), ..gateway }
}

#[test]
fn members_decide_and_every_node_follows() {
    let mut group = Group::running(&[A, B, C]);
    let founders = founders(&group);
    let newcomer = newcomer(&group);
    let mut node_c = group.take(C);
    let mut members = Members { group: &group, banks: group.consortium.banks.to_vec() };
    let before = members.view(A);
    let after = members.decide("model.json", &model(&founders, 2), &[A, B, C]);
    assert_ne!(before.registry_root, after.registry_root);

    // Bank B's governance key changes: the new one signs that, and votes from then on.
    let keys = KeyFolder::new(members.banks[B].folder.join("keys"));
    let mut member = founders.members[&members.banks[B].id].clone();
    let seed = Secret::random(&mut OsRng);
    fs::rename(keys.path(Purpose::Governance), group.consortium.folder.join("bank-b-governance.key"))
        .unwrap();
    keys.store(Purpose::Governance, &seed).unwrap();
    let entry = members.banks[B].folder.join("rotated.json");
    member.governance_key = keys.signer(Purpose::Governance).unwrap().public_key();
    fs::write(&entry, serde_json::to_vec(&member).unwrap()).unwrap();
    let refused = run(
        "hansa",
        &[
            "--config",
            &path(&members.banks[B].config()),
            "governance",
            "propose",
            &members.action("early.json", &model(&founders, 3)),
            ACTOR[0],
            ACTOR[1],
        ],
    );
    says(&refused.stderr, &["the governance key here is not the one"]);
    rotate(&members, &entry);

    let node_d = admit(&mut members, &newcomer);
    let banks: Vec<BankId> = members.banks.iter().map(|bank| bank.id.clone()).collect();
    let put = Action::PutGateway { id: GATEWAY, gateway: gateway(&founders, &banks) };
    let open = members.decide("gateway.json", &put, &[B, C, 3]);
    assert_eq!(open.member_roots[0].active, 4);

    remove(&mut members, &mut node_c, &founders);
    revoke(&members, &newcomer);
    drop(node_d);
}

/// The old key is gone from the node and the new one not decided yet: the bank proposes and another votes offline, on
/// ballot papers.
fn rotate(members: &Members<'_>, entry: &Path) {
    let out = entry.with_file_name("rotate.json");
    let head = members.view(A).head.to_string();
    let config = path(&members.banks[B].config());
    let arguments = ["--config", &config, "governance", "accept", "--rotate", "--head", &head, "--member"];
    assert_eq!(run("hansa", &[&arguments[..], &[&path(entry), "--out", &path(&out)]].concat()).code, 0);
    let action: Action = serde_json::from_slice(&fs::read(&out).unwrap()).unwrap();
    let file = members.action("rotate.json", &action);
    let (node, draft) = (&members.banks[B], entry.with_file_name("draft.hansa"));
    let _: serde_json::Value =
        hansa(node, &["governance", "propose", &file, "--activates", "0", "--paper", &path(&draft)]).unwrap();
    let paper = Paper::from_bytes(&fs::read(&draft).unwrap()).unwrap();
    let changed: Vec<String> = paper.changes().unwrap().iter().map(|change| change.what.clone()).collect();
    assert_eq!(changed, ["member bank-b, governance key"]);
    // What it was before, as an offline copy would have it.
    let old = members.group.consortium.folder.join("bank-b-governance.key");
    offline(node, &paper, &old);
    let proposed = paper.proposal.digest();
    members.vote(C, proposed);
    assert_eq!(members.view(A).number, 1, "three of three decide");
    let (node, ballot) = (&members.banks[A], entry.with_file_name("ballot.hansa"));
    eventually("the proposal arrives", || {
        members.view(A).proposals.iter().any(|open| open.digest == proposed).then_some(())
    });
    let _: serde_json::Value =
        hansa(node, &["governance", "paper", &proposed.to_string(), "--out", &path(&ballot)]).unwrap();
    let paper = Paper::from_bytes(&fs::read(&ballot).unwrap()).unwrap();
    offline(node, &paper, &KeyFolder::new(node.folder.join("keys")).path(Purpose::Governance));
    members.agree(2, &[A, B, C]);
}

/// Signs a paper where the bank's key is, and hands in at its node what comes back.
fn offline(node: &Bank, paper: &Paper, key: &Path) {
    let key = FileSigner::new(&load_secret(key, "governance").unwrap());
    let vote = node.folder.join("vote.hansa");
    fs::write(&vote, paper.sign(&node.id, true, &key).unwrap().to_bytes()).unwrap();
    let arguments = ["governance", "apply", &path(&vote), ACTOR[0], ACTOR[1]];
    let _: GovernanceView = hansa(node, &arguments).unwrap();
}

/// Three of four remove the fourth: it is cut off, and what it still signals is refused.
fn remove(members: &mut Members<'_>, node: &mut NodeProcess, founders: &Manifest) {
    let removed = members.banks[C].id.clone();
    let (tags, witnesses) = (founders.tags, WitnessPolicy { quorum: 1, faulty: 0 });
    let tags = TagPolicy { threshold: 2, ..tags };
    let action = Action::Remove { bank: removed.clone(), tags, witnesses };
    let file = members.action("remove.json", &action);
    let own = run(
        "hansa",
        &["--config", &path(&members.banks[C].config()), "governance", "propose", &file, ACTOR[0], ACTOR[1]],
    );
    says(&own.stderr, &["has no vote on it"]);
    let proposed = members.propose(A, &file);
    let number = members.view(A).number + 1;
    members.vote(B, proposed.digest);
    members.vote(3, proposed.digest);
    let view = members.agree(number, &[A, B, 3]);
    assert_eq!(view.member_roots[0].active, 3);
    assert!(view.members.iter().all(|member| member.bank != removed));
    for at in [A, B, 3] {
        eventually("the removed member is cut off", || {
            (!connected(&members.banks[at]).contains(&removed)).then_some(())
        });
    }
    let alone = |event: &Event| matches!(event, Event::PeerDisconnected { connected: 0, .. }).then_some(());
    node.wait("nobody is connected", alone).unwrap();
    let refused = client(&members.banks[A]).unwrap().status().unwrap().peers;
    assert!(refused.iter().all(|peer| peer.bank != removed), "{refused:?}");
    members.banks.remove(C);
}

/// Two of three shut the third out at once, for a while.
fn revoke(members: &Members<'_>, bank: &Bank) {
    let before = members.view(A);
    let action = Action::Revoke { bank: bank.id.clone(), until: Epoch(3) };
    let proposed = members.propose(A, &members.action("revoke.json", &action));
    members.vote(B, proposed.digest);
    let view = eventually("both know", || {
        let views = [members.view(A), members.view(B)];
        let revoked = |view: &GovernanceView| view.members.iter().any(|member| member.revoked);
        views.iter().all(revoked).then(|| views[0].clone())
    });
    assert_eq!((view.head, view.number), (before.head, before.number), "it is beside the chain");
    let shown = client(&members.banks[B]).unwrap().proposal(&proposed.digest).unwrap();
    assert_eq!((shown.decided, shown.summary), (true, proposed.summary));
    assert!(view.proposals.is_empty(), "{:?}", view.proposals);
    assert_ne!(view.member_roots, before.member_roots, "a replacement root at once");
    assert_eq!(view.member_roots[0].active, 2);
    for at in [A, B] {
        eventually("the revoked member is cut off", || {
            (!connected(&members.banks[at]).contains(&bank.id)).then_some(())
        });
    }
}

/// A signal is proved against what governance made, and a node that restarts knows it still.
#[test]
fn signals_follow_what_was_decided() {
    let mut group = Group::running(&[A, B, C]);
    let founders = founders(&group);
    let banks: Vec<BankId> = [A, B].iter().map(|at| group.bank(*at).id.clone()).collect();
    let put = Action::PutGateway { id: GATEWAY, gateway: gateway(&founders, &banks) };
    let head = {
        let members = Members { group: &group, banks: group.consortium.banks.to_vec() };
        members.decide("gateway.json", &put, &[A, B, C]).head
    };
    let signal = group.signal(A, &to_b(1, SUSPICIOUS, MULE));
    group.received(B, signal);
    group.stop(A);
    group.start(&[A]);
    let members = Members { group: &group, banks: group.consortium.banks.to_vec() };
    assert_eq!(members.view(A).head, head, "the log knows");
    assert!(group.signals(C).is_empty(), "the third is not registered any more");
    let dry =
        ["governance", "apply", &members.action("close.json", &Action::CloseGateway(GATEWAY)), "--dry-run"];
    let view: ChangesView = hansa(group.bank(A), &dry).unwrap();
    assert!(view.changes.iter().any(|change| change.what == "gateway 1, purpose" && change.after.is_none()));
    assert!(members.view(A).proposals.is_empty(), "nothing was proposed");
    let nobody = Action::Revoke { bank: "bank-x".parse().unwrap(), until: Epoch(3) };
    let file: PathBuf = members.action("nobody.json", &nobody).into();
    let refused = run(
        "hansa",
        &[
            "--config",
            &path(&group.bank(A).config()),
            "governance",
            "propose",
            &path(&file),
            ACTOR[0],
            ACTOR[1],
        ],
    );
    says(&refused.stderr, &["bank-x is no member"]);
}

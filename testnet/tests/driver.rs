//! A node that screens frames in the driver, over a cable between network namespaces.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests: what fails here fails the test")]

mod common;

use std::path::PathBuf;
use std::process::{Command, Output};
use std::time::Instant;

use common::message::{HARMLESS, OTHER, Transfer, message, to_b};
use common::{A, Group};
use hansa_api::model::{FirewallView, FrameCounters, FramePath, FramesView, Traffic};
use hansa_node::events::Event;
use hansa_testnet::cable::{Cable, NODE};
use hansa_testnet::consortium::frames::{ABOVE_LIMIT, on_cable};
use hansa_testnet::data::skipped;
use hansa_testnet::process::{NodeProcess, PATIENCE, program};

const TEST: &str = "frames_are_screened_in_the_driver_of_a_running_node";
const ACTOR: [&str; 2] = ["--actor", "ops.a"];
/// Exit codes of `hansa frame send`.
const PRE_SCREENED: Option<i32> = Some(0);
const BLOCK: Option<i32> = Some(11);
const SILENCE: Option<i32> = Some(13);

/// A node at its end of the cable, asked from there; and bank A's gateway at the other.
struct Bank {
    cable: Cable,
    group: Group,
    config: String,
    file: PathBuf,
    sent: u64,
}

impl Bank {
    /// Starts the node; returns where it says that frames are screened.
    fn start(&self) -> (NodeProcess, String) {
        let node =
            NodeProcess::start_by(self.group.bank(A), self.hansa(self.cable.at_node()), &["--development"]);
        let mut node = node.unwrap();
        let path = node.wait("frames are taken in", |event| match event {
            Event::FramesListening { path, .. } => Some(path.clone()),
            _ => None,
        });
        node.ready().unwrap();
        (node, path.unwrap())
    }

    fn hansa(&self, mut within: Command) -> Command {
        within.arg(program("hansa").unwrap());
        within
    }

    fn ask(&self, arguments: &[&str]) -> Output {
        let mut command = self.hansa(self.cable.at_node());
        command.args(["--config", &self.config, "--json"]).args(arguments).output().unwrap()
    }

    fn view<T: serde::de::DeserializeOwned>(&self, arguments: &[&str]) -> T {
        let output = self.ask(arguments);
        assert!(output.status.success(), "{arguments:?}: {output:?}");
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// What `/readyz` says, asked where the node is.
    fn health(&self) -> String {
        let port = self.group.bank(A).api_port;
        let request = r"GET /readyz?verbose HTTP/1.1\r\nHost: node\r\nConnection: close\r\n\r\n";
        let ask = format!("exec 3<>/dev/tcp/127.0.0.1/{port}; printf '{request}' >&3; cat <&3");
        let output = self.cable.at_node().args(["bash", "-c", &ask]).output().unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    fn send(&mut self, amount: &str, wait_ms: &str) -> (Option<i32>, String) {
        self.sent += 1;
        let transfer: Transfer = to_b(self.sent, amount, OTHER);
        std::fs::write(&self.file, message(std::slice::from_ref(&transfer))).unwrap();
        let to = format!("{NODE}:{}", self.group.bank(A).frame_port);
        let mut command = self.hansa(self.cable.at_gateway());
        command.args(["--config", &self.config, "frame", "send"]);
        command.arg(&self.file).args(["--to", &to, "--wait-ms", wait_ms]);
        let output = command.output().unwrap();
        (output.status.code(), String::from_utf8(output.stdout).unwrap())
    }

    #[track_caller]
    fn expect(&mut self, amount: &str, code: Option<i32>) {
        let (found, said) = self.send(amount, "20000");
        assert_eq!(found, code, "{said}");
    }

    /// What was counted under a name, in the driver and on the socket.
    fn counted(&self, name: &str) -> (u64, u64) {
        let all: FrameCounters = self.view(&["xdp", "counters", "--all"]);
        let counter = all.counters.into_iter().find(|counter| counter.name == name).unwrap();
        (counter.driver, counter.socket)
    }

    fn has_program(&self) -> bool {
        self.cable.interface_at_node().unwrap().contains("prog/xdp")
    }
}

#[test]
fn frames_are_screened_in_the_driver_of_a_running_node() {
    let cable = Cable::new().and_then(|mut cable| cable.bring_answers().map(|()| cable));
    let cable = match cable {
        Ok(cable) => cable,
        Err(error) => return skipped(TEST, &error.to_string()),
    };
    let group = Group::create();
    let path = group.bank(A).config();
    let peers = format!("frame_port = {}\npeer_port = {}", group.bank(A).frame_port, group.bank(A).p2p_port);
    let config = on_cable(&std::fs::read_to_string(&path).unwrap(), group.bank(A));
    std::fs::write(&path, config.replace(&format!("frame_port = {}", group.bank(A).frame_port), &peers))
        .unwrap();
    let (config, file) = (path.display().to_string(), group.folder.path().join("message.xml"));
    let mut bank = Bank { cable, group, config, file, sent: 0 };
    let (node, path) = bank.start();
    assert_eq!(path, "in the driver of hxdp0 (native)");

    bank.expect(HARMLESS, PRE_SCREENED);
    bank.expect(ABOVE_LIMIT, BLOCK);
    assert_eq!([bank.counted("nothing-found"), bank.counted("amount-limit")], [(1, 0), (1, 0)]);
    assert_eq!(bank.counted("handed-up"), (1, 0));
    let found = bank.ask(&["audit", "find", "--class", "frame-block"]);
    let found = String::from_utf8(found.stdout).unwrap();
    assert_eq!(found.matches("\"frame-block\"").count(), 1, "a BLOCK of the driver's is in the log: {found}");

    operators_change_who_may_send(&mut bank);
    operators_change_what_screens(&mut bank);

    // Killed, it leaves nothing behind.
    node.kill().unwrap();
    assert!(!bank.has_program());
    // What an operator said of who may send outlives it, and the limit does too.
    let (_node, path) = bank.start();
    assert_eq!(path, "in the driver of hxdp0 (native)");
    let rules: FirewallView = bank.view(&["firewall", "list"]);
    let said = rules.rules.iter().find(|rule| rule.network == "10.77.0.1/32").unwrap();
    assert!(said.allowed && said.by.as_ref().unwrap().reason == "repaired", "{said:?}");
    bank.expect(ABOVE_LIMIT, BLOCK);

    // What the program is on goes away, and status and health say so.
    bank.cable.pull().unwrap();
    let deadline = Instant::now() + PATIENCE;
    let view = loop {
        let view: FramesView = bank.view(&["xdp", "status"]);
        if view.path == FramePath::Socket || Instant::now() > deadline {
            break view;
        }
    };
    let why = view.why_socket.unwrap_or_default();
    assert!(view.path == FramePath::Socket && why.contains("hxdp0 is gone"), "{why}");
    let health = bank.health();
    assert!(health.contains("these checks fail: frames") && health.contains("hxdp0 is gone"), "{health}");
}

/// Who may send is said under traffic, and the driver goes by it.
fn operators_change_who_may_send(bank: &mut Bank) {
    let rules: FirewallView = bank.view(&["firewall", "list"]);
    let of = |traffic| rules.rules.iter().filter(move |rule| rule.traffic == traffic);
    assert_eq!(of(Traffic::Frames).map(|rule| rule.network.as_str()).collect::<Vec<_>>(), ["10.77.0.0/24"]);
    let peers: Vec<&str> = of(Traffic::Peers).map(|rule| rule.network.as_str()).collect();
    assert_eq!(peers, ["127.0.0.1/32"], "the members' addresses");
    let view: FramesView = bank.view(&["xdp", "status"]);
    assert_eq!(view.peer_port, Some(bank.group.bank(A).p2p_port));
    let deny = ["firewall", "deny", "10.77.0.1", "--reason", "sends rubbish", ACTOR[0], ACTOR[1]];
    drop(bank.view::<FirewallView>(&deny));
    // Nobody is told: the gateway fails closed, and the driver counts.
    let (code, said) = bank.send(HARMLESS, "300");
    assert_eq!(code, SILENCE, "{said}");
    assert_eq!(bank.counted("not-allowed"), (1, 0));
    for refused in [
        vec!["firewall", "deny", "10.77.0.1/24", "--reason", "no network", ACTOR[0], ACTOR[1]],
        vec!["firewall", "deny", "10.77.0.1", "--reason", " ", ACTOR[0], ACTOR[1]],
        vec!["firewall", "forget", "10.77.0.9", "--reason", "never said", ACTOR[0], ACTOR[1]],
    ] {
        assert_eq!(bank.ask(&refused).status.code(), Some(1), "{refused:?}");
    }
    let allow = ["firewall", "allow", "10.77.0.1", "--reason", "repaired", ACTOR[0], ACTOR[1]];
    drop(bank.view::<FirewallView>(&allow));
    bank.expect(HARMLESS, PRE_SCREENED);
    let logged = bank.ask(&["audit", "find", "--class", "operation"]);
    let logged = String::from_utf8(logged.stdout).unwrap();
    assert!(logged.contains("sends rubbish") && logged.contains("repaired"), "{logged}");
}

/// The program goes and comes back, and nothing is counted twice or lost; the verdicts stay the same.
fn operators_change_what_screens(bank: &mut Bank) {
    let before = bank.counted("nothing-found");
    let view: FramesView = bank.view(&["xdp", "detach", ACTOR[0], ACTOR[1]]);
    assert_eq!((view.path, view.why_socket.is_some()), (FramePath::Socket, true));
    assert!(!bank.has_program());
    bank.expect(HARMLESS, PRE_SCREENED);
    bank.expect(ABOVE_LIMIT, BLOCK);
    assert_eq!(bank.counted("nothing-found"), (before.0, before.1 + 1));
    let first: FramesView = bank.view(&["xdp", "attach", ACTOR[0], ACTOR[1]]);
    assert!(first.path == FramePath::Driver && bank.has_program());
    bank.expect(HARMLESS, PRE_SCREENED);
    assert_eq!(bank.counted("nothing-found"), (before.0 + 1, before.1 + 1));
    // Once more, in the place of the one that is there.
    let second: FramesView = bank.view(&["xdp", "attach", ACTOR[0], ACTOR[1]]);
    assert_ne!(first.program.unwrap().id, second.program.unwrap().id);
    bank.expect(HARMLESS, PRE_SCREENED);
    bank.expect(ABOVE_LIMIT, BLOCK);
    assert_eq!(bank.counted("nothing-found"), (before.0 + 2, before.1 + 1));
}

//! Real traffic over a virtual cable, and what becomes of the program when its surroundings change.

mod common;

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read};
use std::net::UdpSocket;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};

use common::network::{INTERFACE, Network};
use common::{account, allowed, config, fields, key, packet, payload, rules, seal, skipped};
use hansa_xdp::frame::{Counter, Digest, Fields, Frame, MAX_FRAMES, REPLY_LEN, Reason, Reply, Verdict};
use hansa_xdp::{BlockedFrames, Config, Driver, Error, Measured, Mode, TestBench};

/// Tells the child processes of these tests what they are.
const ROLE: &str = "HANSA_XDP_TEST_ROLE";
const BLOCKED: u64 = 1;
/// A cable that was just plugged in, or whose ends do not know one another yet, loses what is sent first.
const ATTEMPTS: usize = 50;

fn blocked_list() -> BTreeSet<Digest> {
    BTreeSet::from([account(BLOCKED)])
}

fn attach(network: &Network, config: &Config, test: &str) -> Option<(Driver, BlockedFrames)> {
    allowed(test, network.at_node(|| Driver::attach(config, &rules(config), &blocked_list(), None)))
}

/// What is changed of a payment that nothing is wrong with.
type Change = fn(&mut Fields);
const NOTHING: Change = |_| ();

/// Sends so many payments in one datagram and returns them with the replies to it.
fn exchange(socket: &UdpSocket, sequence: &mut u64, change: &[Change]) -> (Vec<Frame>, Vec<Reply>) {
    let mut room = [0; 2048];
    for _ in 0..ATTEMPTS {
        let frames = change.iter().map(|change| {
            *sequence += 1;
            let mut fields = fields(*sequence);
            change(&mut fields);
            seal(&fields)
        });
        let frames: Vec<Frame> = frames.collect();
        if socket.send(&payload(&frames)).is_err() {
            continue;
        }
        // Packets that wait until the other end's address is known come late, and so do their answers.
        while let Ok(length) = socket.recv(&mut room) {
            let (replies, rest) = room[..length].as_chunks::<REPLY_LEN>();
            assert!(rest.is_empty());
            let open = |reply| Reply::open(reply, &key(0)).expect("authentic");
            let replies: Vec<Reply> = replies.iter().map(open).collect();
            if replies.iter().any(|reply| frames.iter().any(|frame| reply.answers(frame))) {
                return (frames, replies);
            }
        }
    }
    unreachable!("no reply to {ATTEMPTS} attempts")
}

#[tokio::test]
async fn frames_are_answered_in_the_driver() {
    let test = "frames_are_answered_in_the_driver";
    for mode in [Mode::Native, Mode::Generic] {
        let Some(network) = Network::new(test) else { return };
        let Some(_other_end) = network.other_end(test) else { return };
        let config = Network::config(mode);
        let Some((driver, mut blocked)) = attach(&network, &config, test) else { return };
        assert_eq!(driver.status().mode, mode);
        let mut sequence = 100;
        for is_v4 in [true, false] {
            let socket = network.gateway_socket(is_v4, config.frame_port);
            for count in [1, MAX_FRAMES] {
                let (frames, replies) = exchange(&socket, &mut sequence, &vec![NOTHING; count]);
                assert_eq!(replies.len(), frames.len(), "{mode:?}, {count} frames");
                for (reply, frame) in replies.iter().zip(&frames) {
                    assert!(reply.answers(frame));
                    assert_eq!(reply.verdict(), Verdict::PreScreened);
                }
            }
            // A blocked frame is left out of the answer, and comes up with its sender.
            let (frames, replies) =
                exchange(&socket, &mut sequence, &[|fields| fields.creditor = account(BLOCKED), NOTHING]);
            assert!(replies.len() == 1 && replies[0].answers(&frames[1]));
            let batch = blocked.next().await.expect("readable");
            assert_eq!(batch.len(), 1);
            let (handed_up, reason) = &batch[0];
            assert_eq!((handed_up.frame, *reason), (frames[0], Reason::CreditorListed));
            assert_eq!(u16::from_be_bytes(handed_up.port), socket.local_addr().expect("bound").port());
        }
        let of = |counter| {
            let counters = driver.counters().expect("readable");
            counters.into_iter().find(|(other, ..)| *other == counter).map(|(_, _, value)| value)
        };
        assert_eq!(of(Counter::HANDED_UP), Some(2));
        assert!(of(Counter::ANSWERED) >= Some(6));
    }
}

#[tokio::test]
async fn the_program_survives_its_interface_and_is_replaced_between_two_packets() {
    let test = "the_program_survives_its_interface_and_is_replaced_between_two_packets";
    let Some(network) = Network::new(test) else { return };
    let Some(_other_end) = network.other_end(test) else { return };
    let config = Network::config(Mode::Auto);
    let Some((driver, _blocked)) = attach(&network, &config, test) else { return };
    let socket = network.gateway_socket(true, config.frame_port);
    let mut sequence = 0;
    let mut reason = |change: Change| exchange(&socket, &mut sequence, &[change]).1[0].reason();
    assert_eq!(reason(NOTHING), Reason::NothingFound);

    network.ip_at_node(&format!("link set {INTERFACE} down"));
    network.ip_at_node(&format!("link set {INTERFACE} up"));
    assert_eq!(reason(NOTHING), Reason::NothingFound);
    let far: Change = |fields| fields.sequence = 1 << 20;
    assert_eq!(reason(far), Reason::NothingFound);

    let before = driver.status().program;
    let replaced = network.at_node(|| driver.replace(&config, &rules(&config), &blocked_list()));
    let (driver, _blocked) = replaced.expect("it was allowed before");
    assert_ne!(driver.status().program, before);
    // What the first program saw, the second knows.
    assert_eq!(reason(far), Reason::Replayed);
    assert_eq!(reason(|fields| fields.sequence += 1 << 20), Reason::NothingFound);

    assert!(network.ip_at_node("link show").contains("prog/xdp"));
    drop(driver);
    assert!(!network.ip_at_node("link show").contains("prog/xdp"));
}

/// A BPF file system of the test's own; it goes with it.
struct BpfFolder(tempfile::TempDir);

impl BpfFolder {
    fn new() -> Result<Self, String> {
        let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
        let mut mount = Command::new("mount");
        let output =
            mount.args(["-t", "bpf", "bpf"]).arg(folder.path()).output().map_err(|e| e.to_string())?;
        let refused = || String::from_utf8_lossy(&output.stderr).trim().to_owned();
        if output.status.success() { Ok(Self(folder)) } else { Err(refused()) }
    }
}

impl Drop for BpfFolder {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.0.path()).status();
    }
}

#[tokio::test]
async fn a_pinned_program_stays_and_the_next_node_takes_it_over() {
    let test = "a_pinned_program_stays_and_the_next_node_takes_it_over";
    let Some(network) = Network::new(test) else { return };
    let Some(_other_end) = network.other_end(test) else { return };
    let folder = match BpfFolder::new() {
        Ok(folder) => folder,
        Err(reason) => return skipped(test, &reason),
    };
    let pin = Some(folder.0.path().to_owned());
    let config = Config { pin, ..Network::config(Mode::Native) };
    let Some((first, blocked)) = attach(&network, &config, test) else { return };
    assert!(first.status().is_pinned);
    let socket = network.gateway_socket(true, config.frame_port);
    let mut sequence = 0;
    let mut reason = || exchange(&socket, &mut sequence, &[NOTHING]).1[0].reason();
    assert_eq!(reason(), Reason::NothingFound);
    let id = first.status().program;
    drop((first, blocked));
    assert!(network.ip_at_node("link show").contains(&format!("prog/xdp id {id} ")));
    assert_eq!(reason(), Reason::NothingFound, "nobody runs, and it still answers");

    let (second, _blocked) = attach(&network, &config, test).expect("it was allowed before");
    assert!(network.ip_at_node("link show").contains(&format!("prog/xdp id {} ", second.status().program)));
    assert_eq!(reason(), Reason::NothingFound);
    // In another mode, or on an interface that went away, it is of no use to the next.
    drop(second);
    let generic = Config { mode: Mode::Generic, ..config.clone() };
    let (third, _blocked) = attach(&network, &generic, test).expect("it was allowed before");
    assert_eq!(third.status().mode, Mode::Generic);
    network.ip_at_node(&format!("link del {INTERFACE}"));
    assert!(matches!(third.check(), Err(Error::Gone { .. })), "{:?}", third.check());
    drop(third);
    network.plug().expect("it was allowed before");
    let (fourth, _blocked) = attach(&network, &config, test).expect("it was allowed before");
    assert_eq!((fourth.status().mode, fourth.check().is_ok()), (Mode::Native, true));

    fourth.detach().expect("its file can be removed");
    assert!(!network.ip_at_node("link show").contains("prog/xdp"));
    assert!(matches!(fourth.check(), Err(Error::Detached)));
    drop(fourth);
    // What a node that cannot take it over would leave behind is taken off.
    drop(attach(&network, &config, test).expect("it was allowed before"));
    let elsewhere = Config { interface: Some("cable9".to_owned()), ..config };
    assert!(
        network.at_node(|| Driver::attach(&elsewhere, &rules(&elsewhere), &blocked_list(), None)).is_err()
    );
    assert!(!network.ip_at_node("link show").contains("prog/xdp"));
}

#[tokio::test]
async fn what_cannot_be_is_said_clearly() {
    let test = "what_cannot_be_is_said_clearly";
    let Some(network) = Network::new(test) else { return };
    let config = Network::config(Mode::Auto);
    let elsewhere = Config { interface: Some("cable9".to_owned()), ..config.clone() };
    let attached = network.at_node(|| Driver::attach(&elsewhere, &rules(&elsewhere), &blocked_list(), None));
    match attached {
        Err(Error::NoSuchInterface { .. }) => {}
        other => {
            allowed(test, other);
            return;
        }
    }
    let first = attach(&network, &config, test);
    let second = network.at_node(|| Driver::attach(&config, &rules(&config), &blocked_list(), None));
    assert!(matches!(second, Err(Error::Busy { .. })), "{second:?}");
    drop(first);

    network.set_mtu(9000);
    let native = Config { mode: Mode::Native, ..config.clone() };
    let refused = network.at_node(|| Driver::attach(&native, &rules(&native), &blocked_list(), None));
    assert!(matches!(refused, Err(Error::Mtu { .. })), "{refused:?}");
    let (driver, _) = attach(&network, &config, test).expect("generic mode takes any MTU");
    assert_eq!(driver.status().mode, Mode::Generic);
    assert!(driver.status().why_generic.as_ref().is_some_and(|why| why.contains("MTU")));

    let small = Config { max_accounts: 1, ..config };
    let bench = TestBench::new(Measured::Node, &small, &rules(&small), &(0..2).map(account).collect());
    assert!(matches!(bench, Err(Error::TooMany { setting: "max_accounts", .. })), "{bench:?}");
}

/// The swap is atomic: an account on every list is blocked by each frame, however the lists change meanwhile.
#[tokio::test]
async fn no_frame_is_judged_by_neither_list() {
    const SWAPS: u64 = 30;
    let config = Config { max_accounts: 20_000, frames_per_second: 0, ..config() };
    let list = |number: u64| -> BTreeSet<Digest> {
        (0..10_000).map(|n| account(number << 32 | n)).chain([account(BLOCKED)]).collect()
    };
    let lists = [list(1), list(2)];
    let bench = TestBench::new(Measured::Node, &config, &rules(&config), &lists[0]);
    let Some(bench) = allowed("no_frame_is_judged_by_neither_list", bench) else { return };
    let is_over = AtomicBool::new(false);
    let runs = std::thread::scope(|scope| {
        let traffic = scope.spawn(|| {
            let mut sequence = 0;
            while !is_over.load(Ordering::Relaxed) {
                let frame = seal(&Fields { debtor: account(BLOCKED), ..fields(sequence) });
                let source = common::GATEWAY_V4.into();
                let packet = packet(source, common::NODE_V4.into(), config.frame_port, &payload(&[frame]));
                bench.run(&packet).expect("it runs");
                sequence += 1;
            }
            sequence
        });
        for number in 1..=SWAPS as usize {
            bench.set_accounts(&lists[number % 2]).expect("room enough");
        }
        is_over.store(true, Ordering::Relaxed);
        traffic.join().expect("no panic")
    });
    for (_, name, value) in bench.counters().expect("readable") {
        match name {
            "debtor-listed" => assert_eq!(value, runs, "of {runs} frames"),
            "nothing-found" => assert_eq!(value, 0),
            _ => {}
        }
    }
}

/// Runs the test `child` of this binary in the node's namespace, behind the programs of `wrapper`.
fn start_child(network: &Network, wrapper: &[&str], binary: &str) -> std::process::Child {
    let mut command = network.command_at_node();
    command.args(wrapper).arg(binary).args(["child", "--exact", "--ignored", "--nocapture"]);
    command.env(ROLE, "attach").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("ip runs")
}

/// What the child says once it tried to attach.
fn said(child: &mut std::process::Child) -> String {
    let output = child.stdout.as_mut().expect("piped");
    let mut lines = BufReader::new(output).lines().map_while(Result::ok);
    lines.find(|line| line.starts_with("child: ")).unwrap_or_default()
}

#[tokio::test]
#[ignore = "the part of other tests that runs in a process of its own"]
async fn child() {
    if std::env::var(ROLE).is_err() {
        return;
    }
    let config = Network::config(Mode::Auto);
    let attached = Driver::attach(&config, &rules(&config), &blocked_list(), None);
    match &attached {
        Ok((driver, _)) => println!("child: attached {:?}", driver.status().mode),
        Err(error) => println!("child: {error}"),
    }
    // Until the parent goes or kills it.
    let _ = std::io::stdin().read(&mut [0]);
}

#[test]
fn nothing_stays_after_a_kill() {
    let Some(network) = Network::new("nothing_stays_after_a_kill") else { return };
    let binary = std::env::current_exe().expect("this binary");
    let mut child = start_child(&network, &[], &binary.display().to_string());
    let said = said(&mut child);
    if said.contains("attached") {
        assert!(network.ip_at_node("link show").contains("prog/xdp"));
    } else {
        skipped("nothing_stays_after_a_kill", &said);
    }
    child.kill().expect("it runs");
    child.wait().expect("it ends");
    assert!(!network.ip_at_node("link show").contains("prog/xdp"));
}

#[test]
fn it_runs_as_nobody_with_three_capabilities() {
    let test = "it_runs_as_nobody_with_three_capabilities";
    if Command::new("setpriv").arg("--version").output().is_err() {
        skipped(test, &"no setpriv (Debian: util-linux)");
        return;
    }
    let Some(network) = Network::new(test) else { return };
    // Where nobody may read it.
    let binary = std::env::temp_dir().join(format!("hansa-xdp-live-{}", std::process::id()));
    std::fs::copy(std::env::current_exe().expect("this binary"), &binary).expect("room");
    let nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];
    let with = |capabilities: &str| {
        let sets = [format!("--inh-caps={capabilities}"), format!("--ambient-caps={capabilities}")];
        let wrapper: Vec<&str> = nobody.iter().copied().chain(sets.iter().map(String::as_str)).collect();
        let mut child = start_child(&network, &wrapper, &binary.display().to_string());
        let said = said(&mut child);
        drop(child.stdin.take());
        child.wait().expect("it ends");
        said
    };
    let privileged = with("-all,+bpf,+net_admin,+perfmon");
    let without_one = with("-all,+bpf,+net_admin");
    let plain = with("-all");
    std::fs::remove_file(&binary).expect("it was copied");
    if privileged.contains("attached") {
        assert!(without_one.contains("lacks cap_perfmon"), "{without_one}");
    } else {
        skipped(test, &privileged);
    }
    assert!(plain.contains("cap_bpf, cap_net_admin, cap_perfmon") || !plain.contains("attached"), "{plain}");
}

//! Frames end to end, on the socket: answered, refused, durable before they are answered, and binding.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests: what fails here fails the test")]

mod common;

use std::net::UdpSocket;
use std::path::{Path, PathBuf};

use common::command::run;
use common::fleet::Fleet;
use common::message::{HARMLESS, MULE, OTHER, Transfer, message, to_b, uetr};
use common::{A, Group, samples};
use hansa_api::model::{ReplayView, WhyView};
use hansa_keys::file::load_short;
use hansa_node::events::Event;
use hansa_node::gateway::{Gateway, now_ms};
use hansa_screening::Scheme;
use hansa_testnet::consortium::Bank;
use hansa_testnet::process::{PATIENCE, client};
use hansa_types::decision::{Disposition, Reason as Decided, Verdict as Bound};
use hansa_types::frame::FrameField;
use hansa_xdp::frame::{FRAME_LEN, Fields, Frame, Key, MAX_FRAMES, REPLY_LEN, Reason, Reply, Verdict};
use serde_json::Value;

/// Above the limit that the consortium's configuration sets for frames.
const TOO_MUCH: &str = "50000.01";

/// Bank A's gateway, and a socket of it.
struct Line {
    gateway: Gateway,
    socket: UdpSocket,
}

impl Line {
    fn of(group: &Group) -> Self {
        Self::to(group.bank(A), group.folder.path())
    }

    fn to(bank: &Bank, folder: &Path) -> Self {
        let keys = bank.folder.join("keys");
        let key =
            |purpose: &str| Key::new(*load_short(&keys.join(format!("{purpose}.key")), purpose).unwrap());
        let gateway = Gateway {
            key_id: 1,
            key: key("frame-1"),
            digest_key: key("frame-digest"),
            sequence: folder.join("gateway.sequence"),
            scheme: Scheme::Sct,
        };
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.connect(("127.0.0.1", bank.frame_port)).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        Self { gateway, socket }
    }

    fn frame(&self, transfer: &Transfer) -> Frame {
        self.gateway.frames(transfer.message().as_bytes(), now_ms()).unwrap()[0]
    }

    /// The frame of a transfer, said otherwise.
    fn altered(&self, transfer: &Transfer, alter: impl FnOnce(&mut Fields)) -> Frame {
        let mut fields = self.frame(transfer).fields().unwrap();
        alter(&mut fields);
        fields.seal(&self.gateway.key).unwrap()
    }

    fn send(&self, frames: &[Frame]) {
        let datagram: Vec<u8> = frames.iter().flat_map(|frame| *frame.as_bytes()).collect();
        assert_eq!(self.socket.send(&datagram).unwrap(), datagram.len());
    }

    /// The replies of the next datagram, each authentic.
    fn heard(&self) -> Vec<Reply> {
        let mut room = [0; 2048];
        let length = self.socket.recv(&mut room).unwrap();
        let (replies, rest) = room[..length].as_chunks::<REPLY_LEN>();
        assert!(rest.is_empty(), "{length} bytes");
        replies.iter().map(|bytes| Reply::open(bytes, &self.gateway.key).unwrap()).collect()
    }

    /// Sends a frame, and returns what the next datagram says of it.
    fn ask(&self, frame: Frame) -> Reason {
        self.send(&[frame]);
        let [reply] = self.heard().try_into().unwrap();
        assert!(reply.answers(&frame), "another frame's reply: {reply:?}");
        reply.reason()
    }
}

/// The classes of the records about a payment.
fn classes(group: &Group, number: u64) -> Vec<String> {
    let found: Value = group.hansa(A, &["audit", "find", "--uetr", &uetr(number).to_string()]);
    let entries = found["entries"].as_array().unwrap_or_else(|| panic!("{found}"));
    entries.iter().map(|entry| entry["class"].as_str().unwrap().to_owned()).collect()
}

fn counted(bank: &Bank, sample: &str) -> u64 {
    let metrics = client(bank).unwrap().metrics().unwrap();
    let line = metrics.lines().find_map(|line| line.strip_prefix(sample)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("{sample} is missing in {metrics}")).parse().unwrap()
}

#[test]
fn what_is_authentic_is_answered_and_what_is_not_is_counted() {
    let mut group = Group::running(&[A]);
    let line = Line::of(&group);
    let harmless = |number| to_b(number, HARMLESS, OTHER);

    let first = line.frame(&harmless(1));
    assert_eq!(line.ask(first), Reason::NothingFound);
    assert_eq!(line.ask(first), Reason::Replayed);
    assert_eq!(line.ask(line.altered(&harmless(2), |fields| fields.time -= 60_000)), Reason::Stale);
    assert!(classes(&group, 1).is_empty(), "PRE-SCREENED is counted, not logged");

    // Nobody is told of what is not authentic; the one behind it is answered first.
    let mut forged = *line.frame(&harmless(3)).as_bytes();
    forged[FRAME_LEN - 1] ^= 1;
    line.send(&[Frame::new(forged)]);
    line.socket.send(&forged[1..]).unwrap();
    line.send(&[line.altered(&harmless(3), |fields| fields.key_id = 9)]);
    assert_eq!(line.ask(line.frame(&harmless(4))), Reason::NothingFound);
    for reason in ["bad-tag", "length", "unknown-key", "stale", "replayed"] {
        let sample = format!("hansa_node_frames_total{{reason=\"{reason}\"}}");
        assert_eq!(counted(group.bank(A), &sample), 1, "{reason}");
    }
    assert_eq!(counted(group.bank(A), "hansa_node_frames_total{reason=\"nothing-found\"}"), 2);

    // As many as a datagram holds: one is blocked, which is answered in a datagram of its own.
    let amount = |number| if number == 15 { TOO_MUCH } else { HARMLESS };
    let many: Vec<Frame> =
        (10..10 + MAX_FRAMES as u64).map(|n| line.frame(&to_b(n, amount(n), OTHER))).collect();
    line.send(&many);
    let mut heard = line.heard();
    assert_eq!(heard.len(), MAX_FRAMES - 1, "in one datagram");
    heard.extend(line.heard());
    let order: Vec<usize> =
        heard.iter().map(|reply| many.iter().position(|frame| reply.answers(frame)).unwrap()).collect();
    assert_eq!(order, [0, 1, 2, 3, 4, 6, 7, 8, 9, 10, 5]);
    assert_eq!(heard.last().unwrap().verdict(), Verdict::Block);
    group.stop(A);
}

#[test]
fn a_block_is_in_the_log_before_its_reply_and_binds_the_message() {
    let mut group = Group::running(&[A]);
    let line = Line::of(&group);
    // The frame says more than the message does.
    let message = to_b(1, HARMLESS, OTHER);
    let blocked = || line.altered(&message, |fields| fields.amount = 5_000_001);
    assert_eq!(line.ask(blocked()), Reason::AmountLimit);
    assert_eq!(classes(&group, 1), ["frame-block"], "durable before its reply");
    // Blocked again, for whatever reason: the same answer, and one record.
    assert_eq!(line.ask(blocked()), Reason::AmountLimit);
    assert_eq!(classes(&group, 1), ["frame-block"]);

    // Also after a restart.
    group.kill(A);
    group.start(&[A]);
    let answer = group.pay(A, &message);
    assert_eq!((answer.verdict, answer.outward_code.as_deref()), (Some(Bound::Block), Some("MS03")));
    let internal = answer.internal.unwrap();
    assert_eq!(internal.disposition, Some(Disposition::Reject), "{internal:?}");
    let payment = uetr(1).to_string();
    let replay: ReplayView = group.hansa(A, &["replay", &payment]);
    assert!(replay.same && replay.decided.reasons == [Decided::FrameBlock], "{replay:?}");
    let why: WhyView = group.hansa(A, &["why", &payment]);
    let found: Vec<&str> = why.findings.iter().map(|finding| finding.text.as_str()).collect();
    assert!(found.contains(&"the payment's frame was blocked before: amount-limit"), "{found:?}");
    let other = format!("the frame had another {} than the message", FrameField::Amount);
    assert!(found.contains(&other.as_str()), "{found:?}");
    assert!(why.without.iter().any(|without| without.verdict == Bound::Clear), "{why:?}");
    assert_eq!(why.today.verdict, Bound::Block);
    let logged = classes(&group, 1);
    assert_eq!(&logged[..2], ["frame-block", "decision"], "{logged:?}");

    // The same reference on another leg is another payment.
    let elsewhere = Transfer { instructed: common::message::CEDAR, ..message.clone() };
    assert_eq!(group.pay(A, &elsewhere).verdict, Some(Bound::Clear));
    group.stop(A);
}

#[test]
fn a_block_after_the_decision_is_said_and_opens_a_case() {
    let mut group = Group::running(&[A]);
    let line = Line::of(&group);
    let message = to_b(1, HARMLESS, OTHER);
    assert_eq!(group.pay(A, &message).verdict, Some(Bound::Clear));
    let late = line.altered(&message, |fields| fields.amount = 5_000_001);
    assert_eq!(line.ask(late), Reason::AmountLimit);
    let said = |event: &Event| match event {
        Event::FrameAfterDecision { case, .. } => Some(*case),
        _ => None,
    };
    assert!(group.node(A).wait("frame after decision", said).unwrap().is_some());
    let logged = classes(&group, 1);
    let expected = ["decision", "frame-block", "operation", "case"];
    assert!(expected.iter().all(|class| logged.iter().any(|found| found == class)), "{logged:?}");
    assert_eq!(group.pay(A, &message).verdict, Some(Bound::Clear), "what was answered stays answered");
    group.stop(A);
}

#[test]
fn a_block_binds_through_every_replica_and_is_not_answered_without_a_quorum() {
    let mut fleet = Fleet::running();
    let line = Line::to(fleet.bank((A, 1)), fleet.folder.path());
    assert_eq!(line.ask(line.frame(&to_b(1, TOO_MUCH, OTHER))), Reason::AmountLimit);
    for replica in [2, 3, 1] {
        let answer = fleet.pay((A, replica), &to_b(1, TOO_MUCH, OTHER));
        assert_eq!(answer.verdict, Some(Bound::Block), "{answer:?}");
    }
    let others = [(A, 2), (A, 3)];
    others.iter().for_each(|at| fleet.kill(*at));
    line.send(&[line.frame(&to_b(2, TOO_MUCH, OTHER))]);
    assert_eq!(line.ask(line.frame(&to_b(3, HARMLESS, OTHER))), Reason::NothingFound);
    let deadline = std::time::Instant::now() + PATIENCE;
    let sample = "hansa_node_frame_blocks_unanswered_total{what=\"not-logged\"}";
    while counted(fleet.bank((A, 1)), sample) == 0 {
        assert!(std::time::Instant::now() < deadline, "nothing was counted");
    }
    fleet.start(&others);
    fleet.leader();
    let again = line.frame(&to_b(2, TOO_MUCH, OTHER));
    line.send(&[again]);
    let [reply] = line.heard().try_into().unwrap();
    assert!(reply.answers(&again), "only what is durable is answered: {reply:?}");
}

#[test]
fn the_block_list_follows_the_lists() {
    let mut group = Group::running(&[A]);
    let line = Line::of(&group);
    assert_eq!(line.ask(line.frame(&to_b(1, HARMLESS, MULE))), Reason::NothingFound);
    let grown: PathBuf = group.folder.path().join("grown.csv");
    let list = std::fs::read_to_string(samples().join("watchlist.csv")).unwrap();
    let row = format!("HX-011,person,FICTION-SANCTIONS,Somebody Else Entirely,,,,,,,{},\n", MULE.iban);
    std::fs::write(&grown, list + &row).unwrap();
    let file = grown.display().to_string();
    let import = ["lists", "import", "samples", &file, "--date", "2026-11-21", "--actor", "officer"];
    let _: Value = group.hansa(A, &import);
    let changed = |event: &Event| match event {
        Event::FrameListChanged { accounts } => Some(*accounts),
        _ => None,
    };
    assert_eq!(group.node(A).wait("block list", changed).unwrap(), 2, "the list has an account already");
    assert_eq!(line.ask(line.frame(&to_b(2, HARMLESS, MULE))), Reason::CreditorListed);
    let answer = group.pay(A, &to_b(2, HARMLESS, MULE));
    let internal = answer.internal.unwrap();
    assert_eq!(internal.disposition, Some(Disposition::Freeze), "what the list wants goes before a reject");
    assert!(internal.reasons.contains(&Decided::FrameBlock), "{internal:?}");
    group.stop(A);
}

#[test]
fn a_source_that_is_not_allowed_hears_nothing() {
    let mut group = Group::create();
    let path = group.bank(A).config();
    let config = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, config.replace("127.0.0.0/8", "127.0.0.2/32")).unwrap();
    group.start(&[A]);
    let line = Line::of(&group);
    line.send(&[line.frame(&to_b(1, HARMLESS, OTHER))]);
    let allowed = UdpSocket::bind("127.0.0.2:0").unwrap();
    allowed.connect(("127.0.0.1", group.bank(A).frame_port)).unwrap();
    allowed.set_read_timeout(Some(PATIENCE)).unwrap();
    let line = Line { socket: allowed, ..line };
    assert_eq!(line.ask(line.frame(&to_b(2, HARMLESS, OTHER))), Reason::NothingFound);
    assert_eq!(counted(group.bank(A), "hansa_node_frames_total{reason=\"not-allowed\"}"), 1);
    group.stop(A);
}

#[test]
fn the_command_is_a_gateway() {
    let mut group = Group::running(&[A]);
    let (config, port) = (group.bank(A).config().display().to_string(), group.bank(A).frame_port);
    let file = group.folder.path().join("message.xml");
    let named = file.display().to_string();
    let (to, nobody) = (format!("127.0.0.1:{port}"), "127.0.0.1:1");
    let send = |transfers: &[Transfer], to: &str| {
        std::fs::write(&file, message(transfers)).unwrap();
        run("hansa", &["--config", &config, "frame", "send", &named, "--to", to, "--wait-ms", "20000"])
    };
    let sent = send(&[to_b(1, HARMLESS, OTHER), to_b(2, HARMLESS, OTHER)], &to);
    assert!(sent.code == 0 && sent.stdout.matches("PRE-SCREENED").count() == 2, "{sent:?}");
    let sent = send(&[to_b(3, HARMLESS, OTHER), to_b(4, TOO_MUCH, OTHER)], &to);
    assert!(sent.code == 11 && sent.stdout.contains("amount-limit"), "{sent:?}");
    std::fs::write(&file, message(&[to_b(5, HARMLESS, OTHER)])).unwrap();
    let silent =
        run("hansa", &["--config", &config, "frame", "send", &named, "--to", nobody, "--wait-ms", "50"]);
    assert!(silent.code == 13 && silent.stdout.contains("fail closed"), "{silent:?}");
    let ready = common::http::get(group.bank(A), "/readyz?verbose").body;
    assert!(ready.contains("screened on the socket"), "{ready}");
    group.stop(A);
}

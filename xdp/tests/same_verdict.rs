//! The kernel program and the model give the same verdict, reason and answer on 100,000 random and hostile packets.

mod common;

use std::collections::BTreeSet;
use std::net::IpAddr;

use common::{
    DROP, GATEWAY_PORT, GATEWAY_V4, GATEWAY_V6, NODE_V4, NODE_V6, PASS, PEER_PORT, TX, account, allowed,
    checksum, config, fields, key, packet, payload, rules, seal, udp_checksum,
};
use hansa_xdp::frame::{Counter, Fields, Frame, MAX_FRAMES, REPLY_LEN, Reason, Reply, SCHEMES, Verdict};
use hansa_xdp::{Config, Judged, Measured, Model, TestBench};
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

const PACKETS: usize = 100_000;
const SEED: u64 = 30;
/// Every account below this is blocked.
const BLOCKED: u64 = 40;
const ETHERNET: usize = 14;

/// One packet of the campaign, and what the rules are to be told of it.
struct Case {
    source: IpAddr,
    destination: IpAddr,
    port: u16,
    payload: Vec<u8>,
    packet: Vec<u8>,
    /// Whether the program must leave it to the socket path unread.
    is_passed: bool,
}

#[tokio::test]
async fn the_kernel_program_and_the_model_agree() {
    // One window for the whole run: the two read the clock one after the other.
    let config =
        Config { frames_per_second: 0, max_age_ms: 3_000_000, window_seconds: 31 * 86_400, ..config() };
    let rules = rules(&config);
    let accounts: BTreeSet<_> = (0..BLOCKED).map(account).collect();
    let bench = TestBench::new(Measured::Node, &config, &rules, &accounts);
    let Some(mut bench) = allowed("the_kernel_program_and_the_model_agree", bench) else { return };
    let mut model = Model::new(&config, &rules);
    model.set_accounts(accounts.into_iter().collect());
    let mut random = ChaCha8Rng::seed_from_u64(SEED);
    let mut history = Vec::new();
    for number in 0..PACKETS {
        let case = case(&mut random, number as u64, &mut history, &config);
        let outcome = bench.run(&case.packet).expect("it runs");
        let context = || format!("packet {number}, seed {SEED}: {:02x?}", case.packet);
        if case.is_passed {
            assert_eq!(outcome.action, PASS, "{}", context());
            assert_eq!(outcome.packet, case.packet, "{}", context());
            continue;
        }
        let now = common::now_ms() * 1_000_000;
        if case.port == PEER_PORT {
            let expected = if model.admits_peer(case.source, now) { PASS } else { DROP };
            assert_eq!(outcome.action, expected, "{}", context());
            continue;
        }
        let judged = model.judge(case.source, &case.payload, now).unwrap_or_default();
        let answered: Vec<&Judged> = judged
            .iter()
            .filter(|j| j.reason.is_answered() && j.reason.verdict() != Verdict::Block)
            .collect();
        assert_eq!(outcome.action, if answered.is_empty() { DROP } else { TX }, "{judged:?} {}", context());
        if !answered.is_empty() {
            check_answer(&case, &answered, &outcome.packet);
        }
        check_blocked(&case, &judged, &mut bench);
    }
    let of_model: std::collections::BTreeMap<_, _> = model.counters().collect();
    let mut reasons = 0;
    for (counter, name, value) in bench.counters().expect("readable") {
        let shared = Reason::ALL.iter().any(|reason| Counter::from(*reason) == counter)
            || [Counter::SEQUENCE_GAPS, Counter::PEER_NOT_MEMBER].contains(&counter);
        if shared {
            assert_eq!(value, of_model.get(&counter).copied().unwrap_or(0), "{name}");
            reasons += usize::from(value > 0);
        }
    }
    // All but too-fast, which has a test of its own.
    assert!(reasons >= Reason::ALL.len(), "only {reasons} counters were moved");
}

/// The answer is a datagram that any stack accepts, with exactly the replies that the model gives.
fn check_answer(case: &Case, answered: &[&Judged], packet: &[u8]) {
    assert_eq!(packet[..12], [&case.packet[6..12], &case.packet[..6]].concat());
    let (addresses, start) = match case.source {
        IpAddr::V4(_) => {
            assert_eq!(checksum(&packet[ETHERNET..ETHERNET + 20]), 0, "the header's checksum");
            let length = u16::from_be_bytes([packet[16], packet[17]]);
            assert_eq!(usize::from(length), packet.len() - ETHERNET);
            (packet[26..34].to_vec(), ETHERNET + 20)
        }
        IpAddr::V6(_) => {
            let length = u16::from_be_bytes([packet[18], packet[19]]);
            assert_eq!(usize::from(length), packet.len() - ETHERNET - 40);
            (packet[22..54].to_vec(), ETHERNET + 40)
        }
    };
    let octets = |address: IpAddr| match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    };
    assert_eq!(addresses, [octets(case.destination), octets(case.source)].concat());
    let mut udp = packet[start..].to_vec();
    assert_eq!(udp[..4], [case.port.to_be_bytes(), GATEWAY_PORT.to_be_bytes()].concat());
    assert_eq!(usize::from(u16::from_be_bytes([udp[4], udp[5]])), udp.len());
    let sum = u16::from_be_bytes([udp[6], udp[7]]);
    udp[6..8].fill(0);
    assert_eq!(sum, udp_checksum(&addresses, &udp), "the datagram's checksum");
    let (replies, rest) = udp[8..].as_chunks::<REPLY_LEN>();
    assert!(rest.is_empty() && replies.len() == answered.len());
    for (reply, judged) in replies.iter().zip(answered) {
        let reply = Reply::open(reply, &key(judged.frame.key_id())).expect("an authentic reply");
        assert!(reply.answers(&judged.frame));
        assert_eq!(reply.reason(), judged.reason);
    }
}

/// Exactly the frames that the model blocks are handed up, with their sender.
fn check_blocked(case: &Case, judged: &[Judged], bench: &mut TestBench) {
    let expected: Vec<(Frame, Reason)> = judged
        .iter()
        .filter(|judged| judged.reason.verdict() == Verdict::Block)
        .map(|judged| (judged.frame, judged.reason))
        .collect();
    let blocked = bench.blocked();
    assert_eq!(blocked.iter().map(|(b, reason)| (b.frame, *reason)).collect::<Vec<_>>(), expected);
    for (blocked, _) in blocked {
        assert_eq!(u16::from_be_bytes(blocked.port), GATEWAY_PORT);
        let mapped = |address: IpAddr| match address {
            IpAddr::V4(address) => address.to_ipv6_mapped().octets(),
            IpAddr::V6(address) => address.octets(),
        };
        assert_eq!(
            (blocked.source.0, blocked.destination.0),
            (mapped(case.source), mapped(case.destination))
        );
    }
}

fn case(random: &mut ChaCha8Rng, number: u64, history: &mut Vec<Frame>, config: &Config) -> Case {
    let is_v4 = random.r#gen();
    let (source, destination) = addresses(random, is_v4);
    let count = if random.gen_bool(0.7) { 1 } else { random.gen_range(1..=MAX_FRAMES) };
    let frames: Vec<Frame> =
        (0..count as u64).map(|place| frame(random, number * MAX_FRAMES as u64 + place, history)).collect();
    let mut payload = payload(&frames);
    if random.gen_bool(0.03) {
        payload.truncate(random.gen_range(0..payload.len()));
    } else if random.gen_bool(0.02) {
        payload.extend(vec![random.r#gen::<u8>(); random.gen_range(1..200)]);
    }
    let port = if random.gen_bool(0.03) { PEER_PORT } else { config.frame_port };
    let mut packet = packet(source, destination, port, &payload);
    let is_passed =
        port == config.frame_port && random.gen_bool(0.08) && disguise(random, &mut packet, is_v4);
    Case { source, destination, port, payload, packet, is_passed }
}

fn addresses(random: &mut ChaCha8Rng, is_v4: bool) -> (IpAddr, IpAddr) {
    let odd = random.gen_range(0..30);
    if is_v4 {
        let mut source = GATEWAY_V4;
        match odd {
            0 => source[2] = 66,
            1 => source = random.r#gen(),
            2 => source[2] = 1,
            _ => source[3] = random.gen_range(1..9),
        }
        (source.into(), NODE_V4.into())
    } else {
        let mut source = GATEWAY_V6;
        match odd {
            0 => source = random.r#gen(),
            1 => source[0] = 0xFE,
            _ => source[15] = random.gen_range(1..9),
        }
        (source.into(), NODE_V6.into())
    }
}

/// A frame: most are good, others hostile in one way.
fn frame(random: &mut ChaCha8Rng, sequence: u64, history: &mut Vec<Frame>) -> Frame {
    if !history.is_empty() && random.gen_bool(0.03) {
        return *history.choose(random).expect("not empty");
    }
    let currencies = [*b"EUR", *b"EUR", *b"USD", *b"CHF"];
    let mut fields = Fields {
        key_id: random.gen_range(0..4),
        debtor: account(random.gen_range(0..1000)),
        creditor: account(random.gen_range(0..1000)),
        amount: random.gen_range(0..5_100_000),
        currency: *currencies.choose(random).expect("four"),
        scheme: *SCHEMES.choose(random).expect("four"),
        ..fields(sequence)
    };
    match random.gen_range(0..60) {
        0 => fields.key_id = random.gen_range(4..=u8::MAX),
        1 => fields.time -= random.gen_range(4_000_000..8_000_000),
        2 => fields.time += random.gen_range(4_000_000..8_000_000),
        3 => fields.sequence = fields.sequence.saturating_sub(random.gen_range(0..6000)),
        _ => {}
    }
    let mut bytes = *fields.seal(&key(fields.key_id.min(250))).expect("canonical").as_bytes();
    match random.gen_range(0..50) {
        0 => bytes[112 + random.gen_range(0..16)] ^= 1 << random.gen_range(0..8),
        1 => bytes[random.gen_range(0..112)] ^= 1 << random.gen_range(0..8),
        2 => bytes[0] = random.r#gen(),
        3 => bytes[111] = random.r#gen(),
        4 => bytes[15] |= 0xF0,
        5 => random.fill(&mut bytes[..]),
        6 => bytes[104 + random.gen_range(0..7)] = random.r#gen(),
        7 => bytes[7] |= 0xF0,
        _ => {}
    }
    let frame = Frame::new(bytes);
    if history.len() < 4096 {
        history.push(frame);
    } else {
        let place = random.gen_range(0..history.len());
        history[place] = frame;
    }
    frame
}

/// Hides the datagram in something that the program does not read; true, since it always can.
fn disguise(random: &mut ChaCha8Rng, packet: &mut Vec<u8>, is_v4: bool) -> bool {
    match (random.gen_range(0..6), is_v4) {
        (0, _) => drop(packet.splice(12..12, [0x81, 0x00, 0x00, random.r#gen()])),
        (1, _) => drop(packet.splice(12..12, [0x88, 0xA8, 0x00, 0x05])),
        (2, true) => packet[20] |= 0x20,
        (3, true) => packet[21] = random.gen_range(1..=u8::MAX),
        (4, true) => {
            packet[ETHERNET] = 0x46;
            drop(packet.splice(34..34, [1, 1, 1, 1]));
        }
        (5, true) => packet[17] = packet[17].wrapping_add(random.gen_range(1..=u8::MAX)),
        (2, false) => {
            packet[20] = 44;
            drop(packet.splice(54..54, [17, 0, 0, 1, 0, 0, 0, 9]));
        }
        (3, false) => {
            packet[20] = *[0, 43, 60, 51].choose(random).expect("four");
            drop(packet.splice(54..54, [17, 0, 0, 0, 0, 0, 0, 0]));
        }
        (4, false) => packet[19] = packet[19].wrapping_add(random.gen_range(1..=u8::MAX)),
        // Multicast.
        _ => packet[0] |= 1,
    }
    true
}

#[tokio::test]
async fn a_full_ring_buffer_loses_nothing() {
    let config = Config { ring_bytes: 4096, frames_per_second: 0, ..config() };
    let rules = rules(&config);
    let accounts = BTreeSet::from([account(1)]);
    let bench = TestBench::new(Measured::Node, &config, &rules, &accounts);
    let Some(mut bench) = allowed("a_full_ring_buffer_loses_nothing", bench) else { return };
    let mut model = Model::new(&config, &rules);
    model.set_accounts(accounts.into_iter().collect());
    model.share_sequences(bench.sequences());
    let mut handed_up = 0;
    let passed = (0..).step_by(2).find(|sequence| {
        let good = seal(&fields(*sequence));
        let bad = seal(&Fields { debtor: account(1), ..fields(sequence + 1) });
        let frames = payload(&[good, bad]);
        let packet = packet(GATEWAY_V4.into(), NODE_V4.into(), config.frame_port, &frames);
        let outcome = bench.run(&packet).expect("it runs");
        handed_up += usize::from(outcome.action == TX);
        if outcome.action == TX {
            return false;
        }
        assert_eq!((outcome.action, &outcome.packet), (PASS, &packet), "untouched");
        // The socket path judges the same datagram, whose numbers were given back.
        let now = common::now_ms() * 1_000_000;
        let judged = model.judge(GATEWAY_V4.into(), &frames, now).expect("admitted");
        let reasons: Vec<Reason> = judged.iter().map(|judged| judged.reason).collect();
        assert_eq!(reasons, [Reason::NothingFound, Reason::DebtorListed]);
        // And from then on the numbers are taken, for either path.
        let again = model.judge(GATEWAY_V4.into(), &frames, now).expect("admitted");
        assert!(again.iter().all(|judged| judged.reason == Reason::Replayed));
        true
    });
    assert!(passed.is_some() && handed_up > 0);
    assert_eq!(bench.blocked().len(), handed_up);
    let full =
        bench.counters().expect("readable").into_iter().find(|(counter, ..)| *counter == Counter::RING_FULL);
    assert_eq!(full.map(|(_, _, value)| value), Some(1));
}

#[tokio::test]
async fn an_address_sends_no_faster_than_it_may() {
    let config = Config { frames_per_second: 50, packets_per_second: 20, ..config() };
    let bench = TestBench::new(Measured::Node, &config, &rules(&config), &BTreeSet::new());
    let Some(bench) = allowed("an_address_sends_no_faster_than_it_may", bench) else { return };
    let mut dropped = 0;
    for sequence in 0..1000 {
        let frame = payload(&[seal(&fields(sequence))]);
        let packet = packet(GATEWAY_V4.into(), NODE_V4.into(), config.frame_port, &frame);
        dropped += u32::from(bench.run(&packet).expect("it runs").action == DROP);
    }
    // However slowly this ran, it was faster than 50 a second.
    assert!((1..1000).contains(&dropped), "{dropped} dropped");
    let too_fast = bench.counters().expect("readable").into_iter().find(|(_, name, _)| *name == "too-fast");
    assert_eq!(too_fast.map(|(_, _, value)| value), Some(dropped.into()));
}

#[test]
fn a_window_that_makes_room_for_another_of_its_time_is_counted() {
    let config = Config { max_windows: 1, ..config() };
    let mut model = Model::new(&config, &rules(&config));
    let now = common::now_ms() * 1_000_000;
    for (sequence, debtor) in [(0, 1), (1, 2)] {
        let frame = payload(&[seal(&Fields { debtor: account(debtor), ..fields(sequence) })]);
        let judged = model.judge(GATEWAY_V4.into(), &frame, now).expect("admitted");
        assert_eq!(judged[0].reason, Reason::NothingFound);
    }
    let lost = model.counters().find(|(counter, _)| *counter == Counter::WINDOW_LOST);
    assert_eq!(lost, Some((Counter::WINDOW_LOST, 1)));
}

//! Frames in the driver: what one costs, what a socket costs beside it, what is lost, how long a new block list takes.
//!
//! Times of one frame are of the program run in the kernel on one packet again and again ([`TestBench`]), less what the
//! run itself and its undoing cost. Costs of traffic are of the whole machine while frames come over a virtual cable
//! ([`traffic`]).

mod audit;
mod traffic;

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use hansa_xdp::frame::{Digest, Fields, Frame, Key, Scheme};
use hansa_xdp::{Config, Error, Measured, Rules, TestBench};
use tokio::runtime::Runtime;

pub(super) use self::traffic::serve;
use super::figure::{Figure, Target};
use super::plan::Plan;
use super::sample::Sample;
use super::{BenchError, BenchName};
use crate::cable::{GATEWAY, NETWORK, NODE};

const FULL_HOT: &str = "xdp.full_hot";
const FULL_TAGGED_HOT: &str = "xdp.full_tagged_hot";
const SWAP: &str = "xdp.swap_1m";
const FULL_NS: Target = Target::value_at_most(70.0);
const TAGGED_NS: Target = Target::value_at_most(150.0);
const SWAP_SECONDS: Target = Target::value_at_most(2.0);
/// Runs of a program in one measurement.
const REPEAT: u32 = 500_000;
/// Blocked accounts where nothing else is said.
const LISTED: u64 = 100_000;
const MILLION: u64 = 1_000_000;
/// The program for random keys pays from so many accounts.
const WINDOWS: u32 = 4 << 20;
const KEY_ID: u8 = 0;

/// All figures; skipped where the kernel refuses.
pub(super) fn measure(plan: &Plan) -> Result<Vec<Figure>, BenchError> {
    // What the kernel is told about events needs a runtime, and nothing of it runs.
    let runtime = Runtime::new()?;
    let _within = runtime.enter();
    let times = match times(plan) {
        Ok(figures) => figures,
        Err(error) => {
            let names = names(plan).into_iter().chain([SWAP.to_owned()]);
            let mut figures: Vec<Figure> =
                names.map(|name| Figure::skipped(&name, "", error.to_string())).collect();
            figures.extend(traffic::skipped(&error.to_string()));
            figures.extend(audit::skipped(&error.to_string()));
            return Ok(figures);
        }
    };
    Ok(times.into_iter().chain(traffic::measure(plan)?).chain(audit::measure()?).collect())
}

fn failed(reason: impl std::fmt::Display) -> BenchError {
    BenchError::failed(BenchName::Xdp, reason)
}

fn key() -> Key {
    Key::new([0x17; 16])
}

/// Room for everything, and limits that are looked up and never reached.
fn config(accounts: u64) -> Config {
    Config {
        allow: vec![NETWORK.parse().expect("a network")],
        frames_per_second: 0,
        max_age_ms: 3_600_000,
        window_seconds: 3600,
        window_count: u64::MAX,
        max_accounts: u32::try_from(accounts).expect("counted in millions"),
        max_windows: WINDOWS,
        ..Config::default()
    }
}

fn rules(config: &Config) -> Rules {
    Rules::new(config, [(KEY_ID, key())].into(), [])
}

/// The account of this number: 16 bytes that are as good as a digest.
fn account(number: u64) -> Digest {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&mixed(number).to_le_bytes());
    bytes[8..].copy_from_slice(&mixed(number.wrapping_add(1 << 40)).to_le_bytes());
    Digest(bytes)
}

/// SplitMix64 (Steele, Lea, Flood 2014).
fn mixed(number: u64) -> u64 {
    let number = number.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let number = (number ^ (number >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    number ^ (number >> 31)
}

/// Accounts that nobody pays from.
fn listed(count: u64, first: u64) -> BTreeSet<Digest> {
    (0..count).map(|number| account((1 << 32) + first + number)).collect()
}

/// The frame of this number, paid by `debtor`.
fn frame(sequence: u64, debtor: u64, time: u64) -> Frame {
    fields(sequence, debtor, time).seal(&key()).expect("the fields are canonical")
}

/// What it says.
fn fields(sequence: u64, debtor: u64, time: u64) -> Fields {
    let mut uetr = [0x55; 16];
    uetr[..6].copy_from_slice(&sequence.to_le_bytes()[..6]);
    (uetr[6], uetr[8]) = (0x47, 0x81);
    Fields {
        key_id: KEY_ID,
        time,
        sequence,
        uetr,
        debtor: account(debtor),
        creditor: account((1 << 33) + sequence % 65_536),
        instructing: Digest([0x1A; 16]),
        instructed: Digest([0x1B; 16]),
        amount: 1_000,
        currency: *b"EUR",
        debtor_country: *b"DE",
        creditor_country: *b"FR",
        scheme: Scheme::SctInst,
    }
}

fn now_ms() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

/// What the program takes for one frame, in parts; and for a new block list.
fn times(plan: &Plan) -> Result<Vec<Figure>, Error> {
    let config = config(LISTED);
    let accounts = listed(LISTED, 0);
    let bench = |measured| TestBench::new(measured, &config, &rules(&config), &accounts);
    let (pass, parse, undo) = (bench(Measured::Pass)?, bench(Measured::Parse)?, bench(Measured::Undo)?);
    let random =
        plan.blocked_accounts.iter().map(|accounts| random_at(*accounts)).collect::<Result<Vec<_>, _>>()?;
    let (untagged, tagged) = (bench(Measured::Untagged)?, bench(Measured::Tagged)?);
    // What is measured with its undoing is taken without it, and without the run of nothing.
    let whole: Vec<&TestBench> = [&untagged, &tagged].into_iter().chain(&random).collect();
    let mut all = vec![Vec::new(); 2 + whole.len()];
    for _ in 0..plan.least_rounds {
        let frame = frame(7, 7, now_ms());
        let packet = packet(IpAddr::from(GATEWAY), IpAddr::from(NODE), config.frame_port, frame.as_bytes());
        let took = |bench: &TestBench| bench.time(&packet, REPEAT).map(|(_, time)| time.as_nanos() as f64);
        let (empty, undoing) = (took(&pass)?, took(&undo)?);
        let mut round = vec![empty, took(&parse)?];
        for bench in &whole {
            round.push((took(bench)? - undoing + empty).max(0.0));
        }
        all.iter_mut().zip(round).for_each(|(all, time)| all.push(time));
    }
    let mut figures = Vec::new();
    for (name, times) in names(plan).into_iter().zip(all) {
        let Some(sample) = Sample::new(times) else { continue };
        let figure = Figure::of_sample(&name, "ns", &sample);
        figures.push(match name.as_str() {
            FULL_HOT => figure.with_target(FULL_NS),
            FULL_TAGGED_HOT => figure.with_target(TAGGED_NS),
            _ => figure,
        });
    }
    figures.push(swap(plan)?);
    Ok(figures)
}

/// The figures of one frame, in their order.
fn names(plan: &Plan) -> Vec<String> {
    let fixed = ["xdp.pass", "xdp.parse", FULL_HOT, FULL_TAGGED_HOT].map(str::to_owned);
    let random = plan.blocked_accounts.iter().map(|accounts| match accounts / MILLION {
        0 => format!("xdp.full_random_{}k", accounts / 1000),
        millions => format!("xdp.full_random_{millions}m"),
    });
    fixed.into_iter().chain(random).collect()
}

/// The program that pays from random accounts, with so many blocked ones.
fn random_at(accounts: u64) -> Result<TestBench, Error> {
    let config = config(accounts);
    TestBench::new(Measured::Random, &config, &rules(&config), &listed(accounts, 0))
}

/// How long it takes until a million other accounts are the block list.
fn swap(plan: &Plan) -> Result<Figure, Error> {
    let bench = random_at(MILLION)?;
    let lists = [listed(MILLION, MILLION), listed(MILLION, 0)];
    let mut times = Vec::new();
    for round in 0..plan.least_rounds {
        let began = Instant::now();
        bench.set_accounts(&lists[round % lists.len()])?;
        times.push(began.elapsed());
    }
    let seconds = times.iter().map(Duration::as_secs_f64).collect();
    let sample = Sample::new(seconds).unwrap_or_else(|| Sample::one(f64::MAX));
    Ok(Figure::of_sample(SWAP, "s", &sample).with_target(SWAP_SECONDS))
}

/// An Ethernet packet with a UDP datagram, from and to these IPv4 addresses; without the optional checksum of UDP.
fn packet(source: IpAddr, destination: IpAddr, port: u16, payload: &[u8]) -> Vec<u8> {
    let (IpAddr::V4(source), IpAddr::V4(destination)) = (source, destination) else { return vec![] };
    let length = |headers: usize| u16::try_from(headers + payload.len()).unwrap_or(u16::MAX).to_be_bytes();
    let mut ip = vec![0x45, 0];
    ip.extend(length(28));
    ip.extend([0x12, 0x34, 0x40, 0, 64, 17, 0, 0]);
    ip.extend(source.octets());
    ip.extend(destination.octets());
    let sum: u32 = ip.chunks(2).map(|pair| u32::from(pair[0]) << 8 | u32::from(pair[1])).sum();
    let folded = (sum & 0xFFFF) + (sum >> 16);
    let checksum = !((folded + (folded >> 16)) as u16);
    ip[10..12].copy_from_slice(&checksum.to_be_bytes());
    let udp = [5000u16.to_be_bytes(), port.to_be_bytes(), length(8), [0, 0]].concat();
    let ethernet = [2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0];
    [&ethernet[..], &ip, &udp, payload].concat()
}

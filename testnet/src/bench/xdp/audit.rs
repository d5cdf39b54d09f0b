//! How long a running node takes from a frame's verdict in the driver to the log, and its gateway waits for the BLOCK,
//! while many others pass. The node is a bank's only replica; it says itself how long it took.

use std::net::UdpSocket;
use std::path::{Path, PathBuf};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use hansa_api::model::Status;
use hansa_keys::file::load_short;
use hansa_node::config::key_purpose;
use hansa_node::events::Event;
use hansa_xdp::frame::{Fields, Frame, Key, REPLY_LEN, Reply, Verdict};
use tokio::runtime::Runtime;

use super::super::figure::{Figure, Target};
use super::super::sample::{Sample, milliseconds};
use super::traffic::{BATCH, DEBTORS, Role, answer, child, far_end, pace, send_all, sending_socket};
use super::{BenchError, failed, fields, mixed, now_ms};
use crate::cable::Cable;
use crate::consortium::frames::{BANK, KEY_ID, MINOR_ABOVE_LIMIT, on_cable};
use crate::consortium::{Bank, Consortium};
use crate::demo::customers;
use crate::process::{NodeProcess, program};

const NAMES: [&str; 2] = ["xdp.verdict_to_audit_p99", "xdp.block_round_trip_p99"];
const TARGET: Target = Target::value_at_most(5.0);
const UNIT: &str = "ms";
/// Frames a second, and for how long.
const RATE: u64 = 100_000;
const SECONDS: u64 = 5;
/// One of so many frames is blocked.
const BLOCKED_OF: u64 = 100;
/// For how long answers are waited for when all is sent.
const PATIENCE: Duration = Duration::from_secs(10);
const P99: f64 = 0.99;

/// The figures, each not taken for `reason`.
pub(super) fn skipped(reason: &str) -> Vec<Figure> {
    NAMES.map(|name| Figure::skipped(name, UNIT, reason)).into()
}

/// The 99th percentile of each.
pub(super) fn measure() -> Result<Vec<Figure>, BenchError> {
    let cable = match Cable::new() {
        Ok(cable) => cable,
        Err(reason) => return Ok(skipped(&reason.to_string())),
    };
    let folder = tempfile::tempdir()?;
    let consortium = Consortium::create(&folder.path().join("c"), customers(), [vec![], vec![], vec![]]);
    let bank = consortium.map_err(failed)?.banks[BANK].clone();
    std::fs::write(bank.config(), on_cable(&std::fs::read_to_string(bank.config())?, &bank))?;
    let mut hansa = cable.at_node();
    hansa.arg(program("hansa").map_err(failed)?);
    let mut node = NodeProcess::start_by(&bank, hansa, &["--development"]).map_err(failed)?;
    let path = node.wait("frames are taken in", |event| match event {
        Event::FramesListening { path, .. } => Some(path.clone()),
        _ => None,
    });
    node.ready().map_err(failed)?;
    let path = path.map_err(failed)?;
    if !path.contains("driver") {
        return Ok(skipped(&path));
    }
    let role = format!("{}:{}", bank.frame_port, key_file(&bank).display());
    let mut gateway = child(cable.at_gateway(), Role::Blocks, &role)?;
    let sent = gateway.number(&format!("send {} {RATE}", RATE * SECONDS))?;
    let answered = gateway.number("answered")?;
    if answered < sent {
        let reason = format!("{answered} of {sent} BLOCKs were answered within {} s", PATIENCE.as_secs());
        return Ok(skipped(&reason));
    }
    let mut status = cable.at_node();
    status.arg(program("hansa").map_err(failed)?).arg("--config").arg(bank.config());
    let status: Status =
        serde_json::from_slice(&status.args(["--json", "status"]).output()?.stdout).map_err(failed)?;
    let logged = status.stages.get("frame").ok_or_else(|| failed("the node timed no frame"))?;
    let heard = Duration::from_nanos(gateway.number("p99")?);
    let [to_audit, round_trip] = [Duration::from_micros(logged.p99_us), heard].map(milliseconds);
    Ok(vec![
        Figure::exact(NAMES[0], UNIT, to_audit).with_target(TARGET),
        Figure::exact(NAMES[1], UNIT, round_trip),
    ])
}

fn key_file(bank: &Bank) -> PathBuf {
    bank.folder.join("keys").join(format!("{}.key", key_purpose(KEY_ID)))
}

/// Is the gateway: sends, and measures each BLOCK.
pub(super) fn serve(role: &str) -> Result<(), BenchError> {
    let (port, file) = role.split_once(':').ok_or_else(|| failed("no port and key"))?;
    let key = Key::new(*load_short(Path::new(file), &key_purpose(KEY_ID)).map_err(failed)?);
    let port = port.parse().map_err(failed)?;
    let runtime = Runtime::new()?;
    let _within = runtime.enter();
    // Answers to what passes are dropped before they cost anything here.
    let (passing, blocked) = (sending_socket(port)?, sending_socket(port)?);
    let _end = far_end(&passing)?;
    let mut took = Vec::new();
    answer(|command| match command.split_whitespace().collect::<Vec<_>>()[..] {
        ["send", count, rate] => {
            let (sent, answered) =
                send(&key, [&passing, &blocked], count.parse().ok()?, rate.parse().ok()?).ok()?;
            took = answered;
            Some(sent)
        }
        ["answered"] => Some(took.len() as u64),
        ["p99"] => {
            let sample = Sample::of_durations(&took)?;
            Some(Duration::from_secs_f64(sample.percentile(P99) / 1000.0).as_nanos() as u64)
        }
        _ => None,
    })
}

/// Sends so many frames at so many a second: how many of them are to be blocked, and how long each of their answers took.
fn send(
    key: &Key,
    [passing, blocked]: [&UdpSocket; 2],
    count: u64,
    rate: u64,
) -> Result<(u64, Vec<Duration>), BenchError> {
    let time = now_ms();
    let seal = |sequence, amount| {
        let fields = Fields { key_id: KEY_ID, amount, ..fields(sequence, mixed(sequence) % DEBTORS, time) };
        fields.seal(key).map_err(failed)
    };
    let first = time * 1000;
    let batches: Result<Vec<(Vec<Frame>, Frame)>, BenchError> = (0..count / BLOCKED_OF)
        .map(|number| {
            let first = first + number * BLOCKED_OF;
            let pass: Result<_, _> = (1..BLOCKED_OF).map(|at| seal(first + at, 1_000)).collect();
            Ok((pass?, seal(first, MINOR_ABOVE_LIMIT)?))
        })
        .collect();
    let batches = batches?;
    let reading = read(blocked.try_clone()?, *key, batches.len());
    let began = Instant::now();
    let mut sent = Vec::with_capacity(batches.len());
    for (number, (pass, block)) in batches.iter().enumerate() {
        pace(began, number as u64 * BLOCKED_OF, rate);
        sent.push(Instant::now());
        blocked.send(block.as_bytes())?;
        for pass in pass.chunks(BATCH) {
            send_all(passing, pass)?;
        }
    }
    let answered = reading.join().map_err(|_| failed("reading answers panicked"))?;
    let took = answered.into_iter().filter_map(|(sequence, at)| {
        let sent = sent.get(usize::try_from((sequence - first) / BLOCKED_OF).ok()?)?;
        Some(at.saturating_duration_since(*sent))
    });
    Ok((batches.len() as u64, took.collect()))
}

/// Reads authentic BLOCKs until there are so many, or none comes for a while: of which frame each is, and when it came.
fn read(socket: UdpSocket, key: Key, count: usize) -> JoinHandle<Vec<(u64, Instant)>> {
    std::thread::spawn(move || {
        let mut answered = Vec::with_capacity(count);
        if socket.set_read_timeout(Some(PATIENCE)).is_err() {
            return answered;
        }
        let mut room = [0; REPLY_LEN];
        while answered.len() < count && socket.recv(&mut room).is_ok_and(|length| length == REPLY_LEN) {
            let at = Instant::now();
            let is_block = Reply::open(&room, &key).is_ok_and(|reply| reply.verdict() == Verdict::Block);
            if let Some(sequence) = room[8..].first_chunk().filter(|_| is_block) {
                answered.push((u64::from_le_bytes(*sequence), at));
            }
        }
        answered
    })
}

//! Frames over a virtual cable, received by the driver or by a socket that does the same work: what each costs the whole
//! machine, and from which rate on it loses some.
//!
//! A frame that passes is answered; one that is blocked ends where a node would log it, for both. Sending costs most, and
//! the same for both. So the same frames are also sent to a driver that allows nobody, and what
//! that costs is taken off: what is left is receiving, judging and answering. The socket reads and writes many datagrams
//! at a time (`recvmmsg`, `sendmmsg`).

use std::fmt::Display;
use std::io::{BufRead, IoSlice, IoSliceMut, Write, stdin, stdout};
use std::net::{Ipv4Addr, SocketAddrV4, UdpSocket};
use std::os::fd::AsRawFd as _;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use hansa_xdp::frame::{Counter, FRAME_LEN, Frame, MAX_FRAMES, REPLY_LEN, Reason, Reply, Verdict};
use hansa_xdp::{BlockedFrames, Config, Driver, Mode, Model};
use nix::sys::socket::{
    ControlMessage, MsgFlags, MultiHeaders, SockaddrIn, recvmmsg, sendmmsg, sendmsg, setsockopt, sockopt,
};
use tokio::runtime::Runtime;

use crate::cable::{Cable, GATEWAY, INTERFACE, NODE};

use super::super::figure::{Figure, PeerFigure, Target};
use super::super::peer::Peer;
use super::super::plan::Plan;
use super::super::sample::Sample;
use super::{BenchError, LISTED, account, audit, config, failed, frame, key, listed, now_ms, rules};

/// The hidden option that makes a child of this program, with its role as the value.
const OPTION: &str = "--xdp-child";
const SAVING_1PCT: Target = Target::value_at_least(3.0);
const SAVING_ALL: Target = Target::value_at_least(2.0);
const LOSS: Target = Target::value_at_most(0.0);
const PEER: &str = "recvmmsg socket";
/// Accounts that pay; those of the lowest numbers are blocked.
pub(super) const DEBTORS: u64 = 65_536;
/// How many of them are blocked for one in a hundred.
const BLOCKED: u64 = DEBTORS / 100;
/// Datagrams that are sent or read at once.
pub(super) const BATCH: usize = 64;
/// Frames of one run at a steady rate, and the rate, in frames a second: both receivers keep up with it.
const STEADY: u64 = 200_000;
const RATE: u64 = 80_000;
/// For how long a rate is tried, and by how much it grows from one try to the next.
const TRY: Duration = Duration::from_secs(2);
const STEP: f64 = 1.2;
/// Whoever judges nothing for so long has done.
const SETTLING: Duration = Duration::from_millis(50);
/// From which share of frames on a receiver loses some.
const LOSES: f64 = 0.001;
/// How much above the rate at which the socket loses some the driver is tried.
const BEYOND: f64 = 1.2;
/// The most bytes of a datagram with frames.
const LARGEST: usize = MAX_FRAMES * FRAME_LEN;
/// The buffer of a socket.
const BUFFER: usize = 8 << 20;

/// The figures, each not taken for `reason`.
pub(super) fn skipped(reason: &str) -> Vec<Figure> {
    let names = ["cpu_saving_1pct", "cpu_saving_all", "loss"];
    names.map(|name| Figure::skipped(&format!("xdp.{name}"), "", reason)).into()
}

/// What the socket costs over what the driver costs, and what the driver loses where the socket does.
pub(super) fn measure(plan: &Plan) -> Result<Vec<Figure>, BenchError> {
    let cable = match Cable::new() {
        Ok(cable) => cable,
        Err(reason) => return Ok(skipped(&reason.to_string())),
    };
    let mut figures = costs(plan, &cable, "1pct", BLOCKED, SAVING_1PCT)?;
    figures.extend(costs(plan, &cable, "all", DEBTORS, SAVING_ALL)?);
    figures.push(loss(&cable)?);
    Ok(figures)
}

/// CPU time of the whole machine for one frame, beyond that of sending it.
fn costs(
    plan: &Plan,
    cable: &Cable,
    name: &str,
    blocked: u64,
    target: Target,
) -> Result<Vec<Figure>, BenchError> {
    let names = [format!("xdp.cpu_{name}"), format!("xdp.cpu_saving_{name}")];
    let (mut ours, mut others) = (Vec::new(), Vec::new());
    for _ in 0..plan.least_rounds {
        let mut spent = [0.0; 3];
        for (spent, role) in spent.iter_mut().zip([Role::Nobody, Role::Driver, Role::Socket]) {
            match cost(cable, role, blocked)? {
                Some(nanoseconds) => *spent = nanoseconds,
                None => {
                    let reason = format!("the {role:?} does not keep up with {RATE} frames a second here");
                    return Ok(names.map(|name| Figure::skipped(&name, "", &reason)).into());
                }
            }
        }
        let [sending, driver, socket] = spent;
        // Less than a nanosecond is noise.
        ours.push((driver - sending).max(1.0));
        others.push((socket - sending).max(1.0));
    }
    let savings = others.iter().zip(&ours).map(|(other, ours)| other / ours).collect();
    let sample = |values| Sample::new(values).ok_or_else(|| failed("no round was measured"));
    let peer = PeerFigure { name: PEER.to_owned(), value: sample(others)?.median() };
    Ok(vec![
        Figure::of_sample(&names[0], "ns", &sample(ours)?).beside(Some(peer)),
        Figure::of_sample(&names[1], "times", &sample(savings)?).with_target(target),
    ])
}

/// CPU time of the machine for one frame at a steady rate, in nanoseconds; none if the receiver does not keep up.
fn cost(cable: &Cable, role: Role, blocked: u64) -> Result<Option<f64>, BenchError> {
    let mut receiver = child(cable.at_node(), role, blocked)?;
    let mut gateway = child(cable.at_gateway(), Role::Gateway, blocked)?;
    let before = busy()?;
    let sent = gateway.number(&format!("send {STEADY} {RATE}"))?;
    let judged = settled(&mut receiver, sent)?;
    let spent = busy()?.saturating_sub(before);
    let keeps_up = role == Role::Nobody || judged as f64 >= sent as f64 * (1.0 - LOSES);
    Ok(keeps_up.then_some(spent.as_nanos() as f64 / sent as f64))
}

/// The share that the driver loses at [`BEYOND`] times the rate from which on the socket loses some.
fn loss(cable: &Cable) -> Result<Figure, BenchError> {
    const NAME: &str = "xdp.loss";
    let mut rate = RATE as f64;
    loop {
        let (lost, sent) = lost(cable, Role::Socket, rate)?;
        if lost > LOSES {
            break;
        }
        if sent < rate / STEP {
            let reason =
                format!("the socket keeps up with all that can be sent here, {sent:.0} frames a second");
            return Ok(Figure::skipped(NAME, "share", reason));
        }
        rate *= STEP;
    }
    let (lost, sent) = lost(cable, Role::Driver, rate * BEYOND)?;
    if sent < rate {
        let reason = format!(
            "the socket loses from {rate:.0} frames a second on, and {sent:.0} is all that can be sent"
        );
        return Ok(Figure::skipped(NAME, "share", reason));
    }
    Ok(Figure::exact(NAME, "share", lost).with_target(LOSS))
}

/// The share of frames lost at a rate, and the rate that came about.
fn lost(cable: &Cable, role: Role, rate: f64) -> Result<(f64, f64), BenchError> {
    let mut receiver = child(cable.at_node(), role, BLOCKED)?;
    let mut gateway = child(cable.at_gateway(), Role::Gateway, BLOCKED)?;
    let frames = (rate * TRY.as_secs_f64()) as u64;
    let began = Instant::now();
    let sent = gateway.number(&format!("send {frames} {rate:.0}"))? as f64;
    let sending = began.elapsed().as_secs_f64();
    let judged = settled(&mut receiver, sent as u64)? as f64;
    Ok(((1.0 - judged / sent).max(0.0), sent / sending))
}

/// How many frames were judged, once all are or no more follow: what lies in a buffer when sending ends is not lost.
#[expect(clippy::disallowed_methods, reason = "what is measured must not be disturbed meanwhile")]
fn settled(receiver: &mut Peer, sent: u64) -> Result<u64, BenchError> {
    let mut before = None;
    loop {
        let judged = receiver.number("judged")?;
        if judged >= sent || before == Some(judged) {
            return Ok(judged);
        }
        before = Some(judged);
        std::thread::sleep(SETTLING);
    }
}

/// CPU time that the machine has spent on anything, since it started.
fn busy() -> Result<Duration, BenchError> {
    /// Ticks of /proc/stat in a second: USER_HZ, the same on every Linux.
    const TICK: Duration = Duration::from_millis(10);
    let text = std::fs::read_to_string("/proc/stat")?;
    let fields = text.lines().next().unwrap_or_default().split_whitespace().skip(1);
    let fields: Vec<u32> = fields.filter_map(|field| field.parse().ok()).collect();
    // user nice system idle iowait irq softirq
    let [user, nice, system, _, _, irq, softirq, ..] = fields[..] else {
        return Err(failed("/proc/stat has another form"));
    };
    Ok(TICK * (user + nice + system + irq + softirq))
}

/// What a child process is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// Sends.
    Gateway,
    /// A driver that allows nobody.
    Nobody,
    Driver,
    Socket,
    /// Sends to a node, and measures BLOCKs.
    Blocks,
}

const ROLES: [(&str, Role); 5] = [
    ("gateway", Role::Gateway),
    ("nobody", Role::Nobody),
    ("driver", Role::Driver),
    ("socket", Role::Socket),
    ("blocks", Role::Blocks),
];

/// A child in this role, with what it needs to know.
pub(super) fn child(mut command: Command, role: Role, with: impl Display) -> Result<Peer, BenchError> {
    let (name, _) = ROLES.iter().find(|(_, other)| *other == role).expect("every role has a name");
    command.arg(std::env::current_exe()?).args(["bench", OPTION, &format!("{name}:{with}")]);
    Ok(Peer::start(&mut command)?)
}

/// Is the child of this role until the input ends.
pub(in crate::bench) fn serve(role: &str) -> Result<(), BenchError> {
    let (name, with) = role.split_once(':').ok_or_else(|| failed("no role"))?;
    let (_, role) = ROLES.iter().find(|(other, _)| *other == name).ok_or_else(|| failed("no such role"))?;
    let blocked = || with.parse::<u64>().map_err(failed);
    let runtime = Runtime::new()?;
    match role {
        Role::Gateway => {
            let _within = runtime.enter();
            let mut gateway = Gateway::new()?;
            let _end = far_end(&gateway.socket)?;
            answer(|command| match command.split_whitespace().collect::<Vec<_>>()[..] {
                ["send", count, rate] => gateway.send(count.parse().ok()?, rate.parse().ok()?).ok(),
                _ => None,
            })
        }
        Role::Nobody | Role::Driver => drive(&runtime, *role == Role::Driver, blocked()?),
        Role::Socket => read(blocked()?),
        Role::Blocks => audit::serve(with),
    }
}

/// Answers commands until the input ends.
pub(super) fn answer(mut number: impl FnMut(&str) -> Option<u64>) -> Result<(), BenchError> {
    let mut out = stdout().lock();
    writeln!(out, "ready hansa {}", env!("CARGO_PKG_VERSION"))?;
    out.flush()?;
    for line in stdin().lock().lines() {
        let line = line?;
        match number(&line) {
            Some(number) => writeln!(out, "ok {number}")?,
            None => writeln!(out, "error cannot {line:?}")?,
        }
        out.flush()?;
    }
    Ok(())
}

fn on_cable() -> Config {
    Config { interface: Some(INTERFACE.to_owned()), mode: Mode::Native, ..config(LISTED + DEBTORS) }
}

/// The block list: many who never pay, and as many debtors as wanted.
fn blocked_accounts(blocked: u64) -> std::collections::BTreeSet<hansa_xdp::frame::Digest> {
    let mut accounts = listed(LISTED, 0);
    accounts.extend((0..blocked).map(account));
    accounts
}

fn now_ns() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

/// Frames in the driver; those that it hands up are taken.
fn drive(runtime: &Runtime, allows: bool, blocked: u64) -> Result<(), BenchError> {
    let config = if allows { on_cable() } else { Config { allow: vec![], ..on_cable() } };
    let attached = runtime.block_on(async {
        Driver::attach(&config, &rules(&config), &blocked_accounts(blocked), None).map_err(failed)
    });
    let (driver, frames) = attached?;
    runtime.spawn(take_blocked(frames));
    answer(|command| {
        let counters = (command == "judged").then(|| driver.counters().ok())??;
        Some(counters.iter().filter(|(counter, ..)| is_judged(*counter)).map(|(.., value)| value).sum())
    })
}

fn is_judged(counter: Counter) -> bool {
    let reasons = Reason::ALL.iter().filter(|reason| reason.verdict() != Verdict::Refused);
    reasons.map(|reason| Counter::from(*reason)).any(|other| other == counter)
}

/// Takes what is handed up, to where it would be logged.
async fn take_blocked(mut frames: BlockedFrames) {
    while let Ok(batch) = frames.next().await {
        std::hint::black_box(batch);
    }
}

/// Sends what the socket takes; what it does not take is lost, as on any network.
fn write(socket: &UdpSocket, replies: &[(Reply, SocketAddrV4)]) {
    let bytes: Vec<[u8; REPLY_LEN]> = replies.iter().map(|(reply, _)| reply.to_bytes()).collect();
    let slices: Vec<[IoSlice<'_>; 1]> = bytes.iter().map(|bytes| [IoSlice::new(bytes)]).collect();
    let addresses: Vec<Option<SockaddrIn>> =
        replies.iter().map(|(_, address)| Some(SockaddrIn::from(*address))).collect();
    let mut headers = MultiHeaders::preallocate(replies.len(), None);
    let _ = sendmmsg(socket.as_raw_fd(), &mut headers, &slices, &addresses, [], MsgFlags::empty());
}

/// Frames on a socket: read, judged by the same rules, answered if they pass.
fn read(blocked: u64) -> Result<(), BenchError> {
    let config = on_cable();
    let socket = UdpSocket::bind((NODE, config.frame_port))?;
    setsockopt(&socket, sockopt::RcvBufForce, &BUFFER).map_err(failed)?;
    let mut model = Model::new(&config, &rules(&config));
    model.set_accounts(blocked_accounts(blocked).into_iter().collect());
    let judged = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&judged);
    std::thread::spawn(move || {
        let mut buffers = vec![[0; LARGEST]; BATCH];
        while let Some(received) = receive(&socket, &mut buffers) {
            let mut replies = Vec::with_capacity(BATCH);
            for (datagram, (length, from)) in buffers.iter().zip(received) {
                let now = now_ns();
                for judged in model.judge((*from.ip()).into(), &datagram[..length], now).unwrap_or_default() {
                    let verdict = judged.reason.verdict();
                    if verdict == Verdict::Block {
                        std::hint::black_box(judged);
                    } else {
                        replies.push((Reply::seal(&judged.frame, judged.reason, now, &key()), from));
                    }
                    counted.fetch_add((verdict != Verdict::Refused).into(), Ordering::Relaxed);
                }
            }
            write(&socket, &replies);
        }
    });
    answer(|command| (command == "judged").then(|| judged.load(Ordering::Relaxed)))
}

/// Waits for a datagram and takes all that are there: the length of each, and who sent it. None when the socket is gone.
fn receive(socket: &UdpSocket, buffers: &mut [[u8; LARGEST]]) -> Option<Vec<(usize, SocketAddrV4)>> {
    let mut slices: Vec<[IoSliceMut<'_>; 1]> =
        buffers.iter_mut().map(|buffer| [IoSliceMut::new(buffer)]).collect();
    let mut headers = MultiHeaders::<SockaddrIn>::preallocate(BATCH, None);
    let received = recvmmsg(socket.as_raw_fd(), &mut headers, &mut slices, MsgFlags::MSG_WAITFORONE, None);
    let nobody = SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 0);
    let from = |address: Option<SockaddrIn>| {
        address.map_or(nobody, |from| SocketAddrV4::new(from.ip(), from.port()))
    };
    Some(received.ok()?.map(|message| (message.bytes, from(message.address))).collect())
}

/// Sends frames, each in a datagram of its own, and leaves the answers unread.
struct Gateway {
    socket: UdpSocket,
    sequence: u64,
}

impl Gateway {
    fn new() -> Result<Self, BenchError> {
        Ok(Self { socket: sending_socket(on_cable().frame_port)?, sequence: 0 })
    }

    /// Sends so many frames at so many a second: how many the system took.
    fn send(&mut self, count: u64, rate: u64) -> Result<u64, BenchError> {
        let time = now_ms();
        let frames: Vec<Frame> = (0..count)
            .map(|number| frame(self.sequence + number, super::mixed(number) % DEBTORS, time))
            .collect();
        self.sequence += count;
        let (began, mut sent) = (Instant::now(), 0);
        for (number, batch) in frames.chunks(BATCH).enumerate() {
            pace(began, (number * BATCH) as u64, rate);
            sent += send_all(&self.socket, batch)?;
        }
        Ok(sent)
    }
}

/// A driver at the gateway's end, which drops the answers to this socket: what a gateway pays for reading them is not the
/// node's. A virtual cable takes a driver's answers only where one is at its other end.
pub(super) fn far_end(unread: &UdpSocket) -> Result<(Driver, BlockedFrames), BenchError> {
    let config = Config { frame_port: unread.local_addr()?.port(), allow: vec![], ..on_cable() };
    Driver::attach(&config, &rules(&config), &listed(1, 0), None).map_err(failed)
}

/// A gateway's socket to this port of the node's.
pub(super) fn sending_socket(port: u16) -> Result<UdpSocket, BenchError> {
    let socket = UdpSocket::bind((GATEWAY, 0))?;
    socket.connect((NODE, port))?;
    setsockopt(&socket, sockopt::SndBufForce, &BUFFER).map_err(failed)?;
    Ok(socket)
}

/// Waits until the frame of this number is due.
#[expect(clippy::disallowed_methods, reason = "a steady rate is what is wanted here")]
pub(super) fn pace(began: Instant, number: u64, rate: u64) {
    let due = Duration::from_secs_f64(number as f64 / rate.max(1) as f64);
    if let Some(left) = due.checked_sub(began.elapsed()) {
        std::thread::sleep(left);
    }
}

/// Sends frames at once, each in a datagram of its own, which the system cuts from one (UDP_SEGMENT) before they leave:
/// how many it took.
pub(super) fn send_all(socket: &UdpSocket, frames: &[Frame]) -> Result<u64, BenchError> {
    let bytes: Vec<u8> = frames.iter().flat_map(|frame| *frame.as_bytes()).collect();
    let cut = [ControlMessage::UdpGsoSegments(&(FRAME_LEN as u16))];
    let slices = [IoSlice::new(&bytes)];
    let taken = sendmsg::<()>(socket.as_raw_fd(), &slices, &cut, MsgFlags::empty(), None).map_err(failed)?;
    Ok((taken / FRAME_LEN) as u64)
}

//! What the death of the leader costs: decisions arrive at a steady pace at all three replicas, the one that leads is
//! killed in the midst of them, and those that it leaves without an answer are sent to another.
//!
//! A decision's time counts from when it was due, so those that had to wait are not left out. The new leader serves when
//! a decision is acknowledged that was sent first after the kill. In the end the survivors are asked for every decision
//! that was ever acknowledged.

use std::collections::BTreeMap;
use std::io::Write;
use std::net::TcpStream;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use super::figure::{Figure, Target};
use super::group::Group;
use super::plan::Plan;
use super::sample::{Sample, milliseconds};
use super::wire::{self, Arrived, Request};
use super::{BenchError, BenchName, decision, load};

/// The slowest run counts.
const SERVING_AGAIN: Target = Target::value_at_most(1_000.0);
const LOST: Target = Target::value_at_most(0.0);

/// Replicas of the group.
const REPLICAS: u64 = 3;
/// Decisions that arrive each second.
const PER_SECOND: u32 = 1_000;
/// How long they arrive before the leader is killed.
const BEFORE: Duration = Duration::from_secs(1);
/// How long they arrive after it.
const AFTER: Duration = Duration::from_secs(2);
/// How long the last ones may take then.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long a refused decision waits before it is sent again.
const RETRY: Duration = Duration::from_millis(5);

pub(super) fn measure(plan: &Plan) -> Result<Vec<Figure>, BenchError> {
    let mut group = Group::start(REPLICAS, BenchName::Failover.as_str())?;
    let (mut first, mut acknowledged) = (0, Vec::new());
    let (mut serving, mut p99s) = (Vec::new(), Vec::new());
    for _ in 0..plan.failovers {
        let leader = group.leader()?;
        let run = Run::new(&mut group, first)?.run_to_the_end(&mut group, leader)?;
        first = run.next;
        serving.push(milliseconds(run.serving_again.ok_or_else(|| failed("no new leader served"))?));
        let times = Sample::of_durations(&run.times).ok_or_else(|| failed("nothing was acknowledged"))?;
        p99s.push(times.percentile(0.99));
        acknowledged.extend(run.acknowledged);
        group.restart(leader)?;
    }
    let mut lost = 0;
    for id in group.running() {
        lost = load::missing(group.port(id)?, &acknowledged).map_err(failed)?.len().max(lost);
    }
    let sample = |values| Sample::new(values).ok_or_else(|| failed("nothing was measured"));
    let (serving, p99s) = (sample(serving)?, sample(p99s)?);
    Ok(vec![
        Figure::measured("failover.serving_again", "ms", serving.max(), &serving).with_target(SERVING_AGAIN),
        Figure::of_sample("failover.write_p99", "ms", &p99s),
        Figure::measured("failover.lost", "", lost as f64, &Sample::one(lost as f64)).with_target(LOST),
    ])
}

/// What a connection says.
enum Event {
    /// A replica answered.
    Answer { number: u64, what: u8, at: Instant },
    /// The connection ended.
    Broken { replica: u64 },
}

/// A decision on its way.
struct Waiting {
    due: Instant,
    first_sent: Instant,
    replica: u64,
}

/// One death of the leader.
struct Run {
    connections: BTreeMap<u64, TcpStream>,
    events: Receiver<Event>,
    waiting: BTreeMap<u64, Waiting>,
    /// Decisions to be sent again.
    again: Vec<u64>,
    /// Chooses the replica of the next decision.
    turn: usize,
    first: u64,
    next: u64,
    killed: Option<Instant>,
    serving_again: Option<Duration>,
    times: Vec<Duration>,
    acknowledged: Vec<u64>,
}

impl Run {
    /// Connects to every replica; the first decision is number `first`.
    fn new(group: &mut Group, first: u64) -> Result<Self, BenchError> {
        let (sender, events) = channel();
        let mut connections = BTreeMap::new();
        for replica in group.running() {
            let stream = load::connect(group.port(replica)?)?;
            let (reading, sender) = (stream.try_clone()?, sender.clone());
            std::thread::spawn(move || listen(replica, reading, &sender));
            connections.insert(replica, stream);
        }
        Ok(Self {
            connections,
            events,
            waiting: BTreeMap::new(),
            again: Vec::new(),
            turn: 0,
            first,
            next: first,
            killed: None,
            serving_again: None,
            times: Vec::new(),
            acknowledged: Vec::new(),
        })
    }

    /// Sends all that are due, kills the leader in the midst of them, and waits for the last answer.
    fn run_to_the_end(mut self, group: &mut Group, leader: u64) -> Result<Self, BenchError> {
        let start = Instant::now();
        let due = |number: u64| start + Duration::from_secs(number) / PER_SECOND;
        let whole = BEFORE + AFTER;
        loop {
            let now = Instant::now();
            if self.killed.is_none() && now >= start + BEFORE {
                self.killed = Some(group.kill(leader));
            }
            for number in std::mem::take(&mut self.again) {
                self.send(number);
            }
            while due(self.next - self.first) <= now && due(self.next - self.first) < start + whole {
                let waiting =
                    Waiting { due: due(self.next - self.first), first_sent: Instant::now(), replica: 0 };
                self.waiting.insert(self.next, waiting);
                self.send(self.next);
                self.next += 1;
            }
            let over = now >= start + whole;
            if over && self.waiting.is_empty() {
                return Ok(self);
            }
            if now >= start + whole + PATIENCE {
                return Err(failed(format!("{} decisions were never answered", self.waiting.len())));
            }
            let until =
                if over || !self.again.is_empty() { now + RETRY } else { due(self.next - self.first) };
            self.hear(until)?;
        }
    }

    /// Takes in what the replicas say until `until`.
    fn hear(&mut self, until: Instant) -> Result<(), BenchError> {
        loop {
            match self.events.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(Event::Answer { number, what: wire::DONE, at }) => self.done(number, at),
                Ok(Event::Answer { number, .. }) => self.again.push(number),
                Ok(Event::Broken { replica }) => {
                    self.connections.remove(&replica);
                    let left = self.waiting.iter().filter(|(_, waiting)| waiting.replica == replica);
                    self.again.extend(left.map(|(number, _)| *number));
                }
                Err(RecvTimeoutError::Timeout) => return Ok(()),
                Err(RecvTimeoutError::Disconnected) => return Err(failed("no replica is left")),
            }
        }
    }

    fn done(&mut self, number: u64, at: Instant) {
        // One that was sent again may be answered twice.
        let Some(waiting) = self.waiting.remove(&number) else { return };
        self.times.push(at.saturating_duration_since(waiting.due));
        self.acknowledged.push(number);
        if let Some(killed) = self.killed.filter(|killed| waiting.first_sent > *killed) {
            self.serving_again.get_or_insert(at.saturating_duration_since(killed));
        }
    }

    /// Sends a decision to the next replica in turn.
    fn send(&mut self, number: u64) {
        let Some(waiting) = self.waiting.get_mut(&number) else { return };
        let turn = self.turn % self.connections.len().max(1);
        self.turn += 1;
        let Some((replica, stream)) = self.connections.iter_mut().nth(turn) else {
            return self.again.push(number);
        };
        waiting.replica = *replica;
        let mut request = Vec::new();
        Request { number, kind: wire::APPEND, body: &decision::encoded(number) }.write(&mut request);
        // A broken connection is noticed where it is read, and what went there is sent again.
        let _ = stream.write_all(&request);
    }
}

/// Passes on a replica's answers until its connection ends.
fn listen(replica: u64, mut stream: TcpStream, events: &Sender<Event>) {
    let mut arrived = Arrived::default();
    while let Ok(true) = arrived.more(&mut stream) {
        let at = Instant::now();
        while let Some((number, what)) = arrived.answer() {
            if events.send(Event::Answer { number, what, at }).is_err() {
                return;
            }
        }
    }
    let _ = events.send(Event::Broken { replica });
}

fn failed(reason: impl std::fmt::Display) -> BenchError {
    BenchError::failed(BenchName::Failover, reason)
}

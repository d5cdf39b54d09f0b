//! One replica of an audit log in a process of its own, as the bench measures it: behind the peers' line protocol for
//! what is asked once, and behind a socket ([`super::wire`]) for the load.

use std::io::{BufRead, Write, stdin, stdout};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hansa_consensus::{Command, Consensus, ConsensusConfig, RecordsConfig};
use hansa_types::codec::Decode;
use hansa_types::signal::Signal;
use hansa_types::verify::{SignalRules, Verifier, VerifyError};
use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

use super::sample::Sample;
use super::wire::{self, Arrived};
use super::{BenchError, BenchName, decision};

/// The hidden option that makes a child of this program, with the configuration's file as its value.
pub(super) const OPTION: &str = "--replica-child";
/// The metric that counts the synced writes of the Raft log.
const FSYNCS: &str = "fsync_seconds_count";

/// The log is measured without signals.
struct NoSignals;

impl SignalRules for NoSignals {}

impl Verifier<Signal> for NoSignals {
    fn verify(&self, _: &Signal) -> Result<(), VerifyError> {
        Err(VerifyError::Reject("no signal is expected here".to_owned()))
    }
}

/// Runs the replica that `config` (JSON) describes until the input ends.
pub(super) fn serve(config: &Path) -> Result<(), BenchError> {
    let failed = |e: &dyn std::fmt::Display| BenchError::failed(BenchName::AuditAppend, e);
    let text =
        std::fs::read(config).map_err(|source| BenchError::Read { path: config.to_owned(), source })?;
    let config: ConsensusConfig = serde_json::from_slice(&text).map_err(|e| failed(&e))?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let mut registry = Registry::default();
    let records = RecordsConfig::default();
    let opened = Consensus::open(&config, &records, Arc::new(NoSignals), &mut registry);
    let consensus = Arc::new(runtime.block_on(opened).map_err(|e| failed(&e))?);
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0"))?;
    let port = listener.local_addr()?.port();
    runtime.spawn(accept(listener, consensus.clone()));

    let mut out = stdout().lock();
    writeln!(out, "ready hansa {}", env!("CARGO_PKG_VERSION"))?;
    out.flush()?;
    for line in stdin().lock().lines() {
        let line = line?;
        let answer = match line.split_whitespace().collect::<Vec<_>>().as_slice() {
            ["port"] => Ok(u64::from(port)),
            ["leader"] => Ok(consensus.role().borrow().leader.unwrap_or(0)),
            ["size"] => Ok(consensus.size()),
            ["fsyncs"] => fsyncs(&registry),
            ["fill", count, in_flight] => match (count.parse(), in_flight.parse()) {
                (Ok(count), Ok(in_flight)) => {
                    runtime.block_on(fill(&consensus, count, in_flight)).map(nanoseconds)
                }
                _ => Err("two numbers are wanted".to_owned()),
            },
            ["inclusion", count] => {
                timed_reads(count, consensus.size(), |n, size| match consensus.inclusion(n, size) {
                    Ok(_) => Ok(()),
                    Err(error) => Err(error.to_string()),
                })
            }
            ["lookup", count] => timed_reads(count, consensus.size(), |n, _| {
                match consensus.find_term(&decision::term(n), 1).as_deref() {
                    Ok([_]) => Ok(()),
                    Ok(_) => Err(format!("decision {n} is not found under its term")),
                    Err(error) => Err(error.to_string()),
                }
            }),
            _ => Err(format!("unknown command {line:?}")),
        };
        match answer {
            Ok(number) => writeln!(out, "ok {number}")?,
            Err(error) => writeln!(out, "error {error}")?,
        }
        out.flush()?;
    }
    Ok(())
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// How many synced writes of the Raft log this replica has made.
fn fsyncs(registry: &Registry) -> Result<u64, String> {
    let mut text = String::new();
    encode(&mut text, registry).map_err(|error| error.to_string())?;
    let value = text.lines().find_map(|line| line.strip_prefix(FSYNCS)?.trim().parse().ok());
    value.ok_or_else(|| format!("there is no metric {FSYNCS}"))
}

/// Appends the next `count` decisions after those in the log, so many at a time, and gives the time it took.
async fn fill(consensus: &Arc<Consensus>, count: u64, in_flight: u64) -> Result<Duration, String> {
    let first = consensus.size();
    let mut shares: Vec<Vec<Command>> = (0..in_flight.clamp(1, count.max(1))).map(|_| Vec::new()).collect();
    let workers = shares.len();
    for (at, number) in (first..first + count).enumerate() {
        shares[at % workers].push(decision::append(number));
    }
    let start = Instant::now();
    let workers: Vec<_> = shares
        .into_iter()
        .map(|share| {
            let consensus = consensus.clone();
            tokio::spawn(async move {
                for command in share {
                    consensus.propose(command).await.map_err(|error| error.to_string())?;
                }
                Ok::<(), String>(())
            })
        })
        .collect();
    for worker in workers {
        worker.await.map_err(|error| error.to_string())??;
    }
    Ok(start.elapsed())
}

/// The median time, in nanoseconds, of reading about decisions spread over the log.
fn timed_reads(
    count: &str,
    size: u64,
    mut read: impl FnMut(u64, u64) -> Result<(), String>,
) -> Result<u64, String> {
    let count: u64 = count.parse().map_err(|_| "a number is wanted".to_owned())?;
    let mut times = Vec::new();
    for at in 0..count {
        // Spread, and in no order.
        let number = at.wrapping_mul(0x9e37_79b9_7f4a_7c15) % size.max(1);
        let start = Instant::now();
        read(number, size)?;
        times.push(start.elapsed());
    }
    let sample = Sample::of_durations(&times).ok_or("nothing was read")?;
    Ok((sample.median() * 1e6) as u64)
}

async fn accept(listener: TcpListener, consensus: Arc<Consensus>) {
    while let Ok((stream, _)) = listener.accept().await {
        let _ = stream.set_nodelay(true);
        tokio::spawn(answer_all(stream, consensus.clone()));
    }
}

/// Answers a connection's requests, each as soon as it is done.
async fn answer_all(stream: TcpStream, consensus: Arc<Consensus>) {
    let (mut from, mut to) = stream.into_split();
    let (answers, mut done) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        let mut out = Vec::new();
        while let Some((number, what)) = done.recv().await {
            wire::write_answer(number, what, &mut out);
            while let Ok((number, what)) = done.try_recv() {
                wire::write_answer(number, what, &mut out);
            }
            if to.write_all(&out).await.is_err() {
                return;
            }
            out.clear();
        }
    });
    let mut arrived = Arrived::default();
    loop {
        match from.read(arrived.room()).await {
            Ok(read) if read > 0 => arrived.took(read),
            _ => return,
        }
        loop {
            let request = match arrived.request() {
                Ok(Some(request)) => request,
                Ok(None) => break,
                Err(_) => return,
            };
            let (number, kind, body) = (request.number, request.kind, request.body.to_vec());
            let (consensus, answers) = (consensus.clone(), answers.clone());
            tokio::spawn(async move {
                // Whoever asked may be gone.
                let _ = answers.send((number, answer(&consensus, kind, &body).await));
            });
        }
    }
}

async fn answer(consensus: &Consensus, kind: u8, body: &[u8]) -> u8 {
    match kind {
        wire::APPEND => {
            let Ok(command) = Command::from_bytes(body) else { return wire::FAILED };
            if consensus.propose(command).await.is_ok() { wire::DONE } else { wire::FAILED }
        }
        wire::FIND => {
            let Ok(key) = body.try_into() else { return wire::FAILED };
            if consensus.barrier().await.is_err() {
                return wire::FAILED;
            }
            match consensus.find_unique(key) {
                Ok(Some(_)) => wire::FOUND,
                Ok(None) => wire::ABSENT,
                Err(_) => wire::FAILED,
            }
        }
        _ => wire::FAILED,
    }
}

//! The program: opens the replica, answers each request in a task of its own, ends with its input or its disk.

use std::fmt;
use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use clap::Args;
use hansa_consensus::replica::Replica;
use hansa_consensus::{Consensus, ConsensusConfig, OpenError, Outcome, RecordsConfig};
use hansa_types::signal::Signal;
use hansa_types::verify::{SignalRules, Verifier, VerifyError};
use prometheus_client::registry::Registry;
use tokio::sync::{mpsc as queue, oneshot};

use super::{Answer, Content, Request, State};

/// Requests read ahead while others are answered.
const READ_AHEAD: usize = 16_384;
/// How long requests under way may take to end with the program.
const WIND_UP: Duration = Duration::from_secs(2);

/// Which replica.
#[derive(Args, Clone, Debug)]
pub struct ReplicaArgs {
    /// The replica's configuration: what the node has under `[consensus]`, as a file of its own.
    #[arg(long, value_name = "FILE")]
    pub config: PathBuf,
}

/// Why the replica ended.
#[derive(Debug, thiserror::Error)]
pub enum ReplicaError {
    /// The configuration.
    #[error("{path}: {reason}")]
    Config {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The system.
    #[error("the replica cannot be run: {0}")]
    System(#[from] io::Error),
    /// It did not open.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// Its disk failed.
    #[error("the replica has stopped: {0}")]
    Stopped(String),
}

/// No signals are sent here.
struct RefuseAll;

impl SignalRules for RefuseAll {}

impl Verifier<Signal> for RefuseAll {
    fn verify(&self, _: &Signal) -> Result<(), VerifyError> {
        Err(VerifyError::Reject("a replica without a node takes no signals".to_owned()))
    }
}

/// Runs a replica until its input ends or its disk fails.
pub fn run(args: &ReplicaArgs) -> Result<(), ReplicaError> {
    let wrong = |reason: &dyn fmt::Display| ReplicaError::Config {
        path: args.config.clone(),
        reason: reason.to_string(),
    };
    let text = std::fs::read_to_string(&args.config).map_err(|error| wrong(&error))?;
    let config: ConsensusConfig = toml::from_str(&text).map_err(|error| wrong(&error))?;
    let filter = tracing_subscriber::EnvFilter::try_from_env("HANSA_LOG").unwrap_or_else(|_| "info".into());
    tracing_subscriber::fmt().with_env_filter(filter).with_ansi(false).with_writer(io::stderr).init();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let (lines, read) = queue::channel(READ_AHEAD);
    let (closed, end) = oneshot::channel();
    thread::spawn(move || read_lines(&lines, closed));
    let (out, printed) = mpsc::channel();
    let printer = thread::spawn(move || print_lines(&printed));
    let ended = runtime.block_on(serve(&config, read, end, &out));
    runtime.shutdown_timeout(WIND_UP);
    drop(out);
    // A reader that went away ends this program by its input as well.
    let _ = printer.join();
    ended
}

/// A thread of its own: standard input can only be read by waiting.
fn read_lines(lines: &queue::Sender<String>, closed: oneshot::Sender<()>) {
    for line in BufReader::with_capacity(1 << 20, io::stdin()).lines().map_while(Result::ok) {
        if lines.blocking_send(line).is_err() {
            return;
        }
    }
    let _ = closed.send(());
}

/// Prints what there is at once.
fn print_lines(lines: &mpsc::Receiver<String>) -> io::Result<()> {
    let mut out = BufWriter::with_capacity(1 << 20, io::stdout().lock());
    while let Ok(first) = lines.recv() {
        writeln!(out, "{first}")?;
        while let Ok(next) = lines.try_recv() {
            writeln!(out, "{next}")?;
        }
        out.flush()?;
    }
    Ok(())
}

async fn serve(
    config: &ConsensusConfig,
    mut lines: queue::Receiver<String>,
    end: oneshot::Receiver<()>,
    out: &mpsc::Sender<String>,
) -> Result<(), ReplicaError> {
    let (records, mut registry) = (RecordsConfig::default(), Registry::default());
    let opening = Consensus::open(config, &records, Arc::new(RefuseAll), &mut registry);
    let consensus = tokio::select! {
        opened = opening => Arc::new(opened?),
        _ = end => return Ok(()),
    };
    let _ = out.send("ready".to_owned());
    let mut role = consensus.role();
    loop {
        tokio::select! {
            line = lines.recv() => match line {
                Some(line) => drop(tokio::spawn(answer_line(consensus.clone(), line, out.clone()))),
                None => break,
            },
            stopped = role.wait_for(|role| role.stopped.is_some()) => {
                let reason = stopped.ok().and_then(|role| role.stopped.clone());
                let reason = reason.unwrap_or_else(|| "shut down".to_owned()).replace('\n', " ");
                let _ = out.send(format!("stopped {reason}"));
                return Err(ReplicaError::Stopped(reason));
            }
        }
    }
    consensus.shutdown().await;
    Ok(())
}

async fn answer_line(consensus: Arc<Consensus>, line: String, out: mpsc::Sender<String>) {
    let (id, request) = line.split_once(' ').unwrap_or((&line, ""));
    let answer = match request.parse() {
        Ok(request) => answer(&consensus, request).await,
        Err(error) => Answer::Error(error.to_string()),
    };
    let _ = out.send(format!("{id} {answer}"));
}

/// Reads block this thread for a moment, as this program does nothing beside.
async fn answer(consensus: &Consensus, request: Request) -> Answer {
    match request {
        Request::Append(content) => append(consensus, content).await,
        Request::Read => match consensus.barrier().await {
            Ok(()) => head(consensus),
            Err(error) => Answer::Error(error.to_string()),
        },
        Request::Head => head(consensus),
        Request::Leaf(index) => found(consensus.leaf(index), |leaf| hex::encode(leaf.as_bytes())),
        Request::Find(key) => {
            found(consensus.find_unique(&Content { key, seed: 0 }.unique()), |i| i.to_string())
        }
        Request::Root(size) => done(consensus.root_at(size).map(hex::encode)),
        Request::Inclusion { index, size } => {
            let path = consensus.inclusion(index, size);
            done(path.map(|path| path.iter().map(hex::encode).collect::<Vec<_>>().join(",")))
        }
        Request::Status => status(consensus),
        Request::Led { not } => {
            let mut role = consensus.role();
            let led =
                role.wait_for(|role| role.quorum && role.leader.is_some_and(|leader| leader != not)).await;
            done(led.map(|role| role.leader.unwrap_or_default().to_string()))
        }
        Request::Snapshot => done(consensus.snapshot().await.map(|()| String::new())),
        Request::Transfer(id) => done(consensus.transfer(Some(id)).await),
        Request::Leave(id) => done(consensus.leave(id).await),
        Request::Join { id, address, zone } => {
            done(consensus.join(id, Replica { address, zone, ..Replica::default() }).await)
        }
    }
}

async fn append(consensus: &Consensus, content: Content) -> Answer {
    match consensus.propose(content.command()).await {
        Ok(Outcome::Appended { index }) => Answer::Ok(index.to_string()),
        Ok(Outcome::Existing { index }) => Answer::Existing(index),
        Ok(Outcome::Conflict { index }) => Answer::Conflict(index),
        Ok(other) => Answer::Error(format!("{other:?}")),
        Err(error) => Answer::Error(error.to_string()),
    }
}

fn head(consensus: &Consensus) -> Answer {
    let head = consensus.head();
    Answer::Ok(format!("{} {}", head.size, hex::encode(head.root)))
}

fn status(consensus: &Consensus) -> Answer {
    let status = consensus.status();
    let clock = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let state = State {
        replica: status.replica,
        leader: status.leader,
        quorum: status.quorum,
        term: status.term,
        applied: status.applied,
        size: status.size,
        clock,
    };
    done(serde_json::to_string(&state))
}

fn found<T>(found: Result<Option<T>, impl fmt::Display>, text: impl Fn(T) -> String) -> Answer {
    match found {
        Ok(Some(found)) => Answer::Ok(text(found)),
        Ok(None) => Answer::None,
        Err(error) => Answer::Error(error.to_string()),
    }
}

fn done(done: Result<String, impl fmt::Display>) -> Answer {
    done.map_or_else(|error| Answer::Error(error.to_string()), Answer::Ok)
}

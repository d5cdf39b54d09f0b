//! etcd as a peer to measure durable writes against: three members with the settings they come with, on this machine
//! and this disk, and a client that keeps a number of writes in flight. The protocol is in `testnet/peers/README.md`.
//!
//! What is timed is from the first write sent to the last one answered: an answer means that the write is synced on a
//! quorum. The client speaks to the leader, so that nothing is forwarded: the best case of etcd.

mod api;
mod members;

use std::error::Error;
use std::io::{BufRead, Write, stdin, stdout};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use crate::api::Client;
use crate::members::Members;

/// Connections that the writes in flight share.
const CONNECTIONS: usize = 4;
/// Bytes of each value, as of the records that it is compared with.
const VALUE: usize = 256;

fn main() -> Result<(), Box<dyn Error>> {
    let folder = std::env::args_os().nth(1).map(PathBuf::from).ok_or("usage: hansa-peer-etcd FOLDER")?;
    let members = Members::start(&folder)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let (leader, version) = runtime.block_on(members.leader())?;
    let client = Arc::new(runtime.block_on(Client::connect(&leader, CONNECTIONS))?);

    let next = Arc::new(AtomicU64::new(0));
    let mut out = stdout().lock();
    writeln!(out, "ready etcd {version}")?;
    out.flush()?;
    for line in stdin().lock().lines() {
        let line = line?;
        let words: Vec<_> = line.split_whitespace().collect();
        match (words.as_slice(), numbers(&words)) {
            (["quit"], _) => break,
            (["put", ..], Some((count, in_flight))) => {
                match runtime.block_on(put(&client, &next, count, in_flight)) {
                    Ok(taken) => writeln!(out, "ok {}", taken.as_nanos())?,
                    Err(error) => writeln!(out, "error {error}")?,
                }
            }
            _ => writeln!(out, "error unknown command {line:?}: `put COUNT IN_FLIGHT` or quit is wanted")?,
        }
        out.flush()?;
    }
    Ok(())
}

fn numbers(words: &[&str]) -> Option<(u64, u64)> {
    let [_, count, in_flight] = words else { return None };
    Some((count.parse().ok()?, in_flight.parse().ok().filter(|n| *n > 0)?))
}

/// Writes `count` values under keys never used before, `in_flight` of them at a time.
async fn put(
    client: &Arc<Client>,
    next: &Arc<AtomicU64>,
    count: u64,
    in_flight: u64,
) -> Result<Duration, Box<dyn Error>> {
    let end = next.load(Ordering::Relaxed) + count;
    let start = Instant::now();
    let mut writers = JoinSet::new();
    for _ in 0..in_flight.min(count) {
        let (client, next) = (client.clone(), next.clone());
        writers.spawn(async move {
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= end {
                    return Ok(());
                }
                client.put(key(number), value(number)).await?;
            }
        });
    }
    while let Some(written) = writers.join_next().await {
        written?.map_err(|status: tonic::Status| status.to_string())?;
    }
    next.store(end, Ordering::Relaxed);
    Ok(start.elapsed())
}

/// Spread over the key space, as keyed digests are: a multiplication by an odd number loses nothing.
fn key(number: u64) -> Vec<u8> {
    let spread = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    [spread.to_be_bytes(), number.to_be_bytes()].concat()
}

fn value(number: u64) -> Vec<u8> {
    number.to_be_bytes().repeat(VALUE / size_of::<u64>())
}

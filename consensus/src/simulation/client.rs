//! A client: appends under unique keys, reads and has checkpoints recorded, at any replica, and asks again until it is
//! answered.

use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use hansa_audit_log::envelope::RecordsKey;
use hansa_types::record::RecordClass;
use rand::SeedableRng;
use rand::rngs::StdRng;
use tokio::time::{Instant, sleep, timeout};

use super::plant::Plant;
use super::world::{REPLICAS, Replica, World};
use crate::command::{Command, Leaf, Proposal, Unique};
use crate::outcome::{CheckpointRefusal, Outcome};
use crate::state::TreeHead;

/// How long a client waits for an answer before it asks elsewhere.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long a replica tries to make a read linearizable.
const BARRIER: Duration = Duration::from_millis(1_500);
/// How long a client waits after a refusal, at the most, in milliseconds.
const AGAIN_MS: u64 = 200;

/// Runs a client until `until`, and then until what it asked last is answered.
pub(super) async fn run(world: Arc<World>, number: u64, until: Instant) {
    let mut made = 0;
    while Instant::now() < until {
        sleep(world.millis(world.scenario.think_ms)).await;
        match world.draw(9) {
            0 => checkpoint(&world, number).await,
            1..=3 => {
                read(&world, number).await;
            }
            _ => {
                made += 1;
                append(&world, number, made).await;
            }
        }
        if world.violated() {
            return;
        }
    }
}

async fn append(world: &Arc<World>, client: u64, number: u64) {
    let mut key = [0; 32];
    key[..8].copy_from_slice(&client.to_be_bytes());
    key[8..16].copy_from_slice(&number.to_be_bytes());
    let Some(command) = command(world, key) else { return };
    let begun = world.checker().history.begin();
    world.checker().note(format_args!("client {client} appends {number}"));
    let outcome = ask(world, |replica| Box::pin(propose(replica, command.clone()))).await;
    let mut checker = world.checker();
    match outcome {
        Outcome::Appended { index } | Outcome::Existing { index } => {
            checker.note(format_args!("client {client} is answered: {number} is leaf {index}"));
            let checked = checker.history.appended(begun, index);
            checker.answered(checked);
            drop(checker);
            world.acknowledge(key, index);
        }
        other => checker.violate(format_args!("client {client}'s append was answered with {other:?}")),
    }
}

fn command(world: &World, key: [u8; 32]) -> Option<Command> {
    let mut random = StdRng::from_seed(key);
    let records = RecordsKey::new([7; 32]);
    let sealed = records.seal("simulation.example/audit", RecordClass::Decision, &key, &mut random);
    match sealed {
        Ok(envelope) => {
            let mut leaf = Leaf::new(envelope);
            leaf.unique = Unique { key, content: key };
            Some(Command::Append { leaf, follow_up: Vec::new() })
        }
        Err(error) => {
            world.violate(error);
            None
        }
    }
}

/// Reads the size of the log, and whether something that was acknowledged is there.
async fn read(world: &Arc<World>, client: u64) -> TreeHead {
    let begun = world.checker().history.begin();
    let known = world.any_acknowledged();
    world.checker().note(format_args!("client {client} reads"));
    let (head, found) = ask(world, |replica| {
        let world = world.clone();
        Box::pin(async move {
            if world.plant != Some(Plant::ReadWithoutBarrier) {
                replica.ways.barrier(BARRIER).await.ok()?;
            }
            let found = known.map(|(key, _)| replica.state.find_unique(&key));
            Some((replica.state.head(), found))
        })
    })
    .await;
    world.count(|counts| counts.reads += 1);
    let mut checker = world.checker();
    checker.note(format_args!("client {client} has read {} leaves", head.size));
    let checked = checker.history.read(begun, head.size);
    checker.answered(checked);
    if let (Some((_, index)), Some(found)) = (known, found)
        && found != Ok(Some(index))
    {
        checker
            .violate(format_args!("not linearizable: leaf {index} was acknowledged, and read as {found:?}"));
    }
    head
}

/// Has a checkpoint recorded, as before it is signed.
async fn checkpoint(world: &Arc<World>, client: u64) {
    let TreeHead { size, root } = read(world, client).await;
    let command = Command::Checkpoint { size, root };
    let outcome = ask(world, |replica| Box::pin(propose(replica, command.clone()))).await;
    let mut checker = world.checker();
    checker.note(format_args!("client {client}'s checkpoint of {size} leaves: {outcome:?}"));
    match outcome {
        Outcome::CheckpointRecorded | Outcome::CheckpointRefused(CheckpointRefusal::Smaller { .. }) => {}
        other => {
            checker.violate(format_args!("a checkpoint of {size} read leaves was answered with {other:?}"));
        }
    }
}

/// Asks one replica after another until one answers.
async fn ask<T>(world: &World, attempt: impl Fn(Replica) -> BoxFuture<'static, Option<T>>) -> T {
    loop {
        let to = world.draw(*REPLICAS.end() - 1) + 1;
        let lost = world.sends(0, to).is_none();
        if let Some(replica) = world.replica(to).filter(|_| !lost) {
            let life = replica.life;
            // An answer from a process that died meanwhile does not arrive.
            if let Ok(Some(answer)) = timeout(PATIENCE, attempt(replica)).await
                && world.lives(to, life)
                && world.sends(to, 0).is_some()
            {
                return answer;
            }
        }
        sleep(world.millis(AGAIN_MS)).await;
    }
}

async fn propose(replica: Replica, command: Command) -> Option<Outcome> {
    replica.proposer.propose(&Proposal { seen: None, command }).await.ok()
}

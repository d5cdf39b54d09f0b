//! What goes wrong, and that it ends.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use openraft::ChangeMembers;
use tokio::time::{Instant, sleep, timeout};

use super::network::identity;
use super::world::{FOUNDERS, REPLICAS, World};
use crate::net::Admin;

/// The longest that a replica stays down, is paused or slow, and a partition lasts, in milliseconds.
const LONG_MS: u64 = 3_000;
/// The longest delay of a slow disk, in milliseconds.
const SLOW_DISK_MS: u64 = 150;
/// How long an operator waits for what he asked for.
const ADMIN: Duration = Duration::from_secs(4);

/// Lets things go wrong until `until`.
pub(super) async fn run(world: &Arc<World>, until: Instant) {
    while Instant::now() < until && !world.violated() {
        sleep(world.millis(world.scenario.calm_ms)).await;
        match world.draw(19) {
            0..=4 => crash_one(world),
            5 => crash_all(world),
            6..=8 => part(world),
            9 | 10 => cut_one_way(world),
            11 | 12 => pause(world),
            13 => slow_disk(world),
            14 | 15 => snapshot(world).await,
            16 => elect(world).await,
            17 => {
                tokio::spawn(transfer(world.clone()));
            }
            _ => {
                tokio::spawn(change_members(world.clone()));
            }
        }
    }
}

/// Ends all that is wrong.
pub(super) async fn end(world: &Arc<World>) {
    heal(world);
    {
        let mut weather = world.weather();
        weather.fair = true;
        weather.slow.clear();
    }
    for id in REPLICAS {
        world.start(id).await;
    }
    world.checker().note(format_args!("the faults have ended"));
}

/// One of the replicas that run.
fn any(world: &World) -> Option<u64> {
    let up = world.up();
    let last = up.len().checked_sub(1)?;
    up.get(world.draw(last as u64) as usize).copied()
}

fn crash_one(world: &Arc<World>) {
    // The leader is the most interesting.
    let leader = world.leader().map(|(id, _)| id).filter(|_| world.draw(1) == 0);
    if let Some(id) = leader.or_else(|| any(world)) {
        world.crash(id);
        restart(world, id);
    }
}

/// The power of all zones fails at once.
fn crash_all(world: &Arc<World>) {
    for id in world.up() {
        world.crash(id);
        restart(world, id);
    }
}

fn restart(world: &Arc<World>, id: u64) {
    let (world, down) = (world.clone(), world.millis(LONG_MS));
    tokio::spawn(async move {
        sleep(down).await;
        world.start(id).await;
    });
}

/// Separates some replicas from the others.
fn part(world: &Arc<World>) {
    let mut side = BTreeSet::new();
    for id in REPLICAS {
        if world.draw(1) == 0 {
            side.insert(id);
        }
    }
    world.checker().note(format_args!("{side:?} are cut off"));
    heal_later(world);
    let mut weather = world.weather();
    for from in REPLICAS {
        for to in REPLICAS {
            if side.contains(&from) != side.contains(&to) {
                weather.cut.insert((from, to));
            }
        }
    }
}

/// Silences one replica, or deafens it.
fn cut_one_way(world: &Arc<World>) {
    let (id, silenced) = (world.draw(*REPLICAS.end() - 1) + 1, world.draw(1) == 0);
    world.checker().note(format_args!("replica {id} is {}", if silenced { "not heard" } else { "deaf" }));
    heal_later(world);
    let mut weather = world.weather();
    for other in REPLICAS.filter(|other| *other != id) {
        weather.cut.insert(if silenced { (id, other) } else { (other, id) });
    }
}

fn heal_later(world: &Arc<World>) {
    let (world, span) = (world.clone(), world.millis(LONG_MS));
    tokio::spawn(async move {
        sleep(span).await;
        heal(&world);
    });
}

fn heal(world: &Arc<World>) {
    world.checker().note(format_args!("all links are whole"));
    world.weather().cut.clear();
}

/// Stops a replica for a while: no ticks, no messages, no disk.
fn pause(world: &Arc<World>) {
    let (Some(id), span) = (any(world), world.millis(LONG_MS)) else { return };
    let Some(replica) = world.replica(id) else { return };
    world.checker().note(format_args!("replica {id} pauses for {} ms", span.as_millis()));
    world.weather().paused.insert(id, Instant::now() + span);
    replica.raft.runtime_config().tick(false);
    tokio::spawn(async move {
        sleep(span).await;
        replica.raft.runtime_config().tick(true);
    });
}

fn slow_disk(world: &Arc<World>) {
    let (id, most) = (world.draw(*REPLICAS.end() - 1) + 1, world.draw(SLOW_DISK_MS));
    world.checker().note(format_args!("the disk of replica {id} takes up to {most} ms"));
    world.weather().slow.insert(id, most);
}

async fn snapshot(world: &Arc<World>) {
    let Some(replica) = any(world).and_then(|id| world.replica(id)) else { return };
    // A replica that dies meanwhile takes none.
    let _ = replica.raft.trigger().snapshot().await;
}

async fn elect(world: &Arc<World>) {
    let Some(replica) = any(world).and_then(|id| world.replica(id)) else { return };
    let _ = replica.raft.trigger().elect().await;
}

/// Hands leadership over, as an operator would.
async fn transfer(world: Arc<World>) {
    let Some((id, leader)) = world.leader() else { return };
    world.checker().note(format_args!("replica {id} is to hand over"));
    // Refused or failed, the leader stays.
    if let Ok(Ok(done)) = timeout(ADMIN, leader.cluster.administer(Admin::Transfer(None))).await {
        world.checker().note(format_args!("{done}"));
    }
}

/// Grows the group from three to five members, or shrinks it back.
async fn change_members(world: Arc<World>) {
    let Some((_, leader)) = world.leader() else { return };
    let members = world.members();
    let larger: BTreeSet<u64> = REPLICAS.collect();
    let wanted = if members == larger { FOUNDERS.collect() } else { larger };
    world.checker().note(format_args!("the members shall be {wanted:?}"));
    let change = async {
        for id in wanted.difference(&members) {
            leader.raft.add_learner(*id, identity(*id), false).await.ok()?;
        }
        leader.raft.change_membership(ChangeMembers::ReplaceAllVoters(wanted.clone()), false).await.ok()
    };
    // A leader that fails meanwhile leaves the change to be finished, or not, by the next.
    if let Ok(Some(_)) = timeout(ADMIN, change).await {
        world.count(|counts| counts.memberships += 1);
        world.checker().note(format_args!("the members are {wanted:?}"));
    }
}

//! How a replica comes into its group: it founds it with the others, finds it again after a restart, or waits until
//! an operator has it join.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::{interval, timeout};

use crate::answer::Answers;
use crate::cluster::founding_level;
use crate::config::ConsensusConfig;
use crate::error::OpenError;
use crate::net::{Client, Description, Request, Response};
use crate::replica::{Incarnation, Levels, Replica};

/// How often the other founders are asked until all have answered.
const ASK: Duration = Duration::from_millis(500);
/// How long one of them may take.
const PATIENCE: Duration = Duration::from_secs(2);
/// After how many rounds in vain the log says again who is waited for.
const SAY: u32 = 20;

/// Sees to it that Raft has a membership with this replica in it. A fresh replica founds the group only if all that
/// are configured are fresh: one that lost its disk must not vote as if it remembered.
///
/// Returns the version of the state that a new group begins with, if this is one.
pub(crate) async fn enter(
    config: &ConsensusConfig,
    answers: &Answers,
    client: Option<&Client>,
) -> Result<Option<u32>, OpenError> {
    let failed = |error: &dyn std::fmt::Display| OpenError::Raft(error.to_string());
    if answers.raft.is_initialized().await.map_err(|error| failed(&error))? {
        return Ok(None);
    }
    let own = own(config, answers.incarnation);
    let Some(client) = client else {
        let members = BTreeMap::from([(config.replica, own)]);
        answers.raft.initialize(members).await.map_err(|error| failed(&error))?;
        return Ok(Some(answers.levels.newest));
    };
    match others(config, answers, client).await? {
        Others::Fresh(descriptions) => {
            let mut members = BTreeMap::from([(config.replica, own)]);
            let mut levels: Vec<Levels> = vec![answers.levels];
            for description in descriptions {
                let named = config.replicas.iter().find(|replica| replica.id == description.id);
                members.insert(
                    description.id,
                    named.map(|named| replica(named, description.incarnation)).unwrap_or_default(),
                );
                levels.push(description.levels);
            }
            match answers.raft.initialize(members).await {
                Ok(()) => {}
                // Another founder was quicker, with the same members.
                Err(_) if answers.raft.is_initialized().await.map_err(|error| failed(&error))? => {}
                Err(error) => return Err(failed(&error)),
            }
            Ok(Some(founding_level(&levels)))
        }
        Others::Founded => {
            wait_to_join(config, answers).await?;
            Ok(None)
        }
    }
}

enum Others {
    /// None belongs to a group yet.
    Fresh(Vec<Description>),
    /// There is a group.
    Founded,
}

/// Asks the other configured replicas until one says that there is a group, or all say that there is none.
async fn others(config: &ConsensusConfig, answers: &Answers, client: &Client) -> Result<Others, OpenError> {
    let mut ticks = interval(ASK);
    let mut fresh: BTreeMap<u64, Description> = BTreeMap::new();
    for round in 0u32.. {
        ticks.tick().await;
        let mut missing = Vec::new();
        for named in config.replicas.iter().filter(|replica| replica.id != config.replica) {
            let somebody = replica(named, Incarnation::default());
            match timeout(PATIENCE, client.call(named.id, &somebody, &Request::Describe)).await {
                Ok(Ok(Response::Describe(description))) if description.founded => return Ok(Others::Founded),
                Ok(Ok(Response::Describe(description))) => {
                    fresh.insert(named.id, description);
                }
                Ok(Ok(other)) => missing.push(format!("{} ({other:?})", named.id)),
                Ok(Err(error)) => missing.push(format!("{} ({error})", named.id)),
                Err(_) => missing.push(format!("{} (no answer)", named.id)),
            }
        }
        // Another founder may have counted this one in meanwhile.
        if answers.raft.is_initialized().await.map_err(|error| OpenError::Raft(error.to_string()))? {
            return Ok(Others::Founded);
        }
        if missing.is_empty() {
            break;
        }
        if round % SAY == 0 {
            let missing = missing.join(", ");
            tracing::info!(
                missing,
                "the group is founded once all its replicas have started; waiting for replicas"
            );
        }
    }
    Ok(Others::Fresh(fresh.into_values().collect()))
}

/// Waits until the group counts this replica, with this data folder, as one of its own.
async fn wait_to_join(config: &ConsensusConfig, answers: &Answers) -> Result<(), OpenError> {
    let (id, incarnation) = (config.replica, answers.incarnation);
    if let Some(own) = config.own() {
        let jurisdiction =
            own.jurisdiction.map_or_else(String::new, |country| format!(" --jurisdiction {country}"));
        let zone = if own.zone.is_empty() { String::new() } else { format!(" --zone {}", own.zone) };
        tracing::info!(
            "this replica waits to be taken into the group: on a running replica, run `hansa cluster join --id {id} \
             --address {}{zone}{jurisdiction}`",
            own.address
        );
    }
    let mut metrics = answers.raft.metrics();
    let listed = metrics.wait_for(|metrics| {
        let membership = metrics.membership_config.membership();
        membership.get_node(&id).is_some_and(|replica| replica.incarnation == incarnation)
            || metrics.running_state.is_err()
    });
    let ended = listed.await.map(|metrics| metrics.running_state.as_ref().err().map(ToString::to_string));
    match ended {
        Ok(None) => Ok(()),
        Ok(Some(reason)) => Err(OpenError::Raft(reason)),
        Err(error) => Err(OpenError::Raft(error.to_string())),
    }
}

pub(crate) fn own(config: &ConsensusConfig, incarnation: Incarnation) -> Replica {
    config
        .own()
        .map_or_else(|| Replica { incarnation, ..Replica::default() }, |named| replica(named, incarnation))
}

fn replica(named: &crate::config::ReplicaConfig, incarnation: Incarnation) -> Replica {
    Replica {
        address: named.address.clone(),
        zone: named.zone.clone(),
        jurisdiction: named.jurisdiction,
        incarnation,
    }
}

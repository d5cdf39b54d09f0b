//! Gossipsub's settings, all of them explicit: anonymous messages, judged before forwarded, a full mesh up to a dozen
//! banks, and scores under which one invalid message always weighs more than any good standing.

use std::time::Duration;

use libp2p::gossipsub::{
    Behaviour, Config, ConfigBuilder, IdentTopic, IdentityTransform, MessageAuthenticity, MetricsConfig,
    PeerScoreParams, PeerScoreThresholds, TopicHash, TopicScoreParams, ValidationMode,
    WhitelistSubscriptionFilter, score_parameter_decay,
};
use prometheus_client::registry::Registry;

use crate::config::Limits;
use crate::error::StartError;
use crate::message::MessageId;

/// Up to this many other members, everyone is in everyone's mesh.
pub const FULL_MESH_PEERS: usize = 12;
/// The most members in a mesh, where there are more members.
const MAX_MESH_PEERS: usize = 16;
/// How many of them this node has dialled itself, where there are more members.
const OUTBOUND_PEERS: usize = 4;
/// How long gossipsub remembers the id of received bytes, whatever the verdict was.
pub const DUPLICATE_CACHE: Duration = Duration::from_secs(120);
/// How long a message may await its verdict; gossipsub holds the bytes for that long.
pub const VERDICT_DEADLINE: Duration = Duration::from_secs(30);

const HEARTBEAT: Duration = Duration::from_secs(1);
/// One more than the deadline, so that a verdict at the last moment still finds the message.
const HISTORY_HEARTBEATS: usize = VERDICT_DEADLINE.as_secs() as usize + 1;
const GOSSIP_HEARTBEATS: usize = 3;
const PRUNE_BACKOFF: Duration = Duration::from_secs(60);
const UNSUBSCRIBE_BACKOFF: Duration = Duration::from_secs(1);
/// How long a message waits in a member's send queue.
const QUEUE_TIME: Duration = Duration::from_secs(5);
/// Messages in a member's send queue.
const SEND_QUEUE: usize = 1024;
const MAX_CONTROL_BYTES: usize = 16 << 10;
const MAX_CONTROL_IDS: usize = 400;
const MAX_IHAVE_PER_HEARTBEAT: usize = 10;
const MAX_MESSAGES_PER_RPC: usize = 16;
/// Messages above this size are announced so that neighbours do not send them too.
const IDONTWANT_BYTES: usize = 1 << 10;
/// Topic and tags around a message in an RPC.
const ENVELOPE_BYTES: usize = 1 << 10;
/// Gossipsub 0.50 holds the size limit against everything in its read buffer, in which up to one read of the codec
/// (8 KiB, asynchronous-codec 0.7) of the following RPC may already stand.
const READ_AHEAD_BYTES: usize = 8 << 10;

/// Most that good standing can be worth.
const SCORE_CAP: f64 = 6.0;
/// Weight of the square of invalid messages: one outweighs [`SCORE_CAP`] and leaves the mesh (below zero).
const INVALID_WEIGHT: f64 = -20.0;
/// Two invalid messages: neither asked for messages nor told of them.
const GOSSIP_THRESHOLD: f64 = -40.0;
/// Three: not published to outside the mesh.
const PUBLISH_THRESHOLD: f64 = -160.0;
/// Four within about an hour: nothing it sends is read.
const GRAYLIST_THRESHOLD: f64 = -300.0;
/// How long a penalty takes to shrink to a tenth.
const INVALID_DECAY: Duration = Duration::from_secs(3600);
const DELIVERY_DECAY: Duration = Duration::from_secs(600);

/// Gossipsub as this crate runs it.
pub(crate) type Gossip = Behaviour<IdentityTransform, WhitelistSubscriptionFilter>;

/// Builds it for one topic.
pub(crate) fn behaviour(
    topic: &IdentTopic,
    limits: &Limits,
    registry: &mut Registry,
) -> Result<Gossip, StartError> {
    let refused = |error: &dyn std::fmt::Display| StartError::Gossip(error.to_string());
    let config = config(limits).map_err(|e| refused(&e))?;
    let only_ours = WhitelistSubscriptionFilter([topic.hash()].into_iter().collect());
    let mut metrics =
        MetricsConfig { max_topics: 1, max_never_subscribed_topics: 1, ..MetricsConfig::default() };
    metrics.buckets_using_scoring_thresholds(&thresholds());
    let mut gossip = Gossip::new_with_subscription_filter(MessageAuthenticity::Anonymous, config, only_ours)
        .map_err(|e| refused(&e))?
        .with_metrics(registry.sub_registry_with_prefix("gossipsub"), metrics);
    gossip.with_peer_score(score_params(topic.hash()), thresholds()).map_err(|e| refused(&e))?;
    gossip.subscribe(topic).map_err(|e| refused(&e))?;
    Ok(gossip)
}

fn config(limits: &Limits) -> Result<Config, libp2p::gossipsub::ConfigBuilderError> {
    ConfigBuilder::default()
        .validation_mode(ValidationMode::Anonymous)
        .validate_messages()
        .message_id_fn(|message| MessageId::of(&message.data).to_gossip())
        .duplicate_cache_time(DUPLICATE_CACHE)
        .flood_publish(false)
        .mesh_n(FULL_MESH_PEERS)
        .mesh_n_low(FULL_MESH_PEERS)
        .mesh_n_high(MAX_MESH_PEERS)
        .mesh_outbound_min(OUTBOUND_PEERS)
        .heartbeat_initial_delay(HEARTBEAT)
        .heartbeat_interval(HEARTBEAT)
        .history_length(HISTORY_HEARTBEATS)
        .history_gossip(GOSSIP_HEARTBEATS)
        .prune_backoff(PRUNE_BACKOFF)
        .unsubscribe_backoff(UNSUBSCRIBE_BACKOFF)
        .max_transmit_size(limits.max_message_bytes() + ENVELOPE_BYTES + MAX_CONTROL_BYTES + READ_AHEAD_BYTES)
        .max_publish_messages(MAX_MESSAGES_PER_RPC)
        .max_control_message_size(MAX_CONTROL_BYTES)
        .max_control_messages_sent(MAX_CONTROL_IDS)
        .max_ihave_messages_heartbeat(MAX_IHAVE_PER_HEARTBEAT)
        .idontwant_message_size_threshold(IDONTWANT_BYTES)
        .connection_handler_queue_len(SEND_QUEUE)
        .publish_queue_duration(QUEUE_TIME)
        .forward_queue_duration(QUEUE_TIME)
        .build()
}

/// The two parts that add (time in the mesh, first deliveries) are capped far below what one invalid message takes;
/// with gossipsub's defaults time alone scores 1800 and swallows any number of them. Delivery quotas (P3) are off:
/// banks send seldom and unevenly. So is the penalty for sharing an address (P6): members are listed, not anonymous.
fn score_params(topic: TopicHash) -> PeerScoreParams {
    let of_topic = TopicScoreParams {
        topic_weight: 1.0,
        time_in_mesh_weight: 0.1,
        time_in_mesh_quantum: Duration::from_secs(60),
        time_in_mesh_cap: 10.0,
        first_message_deliveries_weight: 0.5,
        first_message_deliveries_decay: score_parameter_decay(DELIVERY_DECAY),
        first_message_deliveries_cap: 10.0,
        mesh_message_deliveries_weight: 0.0,
        mesh_failure_penalty_weight: 0.0,
        invalid_message_deliveries_weight: INVALID_WEIGHT,
        invalid_message_deliveries_decay: score_parameter_decay(INVALID_DECAY),
        ..TopicScoreParams::default()
    };
    let mut params = PeerScoreParams {
        topic_score_cap: SCORE_CAP,
        app_specific_weight: 0.0,
        ip_colocation_factor_weight: 0.0,
        behaviour_penalty_weight: -10.0,
        behaviour_penalty_threshold: 6.0,
        behaviour_penalty_decay: score_parameter_decay(DELIVERY_DECAY),
        decay_interval: Duration::from_secs(1),
        decay_to_zero: 0.01,
        retain_score: INVALID_DECAY,
        slow_peer_weight: -0.2,
        slow_peer_threshold: 10.0,
        slow_peer_decay: 0.2,
        ..PeerScoreParams::default()
    };
    params.topics.insert(topic, of_topic);
    params
}

fn thresholds() -> PeerScoreThresholds {
    PeerScoreThresholds {
        gossip_threshold: GOSSIP_THRESHOLD,
        publish_threshold: PUBLISH_THRESHOLD,
        graylist_threshold: GRAYLIST_THRESHOLD,
        accept_px_threshold: SCORE_CAP,
        opportunistic_graft_threshold: 1.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_and_scores_are_accepted() {
        let mut registry = Registry::default();
        let built = behaviour(&IdentTopic::new("t"), &Limits::default(), &mut registry);
        assert!(built.is_ok(), "{:?}", built.err());
        assert_eq!(score_params(IdentTopic::new("t").hash()).validate(), Ok(()));
        assert_eq!(thresholds().validate(), Ok(()));
    }

    #[test]
    fn the_thresholds_are_crossed_by_the_number_of_invalid_messages_they_say() {
        let at_best = |invalid: f64| SCORE_CAP + INVALID_WEIGHT * invalid * invalid;
        assert!(at_best(1.0) < 0.0);
        assert!(at_best(2.0) < GOSSIP_THRESHOLD);
        assert!(at_best(3.0) < PUBLISH_THRESHOLD);
        assert!(at_best(3.0) - SCORE_CAP > GRAYLIST_THRESHOLD, "three do not silence even a newcomer");
        assert!(at_best(4.0) < GRAYLIST_THRESHOLD);
    }
}

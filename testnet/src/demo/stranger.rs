//! Somebody who knows where bank A's node is, and is no member, dials it and is turned away.

use std::sync::Arc;

use hansa_p2p::{Config, Event, Identity, Member, Network, NetworkMetrics, Setup, peer_id};
use hansa_types::manifest::SignedManifest;
use prometheus_client::registry::Registry;
use rand::RngCore;
use rand::rngs::OsRng;
use tokio::time::timeout;

use super::{DemoError, Stage, expect};
use crate::process::PATIENCE;

/// What bank A counts when somebody is turned away.
const TURNED_AWAY: &str = "hansa_p2p_connections_denied_total{reason=\"NotMember\"} ";

/// Dials, and observes at both ends that nothing comes of it.
pub(super) fn dials(stage: &Stage) -> Result<(), DemoError> {
    let before = turned_away(stage)?;
    let wrong = |error: &dyn std::fmt::Display| DemoError::Observed(format!("the stranger: {error}"));
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|e| wrong(&e))?;
    let closed = runtime.block_on(async {
        let metrics = NetworkMetrics::register(&mut Registry::default());
        let (handle, mut events) = Network::start(setup(stage)?, &metrics).map_err(|e| wrong(&e))?;
        // QUIC's client is done before the server has seen its certificate, so it believes in a connection for a moment.
        let closed = timeout(PATIENCE, async {
            loop {
                match events.recv().await {
                    Some(Event::PeerDisconnected(_)) => return true,
                    Some(Event::PeerSubscribed(_)) | None => return false,
                    Some(_) => {}
                }
            }
        });
        let closed = closed.await;
        handle.shutdown().await;
        closed.map_err(|_| DemoError::Observed("the stranger was neither let in nor turned away".into()))
    })?;
    expect(closed, || "a stranger was let in".into())?;
    let after = turned_away(stage)?;
    expect(after > before, || {
        format!("bank A counts {after} strangers turned away, and {before} before this one")
    })
}

/// A node with an identity of its own, which takes bank A's for a member of its consortium.
fn setup(stage: &Stage) -> Result<Setup, DemoError> {
    let bank = &stage.consortium.banks[0];
    let path = stage.consortium.manifest();
    let bytes = std::fs::read(&path).map_err(|source| DemoError::File { path, source })?;
    let observed = |error: String| DemoError::Observed(error);
    let manifest = SignedManifest::open(&bytes).map_err(|error| observed(error.to_string()))?;
    let key = manifest.members.get(&bank.id).and_then(|member| member.peer_keys.first());
    let key = key.ok_or_else(|| observed(format!("the manifest has no {}", bank.id)))?;
    let address = format!("/ip4/127.0.0.1/udp/{}/quic-v1", bank.p2p_port);
    let address = address.parse().map_err(|error| observed(format!("{address}: {error}")))?;
    let peer = peer_id(key).map_err(|error| observed(error.to_string()))?;
    let mut seed = [0; 32];
    OsRng.fill_bytes(&mut seed);
    Ok(Setup {
        config: Config { listen: vec![], ..Config::default() },
        identity: Identity::from_seed(&seed),
        members: vec![Member { peer_id: peer, addresses: vec![address] }],
        topic: format!("hansa/{}/signals/v1", manifest.id()),
        content_id: Arc::new(|_| None),
        jitter_seed: 0,
    })
}

fn turned_away(stage: &Stage) -> Result<u64, DemoError> {
    let metrics = stage.nodes[0].client()?.metrics()?;
    let count = metrics.lines().find_map(|line| line.strip_prefix(TURNED_AWAY)?.parse().ok());
    count.ok_or_else(|| DemoError::Observed("bank A does not count strangers".into()))
}

//! Who gets in, and how members find one another again.

use std::process::Command;

use hansa_p2p::{
    Event, MembersError, Network, NetworkMetrics, PublishError, Published, StartError, Stopped, Verdict,
};
use prometheus_client::registry::Registry;
use tokio::runtime::Builder;

use crate::nodes::{ANY_PORT, Node, identity, joined, member, released, setup};

const NOT_MEMBER: &str = "hansa_p2p_connections_denied_total{reason=\"NotMember\"}";

#[tokio::test]
async fn an_unlisted_peer_is_denied_and_counted() {
    let mut listed = Node::start(2, vec![member(3, None)]).await;
    // It knows where the consortium is, and takes its member for one of its own.
    let mut unlisted = Node::start(1, vec![member(2, Some(&listed.address))]).await;
    // QUIC's client is done before the server has seen its certificate, so it believes in a connection for a moment.
    unlisted.until(Event::PeerConnected(listed.peer)).await;
    unlisted.until(Event::PeerDisconnected(listed.peer)).await;
    assert!(listed.handle.peers().await.expect("runs").iter().all(|status| !status.connected));
    assert!(listed.metric(NOT_MEMBER) >= 1);
    assert_eq!(listed.metric("hansa_p2p_peers_connected"), 0);

    // A real member is let in meanwhile, and hears nothing of the other.
    let mut other = Node::start(3, vec![member(2, Some(&listed.address))]).await;
    joined(&mut listed, &mut other).await;
    other.publish(b"x|").await;
    listed.judge(b"x|", Verdict::Accept).await;
}

#[tokio::test]
async fn another_node_at_a_members_address_is_not_taken_for_it() {
    let impostor = Node::start(9, vec![member(1, None)]).await;
    let mut node = Node::start(1, vec![member(2, Some(&impostor.address)), member(3, None)]).await;
    // Only a real event ends the wait: by the time 3 has joined, dials to 2 have failed.
    let mut other = Node::start(3, vec![member(1, Some(&node.address))]).await;
    joined(&mut node, &mut other).await;
    assert!(!node.status(identity(2).peer_id()).await.connected);
}

#[tokio::test]
async fn a_node_that_restarts_joins_again() {
    let mut stays = Node::start(1, vec![member(2, None)]).await;
    let mut restarts = Node::start(2, vec![member(1, Some(&stays.address))]).await;
    joined(&mut stays, &mut restarts).await;
    let peer = restarts.peer;

    restarts.handle.shutdown().await;
    assert_eq!(restarts.handle.peers().await, Err(Stopped));
    stays.until(Event::PeerDisconnected(peer)).await;
    assert!(!stays.status(peer).await.connected);

    let mut restarted = Node::start(2, vec![member(1, Some(&stays.address))]).await;
    joined(&mut stays, &mut restarted).await;
    stays.publish(b"x|").await;
    restarted.judge(b"x|", Verdict::Accept).await;
    restarted.publish(b"y|").await;
    stays.judge(b"y|", Verdict::Accept).await;
}

#[tokio::test]
async fn a_member_that_listens_where_it_did_is_dialled_again() {
    let mut stays = Node::start(1, vec![member(2, None)]).await;
    let peer = stays.peer;
    let address = stays.address.clone();
    let mut dials = Node::start(2, vec![member(1, Some(&address))]).await;
    joined(&mut stays, &mut dials).await;
    stays.handle.shutdown().await;
    dials.until(Event::PeerDisconnected(peer)).await;

    released(&address).await;
    let mut again = Node::from_setup(setup(1, &address.to_string(), vec![member(2, None)])).await;
    joined(&mut again, &mut dials).await;
    again.publish(b"x|").await;
    dials.judge(b"x|", Verdict::Accept).await;
}

#[tokio::test]
async fn two_that_dial_each_other_stay_connected() {
    let first = setup(1, ANY_PORT, vec![]);
    let probe = Node::from_setup(first).await;
    let address = probe.address.clone();
    probe.handle.shutdown().await;
    released(&address).await;
    // Now both know where the other is, and dial at once.
    let mut b = Node::start(2, vec![member(1, Some(&address))]).await;
    let mut a = Node::from_setup(setup(1, &address.to_string(), vec![member(2, Some(&b.address))])).await;
    // If their dials crossed, both connections end and one of the two dials again; a message sent before is lost.
    for n in 0u8.. {
        match a.handle.publish(vec![n, b'|']).await {
            Ok(Published::Sent(_)) => {
                if let Event::Message { .. } = b.event().await {
                    break;
                }
            }
            Err(PublishError::NoSubscriber) => drop(a.event().await),
            other => panic!("{other:?}"),
        }
    }
}

/// As after SIGKILL: no goodbye is said, so the other end holds on to the old connection for ten seconds.
#[tokio::test]
async fn a_node_that_crashes_and_returns_at_once_is_heard_and_hears() {
    let mut stays = Node::start(1, vec![member(2, None)]).await;
    let members = vec![member(1, Some(&stays.address))];
    let doomed = Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
    let mut crashes = doomed.spawn(Node::start(2, members.clone())).await.expect("starts");
    joined(&mut stays, &mut crashes).await;
    let peer = crashes.peer;
    doomed.shutdown_background();

    let mut returned = Node::start(2, members).await;
    stays.until(Event::PeerDisconnected(peer)).await;
    joined(&mut stays, &mut returned).await;
    assert_eq!(stays.metric("hansa_p2p_connections_replaced_total"), 1);
    stays.publish(b"x|").await;
    returned.judge(b"x|", Verdict::Accept).await;
    returned.publish(b"y|").await;
    stays.judge(b"y|", Verdict::Accept).await;
}

#[tokio::test]
async fn a_taken_port_is_a_clear_error() {
    let node = Node::start(1, vec![]).await;
    let metrics = NetworkMetrics::register(&mut Registry::default());
    let error = Network::start(setup(2, &node.address.to_string(), vec![]), &metrics);
    assert!(matches!(error, Err(StartError::Listen { address, .. }) if address == node.address));
}

/// A replica that leads, does not, and leads again.
#[tokio::test]
async fn the_network_starts_again_in_the_same_process() {
    let mut stays = Node::start(1, vec![member(2, None)]).await;
    let members = vec![member(1, Some(&stays.address))];
    let mut again = Node::start(2, members.clone()).await;
    for round in 1..=2 {
        joined(&mut stays, &mut again).await;
        assert_eq!(again.metric("hansa_p2p_peers_connected"), 1);
        stays.publish(format!("{round}|").as_bytes()).await;
        again.judge(format!("{round}|").as_bytes(), Verdict::Accept).await;
        again.restart(setup(2, ANY_PORT, members.clone())).await;
        stays.until(Event::PeerDisconnected(again.peer)).await;
    }
    joined(&mut stays, &mut again).await;
    assert_eq!(again.metric("hansa_p2p_verdicts_total{verdict=\"Accept\"}"), 2, "counted over all starts");
    let libp2p = again.libp2p_metrics();
    assert!(libp2p.contains("hansa_p2p_gossipsub_"), "{libp2p}");
}

#[tokio::test]
async fn the_network_ends_with_its_judge() {
    let node = Node::start(1, vec![]).await;
    drop(node.events);
    // Returns only because the task has ended by itself or by this.
    node.handle.shutdown().await;
    assert_eq!(node.handle.peers().await, Err(Stopped));
}

/// The environment cannot be changed from inside, so the test runs itself again with the variable set.
#[tokio::test]
async fn a_key_log_in_the_environment_is_refused() {
    const VARIABLE: &str = "SSLKEYLOGFILE";
    const NAME: &str = "members::a_key_log_in_the_environment_is_refused";
    if std::env::var_os(VARIABLE).is_some() {
        let metrics = NetworkMetrics::register(&mut Registry::default());
        let refused = Network::start(setup(1, ANY_PORT, vec![]), &metrics);
        assert!(matches!(refused, Err(StartError::KeyLog)));
        return;
    }
    let itself = std::env::current_exe().expect("a running test");
    let run = Command::new(itself).args(["--exact", NAME]).env(VARIABLE, "keys.log").output().expect("runs");
    let said = String::from_utf8_lossy(&run.stdout);
    assert!(run.status.success() && said.contains("1 passed"), "{said}");
}

/// Who is removed is cut off and kept out; who is admitted gets in, both by being dialled and by dialling.
#[tokio::test]
async fn members_come_and_go_while_the_network_runs() {
    let mut stays = Node::start(1, vec![member(2, None)]).await;
    let mut removed = Node::start(2, vec![member(1, Some(&stays.address))]).await;
    joined(&mut stays, &mut removed).await;
    let mut admitted = Node::start(3, vec![member(1, None)]).await;

    stays.handle.set_members(vec![member(1, None), member(3, Some(&admitted.address))]).await.expect("runs");
    stays.until(Event::PeerDisconnected(removed.peer)).await;
    removed.until(Event::PeerDisconnected(stays.peer)).await;
    joined(&mut stays, &mut admitted).await;
    stays.publish(b"x|").await;
    admitted.judge(b"x|", Verdict::Accept).await;
    // It dials again and again, and is denied.
    while stays.metric(NOT_MEMBER) == 0 {
        tokio::task::yield_now().await;
    }
    let peers = stays.handle.peers().await.expect("runs");
    assert_eq!(peers.iter().map(|status| status.peer).collect::<Vec<_>>(), [admitted.peer]);

    // And it may come back.
    stays.handle.set_members(vec![member(2, None), member(3, Some(&admitted.address))]).await.expect("runs");
    joined(&mut stays, &mut removed).await;
    let twice = stays.handle.set_members(vec![member(2, None), member(2, None)]).await;
    assert!(matches!(twice, Err(MembersError::Members(StartError::DuplicateMember(_)))));
}

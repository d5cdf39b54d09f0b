//! Asking one member: over real QUIC, answered once, within bounds of the asking member's own.

use hansa_p2p::{Event, MAX_REQUEST_BYTES, MAX_RESPONSE_BYTES, RequestError, RequestId, RespondError};
use tokio::task::JoinHandle;

use crate::nodes::{ANY_PORT, Node, identity, joined, member, setup, within};

const BUSY: &str = "hansa_p2p_requests_served_total{outcome=\"Busy\"}";

async fn pair() -> (Node, Node) {
    let mut b = Node::start(2, vec![member(1, None)]).await;
    let mut a = Node::start(1, vec![member(2, Some(&b.address))]).await;
    joined(&mut a, &mut b).await;
    (a, b)
}

fn ask(from: &Node, to: &Node, bytes: &[u8]) -> JoinHandle<Result<Vec<u8>, RequestError>> {
    let (handle, peer, bytes) = (from.handle.clone(), to.peer, bytes.to_vec());
    tokio::spawn(async move { handle.request(peer, bytes).await })
}

/// The next request, passing over changes of status.
async fn asked(node: &mut Node, by: &Node) -> (RequestId, Vec<u8>) {
    loop {
        if let Event::Request { id, from, bytes } = node.event().await {
            assert_eq!(from, by.peer);
            return (id, bytes);
        }
    }
}

#[tokio::test]
async fn a_member_is_asked_and_answers() {
    let (mut a, mut b) = pair().await;
    // Both ways, over the one connection, and answered in another order than asked.
    let (first, second) = (ask(&a, &b, b"one"), ask(&a, &b, b"two"));
    let mut requests = vec![asked(&mut b, &a).await, asked(&mut b, &a).await];
    requests.sort_by(|x, y| y.1.cmp(&x.1));
    for (id, bytes) in requests {
        b.handle.respond(id, [b"re ", bytes.as_slice()].concat()).await.expect("runs");
        // A second answer changes nothing.
        b.handle.respond(id, b"again".to_vec()).await.expect("runs");
    }
    assert_eq!(within(first).await.expect("no panic"), Ok(b"re one".to_vec()));
    assert_eq!(within(second).await.expect("no panic"), Ok(b"re two".to_vec()));
    let back = ask(&b, &a, b"back");
    let (id, _) = asked(&mut a, &b).await;
    a.handle.respond(id, vec![7; MAX_RESPONSE_BYTES]).await.expect("runs");
    assert_eq!(within(back).await.expect("no panic"), Ok(vec![7; MAX_RESPONSE_BYTES]));
}

#[tokio::test]
async fn what_is_too_large_never_leaves() {
    let (a, mut b) = pair().await;
    let too_large = vec![0; MAX_REQUEST_BYTES + 1];
    let refused = a.handle.request(b.peer, too_large).await;
    assert!(matches!(refused, Err(RequestError::TooLarge { .. })));
    let largest = ask(&a, &b, &vec![9; MAX_REQUEST_BYTES]);
    let (id, bytes) = asked(&mut b, &a).await;
    assert_eq!(bytes, vec![9; MAX_REQUEST_BYTES]);
    let refused = b.handle.respond(id, vec![0; MAX_RESPONSE_BYTES + 1]).await;
    assert!(matches!(refused, Err(RespondError::TooLarge { .. })));
    b.handle.respond(id, vec![]).await.expect("runs");
    assert_eq!(within(largest).await.expect("no panic"), Ok(vec![]));
}

#[tokio::test]
async fn a_member_that_is_not_there_is_said_at_once() {
    let node = Node::start(1, vec![member(2, None)]).await;
    let absent = identity(2).peer_id();
    assert_eq!(node.handle.request(absent, vec![]).await, Err(RequestError::NotConnected(absent)));
    let stranger = identity(9).peer_id();
    assert_eq!(node.handle.request(stranger, vec![]).await, Err(RequestError::NotConnected(stranger)));
}

/// The asking side is held to more than the answering side, as a member's own software might not hold itself.
#[tokio::test]
async fn requests_beyond_the_members_budget_are_refused() {
    let mut strict = setup(2, ANY_PORT, vec![member(1, None)]);
    strict.config.limits.requests_per_peer = 2;
    strict.config.limits.requests_per_minute = 3;
    let mut b = Node::from_setup(strict).await;
    let mut a = Node::start(1, vec![member(2, Some(&b.address))]).await;
    joined(&mut a, &mut b).await;
    let open = [ask(&a, &b, b"1"), ask(&a, &b, b"2")];
    let requests = [asked(&mut b, &a).await, asked(&mut b, &a).await];
    assert_eq!(within(ask(&a, &b, b"3")).await.expect("no panic"), Err(RequestError::Busy));
    assert_eq!(b.metric(BUSY), 1);
    for (id, bytes) in requests {
        b.handle.respond(id, bytes).await.expect("runs");
    }
    for answer in open {
        assert!(within(answer).await.expect("no panic").is_ok());
    }
    let third = ask(&a, &b, b"4");
    let (id, bytes) = asked(&mut b, &a).await;
    b.handle.respond(id, bytes).await.expect("runs");
    assert!(within(third).await.expect("no panic").is_ok());
    let fourth = within(ask(&a, &b, b"5")).await.expect("no panic");
    assert_eq!(fourth, Err(RequestError::Busy), "three a minute");
}

#[tokio::test]
async fn a_member_that_goes_leaves_no_request_hanging() {
    let (mut a, mut b) = pair().await;
    let lost = ask(&a, &b, b"x");
    asked(&mut b, &a).await;
    b.handle.shutdown().await;
    assert!(matches!(within(lost).await.expect("no panic"), Err(RequestError::Lost(_))));
    a.until(Event::PeerDisconnected(b.peer)).await;
}

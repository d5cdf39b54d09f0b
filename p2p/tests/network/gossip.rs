//! Messages between real nodes over QUIC on loopback: what is forwarded, what is not, and to whom it is told.

use std::time::Instant;

use hansa_p2p::{Event, MessageId, PublishError, Published, Verdict};
use tokio::task::JoinSet;

use crate::nodes::{ANY_PORT, Node, joined, line, member, setup};

#[tokio::test]
async fn a_message_reaches_every_member_of_a_mesh_once() {
    let mut a = Node::start(1, vec![member(2, None), member(3, None)]).await;
    let mut b = Node::start(2, vec![member(1, Some(&a.address)), member(3, None)]).await;
    joined(&mut a, &mut b).await;
    let mut c = Node::start(3, vec![member(1, Some(&a.address)), member(2, Some(&b.address))]).await;
    let (peer_a, peer_b, peer_c) = (a.peer, b.peer, c.peer);
    tokio::join!(a.until(Event::PeerSubscribed(peer_c)), b.until(Event::PeerSubscribed(peer_c)), async {
        // In either order.
        let mut missing = vec![peer_a, peer_b];
        while !missing.is_empty() {
            let event = c.event().await;
            missing.retain(|peer| event != Event::PeerSubscribed(*peer));
        }
    });

    let messages = [b"m1|".as_slice(), b"m2|", b"m3|"];
    for message in messages {
        a.publish(message).await;
        // Each sees it as its next message, so there was no second copy of the one before.
        tokio::join!(b.judge(message, Verdict::Accept), c.judge(message, Verdict::Accept));
    }
    // The publisher never gets its own back.
    b.publish(b"m4|").await;
    tokio::join!(a.judge(b"m4|", Verdict::Accept), c.judge(b"m4|", Verdict::Accept));

    assert_eq!(a.handle.publish(b"m1|".to_vec()).await, Ok(Published::Known(MessageId::of(b"m1|"))));
    assert_eq!(a.metric("hansa_p2p_peers_connected"), 2);
}

#[tokio::test]
async fn a_rejected_message_stops_and_costs_its_forwarder() {
    let [first, mut middle, mut last] = line().await;
    first.publish(b"good|").await;
    assert_eq!(middle.judge(b"good|", Verdict::Accept).await, first.peer);
    assert_eq!(last.judge(b"good|", Verdict::Accept).await, middle.peer);
    let before = middle.status(first.peer).await.score.expect("connected");
    assert!(before >= 0.0);

    first.publish(b"bad|").await;
    middle.judge(b"bad|", Verdict::Reject).await;
    let after = middle.status(first.peer).await.score.expect("connected");
    assert!(after < 0.0, "one rejection outweighs good standing: {before} -> {after}");

    // The last node's next message is the next good one: streams keep their order, so the bad one was not sent.
    first.publish(b"next|").await;
    middle.judge(b"next|", Verdict::Accept).await;
    last.judge(b"next|", Verdict::Accept).await;
    assert!(last.status(middle.peer).await.score.expect("connected") >= 0.0);
    assert_eq!(middle.metric("hansa_p2p_verdicts_total{verdict=\"Reject\"}"), 1);
}

#[tokio::test]
async fn an_ignored_message_stops_and_costs_nothing() {
    let [first, mut middle, mut last] = line().await;
    first.publish(b"stale|").await;
    middle.judge(b"stale|", Verdict::Ignore).await;
    first.publish(b"good|").await;
    middle.judge(b"good|", Verdict::Accept).await;
    last.judge(b"good|", Verdict::Accept).await;
    assert!(middle.status(first.peer).await.score.expect("connected") >= 0.0);
}

#[tokio::test]
async fn four_rejections_silence_a_member() {
    let [first, mut middle, last] = line().await;
    for bad in [b"b1|".as_slice(), b"b2|", b"b3|", b"b4|"] {
        first.publish(bad).await;
        middle.judge(bad, Verdict::Reject).await;
    }
    let score = middle.status(first.peer).await.score.expect("connected");
    assert!(score < -300.0, "{score}");
    // Nothing is heard of it any more until it leaves (`until` passes over no message).
    first.publish(b"unheard|").await;
    first.handle.shutdown().await;
    middle.until(Event::PeerDisconnected(first.peer)).await;
    last.publish(b"heard|").await;
    middle.judge(b"heard|", Verdict::Accept).await;
    assert_eq!(middle.metric("hansa_p2p_messages_received_total"), 5);
}

#[tokio::test]
async fn a_spoilt_copy_does_not_suppress_the_honest_one() {
    // 1 spoils, 3 is honest, 2 judges, and 4 hears 2 alone.
    let mut judge = Node::start(2, vec![member(1, None), member(3, None), member(4, None)]).await;
    let mut spoiler = Node::start(1, vec![member(2, Some(&judge.address))]).await;
    joined(&mut spoiler, &mut judge).await;
    let mut honest = Node::start(3, vec![member(2, Some(&judge.address))]).await;
    joined(&mut honest, &mut judge).await;
    let mut beyond = Node::start(4, vec![member(2, Some(&judge.address))]).await;
    joined(&mut beyond, &mut judge).await;

    // Rejected before the honest one arrives.
    spoiler.publish(b"x|spoilt").await;
    judge.judge(b"x|spoilt", Verdict::Reject).await;
    honest.publish(b"x|honest").await;
    assert_eq!(judge.judge(b"x|honest", Verdict::Accept).await, honest.peer);
    beyond.judge(b"x|honest", Verdict::Accept).await;

    // Still undecided when the honest one arrives.
    spoiler.publish(b"y|spoilt").await;
    let (spoilt, ..) = judge.message().await;
    honest.publish(b"y|honest").await;
    judge.judge(b"y|honest", Verdict::Accept).await;
    judge.handle.report(spoilt, Verdict::Reject).await.expect("runs");
    beyond.judge(b"y|honest", Verdict::Accept).await;
    assert!(
        judge.status(honest.peer).await.score.expect("connected") >= 0.0,
        "the honest member is not blamed"
    );
}

#[tokio::test]
async fn one_content_is_forwarded_once_however_often_its_proof_is_re_randomised() {
    let [first, mut middle, mut last] = line().await;
    // Two copies undecided at once, the third over the budget, and all of them valid.
    for copy in [b"x|1".as_slice(), b"x|2", b"x|3"] {
        first.publish(copy).await;
    }
    middle.judge(b"x|1", Verdict::Accept).await;
    middle.judge(b"x|2", Verdict::Accept).await;
    last.judge(b"x|1", Verdict::Accept).await;
    // After acceptance none is asked about; the next thing either hears is something else.
    first.publish(b"x|4").await;
    first.publish(b"z|").await;
    middle.judge(b"z|", Verdict::Accept).await;
    last.judge(b"z|", Verdict::Accept).await;
    let unasked =
        |reason: &str| middle.metric(&format!("hansa_p2p_messages_unasked_total{{reason=\"{reason}\"}}"));
    assert_eq!(unasked("CopyOfAccepted") + unasked("TooManyCopies"), 2);
    assert!(middle.status(first.peer).await.score.expect("connected") >= 0.0);
}

#[tokio::test]
async fn what_exceeds_a_members_budget_is_counted_and_another_members_is_heard() {
    let mut narrow = setup(2, ANY_PORT, vec![member(1, None), member(3, None)]);
    narrow.config.limits.undecided_per_peer = 2;
    let mut middle = Node::from_setup(narrow).await;
    let mut flooder = Node::start(1, vec![member(2, Some(&middle.address))]).await;
    joined(&mut flooder, &mut middle).await;
    let mut other = Node::start(3, vec![member(2, Some(&middle.address))]).await;
    joined(&mut other, &mut middle).await;

    for message in [b"f1|".as_slice(), b"f2|", b"f3|", b"f4|"] {
        flooder.publish(message).await;
    }
    let (f1, ..) = middle.message().await;
    let (f2, ..) = middle.message().await;
    other.publish(b"o1|").await;
    middle.judge(b"o1|", Verdict::Accept).await;
    middle.handle.report(f1, Verdict::Accept).await.expect("runs");
    middle.handle.report(f2, Verdict::Accept).await.expect("runs");
    // Both verdicts are in: the budget is free again.
    middle.status(other.peer).await;
    flooder.publish(b"f5|").await;
    middle.judge(b"f5|", Verdict::Accept).await;
    assert_eq!(middle.metric("hansa_p2p_messages_unasked_total{reason=\"TooManyUndecided\"}"), 2);
}

#[tokio::test]
async fn what_cannot_be_published_is_refused_with_the_reason() {
    let mut a = Node::start(1, vec![member(2, None)]).await;
    assert_eq!(a.handle.publish(b"x|".to_vec()).await, Err(PublishError::NoSubscriber));

    let mut b = Node::start(2, vec![member(1, Some(&a.address))]).await;
    joined(&mut a, &mut b).await;
    let limit = usize::try_from(hansa_p2p::Limits::default().max_message_bytes).expect("fits");
    let mut large = vec![b'x'; limit + 1];
    large[1] = b'|';
    let refused = a.handle.publish(large.clone()).await;
    assert_eq!(refused, Err(PublishError::TooLarge { bytes: limit + 1, limit }));

    // What was refused for want of a subscriber goes out now, and so do many of the largest size at once.
    a.publish(b"x|").await;
    b.judge(b"x|", Verdict::Accept).await;
    large.truncate(limit);
    for n in 0..64 {
        large[0] = n;
        a.publish(&large).await;
    }
    for n in 0..64 {
        large[0] = n;
        b.judge(&large, Verdict::Accept).await;
    }
}

#[tokio::test]
async fn a_message_larger_than_the_receiver_takes_is_rejected() {
    let mut wide = setup(1, ANY_PORT, vec![member(2, None)]);
    wide.config.limits.max_message_bytes = 16 << 10;
    let mut a = Node::from_setup(wide).await;
    let mut narrow = setup(2, ANY_PORT, vec![member(1, Some(&a.address))]);
    narrow.config.limits.max_message_bytes = 1 << 10;
    let mut b = Node::from_setup(narrow).await;
    joined(&mut a, &mut b).await;
    a.publish(&[b'|'; 2 << 10]).await;
    a.publish(b"small|").await;
    b.judge(b"small|", Verdict::Accept).await;
    assert!(b.status(a.peer).await.score.expect("connected") < 0.0);
    assert_eq!(b.metric("hansa_p2p_messages_unasked_total{reason=\"TooLarge\"}"), 1);
}

/// Not a benchmark, which the testnet has: shows that the path carries messages one by one, and prints how fast.
#[tokio::test]
async fn latency_over_one_and_two_hops_is_printed() {
    const MESSAGES: u32 = 50;
    let [first, mut middle, mut last] = line().await;
    let mut tasks = JoinSet::new();
    let (mut one_hop, mut two_hops) = (Vec::new(), Vec::new());
    let (to_one, mut at_one) = tokio::sync::mpsc::channel(1);
    tasks.spawn(async move {
        for _ in 0..MESSAGES {
            let (id, ..) = middle.message().await;
            to_one.send(Instant::now()).await.expect("read below");
            middle.handle.report(id, Verdict::Accept).await.expect("runs");
        }
        middle
    });
    for n in 0..MESSAGES {
        let message = [format!("{n}|").as_bytes(), &[0; 700]].concat();
        let sent = Instant::now();
        first.publish(&message).await;
        last.judge(&message, Verdict::Accept).await;
        two_hops.push(sent.elapsed());
        one_hop.push(at_one.recv().await.expect("one for each") - sent);
    }
    assert!(tasks.join_next().await.expect("one task").is_ok());
    for (hops, mut times) in [(1, one_hop), (2, two_hops)] {
        times.sort();
        let at = |share: usize| times[times.len() * share / 100];
        println!("{hops} hop(s), {MESSAGES} messages of 700 bytes: p50 {:?}, p95 {:?}", at(50), at(95));
    }
}

//! gRPC over the scripted service: answers, refusals in their codes, streams that hold their sender up, and stopping.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures::channel::mpsc;
use futures::{SinkExt, StreamExt};
use hansa_types::decision::ListVersion;
use hansa_types::hash::Digest;
use hansa_types::model::Factors;
use tonic::{Code, Status, Streaming};
use tonic_types::StatusExt as _;

use super::fake::PATIENCE;
use super::node::Node;
use super::samples;
use crate::audit::{FactorView, ModelSnapshot, SignalProof, TransactionAudit};
use crate::grpc::proto::screen_stream_response::Outcome;
use crate::grpc::proto::{self, screening_client::ScreeningClient};
use crate::grpc::{Client, connect};
use crate::{ApiConfig, ApiToken};

/// The audit that the scripted service tells.
pub(super) fn audit(zkp_proof: bool) -> TransactionAudit {
    let mut decision = samples::decision();
    let mut factors = [0; 16];
    factors[0] = 7;
    decision.factors = Factors(factors);
    let date = "2026-11-20".to_owned();
    decision.lists = vec![ListVersion { name: "ofac-sdn".to_owned(), date, digest: Digest([2; 32]) }];
    let factor = |(name, value): (&str, u16)| FactorView {
        name: name.to_owned(),
        value,
        unit: "payments".to_owned(),
        evidence: if value > 0 { "7 within 24 h".to_owned() } else { String::new() },
    };
    TransactionAudit {
        decision,
        log_index: 41,
        leaf: Digest([7; 32]),
        signal: match zkp_proof {
            true => Ok(SignalProof { id: Digest([6; 32]), proof: vec![1; 192] }),
            false => Err("it was not asked for".to_owned()),
        },
        tlog_proof: Ok("the proof\n".to_owned()),
        factors: [("structuring", 7), ("fan_in", 0)].map(factor).to_vec(),
        model: Ok(ModelSnapshot { version: 3, hold_threshold: 400, weights: vec![60, -5] }),
    }
}

fn client(node: &Node, token: &ApiToken) -> Client {
    node.runtime.block_on(connect(node.grpc, token)).unwrap()
}

fn screen(node: &Node, script: &str, internal: bool) -> Result<proto::ScreenResponse, Status> {
    let request = proto::ScreenRequest { message: script.into(), internal };
    let answer = node.runtime.block_on(client(node, &node.token).screen(request));
    answer.map(tonic::Response::into_inner)
}

/// A stream on which messages can be sent, and its answers.
fn stream(node: &Node) -> (mpsc::Sender<proto::ScreenStreamRequest>, Streaming<proto::ScreenStreamResponse>) {
    let (sender, requests) = mpsc::channel(64);
    let answers = node.runtime.block_on(client(node, &node.token).screen_stream(requests)).unwrap();
    (sender, answers.into_inner())
}

fn message(id: &str, script: &str) -> proto::ScreenStreamRequest {
    proto::ScreenStreamRequest { id: id.to_owned(), message: script.into(), internal: false }
}

#[test]
fn a_message_is_answered_with_the_banks_own_view_only_if_asked() {
    let node = Node::start(ApiConfig::default());
    let outward = screen(&node, "one", false).unwrap();
    assert_eq!((outward.message_type.as_str(), outward.payments.len()), ("pacs.008.001.08", 1));
    let [payment] = outward.payments.try_into().unwrap();
    assert_eq!(
        (payment.decision(), payment.status()),
        (proto::Verdict::Investigate, proto::AnswerStatus::Decided)
    );
    assert_eq!((payment.reason_code.as_str(), payment.internal.is_none()), ("NARR", true));
    let key = payment.payment.unwrap();
    assert_eq!((key.uetr, key.instructing.as_str()), (samples::uetr().to_string(), "BKAADEFFXXX"));
    let internal = screen(&node, "one", true).unwrap().payments.remove(0).internal.unwrap();
    assert_eq!(internal.reasons, ["consortium-signal", "score"]);
    assert_eq!((internal.disposition.as_str(), internal.log_index), ("hold", Some(41)));
    let duplicate = screen(&node, "duplicate", true).unwrap().payments.remove(0);
    assert_eq!(
        (duplicate.status(), duplicate.decision()),
        (proto::AnswerStatus::Duplicate, proto::Verdict::Unspecified)
    );
    assert_eq!((duplicate.reason_code.as_str(), duplicate.internal), ("AM05", None));
}

#[test]
fn a_message_is_answered_by_a_status_report_for_the_rail() {
    let node = Node::start(ApiConfig { body_limit: 5_000, ..ApiConfig::default() });
    let report = |message: Vec<u8>| {
        let answer =
            node.runtime.block_on(client(&node, &node.token).report(proto::ReportRequest { message }));
        answer.map(tonic::Response::into_inner)
    };
    assert_eq!(report(b"one".to_vec()).unwrap().report, b"<Document/>");
    assert_eq!(report(vec![b'x'; 5_001]).unwrap_err().code(), Code::OutOfRange);
    assert_eq!(*node.fake.calls.lock().unwrap(), ["report on 3 bytes"]);
}

#[track_caller]
fn refused(status: &Status, code: Code, reason: &str) {
    assert_eq!(status.code(), code, "{status:?}");
    let details = status.get_error_details();
    let info = details.error_info().unwrap();
    assert_eq!((info.reason.as_str(), info.domain.as_str()), (reason, "hansa"));
    assert!(!status.message().is_empty());
}

#[test]
fn each_problem_has_its_code_and_says_when_to_come_again() {
    let node = Node::start(ApiConfig { body_limit: 5_000, ..ApiConfig::default() });
    let malformed = screen(&node, "malformed", false).unwrap_err();
    refused(&malformed, Code::InvalidArgument, "malformed");
    assert_eq!(malformed.get_error_details().error_info().unwrap().metadata["hint"], "send it without");
    refused(&screen(&node, "camt", false).unwrap_err(), Code::InvalidArgument, "unsupported-message");
    let busy = screen(&node, "busy", false).unwrap_err();
    refused(&busy, Code::ResourceExhausted, "too-many-requests");
    let delay = busy.get_error_details().retry_info().unwrap().retry_delay;
    assert_eq!(delay, Some(Duration::from_secs(7)));
    assert_eq!(busy.metadata().get("grpc-retry-pushback-ms").unwrap(), "7000");
    refused(&screen(&node, "panic", false).unwrap_err(), Code::Internal, "internal");
    refused(&screen(&node, &"x".repeat(5_001), false).unwrap_err(), Code::OutOfRange, "too-large");
    let larger = screen(&node, &"x".repeat(50_000), false).unwrap_err();
    assert_eq!(larger.code(), Code::OutOfRange);
}

#[test]
fn a_call_past_its_deadline_is_answered_and_runs_on() {
    let node = Node::start(ApiConfig { request_ms: 100, ..ApiConfig::default() });
    let late = screen(&node, "hang", false).unwrap_err();
    refused(&late, Code::DeadlineExceeded, "deadline");
    assert!(late.get_error_details().retry_info().is_some());
    node.entered();
    node.release();
    node.finished();
}

#[test]
fn without_the_token_nothing_answers_and_the_auditors_is_not_for_this() {
    let node = Node::start(ApiConfig::default());
    let ask = |token: &ApiToken| {
        let mut client = client(&node, token);
        node.runtime.block_on(client.screen(proto::ScreenRequest::default())).unwrap_err()
    };
    refused(&ask(&ApiToken::new([0; 32])), Code::Unauthenticated, "unauthenticated");
    refused(&ask(&node.auditor), Code::PermissionDenied, "forbidden");
    let bare = node.runtime.block_on(async {
        let channel = tonic::transport::Endpoint::from_shared(format!("http://{}", node.grpc)).unwrap();
        ScreeningClient::new(channel.connect().await.unwrap()).screen(proto::ScreenRequest::default()).await
    });
    refused(&bare.unwrap_err(), Code::Unauthenticated, "unauthenticated");
    assert_eq!(*node.fake.calls.lock().unwrap(), Vec::<String>::new());
}

#[test]
fn an_unknown_method_is_unimplemented() {
    let node = Node::start(ApiConfig::default());
    let status = node.runtime.block_on(async {
        let endpoint = tonic::transport::Endpoint::from_shared(format!("http://{}", node.grpc)).unwrap();
        let mut grpc = tonic::client::Grpc::new(endpoint.connect().await.unwrap());
        grpc.ready().await.unwrap();
        let codec = tonic_prost::ProstCodec::<proto::ScreenRequest, proto::ScreenResponse>::default();
        let path = axum::http::uri::PathAndQuery::from_static("/hansa.v1.Screening/Forget");
        grpc.unary(tonic::Request::new(proto::ScreenRequest::default()), path, codec).await.unwrap_err()
    });
    refused(&status, Code::Unimplemented, "method-not-allowed");
}

#[test]
fn calls_beyond_the_bound_are_told_to_come_again() {
    let node = Node::start(ApiConfig { max_requests: 1, ..ApiConfig::default() });
    let mut client = client(&node, &node.token);
    let hanging = node.runtime.spawn(async move {
        client.screen(proto::ScreenRequest { message: "hang".into(), internal: false }).await
    });
    node.entered();
    let second = screen(&node, "one", false).unwrap_err();
    refused(&second, Code::Unavailable, "unavailable");
    assert!(second.get_error_details().retry_info().is_some());
    node.release();
    node.runtime.block_on(hanging).unwrap().unwrap();
    let metrics = node.client().metrics().unwrap();
    for expected in [
        r#"grpc_calls_total{method="/hansa.v1.Screening/Screen",code="OK"} 1"#,
        r#"grpc_calls_total{method="/hansa.v1.Screening/Screen",code="UNAVAILABLE"} 1"#,
        r#"grpc_call_seconds_count{method="/hansa.v1.Screening/Screen"} 2"#,
        "grpc_calls_in_flight 0",
        "http_overloaded_total 1",
    ] {
        assert!(metrics.lines().any(|line| line == expected), "{expected} in {metrics}");
    }
}

#[test]
fn a_stream_answers_by_id_and_outlives_a_refusal() {
    let node = Node::start(ApiConfig::default());
    let (mut sender, mut answers) = stream(&node);
    node.runtime.block_on(async {
        for (id, script) in [("a", "one"), ("b", "malformed"), ("c", "busy"), ("d", "duplicate")] {
            sender.send(message(id, script)).await.unwrap();
        }
        sender.send(message(&"x".repeat(129), "one")).await.unwrap();
        drop(sender);
        let mut seen = std::collections::BTreeMap::new();
        while let Some(answer) = answers.next().await {
            let answer = answer.unwrap();
            seen.insert(answer.id, answer.outcome.unwrap());
        }
        assert_eq!(seen.len(), 5);
        assert!(matches!(&seen["a"], Outcome::Answer(answer) if answer.payments[0].internal.is_none()));
        assert!(matches!(&seen["d"], Outcome::Answer(answer) if answer.payments[0].reason_code == "AM05"));
        let Outcome::Refusal(malformed) = &seen["b"] else { panic!("{seen:?}") };
        assert_eq!((malformed.code, malformed.reason.as_str()), (Code::InvalidArgument as i32, "malformed"));
        assert_eq!((malformed.hint.as_str(), malformed.retry_after_seconds), ("send it without", None));
        let Outcome::Refusal(busy) = &seen["c"] else { panic!("{seen:?}") };
        assert_eq!((busy.code, busy.retry_after_seconds), (Code::ResourceExhausted as i32, Some(7)));
        assert!(
            matches!(&seen[&"x".repeat(129)], Outcome::Refusal(refusal) if refusal.detail.contains("129"))
        );
    });
    let metrics = node.client().metrics().unwrap();
    let ok = r#"grpc_stream_answers_total{method="/hansa.v1.Screening/ScreenStream",code="OK"} 2"#;
    assert!(metrics.lines().any(|line| line == ok), "{metrics}");
}

#[test]
fn a_stream_reads_no_further_than_its_bound() {
    let node = Node::start(ApiConfig { stream_in_flight: 2, ..ApiConfig::default() });
    let (mut sender, mut answers) = stream(&node);
    node.runtime.block_on(async {
        for id in ["a", "b", "c", "d"] {
            sender.send(message(id, "hang")).await.unwrap();
        }
    });
    node.entered();
    node.entered();
    // A round trip on another connection, in which a third would have been called.
    assert_eq!(screen(&node, "one", false).unwrap().payments.len(), 1);
    let hanging =
        |node: &Node| node.fake.calls.lock().unwrap().iter().filter(|c| *c == "submit 4 bytes").count();
    assert_eq!(hanging(&node), 2);
    node.release();
    let answered = node.runtime.block_on(answers.next()).unwrap().unwrap();
    assert!(["a", "b"].contains(&answered.id.as_str()));
    node.entered();
    assert_eq!(hanging(&node), 3);
    (0..3).for_each(|_| node.release());
    drop(sender);
    let rest = node.runtime.block_on(answers.by_ref().count());
    assert_eq!(rest, 3);
}

#[test]
fn answers_that_nobody_reads_hold_the_sender_up() {
    // Their answers are more than HTTP/2 takes on unread.
    const ALL: usize = 12_000;
    let node = Node::start(ApiConfig { stream_in_flight: 1, ..ApiConfig::default() });
    let mut client = client(&node, &node.token);
    let (sender, requests) = mpsc::unbounded();
    for id in 0..ALL {
        let request = message(&format!("{id:0128}"), "one");
        sender.unbounded_send(proto::ScreenStreamRequest { internal: true, ..request }).unwrap();
    }
    let answers = node.runtime.block_on(client.screen_stream(requests)).unwrap();
    let called = || node.fake.calls.lock().unwrap().len();
    let mut before = 0;
    // Until a hundred round trips bring no further call, the windows of HTTP/2 are filling.
    loop {
        (0..100).for_each(|_| drop(node.client().metrics().unwrap()));
        let now = called();
        if now == before {
            break;
        }
        before = now;
    }
    assert!(before < ALL, "everything was decided though nothing was read");
    drop(sender);
    assert_eq!(node.runtime.block_on(answers.into_inner().count()), ALL);
}

#[test]
fn a_stopping_node_answers_what_it_has_read_and_ends_the_stream() {
    let mut node = Node::start(ApiConfig::default());
    let (mut sender, mut answers) = stream(&node);
    node.runtime.block_on(sender.send(message("a", "hang"))).unwrap();
    node.entered();
    node.stop();
    node.release();
    let answered = node.runtime.block_on(answers.next()).unwrap().unwrap();
    assert_eq!(answered.id, "a");
    let ended = node.runtime.block_on(answers.next()).unwrap().unwrap_err();
    refused(&ended, Code::Unavailable, "unavailable");
    node.ended().unwrap();
}

#[test]
fn a_caller_that_hangs_up_does_not_stop_what_is_being_decided() {
    let node = Node::start(ApiConfig::default());
    let (mut sender, answers) = stream(&node);
    node.runtime.block_on(sender.send(message("a", "hang"))).unwrap();
    node.entered();
    drop((sender, answers));
    assert_eq!(screen(&node, "one", false).unwrap().payments.len(), 1);
    node.release();
    node.finished();
}

#[test]
fn an_audit_tells_what_was_asked_for() {
    let node = Node::start(ApiConfig::default());
    let mut client = client(&node, &node.token);
    let mut ask = |request| node.runtime.block_on(client.get_transaction_audit(request));
    let request = proto::GetTransactionAuditRequest {
        uetr: samples::uetr().to_string(),
        include_zkp_proof: true,
        include_model_snapshot: true,
        ..Default::default()
    };
    let answer = ask(request.clone()).unwrap();
    assert_eq!(answer.metadata().get("hansa-stale"), None);
    let audit = answer.into_inner();
    assert_eq!(
        (audit.uetr.clone(), audit.decision()),
        (samples::uetr().to_string(), proto::Verdict::Investigate)
    );
    assert_eq!((audit.reason_code.as_str(), &audit.model_version_hash), ("NARR", &vec![3; 32]));
    assert_eq!((&audit.zkp_proof, &audit.zkp_signal_id), (&vec![1; 192], &vec![6; 32]));
    assert_eq!((audit.timestamp_signature.as_slice(), &audit.leaf_hash), (&b"the proof\n"[..], &vec![7; 32]));
    let factor = &audit.risk_factors[0];
    assert_eq!((factor.name.as_str(), factor.value, factor.contribution), ("structuring", 7, Some(420)));
    assert_eq!((factor.unit.as_str(), factor.evidence.as_str()), ("payments", "7 within 24 h"));
    assert_eq!(audit.risk_factors[1].contribution, Some(0));
    let list = &audit.sanctions_list_version[0];
    assert_eq!(
        (list.name.as_str(), list.date.as_str(), &list.digest),
        ("ofac-sdn", "2026-11-20", &vec![2; 32])
    );
    let snapshot = audit.model_snapshot.unwrap();
    assert_eq!((snapshot.version, snapshot.hold_threshold, snapshot.weights[1].points), (3, 400, -5));
    assert_eq!(audit.internal.unwrap().reasons, ["consortium-signal", "score"]);
    assert!(audit.zkp_proof_absent.is_empty() && audit.timestamp_signature_absent.is_empty());

    node.fake.current.store(false, Ordering::SeqCst);
    let plain = proto::GetTransactionAuditRequest {
        include_zkp_proof: false,
        include_model_snapshot: false,
        ..request.clone()
    };
    let answer = ask(plain).unwrap();
    assert_eq!(answer.metadata().get("hansa-stale").unwrap(), "true");
    let audit = answer.into_inner();
    assert_eq!((audit.zkp_proof_absent.as_str(), audit.model_snapshot), ("it was not asked for", None));
    assert!(audit.zkp_proof.is_empty() && audit.zkp_signal_id.is_empty());
    assert_eq!(audit.risk_factors[0].contribution, Some(420));

    let other = "00000000-0000-4000-8000-000000000000".to_owned();
    let unknown = ask(proto::GetTransactionAuditRequest { uetr: other, ..request.clone() }).unwrap_err();
    refused(&unknown, Code::NotFound, "not-found");
    let wrong =
        ask(proto::GetTransactionAuditRequest { uetr: "x".to_owned(), ..request.clone() }).unwrap_err();
    refused(&wrong, Code::InvalidArgument, "malformed");
    let half = proto::GetTransactionAuditRequest { instructing: "BKAADEFFXXX".to_owned(), ..request };
    refused(&ask(half).unwrap_err(), Code::InvalidArgument, "malformed");
}

#[test]
fn a_message_that_does_not_arrive_is_refused_and_leaves_its_place() {
    let node = Node::start(ApiConfig { body_ms: 50, max_requests: 1, ..ApiConfig::default() });
    let status = node.runtime.block_on(async {
        let endpoint = tonic::transport::Endpoint::from_shared(format!("http://{}", node.grpc)).unwrap();
        let mut grpc = tonic::client::Grpc::new(endpoint.connect().await.unwrap());
        grpc.ready().await.unwrap();
        let codec = tonic_prost::ProstCodec::<proto::ScreenRequest, proto::ScreenResponse>::default();
        let path = axum::http::uri::PathAndQuery::from_static("/hansa.v1.Screening/Screen");
        let mut request = tonic::Request::new(futures::stream::pending());
        let bearer = format!("Bearer {}", *node.token.to_hex());
        request.metadata_mut().insert("authorization", bearer.parse().unwrap());
        grpc.client_streaming(request, path, codec).await.unwrap_err()
    });
    refused(&status, Code::DeadlineExceeded, "request-timeout");
    assert_eq!(screen(&node, "one", false).unwrap().payments.len(), 1);
}

#[test]
fn a_stream_that_is_held_up_holds_up_nothing_else_on_its_connection() {
    // More than HTTP/2 takes in unread of a stream, and as much as it takes in of a connection unless told otherwise.
    const MESSAGES: usize = 64;
    const SIZE: usize = 64 << 10;
    let node = Node::start(ApiConfig { stream_in_flight: 1, ..ApiConfig::default() });
    let mut client = client(&node, &node.token);
    let taken = Arc::new(AtomicUsize::new(0));
    let taking = Arc::clone(&taken);
    let requests = futures::stream::iter(0..MESSAGES).map(move |number| {
        taking.fetch_add(1, Ordering::SeqCst);
        if number == 0 { message("0", "hang") } else { message("1", &"x".repeat(SIZE)) }
    });
    let answers = node.runtime.block_on(client.screen_stream(requests)).unwrap();
    node.entered();
    let mut before = 0;
    // Until a hundred round trips take no further message, the windows of HTTP/2 are filling.
    loop {
        (0..100).for_each(|_| drop(node.client().metrics().unwrap()));
        let now = taken.load(Ordering::SeqCst);
        if now == before {
            break;
        }
        before = now;
    }
    assert!(before < MESSAGES, "the stream is held up");
    let request = proto::ScreenRequest { message: "x".repeat(SIZE).into(), internal: false };
    let answer =
        node.runtime.block_on(async { tokio::time::timeout(PATIENCE, client.screen(request)).await });
    assert_eq!(answer.unwrap().unwrap().into_inner().payments.len(), 1);
    node.release();
    assert_eq!(node.runtime.block_on(answers.into_inner().count()), MESSAGES);
}

#[test]
fn streams_leave_places_to_single_calls_and_are_bounded_themselves() {
    let node = Node::start(ApiConfig { max_requests: 2, ..ApiConfig::default() });
    let mut streams = [stream(&node), stream(&node)];
    for (sender, _) in &mut streams {
        for id in ["a", "b"] {
            node.runtime.block_on(sender.send(message(id, "hang"))).unwrap();
        }
    }
    node.entered();
    for _ in 0..10 {
        assert_eq!(screen(&node, "one", false).unwrap().payments.len(), 1);
    }
    let hanging = node.fake.calls.lock().unwrap().iter().filter(|call| *call == "submit 4 bytes").count();
    assert_eq!(hanging, 1);
    let (_sender, requests) = mpsc::channel(1);
    let third = node.runtime.block_on(client(&node, &node.token).screen_stream(requests)).unwrap_err();
    refused(&third, Code::Unavailable, "unavailable");
    (0..4).for_each(|_| node.release());
    for (sender, answers) in streams {
        drop(sender);
        assert_eq!(node.runtime.block_on(answers.count()), 2);
    }
}

#[test]
fn a_connection_that_does_not_begin_http2_in_time_is_closed() {
    let node = Node::start(ApiConfig { header_ms: 50, ..ApiConfig::default() });
    for beginning in ["", "PRI * HTTP/2.0\r\n", "GET / HTTP/1.1\r\nHost: hansa\r\n\r\n"] {
        let mut stream = TcpStream::connect(node.grpc).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(beginning.as_bytes()).unwrap();
        let read = stream.read(&mut [0; 1]);
        // What was not read of the beginning has the connection reset.
        let reset = read.as_ref().is_err_and(|error| error.kind() == ErrorKind::ConnectionReset);
        assert!(reset || matches!(read, Ok(0)), "{beginning:?}: {read:?}");
    }
    assert_eq!(screen(&node, "one", false).unwrap().payments.len(), 1);
}

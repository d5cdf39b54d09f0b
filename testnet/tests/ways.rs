//! The ways into a running node beside HTTP on a port: what comes in by one is what the others see.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

mod common;

use std::io::{Read as _, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::time::Instant;

use hansa_api::ApiToken;
use hansa_api::grpc::proto::screen_stream_response::Outcome;
use hansa_api::grpc::{Client, connect, proto};
use hansa_api::model::AnswerStatus;
use hansa_audit_log::proof::TlogProof;
use hansa_keys::{KeyFolder, Purpose};
use hansa_node::events::Event;
use hansa_testnet::process::{NodeProcess, PATIENCE};
use hansa_types::signal::PROOF_LENGTH;
use tokio::runtime::Runtime;

use common::command::{refused_start, says};
use common::http::bearer;
use common::message::{HARMLESS, MULE, OTHER, SUSPICIOUS, to_b};
use common::{A, B, Group};

/// Puts `more`, which begins `[api]` anew, into the configuration of the bank at `at`, whose node does not run.
fn configure(group: &Group, at: usize, more: &str) {
    let path = group.bank(at).config();
    let config = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, config.replacen("[api]\n", more, 1)).unwrap();
}

/// A client of the node at `at`, which has just started.
fn grpc(group: &mut Group, at: usize, runtime: &Runtime) -> Client {
    let address = |event: &Event| match event {
        Event::Ready { grpc: Some(grpc), .. } => Some(grpc.parse().unwrap()),
        _ => None,
    };
    let address = group.node(at).wait("ready with gRPC", address).unwrap();
    let token = KeyFolder::new(group.bank(at).folder.join("keys")).secret(Purpose::Api).unwrap();
    runtime.block_on(connect(address, &ApiToken::new(*token.expose()))).unwrap()
}

#[test]
fn grpc_screens_streams_and_audits() {
    let runtime = Runtime::new().unwrap();
    let mut group = Group::create();
    configure(&group, A, "[api]\ngrpc = \"127.0.0.1:0\"\nstream_in_flight = 4\n");
    group.start(&[B]);
    // `start` itself waits for the event that tells the address.
    let node = NodeProcess::start(group.bank(A), &["--development"]).unwrap();
    group.put(A, node);
    let mut client = grpc(&mut group, A, &runtime);
    group.node(A).joined(1).unwrap();

    let first = to_b(1, SUSPICIOUS, MULE);
    let request = proto::ScreenRequest { message: first.message().into_bytes(), internal: true };
    let answer = runtime.block_on(client.screen(request)).unwrap().into_inner();
    assert_eq!(answer.payments[0].decision(), proto::Verdict::Clear);
    let again = group.pay(A, &first);
    assert_eq!(again.status, AnswerStatus::Repeated, "HTTP sees what gRPC decided");

    let many = (2..40).map(|number| proto::ScreenStreamRequest {
        id: number.to_string(),
        message: to_b(number, HARMLESS, OTHER).message().into_bytes(),
        internal: false,
    });
    let broken =
        proto::ScreenStreamRequest { id: "broken".to_owned(), message: b"<x>".to_vec(), internal: false };
    let requests = futures::stream::iter(many.chain([broken]));
    runtime.block_on(async {
        let mut answers = client.screen_stream(requests).await.unwrap().into_inner();
        let mut seen = std::collections::BTreeMap::new();
        while let Some(answer) = answers.message().await.unwrap() {
            seen.insert(answer.id, answer.outcome.unwrap());
        }
        assert_eq!(seen.len(), 39);
        assert!(matches!(seen.remove("broken").unwrap(), Outcome::Refusal(refusal) if refusal.reason == "malformed"));
        for (id, outcome) in seen {
            assert!(matches!(outcome, Outcome::Answer(answer) if answer.payments.len() == 1), "{id}");
        }
    });

    let signal = group.signal(A, &first);
    group.sent(A, signal);
    let ask = proto::GetTransactionAuditRequest {
        uetr: first.uetr.unwrap().to_string(),
        include_zkp_proof: true,
        include_model_snapshot: true,
        ..Default::default()
    };
    let audit = loop {
        let audit = runtime.block_on(client.get_transaction_audit(ask.clone())).unwrap().into_inner();
        // The log is signed every second.
        if audit.timestamp_signature_absent.is_empty() {
            break audit;
        }
        assert!(audit.timestamp_signature_absent.contains("published"), "{audit:?}");
        std::thread::yield_now();
    };
    assert_eq!((audit.zkp_proof.len(), audit.zkp_signal_id), (PROOF_LENGTH, signal.0.to_vec()));
    let proof = TlogProof::parse(&audit.timestamp_signature).unwrap();
    let internal = audit.internal.unwrap();
    assert_eq!(Some(proof.index), internal.log_index);
    assert_eq!(audit.sanctions_list_version[0].name, "samples");
    let snapshot = audit.model_snapshot.unwrap();
    assert_eq!((snapshot.weights.len(), audit.model_version_hash.len()), (16, 32));
    let sum: i64 = audit.risk_factors.iter().filter_map(|factor| factor.contribution).sum();
    assert!(sum > 0 && sum == internal.score, "{:?}", audit.risk_factors);
    for factor in &audit.risk_factors {
        assert_eq!(factor.evidence.is_empty(), factor.value == 0, "{factor:?}");
    }
    let quiet =
        proto::GetTransactionAuditRequest { uetr: to_b(2, HARMLESS, OTHER).uetr.unwrap().to_string(), ..ask };
    let quiet = runtime.block_on(client.get_transaction_audit(quiet)).unwrap().into_inner();
    assert_eq!(quiet.zkp_proof_absent, "no signal grew from this decision");
    group.stop(A);
}

/// Waits for a file, and reads it.
fn awaited(path: &Path) -> Vec<u8> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Ok(bytes) = std::fs::read(path) {
            return bytes;
        }
        assert!(Instant::now() < deadline, "{} does not appear", path.display());
        std::thread::yield_now();
    }
}

#[test]
fn files_are_answered_once_each_though_the_node_is_killed() {
    const FILES: u64 = 40;
    let mut group = Group::create();
    configure(&group, A, "[files]\ndir = \"drop\"\npoll_ms = 20\n[api]\n");
    group.start(&[A]);
    let folder = group.bank(A).folder.join("drop");
    let send = |name: &str, message: &str| {
        let aside = folder.join("inbox").join(format!(".{name}"));
        std::fs::write(&aside, message).unwrap();
        std::fs::rename(aside, folder.join("inbox").join(name)).unwrap();
    };
    for number in 1..=FILES {
        send(&format!("{number}.xml"), &to_b(number, HARMLESS, OTHER).message());
    }
    awaited(&folder.join("outbox/1.xml"));
    group.kill(A);
    send("broken.xml", "<Document");
    group.start(&[A]);
    for number in 1..=FILES {
        let answer = awaited(&folder.join(format!("done/{number}.xml")));
        assert!(answer.starts_with(b"<?xml"), "the message itself is kept");
        let answer = awaited(&folder.join(format!("outbox/{number}.xml")));
        let report = String::from_utf8(answer).unwrap();
        let uetr = to_b(number, HARMLESS, OTHER).uetr.unwrap();
        assert!(report.contains("pacs.002.001") && report.contains("<TxSts>ACSP</TxSts>"), "{report}");
        assert!(report.contains(&format!("<OrgnlUETR>{uetr}</OrgnlUETR>")), "{report}");
    }
    let reason = awaited(&folder.join("refused/broken.xml.problem.json"));
    assert!(String::from_utf8(reason).unwrap().contains("urn:hansa:problem:malformed"));
    let counters = group.node(A).client().unwrap().status().unwrap().counters.payments;
    assert_eq!(counters.verdicts.values().sum::<u64>(), FILES, "each was decided once");
    assert_eq!(std::fs::read_dir(folder.join("inbox")).unwrap().count(), 0);
    group.stop(A);
}

#[test]
fn a_sidecar_asks_over_the_socket() {
    let mut group = Group::create();
    configure(&group, A, "[api]\nsocket = \"api.sock\"\n");
    // What a node leaves that was killed.
    let path = group.bank(A).folder.join("api.sock");
    drop(UnixListener::bind(&path).unwrap());
    group.start(&[A]);
    configure(&group, B, &format!("[api]\nsocket = {path:?}\n"));
    let said = refused_start(&group.bank(B).config(), &["--development"], &[]);
    says(&said, &["api.sock", "another process listens there"]);
    let message = to_b(1, HARMLESS, OTHER).message();
    let auth = bearer(group.bank(A));
    let mut stream = UnixStream::connect(&path).unwrap();
    write!(
        stream,
        "POST /v1/payments HTTP/1.1\r\nHost: hansa\r\nConnection: close\r\n{auth}\r\n\
         Content-Type: application/xml\r\nContent-Length: {}\r\n\r\n{message}",
        message.len()
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("\"CLEAR\""), "{answer}");
    assert_eq!(group.pay(A, &to_b(1, HARMLESS, OTHER)).status, AnswerStatus::Repeated);
    group.stop(A);
    assert!(!path.exists(), "the socket is removed on stop");
}

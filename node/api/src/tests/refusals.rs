//! Every refusal has its status and is problem+json that says what to do.

use std::io::{Read, Write};

use super::node::{Node, Raw};
use super::samples;
use crate::ApiConfig;

const XML: &str = "Content-Type: application/xml";
const JSON: &str = "Content-Type: application/json";

/// Asserts the status, the kind and the form of a refusal.
#[track_caller]
fn refused(answer: &Raw, status: u16, kind: &str) {
    assert_eq!(answer.status, status, "{answer:?}");
    assert_eq!(answer.header("content-type"), Some("application/problem+json"));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let problem = answer.json();
    assert_eq!(problem["type"], format!("urn:hansa:problem:{kind}"));
    assert_eq!(problem["status"], status);
    assert!(!problem["title"].as_str().unwrap().is_empty());
    assert!(!problem["detail"].as_str().unwrap().is_empty());
}

fn bare(node: &Node, request: &str) -> Raw {
    let mut stream = node.connect();
    stream.write_all(request.as_bytes()).unwrap();
    Raw::read(&mut stream)
}

#[test]
fn without_the_token_nothing_under_v1_answers() {
    let node = Node::start(ApiConfig::default());
    let token = node.token.to_hex();
    let wrong = "0".repeat(64);
    let cases = [
        String::new(),
        format!("Authorization: Bearer {wrong}\r\n"),
        "Authorization: Bearer nonsense\r\n".to_owned(),
        format!("Authorization: Basic {}\r\n", *token),
        format!("Authorization: {}\r\n", *token),
        format!("Authorization: Bearer {0}\r\nAuthorization: Bearer {0}\r\n", *token),
    ];
    for header in cases {
        for line in [
            "GET /v1/status",
            "GET /v1/cases",
            "GET /v1/alerts",
            "GET /v1/log/checkpoint",
            "POST /v1/payments",
        ] {
            let request = format!("{line} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n{header}\r\n");
            let answer = bare(&node, &request);
            refused(&answer, 401, "unauthenticated");
            assert_eq!(answer.header("www-authenticate"), Some("bearer"));
            assert!(answer.json()["hint"].as_str().unwrap().contains("token"));
            assert!(!answer.body.contains(&token[..8]));
        }
    }
    assert_eq!(*node.fake.calls.lock().unwrap(), Vec::<String>::new());
    let lower = format!(
        "GET /v1/status HTTP/1.1\r\nHost: h\r\nConnection: close\r\nauthorization: bearer {}\r\n\r\n",
        *token
    );
    assert_eq!(bare(&node, &lower).status, 200);
}

/// Every route but the log's, with the auditor's token.
#[test]
fn an_auditor_reads_the_log_and_nothing_else() {
    let node = Node::start(ApiConfig::default());
    let auditor = node.auditor.to_hex();
    let ask = |line: &str| {
        let head = "Host: h\r\nConnection: close\r\nContent-Length: 0\r\nAuthorization: Bearer ";
        bare(&node, &format!("{line} HTTP/1.1\r\n{head}{}\r\n\r\n", *auditor))
    };
    for line in [
        "POST /v1/payments",
        "GET /v1/payments/1/audit",
        "GET /v1/cases",
        "POST /v1/cases",
        "POST /v1/cases/1/steps",
        "POST /v1/cases/1/answers",
        "POST /v1/cases/1/reviews",
        "POST /v1/cases/1/readings",
        "POST /v1/cases/1/drafts",
        "GET /v1/alerts",
        "GET /v1/signals",
        "POST /v1/signals/1/retract",
        "POST /v1/evidence",
        "GET /v1/disclosures/decisions/0",
        "POST /v1/disclosures/trace",
        "GET /v1/cluster",
        "POST /v1/cluster",
        "GET /v1/governance",
        "POST /v1/governance/proposals",
        "POST /v1/governance/votes",
        "POST /v1/governance/messages",
        "GET /v1/governance/amendments",
        "GET /v1/status",
    ] {
        refused(&ask(line), 403, "forbidden");
    }
    assert_eq!(*node.fake.calls.lock().unwrap(), Vec::<String>::new());
    let checkpoint = ask("GET /v1/log/checkpoint");
    assert_eq!((checkpoint.status, checkpoint.body.as_str()), (200, "the checkpoint\n"));
    assert_eq!(checkpoint.header("content-type"), Some("text/plain; charset=utf-8"));
    let tile = ask("GET /v1/log/tile/0/x001/x234/067");
    assert_eq!((tile.status, tile.header("content-type")), (200, Some("application/octet-stream")));
    assert_eq!(ask("GET /v1/log/proofs/5").status, 200);
    refused(&ask("GET /v1/log/proofs/x"), 400, "malformed");
    refused(&ask("GET /v1/log/tile/0/000.p/9"), 404, "not-found");
    refused(&ask("GET /v1/log/tile/"), 404, "not-found");
    refused(&ask("POST /v1/log/checkpoint"), 405, "method-not-allowed");
    let seen = ["checkpoint", "tile tile/0/x001/x234/067", "proof 5", "tile tile/0/000.p/9"];
    assert_eq!(*node.fake.calls.lock().unwrap(), seen);
}

#[test]
fn a_body_of_another_type_is_refused() {
    let node = Node::start(ApiConfig::default());
    for headers in [
        &["Content-Type: application/json"][..],
        &["Content-Type: text/xml; charset=utf-16"],
        &[],
        &[XML, "Content-Encoding: gzip"],
    ] {
        refused(&node.ask("POST /v1/payments", headers, "one"), 415, "unsupported-media-type");
    }
    refused(&node.ask("POST /v1/cases", &[XML], "{}"), 415, "unsupported-media-type");
    assert_eq!(node.ask("POST /v1/payments", &["Content-Type: text/xml; charset=UTF-8"], "one").status, 200);
}

#[test]
fn a_large_body_is_refused_and_the_refusal_is_read() {
    let node = Node::start(ApiConfig::default());
    // Announced, and never sent.
    let head = node.head("POST /v1/payments", &[XML, "Expect: 100-continue"]);
    let answer = bare(&node, &format!("{head}Content-Length: 104857600\r\n\r\n"));
    refused(&answer, 413, "too-large");
    assert!(answer.head.starts_with("http/1.1 413"), "no 100 Continue before");
    // Sent whole, 100 MB: the answer comes through although nobody wants the rest.
    let head = node.head("POST /v1/payments", &[XML]);
    let chunk = vec![b' '; 1 << 20];
    let mut stream = node.connect();
    write!(stream, "{head}Content-Length: 104857600\r\n\r\n").unwrap();
    (0..100).for_each(|_| stream.write_all(&chunk).unwrap());
    refused(&Raw::read(&mut stream), 413, "too-large");
    // Not announced, in chunks.
    let mut stream = node.connect();
    write!(stream, "{head}Transfer-Encoding: chunked\r\n\r\n").unwrap();
    for _ in 0..3 {
        write!(stream, "{:x}\r\n", chunk.len()).unwrap();
        stream.write_all(&chunk).unwrap();
        stream.write_all(b"\r\n").unwrap();
    }
    stream.write_all(b"0\r\n\r\n").unwrap();
    refused(&Raw::read(&mut stream), 413, "too-large");
    // JSON has its own limit.
    refused(&node.ask("POST /v1/cases", &[JSON], &" ".repeat(70_000)), 413, "too-large");
    assert_eq!(*node.fake.calls.lock().unwrap(), Vec::<String>::new());
    // The largest that is taken.
    assert_eq!(node.post(&" ".repeat(1 << 20)).status, 200);
}

#[test]
fn a_refusal_before_the_body_is_read_comes_through_too() {
    let node = Node::start(ApiConfig::default());
    let body = " ".repeat(4 << 20);
    refused(&node.ask("POST /v1/nothing", &[XML], &body), 404, "not-found");
    refused(
        &node.ask("POST /v1/payments", &["Content-Type: image/png"], &body),
        415,
        "unsupported-media-type",
    );
    let mut stream = node.connect();
    write!(
        stream,
        "POST /v1/payments HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .unwrap();
    refused(&Raw::read(&mut stream), 401, "unauthenticated");
}

#[test]
fn what_is_no_json_of_the_route_is_refused() {
    let node = Node::start(ApiConfig::default());
    let post = |path: &str, body: &str| node.ask(&format!("POST {path}"), &[JSON], body);
    let mut opening = serde_json::to_value(samples::opening()).unwrap();
    opening["colour"] = "red".into();
    let unknown = post("/v1/cases", &opening.to_string());
    refused(&unknown, 400, "malformed");
    assert!(unknown.json()["detail"].as_str().unwrap().contains("unknown field `colour`"));
    for (path, body) in [
        ("/v1/cases", "{"),
        ("/v1/cases", ""),
        ("/v1/cases/1/steps", r#"{"state":"confirmed","actor":"olga","x":1}"#),
        ("/v1/cases/1/steps", r#"{"state":"done","actor":"olga"}"#),
        ("/v1/cases/1/steps", r#"{"state":"confirmed","actor":"Olga Müller"}"#),
        ("/v1/cases/1/steps", r#"{"state":"confirmed"}"#),
        ("/v1/cases/1/answers", r#"{"actor":"olga"}"#),
        ("/v1/cases/1/reviews", r#"{"passed":"yes","actor":"olga"}"#),
        ("/v1/cases/1/readings", "{}"),
        ("/v1/cases/1/drafts", r#"{"actor":""}"#),
        ("/v1/evidence", r#"{"uetr":"no"}"#),
        ("/v1/evidence", &"[".repeat(60_000)),
    ] {
        refused(&post(path, body), 400, "malformed");
    }
    assert_eq!(*node.fake.calls.lock().unwrap(), Vec::<String>::new());
}

#[test]
fn paths_and_queries_are_checked() {
    let node = Node::start(ApiConfig::default());
    let uetr = samples::uetr();
    let get = |path: &str| node.ask(&format!("GET {path}"), &[], "");
    let bad = get("/v1/payments/174C245F-2682-4291-AD67-2A41E530CD27/audit");
    refused(&bad, 400, "malformed");
    assert!(bad.json()["detail"].as_str().unwrap().contains("lower-case"));
    refused(&get("/v1/payments/%ff/audit"), 400, "malformed");
    refused(&get(&format!("/v1/payments/{uetr}/audit?instructing=A")), 400, "malformed");
    refused(&get(&format!("/v1/payments/{uetr}/audit?leg=A")), 400, "malformed");
    refused(&get("/v1/cases?state=done"), 400, "malformed");
    refused(&get("/v1/cases?overdue=perhaps"), 400, "malformed");
    refused(&node.ask("POST /v1/payments?detail=all", &[XML], "one"), 400, "malformed");
    refused(&node.ask("POST /v1/cases/-1/steps", &[JSON], "{}"), 400, "malformed");
    refused(&node.ask("POST /v1/signals/abc/retract", &[JSON], "{}"), 400, "malformed");
    assert_eq!(*node.fake.calls.lock().unwrap(), Vec::<String>::new());
}

#[test]
fn unknown_routes_and_wrong_methods_are_told_apart() {
    let node = Node::start(ApiConfig::default());
    for path in ["/", "/v1", "/v1/payment", "/v2/status", "/v1/cases/"] {
        refused(&node.ask(&format!("GET {path}"), &[], ""), 404, "not-found");
    }
    for (line, allow) in [
        ("GET /v1/payments", "post"),
        ("DELETE /v1/cases", "get,head,post"),
        ("POST /livez", "get,head"),
        ("PUT /v1/status", "get,head"),
    ] {
        let answer = node.ask(line, &[], "");
        refused(&answer, 405, "method-not-allowed");
        assert_eq!(answer.header("allow"), Some(allow), "{line}");
    }
}

#[test]
fn what_the_service_refuses_keeps_its_kind() {
    let node = Node::start(ApiConfig::default());
    let malformed = node.post("malformed");
    refused(&malformed, 400, "malformed");
    assert_eq!(malformed.json()["hint"], "send it without");
    refused(&node.post("camt"), 422, "unsupported-message");
    let busy = node.post("busy");
    refused(&busy, 429, "too-many-requests");
    assert_eq!(busy.header("retry-after"), Some("7"));
    let get = format!("GET /v1/payments/{}/audit", "00000000-0000-4000-8000-000000000000");
    refused(&node.ask(&get, &[], ""), 404, "not-found");
    let action = r#"{"state":"confirmed","actor":"olga"}"#;
    refused(&node.ask("POST /v1/cases/2/steps", &[JSON], action), 409, "conflict");
}

#[test]
fn a_slow_body_is_answered_and_a_slow_head_cut_off() {
    let node = Node::start(ApiConfig { header_ms: 100, body_ms: 100, ..ApiConfig::default() });
    let head = node.head("POST /v1/payments", &[XML]);
    refused(&bare(&node, &format!("{head}Content-Length: 10\r\n\r\nabc")), 408, "request-timeout");
    let mut stream = node.connect();
    stream.write_all(b"GET /livez HT").unwrap();
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).unwrap();
    assert!(!String::from_utf8(rest).unwrap().contains("200"));
}

#[test]
fn a_panic_is_an_answer() {
    let node = Node::start(ApiConfig::default());
    let answer = node.post("panic");
    refused(&answer, 500, "internal");
    assert!(!answer.body.contains("script"), "what a panic says stays in the log");
    assert_eq!(node.post("one").status, 200);
}

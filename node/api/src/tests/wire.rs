//! Answers as they stand on the wire.

use std::sync::atomic::Ordering;

use super::node::Node;
use super::samples;
use crate::ApiConfig;

#[test]
fn the_outward_answer_says_nothing_of_the_banks_reasons() {
    let node = Node::start(ApiConfig::default());
    let outward = node.post("one");
    assert_eq!((outward.status, outward.header("content-type")), (200, Some("application/json")));
    let answer = &outward.json()["payments"][0];
    let names: Vec<_> = answer.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(names, ["outward_code", "payment", "status", "verdict"]);
    for word in ["score", "reason", "hold", "signal", "internal", "index"] {
        assert!(!outward.body.contains(word), "{word}");
    }
    let asked = node.ask("POST /v1/payments?detail=internal", &["Content-Type: text/xml"], "one").json();
    let internal = &asked["payments"][0]["internal"];
    assert_eq!(internal["reasons"], serde_json::json!(["consortium-signal", "score"]));
    assert_eq!(internal["disposition"], "hold");
    assert_eq!(internal["log_index"], 41);
}

#[test]
fn the_schemes_own_answer_is_given_to_whoever_asks_for_it() {
    let node = Node::start(ApiConfig::default());
    let asked = ["Content-Type: text/xml", "Accept: application/xml"];
    let report = node.ask("POST /v1/payments", &asked, "duplicate");
    assert_eq!((report.status, report.header("content-type")), (200, Some("application/xml")));
    assert_eq!(report.body, "<Document/>");
}

#[test]
fn a_single_duplicate_is_a_conflict_and_one_among_several_is_not() {
    let node = Node::start(ApiConfig::default());
    let single = node.post("duplicate");
    assert_eq!((single.status, single.header("content-type")), (409, Some("application/problem+json")));
    let problem = single.json();
    assert_eq!(problem["type"], "urn:hansa:problem:duplicate");
    let answer = &problem["submission"]["payments"][0];
    assert_eq!((&answer["status"], &answer["outward_code"]), (&"duplicate".into(), &"AM05".into()));
    assert!(answer.get("verdict").is_none());
    let mixed = node.post("mixed");
    assert_eq!(mixed.status, 200);
    assert_eq!(mixed.json()["payments"][0]["status"], "decided");
    assert_eq!(mixed.json()["payments"][1]["status"], "duplicate");
    assert_eq!(node.post("repeated").json()["payments"][0]["status"], "repeated");
}

#[test]
fn probes_and_metrics_need_no_token() {
    let node = Node::start(ApiConfig::default());
    let agent = ureq::Agent::config_builder().http_status_as_error(false).proxy(None).build().new_agent();
    let get = |path: &str| {
        let mut answer = agent.get(format!("http://{}{path}", node.address)).call().unwrap();
        (answer.status().as_u16(), answer.body_mut().read_to_string().unwrap())
    };
    assert_eq!(get("/livez"), (200, "ok\n".to_owned()));
    assert_eq!(get("/readyz"), (200, r#"{"ready":true}"#.to_owned()));
    for path in ["/readyz?verbose", "/readyz?verbose=1"] {
        let (status, body) = get(path);
        assert_eq!((status, serde_json::from_str(&body).ok()), (200, Some(samples::readiness(true))));
    }
    node.fake.ready.store(false, Ordering::SeqCst);
    let (status, body) = get("/readyz");
    assert_eq!(status, 503);
    assert!(body.contains("urn:hansa:problem:not-ready") && body.contains("lists"), "{body}");
    assert!(!body.contains("ofac-sdn"), "particulars only when asked for");
    let (status, body) = get("/readyz?verbose");
    assert_eq!(status, 503);
    let problem: serde_json::Value = serde_json::from_str(&body).unwrap();
    assert_eq!(problem["checks"][1]["ok"], false);
    assert_eq!(get("/livez").0, 200);
    assert_eq!(get("/metrics").0, 200);
}

#[test]
fn metrics_parse_and_count_by_route_and_class() {
    let node = Node::start(ApiConfig::default());
    node.post("one");
    node.post("camt");
    node.ask("GET /v1/payments/x/audit", &[], "");
    node.ask("GET /nowhere", &[], "");
    let answer = node.ask("GET /metrics", &[], "");
    assert_eq!(
        answer.header("content-type"),
        Some("application/openmetrics-text; version=1.0.0; charset=utf-8")
    );
    assert!(answer.body.ends_with("# EOF\n"));
    for line in answer.body.lines().filter(|line| !line.starts_with('#')) {
        let (name, value) = line.rsplit_once(' ').unwrap();
        assert!(["http", "grpc", "files", "kafka"].iter().any(|way| name.starts_with(way)), "{line}");
        assert!(value.parse::<f64>().unwrap() >= 0.0, "{line}");
    }
    for expected in [
        r#"http_requests_total{route="/v1/payments",status="2xx"} 1"#,
        r#"http_requests_total{route="/v1/payments",status="4xx"} 1"#,
        r#"http_requests_total{route="/v1/payments/{uetr}/audit",status="4xx"} 1"#,
        r#"http_requests_total{route="unmatched",status="4xx"} 1"#,
        r#"http_request_seconds_count{route="/v1/payments"} 2"#,
        "http_requests_in_flight 1",
        "http_overloaded_total 0",
    ] {
        assert!(answer.body.lines().any(|line| line == expected), "{expected} in {}", answer.body);
    }
}

#[test]
fn an_opened_case_has_a_place() {
    let node = Node::start(ApiConfig::default());
    let opening = serde_json::to_string(&samples::opening()).unwrap();
    let answer = node.ask("POST /v1/cases", &["Content-Type: application/json"], &opening);
    assert_eq!((answer.status, answer.header("location")), (201, Some("/v1/cases/1")));
    let evidence = serde_json::json!({ "uetr": samples::uetr() }).to_string();
    let mut stream = node.connect();
    let head = node.head("POST /v1/evidence", &["Content-Type: application/json"]);
    std::io::Write::write_all(
        &mut stream,
        format!("{head}Content-Length: {}\r\n\r\n{evidence}", evidence.len()).as_bytes(),
    )
    .unwrap();
    let mut bytes = Vec::new();
    std::io::Read::read_to_end(&mut stream, &mut bytes).unwrap();
    let head = String::from_utf8_lossy(&bytes).to_ascii_lowercase();
    assert!(head.contains("content-type: application/octet-stream"));
    assert!(bytes.ends_with(&[0, 1, 2, 0xff]));
}

#[test]
fn what_may_be_out_of_date_says_so() {
    let node = Node::start(ApiConfig::default());
    assert_eq!(node.ask("GET /v1/cases", &[], "").header("hansa-stale"), None);
    node.fake.current.store(false, Ordering::SeqCst);
    let stale = node.ask("GET /v1/cases", &[], "");
    assert_eq!((stale.status, stale.header("hansa-stale")), (200, Some("true")));
    assert_eq!(node.post("one").header("hansa-stale"), None, "a decision is the log's, or none");
}

#[test]
fn an_operator_changes_the_group() {
    let node = Node::start(ApiConfig::default());
    let client = node.client();
    assert_eq!(client.cluster().unwrap(), samples::cluster());
    assert_eq!(client.administer(&samples::joining()).unwrap().done, "replica 4 has joined");
    let drain =
        crate::model::ClusterRequest { action: crate::model::ClusterAction::Drain, ..samples::joining() };
    let refused = client.administer(&drain).unwrap_err().to_string();
    assert!(refused.contains("nobody to hand over to"), "{refused}");
    let unknown =
        node.ask("POST /v1/cluster", &["Content-Type: application/json"], r#"{"actor":"a","action":"halt"}"#);
    assert_eq!(unknown.status, 400);
}

#[test]
fn an_operator_governs() {
    let node = Node::start(ApiConfig::default());
    let client = node.client();
    assert_eq!(client.governance().unwrap(), samples::governance());
    assert_eq!(client.propose(&samples::proposal_request()).unwrap(), samples::changes());
    let digest = samples::changes().digest;
    assert_eq!(client.proposal(&digest).unwrap(), samples::changes());
    let refused = client.vote(&samples::vote_request()).unwrap_err().to_string();
    assert!(refused.contains("voted otherwise"), "{refused}");
    assert_eq!((client.ballot_paper(&digest, 2).unwrap(), client.amendments().unwrap()), (vec![7], vec![8]));
    assert_eq!(client.draft_paper(&samples::proposal_request()).unwrap(), vec![9]);
    let request = crate::model::MessageRequest { message: "00".to_owned(), actor: samples::actor() };
    assert_eq!(client.take_in(&request).unwrap(), samples::governance());
    let calls = node.fake.calls.lock().unwrap().join("; ");
    let wanted = format!(
        "propose retire model 3 Some(Actor(\"olga@bank-a\")); proposal {digest}; vote false in round 2; paper {digest} 2; \
         draft retire model 3; take in 00"
    );
    assert_eq!(calls, wanted);
}

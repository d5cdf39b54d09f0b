//! Overload, deadlines, clients that hang up, and stopping: no call is cut off half-way.

use std::io::Write;
use std::net::TcpStream;

use super::node::{Node, Raw};
use crate::config::ConfigError;
use crate::{ApiConfig, ServeError};

/// Begins a call that hangs in the service.
fn begin(node: &Node) -> TcpStream {
    let head = node.head("POST /v1/payments", &["Content-Type: application/xml"]);
    let mut stream = node.connect();
    write!(stream, "{head}Content-Length: 4\r\n\r\nhang").unwrap();
    node.entered();
    stream
}

#[test]
fn too_many_calls_are_refused_at_once_while_probes_answer() {
    let node = Node::start(ApiConfig { max_requests: 1, ..ApiConfig::default() });
    let mut first = begin(&node);
    let second = node.post("one");
    assert_eq!((second.status, second.header("retry-after")), (503, Some("1")));
    assert_eq!(second.json()["type"], "urn:hansa:problem:unavailable");
    assert_eq!(node.ask("GET /livez", &[], "").status, 200);
    assert!(node.client().metrics().unwrap().contains("http_overloaded_total 1"));
    node.release();
    assert_eq!(Raw::read(&mut first).status, 200);
    assert_eq!(node.post("one").status, 200);
}

#[test]
fn a_call_past_its_deadline_is_answered_and_runs_on() {
    let node = Node::start(ApiConfig { request_ms: 100, ..ApiConfig::default() });
    let late = Raw::read(&mut begin(&node));
    assert_eq!((late.status, late.header("retry-after")), (503, Some("1")));
    assert_eq!(late.json()["type"], "urn:hansa:problem:deadline");
    assert!(late.json()["hint"].as_str().unwrap().contains("same request again"));
    node.release();
    node.finished();
}

#[test]
fn a_call_whose_client_hangs_up_runs_on() {
    let node = Node::start(ApiConfig::default());
    drop(begin(&node));
    assert_eq!(node.post("one").status, 200, "a round trip in which the hang-up is noticed");
    node.release();
    node.finished();
}

#[test]
fn stopping_lets_calls_finish_and_takes_no_more() {
    let mut node = Node::start(ApiConfig::default());
    let mut first = begin(&node);
    let gone = begin(&node);
    drop(gone);
    node.stop();
    // Stopping has begun once the listener is closed; until then connections may still be taken.
    while TcpStream::connect(node.address).is_ok() {
        std::thread::yield_now();
    }
    node.release();
    node.release();
    assert_eq!(Raw::read(&mut first).status, 200);
    node.ended().unwrap();
    node.finished();
    node.finished();
}

#[test]
fn calls_that_outlast_the_draining_are_reported() {
    let mut node = Node::start(ApiConfig { drain_ms: 50, ..ApiConfig::default() });
    let _first = begin(&node);
    node.stop();
    let error = node.ended().unwrap_err();
    assert!(matches!(error, ServeError::Unfinished { calls: 1, .. }), "{error}");
}

#[test]
fn a_taken_port_and_an_open_address_are_refused() {
    let node = Node::start(ApiConfig::default());
    let bind =
        |listen: String| node.refuses(ApiConfig { listen: listen.parse().unwrap(), ..ApiConfig::default() });
    let taken = bind(node.address.to_string());
    assert!(matches!(taken, ServeError::Bind { address, .. } if address == node.address), "{taken}");
    let open = bind("0.0.0.0:0".to_owned());
    assert!(matches!(open, ServeError::Config(ConfigError::NotLoopback { name: "listen", .. })));
    assert!(open.to_string().contains("roles and TLS"), "{open}");
}

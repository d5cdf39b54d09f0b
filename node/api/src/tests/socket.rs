//! The Unix socket: HTTP as on the port, for a program beside the node.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::{UnixListener, UnixStream};

use hansa_types::id::Timestamp;

use super::node::{Node, Raw};
use crate::error::SocketError;
use crate::{ApiConfig, Origin, ServeError};

#[test]
fn the_socket_answers_as_the_port_does() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("api.sock");
    let mut node = Node::start(ApiConfig { socket: Some(path.clone()), ..ApiConfig::default() });
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o660);
    let ask = |head: &str| {
        let mut stream = UnixStream::connect(&path).unwrap();
        stream.write_all(head.as_bytes()).unwrap();
        Raw::read(&mut stream)
    };
    assert_eq!(ask(&format!("{}\r\n", node.head("GET /v1/status", &[]))).status, 200);
    let bare = ask("GET /v1/status HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
    assert_eq!(bare.status, 401);
    assert_eq!(node.post("one").status, 200);
    let logins = node.logins.take(Timestamp(0));
    let told: Vec<_> = logins.iter().map(|kind| (kind.from, kind.accepted, kind.calls)).collect();
    assert_eq!(told, [(Origin::Loopback, true, 1), (Origin::Socket, false, 1), (Origin::Socket, true, 1)]);
    node.stop();
    node.ended().unwrap();
    assert!(!path.exists(), "it is removed on stop");
}

#[test]
fn a_dead_socket_is_replaced_and_a_live_one_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("api.sock");
    // Its listener is gone, its file is not.
    drop(UnixListener::bind(&path).unwrap());
    let config = ApiConfig { socket: Some(path.clone()), ..ApiConfig::default() };
    let mut node = Node::start(config.clone());
    let again = ApiConfig { listen: "127.0.0.1:0".parse().unwrap(), ..config };
    let taken = node.refuses(again.clone());
    assert!(matches!(&taken, ServeError::Socket { source: SocketError::Taken, .. }), "{taken}");
    assert!(taken.to_string().contains("another process listens"), "{taken}");
    assert!(UnixStream::connect(&path).is_ok(), "the one that listens is left alone");
    // Whoever put another file there keeps it.
    fs::remove_file(&path).unwrap();
    fs::write(&path, "mine").unwrap();
    let other = node.refuses(again);
    assert!(matches!(&other, ServeError::Socket { source: SocketError::NotASocket, .. }), "{other}");
    node.stop();
    node.ended().unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"mine");
}

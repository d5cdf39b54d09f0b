//! Whatever is sent, there is an answer, and it is never a failure of the node.

use std::io::Write;

use proptest::prelude::*;

use super::node::{Node, Raw};
use crate::ApiConfig;

#[test]
fn any_request_has_an_answer() {
    let node = Node::start(ApiConfig::default());
    let config = ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() };
    proptest!(config, |(
        method in "GET|POST|PUT|DELETE|HEAD|[A-Z]{1,8}",
        route in "/(v1/(payments|cases|alerts|signals|evidence|status)|livez|readyz|metrics)?",
        rest in "(/[!-~]{0,40}(/(audit|steps|retract))?)?",
        media in "application/(json|xml)|text/xml|[ -~]{0,30}",
        body in proptest::collection::vec(any::<u8>(), 0..300),
    )| {
        let head = node.head(&format!("{method} {route}{rest}"), &[&format!("Content-Type: {media}")]);
        let mut stream = node.connect();
        write!(stream, "{head}Content-Length: {}\r\n\r\n", body.len()).unwrap();
        stream.write_all(&body).unwrap();
        let answer = Raw::read(&mut stream);
        prop_assert!((200..500).contains(&answer.status), "{answer:?}");
        // hyper itself answers a head that is not HTTP, with 400 and no body.
        if answer.status >= 400 && !answer.body.is_empty() {
            prop_assert_eq!(answer.header("content-type"), Some("application/problem+json"));
        }
    });
}

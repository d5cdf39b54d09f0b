//! docs/frame.md says the bytes that the code makes.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests: what fails here fails the test")]

use std::path::{Path, PathBuf};

use hansa_xdp::frame::{Frame, Key, Reason, Reply, Scheme, Subject, digest};

fn top() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn page() -> String {
    std::fs::read_to_string(top().join("docs/frame.md")).unwrap()
}

fn unhex(text: &str) -> Vec<u8> {
    hex::decode(text.split_whitespace().collect::<String>()).unwrap()
}

/// The bytes of the block that is called so.
fn block(page: &str, name: &str) -> Vec<u8> {
    let begin = format!("```text {name}\n");
    let (_, rest) = page.split_once(&begin).unwrap_or_else(|| panic!("no block {name}"));
    unhex(rest.split_once("```").unwrap().0)
}

#[test]
fn the_example_is_the_frozen_vectors() {
    let page = page();
    for name in ["frame", "reply-pre-screened", "reply-block", "reply-refused"] {
        let vector = top().join("xdp/frame/tests/vectors").join(name).with_extension("hex");
        assert_eq!(block(&page, name), unhex(&std::fs::read_to_string(vector).unwrap()), "{name}");
    }
    let key = Key::new(std::array::from_fn(|at| at as u8));
    let said = digest(&key, Subject::Account, "DE89370400440532013000").unwrap();
    assert_eq!(block(&page, "digest"), said.0);
    let frame = Frame::new(block(&page, "frame").try_into().unwrap());
    assert!(frame.is_authentic(&key));
    let fields = frame.fields().unwrap();
    assert_eq!((fields.key_id, fields.sequence, fields.amount), (3, 77, 123_456));
    assert_eq!((fields.time, fields.scheme), (1_764_150_000_123, Scheme::SctInst));
    let reply = Reply::open(&block(&page, "reply-block").try_into().unwrap(), &key).unwrap();
    assert!(reply.answers(&frame) && reply.reason() == Reason::DebtorListed);
}

/// Every reason stands in the table with its number, its verdict, and whether it is answered.
#[test]
fn the_table_of_reasons_is_complete() {
    let page = page();
    for reason in Reason::ALL {
        let begin = format!("| {} | {}", *reason as u8, reason.name());
        let line = page.lines().find(|line| line.starts_with(&begin)).unwrap_or_else(|| panic!("{begin}"));
        assert!(line.contains(&format!("| {} |", reason.verdict().name())), "{line}");
        assert_eq!(line.ends_with("| no |"), !reason.is_answered(), "{line}");
    }
}

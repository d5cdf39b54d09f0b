//! The drop folder over the scripted service: every file gets its answer or its reason, and a crash loses nothing.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::node::Node;
use crate::error::ProblemBody;
use crate::kafka::KafkaConfig;
use crate::model::Submission;
use crate::{AnswerForm, ApiConfig, FilesConfig};

const PATIENCE: Duration = Duration::from_secs(10);

struct Inbox {
    dir: TempDir,
    config: FilesConfig,
}

impl Inbox {
    fn new(answer: AnswerForm) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let config =
            FilesConfig { dir: Some(dir.path().to_owned()), answer, poll_ms: 5, ..FilesConfig::default() };
        Self { dir, config }
    }

    fn node(&self) -> Node {
        Node::start_with(ApiConfig::default(), &self.config, &KafkaConfig::default(), None)
    }

    fn path(&self, path: &str) -> PathBuf {
        self.dir.path().join(path)
    }

    /// As whoever sends should: written elsewhere, renamed in.
    fn send(&self, name: &str, message: &str) {
        fs::create_dir_all(self.path("inbox")).unwrap();
        let aside = self.path(&format!("inbox/.{name}"));
        fs::write(&aside, message).unwrap();
        fs::rename(aside, self.path(&format!("inbox/{name}"))).unwrap();
    }

    fn until(&self, what: &str, holds: impl Fn(&Path) -> bool) -> PathBuf {
        let (path, deadline) = (self.path(what), Instant::now() + PATIENCE);
        while !holds(&path) {
            assert!(Instant::now() < deadline, "{what}");
            std::thread::yield_now();
        }
        path
    }

    fn read(&self, what: &str) -> Vec<u8> {
        fs::read(self.until(what, Path::exists)).unwrap()
    }

    fn reason(&self, name: &str) -> ProblemBody {
        self.until(&format!("refused/{name}"), Path::exists);
        serde_json::from_slice(&self.read(&format!("refused/{name}.problem.json"))).unwrap()
    }
}

#[test]
fn a_file_is_answered_by_a_file_of_its_name() {
    let folder = Inbox::new(AnswerForm::Report);
    folder.send("before.xml", "one");
    let _node = folder.node();
    folder.send("pay.xml", "one");
    for name in ["before.xml", "pay.xml"] {
        assert_eq!(folder.read(&format!("outbox/{name}")), b"<Document/>");
        assert_eq!(folder.read(&format!("done/{name}")), b"one");
        assert!(!folder.path(&format!("inbox/{name}")).exists());
    }
    let json = Inbox::new(AnswerForm::Json);
    let _other = json.node();
    json.send("pay.xml", "one");
    let answer: Submission = serde_json::from_slice(&json.read("outbox/pay.xml.json")).unwrap();
    assert_eq!((answer.payments.len(), answer.payments[0].internal.is_none()), (1, true));
}

#[test]
fn what_cannot_be_answered_is_put_aside_with_the_reason() {
    let folder = Inbox::new(AnswerForm::Json);
    let node = folder.node();
    folder.send("bad.xml", "malformed");
    let reason = folder.reason("bad.xml");
    assert_eq!(
        (reason.kind.as_str(), reason.hint.as_deref()),
        ("urn:hansa:problem:malformed", Some("send it without"))
    );
    folder.send("bad.xml", "camt");
    assert_eq!(folder.reason("bad.xml.1").kind, "urn:hansa:problem:unsupported-message");
    folder.send("big.xml", &"x".repeat((1 << 20) + 1));
    assert_eq!(folder.reason("big.xml").status, 413);
    fs::create_dir(folder.path("inbox/folder")).unwrap();
    assert_eq!(folder.reason("folder").kind, "urn:hansa:problem:malformed");
    std::os::unix::fs::symlink("/dev/zero", folder.path("inbox/link")).unwrap();
    folder.until("refused/link", |path| path.is_symlink());
    folder.send("good.xml", "one");
    folder.read("done/good.xml");
    folder.send("good.xml", "other");
    assert_eq!(folder.reason("good.xml").kind, "urn:hansa:problem:conflict");
    assert_eq!(folder.read("done/good.xml"), b"one", "the first one's answer stands");
    node.until_metric(r#"files_total{fate="refused"}"#, |value| value == 6.0);
}

#[test]
fn what_comes_under_the_name_of_a_message_being_decided_is_another_message() {
    let folder = Inbox::new(AnswerForm::Json);
    let node = folder.node();
    folder.send("pay.xml", "hang");
    node.entered();
    folder.send("pay.xml", "other");
    node.release();
    assert_eq!(folder.reason("pay.xml").kind, "urn:hansa:problem:conflict");
    assert_eq!(folder.read("refused/pay.xml"), b"other");
    assert_eq!(folder.read("done/pay.xml"), b"hang");
}

#[test]
fn nothing_that_was_refused_is_replaced() {
    let folder = Inbox::new(AnswerForm::Json);
    fs::create_dir(folder.path("refused")).unwrap();
    std::os::unix::fs::symlink("nowhere", folder.path("refused/link.xml")).unwrap();
    let _node = folder.node();
    folder.send("bad.xml.problem.json", "malformed");
    folder.reason("bad.xml.problem.json");
    folder.send("bad.xml", "malformed");
    folder.reason("bad.xml.1");
    assert_eq!(folder.read("refused/bad.xml.problem.json"), b"malformed");
    folder.send("link.xml", "malformed");
    folder.reason("link.xml.1");
    assert!(folder.path("refused/link.xml").is_symlink());
}

#[test]
fn a_name_without_room_for_what_is_added_is_refused() {
    let folder = Inbox::new(AnswerForm::Json);
    let _node = folder.node();
    fs::create_dir_all(folder.path("inbox")).unwrap();
    let (longest, longer) = ("a".repeat(236), "b".repeat(255));
    folder.send(&longest, "one");
    folder.read(&format!("outbox/{longest}.json"));
    fs::write(folder.path("aside"), "one").unwrap();
    fs::rename(folder.path("aside"), folder.path(&format!("inbox/{longer}"))).unwrap();
    let reason = folder.reason(&longer[..236]);
    assert!(reason.detail.contains(&longer) && reason.detail.contains("236"), "{}", reason.detail);
}

#[test]
fn a_message_that_has_its_decision_panic_is_refused_after_some_tries() {
    let folder = Inbox::new(AnswerForm::Json);
    let node = folder.node();
    folder.send("pay.xml", "panic");
    assert_eq!(folder.reason("pay.xml").kind, "urn:hansa:problem:internal");
    let tries = node.fake.calls.lock().unwrap().iter().filter(|call| *call == "submit 5 bytes").count();
    assert_eq!(tries, 5);
}

#[test]
fn what_may_pass_is_tried_again_and_hidden_files_are_left() {
    let folder = Inbox::new(AnswerForm::Json);
    let node = folder.node();
    fs::write(folder.path("inbox/.half"), "o").unwrap();
    folder.send("later.xml", "recovers");
    folder.read("done/later.xml");
    let calls = node.fake.calls.lock().unwrap().iter().filter(|call| *call == "submit 8 bytes").count();
    assert_eq!(calls, 3);
    assert_eq!(folder.read("inbox/.half"), b"o");
}

#[test]
fn a_file_that_was_being_answered_when_the_node_died_is_answered_by_the_next() {
    let folder = Inbox::new(AnswerForm::Json);
    let node = folder.node();
    folder.send("pay.xml", "hang");
    node.entered();
    // No draining, nothing finished: what is on disk is all that is left.
    drop(node);
    assert_eq!(folder.read("work/pay.xml"), b"hang");
    // As a crash between the answer and the move leaves it.
    fs::write(folder.path("outbox/pay.xml.json"), "half").unwrap();
    let node = folder.node();
    node.entered();
    node.release();
    folder.read("done/pay.xml");
    assert!(serde_json::from_slice::<Submission>(&folder.read("outbox/pay.xml.json")).is_ok());
}

#[test]
fn a_stopping_node_finishes_what_it_has_begun() {
    let folder = Inbox::new(AnswerForm::Json);
    let mut node = folder.node();
    folder.send("pay.xml", "hang");
    node.entered();
    node.stop();
    node.release();
    node.ended().unwrap();
    assert!(folder.path("done/pay.xml").exists() && folder.path("outbox/pay.xml.json").exists());
}

#[test]
fn no_more_files_are_decided_at_once_than_configured() {
    let mut folder = Inbox::new(AnswerForm::Json);
    folder.config.in_flight = 2;
    for n in 0..5 {
        folder.send(&format!("{n}.xml"), "hang");
    }
    let node = folder.node();
    node.entered();
    node.entered();
    assert_eq!(node.post("one").status, 200, "a round trip in which a third would have been called");
    let hanging = || node.fake.calls.lock().unwrap().iter().filter(|call| *call == "submit 4 bytes").count();
    assert_eq!(hanging(), 2);
    (0..5).for_each(|_| node.release());
    folder.read("done/4.xml");
}

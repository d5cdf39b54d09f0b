//! One bank's node is sent what it must refuse, what it has decided already, and everything at once.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests: what fails here fails the test")]

mod common;

use std::io::Write;
use std::sync::{Arc, Barrier, Mutex, MutexGuard, PoisonError, Weak};

use common::http::{Reply, bearer, chunked, connect, get, post_json, read_reply, request, submit};
use common::message::{HARMLESS, LISTED, MULE, Transfer, message, to_b, uetr};
use common::{A, B, Group, sample};
use hansa_api::Client;
use hansa_api::model::{AnswerStatus, PaymentAnswer, Submission};
use hansa_screening::message::{Message, Status, read};
use hansa_testnet::consortium::Bank;
use hansa_testnet::process::client;
use hansa_types::decision::Verdict;
use hansa_types::record::RecordClass;
use hansa_types::uetr::Uetr;

/// The node's default for `api.body_limit`, and of the largest message.
const BODY_LIMIT: usize = 1 << 20;
/// How many clients send at once.
const CLIENTS: usize = 8;

/// The node that all tests of this file share; the last one of them ends it.
static SHARED: Mutex<Weak<Mutex<Group>>> = Mutex::new(Weak::new());
/// Tests have the node one after the other, so that what each sees in the log is its own doing.
static TURN: Mutex<()> = Mutex::new(());

struct Node {
    bank: Bank,
    /// A bank whose node does not run.
    other: Bank,
    _turn: MutexGuard<'static, ()>,
    _group: Arc<Mutex<Group>>,
}

fn node() -> Node {
    let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
    let group = shared.upgrade().unwrap_or_else(|| Arc::new(Mutex::new(Group::running(&[A]))));
    *shared = Arc::downgrade(&group);
    drop(shared);
    let [bank, other] = [A, B].map(|at| group.lock().unwrap().bank(at).clone());
    Node { bank, other, _turn: TURN.lock().unwrap_or_else(PoisonError::into_inner), _group: group }
}

impl Node {
    fn bank(&self) -> &Bank {
        &self.bank
    }

    fn client(&self) -> Client {
        client(self.bank()).unwrap()
    }

    /// How many records the log holds on payments, and all it counts; beside them the node records the use of its interface.
    fn log(&self) -> (u64, String) {
        let counters = self.client().status().unwrap().counters;
        let payments = counters.payments.verdicts.values().sum::<u64>() + counters.payments.duplicates;
        (payments, serde_json::to_string(&counters).unwrap())
    }

    fn submit(&self, transfers: &[Transfer]) -> Vec<PaymentAnswer> {
        self.client().submit(message(transfers).as_bytes(), true).unwrap().payments
    }

    fn classes(&self, uetr: Uetr) -> Vec<RecordClass> {
        self.client().history(uetr, None).unwrap().iter().map(|entry| entry.class).collect()
    }

    /// A refused request left nothing behind, and the next good one is answered.
    #[track_caller]
    fn refuses(&self, name: &str, reply: &Reply, status: u16, kind: &str, detail: &str) {
        let problem = reply.problem();
        assert_eq!((reply.status, &*problem.kind), (status, &*format!("urn:hansa:problem:{kind}")), "{name}");
        assert!(problem.detail.contains(detail), "{name}: {detail:?} is missing in {problem:?}");
    }

    #[track_caller]
    fn still_answers(&self, number: u64) {
        assert_eq!(get(self.bank(), "/livez").body, "ok\n");
        let [answer] = self.submit(&[to_b(number, HARMLESS, MULE)]).try_into().unwrap();
        assert_eq!((answer.status, answer.verdict), (AnswerStatus::Decided, Some(Verdict::Clear)));
    }
}

fn count(classes: &[RecordClass], wanted: RecordClass) -> usize {
    classes.iter().filter(|class| **class == wanted).count()
}

#[test]
fn without_the_token_nothing_is_told_and_nothing_done() {
    let node = node();
    let (bank, before) = (node.bank(), node.log());
    let good = to_b(100, HARMLESS, MULE).message();
    let right = bearer(bank);
    let wrong = format!("Authorization: Bearer {}", "5a".repeat(32));
    let basic = right.replace("Bearer", "Basic");
    let short = right[..right.len() - 2].to_owned();
    let other = bearer(&node.other);
    let cases: [(&str, &[&str]); 7] = [
        ("no token", &[]),
        ("a wrong token", &[&wrong]),
        ("another bank's token", &[&other]),
        ("the token in another scheme", &[&basic]),
        ("a part of the token", &[&short]),
        ("the token twice", &[&right, &right]),
        ("the right token and a wrong one", &[&right, &wrong]),
    ];
    for (name, headers) in cases {
        let all: Vec<&str> = headers.iter().copied().chain(["Content-Type: application/xml"]).collect();
        let reply = request(bank, "POST /v1/payments", &all, good.as_bytes());
        node.refuses(name, &reply, 401, "unauthenticated", "");
        for path in ["/v1/cases", "/v1/alerts", "/v1/signals", "/v1/status"] {
            node.refuses(
                name,
                &request(bank, &format!("GET {path}"), headers, b""),
                401,
                "unauthenticated",
                "",
            );
        }
        let audit = format!("GET /v1/payments/{}/audit", uetr(100));
        node.refuses(name, &request(bank, &audit, headers, b""), 401, "unauthenticated", "");
    }
    for open in ["/livez", "/readyz", "/metrics"] {
        assert_eq!(request(bank, &format!("GET {open}"), &[], b"").status, 200, "{open} needs no token");
    }
    assert_eq!(node.log(), before);
    node.still_answers(101);
}

/// Status and reason of each payment in the scheme's own answer to a message.
fn report(bank: &Bank, message: &str) -> Vec<(String, Option<String>)> {
    let answer = client(bank).unwrap().report(message.as_bytes()).unwrap();
    let Ok(Message::Status(report)) = read(answer.as_bytes()) else { panic!("no status report: {answer}") };
    let said = |status: &Status| {
        (
            status.status.clone().unwrap_or_default(),
            status.reasons.first().and_then(|reason| reason.code.clone()),
        )
    };
    report.transactions.iter().map(said).collect()
}

#[test]
fn a_message_is_answered_in_the_words_of_its_scheme() {
    let node = node();
    let transfers = [440, 441, 442].map(|number| to_b(number, HARMLESS, MULE));
    let first = report(node.bank(), &message(&transfers));
    assert_eq!(first.len(), 3);
    assert!(first.iter().all(|(status, reason)| status.starts_with("AC") && reason.is_none()), "{first:?}");
    assert_eq!(report(node.bank(), &message(&transfers)), first, "the same again");
    let held = report(node.bank(), &to_b(443, HARMLESS, LISTED).message());
    assert_ne!(held[0].0, first[0].0, "{held:?}");
    let changed = Transfer { amount: "1.23".to_owned(), ..transfers[0].clone() };
    let refused = report(node.bank(), &changed.message());
    assert_eq!(refused, [("RJCT".to_owned(), Some("AM05".to_owned()))]);
}

#[test]
fn hostile_and_broken_messages_are_refused_with_the_reason() {
    let node = node();
    let before = node.log();
    let good = to_b(110, HARMLESS, MULE).message();
    let utf16: Vec<u8> = good.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let marked = [b"\xff\xfe".as_slice(), &utf16].concat();
    let nested = format!("{}{}", "<a>".repeat(100_000), "</a>".repeat(100_000));
    let entity = good
        .replace("Savings", "&xxe;")
        .replace("<Document", "<!DOCTYPE Document [<!ENTITY xxe SYSTEM \"file:///etc/passwd\">]><Document");
    let messages: Vec<(&str, Vec<u8>, &str)> = vec![
        ("DOCTYPE", sample("51-doctype.xml"), "not allowed"),
        ("entity bomb", sample("52-entity-bomb.xml"), "not allowed"),
        ("external entity", entity.into_bytes(), "not allowed"),
        ("undeclared entity", sample("53-undeclared-entity.xml"), "not allowed"),
        ("Latin-1 declared as UTF-8", sample("54-wrong-encoding.xml"), "UTF-8"),
        ("UTF-8 declared as UTF-16", sample("55-utf-16-declared.xml"), "UTF-8"),
        ("UTF-16", marked, "UTF-8"),
        ("UTF-16 without its mark", utf16, ""),
        ("500 elements deep", sample("56-deep-nesting.xml"), "more than"),
        ("100,000 elements deep", nested.into_bytes(), "more than"),
        ("not well-formed", sample("50-malformed.xml"), "line"),
        ("cut off", sample("59-truncated.xml"), "line"),
        ("nothing", sample("58-empty.xml"), "no ISO 20022 Document"),
        ("no document", sample("60-no-document.xml"), "no ISO 20022 Document"),
        ("two documents", sample("63-two-documents.xml"), "one message at a time"),
        ("an element twice", sample("62-element-twice.xml"), "twice"),
        ("JSON", b"{\"amount\": 1}".to_vec(), ""),
        ("zero bytes", vec![0; 4096], ""),
    ];
    for (name, bytes, detail) in &messages {
        node.refuses(name, &submit(node.bank(), bytes), 400, "malformed", detail);
    }
    let other = submit(node.bank(), &sample("57-status-report.xml"));
    node.refuses("a pacs.002", &other, 422, "unsupported-message", "pacs.002");
    let next = good.replace("pacs.008.001.08", "pacs.008.001.99");
    node.refuses(
        "an unknown version",
        &submit(node.bank(), next.as_bytes()),
        422,
        "unsupported-message",
        ".99",
    );
    assert_eq!(node.log(), before, "what is refused is not logged");
    node.still_answers(111);
}

#[test]
fn bodies_beyond_the_limit_are_refused() {
    let node = node();
    let before = node.log();
    let xml = "Content-Type: application/xml";
    let good = to_b(120, HARMLESS, MULE).message();
    let padded = |length: usize| [good.as_bytes(), &vec![b' '; length - good.len()]].concat();
    let headers = [&*bearer(node.bank()), xml];
    for (name, body) in [
        ("one byte too many", padded(BODY_LIMIT + 1)),
        ("100 MB", padded(100_000_000)),
        ("100 MB without white space", vec![b'<'; 100_000_000]),
    ] {
        node.refuses(name, &submit(node.bank(), &body), 413, "too-large", "1048576");
        let reply = chunked(node.bank(), "POST /v1/payments", &headers, &body);
        node.refuses(&format!("{name}, in chunks"), &reply, 413, "too-large", "1048576");
    }
    assert_eq!(node.log(), before);
    let largest = submit(node.bank(), &padded(BODY_LIMIT));
    assert_eq!(largest.status, 200, "the largest message is taken: {largest:?}");
    node.still_answers(121);
}

#[test]
fn requests_that_are_not_of_the_interface_are_refused() {
    let node = node();
    let (bank, before) = (node.bank(), node.log());
    let good = to_b(130, HARMLESS, MULE).message();
    let token = bearer(bank);
    let types: [&[&str]; 5] = [
        &[],
        &["Content-Type: application/json"],
        &["Content-Type: text/plain"],
        &["Content-Type: application/xml; charset=utf-16"],
        &["Content-Type: application/xml", "Content-Encoding: gzip"],
    ];
    for headers in types {
        let all: Vec<&str> = headers.iter().copied().chain([&*token]).collect();
        let reply = request(bank, "POST /v1/payments", &all, good.as_bytes());
        node.refuses(&format!("{headers:?}"), &reply, 415, "unsupported-media-type", "");
    }
    let unknown = uetr(999_999);
    let opening = format!(r#"{{"uetr":"{unknown}","suspect":"creditor","actor":"o"}}"#);
    let requests = [
        ("no such route", get(bank, "/v1/secrets"), 404, "not-found"),
        ("another method", get(bank, "/v1/payments"), 405, "method-not-allowed"),
        ("another query", get(bank, "/v1/cases?colour=red"), 400, "malformed"),
        ("no state of cases", get(bank, "/v1/cases?state=lost"), 400, "malformed"),
        ("no UETR", get(bank, "/v1/payments/42/audit"), 400, "malformed"),
        ("a payment nobody sent", get(bank, &format!("/v1/payments/{unknown}/audit")), 404, "not-found"),
        ("half a leg", get(bank, &format!("/v1/payments/{unknown}/audit?instructing=X")), 400, "malformed"),
        (
            "evidence on nothing",
            post_json(bank, "/v1/evidence", &format!(r#"{{"uetr":"{unknown}"}}"#)),
            404,
            "not-found",
        ),
        ("a case on nothing", post_json(bank, "/v1/cases", &opening), 404, "not-found"),
        (
            "an unknown field",
            post_json(bank, "/v1/cases", &opening.replace("actor", "author")),
            400,
            "malformed",
        ),
        (
            "a step of no case",
            post_json(bank, "/v1/cases/77/steps", r#"{"state":"assigned","actor":"o"}"#),
            404,
            "not-found",
        ),
        (
            "a signal nobody sent",
            post_json(bank, &format!("/v1/signals/{}/retract", "0".repeat(64)), r#"{"actor":"o"}"#),
            404,
            "not-found",
        ),
    ];
    for (name, reply, status, kind) in requests {
        node.refuses(name, &reply, status, kind, "");
    }
    assert_eq!(node.log(), before);
    node.still_answers(131);
}

#[test]
fn what_is_no_http_does_not_stop_the_node() {
    let node = node();
    let token = bearer(node.bank());
    let half = format!(
        "POST /v1/payments HTTP/1.1\r\nHost: x\r\n{token}\r\nContent-Type: application/xml\r\nContent-Length: 900\r\n\r\n<Doc"
    );
    for bytes in [
        b"\0\xff\x16\x03\x01 no HTTP at all\r\n\r\n".as_slice(),
        half.as_bytes(),
        b"GET / HTTP/9.9\r\n\r\n",
        b"",
    ] {
        let mut stream = connect(node.bank());
        stream.write_all(bytes).unwrap();
        stream.shutdown(std::net::Shutdown::Both).unwrap();
    }
    let mut stream = connect(node.bank());
    stream.write_all(b"no HTTP at all\r\n\r\n").unwrap();
    assert_eq!(read_reply(&mut stream).status, 400);
    node.still_answers(140);
}

#[test]
fn a_payment_sent_again_gets_the_same_answer_and_is_not_logged_again() {
    let node = node();
    let transfer = to_b(200, "2310.00", LISTED);
    let [first] = node.submit(std::slice::from_ref(&transfer)).try_into().unwrap();
    assert_eq!((first.status, first.verdict), (AnswerStatus::Decided, Some(Verdict::Investigate)));
    let before = node.log();
    for _ in 0..3 {
        let [again] = node.submit(std::slice::from_ref(&transfer)).try_into().unwrap();
        assert_eq!(again, PaymentAnswer { status: AnswerStatus::Repeated, ..first.clone() });
    }
    assert_eq!(node.log(), before, "neither size nor root may change");
    let decisions = node.classes(uetr(200)).into_iter().filter(|class| *class == RecordClass::Decision);
    assert_eq!(decisions.count(), 1);
}

#[test]
fn a_key_with_other_content_is_a_duplicate_and_the_refusal_is_on_record() {
    let node = node();
    let transfer = to_b(210, HARMLESS, MULE);
    let [first] = node.submit(std::slice::from_ref(&transfer)).try_into().unwrap();
    let (size, _) = node.log();
    let changed = Transfer { amount: "7520.00".to_owned(), ..transfer.clone() };
    let reply = submit(node.bank(), changed.message().as_bytes());
    let problem = reply.problem();
    assert_eq!((reply.status, &*problem.kind), (409, "urn:hansa:problem:duplicate"));
    let [answer] = problem.submission.unwrap().payments.try_into().unwrap();
    assert_eq!((answer.status, answer.verdict), (AnswerStatus::Duplicate, None));
    assert_eq!(answer.outward_code.as_deref(), Some("AM05"));
    assert_eq!(answer.payment, first.payment);
    assert!(answer.internal.is_none());
    assert_eq!(node.classes(uetr(210)), [RecordClass::Decision, RecordClass::Refusal]);
    assert_eq!(node.log().0, size + 1);

    let [again] = node.submit(std::slice::from_ref(&transfer)).try_into().unwrap();
    assert_eq!(again, PaymentAnswer { status: AnswerStatus::Repeated, ..first }, "the first one stands");
    let other_leg = Transfer { instructed: common::message::CEDAR, ..transfer };
    let [answer] = node.submit(&[other_leg]).try_into().unwrap();
    assert_eq!(answer.status, AnswerStatus::Decided, "the same UETR on another leg is another key");
}

/// Sends each of `messages` at the same moment.
fn at_once(bank: &Bank, messages: &[String]) -> Vec<PaymentAnswer> {
    let barrier = Barrier::new(messages.len());
    std::thread::scope(|scope| {
        let senders: Vec<_> = messages
            .iter()
            .map(|message| {
                let (client, barrier) = (client(bank).unwrap(), &barrier);
                scope.spawn(move || {
                    barrier.wait();
                    let [answer] =
                        client.submit(message.as_bytes(), true).unwrap().payments.try_into().unwrap();
                    answer
                })
            })
            .collect();
        senders.into_iter().map(|sender| sender.join().unwrap()).collect()
    })
}

fn with_status(answers: &[PaymentAnswer], status: AnswerStatus) -> Vec<&PaymentAnswer> {
    answers.iter().filter(|answer| answer.status == status).collect()
}

#[test]
fn identical_payments_at_once_are_decided_once() {
    let node = node();
    for round in 0..20 {
        let (size, _) = node.log();
        let transfer = to_b(300 + round, "2310.00", LISTED);
        let answers = at_once(node.bank(), &vec![transfer.message(); CLIENTS]);
        let decided = with_status(&answers, AnswerStatus::Decided);
        let repeated = with_status(&answers, AnswerStatus::Repeated);
        assert_eq!((decided.len(), repeated.len()), (1, CLIENTS - 1), "round {round}: {answers:?}");
        let of =
            |answer: &PaymentAnswer| (answer.verdict, answer.outward_code.clone(), answer.internal.clone());
        assert!(answers.iter().all(|answer| of(answer) == of(decided[0])), "round {round}: {answers:?}");
        // With the case that it joins, as long as that has room for it.
        let classes = node.classes(uetr(300 + round));
        let logged = [RecordClass::Decision, RecordClass::Case];
        assert!(!classes.is_empty() && logged.starts_with(&classes), "{classes:?}");
        assert_eq!(node.log().0, size + 1);
    }
}

#[test]
fn of_different_payments_under_one_key_at_once_one_is_decided() {
    let node = node();
    for round in 0..10 {
        let (size, _) = node.log();
        let transfer =
            |amount: usize| Transfer { amount: format!("{amount}.00"), ..to_b(350 + round, "", MULE) };
        let messages: Vec<String> = (0..CLIENTS).map(|i| transfer(10 + i).message()).collect();
        let answers = at_once(node.bank(), &messages);
        assert_eq!(with_status(&answers, AnswerStatus::Decided).len(), 1, "round {round}: {answers:?}");
        assert_eq!(
            with_status(&answers, AnswerStatus::Duplicate).len(),
            CLIENTS - 1,
            "round {round}: {answers:?}"
        );
        let classes = node.classes(uetr(350 + round));
        assert_eq!(classes[0], RecordClass::Decision);
        assert_eq!(count(&classes, RecordClass::Refusal), CLIENTS - 1);
        assert_eq!(node.log().0, size + CLIENTS as u64);
    }
}

#[test]
fn each_transaction_of_a_message_has_its_own_answer() {
    let node = node();
    let (size, _) = node.log();
    let parts = [to_b(400, HARMLESS, MULE), to_b(401, "2310.00", LISTED), to_b(402, "61.00", MULE)];
    let answers = node.submit(&parts);
    let verdicts: Vec<_> = answers.iter().map(|answer| answer.verdict.unwrap()).collect();
    assert_eq!(verdicts, [Verdict::Clear, Verdict::Investigate, Verdict::Clear]);
    assert!(answers.iter().all(|answer| answer.status == AnswerStatus::Decided));
    assert_eq!(node.log().0, size + 3);

    let mut changed = parts;
    changed[1].amount = "2311.00".to_owned();
    let reply = submit(node.bank(), message(&changed).as_bytes());
    assert_eq!(reply.status, 200, "several payments get an answer each: {reply:?}");
    let submission: Submission = serde_json::from_str(&reply.body).unwrap();
    let statuses: Vec<_> = submission.payments.iter().map(|answer| answer.status).collect();
    assert_eq!(statuses, [AnswerStatus::Repeated, AnswerStatus::Duplicate, AnswerStatus::Repeated]);
    assert_eq!(submission.payments[1].outward_code.as_deref(), Some("AM05"));

    let twice = [to_b(403, "10.00", MULE), to_b(403, "10.00", MULE), to_b(403, "11.00", MULE)];
    let statuses: Vec<_> = node.submit(&twice).iter().map(|answer| answer.status).collect();
    // A retry is the same message again; twice in one message is a payment too many, whatever it says.
    assert_eq!(statuses, [AnswerStatus::Decided, AnswerStatus::Duplicate, AnswerStatus::Duplicate]);
    assert_eq!(node.log().0, size + 3 + 1 + 3);
}

#[test]
fn a_message_with_one_bad_transaction_is_decided_as_a_whole_or_not_at_all() {
    let node = node();
    let before = node.log();
    let good = message(&[to_b(410, HARMLESS, MULE), to_b(411, HARMLESS, MULE)]);
    let broken = good.replacen("</CdtTrfTxInf></FIToFICstmrCdtTrf>", "</FIToFICstmrCdtTrf>", 1);
    assert_ne!(good, broken);
    node.refuses(
        "the last transaction is broken",
        &submit(node.bank(), broken.as_bytes()),
        400,
        "malformed",
        "",
    );
    assert_eq!(node.log(), before, "its first transaction was not decided either");
    let audit = get(node.bank(), &format!("/v1/payments/{}/audit", uetr(410)));
    assert_eq!(audit.status, 404);
}

#[test]
fn the_outside_is_told_verdict_and_code_and_no_reason() {
    let node = node();
    for (number, path) in [(500, "/v1/payments"), (500, "/v1/payments?")] {
        let line = format!("POST {path}");
        let headers = [&*bearer(node.bank()), "Content-Type: application/xml"];
        let message = to_b(number, "2310.00", LISTED).message();
        let reply = request(node.bank(), &line, &headers, message.as_bytes());
        assert_eq!(reply.status, 200, "{reply:?}");
        let json: serde_json::Value = serde_json::from_str(&reply.body).unwrap();
        let payment = json["payments"][0].as_object().unwrap();
        let mut fields: Vec<&str> = payment.keys().map(String::as_str).collect();
        fields.sort_unstable();
        assert_eq!(fields, ["outward_code", "payment", "status", "verdict"], "{reply:?}");
        assert_eq!(payment["verdict"], "INVESTIGATE");
        for told in ["reason", "score", "finding", "signal", "listed", "samples", "Ostrik", "hold", "freeze"]
        {
            assert!(!reply.body.contains(told), "{told:?} is nobody's business: {}", reply.body);
        }
    }
    let inside = node.submit(&[to_b(500, "2310.00", LISTED)]);
    assert!(!inside[0].internal.as_ref().unwrap().reasons.is_empty(), "the bank itself is told");
    let line = "POST /v1/payments?detail=everything";
    let reply = request(node.bank(), line, &[&bearer(node.bank()), "Content-Type: application/xml"], b"<a/>");
    node.refuses("an unknown detail", &reply, 400, "malformed", "");
}

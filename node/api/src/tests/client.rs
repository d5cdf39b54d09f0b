//! The client against the interface: each call arrives as it was meant and its answer comes back whole.

use std::sync::atomic::Ordering;

use hansa_types::case::CaseState;
use hansa_types::hash::Digest;
use hansa_types::id::Epoch;
use rand::SeedableRng;
use rand_chacha::ChaCha20Rng;

use super::node::Node;
use super::samples;
use crate::model::*;
use crate::{ApiConfig, ApiToken, Client, ClientError};

#[test]
fn every_call_goes_there_and_back() {
    let node = Node::start(ApiConfig::default());
    let client = node.client();
    assert_eq!(client.submit(b"one", true).unwrap(), samples::decided());
    assert_eq!(client.submit(b"one", false).unwrap(), samples::decided().outward());
    assert_eq!(client.history(samples::uetr(), None).unwrap(), [samples::log_entry()]);
    assert_eq!(client.history(samples::uetr(), Some(&samples::leg())).unwrap().len(), 1);
    cases_go_there_and_back(&client);
    assert_eq!(client.alerts().unwrap(), [samples::alert()]);
    assert_eq!(client.signals().unwrap(), [samples::signal()]);
    assert_eq!(client.retract(Digest([6; 32]), samples::actor()).unwrap().state, SignalState::Retracted);
    let request = EvidenceRequest { uetr: samples::uetr(), leg: Some(samples::leg()) };
    assert_eq!(client.evidence(&request).unwrap(), [0, 1, 2, 0xff]);
    let query = LogQuery { after: Some(7), ..LogQuery::default() };
    assert_eq!(client.find(&query).unwrap().entries, [samples::found()]);
    let action = samples::subject_action();
    assert!(client.hold(&action, true).unwrap().held);
    assert!(!client.hold(&action, false).unwrap().held);
    assert!(client.erase(&action).unwrap_err().to_string().contains("entry 41 is kept"));
    assert_eq!(client.export_subject(action.subject).unwrap().entries, [samples::found()]);
    let expiry = ExpiryRequest { erase: false, actor: samples::actor(), after: None };
    assert_eq!(client.expire(&expiry).unwrap().expired.len(), 1);
    assert_eq!(client.scrub().unwrap().in_raft_log, 1);
    assert_eq!(client.log_checkpoint().unwrap(), "the checkpoint\n");
    assert_eq!(client.log_proof(41).unwrap(), "the proof\n");
    assert_eq!(client.log_tile("tile/entries/x001/234.p/5").unwrap(), [3; 32]);
    assert_eq!(client.disclose_decisions(7).unwrap(), [4; 40]);
    let order = TraceRequest { epoch: Epoch(3), actor: samples::actor(), reason: "order 17".to_owned() };
    assert_eq!(client.disclose_trace(&order).unwrap(), [5; 44]);
    assert_eq!(client.backups().unwrap(), samples::backups());
    assert!(client.back_up().unwrap().running);
    assert_eq!(client.root_at(7).unwrap(), RootView { size: 7, root: Digest([4; 32]), log_size: 42 });
    assert!(matches!(client.root_at(43), Err(ClientError::Refused(problem)) if problem.status == 404));
    assert_eq!(client.status().unwrap(), samples::status());
    assert!(client.metrics().unwrap().ends_with("# EOF\n"));
    let uetr = samples::uetr();
    let expected = [
        "submit 3 bytes".to_owned(),
        "submit 3 bytes".to_owned(),
        format!("history {uetr} false"),
        format!("history {uetr} true"),
        "cases None false false false None None".to_owned(),
        "cases Some(Open) true true true Some(7) Some(9)".to_owned(),
        "open creditor olga@bank-a".to_owned(),
        "step 1 confirmed olga@bank-a \"fraud\"".to_owned(),
        "answer 1 true olga@bank-a \"agreed\"".to_owned(),
        "review 1 false olga@bank-a \"another birth date\"".to_owned(),
        "read 1 olga@bank-a".to_owned(),
        "draft 1 olga@bank-a".to_owned(),
        format!("retract {} olga@bank-a", "06".repeat(32)),
        format!("evidence {uetr} true"),
        "find None after Some(7)".to_owned(),
        "hold olga@bank-a true".to_owned(),
        "hold olga@bank-a false".to_owned(),
        "erase olga@bank-a".to_owned(),
        "export account".to_owned(),
        "expire false".to_owned(),
        "scrub".to_owned(),
        "checkpoint".to_owned(),
        "proof 41".to_owned(),
        "tile tile/entries/x001/234.p/5".to_owned(),
        "disclose 7".to_owned(),
        "disclose epoch 3 olga@bank-a".to_owned(),
        "back up".to_owned(),
    ];
    assert_eq!(*node.fake.calls.lock().unwrap(), expected);
}

fn cases_go_there_and_back(client: &Client) {
    assert_eq!(client.cases(CaseFilter::default()).unwrap(), samples::case_list());
    let filter = CaseFilter {
        state: Some(CaseState::Open),
        overdue: true,
        review: true,
        proposed: true,
        after: Some(7),
        limit: Some(9),
    };
    client.cases(filter).unwrap();
    assert_eq!(client.open_case(&samples::opening()).unwrap().signal, None);
    assert_eq!(client.step_case(1, &samples::case_action()).unwrap(), samples::case_result());
    assert_eq!(client.answer_case(1, &samples::case_answer()).unwrap(), samples::case_result());
    assert_eq!(client.review_case(1, &samples::case_reviewing()).unwrap(), samples::case_result());
    assert_eq!(client.read_case(1, samples::actor()).unwrap(), CaseView::from(samples::case()));
    assert_eq!(client.draft_case(1, samples::actor()).unwrap(), "DRAFT\n");
}

#[test]
fn duplicates_and_not_being_ready_are_answers() {
    let node = Node::start(ApiConfig::default());
    let duplicate = node.client().submit(b"duplicate", false).unwrap();
    assert_eq!(duplicate.payments, [PaymentAnswer::duplicate(samples::key())]);
    assert_eq!(node.client().readiness().unwrap(), samples::readiness(true));
    node.fake.ready.store(false, Ordering::SeqCst);
    assert_eq!(node.client().readiness().unwrap(), samples::readiness(false));
}

#[test]
fn refusals_become_readable() {
    let node = Node::start(ApiConfig::default());
    let refusal = node.client().submit(b"malformed", false).unwrap_err();
    assert_eq!(refusal.to_string(), "The request cannot be read: DOCTYPE in line 2\nhint: send it without");
    let action = samples::case_action();
    let missing = node.client().step_case(9, &action).unwrap_err();
    assert!(matches!(&missing, ClientError::Refused(problem) if problem.status == 404), "{missing}");
    let other = ApiToken::generate(&mut ChaCha20Rng::seed_from_u64(8));
    let stranger = Client::new(&format!("http://{}/", node.address), &other).unwrap();
    let refusal = stranger.status().unwrap_err().to_string();
    assert!(
        refusal.starts_with("A valid token is needed: the token is not this node's\nhint: "),
        "{refusal}"
    );
    let large = node.client().submit(&vec![b' '; 8 << 20], false).unwrap_err();
    assert!(matches!(&large, ClientError::Refused(problem) if problem.status == 413), "{large}");
}

#[test]
fn other_addresses_and_dead_nodes_are_told() {
    let mut node = Node::start(ApiConfig::default());
    let client = node.client();
    assert!(matches!(Client::new("https://bank.example", &node.token), Err(ClientError::Address(_))));
    node.stop();
    node.ended().unwrap();
    let error = client.status().unwrap_err();
    assert!(matches!(error, ClientError::Unreachable { .. }), "{error}");
    assert!(error.to_string().contains("is the node running"));
}

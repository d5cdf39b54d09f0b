//! The client against the interface around screening.

use hansa_types::id::Timestamp;

use super::node::Node;
use super::samples;
use crate::ApiConfig;
use crate::model::*;

#[test]
fn every_call_around_screening_goes_there_and_back() {
    let node = Node::start(ApiConfig::default());
    let client = node.client();
    let actor = samples::actor();
    assert_eq!(client.lists().unwrap(), samples::lists());
    let files = ListFiles { main: vec![0, 255, 10], aliases: Some(vec![1]), ..ListFiles::default() };
    let date = "2026-11-20".try_into().unwrap();
    let import = ListImport { date, actor: actor.clone(), force: true, preview: true, files };
    // A name that is no plain segment of a path arrives as it is.
    let change = client.import_list("own list/ä", &import).unwrap();
    assert_eq!((change.name.as_str(), change.taken), ("own list/ä", false));
    assert_eq!(client.fetch_list("ofac-sdn", actor.clone()).unwrap(), samples::list_change());
    let query = ListDiffQuery { from: Some(date), to: None };
    assert_eq!(client.list_diff("ofac-sdn", &query).unwrap(), samples::list_change());
    assert_eq!(client.list_entry("ofac-sdn", "3/6 &").unwrap(), samples::list_entry());
    assert_eq!(client.customers().unwrap(), samples::customers());
    let import = CustomerImport { actor: actor.clone(), force: false, file: vec![1; 7] };
    assert_eq!(client.import_customers(&import).unwrap(), samples::customer_change());
    assert_eq!(client.change_customers(&samples::customer_changes()).unwrap(), samples::customer_change());
    assert_eq!(client.exceptions().unwrap(), [samples::exception()]);
    assert_eq!(client.grant(&samples::exception_request()).unwrap(), samples::exception());
    let id = samples::exception().id;
    let withdrawal = WithdrawalRequest { reason: "forged".to_owned(), actor };
    assert!(!client.withdraw(id, &withdrawal).unwrap().holds);
    assert_eq!(client.why(samples::uetr(), Some(&samples::leg())).unwrap(), samples::why());
    assert_eq!(client.replay(samples::uetr(), None).unwrap(), samples::replay());
    assert_eq!(client.model().unwrap(), samples::model());
    assert_eq!(
        client.reload_model(&ModelReload { actor: samples::actor(), unwatched: true }).unwrap(),
        samples::model()
    );
    let request = BacktestRequest { model: "m".to_owned(), since: samples::NOW };
    assert_eq!(client.backtest(&request).unwrap(), samples::backtest());
    let query = DriftQuery { before: Timestamp(1), since: Timestamp(2) };
    assert_eq!(client.drift(&query).unwrap(), samples::drift());
    let query = SampleQuery { since: Timestamp(3), points: 4, count: 5 };
    assert_eq!(client.sample(&query).unwrap(), samples::sample());
    let request = VerdictsRequest { uetrs: vec![samples::uetr()] };
    assert_eq!(client.verdicts(&request).unwrap(), samples::verdicts());
    let calls = node.fake.calls.lock().unwrap().join("; ");
    let uetr = samples::uetr();
    let wanted = format!(
        "import own list/ä 2026-11-20 olga@bank-a true true 3 Some([1]); fetch ofac-sdn olga@bank-a; \
         diff ofac-sdn Some(\"2026-11-20\") None; entry ofac-sdn 3/6 &; customers olga@bank-a false 7; \
         change olga@bank-a 2; grant ofac-sdn 36 1; withdraw {id} forged; why {uetr} true; replay {uetr} false; \
         reload olga@bank-a unwatched=true; backtest m {}; drift 1 2; sample 3 4 5; verdicts 1",
        samples::NOW.0
    );
    assert_eq!(calls, wanted);
}

#[test]
fn a_body_that_is_no_import_is_refused() {
    let node = Node::start(ApiConfig::default());
    let octets = "Content-Type: application/octet-stream";
    let answer = node.ask("POST /v1/lists/ofac-sdn", &[octets], "nonsense");
    assert_eq!(answer.status, 400, "{}", answer.body);
    let answer = node.ask("PUT /v1/customers", &["Content-Type: application/json"], "{}");
    assert_eq!(answer.status, 415, "{}", answer.body);
    let answer = node.ask("GET /v1/lists/ofac-sdn/diff?since=1", &[], "");
    assert_eq!(answer.status, 400, "{}", answer.body);
}

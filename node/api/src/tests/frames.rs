//! The client against the interface around frames.

use super::node::Node;
use super::samples;
use crate::ApiConfig;
use crate::model::*;

#[test]
fn every_call_around_frames_goes_there_and_back() {
    let node = Node::start(ApiConfig::default());
    let client = node.client();
    assert_eq!(client.frames().unwrap(), samples::frames());
    assert_eq!(client.frame_counters().unwrap(), samples::frame_counters());
    assert_eq!(client.change_driver(&samples::driver_request()).unwrap(), samples::frames());
    assert_eq!(client.blocklist(&samples::blocklist_question()).unwrap(), BlocklistAnswer { blocked: true });
    assert_eq!(client.firewall().unwrap(), samples::firewall());
    assert_eq!(client.change_firewall(&samples::firewall_request()).unwrap(), samples::firewall());
    let calls = node.fake.calls.lock().unwrap().join("; ");
    let wanted = "driver Detach olga@bank-a; blocklist DE89370400440532013000; \
                  firewall Deny Peers 198.51.100.7 moved olga@bank-a";
    assert_eq!(calls, wanted);
}

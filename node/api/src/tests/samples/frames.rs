//! Samples of how frames are screened.

use super::{NOW, actor};
use crate::model::*;

pub(in crate::tests) fn frames() -> FramesView {
    FramesView {
        listen: "192.0.2.1:4480".to_owned(),
        path: FramePath::Driver,
        interface: Some("eth0".to_owned()),
        program: Some(ProgramView {
            id: 42,
            mode: "generic".to_owned(),
            why_generic: Some("the MTU of eth0 is too large".to_owned()),
            pinned: false,
        }),
        why_socket: None,
        peer_port: Some(4400),
        accounts: 3,
        room: 1_000_000,
        waiting: 0,
    }
}

pub(in crate::tests) fn frame_counters() -> FrameCounters {
    let counter = FrameCounter {
        name: "debtor-listed".to_owned(),
        counts: "frames with this reason".to_owned(),
        driver: 7,
        socket: 1,
    };
    FrameCounters { counters: vec![counter] }
}

pub(in crate::tests) fn driver_request() -> DriverRequest {
    DriverRequest { action: DriverAction::Detach, actor: actor() }
}

pub(in crate::tests) fn blocklist_question() -> BlocklistQuestion {
    BlocklistQuestion { account: "DE89370400440532013000".try_into().unwrap() }
}

pub(in crate::tests) fn firewall() -> FirewallView {
    let rule = |traffic, network: &str, allowed, by| FirewallRule {
        traffic,
        network: network.to_owned(),
        allowed,
        by,
    };
    let by = OperatorRule { actor: actor(), reason: "moved".to_owned(), at: NOW };
    FirewallView {
        rules: vec![
            rule(Traffic::Frames, "192.0.2.0/24", true, None),
            rule(Traffic::Peers, "198.51.100.7/32", false, Some(by)),
        ],
    }
}

pub(in crate::tests) fn firewall_request() -> FirewallRequest {
    FirewallRequest {
        traffic: Traffic::Peers,
        network: "198.51.100.7".to_owned(),
        action: FirewallAction::Deny,
        reason: "moved".to_owned(),
        actor: actor(),
    }
}

//! What the tables are filled with beside the numbers of the configuration.

use std::collections::BTreeMap;
use std::net::IpAddr;

use hansa_xdp_frame::{Class, Key};

use crate::config::Config;
use crate::firewall::{Firewall, Prefix};

/// Who may send, and under which keys.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    /// Who may send.
    pub firewall: Firewall,
    /// The gateways' keys by their id. The key of zeros is none.
    pub keys: BTreeMap<u8, Key>,
}

impl Rules {
    /// What the configuration says of who may send frames, these keys, and the other members' addresses.
    pub fn new(config: &Config, keys: BTreeMap<u8, Key>, members: impl IntoIterator<Item = IpAddr>) -> Self {
        let mut firewall = Firewall::default();
        let rules = [
            (Class::Frames, &config.allow, true),
            (Class::Frames, &config.deny, false),
            (Class::Peer, &config.peers, true),
        ];
        for (class, prefixes, is_allowed) in rules {
            prefixes.iter().for_each(|prefix| firewall.set(class, *prefix, is_allowed));
        }
        for member in members {
            firewall.set(Class::Peer, Prefix::of(member), true);
        }
        Self { firewall, keys }
    }
}

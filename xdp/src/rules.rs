//! What the tables are filled with beside the numbers of the configuration.

use std::collections::BTreeMap;

use hansa_xdp_frame::{Class, Key};

use crate::config::Config;
use crate::firewall::Firewall;

/// Who may send, and under which keys.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    /// Who may send.
    pub firewall: Firewall,
    /// The gateways' keys by their id. The key of zeros is none.
    pub keys: BTreeMap<u8, Key>,
}

impl Rules {
    /// What the configuration says of who may send frames, and these keys.
    pub fn new(config: &Config, keys: BTreeMap<u8, Key>) -> Self {
        let mut firewall = Firewall::default();
        for (prefixes, is_allowed) in [(&config.allow, true), (&config.deny, false)] {
            for prefix in prefixes {
                firewall.set(Class::Frames, *prefix, is_allowed);
            }
        }
        Self { firewall, keys }
    }
}

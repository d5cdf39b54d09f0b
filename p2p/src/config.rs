//! The `[p2p]` part of the node's configuration, and the bounds of each setting.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use libp2p::multiaddr::Protocol;
use libp2p::{Multiaddr, PeerId};
use serde::{Deserialize, Serialize};

use crate::error::ConfigError;

/// Most listening addresses a node may name.
pub const MAX_LISTEN_ADDRESSES: usize = 16;
/// Most members a consortium may have.
pub const MAX_MEMBERS: usize = 256;
/// The UDP port of the default listening address.
const DEFAULT_PORT: u16 = 4400;

/// Where the node listens and how much it lets in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Where to listen, as `/ip4/ADDRESS/udp/PORT/quic-v1`; port 0 takes a free one. None: the node only dials.
    pub listen: Vec<Multiaddr>,
    /// How much is let in.
    pub limits: Limits,
}

impl Default for Config {
    fn default() -> Self {
        let any = Multiaddr::empty()
            .with(Protocol::Ip4(Ipv4Addr::UNSPECIFIED))
            .with(Protocol::Udp(DEFAULT_PORT))
            .with(Protocol::QuicV1);
        Self { listen: vec![any], limits: Limits::default() }
    }
}

impl Config {
    /// Checks every setting against its bounds.
    pub fn check(&self) -> Result<(), ConfigError> {
        if self.listen.len() > MAX_LISTEN_ADDRESSES {
            return Err(ConfigError::TooManyAddresses {
                count: self.listen.len(),
                most: MAX_LISTEN_ADDRESSES,
            });
        }
        for address in &self.listen {
            if !is_quic(address, None) {
                return Err(ConfigError::Address { address: address.clone() });
            }
        }
        self.limits.check()
    }
}

/// How much a node lets in. Every bound on a member is that member's own, so that none can use up another's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Bytes of the largest message.
    pub max_message_bytes: u32,
    /// Messages from one member that await a verdict; what exceeds it is ignored and counted.
    pub undecided_per_peer: u32,
    /// Requests of one member that await an answer, and those this node has open with it; more are refused.
    pub requests_per_peer: u32,
    /// Requests that one member may send a minute; more are refused.
    pub requests_per_minute: u32,
    /// Incoming connections whose handshake is not done.
    pub pending_incoming: u32,
    /// Bytes of the process's memory above which no new connection is made or taken.
    pub memory_bytes: u64,
    /// Milliseconds before the first attempt to dial a lost member again; it doubles from there.
    pub redial_base_ms: u32,
    /// Most milliseconds between two attempts.
    pub redial_max_ms: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_message_bytes: 16 << 10,
            undecided_per_peer: 256,
            requests_per_peer: 8,
            requests_per_minute: 600,
            pending_incoming: 64,
            memory_bytes: 4 << 30,
            redial_base_ms: 500,
            redial_max_ms: 30_000,
        }
    }
}

impl Limits {
    fn check(&self) -> Result<(), ConfigError> {
        within("max_message_bytes", self.max_message_bytes.into(), 1 << 10, 1 << 20)?;
        within("undecided_per_peer", self.undecided_per_peer.into(), 1, 1 << 12)?;
        within("requests_per_peer", self.requests_per_peer.into(), 1, 64)?;
        within("requests_per_minute", self.requests_per_minute.into(), 1, 1 << 16)?;
        within("pending_incoming", self.pending_incoming.into(), 1, 1 << 10)?;
        within("memory_bytes", self.memory_bytes, 64 << 20, 1 << 40)?;
        within("redial_base_ms", self.redial_base_ms.into(), 10, 60_000)?;
        within("redial_max_ms", self.redial_max_ms.into(), self.redial_base_ms.into(), 600_000)
    }

    pub(crate) fn max_message_bytes(&self) -> usize {
        self.max_message_bytes as usize
    }

    pub(crate) fn undecided_per_peer(&self) -> usize {
        self.undecided_per_peer as usize
    }

    pub(crate) fn requests_per_peer(&self) -> usize {
        self.requests_per_peer as usize
    }

    pub(crate) fn redial_base(&self) -> Duration {
        Duration::from_millis(self.redial_base_ms.into())
    }

    pub(crate) fn redial_max(&self) -> Duration {
        Duration::from_millis(self.redial_max_ms.into())
    }
}

fn within(field: &'static str, value: u64, least: u64, most: u64) -> Result<(), ConfigError> {
    if (least..=most).contains(&value) {
        Ok(())
    } else {
        Err(ConfigError::Limit { field, value, least, most })
    }
}

/// The IP address and the UDP port that a multiaddress begins with, if it does.
pub fn socket_address(address: &Multiaddr) -> Option<SocketAddr> {
    let mut parts = address.iter();
    let ip = match parts.next()? {
        Protocol::Ip4(ip) => IpAddr::V4(ip),
        Protocol::Ip6(ip) => IpAddr::V6(ip),
        _ => return None,
    };
    match parts.next()? {
        Protocol::Udp(port) => Some(SocketAddr::new(ip, port)),
        _ => None,
    }
}

/// Whether `address` is an IP address, a UDP port and QUIC v1, followed by nothing but perhaps `peer`'s own id.
pub(crate) fn is_quic(address: &Multiaddr, peer: Option<&PeerId>) -> bool {
    let mut parts = address.iter().skip(2);
    socket_address(address).is_some()
        && matches!(parts.next(), Some(Protocol::QuicV1))
        && match parts.next() {
            None => true,
            Some(Protocol::P2p(named)) => peer == Some(&named) && parts.next().is_none(),
            Some(_) => false,
        }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Identity;

    #[test]
    fn defaults_are_within_their_bounds_and_survive_toml() {
        let config = Config::default();
        assert_eq!(config.check(), Ok(()));
        let text = toml::to_string(&config).expect("plain data");
        assert_eq!(toml::from_str::<Config>(&text).expect("just written"), config);
        assert_eq!(toml::from_str::<Config>("").expect("all defaults"), config);
    }

    #[test]
    fn unknown_settings_are_refused() {
        assert!(toml::from_str::<Config>("port = 1").is_err());
        assert!(toml::from_str::<Config>("[limits]\nmax_messages = 1").is_err());
    }

    #[test]
    fn every_limit_is_bounded() {
        let refuse = |change: fn(&mut Limits), field: &str| {
            let mut config = Config::default();
            change(&mut config.limits);
            let error = config.check().expect_err(field).to_string();
            assert!(error.contains(field), "{error}");
        };
        refuse(|l| l.max_message_bytes = 2 << 20, "max_message_bytes");
        refuse(|l| l.undecided_per_peer = 0, "undecided_per_peer");
        refuse(|l| l.requests_per_peer = 65, "requests_per_peer");
        refuse(|l| l.requests_per_minute = 0, "requests_per_minute");
        refuse(|l| l.pending_incoming = 0, "pending_incoming");
        refuse(|l| l.memory_bytes = 1, "memory_bytes");
        refuse(|l| l.redial_base_ms = 1, "redial_base_ms");
        refuse(|l| l.redial_max_ms = 100, "redial_max_ms");
    }

    #[test]
    fn only_quic_over_ip_is_an_address() {
        let peer = Identity::from_seed(&[1; 32]).peer_id();
        let other = Identity::from_seed(&[2; 32]).peer_id();
        let is = |text: &str| is_quic(&text.parse().expect("a multiaddr"), Some(&peer));
        assert!(is("/ip4/127.0.0.1/udp/0/quic-v1"));
        assert!(is("/ip6/::1/udp/4400/quic-v1"));
        assert!(is(&format!("/ip4/10.0.0.1/udp/1/quic-v1/p2p/{peer}")));
        assert!(!is(&format!("/ip4/10.0.0.1/udp/1/quic-v1/p2p/{other}")));
        assert!(!is("/ip4/127.0.0.1/tcp/1"));
        assert!(!is("/ip4/127.0.0.1/udp/1/quic"));
        assert!(!is("/dns4/bank.example/udp/1/quic-v1"));
        assert!(!is(&format!("/ip4/10.0.0.1/udp/1/quic-v1/p2p/{peer}/p2p-circuit")));
        assert!(!is_quic(&Multiaddr::empty(), None));
    }
}

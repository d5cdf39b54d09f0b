//! The section `[api]` of the node's configuration: where to listen, and every limit of the interfaces.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The largest body limit that may be configured: screening reads no larger message.
pub const MAX_BODY_LIMIT: usize = 1 << 20;
/// The most requests or connections that may be configured.
pub const MAX_CONCURRENCY: usize = 1 << 16;
/// The longest time that may be configured, in milliseconds.
pub const MAX_MS: u64 = 3_600_000;

/// Where and within which limits the node answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ApiConfig {
    /// A loopback address and port for HTTP; port 0 takes any free one.
    pub listen: SocketAddr,
    /// A loopback address and port for gRPC; none, and there is no gRPC.
    pub grpc: Option<SocketAddr>,
    /// A Unix socket that HTTP is served on too, for the node's user and group; none, and there is none.
    pub socket: Option<PathBuf>,
    /// Messages of one gRPC stream being decided at once; meanwhile nothing more is read from it.
    pub stream_in_flight: usize,
    /// Bytes of the largest payment message.
    pub body_limit: usize,
    /// Calls under way at once; further ones are answered with 503 and Retry-After.
    pub max_requests: usize,
    /// Connections open at once; further ones wait to be accepted.
    pub max_connections: usize,
    /// Within how many milliseconds a request's head must arrive; also how long a connection may idle.
    pub header_ms: u64,
    /// Within how many milliseconds a request's body must arrive.
    pub body_ms: u64,
    /// After how many milliseconds a call is answered with 503, though it runs on.
    pub request_ms: u64,
    /// How many milliseconds calls under way get to finish when the node stops.
    pub drain_ms: u64,
}

impl Default for ApiConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 7400)),
            grpc: None,
            socket: None,
            stream_in_flight: 32,
            body_limit: 1 << 20,
            max_requests: 256,
            max_connections: 1024,
            header_ms: 10_000,
            body_ms: 10_000,
            request_ms: 30_000,
            drain_ms: 10_000,
        }
    }
}

/// Why a configuration cannot work.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// Not a loopback address.
    #[error(
        "`api.{name}` is {address}, which others could reach: until roles and TLS bring access control, only a \
         loopback address (127.0.0.1 or [::1]) is listened on"
    )]
    NotLoopback {
        /// The key.
        name: &'static str,
        /// Its value.
        address: SocketAddr,
    },
    /// A broker on another machine.
    #[error(
        "`kafka.brokers` names {0}, and payments would go there in clear text: name a host and port of this machine, for \
         example of a TLS proxy, or accept it with `kafka.allow_plaintext`"
    )]
    Broker(String),
    /// A name that is missing, or used twice.
    #[error("`{0}` must be a name of its own")]
    Name(&'static str),
    /// A number that makes no sense.
    #[error("`{name}` is {value}: use 1 to {most}")]
    OutOfRange {
        /// The key.
        name: &'static str,
        /// Its value.
        value: u64,
        /// The largest value.
        most: u64,
    },
}

impl ConfigError {
    /// Refuses numbers (key, value, largest value) that are 0 or too large.
    pub(crate) fn check_range(
        numbers: impl IntoIterator<Item = (&'static str, u64, u64)>,
    ) -> Result<(), Self> {
        let mut numbers = numbers.into_iter();
        match numbers.find(|(_, value, most)| !(1..=*most).contains(value)) {
            Some((name, value, most)) => Err(Self::OutOfRange { name, value, most }),
            None => Ok(()),
        }
    }
}

impl ApiConfig {
    /// Refuses what cannot work.
    ///
    /// # Errors
    /// See [`ConfigError`].
    pub fn check(&self) -> Result<(), ConfigError> {
        let addresses = [("listen", Some(self.listen)), ("grpc", self.grpc)];
        for (name, address) in addresses {
            if let Some(address) = address.filter(|address| !address.ip().is_loopback()) {
                return Err(ConfigError::NotLoopback { name, address });
            }
        }
        let many = MAX_CONCURRENCY as u64;
        ConfigError::check_range([
            ("api.body_limit", self.body_limit as u64, MAX_BODY_LIMIT as u64),
            ("api.max_requests", self.max_requests as u64, many),
            ("api.max_connections", self.max_connections as u64, many),
            ("api.stream_in_flight", self.stream_in_flight as u64, many),
            ("api.header_ms", self.header_ms, MAX_MS),
            ("api.body_ms", self.body_ms, MAX_MS),
            ("api.request_ms", self.request_ms, MAX_MS),
            ("api.drain_ms", self.drain_ms, MAX_MS),
        ])
    }

    pub(crate) fn header_time(&self) -> Duration {
        Duration::from_millis(self.header_ms)
    }

    pub(crate) fn body_time(&self) -> Duration {
        Duration::from_millis(self.body_ms)
    }

    pub(crate) fn request_time(&self) -> Duration {
        Duration::from_millis(self.request_ms)
    }

    pub(crate) fn drain_time(&self) -> Duration {
        Duration::from_millis(self.drain_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_work() {
        assert_eq!(ApiConfig::default().check(), Ok(()));
    }

    #[test]
    fn only_loopback_addresses_are_listened_on() {
        for good in ["127.0.0.1:0", "127.9.9.9:80", "[::1]:7400"] {
            let config = ApiConfig { listen: good.parse().unwrap(), ..ApiConfig::default() };
            assert_eq!(config.check(), Ok(()), "{good}");
        }
        for bad in ["0.0.0.0:7400", "[::]:7400", "10.0.0.1:7400", "[::ffff:127.0.0.1]:7400"] {
            let address: SocketAddr = bad.parse().unwrap();
            let config = ApiConfig { listen: address, ..ApiConfig::default() };
            let refused = |name| Err(ConfigError::NotLoopback { name, address });
            assert_eq!(config.check(), refused("listen"), "{bad}");
            let config = ApiConfig { grpc: Some(address), ..ApiConfig::default() };
            assert_eq!(config.check(), refused("grpc"), "{bad}");
        }
    }

    #[test]
    fn numbers_out_of_range_are_refused_by_name() {
        let zero = ApiConfig { max_requests: 0, ..ApiConfig::default() };
        assert!(zero.check().unwrap_err().to_string().contains("`api.max_requests` is 0"));
        let huge = ApiConfig { body_limit: MAX_BODY_LIMIT + 1, ..ApiConfig::default() };
        assert!(huge.check().unwrap_err().to_string().contains("`api.body_limit`"));
        let slow = ApiConfig { drain_ms: u64::MAX, ..ApiConfig::default() };
        assert!(slow.check().unwrap_err().to_string().contains("`api.drain_ms`"));
    }

    #[test]
    fn unknown_keys_are_refused() {
        let read = serde_json::from_str::<ApiConfig>;
        assert_eq!(read(r#"{"body_limit": 5}"#).unwrap().body_limit, 5);
        assert!(read(r#"{"boddy_limit": 5}"#).is_err());
    }
}

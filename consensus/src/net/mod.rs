//! Replication between the zones of one bank: QUIC with mutual TLS from the bank's own certificate authority and a
//! hybrid post-quantum key exchange, one stream a request.
//!
//! [`tls`] says who may speak to whom, [`message`] what is said, [`client`] asks, [`server`] answers. A request names
//! the incarnation it is meant for: a replica that came back without its disk is not taken for the one that voted.

mod client;
mod message;
mod server;
mod snapshot;
mod tls;

#[cfg(any(test, feature = "simulation"))]
pub(crate) use self::client::Wire;
pub(crate) use self::client::{CallError, Client};
pub use self::message::Description;
pub(crate) use self::message::{Admin, ProposeAnswer, Refused, Request, Response, SnapshotHead};
#[cfg(any(test, feature = "simulation"))]
pub(crate) use self::message::{decode_request, encode_request};
pub use self::server::BindError;
pub(crate) use self::server::{Handler, Server};
pub(crate) use self::snapshot::{receive, receive_keys};
pub use self::tls::{TlsConfig, TlsError};

//! Every way in and out of a node: for now HTTP and its client.
//!
//! The node implements [`Service`]; this crate alone knows what its calls look like outside. [`model`] is the public
//! JSON, [`Server`] the HTTP interface over it, [`Client`] the other end for the command line and for tests. Everything
//! that fails is a [`Problem`], and leaves as problem+json (RFC 9457).

pub mod client;
pub mod config;
pub mod error;
pub mod fetch;
mod http;
pub mod logins;
pub mod metrics;
pub mod model;
pub mod service;
pub mod token;

#[cfg(test)]
mod tests;

pub use crate::client::{Client, ClientError};
pub use crate::config::{ApiConfig, ConfigError};
pub use crate::error::{Problem, ProblemKind, ServeError};
pub use crate::http::{Beside, Server, Wiring};
pub use crate::logins::LoginCounter;
pub use crate::metrics::HttpMetrics;
pub use crate::service::{ScreeningService, Service};
pub use crate::token::{ApiToken, TokenError};

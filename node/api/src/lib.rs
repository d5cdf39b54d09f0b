//! Every way in and out of a node: HTTP and gRPC with a client of each, Kafka, and files.
//!
//! The node implements [`Service`]; this crate alone knows what its calls look like outside. [`model`] is the public
//! JSON, [`Server`] the interfaces over it, [`Client`] the other end of HTTP for the command line and for tests,
//! [`grpc`] the protobuf and its client; [`FilesConfig`] and [`KafkaConfig`] are the ways in without calls. Everything that fails is a [`Problem`], and leaves as problem+json (RFC 9457) or
//! as a gRPC status.

mod answer;
pub mod audit;
pub mod body;
mod client;
pub mod config;
pub mod error;
pub mod fetch;
mod files;
pub mod grpc;
mod guard;
mod http;
mod kafka;
mod listen;
pub mod logins;
pub mod metrics;
pub mod model;
mod server;
pub mod service;
mod shared;
pub mod token;
mod tries;

#[cfg(test)]
mod tests;

pub use crate::answer::AnswerForm;
pub use crate::client::{Client, ClientError};
pub use crate::config::{ApiConfig, ConfigError};
pub use crate::error::{Problem, ProblemKind, ServeError};
pub use crate::files::FilesConfig;
pub use crate::kafka::KafkaConfig;
pub use crate::logins::{LoginCounter, Origin};
pub use crate::metrics::ApiMetrics;
pub use crate::server::{Beside, Server, Wiring};
pub use crate::service::{FrameService, ScreeningService, Service};
pub use crate::token::{ApiToken, TokenError};

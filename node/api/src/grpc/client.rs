//! The other end of the gRPC interface, for programs in Rust on the same machine.

use std::net::SocketAddr;

use tonic::metadata::{Ascii, MetadataValue};
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Status};

use super::proto::screening_client::ScreeningClient;
use crate::token::ApiToken;

/// A node's gRPC interface.
pub type Client = ScreeningClient<InterceptedService<Channel, Bearer>>;

/// Puts the token on every call.
#[derive(Clone)]
pub struct Bearer(MetadataValue<Ascii>);

impl Interceptor for Bearer {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        request.metadata_mut().insert("authorization", self.0.clone());
        Ok(request)
    }
}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The token must not cross a network.
    #[error("{0} is not a node's address: a loopback address is wanted, for example 127.0.0.1:7401")]
    Address(SocketAddr),
    /// Nobody answers.
    #[error("no answer from {address}: {source}; does the node run, and is this `api.grpc`?")]
    Unreachable {
        /// What was called.
        address: SocketAddr,
        /// What the connection says.
        source: tonic::transport::Error,
    },
}

/// Connects to the node at `address`.
///
/// # Errors
/// See [`ConnectError`].
pub async fn connect(address: SocketAddr, token: &ApiToken) -> Result<Client, ConnectError> {
    if !address.ip().is_loopback() {
        return Err(ConnectError::Address(address));
    }
    let unreachable = |source| ConnectError::Unreachable { address, source };
    let endpoint = Endpoint::from_shared(format!("http://{address}")).map_err(unreachable)?;
    let channel = endpoint.connect().await.map_err(unreachable)?;
    let mut bearer: MetadataValue<Ascii> =
        format!("Bearer {}", *token.to_hex()).parse().expect("hexadecimal digits are ASCII");
    bearer.set_sensitive(true);
    Ok(ScreeningClient::with_interceptor(channel, Bearer(bearer)))
}

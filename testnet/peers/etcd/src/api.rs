//! The two calls of etcd's API that are needed, written out by hand: no compiler of protocol buffers is.

use std::error::Error;
use std::sync::atomic::{AtomicUsize, Ordering};

use http::uri::PathAndQuery;
use tonic::client::Grpc;
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Status};
use tonic_prost::ProstCodec;

#[derive(Clone, PartialEq, prost::Message)]
struct ResponseHeader {
    #[prost(uint64, tag = "2")]
    member_id: u64,
}

#[derive(Clone, PartialEq, prost::Message)]
struct PutRequest {
    #[prost(bytes = "vec", tag = "1")]
    key: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    value: Vec<u8>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct PutResponse {
    #[prost(message, optional, tag = "1")]
    header: Option<ResponseHeader>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct StatusRequest {}

/// What a member says of itself.
#[derive(Clone, PartialEq, prost::Message)]
pub struct StatusResponse {
    #[prost(message, optional, tag = "1")]
    header: Option<ResponseHeader>,
    /// The release.
    #[prost(string, tag = "2")]
    pub version: String,
    #[prost(uint64, tag = "4")]
    leader: u64,
}

impl StatusResponse {
    /// Whether the member that answered leads.
    pub fn leads(&self) -> bool {
        self.leader != 0 && self.header.as_ref().is_some_and(|header| header.member_id == self.leader)
    }
}

/// Connections to one member; calls take turns among them.
pub struct Client {
    channels: Vec<Channel>,
    next: AtomicUsize,
}

impl Client {
    /// Connects `connections` times.
    pub async fn connect(address: &str, connections: usize) -> Result<Self, Box<dyn Error>> {
        let mut channels = Vec::with_capacity(connections);
        for _ in 0..connections {
            channels.push(Endpoint::from_shared(address.to_owned())?.tcp_nodelay(true).connect().await?);
        }
        Ok(Self { channels, next: AtomicUsize::new(0) })
    }

    /// Stores a value and returns once it is durable on a quorum.
    pub async fn put(&self, key: Vec<u8>, value: Vec<u8>) -> Result<(), Status> {
        let codec: ProstCodec<PutRequest, PutResponse> = ProstCodec::default();
        let path = PathAndQuery::from_static("/etcdserverpb.KV/Put");
        let mut grpc = self.ready().await?;
        grpc.unary(Request::new(PutRequest { key, value }), path, codec).await.map(|_| ())
    }

    /// Asks the member how it is.
    pub async fn status(&self) -> Result<StatusResponse, Status> {
        let codec: ProstCodec<StatusRequest, StatusResponse> = ProstCodec::default();
        let path = PathAndQuery::from_static("/etcdserverpb.Maintenance/Status");
        let mut grpc = self.ready().await?;
        grpc.unary(Request::new(StatusRequest {}), path, codec).await.map(tonic::Response::into_inner)
    }

    async fn ready(&self) -> Result<Grpc<Channel>, Status> {
        let at = self.next.fetch_add(1, Ordering::Relaxed) % self.channels.len();
        let mut grpc = Grpc::new(self.channels[at].clone());
        grpc.ready().await.map_err(|error| Status::unavailable(error.to_string()))?;
        Ok(grpc)
    }
}

//! The network as a node uses it: real nodes, real QUIC, on loopback; waiting for events, never for time.

#![expect(clippy::panic, reason = "a helper that cannot go on fails its test")]

mod gossip;
mod members;
mod nodes;
mod requests;

//! Tests over real connections: a node that is a script, and what its clients see.

mod client;
mod fake;
mod fake_frames;
mod fake_screening;
mod files;
mod frames;
mod grpc;
mod kafka;
mod life;
mod node;
mod noise;
mod refusals;
mod samples;
mod screening;
mod shapes;
mod socket;
mod wire;

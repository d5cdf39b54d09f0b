//! Tests over real connections: a node that is a script, and what its clients see.

mod client;
mod fake;
mod life;
mod noise;
mod refusals;
mod samples;
mod shapes;
mod wire;

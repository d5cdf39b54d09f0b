//! A bank's node: configuration, wiring, flows, and the operator's command line.
//!
//! The siblings (screening, keys, api, consensus, prover, p2p) know nothing of one another. What joins them is in
//! [`flows`], one flow a file; [`app`] says what is wired to what.

pub mod app;
mod book;
pub mod cli;
pub mod config;
mod customers;
pub mod events;
mod evidence;
mod flows;
mod journal;
mod load;
mod metrics;
mod node;
mod service;

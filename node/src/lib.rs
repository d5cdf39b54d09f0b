//! A bank's node: configuration, wiring, flows, and the operator's command line.
//!
//! The siblings (screening, keys, api, consensus, prover, p2p) know nothing of one another. What joins them is in
//! [`flows`], one flow a file; [`app`] says what is wired to what.

mod answers;
pub mod app;
mod archive;
mod audit;
mod backup;
mod book;
mod casebook;
mod casework;
mod change;
pub mod cli;
mod cluster;
pub mod config;
mod customers;
pub mod error;
pub mod events;
mod evidence;
pub mod export;
mod files;
mod flows;
mod follow;
mod frames;
pub mod gateway;
mod governance;
mod governed;
mod journal;
mod lead;
mod link;
mod load;
mod members;
mod metrics;
mod node;
mod provisional;
mod published;
mod retention;
mod risk;
mod screened;
mod screening;
mod service;
mod terms;
mod vault;

pub use flows::tags::COUNTERPARTY_WINDOW;

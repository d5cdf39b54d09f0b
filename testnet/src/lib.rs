//! A whole consortium on one machine: demo, end-to-end tests, benchmarks.

pub mod bench;
pub mod cable;
pub mod cli;
pub mod consortium;
pub mod data;
pub mod demo;
pub mod docs;
pub mod fault;
pub mod process;
pub mod replica;

//! The auditor's tool: checks what a bank shows, trusting the manifest and nothing else.
//!
//! It builds without RocksDB and needs neither node nor network. [`verify`](verify::verify) says what was shown, one
//! [`Statement`](report::Statement) each, or the first thing that is false.

pub mod cli;
pub mod report;
pub mod verify;

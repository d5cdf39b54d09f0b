//! The auditor's tool: checks what a bank shows, trusting the manifest and nothing else.
//!
//! It builds without RocksDB and needs neither node nor network. [`verify`](verify::verify) says what was shown, one
//! [`Statement`](report::Statement) each, or the first thing that is false;
//! [`forked`](fork::forked) says whether two checkpoints prove that a log has two views.

pub mod cli;
pub mod fork;
pub mod report;
pub mod verify;

//! The auditor's tool: checks what a bank shows, trusting the manifest and nothing else.
//!
//! It builds without RocksDB and needs neither node nor network. [`verify`](verify::verify) says what was shown, one
//! [`Statement`](report::Statement) each, or the first thing that is false. Beyond one payment there is the log as a
//! whole: [`log`] checks every entry and tile of a copy, [`compare`] two checkpoints, [`reconcile`] the payment hub's list
//! with the decisions, and [`forked`](fork::forked) says whether two checkpoints prove that a log has two views.
//! [`export`] lets other implementations judge the proofs.

pub mod cli;
pub mod compare;
pub mod export;
pub mod fork;
pub mod log;
pub mod reconcile;
pub mod report;
pub mod trace;
pub mod verify;

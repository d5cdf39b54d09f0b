//! One replica of a bank's log as a process of its own, without the node around it: what faults are done to and what
//! the log's speed is measured on.
//!
//! `hansa-testnet replica --config FILE` ([`serve`]) opens one replica and answers requests, a line each, on standard
//! input and output ([`line`](mod@line)). [`Plan`] lays out a group in a folder, [`ReplicaProcess`] starts one of it and talks to
//! it. A process ends with its standard input, so none outlives whoever started it.

mod content;
mod line;
mod plan;
mod process;
mod serve;

pub use self::content::{Content, ContentError, RECORD};
pub use self::line::{Answer, LineError, Request, State};
pub use self::plan::{Plan, PlanError};
pub use self::process::{News, ReplicaProcess, StartError, Wrapper};
pub use self::serve::{ReplicaArgs, ReplicaError, run};

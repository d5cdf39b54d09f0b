//! From payment to decision, and from signal to alert to case.
//!
//! Pure: bytes and values in, values out; no I/O, no clock, no randomness. [`message::read`] reads payments,
//! [`Screener::assess`] decides on one, [`History::observe`] remembers it, [`message::report::write`] answers. The same input under the same lists, model
//! and policy gives the same decision, bit for bit.

pub mod alerts;
pub mod backtest;
pub mod case;
pub mod codes;
pub mod config;
mod decide;
pub mod drift;
pub mod exceptions;
pub mod factors;
pub mod history;
pub mod identifiers;
pub mod message;
pub mod model;
pub mod names;
pub mod rules;
mod scheme;
mod screener;
pub mod subjects;
pub mod watchlist;
pub mod why;

pub use alerts::ActiveAlerts;
pub use case::{CasePolicy, CaseRules};
pub use codes::Outward;
pub use config::{HoldReject, Policy, Scheme};
pub use decide::Role;
pub use exceptions::Exceptions;
pub use history::History;
pub use model::RiskModel;
pub use rules::Rules;
pub use screener::{Assessment, Known, NameHit, Screener, ScreenerError};

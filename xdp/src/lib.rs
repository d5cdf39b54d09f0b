//! Payments screened in the driver: the kernel program is loaded, its maps are filled, what it blocked is read.
//!
//! [`Driver::attach`] does all of that. Where it cannot, its error says why, and [`Model`] gives the same verdicts on a
//! socket: both run the rules of `hansa-xdp-frame` on the tables that a [`Config`] and [`Rules`] describe. What the
//! kernel program passes (fragments, VLAN tags, options, a full ring buffer) reaches the same socket.

mod attach;
mod blocked;
mod config;
mod driver;
mod error;
mod firewall;
mod kernel;
mod link;
mod list;
mod measure;
mod model;
mod object;
mod rules;
mod sys;

pub use blocked::BlockedFrames;
pub use config::{Config, CurrencyLimits, Mode};
pub use driver::{Driver, Status};
pub use error::{ConfigError, Error};
pub use firewall::{Firewall, Prefix, PrefixError};
pub use hansa_xdp_frame as frame;
pub use kernel::Sequences;
pub use measure::{Measured, Outcome, TestBench};
pub use model::{BlockList, Judged, Model};
pub use object::SOURCES_HASH;
pub use rules::Rules;

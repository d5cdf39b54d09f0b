//! Zero-knowledge risk signals: "one of us, within its rate limit, scored this subject at least this high under
//! a registered model".
//!
//! Bottom up: [`field`], [`curve`] and [`poseidon`] are the arithmetic; [`circuit`] states what is proved and [`relation`]
//! says it again in plain Rust; [`derive`] and [`tree`] connect it to the manifest; [`keys`] and [`setup`] hold
//! the proof system's keys; [`prove`] makes signals, [`verify`] checks them, [`double_signal`] finds who sent
//! two under one nullifier; [`tag`] blinds subjects; [`opening`] opens a decision commitment to an auditor,
//! [`disclosure`] an epoch's trace secret; [`export`] shows proofs to other implementations.
//!
//! A proof shows that a member followed the rules with the numbers it committed to, not that the numbers are
//! true. The proofs rest on arkworks, which calls itself not ready for production, and on a setup: see [`setup`].

pub mod circuit;
pub mod curve;
pub mod derive;
pub mod disclosure;
pub mod double_signal;
pub mod export;
pub mod field;
#[cfg(test)]
mod figures;
pub mod keys;
pub mod opening;
mod points;
pub mod poseidon;
mod proof;
pub mod prove;
mod r1cs;
pub mod relation;
pub mod secrets;
#[cfg(test)]
mod seeds;
pub mod setup;
pub mod tag;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
pub mod tree;
pub mod verify;

pub use self::points::PointError;

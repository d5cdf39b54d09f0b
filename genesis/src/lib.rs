//! The trusted-setup ceremony, and the offline commands for manifest and proposals. No network.
//!
//! A ceremony is a folder of files that travels by hand between a coordinator and the founders ([`transcript`]). It
//! begins with a [`charter`] that all of them sign. [`phase1`] is made by them, or elsewhere ([`origin`], [`import`]); [`phase2`]
//! is for one [`circuit`]. A contribution multiplies by secrets that are then gone ([`secret`]), says so with proofs
//! ([`place`]) and a signed [`attestation`]; a [`beacon`] may end it. [`steps`] are what people do, [`report`] is what
//! an auditor reads.

pub mod attestation;
pub mod beacon;
pub mod charter;
pub mod circuit;
pub mod cli;
pub mod entropy;
mod error;
mod fft;
mod file;
mod flaw;
pub mod import;
mod knowledge;
mod multiply;
pub mod origin;
pub mod phase1;
pub mod phase2;
pub mod place;
mod points;
mod ratio;
pub mod report;
pub mod secret;
mod steps;
#[cfg(test)]
mod tests;
pub mod transcript;

pub use self::{
    error::CeremonyError,
    file::{FileError, Kind},
    flaw::Flaw,
    knowledge::Secret,
    points::PointsError,
    steps::{Written, attest},
};

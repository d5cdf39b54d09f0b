//! What the banks agree on, and nothing that any one of them does.
//!
//! The bottom of the crate graph: identifiers, the payment, the decision, the signal, the manifest, and the one
//! canonical codec for bytes that are hashed, signed or proved. Everything here is a value: no I/O, no async, no
//! clock, no elliptic curve of the proofs (a field element is its 32 canonical bytes).
//!
//! Wire types parse, domain types validate. A value of a type in this crate is well formed; whether a signal is
//! *true* is a second level ([`verify::Verified`]), and whether it is *new* a third (consensus).

pub mod bic;
pub mod case;
pub mod codec;
pub mod country;
pub mod date;
pub mod decision;
pub mod exception;
pub mod frame;
pub mod governance;
pub mod habits;
pub mod hash;
pub mod iban;
pub mod id;
pub mod lei;
pub mod manifest;
pub mod model;
pub mod money;
pub mod payment;
pub mod record;
pub mod sign;
pub mod signal;
pub mod subject;
mod text;
pub mod uetr;
pub mod verify;
pub mod witness;

#[doc(hidden)]
pub use serde; // for the macros of `codec`

//! Phase 2: keys for one circuit, and contributions to what divides them.
//!
//! The start is computed from phase 1 by anyone and holds the keys with delta = 1. A contribution multiplies delta and
//! divides h and the secret columns' points by it. The public columns' points are divided by gamma alone, which is one:
//! divided by delta they would let anyone change a proof's inputs, so they are never written.

mod divided;
mod start;

pub use self::{divided::Divided, start::Start};

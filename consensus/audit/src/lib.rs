//! The transparency log of one bank as pure functions: no I/O, no clock, no async.
//!
//! An entry is *sequenced* (it has an index), *integrated* (it is in the [`merkle`] tree), *signed* (a [`checkpoint`]
//! covers it) and *published* (as many as the [`policy`] wants cosigned that checkpoint). What a leaf holds is sealed ([`envelope`]): the tree proves that a record existed
//! unchanged without saying what it says, and giving out one leaf's key opens that leaf alone.
//!
//! The formats are those of C2SP, so that foreign tools verify them: [`note`] (signed-note), [`checkpoint`]
//! (tlog-checkpoint), [`cosignature`] (tlog-cosignature), [`proof`] (tlog-proof), [`tiles`] (tlog-tiles), [`witness`]
//! (tlog-witness), [`policy`] (tlog-policy). [`evidence`] is our own bundle of disclosed records, which `hansa-audit
//! verify` reads, [`disclosure`] the keys of many, and [`fork`] two checkpoints that cannot both be true.

pub mod checkpoint;
pub mod cosignature;
pub mod disclosure;
pub mod envelope;
pub mod evidence;
pub mod fork;
pub mod merkle;
pub mod note;
pub mod policy;
pub mod proof;
pub mod tiles;
pub mod witness;

#[cfg(test)]
mod testing;
mod text;

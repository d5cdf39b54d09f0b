//! Arithmetic with curve points, faster than the libraries' general routines because here either the points are known
//! beforehand (`table`), many sums are wanted at once ([`sums`], `weights`), many points are judged at once
//! ([`subgroup`]), or blst does what arkworks does slower ([`native`]). The ceremony computes with it too.

pub mod native;
pub mod subgroup;
pub mod sums;
pub(crate) mod table;
pub(crate) mod weights;

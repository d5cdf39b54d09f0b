//! The payment frame: what a bank's payment gateway sends by UDP ahead of, or with, the full message.
//!
//! A frame has 128 bytes and carries digests, not names, so that it yields BLOCK or PRE-SCREENED and nothing finer. A
//! datagram holds one to [`MAX_FRAMES`] of them. This crate has the bytes ([`Frame`], [`Reply`]), the digests that
//! sender and node agree on ([`digest`]), and the verdict ([`screen`]) over a trait of lookups ([`Tables`]). The kernel
//! program implements the lookups on its maps, the node on plain collections: one text of the rules, two compilations.

#![no_std]
#![cfg_attr(target_arch = "bpf", feature(adt_const_params, core_intrinsics))]
#![cfg_attr(target_arch = "bpf", expect(internal_features, reason = "see word.rs"))]

mod counter;
mod digest;
mod frame;
mod rate;
mod reply;
mod screen;
mod sequence;
mod shared;
mod siphash;
mod verdict;
mod word;

pub use counter::{COUNTERS, Counter};
pub use digest::{Digest, Subject, digest};
pub use frame::{
    AMOUNT_LIMIT, CURRENCIES, FRAME_KIND, FRAME_LEN, Fields, FieldsError, Frame, SCHEMES, SEQUENCE_LIMIT,
    Scheme, TIME_LIMIT, currency_index,
};
pub use rate::TICK_BITS;
pub use reply::{REPLY_KIND, REPLY_LEN, Reply, ReplyError};
pub use screen::{Class, Tables, admit_frames, admit_peer, release, screen};
pub use sequence::{SEQUENCES_PER_SLOT, SLOTS, SequenceWindow, join};
pub use shared::{Address, Blocked, Control, Limits, Settings, Source, Totals, WindowKey, filter};
pub use siphash::{Key, hash};
pub use verdict::{Reason, Verdict};
pub use word::Word;

/// Most frames in one datagram: what an Ethernet MTU of 1500 holds behind an IPv6 and a UDP header.
pub const MAX_FRAMES: usize = (1500 - 40 - 8) / FRAME_LEN;

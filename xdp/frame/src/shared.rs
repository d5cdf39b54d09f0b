//! What kernel and user space hand one another, as plain memory.

use crate::digest::Digest;
use crate::frame::{FRAME_LEN, Frame};
use crate::verdict::Reason;
use crate::word::Word;

/// An IPv6 address, or an IPv4 address in its mapped form (`::ffff:a.b.c.d`), so that there is one table for both.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
#[repr(transparent)]
pub struct Address(pub [u8; 16]);

impl Address {
    /// The mapped form of an IPv4 address.
    #[inline(always)]
    pub const fn v4(address: [u8; 4]) -> Self {
        Self((0xFFFF << 80 | (u32::from_le_bytes(address) as u128) << 96).to_le_bytes())
    }

    /// An IPv6 address. It is made of words, as all 16 bytes of a key are in the kernel: a lookup that reads words from
    /// bytes just written waits for them.
    #[inline(always)]
    pub const fn v6(address: [u8; 16]) -> Self {
        Self(u128::from_le_bytes(address).to_le_bytes())
    }
}

/// The rules' numbers, fixed while a program is loaded. Times are in nanoseconds; a limit of 0 is none.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[repr(C)]
pub struct Settings {
    /// How far a frame's time may be from the clock, either way.
    pub max_age: u64,
    /// The length of a velocity window. Windows lie end to end since 1970.
    pub window: u64,
    /// Payments of one debtor in one currency and window.
    pub window_count: u64,
    /// Frames that one address may send in a tick.
    pub frames_per_tick: u32,
    /// Packets to the peers' port that one address may send in a tick.
    pub packets_per_tick: u32,
    /// Words of one block list's filter, a power of two; only the kernel program has one.
    pub filter_words: u32,
    /// The frames' UDP port.
    pub frame_port: u16,
    /// The peers' UDP port; 0 leaves it alone.
    pub peer_port: u16,
}

/// What changes while a program is loaded: user space writes, the kernel reads, a word at a time.
#[derive(Debug, Default)]
#[repr(C)]
pub struct Control {
    /// What must be added to the monotonic clock for nanoseconds since 1970.
    pub clock_offset: Word,
    /// Which of the two block lists is in force: 0 or 1.
    pub active_list: Word,
    /// One more with each change of the allowed prefixes, so that what was remembered of an address is looked up again.
    pub generation: Word,
}

/// Bits of a permission below its generation.
const CLASS_BITS: u32 = 8;

impl Source {
    /// The permission of these classes, looked up in this generation.
    #[inline(always)]
    pub const fn permission(generation: u64, classes: u32) -> u64 {
        generation << CLASS_BITS | classes as u64
    }

    /// The classes that a permission allows, if it is of this generation.
    #[inline(always)]
    pub const fn allowed(permission: u64, generation: u64) -> Option<u64> {
        if permission >> CLASS_BITS == generation { Some(permission & ((1 << CLASS_BITS) - 1)) } else { None }
    }
}

/// What is remembered of an address that may send.
#[derive(Debug, Default)]
#[repr(C)]
pub struct Source {
    /// The sum of the classes it may send, and above it the generation that these were looked up in: one word, so that
    /// what another CPU looked up before is never taken for new.
    pub permission: Word,
    /// What it spent, by [`Class`](crate::Class).
    pub spent: [Word; 2],
}

/// The word of a block list's filter that holds `account`, of a power of two, and the bits in it. All are set if the
/// account is on the list; if it is not, one of them hardly ever fails to be clear.
///
/// A digest is as good as random to whoever has not the digest key, so its own bits serve: the first word chooses the
/// word, four times six bits of the second choose the bits.
#[inline(always)]
pub fn filter(account: &Digest, words: u32) -> (u32, u64) {
    let [low, high] = account.words();
    let bits = 1 << (high & 63) | 1 << (high >> 6 & 63) | 1 << (high >> 12 & 63) | 1 << (high >> 18 & 63);
    (low as u32 & words.wrapping_sub(1), bits)
}

/// A currency's limits in minor units; 0 is none.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[repr(C)]
pub struct Limits {
    /// Of one payment.
    pub amount: u64,
    /// Of one debtor's payments in one window.
    pub sum: u64,
}

/// Whose payments of which window are counted together. A window has an entry of its own, so that none is ever reset
/// while another CPU counts.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(C)]
pub struct WindowKey {
    /// The debtor's account.
    pub account: Digest,
    /// The currency's index.
    pub currency: u32,
    /// The window's number since 1970.
    pub window: u32,
}

/// What a window has counted.
#[derive(Debug, Default)]
#[repr(C)]
pub struct Totals {
    /// Payments.
    pub count: Word,
    /// Their sum in minor units.
    pub sum: Word,
}

/// A frame that the kernel program blocked, as it comes through the ring buffer: nobody has been told yet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(C)]
pub struct Blocked {
    /// The whole frame.
    pub frame: Frame,
    /// Who sent it, and so who is waiting for the answer.
    pub source: Address,
    /// Which of the node's addresses it was sent to.
    pub destination: Address,
    /// When it was judged: nanoseconds since 1970, in this machine's byte order.
    pub at: [u8; 8],
    /// The sender's UDP port, big-endian.
    pub port: [u8; 2],
    /// The reason's number.
    pub reason: u8,
}

impl Blocked {
    /// Bytes of a record.
    pub const LEN: usize = FRAME_LEN + 16 + 16 + 8 + 2 + 1;

    /// Reads a record of the ring buffer; `None` if it is another program's.
    pub fn from_bytes(bytes: &[u8]) -> Option<(Self, Reason)> {
        let (frame, rest) = bytes.split_first_chunk()?;
        let (source, rest) = rest.split_first_chunk()?;
        let (destination, rest) = rest.split_first_chunk()?;
        let (at, rest) = rest.split_first_chunk()?;
        let (port, rest) = rest.split_first_chunk()?;
        let [reason, ..] = *rest else { return None };
        let (source, destination) = (Address(*source), Address(*destination));
        let blocked = Self { frame: Frame::new(*frame), source, destination, at: *at, port: *port, reason };
        Some((blocked, Reason::from_number(reason)?))
    }
}

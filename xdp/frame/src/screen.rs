//! The rules, once for kernel and user space: who may send, and what is said of a frame.

use crate::MAX_FRAMES;
use crate::counter::Counter;
use crate::digest::Digest;
use crate::frame::{FRAME_LEN, Frame};
use crate::rate::spend;
use crate::sequence;
use crate::shared::{Address, Limits, Settings, Totals, WindowKey};
use crate::siphash::Key;
use crate::verdict::Reason;
use crate::word::Word;

/// Most frames that one datagram is charged for; UDP cannot carry more.
const MAX_CHARGE: usize = 65_536 / FRAME_LEN;

/// What an address may send.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[repr(u8)]
pub enum Class {
    /// Frames, as a gateway.
    Frames = 1,
    /// Packets to the peers' port, as a member.
    Peer = 2,
}

impl Class {
    /// The place in a table by class.
    #[inline(always)]
    pub const fn index(self) -> usize {
        self as usize - 1
    }
}

/// What the rules look up. A table answers; it never decides.
pub trait Tables {
    /// Whether tags are checked. Only a benchmark, which wants to know what they cost, leaves them out.
    const TAGGED: bool = true;

    /// The rules' numbers.
    fn settings(&self) -> &Settings;

    /// What `address` has spent of its rate; `None` unless the longest prefix that holds it allows `class`.
    fn source(&mut self, address: &Address, class: Class) -> Option<&Word>;

    /// The key of this id.
    fn key(&self, id: u8) -> Option<&Key>;

    /// A word of this key's window of sequence numbers.
    fn sequences(&self, key_id: u8, slot: usize) -> Option<&Word>;

    /// Which block list is in force, where there are two.
    fn active_list(&self) -> u32;

    /// Whether the account is on this block list.
    fn is_listed(&self, list: u32, account: &Digest) -> bool;

    /// The limits of the currency with this index.
    fn limits(&self, currency: u32) -> Limits;

    /// What this window has counted, from nothing if it is new; `None` where there is no room for it.
    fn totals(&mut self, key: &WindowKey) -> Option<&Totals>;

    /// Counts.
    fn count(&mut self, counter: Counter, by: u64);
}

/// Whether `address` may send a datagram of `length` bytes to the frames' port: how many frames it has, or why not.
/// The refusal is counted.
#[inline(always)]
pub fn admit_frames<T: Tables>(
    address: &Address,
    length: usize,
    now: u64,
    tables: &mut T,
) -> Result<usize, Reason> {
    let frames = length / FRAME_LEN;
    let charge = length.div_ceil(FRAME_LEN).clamp(1, MAX_CHARGE);
    let limit = tables.settings().frames_per_tick;
    let judged = admit(address, Class::Frames, charge as u32, limit, now, tables).and_then(|()| {
        let whole = frames * FRAME_LEN == length && (1..=MAX_FRAMES).contains(&frames);
        if whole { Ok(frames) } else { Err(Reason::Length) }
    });
    if let Err(reason) = judged {
        tables.count(reason.into(), 1);
    }
    judged
}

/// Whether `address` may send one packet to the peers' port. The refusal is counted.
#[inline(always)]
pub fn admit_peer<T: Tables>(address: &Address, now: u64, tables: &mut T) -> bool {
    let limit = tables.settings().packets_per_tick;
    let refused = match admit(address, Class::Peer, 1, limit, now, tables) {
        Ok(()) => return true,
        Err(Reason::TooFast) => Counter::PEER_TOO_FAST,
        Err(_) => Counter::PEER_NOT_MEMBER,
    };
    tables.count(refused, 1);
    false
}

#[inline(always)]
fn admit<T: Tables>(
    address: &Address,
    class: Class,
    amount: u32,
    limit: u32,
    now: u64,
    tables: &mut T,
) -> Result<(), Reason> {
    let Some(spent) = tables.source(address, class) else { return Err(Reason::NotAllowed) };
    if limit == 0 || spend(spent, now, amount, limit) { Ok(()) } else { Err(Reason::TooFast) }
}

/// Judges a frame of an admitted datagram at `now` (nanoseconds since 1970), and counts the reason.
///
/// The order is part of the rules: shape and tag before anything that content changes, so that nobody without a key
/// moves a sequence window or fills a velocity window.
#[inline(always)]
pub fn screen<T: Tables>(frame: &Frame, now: u64, tables: &mut T) -> Reason {
    let reason = match admit_content(frame, now, tables) {
        Ok(()) => judge(frame, now, tables),
        Err(refusal) => refusal,
    };
    tables.count(reason.into(), 1);
    reason
}

/// Whether the frame is what it claims to be: shape, tag, time, first of its number.
#[inline(always)]
fn admit_content<T: Tables>(frame: &Frame, now: u64, tables: &mut T) -> Result<(), Reason> {
    if !frame.is_canonical() {
        return Err(Reason::Malformed);
    }
    let Some(key) = tables.key(frame.key_id()) else { return Err(Reason::UnknownKey) };
    if T::TAGGED && !frame.is_authentic(key) {
        return Err(Reason::BadTag);
    }
    if now.abs_diff(frame.time_ns()) > tables.settings().max_age {
        return Err(Reason::Stale);
    }
    let sequence = frame.sequence();
    let Some(word) = tables.sequences(frame.key_id(), sequence::slot(sequence)) else {
        return Err(Reason::UnknownKey);
    };
    let Some(missing) = sequence::take(word, sequence) else { return Err(Reason::Replayed) };
    if missing > 0 {
        tables.count(Counter::SEQUENCE_GAPS, missing);
    }
    Ok(())
}

/// What is known of the payment: lists, then limits. The first finding is the reason.
#[inline(always)]
fn judge<T: Tables>(frame: &Frame, now: u64, tables: &mut T) -> Reason {
    // One list for both, whatever happens meanwhile.
    let list = tables.active_list();
    if tables.is_listed(list, &frame.debtor()) {
        return Reason::DebtorListed;
    }
    if tables.is_listed(list, &frame.creditor()) {
        return Reason::CreditorListed;
    }
    let currency = frame.currency();
    let limits = tables.limits(currency);
    let amount = frame.amount();
    if limits.amount != 0 && amount > limits.amount {
        return Reason::AmountLimit;
    }
    let Settings { window, window_count, .. } = *tables.settings();
    if window == 0 || window_count | limits.sum == 0 {
        return Reason::NothingFound;
    }
    let key = WindowKey { account: frame.debtor(), currency, window: (now / window) as u32 };
    let Some(totals) = tables.totals(&key) else {
        tables.count(Counter::WINDOW_LOST, 1);
        return Reason::NothingFound;
    };
    if window_count != 0 && totals.count.fetch_add(1) >= window_count {
        return Reason::CountLimit;
    }
    if limits.sum != 0 && exceeds(&totals.sum, amount, limits.sum) {
        return Reason::SumLimit;
    }
    Reason::NothingFound
}

/// Adds `amount`, unless the limit is passed already, so that the sum cannot wrap around.
#[inline(always)]
fn exceeds(sum: &Word, amount: u64, limit: u64) -> bool {
    sum.load() > limit || sum.fetch_add(amount).saturating_add(amount) > limit
}

/// Forgets that an accepted frame was seen: the datagram goes to the socket path, which judges it anew.
#[inline(always)]
pub fn release<T: Tables>(frame: &Frame, tables: &mut T) {
    if let Some(word) = tables.sequences(frame.key_id(), sequence::slot(frame.sequence())) {
        sequence::release(word, frame.sequence());
    }
}

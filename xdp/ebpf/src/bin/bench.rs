//! The program for measurements: each whole run is undone, so that the next one finds the same packet and tables.
//!
//! What the undoing costs is measured by itself ([`undo`]). A node never loads these.

#![no_std]
#![no_main]

use aya_ebpf::bindings::xdp_action::{XDP_ABORTED, XDP_PASS};
use aya_ebpf::helpers::bpf_xdp_adjust_tail;
use aya_ebpf::macros::{map, xdp};
use aya_ebpf::maps::PerCpuArray;
use aya_ebpf::programs::XdpContext;
use hansa_xdp_ebpf::functions;
use hansa_xdp_ebpf::packet::{Datagram, at};
use hansa_xdp_ebpf::program::{Functions, run};
use hansa_xdp_ebpf::tables::Maps;
use hansa_xdp_frame::{FRAME_LEN, Frame, REPLY_LEN, release};

/// Words of an IPv4 packet with one frame, and the bytes behind them.
const WORDS: usize = PACKET / 8;
const REST: usize = PACKET % 8;
const HEADERS: usize = 14 + 20 + 8;
const PACKET: usize = HEADERS + FRAME_LEN;
/// Where the debtor's and creditor's digests are.
const DIGESTS: usize = HEADERS + 32;
/// Accounts that pay in a run with random keys, a power of two.
const ACCOUNTS: u64 = 1 << 20;

#[repr(C)]
struct Packet {
    words: [[u8; 8]; WORDS],
    rest: [u8; REST],
}

/// A packet's words, each bit turned round, since a plain copy would be made byte by byte; then the rest.
#[repr(C)]
struct Saved {
    words: [u64; WORDS],
    rest: [u8; REST],
}

#[map]
static SAVED: PerCpuArray<Saved> = PerCpuArray::with_max_entries(1, 0);
#[map]
static SEED: PerCpuArray<u64> = PerCpuArray::with_max_entries(1, 0);

functions!(Tagged, true, judge_tagged, answer_tagged);
functions!(Untagged, false, judge_untagged, answer_untagged);

/// Nothing at all.
#[xdp]
pub fn pass(_: XdpContext) -> u32 {
    XDP_PASS
}

/// Finds the datagram.
#[xdp]
pub fn parse(context: XdpContext) -> u32 {
    Datagram::parse(&context).map_or(XDP_ABORTED, |datagram| XDP_PASS + u32::from(datagram.port() == 0))
}

/// All but the tags.
#[xdp]
pub fn untagged(context: XdpContext) -> u32 {
    repeatable::<Untagged>(&context).unwrap_or(XDP_ABORTED)
}

/// All of it.
#[xdp]
pub fn tagged(context: XdpContext) -> u32 {
    repeatable::<Tagged>(&context).unwrap_or(XDP_ABORTED)
}

/// All but the tags, each time between two other accounts.
#[xdp]
pub fn random(context: XdpContext) -> u32 {
    scatter(&context).and_then(|()| repeatable::<Untagged>(&context)).unwrap_or(XDP_ABORTED)
}

/// What the measurements do beside what they measure: saving, shortening, lengthening, restoring.
#[xdp]
pub fn undo(context: XdpContext) -> u32 {
    let undone = save(&context).and_then(|()| {
        unsafe { bpf_xdp_adjust_tail(context.ctx, -((FRAME_LEN - REPLY_LEN) as i32)) };
        restore(&context)
    });
    undone.map_or(XDP_ABORTED, |()| XDP_PASS)
}

#[inline(always)]
fn repeatable<F: Functions>(context: &XdpContext) -> Option<u32> {
    save(context)?;
    let action = run::<F>(context);
    restore(context)?;
    let frame: *const Frame = at(context, context.data() + HEADERS).ok()?;
    release(unsafe { &*frame }, &mut Maps::<true>::new()?);
    Some(action)
}

#[inline(always)]
fn save(context: &XdpContext) -> Option<()> {
    let packet: *const Packet = at(context, context.data()).ok()?;
    let saved = SAVED.get_ptr_mut(0)?;
    for at in 0..WORDS {
        unsafe { (*saved).words[at] = !u64::from_ne_bytes((*packet).words[at]) };
    }
    unsafe { (*saved).rest = (*packet).rest };
    Some(())
}

#[inline(always)]
fn restore(context: &XdpContext) -> Option<()> {
    let missing = (context.data() + PACKET) as i64 - context.data_end() as i64;
    if missing > 0 {
        unsafe { bpf_xdp_adjust_tail(context.ctx, missing as i32) };
    }
    let packet: *mut Packet = at(context, context.data()).ok()?;
    let saved = SAVED.get_ptr(0)?;
    for at in 0..WORDS {
        unsafe { (*packet).words[at] = (!(*saved).words[at]).to_ne_bytes() };
    }
    unsafe { (*packet).rest = (*saved).rest };
    Some(())
}

/// Writes two accounts into the frame, as good as random.
#[inline(always)]
fn scatter(context: &XdpContext) -> Option<()> {
    let digests: *mut [[u8; 8]; 4] = at(context, context.data() + DIGESTS).ok()?;
    let seed = unsafe { &mut *SEED.get_ptr_mut(0)? };
    for pair in 0..2 {
        *seed = seed.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let account = mix(*seed) % ACCOUNTS;
        unsafe {
            (*digests)[2 * pair] = mix(account).to_le_bytes();
            (*digests)[2 * pair + 1] = mix(account + ACCOUNTS).to_le_bytes();
        }
    }
    Some(())
}

/// SplitMix64's output function.
#[inline(always)]
fn mix(number: u64) -> u64 {
    let number = (number ^ number >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let number = (number ^ number >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
    number ^ number >> 31
}

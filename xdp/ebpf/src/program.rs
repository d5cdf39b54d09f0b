//! What becomes of a packet.
//!
//! Frames are judged one by one. Those that are answered now are answered in place; a blocked one is handed up through
//! the ring buffer, and is answered by user space once it is durable. Where the ring buffer is full, the sequence
//! numbers taken are given back and the whole datagram goes to the socket path, which judges all of it.

use aya_ebpf::bindings::xdp_action::{XDP_DROP, XDP_PASS, XDP_TX};
use aya_ebpf::bindings::xdp_md;
use aya_ebpf::helpers::generated::bpf_xdp_load_bytes;
use aya_ebpf::macros::map;
use aya_ebpf::maps::PerCpuArray;
use aya_ebpf::programs::XdpContext;
use hansa_xdp_frame::{
    Blocked, Counter, FRAME_LEN, Frame, MAX_FRAMES, REPLY_LEN, Reason, Reply, Tables, Verdict, admit_frames,
    admit_peer, release, screen,
};

use crate::answer::Answer;
use crate::packet::{Datagram, Other, at};
use crate::tables::{BLOCKED, Maps, count, settings};

/// Below are the reasons of frames whose sequence number was taken.
const FIRST_REFUSAL: u8 = Reason::NotAllowed as u8;
/// Beside a reason: the frame is blocked, and there was no room to hand it up.
const NO_ROOM: u32 = 1 << 8;
/// Above every offset of a frame or reply.
const OFFSET_MASK: usize = 2047;

/// The reasons of a datagram's frames, by their numbers.
#[map]
static REASONS: PerCpuArray<[u8; MAX_FRAMES]> = PerCpuArray::with_max_entries(1, 0);

/// What is done for one frame, as functions that the verifier checks once and by themselves, not for each of a
/// datagram's frames after every fate of those before it. [`functions`](crate::functions) makes them.
pub trait Functions {
    /// Whether tags are checked and made.
    const TAGGED: bool;

    /// [`judge_frame`].
    fn judge(context: *mut xdp_md, frame: u32, now: u64) -> u32;

    /// [`answer_frame`].
    fn answer(context: *mut xdp_md, frame: u32, reply: u32, reason: u32, now: u64) -> u64;
}

/// Makes the [`Functions`] of a program, under names of their own.
#[macro_export]
macro_rules! functions {
    ($name:ident, $tagged:literal, $judge:ident, $answer:ident) => {
        /// The functions of a program.
        struct $name;

        impl $crate::program::Functions for $name {
            const TAGGED: bool = $tagged;

            #[inline(always)]
            fn judge(context: *mut ::aya_ebpf::bindings::xdp_md, frame: u32, now: u64) -> u32 {
                $judge(context, frame, now)
            }

            #[inline(always)]
            fn answer(
                context: *mut ::aya_ebpf::bindings::xdp_md,
                frame: u32,
                reply: u32,
                reason: u32,
                now: u64,
            ) -> u64 {
                $answer(context, frame, reply, reason, now)
            }
        }

        #[unsafe(no_mangle)]
        #[inline(never)]
        extern "C" fn $judge(context: *mut ::aya_ebpf::bindings::xdp_md, frame: u32, now: u64) -> u32 {
            $crate::program::judge_frame::<$tagged>(context, frame, now)
        }

        #[unsafe(no_mangle)]
        #[inline(never)]
        extern "C" fn $answer(
            context: *mut ::aya_ebpf::bindings::xdp_md,
            frame: u32,
            reply: u32,
            reason: u32,
            now: u64,
        ) -> u64 {
            $crate::program::answer_frame::<$tagged>(context, frame, reply, reason, now)
        }
    };
}

/// Judges a packet.
#[inline(always)]
pub fn run<F: Functions>(context: &XdpContext) -> u32 {
    match Datagram::parse(context) {
        Ok(datagram) => {
            let port = datagram.port();
            if port == settings().frame_port {
                frames::<F>(context, &datagram)
            } else if port == settings().peer_port {
                peer(&datagram)
            } else {
                XDP_PASS
            }
        }
        Err(Other::Foreign) => XDP_PASS,
        Err(Other::Unread(counter)) => {
            count(counter, 1);
            XDP_PASS
        }
    }
}

#[inline(always)]
fn peer(datagram: &Datagram) -> u32 {
    let Some(mut maps) = Maps::<true>::new() else { return XDP_PASS };
    let now = maps.now();
    if admit_peer(&datagram.source(), now, &mut maps) { XDP_PASS } else { XDP_DROP }
}

#[inline(always)]
fn frames<F: Functions>(context: &XdpContext, datagram: &Datagram) -> u32 {
    let Some(mut maps) = Maps::<true>::new() else { return XDP_PASS };
    if !datagram.is_answerable() || datagram.payload + datagram.length() > context.data_end() {
        count(Counter::PASSED_UNUSUAL, 1);
        return XDP_PASS;
    }
    let now = maps.now();
    let Ok(frames) = admit_frames(&datagram.source(), datagram.length(), now, &mut maps) else {
        return XDP_DROP;
    };
    let Some(reasons) = REASONS.get_ptr_mut(0) else { return XDP_PASS };
    let reasons = unsafe { &mut *reasons };
    let start = datagram.offset();
    if judge::<F>(context, start, frames, now, reasons) {
        answer::<F>(context, datagram, start, frames, now, reasons)
    } else {
        give_back(context, start, frames, &mut maps, reasons);
        count(Counter::RING_FULL, 1);
        XDP_PASS
    }
}

/// Judges every frame and hands the blocked ones up; false where the ring buffer had no room.
#[inline(always)]
fn judge<F: Functions>(
    context: &XdpContext,
    start: usize,
    frames: usize,
    now: u64,
    reasons: &mut [u8; MAX_FRAMES],
) -> bool {
    let mut said = 0;
    for (number, place) in reasons.iter_mut().enumerate() {
        if number >= frames {
            break;
        }
        let reason = F::judge(context.ctx, (start + number * FRAME_LEN) as u32, now);
        *place = reason as u8;
        said |= reason;
    }
    said & NO_ROOM == 0
}

/// Gives back the sequence numbers that were taken.
#[inline(always)]
fn give_back(
    context: &XdpContext,
    start: usize,
    frames: usize,
    maps: &mut Maps<true>,
    reasons: &[u8; MAX_FRAMES],
) {
    for (number, reason) in reasons.iter().enumerate() {
        if number >= frames {
            break;
        }
        if *reason < FIRST_REFUSAL
            && let Some(frame) = frame(context, start + number * FRAME_LEN)
        {
            release(frame, maps);
        }
    }
}

/// Answers in place every frame that is answered now.
#[inline(always)]
fn answer<F: Functions>(
    context: &XdpContext,
    datagram: &Datagram,
    start: usize,
    frames: usize,
    now: u64,
    reasons: &[u8; MAX_FRAMES],
) -> u32 {
    let mut answer = Answer::default();
    for (number, reason) in reasons.iter().enumerate() {
        if number >= frames {
            break;
        }
        let from = (start + number * FRAME_LEN) as u32;
        answer.add(F::answer(context.ctx, from, (start + answer.length) as u32, (*reason).into(), now));
    }
    if !answer.finish(context, datagram) {
        return XDP_DROP;
    }
    count(Counter::ANSWERED, 1);
    XDP_TX
}

/// Judges the frame at this offset and hands it up if it is blocked: the reason's number, perhaps with [`NO_ROOM`].
#[inline(always)]
pub fn judge_frame<const TAGGED: bool>(context: *mut xdp_md, offset: u32, now: u64) -> u32 {
    let context = XdpContext::new(context);
    let Some(mut maps) = Maps::<TAGGED>::new() else { return NO_ROOM };
    let Some(frame) = frame(&context, offset as usize) else { return NO_ROOM };
    let reason = screen(frame, now, &mut maps);
    if reason.verdict() == Verdict::Block && !hand_up(&context, offset, reason) {
        return reason as u32 | NO_ROOM;
    }
    reason as u32
}

/// Writes the reply to the frame at offset `from` to offset `to`, if it is answered now: the sum of its words for the
/// checksum, or 0.
#[inline(always)]
pub fn answer_frame<const TAGGED: bool>(
    context: *mut xdp_md,
    from: u32,
    to: u32,
    reason: u32,
    now: u64,
) -> u64 {
    let context = XdpContext::new(context);
    let Some(reason) = Reason::from_number(reason as u8) else { return 0 };
    if !reason.is_answered() || reason.verdict() == Verdict::Block {
        return 0;
    }
    let Some(maps) = Maps::<TAGGED>::new() else { return 0 };
    let Some(frame) = frame(&context, from as usize) else { return 0 };
    let Some(key) = maps.key(frame.key_id()) else { return 0 };
    let reply =
        if TAGGED { Reply::seal(frame, reason, now, key) } else { Reply::untagged(frame, reason, now) };
    write(&context, to as usize, &reply).unwrap_or(0)
}

#[inline(always)]
fn frame(context: &XdpContext, offset: usize) -> Option<&Frame> {
    at_offset::<Frame>(context, offset).map(|frame| unsafe { &*frame })
}

#[inline(always)]
fn at_offset<T>(context: &XdpContext, offset: usize) -> Option<*mut T> {
    // Offsets are below the mask; the verifier wants to see it. And what it is shown to lie in the packet must be what
    // is used, not the same sum made again.
    at::<T>(context, core::hint::black_box(context.data() + (offset & OFFSET_MASK))).ok()
}

#[inline(always)]
fn write(context: &XdpContext, offset: usize, reply: &Reply) -> Option<u64> {
    let room: *mut [u8; 8] = at_offset::<[u8; REPLY_LEN]>(context, offset)?.cast();
    let mut sum = 0;
    for (at, word) in reply.words().iter().enumerate() {
        unsafe { *room.add(at) = word.to_le_bytes() };
        sum += (word & 0xFFFF_FFFF) + (word >> 32);
    }
    Some(sum)
}

/// Hands a blocked frame up; false where there is no room.
#[inline(always)]
fn hand_up(context: &XdpContext, offset: u32, reason: Reason) -> bool {
    let Ok(datagram) = Datagram::parse(context) else { return false };
    let Some(maps) = Maps::<true>::new() else { return false };
    let now = maps.now_exactly();
    let Some(mut room) = BLOCKED.reserve::<Blocked>(0) else { return false };
    let blocked = room.as_mut_ptr();
    // Part by part: the whole would not fit the stack, and a plain copy of the frame would be made byte by byte.
    unsafe {
        bpf_xdp_load_bytes(context.ctx, offset, (&raw mut (*blocked).frame).cast(), FRAME_LEN as u32);
        (&raw mut (*blocked).source).write(datagram.source());
        (&raw mut (*blocked).destination).write(datagram.destination());
        (&raw mut (*blocked).at).write(now.to_ne_bytes());
        (&raw mut (*blocked).port).write((*datagram.udp).source);
        (&raw mut (*blocked).reason).write(reason as u8);
    }
    room.submit(0);
    count(Counter::HANDED_UP, 1);
    true
}

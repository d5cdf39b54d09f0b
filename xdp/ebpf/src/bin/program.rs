//! The program that a node loads.

#![no_std]
#![no_main]

use aya_ebpf::macros::xdp;
use aya_ebpf::programs::XdpContext;
use hansa_xdp_ebpf::functions;
use hansa_xdp_ebpf::program::run;

functions!(Node, true, judge_frame, answer_frame);

/// Screens what arrives.
#[xdp]
pub fn hansa_xdp(context: XdpContext) -> u32 {
    run::<Node>(&context)
}

//! The kernel program: what a packet is ([`packet`]), what it finds in the maps ([`tables`]), and what becomes of it
//! ([`program`]). The rules themselves are in `hansa-xdp-frame`, which user space compiles too.

#![no_std]

pub mod answer;
pub mod packet;
pub mod program;
pub mod tables;

/// Never reached: every bound is checked before. The target wants the function all the same.
#[cfg(target_arch = "bpf")]
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}

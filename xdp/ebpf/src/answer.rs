//! Turning a datagram round: the frames' places are taken by the replies, and it goes back where it came from.

use core::mem::size_of;

use aya_ebpf::helpers::bpf_xdp_adjust_tail;
use aya_ebpf::programs::XdpContext;
use hansa_xdp_frame::REPLY_LEN;

use crate::packet::{Datagram, Ipv4, Network, Udp};

/// Hops that an answer may take.
const HOPS: u8 = 64;
const PROTOCOL_UDP: u64 = 17;

/// Replies written so far over the frames, which are longer, so that none is overwritten before it was read.
#[derive(Default)]
pub struct Answer {
    /// Their bytes.
    pub length: usize,
    sum: u64,
}

impl Answer {
    /// Counts a reply by the sum of its words; 0 is none.
    #[inline(always)]
    pub fn add(&mut self, sum: u64) {
        if sum != 0 {
            self.length += REPLY_LEN;
            self.sum += sum;
        }
    }

    /// Addresses and measures the datagram for the way back; false where there is nothing to say, or the kernel
    /// will not shorten it.
    #[inline(always)]
    pub fn finish(self, context: &XdpContext, datagram: &Datagram) -> bool {
        if self.length == 0 {
            return false;
        }
        let length = size_of::<Udp>() + self.length;
        let (ethernet, udp) = unsafe { (&mut *datagram.ethernet, &mut *datagram.udp) };
        core::mem::swap(&mut ethernet.source, &mut ethernet.destination);
        core::mem::swap(&mut udp.source, &mut udp.destination);
        udp.length = (length as u16).to_be_bytes();
        udp.checksum = [0, 0];
        let pseudo = match datagram.network {
            Network::V4(ip) => {
                let ip = unsafe { &mut *ip };
                core::mem::swap(&mut ip.source, &mut ip.destination);
                ip.length = ((size_of::<Ipv4>() + length) as u16).to_be_bytes();
                ip.ttl = HOPS;
                ip.checksum = [0, 0];
                ip.checksum =
                    fold(sum(unsafe { &*core::ptr::from_ref(ip).cast::<[[u8; 4]; 5]>() })).to_ne_bytes();
                sum(unsafe { &*(&raw const ip.source).cast::<[[u8; 4]; 2]>() })
            }
            Network::V6(ip) => {
                let ip = unsafe { &mut *ip };
                core::mem::swap(&mut ip.source, &mut ip.destination);
                ip.length = (length as u16).to_be_bytes();
                ip.hops = HOPS;
                sum(unsafe { &*(&raw const ip.source).cast::<[[u8; 4]; 8]>() })
            }
        };
        let header = sum(unsafe { &*core::ptr::from_ref(udp).cast::<[[u8; 4]; 2]>() });
        let ends = u64::from((length as u16).to_be()) + (PROTOCOL_UDP << 8);
        // A checksum that comes out as zero is written as all ones: zero says that there is none.
        udp.checksum = match fold(self.sum + pseudo + header + ends) {
            0 => [0xFF, 0xFF],
            checksum => checksum.to_ne_bytes(),
        };
        // The verifier has no 32-bit difference of pointers, which is what the optimiser would make of it.
        let behind = core::hint::black_box(context.data_end() - datagram.payload);
        unsafe { bpf_xdp_adjust_tail(context.ctx, self.length as i32 - behind as i32) == 0 }
    }
}

/// The sum of 32-bit words, whose carries [`fold`] brings back. One's complement does not mind the byte order.
#[inline(always)]
fn sum<const WORDS: usize>(words: &[[u8; 4]; WORDS]) -> u64 {
    words.iter().map(|word| u64::from(u32::from_ne_bytes(*word))).sum()
}

/// The internet checksum of a sum.
#[inline(always)]
fn fold(sum: u64) -> u16 {
    let sum = (sum & 0xFFFF_FFFF) + (sum >> 32);
    let sum = (sum & 0xFFFF) + (sum >> 16);
    let sum = (sum & 0xFFFF) + (sum >> 16);
    let sum = (sum & 0xFFFF) + (sum >> 16);
    !(sum as u16)
}

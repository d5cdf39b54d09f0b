//! Turning a datagram round: the frames' places are taken by the replies, and it goes back where it came from.

use core::mem::size_of;

use aya_ebpf::helpers::bpf_xdp_adjust_tail;
use aya_ebpf::programs::XdpContext;
use hansa_xdp_frame::REPLY_LEN;

use crate::packet::{Datagram, Ipv4, Ipv6, Network, Udp};

/// Hops that an answer may take.
const HOPS: u32 = 64;
/// UDP's number as a big-endian 16-bit word, read as a little-endian one.
const PROTOCOL_UDP: u64 = 17 << 8;

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

    /// Addresses and measures the datagram for the way back; false where there is nothing to say, or the kernel will
    /// not shorten it.
    #[inline(always)]
    pub fn finish(self, context: &XdpContext, datagram: &Datagram) -> bool {
        if self.length == 0 {
            return false;
        }
        let length = (size_of::<Udp>() + self.length) as u16;
        turn_ethernet(unsafe { &mut *datagram.ethernet.cast() });
        let pseudo = match datagram.network {
            Network::V4(ip) => turn_ipv4(unsafe { &mut *ip.cast() }, length),
            Network::V6(ip) => turn_ipv6(unsafe { &mut *ip }, length),
        };
        turn_udp(unsafe { &mut *datagram.udp.cast() }, length, self.sum + pseudo);
        // The verifier has no 32-bit difference of pointers, which is what the optimiser would make of it.
        let behind = core::hint::black_box(context.data_end() - datagram.payload);
        unsafe { bpf_xdp_adjust_tail(context.ctx, self.length as i32 - behind as i32) == 0 }
    }
}

// Headers are turned round in whole words: a word that is read back from bytes just written waits for them.

/// Swaps the two addresses of an Ethernet header: six bytes each, at the beginning.
#[inline(always)]
fn turn_ethernet(addresses: &mut [[u8; 4]; 3]) {
    let [a, b, c] = addresses.map(u32::from_le_bytes);
    *addresses = [b >> 16 | c << 16, c >> 16 | a << 16, a >> 16 | b << 16].map(u32::to_le_bytes);
}

/// Returns the part of the UDP checksum that an IPv4 header has.
#[inline(always)]
fn turn_ipv4(header: &mut [[u8; 4]; 5], length: u16) -> u64 {
    let [first, second, third, source, destination] = header.map(u32::from_le_bytes);
    let total = length + size_of::<Ipv4>() as u16;
    let first = first & 0xFFFF | u32::from(total.to_be()) << 16;
    let third = third & 0xFF00 | HOPS;
    let checksum = fold([first, second, third, source, destination].map(u64::from).iter().sum());
    let third = third | u32::from(checksum) << 16;
    *header = [first, second, third, destination, source].map(u32::to_le_bytes);
    u64::from(source) + u64::from(destination)
}

/// Likewise of an IPv6 header.
#[inline(always)]
fn turn_ipv6(header: &mut Ipv6, length: u16) -> u64 {
    let source = u128::from_le_bytes(header.source);
    let destination = u128::from_le_bytes(header.destination);
    header.source = destination.to_le_bytes();
    header.destination = source.to_le_bytes();
    header.length = length.to_be_bytes();
    header.hops = HOPS as u8;
    let halves = |address: u128| [address, address >> 32, address >> 64, address >> 96];
    halves(source).iter().chain(&halves(destination)).map(|word| u64::from(*word as u32)).sum()
}

/// Swaps the ports, and writes length and checksum of a datagram whose other parts have this sum.
#[inline(always)]
fn turn_udp(header: &mut [[u8; 4]; 2], length: u16, sum: u64) {
    let ports = u32::from_le_bytes(header[0]).rotate_left(16);
    let length = u32::from(length.to_be());
    // The length counts twice: in the header, and beside the protocol in the pseudo header.
    let checksum = match fold(sum + u64::from(ports) + 2 * u64::from(length) + PROTOCOL_UDP) {
        // Zero says that there is no checksum.
        0 => u16::MAX,
        checksum => checksum,
    };
    *header = [ports, length | u32::from(checksum) << 16].map(u32::to_le_bytes);
}

/// The internet checksum of a sum of little-endian words: one's complement does not mind the byte order.
#[inline(always)]
fn fold(sum: u64) -> u16 {
    let sum = (sum & 0xFFFF_FFFF) + (sum >> 32);
    let sum = (sum & 0xFFFF) + (sum >> 16);
    let sum = (sum & 0xFFFF) + (sum >> 16);
    let sum = (sum & 0xFFFF) + (sum >> 16);
    !(sum as u16)
}

//! What a packet is: Ethernet, then IPv4 or IPv6 without options, then UDP. Anything else is the kernel's as before.

use core::mem::size_of;

use aya_ebpf::programs::XdpContext;
use hansa_xdp_frame::{Address, Counter};

const ETHERTYPE_IPV4: u16 = 0x0800;
const ETHERTYPE_IPV6: u16 = 0x86DD;
const ETHERTYPE_VLAN: u16 = 0x8100;
const ETHERTYPE_QINQ: u16 = 0x88A8;
const PROTOCOL_UDP: u8 = 17;
/// Version 4, and a header of five words: no options.
const IPV4_PLAIN: u8 = 0x45;
/// More-fragments and the offset.
const IPV4_FRAGMENT: u16 = 0x3FFF;
/// Next headers of IPv6 that stand between it and UDP: hop-by-hop, routing, destination, authentication, mobility,
/// host identity, shim6.
const IPV6_EXTENSIONS: [u8; 7] = [0, 43, 60, 51, 135, 139, 140];
const IPV6_FRAGMENT: u8 = 44;

/// An Ethernet header.
#[repr(C)]
pub struct Ethernet {
    pub destination: [u8; 6],
    pub source: [u8; 6],
    ethertype: [u8; 2],
}

/// An IPv4 header without options.
#[repr(C)]
pub struct Ipv4 {
    version_length: u8,
    service: u8,
    pub length: [u8; 2],
    id: [u8; 2],
    fragment: [u8; 2],
    pub ttl: u8,
    protocol: u8,
    pub checksum: [u8; 2],
    pub source: [u8; 4],
    pub destination: [u8; 4],
}

/// An IPv6 header.
#[repr(C)]
pub struct Ipv6 {
    version: [u8; 4],
    pub length: [u8; 2],
    next: u8,
    pub hops: u8,
    pub source: [u8; 16],
    pub destination: [u8; 16],
}

/// A UDP header.
#[repr(C)]
pub struct Udp {
    pub source: [u8; 2],
    pub destination: [u8; 2],
    pub length: [u8; 2],
    pub checksum: [u8; 2],
}

/// The network header.
#[derive(Clone, Copy)]
pub enum Network {
    V4(*mut Ipv4),
    V6(*mut Ipv6),
}

/// A datagram, by where its parts lie in the packet.
#[derive(Clone, Copy)]
pub struct Datagram {
    pub ethernet: *mut Ethernet,
    pub network: Network,
    pub udp: *mut Udp,
    pub payload: usize,
}

/// Why a packet is none of ours.
pub enum Other {
    /// Of no concern.
    Foreign,
    /// It could hide a datagram of ours: counted, and the socket path screens it.
    Unread(Counter),
}

impl Datagram {
    /// Finds the datagram in a packet.
    #[inline(always)]
    pub fn parse(context: &XdpContext) -> Result<Self, Other> {
        let ethernet: *mut Ethernet = at(context, context.data())?;
        let network = context.data() + size_of::<Ethernet>();
        match u16::from_be_bytes(unsafe { (*ethernet).ethertype }) {
            ETHERTYPE_IPV4 => Self::ipv4(context, ethernet, network),
            ETHERTYPE_IPV6 => Self::ipv6(context, ethernet, network),
            ETHERTYPE_VLAN | ETHERTYPE_QINQ => Err(Other::Unread(Counter::PASSED_VLAN)),
            _ => Err(Other::Foreign),
        }
    }

    #[inline(always)]
    fn ipv4(context: &XdpContext, ethernet: *mut Ethernet, network: usize) -> Result<Self, Other> {
        let ip: *mut Ipv4 = at(context, network)?;
        let header = unsafe { &*ip };
        if header.protocol != PROTOCOL_UDP {
            return Err(Other::Foreign);
        }
        if header.version_length != IPV4_PLAIN {
            return Err(Other::Unread(Counter::PASSED_OPTIONS));
        }
        if u16::from_be_bytes(header.fragment) & IPV4_FRAGMENT != 0 {
            return Err(Other::Unread(Counter::PASSED_FRAGMENT));
        }
        let after = network + size_of::<Ipv4>();
        let length = u16::from_be_bytes(header.length).wrapping_sub(size_of::<Ipv4>() as u16);
        Self::udp(context, ethernet, Network::V4(ip), after, length)
    }

    #[inline(always)]
    fn ipv6(context: &XdpContext, ethernet: *mut Ethernet, network: usize) -> Result<Self, Other> {
        let ip: *mut Ipv6 = at(context, network)?;
        let header = unsafe { &*ip };
        match header.next {
            PROTOCOL_UDP => {}
            IPV6_FRAGMENT => return Err(Other::Unread(Counter::PASSED_FRAGMENT)),
            next if IPV6_EXTENSIONS.contains(&next) => return Err(Other::Unread(Counter::PASSED_OPTIONS)),
            _ => return Err(Other::Foreign),
        }
        let after = network + size_of::<Ipv6>();
        Self::udp(context, ethernet, Network::V6(ip), after, u16::from_be_bytes(header.length))
    }

    #[inline(always)]
    fn udp(
        context: &XdpContext,
        ethernet: *mut Ethernet,
        network: Network,
        start: usize,
        length: u16,
    ) -> Result<Self, Other> {
        let udp: *mut Udp = at(context, start)?;
        if u16::from_be_bytes(unsafe { (*udp).length }) != length {
            return Err(Other::Unread(Counter::PASSED_UNUSUAL));
        }
        Ok(Self { ethernet, network, udp, payload: start + size_of::<Udp>() })
    }

    /// The port it is sent to.
    #[inline(always)]
    pub fn port(&self) -> u16 {
        u16::from_be_bytes(unsafe { (*self.udp).destination })
    }

    /// Where the payload begins in the packet.
    #[inline(always)]
    pub fn offset(&self) -> usize {
        let network = match self.network {
            Network::V4(_) => size_of::<Ipv4>(),
            Network::V6(_) => size_of::<Ipv6>(),
        };
        size_of::<Ethernet>() + network + size_of::<Udp>()
    }

    /// Bytes of payload that the header announces.
    #[inline(always)]
    pub fn length(&self) -> usize {
        usize::from(u16::from_be_bytes(unsafe { (*self.udp).length })).wrapping_sub(size_of::<Udp>())
    }

    /// Whether it can be answered by turning it round: it was sent to this host alone, from a port.
    #[inline(always)]
    pub fn is_answerable(&self) -> bool {
        let (ethernet, udp) = unsafe { (&*self.ethernet, &*self.udp) };
        ethernet.destination[0] & 1 == 0 && udp.source != [0, 0]
    }

    /// Who sent it.
    #[inline(always)]
    pub fn source(&self) -> Address {
        match self.network {
            Network::V4(ip) => Address::v4(unsafe { (*ip).source }),
            Network::V6(ip) => Address::v6(unsafe { (*ip).source }),
        }
    }

    /// To whom it was sent.
    #[inline(always)]
    pub fn destination(&self) -> Address {
        match self.network {
            Network::V4(ip) => Address::v4(unsafe { (*ip).destination }),
            Network::V6(ip) => Address::v6(unsafe { (*ip).destination }),
        }
    }
}

/// The `T` at this address, if the packet holds all of it.
#[inline(always)]
pub fn at<T>(context: &XdpContext, start: usize) -> Result<*mut T, Other> {
    if start + size_of::<T>() > context.data_end() { Err(Other::Foreign) } else { Ok(start as *mut T) }
}

//! A gateway and a node in network namespaces of their own, joined by a virtual cable; and packets.

use std::net::{IpAddr, Ipv4Addr};
use std::process::Command;

/// The gateway's address, and the node's.
pub(super) const GATEWAY: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 1);
pub(super) const NODE: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 2);
/// The network of both.
pub(super) const NETWORK: &str = "10.77.0.0/24";
/// The interface on either side.
pub(super) const INTERFACE: &str = "hxdp0";

/// The two namespaces; they go with it.
pub(super) struct Cable {
    gateway: String,
    node: String,
}

impl Cable {
    /// Lays it.
    ///
    /// # Errors
    /// What `ip` says, where this process may not.
    pub(super) fn new() -> Result<Self, String> {
        let name = |side| format!("hansa-bench-{}-{side}", std::process::id());
        let cable = Self { gateway: name("gateway"), node: name("node") };
        let Self { gateway, node } = &cable;
        for name in [gateway, node] {
            ip(&format!("netns add {name}"))?;
        }
        ip(&format!("-n {gateway} link add {INTERFACE} type veth peer name {INTERFACE} netns {node}"))?;
        for (name, address) in [(gateway, GATEWAY), (node, NODE)] {
            ip(&format!("-n {name} addr add {address}/24 dev {INTERFACE}"))?;
            ip(&format!("-n {name} link set {INTERFACE} up"))?;
        }
        Ok(cable)
    }

    /// A command at the gateway.
    pub(super) fn at_gateway(&self) -> Command {
        within(&self.gateway)
    }

    /// A command at the node.
    pub(super) fn at_node(&self) -> Command {
        within(&self.node)
    }
}

impl Drop for Cable {
    fn drop(&mut self) {
        for name in [&self.gateway, &self.node] {
            // Whoever could make them can remove them; what is left shows in `ip netns`.
            let _ = ip(&format!("netns del {name}"));
        }
    }
}

fn within(name: &str) -> Command {
    let mut command = Command::new("ip");
    command.args(["netns", "exec", name]);
    command
}

fn ip(arguments: &str) -> Result<(), String> {
    let output = Command::new("ip").args(arguments.split_whitespace()).output();
    let output = output.map_err(|error| format!("ip cannot be run: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("ip {arguments}: {}", String::from_utf8_lossy(&output.stderr).trim()))
}

/// An Ethernet packet with a UDP datagram, from and to these IPv4 addresses; without the optional checksum of UDP.
pub(super) fn packet(source: IpAddr, destination: IpAddr, port: u16, payload: &[u8]) -> Vec<u8> {
    let (IpAddr::V4(source), IpAddr::V4(destination)) = (source, destination) else { return vec![] };
    let length = |headers: usize| u16::try_from(headers + payload.len()).unwrap_or(u16::MAX).to_be_bytes();
    let mut ip = vec![0x45, 0];
    ip.extend(length(28));
    ip.extend([0x12, 0x34, 0x40, 0, 64, 17, 0, 0]);
    ip.extend(source.octets());
    ip.extend(destination.octets());
    let sum: u32 = ip.chunks(2).map(|pair| u32::from(pair[0]) << 8 | u32::from(pair[1])).sum();
    let folded = (sum & 0xFFFF) + (sum >> 16);
    let checksum = !((folded + (folded >> 16)) as u16);
    ip[10..12].copy_from_slice(&checksum.to_be_bytes());
    let udp = [5000u16.to_be_bytes(), port.to_be_bytes(), length(8), [0, 0]].concat();
    let ethernet = [2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0];
    [&ethernet[..], &ip, &udp, payload].concat()
}

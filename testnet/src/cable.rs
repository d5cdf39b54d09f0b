//! A gateway and a node in network namespaces of their own, joined by a virtual cable: for what needs an interface and must
//! not touch the machine's.

use std::net::Ipv4Addr;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use thiserror::Error;

/// The gateway's address.
pub const GATEWAY: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 1);
/// The node's address.
pub const NODE: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 2);
/// The network of both.
pub const NETWORK: &str = "10.77.0.0/24";
/// The interface on either side.
pub const INTERFACE: &str = "hxdp0";

static NUMBER: AtomicU32 = AtomicU32::new(0);

/// Why no cable was laid: `ip` is missing, or this process may not.
#[derive(Debug, Error)]
#[error("no network namespaces here: {0}")]
pub struct CableError(String);

/// The two namespaces; they go with it.
pub struct Cable {
    gateway: String,
    node: String,
}

impl Cable {
    /// Lays it.
    ///
    /// # Errors
    /// See [`CableError`].
    pub fn new() -> Result<Self, CableError> {
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = |side| format!("hansa-cable-{}-{number}-{side}", std::process::id());
        let cable = Self { gateway: name("gateway"), node: name("node") };
        let Self { gateway, node } = &cable;
        for name in [gateway, node] {
            ip(&format!("netns add {name}"))?;
            ip(&format!("-n {name} link set lo up"))?;
        }
        ip(&format!("-n {gateway} link add {INTERFACE} type veth peer name {INTERFACE} netns {node}"))?;
        for (name, address) in [(gateway, GATEWAY), (node, NODE)] {
            ip(&format!("-n {name} addr add {address}/24 dev {INTERFACE}"))?;
            ip(&format!("-n {name} link set {INTERFACE} up"))?;
        }
        Ok(cable)
    }

    /// What `ip` says of the node's interface.
    ///
    /// # Errors
    /// See [`CableError`].
    pub fn interface_at_node(&self) -> Result<String, CableError> {
        ip(&format!("-n {} link show {INTERFACE}", self.node))
    }

    /// A command at the gateway.
    pub fn at_gateway(&self) -> Command {
        within(&self.gateway)
    }

    /// A command at the node.
    pub fn at_node(&self) -> Command {
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

fn ip(arguments: &str) -> Result<String, CableError> {
    let output = Command::new("ip").args(arguments.split_whitespace()).output();
    let output = output.map_err(|error| CableError(format!("ip cannot be run: {error}")))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    Err(CableError(format!("ip {arguments}: {}", String::from_utf8_lossy(&output.stderr).trim())))
}

//! A gateway and a node, each in a network namespace of its own, joined by a cable.

use std::fs::File;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use hansa_xdp::{Config, Driver, Mode};
use nix::sched::{CloneFlags, setns};

use super::{GATEWAY_V4, GATEWAY_V6, NODE_V4, NODE_V6, allowed, config, rules, skipped};

/// The interface of either side.
pub(crate) const INTERFACE: &str = "cable0";
/// A reply that takes longer is lost.
const PATIENCE: Duration = Duration::from_millis(200);

static NUMBER: AtomicU32 = AtomicU32::new(0);

/// The two namespaces; they go with it.
pub(crate) struct Network {
    gateway: String,
    node: String,
}

impl Network {
    /// Makes them, or says that the test is skipped.
    pub(crate) fn new(test: &str) -> Option<Self> {
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = |side| format!("hansa-xdp-{}-{number}-{side}", std::process::id());
        let network = Self { gateway: name("gateway"), node: name("node") };
        if let Err(error) = network.build() {
            skipped(test, &format!("no network namespaces here: {error}"));
            return None;
        }
        Some(network)
    }

    fn build(&self) -> Result<(), String> {
        for name in [&self.gateway, &self.node] {
            ip(&format!("netns add {name}"))?;
        }
        self.plug()
    }

    /// Lays the cable, anew if it was taken away.
    pub(crate) fn plug(&self) -> Result<(), String> {
        let Self { gateway, node } = self;
        ip(&format!("-n {gateway} link add {INTERFACE} type veth peer name {INTERFACE} netns {node}"))?;
        for (name, v4, v6) in [(gateway, GATEWAY_V4, GATEWAY_V6), (node, NODE_V4, NODE_V6)] {
            ip(&format!("-n {name} addr add {}/24 dev {INTERFACE}", IpAddr::from(v4)))?;
            ip(&format!("-n {name} addr add {}/64 dev {INTERFACE} nodad", IpAddr::from(v6)))?;
            ip(&format!("-n {name} link set {INTERFACE} up"))?;
        }
        Ok(())
    }

    /// Runs `work` in the node's namespace.
    pub(crate) fn at_node<T>(&self, work: impl FnOnce() -> T) -> T {
        within(&self.node, work)
    }

    /// Runs `ip` in the node's namespace.
    pub(crate) fn ip_at_node(&self, arguments: &str) -> String {
        ip(&format!("-n {} {arguments}", self.node)).expect("ip works")
    }

    /// Sets the MTU of both ends.
    pub(crate) fn set_mtu(&self, mtu: u32) {
        for name in [&self.gateway, &self.node] {
            ip(&format!("-n {name} link set {INTERFACE} mtu {mtu}")).expect("ip works");
        }
    }

    /// `ip netns exec` of the node's namespace.
    pub(crate) fn command_at_node(&self) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.node]);
        command
    }

    /// The configuration on the cable.
    pub(crate) fn config(mode: Mode) -> Config {
        Config { interface: Some(INTERFACE.to_owned()), mode, ..config() }
    }

    /// What a driver's `XDP_TX` needs of a virtual cable: a program on its other end, which leaves all packets alone.
    pub(crate) fn other_end(&self, test: &str) -> Option<Driver> {
        let config = Config { frame_port: 9, peer_port: 0, ..Self::config(Mode::Native) };
        let attached =
            within(&self.gateway, || Driver::attach(&config, &rules(&config), &Default::default(), None));
        allowed(test, attached).map(|(driver, _)| driver)
    }

    /// A socket at the gateway that is connected to the node's port.
    pub(crate) fn gateway_socket(&self, is_v4: bool, port: u16) -> UdpSocket {
        let (own, other): (IpAddr, IpAddr) =
            if is_v4 { (GATEWAY_V4.into(), NODE_V4.into()) } else { (GATEWAY_V6.into(), NODE_V6.into()) };
        within(&self.gateway, || {
            let socket = UdpSocket::bind(SocketAddr::new(own, 0)).expect("a free port");
            socket.connect(SocketAddr::new(other, port)).expect("a route");
            socket.set_read_timeout(Some(PATIENCE)).expect("a time");
            socket
        })
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        for name in [&self.gateway, &self.node] {
            let _ = ip(&format!("netns del {name}"));
        }
    }
}

/// Runs `work` with this thread in the namespace.
fn within<T>(name: &str, work: impl FnOnce() -> T) -> T {
    let own = File::open("/proc/thread-self/ns/net").expect("the thread's namespace");
    let other = File::open(format!("/run/netns/{name}")).expect("the namespace");
    setns(other, CloneFlags::CLONE_NEWNET).expect("privileged, since it was made");
    let result = work();
    setns(own, CloneFlags::CLONE_NEWNET).expect("back again");
    result
}

fn ip(arguments: &str) -> Result<String, String> {
    let output =
        Command::new("ip").args(arguments.split_whitespace()).output().map_err(|error| error.to_string())?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        Err(format!("ip {arguments}: {}", String::from_utf8_lossy(&output.stderr).trim()))
    }
}

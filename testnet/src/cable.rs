//! A gateway and a node in network namespaces of their own, joined by a virtual cable: for what needs an interface and must
//! not touch the machine's.

use std::fs::File;
use std::net::Ipv4Addr;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use hansa_xdp::{Config, Driver, Mode, Rules};
use nix::sched::{CloneFlags, setns};
use thiserror::Error;
use tokio::runtime::Runtime;

/// The gateway's address.
pub const GATEWAY: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 1);
/// The node's address.
pub const NODE: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 2);
/// The network of both.
pub const NETWORK: &str = "10.77.0.0/24";
/// The interface on either side.
pub const INTERFACE: &str = "hxdp0";

/// What the namespaces' names begin with; the process that made them follows.
const PREFIX: &str = "hansa-cable-";
/// Where `ip` keeps namespaces by name.
const NAMESPACES: &str = "/run/netns";

static NUMBER: AtomicU32 = AtomicU32::new(0);

/// Why no cable was laid: `ip` is missing, or this process may not.
#[derive(Debug, Error)]
#[error("no network namespaces here: {0}")]
pub struct CableError(String);

/// The two namespaces; they go with it.
pub struct Cable {
    gateway: String,
    node: String,
    /// The driver at the gateway's end, and what it runs in.
    end: Option<(Runtime, Driver)>,
}

impl Cable {
    /// Lays it.
    ///
    /// # Errors
    /// See [`CableError`].
    pub fn new() -> Result<Self, CableError> {
        sweep();
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = |side| format!("{PREFIX}{}-{number}-{side}", std::process::id());
        let cable = Self { gateway: name("gateway"), node: name("node"), end: None };
        let Self { gateway, node, .. } = &cable;
        for name in [gateway, node] {
            ip(&format!("netns add {name}"))?;
            ip(&format!("-n {name} link set lo up"))?;
        }
        ip(&format!("-n {gateway} link add {INTERFACE} type veth peer name {INTERFACE} netns {node}"))?;
        for (name, address) in [(gateway, GATEWAY), (node, NODE)] {
            ip(&format!("-n {name} addr add {address}/24 dev {INTERFACE}"))?;
            // Each datagram is a packet of its own, as on a network, though many were handed over at once.
            ip(&format!("-n {name} link set {INTERFACE} gso_max_segs 1 up"))?;
        }
        Ok(cable)
    }

    /// Attaches a driver to the gateway's end, which lets everything pass: a cable brings a driver's answers back only to
    /// an end that has one too.
    ///
    /// # Errors
    /// See [`CableError`].
    pub fn bring_answers(&mut self) -> Result<(), CableError> {
        let failed = |error: &dyn std::fmt::Display| CableError(error.to_string());
        let gateway = &self.gateway;
        let attach = || {
            enter(gateway)?;
            let runtime = Runtime::new().map_err(|error| failed(&error))?;
            let within = runtime.enter();
            let interface = Some(INTERFACE.to_owned());
            let config = Config { interface, mode: Mode::Native, max_accounts: 1, ..Config::default() };
            let attached = Driver::attach(&config, &Rules::default(), &Default::default(), None);
            let (driver, _) = attached.map_err(|error| failed(&error))?;
            drop(within);
            Ok((runtime, driver))
        };
        // A thread of its own, since it changes namespaces.
        let end = std::thread::scope(|scope| scope.spawn(attach).join());
        self.end = Some(end.map_err(|_| failed(&"attaching to the gateway's end panicked"))??);
        Ok(())
    }

    /// Takes the calling thread, and those that it starts from here on, to the node.
    ///
    /// # Errors
    /// See [`CableError`].
    pub fn enter_node(&self) -> Result<(), CableError> {
        enter(&self.node)
    }

    /// What `ip` says of the node's interface.
    ///
    /// # Errors
    /// See [`CableError`].
    pub fn interface_at_node(&self) -> Result<String, CableError> {
        ip(&format!("-n {} link show {INTERFACE}", self.node))
    }

    /// Takes the interfaces away, as a card that is pulled out.
    ///
    /// # Errors
    /// See [`CableError`].
    pub fn pull(&self) -> Result<(), CableError> {
        ip(&format!("-n {} link del {INTERFACE}", self.node)).map(|_| ())
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

fn enter(name: &str) -> Result<(), CableError> {
    let failed = |error: &dyn std::fmt::Display| CableError(format!("{name}: {error}"));
    let namespace = File::open(Path::new(NAMESPACES).join(name)).map_err(|error| failed(&error))?;
    setns(namespace, CloneFlags::CLONE_NEWNET).map_err(|error| failed(&error))
}

/// Removes what processes left that were killed.
fn sweep() {
    let Ok(entries) = std::fs::read_dir(NAMESPACES) else { return };
    for name in entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()) {
        let owner = name.strip_prefix(PREFIX).and_then(|rest| rest.split('-').next());
        if owner.is_some_and(|owner| !Path::new("/proc").join(owner).exists()) {
            // Another process may sweep too.
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

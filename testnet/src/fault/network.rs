//! A network of its own for each replica, joined by a router in this process's namespace, which drops what it is told
//! to, one direction at a time.

use std::fs;

use super::group::{Failure, io_failure};
use super::tool::tool;
use crate::replica::Wrapper;

/// Where `ip` keeps the names of namespaces; covered, so that ours are seen by nobody else and gone with us.
const NAMES: &str = "/run/netns";
const FORWARDING: &str = "/proc/sys/net/ipv4/ip_forward";
/// Where replicas listen.
const PORT: u16 = 7000;

/// Makes the network of replicas 1 to `count`.
pub(super) fn build(count: u64) -> Result<(), Failure> {
    fs::create_dir_all(NAMES).map_err(io_failure(NAMES))?;
    tool("mount", ["-t", "tmpfs", "none", NAMES])?;
    ip("link set lo up")?;
    fs::write(FORWARDING, "1").map_err(io_failure(FORWARDING))?;
    for id in 1..=count {
        let (name, link, host) = (namespace(id), link(id), host(id));
        ip(&format!("netns add {name}"))?;
        ip(&format!("link add {link} type veth peer name eth0 netns {name}"))?;
        ip(&format!("addr add {}/30 dev {link}", router(id)))?;
        ip(&format!("link set {link} up"))?;
        ip(&format!("-n {name} link set lo up"))?;
        ip(&format!("-n {name} addr add {host}/30 dev eth0"))?;
        ip(&format!("-n {name} link set eth0 up"))?;
        ip(&format!("-n {name} route add default via {}", router(id)))?;
    }
    Ok(())
}

/// Takes it down again, as far as it is there.
pub(super) fn remove(count: u64) {
    for id in 1..=count {
        let _ = ip(&format!("netns del {}", namespace(id)));
    }
    let _ = tool("umount", [NAMES]);
}

/// Where a replica listens.
pub(super) fn address(id: u64) -> String {
    format!("{}:{PORT}", host(id))
}

/// Runs a replica in its network.
pub(super) fn wrapper(id: u64) -> Wrapper {
    let program = ["ip", "netns", "exec", &namespace(id)].map(str::to_owned).to_vec();
    Wrapper { program, environment: Vec::new() }
}

/// Drops what one replica sends to another.
pub(super) fn cut(from: u64, to: u64) -> Result<(), Failure> {
    ip(&rule("add", from, to))
}

/// Lets it pass again.
pub(super) fn mend(from: u64, to: u64) -> Result<(), Failure> {
    ip(&rule("del", from, to))
}

/// Lets a replica receive no more than `rate`, and queue no longer than `latency`.
pub(super) fn slow(id: u64, rate: &str, latency: &str) -> Result<(), Failure> {
    let link = link(id);
    tool(
        "tc",
        ["qdisc", "add", "dev", &link, "root", "tbf", "rate", rate, "burst", "16kb", "latency", latency],
    )?;
    Ok(())
}

/// Full speed again.
pub(super) fn restore(id: u64) -> Result<(), Failure> {
    tool("tc", ["qdisc", "del", "dev", &link(id), "root"]).map(|_| ())
}

fn rule(verb: &str, from: u64, to: u64) -> String {
    // Rules are a router's: what is dropped here nobody is told of, as in a network.
    format!("rule {verb} from {} to {} blackhole pref {}", host(from), host(to), 100 + from * 10 + to)
}

fn ip(line: &str) -> Result<(), Failure> {
    tool("ip", line.split(' ')).map(|_| ())
}

fn namespace(id: u64) -> String {
    format!("hansa-{}-{id}", std::process::id())
}

fn link(id: u64) -> String {
    format!("zone-{id}")
}

fn host(id: u64) -> String {
    format!("10.77.{id}.2")
}

fn router(id: u64) -> String {
    format!("10.77.{id}.1")
}

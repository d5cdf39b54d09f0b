//! What can go wrong; each message says what to do.

use std::io;
use std::path::PathBuf;

use hansa_types::money::Currency;

/// Why a [`Config`](crate::Config) is refused.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// A number outside its bounds.
    #[error("xdp.{field} is {value}; it must be from {least} to {most}")]
    Limit {
        /// The setting.
        field: &'static str,
        /// What it was set to.
        value: u64,
        /// The least it may be.
        least: u64,
        /// The most it may be.
        most: u64,
    },
    /// No power of two.
    #[error("xdp.ring_bytes is {value}; it must be a power of two, such as 16777216")]
    Power {
        /// What it was set to.
        value: u32,
    },
    /// One port for two purposes.
    #[error("xdp.frame_port and xdp.peer_port are both {port}: frames and members' nodes need a port each")]
    SamePort {
        /// The port.
        port: u16,
    },
    /// A limit that no amount can reach.
    #[error(
        "a limit of xdp.limits.{currency} has more than 18 digits: give it in the currency's minor units"
    )]
    Amount {
        /// The currency.
        currency: Currency,
    },
}

/// Why frames are not screened in the driver. The socket path gives the same verdicts meanwhile.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// No interface is named.
    #[error("xdp.interface is not set: name the interface that frames arrive on")]
    NoInterface,
    /// Not privileged enough.
    #[error(
        "the node lacks {missing}: grant it (systemd: AmbientCapabilities=CAP_BPF CAP_NET_ADMIN CAP_PERFMON)"
    )]
    Capability {
        /// The capabilities that are missing.
        missing: String,
    },
    /// Refused although every capability is there.
    #[error(
        "the kernel refuses BPF to this process ({call}): look at lockdown (/sys/kernel/security/lockdown), seccomp and the container's profile"
    )]
    Forbidden {
        /// What was refused.
        call: String,
    },
    /// A kernel without BPF.
    #[error("this kernel has no BPF: it must be built with CONFIG_BPF_SYSCALL and CONFIG_BPF_JIT")]
    NoBpf,
    /// Too old a kernel.
    #[error("the kernel is {found}; {needed} or later is needed for atomic instructions in BPF: update it")]
    KernelTooOld {
        /// The running kernel.
        found: String,
        /// The oldest that will do.
        needed: &'static str,
    },
    /// The verifier refuses the program.
    #[error("the kernel's verifier refuses the program ({source}): report it with the kernel's version")]
    Verifier {
        /// What it said.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// No such interface.
    #[error("there is no interface {interface:?} here: see `ip link`, and set xdp.interface")]
    NoSuchInterface {
        /// The name.
        interface: String,
    },
    /// Another program has the interface.
    #[error("another XDP program has {interface}: see `ip link show {interface}`, and detach it")]
    Busy {
        /// The interface.
        interface: String,
    },
    /// The driver has no native mode at this MTU.
    #[error(
        "the MTU of {interface} or of its peer is too large for native mode: `ip link set {interface} mtu 1500`, or xdp.mode = \"generic\""
    )]
    Mtu {
        /// The interface.
        interface: String,
    },
    /// The driver has no native mode.
    #[error("the driver of {interface} has no native XDP ({source}): set xdp.mode = \"generic\"")]
    NotNative {
        /// The interface.
        interface: String,
        /// What it said.
        source: io::Error,
    },
    /// The interface went away under it.
    #[error("{interface} is gone, or was made anew: `hansa xdp attach` when it is there again")]
    Gone {
        /// The interface.
        interface: String,
    },
    /// It was taken off the interface before.
    #[error("the program is on no interface any more: `hansa xdp attach` puts it there")]
    Detached,
    /// The pinned link cannot be kept or taken over.
    #[error("{path}: {source}; xdp.pin must be a folder on a BPF file system (mount -t bpf bpf /sys/fs/bpf)")]
    Pin {
        /// Where.
        path: PathBuf,
        /// What went wrong.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// More than a table was sized for.
    #[error(
        "{count} {what} are more than xdp.{setting} = {room}: raise it and restart; the tables are as before"
    )]
    TooMany {
        /// What.
        what: &'static str,
        /// How many.
        count: u64,
        /// How many there is room for.
        room: u64,
        /// The setting that sizes it.
        setting: &'static str,
    },
    /// Memory.
    #[error(
        "the kernel has no memory for the tables ({source}): lower xdp.max_accounts, xdp.max_windows or the cgroup's use"
    )]
    Memory {
        /// What it said.
        source: io::Error,
    },
    /// A system call that should not fail.
    #[error("{call}: {source}: report it with the kernel's version")]
    System {
        /// The call.
        call: &'static str,
        /// What it said.
        source: io::Error,
    },
    /// Something else in the loader.
    #[error("the program cannot be loaded: {source}")]
    Load {
        /// What it said.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

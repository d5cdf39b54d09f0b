//! The `[xdp]` part of the node's configuration, and the bounds of each setting.

use std::collections::BTreeMap;
use std::path::PathBuf;

use hansa_types::money::Currency;
use hansa_xdp_frame::{AMOUNT_LIMIT, Limits, Settings, TICK_BITS, currency_index};
use serde::{Deserialize, Serialize};

use crate::error::ConfigError;
use crate::firewall::Prefix;

/// Most accounts that a block list may be sized for: 1 GB of kernel memory each.
const MAX_ACCOUNTS: u32 = 10_000_000;
/// Most velocity windows and addresses that may be kept.
const MAX_ENTRIES: u32 = 50_000_000;
/// Most bytes of the ring buffer.
const MAX_RING_BYTES: u32 = 1 << 30;
/// Bytes of a page, of which a ring buffer is a power of two.
const PAGE: u32 = 4096;
/// Bits of the filter for each account that a list is sized for: fewer than one lookup in a hundred is wasted.
const FILTER_BITS_PER_ACCOUNT: u32 = 16;

/// How frames are received and judged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The network interface. None: frames are screened on the socket only.
    pub interface: Option<String>,
    /// Where on the interface the program runs.
    pub mode: Mode,
    /// The UDP port that frames are sent to.
    pub frame_port: u16,
    /// The UDP port of the other members' nodes, which only their addresses then reach; 0 leaves it alone.
    pub peer_port: u16,
    /// Addresses and networks of members that may send to it, besides the addresses that `[p2p.peers]` names.
    pub peers: Vec<Prefix>,
    /// Addresses and networks that may send frames, as `ADDRESS` or `ADDRESS/BITS`.
    pub allow: Vec<Prefix>,
    /// Those within them that may not. The longest match decides.
    pub deny: Vec<Prefix>,
    /// Frames that one address may send in a second; 0 is no limit.
    pub frames_per_second: u32,
    /// Packets to the peers' port that one address may send in a second; 0 is no limit.
    pub packets_per_second: u32,
    /// How far a frame's time may be from this node's clock, in milliseconds.
    pub max_age_ms: u32,
    /// The length of a velocity window in seconds; 0 is none.
    pub window_seconds: u32,
    /// Payments of one account in one currency and window; 0 is no limit.
    pub window_count: u64,
    /// Limits by currency.
    pub limits: BTreeMap<Currency, CurrencyLimits>,
    /// Accounts that the block list has room for.
    pub max_accounts: u32,
    /// Velocity windows that are kept: twice the accounts and currencies that pay within one.
    pub max_windows: u32,
    /// Addresses whose rate is remembered.
    pub max_sources: u32,
    /// Addresses and networks that the firewall has room for.
    pub max_prefixes: u32,
    /// Bytes of the ring buffer that blocked frames come through: a power of two.
    pub ring_bytes: u32,
    /// A folder on a BPF file system. With it the program stays attached when the node ends, and the next one takes it
    /// over; frames that it blocks meanwhile are answered by nobody.
    pub pin: Option<PathBuf>,
}

/// Where on the interface the program runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// In the driver; where the driver cannot, in the network stack.
    #[default]
    Auto,
    /// In the driver or not at all.
    Native,
    /// In the network stack: any interface can, at a higher cost.
    Generic,
}

/// A currency's limits in its minor units; 0 is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CurrencyLimits {
    /// Of one payment.
    pub amount: u64,
    /// Of one account's payments in one window.
    pub sum: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            interface: None,
            mode: Mode::Auto,
            frame_port: 4480,
            peer_port: 0,
            peers: Vec::new(),
            allow: Vec::new(),
            deny: Vec::new(),
            frames_per_second: 200_000,
            packets_per_second: 50_000,
            max_age_ms: 10_000,
            window_seconds: 60,
            window_count: 0,
            limits: BTreeMap::new(),
            max_accounts: 1_000_000,
            max_windows: 1_000_000,
            max_sources: 65_536,
            max_prefixes: 4096,
            ring_bytes: 16 << 20,
            pin: None,
        }
    }
}

impl Config {
    /// Checks every setting against its bounds.
    pub fn check(&self) -> Result<(), ConfigError> {
        let within = |field, value: u32, least: u32, most: u32| {
            if (least..=most).contains(&value) {
                Ok(())
            } else {
                Err(ConfigError::Limit { field, value: value.into(), least: least.into(), most: most.into() })
            }
        };
        within("frame_port", self.frame_port.into(), 1, u16::MAX.into())?;
        within("max_age_ms", self.max_age_ms, 1, 3_600_000)?;
        within("window_seconds", self.window_seconds, 0, 31 * 86_400)?;
        within("max_accounts", self.max_accounts, 1, MAX_ACCOUNTS)?;
        within("max_windows", self.max_windows, 1, MAX_ENTRIES)?;
        within("max_sources", self.max_sources, 1, MAX_ENTRIES)?;
        within("max_prefixes", self.max_prefixes, 1, MAX_ENTRIES)?;
        within("ring_bytes", self.ring_bytes, PAGE, MAX_RING_BYTES)?;
        if !self.ring_bytes.is_power_of_two() {
            return Err(ConfigError::Power { value: self.ring_bytes });
        }
        if self.frame_port == self.peer_port {
            return Err(ConfigError::SamePort { port: self.frame_port });
        }
        for (currency, limits) in &self.limits {
            if limits.amount > AMOUNT_LIMIT || limits.sum > AMOUNT_LIMIT {
                return Err(ConfigError::Amount { currency: *currency });
            }
        }
        Ok(())
    }

    /// The rules' numbers.
    pub fn settings(&self) -> Settings {
        Settings {
            max_age: u64::from(self.max_age_ms) * 1_000_000,
            window: u64::from(self.window_seconds) * 1_000_000_000,
            window_count: self.window_count,
            frames_per_tick: per_tick(self.frames_per_second),
            packets_per_tick: per_tick(self.packets_per_second),
            filter_words: (self.max_accounts * FILTER_BITS_PER_ACCOUNT / u64::BITS).next_power_of_two(),
            frame_port: self.frame_port,
            peer_port: self.peer_port,
        }
    }

    /// Every currency's limits, by its index.
    pub(crate) fn limits_by_index(&self) -> impl Iterator<Item = (u32, Limits)> {
        self.limits.iter().map(|(currency, limits)| {
            let letters = currency.as_str().as_bytes().try_into().expect("a currency has three letters");
            let index = currency_index(letters).expect("the constructor admits capital letters only");
            (index, Limits { amount: limits.amount, sum: limits.sum })
        })
    }
}

/// What a rate per second allows in a tick; no limit stays none, and a limit never becomes none.
fn per_tick(per_second: u32) -> u32 {
    ((u64::from(per_second) << TICK_BITS) / 1_000_000_000)
        .try_into()
        .unwrap_or(u32::MAX)
        .max(per_second.min(1))
}

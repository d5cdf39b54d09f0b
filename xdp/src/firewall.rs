//! Who may send what: prefixes of addresses, the longest of which decides.

use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

use hansa_xdp_frame::{Address, Class};
use serde::{Deserialize, Serialize};

use crate::error::Error;

/// Bits of an address.
pub(crate) const ADDRESS_BITS: u8 = 128;
/// What precedes an IPv4 address in its mapped form.
const MAPPED_BITS: u8 = 96;

/// A network, or one address.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Prefix {
    address: Address,
    bits: u8,
}

/// Why a text is no prefix.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PrefixError {
    /// Not an address with or without a length.
    #[error("{0:?} is not an address or network: write 192.0.2.7, 192.0.2.0/24 or 2001:db8::/32")]
    Form(String),
    /// Bits are set behind the length.
    #[error("{0:?} has bits set behind its length: the network is {1}")]
    HostBits(String, Prefix),
}

impl Prefix {
    /// The prefix that holds this address alone.
    pub fn of(address: IpAddr) -> Self {
        Self { address: mapped(address), bits: ADDRESS_BITS }
    }

    /// The first `bits` bits of `address`, in its mapped form.
    fn truncated(address: Address, bits: u8) -> Self {
        let mask = u128::MAX.checked_shl(u32::from(ADDRESS_BITS - bits)).unwrap_or(0);
        Self { address: Address((u128::from_be_bytes(address.0) & mask).to_be_bytes()), bits }
    }

    /// Whether all of `other` is within this.
    fn holds(&self, other: &Self) -> bool {
        self.bits <= other.bits && Self::truncated(other.address, self.bits) == *self
    }

    /// The address in its mapped form, and the length counted in it.
    pub(crate) fn parts(&self) -> (Address, u8) {
        (self.address, self.bits)
    }
}

/// The address as the tables have it.
pub(crate) fn mapped(address: IpAddr) -> Address {
    match address {
        IpAddr::V4(address) => Address::v4(address.octets()),
        IpAddr::V6(address) => Address(address.octets()),
    }
}

impl FromStr for Prefix {
    type Err = PrefixError;

    fn from_str(text: &str) -> Result<Self, PrefixError> {
        let form = || PrefixError::Form(text.to_owned());
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits.parse::<u8>().map_err(|_| form())?)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| form())?;
        let before = if address.is_ipv4() { MAPPED_BITS } else { 0 };
        let bits = bits.unwrap_or(ADDRESS_BITS - before).checked_add(before).ok_or_else(form)?;
        if bits > ADDRESS_BITS {
            return Err(form());
        }
        let prefix = Self::truncated(mapped(address), bits);
        if prefix.address != mapped(address) {
            return Err(PrefixError::HostBits(text.to_owned(), prefix));
        }
        Ok(prefix)
    }
}

impl TryFrom<String> for Prefix {
    type Error = PrefixError;

    fn try_from(text: String) -> Result<Self, PrefixError> {
        text.parse()
    }
}

impl From<Prefix> for String {
    fn from(prefix: Prefix) -> Self {
        prefix.to_string()
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let address = Ipv6Addr::from(self.address.0);
        match address.to_ipv4_mapped().filter(|_| self.bits >= MAPPED_BITS) {
            Some(address) => write!(f, "{address}/{}", self.bits - MAPPED_BITS),
            None => write!(f, "{address}/{}", self.bits),
        }
    }
}

/// What each prefix may and may not send. Nothing is allowed that is not named.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Firewall {
    rules: BTreeMap<(u8, Prefix), bool>,
}

impl Firewall {
    /// Lets `prefix` send, or forbids it, and replaces what was said of it before.
    pub fn set(&mut self, class: Class, prefix: Prefix, is_allowed: bool) {
        self.rules.insert((class as u8, prefix), is_allowed);
    }

    /// What is said of each prefix.
    pub fn rules(&self, class: Class) -> impl Iterator<Item = (Prefix, bool)> {
        let of_class = self.rules.iter().filter(move |((of, _), _)| *of == class as u8);
        of_class.map(|((_, prefix), is_allowed)| (*prefix, *is_allowed))
    }

    /// Whether a table of so many prefixes has room for all of it.
    pub fn check(&self, room: u32) -> Result<(), Error> {
        let count = self.table().len();
        if count > room as usize {
            return Err(Error::TooMany {
                what: "addresses and networks",
                count: count as u64,
                room: room.into(),
                setting: "max_prefixes",
            });
        }
        Ok(())
    }

    /// One table for both classes, by prefix the sum of the classes allowed: where a prefix says nothing of a class,
    /// the longest one around it does.
    pub(crate) fn table(&self) -> BTreeMap<Prefix, u32> {
        let prefixes = self.rules.keys().map(|(_, prefix)| *prefix);
        prefixes.map(|prefix| (prefix, self.classes(&prefix))).collect()
    }

    fn classes(&self, prefix: &Prefix) -> u32 {
        [Class::Frames, Class::Peer]
            .into_iter()
            .filter(|class| {
                let around = self.rules(*class).filter(|(around, _)| around.holds(prefix));
                around.max_by_key(|(around, _)| around.bits).is_some_and(|(_, is_allowed)| is_allowed)
            })
            .map(|class| class as u32)
            .sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prefix(text: &str) -> Prefix {
        text.parse().expect("a prefix")
    }

    #[test]
    fn prefixes_read_and_print() {
        for text in ["192.0.2.0/24", "192.0.2.7/32", "0.0.0.0/0", "2001:db8::/32", "::/0", "::1/128"] {
            assert_eq!(prefix(text).to_string(), text);
        }
        assert_eq!(prefix("192.0.2.7"), Prefix::of("192.0.2.7".parse().expect("an address")));
        assert!(matches!("192.0.2.7/24".parse::<Prefix>(), Err(PrefixError::HostBits(_, network))
            if network == prefix("192.0.2.0/24")));
        for text in ["", "192.0.2.0/33", "192.0.2/24", "::/129", "host", "1.2.3.4/255"] {
            assert!(matches!(text.parse::<Prefix>(), Err(PrefixError::Form(_))), "{text}");
        }
    }

    #[test]
    fn the_longest_prefix_decides_for_each_class() {
        let mut firewall = Firewall::default();
        firewall.set(Class::Frames, prefix("10.0.0.0/8"), true);
        firewall.set(Class::Frames, prefix("10.1.0.0/16"), false);
        firewall.set(Class::Peer, prefix("10.1.2.3"), true);
        let table = firewall.table();
        assert_eq!(table[&prefix("10.0.0.0/8")], Class::Frames as u32);
        assert_eq!(table[&prefix("10.1.0.0/16")], 0);
        assert_eq!(table[&prefix("10.1.2.3")], Class::Peer as u32);
        firewall.set(Class::Frames, prefix("10.1.0.0/16"), true);
        assert_eq!(firewall.table()[&prefix("10.1.2.3")], Class::Peer as u32 + Class::Frames as u32);
    }
}

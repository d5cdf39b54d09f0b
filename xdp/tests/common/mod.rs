//! What the tests share: a configuration, frames, packets, and the word for what cannot run here.

#![allow(dead_code, clippy::panic, reason = "helpers of tests, of which each file uses its part")]

pub(crate) mod network;

use std::collections::BTreeMap;
use std::io::Write;
use std::net::IpAddr;
use std::time::{SystemTime, UNIX_EPOCH};

use hansa_xdp::frame::{Class, Digest, Fields, Frame, Key, Scheme};
use hansa_xdp::{Config, CurrencyLimits, Error, Prefix, Rules};

/// The gateway's and the node's addresses, of each family.
pub(crate) const GATEWAY_V4: [u8; 4] = [10, 77, 0, 1];
pub(crate) const NODE_V4: [u8; 4] = [10, 77, 0, 2];
pub(crate) const GATEWAY_V6: [u8; 16] = [0xFD, 0x77, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
pub(crate) const NODE_V6: [u8; 16] = [0xFD, 0x77, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2];
pub(crate) const GATEWAY_PORT: u16 = 5000;
pub(crate) const PEER_PORT: u16 = 4400;

/// What `XDP` programs return.
pub(crate) const DROP: u32 = 1;
pub(crate) const PASS: u32 = 2;
pub(crate) const TX: u32 = 3;

pub(crate) fn config() -> Config {
    let small = Config { max_accounts: 4096, max_windows: 65_536, max_sources: 4096, ..Config::default() };
    Config {
        peer_port: PEER_PORT,
        allow: vec![prefix("10.77.0.0/16"), prefix("fd77::/32")],
        deny: vec![prefix("10.77.66.0/24")],
        limits: BTreeMap::from([(
            "EUR".try_into().expect("a currency"),
            CurrencyLimits { amount: 5_000_000, sum: 90_000_000 },
        )]),
        window_count: 40,
        ..small
    }
}

pub(crate) fn prefix(text: &str) -> Prefix {
    text.parse().expect("a prefix")
}

pub(crate) fn key(id: u8) -> Key {
    Key::new([id + 1; 16])
}

/// Keys 0 to 3; members at 10.77.1.0/24.
pub(crate) fn rules(config: &Config) -> Rules {
    let mut rules = Rules::new(config, (0..4).map(|id| (id, key(id))).collect(), []);
    rules.firewall.set(Class::Peer, prefix("10.77.1.0/24"), true);
    rules
}

/// The digest of the account of this number.
pub(crate) fn account(number: u64) -> Digest {
    hansa_xdp::frame::digest(
        &Key::new([0xD1; 16]),
        hansa_xdp::frame::Subject::Account,
        &format!("ACCOUNT{number}"),
    )
    .expect("not empty")
}

/// Milliseconds since 1970.
pub(crate) fn now_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_millis() as u64
}

/// A payment that nothing is wrong with.
pub(crate) fn fields(sequence: u64) -> Fields {
    let mut uetr = [0x55; 16];
    uetr[..6].copy_from_slice(&sequence.to_le_bytes()[..6]);
    uetr[6] = 0x47;
    uetr[8] = 0x81;
    Fields {
        key_id: 0,
        time: now_ms(),
        sequence,
        uetr,
        debtor: account(sequence),
        creditor: account(sequence + 1_000_000),
        instructing: Digest([0x1A; 16]),
        instructed: Digest([0x1B; 16]),
        amount: 1_000,
        currency: *b"EUR",
        debtor_country: *b"DE",
        creditor_country: *b"FR",
        scheme: Scheme::SctInst,
    }
}

pub(crate) fn seal(fields: &Fields) -> Frame {
    fields.seal(&key(fields.key_id)).expect("canonical")
}

pub(crate) fn payload(frames: &[Frame]) -> Vec<u8> {
    frames.iter().flat_map(|frame| *frame.as_bytes()).collect()
}

/// An Ethernet packet with a UDP datagram.
pub(crate) fn packet(source: IpAddr, destination: IpAddr, port: u16, payload: &[u8]) -> Vec<u8> {
    let mut packet = vec![0x02, 0, 0, 0, 0, 2, 0x02, 0, 0, 0, 0, 1];
    let udp_len = (8 + payload.len()) as u16;
    let addresses = match (source, destination) {
        (IpAddr::V4(source), IpAddr::V4(destination)) => {
            packet.extend([0x08, 0x00]);
            let mut ip = vec![0x45, 0];
            ip.extend((20 + udp_len).to_be_bytes());
            ip.extend([0x12, 0x34, 0x40, 0, 64, 17, 0, 0]);
            ip.extend(source.octets());
            ip.extend(destination.octets());
            let sum = checksum(&ip);
            ip[10..12].copy_from_slice(&sum.to_be_bytes());
            packet.extend(&ip);
            ip[12..20].to_vec()
        }
        (IpAddr::V6(source), IpAddr::V6(destination)) => {
            packet.extend([0x86, 0xDD, 0x60, 0, 0, 0]);
            packet.extend(udp_len.to_be_bytes());
            packet.extend([17, 64]);
            let addresses = [source.octets(), destination.octets()].concat();
            packet.extend(&addresses);
            addresses
        }
        _ => unreachable!("both of one family"),
    };
    let mut udp = [GATEWAY_PORT.to_be_bytes(), port.to_be_bytes(), udp_len.to_be_bytes(), [0, 0]].concat();
    udp.extend(payload);
    let sum = udp_checksum(&addresses, &udp);
    udp[6..8].copy_from_slice(&sum.to_be_bytes());
    packet.extend(udp);
    packet
}

/// The UDP checksum over the pseudo header, as it is written.
pub(crate) fn udp_checksum(addresses: &[u8], udp: &[u8]) -> u16 {
    let mut all = addresses.to_vec();
    all.extend([0, 17]);
    all.extend((udp.len() as u16).to_be_bytes());
    all.extend(udp);
    match checksum(&all) {
        0 => 0xFFFF,
        sum => sum,
    }
}

/// The internet checksum.
pub(crate) fn checksum(bytes: &[u8]) -> u16 {
    let words = bytes.chunks(2).map(|pair| u32::from(pair[0]) << 8 | u32::from(*pair.get(1).unwrap_or(&0)));
    let mut sum: u32 = words.sum();
    while sum > 0xFFFF {
        sum = (sum & 0xFFFF) + (sum >> 16);
    }
    !(sum as u16)
}

/// Says that a test is skipped, past the test runner, which keeps what passing tests print to itself.
pub(crate) fn skipped(test: &str, reason: &dyn std::fmt::Display) {
    let _ = writeln!(std::io::stderr(), "SKIPPED: {test}: {reason}");
}

/// The value, or a line that says why the test is skipped where the kernel forbids it.
pub(crate) fn allowed<T>(test: &str, result: Result<T, Error>) -> Option<T> {
    match result {
        Ok(value) => Some(value),
        Err(
            error @ (Error::Capability { .. }
            | Error::Forbidden { .. }
            | Error::NoBpf
            | Error::KernelTooOld { .. }),
        ) => {
            skipped(test, &error);
            None
        }
        Err(error) => panic!("{error}"),
    }
}

//! What is counted: every reason, and what happens to datagrams as a whole.

use crate::verdict::Reason;

/// Room in the table of counters; what is not named here stays zero.
pub const COUNTERS: u32 = 64;
/// Reasons come first, each at its own number.
const FIRST_EVENT: u32 = 32;

/// The index of a counter.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Counter(u32);

macro_rules! events {
    ($($at:literal $name:ident $text:literal $help:literal;)*) => {
        impl Counter {
            $(#[doc = $help] pub const $name: Self = Self(FIRST_EVENT + $at);)*

            const EVENTS: &'static [(Self, &'static str, &'static str)] = &[$((Self::$name, $text, $help)),*];
        }
    };
}

events! {
    0 ANSWERED "answered" "datagrams answered in the driver";
    1 HANDED_UP "handed-up" "blocked frames handed up for the audit log";
    2 RING_FULL "ring-full" "datagrams passed to the socket path because the ring buffer was full";
    3 SEQUENCE_GAPS "sequence-gaps" "sequence numbers that never came";
    4 WINDOW_LOST "window-lost" "payments that no velocity window had room for";
    5 PASSED_FRAGMENT "passed-fragment" "fragments passed to the socket path";
    6 PASSED_OPTIONS "passed-options" "packets with IP options or extension headers passed to the socket path";
    7 PASSED_VLAN "passed-vlan" "packets with a VLAN tag passed to the socket path";
    8 PASSED_UNUSUAL "passed-unusual" "datagrams whose lengths or addresses are unusual, passed to the socket path";
    9 PEER_NOT_MEMBER "peer-not-member" "packets to the peers' port from no member's address, dropped";
    10 PEER_TOO_FAST "peer-too-fast" "packets to the peers' port beyond the limit, dropped";
}

impl Counter {
    /// The index in the table.
    #[inline(always)]
    pub const fn index(self) -> u32 {
        self.0
    }

    /// Every counter with its name and what it counts.
    pub fn all() -> impl Iterator<Item = (Self, &'static str, &'static str)> {
        let reasons =
            Reason::ALL.iter().map(|reason| (Self::from(*reason), reason.name(), "frames with this reason"));
        reasons.chain(Self::EVENTS.iter().copied())
    }
}

impl From<Reason> for Counter {
    #[inline(always)]
    fn from(reason: Reason) -> Self {
        Self(reason as u32)
    }
}

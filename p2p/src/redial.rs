//! When to dial a member again: exponential back-off with jitter that a seed determines. The caller brings the time.

use std::collections::BTreeMap;
use std::time::Duration;

use hansa_types::hash::digest;
use libp2p::PeerId;
use tokio::time::Instant;

/// How long a connection must have lasted for the back-off to start over. A peer that takes the handshake and then
/// hangs up, as one that does not list us does, is thereby not dialled without pause.
const STABLE_AFTER: Duration = Duration::from_secs(10);

/// By how many times the base the node with the larger peer id waits longer, from the first attempt on, so that two do
/// not dial each other at the same moment and end both connections.
const YIELD: u32 = 4;

/// How long the pauses are.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pauses {
    /// Determines the jitter.
    pub(crate) seed: u64,
    /// The ceiling of the first.
    pub(crate) base: Duration,
    /// The ceiling of all.
    pub(crate) max: Duration,
}

/// The members that can be dialled and when each is due.
#[derive(Debug)]
pub(crate) struct Redial {
    own: PeerId,
    pauses: Pauses,
    members: BTreeMap<PeerId, State>,
}

#[derive(Debug)]
struct State {
    yields: bool,
    failures: u32,
    due: Option<Instant>,
    connected: Option<Instant>,
}

impl Redial {
    /// All members are due at once, but those whom this node yields to.
    pub(crate) fn new(
        own: PeerId,
        pauses: Pauses,
        members: impl IntoIterator<Item = PeerId>,
        now: Instant,
    ) -> Self {
        let mut redial = Self { own, pauses, members: BTreeMap::new() };
        members.into_iter().for_each(|peer| redial.add(peer, now));
        redial
    }

    /// A member more, due at once unless this node yields to it.
    pub(crate) fn add(&mut self, peer: PeerId, now: Instant) {
        let yields = self.own > peer;
        let due = if yields { now + self.pauses.base.saturating_mul(YIELD) } else { now };
        self.members.insert(peer, State { yields, failures: 0, due: Some(due), connected: None });
    }

    /// A member less.
    pub(crate) fn forget(&mut self, peer: &PeerId) {
        self.members.remove(peer);
    }

    /// When the next member is due.
    pub(crate) fn next(&self) -> Option<Instant> {
        self.members.values().filter_map(|state| state.due).min()
    }

    /// The members to dial now; each is due again only after [`Self::lost`].
    pub(crate) fn take_due(&mut self, now: Instant) -> Vec<PeerId> {
        let mut due = Vec::new();
        for (peer, state) in &mut self.members {
            if state.due.is_some_and(|at| at <= now) {
                state.due = None;
                due.push(*peer);
            }
        }
        due
    }

    /// A connection with `peer` exists, whoever dialled.
    pub(crate) fn connected(&mut self, peer: &PeerId, now: Instant) {
        if let Some(state) = self.members.get_mut(peer) {
            state.due = None;
            state.connected.get_or_insert(now);
        }
    }

    /// The last connection with `peer` closed, or an attempt failed while there was none.
    pub(crate) fn lost(&mut self, peer: &PeerId, now: Instant) {
        let Some(state) = self.members.get_mut(peer) else { return };
        let lasted = state.connected.take().map(|since| now.saturating_duration_since(since));
        if lasted.is_some_and(|lasted| lasted >= STABLE_AFTER) {
            state.failures = 0;
        }
        let extra = if state.yields { self.pauses.base.saturating_mul(YIELD) } else { Duration::ZERO };
        state.due = Some(now + self.pauses.after(state.failures, peer) + extra);
        state.failures = state.failures.saturating_add(1);
    }
}

impl Pauses {
    /// The pause after `failures` failures in a row: between half and all of `base * 2^failures`, or of `max` if less.
    fn after(&self, failures: u32, peer: &PeerId) -> Duration {
        let factor = 1u32.checked_shl(failures).unwrap_or(u32::MAX);
        let ceiling = self.base.saturating_mul(factor).min(self.max);
        let parts = [&self.seed.to_be_bytes()[..], &failures.to_be_bytes(), &peer.to_bytes()];
        let hash = digest("hansa/redial/v1", &parts).0;
        let fraction = u32::from(u16::from_be_bytes([hash[0], hash[1]]));
        ceiling / 2 + ceiling.saturating_mul(fraction) / (2 << 16)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::Identity;

    const PAUSES: Pauses = Pauses { seed: 7, base: Duration::from_millis(500), max: Duration::from_secs(30) };

    fn member(n: u8) -> PeerId {
        Identity::from_seed(&[n; 32]).peer_id()
    }

    /// Two members, the one with the smaller peer id first.
    fn two() -> [PeerId; 2] {
        let mut both = [member(1), member(2)];
        both.sort();
        both
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn the_pause_is_bounded_and_determined(seed: u64, failures: u32) {
            let pauses = Pauses { seed, ..PAUSES };
            let pause = pauses.after(failures, &member(1));
            prop_assert!(pause >= PAUSES.base / 2 && pause <= PAUSES.max);
            prop_assert_eq!(pause, pauses.after(failures, &member(1)));
        }
    }

    #[test]
    fn members_are_spread() {
        assert_ne!(PAUSES.after(3, &member(1)), PAUSES.after(3, &member(2)));
        assert_ne!(PAUSES.after(3, &member(1)), Pauses { seed: 8, ..PAUSES }.after(3, &member(1)));
    }

    #[test]
    fn pauses_grow_until_a_connection_lasts() {
        let [own, peer] = two();
        let start = Instant::now();
        let mut redial = Redial::new(own, PAUSES, [peer], start);
        let mut now = start;
        for failures in 0..10 {
            assert_eq!(redial.take_due(now), vec![peer]);
            assert_eq!(redial.next(), None, "one attempt at a time");
            redial.lost(&peer, now);
            let due = redial.next().expect("dialled again");
            assert_eq!(due - now, PAUSES.after(failures, &peer));
            now = due;
        }
        redial.connected(&peer, now);
        assert_eq!(redial.next(), None);
        redial.lost(&peer, now + Duration::from_secs(1));
        assert!(
            redial.next().expect("due") - now >= PAUSES.max / 2,
            "a short connection does not start it over"
        );
        redial.connected(&peer, now);
        redial.lost(&peer, now + STABLE_AFTER);
        assert!(redial.next().expect("due") - (now + STABLE_AFTER) <= PAUSES.base);
    }

    #[test]
    fn of_two_that_lost_each_other_one_yields() {
        let [smaller, larger] = two();
        let now = Instant::now();
        let pause = |own, peer| {
            let mut redial = Redial::new(own, PAUSES, [peer], now);
            redial.lost(&peer, now);
            redial.next().expect("due") - now
        };
        assert!(pause(smaller, larger) <= PAUSES.base);
        assert!(pause(larger, smaller) >= PAUSES.base * YIELD);
    }

    #[test]
    fn of_two_that_start_together_one_yields() {
        let [smaller, larger] = two();
        let now = Instant::now();
        assert_eq!(Redial::new(smaller, PAUSES, [larger], now).next(), Some(now));
        assert_eq!(Redial::new(larger, PAUSES, [smaller], now).next(), Some(now + PAUSES.base * YIELD));
    }

    #[test]
    fn strangers_are_never_due() {
        let now = Instant::now();
        let mut redial = Redial::new(member(1), PAUSES, [], now);
        redial.lost(&member(2), now);
        assert_eq!(redial.next(), None);
    }
}

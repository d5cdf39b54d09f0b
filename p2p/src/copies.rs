//! Which received messages the application is asked about: the copies of one content, and what each member may have
//! undecided. Pure bookkeeping: the caller brings the time. Why it exists is in the crate's documentation.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use hansa_types::hash::Digest;
use libp2p::PeerId;
use tokio::time::Instant;

use crate::gossip::VERDICT_DEADLINE;
use crate::message::{MessageId, Verdict};

/// Copies of one content that one member may have undecided. An honest member sends one, or a second when a root was
/// replaced and it proved again.
pub const MAX_COPIES_PER_PEER: usize = 2;
/// Accepted contents that are remembered, oldest forgotten first. A copy of a forgotten one is judged again: the
/// application, which knows the nullifier, ignores it.
pub const ACCEPTED_CONTENTS: usize = 1 << 16;

/// Why the application is not asked about a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unasked {
    /// Another copy was accepted.
    CopyOfAccepted,
    /// The member has [`MAX_COPIES_PER_PEER`] copies of this content undecided.
    TooManyCopies,
    /// The member has all it may have undecided.
    TooManyUndecided,
}

/// A message that awaits its verdict.
#[derive(Debug)]
struct Undecided {
    from: PeerId,
    content: Digest,
    arrived: Instant,
}

/// The messages that await a verdict and the contents that have been accepted.
#[derive(Debug)]
pub(crate) struct Copies {
    undecided: BTreeMap<MessageId, Undecided>,
    by_member: BTreeMap<PeerId, usize>,
    by_content: BTreeMap<(Digest, PeerId), usize>,
    accepted: BTreeSet<Digest>,
    accepted_in_order: VecDeque<Digest>,
    undecided_per_peer: usize,
}

impl Copies {
    pub(crate) fn new(undecided_per_peer: usize) -> Self {
        Self {
            undecided: BTreeMap::new(),
            by_member: BTreeMap::new(),
            by_content: BTreeMap::new(),
            accepted: BTreeSet::new(),
            accepted_in_order: VecDeque::new(),
            undecided_per_peer,
        }
    }

    /// Takes a message in, or says why the application need not see it. Gossipsub gives each id once at a time.
    pub(crate) fn arrive(
        &mut self,
        id: MessageId,
        from: PeerId,
        content: Digest,
        now: Instant,
    ) -> Result<(), Unasked> {
        if self.accepted.contains(&content) || self.undecided.contains_key(&id) {
            return Err(Unasked::CopyOfAccepted);
        }
        if self.by_content.get(&(content, from)).is_some_and(|n| *n >= MAX_COPIES_PER_PEER) {
            return Err(Unasked::TooManyCopies);
        }
        if self.by_member.get(&from).is_some_and(|n| *n >= self.undecided_per_peer) {
            return Err(Unasked::TooManyUndecided);
        }
        *self.by_member.entry(from).or_default() += 1;
        *self.by_content.entry((content, from)).or_default() += 1;
        self.undecided.insert(id, Undecided { from, content, arrived: now });
        Ok(())
    }

    /// Settles a message: who forwarded it, and the verdict that gossipsub is told. Nothing if it is not awaited.
    ///
    /// The second of two copies accepted at the same time is ignored: a content is forwarded once.
    pub(crate) fn settle(&mut self, id: MessageId, verdict: Verdict) -> Option<(PeerId, Verdict)> {
        let Undecided { from, content, .. } = self.undecided.remove(&id)?;
        release(&mut self.by_member, from);
        release(&mut self.by_content, (content, from));
        let verdict = match verdict {
            Verdict::Accept if !self.accept(content) => Verdict::Ignore,
            other => other,
        };
        Some((from, verdict))
    }

    /// Remembers that a copy of `content` was accepted, or published here; false if that was known.
    pub(crate) fn accept(&mut self, content: Digest) -> bool {
        if !self.accepted.insert(content) {
            return false;
        }
        self.accepted_in_order.push_back(content);
        if self.accepted_in_order.len() > ACCEPTED_CONTENTS
            && let Some(oldest) = self.accepted_in_order.pop_front()
        {
            self.accepted.remove(&oldest);
        }
        true
    }

    /// The messages whose verdict is overdue: gossipsub no longer holds them.
    pub(crate) fn overdue(&self, now: Instant) -> Vec<MessageId> {
        let late = |message: &Undecided| now.saturating_duration_since(message.arrived) >= VERDICT_DEADLINE;
        self.undecided.iter().filter(|(_, message)| late(message)).map(|(id, _)| *id).collect()
    }

    /// How many messages await a verdict.
    pub(crate) fn undecided(&self) -> usize {
        self.undecided.len()
    }
}

fn release<K: Ord>(counts: &mut BTreeMap<K, usize>, key: K) {
    if let std::collections::btree_map::Entry::Occupied(mut entry) = counts.entry(key) {
        *entry.get_mut() -= 1;
        if *entry.get() == 0 {
            entry.remove();
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::Identity;

    fn member(n: u8) -> PeerId {
        Identity::from_seed(&[n; 32]).peer_id()
    }

    fn id(n: u8) -> MessageId {
        MessageId([n; 32])
    }

    const CONTENT: Digest = Digest([9; 32]);

    #[test]
    fn a_spoilt_copy_does_not_suppress_the_honest_one() {
        let (mut copies, now) = (Copies::new(8), Instant::now());
        assert_eq!(copies.arrive(id(1), member(1), CONTENT, now), Ok(()));
        assert_eq!(
            copies.arrive(id(2), member(2), CONTENT, now),
            Ok(()),
            "while the spoilt one is undecided"
        );
        assert_eq!(copies.settle(id(1), Verdict::Reject), Some((member(1), Verdict::Reject)));
        assert_eq!(copies.settle(id(2), Verdict::Accept), Some((member(2), Verdict::Accept)));
    }

    #[test]
    fn a_member_uses_up_only_its_own_budgets() {
        let (mut copies, now) = (Copies::new(3), Instant::now());
        assert_eq!(copies.arrive(id(1), member(1), CONTENT, now), Ok(()));
        assert_eq!(copies.arrive(id(2), member(1), CONTENT, now), Ok(()));
        assert_eq!(copies.arrive(id(3), member(1), CONTENT, now), Err(Unasked::TooManyCopies));
        assert_eq!(copies.arrive(id(4), member(1), Digest([1; 32]), now), Ok(()));
        assert_eq!(copies.arrive(id(5), member(1), Digest([2; 32]), now), Err(Unasked::TooManyUndecided));
        assert_eq!(copies.arrive(id(6), member(2), CONTENT, now), Ok(()));
    }

    #[test]
    fn a_content_is_forwarded_once() {
        let (mut copies, now) = (Copies::new(8), Instant::now());
        assert_eq!(copies.arrive(id(1), member(1), CONTENT, now), Ok(()));
        assert_eq!(copies.arrive(id(2), member(2), CONTENT, now), Ok(()));
        assert_eq!(copies.settle(id(1), Verdict::Accept), Some((member(1), Verdict::Accept)));
        assert_eq!(copies.settle(id(2), Verdict::Accept), Some((member(2), Verdict::Ignore)));
        assert_eq!(copies.arrive(id(3), member(3), CONTENT, now), Err(Unasked::CopyOfAccepted));
    }

    #[test]
    fn a_verdict_counts_once_and_in_time() {
        let (mut copies, now) = (Copies::new(8), Instant::now());
        assert_eq!(copies.arrive(id(1), member(1), CONTENT, now), Ok(()));
        assert!(copies.overdue(now).is_empty());
        assert_eq!(copies.overdue(now + VERDICT_DEADLINE), vec![id(1)]);
        assert!(copies.settle(id(1), Verdict::Ignore).is_some());
        assert_eq!(copies.settle(id(1), Verdict::Accept), None);
        assert_eq!(
            copies.arrive(id(1), member(1), CONTENT, now),
            Ok(()),
            "an ignored message is not remembered"
        );
    }

    #[test]
    fn the_memory_of_accepted_contents_is_bounded() {
        let mut copies = Copies::new(1);
        let content = |n: usize| hansa_types::hash::digest("test", &[&n.to_be_bytes()]);
        for n in 0..=ACCEPTED_CONTENTS {
            assert!(copies.accept(content(n)));
        }
        assert_eq!(copies.accepted.len(), ACCEPTED_CONTENTS);
        assert!(!copies.accept(content(ACCEPTED_CONTENTS)), "the newest is kept");
        assert!(copies.accept(content(0)), "the oldest is not");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// Whatever arrives and is said: each content goes out at most once, the budgets hold, and nothing lingers.
        #[test]
        fn budgets_hold(steps in prop::collection::vec((0u8..24, 0u8..3, 0u8..4, 0u8..4), 1..200)) {
            let (mut copies, now) = (Copies::new(4), Instant::now());
            let mut forwarded = BTreeSet::new();
            let mut content_of = BTreeMap::new();
            for (message, from, content, action) in steps {
                let (message, content) = (id(message), Digest([content; 32]));
                let verdict = match action {
                    0 => {
                        if copies.arrive(message, member(from), content, now).is_ok() {
                            content_of.insert(message, content);
                        }
                        continue;
                    }
                    1 => Verdict::Accept,
                    2 => Verdict::Ignore,
                    _ => Verdict::Reject,
                };
                if let Some((_, Verdict::Accept)) = copies.settle(message, verdict) {
                    prop_assert!(forwarded.insert(content_of[&message]));
                }
                prop_assert!(copies.by_member.values().all(|n| (1..=4).contains(n)));
                prop_assert!(copies.by_content.values().all(|n| (1..=MAX_COPIES_PER_PEER).contains(n)));
                prop_assert_eq!(copies.by_member.values().sum::<usize>(), copies.undecided());
                prop_assert_eq!(copies.by_content.values().sum::<usize>(), copies.undecided());
            }
        }
    }
}

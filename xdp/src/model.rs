//! The same verdicts on a socket: the rules' lookups on plain collections.

use std::collections::BTreeMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::net::IpAddr;

use hansa_xdp_frame::{
    Address, Class, Counter, Digest, FRAME_LEN, Frame, Key, Limits, Reason, Settings, Tables, Totals,
    WindowKey, Word, admit_frames, admit_peer, screen,
};

use crate::config::Config;
use crate::firewall::{ADDRESS_BITS, mapped};
use crate::kernel::Sequences;
use crate::rules::Rules;

/// The accounts that are blocked. Making one of a million takes a while: do so before the model is locked.
#[derive(Clone, Debug, Default)]
pub struct BlockList(Accounts);

/// Digests by their own bits: they are as good as random already.
#[expect(clippy::disallowed_types, reason = "a million accounts are asked for one by one and never listed")]
type Accounts = std::collections::HashSet<Digest, BuildHasherDefault<DigestHasher>>;

impl FromIterator<Digest> for BlockList {
    fn from_iter<I: IntoIterator<Item = Digest>>(accounts: I) -> Self {
        Self(accounts.into_iter().collect())
    }
}

/// Everything that the rules look up, in this process.
#[derive(Debug)]
pub struct Model {
    settings: Settings,
    max_windows: usize,
    max_sources: usize,
    prefixes: BTreeMap<u8, BTreeMap<Address, u32>>,
    sources: BTreeMap<Address, [Word; 2]>,
    keys: BTreeMap<u8, Key>,
    sequences: Sequences,
    accounts: BlockList,
    limits: BTreeMap<u32, Limits>,
    totals: BTreeMap<(u32, WindowKey), Totals>,
    counters: BTreeMap<Counter, u64>,
}

/// A frame and what is said of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Judged {
    /// The frame.
    pub frame: Frame,
    /// The reason, which knows its verdict and whether it is answered.
    pub reason: Reason,
}

impl Model {
    /// Tables of this configuration; no account is blocked yet.
    pub fn new(config: &Config, rules: &Rules) -> Self {
        let mut model = Self {
            settings: config.settings(),
            max_windows: config.max_windows as usize,
            max_sources: config.max_sources as usize,
            prefixes: BTreeMap::new(),
            sources: BTreeMap::new(),
            keys: BTreeMap::new(),
            sequences: Sequences::own(),
            accounts: BlockList::default(),
            limits: config.limits_by_index().collect(),
            totals: BTreeMap::new(),
            counters: BTreeMap::new(),
        };
        model.set_rules(rules);
        model
    }

    /// Replaces who may send and under which keys.
    pub fn set_rules(&mut self, rules: &Rules) {
        self.prefixes.clear();
        for (prefix, classes) in rules.firewall.table() {
            let (address, bits) = prefix.parts();
            self.prefixes.entry(bits).or_default().insert(address, classes);
        }
        self.keys.clone_from(&rules.keys);
    }

    /// Replaces the block list, and returns the one before.
    pub fn set_accounts(&mut self, accounts: BlockList) -> BlockList {
        std::mem::replace(&mut self.accounts, accounts)
    }

    /// How many accounts are blocked.
    pub fn accounts(&self) -> usize {
        self.accounts.0.len()
    }

    /// Whether this account is blocked.
    pub fn blocks(&self, account: &Digest) -> bool {
        self.accounts.0.contains(account)
    }

    /// Shares the windows of sequence numbers with the kernel program, so that a frame is judged once, by whichever
    /// path it takes.
    pub fn share_sequences(&mut self, sequences: Sequences) {
        self.sequences = sequences;
    }

    /// The windows of sequence numbers.
    pub fn sequences(&self) -> &Sequences {
        &self.sequences
    }

    /// Judges a datagram to the frames' port at `now` (nanoseconds since 1970): its frames in order, or why none of
    /// them was looked at.
    pub fn judge(&mut self, source: IpAddr, payload: &[u8], now: u64) -> Result<Vec<Judged>, Reason> {
        admit_frames(&mapped(source), payload.len(), now, self)?;
        let frames = payload.as_chunks::<FRAME_LEN>().0.iter().map(|bytes| Frame::new(*bytes));
        Ok(frames.map(|frame| Judged { frame, reason: screen(&frame, now, self) }).collect())
    }

    /// Whether a packet to the peers' port may pass.
    pub fn admits_peer(&mut self, source: IpAddr, now: u64) -> bool {
        admit_peer(&mapped(source), now, self)
    }

    /// What was counted.
    pub fn counters(&self) -> impl Iterator<Item = (Counter, u64)> {
        self.counters.iter().map(|(counter, value)| (*counter, *value))
    }

    fn classes(&self, address: &Address) -> u32 {
        let number = u128::from_be_bytes(address.0);
        let longest_first = self.prefixes.iter().rev();
        let mut found = longest_first.filter_map(|(bits, prefixes)| {
            let mask = u128::MAX.checked_shl(u32::from(ADDRESS_BITS - bits)).unwrap_or(0);
            prefixes.get(&Address((number & mask).to_be_bytes()))
        });
        found.next().copied().unwrap_or(0)
    }
}

impl Tables for Model {
    fn settings(&self) -> &Settings {
        &self.settings
    }

    fn source(&mut self, address: &Address, class: Class) -> Option<&Word> {
        if self.classes(address) & class as u32 == 0 {
            return None;
        }
        if self.sources.len() >= self.max_sources && !self.sources.contains_key(address) {
            self.sources.clear();
        }
        Some(&self.sources.entry(*address).or_default()[class.index()])
    }

    fn key(&self, id: u8) -> Option<&Key> {
        self.keys.get(&id).filter(|key| !key.is_none())
    }

    fn sequences(&self, key_id: u8, slot: usize) -> Option<&Word> {
        self.sequences.window(key_id).get(slot)
    }

    fn active_list(&self) -> u32 {
        0
    }

    fn is_listed(&self, _: u32, account: &Digest) -> bool {
        self.accounts.0.contains(account)
    }

    fn limits(&self, currency: u32) -> Limits {
        self.limits.get(&currency).copied().unwrap_or_default()
    }

    fn totals(&mut self, key: &WindowKey) -> Option<&Totals> {
        let place = (key.window, *key);
        if !self.totals.contains_key(&place) {
            // The oldest window goes first, and with it everything that was counted in it.
            while self.totals.len() >= self.max_windows {
                let gone = self.totals.pop_first();
                if gone.is_some_and(|((window, _), _)| window >= key.window) {
                    self.count(Counter::WINDOW_LOST, 1);
                }
            }
        }
        Some(self.totals.entry(place).or_default())
    }

    fn count(&mut self, counter: Counter, by: u64) {
        *self.counters.entry(counter).or_default() += by;
    }
}

/// Takes the first eight bytes as they are.
#[derive(Default)]
struct DigestHasher(u64);

impl Hasher for DigestHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        // A digest is hashed as its 16 bytes; a length that comes before or after changes nothing.
        if let Some(first) = bytes.first_chunk() {
            self.0 = u64::from_le_bytes(*first);
        }
    }

    fn write_usize(&mut self, _: usize) {}
}

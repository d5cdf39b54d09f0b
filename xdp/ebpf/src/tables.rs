//! The maps, and the rules' lookups on them.

use aya_ebpf::bindings::{BPF_F_MMAPABLE, BPF_F_NO_PREALLOC, BPF_NOEXIST};
use aya_ebpf::helpers::generated::{bpf_ktime_get_coarse_ns, bpf_ktime_get_ns};
use aya_ebpf::macros::map;
use aya_ebpf::maps::lpm_trie::{Key as Prefix, LpmTrie};
use aya_ebpf::maps::{Array, HashMap, LruHashMap, PerCpuArray, RingBuf};
use hansa_xdp_frame::{
    Address, COUNTERS as COUNTER_ROOM, CURRENCIES, Class, Control, Counter, Digest, Key, Limits,
    SequenceWindow, Settings, Source, Tables, Totals, WindowKey, Word, filter,
};

/// Bits of a whole address.
const ADDRESS_BITS: u32 = 128;
/// The loader sizes these maps; the numbers here are what an unsized load gets.
const UNSIZED: u32 = 1024;

/// The rules' numbers: the loader writes them into the object, so that the kernel compiles them in.
#[unsafe(no_mangle)]
static SETTINGS: Settings = Settings {
    max_age: 0,
    window: 0,
    window_count: 0,
    frames_per_tick: 0,
    packets_per_tick: 0,
    filter_words: 1,
    frame_port: 0,
    peer_port: 0,
};

#[map]
static CONTROL: Array<Control> = Array::with_max_entries(1, BPF_F_MMAPABLE);
#[map]
static PREFIXES: LpmTrie<[u8; 16], u32> = LpmTrie::with_max_entries(UNSIZED, BPF_F_NO_PREALLOC);
#[map]
static SOURCES: LruHashMap<Address, Source> = LruHashMap::with_max_entries(UNSIZED, 0);
#[map]
static KEYS: Array<Key> = Array::with_max_entries(256, 0);
#[map]
static SEQUENCES: Array<SequenceWindow> = Array::with_max_entries(256, BPF_F_MMAPABLE);
#[map]
static LIST_A: HashMap<Digest, u32> = HashMap::with_max_entries(UNSIZED, BPF_F_NO_PREALLOC);
#[map]
static LIST_B: HashMap<Digest, u32> = HashMap::with_max_entries(UNSIZED, BPF_F_NO_PREALLOC);
/// The filters of both lists, one after the other.
#[map]
static FILTERS: Array<u64> = Array::with_max_entries(2, BPF_F_MMAPABLE);
#[map]
static LIMITS: Array<Limits> = Array::with_max_entries(CURRENCIES as u32, 0);
#[map]
static TOTALS: LruHashMap<WindowKey, Totals> = LruHashMap::with_max_entries(UNSIZED, 0);
#[map]
static COUNTERS: PerCpuArray<u64> = PerCpuArray::with_max_entries(COUNTER_ROOM, 0);
#[map]
pub static BLOCKED: RingBuf = RingBuf::with_byte_size(4096, 0);

/// The rules' numbers.
#[inline(always)]
pub fn settings() -> &'static Settings {
    // The loader changed the bytes behind the compiler's back, which a pointer that it cannot see through respects.
    unsafe { &*core::hint::black_box(&raw const SETTINGS) }
}

/// Counts.
#[inline(always)]
pub fn count(counter: Counter, by: u64) {
    if let Some(value) = COUNTERS.get_ptr_mut(counter.index()) {
        unsafe { *value += by };
    }
}

/// The maps as the rules see them. Of values in maps the kernel's own lifetime holds: until the program returns.
pub struct Maps<const TAGGED: bool> {
    control: &'static Control,
}

impl<const TAGGED: bool> Maps<TAGGED> {
    /// The maps; `None` only if the verifier were wrong.
    #[inline(always)]
    pub fn new() -> Option<Self> {
        CONTROL.get_ptr(0).map(|control| Self { control: unsafe { &*control } })
    }

    /// Nanoseconds since 1970, as fine as the timer interrupt.
    #[inline(always)]
    pub fn now(&self) -> u64 {
        unsafe { bpf_ktime_get_coarse_ns() }.wrapping_add(self.control.clock_offset.load())
    }

    /// Nanoseconds since 1970.
    #[inline(always)]
    pub fn now_exactly(&self) -> u64 {
        unsafe { bpf_ktime_get_ns() }.wrapping_add(self.control.clock_offset.load())
    }

    /// Looks the address up in the prefixes, and remembers it if it may send at all.
    #[inline(always)]
    fn look_up(&self, address: &Address, generation: u64) -> Option<(&'static Source, u64)> {
        let classes = match PREFIXES.get(Prefix::new(ADDRESS_BITS, address.0)) {
            Some(0) | None => return None,
            Some(classes) => *classes,
        };
        let permission = Source::permission(generation, classes);
        if let Some(source) = SOURCES.get_ptr(address) {
            let source = unsafe { &*source };
            source.permission.store(permission);
            return Some((source, classes.into()));
        }
        let fresh = Source { permission: Word::new(permission), spent: [const { Word::new(0) }; 2] };
        // Another CPU may have been first; either entry serves.
        let _ = SOURCES.insert(address, &fresh, BPF_NOEXIST.into());
        SOURCES.get_ptr(address).map(|source| (unsafe { &*source }, classes.into()))
    }
}

impl<const TAGGED_: bool> Tables for Maps<TAGGED_> {
    const TAGGED: bool = TAGGED_;

    #[inline(always)]
    fn settings(&self) -> &Settings {
        settings()
    }

    #[inline(always)]
    fn source(&mut self, address: &Address, class: Class) -> Option<&Word> {
        let generation = self.control.generation.load();
        let known = SOURCES.get_ptr(address).map(|source| unsafe { &*source });
        let allowed = known.and_then(|source| Source::allowed(source.permission.load(), generation));
        let (source, classes) = match (known, allowed) {
            (Some(source), Some(classes)) => (source, classes),
            _ => self.look_up(address, generation)?,
        };
        (classes & class as u64 != 0).then_some(&source.spent[class.index()])
    }

    #[inline(always)]
    fn key(&self, id: u8) -> Option<&Key> {
        KEYS.get(id.into()).filter(|key| !key.is_none())
    }

    #[inline(always)]
    fn sequences(&self, key_id: u8, slot: usize) -> Option<&Word> {
        SEQUENCES.get(key_id.into())?.get(slot)
    }

    #[inline(always)]
    fn active_list(&self) -> u32 {
        self.control.active_list.load() as u32 & 1
    }

    #[inline(always)]
    fn is_listed(&self, list: u32, account: &Digest) -> bool {
        let words = settings().filter_words;
        let (word, bits) = filter(account, words);
        match FILTERS.get(list * words + word) {
            Some(filter) if filter & bits != bits => false,
            _ => {
                let listed = if list == 0 { LIST_A.get_ptr(account) } else { LIST_B.get_ptr(account) };
                listed.is_some()
            }
        }
    }

    #[inline(always)]
    fn limits(&self, currency: u32) -> Limits {
        LIMITS.get(currency).copied().unwrap_or_default()
    }

    #[inline(always)]
    fn totals(&mut self, key: &WindowKey) -> Option<&Totals> {
        if let Some(totals) = TOTALS.get_ptr(key) {
            return Some(unsafe { &*totals });
        }
        let _ = TOTALS.insert(key, &Totals::default(), BPF_NOEXIST.into());
        TOTALS.get_ptr(key).map(|totals| unsafe { &*totals })
    }

    #[inline(always)]
    fn count(&mut self, counter: Counter, by: u64) {
        count(counter, by);
    }
}

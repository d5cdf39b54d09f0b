//! The kernel program on its interface, and the tables that it looks into.

use std::collections::BTreeSet;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Mutex, MutexGuard, PoisonError};

use aya::Ebpf;
use aya::maps::{LpmTrie, Map, MapData, PerCpuArray, RingBuf, lpm_trie as trie};
use aya::programs::Xdp;
use hansa_xdp_frame::{Control, Counter, Digest, Key};

use crate::attach::{Attached, attach, remove_pinned};
use crate::blocked::BlockedFrames;
use crate::config::{Config, Mode};
use crate::error::Error;
use crate::kernel::{KEYS, Sequences};
use crate::list::Lists;
use crate::object::{explain, load};
use crate::rules::Rules;
use crate::sys::{Pages, clocks, update_batch, wait_for_packets};

/// The node's program in the object.
pub(crate) const PROGRAM: &str = "hansa_xdp";

/// A loaded program with its tables, attached or not.
#[derive(Debug)]
pub(crate) struct Loaded {
    pub(crate) ebpf: Ebpf,
    control: Pages<Control>,
    pub(crate) sequences: Sequences,
    prefixes: Mutex<Prefixes>,
    lists: Lists,
    room: u32,
}

/// Who may send, as the kernel looks it up.
type Prefixes = LpmTrie<MapData, [u8; 16], u32>;

/// The program on its interface. Dropping it detaches, unless the configuration pins it.
#[derive(Debug)]
pub struct Driver {
    loaded: Loaded,
    /// Nothing once it was detached or replaced.
    attached: Mutex<Option<Attached>>,
    status: Status,
}

/// How the program runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// The interface.
    pub interface: String,
    /// In the driver or in the network stack.
    pub mode: Mode,
    /// Why it is not in the driver.
    pub why_generic: Option<String>,
    /// The program's id in the kernel, as `bpftool prog show id` takes it.
    pub program: u32,
    /// Whether it stays when the node ends.
    pub is_pinned: bool,
}

impl Driver {
    /// Loads the program, fills its tables and attaches it: no frame is judged before the tables are full. `seen` are
    /// the windows of sequence numbers to go on from; without them they are empty. Where that fails, what an earlier
    /// node pinned is taken off too: nobody reads what it blocks, and nothing updates its lists.
    ///
    /// Call it in a Tokio runtime; it takes a second per million accounts.
    pub fn attach(
        config: &Config,
        rules: &Rules,
        accounts: &BTreeSet<Digest>,
        seen: Option<&Sequences>,
    ) -> Result<(Self, BlockedFrames), Error> {
        let attached = Self::attach_fresh(config, rules, accounts, seen);
        if attached.is_err()
            && let Err(error) = Self::remove_pinned(config)
        {
            tracing::error!(%error, "a program of an earlier node goes on judging: see `ip link`, and detach it");
        }
        attached
    }

    /// Takes off what an earlier node left pinned where this configuration says.
    pub fn remove_pinned(config: &Config) -> Result<(), Error> {
        config.pin.as_deref().map_or(Ok(()), remove_pinned)
    }

    fn attach_fresh(
        config: &Config,
        rules: &Rules,
        accounts: &BTreeSet<Digest>,
        seen: Option<&Sequences>,
    ) -> Result<(Self, BlockedFrames), Error> {
        config.check()?;
        let interface = config.interface.clone().ok_or(Error::NoInterface)?;
        let (mut loaded, blocked) = Loaded::new(load(config)?, config, rules, accounts)?;
        let id = loaded.program(PROGRAM)?.1;
        let join = |loaded: &Loaded| seen.into_iter().for_each(|seen| loaded.sequences.join(seen));
        join(&loaded);
        let (attached, (mode, why)) =
            attach(loaded.program_fd(PROGRAM)?, &interface, config.mode, config.pin.as_deref())?;
        // A card may take its time, and the socket judged meanwhile.
        join(&loaded);
        let status = Status {
            interface,
            mode,
            why_generic: why.map(|why| why.to_string()),
            program: id,
            is_pinned: config.pin.is_some(),
        };
        Ok((Self { loaded, attached: Mutex::new(Some(attached)), status }, blocked))
    }

    /// Puts a newly loaded program with tables of `config` in the place of this one, between two packets. Windows of
    /// sequence numbers are taken over; velocity windows begin anew. What this one blocked before is still in its
    /// own stream of blocked frames, which is read to its end before it is dropped. On an error this one stays.
    pub fn replace(
        &self,
        config: &Config,
        rules: &Rules,
        accounts: &BTreeSet<Digest>,
    ) -> Result<(Self, BlockedFrames), Error> {
        config.check()?;
        let (mut loaded, blocked) = Loaded::new(load(config)?, config, rules, accounts)?;
        let id = loaded.program(PROGRAM)?.1;
        let mut held = self.attached();
        let attached = held.as_ref().ok_or(Error::Detached)?;
        // Before, at once, and when no packet is in this one any more: what it saw is then seen, and no gap.
        loaded.sequences.join(&self.loaded.sequences);
        attached.replace(loaded.program_fd(PROGRAM)?)?;
        loaded.sequences.join(&self.loaded.sequences);
        wait_for_packets();
        loaded.sequences.join(&self.loaded.sequences);
        let status = Status { program: id, ..self.status.clone() };
        Ok((Self { loaded, attached: Mutex::new(held.take()), status }, blocked))
    }

    /// Takes the program off the interface, even one that is pinned. When this returns no packet is in it, and all that
    /// it blocked is in its stream.
    pub fn detach(&self) -> Result<(), Error> {
        let mut held = self.attached();
        if let Some(attached) = held.as_ref() {
            attached.detach()?;
            *held = None;
        }
        Ok(())
    }

    fn attached(&self) -> MutexGuard<'_, Option<Attached>> {
        self.attached.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether it is on its interface: interfaces go, and others come under their names.
    pub fn check(&self) -> Result<(), Error> {
        match self.attached().as_ref() {
            None => Err(Error::Detached),
            Some(attached) if attached.is_alive() => Ok(()),
            Some(_) => Err(Error::Gone { interface: self.status.interface.clone() }),
        }
    }

    /// How it runs.
    pub fn status(&self) -> &Status {
        &self.status
    }

    /// Tells the program the time. Call it once a second: clocks are corrected while a node runs.
    pub fn set_clock(&self) {
        self.loaded.set_clock();
    }

    /// Replaces the block list under traffic, with no frame judged by neither. Takes a second per million accounts.
    pub fn set_accounts(&self, accounts: &BTreeSet<Digest>) -> Result<(), Error> {
        self.loaded.set_accounts(accounts)
    }

    /// Replaces who may send and under which keys.
    pub fn set_rules(&self, rules: &Rules) -> Result<(), Error> {
        self.loaded.set_rules(rules)
    }

    /// Every counter, summed over the CPUs.
    pub fn counters(&self) -> Result<Vec<(Counter, &'static str, u64)>, Error> {
        self.loaded.counters()
    }

    /// The program's windows of sequence numbers, for [`Model::share_sequences`](crate::Model::share_sequences).
    pub fn sequences(&self) -> Sequences {
        self.loaded.sequences.clone()
    }
}

impl Loaded {
    /// The full tables of a loaded object.
    pub(crate) fn new(
        ebpf: Ebpf,
        config: &Config,
        rules: &Rules,
        accounts: &BTreeSet<Digest>,
    ) -> Result<(Self, BlockedFrames), Error> {
        let mut loaded = Self::of(ebpf, config)?;
        let ring = loaded.ebpf.take_map("BLOCKED").ok_or_else(missing)?;
        let ring = RingBuf::try_from(ring).map_err(|error| explain(error.into()))?;
        loaded.set_rules(rules)?;
        loaded.set_accounts(accounts)?;
        Ok((loaded, BlockedFrames::new(ring)?))
    }

    fn of(mut ebpf: Ebpf, config: &Config) -> Result<Self, Error> {
        let words = config.settings().filter_words;
        let sharing = |source| Error::System { call: "sharing a table's pages", source };
        let control = Pages::map(fd(&ebpf, "CONTROL")?, 1).map_err(sharing)?;
        let sequences = Sequences::of_map(fd(&ebpf, "SEQUENCES")?).map_err(sharing)?;
        let filters = Pages::map(fd(&ebpf, "FILTERS")?, 2 * words as usize).map_err(sharing)?;
        let lists = Lists::new(
            [owned(&ebpf, "LIST_A")?, owned(&ebpf, "LIST_B")?],
            filters,
            words,
            config.max_accounts,
        );
        let prefixes = ebpf.take_map("PREFIXES").ok_or_else(missing)?;
        let prefixes = Mutex::new(LpmTrie::try_from(prefixes).map_err(|error| explain(error.into()))?);
        let loaded = Self { ebpf, control, sequences, prefixes, lists, room: config.max_prefixes };
        loaded.set_clock();
        let (indexes, limits): (Vec<u32>, Vec<_>) = config.limits_by_index().unzip();
        loaded.fill("LIMITS", &indexes, &limits)?;
        Ok(loaded)
    }

    /// The program of this name, loaded into the kernel, and its id.
    pub(crate) fn program(&mut self, name: &str) -> Result<(&mut Xdp, u32), Error> {
        let program = self.ebpf.program_mut(name).ok_or_else(missing)?;
        let program: &mut Xdp =
            program.try_into().map_err(|error: aya::programs::ProgramError| explain(error.into()))?;
        program.load().map_err(|error| explain(error.into()))?;
        let id = program.info().map_err(|error| explain(error.into()))?.id();
        Ok((program, id))
    }

    fn program_fd(&self, name: &str) -> Result<BorrowedFd<'_>, Error> {
        let program = self.ebpf.program(name).ok_or_else(missing)?;
        let program: &Xdp =
            program.try_into().map_err(|error: aya::programs::ProgramError| explain(error.into()))?;
        Ok(program.fd().map_err(|error| explain(error.into()))?.as_fd())
    }

    pub(crate) fn set_clock(&self) {
        let (now, since_start) = clocks();
        self.control[0].clock_offset.store(now.wrapping_sub(since_start));
    }

    pub(crate) fn set_accounts(&self, accounts: &BTreeSet<Digest>) -> Result<(), Error> {
        self.lists.swap(&self.control[0], accounts)
    }

    pub(crate) fn set_rules(&self, rules: &Rules) -> Result<(), Error> {
        rules.firewall.check(self.room)?;
        let keys: Vec<Key> =
            (0..KEYS).map(|id| rules.keys.get(&(id as u8)).copied().unwrap_or_default()).collect();
        self.fill("KEYS", &(0..KEYS as u32).collect::<Vec<_>>(), &keys)?;
        let table = rules.firewall.table();
        let wanted = table.iter().map(|(prefix, classes)| {
            let (address, bits) = prefix.parts();
            (trie::Key::new(bits.into(), address.0), *classes)
        });
        self.set_prefixes(&wanted.collect::<Vec<_>>())?;
        let generation = &self.control[0].generation;
        generation.store(generation.load() + 1);
        Ok(())
    }

    /// Makes the trie hold these prefixes and no others.
    fn set_prefixes(&self, wanted: &[(trie::Key<[u8; 16]>, u32)]) -> Result<(), Error> {
        let mut prefixes = self.prefixes.lock().unwrap_or_else(PoisonError::into_inner);
        let old: Vec<_> = prefixes.keys().filter_map(Result::ok).collect();
        let is_wanted = |key: &trie::Key<[u8; 16]>| {
            wanted
                .iter()
                .any(|(other, _)| other.prefix_len() == key.prefix_len() && other.data() == key.data())
        };
        for gone in old.iter().filter(|key| !is_wanted(key)) {
            prefixes.remove(gone).map_err(|error| explain(error.into()))?;
        }
        for (key, classes) in wanted {
            prefixes.insert(key, classes, 0).map_err(|error| explain(error.into()))?;
        }
        Ok(())
    }

    pub(crate) fn counters(&self) -> Result<Vec<(Counter, &'static str, u64)>, Error> {
        let map = self.ebpf.map("COUNTERS").ok_or_else(missing)?;
        let counters: PerCpuArray<&MapData, u64> =
            PerCpuArray::try_from(map).map_err(|error| explain(error.into()))?;
        Counter::all()
            .map(|(counter, name, _)| {
                let values = counters.get(&counter.index(), 0).map_err(|error| explain(error.into()))?;
                Ok((counter, name, values.iter().sum()))
            })
            .collect()
    }

    fn fill<K: Copy, V: Copy>(&self, map: &str, keys: &[K], values: &[V]) -> Result<(), Error> {
        update_batch(fd(&self.ebpf, map)?, keys, values)
            .map_err(|source| Error::System { call: "filling a table", source })
    }
}

fn fd<'a>(ebpf: &'a Ebpf, name: &str) -> Result<BorrowedFd<'a>, Error> {
    let map = ebpf.map(name);
    let Some(Map::Array(data) | Map::HashMap(data) | Map::LruHashMap(data) | Map::LpmTrie(data)) = map else {
        return Err(missing());
    };
    Ok(data.fd().as_fd())
}

fn owned(ebpf: &Ebpf, name: &str) -> Result<OwnedFd, Error> {
    fd(ebpf, name)?
        .try_clone_to_owned()
        .map_err(|source| Error::System { call: "keeping a table's descriptor", source })
}

/// The object is not the one that this loader was built with.
fn missing() -> Error {
    Error::Load { source: "the embedded object lacks a table or program: run `make ebpf`".into() }
}

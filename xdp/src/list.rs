//! The account block list: two of them, one in force while the other is filled.

use std::collections::BTreeSet;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::{Ordering, fence};

use hansa_xdp_frame::{Control, Digest, Word, filter};

use crate::error::Error;
use crate::sys::{Pages, clear, update_batch, wait_for_packets};

/// Entries that one system call moves.
const STEP: usize = 1 << 16;

/// Both lists and their filters.
#[derive(Debug)]
pub(crate) struct Lists {
    maps: [OwnedFd; 2],
    filters: Pages<Word>,
    words: u32,
    room: u32,
}

impl Lists {
    /// The lists behind these maps, each with room for so many accounts.
    pub(crate) fn new(maps: [OwnedFd; 2], filters: Pages<Word>, words: u32, room: u32) -> Self {
        Self { maps, filters, words, room }
    }

    /// Replaces the list in force: the idle one is emptied and filled, then one word says that it is in force. A
    /// frame is judged by the whole of the old list or the whole of the new one. Takes a second per million accounts.
    pub(crate) fn swap(&self, control: &Control, accounts: &BTreeSet<Digest>) -> Result<(), Error> {
        if accounts.len() > self.room as usize {
            return Err(Error::TooMany {
                what: "accounts",
                count: accounts.len() as u64,
                room: self.room.into(),
                setting: "max_accounts",
            });
        }
        let idle = 1 - (control.active_list.load() & 1) as usize;
        let filling = |source: io::Error| Error::System { call: "filling the block list", source };
        let map = self.maps[idle].as_fd();
        clear::<Digest, u32>(map, STEP).map_err(filling)?;
        let filter = &self.filters[idle * self.words as usize..][..self.words as usize];
        filter.iter().for_each(|word| word.store(0));
        let mut step = Vec::with_capacity(STEP);
        let mut rest = accounts.iter();
        loop {
            step.clear();
            step.extend(rest.by_ref().take(STEP));
            if step.is_empty() {
                break;
            }
            update_batch(map, &step, &vec![1_u32; step.len()]).map_err(filling)?;
            for account in &step {
                let (at, bits) = self.place(account);
                filter[at].store(filter[at].load() | bits);
            }
        }
        // Whoever sees the word that follows sees all of the filter.
        fence(Ordering::Release);
        control.active_list.store(idle as u64);
        // Whoever began with the old list has done with it when this returns, and it may be emptied.
        wait_for_packets();
        Ok(())
    }

    fn place(&self, account: &Digest) -> (usize, u64) {
        let (at, bits) = filter(account, self.words);
        (at as usize, bits)
    }
}

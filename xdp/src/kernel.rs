//! The maps that user space and the kernel program share word by word.

use std::io;
use std::os::fd::BorrowedFd;
use std::sync::Arc;

use hansa_xdp_frame::{SLOTS, SequenceWindow, Word, join};

use crate::sys::Pages;

/// Key ids: one byte.
pub(crate) const KEYS: usize = 256;

/// The windows of sequence numbers of every key, this process's own or the kernel's.
#[derive(Clone, Debug)]
pub struct Sequences(Windows);

#[derive(Clone, Debug)]
enum Windows {
    Own(Arc<[SequenceWindow]>),
    Kernel(Arc<Pages<SequenceWindow>>),
}

impl Sequences {
    pub(crate) fn own() -> Self {
        Self(Windows::Own((0..KEYS).map(|_| [const { Word::new(0) }; SLOTS]).collect()))
    }

    pub(crate) fn of_map(map: BorrowedFd<'_>) -> io::Result<Self> {
        Ok(Self(Windows::Kernel(Arc::new(Pages::map(map, KEYS)?))))
    }

    pub(crate) fn window(&self, key_id: u8) -> &SequenceWindow {
        let windows: &[SequenceWindow] = match &self.0 {
            Windows::Own(windows) => windows,
            Windows::Kernel(pages) => pages,
        };
        &windows[usize::from(key_id)]
    }

    /// Takes over what another program has seen, while either goes on.
    pub fn join(&self, other: &Self) {
        for id in 0..=u8::MAX {
            for (word, other) in self.window(id).iter().zip(other.window(id)) {
                join(word, other.load());
            }
        }
    }
}

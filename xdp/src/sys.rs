//! The system calls that aya has no word for: batches, shared pages, and waiting until no packet is in the program.

#![expect(unsafe_code, reason = "system calls and shared pages")]

use std::io;
use std::marker::PhantomData;
use std::ops::Deref;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr::NonNull;
use std::sync::mpsc;
use std::time::Duration;

use hansa_xdp_frame::{Control, SequenceWindow, Settings, Word};

/// `BPF_MAP_LOOKUP_AND_DELETE_BATCH`.
const LOOKUP_AND_DELETE_BATCH: libc::c_int = 25;
/// `BPF_MAP_UPDATE_BATCH`.
const UPDATE_BATCH: libc::c_int = 26;
/// `MEMBARRIER_CMD_GLOBAL`: every CPU passes a point where no program runs.
const MEMBARRIER_GLOBAL: libc::c_int = 1;
/// Longer than any packet is in the program: a soft interrupt that takes this long is a fault of the machine.
const LONGER_THAN_A_PACKET: Duration = Duration::from_secs(1);

/// The part of `union bpf_attr` for batches.
#[repr(C)]
#[derive(Default)]
struct Batch {
    in_batch: u64,
    out_batch: u64,
    keys: u64,
    values: u64,
    count: u32,
    map: u32,
    element_flags: u64,
    flags: u64,
}

fn bpf(command: libc::c_int, batch: &mut Batch) -> io::Result<()> {
    // SAFETY: the structure is as long as said, and what it points to is borrowed by the callers below.
    let result = unsafe {
        libc::syscall(libc::SYS_bpf, command, std::ptr::from_mut(batch), size_of::<Batch>() as libc::c_uint)
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Puts all of `keys` into a map, each with the value of its place.
pub(crate) fn update_batch<K: Copy, V: Copy>(
    map: BorrowedFd<'_>,
    keys: &[K],
    values: &[V],
) -> io::Result<()> {
    assert_eq!(keys.len(), values.len(), "a value for each key");
    if keys.is_empty() {
        return Ok(());
    }
    bpf(
        UPDATE_BATCH,
        &mut Batch {
            keys: keys.as_ptr() as u64,
            values: values.as_ptr() as u64,
            count: keys.len().try_into().map_err(|_| io::ErrorKind::InvalidInput)?,
            map: map.as_raw_fd() as u32,
            ..Batch::default()
        },
    )
}

/// Empties a hash map of this many entries at most, whose keys and values have these types.
pub(crate) fn clear<K: Copy + Default, V: Copy + Default>(
    map: BorrowedFd<'_>,
    step: usize,
) -> io::Result<()> {
    let mut keys = vec![K::default(); step];
    let mut values = vec![V::default(); step];
    let mut place = 0_u64;
    let mut is_first = true;
    loop {
        let mut next = 0_u64;
        let mut batch = Batch {
            in_batch: if is_first { 0 } else { &raw const place as u64 },
            out_batch: &raw mut next as u64,
            keys: keys.as_mut_ptr() as u64,
            values: values.as_mut_ptr() as u64,
            count: step as u32,
            map: map.as_raw_fd() as u32,
            ..Batch::default()
        };
        match bpf(LOOKUP_AND_DELETE_BATCH, &mut batch) {
            Ok(()) => (place, is_first) = (next, false),
            // There are no more.
            Err(error) if error.raw_os_error() == Some(libc::ENOENT) => return Ok(()),
            Err(error) => return Err(error),
        }
    }
}

/// Waits until every packet that was in the program has left it, so that what it read before can be changed.
pub(crate) fn wait_for_packets() {
    // SAFETY: the call takes numbers only.
    let result = unsafe { libc::syscall(libc::SYS_membarrier, MEMBARRIER_GLOBAL, 0, 0) };
    if result != 0 {
        // Kernels with full dynamic ticks have no such barrier. Nothing is ever sent: it is the time that is waited.
        let (_sender, never) = mpsc::channel::<()>();
        let _ = never.recv_timeout(LONGER_THAN_A_PACKET);
    }
}

/// Memory that kernel programs change too.
///
/// # Safety
///
/// Any bits are a value, and every change goes through a [`Word`].
unsafe trait Shared: Sync {}
// SAFETY: words are atomic in both worlds.
unsafe impl Shared for Word {}
// SAFETY: made of words.
unsafe impl Shared for Control {}
// SAFETY: made of words.
unsafe impl Shared for SequenceWindow {}

/// A map of the kernel in this process's memory.
#[derive(Debug)]
pub(crate) struct Pages<T> {
    start: NonNull<T>,
    count: usize,
    kind: PhantomData<T>,
}

// SAFETY: the pages outlive the value, and `Shared` values are shared by design.
unsafe impl<T: Sync> Send for Pages<T> {}
// SAFETY: as above.
unsafe impl<T: Sync> Sync for Pages<T> {}

#[expect(private_bounds, reason = "which types may be shared is decided here")]
impl<T: Shared> Pages<T> {
    /// Maps the first `count` values of an array map.
    pub(crate) fn map(map: BorrowedFd<'_>, count: usize) -> io::Result<Self> {
        let protection = libc::PROT_READ | libc::PROT_WRITE;
        // SAFETY: the kernel chooses the place; it refuses more than the map has.
        let start = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                count * size_of::<T>(),
                protection,
                libc::MAP_SHARED,
                map.as_raw_fd(),
                0,
            )
        };
        if start == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let start = NonNull::new(start.cast()).ok_or(io::ErrorKind::InvalidInput)?;
        Ok(Self { start, count, kind: PhantomData })
    }
}

impl<T> Deref for Pages<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        // SAFETY: `map` made so many values there, any bits of which are one, and pages begin aligned.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.count) }
    }
}

impl<T> Drop for Pages<T> {
    fn drop(&mut self) {
        // SAFETY: nothing borrows the pages any more.
        unsafe { libc::munmap(self.start.as_ptr().cast(), self.count * size_of::<T>()) };
    }
}

/// [`Settings`] as the loader writes them into the object.
#[derive(Clone, Copy)]
#[repr(transparent)]
pub(crate) struct PlainSettings(pub(crate) Settings);

// SAFETY: numbers without gaps between them; `settings_have_no_gaps` counts.
unsafe impl aya::Pod for PlainSettings {}

/// Nanoseconds of the clocks: since 1970, and since the machine started.
pub(crate) fn clocks() -> (u64, u64) {
    let read = |clock| {
        let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        // SAFETY: the structure is the call's to fill.
        unsafe { libc::clock_gettime(clock, &raw mut time) };
        time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
    };
    (read(libc::CLOCK_REALTIME), read(libc::CLOCK_MONOTONIC))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_have_no_gaps() {
        assert_eq!(size_of::<Settings>(), 3 * 8 + 3 * 4 + 2 * 2);
    }
}

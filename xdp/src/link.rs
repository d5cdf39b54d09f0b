//! What keeps a program on an interface: a link, which ends with its last descriptor unless a file holds it too.
//!
//! aya attaches, replaces and pins links; it does not say which interface a link is on, nor detach one at once.

#![expect(unsafe_code, reason = "system calls")]

use std::ffi::CString;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// Commands of `bpf(2)`.
const OBJ_PIN: libc::c_int = 6;
const OBJ_GET: libc::c_int = 7;
const OBJ_GET_INFO_BY_FD: libc::c_int = 15;
const LINK_CREATE: libc::c_int = 28;
const LINK_UPDATE: libc::c_int = 29;
const LINK_DETACH: libc::c_int = 34;
/// `BPF_XDP`.
const ATTACH_TYPE: u32 = 37;
/// The place of the interface in `struct bpf_link_info`, in words of 32 bits, and room for all of that.
const INTERFACE: usize = 4;
const INFO_WORDS: usize = 32;

/// Where on the interface: `XDP_FLAGS_DRV_MODE`, or `XDP_FLAGS_SKB_MODE`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u32)]
pub(crate) enum Place {
    Driver = 1 << 2,
    Stack = 1 << 1,
}

/// A link.
#[derive(Debug)]
pub(crate) struct Link(OwnedFd);

#[repr(C)]
struct Path64 {
    path: u64,
    descriptor: u32,
    flags: u32,
}

#[repr(C)]
struct Info {
    descriptor: u32,
    length: u32,
    info: u64,
}

impl Link {
    /// Attaches a program to the interface of this index.
    pub(crate) fn create(program: BorrowedFd<'_>, interface: u32, place: Place) -> io::Result<Self> {
        owned(LINK_CREATE, &mut [number(program), interface, ATTACH_TYPE, place as u32])
    }

    /// The link that a file holds.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let path = CString::new(path.as_os_str().as_bytes())?;
        owned(OBJ_GET, &mut Path64 { path: path.as_ptr() as u64, descriptor: 0, flags: 0 })
    }

    /// Has a file hold it too.
    pub(crate) fn pin(&self, path: &Path) -> io::Result<()> {
        let path = CString::new(path.as_os_str().as_bytes())?;
        let descriptor = self.0.as_raw_fd() as u32;
        bpf(OBJ_PIN, &mut Path64 { path: path.as_ptr() as u64, descriptor, flags: 0 }).map(|_| ())
    }

    /// Puts another program in the place of its own, between two packets.
    pub(crate) fn update(&self, program: BorrowedFd<'_>) -> io::Result<()> {
        bpf(LINK_UPDATE, &mut [self.0.as_raw_fd() as u32, number(program), 0, 0]).map(|_| ())
    }

    /// Takes the program off now, whoever else holds the link.
    pub(crate) fn detach(&self) -> io::Result<()> {
        bpf(LINK_DETACH, &mut [self.0.as_raw_fd() as u32]).map(|_| ())
    }

    /// The index of its interface; 0 if that is gone, or the program was taken off.
    pub(crate) fn interface(&self) -> io::Result<u32> {
        let mut info = [0_u32; INFO_WORDS];
        let mut asked = Info {
            descriptor: self.0.as_raw_fd() as u32,
            length: size_of_val(&info) as u32,
            info: info.as_mut_ptr() as u64,
        };
        bpf(OBJ_GET_INFO_BY_FD, &mut asked)?;
        Ok(info[INTERFACE])
    }
}

/// The index of the interface of this name, in this network namespace.
pub(crate) fn interface_index(name: &str) -> io::Result<u32> {
    let name = CString::new(name)?;
    // SAFETY: the name ends in a zero and lives as long as the call.
    match unsafe { libc::if_nametoindex(name.as_ptr()) } {
        0 => Err(io::Error::last_os_error()),
        index => Ok(index),
    }
}

fn number(descriptor: BorrowedFd<'_>) -> u32 {
    descriptor.as_raw_fd() as u32
}

fn owned<T>(command: libc::c_int, attributes: &mut T) -> io::Result<Link> {
    let descriptor = bpf(command, attributes)?;
    // SAFETY: the kernel has just made it for this call, and nobody else knows it.
    Ok(Link(unsafe { OwnedFd::from_raw_fd(descriptor) }))
}

fn bpf<T>(command: libc::c_int, attributes: &mut T) -> io::Result<i32> {
    // SAFETY: the attributes are as long as said, and what they point to lives in the callers above until this returns.
    let result = unsafe {
        libc::syscall(libc::SYS_bpf, command, std::ptr::from_mut(attributes), size_of::<T>() as libc::c_uint)
    };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result as i32) }
}

//! Onto the interface: native, else generic, always by a link, so that nothing stays when the process is gone.

use std::fs;
use std::io;
use std::os::fd::BorrowedFd;
use std::path::{Path, PathBuf};

use crate::config::Mode;
use crate::error::Error;
use crate::link::{Link, Place, interface_index};
use crate::object::refused;
use crate::sys::wait_for_packets;

/// The files of pinned links: which one is there says in which mode the program runs.
const PINS: [(Mode, &str); 2] = [(Mode::Native, "hansa-xdp-native"), (Mode::Generic, "hansa-xdp-generic")];

/// A program on its interface.
#[derive(Debug)]
pub(crate) struct Attached {
    link: Link,
    /// The file that keeps it there when this process ends.
    pin: Option<PathBuf>,
}

/// The mode that the program got, and why it is not the better one.
pub(crate) type Got = (Mode, Option<Error>);

/// Attaches a loaded program. One that is pinned there gives place to it.
pub(crate) fn attach(
    program: BorrowedFd<'_>,
    interface: &str,
    mode: Mode,
    pin: Option<&Path>,
) -> Result<(Attached, Got), Error> {
    let index =
        interface_index(interface).map_err(|_| Error::NoSuchInterface { interface: interface.to_owned() })?;
    if let Some(taken) = pin.map_or(Ok(None), |folder| take_over(program, index, mode, folder))? {
        return Ok(taken);
    }
    let create = |place| Link::create(program, index, place).map_err(|source| explain(source, interface));
    let (link, got) = match mode {
        Mode::Native => (create(Place::Driver)?, (Mode::Native, None)),
        Mode::Generic => (create(Place::Stack)?, (Mode::Generic, None)),
        Mode::Auto => match create(Place::Driver) {
            Ok(link) => (link, (Mode::Native, None)),
            Err(why @ (Error::Mtu { .. } | Error::NotNative { .. })) => {
                (create(Place::Stack)?, (Mode::Generic, Some(why)))
            }
            Err(error) => return Err(error),
        },
    };
    let pin = pin.map(|folder| folder.join(name(got.0)));
    if let Some(path) = &pin {
        link.pin(path).map_err(|error| Error::Pin { path: path.clone(), source: error.into() })?;
    }
    Ok((Attached { link, pin }, got))
}

/// Puts the program on a link that a node before this one pinned. One that is elsewhere, in another mode, or dead, is
/// taken off.
fn take_over(
    program: BorrowedFd<'_>,
    index: u32,
    wanted: Mode,
    folder: &Path,
) -> Result<Option<(Attached, Got)>, Error> {
    for (mode, path, link) in pinned(folder)? {
        let fits =
            link.interface().is_ok_and(|found| found == index) && (wanted == Mode::Auto || wanted == mode);
        let attached = Attached { link, pin: Some(path) };
        if !fits {
            attached.detach()?;
            continue;
        }
        attached.replace(program)?;
        return Ok(Some((attached, (mode, None))));
    }
    Ok(None)
}

/// Takes off what a node before this one pinned, which nobody reads and nothing updates any more.
pub(crate) fn remove_pinned(folder: &Path) -> Result<(), Error> {
    for (_, path, link) in pinned(folder)? {
        Attached { link, pin: Some(path) }.detach()?;
    }
    Ok(())
}

fn pinned(folder: &Path) -> Result<Vec<(Mode, PathBuf, Link)>, Error> {
    let mut found = Vec::new();
    for (mode, name) in PINS {
        let path = folder.join(name);
        let link = match path.try_exists() {
            Ok(false) => continue,
            Ok(true) => Link::open(&path),
            Err(error) => Err(error),
        };
        let link = link.map_err(|error| Error::Pin { path: path.clone(), source: error.into() })?;
        found.push((mode, path, link));
    }
    Ok(found)
}

fn name(mode: Mode) -> &'static str {
    let [(_, native), (_, generic)] = PINS;
    if mode == Mode::Native { native } else { generic }
}

impl Attached {
    /// Puts another loaded program in the place of this one, between two packets. Packets may still be in the old one.
    pub(crate) fn replace(&self, program: BorrowedFd<'_>) -> Result<(), Error> {
        self.link.update(program).map_err(|source| Error::System { call: "replacing the program", source })
    }

    /// Takes the program off. When this returns no packet is in it.
    pub(crate) fn detach(&self) -> Result<(), Error> {
        self.link.detach().map_err(|source| Error::System { call: "detaching the program", source })?;
        wait_for_packets();
        match &self.pin {
            Some(path) => {
                fs::remove_file(path).map_err(|error| Error::Pin { path: path.clone(), source: error.into() })
            }
            None => Ok(()),
        }
    }

    /// Whether it is still on an interface: interfaces go, and others come under their names.
    pub(crate) fn is_alive(&self) -> bool {
        self.link.interface().is_ok_and(|index| index != 0)
    }
}

fn explain(source: io::Error, interface: &str) -> Error {
    let interface = interface.to_owned();
    match source.raw_os_error() {
        Some(libc::EBUSY | libc::EEXIST) => Error::Busy { interface },
        Some(libc::ERANGE) => Error::Mtu { interface },
        Some(libc::EOPNOTSUPP | libc::EINVAL) => Error::NotNative { interface, source },
        Some(libc::EPERM | libc::EACCES) => refused("attaching".to_owned()),
        Some(libc::ENODEV) => Error::NoSuchInterface { interface },
        _ => Error::System { call: "attaching the program", source },
    }
}

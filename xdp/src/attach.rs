//! Onto the interface: native, else generic, always by a link, so that nothing stays when the process is gone.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use aya::programs::links::{FdLink, PinnedLink};
use aya::programs::xdp::{XdpLink, XdpMode};
use aya::programs::{ProgramError, Xdp};

use crate::config::Mode;
use crate::error::Error;
use crate::object::{io_cause, refused};

/// The file of the pinned link.
const PIN_NAME: &str = "hansa-xdp-link";

/// What keeps the program on the interface.
#[derive(Debug)]
pub(crate) enum Attached {
    /// Until this process ends or drops it.
    Link(XdpLink),
    /// Until somebody removes this file.
    Pinned(PathBuf),
}

/// The mode that the program got, and why it is not the better one.
pub(crate) type Got = (Mode, Option<Error>);

/// Attaches the loaded program.
pub(crate) fn attach(
    program: &mut Xdp,
    interface: &str,
    mode: Mode,
    pin: Option<&Path>,
) -> Result<(Attached, Got), Error> {
    let pin = pin.map(|folder| folder.join(PIN_NAME));
    if let Some(path) = pin.as_ref().filter(|path| path.exists()) {
        take_over(program, path)?;
        return Ok((Attached::Pinned(path.clone()), (mode, None)));
    }
    let (link, got) = match mode {
        Mode::Native => (attach_in(program, interface, XdpMode::Driver)?, (Mode::Native, None)),
        Mode::Generic => (attach_in(program, interface, XdpMode::Skb)?, (Mode::Generic, None)),
        Mode::Auto => match attach_in(program, interface, XdpMode::Driver) {
            Ok(link) => (link, (Mode::Native, None)),
            Err(why @ (Error::Mtu { .. } | Error::NotNative { .. } | Error::NoLink { .. })) => {
                (attach_in(program, interface, XdpMode::Skb)?, (Mode::Generic, Some(why)))
            }
            Err(error) => return Err(error),
        },
    };
    match pin {
        None => Ok((Attached::Link(XdpLink::try_from(link).map_err(failed)?), got)),
        Some(path) => {
            link.pin(&path).map_err(|error| Error::Pin { path: path.clone(), source: error.into() })?;
            Ok((Attached::Pinned(path), got))
        }
    }
}

/// Puts another loaded program in the place of the attached one, between two packets.
pub(crate) fn replace(program: &mut Xdp, attached: Attached) -> Result<Attached, Error> {
    match attached {
        Attached::Link(link) => {
            let id = program.attach_to_link(link).map_err(failed)?;
            Ok(Attached::Link(program.take_link(id).map_err(failed)?))
        }
        Attached::Pinned(path) => {
            take_over(program, &path)?;
            Ok(Attached::Pinned(path))
        }
    }
}

/// Takes the program off the interface.
pub(crate) fn detach(attached: Attached) -> Result<(), Error> {
    match attached {
        Attached::Link(link) => {
            drop(link);
            Ok(())
        }
        // The file is all that holds it.
        Attached::Pinned(path) => {
            fs::remove_file(&path).map_err(|error| Error::Pin { path, source: error.into() })
        }
    }
}

/// Puts the program on a pinned link, which keeps it there.
fn take_over(program: &mut Xdp, path: &Path) -> Result<(), Error> {
    let pin = |source: Box<dyn std::error::Error + Send + Sync>| Error::Pin { path: path.to_owned(), source };
    let link: FdLink = PinnedLink::from_pin(path).map_err(|error| pin(error.into()))?.into();
    let link = XdpLink::try_from(link).map_err(|error| pin(error.into()))?;
    let id = program.attach_to_link(link).map_err(|error| pin(error.into()))?;
    drop(program.take_link(id).map_err(|error| pin(error.into()))?);
    Ok(())
}

fn attach_in(program: &mut Xdp, interface: &str, mode: XdpMode) -> Result<FdLink, Error> {
    let interface = interface.to_owned();
    let id = match program.attach(&interface, mode) {
        Ok(id) => id,
        Err(ProgramError::UnknownInterface { .. }) => return Err(Error::NoSuchInterface { interface }),
        Err(error) => return Err(explain(error, interface)),
    };
    // The older way of attaching, which aya falls back to, has no link.
    let link = program.take_link(id).map_err(failed)?;
    FdLink::try_from(link).map_err(|_| Error::NoLink { interface })
}

fn explain(error: ProgramError, interface: String) -> Error {
    let source = match io_cause(&error).and_then(io::Error::raw_os_error) {
        Some(code) => io::Error::from_raw_os_error(code),
        None => return failed(error),
    };
    match source.raw_os_error() {
        Some(libc::EBUSY | libc::EEXIST) => Error::Busy { interface },
        Some(libc::ERANGE) => Error::Mtu { interface },
        Some(libc::EOPNOTSUPP | libc::EINVAL) => Error::NotNative { interface, source },
        Some(libc::EPERM | libc::EACCES) => refused("attaching".to_owned()),
        Some(libc::ENODEV) => Error::NoSuchInterface { interface },
        _ => failed(error),
    }
}

fn failed(error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::Load { source: error.into() }
}

//! The drop folder on disk: what waits, and how answers and inputs are put in their places so that a crash loses nothing.
//!
//! Every file is written whole under a hidden name, synced, and renamed; an input leaves the inbox last.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use crate::error::ProblemBody;

/// The most files that one look at the inbox takes up; the others come with the next.
const MAX_LOOK: usize = 10_000;
/// The most files of one name among the refused.
const MAX_SAME: u32 = 10_000;

/// The four folders.
pub(super) struct Folder {
    inbox: PathBuf,
    outbox: PathBuf,
    done: PathBuf,
    refused: PathBuf,
}

/// What stands in the inbox under a name.
pub(super) enum Found {
    /// A message.
    Message(Vec<u8>),
    /// More than a message may have.
    TooLarge,
    /// No file at all: a folder, a link, a pipe.
    NotAFile,
    /// A file of this name was answered before.
    UsedName,
}

impl Folder {
    /// The folders in `dir`, made if they are missing.
    pub(super) fn open(dir: &Path) -> io::Result<Self> {
        let folder = |name: &str| {
            let path = dir.join(name);
            fs::create_dir_all(&path).map(|()| path)
        };
        Ok(Self {
            inbox: folder("inbox")?,
            outbox: folder("outbox")?,
            done: folder("done")?,
            refused: folder("refused")?,
        })
    }

    /// What waits, by name. Hidden files are not looked at.
    pub(super) fn waiting(&self) -> io::Result<Vec<OsString>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.inbox)? {
            let name = entry?.file_name();
            if !name.as_bytes().starts_with(b".") {
                names.push(name);
            }
            if names.len() == MAX_LOOK {
                break;
            }
        }
        names.sort_unstable();
        Ok(names)
    }

    /// Reads what waits under `name`, of at most `limit` bytes.
    pub(super) fn read(&self, name: &OsStr, limit: usize) -> io::Result<Found> {
        let path = self.inbox.join(name);
        if !fs::symlink_metadata(&path)?.is_file() {
            return Ok(Found::NotAFile);
        }
        if self.done.join(name).try_exists()? {
            return Ok(Found::UsedName);
        }
        let mut bytes = Vec::new();
        File::open(&path)?.take(limit as u64 + 1).read_to_end(&mut bytes)?;
        Ok(if bytes.len() > limit { Found::TooLarge } else { Found::Message(bytes) })
    }

    /// Writes the answer to the message `name`, and then moves the message to what is done.
    pub(super) fn answer(&self, name: &OsStr, suffix: &str, answer: &[u8]) -> io::Result<()> {
        write(&self.outbox, &with(name, suffix), answer)?;
        self.put_away(name, &self.done, name)
    }

    /// Writes why the message `name` is refused, and then moves it there.
    pub(super) fn refuse(&self, name: &OsStr, problem: &ProblemBody) -> io::Result<()> {
        let free = self.free(name)?;
        let reason = serde_json::to_vec_pretty(problem)?;
        write(&self.refused, &with(&free, ".problem.json"), &reason)?;
        self.put_away(name, &self.refused, &free)
    }

    /// A name that nothing refused has yet: a file that is corrected may be refused again under its own.
    fn free(&self, name: &OsStr) -> io::Result<OsString> {
        for number in 0..MAX_SAME {
            let free = if number == 0 { name.to_owned() } else { with(name, &format!(".{number}")) };
            if !self.refused.join(&free).try_exists()? {
                return Ok(free);
            }
        }
        Err(io::Error::other(format!("{MAX_SAME} files of this name were refused: clear them away")))
    }

    fn put_away(&self, name: &OsStr, folder: &Path, as_name: &OsStr) -> io::Result<()> {
        fs::rename(self.inbox.join(name), folder.join(as_name))?;
        sync(folder)?;
        sync(&self.inbox)
    }
}

fn with(name: &OsStr, suffix: &str) -> OsString {
    let mut name = name.to_owned();
    name.push(suffix);
    name
}

/// Writes a file whole and durably, in the place of one that is there.
fn write(folder: &Path, name: &OsStr, bytes: &[u8]) -> io::Result<()> {
    let mut hidden = OsString::from(".");
    hidden.push(name);
    let hidden = folder.join(hidden);
    let mut file = File::create(&hidden)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&hidden, folder.join(name))?;
    sync(folder)
}

fn sync(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Whether a file is gone that was there a moment ago: somebody took it back.
pub(super) fn taken_back(error: &io::Error) -> bool {
    error.kind() == ErrorKind::NotFound
}

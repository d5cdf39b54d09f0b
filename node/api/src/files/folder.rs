//! The drop folder on disk: what waits, and how answers and inputs are put in their places so that a crash loses nothing.
//!
//! A message is claimed by renaming it out of the inbox: what somebody else renames there afterwards under the same name
//! is a message of its own. Every file is written whole under a hidden name, synced, and renamed; an input is put away
//! last. Nobody else writes to `work`, `done` and `refused`, and nothing there is replaced.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use crate::error::ProblemBody;

/// The most files that one look at the inbox takes up; the others come with the next.
const MAX_LOOK: usize = 10_000;
/// The most files of one name among the refused.
const MAX_SAME: u32 = 10_000;
/// What the name of a reason ends in.
const REASON: &str = ".problem.json";
/// The longest name of a message, in bytes: Linux has 255, and a dot, a number of five bytes and [`REASON`] are added.
pub(super) const MAX_NAME: usize = 255 - (1 + 5 + REASON.len());

/// The five folders.
pub(super) struct Folder {
    inbox: PathBuf,
    work: PathBuf,
    outbox: PathBuf,
    done: PathBuf,
    refused: PathBuf,
    /// Held from the choice of a name among the refused until it is taken.
    refusing: Mutex<()>,
}

/// What was claimed under a name.
pub(super) enum Found {
    /// A message.
    Message(Vec<u8>),
    /// More than a message may have.
    TooLarge,
    /// No file at all: a folder, a link, a pipe.
    NotAFile,
    /// A file of this name was answered before.
    UsedName,
    /// There would be no room for what is added to the name.
    LongName,
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
            work: folder("work")?,
            outbox: folder("outbox")?,
            done: folder("done")?,
            refused: folder("refused")?,
            refusing: Mutex::new(()),
        })
    }

    /// What waits, by name: what was claimed and not settled, and the inbox. Hidden files are not looked at.
    pub(super) fn waiting(&self) -> io::Result<Vec<OsString>> {
        let mut names = BTreeSet::new();
        for folder in [&self.work, &self.inbox] {
            for entry in fs::read_dir(folder)? {
                if names.len() == MAX_LOOK {
                    break;
                }
                let name = entry?.file_name();
                if !name.as_bytes().starts_with(b".") {
                    names.insert(name);
                }
            }
        }
        Ok(names.into_iter().collect())
    }

    /// Takes `name` out of the inbox, unless one of that name is being settled already, and reads at most `limit` bytes.
    pub(super) fn claim(&self, name: &OsStr, limit: usize) -> io::Result<Found> {
        let path = self.work.join(name);
        if !stands(&path)? {
            fs::rename(self.inbox.join(name), &path)?;
        }
        if name.len() > MAX_NAME {
            return Ok(Found::LongName);
        }
        if !fs::symlink_metadata(&path)?.is_file() {
            return Ok(Found::NotAFile);
        }
        if stands(&self.done.join(name))? {
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
        let _alone = self.refusing.lock().unwrap_or_else(PoisonError::into_inner);
        let free = self.free(name)?;
        let reason = serde_json::to_vec_pretty(problem)?;
        write(&self.refused, &with(&free, REASON), &reason)?;
        self.put_away(name, &self.refused, &free)
    }

    /// A name that nothing refused has yet, and whose reason's nothing has either: a file that is corrected may be
    /// refused again under its own. What is too long is cut.
    fn free(&self, name: &OsStr) -> io::Result<OsString> {
        let kept = name.as_bytes().iter().copied().take(MAX_NAME).collect();
        let name = OsString::from_vec(kept);
        for number in 0..MAX_SAME {
            let free = if number == 0 { name.clone() } else { with(&name, &format!(".{number}")) };
            if !stands(&self.refused.join(&free))? && !stands(&self.refused.join(with(&free, REASON)))? {
                return Ok(free);
            }
        }
        Err(io::Error::other(format!("{MAX_SAME} files of this name were refused: clear them away")))
    }

    fn put_away(&self, name: &OsStr, folder: &Path, as_name: &OsStr) -> io::Result<()> {
        fs::rename(self.work.join(name), folder.join(as_name))?;
        [folder, &self.work, &self.inbox].into_iter().try_for_each(sync)
    }
}

fn with(name: &OsStr, suffix: &str) -> OsString {
    let mut name = name.to_owned();
    name.push(suffix);
    name
}

/// Whether anything stands there, also a link to nowhere.
fn stands(path: &Path) -> io::Result<bool> {
    match fs::symlink_metadata(path) {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
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

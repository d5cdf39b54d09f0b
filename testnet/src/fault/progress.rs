//! Which seeds have run clean at which commit, one a line, so that a campaign that was broken off goes on.

use std::collections::BTreeSet;
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};

/// Why the progress is not kept.
#[derive(Debug, thiserror::Error)]
#[error("{path}: {source}; choose another file by --progress")]
pub struct ProgressError {
    path: PathBuf,
    source: io::Error,
}

/// The seeds that ran clean at one commit.
pub(super) struct Progress {
    path: PathBuf,
    commit: String,
    done: BTreeSet<u64>,
    file: File,
}

impl Progress {
    /// Reads the file, or makes it. Where files differ from their commit, the seeds run again.
    pub(super) fn open(path: &Path, commit: String) -> Result<Self, ProgressError> {
        let failed = |source| ProgressError { path: path.to_owned(), source };
        if let Some(dir) = path.parent() {
            std::fs::create_dir_all(dir).map_err(failed)?;
        }
        let file = OpenOptions::new().read(true).append(true).create(true).open(path).map_err(failed)?;
        let mut done = BTreeSet::new();
        let known = commit != "unknown" && !commit.ends_with("-dirty");
        for line in BufReader::new(&file).lines() {
            // A line that a kill cut off names another commit or no seed: that seed runs again.
            if let Some((of, seed)) = line.map_err(failed)?.split_once(' ')
                && let Some(seed) = seed.strip_suffix(" clean")
                && known
                && of == commit
            {
                done.extend(seed.parse::<u64>());
            }
        }
        Ok(Self { path: path.to_owned(), commit, done, file })
    }

    /// How many of the seeds have run.
    pub(super) fn count(&self, seeds: &std::ops::Range<u64>) -> u64 {
        self.done.range(seeds.clone()).count() as u64
    }

    /// Whether a seed has run.
    pub(super) fn has(&self, seed: u64) -> bool {
        self.done.contains(&seed)
    }

    /// Notes that a seed has run clean.
    pub(super) fn add(&mut self, seed: u64) -> Result<(), ProgressError> {
        self.done.insert(seed);
        let written = writeln!(self.file, "{} {seed} clean", self.commit);
        written.map_err(|source| ProgressError { path: self.path.clone(), source })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_campaign_goes_on_at_the_same_commit_and_starts_over_at_another() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("new").join("progress.txt");
        let mut first = Progress::open(&path, "abc".to_owned()).unwrap();
        first.add(3).unwrap();
        first.add(7).unwrap();
        std::fs::write(&path, std::fs::read_to_string(&path).unwrap() + "abc 1").unwrap();
        let again = Progress::open(&path, "abc".to_owned()).unwrap();
        assert!(again.has(3) && again.has(7) && !again.has(1));
        assert_eq!(again.count(&(0..7)), 1);
        assert!(!Progress::open(&path, "abd".to_owned()).unwrap().has(3));
        let mut dirty = Progress::open(&path, "abc-dirty".to_owned()).unwrap();
        dirty.add(5).unwrap();
        assert!(!Progress::open(&path, "abc-dirty".to_owned()).unwrap().has(5));
    }
}

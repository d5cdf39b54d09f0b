//! The lists and models that decisions cite, kept under their digests for as long as a decision that cites them.
//!
//! What is loaded is archived before the first decision cites it: the files as they were read, so that a decision can be
//! taken again years later. A *basis* names the lists and the model of one moment; a decision is indexed under its
//! basis, and what no kept decision is based on any more is removed. Each replica has its own archive, in its data
//! folder, where a backup finds it.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use hansa_screening::{RiskModel, Screener};
use hansa_types::codec::{CodecError, Decode, Encode, Reader, Writer};
use hansa_types::codec_struct;
use hansa_types::decision::{Decision, ListVersion};
use hansa_types::hash::{Digest, digest_of};
use hansa_types::id::Timestamp;

use crate::journal::{Journal, JournalError};
use crate::load::{self, RawList};
use crate::retention::Retention;
use crate::terms::{Term, basis, basis_of};

const LISTS: &str = "lists";
const MODELS: &str = "models";
const BASES: &str = "bases";
/// The most lists of a basis, as of a decision.
const MAX_LISTS: usize = hansa_types::decision::MAX_FINDINGS;
/// The longest model file.
const MAX_MODEL: usize = 1 << 20;
/// How many erased decisions are stepped over in search of the last one of a basis that can be read.
const MAX_ERASED: usize = 1_000;

/// Why the archive cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("the archive of lists and models, {path}: {source}")]
pub struct ArchiveError {
    /// Which file or folder.
    path: PathBuf,
    /// What the system said.
    source: std::io::Error,
}

/// The lists and the model of one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Basis {
    lists: Vec<ListVersion>,
    model: Digest,
}

impl Encode for Basis {
    fn encode(&self, out: &mut Writer) {
        out.seq(&self.lists);
        self.model.encode(out);
    }
}

impl Decode for Basis {
    fn decode(input: &mut Reader<'_>) -> Result<Self, CodecError> {
        Ok(Self { lists: input.seq("lists", MAX_LISTS)?, model: Decode::decode(input)? })
    }
}

/// A list as its files were.
struct ArchivedList {
    version: ListVersion,
    raw: RawList,
}
codec_struct!(ArchivedList { version, raw });

/// The archive of one replica.
pub(crate) struct Archive {
    dir: PathBuf,
    /// The bases that are there, and those that decisions cite and that are not.
    known: Mutex<(BTreeSet<Digest>, BTreeSet<Digest>)>,
    current: Digest,
}

impl Archive {
    /// Archives what `screener` was made of, in `dir`. `lists` and `model` are the files it was read from.
    pub(crate) fn open(
        dir: PathBuf,
        screener: &Screener,
        lists: Vec<(ListVersion, RawList)>,
        model: &[u8],
    ) -> Result<Self, ArchiveError> {
        for folder in [LISTS, MODELS, BASES] {
            let path = dir.join(folder);
            fs::create_dir_all(&path).map_err(|source| ArchiveError { path, source })?;
        }
        let versions: Vec<_> = screener.lists().iter().map(|list| list.version()).collect();
        for (version, raw) in lists.into_iter().filter(|(version, _)| versions.contains(version)) {
            let path = dir.join(LISTS).join(list_name(&version));
            keep(&path, &ArchivedList { version, raw }.to_bytes())?;
        }
        let present = Basis { lists: versions, model: screener.model().model.digest() };
        keep(&dir.join(MODELS).join(present.model.to_string()), model)?;
        let current = basis(&present.lists, &present.model);
        keep(&dir.join(BASES).join(current.to_string()), &present.to_bytes())?;
        Ok(Self { dir, known: Mutex::default(), current })
    }

    /// Notes that a decision cites its basis, which should be here.
    pub(crate) fn cited(&self, decision: &Decision) {
        let basis = basis_of(decision);
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let (there, missing) = &mut *known;
        if there.contains(&basis) || missing.contains(&basis) {
            return;
        }
        if self.dir.join(BASES).join(basis.to_string()).is_file() {
            there.insert(basis);
        } else {
            tracing::warn!(%basis, "a decision cites lists or a model that are not in the archive: copy them from another replica or a backup");
            missing.insert(basis);
        }
    }

    /// What decisions cite and is missing or damaged, a sentence each.
    pub(crate) fn missing(&self) -> Result<Vec<String>, ArchiveError> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let mut missing: Vec<String> =
            known.1.iter().map(|basis| format!("basis {basis}: not in the archive")).collect();
        drop(known);
        for (name, basis) in self.bases()? {
            for list in &basis.lists {
                if !self.list_is_whole(list) {
                    missing.push(format!(
                        "list {} of {} in basis {name}: missing or damaged",
                        list.name, list.date
                    ));
                }
            }
            if !self.model_is_whole(&basis.model) {
                missing.push(format!("model {} in basis {name}: missing or damaged", basis.model));
            }
        }
        Ok(missing)
    }

    /// Removes what no decision is based on that is still kept. Returns how many files went.
    pub(crate) fn prune(
        &self,
        journal: &Journal,
        retention: &Retention,
        now: Timestamp,
    ) -> Result<u64, JournalError> {
        let failed = |error: ArchiveError| JournalError::Archive(error.to_string());
        let (mut kept, mut gone) = (Vec::new(), Vec::new());
        for (name, basis) in self.bases().map_err(failed)? {
            let last = last_cited(journal, &name)?;
            let cited = last.is_some_and(|at| retention.longest_decision(at) > now);
            if cited || name == self.current { kept.push(basis) } else { gone.push((name, basis)) }
        }
        let lists: BTreeSet<String> = kept.iter().flat_map(|basis| &basis.lists).map(list_name).collect();
        let models: BTreeSet<Digest> = kept.iter().map(|basis| basis.model).collect();
        let mut files = BTreeSet::new();
        for (name, basis) in gone {
            files.insert(self.dir.join(BASES).join(name.to_string()));
            let unused = basis.lists.iter().map(list_name).filter(|list| !lists.contains(list));
            files.extend(unused.map(|list| self.dir.join(LISTS).join(list)));
            if !models.contains(&basis.model) {
                files.insert(self.dir.join(MODELS).join(basis.model.to_string()));
            }
        }
        for path in &files {
            fs::remove_file(path).map_err(|source| failed(ArchiveError { path: path.clone(), source }))?;
        }
        Ok(files.len() as u64)
    }

    fn bases(&self) -> Result<Vec<(Digest, Basis)>, ArchiveError> {
        let path = self.dir.join(BASES);
        let failed = |source| ArchiveError { path: path.clone(), source };
        let mut bases = Vec::new();
        for entry in fs::read_dir(&path).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            // A file that a crash left half written has another name.
            let Some(name) = entry.file_name().to_str().and_then(|name| name.parse::<Digest>().ok()) else {
                continue;
            };
            let bytes = fs::read(entry.path()).map_err(failed)?;
            let found = Basis::from_bytes(&bytes)
                .map_err(|error| failed(std::io::Error::other(error.to_string())))?;
            bases.push((name, found));
        }
        Ok(bases)
    }

    fn list_is_whole(&self, version: &ListVersion) -> bool {
        let Ok(bytes) = fs::read(self.dir.join(LISTS).join(list_name(version))) else { return false };
        let Ok(archived) = ArchivedList::from_bytes(&bytes) else { return false };
        load::parse_list(&archived.raw).is_ok_and(|list| list.version() == *version)
    }

    fn model_is_whole(&self, model: &Digest) -> bool {
        let Ok(bytes) = fs::read(self.dir.join(MODELS).join(model.to_string())) else { return false };
        bytes.len() <= MAX_MODEL
            && str::from_utf8(&bytes)
                .ok()
                .and_then(|text| RiskModel::parse(text).ok())
                .is_some_and(|parsed| parsed.model.digest() == *model)
    }
}

/// A list's file: its name and date belong to what decisions cite.
fn list_name(version: &ListVersion) -> String {
    digest_of("hansa/archived-list/v1", version).to_string()
}

/// When the last decision on a basis was taken that can be read: the future, if none of the last ones can be.
fn last_cited(journal: &Journal, basis: &Digest) -> Result<Option<Timestamp>, JournalError> {
    let term = journal.term(&Term::Basis(*basis));
    let mut before = journal.consensus().size();
    for _ in 0..MAX_ERASED {
        let Some(index) = last_under(journal, &term, before)? else { return Ok(None) };
        match journal.read(index) {
            Ok(Some((_, record))) => return Ok(Some(record.at())),
            Ok(None) | Err(JournalError::Erased(_)) => before = index,
            Err(error) => return Err(error),
        }
    }
    Ok(Some(Timestamp(u64::MAX)))
}

/// The last leaf under a term below `before`: a search by halves, one seek each.
fn last_under(journal: &Journal, term: &[u8; 32], before: u64) -> Result<Option<u64>, JournalError> {
    let first_from = |from: u64| {
        let mut found = None;
        journal.consensus().visit_term(term, from, |index| {
            found = Some(index).filter(|index| *index < before);
            ControlFlow::Break(())
        })?;
        Ok::<_, JournalError>(found)
    };
    let Some(mut last) = first_from(0)? else { return Ok(None) };
    let (mut low, mut high) = (last + 1, before);
    while low < high {
        let middle = low + (high - low) / 2;
        match first_from(middle)? {
            Some(index) => {
                last = index;
                low = index + 1;
            }
            None => high = middle,
        }
    }
    Ok(Some(last))
}

/// Writes a file whole and durably, unless it is there.
fn keep(path: &Path, bytes: &[u8]) -> Result<(), ArchiveError> {
    if fs::read(path).is_ok_and(|found| found == bytes) {
        return Ok(());
    }
    let new = path.with_extension("new");
    let write = || {
        let mut file = fs::File::create(&new)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&new, path)?;
        fs::File::open(path.parent().unwrap_or(Path::new(".")))?.sync_all()
    };
    write().map_err(|source| ArchiveError { path: path.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use hansa_screening::model::DEFAULT;
    use hansa_screening::watchlist::Measure;

    use super::*;
    use crate::config::{ListConfig, ListFormat, ScreeningConfig};

    const LIST: &str = include_str!("../../testnet/samples/watchlist.csv");

    fn loaded(folder: &Path) -> load::Loaded {
        let path = folder.join("list.csv");
        fs::write(&path, LIST).unwrap();
        let list = ListConfig {
            name: "samples".into(),
            date: "2026-11-20".try_into().unwrap(),
            format: ListFormat::Csv,
            path,
            aliases: None,
            addresses: None,
            comments: None,
            measure: Measure::Freeze,
        };
        load::loaded(&ScreeningConfig { lists: vec![list], ..ScreeningConfig::default() }).unwrap()
    }

    #[test]
    fn what_was_loaded_is_kept_whole_and_what_is_damaged_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path().join("archive");
        let open = || {
            let loaded = loaded(folder.path());
            Archive::open(dir.clone(), &loaded.screener, loaded.lists, &loaded.model).unwrap()
        };
        let archive = open();
        assert_eq!(archive.missing().unwrap(), [""; 0]);
        let version = loaded(folder.path()).screener.lists()[0].version();
        let list = dir.join(LISTS).join(list_name(&version));
        let whole = fs::read(&list).unwrap();
        fs::write(&list, &whole[..whole.len() - 40]).unwrap();
        let model = dir.join(MODELS).join(RiskModel::default_model().model.digest().to_string());
        assert_eq!(fs::read_to_string(&model).unwrap(), DEFAULT);
        fs::remove_file(&model).unwrap();
        let missing = archive.missing().unwrap();
        assert!(missing.len() == 2 && missing[0].starts_with("list samples of 2026-11-20"), "{missing:?}");
        assert_eq!(open().missing().unwrap(), [""; 0], "the next start writes them again");
    }
}

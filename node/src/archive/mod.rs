//! The lists, models and rules that decisions cite, kept under their digests for as long as a decision that cites them.
//!
//! What is loaded is archived before the first decision cites it: the files as they were read, so that a decision can be
//! taken again years later. A *basis* names the lists, the model and the rules of one moment; a decision is indexed under
//! its basis, and what no kept decision is based on any more is removed. Each replica has its own archive, in its data
//! folder. A backup of the log does not hold it: it is to be backed up beside.

mod prune;

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use hansa_screening::{RiskModel, Rules, Scheme, Screener, ScreenerError};
use hansa_types::codec::{CodecError, Decode, Encode, Reader, Writer};
use hansa_types::codec_struct;
use hansa_types::date::Date;
use hansa_types::decision::{Decision, ListVersion};
use hansa_types::hash::{Digest, digest, digest_of};
use hansa_types::id::Actor;

use crate::files::{FileError, keep, read, remove};
use crate::load::{self, RawList};
use crate::terms::{basis, basis_of};

const LISTS: &str = "lists";
const MODELS: &str = "models";
const RULES: &str = "rules";
const BASES: &str = "bases";
/// Which version of a list that came after the configuration's files is in use, by the list's name.
const IN_USE: &str = "in-use";
/// Which model was taken back.
const ROLLED_BACK: &str = "rolled-back";
const MODEL_FILE: &str = "hansa/model-file/v1";
/// The most lists of a basis, as of a decision.
const MAX_LISTS: usize = hansa_types::decision::MAX_FINDINGS;
/// The longest model file.
const MAX_MODEL: usize = 1 << 20;

/// Why what a decision was taken with cannot be had again.
#[derive(Debug, thiserror::Error)]
pub enum BasisError {
    /// Something is not there.
    #[error("{0} is not in this replica's archive: copy it from another replica, or from a backup")]
    Missing(String),
    /// Something is there and is not what the decision cites.
    #[error("{0} in this replica's archive is damaged: copy it from another replica, or from a backup")]
    Damaged(String),
    /// It cannot be read.
    #[error(transparent)]
    Archive(#[from] FileError),
    /// Policy or model that this release refuses.
    #[error("this release does not take them any more: {0}")]
    Screener(#[from] ScreenerError),
}

/// The lists, the model and the rules of one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Basis {
    lists: Vec<ListVersion>,
    model: Digest,
    rules: Digest,
}

impl Basis {
    fn name(&self) -> Digest {
        basis(&self.lists, &self.model, &self.rules)
    }
}

impl Encode for Basis {
    fn encode(&self, out: &mut Writer) {
        out.seq(&self.lists);
        self.model.encode(out);
        self.rules.encode(out);
    }
}

impl Decode for Basis {
    fn decode(input: &mut Reader<'_>) -> Result<Self, CodecError> {
        Ok(Self {
            lists: input.seq("lists", MAX_LISTS)?,
            model: Decode::decode(input)?,
            rules: Decode::decode(input)?,
        })
    }
}

/// A list as its files were.
struct ArchivedList {
    version: ListVersion,
    raw: RawList,
}
codec_struct!(ArchivedList { version, raw });

/// A version of a list that came after the configuration's files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct InUse {
    pub(crate) version: ListVersion,
    /// The date of the configuration's files, if it was to come before those although it is older.
    pub(crate) over: Option<Date>,
    /// Who brought it while the node did not run: the log does not say so yet.
    pub(crate) unlogged: Option<Actor>,
}
codec_struct!(InUse { version, over, unlogged });

/// A model that was taken back, by the digest of its file, and the file of the one in its place.
struct RolledBack {
    refused: Digest,
    model: Vec<u8>,
}

impl Encode for RolledBack {
    fn encode(&self, out: &mut Writer) {
        self.refused.encode(out);
        out.bytes(&self.model);
    }
}

impl Decode for RolledBack {
    fn decode(input: &mut Reader<'_>) -> Result<Self, CodecError> {
        Ok(Self { refused: Decode::decode(input)?, model: input.bytes("model", MAX_MODEL)?.to_vec() })
    }
}

/// The archive of one replica.
pub(crate) struct Archive {
    dir: PathBuf,
    /// The bases that are there, and those that decisions cite and that are not.
    known: Mutex<(BTreeSet<Digest>, BTreeSet<Digest>)>,
    /// The bases that decisions are taken on now, one for each set of lists that a scheme consults.
    current: Mutex<BTreeSet<Digest>>,
}

impl Archive {
    /// The archive in `dir`, made if it is not there.
    pub(crate) fn open(dir: PathBuf) -> Result<Self, FileError> {
        for folder in [LISTS, MODELS, RULES, BASES, IN_USE] {
            let path = dir.join(folder);
            fs::create_dir_all(&path).map_err(|source| FileError { path, source })?;
        }
        Ok(Self { dir, known: Mutex::default(), current: Mutex::default() })
    }

    /// Keeps a list as its files are.
    pub(crate) fn add_list(&self, version: &ListVersion, raw: &RawList) -> Result<(), FileError> {
        let mut bytes = Writer::default();
        version.encode(&mut bytes);
        raw.encode(&mut bytes);
        keep(&self.dir.join(LISTS).join(list_name(version)), &bytes.into_bytes())
    }

    /// Keeps in mind that a version of a list is in use, rather than the configuration's files.
    pub(crate) fn use_list(&self, in_use: &InUse) -> Result<(), FileError> {
        keep(&self.dir.join(IN_USE).join(hex::encode(&in_use.version.name)), &in_use.to_bytes())
    }

    /// Which version of the list called `name` came after the configuration's files, if one did.
    pub(crate) fn in_use(&self, name: &str) -> Result<Option<InUse>, BasisError> {
        let note = read(&self.dir.join(IN_USE).join(hex::encode(name)))?;
        let damaged = |_| BasisError::Damaged(format!("the note of which {name} is in use"));
        note.map(|note| InUse::from_bytes(&note).map_err(damaged)).transpose()
    }

    /// A list as its files were.
    pub(crate) fn list(&self, version: &ListVersion) -> Result<RawList, BasisError> {
        let what = || format!("the list {} of {} ({})", version.name, version.date, version.digest);
        let bytes = read(&self.dir.join(LISTS).join(list_name(version)))?;
        let bytes = bytes.ok_or_else(|| BasisError::Missing(what()))?;
        let archived = ArchivedList::from_bytes(&bytes).map_err(|_| BasisError::Damaged(what()))?;
        let whole = load::parse_list(&archived.raw).is_ok_and(|list| list.version() == *version);
        if whole { Ok(archived.raw) } else { Err(BasisError::Damaged(what())) }
    }

    /// The versions of a list that are here, oldest first.
    pub(crate) fn versions(&self, name: &str) -> Result<Vec<ListVersion>, FileError> {
        let mut versions: Vec<ListVersion> =
            self.bases()?.into_iter().flat_map(|(_, basis)| basis.lists).collect();
        versions.retain(|version| version.name == name);
        versions.sort_by(|a, b| (&a.date, a.digest).cmp(&(&b.date, b.digest)));
        versions.dedup();
        Ok(versions)
    }

    /// Keeps in mind that the model of the file `refused` was taken back, and which one is in use in its place.
    pub(crate) fn roll_back(&self, refused: &[u8], model: &[u8]) -> Result<(), FileError> {
        let note = RolledBack { refused: digest(MODEL_FILE, &[refused]), model: model.to_vec() };
        keep(&self.dir.join(ROLLED_BACK), &note.to_bytes())
    }

    /// A model was taken over on purpose: no other is in use in its place.
    pub(crate) fn no_roll_back(&self) -> Result<(), FileError> {
        remove(&self.dir.join(ROLLED_BACK))
    }

    /// The file of the model that is in use in place of the one in `file`, if that was taken back.
    pub(crate) fn instead_of(&self, file: &[u8]) -> Result<Option<Vec<u8>>, BasisError> {
        let Some(note) = read(&self.dir.join(ROLLED_BACK))? else { return Ok(None) };
        let damaged = |_| BasisError::Damaged("the note of which model was taken back".to_owned());
        let note = RolledBack::from_bytes(&note).map_err(damaged)?;
        Ok((note.refused == digest(MODEL_FILE, &[file])).then_some(note.model))
    }

    /// Keeps what `screener` decides by, before it decides anything. Its lists are here already; `model` is the file.
    pub(crate) fn adopt(&self, screener: &Screener, model: &[u8]) -> Result<(), FileError> {
        let cited = screener.model().model.digest();
        keep(&self.dir.join(MODELS).join(cited.to_string()), model)?;
        let rules = screener.rules().digest();
        keep(&self.dir.join(RULES).join(rules.to_string()), &screener.rules().to_bytes())?;
        // Held throughout: what is being adopted must not be taken for unused.
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        let mut adopted = BTreeSet::new();
        for scheme in Scheme::ALL.iter().copied() {
            let basis = Basis { lists: screener.consulted(scheme), model: cited, rules };
            if adopted.insert(basis.name()) {
                keep(&self.dir.join(BASES).join(basis.name().to_string()), &basis.to_bytes())?;
            }
        }
        *current = adopted;
        Ok(())
    }

    /// A screener that decides as the one did that took `decision`, as far as this release can.
    pub(crate) fn screener_of(&self, decision: &Decision) -> Result<Screener, BasisError> {
        let (rules, model) = (self.rules(&decision.rules)?, self.model_of(decision)?);
        let mut lists = Vec::with_capacity(decision.lists.len());
        for version in &decision.lists {
            let raw = self.list(version)?;
            let damaged = |_| BasisError::Damaged(format!("the list {}", version.name));
            lists.push(load::parse_list(&raw).map_err(damaged)?);
        }
        Ok(Screener::new(rules.policy, lists, model)?)
    }

    /// The model that took `decision`, with the threshold of its rules.
    pub(crate) fn model_of(&self, decision: &Decision) -> Result<RiskModel, BasisError> {
        let hold_threshold = self.rules(&decision.rules)?.hold_threshold;
        Ok(RiskModel { hold_threshold, ..self.model(&decision.model)? })
    }

    fn model(&self, digest: &Digest) -> Result<RiskModel, BasisError> {
        let what = || format!("the model {digest}");
        let bytes = read(&self.dir.join(MODELS).join(digest.to_string()))?;
        let bytes = bytes.ok_or_else(|| BasisError::Missing(what()))?;
        let text = str::from_utf8(&bytes).ok().filter(|text| text.len() <= MAX_MODEL);
        let model = text.and_then(|text| RiskModel::parse(text).ok());
        model.filter(|model| model.model.digest() == *digest).ok_or_else(|| BasisError::Damaged(what()))
    }

    fn rules(&self, digest: &Digest) -> Result<Rules, BasisError> {
        let what = || format!("the rules {digest}");
        let bytes = read(&self.dir.join(RULES).join(digest.to_string()))?;
        let bytes = bytes.ok_or_else(|| BasisError::Missing(what()))?;
        let rules = Rules::from_bytes(&bytes).ok().filter(|rules| rules.digest() == *digest);
        rules.ok_or_else(|| BasisError::Damaged(what()))
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
    pub(crate) fn missing(&self) -> Result<Vec<String>, FileError> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let mut missing: Vec<String> =
            known.1.iter().map(|basis| format!("basis {basis}: not in the archive")).collect();
        drop(known);
        for (name, basis) in self.bases()? {
            let lists = basis.lists.iter().map(|list| self.list(list).map(drop));
            let others = [self.model(&basis.model).map(drop), self.rules(&basis.rules).map(drop)];
            let errors = lists.chain(others).filter_map(Result::err);
            missing.extend(errors.map(|error| format!("basis {name}: {error}")));
        }
        Ok(missing)
    }

    /// The versions that are in use rather than the configuration's files.
    fn all_in_use(&self) -> Result<Vec<ListVersion>, FileError> {
        let path = self.dir.join(IN_USE);
        let failed = |source| FileError { path: path.clone(), source };
        let entries = fs::read_dir(&path).map_err(failed)?;
        let notes: Result<Vec<_>, _> = entries.map(|entry| fs::read(entry?.path())).collect();
        Ok(notes
            .map_err(failed)?
            .iter()
            .filter_map(|note| Some(InUse::from_bytes(note).ok()?.version))
            .collect())
    }

    fn bases(&self) -> Result<Vec<(Digest, Basis)>, FileError> {
        let path = self.dir.join(BASES);
        let failed = |source| FileError { path: path.clone(), source };
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
}

/// A list's file: its name and date belong to what decisions cite.
fn list_name(version: &ListVersion) -> String {
    digest_of("hansa/archived-list/v1", version).to_string()
}

#[cfg(test)]
mod tests;

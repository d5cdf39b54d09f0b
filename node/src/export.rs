//! The log, one entry with its proof, and the keys of decisions, written to files for an auditor: fetched from the running node, checked on
//! the way, and bounded in memory whatever the log's size.

use std::fs::{self, DirBuilder, File};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use hansa_api::{Client, ClientError};
use hansa_audit_log::checkpoint::{Checkpoint, CheckpointError};
use hansa_audit_log::disclosure::{DisclosedKey, KEY_BYTES, header};
use hansa_audit_log::merkle::{leaf_hash, verify_inclusion};
use hansa_audit_log::note::{MAX_NOTE_BYTES, NoteError, SignedNote};
use hansa_audit_log::proof::TlogProof;
use hansa_audit_log::tiles::{CHECKPOINT_PATH, Content, FsckError, TILE_WIDTH, Tile, bundle, copy};

/// Why nothing, or not all, was written.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The node did not give it.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// A file.
    #[error("{path}: {source}")]
    File {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The node's checkpoint, or the folder's.
    #[error("the checkpoint cannot be read: {0}")]
    Checkpoint(#[from] CheckpointError),
    /// What the node serves is not what it signed.
    #[error("the log is not what was signed: {0}")]
    Log(String),
    /// Keys that do not follow one another.
    #[error("the node answered with something else than the keys of bundle {0}")]
    Keys(u64),
}

/// Writes the log up to the checkpoint published last into `folder`, in the layout of tlog-tiles. Bundles that are
/// there and full are not fetched again; those that were altered since are found out by the root.
pub(crate) fn log(client: &Client, folder: &Path) -> Result<Checkpoint, ExportError> {
    let (note, checkpoint) = parse(client.log_checkpoint()?.as_bytes())?;
    let fetch = |tile: &Tile| {
        let path = folder.join(tile.to_string());
        match fs::read(&path) {
            Ok(bytes) if tile.is_full() => Ok(bytes),
            _ => Ok(client.log_tile(&tile.to_string())?),
        }
    };
    let put = |name: &str, bytes: &[u8]| write(&folder.join(name), bytes);
    match copy(&note, &checkpoint, fetch, put) {
        Ok(()) => Ok(checkpoint),
        Err(FsckError::Read { source, .. } | FsckError::Visit(source)) => Err(source),
        Err(other) => Err(ExportError::Log(format!("{other}; export into an empty folder"))),
    }
}

/// An entry as it is in the published log, and the proof that it is there.
pub(crate) fn proof(client: &Client, index: u64) -> Result<(Vec<u8>, String), ExportError> {
    let text = client.log_proof(index)?;
    let proof = TlogProof::parse(text.as_bytes()).map_err(|error| ExportError::Log(error.to_string()))?;
    let (_, checkpoint) = parse(proof.checkpoint.to_string().as_bytes())?;
    let place = (index % u64::from(TILE_WIDTH)) as usize;
    let tile = Tile::in_log(Content::Entries, index / u64::from(TILE_WIDTH), checkpoint.size);
    let none = || ExportError::Log(format!("its checkpoint does not cover entry {index}"));
    let tile = tile.ok_or_else(none)?;
    let bytes = client.log_tile(&tile.to_string())?;
    let leaves = bundle::entries(&tile, &bytes).map_err(|error| ExportError::Log(error.to_string()))?;
    let leaf = leaves.get(place).ok_or_else(none)?.to_vec();
    verify_inclusion(&leaf_hash(&leaf), index, checkpoint.size, &proof.path, &checkpoint.root)
        .map_err(|error| ExportError::Log(error.to_string()))?;
    Ok((leaf, text))
}

/// Writes the keys of every decision in the log that was exported to `folder` into the new file `out`, and says how
/// many.
pub(crate) fn decisions(client: &Client, folder: &Path, out: &Path) -> Result<u64, ExportError> {
    let failed = |source| ExportError::File { path: out.to_owned(), source };
    let path = folder.join(CHECKPOINT_PATH);
    let bytes = fs::read(&path).map_err(|source| ExportError::File { path, source })?;
    let (note, checkpoint) = parse(&bytes)?;
    // It opens customers' records: for whoever exports it, until that person passes it on.
    let mut file = File::options().write(true).create_new(true).mode(0o600).open(out).map_err(failed)?;
    let written = keys(client, &note, checkpoint.size, &mut |bytes| file.write_all(bytes).map_err(failed));
    let synced = written.and_then(|count| file.sync_all().map_err(failed).map(|()| count));
    synced.inspect_err(|_| drop(fs::remove_file(out)))
}

/// The file's bytes, bundle by bundle.
fn keys(
    client: &Client,
    note: &SignedNote,
    size: u64,
    write: &mut dyn FnMut(&[u8]) -> Result<(), ExportError>,
) -> Result<u64, ExportError> {
    write(&header(note))?;
    let (mut count, mut next) = (0, 0);
    for bundle in 0..size.div_ceil(u64::from(TILE_WIDTH)) {
        let bytes = client.disclose_decisions(bundle)?;
        let (keys, []) = bytes.as_chunks::<KEY_BYTES>() else { return Err(ExportError::Keys(bundle)) };
        let indices = keys.iter().map(|key| DisclosedKey::from_bytes(key).index);
        // The log may have grown since; what came later is no part of this export.
        for (key, index) in keys.iter().zip(indices).filter(|(_, index)| *index < size) {
            if index < next || index / u64::from(TILE_WIDTH) != bundle {
                return Err(ExportError::Keys(bundle));
            }
            write(key)?;
            (count, next) = (count + 1, index + 1);
        }
    }
    Ok(count)
}

/// The signature is for the auditor to verify, who has the manifest.
fn parse(bytes: &[u8]) -> Result<(SignedNote, Checkpoint), ExportError> {
    let too_long = CheckpointError::Note(NoteError::TooLong(bytes.len()));
    let note = if bytes.len() > MAX_NOTE_BYTES { Err(too_long) } else { Ok(SignedNote::parse(bytes)) };
    let note = note?.map_err(CheckpointError::Note)?;
    let checkpoint = note.unverified_text().parse()?;
    Ok((note, checkpoint))
}

/// Writes a file whole: under another name first, so that what has the name is never half of it.
fn write(path: &Path, bytes: &[u8]) -> Result<(), ExportError> {
    let failed = |source| ExportError::File { path: path.to_owned(), source };
    if fs::read(path).is_ok_and(|there| there == bytes) {
        return Ok(());
    }
    if let Some(parent) = path.parent() {
        DirBuilder::new().recursive(true).mode(0o700).create(parent).map_err(failed)?;
    }
    let partial = path.with_added_extension("partial");
    let mut file =
        File::options().write(true).create(true).truncate(true).mode(0o600).open(&partial).map_err(failed)?;
    file.write_all(bytes).map_err(failed)?;
    fs::rename(&partial, path).map_err(failed)
}

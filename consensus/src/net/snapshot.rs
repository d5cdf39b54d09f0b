//! A snapshot on a stream: each file's bytes, then their SHA-256; then the wrapped subject keys, which no snapshot holds,
//! as frames, the last one empty. Nothing larger than a chunk is held in memory.

use std::path::{Path, PathBuf};

use quinn::{RecvStream, SendStream};
use sha2::{Digest as _, Sha256};
use thiserror::Error;
use tokio::fs::File;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::message::SnapshotHead;
use crate::command::MAX_WRAPPED_KEY;
use crate::error::StoreError;
use crate::state::StateMachine;

/// How many bytes are read from disk and handed to the stream at once.
const CHUNK: usize = 256 << 10;
/// Bytes of a frame's length.
const LENGTH: usize = 4;
/// Bytes of the digest behind each file.
const DIGEST: usize = 32;
/// How many subject keys are written at once.
const KEYS: usize = 1024;

/// The files of a snapshot's folder.
#[derive(Clone, Debug)]
pub(crate) struct Files {
    pub(crate) dir: PathBuf,
    /// Name and length of each.
    pub(crate) list: Vec<(String, u64)>,
}

impl Files {
    /// Lists a folder of plain files.
    pub(crate) fn list(dir: &Path) -> std::io::Result<Self> {
        let mut list = Vec::new();
        for entry in std::fs::read_dir(dir)? {
            let entry = entry?;
            let name = entry.file_name().into_string().map_err(|name| {
                std::io::Error::other(format!("{} is not UTF-8", PathBuf::from(name).display()))
            })?;
            list.push((name, entry.metadata()?.len()));
        }
        list.sort_unstable();
        Ok(Self { dir: dir.to_owned(), list })
    }
}

/// Why a snapshot was not sent.
#[derive(Debug, Error)]
pub(crate) enum SendError {
    #[error("{0}")]
    File(String),
    #[error("{0}")]
    Stream(String),
}

/// Why a snapshot was not received.
#[derive(Debug, Error)]
pub(crate) enum ReceiveError {
    #[error("the stream ended early: {0}")]
    Stream(String),
    #[error("{0:?} is not a plain file name")]
    Name(String),
    #[error(
        "{name} does not have the digest that was sent with it: it was damaged on the way or on the sender's disk"
    )]
    Digest { name: String },
    #[error("{path}: {reason}")]
    File { path: String, reason: String },
    #[error(transparent)]
    Keys(#[from] StoreError),
}

/// Writes a length and the bytes.
pub(super) async fn write_frame(send: &mut SendStream, bytes: &[u8]) -> Result<(), quinn::WriteError> {
    let length = u32::try_from(bytes.len()).expect("messages are bounded far below 4 GiB");
    send.write_all(&length.to_be_bytes()).await?;
    send.write_all(bytes).await
}

/// Reads what [`write_frame`] wrote, at most `limit` bytes.
pub(super) async fn read_frame(receive: &mut RecvStream, limit: usize) -> Result<Vec<u8>, String> {
    let mut length = [0; LENGTH];
    receive.read_exact(&mut length).await.map_err(|error| error.to_string())?;
    let length = u32::from_be_bytes(length) as usize;
    if length > limit {
        return Err(format!("{length} bytes, the limit is {limit}"));
    }
    let mut bytes = vec![0; length];
    receive.read_exact(&mut bytes).await.map_err(|error| error.to_string())?;
    Ok(bytes)
}

/// Sends the files in the order of the list.
pub(crate) async fn send(send: &mut SendStream, files: Files) -> Result<(), SendError> {
    let stream = |error: quinn::WriteError| SendError::Stream(error.to_string());
    let mut chunk = vec![0; CHUNK];
    for (name, length) in files.list {
        let path = files.dir.join(&name);
        let failed = |error: &dyn std::fmt::Display| SendError::File(format!("{}: {error}", path.display()));
        let mut file = File::open(&path).await.map_err(|error| failed(&error))?;
        let (mut left, mut hash) = (length, Sha256::new());
        while left > 0 {
            let wanted = usize::try_from(left).map_or(CHUNK, |left| left.min(CHUNK));
            let read = file.read(&mut chunk[..wanted]).await.map_err(|error| failed(&error))?;
            if read == 0 {
                return Err(failed(&"shorter than it was"));
            }
            hash.update(&chunk[..read]);
            send.write_all(&chunk[..read]).await.map_err(stream)?;
            left -= read as u64;
        }
        send.write_all(&hash.finalize()).await.map_err(stream)?;
    }
    Ok(())
}

/// Receives the files that `head` announces into `dir`, each checked against its digest.
pub(crate) async fn receive(
    receive: &mut RecvStream,
    head: &SnapshotHead,
    dir: &Path,
) -> Result<(), ReceiveError> {
    let ended = |error: quinn::ReadExactError| ReceiveError::Stream(error.to_string());
    let mut chunk = vec![0; CHUNK];
    for (name, length) in &head.files {
        let plain =
            !name.is_empty() && Path::new(name).file_name().is_some_and(|plain| plain == name.as_str());
        if !plain {
            return Err(ReceiveError::Name(name.clone()));
        }
        let path = dir.join(name);
        let failed = |error: std::io::Error| ReceiveError::File {
            path: path.display().to_string(),
            reason: error.to_string(),
        };
        let mut file = File::create_new(&path).await.map_err(failed)?;
        let (mut left, mut hash) = (*length, Sha256::new());
        while left > 0 {
            let wanted = usize::try_from(left).map_or(CHUNK, |left| left.min(CHUNK));
            receive.read_exact(&mut chunk[..wanted]).await.map_err(ended)?;
            hash.update(&chunk[..wanted]);
            file.write_all(&chunk[..wanted]).await.map_err(failed)?;
            left -= wanted as u64;
        }
        file.flush().await.map_err(failed)?;
        let mut digest = [0; DIGEST];
        receive.read_exact(&mut digest).await.map_err(ended)?;
        if hash.finalize().as_slice() != digest {
            return Err(ReceiveError::Digest { name: name.clone() });
        }
    }
    Ok(())
}

/// Sends the wrapped subject keys. One that is erased meanwhile may be among them: the receiver's log erases it again.
pub(crate) async fn send_keys(send: &mut SendStream, state: &StateMachine) -> Result<(), SendError> {
    let stream = |error: quinn::WriteError| SendError::Stream(error.to_string());
    for pair in state.subject_keys().iter() {
        let (_, wrapped) = pair.map_err(|error| SendError::File(error.to_string()))?;
        write_frame(send, &wrapped).await.map_err(stream)?;
    }
    write_frame(send, &[]).await.map_err(stream)
}

/// Receives wrapped subject keys and takes in those that are not erased. Keys that no record names do no harm, so this
/// comes before the snapshot is installed: a crash between the two loses nothing.
pub(crate) async fn receive_keys(receive: &mut RecvStream, state: &StateMachine) -> Result<(), ReceiveError> {
    loop {
        let mut keys = Vec::new();
        let mut last = false;
        while keys.len() < KEYS && !last {
            let wrapped = read_frame(receive, MAX_WRAPPED_KEY).await.map_err(ReceiveError::Stream)?;
            last = wrapped.is_empty();
            if !last {
                keys.push(wrapped);
            }
        }
        state.import_keys(keys)?;
        if last {
            return Ok(());
        }
    }
}

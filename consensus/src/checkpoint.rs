//! From integrated to published: a checkpoint is signed only over committed state, and only after the group has
//! recorded its size and root, so that no later leader signs a smaller or another one.

use hansa_audit_log::checkpoint::Checkpoint;
use hansa_audit_log::note::SignedNote;
use hansa_types::sign::Signer;

use crate::command::Command;
use crate::error::{CheckpointError, StoreError};
use crate::outcome::Outcome;
use crate::store::{Batch, Durability, Store, Table};
use crate::{Consensus, TreeHead};

/// Key of [`Table::RaftMeta`].
const NOTE: &[u8] = b"checkpoint-note";

impl Consensus {
    /// Signs the log as it is committed now, under the name `origin`, and keeps the note as the one last signed.
    pub async fn sign_checkpoint(
        &self,
        origin: &str,
        signer: &dyn Signer,
    ) -> Result<SignedNote, CheckpointError> {
        self.may_sign().await?;
        self.barrier().await?;
        let TreeHead { size, root } = self.head();
        match self.propose(Command::Checkpoint { size, root }).await? {
            Outcome::CheckpointRecorded => {}
            Outcome::CheckpointRefused(refusal) => return Err(refusal.into()),
            other => return Err(CheckpointError::Unexpected(format!("{other:?}"))),
        }
        let note = Checkpoint { origin: origin.to_owned(), size, root }.sign(signer)?;
        let (store, text) = (self.store.clone(), note.to_string());
        let stored = move || {
            let mut batch = Batch::default();
            batch.put(Table::RaftMeta, NOTE, text);
            store.write(batch, Durability::Synced)
        };
        let joined = tokio::task::spawn_blocking(stored).await;
        joined.map_err(|error| StoreError::Write(error.to_string()))??;
        Ok(note)
    }

    /// The checkpoint this replica signed last; [`Consensus::witnessed`] has the one that other members cosigned.
    pub fn published(&self) -> Result<Option<SignedNote>, StoreError> {
        let Some(bytes) = self.store.get(Table::RaftMeta, NOTE)? else { return Ok(None) };
        SignedNote::parse(&bytes).map(Some).map_err(|e| StoreError::corrupt(Table::RaftMeta, e))
    }
}

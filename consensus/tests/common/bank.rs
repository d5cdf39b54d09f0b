//! A bank with backups and two officers, for tests.

use ed25519_dalek::{Signer as _, SigningKey};
use hansa_audit_log::note::SignedNote;
use hansa_consensus::backup::{
    Approval, Approver, Backup, BackupConfig, BackupError, Identities, Restore, keygen, restore,
};
use hansa_consensus::{CheckpointError, ConsensusConfig, Leaf, Outcome, TreeHead, UnlockError, Unlocking};
use hansa_types::hash::PublicKey;
use hansa_types::id::{Epoch, Timestamp};
use hansa_types::sign::{SignError, Signer};

use super::{ORIGIN, Plan, Running, append, envelope};

pub(crate) const NOW: Timestamp = Timestamp(1_800_000_000);
pub(crate) const EPOCH: Epoch = Epoch(9);

pub(crate) struct Key(SigningKey);

impl Signer for Key {
    fn public_key(&self) -> PublicKey {
        PublicKey(self.0.verifying_key().to_bytes())
    }

    fn sign(&self, message: &[u8]) -> Result<[u8; 64], SignError> {
        Ok(self.0.sign(message).to_bytes())
    }
}

pub(crate) fn key(seed: u8) -> Key {
    Key(SigningKey::from_bytes(&[seed; 32]))
}

/// A plan with a folder for backups, who can read them, and two officers.
pub(crate) struct Bank {
    pub(crate) plan: Plan,
    pub(crate) backup: BackupConfig,
    pub(crate) identities: Identities,
}

impl Bank {
    pub(crate) fn new(replicas: u64) -> Self {
        let plan = Plan::new(replicas);
        let identity = plan.dir.path().join("backup.identity");
        let approver = |(actor, seed): (&str, u8)| Approver {
            actor: actor.parse().unwrap(),
            key: key(seed).public_key(),
        };
        let backup = BackupConfig {
            dir: plan.dir.path().join("backups"),
            recipients: vec![keygen(&identity).unwrap()],
            keep: 3,
            approvers: [("ada", 1), ("bob", 2)].map(approver).to_vec(),
            ..BackupConfig::default()
        };
        let identities = Identities::load(&identity).unwrap();
        Self { plan, backup, identities }
    }

    pub(crate) fn back_up(&self, replica: &Running, at: u64) -> Backup {
        replica.block_on(replica.consensus.back_up(&self.backup, ORIGIN, Timestamp(NOW.0 + at))).unwrap()
    }

    pub(crate) fn approvals(&self, backup: &Backup, officers: &[(&str, u8)]) -> Vec<SignedNote> {
        let sign = |&(actor, seed): &(&str, u8)| {
            let reason = "the disk is lost".to_owned();
            let approval =
                Approval { backup: backup.hash, replica: 1, actor: actor.parse().unwrap(), reason, at: NOW };
            approval.sign(&key(seed)).unwrap()
        };
        officers.iter().map(sign).collect()
    }

    /// Replica 1 with another data folder.
    pub(crate) fn elsewhere(&self, name: &str) -> ConsensusConfig {
        ConsensusConfig { data_dir: self.plan.dir.path().join(name), ..self.plan.config(1) }
    }

    pub(crate) fn restore(&self, backup: &Backup, into: &ConsensusConfig) -> Result<(), BackupError> {
        let approvals = self.approvals(backup, &[("ada", 1), ("bob", 2)]);
        self.restore_with(backup, into, &approvals)
    }

    pub(crate) fn restore_with(
        &self,
        backup: &Backup,
        into: &ConsensusConfig,
        approvals: &[SignedNote],
    ) -> Result<(), BackupError> {
        let request = Restore {
            file: &backup.path,
            subject_keys: None,
            identities: &self.identities,
            consensus: into,
            backup: &self.backup,
            approvals,
            now: NOW,
            prepare: &mut |_| Ok(()),
        };
        restore(request).map(|_| ())
    }
}

pub(crate) fn fill(replica: &Running, keys: std::ops::Range<u64>) {
    for key in keys {
        assert!(matches!(replica.propose(append(key, key)), Outcome::Appended { .. }));
    }
}

pub(crate) fn unlock(
    replica: &Running,
    told: Vec<Option<TreeHead>>,
    needed: usize,
    epoch: Epoch,
) -> Result<(), UnlockError> {
    let leaf = Leaf::new(envelope(1_000_000 + u64::from(epoch.0)));
    replica.block_on(replica.consensus.unlock(Unlocking { told, needed, epoch, leaf }))
}

pub(crate) fn sign(replica: &Running) -> Result<TreeHead, CheckpointError> {
    replica.block_on(replica.consensus.sign_checkpoint(ORIGIN, &key(5)))?;
    Ok(replica.consensus.last_checkpoint().unwrap().unwrap())
}

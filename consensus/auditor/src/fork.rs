//! Whether two checkpoints prove that a member's log has forked.

use std::fmt;

use hansa_audit_log::fork::{Finding, Fork, ForkError};
use hansa_types::hash::Digest;
use hansa_types::id::BankId;
use hansa_types::manifest::Manifest;
use serde::Serialize;

/// Why nothing is proved.
#[derive(Debug, thiserror::Error)]
pub enum NoFork {
    /// The file.
    #[error(transparent)]
    File(#[from] ForkError),
    /// A log of no member.
    #[error("the checkpoints are of the log {0:?}, which is no member's")]
    Origin(String),
    /// Two sizes, which may both be true.
    #[error(
        "SUSPICION, not proof: {bank} signed sizes {} and {}, and was not seen to show that one extends the other. \
         Ask it for the proof of consistency between them",
        sizes[0], sizes[1]
    )]
    Suspicion {
        /// Whose log.
        bank: BankId,
        /// The sizes.
        sizes: [u64; 2],
    },
}

/// A proven fork.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ForkReport {
    /// Whose log.
    pub bank: BankId,
    /// The size that has two roots.
    pub size: u64,
    /// The roots.
    pub roots: [Digest; 2],
}

/// Checks the file `bytes` against the manifest.
pub fn forked(bytes: &[u8], manifest: &Manifest) -> Result<ForkReport, NoFork> {
    let fork = Fork::from_file(bytes)?;
    let origin = fork.unverified_origin();
    let owner = manifest.log_owner(origin);
    let (bank, member) = owner.ok_or_else(|| NoFork::Origin(origin.to_owned()))?;
    match fork.verify(&member.log_key, origin)? {
        Finding::Proof { size, roots } => {
            Ok(ForkReport { bank: bank.clone(), size, roots: roots.map(Digest) })
        }
        Finding::Suspicion { sizes } => Err(NoFork::Suspicion { bank: bank.clone(), sizes }),
    }
}

impl fmt::Display for ForkReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { bank, size, roots: [one, other] } = self;
        writeln!(f, "FORKED: the log of {bank} has two views of its first {size} entries")?;
        write!(f, "signed by its key: root {one} and root {other}")
    }
}

//! Why a step of a ceremony is not taken.

use std::path::PathBuf;

use hansa_prover::keys::KeyError;
use hansa_types::{id::BankId, sign::SignError};

use crate::{file::FileError, flaw::Flaw, place::Phase, secret::SecretError};

/// Why a step of a ceremony is not taken; nothing was written.
#[derive(Debug, thiserror::Error)]
pub enum CeremonyError {
    /// A file cannot be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// A file is not acceptable.
    #[error("{file}: {flaw}")]
    Refused {
        /// Its name.
        file: String,
        /// What is wrong with it.
        flaw: Flaw,
    },
    /// A file is not there.
    #[error("{folder} has no {name}: copy the whole folder, or ask whoever has the ceremony's files")]
    Missing {
        /// The folder.
        folder: PathBuf,
        /// The file.
        name: String,
    },
    /// Secrets cannot be kept as they must be.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// The key cannot sign.
    #[error(transparent)]
    Sign(#[from] SignError),
    /// What is asked for is not the charter's.
    #[error("{0}")]
    NotAllowed(Flaw),
    /// Phase 1 is not the founders' to contribute to.
    #[error("phase 1 was made elsewhere: begin phase 2 (hansa-genesis start)")]
    GivenPhase1,
    /// Phase 2 has begun.
    #[error("phase 2 has begun already: its start is in the folder")]
    Begun,
    /// Phase 2 has not begun.
    #[error("phase 2 has not begun: compute its start first (hansa-genesis start)")]
    NotBegun,
    /// The beacon has ended the ceremony.
    #[error("the beacon has ended the ceremony: nothing may follow")]
    Closed,
    /// The beacon is still to come.
    #[error(
        "the charter ends the ceremony with the beacon's round {0}: apply it first (hansa-genesis beacon)"
    )]
    NoBeacon(u64),
    /// Too few have contributed.
    #[error(
        "{counted} institutions contributed to {phase} and attested to it, the charter wants {needed}: \
         contributions of one parent count once, those without attestation and the beacon not at all"
    )]
    TooFew {
        /// Of which phase.
        phase: Phase,
        /// How many did.
        counted: usize,
        /// How many must.
        needed: u32,
    },
    /// There is nothing of this bank to attest to.
    #[error("{0} has no contribution without an attestation in this transcript")]
    NothingToAttest(BankId),
    /// The keys that came out are unsound.
    #[error("the keys are refused: {0}")]
    Key(#[from] KeyError),
}

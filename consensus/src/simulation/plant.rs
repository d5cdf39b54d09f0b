//! Faults that can be planted, to see that the simulation finds them.

use std::fmt;
use std::str::FromStr;

/// A mistake that an implementation could make.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Plant {
    /// A vote is answered before it is on the disk.
    VoteNotSynced,
    /// Entries are acknowledged before they are on the disk.
    AppendNotSynced,
    /// A replica reads its own state without asking whether it is the latest.
    ReadWithoutBarrier,
    /// Entries are applied without noting which.
    AppliedWithoutIndex,
    /// Unique keys are not kept, so that a command proposed again is done again.
    UniqueForgotten,
}

impl Plant {
    /// Every one.
    pub const ALL: [Self; 5] = [
        Self::VoteNotSynced,
        Self::AppendNotSynced,
        Self::ReadWithoutBarrier,
        Self::AppliedWithoutIndex,
        Self::UniqueForgotten,
    ];

    /// Its name on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::VoteNotSynced => "vote-not-synced",
            Self::AppendNotSynced => "append-not-synced",
            Self::ReadWithoutBarrier => "read-without-barrier",
            Self::AppliedWithoutIndex => "applied-without-index",
            Self::UniqueForgotten => "unique-forgotten",
        }
    }
}

impl fmt::Display for Plant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Plant {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|plant| plant.name() == name).ok_or_else(|| {
            let names = Self::ALL.map(Self::name).join(", ");
            format!("no such fault: one of {names}")
        })
    }
}

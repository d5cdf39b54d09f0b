//! What can be wrong with a ceremony's file.

use hansa_types::{codec::CodecError, hash::Digest};

use crate::{
    knowledge::Secret,
    place::{Contributor, Phase},
    points::PointsError,
};

/// Why a file of a ceremony is refused. Its name goes in front.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Flaw {
    /// Not what it should be.
    #[error("this is not a {0} file of hansa-genesis")]
    Kind(&'static str),
    /// Written by another release.
    #[error("format {found}, this program reads {known}: use the release the ceremony began with")]
    Version {
        /// The version found.
        found: u8,
        /// The version this program writes.
        known: u8,
    },
    /// Its fields do not decode.
    #[error("{0}")]
    Codec(#[from] CodecError),
    /// Its points do not.
    #[error("{0}")]
    Points(#[from] PointsError),
    /// It belongs to another ceremony.
    #[error("it belongs to the ceremony of charter {found}, this one's is {charter}")]
    Charter {
        /// The charter it names.
        found: Digest,
        /// The charter of this transcript.
        charter: Digest,
    },
    /// It stands elsewhere than it says.
    #[error(
        "it is contribution {found} to {found_phase}, and stands where contribution {number} to {phase} should"
    )]
    Number {
        /// The phase it names.
        found_phase: Phase,
        /// The number it names.
        found: u32,
        /// The phase where it stands.
        phase: Phase,
        /// The number where it stands.
        number: u32,
    },
    /// It builds on another file than the one before it.
    #[error(
        "it builds on a file with hash {found}, and the one before it has {previous}: one of them was replaced"
    )]
    Previous {
        /// The hash it names.
        found: Digest,
        /// The hash of the file before.
        previous: Digest,
    },
    /// Whoever contributed was not to.
    #[error("{0} is not a founder named in the charter")]
    Stranger(Contributor),
    /// A beacon that the charter does not name, or not at the end.
    #[error("the beacon: {0}")]
    Beacon(&'static str),
    /// A circuit or size that is not the charter's.
    #[error("{what} {found} is not the charter's, which is {known}")]
    Other {
        /// What differs.
        what: &'static str,
        /// Here.
        found: String,
        /// In the charter.
        known: String,
    },
    /// Elements that are not in the ratio they must have.
    #[error(
        "the elements of {0} do not have the ratios they must have: they were altered, or made from others"
    )]
    Ratio(&'static str),
    /// Elements that must stay were changed.
    #[error("{0} is not what follows from phase 1 and the circuit: it was altered")]
    Differs(&'static str),
    /// The contributor did not show that it knew its secret here.
    #[error("the proof of knowledge of {} does not hold at this place in the transcript", .0.name())]
    Knowledge(Secret),
    /// A contribution that multiplies by one.
    #[error("the contribution to {} is none: it multiplies by one", .0.name())]
    Nothing(Secret),
    /// The elements did not change by the secret that was proved.
    #[error("{} was not multiplied by the secret whose knowledge is proved: this builds on other elements", .0.name())]
    Link(Secret),
    /// A signature that does not fit.
    #[error("the signature of {0} does not fit: it was made for something else or with another key")]
    Signature(String),
    /// An attestation of another contribution.
    #[error("it attests to a contribution with hash {found}, and that file has {hash}")]
    Attests {
        /// The hash it names.
        found: Digest,
        /// The hash of the contribution.
        hash: Digest,
    },
    /// Content that makes no sense.
    #[error("{0}")]
    Content(String),
}

//! Where in the transcript a contribution stands: what its proofs of knowledge are bound to.

use hansa_types::{
    codec::{CodecError, Decode, Encode, Reader, Writer},
    codec_enum, codec_struct,
    hash::Digest,
    id::BankId,
};

/// The two halves of a ceremony.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// The powers of tau, which serve any circuit of their size.
    One,
    /// What divides by delta, for one circuit.
    Two,
}
codec_enum!(Phase { One = 1, "phase1", Two = 2, "phase2" });

/// Who contributed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Contributor {
    /// A founder.
    Institution(BankId),
    /// The beacon named in the charter, with its round's signature.
    Beacon([u8; 48]),
}

impl Encode for Contributor {
    fn encode(&self, out: &mut Writer) {
        match self {
            Self::Institution(bank) => {
                out.u8(1);
                bank.encode(out);
            }
            Self::Beacon(signature) => {
                out.u8(2);
                signature.encode(out);
            }
        }
    }
}

impl Decode for Contributor {
    fn decode(input: &mut Reader<'_>) -> Result<Self, CodecError> {
        match input.u8()? {
            1 => Ok(Self::Institution(Decode::decode(input)?)),
            2 => Ok(Self::Beacon(Decode::decode(input)?)),
            other => Err(CodecError::invalid("contributor", format!("{other} is no kind of it"))),
        }
    }
}

impl std::fmt::Display for Contributor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Institution(bank) => bank.fmt(f),
            Self::Beacon(_) => f.pad("the beacon"),
        }
    }
}

/// A contribution's place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The digest of the charter that began the transcript.
    pub charter: Digest,
    /// The phase.
    pub phase: Phase,
    /// Which contribution of its phase, from 1.
    pub number: u32,
    /// SHA-256 of the file it builds on: the contribution before, the start of phase 2, or the charter.
    pub previous: Digest,
    /// Who contributes.
    pub contributor: Contributor,
}
codec_struct!(Place { charter, phase, number, previous, contributor });

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn place(number: u32) -> Place {
        Place {
            charter: Digest([1; 32]),
            phase: Phase::One,
            number,
            previous: Digest([2; 32]),
            contributor: Contributor::Institution("bank-a".parse().unwrap()),
        }
    }

    #[test]
    fn a_place_has_one_encoding() {
        for contributor in [place(7).contributor, Contributor::Beacon([3; 48])] {
            let place = Place { contributor, ..place(7) };
            assert_eq!(Place::from_bytes(&place.to_bytes()), Ok(place.clone()));
            for other in [place.to_bytes()[1..].to_vec(), [&place.to_bytes()[..], &[0]].concat()] {
                assert_ne!(Place::from_bytes(&other).ok().map(|p| p.to_bytes()), Some(place.to_bytes()));
            }
        }
        assert!(Contributor::from_bytes(&[3]).is_err());
    }
}

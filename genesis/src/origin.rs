//! A phase 1 that was not made in this ceremony, and what is known of where it came from.

use hansa_types::{
    codec::{CodecError, Decode, Encode, Reader, Writer},
    codec_enum, codec_struct,
};

use crate::{
    file::{self, Kind},
    flaw::Flaw,
    phase1::{Lagrange, MAX_POWER, Phase1, Powers},
    points::Reading,
};

/// The file of a phase 1 for the risk signals' circuit that one party made: good for trying a ceremony out, and its
/// report says so.
pub const DEMONSTRATION: &[u8] = include_bytes!("../data/phase1-demonstration.hansa");

/// Who made it, and what shows that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// One party, for demonstrations: it could forge proofs.
    Demonstration,
    /// Read from a file in Zcash's format of which nothing more is known than that it is well formed.
    Unproven,
    /// From a file whose BLAKE2b-512 hash was given, as whoever published it states it.
    Pinned([u8; 64]),
    /// From a transcript all of whose contributions were verified; how many there are.
    Transcript(u32),
}

impl Origin {
    /// For the report.
    #[must_use]
    pub fn describe(&self) -> String {
        match self {
            Self::Demonstration => "made by one party for demonstrations: that party can forge proofs".into(),
            Self::Unproven => {
                "imported, ORIGIN UNPROVEN: well formed, but whoever made it may know its secrets".into()
            }
            Self::Pinned(hash) => {
                format!("imported from the file with BLAKE2b-512 hash {}", hex::encode(hash))
            }
            Self::Transcript(rounds) => {
                format!("imported, all {rounds} contributions of its transcript verified")
            }
        }
    }
}

impl Encode for Origin {
    fn encode(&self, out: &mut Writer) {
        match self {
            Self::Demonstration => out.u8(1),
            Self::Unproven => out.u8(2),
            Self::Pinned(hash) => {
                out.u8(3);
                hash.encode(out);
            }
            Self::Transcript(rounds) => {
                out.u8(4);
                rounds.encode(out);
            }
        }
    }
}

impl Decode for Origin {
    fn decode(input: &mut Reader<'_>) -> Result<Self, CodecError> {
        Ok(match input.u8()? {
            1 => Self::Demonstration,
            2 => Self::Unproven,
            3 => Self::Pinned(Decode::decode(input)?),
            4 => Self::Transcript(Decode::decode(input)?),
            other => return Err(CodecError::invalid("origin", format!("{other} is no kind of it"))),
        })
    }
}

/// Powers, or the Lagrange basis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Powers,
    Lagrange,
}
codec_enum!(Form { Powers = 1, "powers", Lagrange = 2, "lagrange" });

/// What stands in front of the points.
struct Header {
    origin: Origin,
    power: u8,
    form: Form,
}
codec_struct!(Header { origin, power, form });

/// A phase 1 from elsewhere, checked to be well formed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Given {
    /// Where it came from.
    pub origin: Origin,
    /// The phase 1.
    pub phase1: Phase1,
}

impl Given {
    /// The file.
    #[must_use]
    pub fn to_file(&self) -> Vec<u8> {
        let power = u8::try_from(self.phase1.size().ilog2()).expect("a size in memory has a small exponent");
        let form = match self.phase1 {
            Phase1::Powers(_) => Form::Powers,
            Phase1::Lagrange(_) => Form::Lagrange,
        };
        let header = Header { origin: self.origin.clone(), power, form };
        file::compose(Kind::Phase1, &header, |out| match &self.phase1 {
            Phase1::Powers(powers) => powers.write(out),
            Phase1::Lagrange(lagrange) => lagrange.write(out),
        })
    }

    /// Reads the file and checks everything that can be checked from it alone.
    ///
    /// # Errors
    /// [`Flaw`].
    pub fn from_file(bytes: &[u8]) -> Result<Self, Flaw> {
        let mut reader = file::open(Kind::Phase1, bytes)?;
        let Header { origin, power, form } = Header::decode(&mut reader)?;
        if power == 0 || power > MAX_POWER {
            return Err(Flaw::Content(format!("the power {power} is not one of 1 to {MAX_POWER}")));
        }
        let mut reading = Reading::new(reader.take(reader.remaining())?);
        let phase1 = match form {
            Form::Powers => Phase1::Powers(Box::new(Powers::read(&mut reading, power)?)),
            Form::Lagrange => Phase1::Lagrange(Box::new(Lagrange::read(&mut reading, power)?)),
        };
        reading.finish()?;
        match &phase1 {
            Phase1::Powers(powers) => powers.check()?,
            Phase1::Lagrange(lagrange) => lagrange.check()?,
        }
        Ok(Self { origin, phase1 })
    }
}

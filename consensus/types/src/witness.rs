//! What banks ask one another about their logs, as bytes on a stream between two of them: cosignatures, the checkpoints
//! that each has seen, and proofs between them. Texts inside are C2SP's, carried as they are.

use crate::codec::{CodecError, Decode, Encode, Reader, Writer};

/// The version byte of requests and responses.
pub const WITNESS_VERSION: u8 = 1;
/// The longest `add-checkpoint` request, in bytes; with more signatures than a consortium gives it is refused.
pub const MAX_ADD: usize = 200 << 10;
/// The longest text of a note with its cosignatures, in bytes.
pub const MAX_NOTE: usize = 200 << 10;
/// The longest checkpoint in a comparison, in bytes: it carries its log's signature alone.
pub const MAX_COMPARED_NOTE: usize = 900;
/// The most checkpoints in a comparison.
pub const MAX_COMPARED: usize = 256;
/// The longest name of a log, in bytes.
pub const MAX_ORIGIN: usize = 255;
/// The longest cosignature, as a line of a note.
pub const MAX_COSIGNATURE: usize = 16 << 10;
/// The most hashes of a consistency proof.
pub const MAX_HASHES: usize = 65;

/// What one bank asks another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WitnessRequest {
    /// Cosign a checkpoint: the body of tlog-witness's `add-checkpoint`.
    Add(Vec<u8>),
    /// The checkpoint of a log that the other cosigned last.
    Latest(String),
    /// Compare: the latest checkpoints that this bank knows, each with its log's signature.
    Compare(Vec<Vec<u8>>),
    /// Show that the other's own log of size `new` extends it at size `old`.
    Prove {
        /// The smaller size.
        old: u64,
        /// The larger size.
        new: u64,
    },
}

/// What the other answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WitnessResponse {
    /// The cosignature, as the signature lines of a note.
    Cosigned(Vec<u8>),
    /// Refused, with tlog-witness's status and, at 409, the size last cosigned.
    Refused {
        /// The status.
        status: u16,
        /// The size that the witness cosigned last.
        size: Option<u64>,
    },
    /// The checkpoint cosigned last, if there is one.
    Latest(Option<Vec<u8>>),
    /// The latest checkpoints that the other knows.
    Compared(Vec<Vec<u8>>),
    /// The hashes of a consistency proof.
    Proof(Vec<[u8; 32]>),
}

impl Encode for WitnessRequest {
    fn encode(&self, out: &mut Writer) {
        out.u8(WITNESS_VERSION);
        match self {
            Self::Add(request) => {
                out.u8(1);
                out.bytes(request);
            }
            Self::Latest(origin) => {
                out.u8(2);
                origin.encode(out);
            }
            Self::Compare(notes) => {
                out.u8(3);
                encode_notes(notes, out);
            }
            Self::Prove { old, new } => {
                out.u8(4);
                old.encode(out);
                new.encode(out);
            }
        }
    }
}

impl Decode for WitnessRequest {
    fn decode(input: &mut Reader<'_>) -> Result<Self, CodecError> {
        input.version("witness request", WITNESS_VERSION)?;
        Ok(match input.u8()? {
            1 => Self::Add(input.bytes("add-checkpoint", MAX_ADD)?.to_vec()),
            2 => {
                let origin = std::str::from_utf8(input.bytes("origin", MAX_ORIGIN)?);
                Self::Latest(origin.map_err(|e| CodecError::invalid("origin", e.to_string()))?.to_owned())
            }
            3 => Self::Compare(decode_notes(input)?),
            4 => Self::Prove { old: Decode::decode(input)?, new: Decode::decode(input)? },
            other => return Err(CodecError::invalid("witness request", format!("{other} is no kind of it"))),
        })
    }
}

impl Encode for WitnessResponse {
    fn encode(&self, out: &mut Writer) {
        out.u8(WITNESS_VERSION);
        match self {
            Self::Cosigned(lines) => {
                out.u8(1);
                out.bytes(lines);
            }
            Self::Refused { status, size } => {
                out.u8(2);
                status.encode(out);
                size.encode(out);
            }
            Self::Latest(note) => {
                out.u8(3);
                note.is_some().encode(out);
                note.iter().for_each(|note| out.bytes(note));
            }
            Self::Compared(notes) => {
                out.u8(4);
                encode_notes(notes, out);
            }
            Self::Proof(hashes) => {
                out.u8(5);
                out.seq(hashes);
            }
        }
    }
}

impl Decode for WitnessResponse {
    fn decode(input: &mut Reader<'_>) -> Result<Self, CodecError> {
        input.version("witness response", WITNESS_VERSION)?;
        Ok(match input.u8()? {
            1 => Self::Cosigned(input.bytes("cosignature", MAX_COSIGNATURE)?.to_vec()),
            2 => Self::Refused { status: Decode::decode(input)?, size: Decode::decode(input)? },
            3 => Self::Latest(match bool::decode(input)? {
                true => Some(input.bytes("note", MAX_NOTE)?.to_vec()),
                false => None,
            }),
            4 => Self::Compared(decode_notes(input)?),
            5 => Self::Proof(input.seq("consistency proof", MAX_HASHES)?),
            other => {
                return Err(CodecError::invalid("witness response", format!("{other} is no kind of it")));
            }
        })
    }
}

fn encode_notes(notes: &[Vec<u8>], out: &mut Writer) {
    out.length(notes.len());
    notes.iter().for_each(|note| out.bytes(note));
}

fn decode_notes(input: &mut Reader<'_>) -> Result<Vec<Vec<u8>>, CodecError> {
    let count = input.length("checkpoints", MAX_COMPARED)?;
    (0..count).map(|_| Ok(input.bytes("checkpoint", MAX_COMPARED_NOTE)?.to_vec())).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn bytes() -> impl Strategy<Value = Vec<u8>> {
        prop::collection::vec(any::<u8>(), 0..20)
    }

    fn request() -> impl Strategy<Value = WitnessRequest> {
        prop_oneof![
            bytes().prop_map(WitnessRequest::Add),
            "\\PC{0,9}".prop_map(WitnessRequest::Latest),
            prop::collection::vec(bytes(), 0..4).prop_map(WitnessRequest::Compare),
            any::<(u64, u64)>().prop_map(|(old, new)| WitnessRequest::Prove { old, new }),
        ]
    }

    fn response() -> impl Strategy<Value = WitnessResponse> {
        prop_oneof![
            bytes().prop_map(WitnessResponse::Cosigned),
            any::<(u16, Option<u64>)>().prop_map(|(status, size)| WitnessResponse::Refused { status, size }),
            prop::option::of(bytes()).prop_map(WitnessResponse::Latest),
            prop::collection::vec(bytes(), 0..4).prop_map(WitnessResponse::Compared),
            prop::collection::vec(any::<[u8; 32]>(), 0..4).prop_map(WitnessResponse::Proof),
        ]
    }

    proptest! {
        #[test]
        fn each_reads_back_and_has_one_encoding(
            request in request(), response in response(), noise in bytes(), at: usize
        ) {
            let bytes = request.to_bytes();
            prop_assert_eq!(WitnessRequest::from_bytes(&bytes), Ok(request));
            prop_assert!(WitnessRequest::from_bytes(&bytes[..bytes.len() - 1]).is_err());
            prop_assert_eq!(WitnessResponse::from_bytes(&response.to_bytes()), Ok(response));
            let mut altered = bytes.clone();
            altered[at % bytes.len()] ^= 1;
            if let Ok(other) = WitnessRequest::from_bytes(&altered) {
                prop_assert_eq!(other.to_bytes(), altered);
            }
            let _ = (WitnessRequest::from_bytes(&noise), WitnessResponse::from_bytes(&noise));
        }
    }

    #[test]
    fn the_bytes_are_frozen() {
        assert_eq!(WitnessRequest::Add(vec![7]).to_bytes(), [1, 1, 0, 0, 0, 1, 7]);
        assert_eq!(WitnessRequest::Latest("o".into()).to_bytes(), [1, 2, 0, 0, 0, 1, b'o']);
        assert_eq!(WitnessRequest::Compare(vec![vec![]]).to_bytes(), [1, 3, 0, 0, 0, 1, 0, 0, 0, 0]);
        let refused = WitnessResponse::Refused { status: 409, size: Some(3) };
        assert_eq!(refused.to_bytes(), [1, 2, 1, 153, 1, 0, 0, 0, 0, 0, 0, 0, 3]);
        assert_eq!(WitnessResponse::Latest(None).to_bytes(), [1, 3, 0]);
    }
}

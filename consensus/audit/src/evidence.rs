//! The evidence bundle: records disclosed from the log, with what proves each to be in it, as one file.
//!
//! `magic || version || signed checkpoint || records || attachments || SHA-256 of all before`. Signature, inclusion
//! and commitment bind the records; attachments are opaque here and bound by what they prove (the auditor's part).
//! The trailing digest is no proof, anyone can recompute it: it names damage that touches nothing provable.

use hansa_types::codec::{CodecError, Decode, Encode, Reader, Writer};
use hansa_types::codec_enum;
use hansa_types::hash::{Digest, PublicKey, digest};
use hansa_types::record::RecordClass;
use thiserror::Error;

use crate::checkpoint::{Checkpoint, CheckpointError};
use crate::envelope::{Envelope, LeafKey, MAX_LEAF, OpenError};
use crate::merkle::{Hash, MAX_PROOF_HASHES, ProofError, leaf_hash, verify_inclusion};
use crate::note::{MAX_NOTE_BYTES, SignedNote};

/// The first bytes of an evidence file.
pub const MAGIC: [u8; 8] = *b"HANSAEVD";
/// The version byte that follows the magic.
pub const EVIDENCE_VERSION: u8 = 1;
/// The most records one bundle discloses.
pub const MAX_RECORDS: usize = 1024;
/// The most attachments in one bundle.
pub const MAX_ATTACHMENTS: usize = 1024;
/// The longest attachment, in bytes.
pub const MAX_ATTACHMENT_BYTES: usize = 4 << 20;
/// The longest bundle, in bytes.
pub const MAX_EVIDENCE_BYTES: usize = 256 << 20;

const TRAILER: usize = 32;

/// A bundle as it is exported and read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evidence {
    /// The log's signed checkpoint under which all records are proved.
    pub checkpoint: SignedNote,
    /// The disclosed records, by strictly ascending index.
    pub records: Vec<Disclosure>,
    /// What the auditor interprets beside the log.
    pub attachments: Vec<Attachment>,
    intact: bool,
}

/// One leaf, its key, and its place in the tree.
#[derive(Clone, PartialEq, Eq)]
pub struct Disclosure {
    /// The leaf's index.
    pub index: u64,
    /// The leaf.
    pub envelope: Envelope,
    /// The key that opens this leaf alone.
    pub leaf_key: [u8; 32],
    /// The audit path, from the leaf's sibling upwards.
    pub path: Vec<Hash>,
}

/// What an attachment holds; the auditor gives each its meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum AttachmentKind {
    /// The opening of a signal's decision commitment.
    DecisionOpening,
    /// How a subject yields a tag.
    TagTranscript,
    /// The verifying key of a circuit.
    VerifyingKey,
}
codec_enum!(AttachmentKind {
    DecisionOpening = 1, "decision-opening", TagTranscript = 2, "tag-transcript", VerifyingKey = 3, "verifying-key",
});

/// Typed bytes beside the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attachment {
    /// What it is.
    pub kind: AttachmentKind,
    /// Its encoding.
    pub bytes: Vec<u8>,
}

/// A record proved to be in the log, and opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DisclosedRecord {
    /// The leaf's index.
    pub index: u64,
    /// The record's class.
    pub class: RecordClass,
    /// The record's bytes.
    pub plaintext: Vec<u8>,
}

/// Why a bundle was refused.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum EvidenceError {
    /// Above [`MAX_EVIDENCE_BYTES`].
    #[error("the file has {0} bytes, above the limit of {MAX_EVIDENCE_BYTES}")]
    TooLong(usize),
    /// Another kind of file.
    #[error("this is not an evidence file: it does not begin with HANSAEVD")]
    NotEvidence,
    /// Not the canonical encoding of a bundle.
    #[error("the evidence file is malformed: {0}")]
    Codec(#[from] CodecError),
    /// The checkpoint was refused.
    #[error("checkpoint: {0}")]
    Checkpoint(#[from] CheckpointError),
    /// A record is not proved to be in the log.
    #[error("record {index}: inclusion: {source}")]
    Inclusion {
        /// The record's index in the log.
        index: u64,
        /// Why the proof fails.
        source: ProofError,
    },
    /// A record cannot be opened with the key beside it.
    #[error("record {index}: {source}")]
    Open {
        /// The record's index in the log.
        index: u64,
        /// Why it does not open.
        source: OpenError,
    },
    /// All that the log proves holds, but other bytes were changed since the export.
    #[error(
        "the file's digest does not match: bytes beside the log's proofs were altered or damaged after the export"
    )]
    Altered,
}

impl Evidence {
    /// Bundles what is to be exported. Records are put in order of their index, each once.
    #[must_use]
    pub fn new(checkpoint: SignedNote, mut records: Vec<Disclosure>, attachments: Vec<Attachment>) -> Self {
        records.sort_by_key(|record| record.index);
        records.dedup_by_key(|record| record.index);
        Self { checkpoint, records, attachments, intact: true }
    }

    /// Reads a file strictly; proves nothing yet.
    pub fn from_file(bytes: &[u8]) -> Result<Self, EvidenceError> {
        if bytes.len() > MAX_EVIDENCE_BYTES {
            return Err(EvidenceError::TooLong(bytes.len()));
        }
        let mut input = Reader::new(bytes.strip_prefix(&MAGIC).ok_or(EvidenceError::NotEvidence)?);
        input.version("evidence", EVIDENCE_VERSION)?;
        let checkpoint = SignedNote::parse(input.bytes("checkpoint", MAX_NOTE_BYTES)?);
        let checkpoint = checkpoint.map_err(CheckpointError::Note)?;
        let records: Vec<Disclosure> = input.seq("records", MAX_RECORDS)?;
        if !records.is_sorted_by(|a, b| a.index < b.index) {
            return Err(CodecError::invalid("records", "indexes do not strictly ascend").into());
        }
        let attachments = input.seq("attachments", MAX_ATTACHMENTS)?;
        let stated: [u8; TRAILER] = input.array()?;
        input.finish()?;
        let intact = file_digest(&bytes[..bytes.len() - TRAILER]).0 == stated;
        Ok(Self { checkpoint, records, attachments, intact })
    }

    /// The bundle as a file.
    #[must_use]
    pub fn to_file(&self) -> Vec<u8> {
        let mut out = Writer::default();
        out.raw(&MAGIC);
        out.u8(EVIDENCE_VERSION);
        out.bytes(self.checkpoint.to_string().as_bytes());
        out.seq(&self.records);
        out.seq(&self.attachments);
        let mut bytes = out.into_bytes();
        let trailer = file_digest(&bytes);
        bytes.extend_from_slice(&trailer.0);
        bytes
    }

    /// The checkpoint, once its signature by the log `origin` with this key is verified.
    pub fn verify_checkpoint(&self, log: &PublicKey, origin: &str) -> Result<Checkpoint, EvidenceError> {
        Ok(Checkpoint::open(&self.checkpoint, origin, log)?)
    }

    /// Checks everything the log proves (signature, inclusion of each leaf, each leaf opened with its own key), then
    /// that no byte of the file was changed. [`EvidenceError::Altered`] is said last, so that a provable reason comes
    /// first; attachments still need their own checks, and an auditor may run those before giving up on `Altered`.
    pub fn verify_log(&self, log: &PublicKey, origin: &str) -> Result<Vec<DisclosedRecord>, EvidenceError> {
        let checkpoint = self.verify_checkpoint(log, origin)?;
        let records =
            self.records.iter().map(|record| record.verify(&checkpoint)).collect::<Result<_, _>>()?;
        if self.intact { Ok(records) } else { Err(EvidenceError::Altered) }
    }

    /// The attachments of one kind, in order.
    pub fn attachments_of(&self, kind: AttachmentKind) -> impl Iterator<Item = &[u8]> {
        self.attachments.iter().filter(move |a| a.kind == kind).map(|a| a.bytes.as_slice())
    }
}

impl Disclosure {
    fn verify(&self, checkpoint: &Checkpoint) -> Result<DisclosedRecord, EvidenceError> {
        let index = self.index;
        let leaf = leaf_hash(self.envelope.as_bytes());
        verify_inclusion(&leaf, index, checkpoint.size, &self.path, &checkpoint.root)
            .map_err(|source| EvidenceError::Inclusion { index, source })?;
        let plaintext = self
            .envelope
            .open(&checkpoint.origin, &LeafKey::new(self.leaf_key))
            .map_err(|source| EvidenceError::Open { index, source })?;
        Ok(DisclosedRecord { index, class: self.envelope.class(), plaintext: plaintext.to_vec() })
    }
}

impl std::fmt::Debug for Disclosure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Disclosure").field("index", &self.index).finish_non_exhaustive()
    }
}

impl Encode for Disclosure {
    fn encode(&self, out: &mut Writer) {
        self.index.encode(out);
        out.bytes(self.envelope.as_bytes());
        out.raw(&self.leaf_key);
        out.seq(&self.path);
    }
}

impl Decode for Disclosure {
    fn decode(input: &mut Reader<'_>) -> Result<Self, CodecError> {
        let index = u64::decode(input)?;
        let envelope = Envelope::new(input.bytes("leaf", MAX_LEAF)?.to_vec())
            .map_err(|error| CodecError::invalid("leaf", error.to_string()))?;
        let leaf_key = input.array()?;
        Ok(Self { index, envelope, leaf_key, path: input.seq("audit path", MAX_PROOF_HASHES)? })
    }
}

impl Encode for Attachment {
    fn encode(&self, out: &mut Writer) {
        self.kind.encode(out);
        out.bytes(&self.bytes);
    }
}

impl Decode for Attachment {
    fn decode(input: &mut Reader<'_>) -> Result<Self, CodecError> {
        let kind = AttachmentKind::decode(input)?;
        Ok(Self { kind, bytes: input.bytes("attachment", MAX_ATTACHMENT_BYTES)?.to_vec() })
    }
}

fn file_digest(bytes: &[u8]) -> Digest {
    digest("hansa/evidence/v1", &[bytes])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rand_chacha::ChaCha20Rng;
    use rand_chacha::rand_core::SeedableRng;

    use super::*;
    use crate::envelope::RecordsKey;
    use crate::merkle::inclusion_proof;
    use crate::testing::{LogKey, small_log};

    const ORIGIN: &str = "bank-a.example/audit";

    fn bundle() -> (Evidence, LogKey) {
        let key = LogKey::new(1);
        let records_key = RecordsKey::new([9; 32]);
        let mut rng = ChaCha20Rng::seed_from_u64(3);
        let sealed: Vec<Envelope> = (0..5u8)
            .map(|i| records_key.seal(ORIGIN, RecordClass::ALL[i as usize], &[i; 10], &mut rng).unwrap())
            .collect();
        let leaves: Vec<&[u8]> = sealed.iter().map(Envelope::as_bytes).collect();
        let (nodes, checkpoint) = small_log(ORIGIN, &leaves);
        let disclose = |index: u64| Disclosure {
            index,
            envelope: sealed[index as usize].clone(),
            leaf_key: records_key.leaf_key(&sealed[index as usize].salt()).disclose(),
            path: inclusion_proof(&nodes, index, 5).unwrap(),
        };
        let attachments =
            vec![Attachment { kind: AttachmentKind::DecisionOpening, bytes: b"signal".to_vec() }];
        let note = checkpoint.sign(&key).unwrap();
        (Evidence::new(note, vec![disclose(4), disclose(1)], attachments), key)
    }

    #[test]
    fn a_bundle_reads_back_and_discloses_its_records() {
        let (evidence, key) = bundle();
        let read = Evidence::from_file(&evidence.to_file()).unwrap();
        assert_eq!(read, evidence);
        let records = read.verify_log(&key.public(), ORIGIN).unwrap();
        let shown: Vec<_> = records.iter().map(|r| (r.index, r.class, r.plaintext.as_slice())).collect();
        assert_eq!(
            shown,
            [(1, RecordClass::ALL[1], [1; 10].as_slice()), (4, RecordClass::ALL[4], [4; 10].as_slice())]
        );
        assert_eq!(read.attachments_of(AttachmentKind::DecisionOpening).collect::<Vec<_>>(), [b"signal"]);
    }

    #[test]
    fn every_single_altered_byte_is_refused() {
        let (evidence, key) = bundle();
        let file = evidence.to_file();
        for at in 0..file.len() {
            for bit in [0x01, 0x20, 0x80] {
                let mut altered = file.clone();
                altered[at] ^= bit;
                let verdict =
                    Evidence::from_file(&altered).and_then(|read| read.verify_log(&key.public(), ORIGIN));
                assert!(verdict.is_err(), "byte {at} ^ {bit:#x}");
            }
        }
    }

    #[test]
    fn an_alteration_is_named_even_when_the_digest_is_made_to_fit() {
        let (evidence, key) = bundle();
        let verdict = |change: fn(&mut Evidence)| {
            let mut altered = evidence.clone();
            change(&mut altered);
            Evidence::from_file(&altered.to_file()).and_then(|read| read.verify_log(&key.public(), ORIGIN))
        };
        let inclusion = |index| EvidenceError::Inclusion { index, source: ProofError::WrongRoot };
        assert_eq!(verdict(|e| e.records[0].path[0][3] ^= 1), Err(inclusion(1)));
        assert_eq!(verdict(|e| e.records[0].index = 0), Err(inclusion(0)));
        let wrong_key = EvidenceError::Open { index: 1, source: OpenError::WrongKey };
        assert_eq!(verdict(|e| e.records[0].leaf_key[0] ^= 1), Err(wrong_key));
        assert!(matches!(verdict(|e| e.records.reverse()), Err(EvidenceError::Codec(_))));
    }

    #[test]
    fn another_log_or_key_is_refused() {
        let (evidence, key) = bundle();
        for (key, origin) in [(LogKey::new(2).public(), ORIGIN), (key.public(), "bank-b.example/audit")] {
            assert!(matches!(evidence.verify_log(&key, origin), Err(EvidenceError::Checkpoint(_))));
        }
    }

    #[test]
    fn the_file_is_frozen() {
        let (evidence, _) = bundle();
        assert_eq!(hex::encode(evidence.to_file()), include_str!("../tests/vectors/evidence.hex").trim());
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = Evidence::from_file(&bytes);
            let _ = Evidence::from_file(&[&MAGIC, &[EVIDENCE_VERSION][..], &bytes].concat());
        }

        #[test]
        fn truncated_files_are_refused(cut in 0usize..1000) {
            let file = bundle().0.to_file();
            let cut = cut % file.len();
            prop_assert!(Evidence::from_file(&file[..cut]).is_err());
        }
    }
}

//! Two checkpoints that cannot both be true, kept as evidence: one proof and one suspicion for each log, which is all an
//! auditor needs, and all that a log which signs ever more views can make this one write.

use hansa_audit_log::fork::{Finding, Fork};
use hansa_audit_log::note::SignedNote;
use hansa_consensus::{Command, Leaf, Outcome};
use hansa_types::codec::{CodecError, Decode, Encode, Reader, Writer};
use hansa_types::hash::Digest;
use hansa_types::id::{BankId, Timestamp};
use hansa_types::record::{Operation, Record};

use crate::events::Event;
use crate::journal::{Collection, JournalError};
use crate::node::Node;

/// The longest evidence kept: two notes whose signatures of others were left out or are few.
const MAX_KEPT: usize = 128 << 10;

/// Evidence that a log forked, or may have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct KeptFork {
    /// Whose log.
    pub(crate) bank: BankId,
    /// When it was found.
    pub(crate) at: Timestamp,
    /// The file that `hansa-audit fork` checks.
    pub(crate) file: Vec<u8>,
}

impl Encode for KeptFork {
    fn encode(&self, out: &mut Writer) {
        self.bank.encode(out);
        self.at.encode(out);
        out.bytes(&self.file);
    }
}

impl Decode for KeptFork {
    fn decode(input: &mut Reader<'_>) -> Result<Self, CodecError> {
        Ok(Self {
            bank: Decode::decode(input)?,
            at: Decode::decode(input)?,
            file: input.bytes("fork", MAX_KEPT)?.to_vec(),
        })
    }
}

/// All that is kept.
pub(crate) fn kept(node: &Node) -> Result<Vec<KeptFork>, JournalError> {
    node.journal.documents(Collection::Forks)
}

/// Keeps two checkpoints of `bank`'s log, unless the like of it is kept already.
pub(super) async fn keep(
    node: &Node,
    bank: &BankId,
    one: SignedNote,
    other: SignedNote,
) -> Result<(), JournalError> {
    let manifest = node.manifest();
    let Some(member) = manifest.members.get(bank) else { return Ok(()) };
    let fork = Fork::new(one, other);
    let finding = match fork.verify(&member.log_key, &node.manifest().log_origin(bank)) {
        Ok(finding) => finding,
        Err(error) => {
            tracing::warn!(%bank, %error, "two checkpoints show nothing");
            return Ok(());
        }
    };
    let file = fork.to_file();
    if file.len() > MAX_KEPT {
        tracing::error!(%bank, bytes = file.len(), "evidence of a fork is too long to be kept");
        return Ok(());
    }
    let (proved, size) = match finding {
        Finding::Proof { size, .. } => (true, size),
        Finding::Suspicion { sizes } => (false, sizes[1]),
    };
    let key = [&[u8::from(proved)], bank.as_str().as_bytes()].concat();
    let unique = node.journal.unique_fork(&key);
    if node.journal.consensus().find_unique(&unique.key)?.is_some() {
        return Ok(());
    }
    let what = if proved { "log-forked" } else { "log-suspected" };
    let now = node.now();
    let detail = format!("{bank} at size {size}: evidence {}", fork.id());
    let operation = Operation { what: what.to_owned(), detail, at: now };
    let document =
        node.journal.document(Collection::Forks, &key, &KeptFork { bank: bank.clone(), at: now, file });
    let mut leaf: Leaf = node.journal.leaf(&Record::Operation(operation))?;
    leaf.documents.push(document);
    leaf.unique = unique;
    let outcome = node.journal.propose(Command::Append { leaf, follow_up: vec![] }).await?;
    if let Outcome::Appended { .. } = outcome {
        found(node, bank, proved, size, fork.id());
    }
    Ok(())
}

fn found(node: &Node, bank: &BankId, proved: bool, size: u64, evidence: Digest) {
    node.metrics.fork(proved);
    node.events.emit(&Event::LogForked { bank: bank.clone(), proved, size, evidence });
    if proved {
        tracing::error!(%bank, size, "a log has forked: export the evidence with `hansa audit forks`");
    } else {
        tracing::error!(%bank, size, "a log does not show that it is consistent: it may have forked");
    }
}

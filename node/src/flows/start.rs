//! What a start records of what was set outside: the manifest adopted, and a configuration that changed.

use std::collections::BTreeMap;

use hansa_audit_log::note::SignedNote;
use hansa_consensus::{Command, TreeHead};
use hansa_types::codec_struct;
use hansa_types::hash::{Digest, digest};
use hansa_types::record::{
    CheckpointRecord, ConfigurationRecord, ConfigurationSection, GovernanceRecord, Record,
};

use crate::config::Config;
use crate::journal::{Collection, JournalError};
use crate::node::Node;

/// The longest text of a section that is recorded.
const MAX_SECTION: usize = 8 << 10;
const MANIFEST: &[u8] = b"manifest";
const CONFIGURATION: &[u8] = b"configuration";

/// What was recorded last.
struct Recorded {
    /// The how-manieth record it was.
    number: u64,
    digest: Digest,
    /// The parts that it consists of.
    parts: BTreeMap<String, Digest>,
}
codec_struct!(Recorded { number, digest, parts });

/// Records the manifest, if it is another than the one recorded last.
pub(crate) async fn record_manifest(node: &Node, signed: &[u8]) -> Result<(), JournalError> {
    let manifest = digest("hansa/signed-manifest/v1", &[signed]);
    let last: Option<Recorded> = node.journal.read_document(Collection::Recorded, MANIFEST)?;
    if last.as_ref().is_some_and(|last| last.digest == manifest) {
        return Ok(());
    }
    let number = last.as_ref().map_or(1, |last| last.number + 1);
    let record = Record::Governance(GovernanceRecord {
        consortium: node.context().consortium(),
        manifest,
        previous: last.map(|last| last.digest),
        at: node.now(),
    });
    let recorded = Recorded { number, digest: manifest, parts: BTreeMap::new() };
    append(node, &record, MANIFEST, &recorded).await
}

/// Records the configuration's sections that differ from those recorded last.
pub(crate) async fn record_configuration(node: &Node, config: &Config) -> Result<(), JournalError> {
    let replica = config.consensus.replica;
    let key = [CONFIGURATION, &replica.to_be_bytes()].concat();
    let section_digest = |text: &String| digest("hansa/configuration-section/v1", &[text.as_bytes()]);
    let parts: BTreeMap<String, Digest> =
        config.sections.iter().map(|(name, text)| (name.clone(), section_digest(text))).collect();
    let whole = hansa_types::hash::digest_of("hansa/configuration/v1", &parts);
    let last: Option<Recorded> = node.journal.read_document(Collection::Recorded, &key)?;
    if last.as_ref().is_some_and(|last| last.digest == whole) {
        return Ok(());
    }
    let before = last.as_ref().map(|last| last.parts.clone()).unwrap_or_default();
    let names = parts.keys().chain(before.keys().filter(|name| !parts.contains_key(*name)));
    let differs = |name: &&String| parts.get(*name) != before.get(*name);
    let changed = names.filter(differs).map(|name| ConfigurationSection {
        name: name.clone(),
        digest: parts.get(name).copied().unwrap_or_default(),
        text: config.sections.get(name).filter(|text| text.len() <= MAX_SECTION).cloned(),
    });
    let record = Record::Configuration(ConfigurationRecord {
        replica,
        digest: whole,
        previous: last.as_ref().map(|last| last.digest),
        changed: changed.collect(),
        at: node.now(),
    });
    let number = last.map_or(1, |last| last.number + 1);
    append(node, &record, &key, &Recorded { number, digest: whole, parts }).await
}

/// Records a checkpoint that was signed.
pub(crate) async fn record_checkpoint(node: &Node, note: &SignedNote) -> Result<(), JournalError> {
    let head = node.journal.consensus().last_checkpoint()?;
    let Some(TreeHead { size, root }) = head else { return Ok(()) };
    let record = CheckpointRecord { size, root: Digest(root), note: note.to_string(), at: node.now() };
    node.journal.append(&Record::Checkpoint(record)).await.map(|_| ())
}

/// Appends the record once, whichever replica comes first.
async fn append(node: &Node, record: &Record, key: &[u8], recorded: &Recorded) -> Result<(), JournalError> {
    let mut leaf = node.journal.leaf(record)?;
    let parts = [key, &recorded.number.to_be_bytes(), &recorded.digest.0];
    leaf.unique = node.journal.unique_of(b"recorded", &parts);
    leaf.documents.push(node.journal.document(Collection::Recorded, key, recorded));
    node.journal.propose(Command::Append { leaf, follow_up: vec![] }).await.map(|_| ())
}

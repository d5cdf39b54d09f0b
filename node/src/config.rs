//! The node's one configuration file: TOML, a section for each crate, unknown keys refused.
//!
//! `HANSA_SECTION__KEY=value` in the environment overrides `[section] key`; the value is read as TOML, else as text.
//! Secrets are files named in the configuration, never values in it or in the environment.

mod frames;
mod screening;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use hansa_screening::Scheme;
use hansa_types::country::Country;
use hansa_types::id::{BankId, GatewayId};
use serde::Deserialize;
use toml::{Table, Value};

pub(crate) use self::frames::read as read_key;
pub use self::frames::{DIGEST_PURPOSE, FrameKey, FramesConfig, FramesError, key_purpose};
pub use self::screening::{FetchConfig, ListConfig, ListFormat, Mode, ScreeningConfig};

/// The prefix of environment variables that override the file.
pub const ENV_PREFIX: &str = "HANSA_";
/// Variables with the prefix that are not settings.
const NOT_SETTINGS: [&str; 2] = ["HANSA_DATA", "HANSA_LOG"];
/// A setting whose name ends in one of these holds a secret and does not belong into the environment.
const SECRET_ENDINGS: [&str; 4] = ["secret", "password", "token", "pin"];

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("configuration {path}: {source}; `hansa init` writes one")]
    Read {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file is not what it should be.
    #[error("configuration {path}: {message}")]
    Parse {
        /// Which file.
        path: PathBuf,
        /// What is wrong, and where.
        message: String,
    },
    /// A variable names no setting.
    #[error("environment variable {0}: {1}")]
    Environment(String, &'static str),
    /// Answers to a rail that is not answered.
    #[error("{0} is \"pacs.002\", and in shadow the rail is not answered: set it to \"json\"")]
    Shadow(&'static str),
}

/// Everything a node is told.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Who runs it, and with what files.
    pub node: NodeConfig,
    /// What is screened against, and how strictly.
    pub screening: ScreeningConfig,
    /// What opens a case, what takes two officers, and until when what has to be done.
    #[serde(default)]
    pub cases: hansa_screening::CasePolicy,
    /// What is shared, through which gateway.
    #[serde(default)]
    pub signalling: SignallingConfig,
    /// HTTP and gRPC.
    #[serde(default)]
    pub api: hansa_api::ApiConfig,
    /// The drop folder.
    #[serde(default)]
    pub files: hansa_api::FilesConfig,
    /// Kafka.
    #[serde(default)]
    pub kafka: hansa_api::KafkaConfig,
    /// Where frames are taken in; absent, none are.
    pub frames: Option<FramesConfig>,
    /// Who may send frames, and what they are judged by.
    #[serde(default)]
    pub xdp: hansa_xdp::Config,
    /// The Raft group and its store.
    #[serde(default)]
    pub consensus: hansa_consensus::ConsensusConfig,
    /// What happens to payments when the group cannot decide.
    #[serde(default)]
    pub payments: PaymentsConfig,
    /// Backups.
    #[serde(default)]
    pub backup: hansa_consensus::backup::BackupConfig,
    /// The network of banks.
    #[serde(default)]
    pub p2p: P2pConfig,
    /// Where records may lie, and how long they are kept.
    #[serde(default)]
    pub records: RecordsConfig,
    /// The text of each section as it was read, overrides included: what is recorded when it changes.
    #[serde(skip)]
    pub sections: BTreeMap<String, String>,
}

/// `[node]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NodeConfig {
    /// This bank's id in the manifest.
    pub bank: BankId,
    /// The folder with the keys.
    pub keys: PathBuf,
    /// The signed manifest.
    pub manifest: PathBuf,
    /// The amendments since, for a bank that joined later: `hansa governance export` of a member writes them. The log
    /// takes them in at the first start.
    pub amendments: Option<PathBuf>,
    /// The circuit's proving key.
    pub proving_key: PathBuf,
    /// The circuit's verifying key; the manifest has its hash.
    pub verifying_key: PathBuf,
    /// The accounts that this bank holds.
    pub customers: PathBuf,
    /// After how many hours without being written that file is stale, and the node not ready.
    pub customers_max_age_hours: Option<u32>,
    /// The tag function's key, of a development consortium only.
    pub development_tag_key: Option<PathBuf>,
    /// How often a grown log gets a new signed checkpoint.
    #[serde(default = "checkpoint_seconds")]
    pub checkpoint_seconds: u32,
    /// How often the other members are asked to cosign, and checkpoints are compared, whether or not anything happened.
    #[serde(default = "witness_seconds")]
    pub witness_seconds: u32,
    /// How long a started node waits for members to tell what they last cosigned of its log before it signs all the
    /// same; for ever if none is named, and after a restore. Whoever names one risks that an old copy is not noticed.
    pub witness_wait_seconds: Option<u32>,
    /// How often the other members are asked what they have of governance.
    #[serde(default = "governance_seconds")]
    pub governance_seconds: u32,
}

fn governance_seconds() -> u32 {
    5
}

fn witness_seconds() -> u32 {
    10
}

fn checkpoint_seconds() -> u32 {
    1
}

/// `[signalling]`: nothing is shared until a gateway is named.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SignallingConfig {
    /// The manifest's gateway to share through.
    pub gateway: Option<GatewayId>,
    /// How many proofs are made at once, each on a processor of its own.
    pub provers: usize,
    /// How many signals may wait to be proved and sent before an event says so.
    pub backlog: usize,
}

impl Default for SignallingConfig {
    fn default() -> Self {
        Self { gateway: None, provers: 1, backlog: 100 }
    }
}

/// `[p2p]`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct P2pConfig {
    /// Where to listen, and how much to let in.
    pub network: hansa_p2p::Config,
    /// Where the other members are: for each bank a multiaddress, or a list of them, one a replica.
    pub peers: BTreeMap<BankId, Addresses>,
}

/// One address or several: a bank's leader is at one of them.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum Addresses {
    /// One.
    One(String),
    /// Several.
    Several(Vec<String>),
}

impl Addresses {
    /// Each of them.
    pub fn all(&self) -> &[String] {
        match self {
            Self::One(address) => std::slice::from_ref(address),
            Self::Several(addresses) => addresses,
        }
    }
}

/// `[payments]`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PaymentsConfig {
    /// What happens to payments of a scheme while no quorum stands; a scheme that is not named refuses.
    pub without_quorum: BTreeMap<Scheme, WithoutQuorum>,
    /// Within how many milliseconds payments of a scheme are to be answered; one that is not decided by then is refused,
    /// to be sent again, and counted.
    pub deadline_ms: BTreeMap<Scheme, u32>,
    /// How long such a payment waits for a quorum before it is decided without one, in milliseconds.
    pub quorum_wait_ms: u64,
    /// The most decisions that may wait for a quorum.
    pub journal_limit: usize,
}

/// What happens to payments while no quorum stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WithoutQuorum {
    /// They are refused, to be sent again.
    #[default]
    Refuse,
    /// They are decided on what one replica knows, journalled on its disk, and reconciled afterwards.
    Journal,
}

impl Default for PaymentsConfig {
    fn default() -> Self {
        Self {
            without_quorum: BTreeMap::new(),
            deadline_ms: [(Scheme::SctInst, 5_000), (Scheme::FedNow, 3_000)].into(),
            quorum_wait_ms: 1_500,
            journal_limit: 10_000,
        }
    }
}

impl PaymentsConfig {
    /// Whether any scheme's payments are decided without a quorum.
    pub(crate) fn journals(&self) -> bool {
        self.without_quorum.values().any(|policy| *policy == WithoutQuorum::Journal)
    }
}

/// `[records]`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RecordsConfig {
    /// The countries in which replicas may stand (ISO 3166-1 alpha-2); empty for no rule.
    pub jurisdictions: BTreeSet<Country>,
    /// Years that records are kept, by class; what is not named is kept as the packaged terms say.
    pub retention: BTreeMap<String, u32>,
    /// How often a signed checkpoint is itself recorded, in minutes.
    pub checkpoint_minutes: u32,
}

impl Default for RecordsConfig {
    fn default() -> Self {
        Self { jurisdictions: BTreeSet::new(), retention: BTreeMap::new(), checkpoint_minutes: 60 }
    }
}

impl RecordsConfig {
    /// The rule that consensus holds replicas to.
    pub(crate) fn placement(&self) -> hansa_consensus::RecordsConfig {
        hansa_consensus::RecordsConfig { jurisdictions: self.jurisdictions.clone() }
    }
}

impl Config {
    /// Reads `path`, then the overrides in `environment`. Relative paths are relative to the file.
    pub fn load(
        path: &Path,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| ConfigError::Read { path: path.to_owned(), source })?;
        let parse = |message: String| ConfigError::Parse { path: path.to_owned(), message };
        let mut table: Table = text.parse().map_err(|e: toml::de::Error| parse(e.to_string()))?;
        for (name, value) in environment {
            override_with(&mut table, &name, &value)?;
        }
        let sections = table.iter().map(|(name, section)| (name.clone(), section.to_string())).collect();
        let mut config: Self = table.try_into().map_err(|e: toml::de::Error| parse(e.to_string()))?;
        config.sections = sections;
        let folder = path.parent().unwrap_or(Path::new(".")).to_owned();
        config.paths().for_each(|p| *p = folder.join(&*p));
        config.check_shadow()?;
        Ok(config)
    }

    /// In shadow nothing answers the rail: a way in that does would refuse every message.
    fn check_shadow(&self) -> Result<(), ConfigError> {
        let answers = [
            ("files.answer", self.files.dir.is_some(), self.files.answer),
            ("kafka.answer", !self.kafka.brokers.is_empty(), self.kafka.answer),
        ];
        let to_rail =
            answers.into_iter().find(|(_, used, form)| *used && *form == hansa_api::AnswerForm::Report);
        match to_rail {
            Some((name, ..)) if self.screening.mode == Mode::Shadow => Err(ConfigError::Shadow(name)),
            _ => Ok(()),
        }
    }

    /// The folder of archived lists, models and rules.
    pub(crate) fn archive(&self) -> PathBuf {
        self.consensus.data_dir.join("archive")
    }

    fn paths(&mut self) -> impl Iterator<Item = &mut PathBuf> {
        let node = &mut self.node;
        let files = [
            &mut node.keys,
            &mut node.manifest,
            &mut node.proving_key,
            &mut node.verifying_key,
            &mut node.customers,
            &mut self.consensus.data_dir,
            &mut self.backup.dir,
        ];
        let lists = self.screening.lists.iter_mut().flat_map(|list| {
            std::iter::empty()
                .chain(&mut list.path)
                .chain(&mut list.aliases)
                .chain(&mut list.addresses)
                .chain(&mut list.comments)
        });
        let tls =
            self.consensus.tls.iter_mut().flat_map(|tls| [&mut tls.ca, &mut tls.certificate, &mut tls.key]);
        files
            .into_iter()
            .chain(tls)
            .chain(&mut node.development_tag_key)
            .chain(&mut node.amendments)
            .chain(&mut self.screening.model)
            .chain(&mut self.screening.challenger)
            .chain(&mut self.backup.off_site)
            .chain(&mut self.api.socket)
            .chain(&mut self.files.dir)
            .chain(self.frames.iter_mut().flat_map(FramesConfig::paths))
            .chain(&mut self.xdp.pin)
            .chain(lists)
    }
}

fn override_with(table: &mut Table, name: &str, value: &str) -> Result<(), ConfigError> {
    let Some(setting) = name.strip_prefix(ENV_PREFIX).filter(|_| !NOT_SETTINGS.contains(&name)) else {
        return Ok(());
    };
    let refuse = |why| ConfigError::Environment(name.to_owned(), why);
    let keys: Vec<String> = setting.split("__").map(str::to_ascii_lowercase).collect();
    let (last, sections) = keys.split_last().ok_or_else(|| refuse("names no setting"))?;
    if sections.is_empty() {
        return Err(refuse(
            "write HANSA_SECTION__KEY, for example HANSA_API__LISTEN; in Kubernetes set enableServiceLinks: false",
        ));
    }
    if SECRET_ENDINGS.iter().any(|ending| last.ends_with(ending)) {
        return Err(refuse("secrets do not belong into the environment: put it into a file of mode 0600"));
    }
    let mut table = table;
    for section in sections {
        let entry = table.entry(section.clone()).or_insert_with(|| Value::Table(Table::new()));
        table = entry.as_table_mut().ok_or_else(|| refuse("names a section where the file has a value"))?;
    }
    let value = format!("value = {value}")
        .parse::<Table>()
        .ok()
        .and_then(|mut parsed| parsed.remove("value"))
        .unwrap_or_else(|| Value::String(value.to_owned()));
    table.insert(last.clone(), value);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = r#"
        [node]
        bank = "bank-a"
        keys = "keys"
        manifest = "manifest.hansa"
        proving_key = "proving.key"
        verifying_key = "/etc/hansa/verifying.key"
        customers = "customers.csv"
        [screening]
    "#;

    fn load(text: &str, environment: &[(&str, &str)]) -> Result<Config, ConfigError> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("config.toml");
        std::fs::write(&path, text).unwrap();
        let config = Config::load(&path, environment.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())));
        config.map(|mut config| {
            config.paths().for_each(|p| *p = p.strip_prefix(dir.path()).unwrap_or(p).to_owned());
            config
        })
    }

    #[test]
    fn relative_paths_are_relative_to_the_file() {
        let config = load(FILE, &[]).unwrap();
        assert_eq!(config.node.keys, Path::new("keys"));
        assert_eq!(config.consensus.data_dir, Path::new("data/consensus"));
        assert_eq!(config.node.verifying_key, Path::new("/etc/hansa/verifying.key"));
        assert!(config.signalling.gateway.is_none(), "signalling is off until a gateway is named");
    }

    #[test]
    fn a_group_of_replicas_is_configured() {
        let replicas = r#"
            [consensus]
            replica = 2
            replicas = [
                { id = 1, address = "10.0.1.1:4500", zone = "a", jurisdiction = "DE" },
                { id = 2, address = "10.0.2.1:4500", zone = "b", jurisdiction = "FR" },
            ]
            [consensus.tls]
            ca = "tls/ca.pem"
            certificate = "tls/replica.pem"
            key = "/etc/hansa/replica.key"
            [records]
            jurisdictions = ["DE", "FR"]
            [payments.without_quorum]
            sct-inst = "journal"
            sct = "refuse"
            [p2p.peers]
            bank-b = "/ip4/192.0.2.7/udp/4400/quic-v1"
            bank-c = ["/ip4/192.0.2.8/udp/4400/quic-v1", "/ip4/192.0.2.9/udp/4400/quic-v1"]
        "#;
        let config = load(&format!("{FILE}\n{replicas}"), &[]).unwrap();
        assert_eq!(config.consensus.replicas[1].zone, "b");
        let tls = config.consensus.tls.as_ref().unwrap();
        assert_eq!((&*tls.ca, &*tls.key), (Path::new("tls/ca.pem"), Path::new("/etc/hansa/replica.key")));
        assert_eq!(config.records.placement().jurisdictions.len(), 2);
        assert_eq!(config.payments.without_quorum[&Scheme::SctInst], WithoutQuorum::Journal);
        assert!(config.payments.journals() && !PaymentsConfig::default().journals());
        let peers: Vec<usize> = config.p2p.peers.values().map(|addresses| addresses.all().len()).collect();
        assert_eq!(peers, [1, 2]);
    }

    #[test]
    fn the_environment_overrides_the_file() {
        let environment = [
            ("HANSA_SIGNALLING__GATEWAY", "3"),
            ("HANSA_NODE__BANK", "bank-b"),
            ("HOME", "x"),
            ("HANSA_DATA", "y"),
        ];
        let config = load(FILE, &environment).unwrap();
        assert_eq!(config.signalling.gateway, Some(GatewayId(3)));
        assert_eq!(config.node.bank.as_str(), "bank-b");
    }

    #[test]
    fn sections_are_kept_as_they_count_with_their_overrides() {
        let config = load(FILE, &[("HANSA_RECORDS__CHECKPOINT_MINUTES", "5")]).unwrap();
        assert_eq!(config.records.checkpoint_minutes, 5);
        assert_eq!(config.sections.keys().collect::<Vec<_>>(), ["node", "records", "screening"]);
        assert!(config.sections["records"].contains("checkpoint_minutes = 5"), "{:?}", config.sections);
    }

    #[test]
    fn unknown_settings_are_refused_wherever_they_stand() {
        assert!(matches!(load(&format!("{FILE}\nspeed = 3"), &[]), Err(ConfigError::Parse { .. })));
        assert!(matches!(load(FILE, &[("HANSA_NODE__SPEED", "3")]), Err(ConfigError::Parse { .. })));
        assert!(matches!(load(FILE, &[("HANSA_SPEED", "3")]), Err(ConfigError::Environment(..))));
    }

    #[test]
    fn in_shadow_no_way_in_answers_the_rail() {
        let shadow = |more: &str| load(&format!("{FILE}\n{more}"), &[("HANSA_SCREENING__MODE", "shadow")]);
        assert!(shadow("").is_ok() && shadow("[files]\ndir = \"drop\"\nanswer = \"json\"").is_ok());
        let refused = shadow("[files]\ndir = \"drop\"").unwrap_err().to_string();
        assert!(refused.starts_with("files.answer"), "{refused}");
        let kafka = "[kafka]\nbrokers = [\"127.0.0.1:9092\"]";
        assert!(shadow(kafka).is_ok());
        let refused = shadow(&format!("{kafka}\nanswer = \"pacs.002\"")).unwrap_err().to_string();
        assert!(refused.starts_with("kafka.answer"), "{refused}");
    }

    #[test]
    fn a_secret_in_the_environment_is_refused() {
        let error = load(FILE, &[("HANSA_API__TOKEN", "abc")]).unwrap_err();
        assert!(error.to_string().contains("mode 0600"), "{error}");
    }
}

//! A group of real replicas for tests: each with its own runtime, folder and certificate, over QUIC on loopback.

#![allow(dead_code, reason = "each test file uses a part")]

pub(crate) mod bank;

use std::collections::BTreeMap;
use std::net::UdpSocket;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use hansa_audit_log::envelope::{Envelope, RecordsKey};
use hansa_consensus::net::TlsConfig;
use hansa_consensus::replica::Levels;
use hansa_consensus::{
    Command, Consensus, ConsensusConfig, Leaf, OpenError, Outcome, RecordsConfig, ReplicaConfig, Role, Unique,
};
use hansa_types::record::RecordClass;
use hansa_types::signal::Signal;
use hansa_types::verify::{SignalRules, Verifier, VerifyError};
use prometheus_client::registry::Registry;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;
use rcgen::{BasicConstraints, Certificate, CertificateParams, IsCa, KeyPair};
use tempfile::TempDir;
use tokio::runtime::Runtime;

pub(crate) const ORIGIN: &str = "bank-a.example/audit";
/// How long anything that must happen may take on a loaded machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) struct RefuseAll;

impl SignalRules for RefuseAll {}

impl Verifier<Signal> for RefuseAll {
    fn verify(&self, _: &Signal) -> Result<(), VerifyError> {
        Err(VerifyError::Reject("these tests send no signals".to_owned()))
    }
}

pub(crate) fn envelope(seed: u64) -> Envelope {
    let mut rng = ChaCha20Rng::seed_from_u64(seed);
    let record = format!("decision {seed}");
    RecordsKey::new([7; 32])
        .seal(ORIGIN, RecordClass::Decision, record.as_bytes(), &mut rng)
        .expect("a short record fits")
}

/// Appends a leaf under a key.
pub(crate) fn append(seed: u64, key: u64) -> Command {
    let mut unique = Unique { key: [0; 32], content: [1; 32] };
    unique.key[..8].copy_from_slice(&key.to_be_bytes());
    Command::Append { leaf: Leaf { unique, ..Leaf::new(envelope(seed)) }, follow_up: vec![] }
}

/// The bank's certificate authority.
pub(crate) struct Authority {
    certificate: Certificate,
    key: KeyPair,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self { certificate: params.self_signed(&key).unwrap(), key }
    }

    /// Writes a certificate for `name` with its key into `dir`.
    pub(crate) fn issue(&self, dir: &Path, name: &str) -> TlsConfig {
        std::fs::create_dir_all(dir).unwrap();
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &self.certificate, &self.key).unwrap();
        let file = |name: &str, text: &str| {
            let path = dir.join(name);
            std::fs::write(&path, text).unwrap();
            path
        };
        let config = TlsConfig {
            ca: file("ca.pem", &self.certificate.pem()),
            certificate: file("replica.pem", &certificate.pem()),
            key: file("replica.key", &key.serialize_pem()),
        };
        restrict(&config.key, 0o600);
        config
    }
}

pub(crate) fn restrict(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

/// A replica that runs, or ran.
pub(crate) struct Running {
    pub(crate) consensus: Arc<Consensus>,
    runtime: Runtime,
}

impl Running {
    pub(crate) fn block_on<T>(&self, future: impl Future<Output = T>) -> T {
        self.runtime.block_on(async { tokio::time::timeout(PATIENCE, future).await.expect("in time") })
    }

    pub(crate) fn propose(&self, command: Command) -> Outcome {
        self.block_on(self.consensus.propose(command)).unwrap()
    }

    pub(crate) fn role(&self) -> Role {
        self.consensus.role().borrow().clone()
    }

    /// Waits until the role is as wished.
    pub(crate) fn wait_for(&self, wished: impl FnMut(&Role) -> bool) -> Role {
        let mut role = self.consensus.role();
        self.block_on(async { role.wait_for(wished).await.unwrap().clone() })
    }

    /// Ends it without a word to anybody, as a kill would; its database is closed on return.
    pub(crate) fn kill(self) {
        let Self { consensus, runtime } = self;
        drop(consensus);
        runtime.shutdown_timeout(PATIENCE);
    }
}

/// The group's plan: folders, addresses, certificates.
pub(crate) struct Plan {
    pub(crate) dir: TempDir,
    pub(crate) authority: Authority,
    pub(crate) replicas: Vec<ReplicaConfig>,
    pub(crate) records: RecordsConfig,
    pub(crate) snapshot_entries: u64,
    /// What the replicas' release understands, where it is not this one.
    pub(crate) releases: BTreeMap<u64, Levels>,
}

impl Plan {
    pub(crate) fn new(count: u64) -> Self {
        let replicas = (1..=count).map(|id| named(id, &free_address())).collect();
        Self {
            dir: tempfile::tempdir().unwrap(),
            authority: Authority::new(),
            replicas,
            records: RecordsConfig::default(),
            snapshot_entries: 50_000,
            releases: BTreeMap::new(),
        }
    }

    pub(crate) fn folder(&self, id: u64) -> PathBuf {
        self.dir.path().join(format!("replica-{id}"))
    }

    pub(crate) fn config(&self, id: u64) -> ConsensusConfig {
        let tls = self.authority.issue(&self.folder(id).join("tls"), &format!("replica-{id}"));
        ConsensusConfig {
            data_dir: self.folder(id).join("data"),
            replica: id,
            replicas: self.replicas.clone(),
            tls: Some(tls),
            cache_mib: 1,
            snapshot_entries: self.snapshot_entries,
            keep_entries: 1,
            release: self.releases.get(&id).copied().unwrap_or_default(),
            ..ConsensusConfig::default()
        }
    }

    /// Opens one replica; it must be able to without the others.
    pub(crate) fn open(&self, id: u64) -> Running {
        open(&self.config(id), &self.records).unwrap()
    }

    /// Opens several at once, as founding needs.
    pub(crate) fn open_all(&self, ids: impl IntoIterator<Item = u64>) -> Vec<Running> {
        std::thread::scope(|scope| {
            let opening: Vec<_> = ids.into_iter().map(|id| scope.spawn(move || self.open(id))).collect();
            opening.into_iter().map(|opened| opened.join().unwrap()).collect()
        })
    }
}

pub(crate) fn open(config: &ConsensusConfig, records: &RecordsConfig) -> Result<Running, OpenError> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let mut registry = Registry::default();
    let opening = Consensus::open(config, records, Arc::new(RefuseAll), &mut registry);
    let consensus =
        runtime.block_on(async { tokio::time::timeout(PATIENCE, opening).await.expect("in time") })?;
    Ok(Running { consensus: Arc::new(consensus), runtime })
}

pub(crate) fn named(id: u64, address: &str) -> ReplicaConfig {
    ReplicaConfig { id, address: address.to_owned(), zone: format!("zone-{id}"), jurisdiction: None }
}

pub(crate) fn free_address() -> String {
    UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}

/// The place of the leader in the list.
pub(crate) fn leader(group: &[Running]) -> usize {
    let id = group[0].wait_for(|role| role.quorum).leader.unwrap();
    group.iter().position(|replica| replica.consensus.status().replica == id).unwrap()
}

/// The files and folders in a folder.
pub(crate) fn files(dir: &Path) -> Vec<PathBuf> {
    std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect()
}

/// Copies a folder.
pub(crate) fn copy_all(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for path in files(from) {
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy_all(&path, &target);
        } else {
            std::fs::copy(&path, &target).unwrap();
        }
    }
}

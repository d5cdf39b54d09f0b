//! Three banks in one folder: keys, configurations, customers, and the manifest that all of them signed.

pub mod frames;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::net::{TcpListener, UdpSocket};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use hansa_keys::pki::{self, PkiError};
use hansa_keys::{KeyError, KeyFolder, Purpose};
use hansa_node::cli::{InitArgs, InitError, init};
use hansa_prover::circuit::{CIRCUIT_VERSION, circuit_hash};
use hansa_prover::keys::ProvingKey;
use hansa_prover::setup::{SetupError, development};
use hansa_prover::tag::DevelopmentTagKey;
use hansa_screening::RiskModel;
use hansa_types::codec::Encode;
use hansa_types::hash::{Digest, Element};
use hansa_types::id::{BankId, Epoch, GatewayId, Timestamp};
use hansa_types::lei::Lei;
use hansa_types::manifest::{
    Circuit, EpochSchedule, Gateway, Manifest, ManifestError, Member, RegisteredModel, Registration,
    SignedManifest, TagPolicy, Thresholds, WitnessPolicy,
};
use hansa_types::model::Model;
use rand::rngs::OsRng;

/// The consortium's name.
pub const NAME: &str = "testnet";
/// The gateway that its banks share through.
pub const GATEWAY: GatewayId = GatewayId(1);
/// The scores from which a signal may claim its severity. The banks hold payments from 1000 points, so the lowest lies
/// where no bank alone acts.
pub const THRESHOLDS: Thresholds = Thresholds { low: 100, medium: 500, high: 1000 };

/// Epochs of a day, as a consortium would have; enough of them for any demonstration.
pub(crate) const EPOCH_SECONDS: u32 = 24 * 3600;
const EPOCHS: u32 = 30;
const GRACE_SECONDS: u32 = 3600;
/// Signals of one bank in an epoch.
pub(crate) const SIGNAL_LIMIT: u32 = 20;
/// Epochs in which a signal counts, its own among them.
pub(crate) const SIGNAL_LIFETIME: u32 = 7;
/// Where the banks and their replicas are.
const JURISDICTIONS: [&str; 3] = ["DE", "FR", "NL"];
/// One of the two others: a checkpoint is published though the other is down. Two views of a log could then each find
/// a witness, and are caught by comparing checkpoints.
const WITNESSES: WitnessPolicy = WitnessPolicy { quorum: 1, faulty: 0 };

/// Ports of a replica: interface, network, replication, frames.
const PORTS: usize = 4;
type Ports = [u16; PORTS];

/// Why the consortium was not made.
#[derive(Debug, thiserror::Error)]
pub enum CreateError {
    /// A file.
    #[error("{path}: {source}")]
    File {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// No free port.
    #[error("no free port: {0}")]
    Port(std::io::Error),
    /// A bank.
    #[error(transparent)]
    Init(#[from] InitError),
    /// A key.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// A replica's certificate.
    #[error(transparent)]
    Pki(#[from] PkiError),
    /// The proving keys.
    #[error(transparent)]
    Setup(#[from] SetupError),
    /// The manifest.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// The folder holds no consortium.
    #[error("{0} holds no consortium: `hansa-testnet up --dir {0}` makes one")]
    None(PathBuf),
}

/// A watch list of one bank.
#[derive(Clone, Debug)]
pub struct List {
    /// `[[screening.lists]]` as TOML.
    pub toml: String,
}

/// One bank of the consortium, or one replica of it.
#[derive(Clone, Debug)]
pub struct Bank {
    /// Its id.
    pub id: BankId,
    /// Its legal name.
    pub institution: &'static str,
    /// Its BIC; the eighth character 0 marks a test code.
    pub bic: &'static str,
    /// The LEI of its parent.
    parent: &'static str,
    /// Where its files are.
    pub folder: PathBuf,
    /// Where its HTTP interface listens.
    pub api_port: u16,
    /// Where its node listens for the others.
    pub p2p_port: u16,
    /// Which of the bank's replicas it is, from 1.
    pub replica: u64,
    /// Where it listens for the bank's other replicas.
    pub raft_port: u16,
    /// Where it takes frames in, if its bank does.
    pub frame_port: u16,
}

impl Bank {
    /// Its configuration file.
    pub fn config(&self) -> PathBuf {
        self.folder.join("hansa.toml")
    }

    /// Where its node logs.
    pub fn log(&self) -> PathBuf {
        self.folder.join("node.log")
    }
}

/// The banks and where they are.
#[derive(Clone, Debug)]
pub struct Consortium {
    /// The folder with everything.
    pub folder: PathBuf,
    /// In alphabetical order: A, B and C of the story. Each is its bank's first replica.
    pub banks: [Bank; 3],
    /// All replicas of each, the first among them.
    pub replicas: [Vec<Bank>; 3],
}

/// The proof system's keys, and where they come from.
pub struct ProofKeys {
    /// The key file that members prove with.
    pub proving: ProvingKey,
    /// The transcript of the ceremony that made them; none for development keys.
    pub transcript: Option<Digest>,
}

impl ProofKeys {
    /// Keys of one party, which can forge proofs.
    pub fn development() -> Result<Self, CreateError> {
        Ok(Self { proving: development(&mut OsRng)?, transcript: None })
    }
}

/// Banks with keys of their own, before they have a manifest.
pub struct Founding {
    /// The banks.
    pub consortium: Consortium,
    members: BTreeMap<BankId, Member>,
}

impl Founding {
    /// Makes the banks' folders and keys, with as many replicas of each.
    pub fn begin(folder: &Path, replicas: [usize; 3]) -> Result<Self, CreateError> {
        fs::create_dir_all(folder).map_err(|source| CreateError::File { path: folder.to_owned(), source })?;
        let consortium = Consortium::new(folder, free_ports(replicas)?);
        let mut members = BTreeMap::new();
        for bank in &consortium.banks {
            members.insert(bank.id.clone(), init_bank(bank)?);
        }
        frames::make_keys(&consortium.banks[frames::BANK])?;
        Ok(Self { consortium, members })
    }

    /// Signs the manifest, and writes what each replica needs to run.
    pub fn complete(
        self,
        keys: &ProofKeys,
        customers: [&str; 3],
        lists: [Vec<List>; 3],
    ) -> Result<Consortium, CreateError> {
        let Self { consortium, members } = self;
        let folder = &consortium.folder;
        let tag_key = DevelopmentTagKey::generate(&mut OsRng);
        let verifying = keys.proving.verifying_key();
        write(&folder.join("proving.key"), &keys.proving.to_bytes())?;
        write(&folder.join("verifying.key"), &verifying.to_bytes())?;
        write(&folder.join("tag.key"), &tag_key.to_bytes())?;
        let circuit = Circuit {
            version: CIRCUIT_VERSION,
            hash: circuit_hash(),
            verifying_key: verifying.hash(),
            transcript: keys.transcript,
        };
        let mut signed = SignedManifest::new(manifest(members, circuit, tag_key.public_key()));
        for bank in &consortium.banks {
            let key = KeyFolder::new(bank.folder.join("keys")).signer(Purpose::Governance)?;
            signed.sign(&bank.id, &key)?;
        }
        write(&consortium.manifest(), &signed.to_bytes())?;
        let ports = |b: &Bank| format!("{} {} {} {}", b.api_port, b.p2p_port, b.raft_port, b.frame_port);
        let line = |replicas: &Vec<Bank>| replicas.iter().map(ports).collect::<Vec<_>>().join(" ");
        let lines: Vec<String> = consortium.replicas.iter().map(line).collect();
        write(&folder.join("ports"), lines.join("\n").as_bytes())?;
        for ((replicas, customers), lists) in consortium.replicas.iter().zip(customers).zip(lists) {
            for replica in replicas {
                replicate(&replicas[0], replica)?;
                write(&replica.folder.join("customers.csv"), customers.as_bytes())?;
                write(&replica.config(), consortium.config_of(replica, &lists).as_bytes())?;
            }
        }
        Ok(consortium)
    }
}

/// Id, name, BIC, and the parent's LEI with right check digits.
const BANKS: [(&str, &str, &str, &str); 3] = [
    ("bank-a", "Alder Bank", "ALDRDEF0XXX", "HANSA000000000000A57"),
    ("bank-b", "Birch Bank", "BRCHFRP0XXX", "HANSA000000000000B54"),
    ("bank-c", "Cedar Bank", "CEDRNLA0XXX", "HANSA000000000000C51"),
];

impl Consortium {
    /// Makes a consortium in `folder`: development keys, so whoever made them can forge proofs.
    pub fn create(folder: &Path, customers: [&str; 3], lists: [Vec<List>; 3]) -> Result<Self, CreateError> {
        Self::create_replicated(folder, customers, lists, [1; 3])
    }

    /// As [`Self::create`], with as many replicas of each bank.
    pub fn create_replicated(
        folder: &Path,
        customers: [&str; 3],
        lists: [Vec<List>; 3],
        replicas: [usize; 3],
    ) -> Result<Self, CreateError> {
        Founding::begin(folder, replicas)?.complete(&ProofKeys::development()?, customers, lists)
    }

    fn new(folder: &Path, ports: [Vec<Ports>; 3]) -> Self {
        let mut at = 0;
        let replicas = ports.map(|ports| {
            let replicas = replicas(folder, at, &ports);
            at += 1;
            replicas
        });
        let banks = std::array::from_fn(|i: usize| replicas[i][0].clone());
        Self { folder: folder.to_owned(), banks, replicas }
    }

    /// The consortium that [`Self::create`] made in `folder`.
    pub fn open(folder: &Path) -> Result<Self, CreateError> {
        let none = || CreateError::None(folder.to_owned());
        let text = fs::read_to_string(folder.join("ports")).map_err(|_| none())?;
        let line = |line: &str| -> Option<Vec<Ports>> {
            let numbers: Vec<u16> = line.split(' ').map(|n| n.parse().ok()).collect::<Option<_>>()?;
            numbers.chunks(PORTS).map(|ports| ports.try_into().ok()).collect()
        };
        let ports: Option<Vec<_>> = text.lines().map(line).collect();
        let ports: [_; 3] = ports.and_then(|lines| lines.try_into().ok()).ok_or_else(none)?;
        Ok(Self::new(folder, ports))
    }

    /// The banks as they would be, in a folder that does not exist.
    #[cfg(test)]
    pub fn test_banks() -> [Bank; 3] {
        Self::new(Path::new("nowhere"), std::array::from_fn(|_| vec![[0; PORTS]])).banks
    }

    /// The signed manifest.
    pub fn manifest(&self) -> PathBuf {
        self.folder.join("manifest.hansa")
    }

    fn config_of(&self, bank: &Bank, lists: &[List]) -> String {
        let others = self.replicas.iter().filter(|other| other[0].id != bank.id);
        let address = |b: &Bank| format!("/ip4/127.0.0.1/udp/{}/quic-v1", b.p2p_port);
        let peers: String = others
            .map(|replicas| match replicas.as_slice() {
                [only] => format!("{} = {:?}\n", only.id, address(only)),
                several => {
                    format!("{} = {:?}\n", several[0].id, several.iter().map(address).collect::<Vec<_>>())
                }
            })
            .collect();
        let own = self.replicas.iter().find(|replicas| replicas[0].id == bank.id);
        let consensus = own.filter(|own| own.len() > 1).map_or(String::new(), |own| group_of(bank, own));
        let lists: String = lists.iter().map(|list| list.toml.clone()).collect();
        let frames = frames::configuration(bank);
        let Bank { id, bic, api_port, p2p_port, .. } = bank;
        format!(
            r#"# Bank of a test consortium; written by hansa-testnet.

[node]
bank = "{id}"
keys = "keys"
manifest = "../manifest.hansa"
proving_key = "../proving.key"
verifying_key = "../verifying.key"
development_tag_key = "../tag.key"
customers = "customers.csv"
witness_seconds = 1
witness_wait_seconds = 0
governance_seconds = 1

[api]
listen = "127.0.0.1:{api_port}"

[signalling]
gateway = {GATEWAY}

{frames}[screening.policy]
bics = ["{bic}"]

{lists}
{consensus}[p2p.network]
listen = ["/ip4/127.0.0.1/udp/{p2p_port}/quic-v1"]

[p2p.peers]
{peers}"#
        )
    }
}

/// The part of a replica's configuration that says who the others are. A loaded machine is slow, so it waits longer for
/// a heartbeat than the defaults say.
fn group_of(bank: &Bank, own: &[Bank]) -> String {
    let replica = |b: &Bank| {
        let (n, country) = (b.replica, JURISDICTIONS[(b.replica as usize - 1) % JURISDICTIONS.len()]);
        format!(
            "    {{ id = {n}, address = \"127.0.0.1:{}\", zone = \"zone-{n}\", jurisdiction = \"{country}\" }},\n",
            b.raft_port
        )
    };
    let replicas: String = own.iter().map(replica).collect();
    let n = bank.replica;
    format!(
        r#"[consensus]
replica = {n}
heartbeat_ms = 150
election_min_ms = 600
election_max_ms = 1200
replicas = [
{replicas}]

[consensus.tls]
ca = "tls/ca.pem"
certificate = "tls/replica-{n}.pem"
key = "tls/replica-{n}.key"

[records]
jurisdictions = {JURISDICTIONS:?}

"#
    )
}

/// The replicas of the bank at `at`: the first in the bank's folder, the others beside it.
fn replicas(folder: &Path, at: usize, ports: &[Ports]) -> Vec<Bank> {
    let (id, institution, bic, parent) = BANKS[at];
    let replica = |(i, ports): (usize, &Ports)| {
        let [api_port, p2p_port, raft_port, frame_port] = *ports;
        let name = if i == 0 { id.to_owned() } else { format!("{id}-{}", i + 1) };
        Bank {
            id: id.parse().expect("the ids of the test banks are valid"),
            institution,
            bic,
            parent,
            folder: folder.join(name),
            api_port,
            p2p_port,
            replica: i as u64 + 1,
            raft_port,
            frame_port,
        }
    };
    ports.iter().enumerate().map(replica).collect()
}

/// Ports that were free a moment ago, for each replica: TCP for the interface, UDP for the network, for replication and
/// for frames.
/// They are held until all are found, so that they differ.
fn free_ports(replicas: [usize; 3]) -> Result<[Vec<Ports>; 3], CreateError> {
    let (mut tcp, mut udp) = (Vec::new(), Vec::new());
    let mut found: [Vec<Ports>; 3] = Default::default();
    for (ports, count) in found.iter_mut().zip(replicas) {
        for _ in 0..count.max(1) {
            let api = TcpListener::bind("127.0.0.1:0").map_err(CreateError::Port)?;
            let mut numbers = [api.local_addr().map_err(CreateError::Port)?.port(); PORTS];
            tcp.push(api);
            for number in &mut numbers[1..] {
                let socket = UdpSocket::bind("127.0.0.1:0").map_err(CreateError::Port)?;
                *number = socket.local_addr().map_err(CreateError::Port)?.port();
                udp.push(socket);
            }
            ports.push(numbers);
        }
    }
    Ok(found)
}

/// Gives a replica what all replicas of a bank share, and its certificate.
fn replicate(first: &Bank, replica: &Bank) -> Result<(), CreateError> {
    let file = |path: &Path| {
        let path = path.to_owned();
        move |source| CreateError::File { path, source }
    };
    let (from, to) = (first.folder.join("keys"), replica.folder.join("keys"));
    if from != to {
        fs::create_dir_all(&to).map_err(file(&to))?;
        for entry in fs::read_dir(&from).map_err(file(&from))? {
            let entry = entry.map_err(file(&from))?;
            fs::copy(entry.path(), to.join(entry.file_name())).map_err(file(&to))?;
        }
    }
    let ca = first.folder.join("ca");
    pki::issue(&ca, replica.replica, &replica.folder.join("tls"), pki::DEFAULT_DAYS, now())?;
    Ok(())
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |elapsed| elapsed.as_secs())
}

fn init_bank(bank: &Bank) -> Result<Member, CreateError> {
    Ok(init(&InitArgs {
        folder: bank.folder.clone(),
        bank: bank.id.clone(),
        institution: bank.institution.to_owned(),
        parent: Lei::try_from(bank.parent).expect("the test banks' LEIs have right check digits"),
        zones: vec![],
        first_epoch: 0,
        epochs: EPOCHS,
    })?)
}

fn manifest(members: BTreeMap<BankId, Member>, circuit: Circuit, tag_key: [u8; 32]) -> Manifest {
    let now = now();
    let expires = Timestamp(now + u64::from(EPOCH_SECONDS * EPOCHS));
    let registration = Registration { reference: "test data".to_owned(), expires };
    let gateway = Gateway {
        name: "fraud".to_owned(),
        legal_basis: "test data only: no person is meant".to_owned(),
        purpose: "accounts that receive or forward the proceeds of fraud".to_owned(),
        jurisdictions: BTreeSet::from(
            JURISDICTIONS.map(|c| c.try_into().expect("countries are two letters")),
        ),
        members: members.keys().map(|bank| (bank.clone(), registration.clone())).collect(),
        minimum: 2,
        expires: registration.expires,
    };
    Manifest {
        name: NAME.to_owned(),
        development: true,
        refounds: None,
        epochs: EpochSchedule { start: Timestamp(now), seconds: EPOCH_SECONDS, grace_seconds: GRACE_SECONDS },
        members,
        gateways: BTreeMap::from([(GATEWAY, gateway)]),
        thresholds: THRESHOLDS,
        models: vec![registered(RiskModel::default_model().model)],
        circuits: BTreeMap::from([(Epoch(0), circuit)]),
        signal_limit: SIGNAL_LIMIT,
        signal_lifetime: SIGNAL_LIFETIME,
        tags: TagPolicy { key: Element(tag_key), threshold: 1 },
        witnesses: WITNESSES,
    }
}

fn registered(model: Model) -> RegisteredModel {
    RegisteredModel {
        model,
        owner: NAME.to_owned(),
        purpose: "what each bank screens with unless told otherwise".to_owned(),
        validation: Digest::default(),
        approver: NAME.to_owned(),
        review: "2030-01-01".try_into().expect("a day of the calendar"),
    }
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), CreateError> {
    fs::write(path, bytes).map_err(|source| CreateError::File { path: path.to_owned(), source })
}

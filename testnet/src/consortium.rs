//! Three banks in one folder: keys, configurations, customers, and the manifest that all of them signed.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::net::{TcpListener, UdpSocket};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use hansa_keys::{KeyError, KeyFolder, Purpose};
use hansa_node::cli::{InitArgs, InitError, init};
use hansa_prover::circuit::{CIRCUIT_VERSION, circuit_hash};
use hansa_prover::setup::{SetupError, development};
use hansa_prover::tag::DevelopmentTagKey;
use hansa_screening::RiskModel;
use hansa_types::codec::Encode;
use hansa_types::id::{BankId, GatewayId, Timestamp};
use hansa_types::lei::Lei;
use hansa_types::manifest::{
    Circuit, EpochSchedule, Gateway, Manifest, ManifestError, Member, SignedManifest, Thresholds,
};
use rand::rngs::OsRng;

/// The consortium's name.
pub const NAME: &str = "testnet";
/// The gateway that its banks share through.
pub const GATEWAY: GatewayId = GatewayId(1);
/// The scores from which a signal may claim its severity. The banks hold payments from 1000 points, so the lowest lies
/// where no bank alone acts.
pub const THRESHOLDS: Thresholds = Thresholds { low: 100, medium: 500, high: 1000 };

/// Epochs of a day, as a consortium would have; enough of them for any demonstration.
const EPOCH_SECONDS: u32 = 24 * 3600;
const EPOCHS: u32 = 30;
const GRACE_SECONDS: u32 = 3600;
const SIGNAL_LIMIT: u32 = 20;
const SIGNAL_LIFETIME: u32 = 7;

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

/// One bank of the consortium.
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
    /// In alphabetical order: A, B and C of the story.
    pub banks: [Bank; 3],
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
        fs::create_dir_all(folder).map_err(|source| CreateError::File { path: folder.to_owned(), source })?;
        let consortium = Self { folder: folder.to_owned(), banks: banks(folder, free_ports()?) };
        let mut members = BTreeMap::new();
        for bank in &consortium.banks {
            members.insert(bank.id.clone(), init_bank(bank)?);
        }
        let proving = development(&mut OsRng)?;
        let tag_key = DevelopmentTagKey::generate(&mut OsRng);
        let verifying = proving.verifying_key();
        write(&folder.join("proving.key"), &proving.to_bytes())?;
        write(&folder.join("verifying.key"), &verifying.to_bytes())?;
        write(&folder.join("tag.key"), &tag_key.to_bytes())?;
        let circuit =
            Circuit { version: CIRCUIT_VERSION, hash: circuit_hash(), verifying_key: verifying.hash() };
        let mut signed = SignedManifest::new(manifest(members, circuit, tag_key.public_key()));
        for bank in &consortium.banks {
            let key = KeyFolder::new(bank.folder.join("keys")).signer(Purpose::Governance)?;
            signed.sign(&bank.id, &key)?;
        }
        write(&consortium.manifest(), &signed.to_bytes())?;
        let ports: Vec<String> =
            consortium.banks.iter().map(|b| format!("{} {}", b.api_port, b.p2p_port)).collect();
        write(&folder.join("ports"), ports.join("\n").as_bytes())?;
        for ((bank, customers), lists) in consortium.banks.iter().zip(customers).zip(lists) {
            write(&bank.folder.join("customers.csv"), customers.as_bytes())?;
            write(&bank.config(), consortium.config_of(bank, &lists).as_bytes())?;
        }
        Ok(consortium)
    }

    /// The consortium that [`Self::create`] made in `folder`.
    pub fn open(folder: &Path) -> Result<Self, CreateError> {
        let none = || CreateError::None(folder.to_owned());
        let text = fs::read_to_string(folder.join("ports")).map_err(|_| none())?;
        let numbers: Vec<u16> = text.split_whitespace().filter_map(|number| number.parse().ok()).collect();
        let ports: [u16; 6] = numbers.try_into().map_err(|_| none())?;
        Ok(Self { folder: folder.to_owned(), banks: banks(folder, ports) })
    }

    /// The banks as they would be, in a folder that does not exist.
    #[cfg(test)]
    pub fn test_banks() -> [Bank; 3] {
        banks(Path::new("nowhere"), [0; 6])
    }

    /// The signed manifest.
    pub fn manifest(&self) -> PathBuf {
        self.folder.join("manifest.hansa")
    }

    fn config_of(&self, bank: &Bank, lists: &[List]) -> String {
        let others = self.banks.iter().filter(|other| other.id != bank.id);
        let peers: String =
            others.map(|b| format!("{} = \"/ip4/127.0.0.1/udp/{}/quic-v1\"\n", b.id, b.p2p_port)).collect();
        let lists: String = lists.iter().map(|list| list.toml.clone()).collect();
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

[api]
listen = "127.0.0.1:{api_port}"

[signalling]
gateway = {GATEWAY}

[screening.policy]
bics = ["{bic}"]

{lists}
[p2p.network]
listen = ["/ip4/127.0.0.1/udp/{p2p_port}/quic-v1"]

[p2p.peers]
{peers}"#
        )
    }
}

fn banks(folder: &Path, ports: [u16; 6]) -> [Bank; 3] {
    std::array::from_fn(|i| {
        let (id, institution, bic, parent) = BANKS[i];
        Bank {
            id: id.parse().expect("the ids of the test banks are valid"),
            institution,
            bic,
            parent,
            folder: folder.join(id),
            api_port: ports[2 * i],
            p2p_port: ports[2 * i + 1],
        }
    })
}

/// Ports that were free a moment ago: TCP for the interface, UDP for the network, for each bank. They are held until
/// all are found, so that they differ.
fn free_ports() -> Result<[u16; 6], CreateError> {
    let mut tcp = Vec::new();
    let mut udp = Vec::new();
    for _ in 0..BANKS.len() {
        tcp.push(TcpListener::bind("127.0.0.1:0").map_err(CreateError::Port)?);
        udp.push(UdpSocket::bind("127.0.0.1:0").map_err(CreateError::Port)?);
    }
    let mut ports = [0; 6];
    for (i, (tcp, udp)) in tcp.iter().zip(&udp).enumerate() {
        ports[2 * i] = tcp.local_addr().map_err(CreateError::Port)?.port();
        ports[2 * i + 1] = udp.local_addr().map_err(CreateError::Port)?.port();
    }
    Ok(ports)
}

fn init_bank(bank: &Bank) -> Result<Member, CreateError> {
    Ok(init(&InitArgs {
        folder: bank.folder.clone(),
        bank: bank.id.clone(),
        institution: bank.institution.to_owned(),
        parent: Lei::try_from(bank.parent).expect("the test banks' LEIs have right check digits"),
        first_epoch: 0,
        epochs: EPOCHS,
    })?)
}

fn manifest(members: BTreeMap<BankId, Member>, circuit: Circuit, tag_key: [u8; 32]) -> Manifest {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |elapsed| elapsed.as_secs());
    let gateway = Gateway {
        name: "fraud".to_owned(),
        legal_basis: "test data only: no person is meant".to_owned(),
        purpose: "accounts that receive or forward the proceeds of fraud".to_owned(),
        jurisdictions: BTreeSet::from(
            ["DE", "FR", "NL"].map(|c| c.try_into().expect("countries are two letters")),
        ),
        members: members.keys().cloned().collect(),
        expires: Timestamp(now + u64::from(EPOCH_SECONDS * EPOCHS)),
    };
    Manifest {
        name: NAME.to_owned(),
        development: true,
        epochs: EpochSchedule { start: Timestamp(now), seconds: EPOCH_SECONDS, grace_seconds: GRACE_SECONDS },
        members,
        gateways: BTreeMap::from([(GATEWAY, gateway)]),
        thresholds: THRESHOLDS,
        models: vec![RiskModel::default_model().model],
        circuit,
        signal_limit: SIGNAL_LIMIT,
        signal_lifetime: SIGNAL_LIFETIME,
        tag_key,
    }
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), CreateError> {
    fs::write(path, bytes).map_err(|source| CreateError::File { path: path.to_owned(), source })
}

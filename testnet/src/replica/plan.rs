//! A group of replicas in a folder: addresses, certificates of an authority made for it, a configuration each.

use std::io;
use std::net::UdpSocket;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use hansa_consensus::net::TlsConfig;
use hansa_consensus::{ConsensusConfig, ReplicaConfig};
use rcgen::{BasicConstraints, Certificate, CertificateParams, IsCa, KeyPair};

/// Why the group was not laid out.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// A file.
    #[error("{path}: {source}")]
    File {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// No free port.
    #[error("no free port: {0}")]
    Port(io::Error),
    /// A certificate.
    #[error("no certificate was made: {0}")]
    Certificate(#[from] rcgen::Error),
    /// A configuration that TOML cannot say.
    #[error(transparent)]
    Toml(#[from] toml::ser::Error),
}

/// Where the replicas of a group have their files, and how they are configured.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The group's folder.
    pub dir: PathBuf,
    /// The replicas, numbered from 1.
    pub replicas: Vec<ReplicaConfig>,
}

impl Plan {
    /// Lays out `count` replicas on this machine's loopback.
    pub fn local(dir: &Path, count: u64, base: &ConsensusConfig) -> Result<Self, PlanError> {
        // All are held until all are known, so that none is given twice.
        let sockets: Vec<UdpSocket> = (0..count)
            .map(|_| UdpSocket::bind("127.0.0.1:0"))
            .collect::<Result<_, _>>()
            .map_err(PlanError::Port)?;
        let addresses = sockets.iter().map(|socket| socket.local_addr().map(|address| address.to_string()));
        let addresses: Vec<String> = addresses.collect::<Result<_, _>>().map_err(PlanError::Port)?;
        Self::new(dir, &addresses, base)
    }

    /// Lays out one replica for each address, configured like `base` apart from names and places.
    pub fn new(dir: &Path, addresses: &[String], base: &ConsensusConfig) -> Result<Self, PlanError> {
        let named = |(at, address): (u64, &String)| ReplicaConfig {
            id: at,
            address: address.clone(),
            zone: format!("zone-{at}"),
            jurisdiction: None,
        };
        let replicas: Vec<_> = (1..).zip(addresses).map(named).collect();
        std::fs::create_dir_all(dir).map_err(|source| PlanError::File { path: dir.to_owned(), source })?;
        let dir = dir.canonicalize().map_err(|source| PlanError::File { path: dir.to_owned(), source })?;
        let plan = Self { dir, replicas };
        let authority = Authority::new()?;
        for ReplicaConfig { id, .. } in &plan.replicas {
            let tls = authority.issue(&plan.folder(*id).join("tls"), &format!("replica-{id}"))?;
            let config = ConsensusConfig {
                data_dir: plan.data(*id),
                replica: *id,
                replicas: plan.replicas.clone(),
                tls: Some(tls),
                ..base.clone()
            };
            write(&plan.config(*id), &toml::to_string(&config)?)?;
            create(&plan.data(*id))?;
        }
        Ok(plan)
    }

    /// The numbers of the replicas.
    pub fn ids(&self) -> impl Iterator<Item = u64> + use<'_> {
        self.replicas.iter().map(|replica| replica.id)
    }

    /// Everything of one replica.
    pub fn folder(&self, id: u64) -> PathBuf {
        self.dir.join(format!("replica-{id}"))
    }

    /// Its data folder, which may be mounted over before it first starts.
    pub fn data(&self, id: u64) -> PathBuf {
        self.folder(id).join("data")
    }

    /// Its configuration.
    pub fn config(&self, id: u64) -> PathBuf {
        self.folder(id).join("replica.toml")
    }

    /// Where it logs.
    pub fn log(&self, id: u64) -> PathBuf {
        self.folder(id).join("replica.log")
    }
}

struct Authority {
    certificate: Certificate,
    key: KeyPair,
}

impl Authority {
    fn new() -> Result<Self, PlanError> {
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::new(Vec::new())?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Ok(Self { certificate: params.self_signed(&key)?, key })
    }

    /// Writes a certificate for `name` with its key into `dir`.
    fn issue(&self, dir: &Path, name: &str) -> Result<TlsConfig, PlanError> {
        create(dir)?;
        let key = KeyPair::generate()?;
        let certificate =
            CertificateParams::new(vec![name.to_owned()])?.signed_by(&key, &self.certificate, &self.key)?;
        let config = TlsConfig {
            ca: dir.join("ca.pem"),
            certificate: dir.join("replica.pem"),
            key: dir.join("replica.key"),
        };
        write(&config.ca, &self.certificate.pem())?;
        write(&config.certificate, &certificate.pem())?;
        write(&config.key, &key.serialize_pem())?;
        let private = std::fs::Permissions::from_mode(0o600);
        std::fs::set_permissions(&config.key, private)
            .map_err(|source| PlanError::File { path: config.key.clone(), source })?;
        Ok(config)
    }
}

fn create(dir: &Path) -> Result<(), PlanError> {
    std::fs::create_dir_all(dir).map_err(|source| PlanError::File { path: dir.to_owned(), source })
}

fn write(path: &Path, text: &str) -> Result<(), PlanError> {
    std::fs::write(path, text).map_err(|source| PlanError::File { path: path.to_owned(), source })
}

//! A group of replicas, each a process of its own on this machine, with the settings that a bank begins with.

use std::net::{Ipv4Addr, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use hansa_consensus::net::TlsConfig;
use hansa_consensus::{ConsensusConfig, ReplicaConfig};
use rcgen::{BasicConstraints, Certificate, CertificateParams, IsCa, KeyPair};
use tempfile::TempDir;

use super::peer::{self, Peer, PeerError};
use super::{BenchError, replica};

/// How long the group may take to elect a leader, or a replica to catch up.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often it is asked meanwhile.
const ASK_EVERY: Duration = Duration::from_millis(20);

/// A running group.
pub(super) struct Group {
    folder: TempDir,
    /// By number, from 1; none for one that was killed.
    replicas: Vec<Option<Peer>>,
    bench: &'static str,
}

impl Group {
    /// Starts a new group of `count` replicas for the bench named.
    pub(super) fn start(count: u64, bench: &'static str) -> Result<Self, BenchError> {
        let mut group = Self { folder: scratch()?, replicas: Vec::new(), bench };
        group.write_configs(count)?;
        let configs: Vec<_> = (1..=count).map(|id| group.config(id)).collect();
        // They found the group together, so none is ready before all are started.
        let started: Vec<_> = std::thread::scope(|scope| {
            let starting: Vec<_> = configs.iter().map(|config| scope.spawn(move || run(config))).collect();
            starting.into_iter().map(std::thread::ScopedJoinHandle::join).collect()
        });
        for replica in started {
            let replica = replica.map_err(|_| group.failed("a replica was not started"))??;
            group.replicas.push(Some(replica));
        }
        Ok(group)
    }

    /// The numbers of the replicas that run.
    pub(super) fn running(&self) -> Vec<u64> {
        (1..).zip(&self.replicas).filter(|(_, replica)| replica.is_some()).map(|(id, _)| id).collect()
    }

    /// Asks a replica for a number.
    pub(super) fn ask(&mut self, id: u64, command: &str) -> Result<u64, BenchError> {
        let at = usize::try_from(id).unwrap_or(0).wrapping_sub(1);
        match self.replicas.get_mut(at) {
            Some(Some(replica)) => Ok(replica.number(command)?),
            _ => Err(self.failed(&format!("replica {id} does not run"))),
        }
    }

    /// What all running replicas answer, summed.
    pub(super) fn sum(&mut self, command: &str) -> Result<u64, BenchError> {
        self.running().into_iter().map(|id| self.ask(id, command)).sum()
    }

    /// The socket of a replica.
    pub(super) fn port(&mut self, id: u64) -> Result<u16, BenchError> {
        let port = self.ask(id, "port")?;
        u16::try_from(port).map_err(|_| self.failed("a port is 16 bits"))
    }

    /// The replica that leads, once those that run agree on it.
    pub(super) fn leader(&mut self) -> Result<u64, BenchError> {
        let mut leader = 0;
        self.wait("the replicas do not agree who leads", |group| {
            let said = group
                .running()
                .into_iter()
                .map(|id| group.ask(id, "leader"))
                .collect::<Result<Vec<_>, _>>()?;
            leader = said.first().copied().unwrap_or(0);
            Ok(group.running().contains(&leader) && said.iter().all(|id| *id == leader))
        })?;
        Ok(leader)
    }

    /// Kills a replica as `kill -9` does, and says when.
    pub(super) fn kill(&mut self, id: u64) -> Instant {
        let at = Instant::now();
        if let Some(replica) =
            (1..).zip(&mut self.replicas).find_map(|(n, replica)| (n == id).then_some(replica))
        {
            replica.take().into_iter().for_each(Peer::kill);
        }
        at
    }

    /// Starts a killed replica again and waits until it has what the others have.
    pub(super) fn restart(&mut self, id: u64) -> Result<(), BenchError> {
        let started = run(&self.config(id))?;
        if let Some(place) =
            (1..).zip(&mut self.replicas).find_map(|(n, replica)| (n == id).then_some(replica))
        {
            *place = Some(started);
        }
        self.wait("a replica that was started again does not catch up", |group| {
            let sizes =
                group.running().into_iter().map(|id| group.ask(id, "size")).collect::<Result<Vec<_>, _>>()?;
            Ok(sizes.windows(2).all(|pair| pair[0] == pair[1]))
        })
    }

    #[expect(clippy::disallowed_methods, reason = "a replica is asked: it tells nobody that it is ready")]
    fn wait(
        &mut self,
        otherwise: &str,
        mut done: impl FnMut(&mut Self) -> Result<bool, BenchError>,
    ) -> Result<(), BenchError> {
        let start = Instant::now();
        while !done(self)? {
            if start.elapsed() > PATIENCE {
                return Err(self.failed(otherwise));
            }
            std::thread::sleep(ASK_EVERY);
        }
        Ok(())
    }

    fn config(&self, id: u64) -> PathBuf {
        self.folder.path().join(format!("replica-{id}.json"))
    }

    fn write_configs(&self, count: u64) -> Result<(), BenchError> {
        let authority = Authority::new().map_err(|error| self.failed(&error.to_string()))?;
        let replicas: Vec<_> = (1..=count)
            .map(|id| {
                // The port is free again before the replica takes it; nobody else takes ports of this range meanwhile.
                let address = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.to_string();
                Ok(ReplicaConfig { id, address, zone: format!("zone-{id}"), jurisdiction: None })
            })
            .collect::<std::io::Result<_>>()?;
        for id in 1..=count {
            let folder = self.folder.path().join(format!("replica-{id}"));
            let tls = authority.issue(&folder, id).map_err(|error| self.failed(&error.to_string()))?;
            let config = ConsensusConfig {
                data_dir: folder.join("data"),
                replica: id,
                replicas: replicas.clone(),
                tls: Some(tls),
                ..ConsensusConfig::default()
            };
            let text = serde_json::to_vec_pretty(&config).map_err(|error| self.failed(&error.to_string()))?;
            std::fs::write(self.config(id), text)?;
        }
        Ok(())
    }

    fn failed(&self, reason: &str) -> BenchError {
        BenchError::Failed { bench: self.bench, reason: reason.to_owned() }
    }
}

/// Starts the replica that `config` describes, in a process of its own.
fn run(config: &Path) -> Result<Peer, BenchError> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["bench", replica::OPTION]).arg(config);
    Ok(Peer::start(&mut command)?)
}

/// A folder for data on a real disk: the system's temporary folder may be memory.
pub(super) fn scratch() -> Result<TempDir, BenchError> {
    let folder = peer::cache_folder().ok_or(PeerError::NoCache)?.join("bench");
    std::fs::create_dir_all(&folder)?;
    Ok(tempfile::tempdir_in(folder)?)
}

/// The bank's certificate authority, for as long as the bench runs.
struct Authority {
    certificate: Certificate,
    key: KeyPair,
}

impl Authority {
    fn new() -> Result<Self, rcgen::Error> {
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::new(Vec::new())?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Ok(Self { certificate: params.self_signed(&key)?, key })
    }

    /// Writes the certificate of replica `id` with its key into `folder`.
    fn issue(&self, folder: &Path, id: u64) -> Result<TlsConfig, Box<dyn std::error::Error>> {
        use std::os::unix::fs::PermissionsExt;
        std::fs::create_dir_all(folder)?;
        let key = KeyPair::generate()?;
        let params = CertificateParams::new(vec![format!("replica-{id}")])?;
        let certificate = params.signed_by(&key, &self.certificate, &self.key)?;
        let write = |name: &str, text: String| {
            let path = folder.join(name);
            std::fs::write(&path, text).map(|()| path)
        };
        let config = TlsConfig {
            ca: write("ca.pem", self.certificate.pem())?,
            certificate: write("replica.pem", certificate.pem())?,
            key: write("replica.key", key.serialize_pem())?,
        };
        std::fs::set_permissions(&config.key, std::fs::Permissions::from_mode(0o600))?;
        Ok(config)
    }
}

//! Three etcd members on this machine, with the settings they come with, each in a folder of its own.

use std::error::Error;
use std::fs::File;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::api::Client;

/// How many members the cluster has.
const MEMBERS: usize = 3;
/// How long the members may take to elect a leader.
const ELECTION: Duration = Duration::from_secs(60);
/// How often they are asked meanwhile.
const ASK_EVERY: Duration = Duration::from_millis(100);

/// A running cluster; its members end with it.
pub struct Members {
    children: Vec<Child>,
    /// Where each member takes requests.
    addresses: Vec<String>,
}

impl Members {
    /// Starts a new cluster with its data below `folder`.
    pub fn start(folder: &Path) -> Result<Self, Box<dyn Error>> {
        let urls = || -> std::io::Result<Vec<String>> {
            let sockets =
                (0..MEMBERS).map(|_| TcpListener::bind("127.0.0.1:0")).collect::<Result<Vec<_>, _>>()?;
            sockets.iter().map(|socket| Ok(format!("http://{}", socket.local_addr()?))).collect()
        };
        let (addresses, peers) = (urls()?, urls()?);
        let cluster: Vec<_> = peers.iter().enumerate().map(|(at, peer)| format!("m{at}={peer}")).collect();
        let mut members = Self { children: Vec::new(), addresses };
        for (at, (address, peer)) in members.addresses.iter().zip(&peers).enumerate() {
            let own = folder.join(format!("m{at}"));
            std::fs::create_dir_all(&own)?;
            let said = File::create(own.join("etcd.log"))?;
            let child = Command::new("etcd")
                .args(["--name", &format!("m{at}")])
                .arg("--data-dir")
                .arg(own.join("data"))
                .args(["--listen-client-urls", address, "--advertise-client-urls", address])
                .args(["--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer])
                .args(["--initial-cluster", &cluster.join(",")])
                .args(["--initial-cluster-state", "new", "--initial-cluster-token", "hansa-bench"])
                .stdin(Stdio::null())
                .stdout(said.try_clone()?)
                .stderr(said)
                .spawn()?;
            members.children.push(child);
        }
        Ok(members)
    }

    /// The address of the member that leads, and the release, once there is a leader.
    pub async fn leader(&self) -> Result<(String, String), Box<dyn Error>> {
        let start = Instant::now();
        let mut last = "nobody was asked".to_owned();
        while start.elapsed() < ELECTION {
            for address in &self.addresses {
                match Client::connect(address, 1).await {
                    Ok(client) => match client.status().await {
                        Ok(status) if status.leads() => return Ok((address.clone(), status.version)),
                        Ok(_) => last = "no member leads".to_owned(),
                        Err(error) => last = error.to_string(),
                    },
                    Err(error) => last = error.to_string(),
                }
            }
            tokio::time::sleep(ASK_EVERY).await;
        }
        Err(format!("etcd has no leader after {} s: {last}", ELECTION.as_secs()).into())
    }
}

impl Drop for Members {
    fn drop(&mut self) {
        for child in &mut self.children {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

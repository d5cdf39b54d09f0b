//! Peers: other people's programs to measure against, as child processes behind a line protocol on standard input
//! and output (`testnet/peers/README.md`). They are packages of their own, built only when asked for.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::Duration;

use thiserror::Error;

use super::package_folder;
use crate::data::skipped;

/// How long a peer may take to start or to answer: far beyond any measurement, so that a hung one is noticed.
const ANSWER_WITHIN: Duration = Duration::from_secs(1200);
/// Lines a peer may be ahead of us; it answers one for one, so more than one is already wrong.
const LINES_AHEAD: usize = 4;

/// Why a peer could not be used.
#[derive(Debug, Error)]
pub enum PeerError {
    /// There is no folder for build results.
    #[error("neither XDG_CACHE_HOME nor HOME is set: set one, the peer is built below it")]
    NoCache,
    /// Cargo could not be run.
    #[error("cannot run cargo to build peer {peer}: {source}")]
    Cargo {
        /// The package.
        peer: &'static str,
        /// Why.
        source: std::io::Error,
    },
    /// Its packages could not be installed.
    #[error("cannot install peer {peer}: {source}")]
    Install {
        /// The package.
        peer: &'static str,
        /// Why.
        source: std::io::Error,
    },
    /// The build failed; cargo, npm or pip has said why.
    #[error("peer {0} did not build: see above, or leave out --with-peers")]
    Build(&'static str),
    /// The program could not be started.
    #[error("cannot start peer {program}: {source}")]
    Start {
        /// The program.
        program: String,
        /// Why.
        source: std::io::Error,
    },
    /// It stopped or closed a stream.
    #[error("peer {0} has stopped: run it by hand, as testnet/peers/README.md says")]
    Stopped(String),
    /// It did not answer in time.
    #[error("peer {peer} has not answered within {} s", ANSWER_WITHIN.as_secs())]
    Silent {
        /// The peer.
        peer: String,
    },
    /// It answered something else.
    #[error("peer {peer} answered {line:?}: `{wanted}` is wanted")]
    Protocol {
        /// The peer.
        peer: String,
        /// Its line.
        line: String,
        /// The form of the answer.
        wanted: &'static str,
    },
}

/// A running peer.
pub(super) struct Peer {
    name: String,
    child: Child,
    /// Closed first when the peer is let go, so that it ends by itself.
    input: Option<ChildStdin>,
    lines: Receiver<String>,
}

impl Peer {
    /// Starts `command` and waits until it is ready.
    pub(super) fn start(command: &mut Command) -> Result<Self, PeerError> {
        let program = command.get_program().to_string_lossy().into_owned();
        let mut child = command
            // Rayon's own switch for one thread, which is what we measure on.
            .env("RAYON_NUM_THREADS", "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|source| PeerError::Start { program: program.clone(), source })?;
        let input = child.stdin.take();
        let output = BufReader::new(child.stdout.take().expect("standard output is piped above"));
        let (sender, lines) = sync_channel(LINES_AHEAD);
        // A thread of its own waits for lines, so that asking can give up in time. It ends with the peer's output.
        std::thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        let mut peer = Self { name: program, child, input, lines };
        let line = peer.read()?;
        peer.name = parse_ready(&line).ok_or_else(|| peer.unexpected(&line, "ready NAME VERSION"))?;
        Ok(peer)
    }

    /// Name and version, as the peer says.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Sends `command` and gives the time that it took the peer.
    pub(super) fn ask(&mut self, command: &str) -> Result<Duration, PeerError> {
        Ok(Duration::from_nanos(self.number(command)?))
    }

    /// Sends `command` and gives the number of the answer.
    pub(super) fn number(&mut self, command: &str) -> Result<u64, PeerError> {
        let stopped = || PeerError::Stopped(self.name.clone());
        let input = self.input.as_mut().ok_or_else(stopped)?;
        writeln!(input, "{command}").and_then(|()| input.flush()).map_err(|_| stopped())?;
        let line = self.read()?;
        parse_answer(&line).ok_or_else(|| self.unexpected(&line, "ok NUMBER"))
    }

    /// Kills it as `kill -9` does, with no sign beforehand.
    pub(super) fn kill(mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
    }

    fn read(&self) -> Result<String, PeerError> {
        self.lines.recv_timeout(ANSWER_WITHIN).map_err(|e| match e {
            RecvTimeoutError::Timeout => PeerError::Silent { peer: self.name.clone() },
            RecvTimeoutError::Disconnected => PeerError::Stopped(self.name.clone()),
        })
    }

    fn unexpected(&self, line: &str, wanted: &'static str) -> PeerError {
        PeerError::Protocol { peer: self.name.clone(), line: line.to_owned(), wanted }
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.input = None;
        // It may be in the midst of a measurement that nobody waits for any more.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The name in `ready NAME VERSION`.
fn parse_ready(line: &str) -> Option<String> {
    let name = line.strip_prefix("ready ")?.trim();
    (!name.is_empty()).then(|| name.to_owned())
}

/// The number in `ok NUMBER`.
fn parse_answer(line: &str) -> Option<u64> {
    line.strip_prefix("ok ")?.trim().parse().ok()
}

/// The peers of this run: none unless asked for, each built and started when first needed.
pub(super) struct Peers {
    wanted: bool,
    rln: Option<Peer>,
}

impl Peers {
    /// No peer is built yet.
    pub(super) fn new(wanted: bool) -> Self {
        Self { wanted, rln: None }
    }

    /// The RLN library; none if peers were not asked for.
    pub(super) fn rln(&mut self) -> Result<Option<&mut Peer>, PeerError> {
        if self.wanted && self.rln.is_none() {
            self.rln = Some(Peer::start(&mut Command::new(build("rln", "hansa-peer-rln")?))?);
        }
        Ok(self.rln.as_mut())
    }

    /// A new etcd cluster with its data in `folder`; none if peers were not asked for, or without etcd.
    pub(super) fn etcd(&self, folder: &Path) -> Result<Option<Peer>, PeerError> {
        if !self.wanted {
            return Ok(None);
        }
        if !on_path("etcd") {
            skipped("peer etcd", "etcd is not installed (Debian: apt-get install etcd-server)");
            return Ok(None);
        }
        Peer::start(Command::new(build("etcd", "hansa-peer-etcd")?).arg(folder)).map(Some)
    }

    /// rapidfuzz with a file of listed names and one of names to screen; none if peers were not asked for, or without
    /// Python.
    pub(super) fn rapidfuzz(&self, listed: &Path, queries: &Path) -> Result<Option<Peer>, PeerError> {
        if !self.wanted {
            return Ok(None);
        }
        if !on_path("python3") {
            skipped("peer rapidfuzz", "Python is not installed (Debian: apt-get install python3-venv)");
            return Ok(None);
        }
        let folder = virtual_environment("rapidfuzz")?;
        let program = package_folder().join("peers/rapidfuzz/peer.py");
        Peer::start(Command::new(folder.join("bin/python")).arg(program).arg(listed).arg(queries)).map(Some)
    }

    /// snarkjs with its files in `folder`; none if peers were not asked for, or without Node.js.
    pub(super) fn snarkjs(&self, folder: &Path) -> Result<Option<Peer>, PeerError> {
        if !self.wanted {
            return Ok(None);
        }
        if !on_path("node") || !on_path("npm") {
            skipped("peer snarkjs", "Node.js is not installed (Debian: apt-get install npm)");
            return Ok(None);
        }
        Peer::start(Command::new("node").arg(install("snarkjs")?).arg(folder)).map(Some)
    }
}

/// A virtual environment of Python with what `testnet/peers/PEER/requirements.txt` names.
fn virtual_environment(peer: &'static str) -> Result<PathBuf, PeerError> {
    let folder = cache_folder().ok_or(PeerError::NoCache)?.join("peers").join(peer);
    let requirements = package_folder().join("peers").join(peer).join("requirements.txt");
    let run = |command: &mut Command| {
        let status = command.stdin(Stdio::null()).stdout(Stdio::null()).status();
        match status.map_err(|source| PeerError::Install { peer, source })?.success() {
            true => Ok(()),
            false => Err(PeerError::Build(peer)),
        }
    };
    run(Command::new("python3").args(["-m", "venv"]).arg(&folder))?;
    let pip = folder.join("bin/pip");
    run(Command::new(pip).args(["install", "--quiet", "--requirement"]).arg(requirements))?;
    Ok(folder)
}

/// Installs the packages that `testnet/peers/PEER` names beside its program, and gives the program.
fn install(peer: &'static str) -> Result<PathBuf, PeerError> {
    let folder = cache_folder().ok_or(PeerError::NoCache)?.join("peers").join(peer);
    let failed = |source| PeerError::Install { peer, source };
    std::fs::create_dir_all(&folder).map_err(failed)?;
    for name in ["package.json", "peer.mjs"] {
        let from = package_folder().join("peers").join(peer).join(name);
        std::fs::copy(from, folder.join(name)).map_err(failed)?;
    }
    let status = Command::new("npm")
        .args(["install", "--ignore-scripts", "--no-audit", "--no-fund", "--no-package-lock", "--silent"])
        .current_dir(&folder)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .status()
        .map_err(failed)?;
    if status.success() { Ok(folder.join("peer.mjs")) } else { Err(PeerError::Build(peer)) }
}

/// Builds the package `testnet/peers/PEER`, optimised as its own release profile says, and gives its program.
fn build(peer: &'static str, program: &str) -> Result<PathBuf, PeerError> {
    let target = cache_folder().ok_or(PeerError::NoCache)?.join("peers");
    let manifest = package_folder().join("peers").join(peer).join("Cargo.toml");
    let status = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(["build", "--release", "--locked", "--manifest-path"])
        .arg(manifest)
        .env("CARGO_TARGET_DIR", &target)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .status()
        .map_err(|source| PeerError::Cargo { peer, source })?;
    if !status.success() {
        return Err(PeerError::Build(peer));
    }
    Ok(target.join("release").join(program))
}

/// Whether a program can be run by its name.
fn on_path(program: &str) -> bool {
    std::env::var_os("PATH")
        .is_some_and(|path| std::env::split_paths(&path).any(|dir| dir.join(program).is_file()))
}

/// Where peers are built and data is kept while measuring: outside the clone, so that `make clean` does not cost
/// minutes again, and on a disk.
pub(super) fn cache_folder() -> Option<PathBuf> {
    cache(std::env::var_os("XDG_CACHE_HOME").as_deref(), std::env::var_os("HOME").as_deref())
}

fn cache(xdg: Option<&OsStr>, home: Option<&OsStr>) -> Option<PathBuf> {
    let set = |value: Option<&OsStr>| value.filter(|v| !v.is_empty()).map(PathBuf::from);
    let base = set(xdg).or_else(|| Some(set(home)?.join(".cache")))?;
    Some(base.join("hansa"))
}

#[cfg(test)]
mod tests {
    use super::super::plan::Plan;
    use super::*;

    fn fake(script: &str) -> Result<Peer, PeerError> {
        Peer::start(Command::new("sh").args(["-c", script]))
    }

    #[test]
    fn a_peer_says_its_name_and_answers_line_for_line() {
        let mut peer =
            fake("echo ready fake 1.2; n=0; while read c; do n=$((n+1)); echo ok $n; done").unwrap();
        assert_eq!(peer.name(), "fake 1.2");
        assert_eq!(peer.ask("prove").unwrap(), Duration::from_nanos(1));
        assert_eq!(peer.number("verify").unwrap(), 2);
    }

    #[test]
    fn measurements_alternate_with_a_peer() {
        let mut peer = fake("echo ready fake 1; while read c; do echo ok 2000000; done").unwrap();
        let plan = Plan { least_rounds: 2, most_rounds: 2, budget: Duration::ZERO, ..Plan::DEFAULT };
        let ours = || Ok(Duration::from_millis(1));
        let measured = plan.alternate(ours, Some((&mut peer, "prove"))).unwrap();
        assert_eq!(measured.peer_milliseconds().map(|p| (p.name, p.value)), Some(("fake 1".to_owned(), 2.0)));
        assert_eq!(measured.peer_per_second().map(|p| p.value), Some(500.0));
    }

    #[test]
    fn what_a_peer_does_wrong_is_said() {
        assert!(matches!(fake("echo hello"), Err(PeerError::Protocol { .. })));
        assert!(matches!(fake("exit 3"), Err(PeerError::Stopped(_))));
        assert!(matches!(Peer::start(&mut Command::new("/nonexistent/peer")), Err(PeerError::Start { .. })));
        let mut peer = fake("echo ready fake 1; read c; echo error no key; exec cat >/dev/null").unwrap();
        let error = peer.ask("prove").unwrap_err();
        assert!(error.to_string().contains("error no key"), "{error}");
        let mut peer = fake("echo ready fake 1; read c").unwrap();
        assert!(matches!(peer.ask("prove"), Err(PeerError::Stopped(_))));
    }

    #[test]
    fn answers_have_one_form() {
        assert_eq!(parse_answer("ok 12"), Some(12));
        assert_eq!(parse_ready("ready rln 3.0.0").as_deref(), Some("rln 3.0.0"));
        for bad in ["", "ok", "ok -1", "ok 1.5", "OK 1", "error 1", "ok 99999999999999999999"] {
            assert_eq!(parse_answer(bad), None, "{bad}");
        }
        assert_eq!(parse_ready("ready "), None);
    }

    #[test]
    fn peers_are_absent_unless_asked_for_and_built_outside_the_clone() {
        assert!(Peers::new(false).rln().unwrap().is_none());
        let path = |s: &'static str| Some(OsStr::new(s));
        assert_eq!(cache(path("/c"), path("/h")), Some("/c/hansa".into()));
        assert_eq!(cache(path(""), path("/h")), Some("/h/.cache/hansa".into()));
        assert_eq!(cache(None, None), None);
    }
}

//! One bank's node as a child process: started, listened to, stopped, killed.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use hansa_api::{ApiToken, Client, ClientError};
use hansa_keys::{KeyError, KeyFolder, Purpose};
use hansa_node::events::Event;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::consortium::Bank;

/// How long anything that must happen may take on a loaded machine.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Why a process did not do what it should.
#[derive(Debug, thiserror::Error)]
pub enum ProcessError {
    /// A program is not where it should be.
    #[error("{0} is missing: build every program with `cargo build --workspace --bins`")]
    NoProgram(PathBuf),
    /// The system refused.
    #[error("{what}: {source}")]
    Io {
        /// What was tried.
        what: String,
        /// What it said.
        source: std::io::Error,
    },
    /// The node ended.
    #[error("{bank} ended ({status}) instead of: {wanted}\n{log}")]
    Ended {
        /// Whose.
        bank: String,
        /// How.
        status: String,
        /// What was awaited.
        wanted: String,
        /// The end of its log.
        log: String,
    },
    /// It did not happen in time.
    #[error("{bank} did not report in {} s: {wanted}", PATIENCE.as_secs())]
    Timeout {
        /// Whose.
        bank: String,
        /// What was awaited.
        wanted: String,
    },
    /// A program refused.
    #[error("`{command}` failed ({status}): {stderr}")]
    Refused {
        /// What was run.
        command: String,
        /// How it ended.
        status: ExitStatus,
        /// What it said.
        stderr: String,
    },
    /// A program printed something else than JSON.
    #[error("`{command}` printed no JSON: {source}")]
    Json {
        /// What was run.
        command: String,
        /// What is wrong.
        source: serde_json::Error,
    },
    /// The node's token.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The node's address.
    #[error(transparent)]
    Client(#[from] ClientError),
}

/// A program of this workspace, beside the one that runs.
pub fn program(name: &str) -> Result<PathBuf, ProcessError> {
    let own =
        std::env::current_exe().map_err(|source| ProcessError::Io { what: "own path".into(), source })?;
    // Tests run from a folder below the one with the programs.
    let folders = own.ancestors().skip(1).take(2);
    let found = folders.map(|folder| folder.join(name)).find(|path| path.is_file());
    found.ok_or_else(|| ProcessError::NoProgram(own.with_file_name(name)))
}

/// Runs a program to its end and returns what it printed.
pub fn run(program_name: &str, arguments: &[&str]) -> Result<String, ProcessError> {
    let command = format!("{program_name} {}", arguments.join(" "));
    let output = Command::new(program(program_name)?)
        .args(arguments)
        .output()
        .map_err(|source| ProcessError::Io { what: command.clone(), source })?;
    if !output.status.success() {
        let stderr = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        return Err(ProcessError::Refused { command, status: output.status, stderr });
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Runs `hansa` for a bank with `--json`, and reads what it prints.
pub fn hansa<T: serde::de::DeserializeOwned>(bank: &Bank, arguments: &[&str]) -> Result<T, ProcessError> {
    let config = bank.config().display().to_string();
    let arguments: Vec<&str> =
        ["--config", &config, "--json"].into_iter().chain(arguments.iter().copied()).collect();
    let printed = run("hansa", &arguments)?;
    let command = format!("hansa {}", arguments.join(" "));
    serde_json::from_str(&printed).map_err(|source| ProcessError::Json { command, source })
}

/// A running node.
pub struct NodeProcess {
    bank: Bank,
    child: Child,
    events: Receiver<Event>,
    /// Events that came while another was awaited.
    backlog: Vec<Event>,
}

impl NodeProcess {
    /// Starts the node of `bank`; its log is appended to a file in the bank's folder.
    pub fn start(bank: &Bank, arguments: &[&str]) -> Result<Self, ProcessError> {
        Self::start_in(bank, arguments, &[])
    }

    /// As [`Self::start`], with more variables in the environment.
    pub fn start_in(
        bank: &Bank,
        arguments: &[&str],
        environment: &[(&str, &str)],
    ) -> Result<Self, ProcessError> {
        let mut command = Command::new(program("hansa")?);
        command.envs(environment.iter().copied());
        Self::start_by(bank, command, arguments)
    }

    /// As [`Self::start`], by a command that ends with `hansa`.
    pub fn start_by(bank: &Bank, mut command: Command, arguments: &[&str]) -> Result<Self, ProcessError> {
        let io = |what: &str| {
            let what = format!("{}: {what}", bank.id);
            move |source| ProcessError::Io { what, source }
        };
        let log = File::options().create(true).append(true).open(bank.log()).map_err(io("log file"))?;
        let mut child = command
            .arg("--config")
            .arg(bank.config())
            .arg("run")
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .map_err(io("start"))?;
        let stdout = child.stdout.take().expect("stdout was asked for as a pipe");
        let (sender, events) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                let Ok(event) = serde_json::from_str(&line) else { continue };
                if sender.send(event).is_err() {
                    return;
                }
            }
        });
        Ok(Self { bank: bank.clone(), child, events, backlog: Vec::new() })
    }

    /// Waits for the first event, past or to come, of which `pick` makes something.
    pub fn wait<T>(
        &mut self,
        wanted: &str,
        mut pick: impl FnMut(&Event) -> Option<T>,
    ) -> Result<T, ProcessError> {
        if let Some((index, found)) = self.backlog.iter().enumerate().find_map(|(i, e)| Some((i, pick(e)?))) {
            self.backlog.remove(index);
            return Ok(found);
        }
        let deadline = Instant::now() + PATIENCE;
        loop {
            match self.events.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(event) => match pick(&event) {
                    Some(found) => return Ok(found),
                    None => self.backlog.push(event),
                },
                Err(RecvTimeoutError::Timeout) => {
                    return Err(ProcessError::Timeout {
                        bank: self.bank.id.to_string(),
                        wanted: wanted.to_owned(),
                    });
                }
                Err(RecvTimeoutError::Disconnected) => return Err(self.ended(wanted)),
            }
        }
    }

    /// Waits until the node takes requests.
    pub fn ready(&mut self) -> Result<(), ProcessError> {
        self.wait("ready", |event| matches!(event, Event::Ready { .. }).then_some(()))
    }

    /// Waits until `count` other members hear what it publishes.
    pub fn joined(&mut self, count: usize) -> Result<(), ProcessError> {
        let wanted = format!("{count} members connected");
        self.wait(&wanted, |e| {
            matches!(e, Event::PeerConnected { connected, .. } if *connected >= count).then_some(())
        })
    }

    /// A client of its interface.
    pub fn client(&self) -> Result<Client, ProcessError> {
        client(&self.bank)
    }

    /// Which replica it is.
    pub fn bank(&self) -> &Bank {
        &self.bank
    }

    /// The process's number.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// How the process ended, if it did.
    pub fn ended_with(&mut self) -> Result<Option<ExitStatus>, ProcessError> {
        let ended = self.child.try_wait();
        ended.map_err(|source| ProcessError::Io { what: format!("{}: wait", self.bank.id), source })
    }

    /// Waits until the process ends by itself, and returns how and the end of its log.
    pub fn failed(mut self) -> Result<(ExitStatus, String), ProcessError> {
        while let Ok(event) = self.events.recv_timeout(PATIENCE) {
            self.backlog.push(event);
        }
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.ended_with()? {
                return Ok((status, tail(&self.bank.log())));
            }
            if Instant::now() > deadline {
                return Err(ProcessError::Timeout {
                    bank: self.bank.id.to_string(),
                    wanted: "its end".into(),
                });
            }
        }
    }

    /// SIGKILL: no warning, nothing flushed.
    pub fn kill(mut self) -> Result<(), ProcessError> {
        self.signal(Signal::SIGKILL)?;
        self.end()
    }

    /// SIGTERM, and the end of the process with nothing left undone.
    pub fn stop(mut self) -> Result<(), ProcessError> {
        self.signal(Signal::SIGTERM)?;
        self.wait("stopped", |event| (*event == Event::Stopped).then_some(()))?;
        self.end()
    }

    /// Lets the process live on when this is dropped.
    pub fn detach(self) {
        // `Drop` kills; a process that was handed over to `down` is not ours any more.
        std::mem::forget(self);
    }

    fn signal(&self, signal: Signal) -> Result<(), ProcessError> {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).expect("process numbers fit an i32 on Linux"));
        kill(pid, signal)
            .map_err(|errno| ProcessError::Io { what: format!("{signal}"), source: errno.into() })
    }

    fn end(&mut self) -> Result<(), ProcessError> {
        let ended = self.child.wait();
        ended
            .map(|_| ())
            .map_err(|source| ProcessError::Io { what: format!("{}: wait", self.bank.id), source })
    }

    fn ended(&mut self, wanted: &str) -> ProcessError {
        let status = self.child.wait().map_or_else(|error| error.to_string(), |status| status.to_string());
        let log = tail(&self.bank.log());
        ProcessError::Ended { bank: self.bank.id.to_string(), status, wanted: wanted.to_owned(), log }
    }
}

impl Drop for NodeProcess {
    fn drop(&mut self) {
        // Already gone is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A client of a bank's interface, wherever its node was started.
pub fn client(bank: &Bank) -> Result<Client, ProcessError> {
    let token = KeyFolder::new(bank.folder.join("keys")).secret(Purpose::Api)?;
    Ok(Client::new(&format!("http://127.0.0.1:{}", bank.api_port), &ApiToken::new(*token.expose()))?)
}

/// The last lines of a log.
pub(crate) fn tail(path: &Path) -> String {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(5)..].join("\n")
}

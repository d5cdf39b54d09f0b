//! One replica as a child process: started, asked, paused, killed.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::{Answer, Plan, Request};
use crate::process::{PATIENCE, ProcessError, program, tail};

/// Runs a replica through another program, as `ip netns exec NAME` is.
#[derive(Clone, Debug, Default)]
pub struct Wrapper {
    /// The program that is to run it, with its arguments.
    pub program: Vec<String>,
    /// Variables that it is given.
    pub environment: Vec<(String, String)>,
}

/// Why a replica does not serve.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The system or the program.
    #[error(transparent)]
    Process(#[from] ProcessError),
    /// It ended instead.
    #[error("replica {id} ended ({status}) instead of serving:\n{log}")]
    Ended {
        /// Which.
        id: u64,
        /// How.
        status: String,
        /// The end of its log.
        log: String,
    },
    /// Nothing came of it.
    #[error("replica {id} does not serve after {} s: see {log}", PATIENCE.as_secs())]
    Silent {
        /// Which.
        id: u64,
        /// Its log.
        log: PathBuf,
    },
}

/// What a replica says unasked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum News {
    /// It serves.
    Ready,
    /// Its disk failed; the process ends.
    Stopped(String),
    /// The process has ended.
    Ended,
}

/// A replica that was started. Dropped, it is killed.
pub struct ReplicaProcess {
    id: u64,
    log: PathBuf,
    child: Mutex<Child>,
    pid: Pid,
    asking: Mutex<Asking>,
    waiting: Arc<Mutex<Waiting>>,
    news: Mutex<Receiver<News>>,
}

struct Asking {
    input: BufWriter<ChildStdin>,
    next: u64,
}

/// Who waits for which answer.
#[derive(Default)]
struct Waiting {
    askers: BTreeMap<u64, (u64, Sender<(u64, Answer)>)>,
    ended: bool,
}

impl ReplicaProcess {
    /// Starts replica `id` of the plan; [`Self::ready`] waits until it serves.
    pub fn start(plan: &Plan, id: u64, wrapper: &Wrapper) -> Result<Self, ProcessError> {
        let io = |what: &str| {
            let what = format!("replica {id}: {what}");
            move |source| ProcessError::Io { what, source }
        };
        let log = File::options().create(true).append(true).open(plan.log(id)).map_err(io("log file"))?;
        let own = program("hansa-testnet")?.into_os_string();
        let config = plan.config(id).into_os_string();
        let words = wrapper.program.iter().map(Into::into);
        let mut words = words.chain([own, "replica".into(), "--config".into(), config]);
        let first = words.next().expect("the program itself at the least");
        let mut child = Command::new(first)
            .args(words)
            .envs(wrapper.environment.iter().cloned())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .map_err(io("start"))?;
        let stdin = child.stdin.take().expect("stdin was asked for as a pipe");
        let stdout = child.stdout.take().expect("stdout was asked for as a pipe");
        let pid = Pid::from_raw(i32::try_from(child.id()).expect("process numbers fit an i32 on Linux"));
        let waiting = Arc::new(Mutex::new(Waiting::default()));
        let (sender, news) = channel();
        std::thread::spawn({
            let waiting = waiting.clone();
            move || listen(stdout, &waiting, &sender)
        });
        Ok(Self {
            id,
            log: plan.log(id),
            child: Mutex::new(child),
            pid,
            asking: Mutex::new(Asking { input: BufWriter::new(stdin), next: 0 }),
            waiting,
            news: Mutex::new(news),
        })
    }

    /// Its number in the group.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// Waits until it serves.
    pub fn ready(&self) -> Result<(), StartError> {
        match self.news(PATIENCE) {
            Some(News::Ready) => Ok(()),
            Some(News::Stopped(_) | News::Ended) => {
                let status = self.wait().map_or_else(|error| error.to_string(), |status| status.to_string());
                Err(StartError::Ended { id: self.id, status, log: tail(&self.log) })
            }
            None => Err(StartError::Silent { id: self.id, log: self.log.clone() }),
        }
    }

    /// What it says next, unless it says nothing for so long.
    pub fn news(&self, patience: Duration) -> Option<News> {
        match locked(&self.news).recv_timeout(patience) {
            Ok(news) => Some(news),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => Some(News::Ended),
        }
    }

    /// Asks; the answer goes to `to` under `name`, as [`Answer::Gone`] if the process ends before it.
    pub fn submit(&self, request: &Request, name: u64, to: &Sender<(u64, Answer)>) {
        let mut asking = locked(&self.asking);
        let number = asking.next;
        asking.next += 1;
        {
            let mut waiting = locked(&self.waiting);
            if waiting.ended {
                let _ = to.send((name, Answer::Gone));
                return;
            }
            waiting.askers.insert(number, (name, to.clone()));
        }
        // A pipe that broke is noticed by whoever reads the other one.
        let _ = writeln!(asking.input, "{number} {request}").and_then(|()| asking.input.flush());
    }

    /// Asks and waits for the answer, `None` if it does not come in time.
    pub fn ask(&self, request: &Request, patience: Duration) -> Option<Answer> {
        let (to, answers) = channel();
        self.submit(request, 0, &to);
        answers.recv_timeout(patience).ok().map(|(_, answer)| answer)
    }

    /// Stops it where it stands.
    pub fn pause(&self) -> io::Result<()> {
        self.signal(Signal::SIGSTOP)
    }

    /// Lets it go on.
    pub fn resume(&self) -> io::Result<()> {
        self.signal(Signal::SIGCONT)
    }

    /// SIGKILL: no warning, nothing flushed. Returns once the process is gone.
    pub fn kill(&self) -> io::Result<()> {
        let mut child = locked(&self.child);
        child.kill()?;
        child.wait().map(|_| ())
    }

    /// Waits for its end.
    pub fn wait(&self) -> io::Result<ExitStatus> {
        locked(&self.child).wait()
    }

    /// The last lines of its log.
    pub fn last_words(&self) -> String {
        tail(&self.log)
    }

    fn signal(&self, signal: Signal) -> io::Result<()> {
        kill(self.pid, signal).map_err(Into::into)
    }
}

impl Drop for ReplicaProcess {
    fn drop(&mut self) {
        // Already gone is as good.
        let _ = self.kill();
    }
}

/// Hands out answers and news until the process closes its output.
fn listen(stdout: ChildStdout, waiting: &Mutex<Waiting>, news: &Sender<News>) {
    for line in BufReader::new(stdout).lines().map_while(Result::ok) {
        let (first, rest) = line.split_once(' ').unwrap_or((&line, ""));
        let _ = match (first, first.parse::<u64>()) {
            ("ready", _) => news.send(News::Ready),
            ("stopped", _) => news.send(News::Stopped(rest.to_owned())),
            (_, Ok(number)) => {
                let answer = rest.parse().unwrap_or_else(|_| Answer::Error(format!("it answered `{rest}`")));
                if let Some((name, asker)) = locked(waiting).askers.remove(&number) {
                    // Who asked may not wait any more.
                    let _ = asker.send((name, answer));
                }
                Ok(())
            }
            _ => Ok(()),
        };
    }
    let askers = {
        let mut waiting = locked(waiting);
        waiting.ended = true;
        std::mem::take(&mut waiting.askers)
    };
    for (name, asker) in askers.into_values() {
        let _ = asker.send((name, Answer::Gone));
    }
    let _ = news.send(News::Ended);
}

/// A thread that panicked has left nothing half-done under these locks.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

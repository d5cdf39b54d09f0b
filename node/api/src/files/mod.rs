//! The drop folder: messages come in as files, and each is answered by a file.
//!
//! | folder | |
//! |---|---|
//! | `inbox` | whoever sends writes a message elsewhere on the same disk, or under a name that begins with a dot, and renames it to a name of its own here |
//! | `outbox` | the answer, under the same name (`.json` added to a JSON answer); whoever sent takes it away |
//! | `work` | the messages that were taken out of the inbox and are not settled; they are read on start |
//! | `done` | the messages that were answered |
//! | `refused` | the messages that cannot be answered, each with `NAME.problem.json` |
//!
//! A message leaves the inbox before it is read: what comes under its name meanwhile is another. An answer is on disk
//! before its message is put away. After a crash a message is decided again, which gives the same decision, and its
//! answer is written again. What cannot be answered now (no quorum, too much at once) stays in `work` and is tried again.

mod config;
mod folder;

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use futures::{StreamExt as _, stream};
use tokio::task::spawn_blocking;
use tokio::time::timeout;

pub use self::config::FilesConfig;
use self::folder::{Folder, Found, MAX_NAME, taken_back};
use crate::answer::AnswerForm;
use crate::error::{Problem, ProblemBody, ProblemKind, ServeError};
use crate::shared::Shared;
use crate::tries::{RETRY, Tries};

/// Takes messages in from a folder.
pub(crate) struct Files {
    folder: Folder,
    config: FilesConfig,
    /// Of the messages that wait, how they failed so far.
    tries: Mutex<BTreeMap<OsString, Tries>>,
}

/// What became of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Answered,
    Refused,
    /// It is tried again.
    Waits,
    /// Somebody took it back.
    Gone,
}

impl Files {
    /// The folder of the configuration, if it names one.
    pub(crate) fn open(config: &FilesConfig) -> Result<Option<Self>, ServeError> {
        config.check()?;
        let Some(dir) = &config.dir else { return Ok(None) };
        let failed = |source| ServeError::Folder { path: dir.clone(), source };
        let folder = Folder::open(dir).map_err(failed)?;
        Ok(Some(Self { folder, config: config.clone(), tries: Mutex::default() }))
    }

    /// Answers what comes until the node stops, and finishes what it has begun.
    pub(crate) async fn run(self, shared: Arc<Shared>) {
        let mut stopping = shared.stopping.subscribe();
        let files = Arc::new(self);
        loop {
            let pause = match files.look(&shared).await {
                Ok(false) => files.config.poll_time(),
                Ok(true) => files.config.poll_time().max(RETRY),
                Err(error) => {
                    tracing::error!(%error, "the folder cannot be read; it is tried again");
                    RETRY
                }
            };
            if timeout(pause, stopping.wait_for(|stopping| *stopping)).await.is_ok() {
                return;
            }
        }
    }

    /// Answers what waits now; says whether anything has to wait longer.
    async fn look(self: &Arc<Self>, shared: &Arc<Shared>) -> io::Result<bool> {
        let files = Arc::clone(self);
        let names = blocking(move || files.folder.waiting()).await?;
        let stopping = shared.stopping.subscribe();
        let work = stream::iter(names)
            .take_while(|_| std::future::ready(!*stopping.borrow()))
            .map(|name| self.take_in(shared, name))
            .buffer_unordered(self.config.in_flight);
        let mut work = std::pin::pin!(work);
        let mut waits = false;
        while let Some(fate) = work.next().await {
            waits |= fate == Fate::Waits;
            shared.metrics.files.count(match fate {
                Fate::Answered => "answered",
                Fate::Refused => "refused",
                Fate::Waits => "waits",
                Fate::Gone => continue,
            });
        }
        Ok(waits)
    }

    async fn take_in(self: &Arc<Self>, shared: &Arc<Shared>, name: OsString) -> Fate {
        let fate = match self.settle(shared, &name).await {
            Ok(fate) => fate,
            Err(error) if taken_back(&error) => Fate::Gone,
            Err(error) => {
                tracing::error!(%error, file = ?name, "a file was not dealt with; it is tried again");
                Fate::Waits
            }
        };
        if fate != Fate::Waits {
            self.tries.lock().unwrap_or_else(PoisonError::into_inner).remove(&name);
        }
        fate
    }

    async fn settle(self: &Arc<Self>, shared: &Arc<Shared>, name: &OsStr) -> io::Result<Fate> {
        let call = shared.place().await;
        let (files, named, limit) = (Arc::clone(self), name.to_owned(), shared.body_limit);
        let answer = match blocking(move || files.folder.claim(&named, limit)).await? {
            Found::Message(message) => self.decide(shared, message).await,
            Found::TooLarge => {
                Err(Problem::new(ProblemKind::TooLarge, format!("the file has more than {limit} bytes"))
                    .with_hint("send fewer payments in one message"))
            }
            Found::NotAFile => Err(Problem::malformed("this is not a file").with_hint("put messages here")),
            Found::UsedName => Err(Problem::conflict("a file of this name was answered before")
                .with_hint("give each message a name of its own: its answer has the same")),
            Found::LongName => {
                Err(Problem::malformed(format!("the name {name:?} has more than {MAX_NAME} bytes"))
                    .with_hint("give it a shorter name: what is written about it adds to the name"))
            }
        };
        let (files, name) = (Arc::clone(self), name.to_owned());
        let fate = match answer {
            Ok((suffix, answer)) => {
                blocking(move || files.folder.answer(&name, suffix, &answer)).await?;
                Fate::Answered
            }
            Err(problem) if self.is_tried_again(&name, &problem) => {
                tracing::warn!(%problem, file = ?name, "a file waits");
                Fate::Waits
            }
            Err(problem) => {
                blocking(move || files.folder.refuse(&name, &ProblemBody::from(problem))).await?;
                Fate::Refused
            }
        };
        drop(call);
        Ok(fate)
    }

    /// Whether what failed by `problem` is tried again, with the next look.
    fn is_tried_again(&self, name: &OsStr, problem: &Problem) -> bool {
        let mut tries = self.tries.lock().unwrap_or_else(PoisonError::into_inner);
        tries.entry(name.to_owned()).or_default().again(problem).is_some()
    }

    /// The answer to a message, with what its file's name ends in.
    async fn decide(
        &self,
        shared: &Arc<Shared>,
        message: Vec<u8>,
    ) -> Result<(&'static str, Vec<u8>), Problem> {
        let (deciding, form) = (Arc::clone(shared), self.config.answer);
        let decided =
            shared.to_its_end(async move { form.answer(&*deciding.service, message, None).await }).await?;
        let ends = match form {
            AnswerForm::Report => "",
            AnswerForm::Json => ".json",
        };
        Ok((ends, decided))
    }
}

/// Runs on a thread that may wait for the disk.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    spawn_blocking(work).await.map_err(io::Error::other)?
}

//! One partition: its records one after the other, each settled before the next is begun, and its offset stored only
//! then.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use hansa_types::hash::Digest;
use rdkafka::Message as _;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{OwnedHeaders, OwnedMessage};
use rdkafka::producer::{FutureProducer, FutureRecord, Producer as _};
use rdkafka::util::Timeout;
use tokio::sync::Notify;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::timeout;

use super::config::KafkaConfig;
use super::record;
use crate::error::{Problem, ProblemKind};
use crate::shared::Shared;
use crate::tries::{RETRY, Tries};

/// The most accounts of one message: it is written once for each of them.
const MAX_ACCOUNTS: usize = 64;

/// What all workers use.
pub(super) struct Tools {
    pub(super) shared: Arc<Shared>,
    pub(super) config: Arc<KafkaConfig>,
    pub(super) producer: FutureProducer,
}

/// What a worker and the loop that feeds it tell each other.
#[derive(Default)]
pub(super) struct Line {
    /// Records taken in and not settled.
    pub(super) waiting: AtomicUsize,
    /// The partition is another consumer's now, or the node stops: what is begun is finished, and nothing more.
    pub(super) ended: AtomicBool,
    /// Wakes whoever waits for a retry, at the end.
    pub(super) end: Notify,
}

impl Line {
    pub(super) fn end(&self) {
        self.ended.store(true, Ordering::SeqCst);
        self.end.notify_one();
    }

    fn has_ended(&self) -> bool {
        self.ended.load(Ordering::SeqCst)
    }

    /// Waits, unless the end comes first. Says whether to go on.
    async fn pause(&self, time: Duration) -> bool {
        let _ = timeout(time, self.end.notified()).await;
        !self.has_ended()
    }
}

/// Why a record was not settled.
enum Unsettled {
    /// It is no business of this worker any more.
    Ended,
    /// The producer is of no use any more.
    Fatal(KafkaError),
}

/// Why one try to settle a record came to nothing.
pub(super) enum Failed {
    Problem(Problem),
    /// The producer is of no use any more.
    Fatal(KafkaError),
}

impl From<Problem> for Failed {
    fn from(problem: Problem) -> Self {
        Self::Problem(problem)
    }
}

/// Settles what comes in on `records`, which are of the keyed topic or not; `settled` is told of each record.
///
/// # Errors
/// What happened to the producer, if it is of no use any more.
pub(super) async fn run(
    tools: Arc<Tools>,
    line: Arc<Line>,
    keyed: bool,
    mut records: UnboundedReceiver<OwnedMessage>,
    settled: impl Fn(&OwnedMessage) + Send,
) -> Result<(), KafkaError> {
    // What another consumer decided before it lost the partition is in the log, and has to be in the windows here.
    while keyed && !tools.shared.service.catch_up().await {
        if !line.pause(RETRY).await {
            return Ok(());
        }
    }
    while let Some(record) = records.recv().await {
        if line.has_ended() {
            break;
        }
        match tools.settle(&line, &record).await {
            Ok(()) => {}
            Err(Unsettled::Ended) => break,
            Err(Unsettled::Fatal(error)) => return Err(error),
        }
        line.waiting.fetch_sub(1, Ordering::SeqCst);
        settled(&record);
    }
    Ok(())
}

impl Tools {
    /// Deals with one record, however long it takes.
    async fn settle(&self, line: &Line, record: &OwnedMessage) -> Result<(), Unsettled> {
        let mut tries = Tries::default();
        loop {
            let done = match record.topic() == self.config.messages {
                true => self.key(record).await,
                false => self.decide(record).await,
            };
            let problem = match done {
                Ok(()) => {
                    self.shared.metrics.kafka.settled(record.topic(), "done");
                    return Ok(());
                }
                Err(Failed::Fatal(error)) => return Err(Unsettled::Fatal(error)),
                Err(Failed::Problem(problem)) => problem,
            };
            let pause = if let Some(pause) = tries.again(&problem) {
                tracing::warn!(%problem, topic = record.topic(), offset = record.offset(), "a record waits");
                pause
            } else {
                match self.set_aside(record, &problem).await {
                    Ok(()) => {
                        self.shared.metrics.kafka.settled(record.topic(), "dead");
                        return Ok(());
                    }
                    Err(Failed::Fatal(error)) => return Err(Unsettled::Fatal(error)),
                    Err(Failed::Problem(error)) => {
                        tracing::error!(%error, "a record was not set aside; it is tried again");
                        RETRY
                    }
                }
            };
            self.shared.metrics.kafka.settled(record.topic(), "waits");
            if !line.pause(pause).await {
                return Err(Unsettled::Ended);
            }
        }
    }

    /// Writes a message again, once for each account that its payments are ordered by, under that account.
    async fn key(&self, record: &OwnedMessage) -> Result<(), Failed> {
        let message = self.message(record)?;
        let (reading, read) = (Arc::clone(&self.shared), message.to_vec());
        let keys = self.shared.to_its_end(async move { reading.service.order_keys(&read) }).await?;
        let mut accounts: Vec<(Digest, Vec<usize>)> = Vec::new();
        let mut seen: BTreeMap<Digest, usize> = BTreeMap::new();
        for (place, key) in keys.iter().enumerate() {
            let at = *seen.entry(*key).or_insert_with(|| {
                accounts.push((*key, Vec::new()));
                accounts.len() - 1
            });
            accounts[at].1.push(place);
        }
        if accounts.len() > MAX_ACCOUNTS {
            let detail =
                format!("the message has payments of {} accounts, more than {MAX_ACCOUNTS}", accounts.len());
            let problem = Problem::new(ProblemKind::TooLarge, detail)
                .with_hint("send fewer payments in one message: it is written once for each account");
            return Err(problem.into());
        }
        let whole = accounts.len() == 1;
        for (account, places) in &accounts {
            let headers = record::keyed(record, (!whole).then_some(places));
            self.write(&self.config.keyed, account.to_string().as_bytes(), message, headers).await?;
        }
        Ok(())
    }

    /// Decides what a keyed record means, and writes the answer once every decision is durable.
    async fn decide(&self, record: &OwnedMessage) -> Result<(), Failed> {
        let message = self.message(record)?.to_vec();
        let places = record::places(record)?;
        let call = self.shared.place().await;
        let deciding = Arc::clone(&self.shared);
        let form = self.config.answer;
        let decided =
            self.shared.to_its_end(async move { form.answer(&*deciding.service, message, places).await });
        let answer = decided.await?;
        drop(call);
        let key = record.key().unwrap_or_default();
        self.write(&self.config.answers, key, &answer, record::answered(record)).await
    }

    /// Writes a record to the dead letters: as it was, if the broker takes it so; or else with less and less of what may
    /// be wrong with it.
    pub(super) async fn set_aside(&self, record: &OwnedMessage, problem: &Problem) -> Result<(), Failed> {
        tracing::warn!(%problem, topic = record.topic(), offset = record.offset(), "a record is set aside");
        // What is too large for this topic too is left where it stands; a header says where that is.
        let payload = record.payload().filter(|payload| payload.len() <= self.shared.body_limit);
        let (key, payload) = (record.key().unwrap_or_default(), payload.unwrap_or_default());
        let forms = [
            (record::headers(record), key, payload),
            (record::own_headers(record), key, payload),
            (OwnedHeaders::new(), &[], &[]),
        ];
        let mut refused = None;
        for (headers, key, payload) in forms {
            let headers = record::refused(headers, record, problem);
            match self.write(&self.config.dead_letters, key, payload, headers).await {
                Err(Failed::Problem(problem)) if !problem.kind.may_pass() => refused = Some(problem),
                done => return done,
            }
        }
        refused.map_or(Ok(()), |problem| Err(problem.into()))
    }

    fn message<'a>(&self, record: &'a OwnedMessage) -> Result<&'a [u8], Problem> {
        let message = record.payload().ok_or_else(|| Problem::malformed("the record is empty"))?;
        if message.len() > self.shared.body_limit {
            let detail =
                format!("the message has {} bytes, more than {}", message.len(), self.shared.body_limit);
            return Err(
                Problem::new(ProblemKind::TooLarge, detail).with_hint("send fewer payments in one message")
            );
        }
        Ok(message)
    }

    /// Writes a record; returns once the broker has it.
    async fn write(
        &self,
        topic: &str,
        key: &[u8],
        payload: &[u8],
        headers: OwnedHeaders,
    ) -> Result<(), Failed> {
        let written = FutureRecord::to(topic).key(key).payload(payload).headers(headers);
        let Err((error, _)) = self.producer.send(written, Timeout::After(RETRY)).await else { return Ok(()) };
        match self.producer.client().fatal_error() {
            Some((code, reason)) => {
                tracing::error!(%code, reason, "the producer is of no use any more");
                Err(Failed::Fatal(error))
            }
            None => Err(not_written(topic, &error).into()),
        }
    }
}

/// What is refused for good is the record's fault. Anything else may pass: nothing is given up because of it.
fn not_written(topic: &str, error: &KafkaError) -> Problem {
    let detail = format!("nothing could be written to the topic {topic}: {error}");
    let kind = match error.rdkafka_error_code() {
        Some(
            RDKafkaErrorCode::MessageSizeTooLarge
            | RDKafkaErrorCode::MessageBatchTooLarge
            | RDKafkaErrorCode::InvalidMessageSize,
        ) => ProblemKind::TooLarge,
        Some(
            RDKafkaErrorCode::InvalidRecord
            | RDKafkaErrorCode::InvalidTimestamp
            | RDKafkaErrorCode::PolicyViolation,
        ) => ProblemKind::Conflict,
        _ => return Problem::unavailable(detail, RETRY.as_secs() as u32),
    };
    Problem::new(kind, detail)
        .with_hint("compare the topic's limits with `api.body_limit`, and the record's key with both")
}

//! Customers by Kafka: what a feed says of accounts, record by record, keyed by account.
//!
//! Every replica reads the whole topic, since each has its own file of customers: the group is the replica's own. Records
//! are taken over many at once, in their order, and their offsets stored once the file has them. Taking one over again
//! changes nothing, so a topic that is compacted by its keys can be read from its beginning at any time.

use std::sync::Arc;
use std::time::Duration;

use hansa_types::id::Actor;
use rdkafka::Message as _;
use rdkafka::consumer::{Consumer as _, DefaultConsumerContext, StreamConsumer};
use rdkafka::error::KafkaError;
use rdkafka::message::OwnedMessage;
use rdkafka::producer::FutureProducer;
use tokio::sync::watch;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use super::config::KafkaConfig;
use super::worker::{Failed, Tools};
use super::{Failure, PAUSE, brokers_are_near, client, consuming, producing, stops_within};
use crate::error::{Problem, ProblemKind};
use crate::model::{CustomerChange, CustomerChanges};
use crate::shared::Shared;
use crate::tries::{RETRY, Tries};

/// How many records are taken over at once.
const BATCH: usize = 10_000;
/// From how many bytes on no further record is waited for.
const BATCH_BYTES: usize = 8 << 20;
/// How long the next record is waited for before those at hand are taken over.
const LINGER: Duration = Duration::from_millis(200);
/// The most bytes of one record.
const MAX_CHANGE: usize = 16 << 10;

/// Takes customers in from a topic.
pub(super) struct Feed {
    consumer: StreamConsumer,
    producer: FutureProducer,
    topic: String,
}

/// What is to be done about records that were not taken over.
enum Next {
    /// They are tried again after a while.
    Wait(Duration),
    /// Fewer of them are tried; one alone is set aside.
    Part(Problem),
}

impl Feed {
    pub(super) fn new(
        config: &KafkaConfig,
        topic: &str,
        replica: u64,
        message_limit: usize,
    ) -> Result<Self, KafkaError> {
        let mut consumer = client(config, message_limit);
        consuming(&mut consumer, config, &format!("{}.customers.{replica}", config.group));
        let consumer = consumer.create_with_context(DefaultConsumerContext)?;
        Ok(Self { consumer, producer: producing(config, message_limit)?, topic: topic.to_owned() })
    }

    /// Takes over what comes until the node stops, or the clients are of no use any more.
    pub(super) async fn serve(self, shared: Arc<Shared>, config: Arc<KafkaConfig>) -> Result<(), Failure> {
        let Self { consumer, producer, topic } = self;
        let consumer = Arc::new(consumer);
        let tools = Tools { shared, config, producer };
        let ended = tools.take_customers(&consumer, &topic).await;
        // Closing commits what was stored, and tells the group; it waits for the broker.
        spawn_blocking(move || drop(consumer)).await?;
        ended
    }
}

/// The records at hand, at least one unless reading failed, and why it ended if it failed.
async fn gather(consumer: &StreamConsumer) -> (Vec<OwnedMessage>, Option<KafkaError>) {
    let (mut records, mut bytes) = (Vec::new(), 0);
    let mut received = consumer.recv().await;
    loop {
        match received {
            Ok(record) => {
                bytes += record.payload_len() + record.key_len();
                records.push(record.detach());
            }
            Err(error) => return (records, Some(error)),
        }
        if records.len() >= BATCH || bytes >= BATCH_BYTES {
            return (records, None);
        }
        let Ok(next) = timeout(LINGER, consumer.recv()).await else { return (records, None) };
        received = next;
    }
}

impl Tools {
    async fn take_customers(&self, consumer: &Arc<StreamConsumer>, topic: &str) -> Result<(), Failure> {
        let mut stopping = self.shared.stopping.subscribe();
        tokio::select! {
            biased;
            _ = stopping.wait_for(|stopping| *stopping) => return Ok(()),
            near = brokers_are_near(consumer, &self.config, topic) => near?,
        }
        consumer.subscribe(&[topic])?;
        loop {
            let (records, error) = tokio::select! {
                biased;
                _ = stopping.wait_for(|stopping| *stopping) => return Ok(()),
                records = gather(consumer) => records,
            };
            if !self.take_over(&records, &mut stopping).await? {
                return Ok(());
            }
            for record in &records {
                if let Err(error) = consumer.store_offset(topic, record.partition(), record.offset()) {
                    tracing::info!(%error, topic, "an offset was not stored; the record comes again");
                }
            }
            match error {
                None => {}
                Some(error @ KafkaError::MessageConsumptionFatal(_)) => return Err(error.into()),
                Some(error) => {
                    tracing::warn!(%error, topic, "no customers could be read; it is tried again");
                    if stops_within(PAUSE, &mut stopping).await {
                        return Ok(());
                    }
                }
            }
        }
    }

    /// Takes over what records say, in their order; those that are wrong are set aside. Says whether it came to its end:
    /// it does not if the node stops.
    async fn take_over(
        &self,
        records: &[OwnedMessage],
        stopping: &mut watch::Receiver<bool>,
    ) -> Result<bool, KafkaError> {
        let mut parts = vec![records];
        let mut tries = Tries::default();
        while let Some(part) = parts.pop() {
            let settled = match self.apply(part).await {
                Ok(()) => {
                    part.iter().for_each(|record| self.shared.metrics.kafka.settled(record.topic(), "done"));
                    tries = Tries::default();
                    None
                }
                Err(problem) => Some((next(&mut tries, problem), part)),
            };
            let pause = match settled {
                None => continue,
                Some((Next::Wait(pause), _)) => pause,
                Some((Next::Part(problem), [record])) => match self.set_aside(record, &problem).await {
                    Ok(()) => {
                        self.shared.metrics.kafka.settled(record.topic(), "dead");
                        tries = Tries::default();
                        continue;
                    }
                    Err(Failed::Fatal(error)) => return Err(error),
                    Err(Failed::Problem(error)) => {
                        tracing::error!(%error, "a record was not set aside; it is tried again");
                        RETRY
                    }
                },
                Some((Next::Part(_), part)) => {
                    let (first, second) = part.split_at(part.len() / 2);
                    parts.extend([second, first]);
                    tries = Tries::default();
                    continue;
                }
            };
            part.iter().for_each(|record| self.shared.metrics.kafka.settled(record.topic(), "waits"));
            parts.push(part);
            if stops_within(pause, stopping).await {
                return Ok(false);
            }
        }
        Ok(true)
    }

    async fn apply(&self, records: &[OwnedMessage]) -> Result<(), Problem> {
        let changes = records.iter().map(read).collect::<Result<Vec<_>, _>>()?;
        if changes.is_empty() {
            return Ok(());
        }
        let actor: Actor = "feed.kafka".parse().map_err(|_| Problem::internal("no actor"))?;
        let service = Arc::clone(&self.shared);
        let changed =
            async move { service.service.change_customers(CustomerChanges { actor, changes }).await };
        self.shared.to_its_end(changed).await.map(drop)
    }
}

/// What a record says: a change as [`CustomerChanges`] has it, or that the account in its key is closed.
fn read(record: &OwnedMessage) -> Result<CustomerChange, Problem> {
    let Some(value) = record.payload().filter(|value| !value.is_empty()) else {
        let account = record.key().and_then(|key| std::str::from_utf8(key).ok());
        let account = account.ok_or_else(|| {
            Problem::malformed("a record without a value closes the account in its key, and has none")
        })?;
        return Ok(CustomerChange::Close { account: account.to_owned() });
    };
    if value.len() > MAX_CHANGE {
        let detail = format!("the record has {} bytes, more than {MAX_CHANGE}", value.len());
        return Err(Problem::new(ProblemKind::TooLarge, detail).with_hint("write one change a record"));
    }
    serde_json::from_slice(value).map_err(|error| {
        // Where it is wrong, and not what stands there: that is a customer's.
        Problem::malformed(format!("no change of a customer, at column {} of its value", error.column()))
            .with_hint("write one element of `changes` as POST /v1/customers/changes has them")
    })
}

/// A file that is refused at the moment is no record's fault, whatever else a conflict means: the feed waits.
fn next(tries: &mut Tries, problem: Problem) -> Next {
    if problem.kind == ProblemKind::Conflict {
        tracing::warn!(%problem, "customers from Kafka wait");
        return Next::Wait(RETRY);
    }
    match tries.again(&problem) {
        Some(pause) => {
            tracing::warn!(%problem, "customers from Kafka wait");
            Next::Wait(pause)
        }
        None => Next::Part(problem),
    }
}

#[cfg(test)]
mod tests {
    use rdkafka::Timestamp;

    use super::*;

    fn record(key: Option<&str>, value: Option<&[u8]>) -> OwnedMessage {
        let (key, value) = (key.map(|key| key.into()), value.map(<[u8]>::to_vec));
        OwnedMessage::new(value, key, "customers".to_owned(), Timestamp::NotAvailable, 0, 0, None)
    }

    #[test]
    fn a_record_is_a_change_and_one_without_a_value_closes_the_account_in_its_key() {
        let put = br#"{"change": "put", "account": "DE89370400440532013000", "name": "Anna"}"#;
        let Ok(CustomerChange::Put { name, .. }) = read(&record(None, Some(put))) else { panic!("a change") };
        assert_eq!(name, "Anna");
        let closed = CustomerChange::Close { account: "DE89370400440532013000".to_owned() };
        assert_eq!(read(&record(Some("DE89370400440532013000"), None)), Ok(closed.clone()));
        assert_eq!(read(&record(Some("DE89370400440532013000"), Some(b""))), Ok(closed));
        assert!(read(&record(None, None)).is_err());
    }

    #[test]
    fn what_is_wrong_is_said_without_what_stands_there() {
        for wrong in [&b"{\"name\": \"Anna Secret\"}"[..], b"Anna Secret", b"\xff"] {
            let problem = read(&record(None, Some(wrong))).unwrap_err();
            assert!(
                problem.kind == ProblemKind::Malformed && !problem.to_string().contains("Secret"),
                "{problem}"
            );
        }
        let long = vec![b' '; MAX_CHANGE + 1];
        assert_eq!(read(&record(None, Some(&long))).unwrap_err().kind, ProblemKind::TooLarge);
    }
}

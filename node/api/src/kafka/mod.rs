//! Kafka: messages come in as records, pass through a topic that is keyed by account, and are answered by records.
//!
//! ```text
//! messages --> [key: one record an account] --> keyed --> [decide] --> answers
//!     \_________________ what cannot be answered _______________/ \--> dead letters
//! ```
//!
//! The partitions of `messages` do not follow accounts; those of `keyed` do, and a partition is settled record by record.
//! So the payments out of one account are decided in one order, each with those before it in the account's windows,
//! whichever consumers share the partitions and however often these change hands:
//!
//! - a consumer that gets a partition first catches up with the bank's log, where every decision before is;
//! - an offset is stored once the decision is durable in the log and the broker has the answer, so what was not settled
//!   comes again, to whoever holds the partition then;
//! - a payment that comes again gets the decision that the log holds. Two consumers that decide it at once propose the
//!   same key, and the log takes one.
//!
//! Answers come at least once. Back-pressure is a pause: a partition of which `kafka.queue` records wait is not fetched
//! from until half of them are settled.

mod config;
mod record;
mod worker;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _, ConsumerContext, Rebalance, StreamConsumer};
use rdkafka::message::OwnedMessage;
use rdkafka::producer::FutureProducer;
use rdkafka::{ClientContext, Message as _, TopicPartitionList};
use tokio::sync::Notify;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinSet;
use tokio::time::sleep;

pub use self::config::KafkaConfig;
use self::worker::{Line, Tools};
use crate::error::ServeError;
use crate::shared::Shared;

/// What a record has beside the message in it, at most, in bytes.
const ENVELOPE: usize = 64 << 10;
/// What librdkafka keeps of fetched records, at most, in KiB.
const FETCHED_KIB: &str = "16384";
/// How often stored offsets are committed, in milliseconds; also whenever a partition is given back.
const COMMIT_MS: &str = "500";
/// How long is waited after the broker refused something.
const PAUSE: Duration = Duration::from_secs(1);

type Partition = (String, i32);

/// Takes messages in from a broker.
pub(crate) struct Kafka {
    config: KafkaConfig,
    consumer: Arc<StreamConsumer<Context>>,
    producer: FutureProducer,
    revoked: UnboundedReceiver<Vec<Partition>>,
}

/// Tells of partitions that were given to others.
struct Context(UnboundedSender<Vec<Partition>>);

impl ClientContext for Context {}

impl ConsumerContext for Context {
    fn pre_rebalance(&self, _: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        match rebalance {
            Rebalance::Revoke(partitions) => drop(self.0.send(named(partitions))),
            Rebalance::Assign(partitions) => {
                tracing::info!(partitions = ?named(partitions), "partitions are read here");
            }
            Rebalance::Error(error) => tracing::warn!(%error, "the partitions were not shared out"),
        }
    }
}

fn named(partitions: &TopicPartitionList) -> Vec<Partition> {
    partitions.elements().iter().map(|part| (part.topic().to_owned(), part.partition())).collect()
}

/// The partitions that are read here.
#[derive(Default)]
struct Desk {
    lines: BTreeMap<Partition, (Arc<Line>, UnboundedSender<OwnedMessage>)>,
    paused: BTreeSet<Partition>,
    workers: JoinSet<()>,
    /// Wakes whoever feeds the workers: one has room again.
    room: Arc<Notify>,
}

impl Kafka {
    /// The clients of the configuration, if it names brokers. Whether these answer shows later, in the log.
    pub(crate) fn open(config: &KafkaConfig, message_limit: usize) -> Result<Option<Self>, ServeError> {
        config.check()?;
        if config.brokers.is_empty() {
            return Ok(None);
        }
        let (sender, revoked) = unbounded_channel();
        let largest = (message_limit + ENVELOPE).to_string();
        let mut client = ClientConfig::new();
        client.set("bootstrap.servers", config.brokers.join(",")).set("message.max.bytes", &largest);
        let consumer: StreamConsumer<Context> = client
            .clone()
            .set("group.id", &config.group)
            .set("session.timeout.ms", config.session_ms.to_string())
            .set("auto.offset.reset", "earliest")
            .set("enable.auto.offset.store", "false")
            .set("auto.commit.interval.ms", COMMIT_MS)
            .set("queued.max.messages.kbytes", FETCHED_KIB)
            .create_with_context(Context(sender))
            .map_err(ServeError::Kafka)?;
        let producer = client
            // In order and without repetitions of its own; what is waited for one by one gains nothing by lingering.
            .set("enable.idempotence", "true")
            .set("linger.ms", "0")
            .create()
            .map_err(ServeError::Kafka)?;
        consumer.subscribe(&[&config.messages, &config.keyed]).map_err(ServeError::Kafka)?;
        Ok(Some(Self { config: config.clone(), consumer: Arc::new(consumer), producer, revoked }))
    }

    /// Settles what comes until the node stops, and finishes what it has begun.
    pub(crate) async fn run(self, shared: Arc<Shared>) {
        let Self { config, consumer, producer, mut revoked } = self;
        let mut stopping = shared.stopping.subscribe();
        let tools = Arc::new(Tools { shared, config, producer });
        let mut desk = Desk::default();
        let room = Arc::clone(&desk.room);
        loop {
            let mut pause = Duration::ZERO;
            tokio::select! {
                biased;
                _ = stopping.wait_for(|stopping| *stopping) => break,
                Some(partitions) = revoked.recv() => desk.give_up(&partitions),
                Some(ended) = desk.workers.join_next() => {
                    if let Err(error) = ended {
                        tracing::error!(%error, "a partition's worker failed");
                    }
                }
                () = room.notified() => desk.resume(&tools, &consumer),
                received = consumer.recv() => match received {
                    Ok(record) => {
                        // Reading on may have taken partitions away, also the one that the record is of.
                        while let Ok(partitions) = revoked.try_recv() {
                            desk.give_up(&partitions);
                        }
                        desk.take_in(&tools, &consumer, record.detach());
                    }
                    Err(error) => {
                        tracing::warn!(%error, "nothing could be read from the broker; it is tried again");
                        pause = PAUSE;
                    }
                },
            }
            sleep(pause).await;
            tools.shared.metrics.kafka.state(desk.lines.len(), desk.paused.len());
        }
        let all: Vec<Partition> = desk.lines.keys().cloned().collect();
        desk.give_up(&all);
        while desk.workers.join_next().await.is_some() {}
        // Closing commits what was stored, and tells the group; it waits for the broker.
        let closed = tokio::task::spawn_blocking(move || drop(consumer)).await;
        if let Err(error) = closed {
            tracing::warn!(%error, "the broker was not taken leave of; what was settled may come again");
        }
    }
}

impl Desk {
    /// Hands a record to its partition's worker, which begins with the first.
    fn take_in(&mut self, tools: &Arc<Tools>, consumer: &Arc<StreamConsumer<Context>>, record: OwnedMessage) {
        let partition = (record.topic().to_owned(), record.partition());
        if !self.lines.contains_key(&partition) {
            let (line, (sender, records)) = (Arc::new(Line::default()), unbounded_channel());
            let (consumer, room) = (Arc::clone(consumer), Arc::clone(&self.room));
            let settled = move |record: &OwnedMessage| {
                let stored = consumer.store_offset(record.topic(), record.partition(), record.offset());
                if let Err(error) = stored {
                    // Whoever has the partition now gets the record again, and the same decision.
                    tracing::info!(%error, topic = record.topic(), "an offset was not stored");
                }
                room.notify_one();
            };
            self.workers.spawn(worker::run(Arc::clone(tools), Arc::clone(&line), records, settled));
            self.lines.insert(partition.clone(), (line, sender));
        }
        let Some((line, sender)) = self.lines.get(&partition) else { return };
        let waiting = line.waiting.fetch_add(1, Ordering::SeqCst) + 1;
        // A worker that has failed: the record comes again once the partition is read anew.
        if sender.send(record).is_err() {
            tracing::error!(?partition, "nobody settles this partition any more: restart the node");
        }
        if waiting >= tools.config.queue && !self.paused.contains(&partition) {
            match consumer.pause(&list([&partition])) {
                Ok(()) => {
                    self.paused.insert(partition);
                }
                Err(error) => tracing::debug!(%error, "a partition was not paused"),
            }
        }
    }

    /// Reads on where half of what waited is settled.
    fn resume(&mut self, tools: &Tools, consumer: &StreamConsumer<Context>) {
        let lines = &self.lines;
        let has_room = |partition: &Partition| {
            lines
                .get(partition)
                .is_none_or(|(line, _)| line.waiting.load(Ordering::SeqCst) <= tools.config.queue / 2)
        };
        let resumed: Vec<Partition> = self.paused.iter().filter(|part| has_room(part)).cloned().collect();
        if resumed.is_empty() {
            return;
        }
        match consumer.resume(&list(&resumed)) {
            Ok(()) => self.paused.retain(|partition| !resumed.contains(partition)),
            Err(error) => tracing::debug!(%error, "partitions were not resumed"),
        }
    }

    /// Lets go of partitions that others read now.
    fn give_up(&mut self, partitions: &[Partition]) {
        tracing::info!(?partitions, "partitions are not read here any more");
        for partition in partitions {
            self.paused.remove(partition);
            if let Some((line, _)) = self.lines.remove(partition) {
                line.end();
            }
        }
    }
}

fn list<'a>(partitions: impl IntoIterator<Item = &'a Partition>) -> TopicPartitionList {
    let mut list = TopicPartitionList::new();
    for (topic, partition) in partitions {
        list.add_partition(topic, *partition);
    }
    list
}

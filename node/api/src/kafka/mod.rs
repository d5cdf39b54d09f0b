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
//! Answers come at least once. Clients that are of no use any more are replaced by new ones, which begin with what was
//! not settled. Back-pressure is a pause: a partition of which `kafka.queue` records wait is not fetched
//! from until half of them are settled.

mod config;
mod customers;
mod record;
mod worker;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _, ConsumerContext, Rebalance, StreamConsumer};
use rdkafka::error::KafkaError;
use rdkafka::message::OwnedMessage;
use rdkafka::producer::FutureProducer;
use rdkafka::{ClientContext, Message as _, TopicPartitionList};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::{Notify, watch};
use tokio::task::{JoinError, JoinSet, spawn_blocking};
use tokio::time::timeout;

pub use self::config::KafkaConfig;
use self::config::is_local;
use self::customers::Feed;
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
/// How long the brokers get to say who they are.
const METADATA_TIME: Duration = Duration::from_secs(5);

type Partition = (String, i32);

/// Takes messages in from a broker, and customers where they come so.
pub(crate) struct Kafka {
    config: KafkaConfig,
    message_limit: usize,
    replica: u64,
    clients: Clients,
}

/// What speaks to the brokers.
struct Clients {
    consumer: Arc<StreamConsumer<Context>>,
    producer: FutureProducer,
    revoked: UnboundedReceiver<Vec<Partition>>,
}

/// Why clients are of no use any more.
#[derive(Debug, thiserror::Error)]
enum Failure {
    /// Payments would leave the machine in clear text.
    #[error(
        "a broker says that it is at {0}, and payments would go there in clear text: have it advertise an address of \
         this machine, for example of a TLS proxy, or accept it with `kafka.allow_plaintext`"
    )]
    Elsewhere(String),
    #[error("{0}")]
    Client(#[from] KafkaError),
    #[error("a partition's worker failed: {0}")]
    Worker(#[from] JoinError),
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
struct Desk {
    tools: Arc<Tools>,
    consumer: Arc<StreamConsumer<Context>>,
    lines: BTreeMap<Partition, (Arc<Line>, UnboundedSender<OwnedMessage>)>,
    paused: BTreeSet<Partition>,
    workers: JoinSet<Result<(), KafkaError>>,
    /// Wakes whoever feeds the workers: one has room again.
    room: Arc<Notify>,
}

impl Kafka {
    /// The clients of the configuration, if it names brokers. Whether these answer shows later, in the log.
    pub(crate) fn open(
        config: &KafkaConfig,
        replica: u64,
        message_limit: usize,
    ) -> Result<Option<Self>, ServeError> {
        config.check()?;
        if config.brokers.is_empty() {
            return Ok(None);
        }
        let clients = Clients::new(config, message_limit).map_err(ServeError::Kafka)?;
        Ok(Some(Self { config: config.clone(), message_limit, replica, clients }))
    }

    /// Settles what comes until the node stops, and finishes what it has begun.
    pub(crate) async fn run(self, shared: Arc<Shared>) {
        let Self { config, message_limit, replica, clients } = self;
        let config = Arc::new(config);
        let (serving, configured) = (Arc::clone(&shared), Arc::clone(&config));
        let payments = serve_on(
            &shared,
            Ok(clients),
            || Clients::new(&config, message_limit),
            move |clients| clients.serve(Arc::clone(&serving), Arc::clone(&configured)),
        );
        let (serving, configured) = (Arc::clone(&shared), Arc::clone(&config));
        let customers = async {
            let Some(topic) = &config.customers else { return };
            let open = || Feed::new(&config, topic, replica, message_limit);
            let serve = move |feed: Feed| feed.serve(Arc::clone(&serving), Arc::clone(&configured));
            serve_on(&shared, open(), open, serve).await;
        };
        tokio::join!(payments, customers);
    }
}

/// Serves until the node stops: with `clients`, and with new ones whenever those are of no use any more.
async fn serve_on<C, S: Future<Output = Result<(), Failure>>>(
    shared: &Shared,
    mut clients: Result<C, KafkaError>,
    new: impl Fn() -> Result<C, KafkaError>,
    serve: impl Fn(C) -> S,
) {
    let mut stopping = shared.stopping.subscribe();
    loop {
        let ended = match clients {
            Ok(clients) => serve(clients).await,
            Err(error) => Err(Failure::from(error)),
        };
        let Err(failure) = ended else { return };
        tracing::error!(%failure, "nothing is taken in from Kafka; it is begun anew");
        shared.metrics.kafka.failed();
        if stops_within(PAUSE, &mut stopping).await {
            return;
        }
        clients = new();
    }
}

/// Waits, unless the node stops. Says whether it does.
async fn stops_within(time: Duration, stopping: &mut watch::Receiver<bool>) -> bool {
    timeout(time, stopping.wait_for(|stopping| *stopping)).await.is_ok()
}

/// What all clients have in common.
fn client(config: &KafkaConfig, message_limit: usize) -> ClientConfig {
    let mut client = ClientConfig::new();
    let largest = (message_limit + ENVELOPE).to_string();
    client.set("bootstrap.servers", config.brokers.join(",")).set("message.max.bytes", largest);
    client
}

/// Consumers in this group, which store offsets themselves.
fn consuming(client: &mut ClientConfig, config: &KafkaConfig, group: &str) {
    client
        .set("group.id", group)
        .set("session.timeout.ms", config.session_ms.to_string())
        .set("auto.offset.reset", "earliest")
        .set("enable.auto.offset.store", "false")
        .set("auto.commit.interval.ms", COMMIT_MS)
        .set("queued.max.messages.kbytes", FETCHED_KIB);
}

fn producing(config: &KafkaConfig, message_limit: usize) -> Result<FutureProducer, KafkaError> {
    // In order and without repetitions of its own; what is waited for one by one gains nothing by lingering.
    client(config, message_limit).set("enable.idempotence", "true").set("linger.ms", "0").create()
}

impl Clients {
    fn new(config: &KafkaConfig, message_limit: usize) -> Result<Self, KafkaError> {
        let (sender, revoked) = unbounded_channel();
        let mut consumer = client(config, message_limit);
        consuming(&mut consumer, config, &config.group);
        let consumer = consumer.create_with_context(Context(sender))?;
        Ok(Self { consumer: Arc::new(consumer), producer: producing(config, message_limit)?, revoked })
    }

    /// Settles what comes until the node stops, or the clients are of no use any more; finishes what it has begun.
    async fn serve(self, shared: Arc<Shared>, config: Arc<KafkaConfig>) -> Result<(), Failure> {
        let Self { consumer, producer, mut revoked } = self;
        let tools = Arc::new(Tools { shared, config, producer });
        let mut desk = Desk::new(tools, consumer);
        let ended = desk.run(&mut revoked).await;
        let all: Vec<Partition> = desk.lines.keys().cloned().collect();
        desk.give_up(&all);
        while desk.workers.join_next().await.is_some() {}
        // Closing commits what was stored, and tells the group; it waits for the broker.
        let closed = spawn_blocking(move || drop(desk)).await;
        if let Err(error) = closed {
            tracing::warn!(%error, "the broker was not taken leave of; what was settled may come again");
        }
        ended
    }
}

impl Desk {
    fn new(tools: Arc<Tools>, consumer: Arc<StreamConsumer<Context>>) -> Self {
        let (lines, paused) = (BTreeMap::new(), BTreeSet::new());
        Self { tools, consumer, lines, paused, workers: JoinSet::new(), room: Arc::default() }
    }

    /// Hands out what comes until the node stops.
    async fn run(&mut self, revoked: &mut UnboundedReceiver<Vec<Partition>>) -> Result<(), Failure> {
        let mut stopping = self.tools.shared.stopping.subscribe();
        tokio::select! {
            biased;
            _ = stopping.wait_for(|stopping| *stopping) => return Ok(()),
            near = brokers_are_near(&self.consumer, &self.tools.config, &self.tools.config.messages) => near?,
        }
        let topics = [&self.tools.config.messages, &self.tools.config.keyed];
        self.consumer.subscribe(&topics.map(String::as_str))?;
        let (room, consumer) = (Arc::clone(&self.room), Arc::clone(&self.consumer));
        loop {
            let mut refused = false;
            tokio::select! {
                biased;
                _ = stopping.wait_for(|stopping| *stopping) => return Ok(()),
                Some(partitions) = revoked.recv() => self.give_up(&partitions),
                Some(ended) = self.workers.join_next() => ended??,
                () = room.notified() => self.resume(),
                received = consumer.recv() => match received {
                    Ok(record) => {
                        // Reading on may have taken partitions away, also the one that the record is of.
                        while let Ok(partitions) = revoked.try_recv() {
                            self.give_up(&partitions);
                        }
                        self.take_in(record.detach());
                    }
                    Err(error @ KafkaError::MessageConsumptionFatal(_)) => return Err(error.into()),
                    Err(error) => {
                        tracing::warn!(%error, "nothing could be read from the broker; it is tried again");
                        refused = true;
                    }
                },
            }
            self.tools.shared.metrics.kafka.state(self.lines.len(), self.paused.len());
            if refused && stops_within(PAUSE, &mut stopping).await {
                return Ok(());
            }
        }
    }

    /// Hands a record to its partition's worker, which begins with the first.
    fn take_in(&mut self, record: OwnedMessage) {
        let partition = (record.topic().to_owned(), record.partition());
        if !self.lines.contains_key(&partition) {
            let (line, (sender, records)) = (Arc::new(Line::default()), unbounded_channel());
            let (consumer, room) = (Arc::clone(&self.consumer), Arc::clone(&self.room));
            let settled = move |record: &OwnedMessage| {
                let stored = consumer.store_offset(record.topic(), record.partition(), record.offset());
                if let Err(error) = stored {
                    // Whoever has the partition now gets the record again, and the same decision.
                    tracing::info!(%error, topic = record.topic(), "an offset was not stored");
                }
                room.notify_one();
            };
            let (tools, keyed) = (Arc::clone(&self.tools), record.topic() == self.tools.config.keyed);
            self.workers.spawn(worker::run(tools, Arc::clone(&line), keyed, records, settled));
            self.lines.insert(partition.clone(), (line, sender));
        }
        let Some((line, sender)) = self.lines.get(&partition) else { return };
        let waiting = line.waiting.fetch_add(1, Ordering::SeqCst) + 1;
        // A worker that has failed ends these clients; the record comes again to the next.
        let _ = sender.send(record);
        if waiting >= self.tools.config.queue && !self.paused.contains(&partition) {
            match self.consumer.pause(&list([&partition])) {
                Ok(()) => {
                    self.paused.insert(partition);
                }
                Err(error) => tracing::debug!(%error, "a partition was not paused"),
            }
        }
    }

    /// Reads on where half of what waited is settled.
    fn resume(&mut self) {
        let (lines, most) = (&self.lines, self.tools.config.queue / 2);
        let has_room = |partition: &Partition| {
            lines.get(partition).is_none_or(|(line, _)| line.waiting.load(Ordering::SeqCst) <= most)
        };
        let resumed: Vec<Partition> = self.paused.iter().filter(|part| has_room(part)).cloned().collect();
        self.read_on(&resumed);
    }

    /// Lets go of partitions that others read now. One that comes back is read again: librdkafka would leave it paused.
    fn give_up(&mut self, partitions: &[Partition]) {
        tracing::info!(?partitions, "partitions are not read here any more");
        for partition in partitions {
            if let Some((line, _)) = self.lines.remove(partition) {
                line.end();
            }
        }
        let paused: Vec<Partition> =
            partitions.iter().filter(|part| self.paused.contains(*part)).cloned().collect();
        self.read_on(&paused);
    }

    fn read_on(&mut self, paused: &[Partition]) {
        if paused.is_empty() {
            return;
        }
        match self.consumer.resume(&list(paused)) {
            Ok(()) => self.paused.retain(|partition| !paused.contains(partition)),
            // It has no worker then, and is tried again with the next that has room.
            Err(error) => tracing::debug!(%error, "partitions were not resumed"),
        }
    }
}

/// Refuses brokers that the named ones say to be elsewhere, before anything is written to them or read from them.
async fn brokers_are_near<C: ConsumerContext + 'static>(
    consumer: &Arc<StreamConsumer<C>>,
    config: &KafkaConfig,
    topic: &str,
) -> Result<(), Failure> {
    if config.allow_plaintext {
        return Ok(());
    }
    let (consumer, topic) = (Arc::clone(consumer), topic.to_owned());
    let asked = spawn_blocking(move || {
        let metadata = consumer.fetch_metadata(Some(&topic), METADATA_TIME)?;
        let elsewhere = metadata.brokers().iter().find(|broker| !is_local(broker.host()));
        Ok::<_, KafkaError>(elsewhere.map(|broker| format!("{}:{}", broker.host(), broker.port())))
    });
    match asked.await?? {
        Some(broker) => Err(Failure::Elsewhere(broker)),
        None => Ok(()),
    }
}

fn list<'a>(partitions: impl IntoIterator<Item = &'a Partition>) -> TopicPartitionList {
    let mut list = TopicPartitionList::new();
    for (topic, partition) in partitions {
        list.add_partition(topic, *partition);
    }
    list
}

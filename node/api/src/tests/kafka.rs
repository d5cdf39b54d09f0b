//! Kafka over librdkafka's own mock cluster: brokers on loopback that speak the protocol, in this process. It is no real
//! broker, and its authors call it experimental.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use hansa_types::decision::{Decision, Verdict};
use hansa_types::payment::{AgentId, PaymentKey, TransactionRef};
use rdkafka::Message as _;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::message::{Header, Headers as _, OwnedHeaders, OwnedMessage};
use rdkafka::mocking::MockCluster;
use rdkafka::producer::{BaseRecord, DefaultProducerContext, Producer as _, ThreadedProducer};
use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};

use super::node::Node;
use super::samples;
use crate::kafka::KafkaConfig;
use crate::model::{PaymentAnswer, Submission};
use crate::{AnswerForm, ApiConfig, FilesConfig, ServeError};

const PATIENCE: Duration = Duration::from_secs(60);
const PARTITIONS: i32 = 3;

/// What the replicas of a bank share: who decided what first, in the log's order.
#[derive(Default)]
pub(super) struct Log(Mutex<Vec<(String, String, Verdict)>>);

/// A replica that counts an account's payments, and holds from the third on. It counts what it has seen of the log, and
/// no more.
#[derive(Default)]
pub(super) struct Replica {
    log: Arc<Log>,
    counted: Mutex<BTreeMap<String, BTreeSet<String>>>,
}

impl Replica {
    pub(super) fn catch_up(&self) {
        let mut counted = self.counted.lock().unwrap();
        for (payment, account, _) in self.log.0.lock().unwrap().iter() {
            counted.entry(account.clone()).or_default().insert(payment.clone());
        }
    }

    /// Decides `ACCOUNT PAYMENT` on each line, or gives again what the log holds.
    pub(super) fn submit(&self, message: &str, places: Option<&[usize]>) -> Submission {
        let lines = message.lines().enumerate();
        let meant = lines.filter(|(place, _)| places.is_none_or(|places| places.contains(place)));
        let payments = meant.map(|(_, line)| self.decide(line)).collect();
        Submission { message_type: "pacs.008.001.08".to_owned(), payments, shadow: false }
    }

    fn decide(&self, line: &str) -> PaymentAnswer {
        let (account, payment) = line.split_once(' ').unwrap();
        let mut counted = self.counted.lock().unwrap();
        let before = counted.entry(account.to_owned()).or_default();
        let verdict = if before.len() < 2 { Verdict::Clear } else { Verdict::Investigate };
        before.insert(payment.to_owned());
        drop(counted);
        let mut log = self.log.0.lock().unwrap();
        let found = log.iter().find(|(other, ..)| other == payment).map(|(_, _, verdict)| *verdict);
        if found.is_none() {
            log.push((payment.to_owned(), account.to_owned(), verdict));
        }
        let key = PaymentKey::Reference {
            instructing: AgentId::named("A"),
            message_id: payment.to_owned(),
            transaction: TransactionRef::Position(0),
        };
        let decision = Decision { key, verdict: found.unwrap_or(verdict), ..samples::decision() };
        PaymentAnswer::of(&decision, 0, found.is_some())
    }
}

/// A mock cluster with the topics, and clients of it.
struct Broker {
    cluster: MockCluster<'static, DefaultProducerContext>,
    producer: ThreadedProducer<DefaultProducerContext>,
}

impl Broker {
    fn start() -> Self {
        let cluster = MockCluster::new(1).unwrap();
        let KafkaConfig { messages, keyed, answers, dead_letters, .. } = KafkaConfig::default();
        for topic in [messages, keyed, answers, dead_letters] {
            cluster.create_topic(&topic, PARTITIONS, 1).unwrap();
        }
        let servers = cluster.bootstrap_servers();
        let mut client = ClientConfig::new();
        client.set("bootstrap.servers", servers).set("message.max.bytes", "4000000");
        let producer = client.create().unwrap();
        Self { cluster, producer }
    }

    fn config(&self) -> KafkaConfig {
        KafkaConfig {
            brokers: vec![self.cluster.bootstrap_servers()],
            session_ms: 6_000,
            ..KafkaConfig::default()
        }
    }

    /// A message on a partition of the topic of messages.
    fn send(&self, partition: i32, message: &str) {
        self.send_with(partition, &format!("request {message}"), OwnedHeaders::new(), message);
    }

    fn send_with(&self, partition: i32, key: &str, headers: OwnedHeaders, message: &str) {
        let topic = KafkaConfig::default().messages;
        let record = BaseRecord::to(&topic).partition(partition).key(key).headers(headers).payload(message);
        self.producer.send(record).map_err(|(error, _)| error).unwrap();
        self.producer.flush(PATIENCE).unwrap();
    }

    /// Reads a topic from its beginning until `enough`.
    fn read(&self, topic: &str, mut enough: impl FnMut(&[OwnedMessage]) -> bool) -> Vec<OwnedMessage> {
        let consumer: BaseConsumer = ClientConfig::new()
            .set("bootstrap.servers", self.cluster.bootstrap_servers())
            .set("group.id", format!("test-{topic}"))
            .set("enable.auto.commit", "false")
            .create()
            .unwrap();
        let mut list = rdkafka::TopicPartitionList::new();
        for partition in 0..PARTITIONS {
            list.add_partition_offset(topic, partition, rdkafka::Offset::Beginning).unwrap();
        }
        consumer.assign(&list).unwrap();
        let (mut records, deadline) = (Vec::new(), Instant::now() + PATIENCE);
        while !enough(&records) {
            assert!(Instant::now() < deadline, "{topic} holds only {} records", records.len());
            if let Some(record) = consumer.poll(Duration::from_millis(100)) {
                records.push(record.unwrap().detach());
            }
        }
        records
    }

    /// The answers, once there is one for each of `payments` payments.
    fn answers(&self, payments: usize) -> Vec<PaymentAnswer> {
        let topic = KafkaConfig::default().answers;
        let records = self.read(&topic, |records| answered(records).len() >= payments);
        records.iter().flat_map(of).collect()
    }

    fn node(&self, config: &KafkaConfig, replica: Option<Replica>) -> Node {
        let api = ApiConfig { drain_ms: 30_000, ..ApiConfig::default() };
        Node::start_with(api, &FilesConfig::default(), config, replica)
    }
}

fn of(record: &OwnedMessage) -> Vec<PaymentAnswer> {
    serde_json::from_slice::<Submission>(record.payload().unwrap()).unwrap().payments
}

fn name(answer: &PaymentAnswer) -> String {
    match &answer.payment {
        PaymentKey::Reference { message_id, .. } => message_id.clone(),
        PaymentKey::Uetr { uetr, .. } => uetr.to_string(),
    }
}

fn answered(records: &[OwnedMessage]) -> BTreeSet<String> {
    records.iter().flat_map(of).map(|answer| name(&answer)).collect()
}

fn header(record: &OwnedMessage, name: &str) -> Option<String> {
    let value = record.headers()?.iter().find(|header| header.key == name)?.value?;
    Some(String::from_utf8_lossy(value).into_owned())
}

fn requests(records: &[OwnedMessage]) -> BTreeSet<String> {
    records.iter().filter_map(|record| header(record, "hansa-request")).collect()
}

/// What one consumer of the keyed topic would decide, payment by payment.
fn expected(broker: &Broker, payments: usize) -> BTreeMap<String, Verdict> {
    let lines = |record: &OwnedMessage| -> Vec<String> {
        let text = String::from_utf8_lossy(record.payload().unwrap()).into_owned();
        let places = header(record, "hansa-payments");
        let meant = |place: &usize| {
            places.as_ref().is_none_or(|places| places.split(',').any(|other| other == place.to_string()))
        };
        text.lines().enumerate().filter(|(place, _)| meant(place)).map(|(_, line)| line.to_owned()).collect()
    };
    let count = |records: &[OwnedMessage]| records.iter().flat_map(lines).collect::<BTreeSet<_>>().len();
    let keyed = broker.read(&KafkaConfig::default().keyed, |records| count(records) >= payments);
    let (one, mut verdicts) = (Replica::default(), BTreeMap::new());
    for line in keyed.iter().flat_map(lines) {
        let answer = one.decide(&line);
        verdicts.insert(name(&answer), answer.verdict.unwrap());
    }
    verdicts
}

#[test]
fn messages_are_keyed_by_account_decided_and_answered() {
    let broker = Broker::start();
    let mut node = broker.node(&broker.config(), Some(Replica::default()));
    broker.send(0, "anna 1\nbert 2\nanna 3");
    broker.send(1, "anna 4");
    let answers = broker.answers(4);
    let keyed = broker.read(&KafkaConfig::default().keyed, |records| records.len() == 3);
    let partitions: BTreeSet<i32> = keyed
        .iter()
        .filter(|record| {
            record.payload().unwrap().starts_with(b"anna 4")
                || header(record, "hansa-payments").as_deref() == Some("0,2")
        })
        .map(OwnedMessage::partition)
        .collect();
    assert_eq!(partitions.len(), 1, "an account has one partition");
    assert_eq!(header(&keyed[0], "hansa-request").map(|key| key.starts_with("request ")), Some(true));
    assert!(answers.iter().all(|answer| answer.internal.is_none()), "no more than the outside may see");
    let verdicts: BTreeMap<String, Verdict> =
        answers.iter().map(|answer| (name(answer), answer.verdict.unwrap())).collect();
    assert_eq!(verdicts, expected(&broker, 4));
    assert_eq!(verdicts.values().filter(|verdict| **verdict == Verdict::Investigate).count(), 1);
    node.stop();
    node.ended().unwrap();
}

#[test]
fn messages_are_answered_by_status_reports_where_the_rail_wants_them() {
    let broker = Broker::start();
    let config = KafkaConfig { answer: AnswerForm::Report, ..broker.config() };
    let mut node = broker.node(&config, Some(Replica::default()));
    broker.send(0, "anna 1\nbert 2\nanna 3");
    let answers = broker.read(&KafkaConfig::default().answers, |records| records.len() == 2);
    assert!(answers.iter().all(|record| record.payload() == Some(b"<Document/>")));
    let asked: BTreeSet<String> = node.fake.calls.lock().unwrap().iter().cloned().collect();
    // Each account's payments are reported by themselves.
    let wanted = ["report on 20 bytes at [0, 2]", "report on 20 bytes at [1]"].map(str::to_owned);
    assert_eq!(asked, BTreeSet::from(wanted));
    node.stop();
    node.ended().unwrap();
}

/// Payments of ten accounts come in on any partition. A second consumer joins in the middle, and later the first leaves.
#[test]
fn two_consumers_with_rebalances_decide_as_one() {
    const ALL: usize = 240;
    let (broker, log) = (Broker::start(), Arc::new(Log::default()));
    let replica = || Some(Replica { log: Arc::clone(&log), ..Replica::default() });
    let send = |range: std::ops::Range<usize>| {
        // Seven and eleven have no factor in common with ten and three: accounts and partitions go their own ways.
        range.for_each(|n| broker.send((n * 7 % 3) as i32, &format!("account-{} {n}", n * 11 % 10)));
    };
    let mut first = broker.node(&broker.config(), replica());
    send(0..ALL / 3);
    broker.answers(ALL / 6);
    let mut second = broker.node(&broker.config(), replica());
    send(ALL / 3..2 * ALL / 3);
    second.until_metric("kafka_partitions", |value| value > 0.0);
    broker.answers(ALL / 2);
    first.stop();
    send(2 * ALL / 3..ALL);
    first.ended().unwrap();
    let answers = broker.answers(ALL);
    let expected = expected(&broker, ALL);
    assert_eq!(expected.len(), ALL);
    for answer in &answers {
        assert_eq!(answer.verdict, Some(expected[&name(answer)]), "{answer:?}");
    }
    let decided: BTreeSet<String> =
        log.0.lock().unwrap().iter().map(|(payment, ..)| payment.clone()).collect();
    assert_eq!((log.0.lock().unwrap().len(), decided.len()), (ALL, ALL), "each payment is decided once");
    let by = |node: &Node| {
        node.fake.calls.lock().unwrap().iter().filter(|call| call.starts_with("submit")).count()
    };
    assert!(by(&first) > 0 && by(&second) > 0, "both took part");
    second.stop();
    second.ended().unwrap();
}

#[test]
fn what_cannot_be_answered_is_set_aside_with_the_reason_and_holds_nothing_up() {
    let broker = Broker::start();
    let mut node = broker.node(&broker.config(), None);
    for script in ["malformed", "camt", &"x".repeat((1 << 20) + 1), "recovers", "one"] {
        broker.send(0, script);
    }
    let topic = KafkaConfig::default().dead_letters;
    let dead = broker.read(&topic, |records| records.len() == 3);
    let reasons: BTreeSet<String> =
        dead.iter().map(|record| header(record, "hansa-reason").unwrap()).collect();
    let wanted = ["malformed", "too-large", "unsupported-message"].map(str::to_owned);
    assert_eq!(reasons, BTreeSet::from(wanted));
    let malformed = dead.iter().find(|record| record.payload() == Some(b"malformed")).unwrap();
    assert_eq!(header(malformed, "hansa-hint").as_deref(), Some("send it without"));
    assert!(header(malformed, "hansa-record").unwrap().starts_with("hansa.keyed/"));
    assert_eq!(header(malformed, "hansa-request").as_deref(), Some("request malformed"));
    // What may pass is tried until it does.
    let answers = broker.read(&KafkaConfig::default().answers, |records| records.len() == 2);
    assert!(
        answers.iter().any(|record| header(record, "hansa-request").as_deref() == Some("request recovers"))
    );
    node.until_metric(r#"kafka_records_total{topic="hansa.keyed",fate="waits"}"#, |value| value >= 1.0);
    node.stop();
    node.ended().unwrap();
}

#[test]
fn an_offset_is_committed_only_once_the_answer_is_there() {
    let broker = Broker::start();
    let api = ApiConfig { drain_ms: 200, ..ApiConfig::default() };
    let mut first = Node::start_with(api, &FilesConfig::default(), &broker.config(), None);
    broker.send(0, "hang");
    first.entered();
    first.stop();
    assert!(matches!(first.ended(), Err(ServeError::Unfinished { .. })));
    drop(first);
    let mut second = broker.node(&broker.config(), None);
    second.entered();
    second.release();
    assert_eq!(broker.answers(1).len(), 1);
    second.stop();
    second.ended().unwrap();
}

#[test]
fn a_partition_whose_records_wait_is_paused_and_read_on_later() {
    let broker = Broker::start();
    let mut node = broker.node(&KafkaConfig { queue: 2, ..broker.config() }, None);
    for _ in 0..12 {
        broker.send(1, "hang");
    }
    node.entered();
    node.until_metric("kafka_paused", |value| value >= 1.0);
    node.release();
    for _ in 1..12 {
        node.entered();
        node.release();
    }
    let topic = KafkaConfig::default().answers;
    assert_eq!(broker.read(&topic, |records| records.len() == 12).len(), 12);
    node.until_metric("kafka_paused", |value| value == 0.0);
    node.stop();
    node.ended().unwrap();
}

/// librdkafka keeps a partition paused that is taken away and given back.
#[test]
fn a_paused_partition_that_comes_back_after_a_rebalance_is_read_on() {
    const ALL: usize = 12;
    let broker = Broker::start();
    let mut node = broker.node(&KafkaConfig { queue: 2, ..broker.config() }, None);
    let send = |numbers: std::ops::Range<usize>| {
        numbers.for_each(|n| broker.send_with(1, &n.to_string(), OwnedHeaders::new(), "hang"));
    };
    send(0..ALL / 2);
    node.entered();
    node.until_metric("kafka_paused", |value| value >= 1.0);
    // Another consumer of the group takes some partitions, and gives them back.
    let KafkaConfig { messages, keyed, group, .. } = KafkaConfig::default();
    let other: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", broker.cluster.bootstrap_servers())
        .set("group.id", group)
        .set("enable.auto.commit", "false")
        .create()
        .unwrap();
    other.subscribe(&[&messages, &keyed]).unwrap();
    let deadline = Instant::now() + PATIENCE;
    while other.assignment().unwrap().count() == 0 {
        assert!(Instant::now() < deadline, "it takes part");
        let _ = other.poll(Duration::from_millis(100));
    }
    drop(other);
    // What was not settled comes again, after each of the two rebalances.
    (0..10 * ALL).for_each(|_| node.release());
    send(ALL / 2..ALL);
    let topic = KafkaConfig::default().answers;
    broker.read(&topic, |records| requests(records).len() == ALL);
    node.stop();
    node.ended().unwrap();
}

#[test]
fn what_no_topic_takes_is_set_aside_without_it_and_holds_nothing_up() {
    let broker = Broker::start();
    let mut node = broker.node(&broker.config(), None);
    let large = "x".repeat((1 << 20) + (128 << 10));
    // The key becomes a header of the keyed record, which is too large then, and a copy of this one is too.
    broker.send_with(0, &large, OwnedHeaders::new(), "one");
    // Headers of the sender's are copied to what is set aside.
    let foreign = OwnedHeaders::new().insert(Header { key: "trace", value: Some(&large) });
    broker.send_with(0, "short", foreign, &large);
    broker.send(0, "one");
    let dead = broker.read(&KafkaConfig::default().dead_letters, |records| records.len() == 2);
    for record in &dead {
        assert_eq!(header(record, "hansa-reason").as_deref(), Some("too-large"));
        assert!(header(record, "hansa-record").unwrap().starts_with("hansa.messages/0/"));
    }
    let keys: BTreeSet<&[u8]> = dead.iter().filter_map(OwnedMessage::key).collect();
    assert!(keys.contains(&b"short"[..]) && header(&dead[0], "trace").is_none(), "what fits is kept");
    broker.read(&KafkaConfig::default().answers, |records| requests(records).contains("request one"));
    node.stop();
    node.ended().unwrap();
}

#[test]
fn a_panic_while_a_message_is_keyed_is_that_messages_alone() {
    let broker = Broker::start();
    let mut node = broker.node(&broker.config(), None);
    broker.send(0, "panic");
    broker.send(0, "one");
    let dead = broker.read(&KafkaConfig::default().dead_letters, |records| records.len() == 1);
    assert_eq!(header(&dead[0], "hansa-reason").as_deref(), Some("internal"));
    broker.answers(1);
    node.stop();
    node.ended().unwrap();
}

#[test]
fn a_producer_that_is_of_no_use_any_more_is_replaced() {
    let broker = Broker::start();
    let refused = [RDKafkaRespErr::RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED];
    broker.cluster.request_errors(RDKafkaApiKey::InitProducerId, &refused);
    let mut node = broker.node(&broker.config(), None);
    broker.send(0, "one");
    broker.answers(1);
    node.until_metric("kafka_failures_total", |value| value == 1.0);
    node.stop();
    node.ended().unwrap();
}

/// Stands before the brokers, and has them say that they are at another address.
fn elsewhere(servers: String) -> String {
    const LOCAL: &[u8] = b"127.0.0.1";
    const ELSEWHERE: &[u8] = b"192.0.2.1";
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        while let Ok((mut client, _)) = listener.accept() {
            let mut broker = TcpStream::connect(&servers).unwrap();
            let (mut from, mut to) = (client.try_clone().unwrap(), broker.try_clone().unwrap());
            std::thread::spawn(move || std::io::copy(&mut from, &mut to));
            std::thread::spawn(move || {
                let mut size = [0; 4];
                while broker.read_exact(&mut size).is_ok() {
                    let mut answer = vec![0; u32::from_be_bytes(size) as usize];
                    broker.read_exact(&mut answer).unwrap();
                    while let Some(at) = answer.windows(LOCAL.len()).position(|part| part == LOCAL) {
                        answer[at..at + LOCAL.len()].copy_from_slice(ELSEWHERE);
                    }
                    client.write_all(&[&size[..], &answer].concat()).unwrap();
                }
            });
        }
    });
    address
}

#[test]
fn brokers_that_say_they_are_elsewhere_are_not_read_from_in_clear_text() {
    let broker = Broker::start();
    let brokers = vec![elsewhere(broker.cluster.bootstrap_servers())];
    let mut node = broker.node(&KafkaConfig { brokers, ..broker.config() }, None);
    broker.send(0, "one");
    // The second time, the first is over.
    node.until_metric("kafka_failures_total", |value| value >= 2.0);
    node.until_metric("kafka_partitions", |value| value == 0.0);
    assert_eq!(*node.fake.calls.lock().unwrap(), Vec::<String>::new());
    node.stop();
    node.ended().unwrap();
}

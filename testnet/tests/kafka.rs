//! Running nodes that take messages from Kafka: librdkafka's own mock cluster, on loopback. It is no real broker, and its
//! authors call it experimental.

#![expect(clippy::unwrap_used, clippy::panic, reason = "what fails here fails the test")]

mod common;

use std::collections::BTreeMap;
use std::io::Write as _;
use std::time::{Duration, Instant};

use hansa_api::Client;
use hansa_api::model::{AnswerStatus, CustomersView, PaymentAnswer, Submission};
use hansa_node::events::Event;
use hansa_testnet::consortium::Bank;
use hansa_testnet::process::{PATIENCE, client};
use hansa_types::payment::PaymentKey;
use hansa_types::record::RecordClass;
use hansa_types::uetr::Uetr;
use rdkafka::Message as _;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::message::{Headers as _, OwnedMessage};
use rdkafka::mocking::MockCluster;
use rdkafka::producer::{BaseRecord, DefaultProducerContext, Producer as _, ThreadedProducer};
use rdkafka::{Offset, TopicPartitionList};
use serde_json::{Value, json};

use common::fleet::Fleet;
use common::message::{HARMLESS, Holder, LISTED, OTHER, SUSPICIOUS, Transfer, message, to_b};
use common::{A, Group};

const MESSAGES: &str = "hansa.messages";
const KEYED: &str = "hansa.keyed";
const ANSWERS: &str = "hansa.answers";
const DEAD_LETTERS: &str = "hansa.dead-letters";
const CUSTOMERS: &str = "hansa.customers";
/// Of each topic but that of the messages, which has one, so that what comes first is the same in every run.
const PARTITIONS: i32 = 3;
const DEBTORS: u64 = 6;
const PAYMENTS: u64 = 72;

struct Broker {
    cluster: MockCluster<'static, DefaultProducerContext>,
    producer: ThreadedProducer<DefaultProducerContext>,
}

impl Broker {
    fn start() -> Self {
        let cluster = MockCluster::new(3).unwrap();
        cluster.create_topic(MESSAGES, 1, 3).unwrap();
        for topic in [KEYED, ANSWERS, DEAD_LETTERS, CUSTOMERS] {
            cluster.create_topic(topic, PARTITIONS, 3).unwrap();
        }
        let servers = cluster.bootstrap_servers();
        let producer = ClientConfig::new().set("bootstrap.servers", servers).create().unwrap();
        Self { cluster, producer }
    }

    /// Has a bank's node, which does not run, take its messages from here.
    fn serve(&self, bank: &Bank) {
        let servers = self.cluster.bootstrap_servers();
        let brokers: Vec<&str> = servers.split(',').collect();
        let mut config = std::fs::File::options().append(true).open(bank.config()).unwrap();
        let kafka = format!("brokers = {brokers:?}\nsession_ms = 6000\ncustomers = {CUSTOMERS:?}\n");
        write!(config, "\n[kafka]\n{kafka}").unwrap();
    }

    fn send(&self, key: &str, message: &str) {
        self.write(BaseRecord::to(MESSAGES).key(key).payload(message));
    }

    /// What a feed of customers says of an account.
    fn say(&self, account: &str, change: Option<&Value>) {
        let value = change.map(ToString::to_string);
        let record = BaseRecord::to(CUSTOMERS).key(account);
        self.write(match &value {
            Some(value) => record.payload(value),
            None => record,
        });
    }

    fn write(&self, record: BaseRecord<'_, str, str>) {
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
        let mut list = TopicPartitionList::new();
        for partition in 0..PARTITIONS {
            list.add_partition_offset(topic, partition, Offset::Beginning).unwrap();
        }
        consumer.assign(&list).unwrap();
        let (mut records, deadline) = (Vec::new(), Instant::now() + 2 * PATIENCE);
        while !enough(&records) {
            assert!(Instant::now() < deadline, "{topic} holds only {} records", records.len());
            if let Some(record) = consumer.poll(Duration::from_millis(100)) {
                records.push(record.unwrap().detach());
            }
        }
        records
    }

    /// The answers by UETR, once there are as many; of several to one payment, the first.
    fn answers(&self, payments: u64) -> BTreeMap<Uetr, PaymentAnswer> {
        let records = self.read(ANSWERS, |records| by_uetr(records).len() as u64 >= payments);
        by_uetr(&records)
    }
}

fn by_uetr(records: &[OwnedMessage]) -> BTreeMap<Uetr, PaymentAnswer> {
    let mut found = BTreeMap::new();
    for record in records {
        let answer: Submission = serde_json::from_slice(record.payload().unwrap()).unwrap();
        for payment in answer.payments {
            let PaymentKey::Uetr { uetr, .. } = payment.payment else { panic!("{payment:?}") };
            found.entry(uetr).or_insert(payment);
        }
    }
    found
}

fn header(record: &OwnedMessage, name: &str) -> Option<String> {
    let value = record.headers()?.iter().find(|header| header.key == name)?.value?;
    Some(String::from_utf8_lossy(value).into_owned())
}

/// A German account with right check digits (ISO 13616: mod 97 is 1 with the country's letters as 13 and 14).
fn holder(number: u64) -> Holder {
    let account = format!("{:018}", 999_990_010_000_100_000 + number);
    let digits = format!("{account}131400");
    let rest = digits.bytes().fold(0, |rest, digit| (rest * 10 + u64::from(digit - b'0')) % 97);
    let iban = format!("DE{:02}{account}", 98 - rest);
    Holder { iban: Box::leak(iban.into_boxed_str()), ..OTHER }
}

/// Payments of several debtors in turns, each to somebody whom nobody else pays.
fn transfers() -> Vec<Transfer> {
    let transfer = |number: u64| {
        let amount = if number.is_multiple_of(4) { HARMLESS } else { SUSPICIOUS };
        let debtor = holder(number % DEBTORS);
        Transfer { debtor, ..to_b(number, amount, holder(100 + number % DEBTORS)) }
    };
    (1..=PAYMENTS).map(transfer).collect()
}

/// What the log says a payment was decided on: verdict, score and factors.
fn decided(client: &Client, uetr: Uetr) -> String {
    let entries = client.history(uetr, None).unwrap();
    let decisions: Vec<_> = entries.iter().filter(|entry| entry.class == RecordClass::Decision).collect();
    assert_eq!(decisions.len(), 1, "{uetr} is decided once");
    let decision = &decisions[0].record["decision"]["decision"];
    let told = ["verdict", "score", "factors"].map(|field| decision[field].to_string());
    assert!(told.iter().all(|field| field != "null"), "{:?}", decisions[0].record);
    told.join(" ")
}

#[test]
fn messages_are_answered_and_what_is_none_is_set_aside() {
    let broker = Broker::start();
    let mut group = Group::create();
    broker.serve(group.bank(A));
    group.start(&[A]);
    let several = [to_b(1, HARMLESS, OTHER), Transfer { debtor: holder(1), ..to_b(2, HARMLESS, OTHER) }];
    broker.send("order 7", &message(&several));
    broker.send("order 8", "<Document");
    let answers = broker.answers(2);
    assert!(
        answers.values().all(|answer| answer.internal.is_none() && answer.status == AnswerStatus::Decided)
    );
    assert_eq!(group.pay(A, &several[0]).status, AnswerStatus::Repeated, "HTTP sees what Kafka brought");
    let answered = broker.read(ANSWERS, |records| records.len() == 2);
    assert!(answered.iter().all(|record| header(record, "hansa-request").as_deref() == Some("order 7")));
    let dead = broker.read(DEAD_LETTERS, |records| records.len() == 1);
    assert_eq!(header(&dead[0], "hansa-reason").as_deref(), Some("malformed"));
    assert_eq!((dead[0].key(), dead[0].payload()), (Some(&b"order 8"[..]), Some(&b"<Document"[..])));
    group.stop(A);
}

#[test]
fn customers_come_change_and_go_and_a_wrong_record_is_set_aside() {
    fn changed(group: &mut Group, wanted: (usize, usize, usize)) {
        let said = |event: &Event| match event {
            Event::CustomersChanged { added, changed, closed } if (*added, *changed, *closed) == wanted => {
                Some(())
            }
            _ => None,
        };
        group.node(A).wait("customers changed", said).unwrap();
    }
    let (broker, mut group) = (Broker::start(), Group::create());
    broker.serve(group.bank(A));
    let put = |account: &str, name: &str| json!({ "change": "put", "account": account, "name": name });
    let (anna, bert) = (holder(1).iban, holder(2).iban);
    broker.say(anna, Some(&put(anna, "Anna Example")));
    broker.say("nonsense", Some(&put("DE00000000000000000000", "Secret Name")));
    broker.say(bert, Some(&put(bert, LISTED.name)));
    group.start(&[A]);
    // Whatever the batches are, both come; and whoever is listed is found.
    let found = |event: &Event| match event {
        Event::Rescreened { cause, cases, .. } if cause.contains("changed") && *cases > 0 => Some(*cases),
        _ => None,
    };
    assert_eq!(group.node(A).wait("rescreened", found).unwrap(), 1);
    let accounts = |group: &Group| group.hansa::<CustomersView>(A, &["customers", "status"]).accounts;
    assert_eq!(accounts(&group), 3);
    let dead = broker.read(DEAD_LETTERS, |records| records.len() == 1);
    assert_eq!(header(&dead[0], "hansa-reason").as_deref(), Some("malformed"));
    assert_eq!(header(&dead[0], "hansa-record").map(|place| place.starts_with(CUSTOMERS)), Some(true));
    let said = header(&dead[0], "hansa-detail").unwrap();
    assert!(said.contains("no valid IBAN") && !said.contains("Secret") && !said.contains("DE00"), "{said}");

    broker.say(anna, Some(&put(anna, "Anna Other")));
    changed(&mut group, (0, 1, 0));
    broker.say(bert, None);
    changed(&mut group, (0, 0, 1));
    assert_eq!(accounts(&group), 2);
    // What was taken over is not read again.
    group.stop(A);
    group.start(&[A]);
    broker.say(bert, Some(&put(bert, "Bert Example")));
    changed(&mut group, (1, 0, 0));
    assert_eq!(accounts(&group), 3);
    group.stop(A);
}

/// A second replica begins to consume in the middle, and the first one is killed later on. Every payment is decided once,
/// and on the same score as at a bank of one consumer.
#[test]
fn two_consumers_with_rebalances_decide_as_one() {
    let all = transfers();
    let alone = {
        let (broker, mut group) = (Broker::start(), Group::create());
        broker.serve(group.bank(A));
        group.start(&[A]);
        all.iter().for_each(|transfer| broker.send("", &transfer.message()));
        broker.answers(PAYMENTS);
        let client = client(group.bank(A)).unwrap();
        let decided: Vec<_> = all.iter().map(|transfer| decided(&client, transfer.uetr.unwrap())).collect();
        group.stop(A);
        decided
    };
    let (broker, mut fleet) = (Broker::start(), Fleet::create());
    let [first, second, third] = [1, 2, 3].map(|replica| (A, replica));
    broker.serve(fleet.bank(first));
    fleet.start(&[first, second, third]);
    fleet.leader();
    let third_of = all.len() / 3;
    let send = |part: &[Transfer]| part.iter().for_each(|transfer| broker.send("", &transfer.message()));
    send(&all[..third_of]);
    broker.answers(PAYMENTS / 6);
    fleet.stop(second);
    broker.serve(fleet.bank(second));
    fleet.start(&[second]);
    send(&all[third_of..2 * third_of]);
    broker.answers(PAYMENTS / 2);
    fleet.kill(first);
    send(&all[2 * third_of..]);
    let answers = broker.answers(PAYMENTS);
    let client = fleet.client(third);
    for (transfer, alone) in all.iter().zip(&alone) {
        let uetr = transfer.uetr.unwrap();
        assert_eq!(&decided(&client, uetr), alone, "{uetr}");
        assert!(alone.contains(&answers[&uetr].verdict.unwrap().to_string()), "{uetr}: {alone}");
    }
    let held = alone.iter().filter(|decided| decided.contains("INVESTIGATE")).count();
    assert!(held > 0 && held < all.len(), "the windows matter: {held} of {} are held", all.len());
    let metrics = fleet.client(second).metrics().unwrap();
    let settled = r#"hansa_kafka_records_total{topic="hansa.keyed",fate="done"} "#;
    let settled = metrics.lines().find_map(|line| line.strip_prefix(settled)?.parse::<u64>().ok());
    assert!(settled.is_some_and(|settled| settled > 0), "the second took part: {settled:?}");
}

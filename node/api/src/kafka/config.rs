//! The section `[kafka]` of the node's configuration.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::answer::AnswerForm;
use crate::config::{ConfigError, MAX_CONCURRENCY, MAX_MS};

/// Where messages come in as records of a broker, and where their answers go.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct KafkaConfig {
    /// Brokers to ask first, `host:port`; none, and no records are taken in.
    pub brokers: Vec<String>,
    /// Whether brokers elsewhere than on this machine may be spoken to, in clear text.
    pub allow_plaintext: bool,
    /// The consumer group: the same on every replica of the bank, and of this bank alone.
    pub group: String,
    /// The topic that messages come in by.
    pub messages: String,
    /// The topic that their payments pass through, keyed by account.
    pub keyed: String,
    /// The topic of the answers.
    pub answers: String,
    /// In what form these are.
    pub answer: AnswerForm,
    /// The topic of what cannot be answered.
    pub dead_letters: String,
    /// The topic that customers come in by; none, and they come otherwise.
    pub customers: Option<String>,
    /// Records of one partition taken in and not answered; then nothing more is fetched of it.
    pub queue: usize,
    /// After how many milliseconds without a sign of life the group gives a consumer's partitions to others.
    pub session_ms: u64,
}

impl Default for KafkaConfig {
    fn default() -> Self {
        Self {
            brokers: Vec::new(),
            allow_plaintext: false,
            group: "hansa".to_owned(),
            messages: "hansa.messages".to_owned(),
            keyed: "hansa.keyed".to_owned(),
            answers: "hansa.answers".to_owned(),
            answer: AnswerForm::Json,
            dead_letters: "hansa.dead-letters".to_owned(),
            customers: None,
            queue: 64,
            session_ms: 10_000,
        }
    }
}

impl KafkaConfig {
    /// Refuses what cannot work.
    ///
    /// # Errors
    /// See [`ConfigError`].
    pub fn check(&self) -> Result<(), ConfigError> {
        if let Some(broker) = self.brokers.iter().find(|broker| !self.allow_plaintext && !names_local(broker))
        {
            return Err(ConfigError::Broker(broker.clone()));
        }
        if self.group.is_empty() {
            return Err(ConfigError::Name("kafka.group"));
        }
        let mut topics = vec![
            ("kafka.messages", &self.messages),
            ("kafka.keyed", &self.keyed),
            ("kafka.answers", &self.answers),
            ("kafka.dead_letters", &self.dead_letters),
        ];
        topics.extend(self.customers.as_ref().map(|topic| ("kafka.customers", topic)));
        for (at, (name, topic)) in topics.iter().enumerate() {
            if topic.is_empty() || topics.iter().skip(at + 1).any(|(_, other)| other == topic) {
                return Err(ConfigError::Name(name));
            }
        }
        let numbers = [
            ("kafka.queue", self.queue as u64, MAX_CONCURRENCY as u64),
            ("kafka.session_ms", self.session_ms, MAX_MS),
        ];
        ConfigError::check_range(numbers)
    }
}

/// Whether `broker`, a host and a port, is on this machine.
fn names_local(broker: &str) -> bool {
    broker.rsplit_once(':').is_some_and(|(host, _port)| is_local(host))
}

/// Whether `host` is this machine.
pub(super) fn is_local(host: &str) -> bool {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brokers_elsewhere_are_spoken_to_only_if_clear_text_is_allowed() {
        let with = |broker: &str, allow_plaintext| {
            let brokers = vec![broker.to_owned()];
            KafkaConfig { brokers, allow_plaintext, ..KafkaConfig::default() }.check()
        };
        for local in ["127.0.0.1:9092", "localhost:9092", "[::1]:9092"] {
            assert_eq!(with(local, false), Ok(()), "{local}");
        }
        for other in ["broker.bank:9092", "10.0.0.1:9092", "localhost.evil:1", "127.0.0.1"] {
            assert_eq!(with(other, false), Err(ConfigError::Broker(other.to_owned())), "{other}");
            assert_eq!(with(other, true), Ok(()), "{other}");
        }
    }

    #[test]
    fn what_a_broker_says_of_itself_is_judged_by_its_host_alone() {
        for local in ["127.0.0.1", "localhost", "::1", "[::1]"] {
            assert!(is_local(local), "{local}");
        }
        for other in ["broker.bank", "10.0.0.1", "localhost.evil", "::ffff:10.0.0.1", ""] {
            assert!(!is_local(other), "{other}");
        }
    }

    #[test]
    fn topics_differ_and_have_names() {
        let default = KafkaConfig::default;
        assert_eq!(default().check(), Ok(()));
        let same = KafkaConfig { keyed: default().messages, ..default() };
        assert_eq!(same.check(), Err(ConfigError::Name("kafka.messages")));
        let empty = KafkaConfig { dead_letters: String::new(), ..default() };
        assert_eq!(empty.check(), Err(ConfigError::Name("kafka.dead_letters")));
        let customers = KafkaConfig { customers: Some(default().answers), ..default() };
        assert_eq!(customers.check(), Err(ConfigError::Name("kafka.answers")));
        let group = KafkaConfig { group: String::new(), ..default() };
        assert_eq!(group.check(), Err(ConfigError::Name("kafka.group")));
        assert!(
            KafkaConfig { queue: 0, ..default() }.check().unwrap_err().to_string().contains("kafka.queue")
        );
    }
}

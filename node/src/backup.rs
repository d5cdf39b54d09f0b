//! Backups of the running node: made on schedule or when somebody asks, measured, and missed loudly.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use hansa_api::model::{BackupAttempt, BackupList, BackupView};
use hansa_consensus::backup::{Backup, BackupConfig, BackupError, folder};
use hansa_types::id::Timestamp;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};
use tokio::sync::Notify;

use crate::events::Event;
use crate::node::Node;

/// How often it is looked whether a backup is due.
const LOOK: Duration = Duration::from_secs(30);
/// After how many intervals without a backup it is overdue.
const OVERDUE: u64 = 2;
/// Seconds of a minute.
const MINUTE: u64 = 60;

/// What is counted about backups.
pub(crate) struct BackupMetrics {
    last: Gauge,
    bytes: Gauge,
    millis: Gauge,
    made: Counter,
    failures: Counter,
    overdue: Gauge,
    off_site_missing: Gauge,
}

impl BackupMetrics {
    pub(crate) fn register(registry: &mut Registry) -> Self {
        let metrics = Self {
            last: Gauge::default(),
            bytes: Gauge::default(),
            millis: Gauge::default(),
            made: Counter::default(),
            failures: Counter::default(),
            overdue: Gauge::default(),
            off_site_missing: Gauge::default(),
        };
        let registry = registry.sub_registry_with_prefix("hansa_backup");
        let help = "When the newest backup was taken, in Unix seconds; 0 for never";
        registry.register_with_unit("last_success", help, Unit::Seconds, metrics.last.clone());
        registry.register_with_unit(
            "size",
            "Length of the newest backup",
            Unit::Bytes,
            metrics.bytes.clone(),
        );
        registry.register("duration_ms", "How long the newest backup took", metrics.millis.clone());
        registry.register("made", "Backups made", metrics.made.clone());
        registry.register("failures", "Backups that failed: see the log", metrics.failures.clone());
        let help = "1 if two intervals of the schedule passed without a backup";
        registry.register("overdue", help, metrics.overdue.clone());
        let help = "Backups that are missing off site, or damaged there, when last compared";
        registry.register("off_site_missing", help, metrics.off_site_missing.clone());
        metrics
    }
}

/// How making backups goes.
pub(crate) struct Backups {
    config: BackupConfig,
    state: Mutex<State>,
    /// Somebody asks for one.
    asked: Notify,
    metrics: BackupMetrics,
}

#[derive(Default)]
struct State {
    running: bool,
    attempts: u64,
    last: Option<BackupAttempt>,
    overdue: bool,
    /// When the schedule began to run: before it nothing can be overdue.
    since: Timestamp,
    newest: Timestamp,
}

impl Backups {
    /// Looks what the folder holds.
    pub(crate) fn new(
        config: BackupConfig,
        metrics: BackupMetrics,
        now: Timestamp,
    ) -> Result<Self, BackupError> {
        config.validate()?;
        if config.recipients.is_empty() {
            tracing::warn!("no backups are made: [backup] names no recipients who could read them");
        }
        let newest = folder::list(&config.dir)?.last().map_or(Timestamp(0), |backup| backup.taken);
        metrics.last.set(i64::try_from(newest.0).unwrap_or(i64::MAX));
        let state = Mutex::new(State { since: now, newest, ..State::default() });
        Ok(Self { config, state, asked: Notify::new(), metrics })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Changed field by field without calls between, so a panic elsewhere leaves it whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks for a backup, unless one is being made.
    pub(crate) fn ask(&self) -> Result<BackupList, BackupError> {
        if self.config.recipients.is_empty() {
            return Err(hansa_consensus::backup::BackupConfigError::NoRecipient.into());
        }
        if !std::mem::replace(&mut self.state().running, true) {
            self.asked.notify_one();
        }
        self.list()
    }

    /// The backups, and how making them goes.
    pub(crate) fn list(&self) -> Result<BackupList, BackupError> {
        let backups = folder::list(&self.config.dir)?.iter().map(view).collect();
        let state = self.state();
        let (running, attempts, overdue) = (state.running, state.attempts, state.overdue);
        Ok(BackupList { running, attempts, last: state.last.clone(), overdue, backups })
    }

    /// Whether the schedule wants one now.
    fn is_due(&self, now: Timestamp) -> bool {
        self.config.is_scheduled() && now.0 >= self.state().newest.0.saturating_add(self.interval())
    }

    fn interval(&self) -> u64 {
        u64::from(self.config.every_minutes) * MINUTE
    }

    /// Since when a backup is missing, the first time that this is seen.
    fn newly_overdue(&self, now: Timestamp) -> Option<Timestamp> {
        let mut state = self.state();
        let last = state.newest.max(state.since);
        let overdue = self.config.is_scheduled() && now.0 > last.0.saturating_add(OVERDUE * self.interval());
        self.metrics.overdue.set(overdue.into());
        let newly = overdue && !state.overdue;
        state.overdue = overdue;
        newly.then_some(last)
    }

    fn ended(&self, attempt: BackupAttempt) {
        let metrics = &self.metrics;
        let number = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
        match &attempt.made {
            Some(made) => {
                metrics.made.inc();
                metrics.last.set(number(made.taken.0));
                metrics.bytes.set(number(made.bytes));
                metrics.millis.set(number(attempt.micros / 1000));
            }
            None => {
                metrics.failures.inc();
            }
        }
        let mut state = self.state();
        if let Some(made) = &attempt.made {
            state.newest = made.taken;
        }
        state.running = false;
        state.attempts += 1;
        state.last = Some(attempt);
    }
}

/// A backup as the interface shows it.
pub(crate) fn view(backup: &Backup) -> BackupView {
    BackupView {
        file: backup.path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
        log_size: backup.size,
        taken: backup.taken,
        bytes: backup.bytes,
        sha256: backup.hash,
    }
}

/// Makes a backup whenever one is due or asked for.
pub(crate) async fn run(node: std::sync::Arc<Node>) {
    let backups = &node.backups;
    let mut looks = tokio::time::interval(LOOK);
    looks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        let asked = tokio::select! {
            () = backups.asked.notified() => true,
            _ = looks.tick() => false,
        };
        let now = node.now();
        if asked || backups.is_due(now) {
            backups.state().running = true;
            make(&node, now).await;
        }
        if let Some(since) = backups.newly_overdue(node.now()) {
            tracing::error!(%since, "backups are overdue: none was made for two intervals of the schedule");
            node.events.emit(&Event::BackupOverdue { since });
        }
    }
}

async fn make(node: &Node, now: Timestamp) {
    let backups = &node.backups;
    let begun = Instant::now();
    let made = node.journal.consensus().back_up(&backups.config, node.journal.origin(), now).await;
    let micros = u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX);
    let attempt = BackupAttempt { at: node.now(), micros, made: None, error: None };
    match made {
        Ok(backup) => {
            let made = view(&backup);
            tracing::info!(file = made.file, sha256 = %made.sha256, bytes = made.bytes, "a backup was made");
            node.events.emit(&Event::BackupMade { file: made.file.clone(), log_size: made.log_size });
            // Not in the audit log: a quiet log would be longer than its newest backup because of the backup.
            backups.ended(BackupAttempt { made: Some(made), ..attempt });
            compare(node).await;
        }
        Err(error) => {
            let reason = error.to_string();
            tracing::error!(reason, "no backup was made; it is tried again");
            node.events.emit(&Event::BackupFailed { reason: reason.clone() });
            backups.ended(BackupAttempt { error: Some(reason), ..attempt });
        }
    }
}

/// Looks whether what was made before has arrived off site.
async fn compare(node: &Node) {
    let config = node.backups.config.clone();
    let Some(off_site) = config.off_site else { return };
    let dir = config.dir;
    match tokio::task::spawn_blocking(move || folder::compare(&dir, &off_site)).await {
        Ok(Ok(comparison)) => {
            let missing = comparison.missing.len() + comparison.different.len();
            node.backups.metrics.off_site_missing.set(i64::try_from(missing).unwrap_or(i64::MAX));
            if !comparison.different.is_empty() {
                tracing::error!(files = ?comparison.different, "backups off site differ from those here");
            }
        }
        Ok(Err(error)) => tracing::warn!(%error, "the backups off site cannot be compared"),
        Err(error) => tracing::warn!(%error, "the backups off site were not compared"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn backups(every_minutes: u32, now: u64) -> (tempfile::TempDir, Backups) {
        let dir = tempfile::tempdir().unwrap();
        let recipient = hansa_consensus::backup::keygen(&dir.path().join("identity")).unwrap();
        let config = BackupConfig {
            dir: dir.path().join("backups"),
            recipients: vec![recipient],
            every_minutes,
            ..BackupConfig::default()
        };
        let metrics = BackupMetrics::register(&mut Registry::default());
        let backups = Backups::new(config, metrics, Timestamp(now)).unwrap();
        (dir, backups)
    }

    #[test]
    fn a_backup_is_due_after_an_interval_and_overdue_once_after_two() {
        let (_dir, backups) = backups(10, 10_000);
        assert!(backups.is_due(Timestamp(10_000)), "there is none yet");
        let made = BackupView {
            file: "f".to_owned(),
            log_size: 1,
            taken: Timestamp(10_000),
            bytes: 1,
            sha256: hansa_types::hash::Digest([0; 32]),
        };
        let attempt = BackupAttempt { at: Timestamp(10_001), micros: 5000, made: Some(made), error: None };
        backups.ended(attempt.clone());
        assert!(!backups.is_due(Timestamp(10_599)));
        assert!(backups.is_due(Timestamp(10_600)));
        assert_eq!(backups.newly_overdue(Timestamp(11_200)), None);
        assert_eq!(backups.newly_overdue(Timestamp(11_201)), Some(Timestamp(10_000)));
        assert_eq!(backups.newly_overdue(Timestamp(11_202)), None, "said once");
        assert!(backups.list().unwrap().overdue);
        backups.ended(BackupAttempt { made: None, error: Some("full".to_owned()), ..attempt.clone() });
        assert_eq!((backups.metrics.failures.get(), backups.metrics.made.get()), (1, 1));
        assert!(backups.is_due(Timestamp(11_202)), "a failure is tried again");
    }

    #[test]
    fn whoever_asks_twice_gets_one_and_without_recipients_none() {
        let (_dir, backups) = backups(0, 0);
        assert!(!backups.is_due(Timestamp(u64::MAX)));
        assert!(backups.ask().unwrap().running);
        assert!(backups.ask().unwrap().running);
        let metrics = BackupMetrics::register(&mut Registry::default());
        let none = Backups::new(BackupConfig::default(), metrics, Timestamp(0)).unwrap();
        assert!(matches!(none.ask(), Err(BackupError::Config(_))));
    }
}

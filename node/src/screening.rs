//! What payments are screened with at the moment: lists, model and policy, swapped as one.
//!
//! Whoever decides takes the current screener once and keeps it for that decision: no payment is decided by half of one
//! and half of another.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use hansa_screening::{RiskModel, Screener};
use hansa_types::id::Timestamp;
use tokio::sync::watch;

use crate::config::ScreeningConfig;

/// The current screener, and what is known of where its parts come from.
pub(crate) struct Screening {
    pub(crate) config: ScreeningConfig,
    /// A model that is scored beside the one in use.
    pub(crate) challenger: Option<RiskModel>,
    current: RwLock<Arc<Screener>>,
    swaps: watch::Sender<()>,
    /// The model's file. Held by whoever makes another screener: two changes at once would undo one another.
    pub(crate) changing: tokio::sync::Mutex<Vec<u8>>,
    news: Mutex<BTreeMap<String, News>>,
}

/// What became of a list's source since the node started.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct News {
    /// When the source last gave a version that was taken, or the one in use.
    pub(crate) checked: Option<Timestamp>,
    /// Why the last version was refused.
    pub(crate) refused: Option<String>,
}

impl Screening {
    /// Begins with `screener`, as `config` says, its model read from the file `model`.
    pub(crate) fn new(
        config: ScreeningConfig,
        screener: Screener,
        model: Vec<u8>,
        challenger: Option<RiskModel>,
    ) -> Self {
        Self {
            config,
            challenger,
            current: RwLock::new(Arc::new(screener)),
            swaps: watch::Sender::new(()),
            changing: tokio::sync::Mutex::new(model),
            news: Mutex::default(),
        }
    }

    /// The screener to decide by.
    pub(crate) fn current(&self) -> Arc<Screener> {
        // It is swapped whole, so a panic elsewhere leaves it whole.
        self.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Swaps another in: whatever is decided from here on is decided by it.
    pub(crate) fn swap(&self, screener: Screener) {
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(screener);
        self.swaps.send_replace(());
    }

    /// Tells of every screener that is swapped in.
    pub(crate) fn swaps(&self) -> watch::Receiver<()> {
        self.swaps.subscribe()
    }

    fn news_mut(&self) -> MutexGuard<'_, BTreeMap<String, News>> {
        self.news.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A list's source gave what is in use now.
    pub(crate) fn heard(&self, list: &str, now: Timestamp) {
        self.news_mut().insert(list.to_owned(), News { checked: Some(now), refused: None });
    }

    /// A version of a list was refused.
    pub(crate) fn refused(&self, list: &str, reason: String) {
        self.news_mut().entry(list.to_owned()).or_default().refused = Some(reason);
    }

    /// What became of a list's source.
    pub(crate) fn news(&self, list: &str) -> News {
        self.news_mut().get(list).cloned().unwrap_or_default()
    }
}

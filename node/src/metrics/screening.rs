//! What payments are screened against, counted.

use hansa_screening::watchlist::Watchlist;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::OutcomeLabel;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ListLabel {
    list: String,
}

/// What payments are screened against.
#[derive(Default)]
pub(crate) struct ScreeningMetrics {
    entries: Family<ListLabel, Gauge>,
    published: Family<ListLabel, Gauge>,
    refused: Family<ListLabel, Counter>,
    customers_refused: Counter,
    model_rolled_back: Counter,
    challenger: Family<OutcomeLabel, Counter>,
}

impl ScreeningMetrics {
    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register("list_entries", "Entries of each watch list in use", self.entries.clone());
        registry.register(
            "list_published_at",
            "When the version of each watch list in use was published, in Unix seconds: alert on its age",
            self.published.clone(),
        );
        registry.register(
            "list_refused",
            "Versions of each watch list that were broken, cut off or not to be fetched: alert on any",
            self.refused.clone(),
        );
        registry.register(
            "customers_refused",
            "Times that the customers' file could not be used: alert on any",
            self.customers_refused.clone(),
        );
        registry.register(
            "model_rolled_back",
            "Models that were taken back because payments were decided much otherwise: investigate any",
            self.model_rolled_back.clone(),
        );
        registry.register(
            "challenger",
            "Payments by who would hold them for their score: both, neither, only the champion, only the challenger",
            self.challenger.clone(),
        );
    }

    /// This version of a list is in use.
    pub(crate) fn list(&self, list: &Watchlist) {
        let label = ListLabel { list: list.name.clone() };
        let published = list.date.days_since_epoch().saturating_mul(86_400);
        self.entries.get_or_create(&label).set(i64::try_from(list.entries.len()).unwrap_or(i64::MAX));
        self.published.get_or_create(&label).set(published);
        // A counter that is there before it counts can be alerted on.
        drop(self.refused.get_or_create(&label));
    }

    /// A version of a list was refused.
    pub(crate) fn list_refused(&self, list: &str) {
        self.refused.get_or_create(&ListLabel { list: list.to_owned() }).inc();
    }

    /// A model was taken back.
    pub(crate) fn model_rolled_back(&self) {
        self.model_rolled_back.inc();
    }

    /// A payment was scored by the model in use and by the challenger.
    pub(crate) fn challenged(&self, champion: bool, challenger: bool) {
        let outcome = match (champion, challenger) {
            (true, true) => "both",
            (false, false) => "neither",
            (true, false) => "only-champion",
            (false, true) => "only-challenger",
        };
        self.challenger.get_or_create(&OutcomeLabel { outcome: outcome.to_owned() }).inc();
    }

    /// The customers' file could not be used.
    pub(crate) fn customers_refused(&self) {
        self.customers_refused.inc();
    }
}

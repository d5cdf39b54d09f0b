//! What the HTTP interface counts. The registry is the node's; labels are closed sets (route patterns, status classes).

use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

/// Upper bounds of the histogram's buckets, in seconds: from a status page to a payment with its fsync to a deadline.
const BUCKETS: [f64; 12] = [0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1.0, 5.0, 30.0];

/// Which requests a counter counts.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Answered {
    /// The route's pattern, or `unmatched`.
    route: String,
    /// `2xx` to `5xx`.
    status: String,
}

/// Which requests a histogram times.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Route {
    /// The route's pattern, or `unmatched`.
    route: String,
}

/// The counters of the HTTP interface; cheap to clone, all clones count together.
#[derive(Clone, Debug)]
pub struct HttpMetrics {
    requests: Family<Answered, Counter>,
    seconds: Family<Route, Histogram, fn() -> Histogram>,
    in_flight: Gauge,
    overloaded: Counter,
}

impl HttpMetrics {
    /// Registers the counters under `http_` in `registry`.
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self {
            requests: Family::default(),
            seconds: Family::new_with_constructor(|| Histogram::new(BUCKETS)),
            in_flight: Gauge::default(),
            overloaded: Counter::default(),
        };
        // A counter that is there before it counts can be alerted on.
        let unmatched = || "unmatched".to_owned();
        drop(metrics.requests.get_or_create(&Answered { route: unmatched(), status: "4xx".to_owned() }));
        drop(metrics.seconds.get_or_create(&Route { route: unmatched() }));
        let http = registry.sub_registry_with_prefix("http");
        http.register("requests", "Requests answered, by route and status class", metrics.requests.clone());
        http.register("request_seconds", "Time from head to answer, by route", metrics.seconds.clone());
        http.register("requests_in_flight", "Requests being answered", metrics.in_flight.clone());
        http.register(
            "overloaded",
            "Requests refused because too many were under way",
            metrics.overloaded.clone(),
        );
        metrics
    }

    /// Counts one request as under way until the guard is dropped, also when its connection breaks.
    pub(crate) fn start(&self) -> InFlight {
        self.in_flight.inc();
        InFlight(self.in_flight.clone())
    }

    /// Counts an answer.
    pub(crate) fn answered(&self, route: &str, status: u16, took: Duration) {
        let route = route.to_owned();
        self.seconds.get_or_create(&Route { route: route.clone() }).observe(took.as_secs_f64());
        self.requests.get_or_create(&Answered { route, status: format!("{}xx", status / 100) }).inc();
    }

    /// Counts a refusal for overload.
    pub(crate) fn overloaded(&self) {
        self.overloaded.inc();
    }
}

/// A request under way.
pub(crate) struct InFlight(Gauge);

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.dec();
    }
}

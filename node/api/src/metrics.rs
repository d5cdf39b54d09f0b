//! What the interfaces count. The registry is the node's; labels are closed sets (route patterns, status classes, methods,
//! status codes).

use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use crate::grpc::SCREEN_STREAM;
use crate::kafka::KafkaConfig;

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

/// Which gRPC calls, or answers of a stream, a counter counts.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Called {
    /// The method's path, or `unmatched`.
    method: String,
    /// The name of the google.rpc.Code.
    code: &'static str,
}

/// Which gRPC calls a histogram times.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Method {
    /// The method's path, or `unmatched`.
    method: String,
}

/// The counters of all interfaces; cheap to clone, all clones count together.
#[derive(Clone, Debug)]
pub struct ApiMetrics {
    /// HTTP's.
    pub http: HttpMetrics,
    /// gRPC's.
    pub grpc: GrpcMetrics,
    /// The drop folder's.
    pub files: FilesMetrics,
    /// Kafka's.
    pub kafka: KafkaMetrics,
}

impl ApiMetrics {
    /// Registers the counters in `registry`, each interface's under its own name.
    pub fn register(registry: &mut Registry) -> Self {
        Self {
            http: HttpMetrics::register(registry),
            grpc: GrpcMetrics::register(registry),
            files: FilesMetrics::register(registry),
            kafka: KafkaMetrics::register(registry),
        }
    }
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
            "Requests of any interface refused because too many were under way",
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

/// The counters of the gRPC interface; cheap to clone, all clones count together.
#[derive(Clone, Debug)]
pub struct GrpcMetrics {
    calls: Family<Called, Counter>,
    seconds: Family<Method, Histogram, fn() -> Histogram>,
    in_flight: Gauge,
    stream_answers: Family<Called, Counter>,
}

impl GrpcMetrics {
    /// Registers the counters under `grpc_` in `registry`.
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self {
            calls: Family::default(),
            seconds: Family::new_with_constructor(|| Histogram::new(BUCKETS)),
            in_flight: Gauge::default(),
            stream_answers: Family::default(),
        };
        let unmatched = || "unmatched".to_owned();
        drop(metrics.calls.get_or_create(&Called { method: unmatched(), code: "UNIMPLEMENTED" }));
        drop(metrics.seconds.get_or_create(&Method { method: unmatched() }));
        drop(metrics.stream_answers.get_or_create(&Called { method: SCREEN_STREAM.to_owned(), code: "OK" }));
        let grpc = registry.sub_registry_with_prefix("grpc");
        grpc.register("calls", "Calls answered, by method and status code", metrics.calls.clone());
        grpc.register(
            "call_seconds",
            "Time from head to answer, by method; of a stream, to its first part",
            metrics.seconds.clone(),
        );
        grpc.register("calls_in_flight", "Calls being answered", metrics.in_flight.clone());
        grpc.register(
            "stream_answers",
            "Messages of streams answered, by method and status code",
            metrics.stream_answers.clone(),
        );
        metrics
    }

    /// Counts one call as under way until the guard is dropped, also when its connection breaks.
    pub(crate) fn start(&self) -> InFlight {
        self.in_flight.inc();
        InFlight(self.in_flight.clone())
    }

    /// Counts an answer.
    pub(crate) fn answered(&self, method: &str, code: &'static str, took: Duration) {
        let method = method.to_owned();
        self.seconds.get_or_create(&Method { method: method.clone() }).observe(took.as_secs_f64());
        self.calls.get_or_create(&Called { method, code }).inc();
    }

    /// Counts an answer within a stream.
    pub(crate) fn streamed(&self, method: &str, code: &'static str) {
        self.stream_answers.get_or_create(&Called { method: method.to_owned(), code }).inc();
    }
}

/// What became of a file.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Fate {
    /// `answered`, `refused` or `waits`.
    fate: &'static str,
}

/// The counters of the drop folder; cheap to clone, all clones count together.
#[derive(Clone, Debug)]
pub struct FilesMetrics(Family<Fate, Counter>);

impl FilesMetrics {
    /// Registers the counter `files` in `registry`.
    pub fn register(registry: &mut Registry) -> Self {
        let files = Family::<Fate, Counter>::default();
        drop(files.get_or_create(&Fate { fate: "answered" }));
        registry.register("files", "Files looked at, by what became of them", files.clone());
        Self(files)
    }

    /// Counts a file.
    pub(crate) fn count(&self, fate: &'static str) {
        self.0.get_or_create(&Fate { fate }).inc();
    }
}

/// What became of a record.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RecordFate {
    /// One of the two topics that are read.
    topic: String,
    /// `done`, `dead` or `waits`.
    fate: &'static str,
}

/// The counters of Kafka; cheap to clone, all clones count together.
#[derive(Clone, Debug)]
pub struct KafkaMetrics {
    records: Family<RecordFate, Counter>,
    partitions: Gauge,
    paused: Gauge,
    failures: Counter,
}

impl KafkaMetrics {
    /// Registers the counters under `kafka_` in `registry`.
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self {
            records: Family::default(),
            partitions: Gauge::default(),
            paused: Gauge::default(),
            failures: Counter::default(),
        };
        let topic = KafkaConfig::default().messages;
        drop(metrics.records.get_or_create(&RecordFate { topic, fate: "done" }));
        let kafka = registry.sub_registry_with_prefix("kafka");
        kafka.register("records", "Records tried, by topic and what became of them", metrics.records.clone());
        kafka.register("partitions", "Partitions that records have come from", metrics.partitions.clone());
        kafka.register(
            "paused",
            "Partitions that are not read from until some records are settled",
            metrics.paused.clone(),
        );
        kafka.register(
            "failures",
            "Times that the clients of the brokers failed, or were refused, and were replaced",
            metrics.failures.clone(),
        );
        metrics
    }

    /// Counts clients that are of no use any more.
    pub(crate) fn failed(&self) {
        self.failures.inc();
    }

    /// Counts a try to settle a record.
    pub(crate) fn settled(&self, topic: &str, fate: &'static str) {
        self.records.get_or_create(&RecordFate { topic: topic.to_owned(), fate }).inc();
    }

    /// Shows what is read here.
    pub(crate) fn state(&self, partitions: usize, paused: usize) {
        self.partitions.set(i64::try_from(partitions).unwrap_or(i64::MAX));
        self.paused.set(i64::try_from(paused).unwrap_or(i64::MAX));
    }
}

/// A request under way.
pub(crate) struct InFlight(Gauge);

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.dec();
    }
}

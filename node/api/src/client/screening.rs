//! Calls around screening: lists, customers, exceptions, and decisions explained and taken again.

use hansa_types::codec::Encode;
use hansa_types::hash::Digest;
use hansa_types::id::Actor;
use hansa_types::uetr::Uetr;

use super::{Client, ClientError, read};
use crate::http::CANONICAL;
use crate::model::{
    ActorRequest, BacktestRequest, BacktestView, CustomerChangeView, CustomerChanges, CustomerImport,
    CustomersView, DriftQuery, DriftView, ExceptionList, ExceptionRequest, ExceptionView, Leg,
    ListChangeView, ListDiffQuery, ListEntryView, ListImport, ListsView, ModelReload, ModelView, ReplayView,
    SampleQuery, SampleView, VerdictsRequest, VerdictsView, WhyView, WithdrawalRequest,
};

impl Client {
    /// The watch lists in use.
    pub fn lists(&self) -> Result<ListsView, ClientError> {
        self.get("/v1/lists")
    }

    /// Takes over a version of a list, or says what it would change.
    pub fn import_list(&self, name: &str, import: &ListImport) -> Result<ListChangeView, ClientError> {
        let url = format!("{}/v1/lists/{}", self.base, segment(name));
        let request = self.authorized(self.agent.post(&url)).header("Content-Type", CANONICAL);
        read(&url, request.send(&import.to_bytes()[..]))
    }

    /// Has a list's source asked for its newest version.
    pub fn fetch_list(&self, name: &str, actor: Actor) -> Result<ListChangeView, ClientError> {
        self.post(&format!("/v1/lists/{}/fetch", segment(name)), &ActorRequest { actor })
    }

    /// What distinguishes two versions of a list.
    pub fn list_diff(&self, name: &str, query: &ListDiffQuery) -> Result<ListChangeView, ClientError> {
        let url = format!("{}/v1/lists/{}/diff", self.base, segment(name));
        let mut request = self.authorized(self.agent.get(&url));
        for (name, date) in [("from", query.from), ("to", query.to)] {
            if let Some(date) = date {
                request = request.query(name, date.to_string());
            }
        }
        read(&url, request.call())
    }

    /// An entry of a list in use.
    pub fn list_entry(&self, name: &str, id: &str) -> Result<ListEntryView, ClientError> {
        let url = format!("{}/v1/lists/{}/entries", self.base, segment(name));
        read(&url, self.authorized(self.agent.get(&url)).query("id", id).call())
    }

    /// The customers in use.
    pub fn customers(&self) -> Result<CustomersView, ClientError> {
        self.get("/v1/customers")
    }

    /// Takes over a whole file of customers.
    pub fn import_customers(&self, import: &CustomerImport) -> Result<CustomerChangeView, ClientError> {
        let url = format!("{}/v1/customers", self.base);
        let request = self.authorized(self.agent.put(&url)).header("Content-Type", CANONICAL);
        read(&url, request.send(&import.to_bytes()[..]))
    }

    /// Takes over changes of customers.
    pub fn change_customers(&self, changes: &CustomerChanges) -> Result<CustomerChangeView, ClientError> {
        self.post("/v1/customers/changes", changes)
    }

    /// The exceptions that were not withdrawn.
    pub fn exceptions(&self) -> Result<Vec<ExceptionView>, ClientError> {
        self.get::<ExceptionList>("/v1/exceptions").map(|list| list.exceptions)
    }

    /// Grants an exception.
    pub fn grant(&self, request: &ExceptionRequest) -> Result<ExceptionView, ClientError> {
        self.post("/v1/exceptions", request)
    }

    /// Withdraws an exception.
    pub fn withdraw(&self, id: Digest, request: &WithdrawalRequest) -> Result<ExceptionView, ClientError> {
        self.post(&format!("/v1/exceptions/{id}/withdraw"), request)
    }

    /// The model in use.
    pub fn model(&self) -> Result<ModelView, ClientError> {
        self.get("/v1/model")
    }

    /// Has the model's file read again.
    pub fn reload_model(&self, request: &ModelReload) -> Result<ModelView, ClientError> {
        self.post("/v1/model/reload", request)
    }

    /// What another model would have made of decisions taken.
    pub fn backtest(&self, request: &BacktestRequest) -> Result<BacktestView, ClientError> {
        self.post("/v1/model/backtest", request)
    }

    /// How decisions drifted.
    pub fn drift(&self, query: &DriftQuery) -> Result<DriftView, ClientError> {
        self.get(&format!("/v1/model/drift?before={}&since={}", query.before.0, query.since.0))
    }

    /// Draws payments near the threshold.
    pub fn sample(&self, query: &SampleQuery) -> Result<SampleView, ClientError> {
        let SampleQuery { since, points, count } = query;
        self.get(&format!("/v1/model/sample?since={}&points={points}&count={count}", since.0))
    }

    /// What was decided on payments.
    pub fn verdicts(&self, request: &VerdictsRequest) -> Result<VerdictsView, ClientError> {
        self.post("/v1/verdicts", request)
    }

    /// Why a payment was decided as it was.
    pub fn why(&self, uetr: Uetr, leg: Option<&Leg>) -> Result<WhyView, ClientError> {
        let url = format!("{}/v1/payments/{uetr}/why", self.base);
        read(&url, on_leg(self.authorized(self.agent.get(&url)), leg).call())
    }

    /// Takes the decision on a payment again.
    pub fn replay(&self, uetr: Uetr, leg: Option<&Leg>) -> Result<ReplayView, ClientError> {
        let url = format!("{}/v1/payments/{uetr}/replay", self.base);
        read(&url, on_leg(self.authorized(self.agent.post(&url)), leg).send_empty())
    }
}

/// A request about one leg, if one is named.
pub(super) fn on_leg<T>(request: ureq::RequestBuilder<T>, leg: Option<&Leg>) -> ureq::RequestBuilder<T> {
    match leg {
        Some(Leg { instructing, instructed }) => {
            request.query("instructing", instructing.as_str()).query("instructed", instructed.as_str())
        }
        None => request,
    }
}

/// A name as one segment of a path.
fn segment(name: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    let escape = |byte: u8| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") };
    name.bytes().map(escape).collect()
}

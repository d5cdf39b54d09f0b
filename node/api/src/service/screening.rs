//! What a node offers around screening: lists, customers, exceptions, and decisions explained and taken again.

use async_trait::async_trait;
use hansa_types::hash::Digest;
use hansa_types::id::Actor;
use hansa_types::uetr::Uetr;

use crate::error::Problem;
use crate::model::{
    BacktestRequest, BacktestView, CustomerChangeView, CustomerChanges, CustomerImport, CustomersView,
    DriftQuery, DriftView, ExceptionRequest, ExceptionView, Leg, ListChangeView, ListDiffQuery,
    ListEntryView, ListImport, ListsView, ModelReload, ModelView, ReplayView, SampleQuery, SampleView,
    VerdictsRequest, VerdictsView, WhyView, WithdrawalRequest,
};

/// Screening as a node's interfaces see it. What [`super::Service`] says of calls holds for these.
#[async_trait]
pub trait ScreeningService: Send + Sync + 'static {
    /// The watch lists in use on this replica, and how screening anew goes.
    async fn lists(&self) -> Result<ListsView, Problem>;

    /// Takes over a version of a list on this replica, or says what it would change.
    ///
    /// # Errors
    /// [`Problem::not_found`] for a list that the configuration does not name, [`Problem::malformed`] for one that is
    /// broken, [`Problem::conflict`] for one that is older or much shorter than the one in use and not forced.
    async fn import_list(&self, name: String, import: ListImport) -> Result<ListChangeView, Problem>;

    /// Asks a list's source for its newest version, and takes it over on this replica.
    ///
    /// # Errors
    /// As [`Self::import_list`]; [`Problem::unavailable`] if the source does not answer.
    async fn fetch_list(&self, name: String, actor: Actor) -> Result<ListChangeView, Problem>;

    /// What distinguishes two versions of a list that this replica's archive holds.
    ///
    /// # Errors
    /// [`Problem::not_found`] for a list or a version that is not there.
    async fn list_diff(&self, name: String, query: ListDiffQuery) -> Result<ListChangeView, Problem>;

    /// An entry of a list in use.
    ///
    /// # Errors
    /// [`Problem::not_found`] if there is none.
    async fn list_entry(&self, name: String, id: String) -> Result<ListEntryView, Problem>;

    /// The customers in use on this replica.
    async fn customers(&self) -> Result<CustomersView, Problem>;

    /// Takes over a whole file of customers on this replica.
    ///
    /// # Errors
    /// [`Problem::malformed`] for a file that is broken, [`Problem::conflict`] for one that is much shorter than before
    /// and not forced.
    async fn import_customers(&self, import: CustomerImport) -> Result<CustomerChangeView, Problem>;

    /// Takes over changes of customers on this replica: all, or none.
    ///
    /// # Errors
    /// [`Problem::malformed`] for a change that says nothing usable.
    async fn change_customers(&self, changes: CustomerChanges) -> Result<CustomerChangeView, Problem>;

    /// The exceptions that were not withdrawn.
    async fn exceptions(&self) -> Result<Vec<ExceptionView>, Problem>;

    /// Grants an exception.
    ///
    /// # Errors
    /// [`Problem::not_found`] if the list has no such entry, [`Problem::malformed`] without a reason or for too long,
    /// [`Problem::conflict`] if one says so already.
    async fn grant(&self, request: ExceptionRequest) -> Result<ExceptionView, Problem>;

    /// Withdraws an exception.
    ///
    /// # Errors
    /// [`Problem::not_found`] if there is none, [`Problem::malformed`] without a reason.
    async fn withdraw(&self, id: Digest, request: WithdrawalRequest) -> Result<ExceptionView, Problem>;

    /// Why a payment was decided as it was.
    ///
    /// # Errors
    /// [`Problem::not_found`] if the log does not hold it, [`Problem::conflict`] if it went over several legs and none is
    /// named, or if the archive does not hold what it was decided with.
    async fn why(&self, uetr: Uetr, leg: Option<Leg>) -> Result<WhyView, Problem>;

    /// The model in use on this replica.
    async fn model(&self) -> Result<ModelView, Problem>;

    /// Reads the model's file again, and takes it over on this replica if it is another one.
    ///
    /// # Errors
    /// [`Problem::malformed`] for a file that is broken.
    async fn reload_model(&self, request: ModelReload) -> Result<ModelView, Problem>;

    /// What another model would have made of decisions taken.
    ///
    /// # Errors
    /// [`Problem::malformed`] for a model that is broken.
    async fn backtest(&self, request: BacktestRequest) -> Result<BacktestView, Problem>;

    /// How decisions drifted.
    async fn drift(&self, query: DriftQuery) -> Result<DriftView, Problem>;

    /// Draws payments near the threshold.
    async fn sample(&self, query: SampleQuery) -> Result<SampleView, Problem>;

    /// What was decided on payments.
    ///
    /// # Errors
    /// [`Problem::malformed`] for more than [`crate::model::MAX_VERDICTS`].
    async fn verdicts(&self, request: VerdictsRequest) -> Result<VerdictsView, Problem>;

    /// Takes the decision on a payment again.
    ///
    /// # Errors
    /// As [`Self::why`].
    async fn replay(&self, uetr: Uetr, leg: Option<Leg>) -> Result<ReplayView, Problem>;
}

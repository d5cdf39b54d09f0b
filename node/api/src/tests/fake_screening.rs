//! The scripted node's part around screening.

use async_trait::async_trait;
use hansa_types::hash::Digest;
use hansa_types::id::Actor;
use hansa_types::uetr::Uetr;

use super::fake::Fake;
use super::samples;
use crate::model::*;
use crate::{Problem, ScreeningService};

#[async_trait]
impl ScreeningService for Fake {
    async fn lists(&self) -> Result<ListsView, Problem> {
        Ok(samples::lists())
    }

    async fn import_list(&self, name: String, import: ListImport) -> Result<ListChangeView, Problem> {
        let ListImport { date, actor, force, preview, files } = import;
        let main = files.main.len();
        self.note(format!("import {name} {date} {actor} {force} {preview} {main} {:?}", files.aliases));
        Ok(ListChangeView { name, taken: !preview, ..samples::list_change() })
    }

    async fn fetch_list(&self, name: String, actor: Actor) -> Result<ListChangeView, Problem> {
        self.note(format!("fetch {name} {actor}"));
        Ok(samples::list_change())
    }

    async fn list_diff(&self, name: String, query: ListDiffQuery) -> Result<ListChangeView, Problem> {
        self.note(format!("diff {name} {:?} {:?}", query.from.map(|d| d.to_string()), query.to));
        Ok(samples::list_change())
    }

    async fn list_entry(&self, name: String, id: String) -> Result<ListEntryView, Problem> {
        self.note(format!("entry {name} {id}"));
        Ok(samples::list_entry())
    }

    async fn customers(&self) -> Result<CustomersView, Problem> {
        Ok(samples::customers())
    }

    async fn import_customers(&self, import: CustomerImport) -> Result<CustomerChangeView, Problem> {
        let CustomerImport { actor, force, file } = import;
        self.note(format!("customers {actor} {force} {}", file.len()));
        Ok(samples::customer_change())
    }

    async fn change_customers(&self, changes: CustomerChanges) -> Result<CustomerChangeView, Problem> {
        self.note(format!("change {} {}", changes.actor, changes.changes.len()));
        Ok(samples::customer_change())
    }

    async fn exceptions(&self) -> Result<Vec<ExceptionView>, Problem> {
        Ok(vec![samples::exception()])
    }

    async fn grant(&self, request: ExceptionRequest) -> Result<ExceptionView, Problem> {
        self.note(format!("grant {} {} {}", request.list, request.entry, request.days));
        Ok(samples::exception())
    }

    async fn withdraw(&self, id: Digest, request: WithdrawalRequest) -> Result<ExceptionView, Problem> {
        self.note(format!("withdraw {id} {}", request.reason));
        Ok(ExceptionView { holds: false, ..samples::exception() })
    }

    async fn model(&self) -> Result<ModelView, Problem> {
        Ok(samples::model())
    }

    async fn reload_model(&self, request: ModelReload) -> Result<ModelView, Problem> {
        self.note(format!("reload {} unwatched={}", request.actor, request.unwatched));
        Ok(samples::model())
    }

    async fn backtest(&self, request: BacktestRequest) -> Result<BacktestView, Problem> {
        self.note(format!("backtest {} {}", request.model, request.since.0));
        Ok(samples::backtest())
    }

    async fn drift(&self, query: DriftQuery) -> Result<DriftView, Problem> {
        self.note(format!("drift {} {}", query.before.0, query.since.0));
        Ok(samples::drift())
    }

    async fn sample(&self, query: SampleQuery) -> Result<SampleView, Problem> {
        self.note(format!("sample {} {} {}", query.since.0, query.points, query.count));
        Ok(samples::sample())
    }

    async fn verdicts(&self, request: VerdictsRequest) -> Result<VerdictsView, Problem> {
        self.note(format!("verdicts {}", request.uetrs.len()));
        Ok(samples::verdicts())
    }

    async fn why(&self, uetr: Uetr, leg: Option<Leg>) -> Result<WhyView, Problem> {
        self.note(format!("why {uetr} {}", leg.is_some_and(|leg| leg == samples::leg())));
        Ok(samples::why())
    }

    async fn replay(&self, uetr: Uetr, leg: Option<Leg>) -> Result<ReplayView, Problem> {
        self.note(format!("replay {uetr} {}", leg.is_some()));
        Ok(samples::replay())
    }
}

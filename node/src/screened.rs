//! Lists, customers, exceptions and decisions explained, as the interfaces see them.

use async_trait::async_trait;
use hansa_api::model::{
    BacktestRequest, BacktestView, Check, CustomerChange, CustomerChangeView, CustomerChanges,
    CustomerImport, CustomersView, DriftQuery, DriftView, ExceptionRequest, ExceptionView, FindingView,
    FlipView, Leg, ListChangeView, ListDiffQuery, ListEntryView, ListImport, ListVersionView, ListView,
    ListsView, ModelReload, ModelView, OutcomeView, ReplayView, SampleQuery, SampleView, SummandView,
    VerdictsRequest, VerdictsView, WhyView, WithdrawalRequest, WithoutView,
};
use hansa_api::{Problem, ScreeningService};
use hansa_screening::watchlist::diff::{self, Diff};
use hansa_screening::watchlist::{Entry, Identifier, Watchlist};
use hansa_screening::why::{Flip, Summand, Why, Without};
use hansa_types::date::Date;
use hansa_types::exception::Exception;
use hansa_types::hash::Digest;
use hansa_types::id::Actor;
use hansa_types::uetr::Uetr;

use crate::config::ListConfig;
use crate::customers::{self, Customer, Customers, FileError};
use crate::flows::again::{self, AgainError, Reasons};
use crate::flows::customers::{Counts, CustomersError, import};
use crate::flows::exceptions::{self, ExceptionError, Grant};
use crate::flows::lists::{self, ListsError};
use crate::load::parse_list;
use crate::node::Node;
use crate::risk;
use crate::service::{NodeService, RETRY_SECONDS, journal_problem};

const HOUR: u64 = 3_600;
const DAY: u64 = 24 * HOUR;

#[async_trait]
impl ScreeningService for NodeService {
    async fn lists(&self) -> Result<ListsView, Problem> {
        let node = &self.0;
        let screener = node.screening.current();
        let view = |list: &Watchlist| {
            let config = node.screening.config.lists.iter().find(|config| config.name == list.name);
            let news = node.screening.news(&list.name);
            ListView {
                name: list.name.clone(),
                format: config.map(|config| config.format.to_string()).unwrap_or_default(),
                measure: list.measure.to_string(),
                version: version(list),
                checked: news.checked,
                refused: news.refused,
                stale: config.is_some_and(|config| is_stale(node, config, list)),
            }
        };
        let mut lists: Vec<_> = screener.lists().iter().map(view).collect();
        lists.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(ListsView { lists, rescreening: node.rescreening.view() })
    }

    async fn import_list(&self, name: String, import: ListImport) -> Result<ListChangeView, Problem> {
        let change = lists::import(&self.0, &name, import).await.map_err(lists_problem)?;
        Ok(change_view(Some(&change.before), &change.after, change.taken))
    }

    async fn fetch_list(&self, name: String, actor: Actor) -> Result<ListChangeView, Problem> {
        let change = lists::fetch_now(&self.0, &name, &actor).await.map_err(lists_problem)?;
        Ok(change_view(Some(&change.before), &change.after, change.taken))
    }

    async fn list_diff(&self, name: String, query: ListDiffQuery) -> Result<ListChangeView, Problem> {
        let node = self.0.clone();
        let found = tokio::task::spawn_blocking(move || {
            let before = archived(&node, &name, query.from)?;
            let after = archived(&node, &name, query.to)?;
            Ok(change_view(Some(&before), &after, false))
        });
        found.await.map_err(|error| Problem::internal(error.to_string()))?
    }

    async fn list_entry(&self, name: String, id: String) -> Result<ListEntryView, Problem> {
        let view = |entry: &Entry| entry_view(&name, entry);
        exceptions::find(&self.0, &name, &id, view).map_err(exception_problem)
    }

    async fn customers(&self) -> Result<CustomersView, Problem> {
        let (stamp, refused) = self.0.customers.seen();
        Ok(CustomersView {
            accounts: self.0.customers.current().len() as u64,
            written: stamp.modified(),
            refused,
            stale: customers_stale(&self.0),
        })
    }

    async fn import_customers(&self, request: CustomerImport) -> Result<CustomerChangeView, Problem> {
        let CustomerImport { actor, force, file } = request;
        let parsed = tokio::task::spawn_blocking(move || customers::parse(&file));
        let parsed = parsed.await.map_err(|error| Problem::internal(error.to_string()))?;
        let after = parsed.map_err(|error| Problem::malformed(error.to_string()))?;
        let counts = import(&self.0, |_| after, true, force, &actor)
            .await
            .map_err(|error| customers_problem(&error))?;
        Ok(counts_view(&self.0, counts))
    }

    async fn change_customers(&self, request: CustomerChanges) -> Result<CustomerChangeView, Problem> {
        let CustomerChanges { actor, changes } = request;
        let changes: Vec<_> = changes.into_iter().map(read_change).collect::<Result<_, _>>()?;
        let apply = move |before: &Customers| {
            let mut after = before.clone();
            for (account, customer) in changes {
                match customer {
                    Some(customer) => after.insert(account, customer),
                    None => after.remove(&account),
                };
            }
            after
        };
        // A feed that closes accounts says which: there is nothing to be suspicious of.
        let counts =
            import(&self.0, apply, false, true, &actor).await.map_err(|error| customers_problem(&error))?;
        Ok(counts_view(&self.0, counts))
    }

    async fn exceptions(&self) -> Result<Vec<ExceptionView>, Problem> {
        let all: Vec<Exception> = self.0.book().exceptions.iter().cloned().collect();
        Ok(all.into_iter().map(|exception| exception_view(&self.0, exception)).collect())
    }

    async fn grant(&self, request: ExceptionRequest) -> Result<ExceptionView, Problem> {
        let ExceptionRequest { subject, list, entry, days, reason, actor } = request;
        let grant = Grant { subject, list, entry, reason, days, actor };
        let granted = exceptions::grant(&self.0, grant).await.map_err(exception_problem)?;
        Ok(exception_view(&self.0, granted))
    }

    async fn withdraw(&self, id: Digest, request: WithdrawalRequest) -> Result<ExceptionView, Problem> {
        let WithdrawalRequest { reason, actor } = request;
        let withdrawn = exceptions::withdraw(&self.0, id, reason, actor).await.map_err(exception_problem)?;
        Ok(ExceptionView { holds: false, ..exception_view(&self.0, withdrawn) })
    }

    async fn model(&self) -> Result<ModelView, Problem> {
        Ok(risk::model(&self.0))
    }

    async fn reload_model(&self, request: ModelReload) -> Result<ModelView, Problem> {
        risk::reload(&self.0, request).await
    }

    async fn backtest(&self, request: BacktestRequest) -> Result<BacktestView, Problem> {
        risk::backtest(&self.0, request).await
    }

    async fn drift(&self, query: DriftQuery) -> Result<DriftView, Problem> {
        risk::drift(&self.0, query).await
    }

    async fn sample(&self, query: SampleQuery) -> Result<SampleView, Problem> {
        risk::sample(&self.0, query).await
    }

    async fn verdicts(&self, request: VerdictsRequest) -> Result<VerdictsView, Problem> {
        risk::verdicts(&self.0, request).await
    }

    async fn why(&self, uetr: Uetr, leg: Option<Leg>) -> Result<WhyView, Problem> {
        let key = self.one_leg(uetr, leg.as_ref())?;
        let Reasons { recorded, why, today } =
            again::why(&self.0, key.clone()).await.map_err(again_problem)?;
        let Why { assessment: _, summands, threshold, flips, without } = why;
        let finding = |finding: &hansa_types::decision::Finding| FindingView {
            reason: finding.reason,
            text: finding.text.clone(),
        };
        Ok(WhyView {
            payment: key.to_string(),
            decided_at: recorded.decided_at,
            decided: OutcomeView::from(&recorded),
            findings: recorded.findings.iter().map(finding).collect(),
            summands: summands.into_iter().map(summand_view).collect(),
            threshold: threshold.0,
            flips: flips.into_iter().map(flip_view).collect(),
            without: without
                .into_iter()
                .map(|Without { reason, verdict }| WithoutView { reason, verdict })
                .collect(),
            today: OutcomeView::from(&today),
        })
    }

    async fn replay(&self, uetr: Uetr, leg: Option<Leg>) -> Result<ReplayView, Problem> {
        let key = self.one_leg(uetr, leg.as_ref())?;
        let replay = again::replay(&self.0, key.clone()).await.map_err(again_problem)?;
        Ok(ReplayView {
            payment: key.to_string(),
            decided_at: replay.recorded.decided_at,
            same: replay.same(),
            differences: replay.differences(),
            decided: OutcomeView::from(&replay.recorded),
            replayed: OutcomeView::from(&replay.replayed),
        })
    }
}

/// Whether what payments are screened against is as new as it should be.
pub(crate) fn checks(node: &Node) -> [Check; 2] {
    let stale = stale_lists(node);
    let lists = match stale.is_empty() {
        true => format!("{} watch lists in use", node.screening.current().lists().len()),
        false => format!("no news of {}: see `hansa lists status`", stale.join(", ")),
    };
    let customers = format!("{} accounts held; `hansa customers status`", node.customers.current().len());
    [
        Check { name: "lists".to_owned(), ok: stale.is_empty(), detail: lists },
        Check { name: "customers".to_owned(), ok: !customers_stale(node), detail: customers },
    ]
}

/// The lists without news for longer than the configuration allows.
fn stale_lists(node: &Node) -> Vec<String> {
    let screener = node.screening.current();
    let lists = screener.lists().iter().filter_map(|list| {
        let config = node.screening.config.lists.iter().find(|config| config.name == list.name)?;
        is_stale(node, config, list).then(|| list.name.clone())
    });
    lists.collect()
}

/// Whether the customers' file was not written for longer than the configuration allows.
fn customers_stale(node: &Node) -> bool {
    let age = node.now().0.saturating_sub(node.customers.seen().0.modified().0);
    node.customers.max_age_hours.is_some_and(|hours| age > u64::from(hours) * HOUR)
}

fn is_stale(node: &Node, config: &ListConfig, list: &Watchlist) -> bool {
    let Some(days) = config.max_age_days else { return false };
    let published = u64::try_from(list.date.days_since_epoch()).unwrap_or(0) * DAY;
    let news = node.screening.news(&list.name).checked.map_or(published, |checked| checked.0.max(published));
    node.now().0.saturating_sub(news) > u64::from(days) * DAY
}

fn version(list: &Watchlist) -> ListVersionView {
    ListVersionView { date: list.date, digest: list.digest(), entries: list.entries.len() as u64 }
}

/// What distinguishes a list from the one before; without one, all of it is new.
pub(crate) fn change_view(before: Option<&Watchlist>, after: &Watchlist, taken: bool) -> ListChangeView {
    let found = match before {
        Some(before) => diff::diff(before, after),
        None => Diff { added: after.entries.iter().collect(), ..Diff::default() },
    };
    let ids = |entries: Vec<&Entry>| entries.into_iter().map(|entry| entry.id.clone()).collect();
    ListChangeView {
        name: after.name.clone(),
        from: before.map(version),
        to: version(after),
        taken,
        added: ids(found.added),
        removed: ids(found.removed),
        changed: ids(found.changed),
    }
}

/// The version of a list that was published on `date`; the one in use if no date is named.
fn archived(node: &Node, name: &str, date: Option<Date>) -> Result<Watchlist, Problem> {
    let screener = node.screening.current();
    let current = screener.lists().iter().find(|list| list.name == name);
    let current = current.ok_or_else(|| Problem::not_found(format!("there is no list {name:?}")))?;
    let Some(date) = date.filter(|date| *date != current.date) else { return Ok(current.clone()) };
    let versions = node.archive.versions(name).map_err(|error| Problem::internal(error.to_string()))?;
    let found = versions.iter().rev().find(|version| version.date == date.to_string());
    let found = found.ok_or_else(|| {
        let dates: Vec<_> = versions.iter().map(|version| version.date.as_str()).collect();
        let here = format!("here are those of {}", dates.join(", "));
        Problem::not_found(format!("the archive has no version of {name} of {date}")).with_hint(here)
    })?;
    let raw = node.archive.list(found).map_err(|error| Problem::conflict(error.to_string()))?;
    parse_list(&raw).map_err(|error| Problem::internal(error.to_string()))
}

fn entry_view(list: &str, entry: &Entry) -> ListEntryView {
    let identifier = |identifier: &Identifier| match identifier {
        Identifier::Bic(bic) => format!("BIC {bic}"),
        Identifier::Lei(lei) => format!("LEI {lei}"),
        Identifier::Iban(iban) => format!("IBAN {iban}"),
        Identifier::Other { scheme, value } => format!("{scheme} {value}"),
    };
    ListEntryView {
        list: list.to_owned(),
        id: entry.id.clone(),
        content: entry.digest(),
        kind: entry.kind.to_string(),
        programmes: entry.programmes.clone(),
        names: entry.names.iter().map(|name| (name.text.clone(), name.strength.to_string())).collect(),
        births: entry.births.iter().map(|birth| (birth.from, birth.to)).collect(),
        countries: entry.countries.clone(),
        identifiers: entry.identifiers.iter().map(identifier).collect(),
    }
}

fn counts_view(node: &Node, counts: Counts) -> CustomerChangeView {
    let Counts { added, changed, closed } = counts;
    let accounts = node.customers.current().len() as u64;
    CustomerChangeView { added: added as u64, changed: changed as u64, closed: closed as u64, accounts }
}

/// What a change does to an account: whose it is now, or none if it is closed.
fn read_change(change: CustomerChange) -> Result<(hansa_types::payment::Account, Option<Customer>), Problem> {
    let account = |text: &str| customers::parse_account(text).map_err(Problem::malformed);
    match change {
        CustomerChange::Put { account: text, name, birth_date, country } => {
            let name = name.trim().to_owned();
            if name.is_empty() {
                return Err(Problem::malformed("a name is missing"));
            }
            Ok((account(&text)?, Some(Customer { name, birth_date, country })))
        }
        CustomerChange::Close { account: text } => Ok((account(&text)?, None)),
    }
}

fn exception_view(node: &Node, exception: Exception) -> ExceptionView {
    let same = exceptions::find(node, &exception.list, &exception.entry, Entry::digest);
    let holds = exception.holds(node.now()) && same.is_ok_and(|content| content == exception.content);
    let id = exception.id();
    let Exception { subject, list, entry, content: _, actor, reason, since, expires } = exception;
    ExceptionView { id, subject, list, entry, actor, reason, since, expires, holds }
}

fn summand_view(summand: Summand) -> SummandView {
    let Summand { factor, value, unit, weight, points, evidence } = summand;
    SummandView { factor: factor.to_string(), value, unit: unit.to_owned(), weight, points, evidence }
}

fn flip_view(Flip { factor, value, to }: Flip) -> FlipView {
    FlipView { factor: factor.to_string(), value, to }
}

fn lists_problem(error: ListsError) -> Problem {
    match error {
        ListsError::Unknown(..) => Problem::not_found(error.to_string()),
        ListsError::Broken { .. } => Problem::malformed(error.to_string()),
        ListsError::NoSource(_) | ListsError::Older { .. } | ListsError::Shrunken { .. } => {
            Problem::conflict(error.to_string())
        }
        ListsError::Fetch { .. } => Problem::unavailable(error.to_string(), RETRY_SECONDS),
        ListsError::Journal(error) => journal_problem(error),
        ListsError::Screener(_) | ListsError::Archive(_) | ListsError::Failed(_) => {
            Problem::internal(error.to_string())
        }
    }
}

fn customers_problem(error: &CustomersError) -> Problem {
    match error {
        CustomersError::Shrunken { .. } | CustomersError::Refused(_) => Problem::conflict(error.to_string()),
        CustomersError::File(FileError::Unwritable) => Problem::malformed(error.to_string()),
        CustomersError::Tags(_) => Problem::unavailable(error.to_string(), RETRY_SECONDS),
        CustomersError::File(_) | CustomersError::Failed(_) => Problem::internal(error.to_string()),
    }
}

fn exception_problem(error: ExceptionError) -> Problem {
    match error {
        ExceptionError::NoEntry(..) | ExceptionError::Unknown(_) => Problem::not_found(error.to_string()),
        ExceptionError::Reason | ExceptionError::Days(_) => Problem::malformed(error.to_string()),
        ExceptionError::Granted(..) => Problem::conflict(error.to_string()),
        ExceptionError::Journal(error) => journal_problem(error),
    }
}

fn again_problem(error: AgainError) -> Problem {
    match error {
        AgainError::NoPayment(_) => Problem::not_found(error.to_string()),
        AgainError::Basis(_) | AgainError::Exception => Problem::conflict(error.to_string()),
        AgainError::Journal(error) => journal_problem(error),
        AgainError::Failed(_) => Problem::internal(error.to_string()),
    }
}

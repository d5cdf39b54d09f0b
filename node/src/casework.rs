//! Cases as the interfaces see them: requests in, flows run, views out.

use std::sync::Arc;

use hansa_api::Problem;
use hansa_api::model::{
    CaseAction, CaseAnswer, CaseFilter, CaseList, CaseOpening, CaseReading, CaseResult, CaseReviewing,
    CaseSummary,
};
use hansa_screening::case::Ask;
use hansa_screening::case::draft::{self, Facts, Received, Standing};
use hansa_types::case::Case;
use hansa_types::id::Epoch;
use hansa_types::payment::PaymentKey;

use crate::book::ReceivedSignal;
use crate::flows::cases::{self, CaseError};
use crate::flows::records::MAX_PAGE;
use crate::journal::JournalError;
use crate::node::Node;
use crate::service::{NodeService, journal_problem};

/// How many cases a page has if the filter does not say.
const PAGE: usize = 100;

/// A page of the work list: what is in each case stays in it.
pub(crate) fn list(node: &Node, filter: &CaseFilter) -> Result<CaseList, Problem> {
    let limit = filter.limit.unwrap_or(PAGE);
    if !(1..=MAX_PAGE).contains(&limit) {
        return Err(Problem::malformed(format!("limit is {limit}; 1 to {MAX_PAGE} are wanted")));
    }
    let book = node.book();
    let wanted = |case: &Case| {
        filter.state.is_none_or(|state| case.state() == state)
            && (!filter.overdue || book.cases.is_overdue(case.number))
            && (!filter.review || case.waits_for_review())
            && (!filter.proposed || case.proposal.is_some())
    };
    let summary = |case| CaseSummary::new(case, book.cases.is_overdue(case.number));
    let (cases, next) = book.cases.page(filter.after.unwrap_or(0), limit, wanted);
    Ok(CaseList { cases: cases.into_iter().map(summary).collect(), next })
}

/// Opens a case by hand on the payment under `key`.
pub(crate) async fn open(node: &Node, key: PaymentKey, opening: CaseOpening) -> Result<CaseResult, Problem> {
    let CaseOpening { suspect, actor, note, .. } = opening;
    let case = cases::open(node, key, suspect, actor, note).await.map_err(problem)?;
    Ok(CaseResult { case: case.into(), signal: None, note: None })
}

/// Takes a case one step further.
pub(crate) async fn step(
    service: &NodeService,
    number: u64,
    action: CaseAction,
) -> Result<CaseResult, Problem> {
    let CaseAction { state, actor, note, signal, grounds } = action;
    let asked = Ask { to: state, signal, grounds };
    let stepped = cases::advance(&service.0, number, asked, actor, note).await.map_err(problem)?;
    Ok(result(service, stepped))
}

/// Approves or declines what was proposed.
pub(crate) async fn answer(
    service: &NodeService,
    number: u64,
    answer: CaseAnswer,
) -> Result<CaseResult, Problem> {
    let CaseAnswer { approve, actor, note } = answer;
    let stepped = cases::answer(&service.0, number, approve, actor, note).await.map_err(problem)?;
    Ok(result(service, stepped))
}

fn result(service: &NodeService, stepped: cases::Stepped) -> CaseResult {
    let signal = stepped.signal.as_ref().map(|own| service.own_view(own));
    CaseResult { case: stepped.case.into(), signal, note: stepped.note }
}

/// Says whether a case was cleared rightly.
pub(crate) async fn review(
    node: &Node,
    number: u64,
    reviewing: CaseReviewing,
) -> Result<CaseResult, Problem> {
    let CaseReviewing { passed, actor, note } = reviewing;
    let case = cases::review(node, number, passed, actor, note).await.map_err(problem)?;
    Ok(CaseResult { case: case.into(), signal: None, note: None })
}

/// A case, for a reader who is recorded.
pub(crate) async fn read(node: &Node, number: u64, reading: CaseReading) -> Result<Case, Problem> {
    cases::read(node, number, reading.actor).await.map_err(problem)
}

/// The neutral draft of a report on a case, for a reader who is recorded.
pub(crate) async fn draft(node: &Arc<Node>, number: u64, reading: CaseReading) -> Result<String, Problem> {
    let case = read(node, number, reading).await?;
    let decisions = cases::decisions(node, &case).map_err(journal_problem)?;
    let at = node.now();
    // Before the first epoch nothing is over.
    let epoch = node.manifest().epochs.at(at).unwrap_or(Epoch(0));
    let book = node.book();
    let known = case.signals.iter().filter_map(|signal| book.received.get(signal));
    let received: Vec<Received> = known
        .map(|received| {
            let body = &received.signal.body;
            let (gateway, severity, category) = (body.gateway, body.severity, body.category);
            Received { gateway, at: received.at, severity, category, standing: standing(received, epoch) }
        })
        .collect();
    drop(book);
    let bank = &node.bank;
    Ok(draft::write(&Facts { bank, case: &case, decisions: &decisions, received: &received, at }))
}

/// What became of a signal by `epoch`.
fn standing(received: &ReceivedSignal, epoch: Epoch) -> Standing {
    match received {
        ReceivedSignal { void: true, .. } => Standing::Void,
        ReceivedSignal { retracted: true, .. } => Standing::Retracted,
        received if received.counts(epoch) => Standing::Counts,
        _ => Standing::Expired,
    }
}

fn problem(error: CaseError) -> Problem {
    match error {
        CaseError::NoCase(_) | CaseError::NoPayment(_) => Problem::not_found(error.to_string()),
        CaseError::NoAccount(..) | CaseError::Step(_) => Problem::conflict(error.to_string()),
        CaseError::Journal(JournalError::Seal(error)) => Problem::conflict(error.to_string())
            .with_hint("write less; a case that is full goes on in a new one"),
        CaseError::Journal(error) => journal_problem(error),
    }
}

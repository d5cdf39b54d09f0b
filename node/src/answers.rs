//! Records as the interfaces ask for them: queries in, flows run, views out.

use hansa_api::Problem;
use hansa_api::model::{
    ErasureView, ExpiryRequest, ExpiryView, FoundEntry, HoldView, LogPage, LogQuery, RecordsStatus,
    SubjectAction, SubjectExport, SubjectQuestion, TraceRequest,
};
use hansa_prover::disclosure::Disclosure;
use hansa_types::codec::Encode;
use hansa_types::subject::Subject;

use crate::flows::records::{self, Found, MAX_PAGE, RecordsError, Search};
use crate::journal::JournalError;
use crate::node::Node;
use crate::service::journal_problem;
use crate::terms::Term;

/// How many entries a page has if the query does not say.
const PAGE: usize = 100;

pub(crate) fn find(node: &Node, query: &LogQuery) -> Result<LogPage, Problem> {
    let LogQuery { uetr, subject, tag, nullifier, since, until, class, after, limit } = query;
    let limit = limit.unwrap_or(PAGE);
    if !(1..=MAX_PAGE).contains(&limit) {
        return Err(Problem::malformed(format!("limit is {limit}; 1 to {MAX_PAGE} are wanted")));
    }
    let nullifier = nullifier.map(Term::Nullifier);
    let terms = nullifier.into_iter().chain(uetr.as_ref().map(Term::Uetr)).chain(tag.map(Term::Tag));
    let terms = terms.chain(subject.as_ref().map(Term::of_subject)).collect();
    let from = after.map_or(0, |after| after.saturating_add(1));
    let search = Search { terms, class: *class, since: *since, until: *until, from, limit };
    let page = records::search(node, &search).map_err(records_problem)?;
    Ok(LogPage { entries: entries(node, page.found)?, next: page.next })
}

pub(crate) async fn hold(node: &Node, action: SubjectAction, held: bool) -> Result<HoldView, Problem> {
    let SubjectAction { subject, reason, actor } = action;
    check_reason(&subject, &reason)?;
    let done = records::hold(node, &subject, held, reason, actor).await;
    let (subject, index) = done.map_err(records_problem)?;
    Ok(HoldView { subject, held, index })
}

pub(crate) async fn erase(node: &Node, action: SubjectAction) -> Result<ErasureView, Problem> {
    let SubjectAction { subject, reason, actor } = action;
    check_reason(&subject, &reason)?;
    let erased = records::erase(node, &subject, reason, actor).await.map_err(records_problem)?;
    let mut remaining = Vec::new();
    match node.journal.consensus().scrub().await {
        Ok(left) if left.in_raft_log > 0 => remaining.push(format!(
            "the Raft log may hold {} erased keys until it is purged behind them: run `hansa records scrub`",
            left.in_raft_log
        )),
        Ok(_) => {}
        Err(error) => remaining.push(format!("the erased key's bytes were not rewritten: {error}")),
    }
    let consensus = node.journal.consensus();
    let own = consensus.status().replica;
    let others: Vec<_> =
        consensus.voters().into_iter().filter(|id| *id != own).map(|id| id.to_string()).collect();
    if !others.is_empty() {
        remaining.push(format!(
            "the disks of replicas {} may hold the erased key's bytes: run `hansa records scrub` on each",
            others.join(" and ")
        ));
    }
    remaining.push("what this node remembers of past payments in memory goes with its next start".to_owned());
    remaining
        .push("copies of the key database that were taken before must expire or be destroyed".to_owned());
    Ok(ErasureView { subject: erased.id, records: erased.records, index: erased.index, remaining })
}

pub(crate) fn export(node: &Node, question: &SubjectQuestion) -> Result<SubjectExport, Problem> {
    let held = records::export(node, &question.subject).map_err(records_problem)?;
    Ok(SubjectExport {
        subject: held.id,
        hold: held.hold,
        kept_until: held.kept_until,
        entries: entries(node, held.found)?,
    })
}

pub(crate) async fn expire(node: &Node, request: ExpiryRequest) -> Result<ExpiryView, Problem> {
    let ExpiryRequest { erase, actor, after } = request;
    let done = records::expire(node, erase, after, &actor).await.map_err(records_problem)?;
    let removed = match erase {
        true => node.archive.prune(&node.journal, &node.retention, node.now()).map_err(journal_problem)?,
        false => 0,
    };
    if done.erased > 0 || removed > 0 {
        let detail =
            format!("{} subjects erased, {removed} lists and models removed by {actor}", done.erased);
        node.log_operation("records-expired", detail).await.map_err(journal_problem)?;
    }
    Ok(ExpiryView { expired: done.expired, erased: done.erased, removed, next: done.next })
}

pub(crate) async fn scrub(node: &Node) -> Result<RecordsStatus, Problem> {
    let left = node.journal.consensus().scrub().await;
    let left = left.map_err(|error| journal_problem(JournalError::Propose(error)))?;
    let missing = node.archive.missing().map_err(|error| Problem::internal(error.to_string()))?;
    Ok(RecordsStatus { erased: left.erased, in_raft_log: left.in_raft_log, missing })
}

/// The bank's trace secret of one epoch. What is given out is in the log before.
pub(crate) async fn disclose_trace(node: &Node, request: TraceRequest) -> Result<Vec<u8>, Problem> {
    let TraceRequest { epoch, actor, reason } = request;
    if reason.trim().is_empty() {
        return Err(Problem::malformed("a reason is wanted: whose order it is, and its reference"));
    }
    if !node.manifest().members[&node.bank].traces.contains_key(&epoch) {
        return Err(Problem::not_found(format!(
            "this bank published no trace commitment for epoch {epoch}: it cannot have signalled in it"
        )));
    }
    let detail = format!("the trace secret of epoch {epoch}, by {actor}: {reason}");
    node.log_operation("disclose-trace", detail).await.map_err(journal_problem)?;
    Ok(Disclosure::of(&node.secrets, node.bank.clone(), epoch).to_bytes())
}

/// The reason outlives an erasure, so it must not name whom it is about.
fn check_reason(subject: &Subject, reason: &str) -> Result<(), Problem> {
    let named = match subject {
        Subject::Account(account) => account.to_string(),
        Subject::Organisation(lei) => lei.as_str().to_owned(),
        Subject::Person { name, .. } => name.clone(),
    };
    let compact = |text: &str| text.to_ascii_uppercase().replace(' ', "");
    if reason.trim().is_empty() || compact(reason).contains(&compact(&named)) {
        return Err(Problem::malformed(
            "a reason is wanted that does not name the subject: it is kept for ever",
        ));
    }
    Ok(())
}

fn entries(node: &Node, found: Vec<Found>) -> Result<Vec<FoundEntry>, Problem> {
    let last = node.journal.consensus().last_checkpoint().map_err(|error| journal_problem(error.into()))?;
    let published = last.map_or(0, |head| head.size);
    let entry = |Found { index, class, leaf, record }: Found| {
        let erased = record.is_none();
        let record = record.map(serde_json::to_value).transpose();
        let record =
            record.map_err(|e| Problem::internal(format!("entry {index} cannot be written as JSON: {e}")))?;
        Ok(FoundEntry { index, class, leaf, published: index < published, erased, record })
    };
    found.into_iter().map(entry).collect()
}

fn records_problem(error: RecordsError) -> Problem {
    match error {
        RecordsError::Time(_) => Problem::malformed(error.to_string()),
        RecordsError::Nothing => Problem::not_found(error.to_string()),
        RecordsError::Hold(_) | RecordsError::Kept(_) | RecordsError::Meanwhile => {
            Problem::conflict(error.to_string())
        }
        RecordsError::Journal(error) => journal_problem(error),
    }
}

//! A payment: message -> payments -> decision -> log -> answer.
//!
//! A decision is durable in the log before its answer leaves. The same payment again gets the same answer; the same
//! key with other content is a duplicate.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use hansa_api::Problem;
use hansa_api::model::{AnswerStatus, PaymentAnswer, PaymentCounters, Submission};
use hansa_consensus::{Command, Outcome};
use hansa_screening::codes::{self, Outward};
use hansa_screening::drift::Scored;
use hansa_screening::message::{MessageError, parse, report};
use hansa_screening::{History, Known, RiskModel, Scheme, Screener};
use hansa_types::decision::{Decision, Verdict};
use hansa_types::frame::BoundByFrame;
use hansa_types::habits::Habits;
use hansa_types::hash::{Digest, digest};
use hansa_types::id::Timestamp;
use hansa_types::payment::{Account, Payment, PaymentKey};
use hansa_types::record::{DecisionRecord, Record, Refusal};
use hansa_types::subject::Subject;
use tokio::sync::Notify;
use tokio::time::timeout;

use super::cases;
use super::frame;
use super::inbound;
use super::tags::{self, Tags};
use super::without_quorum;
use crate::archive::Archive;
use crate::config::Mode;
use crate::customers::Customers;
use crate::events::Event;
use crate::journal::{Journal, JournalError};
use crate::node::Node;
use crate::service::{RETRY_SECONDS, journal_problem};
use crate::terms::Term;

/// How many accounts may wait to be tagged; more are counted as lost until they are seen again.
const MAX_SEEN: usize = 100_000;
/// Characters of a status report's identification.
const REPORT_ID: usize = 32;
/// How many payments may be observed before the log has them. Beyond it the first by key is taken for one that the log
/// never took.
const MAX_AHEAD: usize = 100_000;

/// What past payments add up to.
#[derive(Default)]
pub(crate) struct Past {
    /// What accounts did, for the factors.
    pub(crate) history: History,
    /// Decisions and duplicates since the log began.
    pub(crate) counters: PaymentCounters,
    /// How many leaves of the log are in it.
    pub(crate) folded: u64,
    /// Payments decided here that the log has not given back yet, and whether they are in the history already.
    ahead: BTreeMap<PaymentKey, bool>,
}

/// The payments being decided: a second request for one waits for the first, so that it is not decided twice.
#[derive(Default)]
pub(crate) struct InFlight(Mutex<BTreeMap<PaymentKey, Arc<tokio::sync::Mutex<()>>>>);

/// Accounts seen in payments, waiting to be tagged.
#[derive(Default)]
pub(crate) struct Seen {
    accounts: Mutex<BTreeSet<Account>>,
    more: Notify,
}

/// Screens every payment of a message, or those at `places` in it.
pub(crate) async fn submit(
    node: &Arc<Node>,
    message: &[u8],
    places: Option<&[usize]>,
) -> Result<Submission, Problem> {
    let payments = read(node, message, places)?;
    let message_type = payments.first().map(|payment| payment.message_type.clone()).unwrap_or_default();
    let submission = Submission { message_type, payments: decide_all(node, payments).await?, shadow: false };
    Ok(match node.screening.config.mode {
        Mode::Live => submission,
        Mode::Shadow => submission.in_shadow(),
    })
}

/// By what each payment of a message is ordered: the account that is paid from, whose windows weigh most.
pub(crate) fn order_keys(message: &[u8]) -> Result<Vec<Digest>, Problem> {
    let key = |payment: &Payment| {
        let [debtor, creditor] = payment.customer_accounts();
        debtor.or(creditor).map_or_else(|| payment.key().digest(), Account::digest)
    };
    Ok(parse(message).map_err(message_problem)?.iter().map(key).collect())
}

/// Screens the payments of a message, or those at `places`, and answers with the scheme's status report.
pub(crate) async fn report(
    node: &Arc<Node>,
    message: &[u8],
    places: Option<&[usize]>,
) -> Result<String, Problem> {
    if node.screening.config.mode == Mode::Shadow {
        return Err(Problem::conflict("this node runs in shadow: it answers no rail").with_hint(
            "ask for JSON; `hansa shadow compare` compares its verdicts with another screener's",
        ));
    }
    let payments = read(node, message, places)?;
    let answers = decide_all(node, payments.clone()).await?;
    let default = node.screening.current().policy().scheme;
    let scheme = payments.first().map_or(default, |payment| Scheme::of(payment, default));
    let said: Vec<_> =
        payments.iter().zip(&answers).map(|(payment, answer)| (payment, outward(scheme, answer))).collect();
    let now = node.now();
    // Reports on parts of one message at one moment differ in their names.
    let part: Vec<u8> = places.unwrap_or_default().iter().flat_map(|place| place.to_be_bytes()).collect();
    let id = digest("hansa/report-id/v1", &[message, &now.0.to_be_bytes(), &part]).to_string();
    report::write(scheme, &id[..REPORT_ID], now, &said)
        .map_err(|error| Problem::internal(format!("no status report can be written: {error}")))
}

fn outward(scheme: Scheme, answer: &PaymentAnswer) -> Outward {
    match answer.status {
        AnswerStatus::Duplicate => codes::duplicate(scheme),
        AnswerStatus::Decided | AnswerStatus::Repeated => {
            codes::of_code(scheme, answer.outward_code.as_deref())
        }
    }
}

/// The payments of a message, or those at `places` in it.
fn read(node: &Node, message: &[u8], places: Option<&[usize]>) -> Result<Vec<Payment>, Problem> {
    let begun = Instant::now();
    let payments = parse(message).map_err(message_problem)?;
    node.metrics.stage("parse", begun.elapsed());
    let Some(places) = places else { return Ok(payments) };
    let part = places.iter().map(|place| payments.get(*place).cloned()).collect::<Option<Vec<_>>>();
    part.ok_or_else(|| Problem::malformed("the message has no payment at one of the places"))
}

async fn decide_all(node: &Arc<Node>, payments: Vec<Payment>) -> Result<Vec<PaymentAnswer>, Problem> {
    let begun = Instant::now();
    let mut answers = Vec::with_capacity(payments.len());
    for payment in payments {
        answers.push(decide_in_time(node, payment, begun).await?);
    }
    Ok(answers)
}

/// Decides one payment within its scheme's time, which began with the message. One that takes longer is decided all the
/// same, so that asking again gets its one answer; who asked is told in time that there is none yet.
async fn decide_in_time(
    node: &Arc<Node>,
    payment: Payment,
    begun: Instant,
) -> Result<PaymentAnswer, Problem> {
    let scheme = Scheme::of(&payment, node.screening.current().policy().scheme);
    let Some(&limit) = node.payments.deadline_ms.get(&scheme) else {
        return decide(node, payment).await.map_err(journal_problem);
    };
    let deciding = node.clone();
    let decided = tokio::spawn(async move { decide(&deciding, payment).await });
    let left = Duration::from_millis(limit.into()).saturating_sub(begun.elapsed());
    match timeout(left, decided).await {
        Ok(Ok(answer)) => answer.map_err(journal_problem),
        Ok(Err(failed)) => Err(Problem::internal(failed.to_string())),
        Err(_) => {
            node.metrics.deadline_missed(scheme);
            node.events.emit(&Event::DeadlineMissed { scheme, limit_ms: limit });
            let detail = format!("not decided within {limit} ms, the time of {scheme}");
            Err(Problem::unavailable(detail, RETRY_SECONDS)
                .with_hint("it is being decided: the same payment again gets its one answer"))
        }
    }
}

/// Decides one payment, or finds that it was decided.
async fn decide(node: &Arc<Node>, payment: Payment) -> Result<PaymentAnswer, JournalError> {
    let key = payment.key();
    let alone = node.in_flight.of(&key);
    let deciding = alone.lock().await;
    let answer = decide_alone(node, &key, payment).await;
    drop(deciding);
    node.in_flight.done(&key, alone);
    answer
}

async fn decide_alone(
    node: &Arc<Node>,
    key: &PaymentKey,
    payment: Payment,
) -> Result<PaymentAnswer, JournalError> {
    let unique = node.journal.unique(key, &payment.content_hash());
    if let Some(index) = node.journal.consensus().find_unique(&unique.key)? {
        return decided_before(node, index, &payment).await;
    }
    if let Some(answer) = without_quorum::decided(node, key, &payment) {
        return Ok(answer);
    }
    let without = without_quorum::journals_now(node, &payment).await;
    let binding = frame::binding(node, &payment).await?;
    let (decision, habits) = assess(node, &payment, binding.frame.as_ref());
    let record = DecisionRecord { decision: decision.clone(), payment: payment.clone(), habits };
    if without {
        return without_quorum::keep(node, record).await;
    }
    let begun = Instant::now();
    let logged = without_quorum::in_time(node, &payment, cases::log_decision(node, &record)).await;
    let outcome = match logged {
        Ok(outcome) => outcome,
        Err(error) => return without_quorum::not_taken(node, record, error).await,
    };
    match outcome {
        Outcome::Appended { index } => {
            node.metrics.stage("log", begun.elapsed());
            node.metrics.payment(decision.verdict);
            frame::check_frame(node, &record, index).await?;
            Ok(PaymentAnswer::of(&decision, index, false))
        }
        // Another replica decided it meanwhile: what is in the log is the answer.
        outcome @ (Outcome::Existing { index } | Outcome::Conflict { index }) => {
            node.shown(&outcome).await;
            node.past().ahead.remove(key);
            decided_before(node, index, &payment).await
        }
        other => unreachable!("consensus answers an append with {other:?}"),
    }
}

/// Decides, and takes the payment into the accounts' history at once, so that those sent in parallel count one another.
/// The log gives it back later, and it does not count again. If the log never takes the decision, the history is too full
/// until the next start rather than too empty.
fn assess(node: &Node, payment: &Payment, frame: Option<&BoundByFrame>) -> (Decision, Habits) {
    let begun = Instant::now();
    let screener = node.screening.current();
    let (decision, habits) = {
        let mut past = node.past();
        let book = node.book();
        let known = Known { frame, ..book.known() };
        let assessed = screener.assess(payment, &past.history, known, node.now());
        past.run_ahead(&screener, &assessed.decision, payment);
        (assessed.decision, assessed.habits)
    };
    node.watching.decided(Scored::of(&decision, screener.model().hold_threshold));
    if let Some(challenger) = &node.screening.challenger {
        let held = |model: &RiskModel| model.model.score(&decision.factors) >= model.hold_threshold;
        node.metrics.screening.challenged(held(screener.model()), held(challenger));
    }
    node.metrics.stage("screen", begun.elapsed());
    (decision, habits)
}

/// The answer to a payment whose key the log holds: the decision again, or a refusal if the content differs.
async fn decided_before(node: &Node, index: u64, payment: &Payment) -> Result<PaymentAnswer, JournalError> {
    let (key, refused) = (payment.key(), payment.content_hash());
    let record = match node.journal.read(index)? {
        Some((_, Record::Decision(record))) => record,
        Some(_) => return Err(JournalError::NotADecision(index)),
        None => return Err(JournalError::Behind),
    };
    let decision = &record.decision;
    if decision.content == refused {
        // Whoever logged it may have got no further. The answer stands whatever comes of that.
        if let Err(error) = frame::check_frame(node, &record, index).await {
            tracing::warn!(%error, index, "a decision was not compared with its frame; its next copy is");
        }
        return Ok(PaymentAnswer::of(decision, index, true));
    }
    let at = node.now();
    let refusal = Refusal { key: key.clone(), decided: decision.content, refused, at };
    // The same refused payment again is refused again, and not logged again.
    let mut leaf = node.journal.leaf(&Record::Refusal(refusal))?;
    leaf.unique = node.journal.unique_refusal(&key, &refused);
    if let Outcome::Appended { .. } =
        node.journal.propose(Command::Append { leaf, follow_up: vec![] }).await?
    {
        node.metrics.duplicate();
    }
    Ok(PaymentAnswer::duplicate(key))
}

impl Past {
    /// What a payment adds that the log holds by now, unless it ran ahead of it.
    pub(crate) fn take_in(&mut self, screener: &Screener, decision: &Decision, payment: &Payment) {
        *self.counters.verdicts.entry(decision.verdict).or_insert(0) += 1;
        if self.ahead.remove(&decision.key) != Some(true) {
            self.observe(screener, decision, payment);
        }
    }

    /// What a payment adds that the log does not hold yet. Decided once more, after the log did not take it, it adds
    /// nothing more.
    pub(crate) fn run_ahead(&mut self, screener: &Screener, decision: &Decision, payment: &Payment) {
        if self.ahead.contains_key(&decision.key) {
            return;
        }
        if self.ahead.len() >= MAX_AHEAD {
            self.ahead.pop_first();
        }
        let observed = self.observe(screener, decision, payment);
        self.ahead.insert(decision.key.clone(), observed);
    }

    /// Only what is carried out is part of an account's history; says whether this is.
    fn observe(&mut self, screener: &Screener, decision: &Decision, payment: &Payment) -> bool {
        let clear = decision.verdict == Verdict::Clear;
        if clear {
            self.history.observe(&screener.observation(payment, decision.decided_at));
        }
        clear
    }
}

/// Builds the past again from the log, and makes the accounts known that this bank holds or has seen.
pub(crate) fn restore(
    journal: &Journal,
    screener: &Screener,
    customers: &Customers,
    tags: &Tags,
    archive: &Archive,
    now: Timestamp,
) -> Result<Past, JournalError> {
    let mut past = Past::default();
    let mut found = false;
    let mut seen: BTreeMap<Subject, Timestamp> = BTreeMap::new();
    for index in 0..journal.consensus().size() {
        let read = match journal.read(index) {
            Err(JournalError::Erased(_)) => continue,
            read => read?,
        };
        match read {
            Some((_, Record::Decision(DecisionRecord { decision, payment, .. }))) => {
                // The records key opened it; under another index key nothing decided would be found again.
                found = found || journal.find(Term::Payment(&decision.key))?.contains(&index);
                if !found {
                    return Err(JournalError::ForeignIndex);
                }
                archive.cited(&decision);
                past.take_in(screener, &decision, &payment);
                let subjects = accounts(&payment).filter_map(tags::subject);
                seen.extend(subjects.map(|subject| (subject, decision.decided_at)));
            }
            Some((_, Record::Refusal(_))) => past.counters.duplicates += 1,
            _ => {}
        }
        past.folded = index + 1;
    }
    seen.retain(|_, at| at.0 + tags::COUNTERPARTY_WINDOW >= now.0);
    let held = customers.keys().filter_map(tags::subject).map(|subject| (subject, true, now));
    let seen = seen.into_iter().map(|(subject, at)| (subject, false, at));
    tags.learn(seen.chain(held).collect()).map_err(|error| JournalError::Tags(error.to_string()))?;
    Ok(past)
}

/// Tags accounts seen in payments, off the payment path, and matches them with the signals on record.
pub(crate) async fn tag_counterparties(node: Arc<Node>) {
    loop {
        let accounts = node.seen.take();
        if accounts.is_empty() {
            node.seen.more.notified().await;
            continue;
        }
        let (tagging, now, held) = (node.clone(), node.now(), node.customers.current());
        let subjects: Vec<_> = accounts
            .iter()
            .filter_map(|account| Some((tags::subject(account)?, held.contains_key(account), now)))
            .collect();
        let learnt = tokio::task::spawn_blocking(move || tagging.tags.learn(subjects)).await;
        let matched = match learnt {
            // Whoever leads next matches everything anew.
            Ok(Ok(learnt)) if learnt.is_empty() || !node.leads() => continue,
            Ok(Ok(_)) => inbound::rematch(&node).await.map_err(|error| error.to_string()),
            Ok(Err(error)) => Err(error.to_string()),
            Err(error) => Err(error.to_string()),
        };
        if let Err(error) = matched {
            tracing::error!(
                error,
                "counterparties were not tagged; they are when seen again, or at the next start"
            );
            node.metrics.lost("counterparty");
        }
    }
}

impl Node {
    /// Queues the accounts of a payment for tagging.
    pub(crate) fn seen_in(&self, payment: &Payment) {
        let mut waiting = self.seen.accounts.lock().unwrap_or_else(PoisonError::into_inner);
        for account in accounts(payment) {
            if waiting.len() < MAX_SEEN {
                waiting.insert(account.clone());
            } else {
                self.metrics.lost("counterparty");
            }
        }
        self.seen.more.notify_one();
    }
}

impl Seen {
    fn take(&self) -> BTreeSet<Account> {
        std::mem::take(&mut *self.accounts.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl InFlight {
    /// The lock of one payment.
    fn of(&self, key: &PaymentKey) -> Arc<tokio::sync::Mutex<()>> {
        let mut locks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        locks.entry(key.clone()).or_default().clone()
    }

    /// Forgets the lock if nobody else waits for it.
    fn done(&self, key: &PaymentKey, lock: Arc<tokio::sync::Mutex<()>>) {
        let mut locks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        drop(lock);
        if locks.get(key).is_some_and(|lock| Arc::strong_count(lock) == 1) {
            locks.remove(key);
        }
    }
}

fn accounts(payment: &Payment) -> impl Iterator<Item = &Account> {
    [&payment.debtor_account, &payment.creditor_account].into_iter().flatten()
}

fn message_problem(error: MessageError) -> Problem {
    match error {
        MessageError::UnsupportedMessage { .. } => Problem::unsupported_message(error.to_string()),
        MessageError::TooLarge { .. } => Problem::new(hansa_api::ProblemKind::TooLarge, error.to_string()),
        error => Problem::malformed(error.to_string()),
    }
}

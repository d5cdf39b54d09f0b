//! A frame: datagram -> judged -> PRE-SCREENED, answered at once; or BLOCK -> log -> answered; or refused.
//!
//! A BLOCK is durable in the log before its reply leaves, and binds the full message. What is not durable is not
//! answered, and silence is the gateway's fail-closed. There is one record for a payment and leg: another frame of it
//! that is blocked gets the same answer.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hansa_consensus::{Command, Outcome, Unique};
use hansa_screening::case::Grounds;
use hansa_types::case::Suspect;
use hansa_types::decision::{Decision, Reason as DecisionReason, Verdict as Decided};
use hansa_types::frame::{BoundByFrame, FrameBlock};
use hansa_types::payment::Payment;
use hansa_types::record::{DecisionRecord, Operation, Record};
use hansa_types::uetr::{Uetr, UetrError};
use hansa_xdp::frame::{Blocked, Reason, Verdict};
use hansa_xdp::{BlockedFrames, Judged};
use tokio::sync::MutexGuard;
use tokio::task::spawn_blocking;
use tokio::time::interval;

use super::cases;
use crate::events::Event;
use crate::frames::{BlockedFrame, Frames, LegDigests, MAX_DATAGRAM, Stream};
use crate::journal::JournalError;
use crate::node::{Node, now_ns};
use crate::terms::Term;

/// The domain of what makes a frame's record the only one.
const BLOCK: &[u8] = b"frame-block";
/// How often the kernel program is told the time and asked what it counted.
const SECOND: Duration = Duration::from_secs(1);
/// What is logged where a message was decided before its frame was blocked, and the domain of its uniqueness.
const AFTER_DECISION: &str = "frame-after-decision";

/// Why a BLOCK is not answered.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BlockError {
    /// The rules let no such frame pass.
    #[error("the frame is not canonical: was it judged at all?")]
    NotCanonical,
    /// The same.
    #[error(transparent)]
    Uetr(#[from] UetrError),
    /// The log holds something else in its place.
    #[error("leaf {0} should hold a blocked frame and does not: the store is damaged")]
    NotABlock(u64),
    /// The log.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// It is in the log, and may have come after a decision.
    #[error("the frame is in the log, and was not compared with decisions before it: {0}; its next copy is")]
    Compare(JournalError),
}

impl BlockError {
    /// The metric's word.
    fn name(&self) -> &'static str {
        match self {
            Self::Compare(_) => "not-compared",
            Self::NotCanonical | Self::Uetr(_) | Self::NotABlock(_) | Self::Journal(_) => "not-logged",
        }
    }
}

/// What a payment that is being decided is bound by; held until its decision is in the log.
pub(crate) struct Binding<'a> {
    pub(crate) frame: Option<BoundByFrame>,
    _alone: Option<MutexGuard<'a, ()>>,
}

/// Takes datagrams in as long as the node runs.
pub(crate) async fn run(node: Arc<Node>) {
    let Some(frames) = &node.frames else { return std::future::pending().await };
    node.events.emit(&Event::FramesListening { address: frames.listen.to_string(), path: frames.path() });
    let mut datagram = [0; MAX_DATAGRAM];
    loop {
        let (length, source) = match frames.socket.recv_from(&mut datagram).await {
            Ok(received) => received,
            // An earlier reply that reached nobody is told here; the socket itself is well.
            Err(error) => {
                tracing::debug!(%error, "the frames' socket");
                continue;
            }
        };
        let now = now_ns();
        let (mut answer, mut verdicts) = (Vec::new(), Vec::new());
        for Judged { frame, reason } in frames.judge(source.ip(), &datagram[..length], now) {
            if reason.verdict() == Verdict::Block {
                blocked(&node, BlockedFrame { frame, reason, source, at: now });
            } else if let Some(reply) = frames.reply(&frame, reason, now) {
                verdicts.push(reason.verdict());
                answer.extend_from_slice(&reply);
            }
        }
        frames.newly_counted().into_iter().for_each(|(counter, by)| node.metrics.frames.count(counter, by));
        if !answer.is_empty() {
            send(&node, frames, &answer, source, &verdicts).await;
        }
    }
}

/// Tells the kernel program the time, looks after it, and counts what it counts.
pub(crate) async fn run_clock(node: Arc<Node>) {
    if node.frames.is_none() {
        return std::future::pending().await;
    }
    let mut ticks = interval(SECOND);
    loop {
        ticks.tick().await;
        let ticking = node.clone();
        let counted = spawn_blocking(move || ticking.frames.as_ref().map(|frames| frames.front.tick()));
        for (counter, by) in counted.await.ok().flatten().unwrap_or_default() {
            node.metrics.frames.count_driver(counter, by);
        }
    }
}

/// Reads what the kernel program blocks.
pub(crate) async fn run_driver(node: Arc<Node>) {
    let front = node.frames.as_ref().map(|frames| &frames.front);
    let Some((front, mut streams)) = front.and_then(|front| Some((front, front.take_streams()?))) else {
        return std::future::pending().await;
    };
    let mut stream = Stream::None;
    loop {
        tokio::select! {
            Some(newer) = streams.recv() => {
                // The program of the one before is off its interface: all that it blocked is there.
                let older = std::mem::replace(&mut stream, newer);
                let rest = older.map(BlockedFrames::rest).unwrap_or_default();
                rest.into_iter().for_each(|frame| blocked(&node, BlockedFrame::from(frame)));
            }
            batch = next(&mut stream) => match batch {
                Ok(batch) => batch.into_iter().for_each(|frame| blocked(&node, BlockedFrame::from(frame))),
                Err(error) => {
                    stream = None;
                    front.give_up(&error);
                }
            },
        }
    }
}

async fn next(stream: &mut Stream) -> Result<Vec<(Blocked, Reason)>, hansa_xdp::Error> {
    match stream {
        Some(stream) => stream.next().await,
        None => std::future::pending().await,
    }
}

/// Follows the screener: whenever it is swapped, the block list is computed and replaced.
pub(crate) async fn follow_lists(node: Arc<Node>) {
    if node.frames.is_none() {
        return std::future::pending().await;
    }
    let mut swaps = node.screening.swaps();
    while swaps.changed().await.is_ok() {
        let listing = node.clone();
        let listed = spawn_blocking(move || {
            let frames = listing.frames.as_ref()?;
            Some(frames.follow_lists(&listing.screening))
        });
        match listed.await {
            Ok(Some(accounts)) => node.events.emit(&Event::FrameListChanged { accounts }),
            Ok(None) => {}
            Err(error) => {
                tracing::error!(%error, "the frames' block list is as it was: stop the node and start it");
            }
        }
    }
}

/// Takes a blocked frame to the log and answers it then. This is where the kernel program's frames come in, too.
pub(crate) fn blocked(node: &Arc<Node>, blocked: BlockedFrame) {
    let Some(frames) = &node.frames else { return };
    let Some(place) = frames.place() else { return node.metrics.frames.unanswered("queue-full") };
    node.metrics.frames.waiting(frames.waiting());
    let node = node.clone();
    // Those that wait at once share an entry of the log: consensus packs what is proposed side by side.
    tokio::spawn(async move {
        let Some(frames) = &node.frames else { return };
        match record(&node, frames, &blocked).await {
            Ok(reason) => {
                // From its verdict on, in the driver or here.
                node.metrics.stage("frame", Duration::from_nanos(now_ns().saturating_sub(blocked.at)));
                if let Some(reply) = frames.reply(&blocked.frame, reason, now_ns()) {
                    send(&node, frames, &reply, blocked.source, &[Verdict::Block]).await;
                }
            }
            Err(error) => {
                node.metrics.frames.unanswered(error.name());
                tracing::warn!(%error, "a frame's BLOCK is not answered");
            }
        }
        drop(place);
        node.metrics.frames.waiting(frames.waiting());
    });
}

/// Sends a datagram of replies with these verdicts, and counts them, or that they did not leave.
async fn send(node: &Node, frames: &Frames, replies: &[u8], to: SocketAddr, verdicts: &[Verdict]) {
    match frames.socket.send_to(replies, to).await {
        Ok(_) => verdicts.iter().for_each(|verdict| node.metrics.frames.replied(*verdict)),
        Err(error) => {
            tracing::debug!(%error, %to, "replies did not leave; the gateway fails closed");
            node.metrics.frames.not_sent(verdicts.len() as u64);
        }
    }
}

/// Makes a BLOCK durable, and returns the reason that the log has for this payment.
async fn record(node: &Node, frames: &Frames, blocked: &BlockedFrame) -> Result<Reason, BlockError> {
    let fields = blocked.frame.fields().ok_or(BlockError::NotCanonical)?;
    let uetr = Uetr::from_uuid(fields.uetr)?;
    let leg = [fields.instructing, fields.instructed];
    let unique = unique(node, &uetr, &leg);
    let _alone = frames.alone(&unique.key).await;
    if let Some(index) = node.journal.consensus().find_unique(&unique.key).map_err(JournalError::from)? {
        return known(node, frames, index, &leg).await;
    }
    let block = FrameBlock {
        uetr,
        frame: *blocked.frame.as_bytes(),
        key_id: fields.key_id,
        reason: blocked.reason.name().to_owned(),
        source: blocked.source.to_string(),
        at: node.now(),
    };
    let mut leaf = node.journal.leaf(&Record::FrameBlock(block.clone()))?;
    leaf.unique = unique;
    match node.journal.propose(Command::Append { leaf, follow_up: vec![] }).await? {
        // Another replica logged one meanwhile.
        outcome @ (Outcome::Existing { index } | Outcome::Conflict { index }) => {
            node.shown(&outcome).await;
            known(node, frames, index, &leg).await
        }
        outcome => {
            // Where another replica leads, this one shows the record before it is answered.
            if let Outcome::Appended { index } = outcome
                && !node.caught_up(index + 1).await
            {
                return Err(BlockError::Compare(JournalError::Behind));
            }
            check_decisions(node, frames, &block, &leg).await.map_err(BlockError::Compare)?;
            Ok(blocked.reason)
        }
    }
}

/// The reason of a BLOCK that the log has. Whoever logged it may have got no further.
async fn known(node: &Node, frames: &Frames, index: u64, leg: &LegDigests) -> Result<Reason, BlockError> {
    let block = read(node, index)?;
    check_decisions(node, frames, &block, leg).await.map_err(BlockError::Compare)?;
    reason_of(&block, index)
}

fn read(node: &Node, index: u64) -> Result<FrameBlock, BlockError> {
    match node.journal.read(index)? {
        Some((_, Record::FrameBlock(block))) => Ok(block),
        Some(_) => Err(BlockError::NotABlock(index)),
        None => Err(JournalError::Behind.into()),
    }
}

fn reason_of(block: &FrameBlock, index: u64) -> Result<Reason, BlockError> {
    let reason = Reason::ALL.iter().copied().find(|reason| reason.name() == block.reason);
    reason.ok_or(BlockError::NotABlock(index))
}

fn unique(node: &Node, uetr: &Uetr, [instructing, instructed]: &LegDigests) -> Unique {
    node.journal.unique_of(BLOCK, &[uetr.as_bytes(), &instructing.0, &instructed.0])
}

/// What a payment is bound by. As long as this is held, no frame of it is logged here.
pub(crate) async fn binding<'a>(node: &'a Node, payment: &Payment) -> Result<Binding<'a>, JournalError> {
    let named = node.frames.as_ref().and_then(|frames| Some((frames, payment.uetr?, frames.leg(payment)?)));
    let Some((frames, uetr, leg)) = named else { return Ok(Binding { frame: None, _alone: None }) };
    let key = unique(node, &uetr, &leg).key;
    let alone = frames.alone(&key).await;
    // A frame that another replica answered counts here too. Without a quorum there is none that this one can miss and
    // that was answered since, but for what it had not applied: the decision is compared again when it is logged.
    let follows = !node.leads() && node.journal.consensus().role().borrow().quorum;
    if follows && let Err(error) = node.journal.consensus().barrier().await {
        tracing::debug!(%error, "no barrier before looking for a frame");
    }
    let frame = match node.journal.consensus().find_unique(&key)? {
        Some(index) => match node.journal.read(index)? {
            Some((_, Record::FrameBlock(block))) => Some(frames.bound(&block, payment)),
            Some(_) => return Err(JournalError::NotAFrame(index)),
            None => return Err(JournalError::Behind),
        },
        None => None,
    };
    Ok(Binding { frame, _alone: Some(alone) })
}

/// Looks for messages of the payment that were decided before its frame was blocked.
async fn check_decisions(
    node: &Node,
    frames: &Frames,
    block: &FrameBlock,
    leg: &LegDigests,
) -> Result<(), JournalError> {
    for index in node.journal.find(Term::Uetr(&block.uetr))? {
        let record = match node.journal.read(index) {
            Ok(Some((_, Record::Decision(record)))) => record,
            Ok(_) | Err(JournalError::Erased(_)) => continue,
            Err(error) => return Err(error),
        };
        if frames.leg(&record.payment).as_ref() == Some(leg) {
            came_after(node, block, &record, index).await?;
        }
    }
    Ok(())
}

/// Says that a payment was let through, or held, before its frame was blocked: for a person to look at.
async fn came_after(
    node: &Node,
    block: &FrameBlock,
    record: &DecisionRecord,
    index: u64,
) -> Result<(), JournalError> {
    let DecisionRecord { decision, .. } = record;
    if decision.frame.is_some() || decision.verdict == Decided::Block {
        return Ok(());
    }
    let (key, verdict, reason) = (&decision.key, decision.verdict, &block.reason);
    let detail =
        format!("payment {key} was decided {verdict} (entry {index}) before its frame was blocked: {reason}");
    let operation = Operation { what: AFTER_DECISION.to_owned(), detail: detail.clone(), at: node.now() };
    let mut leaf = node.journal.leaf_about(&Record::Operation(operation), key)?;
    leaf.unique = node.journal.unique_of(AFTER_DECISION.as_bytes(), &[&decision.id().0]);
    if node.journal.consensus().find_unique(&leaf.unique.key)?.is_some() {
        return Ok(());
    }
    let logged = node.change(|book| {
        let taken = grounds(node, block, record).and_then(|grounds| {
            cases::take_in(book, book.cases.next_number(), grounds, "frames", node.now(), &detail)
        });
        let follow_up =
            taken.iter().map(|taken| node.journal.case_leaf(&taken.case)).collect::<Result<_, _>>()?;
        Ok::<_, JournalError>((Command::Append { leaf: leaf.clone(), follow_up }, taken))
    });
    let (outcome, taken) = logged.await?;
    if let Outcome::Appended { .. } = outcome {
        tracing::error!(detail, "a frame's BLOCK came after the decision on the message: look into it");
        let case = taken.map(|taken| taken.case.number);
        node.events.emit(&Event::FrameAfterDecision { payment: key.to_string(), index, case });
    }
    Ok(())
}

/// What the case is about: the side that the frame was blocked for.
fn grounds(node: &Node, block: &FrameBlock, record: &DecisionRecord) -> Option<Grounds> {
    let DecisionRecord { decision, payment, .. } = record;
    let side =
        if block.reason == Reason::CreditorListed.name() { Suspect::Creditor } else { Suspect::Debtor };
    let screener = node.screening.current();
    let mut grounds = Grounds::of_side(&node.cases, &screener, decision, payment, side)?;
    grounds.reasons.push(DecisionReason::FrameBlock);
    Some(grounds)
}

/// After a decision was logged: whether another replica logged a frame of its payment meanwhile.
pub(crate) async fn check_frame(
    node: &Node,
    record: &DecisionRecord,
    index: u64,
) -> Result<(), JournalError> {
    let DecisionRecord { payment, decision: Decision { frame: None, .. }, .. } = record else {
        return Ok(());
    };
    let named = node.frames.as_ref().and_then(|frames| Some((payment.uetr?, frames.leg(payment)?)));
    let Some((uetr, leg)) = named else { return Ok(()) };
    // Where another replica leads, what stands before the decision may not be here yet.
    if !node.caught_up(index + 1).await {
        tracing::warn!(index, "a decision is compared with the frames that this replica has applied so far");
    }
    let found = node.journal.consensus().find_unique(&unique(node, &uetr, &leg).key)?;
    let Some(at) = found else { return Ok(()) };
    match node.journal.read(at) {
        Ok(Some((_, Record::FrameBlock(block)))) => came_after(node, &block, record, index).await,
        // It was compared as long as it was there.
        Err(JournalError::Erased(_)) => Ok(()),
        Ok(_) => Err(JournalError::NotAFrame(at)),
        Err(error) => Err(error),
    }
}

//! What a running node tells whoever started it: one JSON object a line on standard output, for scripts and for the
//! testnet. Logs go to standard error.

use std::io::Write;
use std::sync::Mutex;

use hansa_screening::Scheme;
use hansa_types::case::Duty;
use hansa_types::date::Date;
use hansa_types::hash::Digest;
use hansa_types::id::{BankId, Epoch, Timestamp};
use serde::{Deserialize, Serialize};

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Event {
    /// The node takes requests.
    Ready {
        /// Where the HTTP interface is.
        api: String,
        /// Where gRPC is served, if it is.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        grpc: Option<String>,
        /// How many entries the audit log has.
        log_size: u64,
    },
    /// This replica leads its bank's group and speaks for the bank.
    Leading {
        /// Raft's term.
        term: u64,
    },
    /// This replica leads no longer.
    Following,
    /// The node listens for other banks.
    Listening {
        /// The multiaddress.
        address: String,
    },
    /// Frames are taken in.
    FramesListening {
        /// At which address and UDP port.
        address: String,
        /// Where they are screened: `on the socket`, `in the driver of INTERFACE (MODE)`, or why on the socket alone.
        path: String,
    },
    /// The block list of frames follows the lists and the policy.
    FrameListChanged {
        /// How many accounts it has.
        accounts: usize,
    },
    /// A payment was decided before its frame was blocked: look into it.
    FrameAfterDecision {
        /// The payment.
        payment: String,
        /// Where its decision is in the log.
        index: u64,
        /// The case about it; none if the side that was blocked has no account.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        case: Option<u64>,
    },
    /// Another member's node is connected.
    PeerConnected {
        /// Whose.
        bank: BankId,
        /// How many members are connected now.
        connected: usize,
    },
    /// Another member's node is gone.
    PeerDisconnected {
        /// Whose.
        bank: BankId,
        /// How many members are connected now.
        connected: usize,
    },
    /// The members decided something.
    Decided {
        /// How many amendments there are now.
        number: u64,
        /// The head.
        head: Digest,
        /// What was decided, in a few words.
        summary: String,
    },
    /// A signal of this bank was proved and handed to the network.
    SignalSent {
        /// [`hansa_types::signal::Signal::id`].
        signal: Digest,
        /// Milliseconds that the proof took.
        prove_ms: u64,
    },
    /// A signal could not be sent yet; it stays in the queue.
    SignalWaiting {
        /// Why.
        reason: String,
    },
    /// Another bank's signal was verified and logged.
    SignalReceived {
        /// [`hansa_types::signal::Signal::id`].
        signal: Digest,
        /// The epoch it was made in.
        epoch: Epoch,
        /// How many subjects known here it matched.
        matched: usize,
        /// Microseconds that its verification took.
        verify_us: u64,
    },
    /// A signal matched a subject known here.
    AlertRaised {
        /// [`hansa_types::signal::Signal::id`].
        signal: Digest,
        /// Whether this bank holds the account.
        held: bool,
        /// The case it opened.
        case: Option<u64>,
    },
    /// A decision opened a case, or joined one.
    CaseTaken {
        /// Which.
        case: u64,
        /// Whether it is new.
        opened: bool,
    },
    /// A deadline of a case is over, and what it was set for is not done.
    DeadlineOver {
        /// Which case.
        case: u64,
        /// The rule that set the deadline.
        rule: String,
        /// What is to be done.
        duty: Duty,
        /// Since when it is late.
        due: Timestamp,
    },
    /// A signal was taken back.
    SignalRetracted {
        /// [`hansa_types::signal::Signal::id`].
        signal: Digest,
        /// How many alerts here it closed.
        closed: usize,
    },
    /// Another version of a watch list is in use.
    ListChanged {
        /// Which list.
        list: String,
        /// When it was published.
        date: Date,
        /// Entries that are new.
        added: usize,
        /// Entries that are gone.
        removed: usize,
        /// Entries that changed.
        changed: usize,
    },
    /// A version of a watch list was refused; the one before stays in use.
    ListRefused {
        /// Which list.
        list: String,
        /// Why.
        reason: String,
    },
    /// Customers came, changed or went.
    CustomersChanged {
        /// Accounts that are new.
        added: usize,
        /// Accounts whose holder is known otherwise.
        changed: usize,
        /// Accounts that are held no longer.
        closed: usize,
    },
    /// The customers' file cannot be used; those known stay.
    CustomersRefused {
        /// Why.
        reason: String,
    },
    /// The model changed, or what watching it came to.
    Model {
        /// `model-changed`, `model-kept` or `model-rolled-back`.
        what: String,
        /// The version before.
        from: u32,
        /// The version in use now.
        to: u32,
        /// Why.
        why: String,
    },
    /// What changed was screened anew.
    Rescreened {
        /// What changed.
        cause: String,
        /// Customers looked at.
        customers: u64,
        /// Entries of the log looked at.
        entries: u64,
        /// Cases that were opened.
        cases: u64,
        /// Why it was not gone on with, if it was not.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        stopped: Option<String>,
    },
    /// A payment was not decided within its scheme's time.
    DeadlineMissed {
        /// The scheme.
        scheme: Scheme,
        /// Its time.
        limit_ms: u32,
    },
    /// A payment was decided without a quorum; its answer is provisional.
    DecidedWithoutQuorum {
        /// How many decisions wait for a quorum on this replica.
        waiting: usize,
    },
    /// Decisions taken without a quorum are in the log, or a record of what stands there instead.
    Reconciled {
        /// How many.
        decisions: usize,
        /// How many of them the log contradicts.
        conflicts: usize,
    },
    /// A payment was answered without a quorum otherwise than the log says.
    ReconcileConflict {
        /// Its key.
        payment: String,
        /// Where the log holds the decision that stands.
        index: u64,
    },
    /// Enough members cosigned a checkpoint of this bank's log.
    CheckpointPublished {
        /// How many entries it covers.
        size: u64,
        /// How many members cosigned it.
        cosigners: usize,
    },
    /// A log was found to have two views, or to hide that it has none.
    LogForked {
        /// Whose.
        bank: BankId,
        /// Whether two signed checkpoints prove it; else it is a suspicion.
        proved: bool,
        /// The size of the checkpoint that gave it away.
        size: u64,
        /// Names the evidence kept.
        evidence: Digest,
    },
    /// More signals wait to be proved and sent than `signalling.backlog` allows for.
    SignalsBackedUp {
        /// How many.
        waiting: usize,
    },
    /// The keys may be used: what the witnesses cosigned of this log is all here.
    KeysUnlocked,
    /// The keys are locked for good: a member cosigned what this copy of the log does not have.
    KeysLost {
        /// What is missing, and what to do.
        reason: String,
    },
    /// A backup was made.
    BackupMade {
        /// The file's name.
        file: String,
        /// How many entries of the log are in it.
        log_size: u64,
    },
    /// A backup failed; it is tried again.
    BackupFailed {
        /// Why.
        reason: String,
    },
    /// Two intervals of the schedule passed without a backup.
    BackupOverdue {
        /// Since when there is none.
        since: Timestamp,
    },
    /// The node stops, with nothing left undone.
    Stopped,
}

/// Where events go.
pub struct Events(Mutex<Box<dyn Write + Send>>);

impl Events {
    /// Events as lines on `out`.
    pub fn to(out: impl Write + Send + 'static) -> Self {
        Self(Mutex::new(Box::new(out)))
    }

    /// Writes one event. A reader that went away is no reason to stop.
    pub fn emit(&self, event: &Event) {
        let mut line = serde_json::to_vec(event).expect("an event has only strings and numbers");
        line.push(b'\n');
        let mut out = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Err(error) = out.write_all(&line).and_then(|()| out.flush()) {
            tracing::debug!(%error, "nobody reads the events");
        }
    }
}

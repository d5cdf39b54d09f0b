//! The public JSON: what requests may contain and what answers look like.
//!
//! Conventions: times are whole seconds since 1970 (UTC), durations microseconds; digests are 64 hexadecimal digits;
//! enumerations are lower-case names (verdicts upper-case, as in the design); amounts are text. A field without a value
//! is left out. Requests with unknown fields are refused; readers of answers must ignore fields they do not know, which
//! is how answers grow. `tests/vectors/` freezes the shapes.

mod alerts;
mod backups;
mod cases;
mod cluster;
mod customers;
mod exceptions;
mod forks;
mod frames;
mod governance;
mod lists;
mod payments;
mod records;
mod risk;
mod signals;
mod status;
mod why;

pub use self::alerts::{AlertList, AlertView};
pub use self::backups::{BackupAttempt, BackupList, BackupView, RootView};
pub use self::cases::{
    CaseAction, CaseAnswer, CaseFilter, CaseList, CaseOpening, CaseProposalView, CaseReading, CaseResult,
    CaseReviewing, CaseStepView, CaseSummary, CaseView, DeadlineView, DecisionView,
};
pub use self::cluster::{
    ClusterAction, ClusterRequest, ClusterResult, ClusterView, ReplicaState, ReplicaView,
};
pub use self::customers::{
    CustomerChange, CustomerChangeView, CustomerChanges, CustomerImport, CustomersView, MAX_CUSTOMER_FILE,
};
pub use self::exceptions::{ExceptionList, ExceptionRequest, ExceptionView, WithdrawalRequest};
pub use self::forks::{ForkList, ForkView};
pub use self::frames::{
    BlocklistAnswer, BlocklistQuestion, DriverAction, DriverRequest, FirewallAction, FirewallRequest,
    FirewallRule, FirewallView, FrameCounter, FrameCounters, FramePath, FramesView, OperatorRule,
    ProgramView, Traffic,
};
pub use self::governance::{
    AmendmentView, ChangesView, GovernanceView, MemberRoot, MemberView, MessageRequest, ProposalRequest,
    ProposalView, RoundView, VoteRequest,
};
pub use self::lists::{
    ActorRequest, ListChangeView, ListDiffQuery, ListEntryView, ListFiles, ListImport, ListVersionView,
    ListView, ListsView, MAX_LIST_FILE, RescreeningView,
};
pub use self::payments::{
    AnswerStatus, EvidenceRequest, FindingView, InternalAnswer, Leg, LogEntry, LogHistory, OUTWARD_DUPLICATE,
    PaymentAnswer, Submission,
};
pub use self::records::{
    ErasureView, ExpiryRequest, ExpiryView, FoundEntry, HoldView, LogPage, LogQuery, RecordsStatus,
    SubjectAction, SubjectExport, SubjectQuestion,
};
pub use self::risk::{
    BacktestRequest, BacktestView, DriftQuery, DriftView, MAX_VERDICTS, ModelReload, ModelView, SampleQuery,
    SampleView, SampledView, Shares, VerdictView, VerdictsRequest, VerdictsView,
};
pub use self::signals::{Direction, RetractRequest, SignalList, SignalState, SignalView, TraceRequest};
pub use self::status::{
    Anonymity, Check, ConsortiumView, Counters, LogView, PaymentCounters, PeerView, RaftView, Readiness,
    SignalCounters, StageTimes, Status,
};
pub use self::why::{FlipView, ListRef, OutcomeView, ReplayView, SummandView, WhyView, WithoutView};

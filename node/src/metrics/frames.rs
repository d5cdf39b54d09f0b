//! Frames, counted: by reason, what became of sequence numbers and windows, and who was answered.

use hansa_xdp::frame::{Counter as Counted, Reason, Verdict};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::{VerdictLabel, WhatLabel};

/// Why a BLOCK is not answered.
const UNANSWERED: [&str; 3] = ["queue-full", "not-logged", "not-compared"];
/// The verdicts of replies.
const VERDICTS: [Verdict; 3] = [Verdict::PreScreened, Verdict::Block, Verdict::Refused];

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReasonLabel {
    reason: String,
}

/// Frames, in the driver and on the socket.
#[derive(Default)]
pub(crate) struct FrameMetrics {
    frames: Family<ReasonLabel, Counter>,
    packets: Family<WhatLabel, Counter>,
    gaps: Counter,
    windows_lost: Counter,
    replies: Family<VerdictLabel, Counter>,
    replies_lost: Counter,
    unanswered: Family<WhatLabel, Counter>,
    waiting: Gauge,
}

impl FrameMetrics {
    pub(super) fn register(&self, registry: &mut Registry) {
        for reason in Reason::ALL {
            drop(self.frames.get_or_create(&ReasonLabel { reason: reason.name().to_owned() }));
        }
        for verdict in VERDICTS {
            drop(self.replies.get_or_create(&VerdictLabel { verdict: verdict.name().to_owned() }));
        }
        let reasons: Vec<Counted> = Reason::ALL.iter().map(|reason| Counted::from(*reason)).collect();
        let elsewhere = [Counted::SEQUENCE_GAPS, Counted::WINDOW_LOST];
        for (counted, name, _) in Counted::all() {
            if !reasons.contains(&counted) && !elsewhere.contains(&counted) {
                drop(self.packets.get_or_create(&WhatLabel { what: name.to_owned() }));
            }
        }
        for what in UNANSWERED {
            drop(self.unanswered.get_or_create(&WhatLabel { what: what.to_owned() }));
        }
        registry.register(
            "frames",
            "Frames by reason, in the driver and on the socket; datagrams that are refused as a whole count once",
            self.frames.clone(),
        );
        registry.register(
            "frame_packets",
            "What the kernel program did with packets beside judging frames: alert on ring-full",
            self.packets.clone(),
        );
        registry.register(
            "frame_gaps",
            "Sequence numbers of frames that never came: frames were lost, alert on a rising rate",
            self.gaps.clone(),
        );
        registry.register(
            "frame_windows_lost",
            "Frames that no velocity window had room for, or whose window made room for another on the socket: raise xdp.max_windows. The kernel program makes room unseen",
            self.windows_lost.clone(),
        );
        registry.register(
            "frame_replies",
            "Replies to frames, by verdict; those of a datagram that found the ring buffer full count twice",
            self.replies.clone(),
        );
        registry.register(
            "frame_replies_lost",
            "Replies to frames that the network did not take: the gateway fails closed, investigate any",
            self.replies_lost.clone(),
        );
        registry.register(
            "frame_blocks_unanswered",
            "Blocked frames that nobody was told of, by why: the gateway fails closed, investigate any",
            self.unanswered.clone(),
        );
        registry.register(
            "frame_blocks_waiting",
            "Blocked frames that wait to be durable in the log",
            self.waiting.clone(),
        );
    }

    /// The rules counted so many.
    pub(crate) fn count(&self, counted: Counted, by: u64) {
        let reason = Reason::ALL.iter().find(|reason| Counted::from(**reason) == counted);
        if let Some(reason) = reason {
            self.frames.get_or_create(&ReasonLabel { reason: reason.name().to_owned() }).inc_by(by);
        } else if counted == Counted::SEQUENCE_GAPS {
            self.gaps.inc_by(by);
        } else if counted == Counted::WINDOW_LOST {
            self.windows_lost.inc_by(by);
        } else if let Some((_, name, _)) = Counted::all().find(|(other, ..)| *other == counted) {
            self.packets.get_or_create(&WhatLabel { what: name.to_owned() }).inc_by(by);
        }
    }

    /// The kernel program counted so many. What it may answer now it has answered.
    pub(crate) fn count_driver(&self, counted: Counted, by: u64) {
        self.count(counted, by);
        let reason = Reason::ALL.iter().find(|reason| Counted::from(**reason) == counted);
        let answered = reason.filter(|reason| reason.is_answered() && reason.verdict() != Verdict::Block);
        if let Some(reason) = answered {
            let label = VerdictLabel { verdict: reason.verdict().name().to_owned() };
            self.replies.get_or_create(&label).inc_by(by);
        }
    }

    /// So many replies did not leave.
    pub(crate) fn not_sent(&self, replies: u64) {
        self.replies_lost.inc_by(replies);
    }

    /// A frame was answered.
    pub(crate) fn replied(&self, verdict: Verdict) {
        self.replies.get_or_create(&VerdictLabel { verdict: verdict.name().to_owned() }).inc();
    }

    /// A BLOCK is not answered.
    pub(crate) fn unanswered(&self, what: &str) {
        self.unanswered.get_or_create(&WhatLabel { what: what.to_owned() }).inc();
    }

    /// So many BLOCKs wait.
    pub(crate) fn waiting(&self, blocks: usize) {
        self.waiting.set(i64::try_from(blocks).unwrap_or(i64::MAX));
    }
}

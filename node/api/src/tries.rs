//! Whether what failed is tried again: the one policy of the ways in whose senders wait for nothing, Kafka and files.

use std::time::Duration;

use crate::error::{Problem, ProblemKind};

/// How long is waited before something is tried again, if nothing says how long.
pub(crate) const RETRY: Duration = Duration::from_secs(1);
/// How often a message is tried that fails by a fault of the node's own, before it is set aside.
const MAX_FAULTS: u32 = 5;

/// How often a message failed by a fault of the node's own.
#[derive(Debug, Default)]
pub(crate) struct Tries {
    faults: u32,
}

impl Tries {
    /// After how long to try again what failed by `problem`; none, and it is set aside.
    pub(crate) fn again(&mut self, problem: &Problem) -> Option<Duration> {
        self.faults += u32::from(problem.kind == ProblemKind::Internal);
        if !problem.kind.may_pass() || self.faults >= MAX_FAULTS {
            return None;
        }
        Some(problem.retry_after.map_or(RETRY, |seconds| Duration::from_secs(seconds.into())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_pass_is_tried_for_ever_a_fault_a_few_times_and_a_wrong_message_once() {
        let mut tries = Tries::default();
        assert_eq!(tries.again(&Problem::malformed("no end")), None);
        for _ in 0..100 {
            assert_eq!(tries.again(&Problem::unavailable("no quorum", 7)), Some(Duration::from_secs(7)));
        }
        for _ in 1..MAX_FAULTS {
            assert_eq!(tries.again(&Problem::internal("a fault")), Some(RETRY));
        }
        assert_eq!(tries.again(&Problem::internal("a fault")), None);
    }
}

//! What happened, in order: hashed as a whole, so that two runs can be compared, and kept at its end, to be read.

use std::collections::VecDeque;
use std::fmt;

use sha2::{Digest, Sha256};
use tokio::time::Instant;

/// How many events are kept.
const KEPT: usize = 60;

/// The events of one run.
pub(super) struct Trace {
    start: Instant,
    hash: Sha256,
    last: VecDeque<String>,
    count: u64,
}

impl Trace {
    pub(super) fn new() -> Self {
        Self { start: Instant::now(), hash: Sha256::new(), last: VecDeque::new(), count: 0 }
    }

    /// Adds an event that happens now.
    pub(super) fn add(&mut self, event: fmt::Arguments<'_>) {
        let line = format!("{:>6} ms  {event}", self.start.elapsed().as_millis());
        self.hash.update(line.as_bytes());
        self.hash.update(b"\n");
        self.count += 1;
        if self.last.len() == KEPT {
            self.last.pop_front();
        }
        self.last.push_back(line);
    }

    pub(super) fn count(&self) -> u64 {
        self.count
    }

    pub(super) fn digest(&self) -> [u8; 32] {
        self.hash.clone().finalize().into()
    }

    pub(super) fn last(&self) -> Vec<String> {
        self.last.iter().cloned().collect()
    }
}

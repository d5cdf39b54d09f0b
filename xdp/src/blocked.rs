//! What the kernel program blocked, read in batches.

use std::fmt;
use std::time::Duration;

use aya::maps::{MapData, RingBuf};
use hansa_xdp_frame::{Blocked, Reason};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::time::sleep;
use tracing::warn;

use crate::error::Error;

/// Most records of one batch, so that its reader is heard now and then.
const MAX_BATCH: usize = 4096;
/// After a batch the ring buffer is left to fill for so long. Records that follow a batch closely are then read
/// together: waking up costs more than a record.
const GATHER: Duration = Duration::from_millis(1);

/// The stream of blocked frames. Nobody has been told of them: the reader makes each durable, then answers it.
pub struct BlockedFrames {
    ring: AsyncFd<RingBuf<MapData>>,
    is_gathering: bool,
}

impl fmt::Debug for BlockedFrames {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BlockedFrames")
    }
}

impl BlockedFrames {
    pub(crate) fn new(ring: RingBuf<MapData>) -> Result<Self, Error> {
        #[expect(unsafe_code, reason = "registers a descriptor")]
        // SAFETY: the ring buffer owns its descriptor, and keeps it open and the same for as long as it lives.
        let ring = unsafe { AsyncFd::register_with_interest(ring, Interest::READABLE) };
        let ring =
            ring.map_err(|error| Error::System { call: "watching the ring buffer", source: error.into() })?;
        Ok(Self { ring, is_gathering: false })
    }

    /// Waits for blocked frames and returns all that are there, in the order of each CPU, one at least. Dropping the
    /// future loses none.
    pub async fn next(&mut self) -> Result<Vec<(Blocked, Reason)>, Error> {
        loop {
            if self.is_gathering {
                sleep(GATHER).await;
            }
            let batch = self.drain();
            self.is_gathering = !batch.is_empty();
            if !batch.is_empty() {
                return Ok(batch);
            }
            let mut guard = self
                .ring
                .readable_mut()
                .await
                .map_err(|source| Error::System { call: "waiting for the ring buffer", source })?;
            guard.clear_ready();
            // What came between draining and clearing wakes nobody.
            let batch = drain(guard.get_inner_mut());
            if !batch.is_empty() {
                self.is_gathering = true;
                return Ok(batch);
            }
        }
    }

    /// What is left, once the program is detached or replaced: no more comes.
    pub fn rest(mut self) -> Vec<(Blocked, Reason)> {
        let mut rest = Vec::new();
        loop {
            let batch = self.drain();
            if batch.is_empty() {
                return rest;
            }
            rest.extend(batch);
        }
    }

    /// What is there now.
    pub(crate) fn drain(&mut self) -> Vec<(Blocked, Reason)> {
        drain(self.ring.get_mut())
    }
}

fn drain(ring: &mut RingBuf<MapData>) -> Vec<(Blocked, Reason)> {
    let mut batch = Vec::new();
    while batch.len() < MAX_BATCH {
        let Some(record) = ring.next() else { break };
        match Blocked::from_bytes(&record) {
            Some(blocked) => batch.push(blocked),
            None => warn!(bytes = record.len(), "the ring buffer holds a record of another form"),
        }
    }
    batch
}

//! Calls around frames.

use super::{Client, ClientError};
use crate::model::{
    BlocklistAnswer, BlocklistQuestion, DriverRequest, FirewallRequest, FirewallView, FrameCounters,
    FramesView,
};

impl Client {
    /// Where frames are screened.
    pub fn frames(&self) -> Result<FramesView, ClientError> {
        self.get("/v1/frames")
    }

    /// What was counted.
    pub fn frame_counters(&self) -> Result<FrameCounters, ClientError> {
        self.get("/v1/frames/counters")
    }

    /// Has the kernel program attached or taken off.
    pub fn change_driver(&self, request: &DriverRequest) -> Result<FramesView, ClientError> {
        self.post("/v1/frames/driver", request)
    }

    /// Whether an account is blocked.
    pub fn blocklist(&self, question: &BlocklistQuestion) -> Result<BlocklistAnswer, ClientError> {
        self.post("/v1/frames/blocklist", question)
    }

    /// Who may send what.
    pub fn firewall(&self) -> Result<FirewallView, ClientError> {
        self.get("/v1/frames/firewall")
    }

    /// Says who may send what.
    pub fn change_firewall(&self, request: &FirewallRequest) -> Result<FirewallView, ClientError> {
        self.post("/v1/frames/firewall", request)
    }
}

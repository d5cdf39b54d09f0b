//! The scripted node's part around frames.

use async_trait::async_trait;

use super::fake::Fake;
use super::samples;
use crate::model::*;
use crate::{FrameService, Problem};

#[async_trait]
impl FrameService for Fake {
    async fn frames(&self) -> Result<FramesView, Problem> {
        Ok(samples::frames())
    }

    async fn frame_counters(&self) -> Result<FrameCounters, Problem> {
        Ok(samples::frame_counters())
    }

    async fn change_driver(&self, request: DriverRequest) -> Result<FramesView, Problem> {
        self.note(format!("driver {:?} {}", request.action, request.actor));
        Ok(samples::frames())
    }

    async fn blocklist(&self, question: BlocklistQuestion) -> Result<BlocklistAnswer, Problem> {
        self.note(format!("blocklist {}", question.account));
        Ok(BlocklistAnswer { blocked: true })
    }

    async fn firewall(&self) -> Result<FirewallView, Problem> {
        Ok(samples::firewall())
    }

    async fn change_firewall(&self, request: FirewallRequest) -> Result<FirewallView, Problem> {
        let FirewallRequest { traffic, network, action, reason, actor } = request;
        self.note(format!("firewall {action:?} {traffic:?} {network} {reason} {actor}"));
        Ok(samples::firewall())
    }
}

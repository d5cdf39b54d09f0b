//! What a node offers around frames.

use async_trait::async_trait;

use crate::error::Problem;
use crate::model::{
    BlocklistAnswer, BlocklistQuestion, DriverRequest, FirewallRequest, FirewallView, FrameCounters,
    FramesView,
};

/// Frames as a node's interfaces see them; all of it is about this replica. What [`super::Service`] says of calls holds
/// for these.
///
/// # Errors
/// Each: [`Problem::conflict`] where the configuration takes no frames in.
#[async_trait]
pub trait FrameService: Send + Sync + 'static {
    /// Where frames are screened.
    async fn frames(&self) -> Result<FramesView, Problem>;

    /// What was counted.
    async fn frame_counters(&self) -> Result<FrameCounters, Problem>;

    /// Attaches the kernel program or takes it off; the log says who did.
    ///
    /// # Errors
    /// [`Problem::conflict`] if no interface is named or the program cannot be attached; the socket screens then.
    async fn change_driver(&self, request: DriverRequest) -> Result<FramesView, Problem>;

    /// Whether an account is blocked.
    async fn blocklist(&self, question: BlocklistQuestion) -> Result<BlocklistAnswer, Problem>;

    /// Who may send what.
    async fn firewall(&self) -> Result<FirewallView, Problem>;

    /// Says who may send what, until it is said otherwise; the log says who did.
    ///
    /// # Errors
    /// [`Problem::malformed`] for no network or no reason, [`Problem::not_found`] for what no operator said,
    /// [`Problem::conflict`] if there is no room.
    async fn change_firewall(&self, request: FirewallRequest) -> Result<FirewallView, Problem>;
}

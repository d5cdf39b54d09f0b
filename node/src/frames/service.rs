//! Frames as the node's interfaces see them: asked, and changed by operators.

use std::sync::Arc;

use async_trait::async_trait;
use hansa_api::model::{
    BlocklistAnswer, BlocklistQuestion, DriverAction, DriverRequest, FirewallAction, FirewallRequest,
    FirewallView, FrameCounter, FrameCounters, FramePath, FramesView, ProgramView, Traffic,
};
use hansa_api::{FrameService, Problem};
use hansa_xdp::frame::Counter;
use tokio::task::spawn_blocking;

use super::driver::{State, mode_name};
use super::{FirewallError, Frames, lock};
use crate::node::Node;
use crate::service::{NodeService, journal_problem};

#[async_trait]
impl FrameService for NodeService {
    async fn frames(&self) -> Result<FramesView, Problem> {
        Ok(view(of(&self.0)?))
    }

    async fn frame_counters(&self) -> Result<FrameCounters, Problem> {
        let frames = of(&self.0)?;
        let (driver, socket) = (frames.front.count(), frames.count());
        let counter = |(counter, name, counts): (Counter, &str, &str)| FrameCounter {
            name: name.to_owned(),
            counts: counts.to_owned(),
            driver: driver.total(counter),
            socket: socket.total(counter),
        };
        Ok(FrameCounters { counters: Counter::all().map(counter).collect() })
    }

    async fn change_driver(
        &self,
        DriverRequest { action, actor }: DriverRequest,
    ) -> Result<FramesView, Problem> {
        let frames = of(&self.0)?;
        if frames.config.interface.is_none() {
            let hint = "set xdp.interface to the interface that frames arrive on, and restart";
            return Err(Problem::conflict("the configuration names no interface").with_hint(hint));
        }
        let what = match action {
            DriverAction::Attach => "xdp-attach",
            DriverAction::Detach => "xdp-detach",
        };
        let changed = operate(&self.0, what, format!("by {actor}"), move |node, frames| match action {
            DriverAction::Attach => frames.attach(&node.screening),
            DriverAction::Detach => frames.detach(&actor),
        });
        changed.await?.map_err(|error| Problem::conflict(error.to_string()))?;
        Ok(view(frames))
    }

    async fn blocklist(
        &self,
        BlocklistQuestion { account }: BlocklistQuestion,
    ) -> Result<BlocklistAnswer, Problem> {
        Ok(BlocklistAnswer { blocked: of(&self.0)?.blocks(account) })
    }

    async fn firewall(&self) -> Result<FirewallView, Problem> {
        // Whoever changes tables holds this for as long as it takes.
        let rules = apart(&self.0, |_, frames| lock(&frames.senders).view()).await?;
        Ok(FirewallView { rules })
    }

    async fn change_firewall(&self, request: FirewallRequest) -> Result<FirewallView, Problem> {
        let (at, checked) = (self.0.now(), request.clone());
        let checked = apart(&self.0, move |_, frames| frames.check_senders(&checked, at)).await?;
        checked.map_err(|error| firewall_problem(&error))?;
        let FirewallRequest { traffic, network, action, reason, actor } = &request;
        let (action, traffic) = match (action, traffic) {
            (FirewallAction::Allow, Traffic::Frames) => ("allow", "frames"),
            (FirewallAction::Allow, Traffic::Peers) => ("allow", "peers"),
            (FirewallAction::Deny, Traffic::Frames) => ("deny", "frames"),
            (FirewallAction::Deny, Traffic::Peers) => ("deny", "peers"),
            (FirewallAction::Forget, Traffic::Frames) => ("forget", "frames"),
            (FirewallAction::Forget, Traffic::Peers) => ("forget", "peers"),
        };
        let detail = format!("{action} {traffic} from {network} by {actor}: {reason}");
        let changed =
            operate(&self.0, "firewall", detail, move |_, frames| frames.change_senders(request, at));
        changed.await?.map_err(|error| firewall_problem(&error))?;
        self.firewall().await
    }
}

/// Logs what an operator is about to do, does it, and logs what came of it: an entry that is about to do something and has
/// none after it is not known to be in force. Of two operators one comes first.
async fn operate<E: std::error::Error + Send + 'static>(
    node: &Arc<Node>,
    what: &'static str,
    detail: String,
    change: impl FnOnce(&Node, &Frames) -> Result<(), E> + Send + 'static,
) -> Result<Result<(), E>, Problem> {
    let _operating = of(node)?.operating.lock().await;
    let replica = node.journal.consensus().status().replica;
    let detail = format!("{detail}, on replica {replica}");
    node.log_operation(what, format!("{detail}: begins")).await.map_err(journal_problem)?;
    let done = apart(node, change).await?;
    let outcome = match &done {
        Ok(()) => format!("{detail}: done"),
        Err(error) => format!("{detail}: failed: {error}"),
    };
    if let Err(error) = node.log_operation(what, outcome).await {
        tracing::error!(%error, what, "what came of an operator's change is not in the log");
        if done.is_ok() {
            return Err(
                journal_problem(error).with_hint("it is done, and the log does not say so: `hansa firewall list` and `hansa xdp status` say what is in force")
            );
        }
    }
    Ok(done)
}

/// Runs on a thread that may wait: for tables that somebody changes, for the kernel, for the disk.
async fn apart<T: Send + 'static>(
    node: &Arc<Node>,
    work: impl FnOnce(&Node, &Frames) -> T + Send + 'static,
) -> Result<T, Problem> {
    of(node)?;
    let working = node.clone();
    let done = spawn_blocking(move || of(&working).map(|frames| work(&working, frames))).await;
    done.map_err(|error| Problem::internal(error.to_string()))?
}

fn of(node: &Node) -> Result<&Frames, Problem> {
    let none = || {
        let hint = "[frames] and [xdp] say where, from whom and under which keys: see the operator guide";
        Problem::conflict("this replica takes no frames in").with_hint(hint)
    };
    node.frames.as_ref().ok_or_else(none)
}

fn view(frames: &Frames) -> FramesView {
    let state = frames.front.state();
    let (_, described) = state.describe();
    let program = match &state {
        State::Driver(driver) => {
            let status = driver.status();
            Some(ProgramView {
                id: status.program,
                mode: mode_name(status.mode).to_owned(),
                why_generic: status.why_generic.clone(),
                pinned: status.is_pinned,
            })
        }
        State::Unwanted | State::Detached(_) | State::Failed(_) => None,
    };
    let why_socket = match state {
        State::Detached(_) | State::Failed(_) => Some(described),
        State::Unwanted | State::Driver(_) => None,
    };
    FramesView {
        listen: frames.listen.to_string(),
        path: if program.is_some() { FramePath::Driver } else { FramePath::Socket },
        interface: frames.config.interface.clone(),
        program,
        why_socket,
        peer_port: Some(frames.config.peer_port).filter(|port| *port != 0),
        accounts: lock(&frames.tables).accounts() as u64,
        room: frames.config.max_accounts.into(),
        waiting: frames.waiting() as u64,
    }
}

fn firewall_problem(error: &FirewallError) -> Problem {
    match error {
        FirewallError::Reason | FirewallError::Network(_) => Problem::malformed(error.to_string()),
        FirewallError::Unsaid(_) => Problem::not_found(error.to_string()),
        FirewallError::Room(_) | FirewallError::File(_) => Problem::conflict(error.to_string()),
    }
}

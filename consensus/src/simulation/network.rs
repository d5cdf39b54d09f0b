//! The network between replicas: it loses, doubles, delays and so reorders, and it is cut in one direction or both.
//! What it carries is encoded as on a real wire.

use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use hansa_types::codec::{Decode, Encode};
use openraft::raft::{AppendEntriesRequest, AppendEntriesResponse, SnapshotResponse, VoteRequest};
use openraft::{Snapshot, Vote};
use tokio::sync::oneshot;
use tokio::time::{sleep, timeout};

use super::world::World;
use crate::net::{CallError, Handler, Request, Response, Wire, decode_request, encode_request};
use crate::raft::TypeConfig;
use crate::replica::{Incarnation, Replica};

/// How long a caller waits at the most: longer than anybody who bounds the time himself.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long a snapshot may take.
const SNAPSHOT: Duration = Duration::from_secs(2);

/// How one process of a replica reaches the others.
#[derive(Clone)]
pub(super) struct Network {
    pub(super) world: Arc<World>,
    pub(super) from: u64,
    /// Which of the replica's processes this is: a dead one sends nothing.
    pub(super) life: u64,
}

/// What is on its way.
#[derive(Clone)]
enum Message {
    Request(Vec<u8>),
    Snapshot(Vote<u64>, Snapshot<TypeConfig>),
}

impl Wire for Network {
    fn call<'a>(
        &'a self,
        id: u64,
        to: &'a Replica,
        request: &'a Request,
    ) -> BoxFuture<'a, Result<Response, CallError>> {
        let vote = match request {
            Request::Append(AppendEntriesRequest { vote, .. }) | Request::Vote(VoteRequest { vote, .. }) => {
                Some(*vote)
            }
            _ => None,
        };
        let message = Message::Request(encode_request(to.incarnation, request));
        Box::pin(self.ask(id, message, vote, PATIENCE))
    }

    fn send_snapshot<'a>(
        &'a self,
        id: u64,
        _: &'a Replica,
        vote: Vote<u64>,
        snapshot: Snapshot<TypeConfig>,
    ) -> BoxFuture<'a, Result<Vote<u64>, CallError>> {
        Box::pin(async move {
            match self.ask(id, Message::Snapshot(vote, snapshot), Some(vote), SNAPSHOT).await? {
                Response::Snapshot(SnapshotResponse { vote }) => Ok(vote),
                other => Err(CallError::Answer(format!("{other:?}"))),
            }
        })
    }

    fn close(&self) {}
}

impl Network {
    async fn ask(
        &self,
        to: u64,
        message: Message,
        vote: Option<Vote<u64>>,
        patience: Duration,
    ) -> Result<Response, CallError> {
        let (answer, answered) = oneshot::channel();
        self.world.wait_while_paused(self.from).await;
        if self.world.lives(self.from, self.life) {
            if let Some(vote) = vote {
                self.world.checker().shows(self.from, vote);
            }
            if self.world.doubles() {
                tokio::spawn(self.clone().carry(to, message.clone(), None));
            }
            // Carried on its own: what is on its way arrives, though nobody waits for the answer any more.
            tokio::spawn(self.clone().carry(to, message, Some(answer)));
        }
        match timeout(patience, answered).await {
            Ok(Ok(bytes)) => match Response::from_bytes(&bytes) {
                // Who is refused or not answered is never called unreachable: see the decision on simulation.
                Ok(Response::Refused(refused)) => Err(CallError::Broken(refused.to_string())),
                Ok(response) => Ok(response),
                Err(error) => Err(CallError::Answer(error.to_string())),
            },
            Ok(Err(_)) => {
                sleep(patience).await;
                Err(CallError::Broken("no answer".to_owned()))
            }
            Err(_) => Err(CallError::Broken("no answer in time".to_owned())),
        }
    }

    async fn carry(self, to: u64, message: Message, answer: Option<oneshot::Sender<Vec<u8>>>) {
        let Self { world, from, life } = self;
        let Some(delay) = world.sends(from, to) else { return };
        sleep(delay).await;
        world.wait_while_paused(to).await;
        if !world.passes(from, to) {
            return;
        }
        let Some(response) = serve(&world, from, to, message).await else { return };
        let Some(answer) = answer else { return };
        let Some(delay) = world.sends(to, from) else { return };
        sleep(delay).await;
        world.wait_while_paused(from).await;
        if world.passes(to, from) && world.lives(from, life) {
            // The asker may have given up.
            let _ = answer.send(response.to_bytes());
        }
    }
}

async fn serve(world: &World, from: u64, to: u64, message: Message) -> Option<Response> {
    let receiver = world.replica(to)?;
    let response = match message {
        Message::Request(bytes) => {
            let (incarnation, request) = match decode_request(&bytes) {
                Ok(decoded) => decoded,
                Err(error) => {
                    world.violate(format_args!("a request of replica {from} does not decode: {error}"));
                    return None;
                }
            };
            world.checker().note(format_args!("{from} -> {to}: {}", describe(&request)));
            let leader = if let Request::Append(append) = &request { Some(append.vote) } else { None };
            let response = receiver.answers.handle(from, incarnation, request).await;
            match &response {
                Response::Append(AppendEntriesResponse::HigherVote(vote)) => {
                    world.checker().shows(to, *vote);
                }
                Response::Append(_) => leader.into_iter().for_each(|vote| world.checker().shows(to, vote)),
                Response::Vote(answer) => world.checker().shows(to, answer.vote),
                Response::Refused(refused) => {
                    world.checker().note(format_args!("{to} refuses {from}: {refused}"));
                }
                _ => {}
            }
            response
        }
        Message::Snapshot(vote, Snapshot { meta, snapshot }) => {
            world.checker().note(format_args!("{from} -> {to}: snapshot {} as {vote}", meta.snapshot_id));
            let _alone = receiver.answers.receiving.lock().await;
            let received = receiver.raft.begin_receiving_snapshot().await.ok()?;
            if !world.files.copy(&snapshot, &received) {
                return None; // the sender has a newer one meanwhile
            }
            world.checker().installs(to, meta.last_log_id);
            let snapshot = Snapshot { meta, snapshot: received };
            let installed = receiver.raft.install_full_snapshot(vote, snapshot).await.ok();
            world.checker().installs(to, None);
            let installed = installed?;
            world.checker().shows(to, installed.vote);
            world.count(|counts| counts.snapshots += 1);
            Response::Snapshot(installed)
        }
    };
    Some(response)
}

fn describe(request: &Request) -> String {
    match request {
        Request::Append(rpc) => {
            let last = rpc.entries.last().map_or(rpc.prev_log_id, |entry| Some(entry.log_id));
            let (count, commit) = (rpc.entries.len(), rpc.leader_commit);
            format!("append {count} to {last:?}, committed {commit:?}, as {}", rpc.vote)
        }
        Request::Vote(rpc) => format!("vote for {} with {:?}", rpc.vote, rpc.last_log_id),
        Request::Propose(proposals) => format!("propose {}", proposals.len()),
        Request::ReadIndex => "read".to_owned(),
        other => format!("{other:?}"),
    }
}

/// What replica `id` is known by: its disk is never lost, so it has one incarnation.
pub(super) fn identity(id: u64) -> Replica {
    Replica { address: format!("replica-{id}"), incarnation: Incarnation(id), ..Replica::default() }
}

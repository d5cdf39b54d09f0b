//! A bank of three replicas, beside others of one.

use std::collections::BTreeMap;

use hansa_api::Client;
use hansa_api::model::{PaymentAnswer, Status};
use hansa_node::events::Event;
use hansa_testnet::consortium::{Bank, Consortium};
use hansa_testnet::demo;
use hansa_testnet::process::{NodeProcess, PATIENCE, client};
use hansa_types::hash::Digest;
use tempfile::TempDir;

use super::message::Transfer;
use super::{A, B, samples};

/// A node by its bank's place and its replica's number.
pub(crate) type At = (usize, u64);

/// Bank A with three replicas, banks B and C with one each; and those of their nodes that run.
pub(crate) struct Fleet {
    nodes: BTreeMap<At, NodeProcess>,
    pub(crate) consortium: Consortium,
    /// Removed after the nodes ended.
    pub(crate) folder: TempDir,
}

impl Fleet {
    /// Nothing runs yet.
    pub(crate) fn create() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("consortium");
        let lists = [vec![], vec![], vec![]];
        let consortium = Consortium::create_replicated(&path, demo::customers(), lists, [3, 1, 1]).unwrap();
        Self { nodes: BTreeMap::new(), consortium, folder }
    }

    /// Bank A's replicas run.
    pub(crate) fn running() -> Self {
        let mut fleet = Self::create();
        fleet.start(&[(A, 1), (A, 2), (A, 3)]);
        fleet
    }

    /// Starts nodes, and waits until each takes requests.
    pub(crate) fn start(&mut self, starting: &[At]) {
        starting.iter().for_each(|at| self.launch(*at));
        starting.iter().for_each(|at| self.node(*at).ready().unwrap());
    }

    /// Starts a node, which need not get far.
    pub(crate) fn launch(&mut self, at: At) {
        let node = NodeProcess::start(self.bank(at), &["--development"]).unwrap();
        assert!(self.nodes.insert(at, node).is_none(), "the node runs already");
    }

    pub(crate) fn bank(&self, (bank, replica): At) -> &Bank {
        &self.consortium.replicas[bank][replica as usize - 1]
    }

    pub(crate) fn node(&mut self, at: At) -> &mut NodeProcess {
        self.nodes.get_mut(&at).unwrap()
    }

    pub(crate) fn client(&self, at: At) -> Client {
        client(self.bank(at)).unwrap()
    }

    pub(crate) fn status(&self, at: At) -> Status {
        self.client(at).status().unwrap()
    }

    /// SIGKILL.
    pub(crate) fn kill(&mut self, at: At) {
        self.nodes.remove(&at).unwrap().kill().unwrap();
    }

    /// SIGTERM.
    pub(crate) fn stop(&mut self, at: At) {
        self.nodes.remove(&at).unwrap().stop().unwrap();
    }

    /// Changes the configuration of every replica of a bank.
    pub(crate) fn configure(&self, bank: usize, change: impl Fn(&str) -> String) {
        for replica in &self.consortium.replicas[bank] {
            let config = std::fs::read_to_string(replica.config()).unwrap();
            std::fs::write(replica.config(), change(&config)).unwrap();
        }
    }

    /// Has a bank screen against the samples' list.
    pub(crate) fn watch(&self, bank: usize) {
        let path = samples().join("watchlist.csv");
        let list = format!("name = \"samples\"\ndate = \"2026-11-20\"\nformat = \"csv\"\npath = {path:?}");
        self.configure(bank, |config| format!("{config}\n[[screening.lists]]\n{list}\n"));
    }

    /// Hands a node out, to see how it ends.
    pub(crate) fn take(&mut self, at: At) -> NodeProcess {
        self.nodes.remove(&at).unwrap()
    }

    /// How a node's process ended, if it did.
    pub(crate) fn status_of_process(&mut self, at: At) -> Option<std::process::ExitStatus> {
        self.node(at).ended_with().unwrap()
    }

    /// Waits until one of bank A's replicas that run has taken up the leader's duties, and says which.
    pub(crate) fn leader(&mut self) -> At {
        let deadline = std::time::Instant::now() + PATIENCE;
        let running: Vec<At> = self.nodes.keys().filter(|(bank, _)| *bank == A).copied().collect();
        loop {
            for at in &running {
                let status = self.status(*at);
                // It lists other banks once it speaks with them.
                if status.raft.leads && status.raft.quorum && !status.peers.is_empty() {
                    return *at;
                }
            }
            assert!(std::time::Instant::now() < deadline, "nobody leads");
        }
    }

    /// Bank A's replicas that run and do not lead.
    pub(crate) fn followers(&mut self) -> Vec<At> {
        let leader = self.leader();
        self.nodes.keys().filter(|at| at.0 == A && **at != leader).copied().collect()
    }

    /// Waits until one of bank B's node and the leader of bank A hear each other.
    pub(crate) fn met(&mut self) {
        self.node((B, 1)).joined(1).unwrap();
    }

    /// What a node answers to a transfer, with its own view.
    pub(crate) fn pay(&self, at: At, transfer: &Transfer) -> PaymentAnswer {
        let submission = self.client(at).submit(transfer.message().as_bytes(), true).unwrap();
        let [answer] = submission.payments.try_into().unwrap();
        answer
    }

    /// Waits until a node says that a signal was sent.
    pub(crate) fn sent(&mut self, at: At, wanted: Digest) {
        let sent =
            |e: &Event| matches!(e, Event::SignalSent { signal, .. } if *signal == wanted).then_some(());
        self.node(at).wait("signal sent", sent).unwrap();
    }

    /// Waits until a node says that a signal was received.
    pub(crate) fn received(&mut self, at: At, wanted: Digest) {
        let received =
            |e: &Event| matches!(e, Event::SignalReceived { signal, .. } if *signal == wanted).then_some(());
        self.node(at).wait("signal received", received).unwrap();
    }
}

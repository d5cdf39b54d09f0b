//! What the end-to-end tests share: banks that run, and the payments that are sent to them.

#![allow(dead_code, reason = "each file of tests uses its own part")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests: what fails here fails the test")]

pub(crate) mod command;
pub(crate) mod fleet;
pub(crate) mod http;
pub(crate) mod message;

use std::path::{Path, PathBuf};

use hansa_api::model::{CaseResult, PaymentAnswer, SignalView};
use hansa_keys::{KeyFolder, Purpose};
use hansa_node::events::Event;
use hansa_testnet::consortium::{Bank, Consortium, List};
use hansa_testnet::demo;
use hansa_testnet::process::{NodeProcess, client, hansa};
use hansa_types::hash::Digest;
use hansa_types::uetr::Uetr;
use tempfile::TempDir;

use self::message::Transfer;

/// The banks by their place in the consortium.
pub(crate) const A: usize = 0;
pub(crate) const B: usize = 1;
pub(crate) const C: usize = 2;

/// Where Debian puts the library that shows a process another time.
const FAKETIME: &str = "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1";

/// Makes a consortium whose bank A screens against the samples' list.
pub(crate) fn consortium(folder: &Path) -> Consortium {
    let list = List {
        toml: format!(
            "[[screening.lists]]\nname = \"samples\"\ndate = \"2026-11-20\"\nformat = \"csv\"\npath = {:?}\n\
             measure = \"freeze\"\n\n",
            samples().join("watchlist.csv")
        ),
    };
    Consortium::create(folder, demo::customers(), [vec![list], vec![], vec![]]).unwrap()
}

/// The sample messages' folder.
pub(crate) fn samples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("samples")
}

/// A sample message.
pub(crate) fn sample(name: &str) -> Vec<u8> {
    std::fs::read(samples().join("messages").join(name)).unwrap()
}

/// Copies files from folder to folder.
pub(crate) fn copy(from: &Path, to: &Path, names: &[&str]) {
    for name in names {
        std::fs::copy(from.join(name), to.join(name)).unwrap();
    }
}

/// Puts the keys of `bank` for `purposes` into the folder of another.
pub(crate) fn copy_keys(bank: &Bank, folder: &Path, purposes: &[Purpose]) {
    let [from, to] = [&bank.folder, folder].map(|folder| KeyFolder::new(folder.join("keys")));
    for purpose in purposes {
        std::fs::copy(from.path(*purpose), to.path(*purpose)).unwrap();
    }
}

/// A configuration of bank A's for a node that has not its keys for frames, or not its port.
pub(crate) fn without_frames(config: &str) -> String {
    let (before, frames) = config.split_once("[frames]").unwrap();
    let (_, after) = frames.split_once("[screening.policy]").unwrap();
    format!("{before}[screening.policy]{after}")
}

/// The variables that show a node another time.
pub(crate) fn shifted(by: &str) -> Option<[(&'static str, String); 3]> {
    if !Path::new(FAKETIME).exists() {
        println!("SKIPPED: {FAKETIME} is not there (Debian: libfaketime)");
        return None;
    }
    let variables = [("LD_PRELOAD", FAKETIME), ("FAKETIME", by), ("DONT_FAKE_MONOTONIC", "1")];
    Some(variables.map(|(name, value)| (name, value.to_owned())))
}

pub(crate) fn start_shifted(bank: &Bank, variables: &[(&'static str, String)]) -> NodeProcess {
    let variables: Vec<(&str, &str)> =
        variables.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let mut node = NodeProcess::start_in(bank, &["--development"], &variables).unwrap();
    node.ready().unwrap();
    node
}

/// A consortium, and those of its nodes that run.
pub(crate) struct Group {
    nodes: [Option<NodeProcess>; 3],
    pub(crate) consortium: Consortium,
    /// Removed after the nodes ended.
    pub(crate) folder: TempDir,
}

impl Group {
    /// A consortium of which no node runs.
    pub(crate) fn create() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let consortium = consortium(&folder.path().join("consortium"));
        Self { nodes: [None, None, None], consortium, folder }
    }

    /// A consortium of which the nodes at `running` run and hear one another.
    pub(crate) fn running(running: &[usize]) -> Self {
        let mut group = Self::create();
        group.start(running);
        group
    }

    /// Starts the nodes at `starting`, which do not run, and waits until each is connected to all that run.
    pub(crate) fn start(&mut self, starting: &[usize]) {
        for &at in starting {
            let node = NodeProcess::start(&self.consortium.banks[at], &["--development"]).unwrap();
            assert!(self.nodes[at].replace(node).is_none(), "the node runs already");
        }
        let others = self.nodes.iter().flatten().count() - 1;
        for &at in starting {
            self.node(at).ready().unwrap();
        }
        for &at in starting.iter().filter(|_| others > 0) {
            self.node(at).joined(others).unwrap();
        }
    }

    /// SIGTERM.
    pub(crate) fn stop(&mut self, at: usize) {
        self.nodes[at].take().unwrap().stop().unwrap();
    }

    /// SIGKILL.
    pub(crate) fn kill(&mut self, at: usize) {
        self.nodes[at].take().unwrap().kill().unwrap();
    }

    /// Hands a node out, to see how it ends.
    pub(crate) fn take(&mut self, at: usize) -> NodeProcess {
        self.nodes[at].take().unwrap()
    }

    /// Takes in a node that was started otherwise.
    pub(crate) fn put(&mut self, at: usize, node: NodeProcess) {
        assert!(self.nodes[at].replace(node).is_none(), "the node runs already");
    }

    pub(crate) fn bank(&self, at: usize) -> &Bank {
        &self.consortium.banks[at]
    }

    pub(crate) fn node(&mut self, at: usize) -> &mut NodeProcess {
        self.nodes[at].as_mut().unwrap()
    }

    /// What the bank at `at` answers to a transfer, with its own view.
    pub(crate) fn pay(&self, at: usize, transfer: &Transfer) -> PaymentAnswer {
        let submission = client(self.bank(at)).unwrap().submit(transfer.message().as_bytes(), true).unwrap();
        let [answer] = submission.payments.try_into().unwrap();
        answer
    }

    /// Runs `hansa` for the bank at `at` and reads the JSON that it prints.
    pub(crate) fn hansa<T: serde::de::DeserializeOwned>(&self, at: usize, arguments: &[&str]) -> T {
        hansa(self.bank(at), arguments).unwrap()
    }

    /// An officer opens a case on the creditor of a payment; returns its number.
    pub(crate) fn open_case(&self, at: usize, payment: Uetr) -> u64 {
        let payment = payment.to_string();
        let open =
            ["cases", "open", &payment, "--suspect", "creditor", "--actor", "officer", "--note", "call"];
        self.hansa::<CaseResult>(at, &open).case.number
    }

    /// An officer proposes to confirm a case and to signal it, and another one approves.
    pub(crate) fn confirm(&self, at: usize, case: u64) -> CaseResult {
        let case = case.to_string();
        let confirm = ["cases", "confirm", &case, "--signal", "mule-account", "--actor", "officer"];
        let proposed: CaseResult = self.hansa(at, &confirm);
        assert!(proposed.case.proposal.is_some() && proposed.signal.is_none(), "{proposed:?}");
        self.hansa(at, &["cases", "approve", &case, "--actor", "second"])
    }

    /// The bank at `at` decides on a transfer, and signals its creditor. The signal may still wait.
    pub(crate) fn signal(&self, at: usize, transfer: &Transfer) -> Digest {
        self.pay(at, transfer);
        let case = self.open_case(at, transfer.uetr.unwrap());
        let confirmed = self.confirm(at, case);
        confirmed.signal.and_then(|signal| signal.id).unwrap_or_else(|| panic!("{:?}", confirmed.note))
    }

    /// The bank's own signals and those it received.
    pub(crate) fn signals(&self, at: usize) -> Vec<SignalView> {
        client(self.bank(at)).unwrap().signals().unwrap()
    }

    /// Waits until the node at `at` says that it sent `wanted`.
    pub(crate) fn sent(&mut self, at: usize, wanted: Digest) {
        let sent =
            |e: &Event| matches!(e, Event::SignalSent { signal, .. } if *signal == wanted).then_some(());
        self.node(at).wait("signal sent", sent).unwrap();
    }

    /// Waits until the node at `at` says that its own signal could not leave.
    pub(crate) fn waiting(&mut self, at: usize) {
        let waiting = |event: &Event| matches!(event, Event::SignalWaiting { .. }).then_some(());
        self.node(at).wait("signal waiting", waiting).unwrap();
    }

    /// Waits until the node at `at` has verified and logged `wanted`.
    pub(crate) fn received(&mut self, at: usize, wanted: Digest) {
        let received =
            |e: &Event| matches!(e, Event::SignalReceived { signal, .. } if *signal == wanted).then_some(());
        self.node(at).wait("signal received", received).unwrap();
    }

    /// Waits for the alert that `wanted` raises at `at`; returns the case that it opened.
    pub(crate) fn alerted(&mut self, at: usize, wanted: Digest) -> Option<u64> {
        let raised = |event: &Event| match event {
            Event::AlertRaised { signal, case, .. } if *signal == wanted => Some(*case),
            _ => None,
        };
        self.node(at).wait("alert raised", raised).unwrap()
    }
}

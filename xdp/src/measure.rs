//! The kernel program on packets that are handed to it, once or many times (`BPF_PROG_TEST_RUN`).

use std::collections::BTreeSet;
use std::time::Duration;

use aya::Ebpf;
use aya::programs::{ProgramError, TestRun, TestRunOptions, Xdp};
use hansa_xdp_frame::{Blocked, Counter, Digest, Reason};

use crate::blocked::BlockedFrames;
use crate::config::Config;
use crate::driver::{Loaded, PROGRAM};
use crate::error::Error;
use crate::kernel::Sequences;
use crate::object::{explain, load, load_bench};
use crate::rules::Rules;

/// Room for what a program makes of a packet.
const MAX_PACKET: usize = 4096;

/// What is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Measured {
    /// The node's program.
    Node,
    /// Nothing: what a test run costs itself.
    Pass,
    /// Finding the datagram.
    Parse,
    /// Everything but the tags.
    Untagged,
    /// Everything.
    Tagged,
    /// Everything but the tags, between two of 2^20 accounts each time.
    Random,
    /// What the last three do beside what they measure.
    Undo,
}

/// A program in the kernel, on no interface.
#[derive(Debug)]
pub struct TestBench {
    loaded: Loaded,
    blocked: Option<BlockedFrames>,
    name: &'static str,
}

/// What became of a packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// What the program returned: `XDP_DROP` 1, `XDP_PASS` 2, `XDP_TX` 3.
    pub action: u32,
    /// The packet as the program left it.
    pub packet: Vec<u8>,
}

impl Measured {
    fn name(self) -> &'static str {
        match self {
            Self::Node => PROGRAM,
            Self::Pass => "pass",
            Self::Parse => "parse",
            Self::Untagged => "untagged",
            Self::Tagged => "tagged",
            Self::Random => "random",
            Self::Undo => "undo",
        }
    }

    fn load(self, config: &Config) -> Result<Ebpf, Error> {
        if self == Self::Node { load(config) } else { load_bench(config) }
    }
}

impl TestBench {
    /// Loads a program with full tables. Call it in a Tokio runtime.
    pub fn new(
        measured: Measured,
        config: &Config,
        rules: &Rules,
        accounts: &BTreeSet<Digest>,
    ) -> Result<Self, Error> {
        config.check()?;
        let (mut loaded, blocked) = Loaded::new(measured.load(config)?, config, rules, accounts)?;
        let name = measured.name();
        loaded.program(name)?;
        Ok(Self { loaded, blocked: Some(blocked), name })
    }

    /// Runs the program on one packet.
    pub fn run(&self, packet: &[u8]) -> Result<Outcome, Error> {
        let mut room = vec![0; MAX_PACKET];
        let options =
            TestRunOptions { data_in: Some(packet), data_out: Some(&mut room), ..TestRunOptions::default() };
        let result = self.program()?.test_run(options).map_err(failed)?;
        room.truncate(result.data_size_out as usize);
        Ok(Outcome { action: result.return_value, packet: room })
    }

    /// Runs the program so many times on one packet: the mean time of one run.
    pub fn time(&self, packet: &[u8], repeat: u32) -> Result<(u32, Duration), Error> {
        let options = TestRunOptions { data_in: Some(packet), repeat, ..TestRunOptions::default() };
        let result = self.program()?.test_run(options).map_err(failed)?;
        Ok((result.return_value, result.duration))
    }

    /// What was blocked so far and not read yet.
    pub fn blocked(&mut self) -> Vec<(Blocked, Reason)> {
        self.blocked.as_mut().map(BlockedFrames::drain).unwrap_or_default()
    }

    /// Replaces the block list.
    pub fn set_accounts(&self, accounts: &BTreeSet<Digest>) -> Result<(), Error> {
        self.loaded.set_accounts(accounts)
    }

    /// The program's windows of sequence numbers.
    pub fn sequences(&self) -> Sequences {
        self.loaded.sequences.clone()
    }

    /// Every counter.
    pub fn counters(&self) -> Result<Vec<(Counter, &'static str, u64)>, Error> {
        self.loaded.counters()
    }

    fn program(&self) -> Result<&Xdp, Error> {
        let program = self.loaded.ebpf.program(self.name).expect("it was loaded by this name");
        program.try_into().map_err(failed)
    }
}

fn failed(error: ProgramError) -> Error {
    explain(error.into())
}

//! The kernel program in front of the socket, where the configuration names an interface.
//!
//! What it cannot read, and what it has no room to hand up, comes to the socket, which judges by the same rules. Where it
//! cannot be attached, or fails later, all frames do: that is said once, and by health for as long as it lasts.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use hansa_xdp::frame::{Counter, Digest};
use hansa_xdp::{BlockedFrames, Config, Driver, Model, Rules};

/// What screens frames before the socket does.
pub(crate) struct Front {
    state: Mutex<State>,
    blocked: Mutex<Option<BlockedFrames>>,
}

enum State {
    /// Nothing is to.
    Unwanted,
    /// The kernel program.
    Driver(Box<Driver>),
    /// Nothing, and why.
    Socket(String),
}

impl Front {
    /// Attaches the kernel program, if an interface is named. `tables` then share what was seen with it, so that a frame
    /// is judged once, whichever way it comes.
    pub(super) fn attach(
        config: &Config,
        rules: &Rules,
        accounts: &BTreeSet<Digest>,
        tables: &mut Model,
    ) -> Self {
        let (state, blocked) = match config
            .interface
            .as_ref()
            .map(|_| Driver::attach(config, rules, accounts))
        {
            None => (State::Unwanted, None),
            Some(Ok((driver, blocked))) => {
                tables.share_sequences(driver.sequences());
                (State::Driver(Box::new(driver)), Some(blocked))
            }
            Some(Err(error)) => {
                tracing::warn!(%error, "frames are not screened in the driver; the socket gives the same verdicts");
                (State::Socket(error.to_string()), None)
            }
        };
        Self { state: Mutex::new(state), blocked: Mutex::new(blocked) }
    }

    /// What the kernel program blocks, for the one who reads it.
    pub(crate) fn take_blocked(&self) -> Option<BlockedFrames> {
        self.blocked.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Tells the program the time, and returns what it counted so far.
    pub(crate) fn tick(&self) -> Vec<(Counter, u64)> {
        let State::Driver(driver) = &*self.state() else { return vec![] };
        driver.set_clock();
        match driver.counters() {
            Ok(counters) => counters.into_iter().map(|(counter, _, value)| (counter, value)).collect(),
            Err(error) => {
                tracing::warn!(%error, "the kernel program's counters were not read");
                vec![]
            }
        }
    }

    /// Replaces the program's block list. One that does not go by the list is detached.
    pub(super) fn block(&self, accounts: &BTreeSet<Digest>) {
        let replaced = match &*self.state() {
            State::Driver(driver) => driver.set_accounts(accounts),
            State::Unwanted | State::Socket(_) => Ok(()),
        };
        if let Err(error) = replaced {
            self.give_up(&error);
        }
    }

    /// Detaches the program: the socket screens from here on.
    pub(crate) fn give_up(&self, why: &hansa_xdp::Error) {
        tracing::error!(%why, "the kernel program is detached; the socket gives the same verdicts");
        *self.state() = State::Socket(why.to_string());
    }

    /// Whether frames are screened where they are to be, and where that is.
    pub(super) fn describe(&self) -> (bool, String) {
        match &*self.state() {
            State::Unwanted => (true, "on the socket".to_owned()),
            State::Driver(driver) => {
                let status = driver.status();
                let mode = format!("{:?}", status.mode).to_lowercase();
                (true, format!("in the driver of {} ({mode})", status.interface))
            }
            State::Socket(why) => (false, format!("on the socket alone: {why}")),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

//! The kernel program in front of the socket, where the configuration names an interface.
//!
//! What it cannot read, and what it has no room to hand up, comes to the socket, which judges by the same rules. Where it
//! cannot be attached, or fails later, all frames do: that is said once, and by health for as long as it lasts.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hansa_types::id::Actor;
use hansa_xdp::frame::{Counter, Digest};
use hansa_xdp::{BlockedFrames, Config, Driver, Error, Mode, Model, Rules, Status};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::tally::Tally;

/// What the program in use blocks; none once it was taken off.
pub(crate) type Stream = Option<BlockedFrames>;

/// What screens frames before the socket does.
pub(crate) struct Front {
    config: Config,
    state: Mutex<State>,
    streams: UnboundedSender<Stream>,
    heard: Mutex<Option<UnboundedReceiver<Stream>>>,
    counted: Mutex<Tally>,
}

#[derive(Clone)]
pub(super) enum State {
    /// Nothing is to.
    Unwanted,
    /// The kernel program.
    Driver(Arc<Driver>),
    /// Nothing, since this operator wants it.
    Detached(Actor),
    /// Nothing, and why.
    Failed(String),
}

impl Front {
    /// Attaches the kernel program, if an interface is named.
    pub(super) fn new(
        config: Config,
        rules: &Rules,
        accounts: &BTreeSet<Digest>,
        tables: &Mutex<Model>,
    ) -> Self {
        let (streams, heard) = unbounded_channel();
        let front = Self {
            config,
            state: Mutex::new(State::Unwanted),
            streams,
            heard: Mutex::new(Some(heard)),
            counted: Mutex::default(),
        };
        let attached = match front.config.interface {
            Some(_) => front.attach(rules, accounts, tables),
            None => Driver::remove_pinned(&front.config).inspect_err(|error| {
                tracing::error!(%error, "a program of an earlier node goes on judging: see `ip link`");
                front.become_other(None, State::Failed(error.to_string()), None);
            }),
        };
        if let Err(error) = attached {
            tracing::warn!(%error, "frames are not screened in the driver; the socket gives the same verdicts");
        }
        front
    }

    /// Loads the kernel program and attaches it, between two packets where one is attached. `tables` then share what was
    /// seen with it, so that a frame is judged once, whichever way it comes.
    pub(super) fn attach(
        &self,
        rules: &Rules,
        accounts: &BTreeSet<Digest>,
        tables: &Mutex<Model>,
    ) -> Result<(), Error> {
        self.look();
        let seen = lock(tables).sequences().clone();
        let attached = match self.state() {
            State::Driver(old) => old.replace(&self.config, rules, accounts),
            State::Unwanted | State::Detached(_) | State::Failed(_) => {
                Driver::attach(&self.config, rules, accounts, Some(&seen))
            }
        };
        let (driver, blocked) = match attached {
            Ok(attached) => attached,
            Err(error) => {
                // One that is there goes on.
                if !matches!(self.state(), State::Driver(_)) {
                    self.become_other(None, State::Failed(error.to_string()), None);
                }
                return Err(error);
            }
        };
        let sequences = driver.sequences();
        lock(tables).share_sequences(sequences.clone());
        // What the socket saw meanwhile.
        sequences.join(&seen);
        self.become_other(None, State::Driver(Arc::new(driver)), Some(blocked));
        Ok(())
    }

    /// Gives up a program whose interface went away.
    fn look(&self) {
        if let State::Driver(driver) = self.state()
            && let Err(error @ Error::Gone { .. }) = driver.check()
        {
            self.give_up_on(&driver, &error);
        }
    }

    /// Takes the program off.
    pub(super) fn detach(&self, actor: &Actor) -> Result<(), Error> {
        match self.state() {
            State::Driver(driver) => driver.detach()?,
            State::Unwanted | State::Detached(_) | State::Failed(_) => Driver::remove_pinned(&self.config)?,
        }
        self.become_other(None, State::Detached(actor.clone()), None);
        Ok(())
    }

    /// Takes the program off since it does not work: the socket screens from here on.
    pub(crate) fn give_up(&self, why: &Error) {
        if let State::Driver(driver) = self.state() {
            self.give_up_on(&driver, why);
        }
    }

    fn give_up_on(&self, driver: &Arc<Driver>, why: &Error) {
        tracing::error!(%why, "the kernel program is detached; the socket gives the same verdicts");
        if let Err(error) = driver.detach() {
            tracing::error!(%error, "the kernel program may still be attached: see `ip link`");
        }
        self.become_other(Some(driver), State::Failed(why.to_string()), None);
    }

    /// Nothing is in the program before when this is called: all that it counted and blocked is there. Nothing changes if
    /// that is to be `judged`, and another has its place by now.
    fn become_other(&self, judged: Option<&Arc<Driver>>, state: State, stream: Stream) {
        let mut counted = self.count();
        let mut current = lock(&self.state);
        let is_judged = |judged| matches!(&*current, State::Driver(driver) if Arc::ptr_eq(driver, judged));
        if !judged.is_none_or(is_judged) {
            return;
        }
        *current = state;
        counted.begin_anew();
        drop((current, counted));
        // Whoever hears them goes with the node, as this does.
        let _ = self.streams.send(stream);
    }

    /// The streams of blocked frames, newest last, for the one who reads them.
    pub(crate) fn take_streams(&self) -> Option<UnboundedReceiver<Stream>> {
        lock(&self.heard).take()
    }

    /// Tells the program the time, and returns what it counted since this was called last. It may wait for the kernel.
    pub(crate) fn tick(&self) -> Vec<(Counter, u64)> {
        self.look();
        if let State::Driver(driver) = self.state() {
            driver.set_clock();
        }
        self.count().news()
    }

    /// Takes in what the program has counted. As long as the answer is held, no other program comes into use.
    pub(super) fn count(&self) -> MutexGuard<'_, Tally> {
        let mut counted = lock(&self.counted);
        if let State::Driver(driver) = self.state() {
            match driver.counters() {
                Ok(counters) => counted.add(counters.into_iter().map(|(counter, _, value)| (counter, value))),
                Err(error) => tracing::warn!(%error, "the kernel program's counters were not read"),
            }
        }
        counted
    }

    /// Replaces the program's block list. One that does not go by the list is detached.
    pub(super) fn set_accounts(&self, accounts: &BTreeSet<Digest>) {
        self.must(|driver| driver.set_accounts(accounts));
    }

    /// Replaces who may send. One that does not go by it is detached.
    pub(super) fn set_rules(&self, rules: &Rules) {
        self.must(|driver| driver.set_rules(rules));
    }

    fn must(&self, change: impl FnOnce(&Driver) -> Result<(), Error>) {
        if let State::Driver(driver) = self.state()
            && let Err(error) = change(&driver)
        {
            self.give_up_on(&driver, &error);
        }
    }

    /// What there is now.
    pub(super) fn state(&self) -> State {
        lock(&self.state).clone()
    }
}

impl State {
    /// Whether frames are screened where the configuration or an operator wants them to be, and where that is.
    pub(super) fn describe(&self) -> (bool, String) {
        match self {
            Self::Unwanted => (true, "on the socket".to_owned()),
            Self::Driver(driver) => {
                let Status { interface, mode, .. } = driver.status();
                (true, format!("in the driver of {interface} ({})", mode_name(*mode)))
            }
            Self::Detached(actor) => (true, format!("on the socket alone: {actor} took the program off")),
            Self::Failed(why) => (false, format!("on the socket alone: {why}")),
        }
    }
}

/// The mode as the configuration names it.
pub(super) fn mode_name(mode: Mode) -> &'static str {
    match mode {
        Mode::Auto => "auto",
        Mode::Native => "native",
        Mode::Generic => "generic",
    }
}

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    // What is behind these is whole at every moment.
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

//! openraft's runtime: tokio, with random numbers that a simulation may seed.

use std::future::Future;
use std::time::Duration;

use openraft::{AsyncRuntime, OptionalSend, TokioRuntime};
use rand::RngCore;

/// tokio.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Runtime;

/// The thread's random numbers: the operating system's, unless [`seeded`] runs.
pub(crate) struct ThreadRandom;

/// Random numbers that a simulation may seed.
pub(crate) fn random() -> impl RngCore {
    ThreadRandom
}

impl AsyncRuntime for Runtime {
    type JoinError = <TokioRuntime as AsyncRuntime>::JoinError;
    type JoinHandle<T: OptionalSend + 'static> = <TokioRuntime as AsyncRuntime>::JoinHandle<T>;
    type Sleep = <TokioRuntime as AsyncRuntime>::Sleep;
    type Instant = <TokioRuntime as AsyncRuntime>::Instant;
    type TimeoutError = <TokioRuntime as AsyncRuntime>::TimeoutError;
    type Timeout<R, T: Future<Output = R> + OptionalSend> = <TokioRuntime as AsyncRuntime>::Timeout<R, T>;
    type ThreadLocalRng = ThreadRandom;
    type OneshotSender<T: OptionalSend> = <TokioRuntime as AsyncRuntime>::OneshotSender<T>;
    type OneshotReceiver<T: OptionalSend> = <TokioRuntime as AsyncRuntime>::OneshotReceiver<T>;
    type OneshotReceiverError = <TokioRuntime as AsyncRuntime>::OneshotReceiverError;

    fn spawn<T>(future: T) -> Self::JoinHandle<T::Output>
    where
        T: Future + OptionalSend + 'static,
        T::Output: OptionalSend + 'static,
    {
        TokioRuntime::spawn(future)
    }

    fn sleep(duration: Duration) -> Self::Sleep {
        TokioRuntime::sleep(duration)
    }

    fn sleep_until(deadline: Self::Instant) -> Self::Sleep {
        TokioRuntime::sleep_until(deadline)
    }

    fn timeout<R, F: Future<Output = R> + OptionalSend>(
        duration: Duration,
        future: F,
    ) -> Self::Timeout<R, F> {
        TokioRuntime::timeout(duration, future)
    }

    fn timeout_at<R, F: Future<Output = R> + OptionalSend>(
        deadline: Self::Instant,
        future: F,
    ) -> Self::Timeout<R, F> {
        TokioRuntime::timeout_at(deadline, future)
    }

    fn is_panic(join_error: &Self::JoinError) -> bool {
        TokioRuntime::is_panic(join_error)
    }

    fn thread_rng() -> ThreadRandom {
        ThreadRandom
    }

    fn oneshot<T>() -> (Self::OneshotSender<T>, Self::OneshotReceiver<T>)
    where
        T: OptionalSend,
    {
        TokioRuntime::oneshot()
    }
}

impl RngCore for ThreadRandom {
    fn next_u32(&mut self) -> u32 {
        draw(|random| random.next_u32())
    }

    fn next_u64(&mut self) -> u64 {
        draw(|random| random.next_u64())
    }

    fn fill_bytes(&mut self, bytes: &mut [u8]) {
        draw(|random| random.fill_bytes(bytes));
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), rand::Error> {
        draw(|random| random.try_fill_bytes(bytes))
    }
}

#[cfg(not(any(test, feature = "simulation")))]
fn draw<T>(from: impl FnOnce(&mut dyn RngCore) -> T) -> T {
    from(&mut rand::thread_rng())
}

#[cfg(any(test, feature = "simulation"))]
pub(crate) use self::seeding::seeded;

#[cfg(any(test, feature = "simulation"))]
use self::seeding::draw;

#[cfg(any(test, feature = "simulation"))]
mod seeding {
    use std::cell::RefCell;

    use rand::rngs::StdRng;
    use rand::{RngCore, SeedableRng};

    thread_local! {
        static SEEDED: RefCell<Option<StdRng>> = const { RefCell::new(None) };
    }

    /// Runs `work` on this thread with random numbers that follow from `seed`.
    pub(crate) fn seeded<T>(seed: u64, work: impl FnOnce() -> T) -> T {
        /// Takes the seed back however the work ends.
        struct Reset;
        impl Drop for Reset {
            fn drop(&mut self) {
                SEEDED.set(None);
            }
        }
        SEEDED.set(Some(StdRng::seed_from_u64(seed)));
        let _reset = Reset;
        work()
    }

    pub(super) fn draw<T>(from: impl FnOnce(&mut dyn RngCore) -> T) -> T {
        SEEDED.with_borrow_mut(|seeded| match seeded {
            Some(random) => from(random),
            None => from(&mut rand::thread_rng()),
        })
    }
}

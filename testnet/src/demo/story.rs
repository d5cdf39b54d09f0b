//! How the demo tells what it does: numbered steps, what was observed, and how long it took.

use std::time::Instant;

/// Prints the story.
pub(super) struct Story {
    step: usize,
    begun: Instant,
}

impl Story {
    /// Nothing told yet.
    pub(super) fn new() -> Self {
        Self { step: 0, begun: Instant::now() }
    }

    /// A new step begins.
    pub(super) fn step(&mut self, title: &str) {
        self.step += 1;
        println!("\n{}. {title}   [{:.1} s]", self.step, self.begun.elapsed().as_secs_f64());
    }

    /// Something was observed.
    pub(super) fn tell(&self, what: impl AsRef<str>) {
        println!("   {}", what.as_ref());
    }

    /// How long the story took.
    pub(super) fn seconds(&self) -> f64 {
        self.begun.elapsed().as_secs_f64()
    }
}

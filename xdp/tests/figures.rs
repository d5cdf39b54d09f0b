//! What a frame costs, for whoever asks: `cargo test -p hansa-xdp --test figures -- --ignored --nocapture`.

mod common;

use std::collections::BTreeSet;

use common::{GATEWAY_V4, NODE_V4, config, fields, packet, payload, rules, seal};
use hansa_xdp::{Config, Measured, TestBench};

const REPEAT: u32 = 500_000;
const ROUNDS: usize = 5;
/// Blocked accounts, none of which pays.
const ACCOUNTS: u64 = 1_000_000;

#[tokio::test]
#[ignore = "measures; figures belong to benchmarks"]
async fn nanoseconds_per_frame() {
    let config = Config {
        frames_per_second: u32::MAX,
        window_count: u64::MAX,
        max_accounts: ACCOUNTS as u32,
        max_windows: 4_000_000,
        window_seconds: 3600,
        ..config()
    };
    let accounts: BTreeSet<_> = (0..ACCOUNTS).map(|number| common::account(1 << 40 | number)).collect();
    for measured in [
        Measured::Node,
        Measured::Pass,
        Measured::Parse,
        Measured::Undo,
        Measured::Untagged,
        Measured::Tagged,
        Measured::Random,
    ] {
        let bench = TestBench::new(measured, &config, &rules(&config), &accounts).expect("privileged");
        let mut all = Vec::new();
        let mut action = 0;
        for _ in 0..ROUNDS {
            let frame = seal(&hansa_xdp::frame::Fields { amount: 1, ..fields(7) });
            let packet = packet(GATEWAY_V4.into(), NODE_V4.into(), config.frame_port, &payload(&[frame]));
            let (returned, time) = bench.time(&packet, REPEAT).expect("it runs");
            action = returned;
            all.push(time.as_nanos());
        }
        let counters: Vec<_> = bench
            .counters()
            .expect("readable")
            .into_iter()
            .filter(|(_, _, n)| *n > 0)
            .map(|(_, name, n)| (name, n))
            .collect();
        println!(
            "{measured:?}: {} ns (action {action}) {all:?} {counters:?}",
            all.iter().min().expect("measured")
        );
    }
}

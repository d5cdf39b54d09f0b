//! Measurements, for whoever changes the arithmetic; the published ones are `hansa-testnet bench`'s.
//!
//! `cargo test -p hansa-prover figures -- --ignored --nocapture`, with `RAYON_NUM_THREADS=1`. Where `HANSA_PEER_RLN`
//! names the peer's program (`testnet/peers/README.md`), its answers alternate with our measurements.

use std::{
    io::{BufRead, BufReader, Write},
    process::{Child, Command, Stdio},
    time::Instant,
};

use crate::testing::{Draft, consortium, proving_key, rng, signal};

/// The peer behind its line protocol.
struct Peer {
    child: Child,
    lines: std::io::Lines<BufReader<std::process::ChildStdout>>,
}

impl Peer {
    fn start() -> Option<Self> {
        let program = std::env::var_os("HANSA_PEER_RLN")?;
        let mut child = Command::new(program)
            .env("RAYON_NUM_THREADS", "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        println!("peer: {}", lines.next().unwrap().unwrap());
        Some(Self { child, lines })
    }

    fn ask(&mut self, command: &str) -> f64 {
        writeln!(self.child.stdin.as_mut().unwrap(), "{command}").unwrap();
        let line = self.lines.next().unwrap().unwrap();
        line.strip_prefix("ok ").unwrap().parse::<f64>().unwrap() / 1e6
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

/// The median time of `run` in milliseconds, beside the peer's at `command`.
fn measure(what: &str, count: u32, peer: &mut Option<Peer>, command: &str, run: &mut dyn FnMut()) {
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..count {
        let start = Instant::now();
        run();
        ours.push(start.elapsed().as_secs_f64() * 1e3);
        theirs.extend(peer.as_mut().map(|peer| peer.ask(command)));
    }
    let least = ours.iter().copied().fold(f64::MAX, f64::min);
    let ours = median(ours);
    print!("{what}: median {ours:.2} ms, least {least:.2} ms");
    if theirs.is_empty() {
        println!();
    } else {
        let theirs = median(theirs);
        println!(", peer {theirs:.2} ms, ratio {:.3}", ours / theirs);
    }
}

#[test]
#[ignore = "a measurement, not a check"]
fn figures() {
    let context = consortium().verifier.context();
    let mut peer = Peer::start();
    println!("{:?}", crate::circuit::metrics());
    let bytes = proving_key().to_bytes();
    println!("proving key {} bytes", bytes.len());
    measure("load proving key", 1, &mut None, "", &mut || {
        drop(crate::keys::ProvingKey::from_bytes(&bytes).unwrap());
    });
    measure("prepare", 1, &mut None, "", &mut || consortium().prover.prepare());
    let draft = Draft::new(context, 0, 1);
    measure("prove, full", 15, &mut peer, "prove", &mut || drop(draft.prove(context, 2).unwrap()));
    let mut part = None;
    measure("epoch part", 3, &mut None, "", &mut || part = Some(draft.epoch_part(context).unwrap()));
    let part = part.unwrap();
    measure("prove, cached", 15, &mut peer, "prove", &mut || {
        drop(draft.prove_within(&part, context, 2).unwrap());
    });
    verifying(&mut peer);
}

#[test]
#[ignore = "a measurement, not a check"]
fn figures_of_verifying() {
    verifying(&mut Peer::start());
}

fn verifying(peer: &mut Option<Peer>) {
    let signal = signal();
    let verifier = &consortium().verifier;
    measure("verify", 30, peer, "verify", &mut || verifier.check(&signal).unwrap());
    let batch = vec![signal; 256];
    measure("verify 256", 25, peer, "verify", &mut || {
        assert!(verifier.check_all(&batch, &mut rng(3)).iter().all(Result::is_ok));
    });
}

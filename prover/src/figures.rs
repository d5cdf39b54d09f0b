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
    measure("prove, full", 15, &mut peer, "prove", &mut || keep(&draft.prove(context, 2).unwrap()));
    let mut part = None;
    measure("epoch part", 3, &mut None, "", &mut || part = Some(draft.epoch_part(context).unwrap()));
    let part = part.unwrap();
    measure("prove, cached", 15, &mut peer, "prove", &mut || {
        keep(&draft.prove_within(&part, context, 2).unwrap());
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

/// Keeps the compiler from leaving out what nobody looks at.
fn keep<T>(value: &T) {
    let _ = std::hint::black_box(value);
}

/// Sums over H, and over B in G2, by each library and by table: what docs/decisions/0020 rests on.
#[test]
#[ignore = "a measurement, not a check"]
fn figures_of_sums() {
    use ark_bls12_381::{Fr, G1Projective, G2Projective};
    use ark_ec::{AffineRepr, VariableBaseMSM};
    use ark_ff::{BigInteger, PrimeField, UniformRand};
    use blst::MultiPoint;

    use crate::curve::{
        native::{to_g1, to_g2},
        table::{Table, integers},
    };

    let points = &proving_key().points;
    let (h, b) = (&points.h_query, &points.b_g2_query);
    let scalars: Vec<Fr> = (0..h.len()).map(|_| Fr::rand(&mut rng(4))).collect();
    let bytes = scalars.iter().flat_map(|scalar| scalar.into_bigint().to_bytes_le()).collect::<Vec<_>>();
    let whole = integers(&scalars);
    let (g1, g2): (Vec<_>, Vec<_>) = (h.iter().map(to_g1).collect(), b.iter().map(to_g2).collect());
    let (table1, table2) = (Table::<_, 13>::new(h.iter()), Table::<_, 13>::new(b.iter()));
    let identities = b.iter().filter(|point| point.is_zero()).count();
    println!("H has {} points, B {} with {identities} identities", h.len(), b.len());
    for _ in 0..2 {
        let none = &mut None;
        measure("H, arkworks", 5, none, "", &mut || keep(&G1Projective::msm(h, &scalars)));
        measure("H, blst", 5, none, "", &mut || keep(&g1.mult(&bytes, 255)));
        measure("H, table", 5, none, "", &mut || keep(&table1.sum(&whole)));
        measure("B in G2, arkworks", 5, none, "", &mut || keep(&G2Projective::msm(b, &scalars[..b.len()])));
        measure("B in G2, blst", 5, none, "", &mut || keep(&g2.mult(&bytes[..32 * b.len()], 255)));
        measure("B in G2, table", 5, none, "", &mut || keep(&table2.sum(&whole[..b.len()])));
    }
}

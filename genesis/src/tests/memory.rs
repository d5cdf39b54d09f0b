//! Secrets are in locked memory while they are needed, and nowhere afterwards: not in memory, files or output.
//!
//! A child process contributes with entropy that the test knows, and the test looks through its memory.

use std::{
    fs::File,
    io::{BufRead as _, BufReader, Write as _},
    os::unix::fs::FileExt as _,
    path::Path,
    process::{Command, Stdio},
};

use ark_ff::{BigInteger as _, PrimeField as _};

use super::*;
use crate::secret::{self, Locked};

const CHILD: &str = "tests::memory::child";
const FOLDER: &str = "GENESIS_TEST_FOLDER";
const SEED: [u8; 2] = [0, 0];
/// Powers of tau that are looked for.
const POWERS: u32 = 24;

/// Not a test: what the child does. It waits for a line where its memory is to be looked at.
#[test]
#[ignore = "the child of another test"]
fn child() {
    let folder = std::env::var_os(FOLDER).expect("started by the other test");
    let pause = |what: &str| {
        println!("{what}");
        std::io::stdout().flush().unwrap();
        std::io::stdin().read_line(&mut String::new()).unwrap();
    };
    secret::harden().unwrap();
    let entropy = Entropy::known(&SEED).unwrap();
    let held: Locked<Fr> = entropy.scalar("tau").unwrap();
    pause("held");
    drop(held);
    let circuit = circuit(5);
    let open = || Transcript::verify(Path::new(&folder), &circuit, &mut |_| {}).unwrap();
    open().contribute(&bank(0), &entropy).unwrap();
    crate::attest(Path::new(&folder), &bank(0), statement(0), Timestamp(0), &key(0)).unwrap();
    open().start(&circuit).unwrap();
    open().contribute(&bank(0), &entropy).unwrap();
    drop(entropy);
    pause("gone");
}

/// What must not be found: the secrets, their powers and their inverses, in every form they are computed with.
fn needles() -> Vec<[u8; 32]> {
    let entropy = Entropy::known(&SEED).unwrap();
    let scalar = |name| *entropy.scalar(name).unwrap();
    let (tau, alpha, beta, delta) = (scalar("tau"), scalar("alpha"), scalar("beta"), scalar("delta"));
    let mut elements = vec![delta, delta.inverse().unwrap()];
    for i in 0..POWERS {
        let power = tau.pow([u64::from(i)]);
        elements.extend([power, alpha * power, beta * power]);
    }
    elements.retain(|element| *element != Fr::ONE);
    let montgomery = |element: &Fr| -> [u8; 32] {
        let limbs = element.0.0.map(u64::to_le_bytes);
        limbs.as_flattened().try_into().unwrap()
    };
    let plain = |element: &Fr| -> [u8; 32] { element.into_bigint().to_bytes_le().try_into().unwrap() };
    let reversed = |element: &Fr| -> [u8; 32] { element.into_bigint().to_bytes_be().try_into().unwrap() };
    let mut needles: Vec<_> = elements.iter().flat_map(|e| [montgomery(e), plain(e), reversed(e)]).collect();
    needles.extend(entropy.pool_for_tests().as_chunks().0);
    needles
}

/// Where any of the needles is.
fn find(haystack: &[u8], needles: &[[u8; 32]]) -> Vec<usize> {
    let mut starts = vec![false; 1 << 16];
    let start = |bytes: &[u8]| usize::from(u16::from_le_bytes([bytes[0], bytes[1]]));
    needles.iter().for_each(|needle| starts[start(needle)] = true);
    let found = |at: &usize| {
        let window = &haystack[*at..*at + 32];
        starts[start(window)] && needles.iter().any(|needle| needle == window)
    };
    (0..haystack.len().saturating_sub(31)).filter(found).collect()
}

/// A range of a process' memory, and whether it is locked.
struct Range {
    name: String,
    bytes: Vec<u8>,
    locked: bool,
}

fn memory(pid: u32) -> Vec<Range> {
    let smaps = fs::read_to_string(format!("/proc/{pid}/smaps")).unwrap();
    let memory = File::open(format!("/proc/{pid}/mem")).unwrap();
    let mut ranges = Vec::<Range>::new();
    for line in smaps.lines() {
        if let Some(flags) = line.strip_prefix("VmFlags:") {
            ranges.last_mut().unwrap().locked = flags.split(' ').any(|flag| flag == "lo");
            continue;
        }
        let mut words = line.split_whitespace();
        let Some((from, to)) = words.next().and_then(|word| word.split_once('-')) else { continue };
        let (Ok(from), Ok(to)) = (u64::from_str_radix(from, 16), u64::from_str_radix(to, 16)) else {
            continue;
        };
        let mut bytes = vec![0; usize::try_from(to - from).unwrap()];
        let readable = words.next().is_some_and(|flags| flags.starts_with('r'));
        if !readable || memory.read_exact_at(&mut bytes, from).is_err() {
            bytes.clear();
        }
        ranges.push(Range { name: line.to_owned(), bytes, locked: false });
    }
    ranges
}

#[test]
fn secrets_are_in_locked_memory_and_then_gone() {
    if !nix::unistd::geteuid().is_root() {
        println!("SKIPPED: looking into another process' memory needs root");
        return;
    }
    let circuit = circuit(5);
    let charter = Charter { institutions_needed: 1, ..charter(&circuit) };
    let ceremony = Ceremony::new(circuit, charter);
    let needles = needles();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", CHILD, "--nocapture", "--test-threads=1"])
        .env(FOLDER, ceremony.folder.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut output = String::new();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut wait_for = |what: &str| {
        for line in &mut lines {
            let line = line.unwrap();
            output += &line;
            if line.ends_with(what) {
                return;
            }
        }
        panic!("the child ended: {output}");
    };
    wait_for("held");
    let limits = fs::read_to_string(format!("/proc/{}/limits", child.id())).unwrap();
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
    assert_eq!(core.split_whitespace().nth(4), Some("0"), "{core}");
    let mut held = 0;
    for range in memory(child.id()) {
        let found = find(&range.bytes, &needles).len();
        assert!(found == 0 || range.locked, "{found} secrets in memory that is not locked: {}", range.name);
        held += found;
    }
    assert!(held > 0, "the search finds what is there");
    let mut stdin = child.stdin.take().unwrap();
    writeln!(stdin).unwrap();
    wait_for("gone");
    for range in memory(child.id()) {
        let found = find(&range.bytes, &needles);
        assert!(found.is_empty(), "{} secrets left in {}", found.len(), range.name);
    }
    writeln!(stdin).unwrap();
    drop(stdin);
    let ended = child.wait_with_output().unwrap();
    assert!(ended.status.success());
    assert!(find(output.as_bytes(), &needles).is_empty() && find(&ended.stderr, &needles).is_empty());
    for name in ceremony.names() {
        assert!(find(&fs::read(ceremony.path(&name)).unwrap(), &needles).is_empty(), "{name}");
    }
    assert!(ceremony.names().contains(&"phase2-0001.hansa".to_owned()));
}

//! The specification's example, each refusal, and what a witness can never be brought to do.

use proptest::prelude::*;

use super::*;
use crate::merkle::{MemoryNodes, consistency_proof};
use crate::testing::{LogKey as Key, small_log};

const ORIGIN: &str = "bank-a.example/audit";

/// The example request of the specification.
const EXAMPLE: &str = "old 20852014
PlRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDpkaw=
jrJZDmY8Y7SyJE0MWLpLozkIVMSMZcD5kvuKxPC3swk=
5+pKlUdi2LeF/BcMHBn+Ku6yhPGNCswZZD1X/6QgPd8=
/6WVhPs2CwSsb5rYBH5cjHV/wSmA79abXAwhXw3Kj/0=

example.com/behind-the-sofa
20852163
CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=

\u{2014} example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=
\u{2014} example.com/behind-the-sofa opLqBQsREYCgu6xQkYQwJr9fo45a62DN9EdmHXnZdXNqlcVGlCum2Wks+49/V6267UEjw6QUXTS5Rovnzv++qbSzm9Q=
";

/// A log whose leaves are all `leaf`, cut at `size`.
fn log(leaf: u8, size: u64) -> (MemoryNodes, Checkpoint) {
    let leaves: Vec<[u8; 1]> = (0..size).map(|_| [leaf]).collect();
    small_log(ORIGIN, &leaves.iter().map(<[u8; 1]>::as_slice).collect::<Vec<_>>())
}

fn seen(leaf: u8, size: u64) -> Seen {
    let root = log(leaf, size).1.root;
    Seen { size, root }
}

/// The honest request of the log of `leaf` to go from `old` to `new`.
fn request(leaf: u8, old: u64, new: u64) -> AddCheckpoint {
    let (nodes, checkpoint) = log(leaf, new);
    let proof = if old == 0 { vec![] } else { consistency_proof(&nodes, old, new).unwrap() };
    AddCheckpoint { old, proof, checkpoint: checkpoint.sign(&Key::new(1)).unwrap() }
}

fn decide(state: Option<Seen>, request: &AddCheckpoint) -> Result<Seen, WitnessRefusal> {
    let key = Key::new(1).public();
    check(state.as_ref(), &LogKey { origin: ORIGIN, key: &key }, request).map(|accepted| accepted.seen)
}

#[test]
fn the_example_of_the_specification_reads_and_prints() {
    let request = AddCheckpoint::parse(EXAMPLE.as_bytes()).unwrap();
    assert_eq!((request.old, request.proof.len()), (20_852_014, 4));
    assert_eq!(request.unverified_origin(), "example.com/behind-the-sofa");
    assert_eq!(request.to_string(), EXAMPLE);
}

#[test]
fn other_spellings_are_refused() {
    let hash = "PlRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDpkaw=\n";
    for text in [
        EXAMPLE.replace("old 2", "old 02"),
        EXAMPLE.replace("old 2", "old  2"),
        EXAMPLE.replace("old ", "Old "),
        EXAMPLE.replace("old 20852014", "old"),
        EXAMPLE.replace("pkaw=", "pkax="),
        EXAMPLE.replace("pkaw=", "pkaw"),
        EXAMPLE.replacen(hash, &hash.repeat(61), 1),
        EXAMPLE.replacen("\n\n", "\n", 1),
        EXAMPLE.replace('\n', "\r\n"),
        EXAMPLE.trim_end().to_owned(),
        String::new(),
    ] {
        let refused = AddCheckpoint::parse(text.as_bytes()).unwrap_err();
        assert_eq!(refused.status(), 400, "{text}");
    }
    let longest = EXAMPLE.replacen(hash, &hash.repeat(60), 1);
    assert_eq!(AddCheckpoint::parse(longest.as_bytes()).unwrap().proof.len(), MAX_PROOF_LINES);
}

#[test]
fn a_checkpoint_that_extends_what_is_remembered_is_cosigned() {
    assert_eq!(decide(None, &request(1, 0, 5)), Ok(seen(1, 5)));
    assert_eq!(decide(Some(seen(1, 5)), &request(1, 5, 9)), Ok(seen(1, 9)));
    assert_eq!(decide(Some(seen(1, 8)), &request(1, 8, 9)), Ok(seen(1, 9)));
    assert_eq!(decide(Some(seen(1, 5)), &request(1, 5, 5)), Ok(seen(1, 5)), "again, though nothing grew");
    assert_eq!(decide(Some(seen(1, 0)), &request(1, 0, 5)), Ok(seen(1, 5)), "an empty log may grow");
    assert_eq!(decide(None, &request(1, 0, 0)), Ok(seen(1, 0)));
}

#[test]
fn each_refusal_has_its_status() {
    let status = |state, request: &AddCheckpoint| {
        let refused = decide(state, request).unwrap_err();
        (refused.status(), refused.known_size())
    };
    let mut foreign = request(1, 0, 5);
    foreign.checkpoint = Checkpoint { origin: "other".into(), ..log(1, 5).1 }.sign(&Key::new(1)).unwrap();
    assert_eq!(status(None, &foreign), (404, None));
    let mut unsigned = request(1, 0, 5);
    unsigned.checkpoint = log(1, 5).1.sign(&Key::new(2)).unwrap();
    assert_eq!(status(None, &unsigned), (403, None));
    let mut extended = request(1, 0, 5);
    let text = format!("{}extension\n", log(1, 5).1);
    extended.checkpoint = SignedNote::sign(&text, ORIGIN, &Key::new(1)).unwrap();
    assert_eq!(status(None, &extended), (400, None));
    assert_eq!(status(None, &AddCheckpoint { old: 6, ..request(1, 0, 5) }), (400, None));
    assert_eq!(status(Some(seen(1, 5)), &request(1, 0, 9)), (409, Some(5)));
    assert_eq!(status(None, &request(1, 3, 9)), (409, Some(0)));
    assert_eq!(status(Some(seen(1, 9)), &request(1, 5, 5)), (409, Some(9)), "a rollback");
    assert_eq!(status(Some(seen(1, 5)), &AddCheckpoint { proof: vec![], ..request(1, 5, 9) }), (422, None));
    let proof = vec![[0; 32]];
    assert_eq!(status(None, &AddCheckpoint { proof: proof.clone(), ..request(1, 0, 9) }), (422, None));
    assert_eq!(status(Some(seen(1, 5)), &AddCheckpoint { proof, ..request(1, 5, 5) }), (422, None));
    assert_eq!(status(Some(seen(1, 5)), &request(2, 5, 9)), (422, None), "a suspicion, not a proof");
}

#[test]
fn two_roots_for_one_size_are_a_fork_whatever_old_size_is_named() {
    for old in [0, 3, 5] {
        let refused = decide(Some(seen(1, 5)), &AddCheckpoint { old, ..request(2, 5, 5) });
        assert_eq!(refused, Err(WitnessRefusal::Fork { known: 5 }), "old {old}");
    }
}

/// The race that the specification spells out: both requests are checked against one state, the larger is stored
/// first. Stored only if the state is still the one checked against, the smaller is asked again and refused.
#[test]
fn a_race_does_not_roll_the_state_back() {
    let (small, large) = (request(1, 3, 5), request(1, 3, 9));
    let read = Some(seen(1, 3));
    let (accepted_small, accepted_large) = (decide(read, &small).unwrap(), decide(read, &large).unwrap());
    let mut stored = read;
    let mut store = |checked_against: Option<Seen>, new: Seen| {
        let unchanged = stored == checked_against;
        if unchanged {
            stored = Some(new);
        }
        unchanged
    };
    assert!(store(read, accepted_large));
    assert!(!store(read, accepted_small));
    assert_eq!(decide(stored, &small), Err(WitnessRefusal::Conflict { known: 9 }));
}

proptest! {
    #[test]
    fn any_bytes_are_read_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), text in "\\PC{0,80}") {
        let _ = AddCheckpoint::parse(&bytes);
        let framed = format!("old 1\n{text}\n\n{text}\n\n{text}\n");
        if let Ok(request) = AddCheckpoint::parse(framed.as_bytes()) {
            prop_assert_eq!(request.to_string(), framed);
        }
    }

    #[test]
    fn what_is_printed_reads_back(old in 0u64..20, more in 0u64..20) {
        let request = request(1, old, old + more);
        prop_assert_eq!(AddCheckpoint::parse(request.to_string().as_bytes()), Ok(request));
    }

    /// Whatever two logs under one key ask in whatever order, what a witness cosigned is one growing log.
    #[test]
    fn what_is_cosigned_is_one_log(
        asked in prop::collection::vec((1u8..3, 0u64..12, 0u64..12), 1..30)
    ) {
        let (mut state, mut cosigned) = (None::<Seen>, Vec::new());
        for (leaf, old, more) in asked {
            let before = state;
            match decide(state, &request(leaf, old, old + more)) {
                Ok(seen) => {
                    prop_assert!(before.is_none_or(|before| before.size <= seen.size));
                    state = Some(seen);
                    if seen.size > 0 {
                        cosigned.push(leaf);
                    }
                }
                Err(_) => prop_assert_eq!(state, before),
            }
        }
        prop_assert!(cosigned.windows(2).all(|pair| pair[0] == pair[1]), "{:?}", cosigned);
    }

    #[test]
    fn an_altered_request_is_never_accepted(old in 1u64..9, more in 1u64..9, at: usize, bit in 0u8..8) {
        let request = request(1, old, old + more);
        let mut bytes = request.to_string().into_bytes();
        let at = at % bytes.len();
        bytes[at] ^= 1 << bit;
        if let Ok(altered) = AddCheckpoint::parse(&bytes) {
            prop_assert!(decide(Some(seen(1, old)), &altered).is_err());
        }
    }
}

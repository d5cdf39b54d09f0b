//! What commands do, on a store in memory.

use std::sync::Arc;

use hansa_audit_log::merkle::{empty_root, leaf_hash, verify_consistency, verify_inclusion};
use hansa_audit_log::witness::Seen;
use hansa_types::hash::Field;
use hansa_types::id::{Epoch, Timestamp};
use hansa_types::record::ScopeKey;
use hansa_types::signal::Signal;
use hansa_types::verify::VerifyError;
use proptest::prelude::*;

use super::*;
use crate::command::{Command, DocumentWrite, Intent, Leaf, SubjectRef};
use crate::error::ReadError;
use crate::lock::Restored;
use crate::outcome::{CheckpointRefusal, IntentRefusal};
use crate::store::Batch;
use crate::store::memory::MemoryStore;
use crate::testing::*;

const SCOPE: ScopeKey = ScopeKey { gateway: GATEWAY, epoch: EPOCH };

pub(super) fn load(store: Arc<MemoryStore>) -> Result<StateMachine, StoreError> {
    StateMachine::load(store, Arc::new(SubjectKeys::in_memory()), verifier())
}

pub(super) fn machine() -> (Arc<MemoryStore>, StateMachine) {
    let store = Arc::new(MemoryStore::default());
    let machine = load(store.clone()).unwrap();
    (store, machine)
}

pub(super) fn apply(machine: &StateMachine, commands: Vec<Command>) -> Vec<Outcome> {
    let unseen = |command| Proposal { seen: None, command };
    machine.apply(commands.into_iter().map(unseen).collect(), vec![]).unwrap().0
}

pub(super) fn run(machine: &StateMachine, command: Command) -> Outcome {
    apply(machine, vec![command]).remove(0)
}

fn known(machine: &StateMachine, nullifier: u8) -> SignalState {
    machine.signal(&SCOPE, &Field([nullifier; 32])).unwrap().unwrap()
}

#[test]
fn a_unique_key_is_held_by_its_first_content() {
    let (_, machine) = machine();
    assert_eq!(run(&machine, append(1, 1, 1)), Outcome::Appended { index: 0 });
    assert_eq!(run(&machine, append(2, 1, 1)), Outcome::Existing { index: 0 });
    assert_eq!(run(&machine, append(3, 1, 2)), Outcome::Conflict { index: 0 });
    assert_eq!(run(&machine, append(4, 2, 1)), Outcome::Appended { index: 1 });
    assert_eq!(machine.size(), 2);
    assert_eq!(machine.leaf(0).unwrap(), Some(envelope(1)));
    assert_eq!(machine.leaf(2).unwrap(), None);
    assert_eq!(machine.find_unique(&[2; 32]).unwrap(), Some(1));
    assert_eq!(machine.find_unique(&[3; 32]).unwrap(), None);
}

#[test]
fn terms_documents_and_follow_ups_come_with_the_leaf() {
    let (_, machine) = machine();
    let write = |key: &[u8], value: Option<&[u8]>| DocumentWrite {
        collection: 1,
        key: key.to_vec(),
        value: value.map(<[u8]>::to_vec),
    };
    let first = Leaf {
        terms: vec![[8; 32], [9; 32]],
        documents: vec![write(b"case", Some(b"open")), write(b"other", Some(b"kept"))],
        ..leaf(1)
    };
    let second = Leaf { terms: vec![[8; 32]], documents: vec![write(b"case", None)], ..leaf(2) };
    run(&machine, Command::Append { leaf: first, follow_up: vec![leaf(5)] });
    assert_eq!(machine.document(1, b"case").unwrap().as_deref(), Some(b"open".as_slice()));
    run(&machine, Command::Append { leaf: second, follow_up: vec![] });
    assert_eq!(machine.find_term(&[8; 32], 10).unwrap(), [0, 2]);
    assert_eq!(machine.find_term(&[8; 32], 1).unwrap(), [0]);
    assert_eq!(machine.find_term(&[9; 32], 10).unwrap(), [0]);
    assert_eq!(machine.find_term(&[7; 32], 10).unwrap(), [0u64; 0]);
    assert_eq!(machine.document(1, b"case").unwrap(), None);
    let kept = Document { key: b"other".to_vec(), value: b"kept".to_vec() };
    assert_eq!(machine.documents(1).unwrap(), [kept]);
    assert_eq!(machine.documents(2).unwrap(), []);
    assert_eq!(machine.leaf(1).unwrap(), Some(envelope(5)));
}

#[test]
fn a_restored_log_commits_no_intent_before_the_epoch_after_its_unlocking() {
    let (store, machine) = machine();
    run(&machine, append(1, 1, 1));
    assert_eq!(run(&machine, unlock(2, 0)), Outcome::Unknown, "it was not restored");
    let mark = Restored { size: 1, root: machine.head().root, at: Timestamp(5), epoch: None };
    let mut batch = Batch::default();
    batch.put(Table::State, RESTORED, mark.to_bytes());
    store.write(batch, Durability::Synced).unwrap();
    let refused = Outcome::IntentRefused(IntentRefusal::Restored);
    assert_eq!(run(&machine, intent(3, 1, 0, 1)), refused);
    assert_eq!(run(&machine, unlock(4, EPOCH.0)), Outcome::Appended { index: 1 });
    assert_eq!(run(&machine, unlock(4, EPOCH.0)), Outcome::Existing { index: 1 });
    let later = run(&machine, unlock(5, EPOCH.0 + 7));
    assert!(matches!(later, Outcome::Existing { .. }), "the epoch of the first unlocking holds");
    assert_eq!(machine.restored().unwrap(), Some(Restored { epoch: Some(EPOCH), ..mark }));
    assert_eq!(run(&machine, intent(3, 1, 0, 1)), refused);
    let Command::Intent { leaf, intent } = intent(6, 1, 0, 1) else { panic!("an intent") };
    let next = Intent { epoch: Epoch(EPOCH.0 + 1), ..intent };
    assert_eq!(run(&machine, Command::Intent { leaf, intent: next }), Outcome::Appended { index: 2 });
}

#[test]
fn a_signal_counts_once_and_an_unverified_one_burns_nothing() {
    let (_, machine) = machine();
    let unproved = Signal { proof: [0; 192], ..signal(1, 2) };
    let invalid = run(&machine, received(1, unproved));
    assert_eq!(invalid, Outcome::Invalid(VerifyError::Reject("the proof is wrong".to_owned())));
    assert_eq!((machine.size(), machine.signal(&SCOPE, &Field([1; 32])).unwrap()), (0, None));
    assert_eq!(run(&machine, received(2, signal(1, 1))), Outcome::Accepted { index: 0 });
    assert_eq!(machine.size(), 2, "the follow-up is appended");
    assert_eq!(run(&machine, received(3, signal(1, 1))), Outcome::Duplicate);
    assert_eq!(machine.size(), 2);
    assert!(known(&machine, 1).counts());
}

#[test]
fn two_signals_under_one_nullifier_void_it_whatever_their_order() {
    let mut all: Vec<Signal> = (1..=4).map(|what| signal(1, what)).collect();
    all.sort_by_key(|signal| signal.body.digest());
    let evidence = (all[0].clone(), Some(all[1].clone()));
    for order in [[0, 1, 2, 3], [3, 2, 1, 0], [2, 0, 3, 1], [1, 3, 0, 2]] {
        let (_, machine) = machine();
        for (at, which) in order.into_iter().enumerate() {
            let outcome = run(&machine, received(at as u64, all[which].clone()));
            assert_eq!(matches!(outcome, Outcome::Accepted { .. }), at == 0);
            assert_eq!(matches!(outcome, Outcome::DoubleSignal { .. }), at > 0);
        }
        let state = known(&machine, 1);
        assert_eq!((state.signal.clone(), state.double.clone()), evidence);
        assert!(!state.counts());
        let again = run(&machine, received(9, all[3].clone()));
        assert_eq!(again, Outcome::DoubleSignal { index: None }, "larger digests change nothing");
        assert_eq!(run(&machine, retract(10, 1, preimage(1))), Outcome::DoubleSignal { index: None });
    }
}

#[test]
fn only_the_preimage_retracts_and_only_once() {
    let (_, machine) = machine();
    assert_eq!(run(&machine, retract(1, 1, preimage(1))), Outcome::Unknown);
    run(&machine, received(2, signal(1, 1)));
    assert!(matches!(run(&machine, retract(3, 1, [0; 32])), Outcome::Invalid(_)));
    assert!(known(&machine, 1).counts());
    assert_eq!(run(&machine, retract(4, 1, preimage(1))), Outcome::Retracted { index: 2 });
    assert_eq!(run(&machine, retract(5, 1, preimage(1))), Outcome::AlreadyRetracted);
    assert_eq!(known(&machine, 1).retracted, Some(preimage(1)));
    assert_eq!(machine.size(), 3);
}

#[test]
fn counters_are_spent_in_order_within_the_limit_and_never_returned() {
    let (_, machine) = machine();
    let refused = Outcome::IntentRefused;
    assert_eq!(run(&machine, intent(1, 1, 1, 1)), refused(IntentRefusal::WrongCounter { next: 0 }));
    assert_eq!(run(&machine, intent(1, 1, 0, 1)), Outcome::Appended { index: 0 });
    assert_eq!(run(&machine, intent(2, 1, 0, 1)), Outcome::Existing { index: 0 });
    assert_eq!(run(&machine, intent(3, 2, 1, 1)), refused(IntentRefusal::SubjectSignalled));
    assert_eq!(run(&machine, intent(4, 2, 0, 2)), refused(IntentRefusal::WrongCounter { next: 1 }));
    assert_eq!(run(&machine, intent(5, 2, 1, 2)), Outcome::Appended { index: 1 });
    let ids = |machine: &StateMachine| -> Vec<u8> {
        machine.pending_intents(0, 10).unwrap().iter().map(|pending| pending.intent.id.0[0]).collect()
    };
    assert_eq!(ids(&machine), [1, 2]);
    assert_eq!(run(&machine, sent(6, 9, signal(1, 1))), Outcome::Unknown);
    assert_eq!(run(&machine, sent(6, 1, signal(1, 1))), Outcome::Appended { index: 2 });
    assert_eq!(run(&machine, sent(7, 1, signal(1, 1))), Outcome::Existing { index: 2 });
    assert_eq!(ids(&machine), [2]);
    assert_eq!(run(&machine, received(8, signal(1, 1))), Outcome::Duplicate, "the own signal came back");
    assert!(known(&machine, 1).own);
    assert_eq!(run(&machine, intent(9, 3, 2, 3)), Outcome::Appended { index: 3 });
    assert_eq!(run(&machine, intent(10, 4, 3, 4)), refused(IntentRefusal::LimitReached { limit: 3 }));
    assert_eq!(machine.next_counter(&SCOPE).unwrap(), 3);
}

#[test]
fn an_expired_intent_is_no_longer_pending_and_its_counter_stays_spent() {
    let (_, machine) = machine();
    assert_eq!(run(&machine, intent(1, 1, 0, 1)), Outcome::Appended { index: 0 });
    assert_eq!(run(&machine, expire(2, 9)), Outcome::Unknown);
    assert_eq!(run(&machine, expire(2, 1)), Outcome::Appended { index: 1 });
    assert_eq!(run(&machine, expire(3, 1)), Outcome::Existing { index: 0 });
    assert!(machine.pending_intents(0, 10).unwrap().is_empty());
    assert_eq!(machine.next_counter(&SCOPE).unwrap(), 1);
    assert_eq!(run(&machine, intent(4, 2, 1, 1)), Outcome::IntentRefused(IntentRefusal::SubjectSignalled));
}

#[test]
fn only_the_logs_own_growing_roots_may_be_signed() {
    let (_, machine) = machine();
    let propose = |size, root| run(&machine, Command::Checkpoint { size, root });
    assert_eq!(propose(0, empty_root()), Outcome::CheckpointRecorded);
    for seed in 0..3 {
        run(&machine, append(seed, seed as u8, 0));
    }
    let head = machine.head();
    let refused = Outcome::CheckpointRefused;
    assert_eq!(propose(4, head.root), refused(CheckpointRefusal::Larger { size: 3 }));
    assert_eq!(propose(2, head.root), refused(CheckpointRefusal::WrongRoot));
    assert_eq!(propose(3, head.root), Outcome::CheckpointRecorded);
    assert_eq!(propose(3, head.root), Outcome::CheckpointRecorded);
    let smaller = machine.root_at(2).unwrap();
    assert_eq!(propose(2, smaller), refused(CheckpointRefusal::Smaller { last: 3 }));
    assert_eq!(machine.last_checkpoint().unwrap(), Some(head));
}

#[test]
fn proofs_verify_and_questions_beyond_the_log_are_refused() {
    let (_, machine) = machine();
    for seed in 0..11 {
        run(&machine, append(seed, seed as u8, 0));
    }
    let TreeHead { size, root } = machine.head();
    let leaf = leaf_hash(envelope(4).as_bytes());
    verify_inclusion(&leaf, 4, size, &machine.inclusion(4, size).unwrap(), &root).unwrap();
    let old = machine.root_at(6).unwrap();
    verify_consistency(6, size, &old, &root, &machine.consistency(6, size).unwrap()).unwrap();
    assert_eq!(machine.inclusion(4, 12), Err(ReadError::BeyondLog { size: 12, have: 11 }));
    assert_eq!(machine.inclusion(4, 3), Err(ReadError::NoSuchLeaf { index: 4, size: 3 }));
    assert_eq!(machine.consistency(0, 3), Err(ReadError::BadSizes { old: 0, new: 3 }));
    assert!(machine.root_at(u64::MAX).is_err());
}

#[test]
fn a_damaged_tree_is_refused_at_the_start() {
    let (store, machine) = machine();
    for seed in 0..4 {
        run(&machine, append(seed, seed as u8, 0));
    }
    let mut batch = Batch::default();
    // Leaf, pair, and the root of four.
    batch.put(Table::Nodes, 3u64.to_be_bytes(), [0; 3 * 32]);
    store.write(batch, Durability::Synced).unwrap();
    let damaged = load(store).err();
    assert!(matches!(damaged, Some(StoreError::Corrupt { table: "nodes", .. })), "{damaged:?}");
}

#[test]
fn what_is_cosigned_is_remembered_first_and_never_rolled_back() {
    let (_, machine) = machine();
    let seen = |size, root| Some(Seen { size, root: [root; 32] });
    let refused = |seen| Outcome::WitnessRefused { seen };
    assert_eq!(run(&machine, witness(1, 3, 5, 0)), refused(None), "nothing is remembered yet");
    assert_eq!(run(&machine, witness(1, 0, 3, 0)), Outcome::Witnessed);
    assert_eq!(run(&machine, witness(1, 0, 3, 0)), Outcome::Witnessed, "proposed again");
    assert_eq!(run(&machine, witness(1, 0, 3, 7)), refused(seen(3, 0)), "another root");
    // The race: both were checked against 3, and the larger came first.
    assert_eq!(run(&machine, witness(1, 3, 9, 0)), Outcome::Witnessed);
    assert_eq!(run(&machine, witness(1, 3, 5, 0)), refused(seen(9, 0)));
    assert_eq!(run(&machine, witness(1, 9, 8, 0)), refused(seen(9, 0)), "whatever was checked");
    assert_eq!(run(&machine, witness(1, 9, 9, 0)), Outcome::Witnessed, "again, though nothing grew");
    assert_eq!(machine.witnessed("bank-1.example/audit").unwrap().unwrap().seen, seen(9, 0).unwrap());
    assert_eq!(machine.witnessed("bank-2.example/audit").unwrap(), None);
    run(&machine, witness(2, 0, 1, 0));
    assert_eq!(machine.all_witnessed().unwrap().len(), 2);
    assert_eq!(machine.size(), 0, "a cosignature is no leaf");
}

fn any_command() -> impl Strategy<Value = Command> {
    let small = || 0..5u8;
    prop_oneof![
        (any::<u64>(), small(), small()).prop_map(|(seed, key, what)| append(seed, key, what)),
        (any::<u32>(), small(), small(), any::<bool>()).prop_map(|(seed, nullifier, what, ok)| {
            let mut signal = signal(nullifier, what);
            signal.proof[0] = u8::from(ok);
            received(u64::from(seed), signal)
        }),
        (any::<u64>(), small()).prop_map(|(seed, nullifier)| retract(seed, nullifier, preimage(nullifier))),
        (any::<u64>(), small(), 0..4u32, small())
            .prop_map(|(seed, id, counter, subject)| intent(seed, id, counter, subject)),
        (any::<u64>(), small()).prop_map(|(seed, id)| expire(seed, id)),
        (any::<u64>(), small(), small()).prop_map(|(seed, id, what)| sent(seed, id, signal(id, what))),
        (any::<u64>(), small(), small(), any::<bool>()).prop_map(|(seed, subject, what, brings)| {
            let wrapped = vec![what; 40];
            let key = crate::store::subject_key_name(&wrapped);
            let subject = SubjectRef { subject: [subject; 32], key, wrapped: brings.then_some(wrapped) };
            Command::Append { leaf: Leaf { subjects: vec![subject], ..leaf(seed) }, follow_up: vec![] }
        }),
        (any::<u64>(), small(), any::<bool>()).prop_map(|(seed, subject, held)| Command::Hold {
            leaf: leaf(seed),
            subject: [subject; 32],
            held
        }),
        (any::<u64>(), small(), 0..20u64).prop_map(|(seed, subject, seen)| Command::Erase {
            leaf: leaf(seed),
            subject: [subject; 32],
            seen,
            forget: vec![[subject; 32]],
        }),
        (small(), 0..4u64, 1..6u64, 0..2u8).prop_map(|(log, old, new, root)| witness(log, old, new, root)),
        (0..6u64).prop_map(|size| Command::Checkpoint {
            size,
            root: if size == 0 { empty_root() } else { [0; 32] }
        }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Also: what was acknowledged under a unique key keeps its index, and a checkpoint of the tree within the batch
    /// is judged as one after it.
    #[test]
    fn packing_changes_neither_outcomes_nor_state(
        commands in prop::collection::vec(any_command(), 1..40), cuts in prop::collection::vec(1usize..8, 1..40)
    ) {
        let (one_store, one) = machine();
        let mut single: Vec<Outcome> = commands.iter().map(|c| run(&one, c.clone())).collect();
        let (packed_store, packed) = machine();
        let (mut rest, mut outcomes) = (commands.as_slice(), Vec::new());
        for cut in cuts.iter().cycle() {
            let (batch, tail) = rest.split_at((*cut).min(rest.len()));
            outcomes.extend(apply(&packed, batch.to_vec()));
            rest = tail;
            if rest.is_empty() {
                break;
            }
        }
        prop_assert_eq!(&outcomes, &single);
        prop_assert_eq!(packed.head(), one.head());

        let head = Command::Checkpoint { size: one.size(), root: one.head().root };
        single = vec![run(&one, head.clone())];
        prop_assert_eq!(&single, &apply(&packed, vec![head]));
        prop_assert_eq!(packed_store.replicated(), one_store.replicated());

        let reloaded = load(packed_store).unwrap();
        prop_assert_eq!(reloaded.head(), one.head());
    }

    #[test]
    fn commands_read_back_and_any_bytes_are_read_without_panic(
        command in any_command(), noise in prop::collection::vec(any::<u8>(), 0..300), at: usize
    ) {
        let bytes = command.to_bytes();
        prop_assert_eq!(Command::from_bytes(&bytes).unwrap(), command);
        prop_assert!(Command::from_bytes(&bytes[..bytes.len() - 1]).is_err());
        let _ = Command::from_bytes(&noise);
        let mut altered = bytes.clone();
        altered[at % bytes.len()] ^= 0x41;
        if let Ok(other) = Command::from_bytes(&altered) {
            prop_assert_eq!(other.to_bytes(), altered, "one encoding for each command");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Who proposes may not have heard the first answer, so each command may come again at once.
    #[test]
    fn a_command_applied_again_changes_nothing_and_says_where_it_was_applied(
        commands in prop::collection::vec((any_command(), 0..3usize), 1..40)
    ) {
        let (once_store, once) = machine();
        let (again_store, again) = machine();
        for (command, repeats) in commands {
            let first = run(&once, command.clone());
            prop_assert_eq!(&run(&again, command.clone()), &first);
            let expected = match first {
                Outcome::Appended { index } | Outcome::Accepted { index } | Outcome::Retracted { index }
                | Outcome::DoubleSignal { index: Some(index) } => Outcome::Existing { index },
                other => other,
            };
            for _ in 0..repeats {
                prop_assert_eq!(&run(&again, command.clone()), &expected);
            }
        }
        prop_assert_eq!(again_store.replicated(), once_store.replicated());
    }
}

#[test]
fn a_checkpoint_may_follow_its_leaves_in_one_entry() {
    let (_, reference) = machine();
    for seed in 0..3 {
        run(&reference, append(seed, seed as u8, 0));
    }
    let (_, machine) = machine();
    let TreeHead { size, root } = reference.head();
    let mut commands: Vec<Command> = (0..3).map(|seed| append(seed, seed as u8, 0)).collect();
    commands.push(Command::Checkpoint { size, root });
    assert_eq!(apply(&machine, commands).pop(), Some(Outcome::CheckpointRecorded));
}

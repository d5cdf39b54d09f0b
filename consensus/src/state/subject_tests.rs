//! Subject keys, holds and erasure, on a store in memory.

use super::tests::{apply, load, machine, run};
use super::*;
use crate::command::{Command, Leaf, SubjectRef};
use crate::store::{KeyChange, subject_key_name};
use crate::testing::*;

fn wrapped(what: u8) -> Vec<u8> {
    vec![what; 40]
}

/// A leaf about a subject, under the key made of `what`, which it brings along or not.
fn about(seed: u64, subject: u8, what: u8, brings: bool) -> Leaf {
    let key = subject_key_name(&wrapped(what));
    let subject = SubjectRef { subject: [subject; 32], key, wrapped: brings.then(|| wrapped(what)) };
    Leaf { subjects: vec![subject], ..leaf(seed) }
}

fn append_about(seed: u64, subject: u8, what: u8, brings: bool) -> Command {
    Command::Append { leaf: about(seed, subject, what, brings), follow_up: vec![] }
}

fn erase(seed: u64, subject: u8, seen: u64) -> Command {
    Command::Erase { leaf: leaf(seed), subject: [subject; 32], seen, forget: vec![[99; 32]] }
}

fn hold(seed: u64, subject: u8, held: bool) -> Command {
    Command::Hold { leaf: leaf(seed), subject: [subject; 32], held }
}

fn found(machine: &StateMachine, subject: u8) -> Vec<u64> {
    machine.find_term(&[subject; 32], 10).unwrap()
}

#[test]
fn the_first_key_of_a_subject_holds_and_others_are_sealed_again() {
    let (_, machine) = machine();
    let taken = Outcome::SubjectKeyTaken;
    assert_eq!(run(&machine, append_about(1, 5, 1, false)), taken, "nobody has the key");
    assert_eq!(run(&machine, append_about(1, 5, 1, true)), Outcome::Appended { index: 0 });
    assert_eq!(run(&machine, append_about(2, 5, 2, true)), taken, "another key was first");
    assert_eq!(run(&machine, append_about(3, 5, 1, false)), Outcome::Appended { index: 1 });
    assert_eq!(run(&machine, append_about(4, 5, 1, true)), Outcome::Appended { index: 2 });
    assert_eq!(machine.size(), 3);
    let key = subject_key_name(&wrapped(1));
    assert_eq!(machine.subject_key(&[5; 32]).unwrap(), Some((key, wrapped(1))));
    assert_eq!(machine.keys_of_leaf(1).unwrap(), [key]);
    assert_eq!(found(&machine, 5), [0, 1, 2], "the subject is an index term");
    assert_eq!(machine.subjects(&[0; 32], 10).unwrap(), [[5; 32]]);
    assert!(machine.subjects(&[6; 32], 10).unwrap().is_empty());
}

#[test]
fn a_command_whose_follow_up_has_another_key_changes_nothing() {
    let (store, machine) = machine();
    let before = store.replicated();
    let command = Command::Append { leaf: about(1, 5, 1, true), follow_up: vec![about(2, 5, 2, true)] };
    assert_eq!(run(&machine, command), Outcome::SubjectKeyTaken);
    let misnamed =
        SubjectRef { subject: [5; 32], key: subject_key_name(b"other"), wrapped: Some(wrapped(1)) };
    let leaf = Leaf { subjects: vec![misnamed], ..leaf(3) };
    assert_eq!(run(&machine, Command::Append { leaf, follow_up: vec![] }), Outcome::SubjectKeyTaken);
    let mut after = store.replicated();
    // Which entry was applied last, and the tree's edge, are always written.
    after.remove(&Table::State);
    assert_eq!(after, before);
    let both = Command::Append { leaf: about(1, 5, 1, true), follow_up: vec![about(2, 5, 1, true)] };
    assert_eq!(run(&machine, both), Outcome::Appended { index: 0 });
}

#[test]
fn an_erased_key_is_gone_and_never_comes_back() {
    let (store, machine) = machine();
    run(&machine, append_about(1, 5, 1, true));
    run(&machine, append_about(2, 6, 2, true));
    assert_eq!(run(&machine, erase(3, 7, 2)), Outcome::Unknown);
    assert_eq!(run(&machine, erase(3, 5, 2)), Outcome::Appended { index: 2 });
    assert_eq!(run(&machine, erase(3, 5, 2)), Outcome::Existing { index: 2 });
    let key = subject_key_name(&wrapped(1));
    assert_eq!(machine.subject_key(&[5; 32]).unwrap(), None);
    assert_eq!(machine.wrapped_key(&key).unwrap(), None);
    let erased = machine.erased_key(&key).unwrap().unwrap();
    assert_eq!((erased.subject, erased.index), ([5; 32], 2));
    assert_eq!(machine.keys_of_leaf(0).unwrap(), [key], "the leaf still says what it was sealed under");
    assert_eq!((found(&machine, 5), found(&machine, 6)), (vec![], vec![1]));

    // Sealed before the erasure, proposed after it.
    assert_eq!(run(&machine, append_about(4, 5, 1, true)), Outcome::SubjectKeyTaken);
    // The subject comes back: under a new key.
    assert_eq!(run(&machine, append_about(5, 5, 3, true)), Outcome::Appended { index: 3 });
    assert_eq!(found(&machine, 5), [3]);

    // A database of keys from before the erasure, as a backup would bring it.
    let keys = SubjectKeys::in_memory();
    let put = |what| KeyChange::Put(subject_key_name(&wrapped(what)), wrapped(what));
    keys.write(&[put(1), put(2), put(3)]).unwrap();
    let restored = StateMachine::load(store, Arc::new(keys), verifier()).unwrap();
    assert_eq!(restored.wrapped_key(&key).unwrap(), None);
    assert!(restored.wrapped_key(&subject_key_name(&wrapped(2))).unwrap().is_some());
}

#[test]
fn what_came_after_the_look_and_holds_stop_an_erasure() {
    let (_, machine) = machine();
    run(&machine, append_about(1, 5, 1, true));
    run(&machine, append_about(2, 5, 1, false));
    assert_eq!(run(&machine, erase(3, 5, 1)), Outcome::Stale { size: 2 });
    let both = vec![append_about(4, 5, 1, false), erase(5, 5, 2)];
    let outcomes = apply(&machine, both);
    assert_eq!(outcomes[1], Outcome::Stale { size: 3 }, "also within one entry");

    assert_eq!(run(&machine, hold(6, 6, false)), Outcome::Unknown);
    assert_eq!(run(&machine, hold(6, 6, true)), Outcome::Appended { index: 3 });
    assert_eq!(run(&machine, erase(7, 5, 3)), Outcome::Stale { size: 4 }, "a hold on anybody");
    assert_eq!(run(&machine, hold(8, 5, true)), Outcome::Appended { index: 4 });
    assert_eq!(run(&machine, hold(9, 5, true)), Outcome::Existing { index: 4 });
    assert_eq!(machine.hold(&[5; 32]).unwrap(), Some(4));
    assert_eq!(run(&machine, erase(10, 5, 5)), Outcome::Conflict { index: 4 });
    assert_eq!(run(&machine, hold(11, 5, false)), Outcome::Appended { index: 5 });
    assert_eq!(run(&machine, erase(12, 5, 6)), Outcome::Appended { index: 6 });
}

#[test]
fn a_ledger_from_elsewhere_is_entered_and_its_keys_deleted() {
    let (_, left) = machine();
    let (store, restored) = machine();
    for machine in [&left, &restored] {
        run(machine, append_about(1, 5, 1, true));
    }
    run(&left, erase(2, 5, 1));
    assert_eq!(restored.enter_ledger(&left.erased_keys().unwrap()).unwrap(), 1);
    assert_eq!(restored.subject_key(&[5; 32]).unwrap(), None);
    assert_eq!(restored.erased_keys().unwrap(), left.erased_keys().unwrap());
    assert!(load(store).unwrap().erased_key(&subject_key_name(&wrapped(1))).unwrap().is_some());
}

#[test]
fn a_term_is_followed_from_any_place_without_the_rest() {
    let (_, machine) = machine();
    for seed in 0..6 {
        let leaf = Leaf { terms: vec![[8; 32], [7 + seed as u8; 32]], ..leaf(seed) };
        run(&machine, Command::Append { leaf: Leaf { terms: dedup(leaf.terms), ..leaf }, follow_up: vec![] });
    }
    let mut seen = Vec::new();
    machine
        .visit_term(&[8; 32], 2, &mut |index| {
            seen.push(index);
            if seen.len() < 3 {
                std::ops::ControlFlow::Continue(())
            } else {
                std::ops::ControlFlow::Break(())
            }
        })
        .unwrap();
    assert_eq!(seen, [2, 3, 4]);
    assert!(machine.has_term(&[9; 32], 2).unwrap());
    assert!(!machine.has_term(&[9; 32], 3).unwrap());
}

fn dedup(mut terms: Vec<[u8; 32]>) -> Vec<[u8; 32]> {
    terms.sort_unstable();
    terms.dedup();
    terms
}

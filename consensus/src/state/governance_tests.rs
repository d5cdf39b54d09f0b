//! Entries of governance: taken in where they stand in the log, and again after a restart.

use std::sync::{Arc, Mutex};

use hansa_types::governance::{Choice, Effect, Entry, Message, Refusal, SignedVote, Vote};
use hansa_types::hash::Digest;
use hansa_types::id::Timestamp;
use hansa_types::sign::Signature;
use hansa_types::signal::Signal;
use hansa_types::verify::{SignalRules, Verifier, VerifyError};

use super::StateMachine;
use super::tests::apply;
use crate::command::Command;
use crate::outcome::Outcome;
use crate::store::SubjectKeys;
use crate::store::memory::MemoryStore;
use crate::testing::{leaf, received, signal};

/// Accepts signals after the second entry, and refuses entries of round 9.
#[derive(Default)]
struct Rules(Mutex<Vec<Entry>>);

impl Verifier<Signal> for Rules {
    fn verify(&self, _: &Signal) -> Result<(), VerifyError> {
        let entries = self.0.lock().unwrap().len();
        if entries >= 2 { Ok(()) } else { Err(VerifyError::Ignore(format!("after {entries} entries"))) }
    }
}

impl SignalRules for Rules {
    fn restart(&self) -> Result<(), Refusal> {
        self.0.lock().unwrap().clear();
        Ok(())
    }

    fn govern(&self, entry: &Entry) -> Result<Effect, Refusal> {
        let mut entries = self.0.lock().unwrap();
        match &entry.message {
            Message::Vote(vote) if vote.vote.round == 9 => Err(Refusal::Round(9)),
            _ if entries.contains(entry) => Ok(Effect::Known),
            _ => {
                entries.push(entry.clone());
                Ok(Effect::Noted)
            }
        }
    }
}

fn load(store: &Arc<MemoryStore>, rules: &Arc<Rules>) -> StateMachine {
    StateMachine::load(store.clone(), Arc::new(SubjectKeys::in_memory()), rules.clone()).unwrap()
}

fn govern(seed: u64, round: u16) -> Command {
    let vote = Vote { parent: Digest([1; 32]), number: 1, round, choice: Choice::None };
    let vote = SignedVote { bank: "bank-a".parse().unwrap(), vote, signature: Signature([0; 64]) };
    let entry = Entry { at: Timestamp(7), vouched: false, message: Message::Vote(vote) };
    Command::Govern { leaf: leaf(seed), entry }
}

/// One entry of the group's log: what was decided before a signal counts for it, and what comes after does not.
#[test]
fn signals_are_judged_by_what_was_decided_before_them() {
    let (store, rules) = (Arc::new(MemoryStore::default()), Arc::new(Rules::default()));
    let machine = load(&store, &rules);
    let outcomes = apply(
        &machine,
        vec![
            govern(1, 1),
            received(10, signal(1, 1)),
            govern(2, 1),
            govern(3, 9),
            govern(4, 2),
            received(11, signal(1, 1)),
        ],
    );
    let [first, early, again, refused, second, late] = &outcomes[..] else { panic!("{outcomes:?}") };
    assert_eq!(*first, Outcome::Appended { index: 0 });
    assert_eq!(*early, Outcome::Invalid(VerifyError::Ignore("after 1 entries".to_owned())));
    assert_eq!(*again, Outcome::Duplicate);
    assert_eq!(*refused, Outcome::GovernanceRefused { reason: Refusal::Round(9).to_string() });
    assert_eq!(*second, Outcome::Appended { index: 1 });
    assert_eq!(*late, Outcome::Accepted { index: 2 });

    let restarted = Arc::new(Rules::default());
    let machine = load(&store, &restarted);
    assert_eq!(*restarted.0.lock().unwrap(), *rules.0.lock().unwrap(), "in their order, without the refused");
    assert_eq!(
        apply(&machine, vec![govern(1, 1)]),
        [Outcome::Existing { index: 0 }],
        "the same command again"
    );
}

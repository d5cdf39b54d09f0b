//! Old copies of a log, restored or copied back: no second history, and no counter spent twice.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests: what fails here fails the test")]

mod common;

use common::bank::{Bank, EPOCH, fill, sign, unlock};
use common::{copy_all, envelope, open};
use hansa_consensus::outcome::IntentRefusal;
use hansa_consensus::{CheckpointError, Command, Intent, Leaf, Locked, Outcome, RecordsConfig, UnlockError};
use hansa_types::hash::Digest;
use hansa_types::id::{Epoch, GatewayId};

fn intent(counter: u32, epoch: Epoch) -> Command {
    let id = Digest([(counter as u8) + 1; 32]);
    let seed = 2_000_000 + u64::from(epoch.0) * 100 + u64::from(counter);
    let subject = [(counter as u8) + 100; 32];
    let (gateway, payload) = (GatewayId(3), vec![1, 2, 3]);
    let intent = Intent { gateway, epoch, counter, limit: 10, subject, id, payload };
    Command::Intent { leaf: Leaf::new(envelope(seed)), intent }
}

#[test]
fn a_restored_log_that_lost_what_was_cosigned_signs_nothing() {
    let bank = Bank::new(1);
    let replica = bank.plan.open(1);
    fill(&replica, 0..10);
    let backup = bank.back_up(&replica, 0);
    fill(&replica, 10..20);
    unlock(&replica, vec![], 0, EPOCH).unwrap();
    let cosigned = sign(&replica).unwrap();
    assert_eq!(cosigned.size, 20);
    replica.kill();

    let config = bank.elsewhere("restored");
    bank.restore(&backup, &config).unwrap();
    let restored = open(&config, &RecordsConfig::default()).unwrap();
    assert!(matches!(sign(&restored), Err(CheckpointError::Locked(Locked::Waiting))));
    let few = unlock(&restored, vec![None], 2, EPOCH).unwrap_err();
    assert_eq!(few, UnlockError::TooFew { answered: 1, needed: 2 });
    let lost = unlock(&restored, vec![None, Some(cosigned)], 2, EPOCH).unwrap_err();
    assert_eq!(lost, UnlockError::Lost(Locked::Shorter { witnessed: 20, have: 10 }));
    assert!(lost.to_string().contains("restore a newer backup"), "{lost}");
    // Neither entries that are appended nor other answers help: it would be another history.
    fill(&restored, 100..110);
    assert!(unlock(&restored, vec![None, None], 2, EPOCH).is_err());
    assert!(matches!(sign(&restored), Err(CheckpointError::Locked(Locked::Shorter { .. }))));
    assert!(!restored.consensus.may_signal(Epoch(99)).unwrap());
    assert_eq!(restored.consensus.last_checkpoint().unwrap(), None);
    assert_eq!(restored.consensus.published().unwrap(), None);
    restored.kill();
    let again = open(&config, &RecordsConfig::default()).unwrap();
    let forked = unlock(&again, vec![Some(cosigned)], 1, EPOCH).unwrap_err();
    assert_eq!(forked, UnlockError::Lost(Locked::Forked { size: 20 }));
}

#[test]
fn no_counter_is_spent_twice_after_a_restore() {
    let bank = Bank::new(1);
    let replica = bank.plan.open(1);
    for counter in 0..2 {
        assert!(matches!(replica.propose(intent(counter, EPOCH)), Outcome::Appended { .. }));
    }
    let backup = bank.back_up(&replica, 0);
    assert!(matches!(replica.propose(intent(2, EPOCH)), Outcome::Appended { .. }));
    replica.kill();

    let config = bank.elsewhere("restored");
    bank.restore(&backup, &config).unwrap();
    let restored = open(&config, &RecordsConfig::default()).unwrap();
    let refused = Outcome::IntentRefused(IntentRefusal::Restored);
    for epoch in [EPOCH, Epoch(EPOCH.0 + 1), Epoch(99)] {
        assert_eq!(restored.propose(intent(2, epoch)), refused, "before the keys are unlocked");
    }
    unlock(&restored, vec![], 0, EPOCH).unwrap();
    for epoch in [Epoch(EPOCH.0 - 1), EPOCH] {
        assert_eq!(restored.propose(intent(2, epoch)), refused, "the backup does not know what was spent");
        assert!(!restored.consensus.may_signal(epoch).unwrap());
    }
    let next = Epoch(EPOCH.0 + 1);
    assert!(restored.consensus.may_signal(next).unwrap());
    let first = Command::Intent {
        leaf: Leaf::new(envelope(77)),
        intent: match intent(0, next) {
            Command::Intent { intent, .. } => Intent { id: Digest([200; 32]), ..intent },
            other => panic!("{other:?}"),
        },
    };
    assert!(matches!(restored.propose(first), Outcome::Appended { .. }));
}

#[test]
fn an_old_copy_of_the_data_folder_is_found_out() {
    let bank = Bank::new(1);
    let config = bank.plan.config(1);
    let replica = bank.plan.open(1);
    fill(&replica, 0..5);
    replica.kill();
    let old = bank.elsewhere("old-copy");
    copy_all(&config.data_dir, &old.data_dir);

    let replica = bank.plan.open(1);
    fill(&replica, 5..9);
    unlock(&replica, vec![], 0, EPOCH).unwrap();
    let cosigned = sign(&replica).unwrap();
    replica.kill();

    let rolled_back = open(&old, &RecordsConfig::default()).unwrap();
    assert_eq!(rolled_back.consensus.restored().unwrap(), None, "nothing in the folder tells");
    assert!(matches!(sign(&rolled_back), Err(CheckpointError::Locked(Locked::Waiting))));
    let lost = unlock(&rolled_back, vec![Some(cosigned)], 1, EPOCH).unwrap_err();
    assert_eq!(lost, UnlockError::Lost(Locked::Shorter { witnessed: 9, have: 5 }));
    assert!(!rolled_back.consensus.may_signal(EPOCH).unwrap());
    fill(&rolled_back, 100..120);
    assert!(matches!(sign(&rolled_back), Err(CheckpointError::Locked(_))));
    rolled_back.kill();
    let longer = open(&old, &RecordsConfig::default()).unwrap();
    let forked = unlock(&longer, vec![Some(cosigned)], 1, EPOCH).unwrap_err();
    assert_eq!(forked, UnlockError::Lost(Locked::Forked { size: 9 }), "however long it grows");
    longer.kill();
    let untouched = bank.plan.open(1);
    unlock(&untouched, vec![Some(cosigned)], 1, EPOCH).unwrap();
    sign(&untouched).unwrap();
}

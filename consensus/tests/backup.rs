//! Backup and restore of real replicas: under load, into another folder, by two officers.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests: what fails here fails the test")]

mod common;

use std::path::{Path, PathBuf};

use common::bank::{Bank, EPOCH, NOW, fill, sign, unlock};
use common::{ORIGIN, append, envelope, files, open};
use hansa_consensus::backup::{
    Backup, BackupConfig, BackupError, Identities, Restore, drill, folder, keygen, restore, verify,
};
use hansa_consensus::replica::Replica;
use hansa_consensus::{CheckpointError, Command, Locked, Outcome, RecordsConfig, TreeHead};
use hansa_types::hash::Digest;
use hansa_types::id::Epoch;

#[test]
fn a_backup_taken_under_load_restores_to_the_same_log_and_goes_on() {
    let bank = Bank::new(1);
    let replica = bank.plan.open(1);
    fill(&replica, 0..50);
    let consensus = replica.consensus.clone();
    let backup = replica.block_on(async {
        let load = tokio::spawn(async move {
            for key in 50..300 {
                consensus.propose(append(key, key)).await.unwrap();
            }
        });
        let backup = replica.consensus.back_up(&bank.backup, ORIGIN, NOW).await.unwrap();
        load.await.unwrap();
        backup
    });
    assert!((50..=300).contains(&backup.size), "{}", backup.size);
    let manifest = verify(&backup.path, Some(&bank.identities)).unwrap().unwrap();
    assert_eq!(manifest.root, replica.consensus.root_at(backup.size).unwrap());
    assert_eq!((manifest.origin.as_str(), manifest.size, manifest.replica), (ORIGIN, backup.size, 1));
    let data = bank.plan.config(1).data_dir;
    assert!(
        files(&data).iter().all(|path| !path.to_string_lossy().contains("backup")),
        "no work is left over"
    );
    replica.kill();

    let config = bank.elsewhere("restored");
    bank.restore(&backup, &config).unwrap();
    let restored = open(&config, &RecordsConfig::default()).unwrap();
    assert_eq!(restored.consensus.head(), TreeHead { size: backup.size, root: manifest.root });
    let mark = restored.consensus.restored().unwrap().unwrap();
    assert_eq!((mark.size, mark.root, mark.at, mark.epoch), (backup.size, manifest.root, NOW, None));
    assert_eq!(
        restored.propose(append(1, 7)),
        Outcome::Existing { index: 7 },
        "a decided payment stays decided"
    );
    fill(&restored, 1000..1010);
    assert_eq!(restored.consensus.leaf(3).unwrap(), Some(envelope(3)));
    unlock(
        &restored,
        vec![Some(TreeHead { size: 50, root: restored.consensus.root_at(50).unwrap() })],
        1,
        EPOCH,
    )
    .unwrap();
    assert_eq!(sign(&restored).unwrap().size, backup.size + 11, "the record of unlocking is in the log");
    restored.kill();

    // After an ordinary restart the keys are locked until somebody was asked, and the epoch is remembered.
    let again = open(&config, &RecordsConfig::default()).unwrap();
    assert_eq!(again.consensus.restored().unwrap().unwrap().epoch, Some(EPOCH));
    assert!(matches!(sign(&again), Err(CheckpointError::Locked(Locked::Waiting))));
    unlock(&again, vec![], 0, Epoch(12)).unwrap();
    assert_eq!(again.consensus.restored().unwrap().unwrap().epoch, Some(EPOCH));
    sign(&again).unwrap();
}

#[test]
fn nothing_is_restored_without_two_officers_an_empty_folder_and_a_whole_file() {
    let bank = Bank::new(1);
    let replica = bank.plan.open(1);
    fill(&replica, 0..20);
    let backup = bank.back_up(&replica, 0);
    replica.kill();
    let config = bank.elsewhere("restored");
    for officers in [vec![], vec![("ada", 1)], vec![("ada", 1), ("ada", 1)], vec![("ada", 1), ("bob", 1)]] {
        let approvals = bank.approvals(&backup, &officers);
        let refused = bank.restore_with(&backup, &config, &approvals);
        assert!(matches!(refused, Err(BackupError::Approval(_))), "{officers:?}: {refused:?}");
    }
    let taken = bank.restore(&backup, &bank.plan.config(1));
    assert!(matches!(taken, Err(BackupError::NotEmpty(_))), "{taken:?}");

    // Altered with a hash that fits: age finds it. Altered without: the hash does.
    let whole = std::fs::read(&backup.path).unwrap();
    let mut spoilt = whole.clone();
    let middle = spoilt.len() / 2;
    spoilt[middle] ^= 1;
    std::fs::write(&backup.path, &spoilt).unwrap();
    assert!(matches!(verify(&backup.path, None), Err(BackupError::Hash { .. })));
    assert!(matches!(bank.restore(&backup, &config), Err(BackupError::Hash { .. })));
    let hash = Digest(<sha2::Sha256 as sha2::Digest>::digest(&spoilt).into());
    let beside = format!("{}.sha256", backup.path.display());
    std::fs::write(&beside, format!("{hash}  x\n")).unwrap();
    let exchanged = Backup { hash, ..backup.clone() };
    assert!(matches!(bank.restore(&exchanged, &config), Err(BackupError::Container { .. })));
    std::fs::write(&backup.path, &whole).unwrap();
    std::fs::write(&beside, format!("{}  x\n", backup.hash)).unwrap();

    let stranger = bank.plan.dir.path().join("stranger.identity");
    keygen(&stranger).unwrap();
    let stranger = Identities::load(&stranger).unwrap();
    assert!(matches!(verify(&backup.path, Some(&stranger)), Err(BackupError::Decrypt { .. })));
    assert!(!config.data_dir.exists(), "nothing is left of what was refused");
    bank.restore(&backup, &config).unwrap();
}

#[test]
fn a_preparation_that_fails_leaves_nothing_to_start_from() {
    let bank = Bank::new(1);
    let replica = bank.plan.open(1);
    fill(&replica, 0..3);
    let backup = bank.back_up(&replica, 0);
    let config = bank.elsewhere("restored");
    let approvals = bank.approvals(&backup, &[("ada", 1), ("bob", 2)]);
    let mut staged = None;
    let refused = restore(Restore {
        file: &backup.path,
        subject_keys: None,
        identities: &bank.identities,
        consensus: &config,
        backup: &bank.backup,
        approvals: &approvals,
        now: NOW,
        prepare: &mut |config| {
            staged = Some(config.data_dir.clone());
            Err("the ledger of erasures is missing".to_owned())
        },
    });
    assert!(matches!(refused, Err(BackupError::Prepare(_))), "{refused:?}");
    assert!(!config.data_dir.exists() && !staged.unwrap().exists());
}

#[test]
fn the_raft_log_is_in_no_backup() {
    let bank = Bank::new(1);
    let replica = bank.plan.open(1);
    fill(&replica, 0..10);
    // Refused by the state, so it stands in the Raft log alone.
    let mut refused = append(4_711, 3);
    if let Command::Append { leaf, .. } = &mut refused {
        leaf.unique.content = [9; 32];
    }
    assert!(matches!(replica.propose(refused), Outcome::Conflict { .. }));
    let needle = envelope(4_711).into_bytes();
    let holds = |dir: &Path| {
        let found = |path: &PathBuf| {
            let bytes = std::fs::read(path).unwrap();
            bytes.windows(needle.len()).any(|window| window == needle.as_slice())
        };
        files(dir).iter().filter(|path| path.is_file()).any(found)
    };
    let backup = bank.back_up(&replica, 0);
    assert!(holds(&bank.plan.config(1).data_dir.join("db")), "the test looks where it would be");
    replica.kill();
    let config = bank.elsewhere("restored");
    bank.restore(&backup, &config).unwrap();
    assert!(!holds(&config.data_dir.join("db")));
}

#[test]
fn so_many_are_kept_and_the_replica_goes_on_unharmed() {
    let bank = Bank::new(1);
    let replica = bank.plan.open(1);
    for round in 0..5 {
        fill(&replica, round * 10..round * 10 + 10);
        bank.back_up(&replica, round);
    }
    let kept: Vec<u64> = folder::list(&bank.backup.dir).unwrap().iter().map(|backup| backup.size).collect();
    assert_eq!(kept, [30, 40, 50]);
    let head = replica.consensus.head();
    replica.kill();
    let reopened = bank.plan.open(1);
    assert_eq!(reopened.consensus.head(), head, "its files were shared with the backups' checkpoints");
    assert_eq!(reopened.consensus.leaf(0).unwrap(), Some(envelope(0)));
}

#[test]
fn a_full_disk_leaves_nothing_half() {
    let bank = Bank::new(1);
    let mount = bank.plan.dir.path().join("small");
    std::fs::create_dir(&mount).unwrap();
    let run = |program: &str, arguments: &[&str]| {
        std::process::Command::new(program)
            .args(arguments)
            .arg(&mount)
            .status()
            .is_ok_and(|status| status.success())
    };
    if !run("mount", &["-t", "tmpfs", "-o", "size=64k", "tmpfs"]) {
        println!("SKIPPED: a small disk cannot be mounted here");
        return;
    }
    let small = BackupConfig { dir: mount.join("backups"), ..bank.backup.clone() };
    let replica = bank.plan.open(1);
    fill(&replica, 0..600);
    let refused = replica.block_on(replica.consensus.back_up(&small, ORIGIN, NOW));
    let left = std::fs::read_dir(&small.dir).map(|entries| entries.count());
    run("umount", &[]);
    assert!(matches!(refused, Err(BackupError::Container { .. } | BackupError::File { .. })), "{refused:?}");
    assert_eq!(left.unwrap(), 0);
    bank.back_up(&replica, 1);
}

#[test]
fn a_drill_computes_the_root_from_the_leaves_and_leaves_nothing() {
    let bank = Bank::new(1);
    let replica = bank.plan.open(1);
    fill(&replica, 0..100);
    let backup = bank.back_up(&replica, 0);
    let scratch = bank.plan.dir.path().join("scratch");
    let drilled = drill(&backup.path, &bank.identities, &scratch).unwrap();
    assert_eq!(drilled.root, replica.consensus.head().root);
    assert!(drilled.seconds > 0.0 && !scratch.exists());
    std::fs::create_dir(&scratch).unwrap();
    assert!(matches!(drill(&backup.path, &bank.identities, &scratch), Err(BackupError::NotEmpty(_))));
}

#[test]
fn a_lost_group_of_three_is_founded_anew_and_every_member_inherits_the_mark() {
    let bank = Bank::new(3);
    let group = bank.plan.open_all(1..=3);
    fill(&group[0], 0..30);
    let follower = group.iter().find(|replica| !replica.role().leads).unwrap();
    follower.block_on(follower.consensus.barrier()).unwrap();
    let backup = bank.back_up(follower, 0);
    for replica in group {
        replica.kill();
    }
    for id in 1..=3 {
        std::fs::remove_dir_all(bank.plan.config(id).data_dir).unwrap();
    }
    let config = bank.plan.config(1);
    bank.restore(&backup, &config).unwrap();
    let first = bank.plan.open(1);
    assert!(first.role().leads, "alone in its group");
    fill(&first, 30..35);
    let joined = std::thread::scope(|scope| {
        let opening = scope.spawn(|| bank.plan.open(2));
        let replica = Replica { address: bank.plan.replicas[1].address.clone(), ..Replica::default() };
        loop {
            match first.block_on(first.consensus.join(2, replica.clone())) {
                Ok(_) => break,
                Err(refused) => assert!(refused.to_string().contains("cannot be taken in"), "{refused}"),
            }
        }
        opening.join().unwrap()
    });
    joined.block_on(joined.consensus.barrier()).unwrap();
    assert_eq!(joined.consensus.head(), first.consensus.head());
    assert_eq!(joined.consensus.restored().unwrap(), first.consensus.restored().unwrap());
    assert!(joined.consensus.restored().unwrap().is_some());
}

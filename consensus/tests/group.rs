//! Several replicas: any takes a command, none loses one, and the group changes hands and members while it serves.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests: what fails here fails the test")]

mod common;

use std::collections::BTreeSet;

use common::{Plan, Running, append, envelope, free_address, leader, open};
use hansa_consensus::replica::{Levels, Replica};
use hansa_consensus::{
    ClusterError, Command, ConsensusConfig, Leaf, OpenError, Outcome, SubjectRef, subject_key_name,
};

/// Proposes `keys` at a replica, all at once; returns the indexes of their leaves.
fn append_all(replica: &Running, keys: std::ops::Range<u64>) -> BTreeSet<u64> {
    replica.block_on(async {
        let all = keys.map(|key| {
            let consensus = replica.consensus.clone();
            tokio::spawn(async move { consensus.propose(append(key, key)).await.unwrap() })
        });
        let mut indexes = BTreeSet::new();
        for proposed in all.collect::<Vec<_>>() {
            match proposed.await.unwrap() {
                Outcome::Appended { index } | Outcome::Existing { index } => indexes.insert(index),
                other => panic!("{other:?}"),
            };
        }
        indexes
    })
}

fn others(group: Vec<Running>, out: usize) -> (Running, Vec<Running>) {
    let mut group = group;
    let taken = group.remove(out);
    (taken, group)
}

#[test]
fn any_replica_takes_commands_and_reads_what_another_wrote() {
    let plan = Plan::new(3);
    let group = plan.open_all(1..=3);
    for (at, replica) in group.iter().enumerate() {
        let first = at as u64 * 100;
        assert_eq!(append_all(replica, first..first + 100).len(), 100);
        for reader in &group {
            reader.block_on(reader.consensus.barrier()).unwrap();
            assert_eq!(reader.consensus.size(), first + 100);
        }
    }
    let heads: BTreeSet<_> = group.iter().map(|replica| replica.consensus.head().root).collect();
    assert_eq!(heads.len(), 1, "one log");
    let again = group[0].propose(append(7, 7));
    assert!(matches!(again, Outcome::Existing { .. }), "{again:?}");
}

#[test]
fn the_death_of_the_leader_loses_nothing_and_it_comes_back_as_a_follower() {
    let plan = Plan::new(3);
    let group = plan.open_all(1..=3);
    let (old, rest) = {
        let at = leader(&group);
        others(group, at)
    };
    let dead = old.consensus.status().replica;
    let before = append_all(&rest[0], 0..200);
    old.kill();
    let after = append_all(&rest[1], 200..400);
    assert!(before.is_disjoint(&after));
    assert_ne!(rest[0].wait_for(|role| role.quorum && role.leader != Some(dead)).leader, Some(dead));
    let back = plan.open(dead);
    back.block_on(back.consensus.barrier()).unwrap();
    assert_eq!(back.consensus.size(), 400);
    assert_eq!(back.consensus.head(), rest[0].consensus.head());
}

#[test]
fn without_a_quorum_commands_and_linearizable_reads_are_refused_and_local_reads_go_on() {
    let plan = Plan::new(3);
    let group = plan.open_all(1..=3);
    append_all(&group[0], 0..10);
    let (last, rest) = {
        let at = leader(&group);
        others(group, at)
    };
    for replica in rest {
        replica.kill();
    }
    last.wait_for(|role| !role.quorum);
    let refused = last.block_on(last.consensus.propose(append(99, 99))).unwrap_err();
    assert!(refused.to_string().contains("no leader with a quorum"), "{refused}");
    let unread = last.block_on(last.consensus.barrier()).unwrap_err();
    assert!(unread.to_string().contains("may be out of date"), "{unread}");
    assert_eq!(last.consensus.size(), 10);
    assert!(last.consensus.leaf(3).unwrap().is_some());
    assert!(!last.consensus.is_ready());
    assert_eq!(last.block_on(last.consensus.transfer(None)), Err(ClusterError::NoQuorum));
}

#[test]
fn leadership_is_handed_over_and_a_refused_hand_over_leaves_the_leader_serving() {
    let plan = Plan::new(3);
    let group = plan.open_all(1..=3);
    let at = leader(&group);
    let old = group[at].consensus.status().replica;
    let to = group[(at + 1) % 3].consensus.status().replica;
    let said = group[(at + 2) % 3].block_on(group[(at + 2) % 3].consensus.transfer(Some(to))).unwrap();
    assert_eq!(said, format!("replica {to} leads"));
    group[at].wait_for(|role| role.leader == Some(to));
    assert_eq!(append_all(&group[at], 0..50).len(), 50, "the old leader forwards");

    let leads = &group[(at + 1) % 3];
    let unknown = leads.block_on(leads.consensus.transfer(Some(9))).unwrap_err();
    assert!(unknown.to_string().contains("does not vote"), "{unknown}");
    let (gone, rest) = others(group, at);
    gone.kill();
    let leads = rest.iter().find(|replica| replica.consensus.status().replica == to).unwrap();
    let dead = leads.block_on(leads.consensus.transfer(Some(old))).unwrap_err();
    assert!(matches!(dead, ClusterError::Refused(_) | ClusterError::Failed(_)), "{dead}");
    assert_eq!(append_all(leads, 50..60).len(), 10);
    assert_eq!(leads.role().leader, Some(to));
}

#[test]
fn a_drained_replica_hands_over_and_takes_no_leadership() {
    let plan = Plan::new(3);
    let group = plan.open_all(1..=3);
    let at = leader(&group);
    let drained = &group[at];
    let id = drained.consensus.status().replica;
    drained.block_on(drained.consensus.drain()).unwrap();
    assert!(drained.consensus.is_draining());
    let leader_now = drained.wait_for(|role| role.leader.is_some_and(|leader| leader != id)).leader.unwrap();
    let leads = group.iter().find(|replica| replica.consensus.status().replica == leader_now).unwrap();
    let refused = leads.block_on(leads.consensus.transfer(Some(id))).unwrap_err();
    assert!(refused.to_string().contains("is drained"), "{refused}");
    drained.consensus.undrain();
    leads.block_on(leads.consensus.transfer(Some(id))).unwrap();
}

#[test]
fn a_lost_replica_is_replaced_and_an_empty_folder_does_not_pass_for_it() {
    let plan = Plan { snapshot_entries: 5, ..Plan::new(3) };
    let group = plan.open_all(1..=3);
    let at = leader(&group);
    let (lost, rest) = others(group, (at + 1) % 3);
    let lost_id = lost.consensus.status().replica;
    let wrapped = vec![7; 60];
    let key = subject_key_name(&wrapped);
    let subject = SubjectRef { subject: [5; 32], key, wrapped: Some(wrapped.clone()) };
    let leaf = Leaf { subjects: vec![subject], ..Leaf::new(envelope(1_000)) };
    let about = Command::Append { leaf, follow_up: vec![] };
    assert_eq!(rest[0].propose(about), Outcome::Appended { index: 0 });
    for first in (0..300).step_by(10) {
        append_all(&rest[0], first..first + 10);
    }
    lost.kill();
    std::fs::remove_dir_all(plan.folder(lost_id).join("data")).unwrap();

    // It comes back empty under its old number: the group goes on without it until an operator says so.
    let (sender, opened) = std::sync::mpsc::channel();
    let reopened = std::thread::scope(|scope| {
        scope.spawn(|| sender.send(plan.open(lost_id)).unwrap());
        let replica = Replica {
            address: plan.replicas[lost_id as usize - 1].address.clone(),
            zone: "zone-new".to_owned(),
            ..Replica::default()
        };
        let refused = loop {
            match rest[0].block_on(rest[0].consensus.join(lost_id, replica.clone())).unwrap_err() {
                ClusterError::Refused(reason) if reason.contains("cannot be taken in") => {}
                refused => break refused,
            }
        };
        assert!(refused.to_string().contains("another data folder"), "{refused}");
        assert!(opened.try_recv().is_err(), "it serves nothing");
        let left = rest[0].block_on(rest[0].consensus.leave(lost_id)).unwrap();
        assert!(left.contains("2 replicas vote"), "{left}");
        let joined = rest[1].block_on(rest[1].consensus.join(lost_id, replica)).unwrap();
        assert!(joined.contains("3 replicas vote"), "{joined}");
        opened.recv_timeout(common::PATIENCE).unwrap()
    });
    reopened.block_on(reopened.consensus.barrier()).unwrap();
    assert_eq!(reopened.consensus.size(), 301);
    assert_eq!(reopened.consensus.head(), rest[0].consensus.head(), "by snapshot: the log was purged");
    let brought = reopened.consensus.subject_key(&[5; 32]).unwrap();
    assert_eq!(brought, Some((key, wrapped)), "the keys are in no snapshot, and come along");
    let status = reopened.block_on(reopened.consensus.cluster()).unwrap();
    assert_eq!(status.replicas.iter().filter(|replica| replica.voter).count(), 3);
    assert!(status.replicas.iter().any(|replica| replica.replica.zone == "zone-new"));
}

#[test]
fn a_group_of_one_grows_to_three_and_a_second_one_only_learns() {
    let plan = Plan::new(3);
    let alone = ConsensusConfig { replicas: plan.replicas[..1].to_vec(), ..plan.config(1) };
    let first = open(&alone, &plan.records).unwrap();
    append_all(&first, 0..20);
    let join = |id: u64| {
        let named = &plan.replicas[id as usize - 1];
        let replica = Replica { address: named.address.clone(), ..Replica::default() };
        std::thread::scope(|scope| {
            let opening = scope.spawn(|| plan.open(id));
            let said = loop {
                match first.block_on(first.consensus.join(id, replica.clone())) {
                    Err(ClusterError::Refused(reason)) if reason.contains("cannot be taken in") => {}
                    said => break said.unwrap(),
                }
            };
            (said, opening.join().unwrap())
        })
    };
    let (said, second) = join(2);
    assert!(said.contains("replica 2 learns"), "{said}");
    assert_eq!(append_all(&second, 20..30).len(), 10, "a learner forwards");
    let (said, third) = join(3);
    assert!(said.contains("3 replicas vote"), "{said}");
    third.block_on(third.consensus.barrier()).unwrap();
    assert_eq!(third.consensus.head(), first.consensus.head());
    let leads = first.consensus.status().leader;
    first.kill();
    second.wait_for(|role| role.quorum && role.leader != leads);
    assert_eq!(append_all(&third, 30..40).len(), 10);
}

#[test]
fn a_zone_where_records_must_not_lie_is_refused_at_the_start_and_when_joining() {
    let mut plan = Plan::new(3);
    plan.records.jurisdictions = ["DE", "FR"].map(|c| c.try_into().unwrap()).into();
    for (replica, country) in plan.replicas.iter_mut().zip(["DE", "FR", "US"]) {
        replica.jurisdiction = Some(country.try_into().unwrap());
    }
    let refused = open(&plan.config(1), &plan.records).err().unwrap();
    assert!(matches!(refused, OpenError::Config(_)), "{refused}");
    plan.replicas[2].jurisdiction = Some("FR".try_into().unwrap());
    let group = plan.open_all(1..=3);
    let elsewhere = Replica {
        address: free_address(),
        jurisdiction: Some("US".try_into().unwrap()),
        ..Replica::default()
    };
    let refused = group[0].block_on(group[0].consensus.join(4, elsewhere)).unwrap_err();
    assert!(refused.to_string().contains("permits DE, FR"), "{refused}");
}

#[test]
fn two_releases_run_side_by_side_until_the_newer_is_made_final() {
    let (old, new) = (Levels::OURS, Levels { newest: Levels::OURS.newest + 1, ..Levels::OURS });
    let mut plan = Plan { releases: [(1, new), (2, new), (3, old)].into(), ..Plan::new(3) };
    let mut group = plan.open_all(1..=3);
    for replica in &group {
        append_all(replica, 0..5);
    }
    let level = |replica: &Running| replica.block_on(replica.consensus.cluster()).unwrap().level;
    assert_eq!(level(&group[0]), old.newest, "founded with what all understand");
    let finalized = group[0].block_on(group[0].consensus.finalize()).unwrap();
    assert!(finalized.contains("some replica knows no newer"), "{finalized}");

    // The last one is upgraded: while one is away nothing is final, and then it is once.
    group.pop().unwrap().kill();
    group[0].wait_for(|role| role.quorum && role.leader.is_some_and(|leader| leader != 3));
    let refused = group[0].block_on(group[0].consensus.finalize()).unwrap_err();
    assert!(refused.to_string().contains("every replica must run the new release"), "{refused}");
    plan.releases.insert(3, new);
    group.push(plan.open(3));
    let finalized = group[1].block_on(group[1].consensus.finalize()).unwrap();
    assert!(finalized.contains("is in use from now on"), "{finalized}");
    append_all(&group[2], 5..10);
    // What the others have acknowledged it may not have applied yet.
    group[2].block_on(group[2].consensus.barrier()).unwrap();
    assert_eq!(level(&group[2]), new.newest);

    // From then on the older release is turned away, and loses nothing by it.
    group.pop().unwrap().kill();
    plan.releases.insert(3, old);
    let refused = open(&plan.config(3), &plan.records).err().expect("an older release");
    assert!(matches!(refused, OpenError::Level { .. }), "{refused}");
    plan.releases.insert(3, new);
    let again = plan.open(3);
    again.block_on(again.consensus.barrier()).unwrap();
    assert_eq!(again.consensus.size(), 10);
}

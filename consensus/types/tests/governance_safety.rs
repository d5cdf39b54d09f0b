//! No two amendments are decided in one place while fewer than `2q - n` institutions equivocate, whatever the network
//! does; and at that number they are.
//!
//! A model of banks that exchange votes over a network which splits at random. Honest banks sign what their own view
//! permits. Equivocators sign everything, and show it to whom they like. In the end an adversary who has every vote ever
//! signed looks for certificates.

#![allow(clippy::unwrap_used, reason = "the values made here are valid; a panic fails the test")]

mod common;

use std::collections::BTreeSet;

use hansa_types::governance::{
    Action, Ballot, Certificate, Choice, Electorate, Proposal, SignedVote, State, Vote,
};
use hansa_types::hash::Digest;
use hansa_types::id::Epoch;
use hansa_types::manifest::{Circuit, Manifest};
use proptest::prelude::*;

use crate::common::{Key, bank, manifest_of};

/// Rounds that the model plays.
const ROUNDS: u16 = 4;
/// Conflicting amendments that are proposed.
const PROPOSALS: u16 = 3;
/// Things that happen in a run.
const STEPS: usize = 80;

/// splitmix64: small, and the same everywhere.
struct Rng(u64);

impl Rng {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }
}

/// Amendments that cannot all hold: each adds another circuit in one place.
fn proposals(state: &State) -> Vec<Proposal> {
    let circuit = |version| Circuit {
        version,
        hash: Digest([1; 32]),
        verifying_key: Digest([2; 32]),
        transcript: Some(Digest([3; 32])),
    };
    let propose = |version| Proposal {
        parent: state.head(),
        number: state.number() + 1,
        activates: Epoch(9),
        action: Action::AddCircuit(circuit(version)),
    };
    (2..2 + PROPOSALS).map(propose).collect()
}

/// The banks from 1 on: the first `liars` equivocate.
struct World {
    state: State,
    proposals: Vec<Proposal>,
    banks: u8,
    liars: u8,
    /// What each bank has seen and signed.
    views: Vec<Ballot>,
    /// Which side of the split each bank is on.
    sides: Vec<u64>,
    /// Every vote ever signed.
    signed: Vec<SignedVote>,
    rng: Rng,
}

impl World {
    fn new(banks: u8, liars: u8, seed: u64) -> Self {
        let state = State::found(manifest_of(banks));
        let proposals = proposals(&state);
        let (views, sides) = (vec![Ballot::default(); banks.into()], vec![0; banks.into()]);
        Self { state, proposals, banks, liars, views, sides, signed: vec![], rng: Rng(seed) }
    }

    fn vote(&self, round: u16, choice: Choice) -> Vote {
        Vote { parent: self.state.head(), number: self.state.number() + 1, round, choice }
    }

    fn choice(&mut self) -> Choice {
        // None often enough for rounds to end.
        match self.rng.below(2 * u64::from(PROPOSALS)) {
            n if n < u64::from(PROPOSALS) => Choice::For(self.proposals[n as usize].digest()),
            _ => Choice::None,
        }
    }

    fn sign(&mut self, n: u8, vote: Vote) -> SignedVote {
        let signed = vote.sign(&bank(n), &Key::new(n)).unwrap();
        self.signed.push(signed.clone());
        signed
    }

    fn show(&mut self, to: usize, vote: &SignedVote) {
        self.views[to].vote(&self.state, vote).unwrap();
    }

    /// A bank votes if it may, and those on its side hear of it.
    fn step(&mut self) {
        if self.rng.below(4) == 0 {
            let sides = self.rng.below(3) + 1;
            self.sides = (0..self.banks).map(|_| self.rng.below(sides)).collect();
        }
        let n = self.rng.below(self.banks.into()) as u8 + 1;
        let choice = self.choice();
        let round = self.rng.below(ROUNDS.into()) as u16;
        let vote = self.vote(round, choice);
        let own = usize::from(n) - 1;
        let lies = n <= self.liars;
        if !lies && self.views[own].permits(&self.state, &bank(n), &vote).is_err() {
            return self.gossip();
        }
        let signed = self.sign(n, vote);
        for to in 0..self.views.len() {
            let hears = if lies { self.rng.below(2) == 0 } else { self.sides[to] == self.sides[own] };
            if hears || to == own {
                self.show(to, &signed);
            }
        }
        self.gossip();
    }

    /// A bank tells another on its side all it knows.
    fn gossip(&mut self) {
        let (from, to) =
            (self.rng.below(self.banks.into()) as usize, self.rng.below(self.banks.into()) as usize);
        if self.sides[from] == self.sides[to] {
            let known: Vec<SignedVote> = self.views[from].votes().collect();
            known.iter().for_each(|vote| self.show(to, vote));
        }
    }

    /// What can be certified with every vote that was signed, and with all that equivocators still sign.
    fn certifiable(mut self) -> BTreeSet<(u16, u16)> {
        for n in 1..=self.liars {
            for round in 0..ROUNDS {
                let each = self.proposals.iter().map(|proposal| Choice::For(proposal.digest()));
                let each: Vec<Choice> = each.chain([Choice::None]).collect();
                each.into_iter().for_each(|choice| drop(self.sign(n, self.vote(round, choice))));
            }
        }
        let mut found = BTreeSet::new();
        for (number, proposal) in (0..).zip(&self.proposals) {
            for round in 0..ROUNDS {
                let wanted = proposal.vote(round);
                let votes = self.signed.iter().filter(|signed| signed.vote == wanted);
                let votes = votes.map(|signed| (signed.bank.clone(), signed.signature)).collect();
                let earlier = self.signed.iter().filter(|signed| signed.vote.round < round);
                let evidence = earlier.cloned().collect();
                let certificate = Certificate { proposal: proposal.clone(), round, votes, evidence };
                if certificate.check(self.state.decided()).is_ok() {
                    found.insert((number, round));
                }
            }
        }
        found
    }
}

fn run(banks: u8, liars: u8, seed: u64) -> BTreeSet<(u16, u16)> {
    let mut world = World::new(banks, liars, seed);
    (0..STEPS).for_each(|_| world.step());
    world.certifiable()
}

fn amendments(certified: &BTreeSet<(u16, u16)>) -> BTreeSet<u16> {
    certified.iter().map(|(proposal, _)| *proposal).collect()
}

fn bound(manifest: &Manifest) -> u8 {
    Electorate::of(manifest).bound() as u8
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn at_most_one_amendment_is_decided_below_the_bound(banks in 1_u8..8, liars in 0_u8..8, seed: u64) {
        let liars = liars % bound(&manifest_of(banks));
        let certified = run(banks, liars, seed);
        prop_assert!(amendments(&certified).len() <= 1, "{certified:?}");
    }
}

/// The model is no empty promise: runs decide, in later rounds too, and two amendments once the bound is reached.
#[test]
fn runs_decide_and_break_at_the_bound() {
    let (mut decided, mut later, mut broken) = (0, 0, 0);
    for seed in 0..40 {
        let certified = run(4, bound(&manifest_of(4)) - 1, seed);
        assert!(amendments(&certified).len() <= 1, "seed {seed}: {certified:?}");
        decided += u32::from(!certified.is_empty());
        later += u32::from(certified.iter().any(|(_, round)| *round > 0));
        broken += u32::from(amendments(&run(4, bound(&manifest_of(4)), seed)).len() > 1);
    }
    assert!(decided > 0 && later > 0 && broken > 0, "{decided} decided, {later} later, {broken} broken");
}

/// Every honest bank votes once; `2q - n` equivocators make two quorums of them.
#[test]
fn counterexample_at_the_bound() {
    for banks in [4, 7, 10] {
        let manifest = manifest_of(banks);
        let electorate = Electorate::of(&manifest);
        let liars = bound(&manifest);
        let mut world = World::new(banks, liars, 0);
        let honest = (liars + 1..=banks).enumerate();
        for (place, n) in honest {
            let digest = world.proposals[place % 2].digest();
            let vote = world.vote(0, Choice::For(digest));
            world.views[usize::from(n) - 1].permits(&world.state, &bank(n), &vote).unwrap();
            let signed = world.sign(n, vote);
            world.show(usize::from(n) - 1, &signed);
        }
        assert_eq!(usize::from(liars) + usize::from(banks - liars) / 2, electorate.quorum());
        assert_eq!(amendments(&world.certifiable()), BTreeSet::from([0, 1]), "{banks} banks");
    }
}

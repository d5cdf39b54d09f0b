//! When a fork is caught, and when it cannot be: every partition of every set of witnesses, small enough to enumerate.
//!
//! A log shows two views of one size to `w` witnesses, `f` of whom are faulty and cosign whatever they are shown. A view
//! counts with `k` cosignatures. The log *gets away* with it if both views count and no honest witness was shown both.
//! It can exactly if `2k <= w + f`: each honest witness cosigns one view, each faulty one both, so there are
//! `(w - f) + 2f` cosignatures to share out, and `2k` are needed. Where `2k > w + f`, two views that both count have an
//! honest witness in common, which refuses the second and holds the proof.

use super::*;
use crate::fork::{Finding, Fork};
use crate::testing::{LogKey as Key, small_log};

const ORIGIN: &str = "bank-a.example/audit";
const MOST_WITNESSES: usize = 7;

/// What a log shows a witness, and what comes of it.
#[derive(Clone, Copy, Debug)]
struct Shown {
    /// Which views the witness cosigns.
    cosigns: [bool; 2],
    /// Whether it then holds two notes that prove the fork.
    catches: bool,
}

fn view(which: usize) -> AddCheckpoint {
    let leaf: &[u8] = [b"one".as_slice(), b"other"][which];
    let checkpoint = small_log(ORIGIN, &[leaf]).1.sign(&Key::new(1)).unwrap();
    AddCheckpoint { old: 0, proof: vec![], checkpoint }
}

/// An honest witness that is shown these views one after the other: the real check decides.
fn honest(views: &[usize]) -> Shown {
    let key = Key::new(1).public();
    let (mut state, mut kept) = (None::<Seen>, None::<SignedNote>);
    let mut shown = Shown { cosigns: [false; 2], catches: false };
    for which in views {
        // The log knows what the witness remembers, and asks with whatever old size helps.
        let request = AddCheckpoint { old: state.map_or(0, |seen| seen.size), ..view(*which) };
        match check(state.as_ref(), &LogKey { origin: ORIGIN, key: &key }, &request) {
            Ok(accepted) => {
                shown.cosigns[*which] = true;
                (state, kept) = (Some(accepted.seen), Some(request.checkpoint));
            }
            Err(WitnessRefusal::Fork { .. }) => {
                let fork = Fork::new(kept.clone().unwrap(), request.checkpoint);
                shown.catches = matches!(fork.verify(&key, ORIGIN), Ok(Finding::Proof { .. }));
            }
            Err(other) => panic!("{other}"),
        }
    }
    shown
}

/// Everything a log can show one honest witness.
fn choices() -> Vec<Shown> {
    [&[][..], &[0], &[1], &[0, 1], &[1, 0]].map(honest).to_vec()
}

/// Whether some way to show two views to `w` witnesses, `f` of them faulty, makes both count with nobody the wiser.
fn gets_away(w: usize, f: usize, k: usize, choices: &[Shown]) -> bool {
    // A faulty witness cosigns both views and says nothing: showing it less only costs the log cosignatures.
    let faulty = [f, f];
    let mut found = false;
    assign(w - f, faulty, false, choices, &mut |[one, other], caught| {
        let both_count = one >= k && other >= k;
        found |= both_count && !caught;
        assert!(!both_count || caught || 2 * k <= w + f, "w {w}, f {f}, k {k}: {one} and {other} cosigned");
    });
    found
}

/// Visits every assignment of views to `left` honest witnesses.
fn assign(
    left: usize,
    cosigned: [usize; 2],
    caught: bool,
    choices: &[Shown],
    visit: &mut dyn FnMut([usize; 2], bool),
) {
    if left == 0 {
        return visit(cosigned, caught);
    }
    for Shown { cosigns, catches } in choices {
        let [one, other] = cosigned;
        let next = [one + usize::from(cosigns[0]), other + usize::from(cosigns[1])];
        assign(left - 1, next, caught || *catches, choices, visit);
    }
}

#[test]
fn a_fork_is_caught_exactly_where_2k_exceeds_w_plus_f() {
    let choices = choices();
    for w in 1..=MOST_WITNESSES {
        for f in 0..=w {
            for k in 1..=w {
                assert_eq!(gets_away(w, f, k, &choices), 2 * k <= w + f, "w {w}, f {f}, k {k}");
            }
        }
    }
}

/// Beyond that bound comparing checkpoints catches what the policy does not, if two honest witnesses that were shown
/// different views speak to each other; where every honest witness was shown the same view, nobody here has the other.
#[test]
fn comparing_checkpoints_catches_it_where_honest_witnesses_saw_different_views() {
    let key = Key::new(1).public();
    let (mut compared, mut blind) = (0, 0);
    for (w, f, k) in (1..=MOST_WITNESSES)
        .flat_map(|w| (0..=w).flat_map(move |f| (1..=w).map(move |k| (w, f, k))))
        .filter(|(w, f, k)| 2 * k <= w + f)
    {
        // The log shares the honest witnesses out, `first` to one view and the rest to the other.
        for first in 0..=(w - f) {
            let views = [first, w - f - first];
            if views.iter().any(|cosigned| cosigned + f < k) {
                continue;
            }
            let notes: Vec<SignedNote> =
                (0..2).filter(|which| views[*which] > 0).map(|which| view(which).checkpoint).collect();
            let [one, other] = notes.as_slice() else {
                blind += 1;
                assert!(f >= k, "w {w}, f {f}, k {k}: only as many faulty ones as a quorum can hide a view");
                continue;
            };
            let finding = Fork::new(one.clone(), other.clone()).verify(&key, ORIGIN);
            assert!(matches!(finding, Ok(Finding::Proof { size: 1, .. })));
            compared += 1;
        }
    }
    assert!(compared > 0 && blind > 0);
}

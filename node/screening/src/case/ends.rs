//! Whatever was done to a case, and in whatever order: it fits a record, and can be decided on.

use hansa_types::case::{CaseDecision, Deadline, MAX_CASE_STEPS, MAX_DEADLINES};
use hansa_types::codec::{Decode, Encode};
use hansa_types::decision::Verdict;
use hansa_types::hash::Digest;
use hansa_types::payment::{Account, Payment};
use hansa_types::subject::Subject;
use proptest::prelude::*;

use super::*;

/// What somebody tries.
#[derive(Clone, Debug)]
enum Act {
    Ask(CaseState, bool),
    Answer(bool),
    Review(bool),
    Add,
    Join(u16),
    Overdue,
}

fn acts() -> impl Strategy<Value = Act> {
    prop_oneof![
        4 => (prop::sample::select(CaseState::ALL.to_vec()), any::<bool>()).prop_map(|(to, signal)| Act::Ask(to, signal)),
        4 => any::<bool>().prop_map(Act::Answer),
        2 => any::<bool>().prop_map(Act::Review),
        1 => Just(Act::Add),
        1 => any::<u16>().prop_map(Act::Join),
        1 => Just(Act::Overdue),
    ]
}

fn grounds(seed: u16, conduct: bool) -> Grounds {
    // As long as a message's identification gets, and longer.
    let message_id = format!("{seed}-{}", "M".repeat(usize::from(seed) % 2_000));
    let key = Payment { message_id, ..Payment::default() }.key();
    let [low, high] = seed.to_be_bytes();
    let id = Digest([low ^ high; 32]);
    let deadline = |n: usize| Deadline {
        rule: format!("{n}{}", "r".repeat(60)),
        duty: if n.is_multiple_of(2) { Duty::Report } else { Duty::Decide },
        due: Timestamp(u64::from(seed)),
        met: None,
        overdue: None,
    };
    Grounds {
        subject: Some(Subject::Account(Account::from_iban_text("DE89370400440532013000"))),
        decision: Some(CaseDecision { key, id, verdict: Verdict::Block, at: Timestamp(1) }),
        signals: vec![id],
        reasons: vec![Reason::ListedName, Reason::ALL[usize::from(seed) % Reason::ALL.len()]],
        lists: vec![format!("list-{}-{}", seed % 64, "l".repeat(40))],
        conduct,
        deadlines: (0..MAX_DEADLINES).map(deadline).collect(),
    }
}

fn by(actor: &str, note: &str) -> By {
    By { actor: actor.parse().unwrap(), at: Timestamp(20), note: note.to_owned() }
}

fn to(state: CaseState) -> Ask {
    Ask { to: state, signal: None, grounds: String::new() }
}

fn attempt(rules: &CaseRules, case: &Case, act: &Act, by: By, draw: &[u8; 32]) -> Option<Case> {
    match act {
        Act::Ask(to, signal) => {
            let signal = signal.then_some(Category::MuleAccount);
            ask(rules, case, &Ask { to: *to, signal, grounds: String::new() }, by, draw).ok()
        }
        Act::Answer(approve) => answer(rules, case, *approve, by, draw).ok().map(|(case, _)| case),
        Act::Review(passed) => review(case, *passed, by).ok(),
        Act::Add => add(case, grounds(7, true), by.actor, by.at, &by.note).ok(),
        Act::Join(seed) => case.is_undecided().then(|| join(case, grounds(*seed, true))).flatten(),
        Act::Overdue => mark_overdue(case, Timestamp(u64::MAX)),
    }
}

/// Leads a case to its end: by whoever may, with a note of the length that always finds room.
fn end(rules: &CaseRules, mut case: Case) -> Result<Case, CaseError> {
    let note = "n".repeat(LAST_NOTE_BYTES);
    let draw = [0; 32];
    for _ in 0..MAX_CASE_STEPS {
        case = match (&case.proposal, case.state()) {
            // Whoever did not propose it.
            (Some(proposal), _) => {
                let other =
                    ["officer.x", "officer.y"].into_iter().find(|name| proposal.actor.as_str() != *name);
                answer(rules, &case, true, by(other.unwrap(), &note), &draw)?.0
            }
            (None, CaseState::Open | CaseState::Assigned) => {
                ask(rules, &case, &to(CaseState::Confirmed), by("officer.x", &note), &draw)?
            }
            // Cleared rather than reported: the longer way.
            (None, CaseState::Confirmed) => {
                ask(rules, &case, &to(CaseState::Cleared), by("officer.x", &note), &draw)?
            }
            (None, CaseState::Cleared) if case.waits_for_review() => {
                review(&case, true, by("officer.z", &note))?
            }
            (None, CaseState::Cleared | CaseState::Reported) => return Ok(case),
        };
    }
    panic!("no end: {case:?}");
}

/// What holds of a case whatever was done to it.
fn check(rules: &CaseRules, case: &Case) {
    let bytes = case.to_bytes();
    assert!(bytes.len() <= MAX_CASE_BYTES, "{}", bytes.len());
    assert_eq!(Case::from_bytes(&bytes).as_ref(), Ok(case));
    let ended = end(rules, case.clone());
    assert!(ended.is_ok(), "{} steps, {} bytes: {ended:?}", case.steps.len(), bytes.len());
}

fn rules(four_eyes: &str) -> CaseRules {
    let text = format!("four_eyes = [{four_eyes}]\nreview_percent = 100");
    CaseRules::new(toml::from_str(&text).unwrap()).unwrap()
}

const EVERYTHING: &str = "'confirm', 'signal', 'clear', 'report'";

fn opened() -> Case {
    open(7, grounds(1, true), "policy.screening".parse().unwrap(), Timestamp(10), "score")
}

/// The way that every case once got stuck: proposed and declined until no step is left.
#[test]
fn a_case_that_was_proposed_and_declined_to_its_bound_is_decided() {
    let rules = rules(EVERYTHING);
    let mut case = opened();
    let full = loop {
        case = ask(&rules, &case, &to(CaseState::Cleared), by("officer.a", "x"), &[0; 32]).unwrap();
        check(&rules, &case);
        match answer(&rules, &case, false, by("officer.b", "x"), &[0; 32]) {
            Ok((declined, _)) => case = declined,
            Err(error) => break error,
        }
    };
    assert_eq!(full, CaseError::Full(7));
    assert!(case.steps.len() > 240, "{}", case.steps.len());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn whatever_is_done_to_a_case_it_can_be_decided(
        everything in any::<bool>(),
        letters in prop::sample::select(vec!["x", "\u{20ac}", "\u{1f4b6}"]),
        acts in prop::collection::vec(
            (acts(), prop::sample::select(vec!["a", "b", "c"]), prop::sample::select(vec![1, 1, 1, 1, 1, 1, 300, MAX_NOTE])),
            1..1_200,
        ),
    ) {
        let rules = rules(if everything { EVERYTHING } else { "'signal'" });
        let mut case = opened();
        for (act, actor, length) in &acts {
            let by = by(&format!("officer.{actor}"), &letters.repeat(*length));
            if let Some(next) = attempt(&rules, &case, act, by, &[0; 32]) {
                case = next;
            }
        }
        check(&rules, &case);
    }
}

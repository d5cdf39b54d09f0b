//! Cases from opening to report, by the rules of a default policy and of others.

use hansa_types::case::{CaseDecision, Deadline};
use hansa_types::codec::{Decode, Encode};
use hansa_types::decision::Verdict;
use hansa_types::hash::Digest;
use hansa_types::payment::{Account, Payment};
use hansa_types::subject::Subject;

use super::*;

const DRAW: [u8; 32] = [0; 32];

fn rules(text: &str) -> CaseRules {
    CaseRules::new(toml::from_str(text).unwrap()).unwrap()
}

fn subject() -> Subject {
    Subject::Account(Account::from_iban_text("DE89370400440532013000"))
}

fn grounds(reason: Reason, verdict: Verdict, seed: u8) -> Grounds {
    let key = Payment { message_id: format!("M{seed}"), ..Payment::default() }.key();
    let decision = CaseDecision { key, id: Digest([seed; 32]), verdict, at: Timestamp(u64::from(seed)) };
    Grounds {
        subject: Some(subject()),
        decision: Some(decision),
        signals: vec![],
        reasons: vec![reason],
        lists: vec![],
        conduct: reason == Reason::Score,
        deadlines: vec![],
    }
}

fn case(reason: Reason, verdict: Verdict) -> Case {
    let policy = "policy.screening".parse().unwrap();
    open(7, grounds(reason, verdict, 1), policy, Timestamp(10), "score")
}

fn by(actor: &str, note: &str) -> By {
    By { actor: actor.parse().unwrap(), at: Timestamp(20), note: note.to_owned() }
}

fn to(state: CaseState) -> Ask {
    Ask { to: state, signal: None, grounds: String::new() }
}

fn signal() -> Ask {
    Ask { signal: Some(Category::MuleAccount), ..to(CaseState::Confirmed) }
}

/// A step by officer a under the default policy, with a note.
fn step(case: &Case, state: CaseState) -> Result<Case, CaseError> {
    ask(&rules(""), case, &to(state), by("officer.a", "seen"), &DRAW)
}

#[test]
fn a_case_goes_its_way_and_keeps_every_step() {
    let alone = rules("four_eyes = []");
    let mut case = case(Reason::Score, Verdict::Investigate);
    for state in [CaseState::Assigned, CaseState::Confirmed, CaseState::Reported] {
        case = ask(&alone, &case, &to(state), by("officer.a", ""), &DRAW).unwrap();
        assert_eq!(case.state(), state);
    }
    let acts: Vec<_> = case.steps.iter().map(|step| step.act).collect();
    assert_eq!(acts, [CaseAct::Open, CaseAct::Assign, CaseAct::Decide, CaseAct::Decide]);
    for state in CaseState::ALL {
        let refused = ask(&alone, &case, &to(*state), by("officer.a", "x"), &DRAW);
        assert!(matches!(refused, Err(CaseError::Transition { .. })), "{state}");
    }
    assert_eq!(Case::from_bytes(&case.to_bytes()), Ok(case));
}

#[test]
fn what_does_not_follow_is_refused_with_what_is_possible() {
    let error = step(&case(Reason::Score, Verdict::Investigate), CaseState::Reported).unwrap_err();
    assert_eq!(
        error.to_string(),
        "case 7 is open: it cannot become reported; it can become assigned, confirmed, cleared"
    );
}

#[test]
fn clearing_takes_a_rationale_and_time_runs_forwards() {
    let case = case(Reason::Score, Verdict::Investigate);
    let clear = |note: &str, at| {
        let by = By { at: Timestamp(at), ..by("officer.a", note) };
        ask(&rules(""), &case, &to(CaseState::Cleared), by, &DRAW)
    };
    assert_eq!(clear(" ", 20), Err(CaseError::NoRationale(7)));
    let cleared = clear("namesake", 20).unwrap();
    assert_eq!(step(&cleared, CaseState::Assigned).unwrap().state(), CaseState::Assigned);
    assert!(matches!(clear("namesake", 9), Err(CaseError::Backwards { .. })));
    assert_eq!(clear(&"x".repeat(MAX_NOTE + 1), 20), Err(CaseError::NoteTooLong(MAX_NOTE + 1)));
}

#[test]
fn what_the_policy_says_takes_a_second_officer() {
    let blocked = case(Reason::AmountLimit, Verdict::Block);
    let proposed = step(&blocked, CaseState::Cleared).unwrap();
    assert_eq!(proposed.state(), CaseState::Open, "nothing is decided yet");
    assert_eq!(proposed.steps.last().unwrap().act, CaseAct::Propose);
    let rules = rules("");
    let answer =
        |approve, actor: &str, note: &str| answer(&rules, &proposed, approve, by(actor, note), &DRAW);
    let same = Err(CaseError::SameActor { number: 7, actor: "officer.a".parse().unwrap() });
    assert_eq!(answer(true, "officer.a", ""), same);
    assert_eq!(answer(false, "officer.a", "no"), same);
    let waiting = step(&proposed, CaseState::Assigned);
    assert!(matches!(waiting, Err(CaseError::Waiting { .. })), "{waiting:?}");

    let (cleared, proposal) = answer(true, "officer.b", "").unwrap();
    assert_eq!((cleared.state(), cleared.proposal.clone()), (CaseState::Cleared, None));
    assert_eq!(proposal.actor.as_str(), "officer.a");
    let acts: Vec<_> = cleared.steps.iter().map(|step| (step.act, step.actor.as_str())).collect();
    assert_eq!(acts[1..], [(CaseAct::Propose, "officer.a"), (CaseAct::Approve, "officer.b")]);

    assert_eq!(answer(false, "officer.b", " "), Err(CaseError::NoRationale(7)));
    let (declined, _) = answer(false, "officer.b", "look again").unwrap();
    assert_eq!((declined.state(), declined.proposal), (CaseState::Open, None));
    let nothing = super::answer(&rules, &blocked, true, by("officer.b", ""), &DRAW);
    assert_eq!(nothing, Err(CaseError::NoProposal(7)));
}

#[test]
fn four_eyes_are_wanted_for_signals_blocks_list_hits_and_reports_alone() {
    let wanted = |case: &Case, ask: &Ask| {
        let by = by("officer.a", "seen");
        super::ask(&rules(""), case, ask, by, &DRAW).unwrap().proposal.is_some()
    };
    let scored = case(Reason::Score, Verdict::Investigate);
    assert!(!wanted(&scored, &to(CaseState::Assigned)));
    assert!(!wanted(&scored, &to(CaseState::Confirmed)));
    assert!(wanted(&scored, &signal()));
    assert!(!wanted(&scored, &to(CaseState::Cleared)));
    assert!(wanted(&case(Reason::ListedName, Verdict::Investigate), &to(CaseState::Cleared)));
    let confirmed = step(&scored, CaseState::Confirmed).unwrap();
    assert!(wanted(&confirmed, &to(CaseState::Reported)));
    assert!(wanted(&confirmed, &signal()), "also where only the signal is asked for again");
}

#[test]
fn nobody_acts_in_a_policys_name() {
    let by = || by("policy.screening", "x");
    let case = case(Reason::Score, Verdict::Investigate);
    let reserved = CaseError::Reserved("policy.screening".parse().unwrap());
    assert_eq!(ask(&rules(""), &case, &to(CaseState::Assigned), by(), &DRAW), Err(reserved.clone()));
    let By { actor, at, note } = by();
    let grounds = || grounds(Reason::Score, Verdict::Block, 2);
    assert_eq!(add(&case, grounds(), actor.clone(), at, &note), Err(reserved.clone()));
    assert_eq!(open_by_hand(8, grounds(), actor, at, &note), Err(reserved));
}

/// Decision 3: no signal of a list hit, of format or missing data, or of another bank's word alone.
#[test]
fn what_rests_on_lists_and_data_alone_is_not_signalled_without_other_grounds() {
    let ask = |case: &Case, ask: &Ask| super::ask(&rules(""), case, ask, by("officer.a", "true"), &DRAW);
    let mut case = case(Reason::ListedName, Verdict::Investigate);
    assert_eq!(ask(&case, &signal()), Err(CaseError::NothingToTell(7)));
    let stated = "money forwarded within the hour".to_owned();
    let stated = ask(&case, &Ask { grounds: stated, ..signal() }).unwrap();
    assert!(stated.steps.last().unwrap().note.contains("money forwarded"), "what was stated is kept");
    assert!(ask(&case, &to(CaseState::Confirmed)).is_ok(), "confirmed it may be");
    case = join(&case, grounds(Reason::Score, Verdict::Investigate, 2)).unwrap();
    assert!(ask(&case, &signal()).is_ok(), "the score says something of conduct");
    assert_eq!(ask(&case, &Ask { to: CaseState::Assigned, ..signal() }), Err(CaseError::NotConfirmed));
}

#[test]
fn what_comes_in_joins_and_is_bounded() {
    let mut case = case(Reason::Score, Verdict::Investigate);
    assert_eq!(join(&case, grounds(Reason::Score, Verdict::Investigate, 1)), None, "the same again");
    for seed in 2..=200 {
        if let Some(joined) = join(&case, grounds(Reason::Score, Verdict::Investigate, seed)) {
            case = joined;
        }
    }
    assert_eq!(case.decisions.len(), hansa_types::case::MAX_CASE_DECISIONS);
    assert_eq!(join(&case, grounds(Reason::Score, Verdict::Investigate, 201)), None, "nothing new in it");
    let worse = join(&case, grounds(Reason::BlockedAccount, Verdict::Block, 202)).unwrap();
    assert_eq!((worse.verdict, worse.decisions.len()), (Verdict::Block, case.decisions.len()));
    assert_eq!(worse.reasons, [Reason::Score, Reason::BlockedAccount]);
    assert!(worse.to_bytes().len() < MAX_ADDED_BYTES / 4, "{}", worse.to_bytes().len());
}

#[test]
fn a_case_stays_within_a_record_and_can_always_be_decided_on() {
    let mut case = case(Reason::Score, Verdict::Investigate);
    let note = "x".repeat(MAX_NOTE);
    let full = loop {
        match ask(&rules(""), &case, &to(CaseState::Assigned), by("officer.a", &note), &DRAW) {
            Ok(next) => case = next,
            Err(error) => break error,
        }
    };
    assert_eq!(full, CaseError::Full(7));
    assert!(case.to_bytes().len() > 16_000);
    let cleared = ask(&rules(""), &case, &to(CaseState::Cleared), by("officer.a", &note), &DRAW).unwrap();
    assert_eq!(cleared.state(), CaseState::Cleared);
}

fn deadline(rule: &str, duty: Duty) -> Deadline {
    Deadline { rule: rule.into(), duty, due: Timestamp(100), met: None, overdue: None }
}

#[test]
fn deadlines_are_met_by_what_they_ask_for_and_open_again_with_the_case() {
    let mut case = case(Reason::ListedIdentifier, Verdict::Block);
    case.deadlines = vec![deadline("ofac-blocked", Duty::Report), deadline("sct-held", Duty::Decide)];
    let open = |case: &Case| case.open_deadlines().map(|deadline| deadline.rule.clone()).collect::<Vec<_>>();
    let confirmed = step(&case, CaseState::Confirmed).unwrap();
    assert_eq!(open(&confirmed), ["ofac-blocked"]);
    let alone = rules("four_eyes = []\nreview_percent = 100");
    let by_a = || by("officer.a", "done");
    let reported = ask(&alone, &confirmed, &to(CaseState::Reported), by_a(), &DRAW).unwrap();
    assert!(open(&reported).is_empty());
    let cleared = ask(&alone, &case, &to(CaseState::Cleared), by_a(), &DRAW).unwrap();
    assert!(open(&cleared).is_empty());
    let again = ask(&alone, &cleared, &to(CaseState::Assigned), by_a(), &DRAW).unwrap();
    assert_eq!(open(&again), ["ofac-blocked"], "the authority waits since the money was blocked");
    assert_eq!(again.deadlines[0].due, Timestamp(100));
}

#[test]
fn a_confirmed_name_is_blocked_and_to_be_reported() {
    let mut case = case(Reason::ListedName, Verdict::Investigate);
    case.lists = vec!["ofac-sdn".into()];
    let confirmed = step(&case, CaseState::Confirmed).unwrap();
    assert_eq!(confirmed.deadlines.iter().map(|d| &*d.rule).collect::<Vec<_>>(), ["ofac-blocked"]);
}

#[test]
fn a_deadline_that_is_over_is_marked_once() {
    let mut case = case(Reason::Score, Verdict::Investigate);
    case.deadlines = vec![deadline("held", Duty::Decide)];
    assert_eq!(mark_overdue(&case, Timestamp(99)), None);
    let marked = mark_overdue(&case, Timestamp(100)).unwrap();
    assert_eq!(marked.deadlines[0].overdue, Some(Timestamp(100)));
    assert_eq!(mark_overdue(&marked, Timestamp(200)), None);
}

#[test]
fn what_is_drawn_is_looked_at_by_somebody_else() {
    let all = rules("review_percent = 100");
    let listed = case(Reason::ListedName, Verdict::Investigate);
    let proposed = ask(&all, &listed, &to(CaseState::Cleared), by("officer.a", "namesake"), &DRAW).unwrap();
    let (cleared, _) = answer(&all, &proposed, true, by("officer.b", ""), &DRAW).unwrap();
    assert_eq!(cleared.review, Some(CaseReview::Waiting));
    for actor in ["officer.a", "officer.b"] {
        let refused = review(&cleared, true, by(actor, ""));
        assert!(matches!(refused, Err(CaseError::SameActor { .. })), "{refused:?}");
    }
    let passed = review(&cleared, true, by("officer.c", "")).unwrap();
    assert_eq!((passed.state(), passed.review), (CaseState::Cleared, Some(CaseReview::Passed)));
    assert_eq!(review(&passed, true, by("officer.c", "")), Err(CaseError::NoReview(7)));
    assert_eq!(review(&cleared, false, by("officer.c", " ")), Err(CaseError::NoRationale(7)));
    let failed = review(&cleared, false, by("officer.c", "another birth date")).unwrap();
    assert_eq!((failed.state(), failed.review), (CaseState::Assigned, Some(CaseReview::Failed)));

    let none = rules("review_percent = 0\nfour_eyes = []");
    let cleared = ask(&none, &listed, &to(CaseState::Cleared), by("officer.a", "namesake"), &DRAW).unwrap();
    assert_eq!(cleared.review, None);
    assert_eq!(review(&cleared, true, by("officer.c", "")), Err(CaseError::NoReview(7)));
}

#[test]
fn what_was_drawn_waits_though_the_case_is_taken_up_again_and_each_clearing_draws_anew() {
    let rules = rules("review_percent = 50\nfour_eyes = []");
    let (drawn, spared) = ([0; 32], [0xff; 32]);
    let clear = |case: &Case, actor: &str, draw: &[u8; 32]| {
        ask(&rules, case, &to(CaseState::Cleared), by(actor, "namesake"), draw).unwrap()
    };
    let take_up =
        |case: &Case| ask(&rules, case, &to(CaseState::Assigned), by("officer.b", ""), &spared).unwrap();
    let first = clear(&case(Reason::Score, Verdict::Investigate), "officer.a", &drawn);
    assert_eq!((clearings(&first), first.waits_for_review()), (1, true));

    let again = take_up(&first);
    assert_eq!((again.review, again.waits_for_review()), (Some(CaseReview::Waiting), false));
    assert_eq!(review(&again, true, by("officer.c", "")), Err(CaseError::NoReview(7)), "it is not cleared");
    let second = clear(&again, "officer.b", &spared);
    assert_eq!((clearings(&second), second.waits_for_review()), (2, true), "it was drawn the first time");
    for actor in ["officer.a", "officer.b"] {
        let refused = review(&second, true, by(actor, ""));
        assert!(matches!(refused, Err(CaseError::SameActor { .. })), "{actor} cleared it once: {refused:?}");
    }
    let passed = review(&second, true, by("officer.c", "")).unwrap();
    assert_eq!(clearings(&passed), 2, "a review clears nothing");

    // Looked at, taken up and cleared once more: it depends on what is drawn then.
    let third = take_up(&passed);
    assert_eq!(third.review, None);
    assert_eq!(clear(&third, "officer.a", &spared).review, None);
    assert!(clear(&third, "officer.a", &drawn).waits_for_review());

    // Confirmed in between, and cleared all the same.
    let confirmed = ask(&rules, &again, &to(CaseState::Confirmed), by("officer.b", ""), &spared).unwrap();
    assert!(clear(&confirmed, "officer.b", &spared).waits_for_review());
    let reported = ask(&rules, &confirmed, &to(CaseState::Reported), by("officer.b", ""), &spared).unwrap();
    assert_eq!(reported.review, None, "nothing is left of the clearing");
}

#[test]
fn what_no_account_is_as_long_as_is_no_subject() {
    let id = "9".repeat(2_000);
    let long = Subject::Account(Account::Other { scheme: String::new(), id });
    let grounds = Grounds { subject: Some(long), ..grounds(Reason::Score, Verdict::Investigate, 1) };
    let case = open(1, grounds, "policy.screening".parse().unwrap(), Timestamp(1), &"n".repeat(MAX_NOTE + 9));
    assert_eq!((case.subject.clone(), case.steps[0].note.len()), (None, MAX_NOTE));
    assert_eq!(case.decisions.len(), 1);
}

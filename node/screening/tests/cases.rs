//! From decisions and signals to cases: whom they are about, until when what has to be done, what a draft says; and that
//! another bank's signal alone never blocks anything.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on panics")]

use std::collections::BTreeSet;

use hansa_screening::case::draft::{self, Facts, Received, Standing};
use hansa_screening::case::{self, Ask, By, Grounds};
use hansa_screening::history::History;
use hansa_screening::watchlist::{Measure, Watchlist, table};
use hansa_screening::{
    ActiveAlerts, CasePolicy, CaseRules, HoldReject, Known, Policy, RiskModel, Scheme, Screener,
};
use hansa_types::case::{Alert, AlertState, Case, CaseState, Duty, Suspect};
use hansa_types::decision::{Decision, Disposition, Reason, Verdict};
use hansa_types::habits::Habits;
use hansa_types::hash::Digest;
use hansa_types::id::{Epoch, GatewayId, Timestamp};
use hansa_types::model::{FACTORS, Model, Score};
use hansa_types::money::Money;
use hansa_types::payment::{Account, Agent, FindingKind, Party, Payment, Underlying};
use hansa_types::record::DecisionRecord;
use hansa_types::signal::{Category, Severity};
use hansa_types::subject::Subject;
use proptest::prelude::*;

/// Friday, 20 November 2026, noon.
const NOW: Timestamp = Timestamp(1_795_176_000);
const DEBTOR: &str = "DE89370400440532013000";
const CREDITOR: &str = "GB29NWBK60161331926819";
const LISTED_IBAN: &str = "BE24290035852938";

fn account(iban: &str) -> Option<Account> {
    Some(Account::from_iban_text(iban))
}

fn subject(iban: &str) -> Option<Subject> {
    account(iban).map(Subject::Account)
}

fn agent(bic: &str) -> Option<Agent> {
    Some(Agent { bic: Some(bic.try_into().unwrap()), ..Agent::default() })
}

fn payment() -> Payment {
    let mut payment = Payment {
        message_id: "M1".to_owned(),
        uetr: Some("174c245f-2682-4291-ad67-2a41e530cd27".parse().unwrap()),
        settlement_amount: Some(Money::parse("100.10", "EUR").unwrap()),
        debtor_account: account(DEBTOR),
        creditor_account: account(CREDITOR),
        debtor_agent: agent("DEUTDEFF"),
        creditor_agent: agent("NWBKGB2L"),
        instructing_agent: agent("DEUTDEFF"),
        instructed_agent: agent("NWBKGB2L"),
        ..Payment::default()
    };
    payment.debtor.name = Some("Erika Mustermann".to_owned());
    payment.debtor.address.country = Some("DE".try_into().unwrap());
    payment.creditor.name = Some("John Smith".to_owned());
    payment.creditor.address.country = Some("GB".try_into().unwrap());
    payment
}

fn list(name: &str, measure: Measure) -> Watchlist {
    let rows = format!("{}\n1,person,,\"PUTIN, Vladimir\",,,,RU,,,{LISTED_IBAN},\n", table::HEADER.join(","));
    let rows = rows + "2,organisation,,VTB BANK,,,,RU,VTBRRUMM,253400V1H6ART1UQ0N98,,\n";
    table::load(name, "2026-01-01".try_into().unwrap(), measure, rows.as_bytes()).unwrap()
}

fn signalled(iban: &str) -> ActiveAlerts {
    ActiveAlerts::new(&[Alert {
        signal: Digest([7; 32]),
        subject: subject(iban).unwrap(),
        held_here: true,
        severity: Severity::High,
        category: Category::MuleAccount,
        expires: Epoch(9),
        state: AlertState::Open,
        case: None,
        at: NOW,
    }])
}

struct Bank {
    screener: Screener,
    rules: CaseRules,
}

impl Bank {
    fn new(policy: Policy, list: Watchlist) -> Self {
        let screener = Screener::new(policy, vec![list], RiskModel::default_model()).unwrap();
        Self { screener, rules: CaseRules::new(CasePolicy::default()).unwrap() }
    }

    fn decide(&self, payment: &Payment, alerts: &ActiveAlerts) -> Decision {
        {
            let known = Known { alerts, ..Known::default() };
            self.screener.assess(payment, &History::default(), known, NOW).decision
        }
    }

    fn grounds(&self, payment: &Payment, alerts: &ActiveAlerts) -> Grounds {
        let decision = self.decide(payment, alerts);
        let about = |signal: &Digest| (*signal == Digest([7; 32])).then(|| subject(DEBTOR)).flatten();
        Grounds::of_decision(&self.rules, &self.screener, &decision, payment, about)
    }
}

fn own(bic: &str, scheme: Scheme) -> Policy {
    Policy { bics: vec![bic.try_into().unwrap()], scheme, ..Policy::default() }
}

#[test]
fn a_case_is_about_whoever_is_listed_then_signalled_then_the_banks_own_customer() {
    let none = ActiveAlerts::default();
    let bank = Bank::new(own("DEUTDEFF", Scheme::Sct), list("ofac-sdn", Measure::Freeze));
    let mut named = payment();
    named.creditor.name = Some("Vladimir Putin".to_owned());
    let grounds = bank.grounds(&named, &signalled(DEBTOR));
    assert_eq!((grounds.subject, grounds.lists), (subject(CREDITOR), vec!["ofac-sdn".to_owned()]));
    assert!(grounds.signals.is_empty(), "the signal is about the other side");

    let grounds = bank.grounds(&payment(), &signalled(DEBTOR));
    assert_eq!((grounds.subject, grounds.signals), (subject(DEBTOR), vec![Digest([7; 32])]));

    let mut limited = own("NWBKGB2L", Scheme::Sct);
    limited.amount_limit = Some(Money::parse("1", "EUR").unwrap());
    let bank = Bank::new(limited, list("ofac-sdn", Measure::Freeze));
    assert_eq!(bank.grounds(&payment(), &none).subject, subject(CREDITOR));
    let mut nameless = payment();
    nameless.creditor_account = None;
    assert_eq!(bank.grounds(&nameless, &none).subject, subject(DEBTOR), "the other side, rather than nobody");

    // A party that the payment names without an account goes by the one it uses; a bank without LEI by nothing.
    let mut ultimate = payment();
    ultimate.ultimate_debtor = Some(named.creditor.clone());
    assert_eq!(bank.grounds(&ultimate, &none).subject, subject(DEBTOR));
    let mut through = payment();
    through.intermediary_agents.extend(agent("VTBRRUMM123"));
    assert_eq!(bank.grounds(&through, &none).subject, None);
}

/// The case of one bank's hit must not be another bank's that stands beside it in the payment.
#[test]
fn of_several_in_one_role_none_is_the_subject_unless_they_are_the_same() {
    let none = ActiveAlerts::default();
    let bank = Bank::new(own("DEUTDEFF", Scheme::CbprPlus), list("ofac-sdn", Measure::Freeze));
    let with =
        |bic: &str, lei: &str| agent(bic).map(|agent| Agent { lei: Some(lei.try_into().unwrap()), ..agent });
    let (innocent, listed) =
        (with("BNPAFRPP", "529900T8BM49AURSDO55"), with("VTBRRUMM123", "253400V1H6ART1UQ0N98"));
    let about = |intermediaries: [Option<Agent>; 2]| {
        let mut through = payment();
        through.intermediary_agents.extend(intermediaries.into_iter().flatten());
        let grounds = bank.grounds(&through, &none);
        assert_eq!(grounds.lists, ["ofac-sdn"]);
        grounds.subject
    };
    let bank_itself = Some(Subject::Organisation("253400V1H6ART1UQ0N98".try_into().unwrap()));
    assert_eq!(about([innocent.clone(), listed.clone()]), None);
    assert_eq!(about([innocent, agent("VTBRRUMM123")]), None, "only the one beside it has an LEI");
    assert_eq!(about([listed.clone(), None]), bank_itself);
    assert_eq!(about([listed.clone(), listed]), bank_itself);

    // Beneath a cover or a return there may be several transfers.
    let beneath = |creditor: Option<&str>, iban: Option<&str>| Underlying {
        creditor: creditor.map(|name| Party { name: Some(name.to_owned()), ..Party::default() }),
        creditor_account: iban.and_then(account),
        ..Underlying::default()
    };
    let mut cover = payment();
    cover.underlying = vec![beneath(Some("Vladimir Putin"), Some(CREDITOR))];
    assert_eq!(bank.grounds(&cover, &none).subject, subject(CREDITOR));
    cover.underlying = vec![beneath(Some("Vladimir Putin"), None), beneath(None, Some(CREDITOR))];
    assert_eq!(bank.grounds(&cover, &none).subject, None);
}

#[test]
fn what_a_list_says_of_one_side_is_not_held_against_the_other() {
    let bank = Bank::new(own("DEUTDEFF", Scheme::Sct), list("ofac-sdn", Measure::Freeze));
    let mut payment = payment();
    payment.creditor_account = account(LISTED_IBAN);
    let decision = bank.decide(&payment, &ActiveAlerts::default());
    let side = |side| Grounds::of_side(&bank.rules, &bank.screener, &decision, &payment, side).unwrap();
    let (debtor, creditor) = (side(Suspect::Debtor), side(Suspect::Creditor));
    assert_eq!((debtor.subject, debtor.reasons, debtor.lists.len()), (subject(DEBTOR), vec![], 0));
    assert!(debtor.deadlines.is_empty());
    assert_eq!((creditor.subject, creditor.reasons), (subject(LISTED_IBAN), vec![Reason::ListedIdentifier]));
}

#[test]
fn missing_data_alone_opens_no_case_unless_the_policy_says_so() {
    let bank = Bank::new(Policy::default(), list("ofac-sdn", Measure::Freeze));
    let mut payment = payment();
    payment.creditor.name = None;
    let decision = bank.decide(&payment, &ActiveAlerts::default());
    assert_eq!((decision.verdict, &*decision.reasons), (Verdict::Investigate, &[Reason::MissingData][..]));
    assert!(!bank.rules.opens(&decision));
    let opens = BTreeSet::from([Reason::MissingData]);
    let rules = CaseRules::new(CasePolicy { opens, ..CasePolicy::default() }).unwrap();
    assert!(rules.opens(&decision));
    let clear = bank.decide(&self::payment(), &ActiveAlerts::default());
    assert!(clear.verdict == Verdict::Clear && !rules.opens(&clear));
}

#[test]
fn freezes_and_rejects_of_listed_parties_open_their_report_deadlines_and_holds_the_schemes() {
    let set = |policy: Policy, list: Watchlist, payment: &Payment| {
        let bank = Bank::new(policy, list);
        let deadlines = bank.grounds(payment, &ActiveAlerts::default()).deadlines;
        deadlines.into_iter().map(|d| (d.rule, d.duty, d.due.to_utc())).collect::<Vec<_>>()
    };
    let report = |rule: &str, due: &str| vec![(rule.to_owned(), Duty::Report, due.to_owned())];
    let mut listed = payment();
    listed.creditor_account = account(LISTED_IBAN);
    let by = |bic| own(bic, Scheme::Sct);
    // Ten business days after Friday, 20 November: Thanksgiving lies between.
    let tenth = "2026-12-08T04:00:00Z";
    let ofac = |measure| list("ofac-sdn", measure);
    assert_eq!(set(by("NWBKGB2L"), ofac(Measure::Freeze), &listed), report("ofac-blocked", tenth));
    assert_eq!(set(by("DEUTDEFF"), ofac(Measure::Reject), &listed), report("ofac-rejected", tenth));
    assert_eq!(set(by("NWBKGB2L"), ofac(Measure::Reject), &listed), report("ofac-rejected", tenth));
    let at_once = report("eu-frozen", "2026-11-21T12:00:00Z");
    assert_eq!(set(by("DEUTDEFF"), list("eu-2014-269", Measure::Freeze), &listed), at_once);
    assert_eq!(
        set(by("DEUTDEFF"), list("internal", Measure::Freeze), &listed),
        [],
        "a list of the bank's own"
    );

    let mut named = payment();
    named.creditor.name = Some("Vladimir Putin".to_owned());
    let held = vec![("sct-held".to_owned(), Duty::Decide, "2026-11-23T22:00:00Z".to_owned())];
    assert_eq!(set(by("DEUTDEFF"), ofac(Measure::Freeze), &named), held, "a name is not a hit yet");
}

/// Decision 3: what a list, data or another bank says is not this bank's to tell, nor is a score that is high for it.
#[test]
fn list_hits_data_and_signals_alone_do_not_speak_of_conduct() {
    let bank = Bank::new(own("DEUTDEFF", Scheme::Sct), list("ofac-sdn", Measure::Freeze));
    let none = ActiveAlerts::default();
    let speaks = |payment: &Payment, alerts: &ActiveAlerts, reasons: &[Reason]| {
        let grounds = bank.grounds(payment, alerts);
        assert_eq!(grounds.reasons, reasons);
        grounds.conduct
    };
    let mut named = payment();
    named.creditor.name = Some("Vladimir Putin".to_owned());
    named.creditor.address.country = Some("RU".try_into().unwrap());
    assert!(!speaks(&named, &none, &[Reason::ListedName, Reason::Score]), "the score is the list's");
    let mut listed = payment();
    listed.creditor_account = account(LISTED_IBAN);
    assert!(!speaks(&listed, &none, &[Reason::ListedIdentifier]));
    let mut missing = payment();
    missing.debtor.name = None;
    assert!(!speaks(&missing, &none, &[Reason::MissingData]));
    let mut invalid = payment();
    invalid.findings.push(hansa_types::payment::Finding {
        kind: FindingKind::InvalidIban,
        path: "CdtrAcct".to_owned(),
        value: "GB00".to_owned(),
    });
    assert!(!speaks(&invalid, &none, &[Reason::InvalidData]));
    assert!(!speaks(&payment(), &signalled(DEBTOR), &[Reason::ConsortiumSignal]));
    assert!(!Grounds::of_signal(Digest([7; 32]), subject(DEBTOR).unwrap()).conduct);

    // What the account does is this bank's to tell, and so is what its officer knows of a payment that was clear.
    let weights = "version = 9\nhold_threshold = 10\n[weights]\nvelocity_count = 10\nlist_match = 1\n";
    let model = RiskModel::parse(weights).unwrap();
    let strict = Bank {
        screener: Screener::new(Policy::default(), vec![list("ofac-sdn", Measure::Freeze)], model).unwrap(),
        ..Bank::new(Policy::default(), list("ofac-sdn", Measure::Freeze))
    };
    assert_eq!(strict.grounds(&payment(), &none).reasons, [Reason::Score]);
    assert!(strict.grounds(&payment(), &none).conduct && strict.grounds(&named, &none).conduct);
    assert!(bank.grounds(&payment(), &none).conduct);
}

#[test]
fn a_draft_states_what_was_recorded_and_nothing_else() {
    let mut policy = own("NWBKGB2L", Scheme::CbprPlus);
    policy.amount_limit = None;
    let bank = Bank::new(policy, list("ofac-sdn", Measure::Freeze));
    let mut payment = payment();
    payment.creditor_account = account(LISTED_IBAN);
    payment.creditor.name = Some("Vladimir Putin".to_owned());
    payment.remittance.push("Invoice 7\n4. Steps taken".to_owned());
    payment.settlement_date = Some("2026-11-20".try_into().unwrap());
    let decision = bank.decide(&payment, &signalled(LISTED_IBAN));
    assert_eq!(decision.disposition, Some(Disposition::Freeze));
    let about = |_: &Digest| subject(LISTED_IBAN);
    let grounds = Grounds::of_decision(&bank.rules, &bank.screener, &decision, &payment, about);
    let opened = case::open(7, grounds, "policy.screening".parse().unwrap(), NOW, "BLOCK: listed-identifier");
    let by = |actor: &str, hours: u64, note: &str| By {
        actor: actor.parse().unwrap(),
        at: Timestamp(NOW.0 + hours * 3_600),
        note: note.to_owned(),
    };
    let confirm = Ask { to: CaseState::Confirmed, signal: None, grounds: String::new() };
    let confirmed = case::ask(
        &bank.rules,
        &opened,
        &confirm,
        by("officer.a", 1, "the account is the listed one"),
        &[0; 32],
    );
    let report = Ask { to: CaseState::Reported, ..confirm };
    let proposed =
        case::ask(&bank.rules, &confirmed.unwrap(), &report, by("officer.a", 2, ""), &[0; 32]).unwrap();
    let received = |standing| Received {
        gateway: GatewayId(1),
        at: NOW,
        severity: Severity::High,
        category: Category::MuleAccount,
        standing,
    };
    let mut facts = Facts {
        bank: &"bank-a".parse().unwrap(),
        case: &proposed,
        decisions: &[Some(DecisionRecord { decision, payment, habits: Habits::default() })],
        received: &[Standing::Counts, Standing::Expired, Standing::Retracted, Standing::Void].map(received),
        at: Timestamp(NOW.0 + 7_200),
    };
    let text = draft::write(&facts);
    let vector = include_str!("vectors/case-draft.txt");
    assert_eq!(text, vector, "the draft differs from its sample; it is now:\n{text}");
    assert!(!text.contains("DEUTDEFF") && !text.contains("NWBKGB2L"), "no other bank's identity");
    assert_eq!(text.matches("\n4. Steps taken").count(), 1, "a payment cannot write the draft's parts");
    facts.decisions = &[None];
    assert!(draft::write(&facts).contains("erased since"));
    let nobody = Case { subject: None, ..proposed.clone() };
    facts.case = &nobody;
    assert!(draft::write(&facts).contains("No subject is known by account or LEI."));
}

fn policies() -> impl Strategy<Value = Policy> {
    let kinds = || prop::sample::subsequence(FindingKind::ALL.to_vec(), 0..=FindingKind::ALL.len());
    let verdict = || prop::sample::select(Verdict::ALL.to_vec());
    let choices = (
        prop::sample::select(Scheme::ALL.to_vec()),
        prop::sample::select(HoldReject::ALL.to_vec()),
        prop::sample::subsequence(vec!["DEUTDEFF", "NWBKGB2L"], 0..=2),
        600_u16..=1000,
        kinds(),
        verdict(),
        verdict(),
        prop::option::of(1_u32..100_000),
        prop::sample::subsequence(vec![DEBTOR, CREDITOR], 0..=2),
    );
    choices.prop_map(|(scheme, hold_reject, bics, threshold, required, missing, invalid, limit, blocked)| {
        let iban = |text: &str| text.try_into().unwrap();
        Policy {
            scheme,
            hold_reject,
            bics: bics.into_iter().map(|bic| bic.try_into().unwrap()).collect(),
            name_threshold: threshold,
            required: required.into_iter().collect(),
            missing_data: missing,
            invalid_data: invalid,
            amount_limit: limit.map(|limit| Money::parse(&limit.to_string(), "EUR").unwrap()),
            blocked_accounts: blocked.into_iter().map(iban).collect(),
            ..Policy::default()
        }
    })
}

fn models() -> impl Strategy<Value = RiskModel> {
    (prop::array::uniform15(any::<i16>()), 1_i64..100_000).prop_map(|(some, threshold)| {
        let mut weights = [0; FACTORS];
        weights[..15].copy_from_slice(&some);
        weights[0] |= 1;
        RiskModel { model: Model { version: 1, weights }, hold_threshold: Score(threshold) }
    })
}

fn payments() -> impl Strategy<Value = Payment> {
    let name =
        || prop::option::of(prop::sample::select(vec!["Erika Mustermann", "Vladimir Putin", "VTB BANK"]));
    let iban = || prop::option::of(prop::sample::select(vec![DEBTOR, CREDITOR, LISTED_IBAN]));
    let choices = (name(), name(), iban(), iban(), 1_u32..200_000, any::<bool>(), any::<bool>());
    choices.prop_map(|(debtor, creditor, from, to, amount, instant, through)| {
        let mut payment = payment();
        payment.debtor.name = debtor.map(str::to_owned);
        payment.creditor.name = creditor.map(str::to_owned);
        payment.debtor_account = from.and_then(account);
        payment.creditor_account = to.and_then(account);
        payment.settlement_amount = Some(Money::parse(&amount.to_string(), "EUR").unwrap());
        if instant {
            payment.service_levels = vec!["SEPA".into()];
            payment.local_instrument = Some("INST".into());
        }
        if through {
            payment.intermediary_agents.extend(agent("VTBRRUMM123"));
        }
        payment
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// Decision 3: whatever the policy, the model and the payment, what another bank signalled raises it to INVESTIGATE
    /// and no further, changes nothing of a BLOCK, and holds the money where nothing else would have stopped it.
    #[test]
    fn a_consortium_signal_never_blocks(
        policy in policies(),
        model in models(),
        payment in payments(),
        measure in prop::sample::select(Measure::ALL.to_vec()),
        about in prop::sample::subsequence(vec![DEBTOR, CREDITOR, LISTED_IBAN], 1..=3),
    ) {
        let screener = Screener::new(policy, vec![list("ofac-sdn", measure)], model).unwrap();
        let mut alerts = ActiveAlerts::default();
        for (number, iban) in about.iter().enumerate() {
            let signal = Digest([number as u8; 32]);
            alerts.update(&Alert {
                signal,
                subject: subject(iban).unwrap(),
                held_here: true,
                severity: Severity::High,
                category: Category::TerroristFinancing,
                expires: Epoch(9),
                state: AlertState::Open,
                case: None,
                at: NOW,
            });
        }
        let decide = |alerts: &ActiveAlerts| {
            let known = Known { alerts, ..Known::default() };
            screener.assess(&payment, &History::default(), known, NOW).decision
        };
        let (without, with) = (decide(&ActiveAlerts::default()), decide(&alerts));
        let raised = if with.signals.is_empty() { Verdict::Clear } else { Verdict::Investigate };
        prop_assert_eq!(with.verdict, without.verdict.max(raised));
        prop_assert_eq!((with.score, with.factors), (without.score, without.factors));
        if without.verdict == Verdict::Clear && !with.signals.is_empty() {
            prop_assert_eq!(with.disposition, Some(Disposition::Hold));
            prop_assert_eq!(&with.reasons, &[Reason::ConsortiumSignal]);
        } else {
            prop_assert_eq!(with.disposition, without.disposition);
        }
    }
}

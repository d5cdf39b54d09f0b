//! Samples of lists, customers, exceptions, models, and decisions explained.

use super::*;

pub(in crate::tests) fn lists() -> ListsView {
    let list = ListView {
        name: "ofac-sdn".to_owned(),
        format: "ofac-csv".to_owned(),
        measure: "freeze".to_owned(),
        version: list_change().to,
        checked: Some(NOW),
        refused: Some("cut off".to_owned()),
        stale: true,
    };
    let rescreening = RescreeningView {
        cause: "list ofac-sdn of 2026-11-20: 2 entries".to_owned(),
        began: NOW,
        ended: Some(NOW),
        customers: (3, 3),
        entries: (42, 43),
        cases: 1,
        error: None,
    };
    ListsView { lists: vec![list], rescreening: Some(rescreening) }
}

pub(in crate::tests) fn list_change() -> ListChangeView {
    let version = |date: &str, digest, entries| ListVersionView {
        date: date.try_into().unwrap(),
        digest: Digest([digest; 32]),
        entries,
    };
    ListChangeView {
        name: "ofac-sdn".to_owned(),
        from: Some(version("2026-11-13", 1, 10)),
        to: version("2026-11-20", 2, 11),
        taken: true,
        added: vec!["36".to_owned(), "37".to_owned()],
        removed: vec!["9".to_owned()],
        changed: vec![],
    }
}

pub(in crate::tests) fn list_entry() -> ListEntryView {
    ListEntryView {
        list: "ofac-sdn".to_owned(),
        id: "36".to_owned(),
        content: Digest([4; 32]),
        kind: "organisation".to_owned(),
        programmes: vec!["CUBA".to_owned()],
        names: vec![("AEROCARIBBEAN AIRLINES".to_owned(), "primary".to_owned())],
        births: vec![(1949, 1950)],
        countries: vec!["CU".try_into().unwrap()],
        identifiers: vec!["BIC AAAACUH0XXX".to_owned()],
    }
}

pub(in crate::tests) fn customers() -> CustomersView {
    CustomersView { accounts: 3, written: NOW, refused: None, stale: false }
}

pub(in crate::tests) fn customer_change() -> CustomerChangeView {
    CustomerChangeView { added: 1, changed: 0, closed: 1, accounts: 3 }
}

pub(in crate::tests) fn customer_changes() -> CustomerChanges {
    let put = CustomerChange::Put {
        account: "BBAN:1234".to_owned(),
        name: "Ann Other".to_owned(),
        birth_date: Some("1980-02-03".try_into().unwrap()),
        country: None,
    };
    let close = CustomerChange::Close { account: "BBAN:1235".to_owned() };
    CustomerChanges { actor: actor(), changes: vec![put, close] }
}

pub(in crate::tests) fn exception() -> ExceptionView {
    ExceptionView {
        id: Digest([6; 32]),
        subject: subject_action().subject,
        list: "ofac-sdn".to_owned(),
        entry: "36".to_owned(),
        actor: actor(),
        reason: "a namesake".to_owned(),
        since: NOW,
        expires: Timestamp(NOW.0 + 86_400),
        holds: true,
    }
}

pub(in crate::tests) fn exception_request() -> ExceptionRequest {
    let ExceptionView { subject, list, entry, actor, reason, .. } = exception();
    ExceptionRequest { subject, list, entry, days: 1, reason, actor }
}

pub(in crate::tests) fn why() -> WhyView {
    let summand = SummandView {
        factor: "structuring".to_owned(),
        value: 3,
        unit: "payments".to_owned(),
        weight: 150,
        points: 450,
        evidence: "3 of 9000 to 10000 within 7 days".to_owned(),
    };
    WhyView {
        payment: key().to_string(),
        decided_at: NOW,
        decided: OutcomeView::from(&decision()),
        findings: vec![FindingView { reason: Some(Reason::Score), text: "score 420 of 400".to_owned() }],
        summands: vec![summand],
        threshold: 400,
        flips: vec![FlipView { factor: "structuring".to_owned(), value: 3, to: 2 }],
        without: vec![WithoutView { reason: Reason::Score, verdict: Verdict::Investigate }],
        today: OutcomeView::from(&decision()),
    }
}

pub(in crate::tests) fn replay() -> ReplayView {
    ReplayView {
        payment: key().to_string(),
        decided_at: NOW,
        same: false,
        differences: vec!["score: recorded 420, now 421".to_owned()],
        decided: OutcomeView::from(&decision()),
        replayed: OutcomeView::from(&decision()),
    }
}

pub(in crate::tests) fn model() -> ModelView {
    ModelView {
        version: 3,
        digest: Digest([3; 32]),
        hold_threshold: 400,
        weights: [("structuring".to_owned(), 150)].into(),
        registered: true,
        watched_until: Some(NOW),
        challenger: Some(4),
    }
}

fn shares(alerts: f64) -> Shares {
    Shares { alerts_per_1000: alerts, blocks_per_1000: 0.5 }
}

pub(in crate::tests) fn backtest() -> BacktestView {
    BacktestView {
        decisions: 1000,
        was: shares(2.0),
        is: shares(3.0),
        psi: 0.25,
        newly_held: 1,
        newly_held_payments: vec![key().to_string()],
        no_longer_held: 0,
        no_longer_held_payments: vec![],
        truncated: false,
    }
}

pub(in crate::tests) fn drift() -> DriftView {
    DriftView {
        decisions: (500, 100),
        psi: Some(0.5),
        shifted: true,
        was: Some(shares(2.0)),
        is: Some(shares(9.0)),
        factors: [("structuring".to_owned(), 0.5)].into(),
        truncated: true,
    }
}

pub(in crate::tests) fn sample() -> SampleView {
    let drawn = SampledView { payment: key().to_string(), score: 399, decided_at: NOW };
    SampleView { threshold: 400, below: vec![drawn], above: vec![], truncated: false }
}

pub(in crate::tests) fn verdicts() -> VerdictsView {
    let view = VerdictView {
        uetr: uetr(),
        verdict: Some(Verdict::Investigate),
        reasons: vec![Reason::Score],
        score: Some(420),
    };
    VerdictsView { verdicts: vec![view] }
}

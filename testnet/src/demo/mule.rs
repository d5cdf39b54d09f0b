//! Steps 4 and 5: mule money passes three banks, one of them signals, the next payment is held; a second signal is
//! taken back.

use hansa_api::model::{AnswerStatus, CaseResult, PaymentAnswer, SignalView};
use hansa_node::events::Event;
use hansa_types::case::AlertState;
use hansa_types::decision::{Disposition, Reason, Verdict};
use hansa_types::hash::Digest;
use hansa_types::uetr::Uetr;
use rand::rngs::OsRng;

use super::messages::{EXIT, Holder, MISTAKEN, MULE, NAMESAKE, VICTIM, pacs008, uetr};
use super::{Cast, DemoError, Stage, expect};
use crate::consortium::THRESHOLDS;
use crate::process::hansa;

/// The banks by their place in the story.
const A: usize = 0;
const B: usize = 1;
const C: usize = 2;

/// Plays both steps.
pub(super) fn play(stage: &mut Stage) -> Result<Cast, DemoError> {
    stage.story.step("Mule money passes all three banks; then bank A tells what it knows");
    let paid = three_clears(stage)?;
    let signal = signal(stage, paid, "the customer reported a scam: she was told to move her savings")?;
    heard(stage, signal)?;
    let held = next_payment_is_held(stage, signal)?;
    stage.story.step("A second signal turns out to be a mistake and is taken back");
    retracted(stage)?;
    Ok(Cast { paid, held, signal })
}

/// Sends a payment to the node at `at`, and returns the answer with the bank's own view.
fn pay(
    stage: &Stage,
    at: usize,
    uetr: &str,
    amount: &str,
    (debtor, from): (Holder, usize),
    (creditor, to): (Holder, usize),
) -> Result<PaymentAnswer, DemoError> {
    let banks = &stage.consortium.banks;
    let message = pacs008(uetr, amount, (debtor, &banks[from]), (creditor, &banks[to]));
    let mut submission = stage.nodes[at].client()?.submit(message.as_bytes(), true)?;
    let answer = submission.payments.pop().filter(|_| submission.payments.is_empty());
    answer.ok_or_else(|| DemoError::Observed("one payment should give one answer".into()))
}

fn three_clears(stage: &Stage) -> Result<Uetr, DemoError> {
    let (first, second) = (uetr(&mut OsRng), uetr(&mut OsRng));
    let legs = [
        (A, &first, "9600.00", (VICTIM, A), (MULE, B)),
        (B, &second, "9550.00", (MULE, B), (EXIT, C)),
        (C, &second, "9550.00", (MULE, B), (EXIT, C)),
    ];
    for (at, uetr, amount, from, to) in legs {
        let answer = pay(stage, at, uetr, amount, from, to)?;
        let score = answer.internal.as_ref().map_or(0, |internal| internal.score.0);
        expect(answer.verdict == Some(Verdict::Clear), || {
            format!("the money should pass, and got {answer:?}")
        })?;
        expect(score >= i64::from(THRESHOLDS.low), || format!("score {score} is below the lowest severity"))?;
        let bank = &stage.consortium.banks[at].id;
        stage.story.tell(format!(
            "{bank}: {amount} EUR from {} to {}: CLEAR, score {score}",
            from.0.name, to.0.name
        ));
    }
    Ok(first.parse_uetr())
}

trait ParseUetr {
    fn parse_uetr(&self) -> Uetr;
}

impl ParseUetr for String {
    fn parse_uetr(&self) -> Uetr {
        Uetr::try_from(self.as_str()).expect("the demo makes valid UETRs")
    }
}

/// An officer of bank A opens a case on the creditor of a payment and proposes to confirm it; a second one approves, and
/// its signal leaves.
fn signal(stage: &mut Stage, payment: Uetr, why: &str) -> Result<Digest, DemoError> {
    let bank = stage.consortium.banks[A].clone();
    let payment = payment.to_string();
    let officer = ["--actor", "officer.a", "--note", why];
    let open: Vec<&str> =
        ["cases", "open", &payment, "--suspect", "creditor"].into_iter().chain(officer).collect();
    let opened: CaseResult = hansa(&bank, &open)?;
    let number = opened.case.number.to_string();
    let confirm = ["cases", "confirm", &number, "--signal", "mule-account"];
    let confirm: Vec<&str> = confirm.into_iter().chain(officer).collect();
    let _: CaseResult = hansa(&bank, &confirm)?;
    let confirmed: CaseResult = hansa(&bank, &["cases", "approve", &number, "--actor", "officer.b"])?;
    let intended = confirmed.signal.as_ref().and_then(|signal| signal.id).ok_or_else(|| {
        DemoError::Observed(format!("no signal left: {}", confirmed.note.unwrap_or_default()))
    })?;
    stage.story.tell(format!(
        "bank-a: officer.a opens case {number} and proposes to confirm it, officer.b approves"
    ));
    let prove_ms = stage.nodes[A].wait("signal sent", |event| match event {
        Event::SignalSent { signal, prove_ms } if *signal == intended => Some(*prove_ms),
        _ => None,
    })?;
    stage.story.tell(format!(
        "bank-a: signal {intended:.12} is logged, proved ({prove_ms} ms), verified, published"
    ));
    Ok(intended)
}

/// Banks B and C verify and log the signal, and find its subject among those they know.
fn heard(stage: &mut Stage, wanted: Digest) -> Result<(), DemoError> {
    for (at, held) in [(B, true), (C, false)] {
        let bank = stage.consortium.banks[at].id.clone();
        let node = &mut stage.nodes[at];
        let verify_us = node.wait("signal received", |event| match event {
            Event::SignalReceived { signal, verify_us, .. } if *signal == wanted => Some(*verify_us),
            _ => None,
        })?;
        let (held_here, case) = node.wait("alert raised", |event| match event {
            Event::AlertRaised { signal, held, case } if *signal == wanted => Some((*held, *case)),
            _ => None,
        })?;
        expect(held_here == held, || format!("{bank} should know the subject as held = {held}"))?;
        expect(case.is_some() == held, || format!("{bank} should open a case only for its own customer"))?;
        let matched = case
            .map_or("a counterparty: alert".to_owned(), |case| format!("its customer: alert, case {case}"));
        stage.story.tell(format!("{bank}: verified ({verify_us} us), logged; it is about {matched}"));
    }
    Ok(())
}

/// The signal raises the mule's next payment to INVESTIGATE, and nobody else's.
fn next_payment_is_held(stage: &Stage, signal: Digest) -> Result<Uetr, DemoError> {
    let held = uetr(&mut OsRng);
    let answer = pay(stage, B, &held, "2400.00", (MULE, B), (EXIT, C))?;
    let internal = answer.internal.clone().ok_or_else(|| DemoError::Observed("no internal view".into()))?;
    let raised = answer.verdict == Some(Verdict::Investigate)
        && internal.disposition == Some(Disposition::Hold)
        && internal.reasons == [Reason::ConsortiumSignal]
        && internal.signals == [signal];
    expect(raised, || {
        format!("the mule's next payment should be held for the signal alone, and got {answer:?}")
    })?;
    stage
        .story
        .tell("bank-b: the mule's next payment: INVESTIGATE, held; the reason is the signal, not the score");
    let outward = answer.outward_code.unwrap_or_default();
    stage.story.tell(format!("bank-b: what the outside is told: {outward:?}, nothing of the signal"));

    let answer = pay(stage, B, &uetr(&mut OsRng), "2400.00", (NAMESAKE, B), (EXIT, C))?;
    expect(answer.verdict == Some(Verdict::Clear), || {
        format!("the namesake should pass, and got {answer:?}")
    })?;
    stage
        .story
        .tell(format!("bank-b: the same from {}, another customer of that name: CLEAR", NAMESAKE.name));
    Ok(held.parse_uetr())
}

/// A second signal, its alert, and the retraction that closes it.
fn retracted(stage: &mut Stage) -> Result<(), DemoError> {
    let payment = uetr(&mut OsRng);
    let answer = pay(stage, A, &payment, "9700.00", (VICTIM, A), (MISTAKEN, B))?;
    expect(answer.status == AnswerStatus::Decided, || format!("the payment was {answer:?}"))?;
    let signal = signal(stage, payment.parse_uetr(), "mixed up with another account")?;
    let raised =
        |event: &Event| matches!(event, Event::AlertRaised { signal: s, .. } if *s == signal).then_some(());
    stage.nodes[B].wait("alert raised", raised)?;
    let received = |event: &Event| {
        matches!(event, Event::SignalReceived { signal: s, .. } if *s == signal).then_some(())
    };
    stage.nodes[C].wait("signal received", received)?;
    stage.story.tell(format!("bank-b: alert on {}", MISTAKEN.name));

    let bank = stage.consortium.banks[A].clone();
    let _: SignalView = hansa(&bank, &["signals", "retract", &signal.to_string(), "--actor", "officer.a"])?;
    let closed = stage.nodes[B].wait("retraction", |event| match event {
        Event::SignalRetracted { signal: s, closed } if *s == signal => Some(*closed),
        _ => None,
    })?;
    expect(closed == 1, || format!("the retraction closed {closed} alerts at bank-b"))?;
    let alerts = stage.nodes[B].client()?.alerts()?;
    let state = alerts.iter().find(|alert| alert.signal == signal).map(|alert| alert.state);
    expect(state == Some(AlertState::Retracted), || {
        format!("the alert should be retracted, and is {state:?}")
    })?;
    let heard = |event: &Event| {
        matches!(event, Event::SignalRetracted { signal: s, .. } if *s == signal).then_some(())
    };
    stage.nodes[C].wait("retraction", heard)?;
    stage.story.tell("bank-a retracts it; bank-b checks the retraction and closes the alert");
    let answer = pay(stage, B, &uetr(&mut OsRng), "180.00", (MISTAKEN, B), (EXIT, C))?;
    expect(answer.verdict == Some(Verdict::Clear), || {
        format!("she should be able to pay again, and got {answer:?}")
    })?;
    stage.story.tell(format!("bank-b: {} pays again: CLEAR", MISTAKEN.name));
    Ok(())
}

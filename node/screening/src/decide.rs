//! The rules: from what was found to verdict, disposition, reasons and the code for the outside.
//!
//! Verdict and disposition are separate. A name alone never blocks, nor does another bank's signal or a score: those
//! raise to INVESTIGATE, and a person decides. BLOCK takes an exact identifier or a rule that says so.

use hansa_types::bic::Bic;
use hansa_types::decision::{Disposition, Finding, ListedParty, MAX_FINDINGS, Reason, Verdict};
use hansa_types::frame::BoundByFrame;
use hansa_types::hash::Digest;
use hansa_types::model::Score;
use hansa_types::payment::{self, Account, FindingKind, Party, PartyRole, Payment, PaymentKind};

use crate::codes;
use crate::config::{Policy, Scheme};
use crate::factors::Evidence;
use crate::factors::note::FactorNote;
use crate::model::RiskModel;
use crate::watchlist::Measure;

/// The most characters of a finding's text.
const MAX_FINDING_TEXT: usize = 300;

/// In which role the bank handles a payment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// It holds the debtor's account.
    DebtorAgent,
    /// It passes the payment on.
    Intermediary,
    /// It holds the creditor's account.
    CreditorAgent,
}

impl Role {
    /// The role of the bank with the policy's BICs: an intermediary's if it is neither agent, or names no BIC. Where
    /// institutions pay one another, the bank may be debtor or creditor itself, and refuses as their agent would.
    pub fn of(payment: &Payment, policy: &Policy) -> Self {
        let own = |bic: Option<Bic>| {
            bic.is_some_and(|bic| policy.bics.iter().any(|own| own.institution() == bic.institution()))
        };
        let agent = |agent: &Option<payment::Agent>| own(agent.as_ref().and_then(|agent| agent.bic));
        let between_banks = payment.kind != PaymentKind::Customer;
        if agent(&payment.debtor_agent) || between_banks && own(payment.debtor.bic) {
            Self::DebtorAgent
        } else if agent(&payment.creditor_agent) || between_banks && own(payment.creditor.bic) {
            Self::CreditorAgent
        } else {
            Self::Intermediary
        }
    }

    /// What refusing means: the debtor's bank, and any bank in an instant scheme, refuses before money moves; others
    /// have it already and send it back.
    fn refusal(self, scheme: Scheme) -> Disposition {
        match (self, scheme) {
            (Self::DebtorAgent, _) | (_, Scheme::SctInst | Scheme::FedNow) => Disposition::Reject,
            (Self::Intermediary | Self::CreditorAgent, Scheme::CbprPlus | Scheme::Sct) => Disposition::Return,
        }
    }
}

/// What one rule says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Ruling {
    verdict: Verdict,
    disposition: Disposition,
    reason: Reason,
    /// Which of the data are missing or wrong, where that is the reason.
    finding: Option<FindingKind>,
    /// The entry of a watch list, where that is the reason.
    listed: Option<ListedParty>,
    text: String,
}

/// A listed identifier, or a name like a listed one, as the rules see it.
pub(crate) struct Listed {
    pub(crate) measure: Measure,
    pub(crate) party: ListedParty,
    pub(crate) text: String,
}

/// What the rules go by.
pub(crate) struct Grounds<'a> {
    pub(crate) payment: &'a Payment,
    pub(crate) policy: &'a Policy,
    pub(crate) model: &'a RiskModel,
    pub(crate) score: Score,
    pub(crate) evidence: &'a [Evidence],
    pub(crate) names: Vec<Listed>,
    pub(crate) identifiers: Vec<Listed>,
    pub(crate) signals: &'a [(&'static str, Digest)],
    pub(crate) frame: Option<&'a BoundByFrame>,
    /// Names like listed ones that an exception covers.
    pub(crate) excepted: Vec<String>,
}

/// What all rules together say.
pub(crate) struct Ruled {
    pub(crate) verdict: Verdict,
    pub(crate) disposition: Option<Disposition>,
    pub(crate) reasons: Vec<Reason>,
    pub(crate) outward_code: Option<String>,
    pub(crate) findings: Vec<Finding>,
}

/// Applies every rule; but for those that would give `without` as their reason, if one is named.
pub(crate) fn rule(grounds: &Grounds<'_>, without: Option<Reason>) -> Ruled {
    let scheme = Scheme::of(grounds.payment, grounds.policy.scheme);
    let refusal = Role::of(grounds.payment, grounds.policy).refusal(scheme);
    let mut rulings = Vec::new();
    let mut notes = grounds.excepted.clone();
    listed(grounds, refusal, &mut rulings);
    signalled(grounds, &mut rulings);
    own_rules(grounds, refusal, &mut rulings);
    bound(grounds, refusal, &mut rulings, &mut notes);
    data(grounds, refusal, &mut rulings, &mut notes);
    scored(grounds, &mut rulings, &mut notes);
    rulings.retain(|ruling| Some(ruling.reason) != without);
    // Most severe first; a freeze before a refusal, for frozen money must not go back.
    rulings.sort_by_key(|r| (std::cmp::Reverse(r.verdict), r.disposition != Disposition::Freeze, r.reason));
    conclude(scheme, grounds.policy, rulings, notes)
}

fn conclude(scheme: Scheme, policy: &Policy, rulings: Vec<Ruling>, notes: Vec<String>) -> Ruled {
    let first = rulings.first();
    let verdict = first.map_or(Verdict::Clear, |r| r.verdict);
    let disposition = first.map(|r| r.disposition);
    let outward_code = first.map(|r| {
        let said = codes::outward(scheme, r.disposition, r.reason, r.finding, policy.hold_reject);
        said.code().to_owned()
    });
    let mut reasons: Vec<Reason> = Vec::new();
    for ruling in &rulings {
        if !reasons.contains(&ruling.reason) {
            reasons.push(ruling.reason);
        }
    }
    let ruled =
        rulings.into_iter().map(|r| Finding { reason: Some(r.reason), listed: r.listed, text: clip(r.text) });
    let noted = notes.into_iter().map(|text| Finding { reason: None, listed: None, text: clip(text) });
    let mut findings: Vec<Finding> = ruled.chain(noted).collect();
    if findings.len() > MAX_FINDINGS {
        let more = findings.len() - MAX_FINDINGS + 1;
        findings.truncate(MAX_FINDINGS - 1);
        findings.push(Finding { reason: None, listed: None, text: format!("and {more} more") });
    }
    Ruled { verdict, disposition, reasons, outward_code, findings }
}

fn clip(text: String) -> String {
    match text.char_indices().nth(MAX_FINDING_TEXT) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

fn hold(reason: Reason, text: String) -> Ruling {
    let (verdict, disposition) = (Verdict::Investigate, Disposition::Hold);
    Ruling { verdict, disposition, reason, finding: None, listed: None, text }
}

/// Lists: a name alone is a question for a person; an identifier is what the list's measure says.
fn listed(grounds: &Grounds<'_>, refusal: Disposition, rulings: &mut Vec<Ruling>) {
    rulings.extend(grounds.names.iter().map(|name| Ruling {
        listed: Some(name.party.clone()),
        ..hold(Reason::ListedName, name.text.clone())
    }));
    for Listed { measure, party, text } in &grounds.identifiers {
        let (verdict, disposition) = match measure {
            Measure::Freeze => (Verdict::Block, Disposition::Freeze),
            Measure::Reject => (Verdict::Block, refusal),
            Measure::Review => (Verdict::Investigate, Disposition::Hold),
        };
        rulings.push(Ruling {
            verdict,
            disposition,
            reason: Reason::ListedIdentifier,
            finding: None,
            listed: Some(party.clone()),
            text: text.clone(),
        });
    }
}

/// Other banks' signals: beside the score, and never more than INVESTIGATE.
fn signalled(grounds: &Grounds<'_>, rulings: &mut Vec<Ruling>) {
    rulings.extend(grounds.signals.iter().map(|(what, signal)| {
        hold(Reason::ConsortiumSignal, format!("another member signalled the {what}: signal {signal}"))
    }));
}

/// The bank's own limits.
fn own_rules(grounds: &Grounds<'_>, refusal: Disposition, rulings: &mut Vec<Ruling>) {
    let Grounds { payment, policy, .. } = grounds;
    let mut block = |reason, text| {
        let (verdict, disposition) = (Verdict::Block, refusal);
        rulings.push(Ruling { verdict, disposition, reason, finding: None, listed: None, text });
    };
    if let (Some(limit), Some(amount)) = (policy.amount_limit, payment.settlement_amount)
        && policy.reference_cents(&amount) > policy.reference_cents(&limit)
    {
        block(Reason::AmountLimit, format!("{amount} is above the limit of {limit}"));
    }
    // What comes back from a blocked account is not paid to it.
    let returned = payment.kind == PaymentKind::Return;
    for (role, account) in payment.accounts().filter(|(role, _)| !returned || *role == PartyRole::Creditor) {
        if let Account::Iban(iban) = account
            && policy.blocked_accounts.contains(iban)
        {
            block(Reason::BlockedAccount, format!("the {role}'s account {iban} is blocked by the bank"));
        }
    }
}

/// A frame's BLOCK binds the full message, whatever else is found, and though the two differ.
fn bound(grounds: &Grounds<'_>, refusal: Disposition, rulings: &mut Vec<Ruling>, notes: &mut Vec<String>) {
    let Some(BoundByFrame { reason, differs, .. }) = grounds.frame else { return };
    rulings.push(Ruling {
        verdict: Verdict::Block,
        disposition: refusal,
        reason: Reason::FrameBlock,
        finding: None,
        listed: None,
        text: format!("the payment's frame was blocked before: {reason}"),
    });
    notes.extend(differs.iter().map(|field| format!("the frame had another {field} than the message")));
}

/// Data that is missing or cannot be right, as far as the policy minds; the rest is noted.
fn data(grounds: &Grounds<'_>, refusal: Disposition, rulings: &mut Vec<Ruling>, notes: &mut Vec<String>) {
    let Grounds { payment, policy, .. } = grounds;
    let missing = missing(payment);
    for finding in payment.findings.iter().chain(&missing) {
        let required = policy.required.contains(&finding.kind);
        let (reason, verdict) = match is_missing(finding.kind) {
            true if required => (Reason::MissingData, policy.missing_data),
            true => (Reason::MissingData, Verdict::Clear),
            false => (Reason::InvalidData, policy.invalid_data),
        };
        let text = match finding.value.as_str() {
            "" => format!("{}: {}", finding.kind, finding.path),
            value => format!("{}: {} is {value:?}", finding.kind, finding.path),
        };
        match verdict {
            Verdict::Clear => notes.push(text),
            Verdict::Investigate => rulings.push(hold(reason, text)),
            Verdict::Block => {
                let finding = Some(finding.kind);
                rulings.push(Ruling { verdict, disposition: refusal, reason, finding, listed: None, text });
            }
        }
    }
}

fn is_missing(kind: FindingKind) -> bool {
    match kind {
        FindingKind::MissingMessageId
        | FindingKind::MissingAmount
        | FindingKind::MissingDebtorName
        | FindingKind::MissingDebtorAccount
        | FindingKind::MissingDebtorAddress
        | FindingKind::MissingCreditorName
        | FindingKind::MissingCreditorAccount
        | FindingKind::MissingLeg => true,
        FindingKind::InvalidIban
        | FindingKind::InvalidBic
        | FindingKind::InvalidLei
        | FindingKind::InvalidUetr
        | FindingKind::InvalidCountry
        | FindingKind::InvalidAmount
        | FindingKind::InvalidDate
        | FindingKind::MessageTypeMismatch
        | FindingKind::TransactionCountMismatch
        | FindingKind::RepeatedElement => false,
    }
}

/// What the payment should say of its parties and does not.
fn missing(payment: &Payment) -> Vec<payment::Finding> {
    let leg = payment.instructing_agent.is_none() || payment.instructed_agent.is_none();
    let mut places = Vec::new();
    if let Some([(debtor, debtor_account), (creditor, creditor_account)]) = payment.customers() {
        let named = |party: Option<&Party>| party.is_some_and(|party| party.name.is_some());
        let placed = debtor.is_some_and(|party| party.country().is_some());
        places.extend([
            (FindingKind::MissingDebtorName, "Dbtr/Nm", !named(debtor)),
            (FindingKind::MissingDebtorAccount, "DbtrAcct", debtor_account.is_none()),
            (FindingKind::MissingDebtorAddress, "Dbtr/PstlAdr/Ctry", !placed),
            (FindingKind::MissingCreditorName, "Cdtr/Nm", !named(creditor)),
            (FindingKind::MissingCreditorAccount, "CdtrAcct", creditor_account.is_none()),
        ]);
    } else {
        // Institutions, and whoever sends back, may go by a code.
        places.extend([
            (FindingKind::MissingDebtorName, "Dbtr", !identified(&payment.debtor)),
            (FindingKind::MissingCreditorName, "Cdtr", !identified(&payment.creditor)),
        ]);
    }
    places.push((FindingKind::MissingLeg, "InstgAgt, InstdAgt", leg));
    let missing = places.into_iter().filter(|(_, _, missing)| *missing);
    missing
        .map(|(kind, path, _)| payment::Finding { kind, path: path.to_owned(), value: String::new() })
        .collect()
}

fn identified(party: &Party) -> bool {
    party.name.is_some() || party.bic.is_some() || party.lei.is_some() || !party.other_ids.is_empty()
}

/// The score: what it is made of is noted, and it holds from the model's threshold on.
fn scored(grounds: &Grounds<'_>, rulings: &mut Vec<Ruling>, notes: &mut Vec<String>) {
    let weights = &grounds.model.model.weights;
    for evidence in grounds.evidence {
        let points = i64::from(weights[evidence.factor.slot()]) * i64::from(evidence.value);
        let Evidence { factor, value, text } = evidence;
        notes.push(FactorNote { factor: *factor, value: *value, points, text }.to_string());
    }
    let (score, threshold) = (grounds.score, grounds.model.hold_threshold);
    if score >= threshold {
        rulings.push(hold(Reason::Score, format!("score {} reaches the threshold {}", score.0, threshold.0)));
    }
}

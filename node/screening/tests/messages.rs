//! Covers, returns and status reports: what is read of them, and what hostile ones come to.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on panics")]

mod samples;

use hansa_screening::message::{MAX_HEADER, MAX_TRANSACTIONS, Message, MessageError, parse, read};
use hansa_screening::watchlist::{Measure, table};
use hansa_screening::{History, Known, Policy, RiskModel, Role, Screener};
use hansa_types::codec::{Decode, Encode};
use hansa_types::date::Date;
use hansa_types::decision::Verdict;
use hansa_types::id::Timestamp;
use hansa_types::payment::{FindingKind, PartyRole, Payment, PaymentKind};
use proptest::prelude::*;
use samples::{COVER, RETURN, customer_transfer, customer_transfers};

fn one(text: &str) -> Payment {
    let mut payments = parse(text.as_bytes()).unwrap();
    assert_eq!(payments.len(), 1);
    payments.remove(0)
}

fn names(payment: &Payment) -> Vec<(PartyRole, &str)> {
    let parties = payment.parties().flat_map(|(role, party)| party.names().map(move |name| (role, name)));
    let agents = payment.agents().flat_map(|(role, agent)| agent.names().map(move |name| (role, name)));
    parties.chain(agents).collect()
}

#[test]
fn a_cover_names_the_institutions_and_the_customers_beneath() {
    let payment = one(COVER);
    assert_eq!((payment.kind, payment.message_type.as_str()), (PaymentKind::Cover, "pacs.009.001.08"));
    assert_eq!(payment.findings, []);
    let expected = [
        (PartyRole::Debtor, "First Bank"),
        (PartyRole::UnderlyingDebtor, "A Debtor"),
        (PartyRole::UnderlyingDebtor, "Contact of A"),
        (PartyRole::UnderlyingDebtor, "Account of A"),
        (PartyRole::UnderlyingCreditor, "B Creditor Co"),
        (PartyRole::UnderlyingUltimateDebtor, "On behalf of"),
        (PartyRole::UnderlyingUltimateCreditor, "In the end"),
        (PartyRole::UnderlyingInitiatingParty, "Starter"),
        (PartyRole::IntermediaryAgent, "Between"),
        (PartyRole::IntermediaryAgent, "Branch"),
        (PartyRole::PreviousInstructingAgent, "Previous account"),
    ];
    assert_eq!(names(&payment), expected);
    let accounts: Vec<_> = payment.accounts().map(|(role, a)| (role, a.to_string())).collect();
    let account = |role, id: &str| (role, id.to_owned());
    let expected = [
        account(PartyRole::AgentAccount, "GB29NWBK60161331926819"),
        account(PartyRole::AgentAccount, "CLYDGB2S:PREV"),
        account(PartyRole::UnderlyingDebtor, "DE89370400440532013000"),
        account(PartyRole::UnderlyingCreditor, "EMAL:B@CREDITOR.EXAMPLE"),
        account(PartyRole::AgentAccount, "CLYDGB2S:NOSTRO"),
    ];
    assert_eq!(accounts, expected);
    assert_eq!(payment.debtor.other_ids[0].id, "400515");
    assert_eq!(payment.creditor.bic.unwrap().to_string(), "CAIXESBB");
    assert_eq!(payment.agents().filter(|(role, _)| *role == PartyRole::UnderlyingAgent).count(), 3);
    let transfer = &payment.underlying[0];
    assert_eq!((&transfer.remittance[0][..], &transfer.instructions[0][..]), ("Invoicer", "call first"));
    assert_eq!(transfer.instructed_amount.unwrap().to_string(), "65790 EUR");
    assert_eq!(payment.instructions, ["/BNF/hurry"]);
}

#[test]
fn without_customers_beneath_it_is_a_transfer_between_institutions() {
    let (before, rest) = COVER.split_once("<UndrlygCstmrCdtTrf>").unwrap();
    let (_, after) = rest.split_once("</UndrlygCstmrCdtTrf>").unwrap();
    let core = one(&format!("{before}{after}"));
    assert_eq!((core.kind, core.underlying.len()), (PaymentKind::Institution, 0));
    // The same values as another kind of transfer are another payment.
    let other = Payment { kind: PaymentKind::Customer, ..core.clone() };
    assert_ne!(core.content_hash(), other.content_hash());
}

#[test]
fn a_return_names_its_chain_and_everybody_in_the_original() {
    let payment = one(RETURN);
    assert_eq!((payment.kind, payment.message_type.as_str()), (PaymentKind::Return, "pacs.004.001.10"));
    assert_eq!(payment.findings, []);
    let expected = [
        (PartyRole::Debtor, "Returner"),
        (PartyRole::UnderlyingDebtor, "Original debtor"),
        (PartyRole::UnderlyingDebtor, "Beneath"),
        (PartyRole::UnderlyingCreditor, "Below"),
        (PartyRole::ReturnOriginator, "Who refused"),
    ];
    assert_eq!(names(&payment), expected);
    assert_eq!(payment.creditor.bic.unwrap().to_string(), "CLYDGB2S");
    assert_eq!(payment.settlement_amount.unwrap().to_string(), "65780 EUR");
    assert_eq!(payment.transaction_id.as_deref(), Some("R-1"));
    assert_eq!(payment.uetr.unwrap().to_string(), "7a562c67-ca16-48ba-b074-65581be6f001");
    assert_eq!(payment.charges_agents.len(), 1);
    assert_eq!(payment.service_levels, ["SEPA"]);
    let [original, beneath] = &payment.underlying[..] else { panic!("{:?}", payment.underlying) };
    assert_eq!(original.references.message_id.as_deref(), Some("COV-1"));
    assert_eq!(original.references.transaction_id.as_deref(), Some("TX-1"));
    assert_eq!(original.settlement_amount.unwrap().to_string(), "65784.32 EUR");
    assert_eq!((original.remittance.len(), beneath.remittance.len()), (1, 0));
    let reason = &payment.return_reasons[0];
    assert_eq!((reason.code.as_deref(), &reason.text[..]), (Some("AC04"), &["closed in May".to_owned()][..]));
}

#[test]
fn a_return_without_chain_goes_back_through_the_original() {
    let (before, rest) = RETURN.split_once("<r:RtrChain>").unwrap();
    let (_, after) = rest.split_once("</r:RtrChain>").unwrap();
    let payment = one(&format!("{before}{after}"));
    assert_eq!(payment.creditor.name.as_deref(), Some("Original debtor"));
    assert_eq!(payment.creditor_account.unwrap().to_string(), "DE89370400440532013000");
    assert_eq!(payment.debtor.bic.unwrap().to_string(), "CAIXESBB");
}

#[test]
fn whoever_hides_beneath_is_found() {
    let list =
        b"id,kind,programmes,name,aliases,weak_aliases,birth_dates,countries,bics,leis,ibans,other_ids\n\
        1,person,,Beneath Orlov,,,,,,,,\n2,organisation,,Bank Below,,,,,,,DE89370400440532013000,\n";
    let list = table::load("test", Date::new(2026, 11, 1).unwrap(), Measure::Freeze, list).unwrap();
    let screener = Screener::new(Policy::default(), vec![list], RiskModel::default_model()).unwrap();
    let verdict = |payment: &Payment| {
        let decision =
            screener.assess(payment, &History::default(), Known::default(), Timestamp(1_795_190_400));
        decision.decision.verdict
    };
    assert_eq!(verdict(&one(COVER)), Verdict::Block, "the underlying debtor's account is listed");
    let named = RETURN.replace("<r:Nm>Beneath<", "<r:Nm>Beneath Orlov<").replace("DE893704", "DE003704");
    assert_eq!(verdict(&one(&named)), Verdict::Investigate);
}

#[test]
fn an_institution_that_pays_or_is_paid_has_its_agents_role() {
    let role = |text: &str, bic: &str| {
        let policy = Policy { bics: vec![bic.try_into().unwrap()], ..Policy::default() };
        Role::of(&one(text), &policy)
    };
    assert_eq!(role(COVER, "CAIXESBB"), Role::CreditorAgent);
    assert_eq!(role(COVER, "BNPAFRPP"), Role::Intermediary);
    // The customers' banks beneath the cover are not those that move its money.
    assert_eq!(role(COVER, "CLYDGB2S"), Role::Intermediary);
    assert_eq!(role(RETURN, "CLYDGB2S"), Role::CreditorAgent);
}

#[test]
fn three_transactions_are_three_payments() {
    let transactions: Vec<_> = (1..=3).map(customer_transfer).collect();
    let payments = parse(customer_transfers(&transactions).as_bytes()).unwrap();
    let keys: std::collections::BTreeSet<_> = payments.iter().map(|p| p.key().to_string()).collect();
    assert_eq!((payments.len(), keys.len()), (3, 3));
    assert_eq!(payments[2].debtor.name.as_deref(), Some("Payer 3"));
    assert!(
        payments.iter().zip(0..).all(|(payment, at)| payment.position == at && payment.findings.is_empty())
    );
}

#[test]
fn wrong_values_are_findings_in_every_kind() {
    let cases = [
        (COVER, "DE89370400440532013000", "DE89370400440532013001", FindingKind::InvalidIban),
        (COVER, "5493000IBP32UQZ0KL24", "5493000IBP32UQZ0KL25", FindingKind::InvalidLei),
        (COVER, "AGRIFRPP", "nowhere", FindingKind::InvalidBic),
        (COVER, "7a562c67-ca16-4", "7a562c67-ca16-1", FindingKind::InvalidUetr),
        (RETURN, "7a562c67-ca16-4", "7a562c67-ca16-1", FindingKind::InvalidUetr),
        (RETURN, "GB29NWBK60161331926819", "GB29NWBK60161331926818", FindingKind::InvalidIban),
        (RETURN, "65780.00", "65780,00", FindingKind::InvalidAmount),
        (RETURN, "2026-11-21</r:IntrBk", "2026-11-31</r:IntrBk", FindingKind::InvalidDate),
    ];
    for (message, right, wrong, kind) in cases {
        let kinds: Vec<_> = one(&message.replace(right, wrong)).findings.iter().map(|f| f.kind).collect();
        assert_eq!(kinds, [kind], "{wrong}");
    }
}

#[test]
fn a_status_report_says_of_what_and_why_and_holds_no_payment() {
    let text = "<D><Document xmlns=\"urn:iso:std:iso:20022:tech:xsd:pacs.002.001.12\"><FIToFIPmtStsRpt><GrpHdr>\
         <MsgId>S-1</MsgId><CreDtTm>2026-11-20T10:00:01Z</CreDtTm></GrpHdr><OrgnlGrpInfAndSts>\
         <OrgnlMsgId>M1</OrgnlMsgId><OrgnlMsgNmId>pacs.008.001.08</OrgnlMsgNmId><GrpSts>PART</GrpSts>\
         </OrgnlGrpInfAndSts><TxInfAndSts><StsId>1</StsId><OrgnlEndToEndId>E1</OrgnlEndToEndId>\
         <OrgnlUETR>wrong</OrgnlUETR><TxSts>RJCT</TxSts><StsRsnInf><Rsn><Cd>AC06</Cd></Rsn></StsRsnInf>\
         </TxInfAndSts></FIToFIPmtStsRpt></Document></D>";
    let Message::Status(report) = read(text.as_bytes()).unwrap() else { panic!("no status report") };
    assert_eq!((report.message_id.as_str(), report.messages[0].status.as_deref()), ("S-1", Some("PART")));
    let status = &report.transactions[0];
    assert_eq!(status.references.message_id.as_deref(), Some("M1"));
    assert_eq!((status.status.as_deref(), status.reasons[0].code.as_deref()), (Some("RJCT"), Some("AC06")));
    assert_eq!(report.findings[0].kind, FindingKind::InvalidUetr);
    let refused = MessageError::UnsupportedMessage { found: "pacs.002.001.12".to_owned() };
    assert_eq!(parse(text.as_bytes()), Err(refused));
    // Out of order, the status of the whole message would be lost.
    let (head, rest) = text.split_once("<GrpHdr>").unwrap();
    let (header, rest) = rest.split_once("</GrpHdr>").unwrap();
    let (cited, rest) = rest.split_once("<TxInfAndSts>").unwrap();
    let late = format!("{head}{cited}<GrpHdr>{header}</GrpHdr><TxInfAndSts>{rest}");
    let error = read(late.as_bytes()).unwrap_err().to_string();
    assert!(error.contains("what cites another message before the group header"), "{error}");
}

#[test]
fn a_cut_message_is_refused_wherever_it_is_cut() {
    for text in [COVER, RETURN] {
        for end in (0..text.len()).filter(|end| text.is_char_boundary(*end)) {
            assert!(read(&text.as_bytes()[..end]).is_err(), "cut at {end}");
        }
    }
}

#[test]
fn two_readers_would_not_read_two_payments() {
    let refused = |text: String| {
        let error = parse(text.as_bytes()).unwrap_err();
        assert!(matches!(error, MessageError::Duplicate { .. }), "{error}");
    };
    refused(RETURN.replace("<r:Pty><r:Nm>Returner</r:Nm></r:Pty>", "<r:Pty/><r:Agt/>"));
    refused(RETURN.replace("</r:OrgnlGrpInf>", "</r:OrgnlGrpInf><r:OrgnlGrpInf/>"));
    refused(COVER.replace("<UndrlygCstmrCdtTrf>", "<UndrlygCstmrCdtTrf/><UndrlygCstmrCdtTrf>"));
    refused(COVER.replace("<CdtTrfTxInf>", "<GrpHdr/><CdtTrfTxInf>"));
    let unsupported = |text: String| {
        let error = parse(text.as_bytes()).unwrap_err();
        assert!(matches!(error, MessageError::UnsupportedMessage { .. }), "{error}");
    };
    // The element of one message in the namespace of another, and a version that is not read.
    unsupported(COVER.replace("xsd:pacs.009", "xsd:pacs.008"));
    unsupported(RETURN.replace("pacs.004.001.10", "pacs.004.001.99"));
    // Parties of another namespace are no part of the message.
    let foreign = "<x:UltmtDbtr xmlns:x=\"urn:x\"><x:Nm>Nobody</x:Nm></x:UltmtDbtr><RmtInf>";
    assert_eq!(one(&COVER.replacen("<RmtInf>", foreign, 1)), one(COVER));
}

#[test]
fn bombs_and_floods_are_refused() {
    let bomb = format!("<!DOCTYPE a [<!ENTITY e \"ha\"><!ENTITY f \"&e;&e;\">]>{COVER}");
    assert!(matches!(parse(bomb.as_bytes()), Err(MessageError::Forbidden { .. })));
    let deep = COVER.replace("call first", &"<a>".repeat(100));
    assert!(matches!(parse(deep.as_bytes()), Err(MessageError::Limit { .. })));
    let many = customer_transfers(&vec!["<CdtTrfTxInf/>".to_owned(); MAX_TRANSACTIONS + 1]);
    let limit = |text: &str| match parse(text.as_bytes()) {
        Err(MessageError::Limit { limit, .. }) => limit,
        other => panic!("{other:?}"),
    };
    assert_eq!(limit(&many), MAX_TRANSACTIONS);
    let padding = format!("<x>{}</x>", "y".repeat(10_000)).repeat(4);
    assert_eq!(limit(&COVER.replace("<SttlmInf>", &format!("{padding}<SttlmInf>"))), MAX_HEADER);
    let padding = format!("{}</r:OrgnlGrpInf>", "<r:a>bbbbbbbbbb</r:a>".repeat(2_000));
    assert_eq!(limit(&RETURN.replace("</r:OrgnlGrpInf>", &padding)), MAX_HEADER);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// Whatever is still read of a spoilt message has one encoding and is screened without a panic.
    #[test]
    fn what_is_read_of_a_spoilt_message_encodes_and_decodes_to_itself(
        returned in any::<bool>(),
        cuts in prop::collection::vec(
            (any::<prop::sample::Index>(), 0_usize..30, "[<>/&;a-zA-Z0-9:\"'! \\[\\]\\-]{0,10}"), 0..4),
    ) {
        let mut text: Vec<char> = if returned { RETURN } else { COVER }.chars().collect();
        for (at, length, insert) in cuts {
            let at = at.index(text.len() + 1);
            let end = (at + length).min(text.len());
            text.splice(at..end, insert.chars());
        }
        let text: String = text.into_iter().collect();
        for payment in parse(text.as_bytes()).unwrap_or_default() {
            prop_assert_eq!(Payment::from_bytes(&payment.to_bytes()), Ok(payment));
        }
    }
}

//! What messages may look like, and what they may not.

use hansa_types::payment::{Account, FindingKind, Payment};
use proptest::prelude::*;

use super::*;

const NAMESPACE: &str = "urn:iso:std:iso:20022:tech:xsd:pacs.008.001.08";

const TRANSACTION: &str = r#"<CdtTrfTxInf>
  <PmtId><EndToEndId>E1</EndToEndId><TxId>T1</TxId><UETR>174c245f-2682-4291-ad67-2a41e530cd27</UETR></PmtId>
  <IntrBkSttlmAmt Ccy="EUR">9500.00</IntrBkSttlmAmt><IntrBkSttlmDt>2026-11-20</IntrBkSttlmDt>
  <ChrgBr>SHAR</ChrgBr>
  <InstgAgt><FinInstnId><BICFI>DEUTDEFF</BICFI></FinInstnId></InstgAgt>
  <InstdAgt><FinInstnId><BICFI>BNPAFRPP</BICFI></FinInstnId></InstdAgt>
  <Dbtr><Nm>Anna &amp; Söhne</Nm><PstlAdr><StrtNm>Weg</StrtNm><TwnNm>Bonn</TwnNm><Ctry>DE</Ctry></PstlAdr></Dbtr>
  <DbtrAcct><Id><IBAN>DE89370400440532013000</IBAN></Id></DbtrAcct>
  <DbtrAgt><FinInstnId><BICFI>DEUTDEFF</BICFI></FinInstnId></DbtrAgt>
  <CdtrAgt><FinInstnId><BICFI>BNPAFRPP</BICFI></FinInstnId></CdtrAgt>
  <Cdtr><Nm>Jean</Nm><Id><PrvtId><DtAndPlcOfBirth><BirthDt>1970-01-31</BirthDt></DtAndPlcOfBirth></PrvtId></Id></Cdtr>
  <CdtrAcct><Id><Othr><Id>12 34a</Id></Othr></Id></CdtrAcct>
  <RmtInf><Ustrd>invoice 1</Ustrd><Ustrd>invoice 2</Ustrd></RmtInf>
</CdtTrfTxInf>"#;

fn message(transactions: &str, count: usize) -> String {
    format!(
        "<Document xmlns=\"{NAMESPACE}\"><FIToFICstmrCdtTrf><GrpHdr><MsgId>M1</MsgId>\
         <CreDtTm>2026-11-20T10:00:00</CreDtTm><NbOfTxs>{count}</NbOfTxs></GrpHdr>{transactions}\
         </FIToFICstmrCdtTrf></Document>"
    )
}

fn read(text: &str) -> Result<Vec<Payment>, MessageError> {
    parse(text.as_bytes())
}

fn plain() -> Payment {
    read(&message(TRANSACTION, 1)).unwrap().remove(0)
}

#[test]
fn fields_are_read() {
    let payment = plain();
    assert_eq!(payment.message_type, "pacs.008.001.08");
    assert_eq!(payment.debtor.name.as_deref(), Some("Anna & Söhne"));
    assert_eq!(payment.debtor.address.lines, ["Weg"]);
    assert_eq!(payment.creditor.birth.as_ref().unwrap().date.unwrap().to_string(), "1970-01-31");
    assert_eq!(payment.settlement_amount.unwrap().to_string(), "9500 EUR");
    assert_eq!(payment.remittance, ["invoice 1", "invoice 2"]);
    let account = Account::Other { scheme: "BNPAFRPP".to_owned(), id: "1234A".to_owned() };
    assert_eq!(payment.creditor_account, Some(account));
    assert_eq!(payment.findings, []);
}

#[test]
fn wrappers_prefixes_and_embedding_change_nothing() {
    let bare = message(TRANSACTION, 1);
    let declared = format!("\u{feff}<?xml version=\"1.0\" encoding=\"UTF-8\"?><!-- note -->{bare}");
    let wrapped = format!("<foo xmlns=\"urn:x\"><bar>text</bar>{bare}</foo>");
    let prefix = |text: &str| text.replace("</", "</p:").replace('<', "<p:").replace("<p:/p:", "</p:");
    let prefixed = prefix(&bare).replace("xmlns=", "xmlns:p=");
    let embedded = format!("<Envelope><Data><![CDATA[{bare}]]></Data></Envelope>");
    let escaped =
        format!("<Envelope><Data>{}</Data></Envelope>", bare.replace('&', "&amp;").replace('<', "&lt;"));
    for text in [declared, wrapped, prefixed, embedded, escaped] {
        assert_eq!(read(&text).unwrap_or_else(|e| panic!("{e}: {text}")), [plain()]);
    }
}

#[test]
fn the_header_names_definition_and_service() {
    let header = "<AppHdr xmlns=\"urn:h\"><MsgDefIdr>pacs.008.001.09</MsgDefIdr><BizSvc>swift.cbprplus.03</BizSvc>\
                  <Rltd><MsgDefIdr>pacs.002.001.10</MsgDefIdr></Rltd></AppHdr>";
    let payment = read(&format!("<E>{header}{}</E>", message(TRANSACTION, 1))).unwrap().remove(0);
    assert_eq!(payment.message_type, "pacs.008.001.09");
    assert_eq!(payment.business_service.as_deref(), Some("swift.cbprplus.03"));
    assert_eq!(payment.findings[0].kind, FindingKind::MessageTypeMismatch);
}

#[test]
fn several_transactions_are_several_payments() {
    let other =
        TRANSACTION.replace("T1", "T2").replace("<UETR>174c245f-2682-4291-ad67-2a41e530cd27</UETR>", "");
    let payments = read(&message(&format!("{TRANSACTION}{other}"), 2)).unwrap();
    assert_eq!(payments.len(), 2);
    assert_eq!(payments[1].key().to_string(), "DEUTDEFFXXX/M1/T2");
    let miscounted = read(&message(TRANSACTION, 3)).unwrap();
    assert_eq!(miscounted[0].findings[0].kind, FindingKind::TransactionCountMismatch);
}

#[test]
fn wrong_values_are_findings_and_the_payment_stays() {
    let cases = [
        ("DE89370400440532013000", "DE89370400440532013001", FindingKind::InvalidIban),
        (
            "<BICFI>DEUTDEFF</BICFI></FinInstnId></DbtrAgt>",
            "<BICFI>x</BICFI></FinInstnId></DbtrAgt>",
            FindingKind::InvalidBic,
        ),
        ("174c245f-2682-4291-", "174C245F-2682-4291-", FindingKind::InvalidUetr),
        ("<Ctry>DE</Ctry>", "<Ctry>Germany</Ctry>", FindingKind::InvalidCountry),
        ("9500.00", "-9500.00", FindingKind::InvalidAmount),
        ("Ccy=\"EUR\"", "", FindingKind::InvalidAmount),
        ("2026-11-20</IntrBk", "2026-11-31</IntrBk", FindingKind::InvalidDate),
    ];
    for (right, wrong, kind) in cases {
        let payments = read(&message(&TRANSACTION.replace(right, wrong), 1)).unwrap();
        let kinds: Vec<_> = payments[0].findings.iter().map(|f| f.kind).collect();
        assert_eq!(kinds, [kind], "{wrong}");
    }
}

#[test]
fn an_element_twice_is_noted_if_equal_and_refused_if_not() {
    let agent = "<CdtrAgt><FinInstnId><BICFI>BNPAFRPP</BICFI></FinInstnId></CdtrAgt>";
    let twice = |second: &str| message(&TRANSACTION.replace(agent, &format!("{agent}{second}")), 1);
    let payment = read(&twice(agent)).unwrap().remove(0);
    assert_eq!(payment.findings[0].kind, FindingKind::RepeatedElement);
    let other = agent.replace("BNPAFRPP", "AGRIFRPP");
    assert!(matches!(read(&twice(&other)), Err(MessageError::Duplicate { line: 10.., .. })));
}

#[test]
fn elements_of_other_namespaces_are_no_part_of_the_message() {
    let foreign = "<x:Dbtr xmlns:x=\"urn:x\"><x:Nm>Other</x:Nm></x:Dbtr>";
    let text = TRANSACTION.replace("<ChrgBr>", &format!("{foreign}<ChrgBr>"));
    assert_eq!(read(&message(&text, 1)).unwrap(), [plain()]);
}

#[test]
fn other_messages_are_named() {
    let other = |found: &str, from: &str, to: &str| {
        let error = read(&message(TRANSACTION, 1).replace(from, to)).unwrap_err();
        assert_eq!(error, MessageError::UnsupportedMessage { found: found.to_owned() });
    };
    other("pacs.002.001.10", "pacs.008.001.08", "pacs.002.001.10");
    other("pacs.008.001.06", "pacs.008.001.08", "pacs.008.001.06");
    other("pacs.008.001.14", "pacs.008.001.08", "pacs.008.001.14");
    for version in ["07", "13"] {
        let text = message(TRANSACTION, 1).replace("pacs.008.001.08", &format!("pacs.008.001.{version}"));
        assert_eq!(read(&text).unwrap().len(), 1);
    }
    assert_eq!(read("<a><b/></a>"), Err(MessageError::NoDocument));
    assert_eq!(read(""), Err(MessageError::NoDocument));
    assert_eq!(read(&message("", 0)), Err(MessageError::NoTransaction));
    let two = format!("<a>{0}{0}</a>", message(TRANSACTION, 1));
    assert!(matches!(read(&two), Err(MessageError::SeveralDocuments { .. })));
}

#[test]
fn attacks_are_refused() {
    let bare = message(TRANSACTION, 1);
    let doctype = format!("<!DOCTYPE a [<!ENTITY e SYSTEM \"file:///etc/passwd\">]>{bare}");
    assert!(matches!(read(&doctype), Err(MessageError::Forbidden { line: 1, .. })));
    let entity = bare.replace("Jean", "&e;");
    assert!(matches!(read(&entity), Err(MessageError::Forbidden { .. })));
    let latin = format!("<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?>{bare}");
    assert_eq!(read(&latin), Err(MessageError::Encoding("ISO-8859-1".to_owned())));
    assert!(matches!(parse(b"<a>\xff</a>"), Err(MessageError::Encoding(_))));
    let deep = "<a>".repeat(MAX_DEPTH + 1);
    assert!(matches!(read(&deep), Err(MessageError::Limit { limit: MAX_DEPTH, .. })));
    let long = bare.replace("Jean", &"x".repeat(MAX_TEXT + 1));
    assert!(matches!(read(&long), Err(MessageError::Limit { limit: MAX_TEXT, .. })));
    let many = format!("<r>{}</r>", "<a/>".repeat(MAX_ELEMENTS));
    assert!(matches!(read(&many), Err(MessageError::Limit { limit: MAX_ELEMENTS, .. })));
    assert!(matches!(parse(&vec![b' '; MAX_MESSAGE + 1]), Err(MessageError::TooLarge { .. })));
}

#[test]
fn broken_xml_is_refused_with_its_place() {
    let bare = message(TRANSACTION, 1);
    let broken = [
        bare[..bare.len() - 5].to_owned(),
        bare.replace("</Cdtr>", "</Dbtr>"),
        bare.replace("<Cdtr>", "<y:Cdtr>").replace("</Cdtr>", "</y:Cdtr>"),
        bare.replace("Jean", "\u{1}"),
        bare.replace("Jean", "&#0;"),
        format!("{bare}<again/>"),
        format!("{bare} text"),
    ];
    for text in broken {
        assert!(matches!(read(&text), Err(MessageError::Syntax { line: 1.., .. })), "{text}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = parse(&bytes);
    }

    #[test]
    fn no_mutation_of_a_message_panics(
        cuts in prop::collection::vec((any::<prop::sample::Index>(), 0_usize..40, "[<>/&;a-zA-Z:\"'! \\[\\]\\-]{0,12}"), 1..6),
    ) {
        let mut text: Vec<char> = message(TRANSACTION, 1).chars().collect();
        for (at, length, insert) in cuts {
            let at = at.index(text.len() + 1);
            let end = (at + length).min(text.len());
            text.splice(at..end, insert.chars());
        }
        let text: String = text.into_iter().collect();
        if let Ok(payments) = read(&text) {
            for payment in payments {
                let bytes = hansa_types::codec::Encode::to_bytes(&payment);
                let decoded = <Payment as hansa_types::codec::Decode>::from_bytes(&bytes);
                prop_assert_eq!(decoded, Ok(payment));
            }
        }
    }
}

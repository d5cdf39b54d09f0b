//! pacs.008 messages, as a bank's gateway would send them.

use hansa_types::uetr::Uetr;

/// Somebody with an account.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Holder {
    pub(crate) name: &'static str,
    pub(crate) iban: &'static str,
    pub(crate) country: &'static str,
}

/// A customer of bank A.
pub(crate) const VICTIM: Holder =
    Holder { name: "Annabel Quillfeather", iban: "DE83999000010000001001", country: "DE" };
/// A customer of bank B.
pub(crate) const MULE: Holder =
    Holder { name: "Corvin Ashgrove", iban: "FR6699999000010000000042X77", country: "FR" };
/// Another customer of bank B.
pub(crate) const OTHER: Holder =
    Holder { name: "Tilda Marshwell", iban: "FR3499999000010000000057X33", country: "FR" };
/// A customer of bank C.
pub(crate) const EXIT: Holder =
    Holder { name: "Odalys van Voorbeeld", iban: "NL37CEDR0000005001", country: "NL" };
/// Whose name is on the samples' list.
pub(crate) const LISTED: Holder = Holder { name: "Ostrik Belanthor Quendravar", ..OTHER };

/// The BICs of the banks.
pub(crate) const ALDER: &str = "ALDRDEF0XXX";
pub(crate) const BIRCH: &str = "BRCHFRP0XXX";
pub(crate) const CEDAR: &str = "CEDRNLA0XXX";

/// An amount that scores at or above the lowest severity and is not held: just below the reporting threshold.
pub(crate) const SUSPICIOUS: &str = "9600.00";
/// An amount that scores below the lowest severity.
pub(crate) const HARMLESS: &str = "75.20";

/// One credit transfer on one leg.
#[derive(Clone, Debug)]
pub(crate) struct Transfer {
    pub(crate) uetr: Option<Uetr>,
    pub(crate) amount: String,
    pub(crate) debtor: Holder,
    pub(crate) creditor: Holder,
    pub(crate) instructing: &'static str,
    pub(crate) instructed: &'static str,
    pub(crate) remittance: String,
}

/// A UETR, another for each number: of the form of a UUID of version 4 (RFC 9562, section 5.4).
pub(crate) fn uetr(number: u64) -> Uetr {
    Uetr::try_from(format!("e2e00000-0000-4000-8000-{number:012x}").as_str()).unwrap()
}

/// From bank A's customer to a customer of bank B, over the leg between the two.
pub(crate) fn to_b(number: u64, amount: &str, creditor: Holder) -> Transfer {
    Transfer {
        uetr: Some(uetr(number)),
        amount: amount.to_owned(),
        debtor: VICTIM,
        creditor,
        instructing: ALDER,
        instructed: BIRCH,
        remittance: "Savings".to_owned(),
    }
}

/// From a customer of bank B to bank C's, over the leg between the two.
pub(crate) fn to_c(number: u64, amount: &str, debtor: Holder) -> Transfer {
    Transfer { debtor, creditor: EXIT, instructing: BIRCH, instructed: CEDAR, ..to_b(number, amount, EXIT) }
}

/// The `number`th account that the samples' listed person has: each a subject of its own.
pub(crate) fn listed(number: u64) -> Holder {
    let account = format!("{:018}", 990_000_000_000 + number);
    // ISO 7064: the account, then DE as 13 and 14, and what makes it 1 modulo 97.
    let digits = format!("{account}131400");
    let rest = digits.bytes().fold(0, |rest, digit| (rest * 10 + u64::from(digit - b'0')) % 97);
    let iban: &'static str = Box::leak(format!("DE{:02}{account}", 98 - rest).into_boxed_str());
    Holder { iban, country: "DE", ..LISTED }
}

impl Transfer {
    /// The message with this transfer alone.
    pub(crate) fn message(&self) -> String {
        message(std::slice::from_ref(self))
    }

    fn transaction(&self) -> String {
        let Self { amount, debtor, creditor, instructing, instructed, remittance, .. } = self;
        // What a bank's own references follow from: the same payment is the same wherever it stands.
        let number = self.uetr.map_or(String::new(), |uetr| uetr.to_string()[24..].to_owned());
        let uetr = self.uetr.map_or(String::new(), |uetr| format!("<UETR>{uetr}</UETR>"));
        let agent = |bic: &str| format!("<FinInstnId><BICFI>{bic}</BICFI></FinInstnId>");
        let party = |Holder { name, country, .. }: &Holder| {
            format!("<Nm>{name}</Nm><PstlAdr><TwnNm>Musterstadt</TwnNm><Ctry>{country}</Ctry></PstlAdr>")
        };
        let account = |holder: &Holder| format!("<Id><IBAN>{}</IBAN></Id>", holder.iban);
        let (from, to) = (agent(instructing), agent(instructed));
        format!(
            "<CdtTrfTxInf>\
             <PmtId><InstrId>I-{number}</InstrId><EndToEndId>E-{number}</EndToEndId><TxId>T-{number}</TxId>{uetr}</PmtId>\
             <IntrBkSttlmAmt Ccy=\"EUR\">{amount}</IntrBkSttlmAmt><IntrBkSttlmDt>2026-11-20</IntrBkSttlmDt>\
             <ChrgBr>SLEV</ChrgBr><InstgAgt>{from}</InstgAgt><InstdAgt>{to}</InstdAgt>\
             <Dbtr>{}</Dbtr><DbtrAcct>{}</DbtrAcct><DbtrAgt>{from}</DbtrAgt>\
             <CdtrAgt>{to}</CdtrAgt><Cdtr>{}</Cdtr><CdtrAcct>{}</CdtrAcct>\
             <RmtInf><Ustrd>{remittance}</Ustrd></RmtInf></CdtTrfTxInf>",
            party(debtor),
            account(debtor),
            party(creditor),
            account(creditor),
        )
    }
}

/// One pacs.008.001.08 with all of `transfers`.
pub(crate) fn message(transfers: &[Transfer]) -> String {
    let transactions: String = transfers.iter().map(Transfer::transaction).collect();
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\
         <Document xmlns=\"urn:iso:std:iso:20022:tech:xsd:pacs.008.001.08\"><FIToFICstmrCdtTrf>\
         <GrpHdr><MsgId>M-1</MsgId><CreDtTm>2026-11-20T09:15:00+00:00</CreDtTm><NbOfTxs>{}</NbOfTxs>\
         <SttlmInf><SttlmMtd>CLRG</SttlmMtd></SttlmInf></GrpHdr>{transactions}</FIToFICstmrCdtTrf></Document>",
        transfers.len()
    )
}

//! The payments of the story, as the banks' gateways would send them.

use rand::RngCore;

use crate::consortium::Bank;

/// Somebody with an account.
#[derive(Clone, Copy, Debug)]
pub(super) struct Holder {
    /// The name.
    pub(super) name: &'static str,
    /// The account.
    pub(super) iban: &'static str,
    /// The country of the address.
    pub(super) country: &'static str,
}

/// The customer of bank A who was deceived.
pub(super) const VICTIM: Holder =
    Holder { name: "Annabel Quillfeather", iban: "DE83999000010000001001", country: "DE" };
/// Whose account at bank B passes the money on.
pub(super) const MULE: Holder =
    Holder { name: "Corvin Ashgrove", iban: "FR6699999000010000000042X77", country: "FR" };
/// Another customer of bank B with the same name.
pub(super) const NAMESAKE: Holder =
    Holder { name: "Corvin Ashgrove", iban: "FR2599999000010000000099X11", country: "FR" };
/// A customer of bank B who is suspected by mistake.
pub(super) const MISTAKEN: Holder =
    Holder { name: "Tilda Marshwell", iban: "FR3499999000010000000057X33", country: "FR" };
/// Where the money ends, at bank C.
pub(super) const EXIT: Holder =
    Holder { name: "Odalys van Voorbeeld", iban: "NL37CEDR0000005001", country: "NL" };

/// The customer file of each bank.
pub fn customers() -> [&'static str; 3] {
    [
        "account,name,birth_date,country\nDE83999000010000001001,Annabel Quillfeather,1957-02-11,DE\n",
        "account,name,birth_date,country\n\
         FR6699999000010000000042X77,Corvin Ashgrove,1996-08-30,FR\n\
         FR2599999000010000000099X11,Corvin Ashgrove,1949-01-05,FR\n\
         FR3499999000010000000057X33,Tilda Marshwell,1983-12-24,FR\n",
        "account,name,birth_date,country\nNL37CEDR0000005001,Odalys van Voorbeeld,2001-05-17,NL\n",
    ]
}

/// A random UETR: a UUID of version 4 (RFC 9562, section 5.4).
pub(super) fn uetr(rng: &mut impl RngCore) -> String {
    let mut bytes = [0u8; 16];
    rng.fill_bytes(&mut bytes);
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}

/// A pacs.008.001.08 on the leg from `from` to `to`. `amount` is in euro.
pub(super) fn pacs008(
    uetr: &str,
    amount: &str,
    (debtor, from): (Holder, &Bank),
    (creditor, to): (Holder, &Bank),
) -> String {
    let id = &uetr[..8];
    let agent = |bank: &Bank| format!("<FinInstnId><BICFI>{}</BICFI></FinInstnId>", bank.bic);
    let party = |holder: Holder| {
        format!(
            "<Nm>{}</Nm><PstlAdr><TwnNm>Musterstadt</TwnNm><Ctry>{}</Ctry></PstlAdr>",
            holder.name, holder.country
        )
    };
    let account = |holder: Holder| format!("<Id><IBAN>{}</IBAN></Id>", holder.iban);
    format!(
        r#"<?xml version="1.0" encoding="UTF-8"?>
<Document xmlns="urn:iso:std:iso:20022:tech:xsd:pacs.008.001.08"><FIToFICstmrCdtTrf>
<GrpHdr><MsgId>M-{id}</MsgId><CreDtTm>2026-11-20T09:15:00+00:00</CreDtTm><NbOfTxs>1</NbOfTxs><SttlmInf><SttlmMtd>CLRG</SttlmMtd></SttlmInf></GrpHdr>
<CdtTrfTxInf>
<PmtId><InstrId>I-{id}</InstrId><EndToEndId>E-{id}</EndToEndId><TxId>T-{id}</TxId><UETR>{uetr}</UETR></PmtId>
<IntrBkSttlmAmt Ccy="EUR">{amount}</IntrBkSttlmAmt><IntrBkSttlmDt>2026-11-20</IntrBkSttlmDt><ChrgBr>SLEV</ChrgBr>
<InstgAgt>{instructing}</InstgAgt><InstdAgt>{instructed}</InstdAgt>
<Dbtr>{debtor_party}</Dbtr><DbtrAcct>{debtor_account}</DbtrAcct><DbtrAgt>{instructing}</DbtrAgt>
<CdtrAgt>{instructed}</CdtrAgt><Cdtr>{creditor_party}</Cdtr><CdtrAcct>{creditor_account}</CdtrAcct>
<RmtInf><Ustrd>Savings</Ustrd></RmtInf>
</CdtTrfTxInf></FIToFICstmrCdtTrf></Document>"#,
        instructing = agent(from),
        instructed = agent(to),
        debtor_party = party(debtor),
        debtor_account = account(debtor),
        creditor_party = party(creditor),
        creditor_account = account(creditor),
    )
}

#[cfg(test)]
mod tests {
    use hansa_screening::message::parse;
    use hansa_types::payment::Account;
    use hansa_types::uetr::Uetr;
    use rand::SeedableRng;
    use rand::rngs::StdRng;

    use super::*;

    #[test]
    fn every_holder_has_a_valid_iban_and_is_in_the_customer_files() {
        let files = customers().concat();
        for holder in [VICTIM, MULE, NAMESAKE, MISTAKEN, EXIT] {
            assert!(matches!(Account::from_iban_text(holder.iban), Account::Iban(_)), "{}", holder.iban);
            assert!(files.contains(holder.iban) && files.contains(holder.name));
        }
    }

    #[test]
    fn a_uetr_is_a_uuid_of_version_4() {
        let mut rng = StdRng::seed_from_u64(1);
        (0..100).for_each(|_| assert!(Uetr::try_from(uetr(&mut rng).as_str()).is_ok()));
    }

    #[test]
    fn a_payment_of_the_story_parses_without_findings() {
        let banks = crate::consortium::Consortium::test_banks();
        let uetr = uetr(&mut StdRng::seed_from_u64(2));
        let message = pacs008(&uetr, "9600.00", (VICTIM, &banks[0]), (MULE, &banks[1]));
        let payments = parse(message.as_bytes()).unwrap();
        assert_eq!(payments.len(), 1);
        assert_eq!(payments[0].findings, []);
        assert_eq!(payments[0].uetr.unwrap().to_string(), uetr);
    }
}

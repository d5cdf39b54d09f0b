//! Messages of our own of each kind, with somebody in every place.

/// A pacs.008 with this definition and these transactions.
pub(crate) fn customer_transfers(transactions: &[String]) -> String {
    format!(
        "<Document xmlns=\"urn:iso:std:iso:20022:tech:xsd:pacs.008.001.10\"><FIToFICstmrCdtTrf><GrpHdr>\
         <MsgId>CUST-1</MsgId><CreDtTm>2026-11-20T10:00:00Z</CreDtTm><NbOfTxs>{}</NbOfTxs></GrpHdr>{}\
         </FIToFICstmrCdtTrf></Document>",
        transactions.len(),
        transactions.concat()
    )
}

/// A transaction of a pacs.008, told from others by its number.
pub(crate) fn customer_transfer(number: u8) -> String {
    format!(
        "<CdtTrfTxInf><PmtId><InstrId>I-{number}</InstrId><EndToEndId>E &amp; {number}</EndToEndId>\
         <TxId>T-{number}</TxId><UETR>174c245f-2682-4291-ad67-2a41e530cd0{number}</UETR></PmtId>\
         <IntrBkSttlmAmt Ccy=\"EUR\">{number}00.00</IntrBkSttlmAmt>\
         <InstgAgt><FinInstnId><BICFI>DEUTDEFF</BICFI></FinInstnId></InstgAgt>\
         <InstdAgt><FinInstnId><ClrSysMmbId><ClrSysId><Cd>USABA</Cd></ClrSysId><MmbId>021150706</MmbId>\
         </ClrSysMmbId></FinInstnId></InstdAgt>\
         <Dbtr><Nm>Payer {number}</Nm></Dbtr><DbtrAcct><Id><IBAN>DE89370400440532013000</IBAN></Id></DbtrAcct>\
         <Cdtr><Nm>Payee {number}</Nm></Cdtr><CdtrAcct><Id><Othr><Id>12 34a</Id></Othr></Id></CdtrAcct>\
         </CdtTrfTxInf>"
    )
}

/// A pacs.009 cov.
pub(crate) const COVER: &str = r#"<Envelope><AppHdr xmlns="urn:iso:std:iso:20022:tech:xsd:head.001.001.02">
<MsgDefIdr>pacs.009.001.08</MsgDefIdr><BizSvc>swift.cbprplus.cov.02</BizSvc></AppHdr>
<Document xmlns="urn:iso:std:iso:20022:tech:xsd:pacs.009.001.08"><FICdtTrf>
<GrpHdr><MsgId>COV-1</MsgId><CreDtTm>2026-11-20T10:00:00+01:00</CreDtTm><NbOfTxs>1</NbOfTxs>
<SttlmInf><SttlmMtd>INDA</SttlmMtd><SttlmAcct><Id><IBAN>GB29NWBK60161331926819</IBAN></Id></SttlmAcct></SttlmInf></GrpHdr>
<CdtTrfTxInf><PmtId><InstrId>COV-1</InstrId><EndToEndId>E2E-1</EndToEndId>
<UETR>7a562c67-ca16-48ba-b074-65581be6f001</UETR></PmtId>
<IntrBkSttlmAmt Ccy="EUR">65784.32</IntrBkSttlmAmt><IntrBkSttlmDt>2026-11-20</IntrBkSttlmDt>
<PrvsInstgAgt1><FinInstnId><BICFI>CLYDGB2S</BICFI></FinInstnId></PrvsInstgAgt1>
<PrvsInstgAgt1Acct><Id><Othr><Id>PREV</Id></Othr></Id><Nm>Previous account</Nm></PrvsInstgAgt1Acct>
<InstgAgt><FinInstnId><BICFI>DEUTDEFF</BICFI></FinInstnId></InstgAgt>
<InstdAgt><FinInstnId><BICFI>BOFSGB2L</BICFI></FinInstnId></InstdAgt>
<IntrmyAgt1><FinInstnId><BICFI>BNPAFRPP</BICFI><Nm>Between</Nm></FinInstnId>
<BrnchId><Nm>Branch</Nm><PstlAdr><Ctry>FR</Ctry></PstlAdr></BrnchId></IntrmyAgt1>
<Dbtr><FinInstnId><ClrSysMmbId><ClrSysId><Cd>GBDSC</Cd></ClrSysId><MmbId>400515</MmbId></ClrSysMmbId>
<Nm>First Bank</Nm></FinInstnId></Dbtr>
<Cdtr><FinInstnId><BICFI>CAIXESBB</BICFI><LEI>5493000IBP32UQZ0KL24</LEI></FinInstnId></Cdtr>
<InstrForNxtAgt><InstrInf>/BNF/hurry</InstrInf></InstrForNxtAgt>
<RmtInf><Ustrd>cover of E2E-1</Ustrd></RmtInf>
<UndrlygCstmrCdtTrf>
<UltmtDbtr><Nm>On behalf of</Nm></UltmtDbtr><InitgPty><Nm>Starter</Nm></InitgPty>
<Dbtr><Nm>A Debtor</Nm><PstlAdr><TwnNm>Epping</TwnNm><Ctry>GB</Ctry></PstlAdr>
<CtctDtls><Nm>Contact of A</Nm></CtctDtls></Dbtr>
<DbtrAcct><Id><IBAN>DE89370400440532013000</IBAN></Id><Nm>Account of A</Nm></DbtrAcct>
<DbtrAgt><FinInstnId><BICFI>CLYDGB2S</BICFI></FinInstnId></DbtrAgt>
<DbtrAgtAcct><Id><Othr><Id>NOSTRO</Id></Othr></Id></DbtrAgtAcct>
<IntrmyAgt1><FinInstnId><BICFI>AGRIFRPP</BICFI></FinInstnId></IntrmyAgt1>
<CdtrAgt><FinInstnId><BICFI>CAIXESBB</BICFI></FinInstnId></CdtrAgt>
<Cdtr><Nm>B Creditor Co</Nm></Cdtr>
<CdtrAcct><Prxy><Tp><Cd>EMAL</Cd></Tp><Id>b@creditor.example</Id></Prxy></CdtrAcct>
<UltmtCdtr><Nm>In the end</Nm></UltmtCdtr>
<InstrForCdtrAgt><InstrInf>call first</InstrInf></InstrForCdtrAgt>
<RmtInf><Strd><Invcr><Nm>Invoicer</Nm></Invcr></Strd></RmtInf><InstdAmt Ccy="EUR">65790.00</InstdAmt>
</UndrlygCstmrCdtTrf></CdtTrfTxInf></FICdtTrf></Document></Envelope>"#;

/// A pacs.004 with a return chain.
pub(crate) const RETURN: &str = r#"<r:Document xmlns:r="urn:iso:std:iso:20022:tech:xsd:pacs.004.001.10"><r:PmtRtr>
<r:GrpHdr><r:MsgId>RTR-1</r:MsgId><r:CreDtTm>2026-11-21T09:00:00Z</r:CreDtTm><r:NbOfTxs>1</r:NbOfTxs></r:GrpHdr>
<r:OrgnlGrpInf><r:OrgnlMsgId>COV-1</r:OrgnlMsgId><r:OrgnlMsgNmId>pacs.009.001.08</r:OrgnlMsgNmId></r:OrgnlGrpInf>
<r:TxInf><r:RtrId>R-1</r:RtrId><r:OrgnlInstrId>COV-1</r:OrgnlInstrId><r:OrgnlEndToEndId>E2E-1</r:OrgnlEndToEndId>
<r:OrgnlTxId>TX-1</r:OrgnlTxId><r:OrgnlUETR>7a562c67-ca16-48ba-b074-65581be6f001</r:OrgnlUETR>
<r:OrgnlIntrBkSttlmAmt Ccy="EUR">65784.32</r:OrgnlIntrBkSttlmAmt>
<r:OrgnlIntrBkSttlmDt>2026-11-20</r:OrgnlIntrBkSttlmDt>
<r:RtrdIntrBkSttlmAmt Ccy="EUR">65780.00</r:RtrdIntrBkSttlmAmt><r:IntrBkSttlmDt>2026-11-21</r:IntrBkSttlmDt>
<r:ChrgsInf><r:Amt Ccy="EUR">4.32</r:Amt><r:Agt><r:FinInstnId><r:BICFI>AGRIFRPP</r:BICFI></r:FinInstnId></r:Agt></r:ChrgsInf>
<r:InstgAgt><r:FinInstnId><r:BICFI>BOFSGB2L</r:BICFI></r:FinInstnId></r:InstgAgt>
<r:InstdAgt><r:FinInstnId><r:BICFI>DEUTDEFF</r:BICFI></r:FinInstnId></r:InstdAgt>
<r:RtrChain><r:Dbtr><r:Pty><r:Nm>Returner</r:Nm></r:Pty></r:Dbtr>
<r:DbtrAcct><r:Id><r:IBAN>GB29NWBK60161331926819</r:IBAN></r:Id></r:DbtrAcct>
<r:IntrmyAgt1><r:FinInstnId><r:BICFI>BNPAFRPP</r:BICFI></r:FinInstnId></r:IntrmyAgt1>
<r:Cdtr><r:Agt><r:FinInstnId><r:BICFI>CLYDGB2S</r:BICFI></r:FinInstnId></r:Agt></r:Cdtr></r:RtrChain>
<r:RtrRsnInf><r:Orgtr><r:Nm>Who refused</r:Nm></r:Orgtr><r:Rsn><r:Cd>AC04</r:Cd></r:Rsn>
<r:AddtlInf>closed in May</r:AddtlInf></r:RtrRsnInf>
<r:OrgnlTxRef><r:PmtTpInf><r:SvcLvl><r:Cd>SEPA</r:Cd></r:SvcLvl></r:PmtTpInf><r:RmtInf><r:Ustrd>first words</r:Ustrd></r:RmtInf>
<r:Dbtr><r:Pty><r:Nm>Original debtor</r:Nm></r:Pty></r:Dbtr>
<r:DbtrAcct><r:Id><r:IBAN>DE89370400440532013000</r:IBAN></r:Id></r:DbtrAcct>
<r:DbtrAgt><r:FinInstnId><r:BICFI>CLYDGB2S</r:BICFI></r:FinInstnId></r:DbtrAgt>
<r:CdtrAgt><r:FinInstnId><r:BICFI>CAIXESBB</r:BICFI></r:FinInstnId></r:CdtrAgt>
<r:Cdtr><r:Agt><r:FinInstnId><r:BICFI>CAIXESBB</r:BICFI></r:FinInstnId></r:Agt></r:Cdtr>
<r:UndrlygCstmrCdtTrf><r:Dbtr><r:Nm>Beneath</r:Nm></r:Dbtr><r:Cdtr><r:Nm>Below</r:Nm></r:Cdtr></r:UndrlygCstmrCdtTrf>
</r:OrgnlTxRef></r:TxInf></r:PmtRtr></r:Document>"#;

//! From the bytes of a pacs.008 to a decision, without the log: parse, screen names and identifiers against OFAC's
//! list of 2024-05-03, compute the factors, rule, and remember the payment.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use hansa_screening::watchlist::{Watchlist, ofac};
use hansa_screening::{History, Known, Policy, RiskModel, Screener, message};
use hansa_types::date::Date;
use hansa_types::decision::Verdict;
use hansa_types::iban::Iban;
use hansa_types::id::Timestamp;
use hansa_types::uetr::Uetr;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::figure::{Figure, Target};
use super::plan::{Plan, timed};
use super::sample::Sample;
use super::{BenchError, BenchName, package_folder};

const PER_CORE: Target = Target::value_at_least(10_000.0);
const P99_US: Target = Target::value_at_most(500.0);
/// Passes over all messages; each starts without history.
const PASSES: usize = 5;
/// Accounts among which the payments pass; each is seen several times, as customers are.
const ACCOUNTS: u64 = 2_000;
const SEED: u64 = 20_240_503;
/// Seconds between payments: a day's windows hold a few thousand.
const PACE: u64 = 15;
const START: u64 = 1_795_000_000;

/// One payment a message, each with names and numbers of its own. Without the list and the names of `HANSA_DATA`
/// there is nothing comparable to measure.
pub(super) fn measure(plan: &Plan) -> Result<Vec<Figure>, BenchError> {
    let data = match data() {
        Ok(data) => data,
        Err(reason) => {
            return Ok(vec![
                Figure::skipped("payments.per_core", "per s", reason.clone()).with_target(PER_CORE),
                Figure::skipped("payments.p99", "us", reason).with_target(P99_US),
            ]);
        }
    };
    let failed = |e: &dyn std::fmt::Display| BenchError::failed(BenchName::Payments, e);
    let list = list(&data).map_err(|e| failed(&e))?;
    let screener =
        Screener::new(Policy::default(), vec![list], RiskModel::default_model()).map_err(|e| failed(&e))?;
    let messages = messages(&data.names, plan.payments).map_err(|e| failed(&e))?;

    pass(&screener, &messages)?;
    let (mut rates, mut p99s) = (Vec::new(), Vec::new());
    for _ in 0..PASSES {
        let (times, whole) = timed(|| pass(&screener, &messages));
        rates.push(messages.len() as f64 / whole.as_secs_f64());
        let times = Sample::of_durations(&times?).ok_or_else(|| failed(&"no payment was screened"))?;
        p99s.push(times.percentile(0.99) * 1e3);
    }
    let sample = |values| Sample::new(values).ok_or_else(|| failed(&"the clock stood still"));
    Ok(vec![
        Figure::of_sample("payments.per_core", "per s", &sample(rates)?).with_target(PER_CORE),
        Figure::of_sample("payments.p99", "us", &sample(p99s)?).with_target(P99_US),
    ])
}

/// Screens all messages in their order and gives the time of each.
fn pass(screener: &Screener, messages: &[Vec<u8>]) -> Result<Vec<Duration>, BenchError> {
    let mut history = History::default();
    let mut times = Vec::with_capacity(messages.len());
    let mut now = START;
    for bytes in messages {
        now += PACE;
        let start = Instant::now();
        let payments = message::parse(bytes).map_err(|e| BenchError::failed(BenchName::Payments, e))?;
        for payment in &payments {
            let assessment = screener.assess(payment, &history, Known::default(), Timestamp(now));
            if assessment.decision.verdict == Verdict::Clear {
                history.observe(&screener.observation(payment, Timestamp(now)));
            }
        }
        times.push(start.elapsed());
    }
    Ok(times)
}

/// What is read of `HANSA_DATA`.
struct Data {
    sdn: Vec<u8>,
    alt: Vec<u8>,
    /// Full names of persons who are not listed.
    names: Vec<String>,
}

/// The data, or why there is none.
fn data() -> Result<Data, String> {
    let folder = std::env::var_os("HANSA_DATA")
        .map_or_else(|| package_folder().join("..").join("..").join("shared").join("data"), PathBuf::from);
    let read = |name: &str| {
        std::fs::read(folder.join(name))
            .map_err(|e| format!("needs {name} of the shared data ({e}): set HANSA_DATA to its folder"))
    };
    let table = read("names/negatives_us.csv")?;
    let names = String::from_utf8_lossy(&table)
        .lines()
        .skip(1)
        .filter_map(|line| line.split(',').next())
        .map(|name| name.replace(['<', '>', '&', '"'], " "))
        .filter(|name| !name.trim().is_empty())
        .collect();
    Ok(Data { sdn: read("ofac/sdn-2024-05-03.csv")?, alt: read("ofac/alt-2025-02.csv")?, names })
}

fn list(data: &Data) -> Result<Watchlist, Box<dyn std::error::Error>> {
    let files = ofac::Files { sdn: &data.sdn, alt: Some(&data.alt), ..ofac::Files::default() };
    Ok(ofac::load(Date::new(2024, 5, 3)?, &files)?)
}

/// `count` messages of one payment each, the same on every run.
fn messages(names: &[String], count: usize) -> Result<Vec<Vec<u8>>, &'static str> {
    if names.is_empty() {
        return Err("the file of names is empty");
    }
    let mut rng = StdRng::seed_from_u64(SEED);
    let mut message = |number: usize| {
        let name = |rng: &mut StdRng| names[rng.gen_range(0..names.len())].clone();
        let (debtor, creditor) = (name(&mut rng), name(&mut rng));
        let account = |rng: &mut StdRng| iban(rng.gen_range(0..ACCOUNTS));
        let (from, to) = (account(&mut rng), account(&mut rng));
        let amount = format!("{}.{:02}", rng.gen_range(5..4_000), rng.gen_range(0..100));
        let uetr = Uetr::from_random(rng.r#gen());
        pacs008(number, &uetr, &amount, [&debtor, &creditor], [&from, &to]).into_bytes()
    };
    Ok((0..count).map(&mut message).collect())
}

/// The IBAN of an account at a bank that does not exist.
fn iban(account: u64) -> Iban {
    (2..=98)
        .find_map(|check| Iban::try_from(format!("DE{check:02}99900001{account:010}").as_str()).ok())
        .expect("one of the 97 check numbers is right")
}

/// A message as banks exchange them: header and document in an envelope, structured addresses.
fn pacs008(number: usize, uetr: &Uetr, amount: &str, names: [&str; 2], accounts: [&Iban; 2]) -> String {
    let agent =
        |tag: &str, bic: &str| format!("<{tag}><FinInstnId><BICFI>{bic}</BICFI></FinInstnId></{tag}>");
    let party = |tag: &str, name: &str| {
        format!(
            "<{tag}><Nm>{name}</Nm><PstlAdr><StrtNm>Sample Street 1</StrtNm><PstCd>99901</PstCd>\
             <TwnNm>Musterstadt</TwnNm><Ctry>DE</Ctry></PstlAdr></{tag}>"
        )
    };
    let account = |tag: &str, iban: &Iban| format!("<{tag}><Id><IBAN>{iban}</IBAN></Id></{tag}>");
    let (a, b) = ("ALDRDEF0XXX", "BRCHDEF0XXX");
    let transaction = [
        format!(
            "<PmtId><InstrId>I{number}</InstrId><EndToEndId>E{number}</EndToEndId><UETR>{uetr}</UETR></PmtId>"
        ),
        format!(
            "<IntrBkSttlmAmt Ccy=\"EUR\">{amount}</IntrBkSttlmAmt><IntrBkSttlmDt>2026-11-20</IntrBkSttlmDt>"
        ),
        format!("<ChrgBr>SHAR</ChrgBr>{}{}", agent("InstgAgt", a), agent("InstdAgt", b)),
        party("Dbtr", names[0]) + &account("DbtrAcct", accounts[0]) + &agent("DbtrAgt", a),
        agent("CdtrAgt", b) + &party("Cdtr", names[1]) + &account("CdtrAcct", accounts[1]),
        format!("<RmtInf><Ustrd>Invoice {number}</Ustrd></RmtInf>"),
    ]
    .concat();
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Envelope>\
         <AppHdr xmlns=\"urn:iso:std:iso:20022:tech:xsd:head.001.001.02\"><BizMsgIdr>M{number}</BizMsgIdr>\
         <MsgDefIdr>pacs.008.001.08</MsgDefIdr><BizSvc>swift.cbprplus.02</BizSvc></AppHdr>\
         <Document xmlns=\"urn:iso:std:iso:20022:tech:xsd:pacs.008.001.08\"><FIToFICstmrCdtTrf>\
         <GrpHdr><MsgId>M{number}</MsgId><CreDtTm>2026-11-20T09:15:00+00:00</CreDtTm><NbOfTxs>1</NbOfTxs>\
         <SttlmInf><SttlmMtd>INDA</SttlmMtd></SttlmInf></GrpHdr><CdtTrfTxInf>{transaction}</CdtTrfTxInf>\
         </FIToFICstmrCdtTrf></Document></Envelope>"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_messages_are_read_without_findings_and_differ() {
        let names = ["Annabel Quillfeather".to_owned(), "Pieternel van Voorbeeld".to_owned()];
        let messages = messages(&names, 20).unwrap();
        let mut seen = std::collections::BTreeSet::new();
        for bytes in &messages {
            let payments = message::parse(bytes).unwrap();
            assert_eq!(payments.len(), 1);
            assert_eq!(payments[0].findings, []);
            seen.insert(payments[0].content_hash());
        }
        assert_eq!(seen.len(), messages.len());
        assert!(super::messages(&[], 1).is_err());
    }

    #[test]
    fn a_pass_times_every_message() {
        let screener = Screener::new(Policy::default(), vec![], RiskModel::default_model()).unwrap();
        let messages = messages(&["Annabel Quillfeather".to_owned()], 5).unwrap();
        assert_eq!(pass(&screener, &messages).unwrap().len(), 5);
        assert!(pass(&screener, &[b"<no/>".to_vec()]).is_err());
    }
}

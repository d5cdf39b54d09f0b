//! Payments with laundering patterns among them, as public data has them: IBM AMLSim and the patterns of HI-Small.
//!
//! What the data says of laundering becomes [`Transfer::pattern`] and goes nowhere else: no factor sees it. The format of
//! a payment is not even read: in HI-Small it would give most patterns away.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use hansa_types::money::Money;
use hansa_types::payment::Account;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::DAY;

/// The first day of AMLSim's time, in unix seconds; any would do.
const AMLSIM_START: u64 = 1_795_046_400;
/// The most digits that an amount in a message has behind the point.
const FRACTION_DIGITS: usize = 5;
/// AMLSim's amounts have no currency.
const AMLSIM_CURRENCY: &str = "EUR";

/// A payment between two accounts, by their numbers.
pub(super) struct Transfer {
    pub(super) debtor: u32,
    pub(super) creditor: u32,
    pub(super) amount: Money,
    /// Unix seconds.
    pub(super) at: u64,
    /// Which laundering pattern it is part of.
    pub(super) pattern: Option<u32>,
    /// It is likely part of a pattern that the data does not tell of: neither a pattern's nor innocent.
    pub(super) doubtful: bool,
}

/// Payments in the order of time.
#[derive(Default)]
pub(super) struct Traffic {
    pub(super) accounts: Vec<Account>,
    /// The bank of each account, where the data says so; dealt by seed otherwise.
    pub(super) banks: Option<Vec<u32>>,
    pub(super) transfers: Vec<Transfer>,
    /// How many patterns there are.
    pub(super) patterns: usize,
}

/// Why data cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{path}: {reason}: give the file as its publisher has it")]
pub(super) struct DataError {
    path: PathBuf,
    reason: String,
}

fn broken(path: &Path, reason: impl std::fmt::Display) -> DataError {
    DataError { path: path.to_owned(), reason: reason.to_string() }
}

fn rows<T: DeserializeOwned>(path: &Path) -> Result<Vec<T>, DataError> {
    let mut reader = csv::Reader::from_path(path).map_err(|e| broken(path, e))?;
    reader.deserialize().collect::<Result<_, _>>().map_err(|e| broken(path, e))
}

fn money(path: &Path, amount: &str, currency: &str) -> Result<Money, DataError> {
    Money::parse(payable(amount), currency)
        .map_err(|e| broken(path, format!("amount {amount} {currency}: {e}")))
}

/// The amount with no more digits behind the point than a message has: HI-Small's bitcoins have six.
fn payable(amount: &str) -> &str {
    let end = amount.find('.').map_or(amount.len(), |point| point + 1 + FRACTION_DIGITS);
    amount.get(..end).unwrap_or(amount)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Node {
    #[serde(rename = "nodeid")]
    id: u32,
    is_fraud: u8,
    /// The day on which the account pays as part of a pattern; -1 for none.
    fraud_step: i64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Transaction {
    source_node_id: u32,
    target_node_id: u32,
    value: String,
    time: u32,
}

impl Transaction {
    /// Who pays whom on which day.
    fn leg(&self) -> (u32, u32, u32) {
        (self.source_node_id, self.target_node_id, self.time)
    }
}

/// A set of AMLSim by its file of accounts and its file of payments.
///
/// The set says which accounts are in patterns and on which day each pays as part of one. A payment of that day from such
/// an account to another of them is a pattern's; payments that share accounts are one pattern. It has one day for an
/// account, though some are in two patterns: two of them that pay each other more than once on another day, as patterns
/// do and no innocent accounts of these sets, are in doubt. The payments of a day are spread over it in their order.
pub(super) fn amlsim(nodes: &Path, transactions: &Path, most: usize) -> Result<Traffic, DataError> {
    let laundering: BTreeMap<u32, i64> = rows::<Node>(nodes)?
        .into_iter()
        .filter(|node| node.is_fraud != 0)
        .map(|node| (node.id, node.fraud_step))
        .collect();
    let mut rows: Vec<Transaction> = rows(transactions)?;
    rows.sort_by_key(|row| row.time);
    rows.truncate(most);
    let mut of_day: BTreeMap<u32, (u64, u64)> = BTreeMap::new();
    let mut times: BTreeMap<(u32, u32, u32), u32> = BTreeMap::new();
    for row in &rows {
        of_day.entry(row.time).or_default().1 += 1;
        *times.entry(row.leg()).or_default() += 1;
    }
    let mut numbers = Numbers::default();
    let mut transfers = Vec::with_capacity(rows.len());
    let mut groups = Groups::default();
    for row in &rows {
        let (before, all) = of_day.entry(row.time).or_default();
        let at = AMLSIM_START + u64::from(row.time) * DAY + *before * DAY / *all;
        *before += 1;
        let [debtor, creditor] =
            [row.source_node_id, row.target_node_id].map(|id| numbers.of(&id.to_string()));
        let paid = laundering.get(&row.source_node_id) == Some(&i64::from(row.time));
        let both = [row.source_node_id, row.target_node_id].iter().all(|id| laundering.contains_key(id));
        let pattern = paid && both;
        let doubtful = !paid && both && times[&row.leg()] > 1;
        if pattern {
            groups.join(debtor, creditor);
        }
        let amount = money(transactions, &row.value, AMLSIM_CURRENCY)?;
        transfers.push(Transfer { debtor, creditor, amount, at, pattern: pattern.then_some(0), doubtful });
    }
    let mut patterns = BTreeMap::new();
    for transfer in &mut transfers {
        let next = patterns.len() as u32;
        let debtor = transfer.debtor;
        transfer.pattern = transfer.pattern.map(|_| *patterns.entry(groups.of(debtor)).or_insert(next));
    }
    Ok(Traffic { accounts: numbers.accounts(), banks: None, transfers, patterns: patterns.len() })
}

#[derive(Deserialize)]
struct PatternRow {
    pattern_id: String,
    timestamp: String,
    from_bank: String,
    from_account: String,
    to_bank: String,
    to_account: String,
    amount_paid: String,
    payment_currency: String,
}

/// The laundering patterns of HI-Small, with the banks that the data names.
pub(super) fn hismall(path: &Path) -> Result<Traffic, DataError> {
    let (mut accounts, mut banks, mut patterns) =
        (Numbers::default(), Numbers::default(), Numbers::default());
    let mut bank_of = BTreeMap::new();
    let mut transfers = Vec::new();
    for row in rows::<PatternRow>(path)? {
        let mut account = |bank: &str, account: &str| {
            let number = accounts.of(&format!("{bank}:{account}"));
            bank_of.insert(number, banks.of(bank));
            number
        };
        let debtor = account(&row.from_bank, &row.from_account);
        let creditor = account(&row.to_bank, &row.to_account);
        let at = moment(&row.timestamp)
            .ok_or_else(|| broken(path, format!("{} is no date and time", row.timestamp)))?;
        let amount = money(path, &row.amount_paid, currency(&row.payment_currency))?;
        let pattern = Some(patterns.of(&row.pattern_id));
        transfers.push(Transfer { debtor, creditor, amount, at, pattern, doubtful: false });
    }
    transfers.sort_by_key(|transfer| transfer.at);
    let banks = Some(bank_of.into_values().collect());
    Ok(Traffic { accounts: accounts.accounts(), banks, transfers, patterns: patterns.0.len() })
}

/// `2022/09/01 00:20` in unix seconds.
fn moment(text: &str) -> Option<u64> {
    let (date, time) = text.split_once(' ')?;
    let date = hansa_types::date::Date::try_from(date.replace('/', "-").as_str()).ok()?;
    let (hours, minutes) = time.split_once(':')?;
    let (hours, minutes): (u64, u64) = (hours.parse().ok()?, minutes.parse().ok()?);
    let days = u64::try_from(date.days_since_epoch()).ok()?;
    (hours < 24 && minutes < 60).then(|| days * DAY + hours * 3600 + minutes * 60)
}

/// The ISO 4217 code of a currency as HI-Small spells it; `XXX`, no currency, for one that is not known here.
fn currency(name: &str) -> &'static str {
    match name {
        "US Dollar" => "USD",
        "Euro" => "EUR",
        "Saudi Riyal" => "SAR",
        "Rupee" => "INR",
        "Swiss Franc" => "CHF",
        "Yuan" => "CNY",
        "Australian Dollar" => "AUD",
        "UK Pound" => "GBP",
        "Yen" => "JPY",
        "Ruble" => "RUB",
        "Canadian Dollar" => "CAD",
        "Mexican Peso" => "MXN",
        "Shekel" => "ILS",
        "Brazil Real" => "BRL",
        _ => "XXX",
    }
}

/// What one of HI-Small's currencies was worth in its month, September 2022, in thousandths of a euro.
pub(super) const RATES: [(&str, u32); 13] = [
    ("USD", 1000),
    ("SAR", 267),
    ("INR", 12),
    ("CHF", 1030),
    ("CNY", 143),
    ("AUD", 675),
    ("GBP", 1150),
    ("JPY", 7),
    ("RUB", 17),
    ("CAD", 755),
    ("MXN", 50),
    ("ILS", 290),
    ("BRL", 190),
];

/// Numbers from 0 for names as they come.
#[derive(Default)]
struct Numbers(BTreeMap<String, u32>);

impl Numbers {
    fn of(&mut self, name: &str) -> u32 {
        let next = self.0.len() as u32;
        *self.0.entry(name.to_owned()).or_insert(next)
    }

    /// The accounts of these names, by number.
    fn accounts(&self) -> Vec<Account> {
        let mut names: Vec<(u32, &str)> = self.0.iter().map(|(name, number)| (*number, &**name)).collect();
        names.sort_unstable();
        names.into_iter().map(|(_, name)| Account::other(Some("bench"), None, name)).collect()
    }
}

/// Accounts that belong together.
#[derive(Default)]
struct Groups(BTreeMap<u32, u32>);

impl Groups {
    fn of(&self, account: u32) -> u32 {
        let mut account = account;
        while let Some(next) = self.0.get(&account) {
            account = *next;
        }
        account
    }

    fn join(&mut self, a: u32, b: u32) {
        let (a, b) = (self.of(a), self.of(b));
        if a != b {
            self.0.insert(a.max(b), a.min(b));
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Payments of `(debtor, creditor, day, pattern)`, each of a hundred euros.
    pub(in super::super) fn traffic(rows: &[(u32, u32, u32, Option<u32>)]) -> Traffic {
        let amount = Money::parse("100.50", "EUR").unwrap();
        let transfers = rows.iter().enumerate().map(|(at, (debtor, creditor, day, pattern))| Transfer {
            debtor: *debtor,
            creditor: *creditor,
            amount,
            at: AMLSIM_START + u64::from(*day) * DAY + at as u64,
            pattern: *pattern,
            doubtful: false,
        });
        let accounts = rows.iter().map(|row| row.0.max(row.1) + 1).max().unwrap_or(0);
        let patterns = rows.iter().filter_map(|row| row.3).max().map_or(0, |last| last as usize + 1);
        Traffic {
            accounts: (0..accounts).map(|n| Account::other(Some("bench"), None, &n.to_string())).collect(),
            banks: None,
            transfers: transfers.collect(),
            patterns,
        }
    }

    fn file(folder: &tempfile::TempDir, name: &str, text: &str) -> PathBuf {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    #[test]
    fn amlsims_patterns_are_what_its_accounts_say() {
        let folder = tempfile::tempdir().unwrap();
        let nodes = "nodeid,isFraud,init_balance,fraudStep\n1,1,9,3\n2,1,9,-1\n3,1,9,7\n4,1,9,5\n5,1,9,-1\n6,0,9,-1\n";
        let nodes = file(&folder, "n.csv", nodes);
        let transactions = "sourceNodeId,targetNodeId,value,time\n\
            3,2,5.5,7\n1,2,5,3\n1,2,5,3\n1,6,5,3\n1,2,5,4\n4,5,5,5\n6,2,5,7\n";
        let transactions = file(&folder, "t.csv", transactions);
        let traffic = amlsim(&nodes, &transactions, usize::MAX).unwrap();
        let patterns: Vec<_> = traffic.transfers.iter().map(|transfer| transfer.pattern).collect();
        // In time: two legs and a stranger on day 3, the other day's payment, another pattern, the fan's second leg.
        assert_eq!(patterns, [Some(0), Some(0), None, None, Some(1), Some(0), None]);
        assert_eq!((traffic.patterns, traffic.accounts.len()), (2, 6));
        assert!(traffic.transfers.is_sorted_by_key(|transfer| transfer.at));
        assert_eq!(traffic.transfers[1].at - traffic.transfers[0].at, DAY / 3);
        assert_eq!(amlsim(&nodes, &transactions, 4).unwrap().transfers.len(), 4);
        let error = amlsim(&transactions, &nodes, usize::MAX).err().unwrap().to_string();
        assert!(error.contains("t.csv"), "{error}");
    }

    #[test]
    fn what_looks_like_a_pattern_on_another_day_is_in_doubt() {
        let folder = tempfile::tempdir().unwrap();
        let nodes = "nodeid,isFraud,init_balance,fraudStep\n1,1,9,3\n2,1,9,-1\n6,0,9,-1\n";
        let rows = "1,2,5,3\n1,2,5,3\n1,2,5,4\n1,2,5,5\n1,2,5,5\n1,6,5,6\n1,6,5,6\n2,1,5,7\n2,1,5,7\n";
        let nodes = file(&folder, "n.csv", nodes);
        let transactions = file(&folder, "t.csv", &format!("sourceNodeId,targetNodeId,value,time\n{rows}"));
        let traffic = amlsim(&nodes, &transactions, usize::MAX).unwrap();
        let doubtful: Vec<_> = traffic.transfers.iter().map(|transfer| transfer.doubtful).collect();
        // Its own day, once on another, twice on another, to a stranger, by an account that has no day.
        assert_eq!(doubtful, [false, false, false, true, true, false, false, true, true]);
        assert!(traffic.transfers.iter().all(|transfer| !transfer.doubtful || transfer.pattern.is_none()));
    }

    #[test]
    fn hismalls_rows_become_payments_between_its_banks() {
        let head = "pattern_id,pattern_type,timestamp,from_bank,from_account,to_bank,to_account,amount_received,\
            receiving_currency,amount_paid,payment_currency,payment_format,is_laundering\n";
        let folder = tempfile::tempdir().unwrap();
        let late = "7,CYCLE,2022/09/03 19:52,02,B,01,A,1.00,Euro,1.00,UK Pound,ACH,1\n";
        let early = "7,CYCLE,2022/09/02 12:36,01,A,02,B,1.00,Euro,14153.46,Swiss Franc,ACH,1\n";
        let traffic = hismall(&file(&folder, "p.csv", &format!("{head}{late}{early}"))).unwrap();
        assert_eq!(traffic.banks, Some(vec![0, 1]));
        let [first, second] = traffic.transfers.as_slice() else { panic!("two payments") };
        assert_eq!((first.debtor, first.creditor, second.debtor, second.creditor), (1, 0, 0, 1));
        assert_eq!((first.amount.to_string(), first.at), ("14153.46 CHF".to_owned(), 1_662_122_160));
        let bad = file(&folder, "b.csv", &format!("{head}{}", late.replace("19:52", "25:52")));
        assert!(hismall(&bad).err().unwrap().to_string().contains("25:52 is no date and time"));
    }
}

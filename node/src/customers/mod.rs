//! The accounts a bank holds, from a CSV file: `account,name,birth_date,country`, one line each, first line the
//! header. An account is an IBAN, or `SCHEME:NUMBER`; birth date (`YYYY-MM-DD`) and country may be empty.

mod file;

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use hansa_types::country::Country;
use hansa_types::date::Date;
use hansa_types::payment::{Account, Birth, Party, Payment};

pub(crate) use self::file::{CustomerFile, FileError, Look};

/// The file's first line.
pub(crate) const HEADER: [&str; 4] = ["account", "name", "birth_date", "country"];

/// Why the file is refused. A wrong line refuses the whole file: a bank must know whom it holds.
#[derive(Debug, thiserror::Error)]
pub enum CustomersError {
    /// Not CSV.
    #[error("customers: {0}")]
    Csv(#[from] csv::Error),
    /// Another header.
    #[error("customers: the first line must be account,name,birth_date,country")]
    Header,
    /// A line that says nothing usable.
    #[error("customers, line {line}: {what}")]
    Line {
        /// Which line, from 1.
        line: u64,
        /// What is wrong.
        what: String,
    },
}

/// Somebody whose account this bank holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Customer {
    /// As the bank writes it.
    pub(crate) name: String,
    /// Of a person.
    pub(crate) birth_date: Option<Date>,
    /// Of residence.
    pub(crate) country: Option<Country>,
}

impl Customer {
    /// A payment of which the customer is the debtor and nothing else is known: how a customer is screened.
    pub(crate) fn as_debtor(&self, account: Account) -> Payment {
        let birth = self.birth_date.map(|date| Birth { date: Some(date), ..Birth::default() });
        let debtor =
            Party { name: Some(self.name.clone()), birth, residence: self.country, ..Party::default() };
        Payment { debtor, debtor_account: Some(account), ..Payment::default() }
    }
}

/// The customers by account.
pub(crate) type Customers = BTreeMap<Account, Customer>;

/// Reads the file's bytes.
pub(crate) fn parse(bytes: &[u8]) -> Result<Customers, CustomersError> {
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(bytes);
    if reader.headers()?.iter().ne(HEADER) {
        return Err(CustomersError::Header);
    }
    let mut customers = Customers::new();
    for row in reader.records() {
        let row = row?;
        let line = row.position().map_or(0, csv::Position::line);
        let refuse = |what: String| CustomersError::Line { line, what };
        let field = |i: usize| row.get(i).filter(|text| !text.is_empty());
        // The values are a customer's: what is said of them goes into logs.
        let wrong = |what: &str| refuse(what.to_owned());
        let account = parse_account(field(0).unwrap_or(""));
        let account = account.map_err(|_| wrong("the account is neither an IBAN nor SCHEME:NUMBER"))?;
        let name = field(1).ok_or_else(|| wrong("the name is missing"))?.to_owned();
        let birth_date = field(2).map(Date::try_from).transpose();
        let birth_date = birth_date.map_err(|_| wrong("the birth date is not YYYY-MM-DD"))?;
        let country = field(3).map(Country::try_from).transpose();
        let country = country.map_err(|_| wrong("the country is no ISO 3166 code of two letters"))?;
        match customers.entry(account) {
            Entry::Occupied(_) => return Err(wrong("the account stands twice")),
            Entry::Vacant(entry) => entry.insert(Customer { name, birth_date, country }),
        };
    }
    Ok(customers)
}

/// The file that [`parse`] reads as these customers.
pub(crate) fn write(customers: &Customers) -> Result<Vec<u8>, CustomersError> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(HEADER)?;
    for (account, customer) in customers {
        let birth_date = customer.birth_date.map(|date| date.to_string()).unwrap_or_default();
        let country = customer.country.map(|country| country.to_string()).unwrap_or_default();
        writer.write_record([&account.to_string(), &customer.name, &birth_date, &country])?;
    }
    writer.into_inner().map_err(|error| CustomersError::Csv(error.into_error().into()))
}

/// What distinguishes the customers after from those before.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Changes {
    /// New accounts, and those whose holder is known otherwise.
    pub(crate) added: Customers,
    pub(crate) changed: Customers,
    /// Accounts that are held no longer.
    pub(crate) closed: Vec<Account>,
}

/// Compares the customers before with those after.
pub(crate) fn changes(before: &Customers, after: &Customers) -> Changes {
    let mut changes = Changes::default();
    for (account, customer) in after {
        let into = match before.get(account) {
            None => &mut changes.added,
            Some(known) if known != customer => &mut changes.changed,
            Some(_) => continue,
        };
        into.insert(account.clone(), customer.clone());
    }
    changes.closed = before.keys().filter(|account| !after.contains_key(*account)).cloned().collect();
    changes
}

/// An account as feeds and officers write it. What is wrong is said without it: it is a customer's, and goes into logs.
pub(crate) fn parse_account(text: &str) -> Result<Account, String> {
    if let Some((scheme, number)) = text.split_once(':') {
        if scheme.trim().is_empty() || number.trim().is_empty() {
            return Err("of an account SCHEME:NUMBER both are wanted".to_owned());
        }
        return Ok(Account::other(Some(scheme), None, number));
    }
    match Account::from_iban_text(text) {
        Account::InvalidIban(_) => {
            Err("the account is no valid IBAN; write another kind of account as SCHEME:NUMBER".to_owned())
        }
        account => Ok(account),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accounts_are_read_in_canonical_form() {
        let file = "account,name,birth_date,country\n\
                    GB82 WEST 1234 5698 7654 32, Ann Other,1980-02-03,GB\n\
                    BBAN:12 34,Some Company,,\n";
        let customers = parse(file.as_bytes()).unwrap();
        let accounts: Vec<_> = customers.keys().map(ToString::to_string).collect();
        assert_eq!(accounts, ["GB82WEST12345698765432", "BBAN:1234"]);
        assert_eq!(customers.values().next().unwrap().name, "Ann Other");
    }

    #[test]
    fn what_is_written_is_read_again_and_changes_are_told_apart() {
        let file = "account,name,birth_date,country\n\
                    GB82WEST12345698765432,\"Other, Ann\",1980-02-03,GB\nBBAN:1234,Some Company,,\n";
        let before = parse(file.as_bytes()).unwrap();
        assert_eq!(parse(&write(&before).unwrap()).unwrap(), before);
        let after = file.replace("BBAN:1234", "BBAN:1235").replace("Ann", "Anna");
        let after = parse(after.as_bytes()).unwrap();
        let found = changes(&before, &after);
        let accounts = |customers: &Customers| customers.keys().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(
            (accounts(&found.added), accounts(&found.changed)),
            (vec!["BBAN:1235".into()], vec!["GB82WEST12345698765432".into()])
        );
        assert_eq!(found.closed, [parse_account("BBAN:1234").unwrap()]);
        assert_eq!(changes(&before, &before), Changes::default());
    }

    #[test]
    fn a_wrong_line_refuses_the_file_and_is_named() {
        let cases = [
            ("account,name,birth_date,country\n:1234,A,,\n", "line 2: the account"),
            ("account,name,birth_date,country\nBBAN: ,A,,\n", "line 2: the account"),
            ("account,name,birth_date,country\nBBAN:1234,A,,Germany\n", "line 2: the country"),
            ("account,name,birth_date,country\nGB82WEST12345698765432,A,3.2.1980,\n", "line 2"),
            ("name,account\n", "first line"),
            ("account,name,birth_date,country\nGB00WEST12345698765432,A,,\n", "line 2"),
            ("account,name,birth_date,country\nGB82WEST12345698765432,,,\n", "line 2: the name"),
            (
                "account,name,birth_date,country\nGB82WEST12345698765432,A,,\nGB82WEST12345698765432,B,,\n",
                "line 3: the account stands twice",
            ),
        ];
        for (file, expected) in cases {
            let error = parse(file.as_bytes()).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
            for value in ["GB", "3.2.1980", "1234"] {
                assert!(!error.contains(value), "a customer's data in {error}");
            }
        }
    }
}

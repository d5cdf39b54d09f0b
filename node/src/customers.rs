//! The accounts a bank holds, from a CSV file: `account,name,birth_date,country`, one line each, first line the
//! header. An account is an IBAN, or `SCHEME:NUMBER`; birth date and country may be empty.

use std::collections::BTreeMap;

use hansa_types::country::Country;
use hansa_types::payment::Account;

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
    /// `YYYY-MM-DD`.
    pub(crate) birth_date: Option<String>,
    /// Of residence.
    pub(crate) country: Option<Country>,
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
        let account = parse_account(field(0).unwrap_or("")).map_err(refuse)?;
        let country = field(3).map(Country::try_from).transpose().map_err(|e| refuse(e.to_string()))?;
        let name = field(1).ok_or_else(|| refuse("the name is missing".into()))?.to_owned();
        let customer = Customer { name, birth_date: field(2).map(str::to_owned), country };
        if customers.insert(account.clone(), customer).is_some() {
            return Err(refuse(format!("account {account} stands twice")));
        }
    }
    Ok(customers)
}

pub(crate) fn parse_account(text: &str) -> Result<Account, String> {
    if let Some((scheme, number)) = text.split_once(':') {
        return Ok(Account::other(Some(scheme), None, number));
    }
    match Account::from_iban_text(text) {
        Account::InvalidIban(text) => {
            Err(format!("{text:?} is no valid IBAN; write another kind of account as SCHEME:NUMBER"))
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
    fn a_wrong_line_refuses_the_file_and_is_named() {
        let cases = [
            ("name,account\n", "first line"),
            ("account,name,birth_date,country\nGB00WEST12345698765432,A,,\n", "line 2"),
            ("account,name,birth_date,country\nGB82WEST12345698765432,,,\n", "line 2: the name"),
            (
                "account,name,birth_date,country\nGB82WEST12345698765432,A,,\nGB82WEST12345698765432,B,,\n",
                "line 3: account",
            ),
        ];
        for (file, expected) in cases {
            let error = parse(file.as_bytes()).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }
}

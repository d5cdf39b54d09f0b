//! The block list of frames: the accounts for which the full message would be blocked whatever else it says, as digests.

use std::collections::BTreeSet;

use hansa_screening::Screener;
use hansa_screening::watchlist::{Identifier, Measure, Watchlist};
use hansa_types::payment::Account;
use hansa_xdp::frame::{Digest, Key};

use super::said;

/// The digests of the accounts that the bank blocks and of those on its lists that freeze or reject.
///
/// A list that any scheme leaves out is left to the full message, whose scheme is known for certain; so are lists that
/// only ask for a review, and numbers on a list that are no IBAN (a passport may have an account's number).
pub(crate) fn accounts(screener: &Screener, key: &Key) -> BTreeSet<Digest> {
    let policy = screener.policy();
    let skipped: BTreeSet<&String> = policy.skip_lists.values().flatten().collect();
    let blocks = |list: &&Watchlist| list.measure != Measure::Review && !skipped.contains(&list.name);
    let entries = screener.lists().iter().filter(blocks).flat_map(|list| &list.entries);
    let listed = entries.flat_map(|entry| &entry.identifiers).filter_map(|identifier| match identifier {
        Identifier::Iban(iban) => Some(iban),
        Identifier::Bic(_) | Identifier::Lei(_) | Identifier::Other { .. } => None,
    });
    let all = policy.blocked_accounts.iter().chain(listed);
    all.filter_map(|iban| said::account(key, &Account::Iban(*iban))).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use hansa_screening::watchlist::table;
    use hansa_screening::{Policy, RiskModel, Scheme};
    use hansa_types::iban::Iban;

    use super::*;

    const KEY: Key = Key::new([7; 16]);
    const BLOCKED: &str = "DE89370400440532013000";
    const FROZEN: &str = "FR1420041010050500013M02606";
    const WATCHED: &str = "NL91ABNA0417164300";
    const SKIPPED: &str = "GB82WEST12345698765432";

    fn list(name: &str, measure: Measure, iban: &str) -> Watchlist {
        let text = format!(
            "id,kind,programmes,name,aliases,weak_aliases,birth_dates,countries,bics,leis,ibans,other_ids\n\
             1,person,P,Somebody,,,,,,,{iban},passport:{BLOCKED}\n"
        );
        table::load(name, "2026-11-20".try_into().unwrap(), measure, text.as_bytes()).unwrap()
    }

    #[test]
    fn only_accounts_that_block_the_message_in_every_scheme_are_on_it() {
        let iban = |text: &str| Iban::try_from(text).unwrap();
        let policy = Policy {
            blocked_accounts: [iban(BLOCKED)].into(),
            skip_lists: BTreeMap::from([(Scheme::SctInst, ["eu".to_owned()].into())]),
            ..Policy::default()
        };
        let lists = vec![
            list("ofac", Measure::Freeze, FROZEN),
            list("own", Measure::Review, WATCHED),
            list("eu", Measure::Freeze, SKIPPED),
        ];
        let screener = Screener::new(policy, lists, RiskModel::default_model()).unwrap();
        let digest = |text: &str| said::account(&KEY, &Account::from_iban_text(text)).unwrap();
        assert_eq!(accounts(&screener, &KEY), BTreeSet::from([digest(BLOCKED), digest(FROZEN)]));
    }
}

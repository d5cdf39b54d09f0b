//! Exact matches of the numbers and codes that a payment carries: IBAN, LEI, BIC.

use std::collections::BTreeMap;

use hansa_types::bic::Bic;
use hansa_types::iban::Iban;
use hansa_types::lei::Lei;
use hansa_types::payment::{Account, PartyRole, Payment};
use serde::Serialize;

use crate::watchlist::{Identifier, Watchlist};

/// What is looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    /// An institution, whichever its branch.
    Institution([u8; 8]),
    /// One branch.
    Branch([u8; 11]),
    Lei(Lei),
    Iban(Iban),
}

/// A listed identifier in a payment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct IdentifierHit {
    /// Who carries it.
    pub role: PartyRole,
    /// The identifier as the payment has it.
    pub identifier: String,
    /// Which list, as given to [`Identifiers::build`].
    pub list: usize,
    /// Which of its entries.
    pub entry: usize,
}

/// The identifiers of watch lists.
pub struct Identifiers {
    entries: BTreeMap<Key, Vec<(usize, usize)>>,
}

fn institution(bic: &Bic) -> Key {
    let mut code = [0; 8];
    code.copy_from_slice(bic.institution().as_bytes());
    Key::Institution(code)
}

impl Identifiers {
    /// Indexes the identifiers of `lists`. A listed BIC without branch, or of the primary office, lists the institution.
    pub fn build(lists: &[Watchlist]) -> Self {
        let mut entries: BTreeMap<Key, Vec<(usize, usize)>> = BTreeMap::new();
        for (list, watchlist) in lists.iter().enumerate() {
            for (at, entry) in watchlist.entries.iter().enumerate() {
                for identifier in &entry.identifiers {
                    let key = match identifier {
                        Identifier::Bic(bic) if bic.normalised().ends_with(b"XXX") => institution(bic),
                        Identifier::Bic(bic) => Key::Branch(bic.normalised()),
                        Identifier::Lei(lei) => Key::Lei(*lei),
                        Identifier::Iban(iban) => Key::Iban(*iban),
                        Identifier::Other { .. } => continue,
                    };
                    entries.entry(key).or_default().push((list, at));
                }
            }
        }
        Self { entries }
    }

    /// The listed identifiers that `payment` carries.
    pub fn screen(&self, payment: &Payment) -> Vec<IdentifierHit> {
        let mut hits = Vec::new();
        for (role, account) in payment.accounts() {
            if let Account::Iban(iban) = account {
                self.look(Key::Iban(*iban), role, iban, &mut hits);
            }
        }
        let parties = payment.parties().map(|(role, party)| (role, party.bic, party.lei));
        let agents = payment.agents().map(|(role, agent)| (role, agent.bic, agent.lei));
        for (role, bic, lei) in parties.chain(agents) {
            if let Some(bic) = bic {
                self.look(institution(&bic), role, &bic, &mut hits);
                self.look(Key::Branch(bic.normalised()), role, &bic, &mut hits);
            }
            if let Some(lei) = lei {
                self.look(Key::Lei(lei), role, &lei, &mut hits);
            }
        }
        hits
    }

    fn look(&self, key: Key, role: PartyRole, identifier: &impl ToString, hits: &mut Vec<IdentifierHit>) {
        for &(list, entry) in self.entries.get(&key).into_iter().flatten() {
            hits.push(IdentifierHit { role, identifier: identifier.to_string(), list, entry });
        }
    }
}

//! A reading under way: checked values of elements, and what was wrong with some.

use hansa_types::money::Money;
use hansa_types::payment::{Finding, FindingKind};

use super::error::MessageError;
use super::tree::Element;

/// What reading an element gives.
pub(super) type Read<T> = Result<T, MessageError>;

/// The text, if there is one.
pub(super) fn owned(text: Option<&str>) -> Option<String> {
    text.map(str::to_owned)
}

/// A choice between a code and a proprietary name.
pub(super) fn code(element: Element<'_, '_>, path: &str) -> Read<Option<String>> {
    let Some(choice) = element.at(path)? else { return Ok(None) };
    Ok(owned(choice.text_of(&["Cd", "Prtry"])?))
}

/// Up to three service levels may stand beside each other.
pub(super) fn service_levels(element: Element<'_, '_>) -> Read<Vec<String>> {
    let mut levels = Vec::new();
    if let Some(kind) = element.at("PmtTpInf")? {
        for level in kind.all("SvcLvl") {
            levels.extend(owned(level.text_of(&["Cd", "Prtry"])?));
        }
    }
    Ok(levels)
}

/// Every text in the elements of these names, in the order of the names.
pub(super) fn texts(element: Element<'_, '_>, names: &[&str]) -> Vec<String> {
    let mut texts = Vec::new();
    for name in names {
        element.all(name).for_each(|element| element.leaves(&mut texts));
    }
    texts
}

/// Collects what is wrong with the values of one transaction.
#[derive(Default)]
pub(super) struct Reading {
    /// What was found so far.
    pub(super) findings: Vec<Finding>,
}

impl Reading {
    /// Notes something.
    pub(super) fn found(&mut self, kind: FindingKind, path: &str, value: &str) {
        self.findings.push(Finding { kind, path: path.to_owned(), value: value.to_owned() });
    }

    /// The value at `path`; a wrong one is noted and left out.
    pub(super) fn value<T: for<'s> TryFrom<&'s str>>(
        &mut self,
        element: Element<'_, '_>,
        path: &str,
        kind: FindingKind,
    ) -> Read<Option<T>> {
        let Some(place) = element.at(path)? else { return Ok(None) };
        let Some(text) = place.own_text() else { return Ok(None) };
        let value = T::try_from(text.trim()).ok();
        if value.is_none() {
            self.found(kind, &place.path(), text);
        }
        Ok(value)
    }

    /// The value at the first of the paths that has one.
    pub(super) fn value_of<T: for<'s> TryFrom<&'s str>>(
        &mut self,
        element: Element<'_, '_>,
        paths: [&str; 2],
        kind: FindingKind,
    ) -> Read<Option<T>> {
        match self.value(element, paths[0], kind)? {
            Some(value) => Ok(Some(value)),
            None => self.value(element, paths[1], kind),
        }
    }

    /// The amount at `path` with its currency; a wrong one is noted and left out.
    pub(super) fn amount(&mut self, element: Element<'_, '_>, path: &str) -> Read<Option<Money>> {
        let Some(place) = element.at(path)? else { return Ok(None) };
        let (amount, currency) = (place.own_text().unwrap_or_default(), place.currency().unwrap_or_default());
        let money = Money::parse(amount.trim(), currency.trim()).ok();
        if money.is_none() {
            self.found(FindingKind::InvalidAmount, &place.path(), &format!("{amount} {currency}"));
        }
        Ok(money)
    }

    /// The amount that is settled, without which there is no payment to judge.
    pub(super) fn settlement_amount(&mut self, tx: Element<'_, '_>, path: &str) -> Read<Option<Money>> {
        let amount = self.amount(tx, path)?;
        if tx.at(path)?.is_none() {
            self.found(FindingKind::MissingAmount, path, "");
        }
        Ok(amount)
    }
}

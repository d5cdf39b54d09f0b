//! The lists of the Financial Action Task Force: jurisdictions under increased monitoring or a call for action.
//!
//! They change three times a year, so they are dated data.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use hansa_types::country::Country;

/// When the lists were published.
pub const DATE: &str = "2026-02";

/// On which list a country is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    /// Under increased monitoring.
    Grey,
    /// Under a call for action.
    Black,
}

static LISTS: LazyLock<BTreeMap<Country, Standing>> = LazyLock::new(|| {
    let lines = include_str!("../../data/fatf-2026-02.csv").lines().filter(|line| !line.starts_with('#'));
    let pairs = lines.filter_map(|line| line.split_once(','));
    let standing = |list| if list == "black" { Standing::Black } else { Standing::Grey };
    pairs.filter_map(|(code, list)| Some((Country::try_from(code).ok()?, standing(list)))).collect()
});

/// On which list `country` is, if on one.
pub fn standing(country: Country) -> Option<Standing> {
    LISTS.get(&country).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lists_are_read() {
        let of = |code| standing(Country::try_from(code).unwrap());
        assert_eq!((of("KP"), of("KW"), of("DE")), (Some(Standing::Black), Some(Standing::Grey), None));
        assert_eq!(LISTS.values().filter(|s| **s == Standing::Black).count(), 3);
    }
}

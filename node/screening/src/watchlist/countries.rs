//! Country names as OFAC, the United Nations and the European Union write them, to ISO 3166 codes.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use hansa_types::country::Country;

static NAMES: LazyLock<BTreeMap<&'static str, Country>> = LazyLock::new(|| {
    let lines = include_str!("../../data/countries.csv").lines().filter(|line| !line.starts_with('#'));
    let pairs = lines.filter_map(|line| line.rsplit_once(';'));
    pairs.filter_map(|(name, code)| Some((name, Country::try_from(code).ok()?))).collect()
});

/// The code of a country by its English name; none for names that are no country's.
pub(super) fn by_name(name: &str) -> Option<Country> {
    NAMES.get(name.trim()).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_of_the_table_is_read() {
        let lines =
            include_str!("../../data/countries.csv").lines().filter(|line| !line.starts_with('#')).count();
        assert_eq!(NAMES.len(), lines);
        assert_eq!(by_name("Korea, North").map(|c| c.to_string()).as_deref(), Some("KP"));
        assert_eq!(by_name("undetermined"), None);
    }
}

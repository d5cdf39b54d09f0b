//! `[screening]`: what is screened against, and how strictly.

use std::path::PathBuf;

use hansa_screening::watchlist::Measure;
use hansa_types::codec_enum;
use hansa_types::date::Date;
use serde::Deserialize;

/// `[screening]`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ScreeningConfig {
    /// The watch lists.
    pub lists: Vec<ListConfig>,
    /// The model's file; the built-in one if none is named.
    pub model: Option<PathBuf>,
    /// A model that is scored beside the one in use and decides nothing.
    pub challenger: Option<PathBuf>,
    /// Whether the rail is answered.
    pub mode: Mode,
    /// The bank's own rules.
    pub policy: hansa_screening::Policy,
}

/// Whether the rail is answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// It is.
    #[default]
    Live,
    /// Never: payments are decided and logged beside another screener, to be compared with it.
    Shadow,
}

/// One watch list.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ListConfig {
    /// What decisions call it.
    pub name: String,
    /// Its form.
    pub format: ListFormat,
    /// The publication date of the files named here, `YYYY-MM-DD`.
    pub date: Option<Date>,
    /// The main file, to begin with; what `hansa lists import` or `fetch` brings later comes before older files.
    pub path: Option<PathBuf>,
    /// OFAC's alternative names.
    pub aliases: Option<PathBuf>,
    /// OFAC's addresses.
    pub addresses: Option<PathBuf>,
    /// OFAC's remarks that overflow the main file.
    pub comments: Option<PathBuf>,
    /// What a hit on a list in Hansa's own form leads to: freeze, reject or review.
    #[serde(default = "review")]
    pub measure: Measure,
    /// Where newer versions come from.
    pub fetch: Option<FetchConfig>,
    /// After how many days without news the list is stale, and the node not ready.
    pub max_age_days: Option<u32>,
}

impl ListConfig {
    /// A list of which only the name and the form are known.
    pub fn new(name: &str, format: ListFormat) -> Self {
        Self {
            name: name.to_owned(),
            format,
            date: None,
            path: None,
            aliases: None,
            addresses: None,
            comments: None,
            measure: review(),
            fetch: None,
            max_age_days: None,
        }
    }
}

fn review() -> Measure {
    Measure::Review
}

/// `[screening.lists.fetch]`: each source is an `https://` address or the path of a file that something else brings.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FetchConfig {
    /// The main file.
    pub main: String,
    /// OFAC's alternative names.
    pub aliases: Option<String>,
    /// OFAC's addresses.
    pub addresses: Option<String>,
    /// OFAC's remarks that overflow the main file.
    pub comments: Option<String>,
    /// How often the sources are asked, in minutes.
    #[serde(default = "fetch_minutes")]
    pub every_minutes: u32,
}

fn fetch_minutes() -> u32 {
    60
}

/// In what form a list comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListFormat {
    /// OFAC's `sdn.csv`.
    OfacCsv,
    /// Hansa's own documented CSV.
    Csv,
    /// OFAC's `cons_prim.csv`, the list of others under narrower measures.
    OfacConsolidated,
    /// The United Nations' consolidated XML file.
    UnXml,
    /// The annexes of a regulation of the European Union as a table.
    EuCsv,
}
codec_enum!(ListFormat {
    OfacCsv = 1, "ofac-csv", Csv = 2, "csv", OfacConsolidated = 3, "ofac-consolidated", UnXml = 4, "un-xml",
    EuCsv = 5, "eu-csv",
});

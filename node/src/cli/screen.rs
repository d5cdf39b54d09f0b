//! `hansa screen`: what this bank would decide on messages in files, without a node and without a log.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use clap::Args;
use hansa_screening::message::parse;
use hansa_screening::{Assessment, History, Known, Screener};
use hansa_types::date::Date;
use hansa_types::decision::Verdict;
use hansa_types::id::Timestamp;
use serde::Serialize;

use super::CliError;
use super::output::{Output, table};
use crate::archive::Archive;
use crate::config::{ListConfig, ListFormat, ScreeningConfig};
use crate::load;

pub(super) const AFTER_HELP: &str = "\
Lists, model and policy are those of --config (or of hansa.toml here, if there is one), and those named here.
Nothing is logged. Payments are screened in the order of the files, each with the history of those before it.

Exit codes: 0 all CLEAR, 10 something to INVESTIGATE, 11 something to BLOCK, 12 a file was refused.

Example:
  hansa screen payment.xml --ofac sdn.csv --date 2024-05-03";

/// What to screen, against what.
#[derive(Debug, Args)]
pub struct ScreenArgs {
    /// pacs.008 messages.
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// OFAC's sdn.csv.
    #[arg(long, value_name = "FILE", requires = "date")]
    ofac: Option<PathBuf>,
    /// OFAC's alt.csv, which belongs to it.
    #[arg(long, value_name = "FILE", requires = "ofac")]
    ofac_aliases: Option<PathBuf>,
    /// A list in Hansa's own CSV form.
    #[arg(long, value_name = "FILE", requires = "date")]
    list: Option<PathBuf>,
    /// The lists' publication date, YYYY-MM-DD.
    #[arg(long, value_parser = |text: &str| Date::try_from(text).map_err(|e| e.to_string()))]
    date: Option<Date>,
    /// Print every factor and finding.
    #[arg(long)]
    explain: bool,
}

/// What became of one file.
#[derive(Serialize)]
struct Screened {
    file: PathBuf,
    #[serde(skip_serializing_if = "Option::is_none")]
    refused: Option<String>,
    payments: Vec<Assessment>,
}

pub(super) fn execute(args: &ScreenArgs, config: Option<&Path>, out: &Output) -> Result<ExitCode, CliError> {
    let (config, archive) = screening(args, config)?;
    let screener = load::loaded(&config, archive.as_ref())?.screener;
    if screener.lists().is_empty() {
        eprintln!(
            "hansa: screening against NO watch list: name one with --ofac or --list, or a configuration with some"
        );
    }
    let mut history = History::default();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |elapsed| elapsed.as_secs());
    let mut screened = Vec::with_capacity(args.files.len());
    for file in &args.files {
        let message = std::fs::read(file).map_err(|source| CliError::File { path: file.clone(), source })?;
        screened.push(screen(&screener, &mut history, file, &message, Timestamp(now)));
    }
    let code = exit_code(&screened);
    out.print(&screened, |screened| text(screened, args.explain));
    Ok(ExitCode::from(code))
}

/// The configuration's lists, model and policy, and the lists named on the command line; with the archive that has newer
/// lists.
fn screening(
    args: &ScreenArgs,
    config: Option<&Path>,
) -> Result<(ScreeningConfig, Option<Archive>), CliError> {
    let here = Path::new(super::DEFAULT_CONFIG);
    let (mut screening, archive) = match config.or_else(|| here.exists().then_some(here)) {
        Some(path) => {
            let config = super::load(path)?;
            let folder = Some(config.archive()).filter(|folder| folder.exists());
            (config.screening, folder.map(Archive::open).transpose()?)
        }
        None => (ScreeningConfig::default(), None),
    };
    let Some(date) = args.date else { return Ok((screening, archive)) };
    let list = |name: &str, format, path: &PathBuf, aliases: Option<PathBuf>| ListConfig {
        date: Some(date),
        path: Some(path.clone()),
        aliases,
        ..ListConfig::new(name, format)
    };
    let ofac =
        args.ofac.as_ref().map(|p| list("ofac-sdn", ListFormat::OfacCsv, p, args.ofac_aliases.clone()));
    let own = args.list.as_ref().map(|p| list("own", ListFormat::Csv, p, None));
    screening.lists.extend(ofac.into_iter().chain(own));
    Ok((screening, archive))
}

fn screen(
    screener: &Screener,
    history: &mut History,
    file: &Path,
    message: &[u8],
    now: Timestamp,
) -> Screened {
    let file = file.to_owned();
    let payments = match parse(message) {
        Ok(payments) => payments,
        Err(error) => return Screened { file, refused: Some(error.to_string()), payments: vec![] },
    };
    let assess = |payment| {
        let assessment = screener.assess(&payment, history, Known::default(), now);
        if assessment.decision.verdict == Verdict::Clear {
            history.observe(&screener.observation(&payment, now));
        }
        assessment
    };
    Screened { file, refused: None, payments: payments.into_iter().map(assess).collect() }
}

fn exit_code(screened: &[Screened]) -> u8 {
    if screened.iter().any(|file| file.refused.is_some()) {
        return 12;
    }
    let verdicts =
        screened.iter().flat_map(|file| &file.payments).map(|assessment| assessment.decision.verdict);
    match verdicts.max() {
        Some(Verdict::Block) => 11,
        Some(Verdict::Investigate) => 10,
        Some(Verdict::Clear) | None => 0,
    }
}

fn text(screened: &[Screened], explain: bool) -> String {
    let mut rows = Vec::new();
    for Screened { file, refused, payments } in screened {
        let name = file.file_name().unwrap_or(file.as_os_str()).to_string_lossy().into_owned();
        if let Some(reason) = refused {
            rows.push(vec![name.clone(), "REFUSED".to_owned(), String::new(), reason.clone()]);
        }
        for Assessment { decision, .. } in payments {
            let reasons: Vec<_> = decision.reasons.iter().map(ToString::to_string).collect();
            rows.push(vec![
                name.clone(),
                decision.verdict.to_string(),
                decision.score.0.to_string(),
                reasons.join(", "),
            ]);
            let shown = decision.findings.iter().filter(|finding| explain || finding.reason.is_some());
            rows.extend(
                shown.map(|finding| vec![String::new(), String::new(), String::new(), finding.text.clone()]),
            );
        }
    }
    table(&["file", "verdict", "score", "why"], &rows, "nothing")
}

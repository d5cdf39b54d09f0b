//! The ceremony on one page, for an auditor: in Markdown, or in HTML made from the same rows.

use std::fmt::Write as _;

use hansa_types::hash::Digest;

use crate::{
    charter::Source,
    place::Phase,
    transcript::{Entry, Transcript},
};

/// A page: a title, then sections.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    title: String,
    sections: Vec<Section>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Section {
    heading: &'static str,
    text: Option<String>,
    columns: &'static [&'static str],
    rows: Vec<Vec<String>>,
}

/// What the keys' files hash to, once they are made.
#[derive(Clone, Copy, Debug)]
pub struct KeyHashes {
    /// SHA-256 of verifying.key.
    pub verifying: Digest,
    /// SHA-256 of proving.key.
    pub proving: Digest,
}

impl Report {
    /// The report on a verified transcript.
    #[must_use]
    pub fn new(transcript: &Transcript, keys: Option<&KeyHashes>) -> Self {
        let charter = &transcript.charter;
        let fact = |name: &str, value: String| vec![name.to_owned(), value];
        let mut facts = vec![
            fact("Verdict", verdict(transcript)),
            fact("Charter", charter.digest().to_string()),
            fact("Circuit", format!("version {}, {}", charter.circuit_version, charter.circuit)),
            fact("Size", format!("2^{}", charter.power)),
            fact("Institutions needed", charter.institutions_needed.to_string()),
            fact("Phase 1", phase1(transcript)),
            fact("Phase 2", counted(transcript, Phase::Two)),
            fact("Beacon", beacon(transcript)),
            fact("Transcript", transcript.hash().to_string()),
        ];
        if let Some(keys) = keys {
            facts.push(fact("verifying.key", keys.verifying.to_string()));
            facts.push(fact("proving.key", keys.proving.to_string()));
        }
        let founders = charter.founders.iter().map(|(bank, founder)| {
            vec![
                bank.to_string(),
                founder.institution.clone(),
                founder.parent.to_string(),
                founder.key.to_string(),
            ]
        });
        Self {
            title: format!("Trusted-setup ceremony of {}", charter.name),
            sections: vec![
                Section { heading: "Outcome", text: None, columns: &["What", "Value"], rows: facts },
                Section {
                    heading: "Founders",
                    text: Some("All of them signed the charter.".into()),
                    columns: &["Bank", "Institution", "Ultimate parent", "Key"],
                    rows: founders.collect(),
                },
                Section {
                    heading: "Contributions",
                    text: Some(
                        "Each was checked: every element, its proofs of knowledge, and that it builds on the one before."
                            .into(),
                    ),
                    columns: &["File", "By", "SHA-256", "Attested by", "Machine", "Entropy", "Destroyed"],
                    rows: transcript.entries.iter().map(contribution).collect(),
                },
                Section {
                    heading: "What this shows",
                    text: Some(
                        "If one contributor to each phase destroyed its secrets, nobody can forge proofs under these \
                         keys. That anyone did is each contributor's word: the attestations say who vouches for it. To \
                         check this page, run hansa-genesis verify on the folder, and compare the hashes above with \
                         those the contributors read out and with the manifest."
                            .into(),
                    ),
                    columns: &[],
                    rows: Vec::new(),
                },
            ],
        }
    }

    /// As Markdown.
    #[must_use]
    pub fn markdown(&self) -> String {
        let mut out = format!("# {}\n", self.title);
        for section in &self.sections {
            let _ = write!(out, "\n## {}\n", section.heading);
            if let Some(text) = &section.text {
                let _ = write!(out, "\n{text}\n");
            }
            if !section.rows.is_empty() {
                let line = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
                let cell =
                    |text: &String| text.replace('\\', "\\\\").replace('|', "\\|").replace(['\n', '\r'], " ");
                out.push('\n');
                out += &line(section.columns.iter().map(|column| (*column).to_owned()).collect());
                out += &line(section.columns.iter().map(|_| "---".to_owned()).collect());
                for row in &section.rows {
                    out += &line(row.iter().map(cell).collect());
                }
            }
        }
        out
    }

    /// As HTML that needs nothing else.
    #[must_use]
    pub fn html(&self) -> String {
        let title = escape(&self.title);
        let mut out = format!(
            "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>{title}</title>\n<style>{STYLE}</style>\
             </head><body>\n<h1>{title}</h1>\n"
        );
        for section in &self.sections {
            let _ = writeln!(out, "<h2>{}</h2>", section.heading);
            if let Some(text) = &section.text {
                let _ = writeln!(out, "<p>{}</p>", escape(text));
            }
            if !section.rows.is_empty() {
                let row = |tag: &str, cells: &mut dyn Iterator<Item = String>| {
                    let cells: String =
                        cells.map(|cell| format!("<{tag}>{}</{tag}>", escape(&cell))).collect();
                    format!("<tr>{cells}</tr>\n")
                };
                out += "<table>\n";
                out += &row("th", &mut section.columns.iter().map(|column| (*column).to_owned()));
                for cells in &section.rows {
                    out += &row("td", &mut cells.iter().cloned());
                }
                out += "</table>\n";
            }
        }
        out + "</body></html>\n"
    }
}

const STYLE: &str = "body{font:15px/1.4 sans-serif;max-width:70em;margin:2em auto;padding:0 1em}\
table{border-collapse:collapse}td,th{border:1px solid #999;padding:.2em .5em;text-align:left;vertical-align:top;\
overflow-wrap:anywhere}th{background:#eee}@media print{body{font-size:9pt}}";

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

fn verdict(transcript: &Transcript) -> String {
    match transcript.keys() {
        Ok(_) => "complete: verified from the charter to the last contribution".into(),
        Err(error) => format!("verified as far as it goes, NOT COMPLETE: {error}"),
    }
}

fn phase1(transcript: &Transcript) -> String {
    match (&transcript.origin, transcript.charter.phase1) {
        (Some(origin), Source::Given(digest)) => format!("{} (file {digest})", origin.describe()),
        _ => counted(transcript, Phase::One),
    }
}

fn counted(transcript: &Transcript, phase: Phase) -> String {
    let contributions = transcript.phase(phase).count();
    format!("{contributions} contributions, {} institutions that attested", transcript.institutions(phase))
}

fn beacon(transcript: &Transcript) -> String {
    match &transcript.charter.beacon {
        None => "none named".into(),
        Some(beacon) => {
            let state =
                if transcript.is_closed() { "applied, signature verified" } else { "NOT APPLIED YET" };
            format!("round {} of chain {}: {state}", beacon.round, beacon.chain)
        }
    }
}

fn contribution(entry: &Entry) -> Vec<String> {
    let name = crate::transcript::contribution_name(entry.place.phase, entry.place.number);
    let mut row = vec![name, entry.place.contributor.to_string(), entry.hash.to_string()];
    match &entry.attestation {
        None => row.extend(["NOBODY: does not count".into(), String::new(), String::new(), String::new()]),
        Some(attestation) => {
            let statement = &attestation.statement;
            let destroyed =
                statement.destroyed.iter().map(|m| format!("{} (photograph {})", m.serial, m.photograph));
            row.extend([
                statement.person.clone(),
                statement.machine.clone(),
                statement.entropy.join("; "),
                destroyed.collect::<Vec<_>>().join("; "),
            ]);
        }
    }
    row
}

//! The crate graph is what `docs/architecture.md` draws and what the house allows, files and functions keep to their
//! sizes, `docs/life-of-a-payment.md` names files and items that there are, and the generated pages are up to date.

#![allow(clippy::unwrap_used, reason = "helpers of tests: a file that cannot be read fails the test")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use cargo_metadata::{DependencyKind, MetadataCommand};
use hansa_testnet::docs::{DocsArgs, run};

/// No file is longer: a cathedral is several rooms.
const MAX_LINES: usize = 500;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Who imports whom, tests apart, of our own.
fn edges() -> BTreeSet<(String, String)> {
    let metadata = MetadataCommand::new().manifest_path(root().join("Cargo.toml")).no_deps().exec().unwrap();
    let mut edges = BTreeSet::new();
    for package in &metadata.packages {
        let normal =
            package.dependencies.iter().filter(|dependency| dependency.kind == DependencyKind::Normal);
        let ours = normal.filter(|dependency| dependency.name.starts_with("hansa-"));
        edges.extend(ours.map(|dependency| (package.name.to_string(), dependency.name.clone())));
    }
    edges
}

#[test]
fn the_drawing_is_the_crate_graph() {
    let page = std::fs::read_to_string(root().join("docs/architecture.md")).unwrap();
    let drawn: BTreeSet<(String, String)> = page
        .lines()
        .filter_map(|line| line.trim().split_once(" --> "))
        .map(|(from, to)| (from.to_owned(), to.to_owned()))
        .collect();
    assert_eq!(drawn, edges(), "left: docs/architecture.md, right: cargo metadata");
}

/// The house's table of who may import what, from the bottom up.
#[test]
fn siblings_never_import_one_another() {
    let types = "hansa-types";
    let allowed: BTreeMap<&str, Vec<&str>> = BTreeMap::from([
        (types, vec![]),
        ("hansa-audit-log", vec![types]),
        ("hansa-consensus", vec![types, "hansa-audit-log"]),
        ("hansa-auditor", vec![types, "hansa-audit-log", "hansa-prover"]),
        ("hansa-prover", vec![types]),
        ("hansa-p2p", vec![types]),
        ("hansa-screening", vec![types]),
        ("hansa-keys", vec![types]),
        ("hansa-genesis", vec![types, "hansa-prover", "hansa-keys"]),
        ("hansa-api", vec![types]),
        ("hansa-xdp", vec![types, "hansa-xdp-frame"]),
    ]);
    for (from, to) in edges() {
        match allowed.get(from.as_str()) {
            Some(allowed) => assert!(allowed.contains(&to.as_str()), "{from} imports {to}"),
            None => assert!(
                ["hansa-node", "hansa-testnet"].contains(&from.as_str()),
                "{from} is no room of the house"
            ),
        }
    }
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() && !name.starts_with('.') && name != "target" {
            sources(&path, found);
        } else if name.ends_with(".rs") {
            found.push(path);
        }
    }
}

#[test]
fn every_file_says_what_it_is_for_and_is_one_room() {
    let mut files = Vec::new();
    sources(&root(), &mut files);
    assert!(files.len() > 100, "only {} files were found", files.len());
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        assert!(text.starts_with("//!"), "{} does not open with what it is for", file.display());
        let lines = text.lines().count();
        assert!(lines <= MAX_LINES, "{} has {lines} lines", file.display());
    }
}

/// What `docs/life-of-a-payment.md` abbreviates.
const SHORT: [(&str, &str); 3] =
    [("screening", "node/screening/src"), ("api", "node/api/src"), ("flows", "node/src/flows")];

/// The path that the page means: from the top, abbreviated, or a name in the folder of the path before it.
fn meant(token: &str, before: &Path) -> PathBuf {
    let Some((first, rest)) = token.split_once('/') else {
        return before.parent().map_or_else(root, Path::to_owned).join(token);
    };
    let short = SHORT.iter().find(|(name, _)| *name == first);
    short.map_or_else(|| root().join(token), |(_, folder)| root().join(folder).join(rest))
}

fn declares(text: &str, item: &str) -> bool {
    let name = item.rsplit("::").next().unwrap();
    ["fn", "struct", "enum"].iter().any(|kind| {
        text.match_indices(&format!("{kind} {name}")).any(|(at, found)| {
            !text[at + found.len()..].starts_with(|next: char| next.is_alphanumeric() || next == '_')
        })
    })
}

#[test]
fn the_life_of_a_payment_leads_through_files_that_there_are() {
    let page = std::fs::read_to_string(root().join("docs/life-of-a-payment.md")).unwrap();
    // What stands between two backticks is every second part.
    let parts: Vec<&str> = page.split('`').collect();
    let (mut last, mut paths) = (root(), 0);
    for (at, token) in parts.iter().enumerate().skip(1).step_by(2) {
        let path = token.contains('/') || token.ends_with(".rs");
        if !path || token.contains(char::is_whitespace) {
            continue;
        }
        last = meant(token, &last);
        assert!(last.exists(), "there is no {token}: {}", last.display());
        paths += 1;
        // An item is told after a colon.
        if parts[at + 1].trim() == ":"
            && let Some(item) = parts.get(at + 2)
        {
            let text = std::fs::read_to_string(&last).unwrap();
            assert!(declares(&text, item), "{token} has no {item}");
        }
    }
    assert!(paths > 50, "only {paths} paths were found");
}

#[test]
fn generated_pages_are_up_to_date() {
    run(&DocsArgs { check: true, write: false }).unwrap();
}

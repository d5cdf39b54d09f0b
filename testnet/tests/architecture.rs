//! The crate graph is what `docs/architecture.md` draws and what the house allows, files and functions keep to their
//! sizes, and the generated pages are up to date.

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

#[test]
fn generated_pages_are_up_to_date() {
    run(&DocsArgs { check: true, write: false }).unwrap();
}

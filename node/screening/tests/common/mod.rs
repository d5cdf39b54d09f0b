//! Where the shared data of the benchmarks lies.

use std::io::Write;
use std::path::PathBuf;

/// A file or folder of the shared data, by `HANSA_DATA` or beside the workspace; says so and gives none if absent.
pub(crate) fn data(test: &str, path: &str) -> Option<PathBuf> {
    let root = std::env::var_os("HANSA_DATA").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data"),
        PathBuf::from,
    );
    let found = root.join(path);
    if found.exists() {
        return Some(found);
    }
    // The harness captures `eprintln!`, and the summary of `make test` could not list what it does not see.
    let _ =
        writeln!(std::io::stderr(), "SKIPPED: {test}: {} does not exist; set HANSA_DATA", found.display());
    None
}

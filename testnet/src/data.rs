//! Real lists and messages beside the project, where there are any: `HANSA_DATA`, or `../shared/data`.

use std::io::Write;
use std::path::{Path, PathBuf};

/// The file `name` of the data folder, if it is there.
pub fn file(name: &str) -> Option<PathBuf> {
    let folder = std::env::var_os("HANSA_DATA")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data"), PathBuf::from);
    let path = folder.join(name);
    path.exists().then(|| path.canonicalize().unwrap_or(path))
}

/// Says that something was not run, and why, where a summary finds it: test harnesses capture `eprintln!`, not this.
pub fn skipped(what: &str, why: &str) {
    // Nothing depends on whether anybody reads it.
    let _ = writeln!(std::io::stderr(), "SKIPPED: {what}: {why}");
}

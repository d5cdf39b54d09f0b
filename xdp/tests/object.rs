//! The checked-in objects are those of the checked-in sources: whoever changes these runs `make ebpf`.

use std::fs;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

/// What the objects depend on, as `xdp/ebpf/build` lists it.
const SOURCES: [&str; 6] =
    ["ebpf/Cargo.lock", "ebpf/Cargo.toml", "ebpf/build", "ebpf/src", "frame/Cargo.toml", "frame/src"];

fn files(path: PathBuf, found: &mut Vec<PathBuf>) {
    if path.is_file() {
        found.push(path);
        return;
    }
    for entry in fs::read_dir(&path).expect("the sources are there") {
        files(entry.expect("readable").path(), found);
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn the_objects_are_those_of_the_sources() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    SOURCES.iter().for_each(|source| files(root.join(source), &mut found));
    let relative = |path: &PathBuf| path.strip_prefix(root).expect("within").display().to_string();
    found.sort_by_key(relative);
    let lines: String = found
        .iter()
        .map(|path| {
            format!("{}  {}\n", hex(&Sha256::digest(fs::read(path).expect("readable"))), relative(path))
        })
        .collect();
    let hash = hex(&Sha256::digest(lines));
    let stored = hansa_xdp::SOURCES_HASH.trim();
    assert_eq!(hash, stored, "the kernel program's sources changed without its objects: run `make ebpf`");
}

//! The system's tools that faults are made with, and a private place for mounts and networks.
//!
//! A campaign that mounts file systems or makes networks runs in namespaces of its own: they go with its last process,
//! however it ends, and nobody else sees them.

use std::ffi::OsStr;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

use super::group::{Failure, io_failure};

/// Says to the process in the namespaces that it is there.
const SECLUDED: &str = "HANSA_FAULT_SECLUDED";

/// Runs a tool to its end and returns what it printed.
pub(super) fn tool<S: AsRef<OsStr>>(
    name: &str,
    arguments: impl IntoIterator<Item = S>,
) -> Result<String, Failure> {
    let mut command = Command::new(name);
    command.args(arguments).stdin(Stdio::null());
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let line = words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ");
    let output = command.output().map_err(io_failure(&line))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = format!("{} ({})", String::from_utf8_lossy(&output.stderr).trim(), output.status);
    Err(Failure::Tool { command: line, said })
}

/// What is missing of these programs, with the Debian packages that have them.
pub(super) fn missing_programs(programs: &[(&str, &str)]) -> Option<String> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders: Vec<_> = std::env::split_paths(&path).collect();
    let missing = programs.iter().find(|(name, _)| !folders.iter().any(|folder| folder.join(name).is_file()));
    missing.map(|(name, package)| format!("{name} is not installed (Debian: {package})"))
}

/// Goes on in a new process that has its own mounts, and its own network if wished; says why not if it cannot.
pub(super) fn seclude(network: bool) -> Option<String> {
    if std::env::var_os(SECLUDED).is_some() {
        return None;
    }
    // The owner of a process is its effective user.
    if std::fs::metadata("/proc/self").map_or(1, |own| own.uid()) != 0 {
        return Some("it needs root".to_owned());
    }
    let mut options = vec!["--mount", "--propagation", "private"];
    if network {
        options.push("--net");
    }
    if let Err(error) = tool("unshare", options.iter().copied().chain(["true"])) {
        return Some(format!("no namespaces here: {error}"));
    }
    let own = match std::env::current_exe() {
        Ok(own) => own,
        Err(error) => return Some(error.to_string()),
    };
    let error = Command::new("unshare")
        .args(options)
        .arg(own)
        .args(std::env::args_os().skip(1))
        .env(SECLUDED, "1")
        .exec();
    Some(format!("unshare: {error}"))
}

/// A path as tools are told it.
pub(super) fn text(path: &Path) -> String {
    path.display().to_string()
}

/// Removes a folder with everything in it, if it is there.
pub(super) fn clear(dir: &Path) -> Result<(), Failure> {
    match std::fs::remove_dir_all(dir) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(io_failure(dir.display())(error)),
        _ => Ok(()),
    }
}

/// Removes everything in a folder, which may be a mount.
pub(super) fn empty(dir: &Path) -> Result<(), Failure> {
    for entry in std::fs::read_dir(dir).map_err(io_failure(dir.display()))? {
        let path = entry.map_err(io_failure(dir.display()))?.path();
        let removed =
            if path.is_dir() { std::fs::remove_dir_all(&path) } else { std::fs::remove_file(&path) };
        removed.map_err(io_failure(path.display()))?;
    }
    Ok(())
}

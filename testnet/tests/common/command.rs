//! The programs, run to their ends.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Command, Stdio};

use hansa_testnet::process::program;

/// How a program ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// Runs a program to its end, whatever that is.
pub(crate) fn run(name: &str, arguments: &[&str]) -> Ended {
    let output = Command::new(program(name).unwrap()).args(arguments).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let code = output.status.code().unwrap_or_else(|| panic!("{name} {arguments:?}: {}", output.status));
    Ended { code, stdout: text(&output.stdout), stderr: text(&output.stderr) }
}

/// Starts a node that should refuse to start; returns what it says on standard error.
pub(crate) fn refused_start(config: &Path, arguments: &[&str], environment: &[(&str, &str)]) -> String {
    let mut child = Command::new(program("hansa").unwrap())
        .arg("--config")
        .arg(config)
        .arg("run")
        .args(arguments)
        .envs(environment.iter().copied())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let events = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    let ready = events.into_iter().find(|line| line.contains("\"event\":\"ready\""));
    if ready.is_some() {
        child.kill().unwrap();
    }
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    let status = child.wait().unwrap();
    assert!(ready.is_none(), "the node started; it said: {said}");
    assert_eq!(status.code(), Some(1), "{said}");
    assert!(!said.contains("panicked"), "{said}");
    said
}

/// What a started node refuses with must hold each of `wanted`.
#[track_caller]
pub(crate) fn says(said: &str, wanted: &[&str]) {
    for text in wanted {
        assert!(said.contains(text), "{text:?} is missing in: {said}");
    }
}

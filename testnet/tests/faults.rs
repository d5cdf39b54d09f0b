//! CI's share of the fault campaigns; what this machine cannot do says SKIPPED and why.

use std::io::Write;

mod common;

use common::command::run;

const VERBS: [&str; 8] =
    ["kill", "power-cut", "pause", "partition", "full-disk", "bit-flip", "clock-offset", "rebuild"];

#[test]
fn nothing_acknowledged_is_lost_or_doubled_whatever_happens_to_a_replica() {
    let dir = tempfile::tempdir().unwrap();
    let ended =
        run("hansa-testnet", &["fault", "all", "--share", "ci", "--dir", dir.path().to_str().unwrap()]);
    assert_eq!(ended.code, 0, "{ended:?}");
    for verb in VERBS {
        let skipped = format!("SKIPPED: fault {verb}: ");
        match ended.stdout.lines().find(|line| line.starts_with(&skipped)) {
            // Not through the test's own output, which is kept back when a test passes.
            Some(line) => writeln!(std::io::stderr(), "{line}").unwrap(),
            None => {
                let passed = ended.stdout.lines().any(|line| {
                    line.starts_with(&format!("{verb}: ")) && line.contains(" passed, 0 lost, 0 doubled")
                });
                assert!(passed, "{verb}: {ended:?}");
            }
        }
    }
}

//! A node that screens frames in the driver, over a cable between network namespaces.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests: what fails here fails the test")]

mod common;

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Output, Stdio};

use common::message::{HARMLESS, OTHER, Transfer, message, to_b};
use common::{A, Group};
use hansa_node::events::Event;
use hansa_testnet::cable::{Cable, GATEWAY, INTERFACE, NETWORK, NODE};
use hansa_testnet::data::skipped;
use hansa_testnet::process::program;

const TEST: &str = "frames_are_screened_in_the_driver_of_a_running_node";
/// Above the limit that the consortium's configuration sets for frames.
const TOO_MUCH: &str = "50000.01";

/// Killed when it goes, if it still runs.
struct Running(Child);

impl Running {
    fn start(command: &mut Command) -> Self {
        Self(command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap())
    }

    /// The first line that `find` finds something in.
    fn hear<T>(&mut self, mut find: impl FnMut(&str) -> Option<T>) -> T {
        let mut lines = BufReader::new(self.0.stdout.as_mut().unwrap()).lines().map_while(Result::ok);
        lines.find_map(|line| find(&line)).expect("it said so before it ended")
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn hansa(mut within: Command, arguments: &[&str]) -> Output {
    within.arg(program("hansa").unwrap()).args(arguments).output().unwrap()
}

#[test]
fn frames_are_screened_in_the_driver_of_a_running_node() {
    let cable = match Cable::new() {
        Ok(cable) => cable,
        Err(error) => return skipped(TEST, &error.to_string()),
    };
    let group = Group::create();
    let (bank, file) = (group.bank(A), group.folder.path().join("message.xml"));
    let port = bank.frame_port;
    let config = std::fs::read_to_string(bank.config()).unwrap();
    let config = config.replace(&format!("127.0.0.1:{port}"), &format!("{NODE}:{port}"));
    let allow = format!("allow = [\"{NETWORK}\"]\ninterface = \"{INTERFACE}\"");
    std::fs::write(bank.config(), config.replace("allow = [\"127.0.0.0/8\"]", &allow)).unwrap();
    let config = bank.config().display().to_string();

    let mut run = cable.at_node();
    run.arg(program("hansa").unwrap()).args(["--config", &config, "run", "--development"]);
    let mut node = Running::start(&mut run);
    let mut path = None;
    node.hear(|line| match serde_json::from_str(line).ok()? {
        Event::FramesListening { path: said, .. } => {
            path = Some(said);
            None
        }
        Event::Ready { .. } => Some(()),
        _ => None,
    });
    let path = path.unwrap();
    if let Some(why) = path.strip_prefix("on the socket alone: ") {
        return skipped(TEST, why);
    }
    assert_eq!(path, format!("in the driver of {INTERFACE} (native)"));
    // A cable brings a driver's answers back only to an end that has a driver too.
    let mut end = cable.at_gateway();
    end.arg(program("hansa-testnet").unwrap()).args(["bench", "--xdp-child", "gateway:0"]);
    let mut end = Running::start(&mut end);
    end.hear(|line| line.starts_with("ready").then_some(()));

    let send = |transfer: &Transfer| {
        std::fs::write(&file, message(std::slice::from_ref(transfer))).unwrap();
        let (file, to) = (file.display().to_string(), format!("{NODE}:{port}"));
        let sent = ["--config", &config, "frame", "send", &file, "--to", &to, "--wait-ms", "20000"];
        let output = hansa(cable.at_gateway(), &sent);
        (output.status.code(), String::from_utf8(output.stdout).unwrap())
    };
    let (code, said) = send(&to_b(1, HARMLESS, OTHER));
    assert!(code == Some(0) && said.contains("PRE-SCREENED"), "{code:?} {said}");
    let (code, said) = send(&to_b(2, TOO_MUCH, OTHER));
    assert!(code == Some(11) && said.contains("amount-limit"), "{code:?} {said}");
    let find = ["--config", &config, "audit", "find", "--class", "frame-block"];
    let found = String::from_utf8(hansa(cable.at_node(), &find).stdout).unwrap();
    assert_eq!(found.matches("frame-block").count(), 1, "a BLOCK of the driver's is in the log: {found}");
    assert!(cable.interface_at_node().unwrap().contains("xdp"));

    // Killed, it leaves nothing behind: `Running` sends SIGKILL.
    drop(node);
    assert!(!cable.interface_at_node().unwrap().contains("xdp"), "{GATEWAY} is still judged");
}

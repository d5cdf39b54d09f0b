//! Step 7: bank A's payment gateway asks with frames before it sends messages, and is answered in the driver where this
//! machine lets the demo attach one.

use std::path::Path;
use std::process::Command;

use hansa_api::model::{FrameCounters, FramePath, FramesView};
use hansa_types::decision::{Reason, Verdict};
use rand::rngs::OsRng;
use serde::Deserialize;

use super::messages::{EXIT, VICTIM, pacs008, uetr};
use super::{DemoError, Sabotage, Stage, expect};
use crate::cable::{Cable, CableError, NODE};
use crate::consortium::Bank;
use crate::consortium::frames::{ABOVE_LIMIT, on_cable, without_limit};
use crate::process::{ProcessError, hansa, program};

/// Ordinary amounts, in euro, and one above the limit.
const AMOUNTS: [&str; 6] = ["12.40", "230.00", ABOVE_LIMIT, "75.20", "1999.99", "4.00"];
/// Reasons of the two verdicts.
const NOTHING: &str = "nothing-found";
const LIMIT: &str = "amount-limit";
/// Exit codes of `hansa frame send` that are verdicts: all PRE-SCREENED, or something to BLOCK.
const VERDICTS: [i32; 2] = [0, 11];

/// What `hansa frame send` says of a payment.
#[derive(Debug, Deserialize)]
struct Said {
    uetr: String,
    verdict: Option<String>,
    reason: Option<String>,
}

/// A cable between network namespaces, this process at the node's end, so that the machine's own interfaces are left
/// alone. Call it before anything is started.
pub(super) fn lay_cable() -> Result<Cable, CableError> {
    let mut cable = Cable::new()?;
    cable.bring_answers()?;
    cable.enter_node()?;
    Ok(cable)
}

/// Has bank A take frames in over the cable.
pub(super) fn configure(stage: &Stage) -> Result<(), DemoError> {
    let bank = &stage.consortium.banks[0];
    let path = bank.config();
    let file = |source| DemoError::File { path: path.clone(), source };
    let mut config = std::fs::read_to_string(&path).map_err(file)?;
    if stage.cable.is_ok() {
        config = on_cable(&config, bank);
    }
    if stage.sabotage == Some(Sabotage::Limit) {
        config = without_limit(&config);
    }
    std::fs::write(&path, config).map_err(file)
}

/// Plays the step.
pub(super) fn play(stage: &mut Stage) -> Result<(), DemoError> {
    stage.story.step("Bank A's payment gateway asks with frames of 128 bytes before it sends its messages");
    let [from, _, to] = &stage.consortium.banks;
    let client = stage.nodes[0].client()?;
    let (mut blocked, mut passed) = (0_u64, 0_u64);
    for amount in AMOUNTS {
        let uetr = uetr(&mut OsRng);
        let message = pacs008(&uetr, amount, (VICTIM, from), (EXIT, to));
        let file = from.folder.join("frame.xml");
        std::fs::write(&file, &message).map_err(|source| DemoError::File { path: file.clone(), source })?;
        let said = ask(stage, from, &file)?;
        let is_above = amount == ABOVE_LIMIT;
        let (wanted, why) = if is_above { ("BLOCK", LIMIT) } else { ("PRE-SCREENED", NOTHING) };
        let is_said = said.verdict.as_deref() == Some(wanted) && said.reason.as_deref() == Some(why);
        expect(said.uetr == uetr && is_said, || {
            format!(
                "the frame of a payment of EUR {amount} should be answered {wanted}, and was answered {said:?}"
            )
        })?;
        let submission = client.submit(message.as_bytes(), true)?;
        let bound = submission.payments.iter().all(|answer| {
            let reasons = answer.internal.as_ref().map(|internal| internal.reasons.as_slice());
            let is_bound = reasons.unwrap_or_default().contains(&Reason::FrameBlock);
            is_bound == is_above && (!is_above || answer.verdict == Some(Verdict::Block))
        });
        expect(bound && !submission.payments.is_empty(), || {
            format!(
                "the message of EUR {amount} should be bound by its frame's verdict {wanted}: {submission:?}"
            )
        })?;
        *(if is_above { &mut blocked } else { &mut passed }) += 1;
    }
    let counted = counted(from)?;
    expect(counted == [passed, blocked], || {
        format!("{passed} frames passed and {blocked} were blocked, and the node counted {counted:?}")
    })?;
    let place = path(stage)?;
    stage
        .story
        .tell(format!("{place}: {passed} frames PRE-SCREENED, {blocked} BLOCK above the limit of a payment"));
    stage.story.tell("the message of the blocked one, sent all the same, is a BLOCK too: its frame binds it");
    Ok(())
}

/// What the gateway hears.
fn ask(stage: &Stage, bank: &Bank, file: &Path) -> Result<Said, DemoError> {
    let hansa = program("hansa")?;
    let (mut command, host) = match &stage.cable {
        Ok(cable) => {
            let mut command = cable.at_gateway();
            command.arg(hansa);
            (command, NODE.to_string())
        }
        Err(_) => (Command::new(hansa), "127.0.0.1".to_owned()),
    };
    let to = format!("{host}:{}", bank.frame_port);
    command.arg("--config").arg(bank.config()).args(["--json", "frame", "send"]).arg(file);
    command.args(["--wait-ms", "20000", "--to", &to]);
    let name = "hansa frame send".to_owned();
    let output = command.output().map_err(|source| ProcessError::Io { what: name.clone(), source })?;
    if !output.status.code().is_some_and(|code| VERDICTS.contains(&code)) {
        let stderr = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        return Err(ProcessError::Refused { command: name, status: output.status, stderr }.into());
    }
    let said: Vec<Said> = serde_json::from_slice(&output.stdout)
        .map_err(|source| ProcessError::Json { command: name, source })?;
    said.into_iter().next().ok_or_else(|| DemoError::Observed("the gateway heard of no payment".into()))
}

/// How many frames bank A's node let pass and blocked for their amount, wherever it did.
fn counted(bank: &Bank) -> Result<[u64; 2], DemoError> {
    let FrameCounters { counters } = hansa(bank, &["xdp", "counters", "--all"])?;
    let count = |name: &str| {
        let named = counters.iter().filter(|counter| counter.name == name);
        named.map(|counter| counter.driver + counter.socket).sum()
    };
    Ok([NOTHING, LIMIT].map(count))
}

/// Where bank A's frames are screened, as its node says.
pub(super) fn path(stage: &Stage) -> Result<String, DemoError> {
    let view: FramesView = hansa(&stage.consortium.banks[0], &["xdp", "status"])?;
    Ok(match (view.path, view.program, &stage.cable) {
        (FramePath::Driver, Some(program), _) => {
            format!("in the driver of {} ({})", view.interface.unwrap_or_default(), program.mode)
        }
        (_, _, Ok(_)) => format!("on the socket ({})", view.why_socket.unwrap_or_default()),
        (_, _, Err(why)) => format!("on the socket ({why})"),
    })
}

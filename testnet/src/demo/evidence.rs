//! Step 7: evidence from both sides of the signal, checked offline from manifest and bundle alone.

use std::path::Path;

use hansa_types::uetr::Uetr;

use super::{Cast, DemoError, Sabotage, Stage, expect, flip_byte};
use crate::consortium::Bank;
use crate::process::{hansa, run};

/// Plays the step.
pub(super) fn play(stage: &mut Stage, cast: &Cast) -> Result<(), DemoError> {
    stage.story.step("Evidence is exported on both sides and checked offline by hansa-audit");
    let banks = stage.consortium.banks.clone();
    let a = export(&banks[0], cast.paid)?;
    let b = export(&banks[1], cast.held)?;
    if stage.sabotage == Some(Sabotage::Evidence) {
        flip_byte(&a)?;
    }
    let manifest = stage.consortium.manifest();
    let shown = [
        (&a, ["decision CLEAR", "the proof holds; signal-sent", "opens to the decision"].as_slice()),
        (&b, ["decision INVESTIGATE", "the proof holds; signal-received", "yields the tag"].as_slice()),
    ];
    for (file, wanted) in shown {
        let report = verify(file, &manifest)?;
        for text in wanted {
            expect(report.contains(text), || format!("the report should show {text:?}:\n{report}"))?;
        }
        report.lines().for_each(|line| stage.story.tell(line));
    }
    flip_byte(&a)?;
    let Err(refused) = verify(&a, &manifest) else {
        return Err(DemoError::Observed("a bundle with one byte changed was accepted".into()));
    };
    let refused = refused.to_string();
    let reason = refused.split_once("REFUSED: ").map(|(_, reason)| reason.trim().to_owned());
    let reason = reason.ok_or_else(|| DemoError::Observed(format!("no reason was given: {refused}")))?;
    stage.story.tell(format!("one byte changed: refused: {reason}"));
    Ok(())
}

fn export(bank: &Bank, payment: Uetr) -> Result<std::path::PathBuf, DemoError> {
    let file = bank.folder.join("payment.evidence");
    let out = file.display().to_string();
    let _: serde_json::Value = hansa(bank, &["audit", "export", &payment.to_string(), "--out", &out])?;
    Ok(file)
}

fn verify(file: &Path, manifest: &Path) -> Result<String, crate::process::ProcessError> {
    run(
        "hansa-audit",
        &["verify", &file.display().to_string(), "--manifest", &manifest.display().to_string()],
    )
}

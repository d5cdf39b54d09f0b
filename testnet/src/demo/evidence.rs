//! Step 9: evidence from both sides of the signal, checked offline from manifest and bundle alone.

use std::path::Path;

use hansa_audit_log::evidence::{AttachmentKind, Evidence};
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
    let (signal, paid, held) = (cast.signal, cast.paid, cast.held);
    let proved = format!("{signal} (low, mule-account)");
    let tagged = format!("yields the tag of signal {signal}");
    let committed = format!("signal {signal} commits to the decision on {paid}");
    let shown = [
        (&a, vec![format!("decision CLEAR on payment {paid}"), proved.clone(), committed, tagged.clone()]),
        (&b, vec![format!("decision INVESTIGATE on payment {held}"), proved, tagged]),
    ];
    for (file, wanted) in shown {
        let report = verify(file, &manifest)?;
        for text in wanted {
            expect(report.contains(&text), || format!("the report should show {text:?}:\n{report}"))?;
        }
        report.lines().for_each(|line| stage.story.tell(line));
    }
    let without = without_transcript(&a)?;
    flip_byte(&a)?;
    for (file, what) in [(&a, "one byte changed"), (&without, "the tag's transcript left out")] {
        stage.story.tell(format!("{what}: refused: {}", refusal(file, &manifest)?));
    }
    Ok(())
}

/// The same bundle, sealed again without what shows whom the signal is about.
fn without_transcript(file: &Path) -> Result<std::path::PathBuf, DemoError> {
    let io = |source| DemoError::File { path: file.to_owned(), source };
    let bytes = std::fs::read(file).map_err(io)?;
    let whole = Evidence::from_file(&bytes).map_err(|error| DemoError::Observed(error.to_string()))?;
    let mut kept = whole.attachments;
    kept.retain(|attachment| attachment.kind != AttachmentKind::TagTranscript);
    let path = file.with_extension("without-transcript");
    std::fs::write(&path, Evidence::new(whole.checkpoint, whole.records, kept).to_file()).map_err(io)?;
    Ok(path)
}

/// Why `hansa-audit` refuses the bundle; that it does not is an error.
fn refusal(file: &Path, manifest: &Path) -> Result<String, DemoError> {
    let Err(refused) = verify(file, manifest) else {
        return Err(DemoError::Observed(format!("{} was accepted", file.display())));
    };
    let refused = refused.to_string();
    let reason = refused.split_once("REFUSED: ").map(|(_, reason)| reason.trim().to_owned());
    reason.ok_or_else(|| DemoError::Observed(format!("no reason was given: {refused}")))
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

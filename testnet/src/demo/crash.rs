//! Step 8: a node is killed while payments are under way; what was acknowledged is in the log, once.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Sender, channel};

use hansa_api::Client;
use hansa_api::model::AnswerStatus;
use hansa_types::record::RecordClass;
use hansa_types::uetr::Uetr;
use rand::rngs::OsRng;

use super::messages::{EXIT, VICTIM, pacs008, uetr};
use super::{DemoError, Sabotage, Stage, expect};
use crate::process::{NodeProcess, client};

/// Whose node is killed: bank C's, by its place.
const BANK: usize = 2;
/// How many clients send at once.
const CLIENTS: usize = 4;
/// The node is killed after so many answers.
const ANSWERS: usize = 60;

/// A payment that was sent, and whether its answer came.
struct Sent {
    uetr: Uetr,
    message: String,
    acknowledged: bool,
}

/// Plays the step.
pub(super) fn play(stage: &mut Stage) -> Result<(), DemoError> {
    stage.story.step("Bank C's node is killed (SIGKILL) while payments are under way, and started again");
    let bank = stage.consortium.banks[BANK].clone();
    let answers = Arc::new(AtomicUsize::new(0));
    let (sender, sent) = channel();
    let (enough, killed) = channel();
    let clients: Vec<_> = (0..CLIENTS)
        .map(|_| {
            let client = client(&bank)?;
            let (answers, sender, enough, banks) =
                (answers.clone(), sender.clone(), enough.clone(), stage.consortium.banks.clone());
            Ok(std::thread::spawn(move || send_until_it_dies(&client, &banks, &answers, &sender, &enough)))
        })
        .collect::<Result<_, DemoError>>()?;
    drop(sender);
    killed.recv().map_err(|_| DemoError::Observed("no payment was answered before the kill".into()))?;
    stage.nodes.remove(BANK).kill()?;
    for client in clients {
        client.join().map_err(|_| DemoError::Observed("a client panicked".into()))?;
    }
    let sent: Vec<Sent> = sent.into_iter().collect();
    let acknowledged = sent.iter().filter(|payment| payment.acknowledged).count();
    stage.story.tell(format!(
        "{acknowledged} payments acknowledged, {} under way when it died",
        sent.len() - acknowledged
    ));

    if stage.sabotage == Some(Sabotage::Database) {
        let path = bank.folder.join("data");
        std::fs::remove_dir_all(&path).map_err(|source| DemoError::File { path, source })?;
    }
    let mut node = NodeProcess::start(&bank, &["--development"])?;
    node.ready()?;
    node.joined(2)?;
    stage.nodes.insert(BANK, node);
    compare(&client(&bank)?, &sent)?;
    stage
        .story
        .tell("every acknowledged payment is in the log exactly once; every other one can be sent again");
    Ok(())
}

/// Sends payments one after the other until the node is gone.
fn send_until_it_dies(
    client: &Client,
    banks: &[crate::consortium::Bank; 3],
    answers: &AtomicUsize,
    sent: &Sender<Sent>,
    enough: &Sender<()>,
) {
    loop {
        let id = uetr(&mut OsRng);
        let message = pacs008(&id, "12.50", (VICTIM, &banks[0]), (EXIT, &banks[2]));
        let acknowledged = client.submit(message.as_bytes(), false).is_ok();
        let uetr = Uetr::try_from(id.as_str()).expect("the demo makes valid UETRs");
        if sent.send(Sent { uetr, message, acknowledged }).is_err() || !acknowledged {
            return;
        }
        if answers.fetch_add(1, Ordering::Relaxed) + 1 >= ANSWERS {
            // The receiver takes the first and is gone; the others are not needed.
            let _ = enough.send(());
        }
    }
}

/// What was acknowledged is there once; what was not is there at most once, and is after it is sent again.
fn compare(client: &Client, sent: &[Sent]) -> Result<(), DemoError> {
    for Sent { uetr, message, acknowledged } in sent {
        let answer = client.submit(message.as_bytes(), false)?;
        let status = answer.payments.first().map(|payment| payment.status);
        expect(!acknowledged || status == Some(AnswerStatus::Repeated), || {
            format!("payment {uetr} was acknowledged before the kill and is not in the log: {status:?}")
        })?;
        let entries = client.history(*uetr, None)?;
        let decisions = entries.iter().filter(|entry| entry.class == RecordClass::Decision).count();
        expect(decisions == 1, || format!("payment {uetr} has {decisions} decisions in the log"))?;
    }
    Ok(())
}

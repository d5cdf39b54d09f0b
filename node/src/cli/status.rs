//! `hansa status`.

use std::process::ExitCode;

use hansa_api::Client;
use hansa_api::model::{RaftView, Status};

use super::CliError;
use super::output::Output;

pub(super) fn execute(client: &Client, out: &Output) -> Result<ExitCode, CliError> {
    out.print(&client.status()?, text);
    Ok(ExitCode::SUCCESS)
}

fn text(status: &Status) -> String {
    let connected = status.peers.iter().filter(|peer| peer.connected).count();
    let payments: Vec<_> = status
        .counters
        .payments
        .verdicts
        .iter()
        .map(|(verdict, count)| format!("{count} {verdict}"))
        .collect();
    let cases: Vec<_> =
        status.counters.cases.iter().map(|(state, count)| format!("{count} {state}")).collect();
    let signals = &status.counters.signals;
    let or_none = |list: Vec<String>| if list.is_empty() { "none".to_owned() } else { list.join(", ") };
    let mut lines = vec![
        format!("{} in {} ({})", status.bank, status.consortium.name, status.consortium.id),
        format!("epoch       {}", status.epoch.map_or("not begun".to_owned(), |epoch| epoch.to_string())),
        format!("replicas    {}", replicas(&status.raft)),
        match (status.raft.leads, status.raft.leader) {
            (true, _) => format!("peers       {connected} of {} connected", status.peers.len()),
            (false, Some(leader)) => format!("peers       replica {leader} speaks with them"),
            (false, None) => "peers       nobody speaks with them: no replica leads".to_owned(),
        },
        format!("log         {} entries, {} published", status.log.size, status.log.checkpoint_size),
        format!("payments    {}, {} duplicates", or_none(payments), status.counters.payments.duplicates),
        format!("cases       {}", or_none(cases)),
        format!(
            "signals     {} sent, {} verified, {} matched, {} retracted",
            signals.sent, signals.verified, signals.matched, signals.retracted
        ),
    ];
    if status.consortium.development {
        lines.push("DEVELOPMENT keys: whoever made them can forge proofs".to_owned());
    }
    lines.extend(status.anonymity.note.clone());
    lines.join("\n")
}

fn replicas(raft: &RaftView) -> String {
    let role = match (raft.leads, raft.leader) {
        (true, _) => "leads".to_owned(),
        (false, Some(leader)) => format!("follows replica {leader}"),
        (false, None) => "knows no leader".to_owned(),
    };
    let quorum = if raft.quorum { "" } else { ", NO QUORUM: nothing can be committed" };
    format!("replica {} of {} {role} in term {}{quorum}", raft.replica, raft.replicas.len().max(1), raft.term)
}

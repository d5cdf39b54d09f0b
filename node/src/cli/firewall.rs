//! `hansa firewall`: who may send frames, and who reaches the peers' port.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use hansa_api::Client;
use hansa_api::model::{FirewallAction, FirewallRequest, FirewallRule, FirewallView, Traffic};
use hansa_types::id::Actor;

use super::CliError;
use super::output::{Output, table};

/// What can be said of networks, on the replica that is asked. It goes before the configuration and outlives a restart.
#[derive(Debug, Subcommand)]
pub enum FirewallCommand {
    /// Let a network send.
    #[command(
        after_help = "Example:\n  hansa firewall allow 192.0.2.0/24 --reason 'second gateway' --actor ops.a"
    )]
    Allow(RuleArgs),
    /// Forbid a network to send, within one that may. The narrowest network around an address decides.
    #[command(
        after_help = "Example:\n  hansa firewall deny 192.0.2.7 --reason 'sends rubbish' --actor ops.a"
    )]
    Deny(RuleArgs),
    /// Take back what allow or deny said: the configuration decides again.
    #[command(after_help = "Example:\n  hansa firewall forget 192.0.2.7 --reason 'repaired' --actor ops.a")]
    Forget(RuleArgs),
    /// What is said of each network, and by whom.
    #[command(after_help = "Example:\n  hansa firewall list")]
    List,
}

/// What is said of a network.
#[derive(Debug, Args)]
pub struct RuleArgs {
    /// The network, as ADDRESS or ADDRESS/BITS.
    network: String,
    /// It is about the other members' nodes and the peers' port, not about gateways and frames.
    #[arg(long)]
    peers: bool,
    /// Why.
    #[arg(long)]
    reason: String,
    /// The operator's login.
    #[arg(long)]
    actor: Actor,
}

pub(super) fn execute(command: FirewallCommand, client: &Client, out: &Output) -> Result<ExitCode, CliError> {
    let view = match command {
        FirewallCommand::Allow(args) => change(client, FirewallAction::Allow, args)?,
        FirewallCommand::Deny(args) => change(client, FirewallAction::Deny, args)?,
        FirewallCommand::Forget(args) => change(client, FirewallAction::Forget, args)?,
        FirewallCommand::List => client.firewall()?,
    };
    out.print(&view, list);
    Ok(ExitCode::SUCCESS)
}

fn change(client: &Client, action: FirewallAction, args: RuleArgs) -> Result<FirewallView, CliError> {
    let RuleArgs { network, peers, reason, actor } = args;
    let traffic = if peers { Traffic::Peers } else { Traffic::Frames };
    Ok(client.change_firewall(&FirewallRequest { traffic, network, action, reason, actor })?)
}

fn list(view: &FirewallView) -> String {
    let row = |rule: &FirewallRule| {
        let traffic = match rule.traffic {
            Traffic::Frames => "frames",
            Traffic::Peers => "peers",
        };
        let said = if rule.allowed { "may send" } else { "may not" };
        let by = rule.by.as_ref().map_or_else(
            || "the configuration".to_owned(),
            |by| format!("{} on {}: {}", by.actor, by.at, by.reason),
        );
        vec![traffic.to_owned(), rule.network.clone(), said.to_owned(), by]
    };
    let rows: Vec<_> = view.rules.iter().map(row).collect();
    table(&["traffic", "network", "", "by"], &rows, "nobody may send")
}

//! `hansa cluster`: a bank's own replicas.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use hansa_api::Client;
use hansa_api::model::{ClusterAction, ClusterRequest, ClusterView, ReplicaView};
use hansa_keys::pki;
use hansa_types::country::Country;
use hansa_types::id::Actor;

use super::CliError;
use super::output::{Output, table};
use crate::node::now;

/// What can be done with the group.
#[derive(Debug, Subcommand)]
pub enum ClusterCommand {
    /// Every replica: where it stands, who leads, what it lacks.
    #[command(after_help = "Example:\n  hansa cluster status")]
    Status,
    /// Take a replica in that runs and waits for it. An even number of replicas gains nothing: a second one learns until
    /// a third joins.
    #[command(
        after_help = "Example:\n  hansa cluster join --id 4 --address 10.0.4.1:4500 --zone d --jurisdiction DE --actor ops.a"
    )]
    Join(JoinArgs),
    /// Let a replica go, dead or alive. It may come back with an empty data folder only.
    #[command(after_help = "Example:\n  hansa cluster leave --id 3 --actor ops.a")]
    Leave {
        /// Its number.
        #[arg(long)]
        id: u64,
        /// The operator's login.
        #[arg(long)]
        actor: Actor,
    },
    /// Hand leadership over. If that fails the present leader goes on.
    #[command(after_help = "Example:\n  hansa cluster transfer --to 2 --actor ops.a")]
    Transfer {
        /// To whom; to the replica that has most if nobody is named.
        #[arg(long)]
        to: Option<u64>,
        /// The operator's login.
        #[arg(long)]
        actor: Actor,
    },
    /// Make the replica asked ready to be stopped: it hands leadership over and takes none.
    #[command(after_help = "Example:\n  hansa cluster drain --actor ops.a")]
    Drain {
        /// The operator's login.
        #[arg(long)]
        actor: Actor,
    },
    /// End what drain began.
    #[command(after_help = "Example:\n  hansa cluster undrain --actor ops.a")]
    Undrain {
        /// The operator's login.
        #[arg(long)]
        actor: Actor,
    },
    /// Use what the newest release understands, once every replica runs it. There is no way back.
    #[command(after_help = "Example:\n  hansa cluster finalize --actor ops.a")]
    Finalize {
        /// The operator's login.
        #[arg(long)]
        actor: Actor,
    },
    /// Issue a replica's certificate; the bank's authority is made at its first use. Needs no running node.
    #[command(after_help = "Example:\n  hansa cluster certificate --ca-dir ca --replica 2 --out bank-a/tls")]
    Certificate(CertificateArgs),
}

/// Whom to take in.
#[derive(Debug, Args)]
pub struct JoinArgs {
    /// Its number.
    #[arg(long)]
    id: u64,
    /// Where the others reach it: host and port.
    #[arg(long)]
    address: String,
    /// The failure domain that it stands in.
    #[arg(long, default_value = "")]
    zone: String,
    /// The country whose law reaches its disk (ISO 3166-1 alpha-2).
    #[arg(long, value_parser = |text: &str| Country::try_from(text).map_err(|e| e.to_string()))]
    jurisdiction: Option<Country>,
    /// The operator's login.
    #[arg(long)]
    actor: Actor,
}

/// What to issue.
#[derive(Debug, Args)]
pub struct CertificateArgs {
    /// The authority's folder: keep it offline, it certifies whoever joins the group.
    #[arg(long, value_name = "DIR")]
    ca_dir: PathBuf,
    /// For which replica.
    #[arg(long, value_name = "N")]
    replica: u64,
    /// Where the files go.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// For how many days it is valid.
    #[arg(long, default_value_t = pki::DEFAULT_DAYS, value_parser = clap::value_parser!(u32).range(1..=7300))]
    days: u32,
}

pub(super) fn execute(command: ClusterCommand, client: &Client, out: &Output) -> Result<ExitCode, CliError> {
    let (action, actor) = match command {
        ClusterCommand::Status => {
            out.print(&client.cluster()?, text);
            return Ok(ExitCode::SUCCESS);
        }
        ClusterCommand::Certificate(args) => return certificate(&args, out),
        ClusterCommand::Join(JoinArgs { id, address, zone, jurisdiction, actor }) => {
            (ClusterAction::Join { replica: id, address, zone, jurisdiction }, actor)
        }
        ClusterCommand::Leave { id, actor } => (ClusterAction::Leave { replica: id }, actor),
        ClusterCommand::Transfer { to, actor } => (ClusterAction::Transfer { to }, actor),
        ClusterCommand::Drain { actor } => (ClusterAction::Drain, actor),
        ClusterCommand::Undrain { actor } => (ClusterAction::Undrain, actor),
        ClusterCommand::Finalize { actor } => (ClusterAction::Finalize, actor),
    };
    out.print(&client.administer(&ClusterRequest { actor, action })?, |result| result.done.clone());
    Ok(ExitCode::SUCCESS)
}

/// Issues a certificate, without a node.
pub(super) fn certificate(args: &CertificateArgs, out: &Output) -> Result<ExitCode, CliError> {
    let CertificateArgs { ca_dir, replica, out: folder, days } = args;
    let issued = pki::issue(ca_dir, *replica, folder, *days, now().0)?;
    let [ca, certificate, key] =
        [&issued.ca, &issued.certificate, &issued.key].map(|p| p.display().to_string());
    let files = serde_json::json!({ "ca": ca, "certificate": certificate, "key": key });
    out.print(&files, |_| {
        format!("[consensus.tls]\nca = {ca:?}\ncertificate = {certificate:?}\nkey = {key:?}")
    });
    Ok(ExitCode::SUCCESS)
}

fn text(view: &ClusterView) -> String {
    let leader = view.leader.map_or("nobody leads".to_owned(), |leader| format!("replica {leader} leads"));
    let quorum = if view.quorum { "a quorum stands" } else { "NO QUORUM: nothing can be committed" };
    let row = |replica: &ReplicaView| {
        let role = match (view.leader == Some(replica.id), replica.voter) {
            (true, _) => "leads",
            (false, true) => "follows",
            (false, false) => "learns",
        };
        let state = match (&replica.state, &replica.unreachable) {
            (Some(state), _) if state.draining => "drained".to_owned(),
            (Some(state), _) => format!("{}, {} entries", state.version, state.log_size),
            (None, reason) => format!("unreachable: {}", reason.clone().unwrap_or_default()),
        };
        vec![
            replica.id.to_string(),
            role.to_owned(),
            replica.zone.clone(),
            replica.jurisdiction.map_or(String::new(), |country| country.to_string()),
            replica.address.clone(),
            replica.behind.map_or(String::new(), |behind| behind.to_string()),
            state,
        ]
    };
    let rows: Vec<_> = view.replicas.iter().map(row).collect();
    let header = ["replica", "role", "zone", "country", "address", "behind", "state"];
    let replicas = table(&header, &rows, "no replicas");
    format!("{leader} in term {}, {quorum}; version {} of the state\n{replicas}", view.term, view.level)
}

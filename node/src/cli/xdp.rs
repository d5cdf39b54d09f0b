//! `hansa xdp`: where frames are screened, and what was counted.

use std::process::ExitCode;

use clap::Subcommand;
use hansa_api::Client;
use hansa_api::model::{BlocklistQuestion, DriverAction, DriverRequest, FrameCounter, FramePath, FramesView};
use hansa_types::iban::Iban;
use hansa_types::id::Actor;

use super::CliError;
use super::output::{Output, table};

/// Of `hansa xdp blocklist`, for an account that is blocked.
const BLOCKED: u8 = 11;

/// What can be asked of, and done to, the replica that takes frames in.
#[derive(Debug, Subcommand)]
pub enum XdpCommand {
    /// Where frames are screened: in the driver or on the socket, and why.
    #[command(after_help = "Example:\n  hansa xdp status")]
    Status,
    /// Load and attach the kernel program to the configured interface: after what kept it off was put right, or with
    /// fresh tables in the place of one that is attached, between two packets.
    #[command(after_help = "Example:\n  hansa xdp attach --actor ops.a")]
    Attach {
        /// The operator's login.
        #[arg(long)]
        actor: Actor,
    },
    /// Take the kernel program off its interface: the socket gives the same verdicts, until the node starts again or it is
    /// attached.
    #[command(after_help = "Example:\n  hansa xdp detach --actor ops.a")]
    Detach {
        /// The operator's login.
        #[arg(long)]
        actor: Actor,
    },
    /// Every counter since the node started, in the driver and on the socket; those at zero only with --all.
    #[command(after_help = "Example:\n  hansa xdp counters --all")]
    Counters {
        /// Those at zero, too.
        #[arg(long)]
        all: bool,
    },
    /// How many accounts are blocked, or whether one is.
    #[command(
        after_help = "Exit codes: 0 not blocked, or none named; 11 blocked.\n\nExample:\n  hansa xdp blocklist DE89370400440532013000"
    )]
    Blocklist {
        /// An IBAN.
        #[arg(value_parser = |text: &str| Iban::try_from(text).map_err(|e| e.to_string()))]
        account: Option<Iban>,
    },
}

pub(super) fn execute(command: XdpCommand, client: &Client, out: &Output) -> Result<ExitCode, CliError> {
    let change = |action, actor| client.change_driver(&DriverRequest { action, actor });
    match command {
        XdpCommand::Status => out.print(&client.frames()?, status),
        XdpCommand::Attach { actor } => out.print(&change(DriverAction::Attach, actor)?, status),
        XdpCommand::Detach { actor } => out.print(&change(DriverAction::Detach, actor)?, status),
        XdpCommand::Counters { all } => {
            let mut counters = client.frame_counters()?;
            counters.counters.retain(|counter| all || counter.driver + counter.socket > 0);
            out.print(&counters, |counters| rows(&counters.counters));
        }
        XdpCommand::Blocklist { account: None } => {
            let view = client.frames()?;
            out.print(&view, |view| {
                format!("{} accounts are blocked, of {} there is room for", view.accounts, view.room)
            });
        }
        XdpCommand::Blocklist { account: Some(account) } => {
            let answer = client.blocklist(&BlocklistQuestion { account })?;
            out.print(&answer, |answer| if answer.blocked { "blocked" } else { "not blocked" }.to_owned());
            return Ok(if answer.blocked { ExitCode::from(BLOCKED) } else { ExitCode::SUCCESS });
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn status(view: &FramesView) -> String {
    let FramesView { listen, path, interface, program, why_socket, peer_port, .. } = view;
    let mut rows = vec![(
        "frames",
        format!(
            "to {listen}, screened {}",
            match path {
                FramePath::Driver => "in the driver",
                FramePath::Socket => "on the socket",
            }
        ),
    )];
    rows.extend(interface.clone().map(|interface| ("interface", interface)));
    if let Some(program) = program {
        let pinned = if program.pinned { ", stays when the node ends" } else { "" };
        rows.push(("program", format!("{} ({}{pinned})", program.id, program.mode)));
        rows.extend(program.why_generic.clone().map(|why| ("not native", why)));
    }
    rows.extend(why_socket.clone().map(|why| ("why", why)));
    rows.push((
        "peers",
        peer_port.map_or_else(
            || "their port is left alone (xdp.peer_port)".to_owned(),
            |port| {
                format!("port {port} is reached by members' addresses only, while the program is attached")
            },
        ),
    ));
    rows.push(("block list", format!("{} accounts of {}", view.accounts, view.room)));
    rows.push(("waiting", format!("{} BLOCKs", view.waiting)));
    let rows: Vec<String> = rows.into_iter().map(|(name, value)| format!("{name:<11} {value}")).collect();
    rows.join("\n")
}

fn rows(counters: &[FrameCounter]) -> String {
    let row = |counter: &FrameCounter| {
        let FrameCounter { name, counts, driver, socket } = counter;
        vec![name.clone(), driver.to_string(), socket.to_string(), counts.clone()]
    };
    let rows: Vec<_> = counters.iter().map(row).collect();
    table(&["counter", "driver", "socket", "what it counts"], &rows, "nothing was counted yet")
}

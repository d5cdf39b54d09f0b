//! `hansa frame`: a payment gateway in small, the keys that it needs, and what a frame says.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Subcommand};
use hansa_keys::file::{SHORT, store_short};
use hansa_screening::Scheme;
use hansa_types::uetr::Uetr;
use hansa_xdp::frame::{FRAME_LEN, Frame, Key, Reason, Verdict};
use rand::RngCore;
use rand::rngs::OsRng;
use serde::Serialize;
use zeroize::Zeroizing;

use super::CliError;
use super::output::{Output, table};
use crate::config::{DIGEST_PURPOSE, FrameKey, FramesError, key_purpose, read_key};
use crate::gateway::{Answer, Gateway, now_ms};

/// Exit codes of `hansa frame send`, the worst of its payments.
const BLOCKED: u8 = 11;
const REFUSED: u8 = 12;
const SILENT: u8 = 13;
/// For how long replies are waited for unless told otherwise.
const WAIT_MS: u64 = 2_000;

const SEND_HELP: &str = "\
Keys are those of --config ([frames]), or those named here. The sequence is kept beside the frame key.

Exit codes: 0 all PRE-SCREENED, 11 something to BLOCK, 12 something REFUSED, 13 no reply in time: the payment must not
go out (fail closed).

Example:
  hansa --config bank-a/hansa.toml frame send payment.xml --to 127.0.0.1:4480";

/// What can be done with frames.
#[derive(Debug, Subcommand)]
pub enum FrameCommand {
    /// Make a key file: a gateway's, under its number, or the bank's digest key.
    #[command(after_help = "Example:\n  hansa frame key --id 1 keys/frame-1.key")]
    Key(KeyArgs),
    /// Send the frames of a message's payments to a node, and print the verdicts.
    #[command(after_help = SEND_HELP)]
    Send(SendArgs),
    /// Say what the 256 hexadecimal digits of a frame mean; its tag is not checked.
    Show(ShowArgs),
}

/// Which key.
#[derive(Debug, Args)]
#[group(required = true, multiple = false, id = "which")]
struct KeyKind {
    /// A gateway's key with this number.
    #[arg(long, group = "which")]
    id: Option<u8>,
    /// The key that accounts and agents are digested under.
    #[arg(long, group = "which")]
    digest: bool,
}

/// A key to make.
#[derive(Debug, Args)]
pub struct KeyArgs {
    #[command(flatten)]
    kind: KeyKind,
    /// The file. It must not exist.
    file: PathBuf,
}

/// What to send, where.
#[derive(Debug, Args)]
pub struct SendArgs {
    /// A pacs.008 message.
    file: PathBuf,
    /// The node's address and UDP port for frames.
    #[arg(long)]
    to: SocketAddr,
    /// The number of the frame key; the first of the configuration unless told otherwise.
    #[arg(long)]
    key_id: Option<u8>,
    /// The file of the frame key, instead of the configuration's.
    #[arg(long, requires_all = ["key_id", "digest_key"])]
    key: Option<PathBuf>,
    /// The file of the digest key, instead of the configuration's.
    #[arg(long, requires = "key")]
    digest_key: Option<PathBuf>,
    /// The file that the next sequence number is kept in.
    #[arg(long)]
    sequence: Option<PathBuf>,
    /// The scheme of payments that do not say theirs.
    #[arg(long)]
    scheme: Option<Scheme>,
    /// How long replies are waited for, in milliseconds.
    #[arg(long, default_value_t = WAIT_MS)]
    wait_ms: u64,
}

/// A frame.
#[derive(Debug, Args)]
pub struct ShowArgs {
    /// The frame in hexadecimal.
    frame: String,
}

/// A verdict as it is printed.
#[derive(Serialize)]
struct Said {
    uetr: Uetr,
    verdict: Option<&'static str>,
    reason: Option<&'static str>,
}

/// A frame as it is printed.
#[derive(Serialize)]
struct Shown {
    key_id: u8,
    time_ms: u64,
    sequence: u64,
    uetr: String,
    debtor: String,
    creditor: String,
    instructing: String,
    instructed: String,
    amount: u64,
    currency: String,
    debtor_country: String,
    creditor_country: String,
    scheme: String,
}

pub(super) fn execute(command: &FrameCommand, config: &Path, out: &Output) -> Result<ExitCode, CliError> {
    match command {
        FrameCommand::Key(args) => key(args),
        FrameCommand::Send(args) => send(args, config, out),
        FrameCommand::Show(args) => show(args, out),
    }
}

fn key(KeyArgs { kind, file }: &KeyArgs) -> Result<ExitCode, CliError> {
    let mut bytes = Zeroizing::new([0; SHORT]);
    OsRng.fill_bytes(bytes.as_mut());
    let purpose = kind.id.map_or_else(|| DIGEST_PURPOSE.to_owned(), key_purpose);
    store_short(file, &purpose, &bytes)?;
    println!("{} holds a fresh key for {purpose}: the gateway needs the same file", file.display());
    Ok(ExitCode::SUCCESS)
}

fn send(args: &SendArgs, config: &Path, out: &Output) -> Result<ExitCode, CliError> {
    let gateway = gateway(args, config)?;
    let message =
        std::fs::read(&args.file).map_err(|source| CliError::File { path: args.file.clone(), source })?;
    let frames = gateway.frames(&message, now_ms())?;
    let answers = gateway.ask(args.to, &frames, Duration::from_millis(args.wait_ms))?;
    let code = answers.iter().map(exit_code).max().unwrap_or(0);
    let said: Vec<Said> = answers.iter().map(Said::from).collect();
    out.print(&said, |said| {
        let row = |said: &Said| {
            let silent = "no reply in time: it must not go out (fail closed)";
            vec![
                said.uetr.to_string(),
                said.verdict.unwrap_or("SILENCE").to_owned(),
                said.reason.unwrap_or(silent).to_owned(),
            ]
        };
        table(&["payment", "verdict", "reason"], &said.iter().map(row).collect::<Vec<_>>(), "no payments")
    });
    Ok(ExitCode::from(code))
}

fn gateway(args: &SendArgs, config: &Path) -> Result<Gateway, CliError> {
    let (key_id, key, digest_key, scheme) = match (&args.key, args.key_id, &args.digest_key) {
        (Some(key), Some(id), Some(digest)) => (id, key.clone(), digest.clone(), args.scheme),
        _ => {
            let config = super::load(config)?;
            let none =
                "the configuration has no [frames] with such a key: name --key, --key-id and --digest-key";
            let frames = config.frames.ok_or(CliError::Usage(none))?;
            let named = |key: &&FrameKey| args.key_id.is_none_or(|id| key.id == id);
            let FrameKey { id, file } = frames.keys.iter().find(named).ok_or(CliError::Usage(none))?;
            (*id, file.clone(), frames.digest_key, args.scheme.or(Some(config.screening.policy.scheme)))
        }
    };
    let read = |path: &Path, purpose: &str| -> Result<Key, FramesError> { read_key(path, purpose) };
    Ok(Gateway {
        key_id,
        key: read(&key, &key_purpose(key_id))?,
        digest_key: read(&digest_key, DIGEST_PURPOSE)?,
        sequence: args.sequence.clone().unwrap_or_else(|| key.with_extension("sequence")),
        scheme: scheme.unwrap_or_else(|| hansa_screening::Policy::default().scheme),
    })
}

fn exit_code(answer: &Answer) -> u8 {
    match answer.said {
        Some((Verdict::PreScreened, _)) => 0,
        Some((Verdict::Block, _)) => BLOCKED,
        Some((Verdict::Refused, _)) => REFUSED,
        None => SILENT,
    }
}

impl From<&Answer> for Said {
    fn from(Answer { uetr, said }: &Answer) -> Self {
        let reason = said.map(|(_, reason): (Verdict, Reason)| reason.name());
        Self { uetr: *uetr, verdict: said.map(|(verdict, _)| verdict.name()), reason }
    }
}

fn show(ShowArgs { frame }: &ShowArgs, out: &Output) -> Result<ExitCode, CliError> {
    let mut bytes = [0; FRAME_LEN];
    let wrong =
        "a frame is 256 hexadecimal digits, the layout of docs/frame.md: no other bytes, no other version";
    hex::decode_to_slice(frame.trim(), &mut bytes).map_err(|_| CliError::Usage(wrong))?;
    let said = Frame::new(bytes).fields().ok_or(CliError::Usage(wrong))?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let shown = Shown {
        key_id: said.key_id,
        time_ms: said.time,
        sequence: said.sequence,
        uetr: Uetr::from_uuid(said.uetr).map_or_else(|error| error.to_string(), |uetr| uetr.to_string()),
        debtor: hex::encode(said.debtor.0),
        creditor: hex::encode(said.creditor.0),
        instructing: hex::encode(said.instructing.0),
        instructed: hex::encode(said.instructed.0),
        amount: said.amount,
        currency: text(&said.currency),
        debtor_country: text(&said.debtor_country),
        creditor_country: text(&said.creditor_country),
        scheme: Scheme::ALL
            .iter()
            .find(|scheme| scheme.number() == said.scheme as u8)
            .map_or_else(String::new, ToString::to_string),
    };
    out.print(&shown, |shown| {
        let Shown { key_id, time_ms, sequence, uetr, amount, currency, scheme, .. } = shown;
        let Shown { debtor, creditor, instructing, instructed, debtor_country, creditor_country, .. } = shown;
        format!(
            "payment {uetr} of {amount} minor units of {currency} in {scheme}\n\
             debtor       {debtor} in {debtor_country}\ncreditor     {creditor} in {creditor_country}\n\
             instructing  {instructing}\ninstructed   {instructed}\n\
             key {key_id}, sequence {sequence}, made at {time_ms} ms since 1970; the tag was not checked"
        )
    });
    Ok(ExitCode::SUCCESS)
}

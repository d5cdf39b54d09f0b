//! `hansa init`: a new bank's folder, and what the manifest must say about it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use hansa_keys::{KeyError, KeyFolder, Purpose};
use hansa_prover::secrets::MemberSecrets;
use hansa_types::country::Country;
use hansa_types::id::{BankId, Epoch};
use hansa_types::lei::Lei;
use hansa_types::manifest::Member;
use hansa_types::sign::Signer as _;
use rand::rngs::OsRng;

use super::CliError;
use super::output::Output;
use crate::customers;

/// For how many epochs a new member commits to trace secrets unless told otherwise.
const DEFAULT_EPOCHS: u32 = 90;
/// And at the most: each is a line of the manifest.
const MAX_EPOCHS: u32 = 4096;

/// A new bank.
#[derive(Debug, Args)]
pub struct InitArgs {
    /// The folder to make. It must not exist.
    pub folder: PathBuf,
    /// The bank's id in the consortium, for example bank-a.
    #[arg(long)]
    pub bank: BankId,
    /// Its legal name.
    #[arg(long)]
    pub institution: String,
    /// The LEI of its ultimate parent, per which votes count.
    #[arg(long, value_parser = |text: &str| Lei::try_from(text).map_err(|e| e.to_string()))]
    pub parent: Lei,
    /// A zone that its replicas run in, and the jurisdiction: frankfurt=DE. Once for each.
    #[arg(long = "zone", value_name = "NAME=COUNTRY", value_parser = zone)]
    pub zones: Vec<(String, Country)>,
    /// The first epoch in which it can signal.
    #[arg(long, default_value_t = 0)]
    pub first_epoch: u32,
    /// For how many epochs it commits to trace secrets.
    #[arg(long, default_value_t = DEFAULT_EPOCHS, value_parser = clap::value_parser!(u32).range(1..=i64::from(MAX_EPOCHS)))]
    pub epochs: u32,
}

fn zone(text: &str) -> Result<(String, Country), String> {
    let (name, country) = text.split_once('=').ok_or("NAME=COUNTRY is wanted, for example frankfurt=DE")?;
    Ok((name.to_owned(), country.parse::<Country>().map_err(|error| error.to_string())?))
}

/// Why there is no new bank.
#[derive(Debug, thiserror::Error)]
pub enum InitError {
    /// A folder would be overwritten.
    #[error("{0} exists: name another folder, or move it away")]
    Exists(PathBuf),
    /// The file system refused.
    #[error("{path}: {source}")]
    File {
        /// Which file.
        path: PathBuf,
        /// What it said.
        source: std::io::Error,
    },
    /// The keys could not be made.
    #[error(transparent)]
    Key(#[from] KeyError),
}

/// Makes the folder and returns the bank's entry for the manifest.
pub fn init(args: &InitArgs) -> Result<Member, InitError> {
    let folder = &args.folder;
    if folder.exists() {
        return Err(InitError::Exists(folder.clone()));
    }
    let keys = KeyFolder::create(folder.join("keys"), &mut OsRng)?;
    write(&folder.join("customers.csv"), &format!("{}\n", customers::HEADER.join(",")))?;
    write(&folder.join("hansa.toml"), &config(&args.bank))?;

    let secrets = MemberSecrets::from_seed(keys.secret(Purpose::Member)?.expose());
    let epochs = (args.first_epoch..args.first_epoch.saturating_add(args.epochs)).map(Epoch);
    let member = Member {
        institution: args.institution.clone(),
        parent: args.parent,
        governance_key: keys.signer(Purpose::Governance)?.public_key(),
        log_key: keys.signer(Purpose::Log)?.public_key(),
        cosigner_key: keys.signer(Purpose::Cosigner)?.public_key(),
        zones: args.zones.iter().cloned().collect(),
        peer_keys: BTreeSet::from([keys.signer(Purpose::Peer)?.public_key()]),
        membership: secrets.membership(),
        traces: epochs.map(|epoch| (epoch, secrets.trace_commitment(epoch))).collect(),
        tag_share: None,
    };
    let entry = serde_json::to_string_pretty(&member).expect("a member has only strings as keys");
    write(&folder.join("member.json"), &entry)?;
    Ok(member)
}

pub(super) fn execute(args: &InitArgs, out: &Output) -> Result<ExitCode, CliError> {
    let member = init(args)?;
    let folder = args.folder.display();
    out.print(&member, |_| {
        format!(
            "{folder} holds the keys, configuration and customer file of {}.\n\
             Give {folder}/member.json to whoever drafts the manifest; it holds public keys and commitments only.\n\
             Nobody else may see {folder}/keys: back it up offline now.",
            args.bank
        )
    });
    Ok(ExitCode::SUCCESS)
}

fn write(path: &Path, text: &str) -> Result<(), InitError> {
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;
    let write = || {
        let mut file = std::fs::File::options().write(true).create_new(true).mode(0o600).open(path)?;
        file.write_all(text.as_bytes())
    };
    write().map_err(|source| InitError::File { path: path.to_owned(), source })
}

/// The configuration of a new node: everything else has a default, see docs/operator-guide.md.
fn config(bank: &BankId) -> String {
    format!(
        r#"# Configuration of {bank}. Paths are relative to this file; every other setting has a default.

[node]
bank = "{bank}"
keys = "keys"
manifest = "manifest.hansa"
proving_key = "proving.key"
verifying_key = "verifying.key"
# The tag function's key, of a development consortium; `hansa run --development` accepts one.
# development_tag_key = "tag.key"
customers = "customers.csv"

[screening]
# [[screening.lists]]
# name = "ofac-sdn"
# date = "2024-05-03"
# format = "ofac-csv"
# path = "lists/sdn.csv"
# aliases = "lists/alt.csv"

# No backups are made until somebody is named who can read them: hansa backup keygen --out backup.identity
# [backup]
# dir = "backups"
# recipients = ["age1.."]
# approvers = [{{ actor = "ada", key = ".." }}, {{ actor = "bob", key = ".." }}]

# No frames are taken in until it is said where, and from whom: hansa frame key, docs/frame.md
# [frames]
# listen = "192.0.2.1:4480"
# digest_key = "keys/frame-digest.key"
# keys = [{{ id = 1, file = "keys/frame-1.key" }}]
# [xdp]
# allow = ["192.0.2.0/28"]

# Nothing is shared until a gateway of the manifest is named.
# [signalling]
# gateway = 1

# [p2p.peers]
# bank-b = "/ip4/192.0.2.7/udp/4400/quic-v1"
"#
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    fn args(folder: PathBuf) -> InitArgs {
        InitArgs {
            folder,
            bank: "bank-a".parse().unwrap(),
            institution: "Bank A".into(),
            parent: "5493001KJTIIGC8Y1R12".try_into().unwrap(),
            zones: vec![zone("frankfurt=DE").unwrap()],
            first_epoch: 3,
            epochs: 2,
        }
    }

    #[test]
    fn a_new_bank_has_a_configuration_that_loads_and_an_entry_for_the_manifest() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("bank-a");
        let member = init(&args(folder.clone())).unwrap();
        assert_eq!(member.traces.keys().copied().collect::<Vec<_>>(), [Epoch(3), Epoch(4)]);
        let config = Config::load(&folder.join("hansa.toml"), []).unwrap();
        assert_eq!(config.node.customers, folder.join("customers.csv"));
        assert!(matches!(init(&args(folder)), Err(InitError::Exists(_))));
    }
}

//! `hansa backup`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Subcommand;
use hansa_api::Client;
use hansa_api::model::BackupView;
use hansa_audit_log::note::SignedNote;
use hansa_consensus::backup::{
    Approval, BackupError, Comparison, Drill, Identities, Manifest, Restore, drill, folder, keygen, restore,
    subject_keys, verify,
};
use hansa_keys::file::{OFFICER, load_secret, store_secret};
use hansa_keys::{FileSigner, Secret};
use hansa_types::hash::Digest;
use hansa_types::id::{Actor, Timestamp};
use hansa_types::sign::Signer as _;
use rand::rngs::OsRng;
use serde::Serialize;

use super::CliError;
use super::output::{Output, table};
use crate::backup::view;
use crate::config::Config;
use crate::node::now;

/// How often the node is asked whether its backup is done.
const POLL: Duration = Duration::from_millis(200);
/// How long a backup may take before the command gives up waiting; the node goes on.
const PATIENCE: Duration = Duration::from_secs(4 * 3600);

/// What can be done with backups.
#[derive(Debug, Subcommand)]
pub enum BackupCommand {
    /// Have the running node make a backup now.
    #[command(after_help = "Example:\n  hansa backup create")]
    Create,
    /// List the backups in the configured folder, and compare them with the copies off site. Exit code 1 if one is
    /// missing there or differs.
    #[command(after_help = "Example:\n  hansa backup list --json")]
    List,
    /// Check a backup: the hash beside it, and with an identity every byte inside.
    #[command(
        after_help = "Example:\n  hansa backup verify backups/hansa-bank_a-120-1767225600.backup.age --identity backup.identity"
    )]
    Verify {
        /// The backup.
        file: PathBuf,
        /// The age identity that opens it.
        #[arg(long, value_name = "FILE")]
        identity: Option<PathBuf>,
    },
    /// Make an age identity for reading backups, or with --officer a key for approving restores.
    #[command(after_help = "Example:\n  hansa backup keygen --out backup.identity")]
    Keygen {
        /// The file to write; one that exists is not overwritten. Keep it away from the node.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
        /// An officer's key for `hansa backup approve` instead.
        #[arg(long)]
        officer: bool,
    },
    /// Approve that a backup is restored into this configuration's replica. Two officers have to.
    #[command(
        after_help = "Example:\n  hansa backup approve hansa-bank_a-120-1767225600.backup.age --actor ada --key ada.key --reason 'disk lost in zone 1' --out ada.approval"
    )]
    Approve {
        /// The backup.
        file: PathBuf,
        /// The officer's login, as backup.approvers names it.
        #[arg(long)]
        actor: Actor,
        /// The officer's key file.
        #[arg(long, value_name = "FILE")]
        key: PathBuf,
        /// Why.
        #[arg(long)]
        reason: String,
        /// The approval to write; a file that exists is not overwritten.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
    /// Restore a backup into the empty data folder of this configuration's replica, as a new group of one.
    #[command(
        after_help = "Example:\n  hansa backup restore hansa-bank_a-120-1767225600.backup.age --identity backup.identity --approval ada.approval --approval bob.approval"
    )]
    Restore {
        /// The backup.
        file: PathBuf,
        /// The age identity that opens it.
        #[arg(long, value_name = "FILE")]
        identity: PathBuf,
        /// An officer's approval; two different officers' are needed.
        #[arg(long = "approval", value_name = "FILE")]
        approvals: Vec<PathBuf>,
    },
    /// Restore a backup to scratch, compute the root from its entries, compare it with the running node's, and report
    /// recovery time and point. Exit code 1 if anything differs.
    #[command(after_help = "Example:\n  hansa backup drill --identity backup.identity --json")]
    Drill {
        /// The backup; the newest in the configured folder if none is named.
        file: Option<PathBuf>,
        /// The age identity that opens it.
        #[arg(long, value_name = "FILE")]
        identity: PathBuf,
        /// Where to restore to: a folder that does not exist. It is removed again.
        #[arg(long, value_name = "FOLDER")]
        scratch: Option<PathBuf>,
    },
}

pub(super) fn execute(command: BackupCommand, config: &Path, out: &Output) -> Result<ExitCode, CliError> {
    match command {
        BackupCommand::Create => create(&super::client(config)?, out),
        BackupCommand::List => list(&super::load(config)?, out),
        BackupCommand::Verify { file, identity } => {
            let identities =
                identity.as_deref().map(Identities::load).transpose().map_err(BackupError::from)?;
            let verified = Verified::of(&file, verify(&file, identities.as_ref())?);
            out.print(&verified, Verified::text);
            Ok(ExitCode::SUCCESS)
        }
        BackupCommand::Keygen { out: path, officer } => make_key(&path, officer, out),
        BackupCommand::Approve { file, actor, key, reason, out: path } => {
            let replica = super::load(config)?.consensus.replica;
            let backup = folder::check_hash(&file)?;
            let approval = Approval { backup, replica, actor, reason, at: now() };
            let signer = FileSigner::new(&load_secret(&key, OFFICER)?);
            let note = approval.sign(&signer).map_err(BackupError::from)?;
            write_new(&path, &note.to_string())?;
            out.print(&serde_json::json!({ "file": path, "backup": backup, "replica": replica }), |_| {
                format!("{} approves backup {backup} for replica {replica}, for 24 hours", path.display())
            });
            Ok(ExitCode::SUCCESS)
        }
        BackupCommand::Restore { file, identity, approvals } => {
            bring_back(&super::load(config)?, &file, &identity, &approvals, out)
        }
        BackupCommand::Drill { file, identity, scratch } => {
            let file = match file {
                Some(file) => file,
                None => newest(&super::load(config)?)?,
            };
            practise(config, &file, &identity, scratch, out)
        }
    }
}

fn create(client: &Client, out: &Output) -> Result<ExitCode, CliError> {
    let begun = client.back_up()?;
    let deadline = Instant::now() + PATIENCE;
    let done = loop {
        let state = client.backups()?;
        if state.attempts > begun.attempts || Instant::now() > deadline {
            break state;
        }
        std::thread::park_timeout(POLL);
    };
    let last = done.last.filter(|_| done.attempts > begun.attempts);
    let Some(made) = last.as_ref().and_then(|attempt| attempt.made.as_ref()) else {
        let error = last.and_then(|attempt| attempt.error);
        let error = error.unwrap_or_else(|| "it takes long; see `hansa backup list` later".to_owned());
        return Err(BackupError::Stopped(error).into());
    };
    out.print(made, |BackupView { file, log_size, bytes, sha256, .. }| {
        format!("{file}: {log_size} entries, {bytes} bytes, sha256 {sha256}")
    });
    Ok(ExitCode::SUCCESS)
}

/// What the folder holds, here and off site.
#[derive(Serialize)]
struct Listing {
    backups: Vec<BackupView>,
    off_site: Option<OffSite>,
}

#[derive(Serialize)]
struct OffSite {
    same: usize,
    missing: Vec<String>,
    different: Vec<String>,
    more: usize,
}

impl From<Comparison> for OffSite {
    fn from(Comparison { same, missing, different, more }: Comparison) -> Self {
        Self { same, missing, different, more }
    }
}

fn list(config: &Config, out: &Output) -> Result<ExitCode, CliError> {
    let backup = &config.backup;
    let backups = folder::list(&backup.dir)?.iter().map(view).collect();
    let compared =
        backup.off_site.as_ref().map(|off_site| folder::compare(&backup.dir, off_site)).transpose()?;
    let complete = compared.as_ref().is_none_or(Comparison::is_complete);
    out.print(&Listing { backups, off_site: compared.map(OffSite::from) }, |listing| {
        let row = |backup: &BackupView| {
            let BackupView { file, log_size, taken, bytes, sha256 } = backup;
            vec![taken.to_string(), log_size.to_string(), bytes.to_string(), sha256.to_string(), file.clone()]
        };
        let rows: Vec<_> = listing.backups.iter().map(row).collect();
        let mut text = table(&["taken", "entries", "bytes", "sha256", "file"], &rows, "no backups");
        if let Some(OffSite { same, missing, different, more }) = &listing.off_site {
            text += &format!("\noff site: {same} the same, {more} more");
            for (what, files) in [("missing", missing), ("DIFFERENT", different)] {
                text.extend(files.iter().map(|file| format!("\noff site {what}: {file}")));
            }
        }
        text
    });
    Ok(if complete { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn make_key(path: &Path, officer: bool, out: &Output) -> Result<ExitCode, CliError> {
    if officer {
        let secret = Secret::random(&mut OsRng);
        store_secret(path, OFFICER, &secret)?;
        let key = FileSigner::new(&secret).public_key();
        out.print(&serde_json::json!({ "file": path, "key": key }), |_| {
            format!(
                "{} is an officer's key; its line in the configuration:\n  key = \"{key}\"",
                path.display()
            )
        });
    } else {
        let recipient = keygen(path).map_err(BackupError::from)?;
        out.print(&serde_json::json!({ "file": path, "recipient": recipient }), |_| {
            format!(
                "{} opens backups made for the recipient\n  {recipient}\nKeep it offline, in two places: without it \
                 no backup can be read.",
                path.display()
            )
        });
    }
    Ok(ExitCode::SUCCESS)
}

/// What a check of a backup found.
#[derive(Serialize)]
struct Verified {
    file: PathBuf,
    /// Whether every byte inside was checked, or the file's hash alone.
    content: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    manifest: Option<ManifestView>,
}

#[derive(Serialize)]
struct ManifestView {
    origin: String,
    log_size: u64,
    root: Digest,
    replica: u64,
    release: String,
    taken: Timestamp,
    files: usize,
}

impl From<Manifest> for ManifestView {
    fn from(manifest: Manifest) -> Self {
        let Manifest { origin, size, root, replica, release, taken, files, .. } = manifest;
        Self { origin, log_size: size, root: Digest(root), replica, release, taken, files: files.len() }
    }
}

impl Verified {
    fn of(file: &Path, manifest: Option<Manifest>) -> Self {
        let manifest = manifest.map(ManifestView::from);
        Self { file: file.to_owned(), content: manifest.is_some(), manifest }
    }

    fn text(&self) -> String {
        let file = self.file.display();
        match &self.manifest {
            Some(ManifestView { origin, log_size, root, replica, release, taken, files }) => format!(
                "{file} is whole: {origin}, {log_size} entries, root {root}, replica {replica}, release {release}, \
                 taken {taken}, {files} files"
            ),
            None => format!("{file} has its hash; name an --identity to check what is inside"),
        }
    }
}

#[derive(Serialize)]
struct RestoredView {
    folder: PathBuf,
    approved_by: Vec<Actor>,
    backup: ManifestView,
}

fn bring_back(
    config: &Config,
    file: &Path,
    identity: &Path,
    approvals: &[PathBuf],
    out: &Output,
) -> Result<ExitCode, CliError> {
    let identities = Identities::load(identity).map_err(BackupError::from)?;
    let read = |path: &PathBuf| {
        let bytes = std::fs::read(path).map_err(|source| CliError::File { path: path.clone(), source })?;
        SignedNote::parse(&bytes).map_err(|error| CliError::Backup(BackupError::Approval(error.into())))
    };
    let approvals: Vec<SignedNote> = approvals.iter().map(read).collect::<Result<_, _>>()?;
    // Kept beside the backups, the newest alone.
    let keys =
        subject_keys::newest(file.parent().filter(|dir| *dir != Path::new("")).unwrap_or(Path::new(".")))?;
    if keys.is_none() {
        eprintln!("no file of subject keys lies beside the backup: without one no record can be read again");
    }
    let (manifest, approved) = restore(Restore {
        file,
        subject_keys: keys.as_deref(),
        identities: &identities,
        consensus: &config.consensus,
        backup: &config.backup,
        approvals: &approvals,
        now: now(),
        prepare: &mut |_| Ok(()),
    })?;
    let approved_by = approved.into_iter().map(|approval| approval.actor).collect();
    let folder = config.consensus.data_dir.clone();
    out.print(&RestoredView { folder, approved_by, backup: manifest.into() }, |view| {
        format!(
            "{} entries are restored to {}. Start the node: it serves at once as a group of one. Its keys stay locked \
             until the other members have told what they cosigned, and for good if that is more than is here; nothing \
             is signalled before the next epoch.",
            view.backup.log_size,
            view.folder.display()
        )
    });
    Ok(ExitCode::SUCCESS)
}

fn newest(config: &Config) -> Result<PathBuf, CliError> {
    let none = || BackupError::Stopped(format!("there is no backup in {}", config.backup.dir.display()));
    Ok(folder::list(&config.backup.dir)?.pop().ok_or_else(none)?.path)
}

/// What a drill reports.
#[derive(Serialize)]
struct DrillView {
    file: PathBuf,
    backup: ManifestView,
    /// The root computed from the entries.
    root: Digest,
    /// How long it took until the data could have been served, in seconds.
    recovery_seconds: f64,
    /// How old what would be lost at the most is: everything since the backup was taken, in seconds.
    recovery_point_seconds: u64,
    /// How many entries the running log has beyond it; none if the node did not answer.
    entries_since: Option<u64>,
    /// Whether the running log has the same root at that size; none if the node did not answer.
    same_root: Option<bool>,
}

fn practise(
    config: &Path,
    file: &Path,
    identity: &Path,
    scratch: Option<PathBuf>,
    out: &Output,
) -> Result<ExitCode, CliError> {
    let identities = Identities::load(identity).map_err(BackupError::from)?;
    let scratch =
        scratch.unwrap_or_else(|| std::env::temp_dir().join(format!("hansa-drill-{}", std::process::id())));
    let Drill { manifest, root, seconds } = drill(file, &identities, &scratch)?;
    let running = super::client(config).and_then(|client| Ok(client.root_at(manifest.size)?)).ok();
    let view = DrillView {
        file: file.to_owned(),
        root: Digest(root),
        recovery_seconds: seconds,
        recovery_point_seconds: now().0.saturating_sub(manifest.taken.0),
        entries_since: running.as_ref().map(|running| running.log_size.saturating_sub(manifest.size)),
        same_root: running.as_ref().map(|running| running.root == Digest(root)),
        backup: manifest.into(),
    };
    let differs = view.same_root == Some(false);
    out.print(&view, |view| {
        let compared = match (view.same_root, view.entries_since) {
            (Some(true), Some(since)) => format!("the running log has the same root there, and {since} more entries"),
            (Some(_), _) => "THE RUNNING LOG HAS ANOTHER ROOT THERE".to_owned(),
            (None, _) => "the node did not answer, so the root was compared with the backup's own only".to_owned(),
        };
        format!(
            "{} entries, root {} as the backup says; {compared}\nrecovery time  {:.1} s\nrecovery point {} s ago",
            view.backup.log_size, view.root, view.recovery_seconds, view.recovery_point_seconds
        )
    });
    Ok(if differs { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn write_new(path: &Path, text: &str) -> Result<(), CliError> {
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;
    let write = || {
        let mut file = std::fs::File::options().write(true).create_new(true).mode(0o600).open(path)?;
        file.write_all(text.as_bytes())
    };
    write().map_err(|source| CliError::File { path: path.to_owned(), source })
}

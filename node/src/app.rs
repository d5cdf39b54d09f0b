//! The daemon: configuration -> parts -> tasks -> drain. What is wired to what is on this page.

use std::future::Future;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, RwLock};
use std::time::Duration;

use hansa_api::{ApiMetrics, ApiToken, ServeError, Server, Wiring};
use hansa_audit_log::note::SignedNote;
use hansa_consensus::metrics::ConsensusMetrics;
use hansa_consensus::{Change, Consensus, Locked, ProposeError};
use hansa_keys::{KeyFolder, Purpose};
use hansa_p2p::{Event as NetworkEvent, NetworkMetrics};
use hansa_prover::keys::{KeyError, ProvingKey, VerifyingKey};
use hansa_prover::prove::Prover;
use hansa_prover::secrets::MemberSecrets;
use hansa_prover::tag::DevelopmentTagKey;
use hansa_screening::CaseRules;
use hansa_types::codec::Decode as _;
use hansa_types::governance::{Ledger, Message};
use hansa_types::hash::digest;
use hansa_types::id::{BankId, Epoch, GatewayId};
use hansa_types::manifest::{Manifest, ManifestError, SignedManifest};
use prometheus_client::registry::Registry;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{Notify, broadcast, mpsc, watch};
use tokio::task::JoinSet;

use crate::archive::Archive;
use crate::backup::{self, BackupMetrics, Backups};
use crate::book::Book;
use crate::change::Changing;
use crate::config::Config;
use crate::customers::CustomerFile;
use crate::error::StartError;
use crate::events::{Event, Events};
use crate::flows::model::{self, Watching};
use crate::flows::payment::{self, InFlight, Seen};
use crate::flows::proving::Proving;
use crate::flows::rescreen::{self, Rescreening};
use crate::flows::tags::Tags;
use crate::flows::witness::{self, Cosigning};
use crate::flows::{
    cases, customers, frame, governance, inbound, keys as locked_keys, lists, outbound, start, without_quorum,
};
use crate::follow;
use crate::frames;
use crate::governed::{Governed, GovernedError};
use crate::journal::{Journal, JournalError};
use crate::lead;
use crate::link::{Link, Meeting};
use crate::load;
use crate::members;
use crate::metrics::Metrics;
use crate::node::{Node, now};
use crate::provisional::Provisional;
use crate::retention::Retention;
use crate::screening::Screening;
use crate::service::NodeService;

/// In front of the siblings' metrics that bring no prefix of their own.
const API_PREFIX: &str = "hansa";
const CONSENSUS_PREFIX: &str = "hansa_consensus";

/// Runs the node until it is told to stop.
pub fn run(config: &Config, development: bool) -> Result<(), StartError> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        // First: who started the node may stop it at any moment.
        let told = told_to_stop()?;
        let mut registry = Registry::default();
        let network_metrics = NetworkMetrics::register(&mut registry);
        let (node, changes) = build(config, development, &mut registry, network_metrics.clone()).await?;
        node.screening.current().lists().iter().for_each(|list| node.metrics.screening.list(list));
        let metrics = ApiMetrics::register(registry.sub_registry_with_prefix(API_PREFIX));
        let keys = KeyFolder::new(&config.node.keys);
        let token = keys.secret(Purpose::Api)?;
        let wiring = Wiring {
            service: Arc::new(NodeService(node.clone())),
            token: ApiToken::new(*token.expose()),
            auditor: keys.find(Purpose::Auditor)?.map(|token| ApiToken::new(*token.expose())),
            registry: Arc::new(registry),
            beside: Some(Arc::new(move |out: &mut String| network_metrics.encode_libp2p(out))),
            metrics,
            logins: node.logins.clone(),
        };
        let mut server = Server::bind(config.api.clone(), wiring).await?;
        server.take_in_files(&config.files)?;
        server.take_in_records(&config.kafka, config.consensus.replica)?;
        let mut tasks = spawn(&node, changes);
        // A bank's only replica leads from the start, and says at once why it cannot.
        let alone = node.journal.consensus().voters().len() == 1;
        let duties = if alone { Some(lead::begin(&node, config).await.map_err(Box::new)?) } else { None };
        tasks.spawn(lead::supervise(node.clone(), config.clone(), duties));
        log_start(&node, config).await?;
        let log_size = node.journal.consensus().size();
        let grpc = server.grpc_addr().map(|address| address.to_string());
        node.events.emit(&Event::Ready { api: server.local_addr().to_string(), grpc, log_size });
        let mut failure = None;
        let served = server.run(async {
            tokio::select! {
                () = told => {}
                Some(ended) = tasks.join_next() => failure = Some(reason(&node, ended)),
            }
        });
        let served = served.await;
        drain(&node, tasks).await;
        served?;
        failure.map_or(Ok(()), |reason| Err(StartError::Stopped(reason)))
    })
}

/// What metrics a node exports: every one registered, none started. For the generated reference.
pub fn all_metrics() -> Registry {
    let mut registry = Registry::default();
    Metrics::register(&mut registry);
    BackupMetrics::register(&mut registry);
    ApiMetrics::register(registry.sub_registry_with_prefix(API_PREFIX));
    ConsensusMetrics::register(registry.sub_registry_with_prefix(CONSENSUS_PREFIX));
    NetworkMetrics::register(&mut registry);
    registry
}

/// Everything that is checked before anything is started, then the parts in the order of their needs.
async fn build(
    config: &Config,
    development: bool,
    registry: &mut Registry,
    network_metrics: NetworkMetrics,
) -> Result<(Arc<Node>, broadcast::Receiver<Change>), StartError> {
    config.api.check().map_err(ServeError::from)?;
    let founders = open_founders(config, development)?;
    let manifest = &founders.manifest;
    let (keys, bank) = (KeyFolder::new(&config.node.keys), config.node.bank.clone());
    let chain = config.node.amendments.as_deref().map(load::amendments).transpose()?.unwrap_or_default();
    if !config.consensus.data_dir.exists() {
        // Before anything is made in it.
        present_manifest(config, manifest, Ledger::found(manifest.clone()), &chain, &keys)?;
    }
    let (prover, governed) = proof_keys(config, manifest)?;
    let retention = Retention::with(&config.records.retention, manifest.development)?;
    let (archive, screening) = open_screening(config)?;
    let customers = CustomerFile::open(&config.node.customers, config.node.customers_max_age_hours)?;

    let group = registry.sub_registry_with_prefix(CONSENSUS_PREFIX);
    let placement = config.records.placement();
    let consensus = Consensus::open(&config.consensus, &placement, governed.clone(), group).await?;
    let manifest = &present_manifest(config, manifest, governed.ledger().clone(), &chain, &keys)?;
    manifest.remarks().iter().for_each(|remark| tracing::warn!("the manifest: {remark}"));
    let tags = Tags::new(Box::new(tag_key(config, manifest)?), manifest.tags.key.0, governed.clone());
    let (addresses, network) = link(config, &governed, &keys, network_metrics)?;
    let frames = open_frames(config, &screening, &governed, &addresses).await?;
    let changes = consensus.changes(); // Before anything is read: what changes meanwhile is told of.
    let journal = Journal::new(Arc::new(consensus), &keys, manifest.log_origin(&bank))?;
    let book = Book::load(&journal)?;
    let cosigning = Cosigning::new(manifest, &bank, Box::new(keys.signer(Purpose::Cosigner)?))?;
    let mut past =
        payment::restore(&journal, &screening.current(), &customers.current(), &tags, &archive, now())?;
    let provisional = open_provisional(config, &keys)?;
    let waiting = provisional.waiting().into_iter();
    waiting.for_each(|record| past.run_ahead(&screening.current(), &record.decision, &record.payment));
    let node = Arc::new(Node {
        secrets: MemberSecrets::from_seed(keys.secret(Purpose::Member)?.expose()),
        log_key: Box::new(keys.signer(Purpose::Log)?),
        witness_key: keys.secret(Purpose::Witness)?,
        cosigning,
        gateway: config.signalling.gateway,
        in_flight: InFlight::default(),
        payments: config.payments.clone(),
        frames,
        provisional,
        seen: Seen::default(),
        followed: watch::Sender::new(book.size.min(past.folded)),
        past: Mutex::new(past),
        book: RwLock::new(book),
        changing: Changing::default(),
        connected: Mutex::default(),
        outbox: Notify::new(),
        backups: Backups::new(config.backup.clone(), BackupMetrics::register(registry), now())?,
        metrics: Metrics::register(registry),
        events: Events::to(std::io::stdout()),
        bank,
        governed,
        founders,
        keys,
        proving: Proving::new(prover, &config.signalling),
        journal,
        screening,
        cases: CaseRules::new(config.cases.clone())?,
        archive,
        retention,
        logins: Arc::default(),
        customers,
        rescreening: Rescreening::default(),
        watching: Watching::default(),
        tags,
        network,
        addresses,
    });
    Ok((node, changes))
}

fn link(
    config: &Config,
    governed: &Governed,
    keys: &KeyFolder,
    metrics: NetworkMetrics,
) -> Result<(members::Addresses, Link), StartError> {
    let addresses = members::addresses(config, governed)?;
    let peers = members::peers(governed, &addresses, now());
    let network = Link::new(meeting(config, governed, keys, metrics)?, peers);
    network.check()?;
    Ok((addresses, network))
}

/// What payments are screened with, kept in the archive before anything is decided by it.
fn open_screening(config: &Config) -> Result<(Archive, Screening), StartError> {
    let archive = Archive::open(config.archive())?;
    let loaded = load::loaded(&config.screening, Some(&archive))?;
    loaded.keep(&archive)?;
    let challenger = load::challenger(&config.screening)?;
    let screening = Screening::new(config.screening.clone(), loaded.screener, loaded.model, challenger);
    Ok((archive, screening))
}

async fn open_frames(
    config: &Config,
    screening: &Screening,
    governed: &Governed,
    addresses: &members::Addresses,
) -> Result<Option<frames::Frames>, StartError> {
    let members = members::ips(governed, addresses, now());
    Ok(frames::open(config, &screening.current(), members).await?)
}

fn open_provisional(config: &Config, keys: &KeyFolder) -> Result<Provisional, StartError> {
    let records = keys.secret(Purpose::Records)?;
    Ok(Provisional::open(&config.consensus.data_dir, &records, config.payments.journal_limit)?)
}

/// The signed manifest, if this node may run under it.
fn open_founders(config: &Config, development: bool) -> Result<SignedManifest, StartError> {
    let founders =
        SignedManifest::from_bytes(&load::read(&config.node.manifest)?).map_err(ManifestError::from)?;
    founders.verify()?;
    let manifest = &founders.manifest;
    if manifest.development && !development {
        return Err(StartError::Development);
    }
    if !manifest.development && config.node.development_tag_key.is_some() {
        return Err(StartError::DevelopmentKey);
    }
    Ok(founders)
}

/// The manifest in force once the ledger of the founders has taken in `chain` too, if this node is a member's under it.
fn present_manifest(
    config: &Config,
    founded: &Manifest,
    mut ledger: Ledger,
    chain: &[Message],
    keys: &KeyFolder,
) -> Result<Manifest, StartError> {
    for message in chain {
        ledger.take_in(message, None)?;
    }
    let manifest = ledger.state().in_force(founded.epochs.at(now()).unwrap_or(Epoch(0)));
    members::check(config, &manifest, keys)?;
    let known = |gateway: &GatewayId| {
        founded.gateways.contains_key(gateway) || ledger.state().decided().gateways.contains_key(gateway)
    };
    match config.signalling.gateway.filter(|gateway| !known(gateway)) {
        Some(gateway) => Err(StartError::NoGateway(gateway)),
        None => Ok(manifest),
    }
}

fn proof_keys(config: &Config, manifest: &Manifest) -> Result<(Prover, Arc<Governed>), StartError> {
    let (proving, verifying) = (&config.node.proving_key, &config.node.verifying_key);
    let at = |path: &PathBuf| {
        let path = path.clone();
        move |source| StartError::ProofKey { path, source }
    };
    let key = VerifyingKey::from_bytes(&load::read(verifying)?).map_err(at(verifying))?;
    let prover = ProvingKey::from_bytes(&load::read(proving)?).map_err(at(proving))?;
    let (found, pinned) = (prover.verifying_key().hash(), key.hash());
    let governed = match Governed::found(manifest.clone(), key) {
        Ok(governed) => governed,
        Err(GovernedError::Context(error)) => return Err(error.into()),
        Err(GovernedError::Key(error)) => return Err(at(verifying)(error)),
    };
    if found != pinned {
        return Err(at(proving)(KeyError::NotPinned { found, pinned }));
    }
    Ok((Prover::new(prover), Arc::new(governed)))
}

fn tag_key(config: &Config, manifest: &Manifest) -> Result<DevelopmentTagKey, StartError> {
    let path = config.node.development_tag_key.as_ref().ok_or(StartError::NoTagKey)?;
    let key = DevelopmentTagKey::from_bytes(&load::read(path)?)?;
    if key.public_key() == manifest.tags.key.0 {
        Ok(key)
    } else {
        Err(StartError::ForeignTagKey(path.clone()))
    }
}

/// What the network of banks is started with.
fn meeting(
    config: &Config,
    governed: &Governed,
    keys: &KeyFolder,
    metrics: NetworkMetrics,
) -> Result<Meeting, StartError> {
    Ok(Meeting {
        config: config.p2p.network.clone(),
        seed: keys.secret(Purpose::Peer)?,
        topic: format!("hansa/{}/signals/v1", governed.context().consortium()),
        jitter_seed: jitter_seed(&config.node.bank),
        metrics,
    })
}

/// Members must not all dial at the same moment; which spread each has is no secret.
fn jitter_seed(bank: &BankId) -> u64 {
    let digest = digest("hansa/redial-jitter/v1", &[bank.as_str().as_bytes()]);
    digest.0.iter().take(8).fold(0, |seed, byte| (seed << 8) | u64::from(*byte))
}

/// The tasks that every replica has beside the HTTP interface; each returns why the node cannot go on.
fn spawn(node: &Arc<Node>, changes: broadcast::Receiver<Change>) -> JoinSet<String> {
    let mut tasks = JoinSet::new();
    let (following, tagging, reconciling) = (node.clone(), node.clone(), node.clone());
    tasks.spawn(async move {
        follow::run(following, changes).await;
        "the views ended".to_owned()
    });
    tasks.spawn(async move {
        payment::tag_counterparties(tagging).await;
        "tagging ended".to_owned()
    });
    tasks.spawn(async move {
        without_quorum::reconcile(reconciling).await;
        "reconciling ended".to_owned()
    });
    let (renewing, looking) = (node.clone(), node.clone());
    tasks.spawn(async move {
        lists::run(renewing).await;
        "renewing lists ended".to_owned()
    });
    tasks.spawn(async move {
        tokio::join!(customers::run(looking.clone()), model::run(looking));
        "following customers and models ended".to_owned()
    });
    let (screening, driving, listing) = (node.clone(), node.clone(), node.clone());
    tasks.spawn(async move {
        frame::run(screening).await;
        "taking frames in ended".to_owned()
    });
    tasks.spawn(async move {
        tokio::join!(frame::run_driver(driving.clone()), frame::run_clock(driving));
        "reading the driver's frames ended".to_owned()
    });
    tasks.spawn(async move {
        frame::follow_lists(listing).await;
        "following lists for frames ended".to_owned()
    });
    let saving = node.clone();
    tasks.spawn(async move {
        backup::run(saving).await;
        "backups ended".to_owned()
    });
    tasks
}

/// The tasks of the replica that leads.
pub(crate) fn spawn_duties(
    node: &Arc<Node>,
    events: mpsc::Receiver<NetworkEvent>,
    config: &Config,
) -> JoinSet<()> {
    let every = |seconds: u32| Duration::from_secs(seconds.max(1).into());
    let mut tasks = JoinSet::new();
    tasks.spawn(inbound::run(node.clone(), events));
    tasks.spawn(outbound::run(node.clone()));
    tasks.spawn(rescreen::run(node.clone()));
    let patience = config.node.witness_wait_seconds.map(|seconds| Duration::from_secs(seconds.into()));
    tasks.spawn(locked_keys::run(node.clone(), patience));
    let record_every = u64::from(config.records.checkpoint_minutes.max(1)) * 60;
    // Beside one another: a checkpoint waits for none of the others.
    tasks.spawn(tend(node.clone(), every(config.node.checkpoint_seconds)));
    tasks.spawn(sign(node.clone(), every(config.node.checkpoint_seconds), record_every));
    tasks.spawn(witness::run(node.clone(), every(config.node.witness_seconds)));
    tasks.spawn(governance::run(node.clone(), every(config.node.governance_seconds)));
    tasks
}

/// The log knows of every start, and under which manifest and configuration. Without a quorum this replica serves what
/// it may all the same.
async fn log_start(node: &Node, config: &Config) -> Result<(), StartError> {
    let manifest = load::read(&config.node.manifest)?;
    if let Err(error) = lists::log_offline(node).await {
        tracing::warn!(%error, "who brought lists while this node did not run is not in the log; the next start says it");
    }
    match record_start(node, &manifest, config).await {
        Err(JournalError::Propose(error @ ProposeError::NoQuorum { .. })) => {
            tracing::warn!(%error, "this start is not in the log");
            Ok(())
        }
        other => Ok(other?),
    }
}

async fn record_start(node: &Node, manifest: &[u8], config: &Config) -> Result<(), JournalError> {
    start::record_manifest(node, manifest).await?;
    start::record_configuration(node, config).await?;
    node.log_operation("start", format!("hansa {}", env!("CARGO_PKG_VERSION"))).await.map(|_| ())
}

/// Every `interval`: closes alerts past their epochs, says which deadlines are over, and records who used the interface.
async fn tend(node: Arc<Node>, interval: Duration) {
    let mut ticks = tokio::time::interval(interval);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        if let Err(error) = inbound::expire(&node).await {
            tracing::warn!(%error, "alerts past their epochs were not closed; it is tried again");
        }
        if let Err(error) = cases::watch_deadlines(&node).await {
            tracing::warn!(%error, "deadlines that are over were not marked; it is tried again");
        }
        if let Err(error) = node.log_logins().await {
            tracing::warn!(%error, "the use of the interface was not recorded; what comes is counted again");
        }
    }
}

/// Every `interval`: signs a checkpoint if the log has grown; one in `record_every` seconds is itself recorded.
async fn sign(node: Arc<Node>, interval: Duration, record_every: u64) {
    let mut recorded = node.now();
    let mut ticks = tokio::time::interval(interval);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let consensus = node.journal.consensus();
        let published = consensus.last_checkpoint().ok().flatten().map_or(0, |head| head.size);
        if consensus.size() == published || consensus.keys_open().is_err() {
            continue;
        }
        let signed: Result<SignedNote, _> =
            consensus.sign_checkpoint(node.journal.origin(), &*node.log_key).await;
        match signed {
            Ok(note) if node.now().0 >= recorded.0.saturating_add(record_every) => {
                recorded = node.now();
                if let Err(error) = start::record_checkpoint(&node, &note).await {
                    tracing::warn!(%error, "a checkpoint was signed and not recorded; the next one is");
                }
            }
            Ok(_) => {}
            Err(error) => tracing::warn!(%error, "no checkpoint was signed; it is tried again"),
        }
    }
}

/// Why a task ended that should run as long as the node: whoever supervises the process shall start it again.
fn reason(node: &Node, ended: Result<String, tokio::task::JoinError>) -> String {
    let consensus = node.journal.consensus();
    let again = "what was acknowledged is safe: see the log, check the disk, then start again";
    let reason = match (consensus.status().stopped, consensus.keys_open(), ended) {
        (Some(reason), ..) => format!("consensus stopped: {reason}; {again}"),
        (None, _, Err(error)) => format!("a part of the node failed: {error}; {again}"),
        // It says itself what to do, and starting again would not help.
        (None, Err(lost @ (Locked::Shorter { .. } | Locked::Forked { .. })), Ok(_)) => lost.to_string(),
        (None, _, Ok(reason)) => format!("{reason}; {again}"),
    };
    tracing::error!(reason, "this node stops");
    reason
}

/// Ends when the process is asked to: SIGTERM, or Ctrl-C.
fn told_to_stop() -> Result<impl Future<Output = ()>, std::io::Error> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

/// Requests are answered by now; the network and the store end, and the last thing said is that all is done.
async fn drain(node: &Node, mut tasks: JoinSet<String>) {
    tasks.shutdown().await;
    node.network.close().await;
    node.journal.consensus().shutdown().await;
    node.events.emit(&Event::Stopped);
}

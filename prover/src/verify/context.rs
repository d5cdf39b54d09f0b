//! What the manifest says about a signal: its scope, roots, threshold, and when it is acceptable.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use ark_ff::AdditiveGroup;
use hansa_types::{
    hash::{Digest, Field},
    id::{Epoch, GatewayId, Timestamp},
    manifest::{Circuit, Manifest},
    signal::{Signal, SignalBody},
};

use super::SignalError;
use crate::{
    circuit::{CIRCUIT_VERSION, PublicInputs, circuit_hash},
    derive,
    field::{Fr, decode},
    tree::{MemberTree, RegistryTree, TreeError},
};

/// Gateways and epochs whose member tree and scope are kept; what does not fit is computed again.
const CACHED_SLOTS: usize = 64;

/// Why a manifest cannot be used by this program.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ContextError {
    /// The manifest is for other circuits.
    #[error(
        "the manifest names circuit {version} ({hash}) last, and this program proves {CIRCUIT_VERSION} ({known}): \
             use the release the consortium uses"
    )]
    Circuit {
        /// The manifest's version.
        version: u16,
        /// The manifest's hash.
        hash: Digest,
        /// This program's hash.
        known: Digest,
    },
    /// The manifest does not say what is proved at first.
    #[error("the manifest names no circuit from epoch 0 on")]
    NoCircuit,
    /// The manifest gives no registry.
    #[error(transparent)]
    Tree(#[from] TreeError),
}

/// A manifest with the trees computed from it.
pub struct Context {
    manifest: Arc<Manifest>,
    consortium: Digest,
    registry: RegistryTree,
    slots: Mutex<BTreeMap<(GatewayId, Epoch), Slot>>,
}

/// What is computed once for a gateway and epoch.
#[derive(Clone)]
struct Slot {
    scope: Fr,
    members: Arc<MemberTree>,
}

/// The public inputs that a signal does not carry.
pub(crate) struct Expected {
    pub(crate) members: Arc<MemberTree>,
    pub(crate) scope: Fr,
    pub(crate) x: Fr,
    pub(crate) threshold: u32,
}

impl Context {
    /// The context of a manifest.
    ///
    /// # Errors
    /// [`ContextError`] if it is for other circuits or has too many models.
    pub fn new(manifest: Arc<Manifest>) -> Result<Self, ContextError> {
        manifest.circuit(Epoch(0)).ok_or(ContextError::NoCircuit)?;
        if !manifest.circuits.values().any(is_ours) {
            let last = manifest.circuits.values().next_back().ok_or(ContextError::NoCircuit)?;
            let (version, hash, known) = (last.version, last.hash, circuit_hash());
            return Err(ContextError::Circuit { version, hash, known });
        }
        let registry = RegistryTree::new(&manifest)?;
        Ok(Self { consortium: manifest.id(), registry, slots: Mutex::default(), manifest })
    }

    /// The manifest.
    #[must_use]
    pub fn manifest(&self) -> &Arc<Manifest> {
        &self.manifest
    }

    /// The consortium's id.
    #[must_use]
    pub fn consortium(&self) -> Digest {
        self.consortium
    }

    /// The registered models.
    #[must_use]
    pub fn registry(&self) -> &RegistryTree {
        &self.registry
    }

    /// The scope of a gateway and epoch: what tags, counters and nullifiers are relative to.
    #[must_use]
    pub fn scope(&self, gateway: GatewayId, epoch: Epoch) -> Fr {
        let circuit = self.circuit(epoch);
        derive::scope(&self.consortium, circuit.version, &circuit.verifying_key, gateway, epoch)
    }

    /// The circuit in force in an epoch.
    #[must_use]
    pub fn circuit(&self, epoch: Epoch) -> &Circuit {
        self.manifest.circuit(epoch).expect("the constructor found one in force from epoch 0 on")
    }

    /// The last epoch in which a signal of `epoch` may count: a lifetime of one epoch ends with its own.
    #[must_use]
    pub fn last_expiry(&self, epoch: Epoch) -> Epoch {
        Epoch(epoch.0.saturating_add(self.manifest.signal_lifetime.saturating_sub(1)))
    }

    /// The members of a gateway in an epoch.
    ///
    /// # Errors
    /// [`TreeError`] if the gateway is unknown or a commitment of the manifest is malformed.
    pub fn members(&self, gateway: GatewayId, epoch: Epoch) -> Result<Arc<MemberTree>, TreeError> {
        Ok(self.slot(gateway, epoch)?.members)
    }

    fn slot(&self, gateway: GatewayId, epoch: Epoch) -> Result<Slot, TreeError> {
        // A poisoned lock only means that another thread died; every state of the cache is a valid one.
        let mut cache = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(slot) = cache.get(&(gateway, epoch)) {
            return Ok(slot.clone());
        }
        let members = Arc::new(MemberTree::new(&self.manifest, gateway, epoch)?);
        let slot = Slot { scope: self.scope(gateway, epoch), members };
        if cache.len() >= CACHED_SLOTS {
            cache.clear();
        }
        cache.insert((gateway, epoch), slot.clone());
        Ok(slot)
    }

    /// The checks that depend on the time of arrival: epoch window, gateway's expiry, signal's expiry.
    ///
    /// # Errors
    /// [`SignalError`]; apart from an unknown gateway, of the kind to ignore.
    pub fn check_arrival(&self, body: &SignalBody, now: Timestamp) -> Result<(), SignalError> {
        self.check_names(body)?;
        let schedule = &self.manifest.epochs;
        if !schedule.accepts(body.epoch, now) {
            return Err(SignalError::Epoch(body.epoch));
        }
        let gateway = self.manifest.gateways.get(&body.gateway).ok_or(SignalError::Gateway(body.gateway))?;
        if now > gateway.expires {
            return Err(SignalError::GatewayExpired(body.gateway));
        }
        if schedule.at(now).is_none_or(|epoch| epoch > body.expires) {
            return Err(SignalError::Expired(body.expires));
        }
        Ok(())
    }

    fn check_names(&self, body: &SignalBody) -> Result<(), SignalError> {
        if body.consortium != self.consortium {
            return Err(SignalError::Consortium);
        }
        let circuit = self.circuit(body.epoch);
        if body.circuit != circuit.version {
            return Err(SignalError::Circuit(body.circuit));
        }
        if !is_ours(circuit) {
            return Err(SignalError::Outdated(circuit.version));
        }
        if !self.manifest.gateways.contains_key(&body.gateway) {
            return Err(SignalError::Gateway(body.gateway));
        }
        Ok(())
    }

    /// What the body of a signal determines: all the checks short of the proof, and the inputs it does not
    /// carry.
    pub(crate) fn expected(&self, body: &SignalBody) -> Result<Expected, SignalError> {
        self.check_names(body)?;
        if !(body.epoch..=self.last_expiry(body.epoch)).contains(&body.expires) {
            return Err(SignalError::Lifetime(body.expires));
        }
        let x = derive::x(body);
        if x == Fr::ZERO {
            return Err(SignalError::ZeroX);
        }
        let Slot { scope, members } = self.slot(body.gateway, body.epoch)?;
        let minimum = self.manifest.gateways.get(&body.gateway).map_or(0, |gateway| gateway.minimum).max(1);
        if members.active() < usize::from(minimum) {
            return Err(SignalError::TooFewActive { epoch: body.epoch, minimum });
        }
        Ok(Expected { members, scope, x, threshold: self.manifest.thresholds.of(body.severity) })
    }

    /// The public inputs of a signal: its own, decoded strictly, and those recomputed or known.
    ///
    /// # Errors
    /// [`SignalError`].
    pub fn statement(&self, signal: &Signal) -> Result<PublicInputs, SignalError> {
        self.check_names(&signal.body)?;
        let element =
            |what, field: &Field| decode(field).map_err(|source| SignalError::Element { what, source });
        let nullifier = element("nullifier", &signal.nullifier)?;
        let share = element("share", &signal.share)?;
        let tag = element("tag", &signal.body.tag)?;
        let decision = element("decision commitment", &signal.body.decision_commitment)?;
        let Expected { members, scope, x, threshold } = self.expected(&signal.body)?;
        let (member_root, registry_root) = (members.root(), self.registry.root());
        Ok(PublicInputs { member_root, registry_root, scope, nullifier, share, x, tag, threshold, decision })
    }
}

/// Whether this program proves and verifies the circuit.
fn is_ours(circuit: &Circuit) -> bool {
    circuit.version == CIRCUIT_VERSION && circuit.hash == circuit_hash()
}

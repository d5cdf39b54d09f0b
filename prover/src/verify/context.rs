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

/// The manifests in force with the trees computed from them.
pub struct Context {
    consortium: Digest,
    /// Each by the first epoch in which it is in force, until the next; the first from epoch 0 on.
    versions: BTreeMap<Epoch, Version>,
    slots: Mutex<BTreeMap<(GatewayId, Epoch), Slot>>,
}

struct Version {
    manifest: Arc<Manifest>,
    registry: RegistryTree,
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
    /// The context of a consortium that was just founded.
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
        Self::governed(manifest.id(), BTreeMap::from([(Epoch(0), manifest)]))
    }

    /// The context of a consortium under the manifests that governance made, each by its first epoch. They may name
    /// circuits that this program does not know: signals of those epochs are ignored.
    ///
    /// # Errors
    /// [`ContextError`] if none is in force from epoch 0 on, or one has too many models.
    pub fn governed(
        consortium: Digest,
        manifests: BTreeMap<Epoch, Arc<Manifest>>,
    ) -> Result<Self, ContextError> {
        let first = manifests.get(&Epoch(0)).ok_or(ContextError::NoCircuit)?;
        first.circuit(Epoch(0)).ok_or(ContextError::NoCircuit)?;
        let version = |(epoch, manifest): (Epoch, Arc<Manifest>)| {
            let registry = RegistryTree::new(&manifest)?;
            Ok((epoch, Version { manifest, registry }))
        };
        let versions = manifests.into_iter().map(version).collect::<Result<_, TreeError>>()?;
        Ok(Self { consortium, versions, slots: Mutex::default() })
    }

    fn version(&self, epoch: Epoch) -> &Version {
        let found = self.versions.range(..=epoch).next_back();
        found.map(|(_, version)| version).expect("the constructor found one in force from epoch 0 on")
    }

    /// The manifest in force in an epoch.
    #[must_use]
    pub fn manifest(&self, epoch: Epoch) -> &Arc<Manifest> {
        &self.version(epoch).manifest
    }

    /// Every manifest, by the first epoch in which it is in force.
    pub fn manifests(&self) -> impl Iterator<Item = &Arc<Manifest>> {
        self.versions.values().map(|version| &version.manifest)
    }

    /// The consortium's id.
    #[must_use]
    pub fn consortium(&self) -> Digest {
        self.consortium
    }

    /// The models registered in an epoch.
    #[must_use]
    pub fn registry(&self, epoch: Epoch) -> &RegistryTree {
        &self.version(epoch).registry
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
        self.manifest(epoch).circuit(epoch).expect("the constructor found one in force from epoch 0 on")
    }

    /// The last epoch in which a signal of `epoch` may count: a lifetime of one epoch ends with its own.
    #[must_use]
    pub fn last_expiry(&self, epoch: Epoch) -> Epoch {
        Epoch(epoch.0.saturating_add(self.manifest(epoch).signal_lifetime.saturating_sub(1)))
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
        let members = Arc::new(MemberTree::new(self.manifest(epoch), gateway, epoch)?);
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
        let manifest = self.manifest(body.epoch);
        let schedule = &manifest.epochs;
        if !schedule.accepts(body.epoch, now) {
            return Err(SignalError::Epoch(body.epoch));
        }
        let gateway = manifest.gateways.get(&body.gateway).ok_or(SignalError::Gateway(body.gateway))?;
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
        if !self.manifest(body.epoch).gateways.contains_key(&body.gateway) {
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
        let manifest = self.manifest(body.epoch);
        let minimum = manifest.gateways.get(&body.gateway).map_or(0, |gateway| gateway.minimum).max(1);
        if members.active() < usize::from(minimum) {
            return Err(SignalError::TooFewActive { epoch: body.epoch, minimum });
        }
        Ok(Expected { members, scope, x, threshold: manifest.thresholds.of(body.severity) })
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
        let (member_root, registry_root) = (members.root(), self.registry(signal.body.epoch).root());
        Ok(PublicInputs { member_root, registry_root, scope, nullifier, share, x, tag, threshold, decision })
    }
}

/// Whether this program proves and verifies the circuit.
fn is_ours(circuit: &Circuit) -> bool {
    circuit.version == CIRCUIT_VERSION && circuit.hash == circuit_hash()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        prove::ProveError,
        testing::{BANKS, Draft, EPOCH, GATEWAY, bank, consortium, signal},
    };

    /// A member leaves with an epoch: in it signals are proved against a replacement root, and those proved before count
    /// no more; in earlier ones nothing changes.
    #[test]
    fn a_signal_is_judged_by_the_manifest_of_its_epoch() {
        let founded = consortium().verifier.context();
        let mut amended = (**founded.manifest(EPOCH)).clone();
        amended.gateways.get_mut(&GATEWAY).unwrap().members.remove(&bank(BANKS - 1));
        let from = |epoch| {
            let manifests =
                [(Epoch(0), founded.manifest(Epoch(0)).clone()), (epoch, Arc::new(amended.clone()))];
            Arc::new(Context::governed(founded.consortium(), BTreeMap::from(manifests)).unwrap())
        };
        let now = from(EPOCH);
        assert_eq!(now.scope(GATEWAY, EPOCH), founded.scope(GATEWAY, EPOCH), "tags and nullifiers stay");
        let verifier = consortium().verifier.under(now.clone());
        let again = Draft::new(&now, 0, 1).prove(&now, 31).unwrap();
        assert_eq!(again.id(), signal().id(), "the same signal, proved again");
        assert_eq!(verifier.check(&again), Ok(()));
        assert_eq!(verifier.check(&signal()), Err(SignalError::Proof));
        assert_eq!(consortium().verifier.check(&again), Err(SignalError::Proof));
        let later = consortium().verifier.under(from(Epoch(EPOCH.0 + 1)));
        assert_eq!(later.check(&signal()), Ok(()));
        let left = Draft::new(&now, BANKS - 1, 1).prove(&now, 32);
        assert!(matches!(left, Err(ProveError::NotActive { .. })), "{left:?}");
        let none = Context::governed(founded.consortium(), BTreeMap::new());
        assert!(matches!(none, Err(ContextError::NoCircuit)));
    }
}

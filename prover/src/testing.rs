//! A small consortium for tests: six banks, two gateways, one development key made once a process.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, OnceLock},
};

use hansa_types::{
    hash::{Digest, Element, PublicKey},
    id::{BankId, Epoch, GatewayId, Timestamp},
    manifest::{
        Circuit, EpochSchedule, Gateway, Manifest, Member, RegisteredModel, Registration, TagPolicy,
        Thresholds, WitnessPolicy,
    },
    model::{FACTORS, Factors, Model},
    signal::{Category, Severity, Signal, SignalBody},
    subject::SubjectKind,
};
use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng};

use crate::{
    circuit::{CIRCUIT_VERSION, circuit_hash},
    keys::{ProvingKey, VerifyingKey},
    opening::{DecisionOpening, Salt},
    prove::{EpochPart, ProveError, Prover, Request, Sender},
    secrets::MemberSecrets,
    setup,
    tag::SubjectSecret,
    verify::{Context, SignalVerifier},
};

pub(crate) const BANKS: usize = 6;
pub(crate) const GATEWAY: GatewayId = GatewayId(1);
pub(crate) const OTHER_GATEWAY: GatewayId = GatewayId(2);
pub(crate) const EPOCH: Epoch = Epoch(4);
pub(crate) const LIMIT: u32 = 3;
pub(crate) const LOW: u32 = 100;
pub(crate) const EPOCH_SECONDS: u32 = 3600;
pub(crate) const GRACE_SECONDS: u32 = 60;

pub(crate) fn rng(seed: u64) -> ChaCha20Rng {
    ChaCha20Rng::seed_from_u64(seed)
}

/// A consortium with the prover of its key.
pub(crate) struct Consortium {
    pub(crate) prover: Prover,
    pub(crate) verifier: SignalVerifier,
    pub(crate) secrets: Vec<MemberSecrets>,
}

/// The one that most tests share.
pub(crate) fn consortium() -> &'static Consortium {
    static CONSORTIUM: OnceLock<Consortium> = OnceLock::new();
    CONSORTIUM.get_or_init(|| {
        let key = setup::development(&mut rng(100)).unwrap();
        let secrets: Vec<_> = (0..BANKS as u64).map(|i| MemberSecrets::generate(&mut rng(i))).collect();
        let manifest = manifest(key.verifying_key(), &secrets);
        Consortium { verifier: verifier(manifest, key.verifying_key()), prover: Prover::new(key), secrets }
    })
}

/// A verifier for a changed manifest.
pub(crate) fn verifier(manifest: Manifest, key: &VerifyingKey) -> SignalVerifier {
    SignalVerifier::new(Arc::new(Context::new(Arc::new(manifest)).unwrap()), key.clone()).unwrap()
}

pub(crate) fn bank(i: usize) -> BankId {
    format!("bank-{i}").parse().unwrap()
}

pub(crate) fn manifest(key: &VerifyingKey, secrets: &[MemberSecrets]) -> Manifest {
    let key_of = |i: usize, what: u8| PublicKey([what.wrapping_add(3 * i as u8); 32]);
    let member = |(i, secrets): (usize, &MemberSecrets)| {
        let traces = (2..6).map(|e| (Epoch(e), secrets.trace_commitment(Epoch(e)))).collect();
        let member = Member {
            institution: format!("Bank {i}"),
            parent: "5493001KJTIIGC8Y1R12".parse().unwrap(),
            governance_key: key_of(i, 1),
            log_key: key_of(i, 2),
            cosigner_key: key_of(i, 100),
            zones: BTreeMap::new(),
            peer_keys: BTreeSet::from([key_of(i, 3)]),
            membership: secrets.membership(),
            traces,
            tag_share: None,
        };
        (bank(i), member)
    };
    let registration = Registration { reference: "test".into(), expires: Timestamp(u64::MAX) };
    let gateway = |members: std::ops::Range<usize>| Gateway {
        name: "fraud".into(),
        legal_basis: "test law".into(),
        purpose: "tests".into(),
        jurisdictions: BTreeSet::from(["DE".parse().unwrap()]),
        members: members.map(|i| (bank(i), registration.clone())).collect(),
        minimum: 1,
        expires: Timestamp(u64::from(EPOCH_SECONDS) * 5),
    };
    let mut second = [1; FACTORS];
    second[0] = -7;
    let circuit = Circuit {
        version: CIRCUIT_VERSION,
        hash: circuit_hash(),
        verifying_key: key.hash(),
        transcript: None,
    };
    let manifest = Manifest {
        name: "test".into(),
        development: true,
        refounds: None,
        epochs: EpochSchedule { start: Timestamp(0), seconds: EPOCH_SECONDS, grace_seconds: GRACE_SECONDS },
        members: secrets.iter().enumerate().map(member).collect::<BTreeMap<_, _>>(),
        gateways: BTreeMap::from([(GATEWAY, gateway(0..BANKS)), (OTHER_GATEWAY, gateway(0..BANKS - 1))]),
        thresholds: Thresholds { low: LOW, medium: 200, high: 400 },
        models: vec![registered(1, [2; FACTORS]), registered(2, second)],
        circuits: BTreeMap::from([(Epoch(0), circuit)]),
        signal_limit: LIMIT,
        signal_lifetime: 3,
        tags: TagPolicy { key: Element([0; 32]), threshold: 1 },
        witnesses: WitnessPolicy { quorum: 1, faulty: 0 },
    };
    manifest.check().unwrap();
    manifest
}

fn registered(version: u32, weights: [i16; FACTORS]) -> RegisteredModel {
    RegisteredModel {
        model: Model { version, weights },
        owner: "test".into(),
        purpose: "tests".into(),
        validation: Digest([0; 32]),
        approver: "test".into(),
        review: "2030-01-01".parse().unwrap(),
    }
}

/// One thing to signal, which tests change before they prove it.
#[derive(Clone)]
pub(crate) struct Draft {
    pub(crate) bank: usize,
    pub(crate) counter: u32,
    pub(crate) body: SignalBody,
    pub(crate) opening: DecisionOpening,
}

impl Draft {
    /// A true statement by `bank`; `salt` makes it one of its own.
    pub(crate) fn new(context: &Context, bank: usize, salt: u8) -> Self {
        let opening = DecisionOpening {
            subject: SubjectSecret::from_bytes(&[7; 64]),
            factors: Factors([4; FACTORS]),
            model: context.manifest(EPOCH).models[0].model.clone(),
            decision: Digest([9; 32]),
            salt: Salt([salt; 32]),
        };
        let body = SignalBody {
            consortium: context.consortium(),
            circuit: CIRCUIT_VERSION,
            gateway: GATEWAY,
            epoch: EPOCH,
            expires: Epoch(EPOCH.0 + 2),
            severity: Severity::Low,
            subject: SubjectKind::Account,
            category: Category::MuleAccount,
            tag: opening.subject.tag(context.scope(GATEWAY, EPOCH)),
            decision_commitment: opening.commitment(),
            retraction_lock: Digest([1; 32]),
            reply_key: [2; 32],
        };
        Self { bank, counter: 0, body, opening }
    }

    /// Recomputes what follows from gateway, epoch and opening.
    pub(crate) fn bind(&mut self, context: &Context) {
        self.body.tag = self.opening.subject.tag(context.scope(self.body.gateway, self.body.epoch));
        self.body.decision_commitment = self.opening.commitment();
    }

    pub(crate) fn prove(&self, context: &Context, seed: u64) -> Result<Signal, ProveError> {
        consortium().prover.prove(context, &self.request(&bank(self.bank)), &mut rng(seed))
    }

    pub(crate) fn prove_within(
        &self,
        part: &EpochPart,
        context: &Context,
        seed: u64,
    ) -> Result<Signal, ProveError> {
        consortium().prover.prove_within(part, context, &self.request(&bank(self.bank)), &mut rng(seed))
    }

    fn request<'a>(&'a self, bank: &'a BankId) -> Request<'a> {
        Request {
            bank,
            secrets: &consortium().secrets[self.bank],
            body: &self.body,
            counter: self.counter,
            opening: &self.opening,
        }
    }

    /// The part that this bank's signals of the epoch share.
    pub(crate) fn epoch_part(&self, context: &Context) -> Result<EpochPart, ProveError> {
        let consortium = consortium();
        let sender = Sender {
            bank: &bank(self.bank),
            secrets: &consortium.secrets[self.bank],
            gateway: self.body.gateway,
            epoch: self.body.epoch,
            model: self.opening.model.version,
        };
        consortium.prover.epoch_part(context, &sender)
    }
}

/// A signal that verifies, made once a process.
pub(crate) fn signal() -> Signal {
    static SIGNAL: OnceLock<Signal> = OnceLock::new();
    let make = || {
        let context = consortium().verifier.context();
        Draft::new(context, 0, 1).prove(context, 1).unwrap()
    };
    SIGNAL.get_or_init(make).clone()
}

/// A key file's payload with its header, for tampering.
pub(crate) fn proving_key() -> &'static ProvingKey {
    consortium().prover.key()
}

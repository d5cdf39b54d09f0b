//! A consortium in memory to prove and verify in: its manifest, its members' secrets, and a signal for each.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use hansa_prover::circuit::{CIRCUIT_VERSION, circuit_hash};
use hansa_prover::keys::{ProvingKey, VerifyingKey};
use hansa_prover::opening::{DecisionOpening, SALT_BYTES, Salt};
use hansa_prover::prove::{EpochPart, ProveError, Prover, Request, Sender};
use hansa_prover::secrets::MemberSecrets;
use hansa_prover::tag::{SUBJECT_SECRET_BYTES, SubjectSecret};
use hansa_prover::verify::{Context, ContextError};
use hansa_types::hash::{Digest, Element, PublicKey};
use hansa_types::id::{BankId, Epoch, GatewayId, Timestamp};
use hansa_types::lei::Lei;
use hansa_types::manifest::{
    Circuit, EpochSchedule, Gateway, Manifest, Member, RegisteredModel, Registration, TagPolicy, Thresholds,
    WitnessPolicy,
};
use hansa_types::model::{FACTORS, Factors, Model};
use hansa_types::signal::{Category, Severity, Signal, SignalBody};
use hansa_types::subject::SubjectKind;
use rand::rngs::OsRng;
use rand::{CryptoRng, Rng, RngCore};

/// Members, as many as a full mesh is meant for.
const BANKS: usize = 12;
const GATEWAY: GatewayId = GatewayId(1);
const EPOCH: Epoch = Epoch(1);
/// Epochs a signal counts.
const LIFETIME: u32 = 3;
const EPOCH_SECONDS: u32 = 86_400;
/// Signals that a member may send in an epoch.
const LIMIT: u32 = 100;

/// The consortium, ready to prove.
pub(super) struct Consortium {
    prover: Prover,
    context: Arc<Context>,
    banks: Vec<(BankId, MemberSecrets)>,
}

impl Consortium {
    /// A consortium whose manifest pins `key`.
    pub(super) fn new(key: ProvingKey) -> Result<Self, ContextError> {
        let banks: Vec<_> = (0..BANKS)
            .map(|i| {
                let id = format!("bank-{i}").parse().expect("lower-case letters, a hyphen and digits");
                (id, MemberSecrets::generate(&mut OsRng))
            })
            .collect();
        let manifest = manifest(key.verifying_key(), &banks);
        let context = Arc::new(Context::new(Arc::new(manifest))?);
        Ok(Self { prover: Prover::new(key), context, banks })
    }

    /// What verifiers check against.
    pub(super) fn context(&self) -> &Arc<Context> {
        &self.context
    }

    /// The key that verifiers hold.
    pub(super) fn verifying_key(&self) -> &VerifyingKey {
        self.prover.key().verifying_key()
    }

    /// Computes what all proofs share, so that no proof is measured with it.
    pub(super) fn prepare(&self) {
        self.prover.prepare();
    }

    /// Proves the `number`th signal: another sender, counter, subject and decision each time.
    pub(super) fn prove(
        &self,
        number: usize,
        rng: &mut (impl RngCore + CryptoRng),
    ) -> Result<Signal, ProveError> {
        let (bank, secrets) = &self.banks[number % BANKS];
        let (body, opening) = self.draft(rng);
        let counter = (number / BANKS) as u32 % LIMIT;
        let request = Request { bank, secrets, body: &body, counter, opening: &opening };
        self.prover.prove(&self.context, &request, rng)
    }

    /// What the first bank's signals of the epoch share.
    pub(super) fn epoch_part(&self) -> Result<EpochPart, ProveError> {
        let (bank, secrets) = &self.banks[0];
        let model = self.context.manifest(EPOCH).models[0].model.version;
        self.prover
            .epoch_part(&self.context, &Sender { bank, secrets, gateway: GATEWAY, epoch: EPOCH, model })
    }

    /// Proves a signal of the first bank, with what its signals share; another subject and decision each time.
    pub(super) fn prove_within(
        &self,
        part: &EpochPart,
        counter: u32,
        rng: &mut (impl RngCore + CryptoRng),
    ) -> Result<Signal, ProveError> {
        let (bank, secrets) = &self.banks[0];
        let (body, opening) = self.draft(rng);
        let request = Request { bank, secrets, body: &body, counter: counter % LIMIT, opening: &opening };
        self.prover.prove_within(part, &self.context, &request, rng)
    }

    /// Something to signal.
    fn draft(&self, rng: &mut (impl RngCore + CryptoRng)) -> (SignalBody, DecisionOpening) {
        let opening = DecisionOpening {
            subject: SubjectSecret::from_bytes(&array::<SUBJECT_SECRET_BYTES>(rng)),
            factors: Factors([4; FACTORS]),
            model: self.context.manifest(EPOCH).models[0].model.clone(),
            decision: Digest(array(rng)),
            salt: Salt(array::<SALT_BYTES>(rng)),
        };
        let body = SignalBody {
            consortium: self.context.consortium(),
            circuit: CIRCUIT_VERSION,
            gateway: GATEWAY,
            epoch: EPOCH,
            expires: Epoch(EPOCH.0 + LIFETIME - 1),
            severity: Severity::Low,
            subject: SubjectKind::Account,
            category: Category::MuleAccount,
            tag: opening.subject.tag(self.context.scope(GATEWAY, EPOCH)),
            decision_commitment: opening.commitment(),
            retraction_lock: Digest(array(rng)),
            reply_key: array(rng),
        };
        (body, opening)
    }
}

fn array<const N: usize>(rng: &mut impl RngCore) -> [u8; N] {
    let mut bytes = [0; N];
    rng.fill_bytes(&mut bytes);
    bytes
}

fn manifest(key: &VerifyingKey, banks: &[(BankId, MemberSecrets)]) -> Manifest {
    let lei = Lei::try_from("999900GRAUWOLKENX130").expect("the check digits are right");
    let member = |(id, secrets): &(BankId, MemberSecrets)| {
        let member = Member {
            institution: id.to_string(),
            parent: lei,
            governance_key: PublicKey(OsRng.r#gen()),
            log_key: PublicKey(OsRng.r#gen()),
            cosigner_key: PublicKey(OsRng.r#gen()),
            zones: BTreeMap::new(),
            peer_keys: BTreeSet::from([PublicKey(OsRng.r#gen())]),
            membership: secrets.membership(),
            traces: BTreeMap::from([(EPOCH, secrets.trace_commitment(EPOCH))]),
            tag_share: None,
        };
        (id.clone(), member)
    };
    let registration = Registration { reference: "none".to_owned(), expires: Timestamp(u64::MAX) };
    let gateway = Gateway {
        name: "bench".to_owned(),
        legal_basis: "none: invented members".to_owned(),
        purpose: "measuring".to_owned(),
        jurisdictions: BTreeSet::new(),
        members: banks.iter().map(|(id, _)| (id.clone(), registration.clone())).collect(),
        minimum: 1,
        expires: Timestamp(u64::MAX),
    };
    let registered = RegisteredModel {
        model: Model { version: 1, weights: [2; FACTORS] },
        owner: "bench".to_owned(),
        purpose: "measuring".to_owned(),
        validation: Digest::default(),
        approver: "bench".to_owned(),
        review: "2030-01-01".try_into().expect("a day of the calendar"),
    };
    let circuit = Circuit {
        version: CIRCUIT_VERSION,
        hash: circuit_hash(),
        verifying_key: key.hash(),
        transcript: None,
    };
    Manifest {
        name: "bench".to_owned(),
        development: true,
        refounds: None,
        epochs: EpochSchedule { start: Timestamp(0), seconds: EPOCH_SECONDS, grace_seconds: 60 },
        members: banks.iter().map(member).collect(),
        gateways: BTreeMap::from([(GATEWAY, gateway)]),
        thresholds: Thresholds { low: 100, medium: 200, high: 400 },
        models: vec![registered],
        circuits: BTreeMap::from([(Epoch(0), circuit)]),
        signal_limit: LIMIT,
        signal_lifetime: LIFETIME,
        tags: TagPolicy { key: Element([0; 32]), threshold: 1 },
        witnesses: WitnessPolicy { quorum: 1, faulty: 0 },
    }
}

//! A consortium of two banks, made once a process, and bundles as a bank would make them that lies in its own log.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, OnceLock};

use ed25519_dalek::{Signer as _, SigningKey};
use hansa_audit_log::checkpoint::Checkpoint;
use hansa_audit_log::envelope::RecordsKey;
use hansa_audit_log::evidence::{Attachment, AttachmentKind, Disclosure, Evidence};
use hansa_audit_log::merkle::{Frontier, MemoryNodes, inclusion_proof, leaf_hash};
use hansa_auditor::report::Report;
use hansa_auditor::verify::{VerifyError, verify};
use hansa_prover::circuit::{CIRCUIT_VERSION, circuit_hash};
use hansa_prover::keys::VerifyingKey;
use hansa_prover::opening::{DecisionOpening, Salt};
use hansa_prover::prove::{Prover, Request};
use hansa_prover::secrets::MemberSecrets;
use hansa_prover::setup;
use hansa_prover::tag::{DevelopmentTagKey, SubjectSecret, TagEvaluator, TagRequest, TagTranscript};
use hansa_prover::verify::Context;
use hansa_types::codec::Encode;
use hansa_types::decision::{Decision, Disposition, Reason, Verdict};
use hansa_types::habits::Habits;
use hansa_types::hash::{Digest, Element, PublicKey};
use hansa_types::id::{BankId, Epoch, GatewayId, Timestamp};
use hansa_types::manifest::{
    Circuit, EpochSchedule, Gateway, Manifest, Member, RegisteredModel, Registration, TagPolicy, Thresholds,
    WitnessPolicy,
};
use hansa_types::model::{FACTORS, Factors, Model};
use hansa_types::payment::{Account, Payment};
use hansa_types::record::{DecisionRecord, IntentRecord, Operation, Record, RecordClass, SignalRecord};
use hansa_types::sign::{SignError, Signer};
use hansa_types::signal::{Category, Severity, Signal, SignalBody};
use hansa_types::subject::{Subject, SubjectKind};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;

/// Who signals.
pub(crate) const SENDER: &str = "alpha";
/// Who receives.
pub(crate) const RECEIVER: &str = "beta";
/// Whose payment it is.
pub(crate) const BOB: &str = "DE89370400440532013000";
/// Whom he pays, and who is signalled.
pub(crate) const MULE: &str = "NL91ABNA0417164300";
/// Who has nothing to do with it.
pub(crate) const ALICE: &str = "GB29NWBK60161331926819";
/// When it is signalled.
pub(crate) const EPOCH: Epoch = Epoch(4);
/// The last epoch in which the signal counts.
pub(crate) const EXPIRES: Epoch = Epoch(6);
/// The factors of the honest decisions.
pub(crate) const HONEST: Factors = Factors([4; FACTORS]);

const GATEWAY: GatewayId = GatewayId(1);
const EPOCH_SECONDS: u32 = 3600;
const SIGNAL_LIMIT: u32 = 32;

/// A moment within an epoch.
pub(crate) fn within(epoch: Epoch) -> Timestamp {
    Timestamp(u64::from(epoch.0) * u64::from(EPOCH_SECONDS) + 60)
}

/// An Ed25519 key in memory.
pub(crate) struct LogKey(SigningKey);

impl LogKey {
    pub(crate) fn of(bank: &str) -> Self {
        Self(SigningKey::from_bytes(&[bank.as_bytes()[0]; 32]))
    }

    pub(crate) fn cosigner(bank: &str) -> Self {
        Self(SigningKey::from_bytes(&[bank.as_bytes()[0] ^ 0x20; 32]))
    }
}

impl Signer for LogKey {
    fn public_key(&self) -> PublicKey {
        PublicKey(self.0.verifying_key().to_bytes())
    }

    fn sign(&self, message: &[u8]) -> Result<[u8; 64], SignError> {
        Ok(self.0.sign(message).to_bytes())
    }
}

fn rng(seed: u64) -> ChaCha20Rng {
    ChaCha20Rng::seed_from_u64(seed)
}

/// The consortium, with every secret in it.
pub(crate) struct World {
    pub(crate) manifest: Arc<Manifest>,
    context: Context,
    prover: Prover,
    secrets: MemberSecrets,
    tag_key: DevelopmentTagKey,
}

/// The one that all tests share.
pub(crate) fn world() -> &'static World {
    static WORLD: OnceLock<World> = OnceLock::new();
    WORLD.get_or_init(|| {
        let key = setup::development(&mut rng(1)).unwrap();
        let [sender, receiver] = [2, 3].map(|seed| MemberSecrets::generate(&mut rng(seed)));
        let tag_key = DevelopmentTagKey::generate(&mut rng(4));
        let members = BTreeMap::from([
            (SENDER.parse().unwrap(), member(SENDER, &sender)),
            (RECEIVER.parse().unwrap(), member(RECEIVER, &receiver)),
        ]);
        let manifest = Arc::new(manifest(members, key.verifying_key(), &tag_key));
        manifest.check().unwrap();
        let context = Context::new(manifest.clone()).unwrap();
        World { manifest, context, prover: Prover::new(key), secrets: sender, tag_key }
    })
}

fn member(bank: &str, secrets: &MemberSecrets) -> Member {
    let other_key = |purpose: u8| PublicKey([bank.as_bytes()[0] ^ purpose; 32]);
    Member {
        institution: format!("Bank {bank}"),
        parent: "5493001KJTIIGC8Y1R12".parse().unwrap(),
        governance_key: other_key(0x40),
        log_key: LogKey::of(bank).public_key(),
        cosigner_key: LogKey::cosigner(bank).public_key(),
        zones: BTreeMap::new(),
        peer_keys: BTreeSet::from([other_key(0x80)]),
        membership: secrets.membership(),
        traces: BTreeMap::from([(EPOCH, secrets.trace_commitment(EPOCH))]),
        tag_share: None,
    }
}

fn manifest(members: BTreeMap<BankId, Member>, key: &VerifyingKey, tag_key: &DevelopmentTagKey) -> Manifest {
    let registration = Registration { reference: "test".into(), expires: Timestamp(u64::MAX) };
    let gateway = Gateway {
        name: "fraud".into(),
        legal_basis: "test law".into(),
        purpose: "tests".into(),
        jurisdictions: BTreeSet::from(["DE".parse().unwrap()]),
        members: members.keys().map(|bank| (bank.clone(), registration.clone())).collect(),
        minimum: 1,
        expires: Timestamp(u64::MAX),
    };
    let circuit = Circuit {
        version: CIRCUIT_VERSION,
        hash: circuit_hash(),
        verifying_key: key.hash(),
        transcript: None,
    };
    Manifest {
        name: "forged".into(),
        development: true,
        refounds: None,
        epochs: EpochSchedule { start: Timestamp(0), seconds: EPOCH_SECONDS, grace_seconds: 60 },
        members,
        gateways: BTreeMap::from([(GATEWAY, gateway)]),
        thresholds: Thresholds { low: 100, medium: 200, high: 400 },
        models: vec![registered(1, 2), registered(2, 3)],
        circuits: BTreeMap::from([(Epoch(0), circuit)]),
        signal_limit: SIGNAL_LIMIT,
        signal_lifetime: 3,
        tags: TagPolicy { key: Element(tag_key.public_key()), threshold: 1 },
        witnesses: WitnessPolicy { quorum: 1, faulty: 0 },
    }
}

fn registered(version: u32, weight: i16) -> RegisteredModel {
    RegisteredModel {
        model: Model { version, weights: [weight; FACTORS] },
        owner: "test".into(),
        purpose: "tests".into(),
        validation: Digest([0; 32]),
        approver: "test".into(),
        review: "2030-01-01".parse().unwrap(),
    }
}

/// The transcript of the tag function for an account, under any key.
pub(crate) fn transcript_under(key: &DevelopmentTagKey, account: &str) -> (SubjectSecret, TagTranscript) {
    let subject = Subject::Account(Account::from_iban_text(account));
    let request = TagRequest::new(&subject, &mut rng(5)).unwrap();
    let answers = key.evaluate(&[request.blinded()]).unwrap();
    request.finish(&answers.0[0], &key.public_key()).unwrap()
}

/// The transcript of the consortium's tag function for an account.
pub(crate) fn transcript(account: &str) -> TagTranscript {
    transcript_under(&world().tag_key, account).1
}

/// A payment of Bob's to the mule.
pub(crate) fn payment(message_id: &str) -> Payment {
    Payment {
        message_id: message_id.to_owned(),
        transaction_id: Some("T1".to_owned()),
        debtor_account: Some(Account::from_iban_text(BOB)),
        creditor_account: Some(Account::from_iban_text(MULE)),
        ..Payment::default()
    }
}

/// An honest decision on a payment, which rests on the signals given.
pub(crate) fn decide(payment: Payment, signals: Vec<Digest>, at: Timestamp) -> DecisionRecord {
    let model = &world().manifest.models[0].model;
    let decision = Decision {
        key: payment.key(),
        content: payment.content_hash(),
        verdict: Verdict::Investigate,
        disposition: Some(Disposition::Hold),
        reasons: vec![if signals.is_empty() { Reason::Score } else { Reason::ConsortiumSignal }],
        outward_code: None,
        score: model.score(&HONEST),
        factors: HONEST,
        model_version: model.version,
        model: model.digest(),
        rules: Digest([8; 32]),
        lists: vec![],
        signals,
        exceptions: vec![],
        frame: None,
        findings: vec![],
        decided_at: at,
    };
    DecisionRecord { decision, payment, habits: Habits::default() }
}

/// The honest opening of a decision, about the mule.
pub(crate) fn opening(decided: &DecisionRecord) -> DecisionOpening {
    DecisionOpening {
        subject: secret(MULE),
        factors: decided.decision.factors,
        model: world().manifest.models[0].model.clone(),
        decision: decided.decision.id(),
        salt: Salt([6; 32]),
    }
}

/// u of an account.
pub(crate) fn secret(account: &str) -> SubjectSecret {
    transcript_under(&world().tag_key, account).0
}

/// A signal with a true proof over what the opening says, whatever that is.
pub(crate) fn signal(opening: &DecisionOpening, counter: u32, subject: SubjectKind) -> Signal {
    let World { context, prover, secrets, .. } = world();
    let body = SignalBody {
        consortium: context.consortium(),
        circuit: CIRCUIT_VERSION,
        gateway: GATEWAY,
        epoch: EPOCH,
        expires: EXPIRES,
        severity: Severity::Low,
        subject,
        category: Category::MuleAccount,
        tag: opening.subject.tag(context.scope(GATEWAY, EPOCH)),
        decision_commitment: opening.commitment(),
        retraction_lock: Digest([1; 32]),
        reply_key: [2; 32],
    };
    let bank = SENDER.parse().unwrap();
    let request = Request { bank: &bank, secrets, body: &body, counter, opening };
    prover.prove(context, &request, &mut rng(7)).unwrap()
}

/// The signal that honest bundles are about, proved once.
pub(crate) fn honest_signal() -> Signal {
    static SIGNAL: OnceLock<Signal> = OnceLock::new();
    let make = || signal(&opening(&decided_by_sender()), 0, SubjectKind::Account);
    SIGNAL.get_or_init(make).clone()
}

/// The decision that the sender's signal is about.
pub(crate) fn decided_by_sender() -> DecisionRecord {
    decide(payment("M1"), vec![], within(EPOCH))
}

/// A signal received.
pub(crate) fn received(signal: Signal) -> Record {
    Record::SignalReceived(SignalRecord { signal, at: within(EPOCH) })
}

/// A log of which some records are shown, and what is shown beside them.
#[derive(Clone)]
pub(crate) struct Bundle {
    pub(crate) bank: &'static str,
    pub(crate) records: Vec<Record>,
    pub(crate) attachments: Vec<Attachment>,
    /// The class that all of them bear in the clear; none for each its own.
    pub(crate) class: Option<RecordClass>,
}

impl Bundle {
    /// A decision without any signal.
    pub(crate) fn plain() -> Self {
        let records = vec![Record::Decision(decided_by_sender())];
        Self { bank: SENDER, records, attachments: vec![], class: None }
    }

    /// What a sender shows of a signal and the decision it is about.
    pub(crate) fn sender(signal: Signal, opening: &DecisionOpening) -> Self {
        let decided = decided_by_sender();
        let intent = IntentRecord {
            decision: opening.decision,
            case: 1,
            counter: 0,
            body: signal.body.clone(),
            at: within(EPOCH),
        };
        let records = vec![
            Record::Decision(decided),
            Record::SignalIntent(intent),
            Record::SignalSent(SignalRecord { signal, at: within(EPOCH) }),
        ];
        let mut bundle = Self { bank: SENDER, records, attachments: vec![], class: None };
        bundle.attach(AttachmentKind::VerifyingKey, &[verifying_key()]);
        bundle.attach(AttachmentKind::DecisionOpening, &[opening.to_bytes()]);
        bundle.attach(AttachmentKind::TagTranscript, &[transcript(MULE).to_bytes()]);
        bundle
    }

    /// The sender's, with nothing false in it.
    pub(crate) fn honest_sender() -> Self {
        Self::sender(honest_signal(), &opening(&decided_by_sender()))
    }

    /// What a receiver shows of a signal and the decision, at a time, that rests on it.
    pub(crate) fn receiver(at: Timestamp) -> Self {
        let decided = decide(payment("M2"), vec![honest_signal().id()], at);
        let records = vec![received(honest_signal()), Record::Decision(decided)];
        let mut bundle = Self { bank: RECEIVER, records, attachments: vec![], class: None };
        bundle.attach(AttachmentKind::VerifyingKey, &[verifying_key()]);
        bundle.attach(AttachmentKind::TagTranscript, &[transcript(MULE).to_bytes()]);
        bundle
    }

    /// Puts these in the place of the attachments of one kind.
    pub(crate) fn attach(&mut self, kind: AttachmentKind, contents: &[Vec<u8>]) {
        self.attachments.retain(|attachment| attachment.kind != kind);
        self.attachments.extend(contents.iter().map(|bytes| Attachment { kind, bytes: bytes.clone() }));
    }

    /// The decision record, to be changed.
    pub(crate) fn decided(&mut self) -> &mut DecisionRecord {
        let decided = self.records.iter_mut().find_map(|record| match record {
            Record::Decision(decided) => Some(decided),
            _ => None,
        });
        decided.unwrap()
    }

    /// The signal of the record at this place, to be changed.
    pub(crate) fn signal(&mut self, at: usize) -> &mut Signal {
        match &mut self.records[at] {
            Record::SignalSent(record) | Record::SignalReceived(record) => &mut record.signal,
            other => unreachable!("{other:?} at {at}"),
        }
    }

    /// The file, from the bank's own log.
    pub(crate) fn seal(&self) -> Vec<u8> {
        let origin = world().manifest.log_origin(&self.bank.parse().unwrap());
        self.seal_as(&origin, &LogKey::of(self.bank))
    }

    /// The file, from a log of this name signed with this key. One entry before and one after the records are not
    /// shown.
    pub(crate) fn seal_as(&self, origin: &str, key: &LogKey) -> Vec<u8> {
        let mut rng = rng(8);
        let records_key = RecordsKey::new([9; 32]);
        let hidden = Record::Operation(Operation {
            what: "start".to_owned(),
            detail: String::new(),
            at: within(EPOCH),
        });
        let log: Vec<&Record> = [&hidden].into_iter().chain(&self.records).chain([&hidden]).collect();
        let sealed: Vec<_> = log
            .iter()
            .map(|record| {
                let class = self.class.unwrap_or(record.class());
                records_key.seal(origin, class, &record.to_bytes(), &mut rng).unwrap()
            })
            .collect();
        let (mut nodes, mut frontier) = (MemoryNodes::default(), Frontier::default());
        for leaf in &sealed {
            frontier.append(leaf_hash(leaf.as_bytes()), |id, hash| nodes.put(id, hash));
        }
        let checkpoint =
            Checkpoint { origin: origin.to_owned(), size: frontier.size(), root: frontier.root() };
        let shown = (1..).zip(&sealed[1..sealed.len() - 1]).map(|(index, envelope)| Disclosure {
            index,
            envelope: envelope.clone(),
            leaf_key: records_key.leaf_key(&envelope.salt()).disclose(),
            path: inclusion_proof(&nodes, index, checkpoint.size).unwrap(),
        });
        let note = checkpoint.sign(key).unwrap();
        Evidence::new(note, shown.collect(), self.attachments.clone()).to_file()
    }

    /// What the auditor says to it.
    pub(crate) fn verify(&self) -> Result<Report, VerifyError> {
        verify(&self.seal(), &world().manifest)
    }
}

/// The key file that the manifest pins.
pub(crate) fn verifying_key() -> Vec<u8> {
    world().prover.key().verifying_key().to_bytes()
}

/// A key file of another set-up of the same circuit.
pub(crate) fn another_verifying_key() -> Vec<u8> {
    setup::development(&mut rng(10)).unwrap().verifying_key().to_bytes()
}

/// A tag key that is not the consortium's.
pub(crate) fn another_tag_key() -> DevelopmentTagKey {
    DevelopmentTagKey::generate(&mut rng(11))
}

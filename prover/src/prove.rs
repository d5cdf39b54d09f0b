//! Proving a signal.
//!
//! The proving key and the circuit's matrices stay in memory; a proof computes the assignment by running the
//! statement over values alone, without building a constraint. The same request gives the same x, nullifier
//! and share every time, so it may be proved again after a crash; only the proof's randomness differs.

use ark_bls12_381::Bls12_381;
use ark_ff::UniformRand;
use ark_groth16::Groth16;
use hansa_types::{
    hash::Digest,
    id::{BankId, Epoch},
    signal::{Signal, SignalBody},
};
use rand::{CryptoRng, RngCore};
use zeroize::Zeroizing;

use crate::{
    circuit::{PublicInputs, Shape, Witness, statement},
    derive,
    field::{Fr, NonCanonical, decode, encode},
    keys::ProvingKey,
    opening::DecisionOpening,
    proof::ProofPoints,
    relation::{self, Relation},
    secrets::MemberSecrets,
    verify::{Context, SignalError, pairing},
};

/// Why a signal was not proved.
#[derive(Debug, thiserror::Error)]
pub enum ProveError {
    /// The signal says something that no verifier would accept.
    #[error("the signal would not be accepted: {0}")]
    Signal(#[from] SignalError),
    /// The proving key belongs to another verifying key.
    #[error(
        "the proving key is for verifying key {found}, the manifest pins {pinned}: fetch the consortium's keys"
    )]
    Key {
        /// The key we hold.
        found: Digest,
        /// The key the manifest pins.
        pinned: Digest,
    },
    /// We are not among those who can signal.
    #[error("{bank} has no leaf in the gateway's tree of epoch {epoch}: publish a trace commitment first")]
    NotActive {
        /// Who we are.
        bank: BankId,
        /// When.
        epoch: Epoch,
    },
    /// The model is not registered.
    #[error("model version {0} is not in the manifest's registry")]
    NotRegistered(u32),
    /// A field of the body is not a field element.
    #[error("the signal's tag or decision commitment: {0}")]
    Element(#[from] NonCanonical),
    /// What is to be proved is not true.
    #[error("the statement is false: {0:?} does not hold")]
    False(Vec<Relation>),
    /// arkworks failed.
    #[error("the proof could not be computed: {0}")]
    Synthesis(#[from] ark_relations::gr1cs::SynthesisError),
    /// The proof just made does not verify: the key is damaged, or the machine is.
    #[error(
        "the proof made does not verify and was discarded: check the proving key and the machine's memory"
    )]
    SelfCheck,
}

/// One signal to prove.
pub struct Request<'a> {
    /// Who signals.
    pub bank: &'a BankId,
    /// Its secrets.
    pub secrets: &'a MemberSecrets,
    /// What is said; tag and decision commitment included.
    pub body: &'a SignalBody,
    /// Which of the member's signals in this scope it is, from 0. Persisted before proving, never used for
    /// another body: two would reveal the trace secret.
    pub counter: u32,
    /// What is under the decision commitment.
    pub opening: &'a DecisionOpening,
}

/// Proves signals with one key.
pub struct Prover {
    key: ProvingKey,
    shape: &'static Shape,
}

impl Prover {
    /// A prover with the key in memory and the circuit's matrices ready.
    #[must_use]
    pub fn new(key: ProvingKey) -> Self {
        Self { key, shape: Shape::get() }
    }

    /// Its key.
    #[must_use]
    pub fn key(&self) -> &ProvingKey {
        &self.key
    }

    /// Proves a signal and verifies the proof before it returns it.
    ///
    /// # Errors
    /// [`ProveError`]; a false statement is found before any time is spent on its proof.
    pub fn prove(
        &self,
        context: &Context,
        request: &Request<'_>,
        rng: &mut (impl RngCore + CryptoRng),
    ) -> Result<Signal, ProveError> {
        self.prove_with(context, request, rng)
    }

    /// [`Self::prove`], compiled here and not in every crate that brings a generator: the callers' profile is not ours.
    fn prove_with(
        &self,
        context: &Context,
        request: &Request<'_>,
        rng: &mut dyn RngCore,
    ) -> Result<Signal, ProveError> {
        let pinned = context.manifest().circuit.verifying_key;
        let found = self.key.verifying_key().hash();
        if found != pinned {
            return Err(ProveError::Key { found, pinned });
        }
        let (public, witness) = assemble(context, request)?;
        let broken = relation::broken(&public, &witness);
        if !broken.is_empty() {
            return Err(ProveError::False(broken.into_iter().collect()));
        }
        let proof = self.prove_statement(&public, &witness, rng)?;
        let signal = Signal {
            body: request.body.clone(),
            nullifier: encode(&public.nullifier),
            share: encode(&public.share),
            proof: proof.encode(),
        };
        // What peers will decode, not what we hold.
        let received = ProofPoints::decode(&signal.proof).map_err(|_| ProveError::SelfCheck)?;
        if !pairing::holds(self.key.verifying_key(), &received, &context.statement(&signal)?) {
            return Err(ProveError::SelfCheck);
        }
        Ok(signal)
    }

    /// The proof of a statement, true or not.
    pub(crate) fn prove_statement(
        &self,
        public: &PublicInputs,
        witness: &Witness,
        rng: &mut dyn RngCore,
    ) -> Result<ProofPoints, ProveError> {
        let mut assignment = self.shape.assignment();
        statement(&mut assignment, public, witness);
        let (r, s) = (Zeroizing::new(Fr::rand(rng)), Zeroizing::new(Fr::rand(rng)));
        let proof = Groth16::<Bls12_381>::create_proof_with_reduction_and_matrices(
            &self.key.points,
            *r,
            *s,
            &self.shape.matrices,
            self.shape.public,
            self.shape.constraints,
            &assignment.columns(),
        )?;
        Ok(proof.into())
    }
}

/// The statement a request makes, with its witness.
fn assemble(context: &Context, request: &Request<'_>) -> Result<(PublicInputs, Witness), ProveError> {
    let Request { bank, secrets, body, counter, opening } = request;
    let expected = context.expected(body)?;
    let not_active = || ProveError::NotActive { bank: (*bank).clone(), epoch: body.epoch };
    let member_path = expected.members.path(bank).ok_or_else(not_active)?;
    let version = opening.model.version;
    let registry_path = context.registry().path(version).ok_or(ProveError::NotRegistered(version))?;
    let trace = secrets.trace(body.epoch);
    let slope = derive::slope(trace.0, expected.scope, *counter);
    let public = PublicInputs {
        member_root: expected.members.root(),
        registry_root: context.registry().root(),
        scope: expected.scope,
        nullifier: derive::nullifier(slope),
        share: derive::share(trace.0, slope, expected.x),
        x: expected.x,
        tag: decode(&body.tag)?,
        threshold: expected.threshold,
        decision: decode(&body.decision_commitment)?,
    };
    let witness = Witness {
        secret: *secrets.secret(),
        trace: trace.0,
        limit: context.manifest().signal_limit,
        counter: *counter,
        member_path,
        model_version: version,
        weights: opening.model.weights,
        registry_path,
        factors: opening.factors.0,
        u: opening.subject.element(),
        decision_id: opening.decision_element(),
        salt: opening.salt_element(),
    };
    Ok((public, witness))
}

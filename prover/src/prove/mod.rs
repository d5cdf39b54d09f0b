//! Proving a signal.
//!
//! The proving key, tables of multiples of its points and the circuit's matrices stay in memory; a proof computes
//! the assignment by running the statement over values alone, without building a constraint, and sums table
//! entries ([`crate::curve`]). What a member's signals of an epoch share can be computed once ([`EpochPart`]).
//!
//! The same request gives the same x, nullifier and share every time, so it may be proved again after a crash;
//! only the proof's randomness differs.

mod epoch;
mod queries;
mod quotient;
#[cfg(test)]
mod tests;

use std::sync::OnceLock;

use ark_ff::UniformRand;
use hansa_types::{
    hash::Digest,
    id::{BankId, Epoch},
    signal::{Signal, SignalBody},
};
use rand::{CryptoRng, RngCore};
use zeroize::Zeroizing;

pub use self::epoch::{EpochPart, Sender};
use self::{queries::Queries, quotient::Quotient};
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
    quotient: Quotient,
    queries: OnceLock<Queries>,
}

impl Prover {
    /// A prover with the key in memory and the circuit's matrices ready. The tables of multiples come with the
    /// first proof, or with [`Self::prepare`]: most replicas never prove.
    #[must_use]
    pub fn new(key: ProvingKey) -> Self {
        let shape = Shape::get();
        Self { key, shape, quotient: Quotient::new(shape), queries: OnceLock::new() }
    }

    /// Computes what all proofs share, so that the first one does not take seconds longer: about 70 MB that stay.
    pub fn prepare(&self) {
        let _ = self.queries();
    }

    fn queries(&self) -> &Queries {
        self.queries.get_or_init(|| Queries::new(&self.key.points))
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
        self.prove_with(None, context, request, rng)
    }

    /// [`Self::prove`] in less than half the time, with the part computed once for the epoch.
    ///
    /// # Errors
    /// [`ProveError`], as [`Self::prove`].
    pub fn prove_within(
        &self,
        part: &EpochPart,
        context: &Context,
        request: &Request<'_>,
        rng: &mut (impl RngCore + CryptoRng),
    ) -> Result<Signal, ProveError> {
        self.prove_with(Some(part), context, request, rng)
    }

    /// Both, compiled here and not in every crate that brings a generator: the callers' profile is not ours.
    fn prove_with(
        &self,
        part: Option<&EpochPart>,
        context: &Context,
        request: &Request<'_>,
        rng: &mut dyn RngCore,
    ) -> Result<Signal, ProveError> {
        self.fits(context, request.body.epoch)?;
        let (public, witness) = assemble(context, request)?;
        let broken = relation::broken(&public, &witness);
        if !broken.is_empty() {
            return Err(ProveError::False(broken.into_iter().collect()));
        }
        let proof = self.prove_statement(part, &public, &witness, rng);
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

    /// Whether the manifest pins our key for the epoch.
    fn fits(&self, context: &Context, epoch: Epoch) -> Result<(), ProveError> {
        let pinned = context.circuit(epoch).verifying_key;
        let found = self.key.verifying_key().hash();
        if found == pinned { Ok(()) } else { Err(ProveError::Key { found, pinned }) }
    }

    /// The proof of a statement, true or not.
    pub(crate) fn prove_statement(
        &self,
        part: Option<&EpochPart>,
        public: &PublicInputs,
        witness: &Witness,
        rng: &mut dyn RngCore,
    ) -> ProofPoints {
        let mut assignment = self.shape.assignment();
        statement(&mut assignment, public, witness);
        self.prove_columns(part, assignment.columns(), rng)
    }

    /// The proof of an assignment, satisfying or not.
    pub(crate) fn prove_columns(
        &self,
        part: Option<&EpochPart>,
        mut columns: Zeroizing<Vec<Fr>>,
        rng: &mut dyn RngCore,
    ) -> ProofPoints {
        let (shape, key) = (self.shape, &self.key.points);
        // The degree of h is below that of the domain by two, so its highest coefficient is zero and has no point.
        let h = self.quotient.of(shape, &columns);
        let h = &h[..key.h_query.len()];
        for (column, known) in columns.iter_mut().zip(part.iter().flat_map(|part| part.columns.iter())) {
            *column -= known;
        }
        let mut sums = self.queries().sums(&columns, shape.public, h);
        if let Some(part) = part {
            sums = sums.plus(&part.sums);
        }
        let (r, s) = (Zeroizing::new(Fr::rand(rng)), Zeroizing::new(Fr::rand(rng)));
        sums.proof(key, *r, *s)
    }
}

/// The statement a request makes, with its witness.
fn assemble(context: &Context, request: &Request<'_>) -> Result<(PublicInputs, Witness), ProveError> {
    let Request { bank, secrets, body, counter, opening } = request;
    let expected = context.expected(body)?;
    let not_active = || ProveError::NotActive { bank: (*bank).clone(), epoch: body.epoch };
    let member_path = expected.members.path(bank).ok_or_else(not_active)?;
    let version = opening.model.version;
    let registry_path =
        context.registry(body.epoch).path(version).ok_or(ProveError::NotRegistered(version))?;
    let trace = secrets.trace(body.epoch);
    let slope = derive::slope(trace.0, expected.scope, *counter);
    let public = PublicInputs {
        member_root: expected.members.root(),
        registry_root: context.registry(body.epoch).root(),
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
        limit: context.manifest(body.epoch).signal_limit,
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

//! Whoever applies the tag key: today one development key, later the members' threshold protocol.

/// The most elements in one request.
pub const MAX_BATCH: usize = 1024;

/// A blinded subject as it is sent: a compressed ristretto255 point, uniformly random to its reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlindedElement(pub [u8; 32]);

/// One answer: the blinded element times the key, and the proof (RFC 9497 section 2.2, DLEQ) that the key is
/// the one behind the public key. Each element has its own proof, so that each can be shown to an auditor
/// without the others of its batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Evaluated {
    /// The evaluated element.
    pub element: [u8; 32],
    /// c and s of the proof.
    pub proof: [u8; 64],
}

/// The answers to a request, in its order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evaluation(pub Vec<Evaluated>);

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EvaluatorError {
    /// Too many elements at once.
    #[error("{0} elements in one request, {MAX_BATCH} are allowed: split it")]
    TooMany(usize),
    /// An element that is not a point, or the identity.
    #[error("element {0} of the request is not a ristretto255 point other than the identity")]
    Element(usize),
    /// The evaluators cannot be reached, or too few of them answer.
    #[error("the tag evaluators do not answer: {0}")]
    Unavailable(String),
}

/// Applies the consortium's tag key to blinded elements. The implementation brings its own randomness for the
/// proofs, from the operating system.
pub trait TagEvaluator: Send + Sync {
    /// Evaluates each element.
    ///
    /// # Errors
    /// [`EvaluatorError`] if one of them is malformed or no quorum answers; then none is evaluated.
    fn evaluate(&self, blinded: &[BlindedElement]) -> Result<Evaluation, EvaluatorError>;
}

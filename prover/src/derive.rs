//! What is derived from what: the functions behind the statement, on field elements and on the manifest's types.

use ark_ff::{BigInt, PrimeField};
use hansa_types::{
    hash::Digest,
    id::{Epoch, GatewayId},
    model::{FACTORS, Factors, Model},
    signal::SignalBody,
};

use crate::{
    circuit::score::{PACKED, VALUE_BITS, offset},
    field::{Fr, Meaning, from_bytes},
    poseidon::{Domain, hash},
};

/// `pk = P(1, sk)`: what the manifest publishes of a member.
#[must_use]
pub fn public_key(secret: Fr) -> Fr {
    hash(Domain::PublicKey, [secret])
}

/// `P(3, t_e)`: what the manifest publishes of a member for an epoch.
#[must_use]
pub fn trace_commitment(trace: Fr) -> Fr {
    hash(Domain::Trace, [trace])
}

/// `P(2, pk, limit, trace commitment)`.
#[must_use]
pub fn member_leaf(public_key: Fr, limit: u32, trace_commitment: Fr) -> Fr {
    hash(Domain::MemberLeaf, [public_key, Fr::from(limit), trace_commitment])
}

/// `a1 = P(4, t_e, scope, counter)`.
#[must_use]
pub fn slope(trace: Fr, scope: Fr, counter: u32) -> Fr {
    hash(Domain::Share, [trace, scope, Fr::from(counter)])
}

/// `P(5, a1)`.
#[must_use]
pub fn nullifier(slope: Fr) -> Fr {
    hash(Domain::Nullifier, [slope])
}

/// `y = t_e + a1 * x`.
#[must_use]
pub fn share(trace: Fr, slope: Fr, x: Fr) -> Fr {
    trace + slope * x
}

/// Sixteen values of sixteen bits in two field elements: values 0 to 7, lowest first, then 8 to 15.
#[must_use]
pub fn pack(values: &[u16; FACTORS]) -> [Fr; FACTORS / PACKED] {
    std::array::from_fn(|half| {
        let packed = values[half * PACKED..(half + 1) * PACKED]
            .iter()
            .rev()
            .fold(0_u128, |packed, value| (packed << VALUE_BITS) | u128::from(*value));
        let limbs = [packed as u64, (packed >> 64) as u64, 0, 0];
        Fr::from_bigint(BigInt::new(limbs)).expect("128 bits are below the field's order")
    })
}

/// `M = P(6, version, W1, W2)`.
#[must_use]
pub fn model_commitment(model: &Model) -> Fr {
    let [w1, w2] = pack(&model.weights.map(offset));
    hash(Domain::Model, [Fr::from(model.version), w1, w2])
}

/// `P(7, u, scope)`.
#[must_use]
pub fn tag(u: Fr, scope: Fr) -> Fr {
    hash(Domain::Tag, [u, scope])
}

/// `D = P(8, u, F1, F2, M, decision id, salt)`.
#[must_use]
pub fn decision_commitment(u: Fr, factors: &Factors, model: Fr, decision_id: Fr, salt: Fr) -> Fr {
    let [f1, f2] = pack(&factors.0);
    hash(Domain::Decision, [u, f1, f2, model, decision_id, salt])
}

/// What a signal is bound to: `P(9, consortium, circuit version, verifying key hash, gateway, epoch)`.
/// Counters, nullifiers and tags of one scope say nothing in another.
#[must_use]
pub fn scope(
    consortium: &Digest,
    circuit: u16,
    verifying_key: &Digest,
    gateway: GatewayId,
    epoch: Epoch,
) -> Fr {
    hash(
        Domain::Scope,
        [
            from_bytes(Meaning::Consortium, &consortium.0),
            Fr::from(circuit),
            from_bytes(Meaning::VerifyingKey, &verifying_key.0),
            Fr::from(gateway.0),
            Fr::from(epoch.0),
        ],
    )
}

/// x: the digest of everything in the signal but nullifier, share and proof, in the field. Callers refuse 0,
/// for which the share would be the trace secret itself.
#[must_use]
pub fn x(body: &SignalBody) -> Fr {
    from_bytes(Meaning::Signal, &body.digest().0)
}

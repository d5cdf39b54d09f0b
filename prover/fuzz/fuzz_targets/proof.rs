//! A proof's points: no panic, and blst (ours) and arkworks accept the same bytes, but for the identity and for
//! encodings that arkworks takes and does not write.
#![no_main]

use ark_bls12_381::Bls12_381;
use ark_ec::AffineRepr;
use ark_groth16::Proof;
use ark_serialize::{CanonicalDeserialize, CanonicalSerialize};
use hansa_prover::verify::check_points;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: [u8; 192]| {
    let theirs = Proof::<Bls12_381>::deserialize_compressed(&bytes[..]).is_ok_and(|proof| {
        let mut written = Vec::new();
        proof.serialize_compressed(&mut written).expect("memory");
        written == bytes && !proof.a.is_zero() && !proof.b.is_zero() && !proof.c.is_zero()
    });
    assert_eq!(check_points(&bytes).is_ok(), theirs);
});

//! The RLN library (crate `rln`, the prover and verifier of Waku's rate limit) as a peer to measure against: it
//! proves and verifies on request and answers with the time taken. The protocol is in `testnet/peers/README.md`.
//!
//! What is timed is what the library's own user would call: a full proof (witness calculation and Groth16 on BN254,
//! single-message circuit, tree of depth 20) from inputs in memory, and a verification that also checks x and root.
//! Loading keys, building the tree and decoding a proof are not timed.

use std::error::Error;
use std::io::{BufRead, Write, stdin, stdout};
use std::time::Instant;

use rand::rngs::ThreadRng;
use rand::thread_rng;
use rln::prelude::*;
use zerokit_utils::merkle_tree::{OptimalMerkleTree, ZerokitMerkleTree};

/// Messages that the member may send in an epoch; the counter of each proof runs below it.
const MESSAGE_LIMIT: u64 = 100;
/// Where the member's leaf stands in the tree.
const LEAF: usize = 10;

fn main() -> Result<(), Box<dyn Error>> {
    let mut rln =
        RLNBuilder::stateful().tree(OptimalMerkleTree::<PoseidonHash>::default(DEFAULT_TREE_DEPTH)?).build();
    let identity = IdentityKeys::generate::<PoseidonHash, ThreadRng>(&mut thread_rng());
    let limit = Fr::from(MESSAGE_LIMIT);
    rln.set_leaf(LEAF, Hasher::<PoseidonHash>::hash_pair(identity.id_commitment(), limit))?;
    let path = rln.get_merkle_proof(LEAF)?;
    let root = rln.get_root();
    let scope = Hasher::<PoseidonHash>::hash_pair(hash_to_field_le(b"epoch"), hash_to_field_le(b"id"));
    let x = hash_to_field_le(b"a message of the benchmark");
    let witness = |counter: u64| {
        RLNWitnessInput::new_single()
            .identity_secret(identity.identity_secret())
            .user_message_limit(limit)
            .merkle_proof(&path)
            .x(x)
            .external_nullifier(scope)
            .message_id(Fr::from(counter))
            .build()
    };
    let mut counter = 0;
    let mut last = rln.generate_proof(&witness(counter)?)?;

    let mut out = stdout().lock();
    writeln!(out, "ready rln 3.0.0")?;
    out.flush()?;
    for line in stdin().lock().lines() {
        match line?.trim() {
            "prove" => {
                counter = (counter + 1) % MESSAGE_LIMIT;
                let input = witness(counter)?;
                let start = Instant::now();
                last = rln.generate_proof(&input)?;
                writeln!(out, "ok {}", start.elapsed().as_nanos())?;
            }
            "verify" => {
                let start = Instant::now();
                let valid = rln.verify_with_roots(&last.0, &last.1, &x, &[root])?;
                let taken = start.elapsed().as_nanos();
                if valid {
                    writeln!(out, "ok {taken}")?
                } else {
                    writeln!(out, "error the proof does not verify")?
                }
            }
            "quit" => break,
            other => writeln!(out, "error unknown command {other:?}: prove, verify or quit is wanted")?,
        }
        out.flush()?;
    }
    Ok(())
}

//! The opening of a decision commitment: no panic, and one encoding a value.
#![no_main]

use hansa_prover::opening::DecisionOpening;
use hansa_types::codec::{Decode, Encode};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(value) = DecisionOpening::from_bytes(bytes) {
        assert_eq!(value.to_bytes(), bytes, "one encoding a value");
    }
});

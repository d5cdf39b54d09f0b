//! A disclosed trace secret: no panic, one encoding a value.
#![no_main]

use hansa_prover::disclosure::Disclosure;
use hansa_types::codec::{Decode, Encode};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(value) = Disclosure::from_bytes(bytes) {
        assert_eq!(value.to_bytes(), bytes, "one encoding a value");
    }
});

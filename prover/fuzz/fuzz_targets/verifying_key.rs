//! A verifying key from its file: no panic, and what loads has the one encoding that its hash pins.
#![no_main]

use hansa_prover::keys::VerifyingKey;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(key) = VerifyingKey::from_bytes(bytes) {
        assert_eq!(key.to_bytes(), bytes, "one encoding a key");
    }
});

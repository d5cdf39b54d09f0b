//! A development tag key from its file: no panic.
#![no_main]

use hansa_prover::tag::DevelopmentTagKey;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(key) = DevelopmentTagKey::from_bytes(bytes) {
        let _ = key.public_key();
    }
});

//! A proving key from its file: no panic.
#![no_main]

use hansa_prover::keys::ProvingKey;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let _ = ProvingKey::from_bytes(bytes);
});

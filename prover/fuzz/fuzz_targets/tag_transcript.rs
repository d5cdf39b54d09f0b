//! A tag's transcript, decoded and checked against a key from the same bytes: no panic, and one encoding a value.
#![no_main]

use hansa_prover::tag::TagTranscript;
use hansa_types::codec::{Decode, Encode};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Some((key, transcript)) = bytes.split_first_chunk::<32>() else { return };
    if let Ok(value) = TagTranscript::from_bytes(transcript) {
        assert_eq!(value.to_bytes(), transcript, "one encoding a value");
        let _ = value.check(key);
    }
});

//! Our SipHash against its authors' vectors, and against an independent implementation.

use hansa_xdp_frame::{Digest, Key, Subject, digest, hash};
use proptest::prelude::*;
use siphasher::sip128::{Hasher128, SipHasher24};

/// `vectors_sip128` of the reference implementation: key 00 01 .. 0f, input the first `n` of 00 01 02 ..
const PUBLISHED: [&str; 4] = [
    "a3817f04ba25a8e66df67214c7550293",
    "da87c1d86b99af44347659119b22fc45",
    "8177228da4a45dc7fca38bdef60affe4",
    "9c70b60c5267a94e5f33b6b02985ed51",
];

fn counting<const LEN: usize>() -> [u8; LEN] {
    std::array::from_fn(|at| at as u8)
}

fn independent(key: [u8; 16], bytes: &[u8]) -> [u8; 16] {
    use std::hash::Hasher;
    let mut hasher = SipHasher24::new_with_key(&key);
    hasher.write(bytes);
    hasher.finish128().as_bytes()
}

#[test]
fn the_published_vectors_come_out() {
    let key = Key::new(counting());
    for (length, expected) in PUBLISHED.iter().enumerate() {
        let tag: String = hash(&key, &counting::<4>()[..length]).iter().map(|b| format!("{b:02x}")).collect();
        assert_eq!(&tag, expected, "{length} bytes");
    }
}

proptest! {
    #[test]
    fn another_implementation_agrees(key: [u8; 16], bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        prop_assert_eq!(hash(&Key::new(key), &bytes), independent(key, &bytes));
    }

    #[test]
    fn a_digest_is_the_hash_of_its_kind_and_text(key: [u8; 16], text in "[A-Z0-9]{1,140}") {
        for subject in [Subject::Account, Subject::Agent] {
            let expected = independent(key, &[&[subject as u8], text.as_bytes()].concat());
            prop_assert_eq!(digest(&Key::new(key), subject, &text), Some(Digest(expected)));
        }
    }
}

#[test]
fn a_text_that_is_no_identification_has_no_digest() {
    let key = Key::new([7; 16]);
    assert_eq!(digest(&key, Subject::Account, ""), None);
    assert_eq!(digest(&key, Subject::Account, &"A".repeat(141)), None);
    assert!(digest(&key, Subject::Account, &"A".repeat(140)).is_some());
}

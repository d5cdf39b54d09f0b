//! Frames and replies: frozen bytes, one encoding for each, and nothing trusted that was touched.

use std::fs;
use std::path::{Path, PathBuf};

use hansa_xdp_frame::{
    AMOUNT_LIMIT, Digest, FRAME_LEN, Fields, FieldsError, Frame, Key, REPLY_LEN, Reason, Reply, ReplyError,
    SCHEMES, SEQUENCE_LIMIT, Source, TIME_LIMIT, Verdict, currency_index, hash,
};
use proptest::prelude::*;

fn letters<const LEN: usize>() -> impl Strategy<Value = [u8; LEN]> {
    proptest::collection::vec(b'A'..=b'Z', LEN)
        .prop_map(|letters| letters.try_into().expect("so many were made"))
}

fn fields() -> impl Strategy<Value = Fields> {
    let numbers = (any::<u8>(), 0..TIME_LIMIT, 0..SEQUENCE_LIMIT, 0..AMOUNT_LIMIT, 0..SCHEMES.len());
    let codes = (letters::<3>(), letters::<2>(), letters::<2>());
    (numbers, codes, any::<[[u8; 16]; 5]>()).prop_map(|(numbers, codes, [mut uetr, parties @ ..])| {
        uetr[6] = uetr[6] & 0x0F | 0x40;
        uetr[8] = uetr[8] & 0x3F | 0x80;
        let [debtor, creditor, instructing, instructed] = parties.map(Digest);
        let (key_id, time, sequence, amount, scheme) = numbers;
        let (currency, debtor_country, creditor_country) = codes;
        let scheme = SCHEMES[scheme];
        Fields {
            key_id,
            time,
            sequence,
            uetr,
            debtor,
            creditor,
            instructing,
            instructed,
            amount,
            currency,
            debtor_country,
            creditor_country,
            scheme,
        }
    })
}

/// A payment made of nothing but numbers, so that any language can make it again.
fn example() -> Fields {
    Fields {
        key_id: 3,
        time: 1_764_150_000_123,
        sequence: 77,
        uetr: *b"\x10\x11\x12\x13\x14\x15\x46\x17\x98\x19\x1a\x1b\x1c\x1d\x1e\x1f",
        debtor: Digest([0xD0; 16]),
        creditor: Digest([0xC0; 16]),
        instructing: Digest([0xA1; 16]),
        instructed: Digest([0xA2; 16]),
        amount: 123_456,
        currency: *b"EUR",
        debtor_country: *b"DE",
        creditor_country: *b"FR",
        scheme: hansa_xdp_frame::Scheme::SctInst,
    }
}

fn example_key() -> Key {
    Key::new(std::array::from_fn(|at| at as u8))
}

fn frozen(name: &str) -> Vec<u8> {
    let path: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors").join(name);
    let text: String = fs::read_to_string(&path).expect("the vector is there").split_whitespace().collect();
    (0..text.len() / 2)
        .map(|at| u8::from_str_radix(&text[2 * at..2 * at + 2], 16).expect("hexadecimal"))
        .collect()
}

#[test]
fn a_permission_counts_in_the_generation_that_it_was_looked_up_in_alone() {
    for generation in [0, 1, 77, (1 << 56) - 1] {
        let permission = Source::permission(generation, 3);
        assert_eq!(Source::allowed(permission, generation), Some(3));
        assert_eq!(Source::allowed(permission, generation + 1), None);
    }
}

#[test]
fn frozen_frame_and_replies() {
    let frame = example().seal(&example_key()).expect("canonical");
    assert_eq!(frame.as_bytes().as_slice(), frozen("frame.hex"), "{frame:?}");
    for (reason, name) in [
        (Reason::NothingFound, "reply-pre-screened.hex"),
        (Reason::DebtorListed, "reply-block.hex"),
        (Reason::Stale, "reply-refused.hex"),
    ] {
        let reply = Reply::seal(&frame, reason, 1_764_150_000_456_789_000, &example_key());
        assert_eq!(reply.to_bytes().as_slice(), frozen(name), "{name}: {:02x?}", reply.to_bytes());
    }
}

#[test]
fn the_tag_is_the_plain_hash_of_the_bytes_before_it() {
    let frame = example().seal(&example_key()).expect("canonical");
    assert_eq!(hash(&example_key(), &frame.as_bytes()[..112]), frame.as_bytes()[112..]);
    let reply = Reply::seal(&frame, Reason::NothingFound, 0, &example_key()).to_bytes();
    assert_eq!(hash(&example_key(), &reply[..40]), reply[40..]);
}

#[test]
fn fields_that_do_not_fit_are_named() {
    type Change = fn(&mut Fields);
    let cases: [(Change, FieldsError); 6] = [
        (|f| f.time = TIME_LIMIT, FieldsError::Time),
        (|f| f.sequence = SEQUENCE_LIMIT, FieldsError::Sequence),
        (|f| f.uetr[6] = 0x17, FieldsError::Uetr),
        (|f| f.amount = AMOUNT_LIMIT, FieldsError::Amount),
        (|f| f.currency = *b"EuR", FieldsError::Letters),
        (|f| f.creditor_country = [b'F', 0xC1], FieldsError::Letters),
    ];
    for (change, error) in cases {
        let mut fields = example();
        change(&mut fields);
        assert_eq!(fields.seal(&example_key()), Err(error));
    }
}

#[test]
fn currencies_have_an_index_each() {
    assert_eq!(currency_index(*b"AAA"), Some(0));
    assert_eq!(currency_index(*b"ZZZ"), Some(26 * 26 * 26 - 1));
    assert_eq!(currency_index(*b"EU1"), None);
}

#[test]
fn a_reason_has_one_number_and_one_verdict() {
    for number in 0..=u8::MAX {
        let Some(reason) = Reason::from_number(number) else { continue };
        assert_eq!(reason as u8, number);
        assert!(Reason::ALL.contains(&reason));
        assert_eq!(Verdict::from_number(reason.verdict() as u8), Some(reason.verdict()));
    }
}

proptest! {
    #[test]
    fn what_is_sealed_reads_back(fields in fields(), key: [u8; 16]) {
        let key = Key::new(key);
        let frame = fields.seal(&key).expect("canonical");
        prop_assert_eq!(frame.fields(), Some(fields));
        prop_assert!(frame.is_authentic(&key));
    }

    #[test]
    fn one_encoding_and_every_bit_counts(fields in fields(), bit in 0..8 * FRAME_LEN) {
        let frame = fields.seal(&example_key()).expect("canonical");
        let mut bytes = *frame.as_bytes();
        bytes[bit / 8] ^= 1 << (bit % 8);
        let touched = Frame::new(bytes);
        prop_assert!(!touched.is_authentic(&example_key()));
        if let Some(other) = touched.fields() {
            let again = other.seal(&example_key()).expect("canonical");
            prop_assert_eq!(&again.as_bytes()[..112], &bytes[..112]);
            prop_assert!(other != fields || bit >= 8 * 112);
        }
    }

    #[test]
    fn any_bytes_are_read_without_panic(bytes: [[u8; 16]; 8], kind: bool) {
        let mut bytes: [u8; FRAME_LEN] = bytes.as_flattened().try_into().expect("128 bytes");
        if kind {
            bytes[0] = hansa_xdp_frame::FRAME_KIND;
        }
        let frame = Frame::new(bytes);
        prop_assert_eq!(frame.fields().is_some(), frame.is_canonical());
    }

    #[test]
    fn a_reply_answers_its_frame_alone(fields in fields(), bit in 0..8 * REPLY_LEN, now in 0..TIME_LIMIT) {
        let frame = fields.seal(&example_key()).expect("canonical");
        for reason in Reason::ALL.iter().filter(|reason| reason.is_answered()) {
            let reply = Reply::seal(&frame, *reason, now * 1_000_000, &example_key());
            let mut bytes = reply.to_bytes();
            let opened = Reply::open(&bytes, &example_key()).expect("just sealed");
            prop_assert_eq!(opened, reply);
            prop_assert!(opened.answers(&frame));
            prop_assert_eq!((opened.reason(), opened.verdict()), (*reason, reason.verdict()));
            prop_assert_eq!((opened.time(), opened.sequence(), opened.uetr()), (now, fields.sequence, fields.uetr));
            let other = Fields { sequence: fields.sequence ^ 1, ..fields }.seal(&example_key()).expect("canonical");
            prop_assert!(!opened.answers(&other));
            bytes[bit / 8] ^= 1 << (bit % 8);
            prop_assert!(Reply::open(&bytes, &example_key()).is_err());
        }
    }
}

#[test]
fn a_reply_under_another_key_is_not_trusted() {
    let frame = example().seal(&example_key()).expect("canonical");
    let reply = Reply::seal(&frame, Reason::NothingFound, 0, &example_key()).to_bytes();
    assert_eq!(Reply::open(&reply, &Key::new([9; 16])), Err(ReplyError::BadTag));
    assert_eq!(Reply::open(&[0; REPLY_LEN], &example_key()), Err(ReplyError::Malformed));
}

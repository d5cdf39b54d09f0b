//! Notes against the Go reference implementation's example (golang.org/x/mod/sumdb/note) and C2SP's own.

use hansa_types::hash::PublicKey;
use proptest::prelude::*;

use super::*;
use crate::testing::LogKey;
use crate::text::from_base64;

/// `key: value` lines and, after a blank line, the note.
const GO_EXAMPLE: &str = include_str!("../../tests/vectors/go-note.txt");

fn go_example() -> (VerifierKey, LogKey, &'static str) {
    let (head, note) = GO_EXAMPLE.split_once("\n\n").unwrap();
    let value = |name: &str| head.lines().find_map(|line| line.strip_prefix(name)).unwrap();
    let key = value("vkey: ").parse().unwrap();
    let secret = from_base64(value("skey: ").splitn(5, '+').last().unwrap()).unwrap();
    (key, LogKey::from_seed(secret[1..].try_into().unwrap()), note)
}

fn signed_by(seeds: impl IntoIterator<Item = u8>) -> SignedNote {
    let mut note: Option<SignedNote> = None;
    for seed in seeds {
        let signed = SignedNote::sign("text\n", &format!("key-{seed}"), &LogKey::new(seed)).unwrap();
        match &mut note {
            None => note = Some(signed),
            Some(note) => note.add(signed.signatures()[0].clone()).unwrap(),
        }
    }
    note.unwrap()
}

fn key(seed: u8) -> VerifierKey {
    VerifierKey::new(KeyType::Ed25519, &format!("key-{seed}"), LogKey::new(seed).public()).unwrap()
}

#[test]
fn the_go_example_is_reproduced_byte_for_byte_and_verifies() {
    let (key, signer, text) = go_example();
    assert_eq!(hex::encode(key.id()), "c74f20a3");
    assert_eq!(*key.public_key(), signer.public());
    let note = SignedNote::parse(text.as_bytes()).unwrap();
    assert_eq!(note.to_string(), text);
    let opened = note.open(std::slice::from_ref(&key)).unwrap();
    assert_eq!(opened.signers, [VerifiedSignature { key: 0, timestamp: None }]);
    assert_eq!(SignedNote::sign(opened.text, key.name(), &signer).unwrap().to_string(), text);
    assert!(GO_EXAMPLE.contains(&format!("vkey: {key}\n")));
}

#[test]
fn mangled_verifier_keys_are_refused() {
    let (key, _, _) = go_example();
    let text = key.to_string();
    for from in 0..=text.len() {
        for to in from..=text.len() {
            let part = &text[from..to];
            assert_eq!(part.parse::<VerifierKey>().is_ok(), part == text, "{part}");
        }
    }
    for at in 0..text.len() {
        let mut bytes = text.clone().into_bytes();
        bytes[at] += 1;
        assert!(String::from_utf8(bytes).unwrap().parse::<VerifierKey>().is_err(), "byte {at}");
    }
    let other: Result<VerifierKey, _> = text.replace("+ARpc", "+ZRpc").parse();
    assert_eq!(other, Err(KeyError::UnknownType(0x65)));
    assert_eq!(text.replace("c74f20a3", "C74F20A3").parse::<VerifierKey>(), Err(KeyError::WrongId));
}

#[test]
fn malformed_notes_are_refused() {
    let (_, _, text) = go_example();
    let line = text.lines().last().unwrap();
    for (bad, error) in [
        (text.trim_end().to_owned(), NoteError::Malformed),
        (text.replace("\n\n", "\n"), NoteError::Malformed),
        (format!("text\n\n{line}"), NoteError::Malformed),
        (format!("text\n\n{line}\n\n"), NoteError::Malformed),
        (text.replace("you think", "you\tthink"), NoteError::NotText),
        (text.replace(" PeterNeumann ", " Peter+Neumann "), NoteError::BadSignatureLine(1)),
        (text.replace(" PeterNeumann ", " Peter\u{2002}Neumann "), NoteError::BadSignatureLine(1)),
        (text.replace("\u{2014} Peter", "- Peter"), NoteError::BadSignatureLine(1)),
        (format!("text\n\n{line}\nnone\n"), NoteError::BadSignatureLine(2)),
        ("text\n\n\u{2014} a AAAAAA==\n".to_owned(), NoteError::BadSignatureLine(1)),
        (format!("text\n\n{}", format!("{line}\n").repeat(MAX_SIGNATURES + 1)), NoteError::TooManySignatures),
        ("x".repeat(MAX_NOTE_BYTES + 1), NoteError::TooLong(MAX_NOTE_BYTES + 1)),
    ] {
        assert_eq!(SignedNote::parse(bad.as_bytes()), Err(error), "{bad}");
    }
    assert_eq!(SignedNote::parse(b"\xff\n\n"), Err(NoteError::NotText));
}

#[test]
fn known_keys_decide_and_unknown_ones_are_ignored() {
    let note = signed_by(1..=3);
    let opened = note.open(&[key(3), key(9), key(1)]).unwrap();
    assert_eq!(opened.signers.iter().map(|s| s.key).collect::<Vec<_>>(), [2, 0]);
    let nobody = NoteError::NoKnownSignature { signers: "key-1, key-2, key-3".to_owned() };
    assert_eq!(note.open(&[key(9)]), Err(nobody));
    assert_eq!(note.open(&[key(1), key(1)]), Err(NoteError::AmbiguousKeys { name: "key-1".to_owned() }));
    let mut altered = note.clone();
    altered.signatures[1].signature[5] ^= 1;
    assert_eq!(
        altered.open(&[key(1), key(2)]),
        Err(NoteError::InvalidSignature { name: "key-2".to_owned() }),
        "a known key's bad signature rejects a note that another key signed well"
    );
    assert!(altered.open(&[key(1), key(3)]).is_ok(), "the same signature by an unknown key is ignored");
    let impostor = VerifierKey::new(KeyType::Ed25519, "key-1", PublicKey([7; 32])).unwrap();
    assert!(matches!(note.open(&[impostor]), Err(NoteError::NoKnownSignature { .. })));
}

#[test]
fn many_signatures_are_accepted_and_a_repeated_one_counts_once() {
    let note = signed_by(0..=MAX_SIGNATURES as u8 - 1);
    let read = SignedNote::parse(note.to_string().as_bytes()).unwrap();
    assert_eq!(read.open(&[key(99)]).unwrap().signers.len(), 1);
    assert_eq!(signed_by([4, 4]).open(&[key(4)]).unwrap().signers.len(), 1);
    let mut full = read;
    let signature = full.signatures()[0].clone();
    assert_eq!(full.add(signature), Err(NoteError::TooManySignatures));
}

#[test]
fn a_cosignature_binds_its_time_and_is_no_plain_signature() {
    let text = "example.com/log\n1\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n";
    let witness = LogKey::new(5);
    let mut note = SignedNote::sign(text, "example.com/log", &LogKey::new(1)).unwrap();
    note.add(cosignature::sign(text, 1_679_315_147, "witness.example/w1", &witness).unwrap()).unwrap();
    let read = SignedNote::parse(note.to_string().as_bytes()).unwrap();
    let cosigner = VerifierKey::new(KeyType::Cosignature, "witness.example/w1", witness.public()).unwrap();
    assert_eq!(cosigner.to_string().parse::<VerifierKey>().unwrap(), cosigner);
    let opened = read.open(std::slice::from_ref(&cosigner)).unwrap();
    assert_eq!(opened.signers, [VerifiedSignature { key: 0, timestamp: Some(1_679_315_147) }]);
    let plain = VerifierKey::new(KeyType::Ed25519, "witness.example/w1", witness.public()).unwrap();
    assert!(matches!(read.open(&[plain]), Err(NoteError::NoKnownSignature { .. })));
    let mut later = read.clone();
    later.signatures[1].signature[7] ^= 1;
    assert!(matches!(later.open(&[cosigner]), Err(NoteError::InvalidSignature { .. })));
    assert_eq!(cosignature::message(0, "text\n"), b"cosignature/v1\ntime 0\ntext\n");
}

#[test]
fn the_cosignature_message_of_the_specification() {
    let text = "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n";
    let message = cosignature::message(1_679_315_147, text);
    assert_eq!(message, format!("cosignature/v1\ntime 1679315147\n{text}").into_bytes());
}

proptest! {
    #[test]
    fn what_parses_prints_back(text in "[ -~\n]{0,60}", seeds in prop::collection::vec(any::<u8>(), 1..5)) {
        let text = format!("{text}\n");
        let mut note = SignedNote::sign(&text, "k", &LogKey::new(1)).unwrap();
        for seed in seeds {
            note.add(SignedNote::sign(&text, "l", &LogKey::new(seed)).unwrap().signatures()[0].clone()).unwrap();
        }
        let printed = note.to_string();
        prop_assert_eq!(SignedNote::parse(printed.as_bytes()).unwrap().to_string(), printed);
    }

    #[test]
    fn any_bytes_are_read_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), text in "\\PC{0,99}") {
        let _ = SignedNote::parse(&bytes);
        if let Ok(note) = SignedNote::parse(format!("a\n\n{text}\n").as_bytes()) {
            prop_assert_eq!(note.to_string(), format!("a\n\n{text}\n"));
        }
        let _ = text.parse::<VerifierKey>();
    }
}

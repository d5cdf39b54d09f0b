//! The specification's example, each rule of the syntax, and who satisfies what.

use proptest::prelude::*;

use super::*;
use crate::cosignature;
use crate::testing::{LogKey, small_log};

const ORIGIN: &str = "bank-a.example/audit";

fn log_key() -> VerifierKey {
    VerifierKey::new(KeyType::Ed25519, ORIGIN, LogKey::new(1).public()).unwrap()
}

fn witness_name(n: u8) -> String {
    format!("witness-{n}.example")
}

fn witness_key(n: u8) -> VerifierKey {
    VerifierKey::new(KeyType::Cosignature, &witness_name(n), LogKey::new(n).public()).unwrap()
}

/// The example of the specification, with keys: X1 to X3 are 11 to 13, Y1 to Y3 are 21 to 23.
fn example() -> String {
    let witness = |name: &str, n| format!("witness {name} {}\n", witness_key(n));
    [
        format!("log {}\n\n", log_key()),
        witness("X1", 11) + &witness("X2", 12) + &witness("X3", 13),
        "group X-witnesses 2 X1 X2 X3\n\n".into(),
        witness("Y1", 21) + &witness("Y2", 22) + &witness("Y3", 23),
        "group Y-witnesses any Y1 Y2 Y3\n\n".into(),
        "group X-and-Y all X-witnesses Y-witnesses\nquorum X-and-Y\n".into(),
    ]
    .concat()
}

fn note(cosigned_by: &[u8]) -> SignedNote {
    let mut note = small_log(ORIGIN, &[b"a"]).1.sign(&LogKey::new(1)).unwrap();
    for n in cosigned_by {
        let text = note.unverified_text();
        let signature = cosignature::sign(text, u64::from(*n), &witness_name(*n), &LogKey::new(*n)).unwrap();
        note.add(signature).unwrap();
    }
    note
}

#[test]
fn the_example_of_the_specification_demands_what_it_says() {
    let policy = Policy::parse(example().as_bytes()).unwrap();
    for (by, satisfied) in [
        (&[11, 12, 21][..], true),
        (&[13, 11, 23, 22], true),
        (&[11, 12, 13], false),
        (&[11, 21, 22, 23], false),
        (&[], false),
    ] {
        let checked = policy.check(&note(by));
        assert_eq!(checked.is_ok(), satisfied, "{by:?}: {checked:?}");
    }
    let satisfied = policy.check(&note(&[11, 12, 21])).unwrap();
    assert_eq!((satisfied.checkpoint.size, satisfied.cosigners.len()), (1, 3));
    assert_eq!(satisfied.cosigners[&witness_name(21)], 21);
    assert_eq!(
        policy.check(&note(&[11, 12])),
        Err(PolicyError::NoQuorum(format!("{}, {}", witness_name(11), witness_name(12))))
    );
}

#[test]
fn one_witness_counts_once_and_a_false_cosignature_refuses_all() {
    let text = example().replace("quorum X-and-Y", "quorum X-witnesses");
    let policy = Policy::parse(text.as_bytes()).unwrap();
    assert!(matches!(policy.check(&note(&[11, 11, 11])), Err(PolicyError::NoQuorum(_))));
    let mut false_one = note(&[11, 12]);
    let other = small_log(ORIGIN, &[b"b"]).1.to_string();
    let signature = cosignature::sign(&other, 1, &witness_name(13), &LogKey::new(13)).unwrap();
    false_one.add(signature).unwrap();
    assert!(matches!(policy.check(&false_one), Err(PolicyError::Checkpoint(_))));
}

#[test]
fn the_log_itself_must_be_known_and_have_signed() {
    let policy = Policy::parse(format!("log {}\nquorum none\n", log_key()).as_bytes()).unwrap();
    assert!(policy.check(&note(&[])).is_ok());
    let foreign = small_log("other.example", &[b"a"]).1.sign(&LogKey::new(1)).unwrap();
    assert_eq!(policy.check(&foreign), Err(PolicyError::UnknownLog("other.example".into())));
    let impostor = small_log(ORIGIN, &[b"a"]).1.sign(&LogKey::new(2)).unwrap();
    assert!(matches!(policy.check(&impostor), Err(PolicyError::Checkpoint(_))));
    let without = Policy::parse(b"quorum none\n").unwrap();
    assert!(matches!(without.check(&note(&[])), Err(PolicyError::UnknownLog(_))));
}

#[test]
fn white_space_comments_urls_and_single_witnesses_are_allowed() {
    let text = format!(
        "  # a comment\n\t\nlog\t{} https://log.example/\nwitness \u{212a} {} https://w.example/\n quorum  \u{212a} \n",
        log_key(),
        witness_key(11)
    );
    let policy = Policy::parse(text.as_bytes()).unwrap();
    assert!(policy.check(&note(&[11])).is_ok());
    assert!(policy.check(&note(&[12])).is_err());
    assert!(matches!(
        Policy::parse(text.replace("quorum  \u{212a}", "quorum K").as_bytes()),
        Err(PolicySyntax { line: 5, fault: PolicyFault::Unknown(_) })
    ));
}

#[test]
fn each_rule_of_the_syntax_is_enforced() {
    use PolicyFault::{DuplicateKey, Form, Key, Member, Name, Octets, Quorum, Threshold, TooLong, Unknown};
    let (log, w) = (log_key(), witness_key(11));
    let renamed = VerifierKey::new(KeyType::Cosignature, "renamed", LogKey::new(11).public()).unwrap();
    let relogged = VerifierKey::new(KeyType::Ed25519, "renamed", LogKey::new(1).public()).unwrap();
    let two = format!("witness a {w}\nwitness b {}\n", witness_key(12));
    let unknown = |name: &str| Unknown(name.into());
    for (text, line, fault) in [
        (String::new(), 1, Quorum),
        ("quorum none\nquorum none\n".into(), 2, Quorum),
        (format!("log {log}"), 1, Octets),
        ("quorum none\r\n".into(), 1, Octets),
        ("quorum\u{b}none\n".into(), 1, Octets),
        ("quorum a b\n".into(), 1, Form),
        ("Quorum none\n".into(), 1, Form),
        ("group g any\n".into(), 1, Form),
        (format!("log {log}\nlog {relogged}\n"), 2, DuplicateKey),
        (format!("witness a {w}\nwitness b {renamed}\n"), 2, DuplicateKey),
        (format!("log {w}\n"), 1, PolicyFault::KeyType),
        (format!("witness a {log}\n"), 1, PolicyFault::KeyType),
        ("log x+1+AA==\n".into(), 1, Key(KeyError::UnknownType(0))),
        (format!("witness none {w}\n"), 1, Name),
        (format!("witness a {w}\nwitness a {}\n", witness_key(12)), 2, Name),
        (format!("{two}group a any b\n"), 3, Name),
        (format!("{two}group g any none\n"), 3, unknown("none")),
        (format!("{two}group g any g\n"), 3, unknown("g")),
        (format!("{two}group g any a a\n"), 3, Member("a".into())),
        (format!("{two}group g any a\ngroup h any a b\n"), 4, Member("a".into())),
        (format!("{two}group g 0 a b\n"), 3, Threshold),
        (format!("{two}group g 3 a b\n"), 3, Threshold),
        (format!("{two}group g 01 a b\n"), 3, Threshold),
        (format!("quorum a\n{two}"), 1, unknown("a")),
    ] {
        assert_eq!(Policy::parse(text.as_bytes()), Err(PolicySyntax { line, fault }), "{text}");
    }
    assert!(matches!(Policy::parse(&[b'#'; MAX_POLICY_BYTES + 1]), Err(PolicySyntax { fault: TooLong, .. })));
    assert!(Policy::parse(b"#\xff\nquorum none\n").is_ok(), "octets above 0x80 are opaque");
}

#[test]
fn what_is_printed_reads_back() {
    let policy = Policy::parse(example().as_bytes()).unwrap();
    // Printing puts witnesses before groups and thresholds into numbers; the policy is the same.
    assert_eq!(Policy::parse(policy.to_string().as_bytes()), Ok(policy));
}

proptest! {
    #[test]
    fn any_bytes_are_read_without_panic(
        bytes in prop::collection::vec(any::<u8>(), 0..100),
        words in prop::collection::vec(prop::sample::select(
            vec!["log", "witness", "group", "quorum", "none", "any", "a", " ", "\n", "2"]), 0..40)
    ) {
        let _ = Policy::parse(&bytes);
        let _ = Policy::parse(words.join(" ").as_bytes());
    }

    #[test]
    fn k_of_n_counts_distinct_witnesses(n in 1usize..9, k in 1usize..9, by in prop::collection::vec(0u8..12, 0..12)) {
        let k = k.min(n);
        let names: Vec<String> = (0..n).map(|i| format!("w{i}")).collect();
        let lines: String =
            names.iter().zip(100u8..).map(|(name, i)| format!("witness {name} {}\n", witness_key(i))).collect();
        let text = format!("log {}\n{lines}group g {k} {}\nquorum g\n", log_key(), names.join(" "));
        let by: Vec<u8> = by.into_iter().map(|b| b + 100).collect();
        let distinct: BTreeSet<&u8> = by.iter().filter(|b| usize::from(**b - 100) < n).collect();
        let checked = Policy::parse(text.as_bytes()).unwrap().check(&note(&by));
        prop_assert_eq!(checked.is_ok(), distinct.len() >= k);
    }
}

//! Records go in and come out, and the store holds nothing in the clear.

use hansa_consensus::{ConsensusConfig, RecordsConfig};
use hansa_screening::case::{Grounds, open};
use hansa_types::case::CaseDecision;
use hansa_types::decision::Verdict;
use hansa_types::id::Timestamp;
use hansa_types::payment::{Account, Payment, TransactionRef};
use hansa_types::signal::Signal;
use hansa_types::subject::Subject;
use hansa_types::verify::{SignalRules, Verifier, VerifyError};
use prometheus_client::registry::Registry;
use rand::SeedableRng;
use rand::rngs::StdRng;

use super::*;

/// No test here sends a signal.
struct NoSignals;

impl SignalRules for NoSignals {}

impl Verifier<Signal> for NoSignals {
    fn verify(&self, _: &Signal) -> Result<(), VerifyError> {
        Err(VerifyError::Reject("no signals here".into()))
    }
}

async fn journal(folder: &std::path::Path) -> Journal {
    let config = ConsensusConfig { data_dir: folder.join("data"), ..ConsensusConfig::default() };
    let consensus =
        Consensus::open(&config, &RecordsConfig::default(), Arc::new(NoSignals), &mut Registry::default())
            .await
            .unwrap();
    let keys = folder.join("keys");
    if !keys.exists() {
        KeyFolder::create(&keys, &mut StdRng::seed_from_u64(1)).unwrap();
    }
    Journal::new(Arc::new(consensus), &KeyFolder::new(keys), "hansa/test/bank-a".into()).unwrap()
}

fn account() -> Account {
    Account::from_iban_text("GB82 WEST 1234 5698 7654 32")
}

fn case(number: u64) -> Case {
    let payment = Payment { message_id: "M1".into(), ..Payment::default() };
    assert!(matches!(payment.key(), PaymentKey::Reference { transaction: TransactionRef::Position(0), .. }));
    let decision = CaseDecision {
        key: payment.key(),
        id: Digest([7; 32]),
        verdict: Verdict::Investigate,
        at: Timestamp(1),
    };
    let subject = Subject::Account(account());
    let grounds = Grounds { decision: Some(decision), ..Grounds::of_signal(Digest([9; 32]), subject) };
    open(number, grounds, "officer.a".parse().unwrap(), Timestamp(1), "seen")
}

#[tokio::test]
async fn records_are_found_by_what_they_are_about_and_again_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let journal_before = journal(folder.path()).await;
    let case = case(3);
    let leaf = journal_before.case_leaf(&case).unwrap();
    let stored = leaf.envelope.clone();
    journal_before.propose(Command::Append { leaf, follow_up: vec![] }).await.unwrap();
    journal_before.consensus().shutdown().await;
    drop(journal_before);

    let journal = journal(folder.path()).await;
    let key = &case.decisions[0].key;
    for term in [Term::Payment(key), Term::Decision(Digest([7; 32])), Term::Account(&account())] {
        assert_eq!(journal.find(term).unwrap(), [0], "{term:?}");
    }
    assert!(journal.find(Term::Decision(Digest([8; 32]))).unwrap().is_empty());
    assert_eq!(journal.read(0).unwrap(), Some((stored, Record::Case(case.clone()))));
    assert_eq!(journal.documents::<Case>(Collection::Cases).unwrap(), [case]);
    journal.consensus().shutdown().await;
}

#[tokio::test]
async fn the_store_holds_no_plaintext() {
    let folder = tempfile::tempdir().unwrap();
    let journal = journal(folder.path()).await;
    let leaf = journal.case_leaf(&case(1)).unwrap();
    let encoded = Command::Append { leaf, follow_up: vec![] }.to_bytes();
    for secret in [account().to_string().as_bytes(), b"officer.a", b"seen", &account().digest().0] {
        assert!(!encoded.windows(secret.len()).any(|window| window == secret), "{secret:?}");
    }
    journal.consensus().shutdown().await;
}

//! Writes the first inputs of the fuzz targets, one that is accepted each, so that fuzzing starts behind the checks:
//! `cargo test -p hansa-prover seeds -- --ignored`.

use std::{fs, path::Path};

use hansa_types::codec::Encode;

use crate::{
    disclosure::Disclosure,
    tag::{DevelopmentTagKey, TagEvaluator, TagRequest},
    testing::{Draft, EPOCH, bank, consortium, proving_key, rng, signal},
};

#[test]
#[ignore = "writes the corpus"]
fn seeds() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus");
    let write = |target: &str, bytes: &[u8]| {
        fs::create_dir_all(corpus.join(target)).unwrap();
        fs::write(corpus.join(target).join("accepted"), bytes).unwrap();
    };
    let key = DevelopmentTagKey::generate(&mut rng(90));
    let subject = hansa_types::subject::Subject::Account(hansa_types::payment::Account::from_iban_text(
        "DE89370400440532013000",
    ));
    let request = TagRequest::new(&subject, &mut rng(91)).unwrap();
    let answers = key.evaluate(&[request.blinded()]).unwrap();
    let (_, transcript) = request.finish(&answers.0[0], &key.public_key()).unwrap();
    write("signal", &signal().to_bytes());
    write("proof", &signal().proof);
    write("verifying_key", &proving_key().verifying_key().to_bytes());
    // The header alone: a whole key has three million bytes.
    write("proving_key", &proving_key().to_bytes()[..1024]);
    write("decision_opening", &Draft::new(consortium().verifier.context(), 0, 1).opening.to_bytes());
    write("tag_transcript", &[&key.public_key()[..], &transcript.to_bytes()].concat());
    write("disclosure", &Disclosure::of(&consortium().secrets[0], bank(0), EPOCH).to_bytes());
}

//! Who may speak: every mistake in certificates and key exchange is refused, with a reason.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests: what fails here fails the test")]

mod common;

use std::sync::Arc;

use common::{Authority, Plan, restrict};
use hansa_consensus::net::TlsConfig;
use hansa_consensus::{ConsensusConfig, OpenError};
use quinn::crypto::rustls::QuicClientConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

fn refused(plan: &Plan, tls: Option<TlsConfig>) -> String {
    let config = ConsensusConfig { tls, ..plan.config(1) };
    match common::open(&config, &plan.records).err() {
        Some(OpenError::Network(error)) => error.to_string(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn mistakes_in_a_replicas_own_files_are_named() {
    let plan = Plan::new(3);
    assert!(refused(&plan, None).contains("hansa cluster certificate"));

    let good = plan.config(1).tls.unwrap();
    let missing = TlsConfig { certificate: plan.dir.path().join("nowhere.pem"), ..good.clone() };
    assert!(refused(&plan, Some(missing)).contains("nowhere.pem"));

    let empty = plan.dir.path().join("empty.pem");
    std::fs::write(&empty, "").unwrap();
    assert!(
        refused(&plan, Some(TlsConfig { certificate: empty, ..good.clone() }))
            .contains("no certificate in PEM")
    );

    let other = plan.authority.issue(&plan.dir.path().join("other"), "replica-2");
    assert!(refused(&plan, Some(other)).contains("not a certificate for replica-1"));

    let mixed = plan.authority.issue(&plan.dir.path().join("mixed"), "replica-1");
    let mismatch = TlsConfig { key: mixed.key, ..good.clone() };
    assert!(refused(&plan, Some(mismatch)).contains("cannot be used"));

    let good = plan.config(1).tls.unwrap();
    restrict(&good.key, 0o640);
    let config = ConsensusConfig { tls: Some(good), ..plan.config(2) };
    let config = ConsensusConfig { replica: 1, ..config };
    match common::open(&config, &plan.records).err() {
        Some(OpenError::Network(error)) => assert!(error.to_string().contains("chmod 600"), "{error}"),
        other => panic!("{other:?}"),
    }
}

/// Tries to connect to `address` as a client of `authority`'s under `name`, offering one key exchange; the error is
/// the handshake's or, as TLS 1.3 has it, the first stream's.
fn dial(
    address: &str,
    tls: &TlsConfig,
    group: &'static dyn rustls::crypto::SupportedKxGroup,
    server: &str,
    with_certificate: bool,
) -> Result<(), String> {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let mut provider = aws_lc_rs::default_provider();
        provider.kx_groups = vec![group];
        let mut roots = rustls::RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(&tls.ca).unwrap()).unwrap();
        let builder = rustls::ClientConfig::builder_with_provider(Arc::new(provider))
            .with_protocol_versions(&[&rustls::version::TLS13])
            .unwrap()
            .with_root_certificates(roots);
        let mut config = if with_certificate {
            let chain = vec![CertificateDer::from_pem_file(&tls.certificate).unwrap()];
            builder.with_client_auth_cert(chain, PrivateKeyDer::from_pem_file(&tls.key).unwrap()).unwrap()
        } else {
            builder.with_no_client_auth()
        };
        config.alpn_protocols = vec![b"hansa-raft/2".to_vec()];
        let mut endpoint = quinn::Endpoint::client("127.0.0.1:0".parse().unwrap()).unwrap();
        let config = QuicClientConfig::try_from(config).map_err(|error| error.to_string())?;
        endpoint.set_default_client_config(quinn::ClientConfig::new(Arc::new(config)));
        let connecting =
            endpoint.connect(address.parse().unwrap(), server).map_err(|error| error.to_string())?;
        let connection = connecting.await.map_err(|error| error.to_string())?;
        let (mut send, mut receive) = connection.open_bi().await.map_err(|error| error.to_string())?;
        // A question that anybody of the group may ask: version, no incarnation, Describe.
        let question = [&[1u8][..], &[0; 8], &[6]].concat();
        let frame = [&(question.len() as u32).to_be_bytes()[..], &question].concat();
        send.write_all(&frame).await.map_err(|error| error.to_string())?;
        send.finish().map_err(|error| error.to_string())?;
        receive
            .read_to_end(1 << 20)
            .await
            .map(|_| ())
            .map_err(|error| format!("{error}: {:?}", connection.close_reason()))
    })
}

#[test]
fn strangers_and_classical_key_exchange_get_no_answer() {
    use aws_lc_rs::kx_group::{SECP256R1, X25519, X25519MLKEM768};
    let mut plan = Plan::new(3);
    plan.replicas.truncate(1);
    let running = plan.open(1);
    let address = plan.replicas[0].address.clone();
    let ours = plan.authority.issue(&plan.dir.path().join("two"), "replica-2");
    assert_eq!(dial(&address, &ours, X25519MLKEM768, "replica-1", true), Ok(()));

    for classical in [X25519, SECP256R1] {
        let refused = dial(&address, &ours, classical, "replica-1", true).unwrap_err();
        assert!(refused.contains("HandshakeFailure") || refused.contains("handshake"), "{refused}");
    }
    let nobody = dial(&address, &ours, X25519MLKEM768, "replica-1", false).unwrap_err();
    assert!(nobody.contains("CertificateRequired") || nobody.contains("certificate"), "{nobody}");

    let foreign = Authority::new().issue(&plan.dir.path().join("foreign"), "replica-2");
    let foreign = TlsConfig { ca: ours.ca.clone(), ..foreign };
    let refused = dial(&address, &foreign, X25519MLKEM768, "replica-1", true).unwrap_err();
    assert!(
        refused.contains("certificate") || refused.contains("DecryptError") || refused.contains("UnknownCA"),
        "{refused}"
    );

    let officer = plan.authority.issue(&plan.dir.path().join("officer"), "officer.bank-a.example");
    let refused = dial(&address, &officer, X25519MLKEM768, "replica-1", true).unwrap_err();
    assert!(refused.contains("names no replica"), "{refused}");

    let wrong_server = dial(&address, &ours, X25519MLKEM768, "replica-3", true).unwrap_err();
    assert!(
        wrong_server.contains("NotValidForName") || wrong_server.contains("certificate"),
        "{wrong_server}"
    );
    running.kill();
}

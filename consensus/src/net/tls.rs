//! Who may speak: certificates of the bank's own authority, one a replica, and one key exchange.
//!
//! A certificate is for `replica-N` and nothing else. Both sides show one: the caller checks that it reached the
//! replica it meant, the callee learns which replica calls. X25519MLKEM768 is the only key exchange offered, so that
//! what crosses today cannot be read by who records it and has a quantum computer later; rustls would otherwise fall
//! back to a classical one without a word.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use quinn::crypto::rustls::{QuicClientConfig, QuicServerConfig};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use serde::{Deserialize, Serialize};
use thiserror::Error;
use webpki::EndEntityCert;

/// The application protocol: whoever speaks another one is refused in the handshake. It changes with the format of the
/// database too, as snapshots are copies of one.
const ALPN: &[u8] = b"hansa-raft/2";
/// What the name in a replica's certificate begins with.
const NAME_PREFIX: &str = "replica-";

/// Where a replica's certificates are, as PEM files.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TlsConfig {
    /// The certificates of the bank's authority: whoever it certifies as a replica is one.
    pub ca: PathBuf,
    /// This replica's certificate, for the name `replica-N`, with its chain.
    pub certificate: PathBuf,
    /// Its private key (PKCS#8).
    pub key: PathBuf,
}

/// Why replicas cannot speak securely.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum TlsError {
    /// No certificates are configured.
    #[error(
        "a group of several replicas needs [consensus.tls] with ca, certificate and key; `hansa cluster certificate` \
         issues them"
    )]
    Missing,
    /// A file cannot be used.
    #[error("{path}: {reason}")]
    File {
        /// Which.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// Others can read the private key.
    #[error(
        "{0} can be read by others than its owner: run chmod 600 on it, and replace the key if they may have"
    )]
    Exposed(PathBuf),
    /// The certificate is another replica's.
    #[error("{path} is not a certificate for replica-{replica}: it names {names:?}")]
    OtherName {
        /// The certificate.
        path: PathBuf,
        /// The replica configured.
        replica: u64,
        /// What it names.
        names: Vec<String>,
    },
    /// The library refuses.
    #[error("these certificates cannot be used: {0}")]
    Unusable(String),
}

/// Both sides of a replica's connections.
pub(super) struct Tls {
    pub(super) server: quinn::ServerConfig,
    pub(super) client: quinn::ClientConfig,
}

/// The name in the certificate of a replica.
pub(super) fn name(replica: u64) -> String {
    format!("{NAME_PREFIX}{replica}")
}

/// The replica that a certificate names.
pub(super) fn replica_of(certificate: &CertificateDer<'_>) -> Option<u64> {
    names(certificate).ok()?.iter().find_map(|name| name.strip_prefix(NAME_PREFIX)?.parse().ok())
}

/// Loads the certificates for `replica`.
pub(super) fn load(config: &TlsConfig, replica: u64) -> Result<Tls, TlsError> {
    let unusable = |error: &dyn std::fmt::Display| TlsError::Unusable(error.to_string());
    let chain = certificates(&config.certificate)?;
    let names = names(&chain[0]).map_err(|reason| file(&config.certificate, &reason))?;
    if !names.contains(&name(replica)) {
        return Err(TlsError::OtherName { path: config.certificate.clone(), replica, names });
    }
    let key = private_key(&config.key)?;
    let mut roots = RootCertStore::empty();
    for certificate in certificates(&config.ca)? {
        roots.add(certificate).map_err(|error| file(&config.ca, &error))?;
    }
    let roots = Arc::new(roots);
    let provider = provider();
    let clients = WebPkiClientVerifier::builder_with_provider(roots.clone(), provider.clone())
        .build()
        .map_err(|error| unusable(&error))?;
    let mut server = ServerConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(|error| unusable(&error))?
        .with_client_cert_verifier(clients)
        .with_single_cert(chain.clone(), key.clone_key())
        .map_err(|error| unusable(&error))?;
    server.alpn_protocols = vec![ALPN.to_vec()];
    let mut client = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(|error| unusable(&error))?
        .with_root_certificates(roots)
        .with_client_auth_cert(chain, key)
        .map_err(|error| unusable(&error))?;
    client.alpn_protocols = vec![ALPN.to_vec()];
    let server = QuicServerConfig::try_from(server).map_err(|error| unusable(&error))?;
    let client = QuicClientConfig::try_from(client).map_err(|error| unusable(&error))?;
    Ok(Tls {
        server: quinn::ServerConfig::with_crypto(Arc::new(server)),
        client: quinn::ClientConfig::new(Arc::new(client)),
    })
}

/// AWS-LC with one key exchange.
fn provider() -> Arc<CryptoProvider> {
    let mut provider = aws_lc_rs::default_provider();
    provider.kx_groups = vec![aws_lc_rs::kx_group::X25519MLKEM768];
    Arc::new(provider)
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let certificates: Vec<_> = read.map_err(|error| file(path, &error))?;
    if certificates.is_empty() { Err(file(path, "it holds no certificate in PEM")) } else { Ok(certificates) }
}

fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    use std::os::unix::fs::PermissionsExt;
    let metadata = std::fs::metadata(path).map_err(|error| file(path, &error))?;
    if metadata.permissions().mode() & 0o077 != 0 {
        return Err(TlsError::Exposed(path.to_owned()));
    }
    PrivateKeyDer::from_pem_file(path).map_err(|error| file(path, &error))
}

fn names(certificate: &CertificateDer<'_>) -> Result<Vec<String>, String> {
    let end_entity = EndEntityCert::try_from(certificate).map_err(|error| error.to_string())?;
    Ok(end_entity.valid_dns_names().map(str::to_owned).collect())
}

fn file(path: &Path, reason: &(impl ToString + ?Sized)) -> TlsError {
    TlsError::File { path: path.to_owned(), reason: reason.to_string() }
}

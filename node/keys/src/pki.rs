//! The bank's certificate authority for its own replicas, and what it issues: one certificate a replica, for the name
//! `replica-N`. It certifies nothing else, and nobody but the bank's replicas trusts it.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rcgen::{
    BasicConstraints, Certificate, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose, date_time_ymd,
};
use zeroize::Zeroizing;

/// The name of the authority. Its certificate is made again from this and its key whenever it issues.
const AUTHORITY: &str = "Hansa replica authority";
/// What a replica's name begins with.
const NAME_PREFIX: &str = "replica-";
/// The authority's files in its folder; the certificate goes to every replica.
const CA: &str = "ca.pem";
const CA_KEY: &str = "ca.key";
const DAY: Duration = Duration::from_secs(24 * 3600);
/// For how many days the authority is valid.
const CA_DAYS: u32 = 20 * 365;
/// For how many days a certificate is valid unless told otherwise.
pub const DEFAULT_DAYS: u32 = 2 * 365;
/// The clocks of replicas may differ by this much.
const BACKDATED: Duration = Duration::from_secs(3600);

/// Why no certificate was issued.
#[derive(Debug, thiserror::Error)]
pub enum PkiError {
    /// The file system refused.
    #[error("{path}: {source}")]
    Io {
        /// Which file.
        path: PathBuf,
        /// What it said.
        source: io::Error,
    },
    /// Others could read the authority's key.
    #[error(
        "{0} can be read by others than its owner: run chmod 600 on it, and make a new authority if they may have"
    )]
    Exposed(PathBuf),
    /// Something would be overwritten.
    #[error("{0} exists: a certificate is never overwritten; move it away first if it is to be replaced")]
    Exists(PathBuf),
    /// Half an authority.
    #[error(
        "{folder} has only one of {CA} and {CA_KEY}: restore the other, or make a new authority elsewhere"
    )]
    Half {
        /// The authority's folder.
        folder: PathBuf,
    },
    /// The library refuses.
    #[error("{what}: {source}")]
    Certificate {
        /// What was made or read.
        what: String,
        /// What is wrong.
        source: rcgen::Error,
    },
}

/// What was issued, as PEM files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issued {
    /// The authority's certificate.
    pub ca: PathBuf,
    /// The replica's certificate.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

/// Issues the certificate of a replica into `out`. The authority in `ca_dir` is made at its first use. `now` is in unix
/// seconds.
pub fn issue(ca_dir: &Path, replica: u64, out: &Path, days: u32, now: u64) -> Result<Issued, PkiError> {
    let (authority, key, pem) = authority(ca_dir, now)?;
    let name = format!("{NAME_PREFIX}{replica}");
    let issued = Issued {
        ca: out.join(CA),
        certificate: out.join(format!("{name}.pem")),
        key: out.join(format!("{name}.key")),
    };
    if let Some(there) = [&issued.certificate, &issued.key].into_iter().find(|path| path.exists()) {
        return Err(PkiError::Exists(there.clone()));
    }
    let refused = |source| PkiError::Certificate { what: name.clone(), source };
    let mut params = CertificateParams::new(vec![name.clone()]).map_err(refused)?;
    valid(&mut params, now, days);
    params.distinguished_name.push(DnType::CommonName, &name);
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages =
        vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    params.use_authority_key_identifier_extension = true;
    let own = KeyPair::generate().map_err(refused)?;
    let certificate = params.signed_by(&own, &authority, &key).map_err(refused)?;
    folder(out)?;
    if !issued.ca.exists() {
        write(&issued.ca, pem.as_bytes())?;
    }
    write(&issued.certificate, certificate.pem().as_bytes())?;
    write(&issued.key, Zeroizing::new(own.serialize_pem()).as_bytes())?;
    Ok(issued)
}

/// The authority in `folder`, made if there is none: as an issuer, its key, and its certificate in PEM.
fn authority(dir: &Path, now: u64) -> Result<(Certificate, KeyPair, String), PkiError> {
    let (ca, key_file) = (dir.join(CA), dir.join(CA_KEY));
    let refused = |source| PkiError::Certificate { what: key_file.display().to_string(), source };
    let io = |path: &Path| {
        let path = path.to_owned();
        move |source| PkiError::Io { path, source }
    };
    match (ca.exists(), key_file.exists()) {
        (true, true) => {
            if fs::metadata(&key_file).map_err(io(&key_file))?.permissions().mode() & 0o077 != 0 {
                return Err(PkiError::Exposed(key_file));
            }
            let pem = Zeroizing::new(fs::read_to_string(&key_file).map_err(io(&key_file))?);
            let key = KeyPair::from_pem(&pem).map_err(refused)?;
            let issuer = issuer(now).self_signed(&key).map_err(refused)?;
            Ok((issuer, key, fs::read_to_string(&ca).map_err(io(&ca))?))
        }
        (false, false) => {
            let key = KeyPair::generate().map_err(refused)?;
            let issuer = issuer(now).self_signed(&key).map_err(refused)?;
            folder(dir)?;
            write(&key_file, Zeroizing::new(key.serialize_pem()).as_bytes())?;
            write(&ca, issuer.pem().as_bytes())?;
            let pem = issuer.pem();
            Ok((issuer, key, pem))
        }
        _ => Err(PkiError::Half { folder: dir.to_owned() }),
    }
}

fn issuer(now: u64) -> CertificateParams {
    let mut params = CertificateParams::default();
    valid(&mut params, now, CA_DAYS);
    params.distinguished_name.push(DnType::CommonName, AUTHORITY);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    params
}

fn valid(params: &mut CertificateParams, now: u64, days: u32) {
    let now = date_time_ymd(1970, 1, 1) + Duration::from_secs(now);
    params.not_before = now - BACKDATED;
    params.not_after = now + DAY * days;
}

fn folder(path: &Path) -> Result<(), PkiError> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.map_err(|source| PkiError::Io { path: path.to_owned(), source })
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), PkiError> {
    let write = || -> io::Result<()> {
        let mut file: File = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
        file.write_all(bytes)?;
        file.sync_all()
    };
    write().map_err(|source| match source.kind() {
        io::ErrorKind::AlreadyExists => PkiError::Exists(path.to_owned()),
        _ => PkiError::Io { path: path.to_owned(), source },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_800_000_000;

    #[test]
    fn one_authority_certifies_every_replica() {
        let dir = tempfile::tempdir().unwrap();
        let (ca, out) = (dir.path().join("ca"), dir.path().join("tls"));
        let first = issue(&ca, 1, &out, DEFAULT_DAYS, NOW).unwrap();
        let second = issue(&ca, 2, &out, DEFAULT_DAYS, NOW + 1).unwrap();
        assert_eq!(first.ca, second.ca);
        assert_eq!(fs::read(&first.ca).unwrap(), fs::read(ca.join(CA)).unwrap());
        assert!(second.certificate.ends_with("replica-2.pem"));
        for key in [&first.key, &second.key, &ca.join(CA_KEY)] {
            assert_eq!(fs::metadata(key).unwrap().permissions().mode() & 0o777, 0o600, "{key:?}");
        }
        assert_eq!(fs::metadata(&ca).unwrap().permissions().mode() & 0o777, 0o700);
    }

    #[test]
    fn nothing_is_overwritten_and_an_exposed_or_half_authority_issues_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let (ca, out) = (dir.path().join("ca"), dir.path().join("tls"));
        issue(&ca, 1, &out, DEFAULT_DAYS, NOW).unwrap();
        assert!(matches!(issue(&ca, 1, &out, DEFAULT_DAYS, NOW), Err(PkiError::Exists(_))));
        fs::set_permissions(ca.join(CA_KEY), fs::Permissions::from_mode(0o644)).unwrap();
        assert!(matches!(issue(&ca, 2, &out, DEFAULT_DAYS, NOW), Err(PkiError::Exposed(_))));
        fs::remove_file(ca.join(CA_KEY)).unwrap();
        assert!(matches!(issue(&ca, 2, &out, DEFAULT_DAYS, NOW), Err(PkiError::Half { .. })));
    }
}

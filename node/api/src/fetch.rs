//! Fetching what is published elsewhere: watch lists, over HTTPS or from a file that something else brings.
//!
//! Only HTTPS: whoever could change a list on its way could let anybody through. Plain HTTP is for this machine alone,
//! where a mirror or a test serves it, and leads nowhere else. An address may hold a secret beside the place: what is
//! said of it is the place.

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use hansa_types::id::Timestamp;
use ureq::Agent;
use ureq::http::StatusCode;
use ureq::tls::{PemItem, RootCerts, TlsConfig, parse_pem};

use crate::client::is_loopback;

/// How long one file may take to arrive.
const FETCH_TIME: Duration = Duration::from_secs(300);
/// Where Debian keeps the certificates that it trusts.
const SYSTEM_ROOTS: &str = "/etc/ssl/certs/ca-certificates.crt";

/// Why a file was not fetched.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// Over a network in the clear.
    #[error("{0}: use https://, or the path of a file: a list must not be changed on its way")]
    Insecure(String),
    /// No answer, or not the right one.
    #[error("{address}: {source}")]
    Http {
        /// What was asked for.
        address: String,
        /// What went wrong.
        source: Box<ureq::Error>,
    },
    /// An answer that is not the file, such as that it is elsewhere.
    #[error("{address}: answered with status {status} and not with the file: name the address where it is")]
    Status {
        /// What was asked for.
        address: String,
        /// The status.
        status: u16,
    },
    /// Too much.
    #[error("{address}: more than {limit} bytes: is this the right file?")]
    TooLarge {
        /// What was asked for.
        address: String,
        /// The most that is read.
        limit: usize,
    },
    /// No certificate authorities to check a server by.
    #[error("{SYSTEM_ROOTS}: {0}; install Debian's ca-certificates, or name a file instead of an address")]
    Roots(String),
    /// A file that cannot be read.
    #[error("{path}: {source}")]
    File {
        /// Which.
        path: String,
        /// What the system says.
        source: std::io::Error,
    },
}

/// What a source gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetched {
    /// The file.
    pub bytes: Vec<u8>,
    /// When it was last changed, if the source says so.
    pub modified: Option<Timestamp>,
}

/// Fetches from an `https://` address or a path, at most `limit` bytes. Blocking.
///
/// # Errors
/// See [`FetchError`].
pub fn fetch(source: &str, limit: usize) -> Result<Fetched, FetchError> {
    if source.starts_with("https://") || is_loopback(source) {
        return get(source, limit);
    }
    if source.contains("://") {
        return Err(FetchError::Insecure(place(source)));
    }
    open(Path::new(source.strip_prefix("file:").unwrap_or(source)), limit)
}

fn open(path: &Path, limit: usize) -> Result<Fetched, FetchError> {
    let failed = |source| FetchError::File { path: path.display().to_string(), source };
    let file = File::open(path).map_err(failed)?;
    let modified = file.metadata().and_then(|metadata| metadata.modified()).ok();
    let modified = modified.and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    let mut bytes = Vec::new();
    file.take(limit as u64 + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() > limit {
        return Err(FetchError::TooLarge { address: path.display().to_string(), limit });
    }
    Ok(Fetched { bytes, modified: modified.map(|since| Timestamp(since.as_secs())) })
}

fn get(address: &str, limit: usize) -> Result<Fetched, FetchError> {
    let named = place(address);
    let failed = |source: ureq::Error| {
        let address = named.clone();
        let source = match source {
            ureq::Error::BodyExceedsLimit(_) => return FetchError::TooLarge { address, limit },
            ureq::Error::RequireHttpsOnly(other) => ureq::Error::RequireHttpsOnly(place(&other)),
            ureq::Error::BadUri(other) => ureq::Error::BadUri(place(&other)),
            source => source,
        };
        FetchError::Http { address, source: Box::new(source) }
    };
    let agent = agent(address.starts_with("https://"))?;
    let mut response = agent.get(address).call().map_err(failed)?;
    if response.status() != StatusCode::OK {
        return Err(FetchError::Status { address: named, status: response.status().as_u16() });
    }
    let modified = response.headers().get("last-modified").and_then(|value| value.to_str().ok());
    let modified = modified.and_then(|text| httpdate::parse_http_date(text).ok());
    let modified = modified.and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    // One byte more is asked for than may come, so that what is exactly as long as allowed is taken.
    let bytes = response.body_mut().with_config().limit(limit as u64 + 1).read_to_vec().map_err(failed)?;
    if bytes.len() > limit {
        return Err(FetchError::TooLarge { address: named, limit });
    }
    Ok(Fetched { bytes, modified: modified.map(|since| Timestamp(since.as_secs())) })
}

/// What of an address may be shown: no user and password, and no query.
fn place(address: &str) -> String {
    let (scheme, rest) = address.split_once("://").unwrap_or(("", address));
    let rest = rest.split(['?', '#']).next().unwrap_or_default();
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let host = authority.rsplit_once('@').map_or(authority, |(_user, host)| host);
    format!("{scheme}://{host}{path}")
}

/// An HTTP client that trusts the system's authorities; proxies of the environment are used, as banks need them.
fn agent(secure: bool) -> Result<Agent, FetchError> {
    let builder = Agent::config_builder().timeout_global(Some(FETCH_TIME)).https_only(secure);
    if !secure {
        // Not even to another port of this machine: what answers there may be anybody's.
        return Ok(builder.proxy(None).max_redirects(0).build().into());
    }
    let pem = std::fs::read(SYSTEM_ROOTS).map_err(|error| FetchError::Roots(error.to_string()))?;
    let roots: Vec<_> = parse_pem(&pem)
        .filter_map(|item| match item {
            Ok(PemItem::Certificate(certificate)) => Some(certificate),
            _ => None,
        })
        .collect();
    let tls = TlsConfig::builder()
        .root_certs(RootCerts::new_with_certs(&roots))
        .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .build();
    Ok(builder.tls_config(tls).build().into())
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::net::TcpListener;

    use super::*;

    /// Answers one request with `body`.
    fn serve(body: &'static [u8]) -> String {
        let modified = "Last-Modified: Fri, 03 May 2024 14:00:00 GMT";
        answer(format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n{modified}\r\n\r\n", body.len()), body)
    }

    fn answer(head: String, body: &'static [u8]) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}/list.csv", listener.local_addr().unwrap());
        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = [0; 4096];
            let read = stream.read(&mut request).unwrap();
            assert!(request[..read].starts_with(b"GET /list.csv"));
            stream.write_all(&[head.as_bytes(), body].concat()).unwrap();
        });
        address
    }

    #[test]
    fn a_file_comes_with_its_date_and_within_its_bound() {
        let fetched = fetch(&serve(b"1,2,3"), 5).unwrap();
        assert_eq!((&fetched.bytes[..], fetched.modified), (&b"1,2,3"[..], Some(Timestamp(1_714_744_800))));
        assert!(matches!(fetch(&serve(b"1,2,3"), 4), Err(FetchError::TooLarge { limit: 4, .. })));
    }

    #[test]
    fn a_path_is_read_like_an_address() {
        let path = std::env::temp_dir().join(format!("hansa-fetch-{}", std::process::id()));
        std::fs::write(&path, "abc").unwrap();
        let fetched = fetch(path.to_str().unwrap(), 3).unwrap();
        assert!(fetched.bytes == b"abc" && fetched.modified.is_some());
        assert!(matches!(fetch(path.to_str().unwrap(), 2), Err(FetchError::TooLarge { .. })));
        std::fs::remove_file(&path).unwrap();
        assert!(matches!(fetch(path.to_str().unwrap(), 3), Err(FetchError::File { .. })));
    }

    #[test]
    fn an_answer_that_leads_elsewhere_is_not_followed_and_no_list() {
        let elsewhere = serve(b"1,2,3");
        let head = format!("HTTP/1.1 302 Found\r\nLocation: {elsewhere}\r\nContent-Length: 5\r\n\r\n");
        assert!(matches!(fetch(&answer(head, b"moved"), 9), Err(FetchError::Status { status: 302, .. })));
        assert_eq!(fetch(&elsewhere, 9).unwrap().bytes, b"1,2,3", "nobody was there before");
    }

    #[test]
    fn what_an_address_holds_beside_the_place_is_not_shown() {
        for (address, shown) in [
            ("https://a:b@lists.example:8443/v1/sdn.csv?key=c#d", "https://lists.example:8443/v1/sdn.csv"),
            ("https://lists.example?key=c", "https://lists.example"),
            ("https://lists.example/a@b", "https://lists.example/a@b"),
        ] {
            assert_eq!(place(address), shown);
        }
        let error = fetch("http://user:secret@lists.example/sdn.csv?key=secret", 9).unwrap_err().to_string();
        assert!(error.contains("lists.example/sdn.csv") && !error.contains("secret"), "{error}");
        let error = fetch(&format!("{}?key=secret", serve(b"1,2,3")), 4).unwrap_err().to_string();
        assert!(error.contains("list.csv") && !error.contains("secret"), "{error}");
    }

    #[test]
    fn nothing_is_fetched_in_the_clear() {
        assert!(matches!(fetch("http://lists.example/sdn.csv", 9), Err(FetchError::Insecure(_))));
        assert!(matches!(fetch("ftp://127.0.0.1/sdn.csv", 9), Err(FetchError::Insecure(_))));
    }
}

//! HTTP as anybody could send it: byte by byte, without what our own client would not do.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use hansa_api::error::ProblemBody;
use hansa_testnet::consortium::Bank;
use hansa_testnet::process::PATIENCE;

/// An answer.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) media: String,
    /// The node says that it may be out of date.
    pub(crate) stale: bool,
    pub(crate) body: String,
}

impl Reply {
    /// The answer as a problem, which says of itself what the status line says.
    pub(crate) fn problem(&self) -> ProblemBody {
        assert_eq!(self.media, "application/problem+json", "{self:?}");
        let problem: ProblemBody = serde_json::from_str(&self.body).unwrap();
        assert_eq!(problem.status, self.status, "{self:?}");
        assert!(problem.kind.starts_with("urn:hansa:problem:"), "{self:?}");
        assert!(!problem.title.is_empty() && !problem.detail.is_empty(), "{self:?}");
        problem
    }
}

/// The bank's token: the third word of its file, as the operator guide has it.
pub(crate) fn bearer(bank: &Bank) -> String {
    let line = std::fs::read_to_string(bank.folder.join("keys/api.key")).unwrap();
    format!("Authorization: Bearer {}", line.split(' ').nth(2).unwrap().trim())
}

/// Sends a request with exactly these header lines besides Host, Connection and Content-Length.
pub(crate) fn request(bank: &Bank, line: &str, headers: &[&str], body: &[u8]) -> Reply {
    let length = format!("Content-Length: {}", body.len());
    let headers: Vec<&str> = headers.iter().copied().chain([length.as_str()]).collect();
    raw(bank, line, &headers, body)
}

/// Sends a request whose body is sent in chunks, so that its length is not known before it ends.
pub(crate) fn chunked(bank: &Bank, line: &str, headers: &[&str], body: &[u8]) -> Reply {
    const CHUNK: usize = 64 << 10;
    let headers: Vec<&str> = headers.iter().copied().chain(["Transfer-Encoding: chunked"]).collect();
    let mut framed = Vec::with_capacity(body.len() + body.len() / CHUNK * 16 + 16);
    for chunk in body.chunks(CHUNK) {
        framed.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
        framed.extend_from_slice(chunk);
        framed.extend_from_slice(b"\r\n");
    }
    framed.extend_from_slice(b"0\r\n\r\n");
    raw(bank, line, &headers, &framed)
}

/// A message to the payments interface, with everything a client should send.
pub(crate) fn submit(bank: &Bank, message: &[u8]) -> Reply {
    request(bank, "POST /v1/payments", &[&bearer(bank), "Content-Type: application/xml"], message)
}

/// Asks for a path with the token.
pub(crate) fn get(bank: &Bank, path: &str) -> Reply {
    request(bank, &format!("GET {path}"), &[&bearer(bank)], b"")
}

/// Posts JSON with the token.
pub(crate) fn post_json(bank: &Bank, path: &str, body: &str) -> Reply {
    let headers = [&*bearer(bank), "Content-Type: application/json"];
    request(bank, &format!("POST {path}"), &headers, body.as_bytes())
}

fn raw(bank: &Bank, line: &str, headers: &[&str], body: &[u8]) -> Reply {
    let mut stream = connect(bank);
    let head: String = [&format!("{line} HTTP/1.1"), "Host: 127.0.0.1", "Connection: close"]
        .into_iter()
        .chain(headers.iter().copied())
        .map(|line| format!("{line}\r\n"))
        .collect();
    let mut writer = stream.try_clone().unwrap();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            // The node may refuse and close before it has read everything.
            let _ = writer.write_all(format!("{head}\r\n").as_bytes()).and_then(|()| writer.write_all(body));
        });
        read_reply(&mut stream)
    })
}

/// A connection on which nothing was sent.
pub(crate) fn connect(bank: &Bank) -> TcpStream {
    let stream = TcpStream::connect(("127.0.0.1", bank.api_port)).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE + Duration::from_secs(1))).unwrap();
    stream
}

/// The answer on a connection that the node closes after it.
pub(crate) fn read_reply(stream: &mut TcpStream) -> Reply {
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).unwrap();
    let text = String::from_utf8(bytes).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {text:?}"));
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap();
    let header = |wanted: &str| {
        head.lines().find_map(|line| {
            let (name, value) = line.split_once(": ")?;
            name.eq_ignore_ascii_case(wanted).then(|| value.to_owned())
        })
    };
    let media = header("content-type").unwrap_or_default();
    let stale = header("hansa-stale").is_some_and(|value| value == "true");
    Reply { status, media, stale, body: body.to_owned() }
}

//! Requests from one member to another, and what each may ask: opaque bytes, length-prefixed on a QUIC stream.
//!
//! Gossip tells everyone; this asks one. A request is answered once or refused as one too many, and every bound is the
//! asking member's own: how many of its requests may be open, and how many it may send a minute.

use std::collections::BTreeMap;
use std::io;
use std::time::Duration;

use futures::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use libp2p::request_response::{self, Codec, ProtocolSupport};
use libp2p::{PeerId, StreamProtocol};
use tokio::time::Instant;

use crate::config::Limits;

/// What the streams speak.
const PROTOCOL: StreamProtocol = StreamProtocol::new("/hansa/request/1");
/// The longest request, in bytes.
pub const MAX_REQUEST_BYTES: usize = 256 << 10;
/// The longest response, in bytes.
pub const MAX_RESPONSE_BYTES: usize = 256 << 10;
/// How long a request may take, from the first byte out to the last byte back.
pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);
/// How long [`Limits::requests_per_minute`] counts.
const WINDOW: Duration = Duration::from_secs(60);

/// The first byte of a response.
const ANSWERED: u8 = 0;
const BUSY: u8 = 1;

/// The behaviour as this crate runs it.
pub(crate) type Exchange = request_response::Behaviour<Bytes>;

/// Builds it.
pub(crate) fn behaviour(limits: &Limits) -> Exchange {
    // For both directions, and twice, so that a request too many is refused in words rather than by a reset.
    let streams = 2 * 2 * limits.requests_per_peer();
    let config = request_response::Config::default()
        .with_request_timeout(REQUEST_TIMEOUT)
        .with_max_concurrent_streams(streams);
    Exchange::with_codec(Bytes, [(PROTOCOL, ProtocolSupport::Full)], config)
}

/// Names a request in [`Event::Request`](crate::Event::Request) and its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RequestId(pub(crate) u64);

/// What comes back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Response {
    /// The application's answer.
    Answered(Vec<u8>),
    /// The asking member has asked too much, or the application is behind.
    Busy,
}

/// Reads and writes the streams; every length is checked before anything is allocated.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bytes;

impl Codec for Bytes {
    type Protocol = StreamProtocol;
    type Request = Vec<u8>;
    type Response = Response;

    async fn read_request<T>(&mut self, _: &StreamProtocol, io: &mut T) -> io::Result<Vec<u8>>
    where
        T: AsyncRead + Unpin + Send,
    {
        read_bytes(io, MAX_REQUEST_BYTES).await
    }

    async fn read_response<T>(&mut self, _: &StreamProtocol, io: &mut T) -> io::Result<Response>
    where
        T: AsyncRead + Unpin + Send,
    {
        let mut kind = [0];
        io.read_exact(&mut kind).await?;
        match kind[0] {
            ANSWERED => Ok(Response::Answered(read_bytes(io, MAX_RESPONSE_BYTES).await?)),
            BUSY => Ok(Response::Busy),
            other => Err(io::Error::new(io::ErrorKind::InvalidData, format!("response of kind {other}"))),
        }
    }

    async fn write_request<T>(&mut self, _: &StreamProtocol, io: &mut T, request: Vec<u8>) -> io::Result<()>
    where
        T: AsyncWrite + Unpin + Send,
    {
        write_bytes(io, &request, MAX_REQUEST_BYTES).await
    }

    async fn write_response<T>(
        &mut self,
        _: &StreamProtocol,
        io: &mut T,
        response: Response,
    ) -> io::Result<()>
    where
        T: AsyncWrite + Unpin + Send,
    {
        match response {
            Response::Busy => io.write_all(&[BUSY]).await,
            Response::Answered(bytes) => {
                io.write_all(&[ANSWERED]).await?;
                write_bytes(io, &bytes, MAX_RESPONSE_BYTES).await
            }
        }
    }
}

async fn read_bytes<T: AsyncRead + Unpin + Send>(io: &mut T, limit: usize) -> io::Result<Vec<u8>> {
    let mut length = [0; 4];
    io.read_exact(&mut length).await?;
    let length = u32::from_be_bytes(length) as usize;
    if length > limit {
        return Err(io::Error::new(io::ErrorKind::InvalidData, format!("{length} bytes, above {limit}")));
    }
    let mut bytes = Vec::new();
    // Grows with what arrives, so that a length alone costs nothing.
    io.take(length as u64).read_to_end(&mut bytes).await?;
    if bytes.len() == length { Ok(bytes) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
}

async fn write_bytes<T: AsyncWrite + Unpin + Send>(io: &mut T, bytes: &[u8], limit: usize) -> io::Result<()> {
    let length = u32::try_from(bytes.len()).ok().filter(|_| bytes.len() <= limit);
    let length = length.ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
    io.write_all(&length.to_be_bytes()).await?;
    io.write_all(bytes).await
}

/// What each member has open and has asked. Pure bookkeeping: the caller brings the time.
#[derive(Debug)]
pub(crate) struct Budgets {
    open_at_once: usize,
    per_minute: u32,
    members: BTreeMap<PeerId, Budget>,
}

#[derive(Debug)]
struct Budget {
    open: usize,
    since: Instant,
    asked: u32,
}

impl Budgets {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            open_at_once: limits.requests_per_peer(),
            per_minute: limits.requests_per_minute,
            members: BTreeMap::new(),
        }
    }

    /// Takes a request of `peer` in, if it is within both bounds; [`Budgets::close`] gives the first back.
    pub(crate) fn open(&mut self, peer: PeerId, now: Instant) -> bool {
        let budget = self.members.entry(peer).or_insert(Budget { open: 0, since: now, asked: 0 });
        if now.saturating_duration_since(budget.since) >= WINDOW {
            (budget.since, budget.asked) = (now, 0);
        }
        if budget.open >= self.open_at_once || budget.asked >= self.per_minute {
            return false;
        }
        budget.open += 1;
        budget.asked += 1;
        true
    }

    /// A request of `peer` is answered or gone.
    pub(crate) fn close(&mut self, peer: &PeerId) {
        if let Some(budget) = self.members.get_mut(peer) {
            budget.open = budget.open.saturating_sub(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::executor::block_on;
    use futures::io::Cursor;
    use proptest::prelude::*;

    use super::*;
    use crate::Identity;

    fn read(bytes: &[u8]) -> io::Result<Response> {
        block_on(Bytes.read_response(&PROTOCOL, &mut Cursor::new(bytes)))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn what_is_written_is_read(bytes in prop::collection::vec(any::<u8>(), 0..300), busy: bool) {
            let mut out = Cursor::new(Vec::new());
            block_on(Bytes.write_request(&PROTOCOL, &mut out, bytes.clone())).expect("fits");
            let written = out.into_inner();
            let request = block_on(Bytes.read_request(&PROTOCOL, &mut Cursor::new(&written)));
            prop_assert_eq!(request.expect("just written"), bytes.clone());
            let response = if busy { Response::Busy } else { Response::Answered(bytes) };
            let mut out = Cursor::new(Vec::new());
            block_on(Bytes.write_response(&PROTOCOL, &mut out, response.clone())).expect("fits");
            prop_assert_eq!(read(&out.into_inner()).expect("just written"), response);
        }

        #[test]
        fn any_bytes_are_read_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..20)) {
            let _ = read(&bytes);
        }
    }

    #[test]
    fn lengths_are_bounded_before_anything_is_read() {
        let mut long = vec![ANSWERED];
        long.extend_from_slice(&u32::MAX.to_be_bytes());
        assert_eq!(read(&long).expect_err("too long").kind(), io::ErrorKind::InvalidData);
        assert_eq!(read(&[ANSWERED, 0, 0, 0, 9, 1]).expect_err("cut").kind(), io::ErrorKind::UnexpectedEof);
        let too_long = vec![0; MAX_REQUEST_BYTES + 1];
        let written = block_on(Bytes.write_request(&PROTOCOL, &mut Cursor::new(Vec::new()), too_long));
        assert_eq!(written.expect_err("too long").kind(), io::ErrorKind::InvalidInput);
    }

    #[test]
    fn each_member_has_its_own_budget() {
        let limits = Limits { requests_per_peer: 2, requests_per_minute: 3, ..Limits::default() };
        let mut budgets = Budgets::new(&limits);
        let [one, other] = [1, 2].map(|n| Identity::from_seed(&[n; 32]).peer_id());
        let now = Instant::now();
        assert!(budgets.open(one, now) && budgets.open(one, now));
        assert!(!budgets.open(one, now), "two are open");
        assert!(budgets.open(other, now), "which is nothing to another member");
        budgets.close(&one);
        assert!(budgets.open(one, now));
        budgets.close(&one);
        assert!(!budgets.open(one, now), "three a minute");
        assert!(budgets.open(one, now + WINDOW));
    }
}

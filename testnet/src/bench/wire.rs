//! What the bench and a measured replica say to each other on a connection: many requests under way at once, each
//! answered when it is done, in any order.

use std::io::{self, Read};

/// Append the encoded command.
pub(super) const APPEND: u8 = 1;
/// Is there a leaf under the unique key?
pub(super) const FIND: u8 = 2;

/// The decision is durable.
pub(super) const DONE: u8 = 1;
/// There is such a leaf.
pub(super) const FOUND: u8 = 2;
/// There is none.
pub(super) const ABSENT: u8 = 3;
/// Not done, or nobody knows.
pub(super) const FAILED: u8 = 4;

/// Bytes before a request's body: its length, number and kind.
const HEAD: usize = 4 + 8 + 1;
/// Bytes of an answer: the request's number, and what became of it.
const ANSWER: usize = 8 + 1;
/// The longest body.
const MAX_BODY: usize = 64 << 10;
/// Bytes taken from a connection at once.
const CHUNK: usize = 64 << 10;

/// A request.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Request<'a> {
    pub(super) number: u64,
    pub(super) kind: u8,
    pub(super) body: &'a [u8],
}

impl Request<'_> {
    /// Appends the request to what is to be sent.
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        let length = u32::try_from(self.body.len()).expect("requests are a few hundred bytes");
        out.extend_from_slice(&length.to_be_bytes());
        out.extend_from_slice(&self.number.to_be_bytes());
        out.push(self.kind);
        out.extend_from_slice(self.body);
    }
}

/// Appends an answer to what is to be sent.
pub(super) fn write_answer(number: u64, what: u8, out: &mut Vec<u8>) {
    out.extend_from_slice(&number.to_be_bytes());
    out.push(what);
}

/// Bytes that arrived and are not used yet.
#[derive(Default)]
pub(super) struct Arrived {
    bytes: Vec<u8>,
    used: usize,
    filled: usize,
}

impl Arrived {
    /// Waits for more bytes; says whether there are any.
    pub(super) fn more(&mut self, from: &mut impl Read) -> io::Result<bool> {
        let chunk = self.room();
        let read = from.read(chunk)?;
        self.took(read);
        Ok(read > 0)
    }

    /// Where the next bytes go; [`Arrived::took`] says how many did.
    pub(super) fn room(&mut self) -> &mut [u8] {
        self.bytes.copy_within(self.used..self.filled, 0);
        self.filled -= self.used;
        self.used = 0;
        if self.bytes.len() < self.filled + CHUNK {
            self.bytes.resize(self.filled + CHUNK, 0);
        }
        &mut self.bytes[self.filled..]
    }

    /// Of the room given, only the first `read` bytes were filled.
    pub(super) fn took(&mut self, read: usize) {
        self.filled += read;
    }

    /// The next whole request.
    pub(super) fn request(&mut self) -> io::Result<Option<Request<'_>>> {
        let left = &self.bytes[self.used..self.filled];
        let Some((head, rest)) = left.split_first_chunk::<HEAD>() else { return Ok(None) };
        let (length, number) = head.split_first_chunk::<4>().expect("the head is longer");
        let length = u32::from_be_bytes(*length) as usize;
        if length > MAX_BODY {
            return Err(io::Error::other(format!("a request of {length} bytes")));
        }
        let Some(body) = rest.get(..length) else { return Ok(None) };
        self.used += HEAD + length;
        Ok(Some(Request { number: leading_u64(number), kind: head[HEAD - 1], body }))
    }

    /// The next whole answer: a request's number and what became of it.
    pub(super) fn answer(&mut self) -> Option<(u64, u8)> {
        let answer = self.bytes[self.used..self.filled].first_chunk::<ANSWER>()?;
        self.used += ANSWER;
        Some((leading_u64(answer), answer[ANSWER - 1]))
    }
}

fn leading_u64(bytes: &[u8]) -> u64 {
    u64::from_be_bytes(*bytes.first_chunk().expect("the caller has eight bytes"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_and_answers_arrive_whole_however_they_are_cut() {
        let mut sent = Vec::new();
        Request { number: 7, kind: APPEND, body: b"abc" }.write(&mut sent);
        Request { number: 8, kind: FIND, body: b"" }.write(&mut sent);
        let (mut arrived, mut got) = (Arrived::default(), Vec::new());
        for mut byte in sent.chunks(1) {
            assert!(arrived.more(&mut byte).unwrap());
            while let Some(request) = arrived.request().unwrap() {
                got.push((request.number, request.kind, request.body.to_vec()));
            }
        }
        assert_eq!(got, [(7, APPEND, b"abc".to_vec()), (8, FIND, Vec::new())]);

        let (mut sent, mut arrived) = (Vec::new(), Arrived::default());
        write_answer(9, DONE, &mut sent);
        write_answer(10, FAILED, &mut sent);
        assert!(arrived.more(&mut sent.as_slice()).unwrap());
        assert_eq!(
            (arrived.answer(), arrived.answer(), arrived.answer()),
            (Some((9, DONE)), Some((10, FAILED)), None)
        );
        assert!(!arrived.more(&mut [].as_slice()).unwrap(), "the end");
    }

    #[test]
    fn a_length_beyond_all_bounds_is_refused() {
        let mut arrived = Arrived::default();
        arrived.more(&mut [0xff; HEAD].as_slice()).unwrap();
        assert!(arrived.request().is_err());
    }
}

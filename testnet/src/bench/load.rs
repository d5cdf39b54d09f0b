//! A load on the audit log: clients that each wait for the answer to one decision before they send the next, on a few
//! connections that they share.

use std::io::Write;
use std::net::{Ipv4Addr, TcpStream};
use std::ops::Range;
use std::time::{Duration, Instant};

use super::decision;
use super::wire::{self, Arrived, Request};

/// Connections that the clients share.
const CONNECTIONS: usize = 4;

/// Connects to a replica's socket.
pub(super) fn connect(port: u16) -> std::io::Result<TcpStream> {
    let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Appends the decisions of `numbers` with `in_flight` clients, and gives the time from the first one sent to the last
/// one answered.
pub(super) fn append_all(port: u16, numbers: Range<u64>, in_flight: usize) -> Result<Duration, String> {
    let clients = in_flight.div_ceil(CONNECTIONS).max(1);
    let mut shares: Vec<Vec<Vec<u8>>> = vec![Vec::new(); CONNECTIONS.min(in_flight.max(1))];
    let connections = shares.len();
    for (at, number) in numbers.enumerate() {
        let mut request = Vec::new();
        Request { number, kind: wire::APPEND, body: &decision::encoded(number) }.write(&mut request);
        shares[at % connections].push(request);
    }
    let streams =
        shares.iter().map(|_| connect(port)).collect::<Result<Vec<_>, _>>().map_err(|e| e.to_string())?;
    let start = Instant::now();
    std::thread::scope(|scope| {
        let running: Vec<_> = shares
            .iter()
            .zip(streams)
            .map(|(share, stream)| scope.spawn(move || drive(stream, share, clients)))
            .collect();
        running.into_iter().try_for_each(|connection| {
            connection.join().map_err(|_| "a connection's thread ended".to_owned())?
        })
    })?;
    Ok(start.elapsed())
}

/// Sends the requests, `clients` of them unanswered at a time.
fn drive(mut stream: TcpStream, requests: &[Vec<u8>], clients: usize) -> Result<(), String> {
    let broken = |error: std::io::Error| format!("the connection to a replica broke: {error}");
    let mut next = requests.iter();
    let mut out = Vec::new();
    next.by_ref().take(clients).for_each(|request| out.extend_from_slice(request));
    let (mut answered, mut arrived) = (0, Arrived::default());
    while answered < requests.len() {
        stream.write_all(&out).map_err(broken)?;
        out.clear();
        if !arrived.more(&mut stream).map_err(broken)? {
            return Err("a replica closed the connection".to_owned());
        }
        while let Some((number, what)) = arrived.answer() {
            if what != wire::DONE {
                return Err(format!("decision {number} was not appended"));
            }
            answered += 1;
            next.next().into_iter().for_each(|request| out.extend_from_slice(request));
        }
    }
    Ok(())
}

/// Which of `numbers` a replica does not have, after a linearizable read.
pub(super) fn missing(port: u16, numbers: &[u64]) -> Result<Vec<u64>, String> {
    let mut stream = connect(port).map_err(|error| error.to_string())?;
    let (mut arrived, mut missing) = (Arrived::default(), Vec::new());
    // A few at a time: nobody reads while a request is written.
    for some in numbers.chunks(256) {
        let mut out = Vec::new();
        for number in some {
            Request { number: *number, kind: wire::FIND, body: &decision::unique_key(*number) }
                .write(&mut out);
        }
        stream.write_all(&out).map_err(|error| error.to_string())?;
        let mut left = some.len();
        while left > 0 {
            if !arrived.more(&mut stream).map_err(|error| error.to_string())? {
                return Err("a replica closed the connection".to_owned());
            }
            while let Some((number, what)) = arrived.answer() {
                left -= 1;
                match what {
                    wire::FOUND => {}
                    wire::ABSENT => missing.push(number),
                    _ => return Err(format!("a replica could not say whether it has decision {number}")),
                }
            }
        }
    }
    Ok(missing)
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::net::TcpListener;
    use std::thread;

    use super::*;

    /// Answers every request on every connection with what `what` says of its number.
    fn replica(what: fn(u64) -> u8) -> u16 {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        thread::spawn(move || {
            for mut stream in listener.incoming().map_while(Result::ok) {
                thread::spawn(move || {
                    let mut arrived = Arrived::default();
                    while Read::by_ref(&mut stream)
                        .read(arrived.room())
                        .map(|read| arrived.took(read))
                        .is_ok()
                    {
                        let mut out = Vec::new();
                        while let Some(request) = arrived.request().unwrap() {
                            wire::write_answer(request.number, what(request.number), &mut out);
                        }
                        if stream.write_all(&out).is_err() {
                            return;
                        }
                    }
                });
            }
        });
        port
    }

    #[test]
    fn every_decision_is_sent_and_answered_however_many_clients_there_are() {
        let port = replica(|_| wire::DONE);
        for in_flight in [1, 3, 64, 10_000] {
            append_all(port, 0..100, in_flight).unwrap();
        }
    }

    #[test]
    fn a_decision_that_is_refused_is_named() {
        let port = replica(|number| if number == 77 { wire::FAILED } else { wire::DONE });
        let refused = append_all(port, 0..100, 16).unwrap_err();
        assert!(refused.contains("77"), "{refused}");
    }

    #[test]
    fn what_is_not_there_is_listed() {
        let port = replica(|number| if number % 10 == 3 { wire::ABSENT } else { wire::FOUND });
        let numbers: Vec<u64> = (0..1_000).collect();
        let missing = missing(port, &numbers).unwrap();
        assert_eq!(missing.len(), 100);
        assert!(missing.contains(&13));
    }
}

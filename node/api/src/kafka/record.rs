//! What the way in adds to records: which payments of a message are meant, who asked, and why something was refused.

use rdkafka::Message as _;
use rdkafka::message::{Header, Headers as _, OwnedHeaders, OwnedMessage};

use crate::error::Problem;

/// How the names of this way in's headers begin.
const OWN: &str = "hansa-";
/// Which payments of the message are meant, by their places in it; absent for all.
const PAYMENTS: &str = "hansa-payments";
/// The key of the record that the message came in by, if it had one.
const REQUEST: &str = "hansa-request";
/// The most bytes of a reason's detail, and of its hint.
const MAX_SAID: usize = 1 << 10;

/// Which payments of the message are meant: `Ok(None)` for all of them.
pub(super) fn places(record: &OwnedMessage) -> Result<Option<Vec<usize>>, Problem> {
    let Some(value) = header(record, PAYMENTS) else { return Ok(None) };
    let wrong = || {
        Problem::malformed(format!("the header {PAYMENTS} is no list of places"))
            .with_hint("write to the topic of messages: the node keys them itself")
    };
    let text = std::str::from_utf8(value).map_err(|_| wrong())?;
    let places = text.split(',').map(|place| place.parse().map_err(|_| wrong()));
    let places = places.collect::<Result<Vec<usize>, _>>()?;
    // None twice: no more is decided than the message has.
    if places.is_sorted_by(|one, next| one < next) { Ok(Some(places)) } else { Err(wrong()) }
}

/// The headers of a keyed record made of `record`.
pub(super) fn keyed(record: &OwnedMessage, places: Option<&[usize]>) -> OwnedHeaders {
    let mut headers = OwnedHeaders::new();
    if let Some(key) = record.key() {
        headers = headers.insert(Header { key: REQUEST, value: Some(key) });
    }
    if let Some(places) = places {
        let places = places.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
        headers = headers.insert(Header { key: PAYMENTS, value: Some(&places) });
    }
    headers
}

/// The headers of the answer to a keyed record.
pub(super) fn answered(record: &OwnedMessage) -> OwnedHeaders {
    let headers = OwnedHeaders::new();
    match header(record, REQUEST) {
        Some(request) => headers.insert(Header { key: REQUEST, value: Some(request) }),
        None => headers,
    }
}

/// The headers that a record came with.
pub(super) fn headers(record: &OwnedMessage) -> OwnedHeaders {
    record.headers().map_or_else(OwnedHeaders::new, |headers| headers.as_borrowed().detach())
}

/// Those of them that this way in may have added.
pub(super) fn own_headers(record: &OwnedMessage) -> OwnedHeaders {
    let all = record.headers().into_iter().flat_map(|headers| headers.iter());
    all.filter(|header| header.key.starts_with(OWN)).fold(OwnedHeaders::new(), OwnedHeaders::insert)
}

/// The headers of a record that is set aside: those given, where it stood, and why.
pub(super) fn refused(headers: OwnedHeaders, record: &OwnedMessage, problem: &Problem) -> OwnedHeaders {
    let place = format!("{}/{}/{}", record.topic(), record.partition(), record.offset());
    let said = [
        ("hansa-reason", problem.kind.name()),
        ("hansa-detail", clipped(&problem.detail)),
        ("hansa-hint", clipped(problem.hint.as_deref().unwrap_or_default())),
        ("hansa-record", &place),
    ];
    said.into_iter().fold(headers, |headers, (key, value)| headers.insert(Header { key, value: Some(value) }))
}

/// As much of a text as a header holds, whatever a message has put into it.
fn clipped(text: &str) -> &str {
    &text[..text.floor_char_boundary(MAX_SAID)]
}

fn header<'a>(record: &'a OwnedMessage, name: &str) -> Option<&'a [u8]> {
    record.headers()?.iter().find(|header| header.key == name)?.value
}

#[cfg(test)]
mod tests {
    use rdkafka::Timestamp;

    use super::*;

    fn record(headers: OwnedHeaders) -> OwnedMessage {
        let key = Some(b"request 7".to_vec());
        OwnedMessage::new(None, key, "hansa.keyed".to_owned(), Timestamp::NotAvailable, 2, 40, Some(headers))
    }

    #[test]
    fn places_and_request_are_carried_on() {
        let plain = record(OwnedHeaders::new());
        assert_eq!(places(&plain), Ok(None));
        assert_eq!(places(&record(keyed(&plain, None))), Ok(None));
        let part = record(keyed(&plain, Some(&[0, 3, 17])));
        assert_eq!(places(&part), Ok(Some(vec![0, 3, 17])));
        assert_eq!(header(&record(answered(&part)), REQUEST), Some(&b"request 7"[..]));
        assert_eq!(header(&record(answered(&plain)), REQUEST), None);
    }

    #[test]
    fn what_is_no_list_of_places_is_refused() {
        for wrong in
            [&b""[..], b"x", b"1,", b"-1", b"1 2", b"1,1", b"2,1", b"\xff", b"99999999999999999999999"]
        {
            let headers = OwnedHeaders::new().insert(Header { key: PAYMENTS, value: Some(wrong) });
            assert!(places(&record(headers)).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn a_refusal_says_why_and_where() {
        let part = record(keyed(&record(OwnedHeaders::new()), Some(&[1])));
        let problem = Problem::malformed("no end").with_hint("end it");
        let set_aside = record(refused(headers(&part), &part, &problem));
        let said = |name| header(&set_aside, name).map(|value| String::from_utf8_lossy(value).into_owned());
        assert_eq!(said("hansa-reason").unwrap(), "malformed");
        assert_eq!(said("hansa-detail").unwrap(), "no end");
        assert_eq!(said("hansa-hint").unwrap(), "end it");
        assert_eq!(said("hansa-record").unwrap(), "hansa.keyed/2/40");
        assert_eq!(said(PAYMENTS).unwrap(), "1");
        let long = record(refused(OwnedHeaders::new(), &part, &Problem::malformed("ä".repeat(MAX_SAID))));
        assert_eq!(header(&long, "hansa-detail").unwrap().len(), MAX_SAID);
    }
}

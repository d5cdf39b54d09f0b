//! Which Content-Type a body must have.

use axum::http::HeaderMap;
use axum::http::header::{ACCEPT, CONTENT_TYPE};

use crate::error::{Problem, ProblemKind};

/// Refuses a body whose media type is none of `accepted`, or whose charset is other than UTF-8. Parameters other than
/// the charset are ignored (RFC 9110 §8.3).
pub(super) fn expect_type(headers: &HeaderMap, accepted: &[&str]) -> Result<(), Problem> {
    let refuse = |detail: String| {
        let hint = format!("send `Content-Type: {}` and UTF-8", accepted.first().unwrap_or(&""));
        Problem::new(ProblemKind::UnsupportedMediaType, detail).with_hint(hint)
    };
    let Some(value) = headers.get(CONTENT_TYPE) else {
        return Err(refuse("the request has no Content-Type".to_owned()));
    };
    let text = value.to_str().map_err(|_| refuse("the Content-Type is not readable".to_owned()))?;
    let mut parts = text.split(';').map(str::trim);
    let media = parts.next().unwrap_or_default();
    if !accepted.iter().any(|known| known.eq_ignore_ascii_case(media)) {
        return Err(refuse(format!("a body of type {media:?} is not taken here")));
    }
    for parameter in parts {
        let Some((name, value)) = parameter.split_once('=') else { continue };
        if name.eq_ignore_ascii_case("charset") && !value.trim_matches('"').eq_ignore_ascii_case("utf-8") {
            return Err(refuse(format!("the charset {value} is not taken")));
        }
    }
    Ok(())
}

/// Whether XML is asked for rather than JSON: the first media type of `Accept` that there is decides; weights are not
/// compared.
pub(super) fn wants_xml(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let ranges = accepted.flat_map(|value| value.split(',')).filter_map(|range| range.split(';').next());
    ranges
        .map(|range| range.trim().to_ascii_lowercase())
        .find_map(|range| match range.as_str() {
            "application/xml" | "text/xml" => Some(true),
            "application/json" | "application/*" | "*/*" => Some(false),
            _ => None,
        })
        .unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn check(value: &str) -> Result<(), Problem> {
        let headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_str(value).unwrap())]);
        expect_type(&headers, &["application/xml", "text/xml"])
    }

    #[test]
    fn the_first_type_that_there_is_decides() {
        let wants =
            |value: &str| wants_xml(&HeaderMap::from_iter([(ACCEPT, HeaderValue::from_str(value).unwrap())]));
        assert!(wants("application/xml") && wants("text/html, Text/XML;q=0.9, */*;q=0.1"));
        assert!(!wants("application/json, application/xml") && !wants("*/*") && !wants("image/png"));
        assert!(!wants_xml(&HeaderMap::new()));
    }

    #[test]
    fn media_types_are_compared_without_case_and_parameters() {
        for good in [
            "application/xml",
            "text/xml",
            "Text/XML; charset=\"UTF-8\"",
            "application/xml;charset=utf-8;x=1",
            "text/xml;",
        ] {
            assert_eq!(check(good), Ok(()), "{good}");
        }
        for bad in [
            "",
            "application/json",
            "application/xmlx",
            "text/xml; charset=utf-16",
            "text/xml;CHARSET=latin1",
        ] {
            assert_eq!(check(bad).unwrap_err().kind, ProblemKind::UnsupportedMediaType, "{bad}");
        }
        assert!(expect_type(&HeaderMap::new(), &["text/xml"]).is_err());
    }
}

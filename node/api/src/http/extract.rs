//! Reading parts of a request, each failure a [`Problem`].

use std::fmt::Display;
use std::str::FromStr;
use std::sync::Arc;

use axum::extract::{FromRequest, FromRequestParts, Path, Query, RawQuery, Request};
use axum::http::request::Parts;
use hansa_types::codec::Decode;
use serde::de::DeserializeOwned;

use super::media;
use crate::body;
use crate::error::Problem;
use crate::shared::Shared;

/// The largest JSON request, in bytes; messages have their own limit.
const JSON_LIMIT: usize = 64 << 10;

/// The largest request with files in it, in bytes.
const FILES_LIMIT: usize = 512 << 20;

/// A message in XML.
pub(super) struct Xml(pub(super) Vec<u8>);

impl FromRequest<Arc<Shared>> for Xml {
    type Rejection = Problem;

    async fn from_request(request: Request, shared: &Arc<Shared>) -> Result<Self, Problem> {
        let (parts, body) = request.into_parts();
        media::expect_type(&parts.headers, &["application/xml", "text/xml"])?;
        body::read(&parts.headers, body, shared.body_limit, shared.body_time).await.map(Self)
    }
}

/// A request in JSON.
pub(super) struct Json<T>(pub(super) T);

impl<T: DeserializeOwned> FromRequest<Arc<Shared>> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, shared: &Arc<Shared>) -> Result<Self, Problem> {
        let (parts, body) = request.into_parts();
        media::expect_type(&parts.headers, &["application/json"])?;
        let bytes = body::read(&parts.headers, body, JSON_LIMIT, shared.body_time).await?;
        let value = serde_json::from_slice(&bytes);
        value.map(Self).map_err(|e| Problem::malformed(format!("the body is not what this route takes: {e}")))
    }
}

/// A request in the canonical encoding: files, which JSON would only swell.
pub(super) struct Canonical<T>(pub(super) T);

impl<T: Decode> FromRequest<Arc<Shared>> for Canonical<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, shared: &Arc<Shared>) -> Result<Self, Problem> {
        let (parts, body) = request.into_parts();
        media::expect_type(&parts.headers, &[super::CANONICAL])?;
        let bytes = body::read(&parts.headers, body, FILES_LIMIT, shared.body_time).await?;
        let value = T::from_bytes(&bytes);
        value.map(Self).map_err(|e| Problem::malformed(format!("the body is not what this route takes: {e}")))
    }
}

/// The one parameter of a path, of a type that reads itself from text.
pub(super) struct Segment<T>(pub(super) T);

impl<T> FromRequestParts<Arc<Shared>> for Segment<T>
where
    T: FromStr<Err: Display> + Send,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, shared: &Arc<Shared>) -> Result<Self, Problem> {
        let path = Path::<String>::from_request_parts(parts, shared).await;
        let Path(text) = path.map_err(|e| Problem::malformed(format!("the path cannot be read: {e}")))?;
        text.parse().map(Self).map_err(|e| Problem::malformed(format!("the path names {text:?}: {e}")))
    }
}

/// The query, as a struct that refuses unknown names.
pub(super) struct Asked<T>(pub(super) T);

impl<T: DeserializeOwned> FromRequestParts<Arc<Shared>> for Asked<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &Arc<Shared>) -> Result<Self, Problem> {
        let query = Query::<T>::try_from_uri(&parts.uri);
        query.map(|Query(value)| Self(value)).map_err(|e| Problem::malformed(format!("{e}")))
    }
}

/// Whether the query has `verbose`, with or without a value, as the probes of Kubernetes write it.
pub(super) struct Verbose(pub(super) bool);

impl FromRequestParts<Arc<Shared>> for Verbose {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, shared: &Arc<Shared>) -> Result<Self, Problem> {
        let RawQuery(query) = match RawQuery::from_request_parts(parts, shared).await {
            Ok(query) => query,
            Err(never) => match never {},
        };
        let names = query
            .iter()
            .flat_map(|q| q.split('&'))
            .map(|pair| pair.split_once('=').map_or(pair, |(name, _)| name));
        Ok(Self(names.into_iter().any(|name| name == "verbose")))
    }
}

//! Live events to be found, and one of them by its address.

use std::time::Duration;

use axum::{
    Json,
    body::Body,
    extract::{Path, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use skylark_protocol::{
    address::Address,
    api::FieldError,
    discover::FoundEvent,
    event::kind,
    nip19::{Entity, InvalidEntity},
};

use super::{Rooms, failure::Failure};
use crate::{
    discovery::NotFound,
    serve::{answer::ETag, site::accepts},
    streams::Refused,
};

/// A browser asks again each time; what is the same is not sent again.
const CACHE: &str = "no-cache";
/// When there may be room to seek again.
const SEEK_AGAIN: Duration = Duration::from_secs(2);

/// `GET /api/v1/discover`
pub(super) async fn discover(State(rooms): State<Rooms>, headers: HeaderMap) -> Result<Response, Failure> {
    let listing = rooms.discovery.listing().await?;
    let tag = ETag(listing.tag);
    let is_known = headers.get_all(header::IF_NONE_MATCH).iter().any(|value| {
        let list = value.to_str().unwrap_or_default();
        tag.is_among(list)
    });
    let mut response = if is_known {
        StatusCode::NOT_MODIFIED.into_response()
    } else if accepts(&headers, "gzip") {
        let mut response = Response::new(Body::from(listing.gzip.clone()));
        response.headers_mut().insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        response
    } else {
        Response::new(Body::from(listing.json.clone()))
    };
    let answered = response.headers_mut();
    if !is_known {
        answered.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    }
    answered.insert(header::CACHE_CONTROL, HeaderValue::from_static(CACHE));
    answered.insert(header::VARY, HeaderValue::from_static("Accept-Encoding"));
    // Weak: with gzip the bytes are others.
    if let Ok(tag) = HeaderValue::from_str(&format!("W/{tag}")) {
        answered.insert(header::ETAG, tag);
    }
    Ok(response)
}

/// `GET /api/v1/events/{naddr}`
pub(super) async fn event(State(rooms): State<Rooms>, Path(naddr): Path<String>) -> Result<Json<FoundEvent>, Failure> {
    let wrong = |reason: String| Failure::fields(vec![FieldError::new("naddr", reason)]);
    let address = address(&naddr).map_err(|error| wrong(error.to_string()))?;
    let address = address.ok_or_else(|| wrong("names no live event".to_owned()))?;
    rooms.discovery.find(&address).await.map(Json).map_err(|error| match error {
        NotFound::Unknown => Failure::new(StatusCode::NOT_FOUND, "no-such-event", NotFound::Unknown.to_string()),
        NotFound::Busy => Failure::too_fast(SEEK_AGAIN),
        NotFound::Db(error) => Refused::Db(error).into(),
    })
}

/// The live event that `naddr1…` names, if it names one.
pub(in crate::serve) fn address(naddr: &str) -> Result<Option<Address>, InvalidEntity> {
    Ok(match naddr.parse()? {
        Entity::Address(address, _) if address.kind == kind::LIVE_EVENT => {
            Some(address).filter(|address| address.identifier.len() <= Address::MAX_IDENTIFIER_BYTES)
        }
        _ => None,
    })
}

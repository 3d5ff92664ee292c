//! One request, one response: media by the short way, everything else through the router.

use std::sync::Arc;

use axum::{
    Router,
    http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, header},
};
use bytes::Bytes;
use tower::ServiceExt;

use super::{
    Rooms,
    answer::{Answer, Cache, Conditions},
    api,
    body::Body,
    counters::Counters,
    hls,
    hot::HotParts,
    patience::Patience,
};
use crate::live::Live;

/// What a page on another site may ask with.
const CORS_METHODS: &str = "GET, HEAD, OPTIONS, POST, PUT, PATCH, DELETE";
/// How media can be asked for.
const MEDIA_METHODS: &str = "GET, HEAD, OPTIONS";
/// Request headers that need the browser's asking first.
const CORS_HEADERS: &str = "Authorization, Content-Type, If-None-Match, If-Range, Range";
/// How long a browser need not ask again, seconds.
const CORS_MAX_AGE: &str = "86400";

/// A `GET` or `HEAD` of something below `/live/`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked<'a> {
    /// What follows `/live/`.
    pub(super) path: &'a str,
    pub(super) query: Option<&'a str>,
    pub(super) conditions: Conditions<'a>,
    pub(super) head_only: bool,
}

/// Answers requests; cheap to clone.
#[derive(Debug, Clone)]
pub struct Service {
    live: Arc<Live>,
    router: Router,
    hot_parts: Arc<HotParts>,
    counters: Arc<Counters>,
}

impl Service {
    /// The service over the origin's rooms.
    #[must_use]
    pub fn new(rooms: Rooms) -> Self {
        let (live, counters) = (Arc::clone(&rooms.live), Arc::default());
        Self { live, router: api::router(rooms, Arc::clone(&counters)), hot_parts: Arc::default(), counters }
    }

    /// What many viewers ask for at the moment.
    pub(super) fn hot_parts(&self) -> &HotParts {
        &self.hot_parts
    }

    /// What is counted.
    pub(super) fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Counts an answer.
    pub(super) fn count(&self, status: StatusCode) {
        self.live.metrics().answer(status.as_u16());
    }

    /// Answers one request, of any HTTP version.
    pub(super) async fn call<B>(&self, request: Request<B>, patience: &mut Patience) -> Response<Body>
    where
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<axum::BoxError>,
    {
        let (path, head_only) = match (request.uri().path().strip_prefix("/live/"), request.method()) {
            (Some(path), &Method::GET) => (path, false),
            (Some(path), &Method::HEAD) => (path, true),
            _ => return self.route(request.map(axum::body::Body::new)).await,
        };
        let headers = request.headers();
        let conditions = Conditions {
            if_none_match: text(headers, &header::IF_NONE_MATCH),
            range: text(headers, &header::RANGE),
            if_range: text(headers, &header::IF_RANGE),
        };
        let asked = Asked { path, query: request.uri().query(), conditions, head_only };
        self.media(&asked, patience).await.into_response()
    }

    /// Answers for what is below `/live/`, in patience.
    pub(super) async fn media(&self, asked: &Asked<'_>, patience: &mut Patience) -> Answer {
        let held = self.live.metrics().http_held.enter();
        let answer = hls::answer(&self.live, asked.path, asked.query, patience).await;
        drop(held);
        // A range is one of a `GET` (RFC 9110 §14.2).
        let range = asked.conditions.range.filter(|_| !asked.head_only);
        let answer = answer.under(&Conditions { range, ..asked.conditions });
        self.count(answer.status);
        if asked.head_only {
            return answer.head_only();
        }
        self.counters.media_bytes.add(answer.content.len());
        answer
    }

    /// Answers for everything else.
    pub(super) async fn route(&self, request: Request<axum::body::Body>) -> Response<Body> {
        let response = self.routed(request).await;
        self.count(response.status());
        response
    }

    async fn routed(&self, request: Request<axum::body::Body>) -> Response<Body> {
        if *request.method() == Method::OPTIONS {
            return preflight();
        }
        if request.uri().path().starts_with("/live/") {
            return not_allowed();
        }
        match self.router.clone().oneshot(request).await {
            Ok(response) => response.map(Body::Other),
            Err(never) => match never {},
        }
    }
}

/// A header's value, if it is there and readable.
fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// `OPTIONS`: pages of any site may play our streams and ask our API.
fn preflight() -> Response<Body> {
    let mut response = Response::new(Body::Whole(Bytes::new()));
    *response.status_mut() = StatusCode::NO_CONTENT;
    for (name, value) in [
        (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
        (header::ACCESS_CONTROL_ALLOW_METHODS, CORS_METHODS),
        (header::ACCESS_CONTROL_ALLOW_HEADERS, CORS_HEADERS),
        (header::ACCESS_CONTROL_MAX_AGE, CORS_MAX_AGE),
    ] {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

fn not_allowed() -> Response<Body> {
    let answer = Answer::refusal(StatusCode::METHOD_NOT_ALLOWED, Cache::No, "streams are read with GET or HEAD");
    let mut response = answer.into_response();
    response.headers_mut().insert(header::ALLOW, HeaderValue::from_static(MEDIA_METHODS));
    response
}

//! The response body that goes to hyper, and how an [`Answer`] becomes an HTTP response.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use axum::http::{
    HeaderName, HeaderValue, Response, StatusCode,
    header::{
        ACCEPT_RANGES, ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, CACHE_CONTROL, CONTENT_LENGTH,
        CONTENT_RANGE, CONTENT_TYPE, ETAG, RETRY_AFTER, X_CONTENT_TYPE_OPTIONS,
    },
};
use bytes::Bytes;
use http_body::{Frame, SizeHint};

use super::answer::{Answer, Content};

/// What a script of another site may read besides the safelisted headers.
pub(super) const EXPOSED_HEADERS: &str = "Content-Length, Content-Range, Date, ETag";
/// Seconds after which a player may ask again when the origin could not answer in time.
pub(super) const RETRY_AFTER_SECONDS: u32 = 1;

/// A response body.
#[derive(Debug)]
pub(super) enum Body {
    /// Pieces of shared bytes, and how many bytes are left of them.
    Pieces(std::vec::IntoIter<Bytes>, u64),
    /// One piece of shared bytes, until it is taken.
    Whole(Bytes),
    /// What a handler of the API made.
    Other(axum::body::Body),
}

impl From<Content> for Body {
    fn from(content: Content) -> Self {
        let length = content.len();
        match content {
            Content::Whole(bytes) => Self::Whole(bytes),
            Content::Pieces(pieces) => Self::Pieces(pieces.into_iter(), length),
        }
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        match self.get_mut() {
            Self::Whole(bytes) if bytes.is_empty() => Poll::Ready(None),
            Self::Whole(bytes) => Poll::Ready(Some(Ok(Frame::data(std::mem::take(bytes))))),
            Self::Pieces(pieces, left) => Poll::Ready(pieces.next().map(|piece| {
                *left = left.saturating_sub(piece.len() as u64);
                Ok(Frame::data(piece))
            })),
            Self::Other(body) => Pin::new(body).poll_frame(context),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Whole(bytes) => bytes.is_empty(),
            Self::Pieces(_, left) => *left == 0,
            Self::Other(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Self::Pieces(_, left) => SizeHint::with_exact(*left),
            Self::Other(body) => body.size_hint(),
        }
    }
}

impl Answer {
    /// As hyper sends it; without the body if only the head was asked for.
    pub(super) fn into_response(self, head_only: bool) -> Response<Body> {
        let mut response = Response::new(Body::Whole(Bytes::new()));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.reserve(10);
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
        headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(EXPOSED_HEADERS));
        headers.insert(HeaderName::from_static("timing-allow-origin"), HeaderValue::from_static("*"));
        headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        headers.insert(CACHE_CONTROL, text(&self.cache));
        if let Some(etag) = &self.etag {
            headers.insert(ETAG, text(etag));
        }
        if self.status == StatusCode::NOT_MODIFIED {
            return response;
        }
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(self.content_type));
        headers.insert(CONTENT_LENGTH, HeaderValue::from(self.content.len()));
        if self.ranges {
            headers.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
        }
        if let Some((range, whole)) = self.content_range {
            let value = match range {
                Some((first, last)) => format!("bytes {first}-{last}/{whole}"),
                None => format!("bytes */{whole}"),
            };
            headers.insert(CONTENT_RANGE, text(&value));
        }
        if self.status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(RETRY_AFTER, HeaderValue::from(RETRY_AFTER_SECONDS));
        }
        if !head_only {
            *response.body_mut() = self.content.into();
        }
        response
    }
}

/// A header value of our own making.
fn text(value: &impl ToString) -> HeaderValue {
    HeaderValue::from_maybe_shared(Bytes::from(value.to_string()))
        .expect("our cache rules, tags and ranges are visible ASCII")
}

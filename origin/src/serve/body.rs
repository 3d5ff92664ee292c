//! The response body that goes to hyper, and how an [`Answer`] becomes an HTTP response.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use axum::http::{HeaderName, HeaderValue, Response};
use bytes::Bytes;
use http_body::{Frame, SizeHint};

use super::answer::{Answer, Content, Value};

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
    /// As hyper sends it.
    pub(super) fn into_response(self) -> Response<Body> {
        let mut response = Response::new(Body::from(Content::EMPTY));
        *response.status_mut() = self.status;
        self.headers(|name, value| {
            let value = match value {
                Value::Fixed(text) => HeaderValue::from_static(text),
                value => HeaderValue::from_maybe_shared(Bytes::from(value.to_string()))
                    .expect("numbers, tags, ranges and cache rules are visible ASCII"),
            };
            response.headers_mut().insert(HeaderName::from_static(name), value);
        });
        *response.body_mut() = self.content.into();
        response
    }
}

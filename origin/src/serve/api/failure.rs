//! Errors of the API: a status, a stable code, a sentence, and the fields that are wrong.

use std::{borrow::Cow, time::Duration};

use axum::{
    Json,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use skylark_protocol::api::{ErrorBody, ErrorDetail, FieldError};

use crate::streams::Refused;

/// An error of the API.
#[derive(Debug)]
pub(in crate::serve) struct Failure {
    status: StatusCode,
    code: &'static str,
    message: Cow<'static, str>,
    fields: Vec<FieldError>,
    /// How to authenticate, if that is what is missing.
    challenge: Option<&'static str>,
    retry_after: Option<Duration>,
}

impl Failure {
    pub(super) fn new(status: StatusCode, code: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self { status, code, message: message.into(), fields: Vec::new(), challenge: None, retry_after: None }
    }

    /// The caller has to say who it is, in this way.
    pub(super) fn unauthorized(
        challenge: &'static str,
        code: &'static str,
        message: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self { challenge: Some(challenge), ..Self::new(StatusCode::UNAUTHORIZED, code, message) }
    }

    pub(super) fn no_such_stream() -> Self {
        Self::new(StatusCode::NOT_FOUND, "no-such-stream", "no stream has this id")
    }

    pub(super) fn bad_request(code: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, message)
    }

    /// These fields cannot be taken.
    pub(super) fn fields(fields: Vec<FieldError>) -> Self {
        Self::from(Refused::Invalid(fields))
    }

    /// Too much was asked for.
    pub(super) fn too_fast(wait: Duration) -> Self {
        let failure = Self::new(StatusCode::TOO_MANY_REQUESTS, "too-fast", "too many requests: wait");
        Self { retry_after: Some(wait), ..failure }
    }
}

impl From<Refused> for Failure {
    fn from(refused: Refused) -> Self {
        let (status, code) = match &refused {
            Refused::NoSuchStream => (StatusCode::NOT_FOUND, "no-such-stream"),
            Refused::NotYours => (StatusCode::FORBIDDEN, "not-yours"),
            Refused::NotAllowed => (StatusCode::FORBIDDEN, "not-allowed"),
            Refused::TooMany(_) => (StatusCode::FORBIDDEN, "too-many-streams"),
            Refused::NotInvited => (StatusCode::FORBIDDEN, "not-invited"),
            Refused::NotPrivate => (StatusCode::CONFLICT, "not-private"),
            Refused::Over => (StatusCode::CONFLICT, "over"),
            Refused::IsLive => (StatusCode::CONFLICT, "is-live"),
            Refused::NotLive => (StatusCode::CONFLICT, "not-live"),
            Refused::Invalid(_) => (StatusCode::UNPROCESSABLE_ENTITY, "invalid"),
            Refused::Full => (StatusCode::SERVICE_UNAVAILABLE, "full"),
            Refused::Db(error) => {
                tracing::error!(%error, "the API's database failed");
                (StatusCode::SERVICE_UNAVAILABLE, "unavailable")
            }
        };
        let failure = Self::new(status, code, refused.to_string());
        match refused {
            Refused::Invalid(fields) => Self { fields, ..failure },
            _ => failure,
        }
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let Self { status, code, message, fields, challenge, retry_after } = self;
        let error = ErrorDetail { code: code.to_owned(), message: message.into_owned(), fields };
        let mut response = (status, Json(ErrorBody { error })).into_response();
        if let Some(challenge) = challenge {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
        }
        if let Some(wait) = retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(wait.as_secs() + 1));
        }
        response
    }
}

//! The origin's HTTP API, with requests signed by the current identity.

use std::{sync::Arc, time::Duration};

use reqwest::{Method, StatusCode, header};
use serde::{Serialize, de::DeserializeOwned};
use skylark_protocol::{api::ErrorBody, event::PublicKey, nip98, studio::Problem, text};

use super::{Address, use_ring};
use crate::{clock, identity::Identities};

/// Time for a connection.
const CONNECT_PATIENCE: Duration = Duration::from_secs(5);
/// Time for a whole answer.
const PATIENCE: Duration = Duration::from_secs(15);
/// Largest answer that is read, bytes.
const MAX_ANSWER_BYTES: usize = 2 << 20;
/// Longest sentence of the origin that is repeated, characters.
const MAX_MESSAGE_CHARS: usize = 300;

/// Why there is no answer that can be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ApiError {
    /// Nobody answers, or not in time.
    #[error("the origin does not answer: {0}")]
    Silent(String),
    /// It says no.
    #[error("{message}")]
    Refused {
        /// HTTP status.
        status: u16,
        /// Stable name, such as `not-yours`.
        code: String,
        /// A sentence.
        message: String,
    },
    /// It answers with something else.
    #[error("the answer makes no sense: {0}")]
    Odd(String),
    /// The request could not be signed.
    #[error(transparent)]
    Unsigned(#[from] Problem),
}

impl ApiError {
    /// The same, for a person.
    #[must_use]
    pub fn problem(self) -> Problem {
        match self {
            Self::Silent(reason) => Problem::new("origin-silent", format!("The origin does not answer: {reason}.")),
            Self::Refused { status: 401, message, .. } if message.contains("clock") => Problem::new(
                "clock-wrong",
                format!("The origin does not take this computer's clock: {message}. Set the clock."),
            ),
            Self::Refused { code, message, .. } => Problem::new(format!("origin-{code}"), sentence(&message)),
            Self::Odd(reason) => Problem::new("origin-odd", format!("That is no origin of Skylark: {reason}.")),
            Self::Unsigned(problem) => problem,
        }
    }
}

/// A client of one origin.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    address: Address,
    identities: Arc<Identities>,
}

impl Client {
    /// A client that signs as these identities do.
    ///
    /// # Errors
    /// The system has no certificates to check others with.
    pub fn new(address: Address, identities: Arc<Identities>) -> Result<Self, Problem> {
        use_ring();
        let http = reqwest::Client::builder()
            .connect_timeout(CONNECT_PATIENCE)
            .timeout(PATIENCE)
            // A signature is good for one URL.
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .user_agent(concat!("skylark-studio/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| Problem::new("no-tls", format!("The Studio cannot speak HTTPS here: {error}.")))?;
        Ok(Self { http, address, identities })
    }

    /// Where it is.
    #[must_use]
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// Asks what everybody may ask, within `patience`; `ticket` answers for its bearer.
    ///
    /// # Errors
    /// There is no answer that can be used.
    pub async fn get<T: DeserializeOwned>(
        &self,
        path: &str,
        ticket: Option<&str>,
        patience: Duration,
    ) -> Result<T, ApiError> {
        let mut request = self.http.get(self.address.url(path)).timeout(patience);
        if let Some(ticket) = ticket {
            request = request.bearer_auth(ticket);
        }
        read(request.send().await.map_err(silent)?).await
    }

    /// Sends a request that `who` signs; a body of `()` is none.
    ///
    /// # Errors
    /// There is no answer that can be used.
    pub async fn ask<T: DeserializeOwned>(
        &self,
        who: PublicKey,
        method: Method,
        path: &str,
        body: &(impl Serialize + Sync),
    ) -> Result<T, ApiError> {
        let body = serde_json::to_vec(body).map_err(|error| ApiError::Odd(error.to_string()))?;
        let body = if body == b"null" { Vec::new() } else { body };
        self.signed(who, method, path, body, "application/json").await
    }

    /// Sends a file that `who` signs.
    ///
    /// # Errors
    /// There is no answer that can be used.
    pub async fn send<T: DeserializeOwned>(
        &self,
        who: PublicKey,
        method: Method,
        path: &str,
        file: Vec<u8>,
    ) -> Result<T, ApiError> {
        // The origin looks at the file itself.
        self.signed(who, method, path, file, "application/octet-stream").await
    }

    async fn signed<T: DeserializeOwned>(
        &self,
        who: PublicKey,
        method: Method,
        path: &str,
        body: Vec<u8>,
        media_type: &'static str,
    ) -> Result<T, ApiError> {
        let url = self.address.url(path);
        let asked = nip98::Request { url: &url, method: method.as_str(), body: &body };
        let mut unsigned = nip98::unsigned(who, asked, clock::now_s());
        // Two requests that are the same in one second are still two.
        unsigned.tags.push(vec!["nonce".into(), clock::nonce()]);
        let event = self.identities.sign(unsigned).await?;
        let mut request = self.http.request(method, url).header(header::AUTHORIZATION, nip98::header(&event));
        if !body.is_empty() {
            request = request.header(header::CONTENT_TYPE, media_type).body(body);
        }
        read(request.send().await.map_err(silent)?).await
    }

    pub(super) fn http(&self) -> &reqwest::Client {
        &self.http
    }
}

/// reqwest's own words hide the reason among their sources, and show the URL.
pub(super) fn silent(error: reqwest::Error) -> ApiError {
    let error = error.without_url();
    if error.is_timeout() {
        return ApiError::Silent("it takes too long".into());
    }
    let mut reason = error.to_string();
    let mut source = std::error::Error::source(&error);
    while let Some(deeper) = source {
        reason = deeper.to_string();
        source = deeper.source();
    }
    ApiError::Silent(text::line(&reason, MAX_MESSAGE_CHARS))
}

async fn read<T: DeserializeOwned>(answer: reqwest::Response) -> Result<T, ApiError> {
    let status = answer.status();
    let body = bounded(answer).await?;
    match status {
        // Where there is nothing to say, nothing is expected.
        StatusCode::NO_CONTENT => parse(b"null"),
        status if status.is_success() => parse(&body),
        status => Err(complaint(status.as_u16(), &body)),
    }
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, ApiError> {
    // The error says where, never what: an answer may hold a stream key.
    serde_json::from_slice(body)
        .map_err(|error| ApiError::Odd(format!("line {}, column {}", error.line(), error.column())))
}

/// The body, if it is not too large.
pub(super) async fn bounded(mut answer: reqwest::Response) -> Result<Vec<u8>, ApiError> {
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(silent)? {
        if body.len() + chunk.len() > MAX_ANSWER_BYTES {
            return Err(ApiError::Odd(format!("the answer is larger than {MAX_ANSWER_BYTES} bytes")));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// What the origin says is wrong.
fn complaint(status: u16, body: &[u8]) -> ApiError {
    let Ok(ErrorBody { error }) = serde_json::from_slice(body) else {
        return match status {
            502..=504 => ApiError::Silent(format!("what stands before it says so ({status})")),
            _ => ApiError::Odd(format!("it answers with status {status}")),
        };
    };
    let fields: Vec<_> = error.fields.iter().map(|wrong| format!("{} {}", wrong.field, wrong.reason)).collect();
    let message = if fields.is_empty() { error.message } else { fields.join("; ") };
    ApiError::Refused { status, code: text::line(&error.code, 60), message: text::line(&message, MAX_MESSAGE_CHARS) }
}

/// A reason as a sentence.
pub(crate) fn sentence(reason: &str) -> String {
    let reason = reason.trim().trim_end_matches('.');
    let mut characters = reason.chars();
    let first = characters.next().map(|first| first.to_uppercase().collect::<String>()).unwrap_or_default();
    format!("{first}{}.", characters.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn complaints_are_sentences_that_name_the_field() {
        let body = br#"{"error":{"code":"invalid","message":"no","fields":[{"field":"title","reason":"is empty"}]}}"#;
        let problem = complaint(422, body).problem();
        assert_eq!((problem.code.as_str(), problem.message.as_str()), ("origin-invalid", "Title is empty."));
        let body = br#"{"error":{"code":"not-yours","message":"this stream belongs to somebody else"}}"#;
        assert_eq!(complaint(403, body).problem().message, "This stream belongs to somebody else.");
        assert!(matches!(complaint(502, b"<html>"), ApiError::Silent(_)));
        assert_eq!(complaint(404, b"<html>").problem().code, "origin-odd");
    }

    #[test]
    fn an_answer_that_makes_no_sense_is_not_repeated() {
        let error = parse::<u64>(br#"{"key":"sk_secret"}"#).unwrap_err();
        assert!(!format!("{error:?} {error}").contains("secret"));
    }
}

//! The origin's API.

use serde::Deserialize;
use skylark_protocol::{LiveStreams, StreamId, StreamStatus, event::PublicKey};
use wasm_bindgen::JsCast;

use crate::engine::{self, Answer};

/// A status and when it was asked for and received, by our clock in Unix milliseconds.
#[derive(Debug)]
pub(crate) struct TimedStatus {
    pub(crate) status: StreamStatus,
    pub(crate) sent_ms: f64,
    pub(crate) received_ms: f64,
}

/// Why there is no answer that can be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ApiError {
    /// The origin knows no such stream.
    Unknown,
    /// The origin cannot be reached or is in trouble.
    Unreachable,
}

/// Where a stream stands.
pub(crate) async fn status(id: &StreamId) -> Result<TimedStatus, ApiError> {
    let answer = match engine::take_first_status() {
        Some(promise) => wasm_bindgen_futures::JsFuture::from(promise)
            .await
            .map(JsCast::unchecked_into::<Answer>)
            .map_err(|_| ApiError::Unreachable)?,
        None => engine::fetch_text(&format!("/api/v1/streams/{id}/status")).await,
    };
    let status = parse(answer.status(), &answer.text())?;
    Ok(TimedStatus { status, sent_ms: answer.sent(), received_ms: answer.received() })
}

/// Whose stream it is; unknown for those that belong to no Nostr key.
pub(crate) async fn owner(id: &StreamId) -> Result<PublicKey, ApiError> {
    /// Of all that the API says of a stream; the rest is in its live event.
    #[derive(Deserialize)]
    struct Owned {
        owner: PublicKey,
    }
    let answer = engine::fetch_text(&format!("/api/v1/streams/{id}")).await;
    parse(answer.status(), &answer.text()).map(|Owned { owner }| owner)
}

/// What is live now.
pub(crate) async fn live() -> Result<LiveStreams, ApiError> {
    let answer = engine::fetch_text("/api/v1/streams/live").await;
    parse(answer.status(), &answer.text())
}

fn parse<T: serde::de::DeserializeOwned>(status: u16, body: &str) -> Result<T, ApiError> {
    match status {
        200 => serde_json::from_str(body).map_err(|_| ApiError::Unreachable),
        400 | 404 => Err(ApiError::Unknown),
        _ => Err(ApiError::Unreachable),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_told_apart() {
        let body = r#"{"id":"abc123def456","state":"live","now_ms":5,"a_field_of_tomorrow":1}"#;
        assert_eq!(parse::<StreamStatus>(200, body).unwrap().now_ms, 5);
        assert_eq!(parse::<StreamStatus>(404, "no").unwrap_err(), ApiError::Unknown);
        assert_eq!(parse::<StreamStatus>(503, "").unwrap_err(), ApiError::Unreachable);
        assert_eq!(parse::<StreamStatus>(0, "").unwrap_err(), ApiError::Unreachable);
        assert_eq!(parse::<StreamStatus>(200, "<html>").unwrap_err(), ApiError::Unreachable, "a proxy's own page");
    }
}

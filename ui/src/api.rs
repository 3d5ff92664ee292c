//! The origin's API.

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use skylark_protocol::{
    StreamId, StreamStatus,
    api::{ErrorBody, Stream, StreamPage, Ticket},
    discover::{Discovered, FoundEvent},
    event::PublicKey,
    mirror::OutsideRelays,
    nip98,
};
use wasm_bindgen::JsCast;

use crate::{
    clock::now_s,
    engine::{self, Answer},
    identity::Identity,
};

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
    /// It is told to guests alone.
    Private,
    /// The origin cannot be reached or is in trouble.
    Unreachable,
}

/// Where a stream stands.
pub(crate) async fn status(id: &StreamId, ticket: Option<&str>) -> Result<TimedStatus, ApiError> {
    let path = format!("/api/v1/streams/{id}/status");
    let answer = match engine::take_first_status() {
        Some(promise) => wasm_bindgen_futures::JsFuture::from(promise)
            .await
            .map(JsCast::unchecked_into::<Answer>)
            .map_err(|_| ApiError::Unreachable)?,
        None => match ticket {
            Some(ticket) => engine::fetch_with_ticket(&path, ticket).await,
            None => engine::fetch_text(&path).await,
        },
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

/// All that there is to know about a stream, for its host: of a private one with their ticket.
pub(crate) async fn stream(id: &StreamId, ticket: Option<&Ticket>) -> Result<Stream, ApiError> {
    let path = format!("/api/v1/streams/{id}");
    let answer = match ticket.and_then(Ticket::secret) {
        Some(secret) => engine::fetch_with_ticket(&path, secret).await,
        None => engine::fetch_text(&path).await,
    };
    parse(answer.status(), &answer.text())
}

/// One's own streams, newest first.
///
/// # Errors
/// A sentence for whoever is signed in.
pub(crate) async fn streams_of(identity: Identity, owner: &PublicKey) -> Result<Vec<Stream>, String> {
    // Signed: private ones are told to nobody else.
    let page = signed(identity, "GET", &format!("/api/v1/streams/user/{owner}?limit=50"), &()).await;
    page.map(|page: StreamPage| page.streams)
}

/// A request that whoever is signed in signs; `()` is no body.
///
/// # Errors
/// A sentence for them.
pub(crate) async fn signed<T: DeserializeOwned>(
    identity: Identity,
    method: &str,
    path: &str,
    body: &impl Serialize,
) -> Result<T, String> {
    let body = serde_json::to_string(body).map_err(|error| error.to_string())?;
    let body = if body == "null" { String::new() } else { body };
    let event = authorisation(identity, method, path, body.as_bytes()).await?;
    read(&engine::request(method, path, &event, &body).await)
}

/// The same with a picture as its body.
///
/// # Errors
/// A sentence for whoever is signed in.
pub(crate) async fn send_bytes<T: DeserializeOwned>(
    identity: Identity,
    method: &str,
    path: &str,
    body: &[u8],
) -> Result<T, String> {
    let event = authorisation(identity, method, path, body).await?;
    read(&engine::request_with_picture(method, path, &event, body.to_vec()).await)
}

/// The signed event that authorises a request, as JSON.
async fn authorisation(identity: Identity, method: &str, path: &str, body: &[u8]) -> Result<String, String> {
    let pubkey = identity.pubkey_now().ok_or("Please sign in first.")?;
    let site = leptos::prelude::window().location().origin().unwrap_or_default();
    let url = format!("{site}{path}");
    let mut unsigned = nip98::unsigned(pubkey, nip98::Request { url: &url, method, body }, now_s());
    // Two requests that are the same in one second are still two.
    unsigned.tags.push(vec!["nonce".to_owned(), js_sys::Math::random().to_string()]);
    let event = identity.sign(&unsigned).await?;
    serde_json::to_string(&event).map_err(|error| error.to_string())
}

fn read<T: DeserializeOwned>(answer: &Answer) -> Result<T, String> {
    let text = answer.text();
    match answer.status() {
        // Where there is nothing to say, nothing is expected.
        204 => serde_json::from_str("null").map_err(|error| error.to_string()),
        200..300 => serde_json::from_str(&text).map_err(|error| format!("The server's answer makes no sense: {error}")),
        0 => Err("The server does not answer.".to_owned()),
        status => Err(complaint(status, &text)),
    }
}

/// What the server says is wrong, as a sentence.
fn complaint(status: u16, body: &str) -> String {
    let Ok(ErrorBody { error }) = serde_json::from_str(body) else {
        return format!("The server answered with an error ({status}).");
    };
    let fields: Vec<_> = error.fields.iter().map(|wrong| format!("{} {}", wrong.field, wrong.reason)).collect();
    if fields.is_empty() { error.message } else { format!("{}.", fields.join("; ")) }
}

/// A live event by its address, wherever it is.
pub(crate) async fn event(naddr: &str) -> Result<FoundEvent, ApiError> {
    let answer = engine::fetch_text(&format!("/api/v1/events/{naddr}")).await;
    parse(answer.status(), &answer.text())
}

/// What is to be found, here and elsewhere; with the answer as it came.
pub(crate) async fn discovered() -> Result<(String, Discovered), ApiError> {
    let answer = engine::fetch_kept("/api/v1/discover").await;
    let text = answer.text();
    parse(answer.status(), &text).map(|discovered| (text, discovered))
}

/// How it goes with the outside relays.
pub(crate) async fn relays() -> Result<OutsideRelays, ApiError> {
    let answer = engine::fetch_text("/api/v1/relays").await;
    parse(answer.status(), &answer.text())
}

fn parse<T: serde::de::DeserializeOwned>(status: u16, body: &str) -> Result<T, ApiError> {
    match status {
        200 => serde_json::from_str(body).map_err(|_| ApiError::Unreachable),
        400 | 404 => Err(ApiError::Unknown),
        403 => Err(ApiError::Private),
        _ => Err(ApiError::Unreachable),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn complaints_name_the_field() {
        let body = r#"{"error":{"code":"invalid","message":"no","fields":[{"field":"title","reason":"is empty"}]}}"#;
        assert_eq!(complaint(422, body), "title is empty.");
        let body = r#"{"error":{"code":"not-yours","message":"This stream is another's."}}"#;
        assert_eq!(complaint(403, body), "This stream is another's.");
        assert_eq!(complaint(502, "<html>"), "The server answered with an error (502).");
    }

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

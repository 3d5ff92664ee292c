//! Who sends an HTTP request (NIP-98): an event of the moment, signed for one URL, method and body.
//!
//! The check is stricter than most: the whole URL with its query, the method whichever it is, a hash wherever there is a
//! body, one minute. The signature, and that an event comes only once, is for whoever has the means to check.

use base64::{
    Engine as _, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use sha2::{Digest as _, Sha256};

use crate::event::{Event, EventId, PublicKey, UnsignedEvent, kind, tag};

/// The scheme in the `Authorization` header.
pub const SCHEME: &str = "Nostr";
/// How far the event's date may be from the clock, seconds.
pub const MAX_AGE_S: u64 = 60;
/// Longest header that is read, bytes.
pub const MAX_HEADER_BYTES: usize = 8 * 1024;
/// Most tags of an event that is looked at.
const MAX_TAGS: usize = 20;

/// Padded or not: the NIP's own example is not.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The request that an event has to be signed for.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// The whole URL, as the client has to know it.
    pub url: &'a str,
    /// `GET`, `POST`, `DELETE`, …
    pub method: &'a str,
    /// Its body; empty if there is none.
    pub body: &'a [u8],
}

/// A request is not whose it says it is. Says what is wrong, for whoever writes the client.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The header has another scheme.
    #[error("the header has to be `Authorization: Nostr <base64 of the event>`")]
    Scheme,
    /// The header is too long.
    #[error("the header is longer than {MAX_HEADER_BYTES} bytes")]
    TooLong,
    /// It is not base64.
    #[error("the event is not in base64")]
    Base64,
    /// It is no event.
    #[error("this is no event: {0}")]
    Json(String),
    /// It is another event.
    #[error("the event's kind has to be {want}, not {0}", want = kind::HTTP_AUTHENTICATION)]
    Kind(u16),
    /// It is too old, or of a clock that runs ahead.
    #[error("the event is dated {0} s from now by this server's clock; at most {MAX_AGE_S} are allowed")]
    Date(i64),
    /// A tag is missing, or there more than once.
    #[error("the event needs exactly one `{0}` tag")]
    Tag(&'static str),
    /// It was signed for another URL.
    #[error("the event was signed for another URL; this one is {0}")]
    Url(String),
    /// It was signed for another method.
    #[error("the event was signed for another method; this one is {0}")]
    Method(String),
    /// It was signed for another body.
    #[error("the `payload` tag is not the SHA-256 of the request's body")]
    Payload,
    /// Its id is not its hash.
    #[error("the id is not the hash of the event")]
    Id,
}

/// The event for a request, for its author to sign. Each is good once: a client that may send the same request twice in
/// a second adds a tag that tells the two apart, such as a random `nonce`.
#[must_use]
pub fn unsigned(author: PublicKey, request: Request<'_>, created_at: u64) -> UnsignedEvent {
    let mut tags = vec![tag(["u", request.url]), tag(["method", request.method])];
    if !request.body.is_empty() {
        tags.push(tag(["payload", &sha256(request.body)]));
    }
    UnsignedEvent { pubkey: author, created_at, kind: kind::HTTP_AUTHENTICATION, tags, content: String::new() }
}

/// The header's value for a signed event.
#[must_use]
pub fn header(event: &Event) -> String {
    // None of these types can fail.
    format!("{SCHEME} {}", BASE64.encode(serde_json::to_vec(event).unwrap_or_default()))
}

/// Reads the header's value.
///
/// # Errors
/// When there is no event in it.
pub fn read_header(value: &str) -> Result<Event, Refused> {
    if value.len() > MAX_HEADER_BYTES {
        return Err(Refused::TooLong);
    }
    let (scheme, text) = value.trim().split_once(' ').ok_or(Refused::Scheme)?;
    if !scheme.eq_ignore_ascii_case(SCHEME) {
        return Err(Refused::Scheme);
    }
    let json = BASE64.decode(text.trim()).map_err(|_| Refused::Base64)?;
    serde_json::from_slice(&json).map_err(|error| Refused::Json(error.to_string()))
}

/// Whether `event` was made for `request`, about `now`. Says nothing of the signature.
///
/// # Errors
/// What is wrong with it.
pub fn check(event: &Event, request: Request<'_>, now: u64) -> Result<(), Refused> {
    if event.kind != kind::HTTP_AUTHENTICATION {
        return Err(Refused::Kind(event.kind));
    }
    if event.created_at.abs_diff(now) > MAX_AGE_S {
        let ahead = i128::from(event.created_at) - i128::from(now);
        return Err(Refused::Date(i64::try_from(ahead).unwrap_or(i64::MAX)));
    }
    if only(event, "u")? != Some(request.url) {
        return Err(Refused::Url(request.url.to_owned()));
    }
    // Methods are case-sensitive; some clients write them small all the same, and nothing is gained by refusing it.
    if !only(event, "method")?.is_some_and(|method| method.eq_ignore_ascii_case(request.method)) {
        return Err(Refused::Method(request.method.to_owned()));
    }
    match only(event, "payload") {
        Ok(Some(payload)) if payload.eq_ignore_ascii_case(&sha256(request.body)) => {}
        Err(Refused::Tag(_)) if request.body.is_empty() && !has(event, "payload") => {}
        _ => return Err(Refused::Payload),
    }
    if event.has_true_id() { Ok(()) } else { Err(Refused::Id) }
}

fn has(event: &Event, name: &str) -> bool {
    event.tags.iter().any(|tag| tag.first().is_some_and(|first| first == name))
}

/// The value of the only tag with this name: of two, two programs may read two different ones.
fn only<'a>(event: &'a Event, name: &'static str) -> Result<Option<&'a str>, Refused> {
    if event.tags.len() > MAX_TAGS {
        return Err(Refused::Tag(name));
    }
    let mut found = event.tags.iter().filter(|tag| tag.first().is_some_and(|first| first == name));
    match (found.next(), found.next()) {
        (Some(tag), None) => Ok(tag.get(1).map(String::as_str)),
        _ => Err(Refused::Tag(name)),
    }
}

fn sha256(bytes: &[u8]) -> String {
    EventId::from_bytes(Sha256::digest(bytes).into()).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Signature;

    const NOW: u64 = 1_795_228_800;
    const URL: &str = "https://live.example/api/v1/streams/create?x=1";
    const POST: Request<'_> = Request { url: URL, method: "POST", body: b"{\"title\":\"a\"}" };
    const DELETE: Request<'_> = Request { url: URL, method: "DELETE", body: b"" };

    fn signed(event: UnsignedEvent) -> Event {
        event.with_signature(Signature::from_bytes([1; 64]))
    }

    fn event(request: Request<'_>) -> Event {
        signed(unsigned(PublicKey::from_bytes([7; 32]), request, NOW))
    }

    /// The same with other tags, and an id that is true again.
    fn with_tags(request: Request<'_>, tags: &[&[&str]]) -> Event {
        let mut event = unsigned(PublicKey::from_bytes([7; 32]), request, NOW);
        event.tags = tags.iter().map(|tag| tag.iter().map(|&word| word.to_owned()).collect()).collect();
        signed(event)
    }

    #[test]
    fn what_a_client_makes_is_accepted_padded_or_not() {
        for request in [POST, DELETE] {
            let event = event(request);
            let value = header(&event);
            for value in [value.clone(), value.trim_end_matches('=').to_owned(), value.replacen("Nostr", "nostr", 1)] {
                let read = read_header(&value).unwrap();
                assert_eq!(read, event);
                for now in [NOW, NOW + MAX_AGE_S, NOW - MAX_AGE_S] {
                    assert_eq!(check(&read, request, now), Ok(()));
                }
            }
        }
    }

    #[test]
    fn an_event_is_good_for_one_request_at_one_time() {
        let good = event(POST);
        assert_eq!(check(&good, POST, NOW + MAX_AGE_S + 1), Err(Refused::Date(-61)));
        assert_eq!(check(&good, POST, NOW - MAX_AGE_S - 1), Err(Refused::Date(61)));
        for url in ["https://live.example/api/v1/streams/create", "http://live.example/api/v1/streams/create?x=1", ""] {
            assert_eq!(check(&good, Request { url, ..POST }, NOW), Err(Refused::Url(url.into())));
        }
        assert_eq!(check(&good, Request { method: "PATCH", ..POST }, NOW), Err(Refused::Method("PATCH".into())));
        for body in [b"".as_slice(), b"{\"title\":\"b\"}"] {
            assert_eq!(check(&good, Request { body, ..POST }, NOW), Err(Refused::Payload));
        }
        let without_payload = event(Request { body: b"", ..POST });
        assert_eq!(check(&without_payload, POST, NOW), Err(Refused::Payload), "a body has to be signed for");
    }

    #[test]
    fn tags_that_say_two_things_are_refused() {
        let (u, post, delete) = (["u", URL], ["method", "POST"], ["method", "DELETE"]);
        let other = ["u", "https://elsewhere.example/"];
        assert_eq!(check(&with_tags(DELETE, &[&u, &other, &delete]), DELETE, NOW), Err(Refused::Tag("u")));
        assert_eq!(check(&with_tags(DELETE, &[&u, &post, &delete]), DELETE, NOW), Err(Refused::Tag("method")));
        assert_eq!(check(&with_tags(DELETE, &[&delete]), DELETE, NOW), Err(Refused::Tag("u")));
        assert_eq!(check(&with_tags(DELETE, &[&["u"], &delete]), DELETE, NOW), Err(Refused::Url(URL.into())));
        assert_eq!(check(&with_tags(DELETE, &[&u, &delete, &["payload", "junk"]]), DELETE, NOW), Err(Refused::Payload));
        let two = ["payload", &sha256(b"")];
        assert_eq!(check(&with_tags(DELETE, &[&u, &delete, &two, &two]), DELETE, NOW), Err(Refused::Payload));
        let mut many = vec![u.as_slice(), &delete];
        many.extend([["x", ""].as_slice(); MAX_TAGS]);
        assert!(check(&with_tags(DELETE, &many), DELETE, NOW).is_err());
    }

    #[test]
    fn other_events_and_changed_ones_are_refused() {
        let mut event = event(DELETE);
        event.content = "changed".into();
        assert_eq!(check(&event, DELETE, NOW), Err(Refused::Id));
        event.kind = kind::AUTHENTICATION;
        assert_eq!(check(&event, DELETE, NOW), Err(Refused::Kind(kind::AUTHENTICATION)));
    }

    #[test]
    fn junk_in_the_header_is_told_apart() {
        assert_eq!(read_header("Nostr"), Err(Refused::Scheme));
        assert_eq!(read_header("Bearer abc"), Err(Refused::Scheme));
        assert_eq!(read_header("Nostr §"), Err(Refused::Base64));
        assert!(matches!(read_header("Nostr e30="), Err(Refused::Json(_))));
        assert_eq!(read_header(&format!("Nostr {}", "A".repeat(MAX_HEADER_BYTES))), Err(Refused::TooLong));
    }
}

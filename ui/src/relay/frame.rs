//! What client and relay say to each other (NIP-01), as text.

use serde::Serialize;
use serde_json::{Value, json};
use skylark_protocol::event::{Event, EventId, PublicKey};

/// What a relay says.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Frame {
    /// An event for a subscription.
    Event(String, Event),
    /// The stored events of a subscription have been sent.
    Stored(String),
    /// What became of an event, and why.
    Ok(EventId, bool, String),
    /// A subscription is over, and why.
    Closed(String, String),
    /// Whoever wants to show who they are signs this (NIP-42).
    Challenge(String),
    /// A message for people.
    Notice(String),
    /// Anything that needs no answer of ours.
    Other,
}

impl Frame {
    /// Reads a message. One that makes no sense is [`Frame::Other`]: it must not end the connection.
    pub(crate) fn read(text: &str) -> Self {
        let Ok(Value::Array(mut parts)) = serde_json::from_str(text) else { return Self::Other };
        let mut part = |index: usize| parts.get_mut(index).map(Value::take).unwrap_or_default();
        let (name, first, second, third) = (part(0), part(1), part(2), part(3));
        let text = |value: Value| value.as_str().unwrap_or_default().to_owned();
        match name.as_str() {
            Some("EVENT") => {
                serde_json::from_value(second).map_or(Self::Other, |event| Self::Event(text(first), event))
            }
            Some("EOSE") => Self::Stored(text(first)),
            Some("OK") => text(first)
                .parse()
                .map_or(Self::Other, |id| Self::Ok(id, second.as_bool().unwrap_or_default(), text(third))),
            Some("CLOSED") => Self::Closed(text(first), text(second)),
            Some("AUTH") => Self::Challenge(text(first)),
            Some("NOTICE") => Self::Notice(text(first)),
            _ => Self::Other,
        }
    }
}

/// Which events to send; every field narrows.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub(crate) struct Filter {
    /// These.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) ids: Vec<EventId>,
    /// Of one of these authors.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) authors: Vec<PublicKey>,
    /// Of one of these kinds.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) kinds: Vec<u16>,
    /// About one of these addresses.
    #[serde(rename = "#a", skip_serializing_if = "Vec::is_empty")]
    pub(crate) addresses: Vec<String>,
    /// With one of these `d` tags.
    #[serde(rename = "#d", skip_serializing_if = "Vec::is_empty")]
    pub(crate) identifiers: Vec<String>,
    /// Not older, Unix seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) since: Option<u64>,
    /// At most so many of those that are stored, the newest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) limit: Option<u32>,
}

/// Asks for events: those stored, then new ones.
pub(crate) fn request(subscription: &str, filters: &[Filter]) -> String {
    let mut parts = vec![json!("REQ"), json!(subscription)];
    parts.extend(filters.iter().map(|filter| json!(filter)));
    Value::Array(parts).to_string()
}

/// Ends a subscription.
pub(crate) fn close(subscription: &str) -> String {
    json!(["CLOSE", subscription]).to_string()
}

/// Publishes an event.
pub(crate) fn publish(event: &Event) -> String {
    json!(["EVENT", event]).to_string()
}

/// Shows who the client is (NIP-42).
pub(crate) fn authenticate(event: &Event) -> String {
    json!(["AUTH", event]).to_string()
}

/// Why an event was refused, as a sentence: what stands before the colon is for programs.
pub(crate) fn reason(message: &str) -> String {
    let words = match message.split_once(':') {
        Some((prefix, words)) if !prefix.contains(' ') => words.trim(),
        _ => message.trim(),
    };
    let mut characters = words.chars();
    match characters.next() {
        Some(first) => format!("{}{}.", first.to_uppercase(), characters.as_str().trim_end_matches('.')),
        None => "The server refused this message.".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_message_is_read_and_junk_is_passed_over() {
        let id = "ab".repeat(32);
        let event = json!({ "id": id, "pubkey": "cd".repeat(32), "created_at": 7, "kind": 1311, "tags": [["a", "b"]],
            "content": "hi", "sig": "ef".repeat(64), "extra": 1 });
        let Frame::Event(subscription, read) = Frame::read(&json!(["EVENT", "s", event]).to_string()) else {
            panic!("no event")
        };
        assert_eq!((subscription.as_str(), read.content.as_str(), read.kind), ("s", "hi", 1311));
        assert_eq!(Frame::read(r#"["EOSE","s"]"#), Frame::Stored("s".into()));
        let refused = Frame::Ok(id.parse().unwrap(), false, "blocked: no".into());
        assert_eq!(Frame::read(&json!(["OK", id, false, "blocked: no"]).to_string()), refused);
        assert_eq!(Frame::read(r#"["CLOSED","s","error: x"]"#), Frame::Closed("s".into(), "error: x".into()));
        assert_eq!(Frame::read(r#"["NOTICE","x"]"#), Frame::Notice("x".into()));
        for junk in
            ["", "{}", "[]", "[1]", "null", r#"["EVENT","s"]"#, r#"["EVENT","s",{"id":1}]"#, r#"["OK","x",true]"#]
        {
            assert_eq!(Frame::read(junk), Frame::Other, "{junk}");
        }
    }

    #[test]
    fn filters_say_only_what_narrows() {
        let filter =
            Filter { kinds: vec![1311], addresses: vec!["30311:x:d".into()], limit: Some(100), ..Filter::default() };
        assert_eq!(request("c", &[filter]), r##"["REQ","c",{"#a":["30311:x:d"],"kinds":[1311],"limit":100}]"##);
        assert_eq!(close("c"), r#"["CLOSE","c"]"#);
    }

    #[test]
    fn refusals_become_sentences() {
        assert_eq!(reason("rate-limited: wait 1 s before you write again"), "Wait 1 s before you write again.");
        for silent in ["", "blocked:", "blocked: "] {
            assert_eq!(reason(silent), "The server refused this message.");
        }
        assert_eq!(reason("no way: really"), "No way: really.");
    }
}

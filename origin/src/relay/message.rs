//! What client and relay say to each other (NIP-01, 42, 45): JSON arrays.

use std::fmt::{self, Write as _};

use nostr::{Event, EventId, Filter};
use serde_json::{Value, value::RawValue};

use super::limits::{MAX_FILTER_TAGS, MAX_FILTER_VALUES, MAX_FILTERS, MAX_SUBSCRIPTION_ID_CHARS};

/// What a client says.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Request {
    /// Here is an event.
    Publish(Box<Event>),
    /// I want events, those there are and those to come.
    Subscribe(String, Vec<Filter>),
    /// How many are there?
    Count(String, Vec<Filter>),
    /// No more of these.
    Unsubscribe(String),
    /// This is who I am.
    Authenticate(Box<Event>),
}

/// A message that cannot be read, and how to say so to whom it may help.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Unreadable {
    /// Not even what it is about.
    Message(String),
    /// An event that is none; its id, if that could be read.
    Event(Option<EventId>, String),
    /// A request for a subscription.
    Subscription(String, String),
}

impl Request {
    /// Reads a message.
    pub(super) fn parse(text: &str) -> Result<Self, Unreadable> {
        let message = |reason: &str| Unreadable::Message(reason.to_owned());
        let parts: Vec<&RawValue> =
            serde_json::from_str(text).map_err(|error| Unreadable::Message(format!("not a JSON array: {error}")))?;
        let (verb, rest) = parts.split_first().ok_or_else(|| message("an empty array"))?;
        let verb: &str = serde_json::from_str(verb.get()).map_err(|_| message("the first element is not a verb"))?;
        match (verb, rest) {
            ("EVENT", [event, ..]) => event_of(event).map(Self::Publish),
            ("AUTH", [event, ..]) => event_of(event).map(Self::Authenticate),
            ("REQ" | "COUNT", [id, filters @ ..]) => {
                let id = subscription_id(id)?;
                let filters = filters_of(filters).map_err(|reason| Unreadable::Subscription(id.clone(), reason))?;
                Ok(if verb == "REQ" { Self::Subscribe(id, filters) } else { Self::Count(id, filters) })
            }
            ("CLOSE", [id, ..]) => subscription_id(id).map(Self::Unsubscribe),
            ("EVENT" | "AUTH" | "REQ" | "COUNT" | "CLOSE", []) => Err(message("there is something missing")),
            _ => Err(message("an unknown verb")),
        }
    }
}

fn event_of(raw: &RawValue) -> Result<Box<Event>, Unreadable> {
    serde_json::from_str(raw.get()).map_err(|error| {
        let id = serde_json::from_str::<Value>(raw.get()).ok();
        let id = id.as_ref().and_then(|event| event.get("id")?.as_str());
        Unreadable::Event(id.and_then(|id| EventId::from_hex(id).ok()), format!("not an event: {error}"))
    })
}

fn subscription_id(raw: &RawValue) -> Result<String, Unreadable> {
    let id: String = serde_json::from_str(raw.get())
        .map_err(|_| Unreadable::Message("the name of a subscription is not a string".into()))?;
    match id.chars().count() {
        1..=MAX_SUBSCRIPTION_ID_CHARS => Ok(id),
        _ => Err(Unreadable::Message(format!(
            "the name of a subscription has 1 to {MAX_SUBSCRIPTION_ID_CHARS} characters"
        ))),
    }
}

fn filters_of(raw: &[&RawValue]) -> Result<Vec<Filter>, String> {
    if !(1..=MAX_FILTERS).contains(&raw.len()) {
        return Err(format!("there have to be 1 to {MAX_FILTERS} filters"));
    }
    raw.iter().map(|raw| filter_of(raw.get())).collect()
}

fn filter_of(text: &str) -> Result<Filter, String> {
    let filter: Filter = serde_json::from_str(text).map_err(|error| format!("not a filter: {error}"))?;
    let lengths = [
        filter.ids.as_ref().map_or(0, |ids| ids.len()),
        filter.authors.as_ref().map_or(0, |authors| authors.len()),
        filter.kinds.as_ref().map_or(0, |kinds| kinds.len()),
        filter.generic_tags.values().map(|values| values.len()).sum(),
    ];
    match () {
        () if filter.search.is_some() => Err("search is not supported".into()),
        () if filter.generic_tags.len() > MAX_FILTER_TAGS => {
            Err(format!("a filter combines at most {MAX_FILTER_TAGS} tags"))
        }
        () if lengths.iter().sum::<usize>() > MAX_FILTER_VALUES => {
            Err(format!("a filter has at most {MAX_FILTER_VALUES} values"))
        }
        () => Ok(filter),
    }
}

/// What the relay says.
#[derive(Debug, Clone)]
pub(super) enum Response<'a> {
    /// Here is an event, for this subscription, as JSON.
    Event(&'a str, &'a str),
    /// What became of an event.
    Ok(&'a EventId, bool, &'a str),
    /// These were the stored ones.
    EndOfStored(&'a str),
    /// There will be no more for this subscription.
    Closed(&'a str, &'a str),
    /// So many there are.
    Count(&'a str, u64),
    /// Sign this to say who you are.
    Challenge(&'a str),
    /// For people.
    Notice(&'a str),
}

impl fmt::Display for Response<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Event(id, event) => write!(formatter, "[\"EVENT\",{},{event}]", Quoted(id)),
            Self::Ok(id, is_accepted, reason) => {
                write!(formatter, "[\"OK\",\"{id}\",{is_accepted},{}]", Quoted(reason))
            }
            Self::EndOfStored(id) => write!(formatter, "[\"EOSE\",{}]", Quoted(id)),
            Self::Closed(id, reason) => write!(formatter, "[\"CLOSED\",{},{}]", Quoted(id), Quoted(reason)),
            Self::Count(id, count) => write!(formatter, "[\"COUNT\",{},{{\"count\":{count}}}]", Quoted(id)),
            Self::Challenge(challenge) => write!(formatter, "[\"AUTH\",{}]", Quoted(challenge)),
            Self::Notice(text) => write!(formatter, "[\"NOTICE\",{}]", Quoted(text)),
        }
    }
}

/// A JSON string.
struct Quoted<'a>(&'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_char('"')?;
        for character in self.0.chars() {
            match character {
                '"' => formatter.write_str("\\\"")?,
                '\\' => formatter.write_str("\\\\")?,
                control if control < ' ' => write!(formatter, "\\u{:04x}", u32::from(control))?,
                other => formatter.write_char(other)?,
            }
        }
        formatter.write_char('"')
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_relay_says_is_json_whatever_is_in_it() {
        let nasty = "a\"b\\c\n\u{0}\u{1f}é</script>";
        let id = EventId::all_zeros();
        for response in [
            Response::Event(nasty, "{}"),
            Response::Ok(&id, false, nasty),
            Response::EndOfStored(nasty),
            Response::Closed(nasty, nasty),
            Response::Count(nasty, 7),
            Response::Challenge(nasty),
            Response::Notice(nasty),
        ] {
            let value: Vec<Value> = serde_json::from_str(&response.to_string()).unwrap();
            let strings = value.iter().filter_map(Value::as_str);
            assert_eq!(
                strings.filter(|text| *text == nasty).count(),
                match response {
                    Response::Closed(..) => 2,
                    _ => 1,
                }
            );
        }
    }

    #[test]
    fn unreadable_messages_are_answered_to_whom_it_may_help() {
        let unreadable = |text: &str| Request::parse(text).unwrap_err();
        for text in ["", "{}", "[]", "[1]", "[\"HELLO\"]", "[\"EVENT\"]", "[\"CLOSE\"]", "[\"REQ\",7,{}]", "[[[[["] {
            assert!(matches!(unreadable(text), Unreadable::Message(_)), "{text}");
        }
        let id = "ab".repeat(32);
        let event = format!(r#"["EVENT",{{"id":"{id}","tags":[[1]]}}]"#);
        assert!(matches!(unreadable(&event), Unreadable::Event(Some(found), _) if found.to_hex() == id));
        for filters in [
            "",
            ",7",
            ",{\"kinds\":[\"x\"]}",
            ",{\"authors\":[\"abc\"]}",
            ",{\"search\":\"x\"}",
            &",{}".repeat(MAX_FILTERS + 1),
        ] {
            let text = format!("[\"REQ\",\"sub\"{filters}]");
            assert!(matches!(unreadable(&text), Unreadable::Subscription(id, _) if id == "sub"), "{text}");
        }
        let long = "x".repeat(MAX_SUBSCRIPTION_ID_CHARS + 1);
        assert!(matches!(unreadable(&format!("[\"REQ\",\"{long}\",{{}}]")), Unreadable::Message(_)));
    }

    #[test]
    fn filters_have_their_limits() {
        let ids: Vec<String> = (0..=MAX_FILTER_VALUES).map(|n| format!("\"{n:064x}\"")).collect();
        let text = format!("[\"REQ\",\"s\",{{\"ids\":[{}]}}]", ids.join(","));
        assert!(matches!(Request::parse(&text), Err(Unreadable::Subscription(..))));
        let tags = r##"["REQ","s",{"#a":["1"],"#b":["1"],"#c":["1"],"#d":["1"],"#e":["1"],"#f":["1"]}]"##;
        assert!(matches!(Request::parse(tags), Err(Unreadable::Subscription(..))));
        let good = r##"["REQ","s",{"kinds":[1311],"#a":["x"],"limit":100,"unknown":[]},{"ids":[]}]"##;
        assert!(matches!(Request::parse(good), Ok(Request::Subscribe(id, filters)) if id == "s" && filters.len() == 2));
    }
}

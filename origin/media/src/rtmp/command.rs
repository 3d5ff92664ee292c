//! Commands: what publishers ask for, and how they are answered.

use std::fmt;

use super::{
    amf0::{AmfError, Value, decode_all},
    chunk::Message,
    message,
};

/// The one message stream that `createStream` gives out.
pub const STREAM_ID: u32 = 1;
/// Longest stream key that is looked up, in bytes.
pub const MAX_KEY_BYTES: usize = 256;

/// What a publisher typed as its stream key. Never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct StreamKey(String);

impl StreamKey {
    /// The key, for looking it up and nothing else.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for StreamKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("StreamKey(..)")
    }
}

/// A peer wants to publish.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublishRequest {
    /// From the stream name, or from `key=` in the query of stream name or application; may be empty.
    pub key: StreamKey,
    /// What the publisher says it is, such as `FMLE/3.0 (compatible; FMSc/1.0)`, cut to 64 characters.
    pub encoder: String,
}

/// Why a publisher is sent away: the status code that tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// `NetStream.Publish.Denied`: the key is not good, or the server takes no more.
    ///
    /// OBS ends its attempt on this status and shows its "invalid path or stream key" error; ffmpeg and GStreamer print
    /// the description.
    Denied,
    /// `NetStream.Publish.BadName`: the key is in use.
    BadName,
    /// `NetStream.Failed`: the media cannot go on.
    Failed,
}

impl Refusal {
    /// The `code` of the status object.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Denied => "NetStream.Publish.Denied",
            Self::BadName => "NetStream.Publish.BadName",
            Self::Failed => "NetStream.Failed",
        }
    }
}

/// A command as a publisher sends it, reduced to what matters here.
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    /// `connect`.
    Connect {
        /// To be repeated in the answer.
        transaction: f64,
        /// `app` of the command object.
        app: String,
        /// `flashVer` of the command object.
        encoder: String,
    },
    /// `createStream`.
    CreateStream {
        /// To be repeated in the answer.
        transaction: f64,
    },
    /// `FCPublish`, which FMLE and its imitators send before `publish`.
    FcPublish {
        /// To be repeated in the answer.
        transaction: f64,
    },
    /// `releaseStream`, `_checkbw` and the like: an answer without content will do.
    Acknowledge {
        /// To be repeated in the answer.
        transaction: f64,
    },
    /// `publish`.
    Publish {
        /// The publishing name.
        name: String,
    },
    /// `FCUnpublish`, `deleteStream` or `closeStream`.
    Unpublish,
    /// `play`, `play2`: not here.
    Play,
    /// Anything else; nothing is answered, since encoders take an error for the end.
    Other,
}

impl Command {
    /// Parses the AMF0 body of a command message.
    ///
    /// # Errors
    /// When it is not AMF0 within the limits.
    pub fn parse(body: &[u8]) -> Result<Self, AmfError> {
        let values = decode_all(body)?;
        let text = |index: usize| values.get(index).and_then(Value::as_str).unwrap_or_default();
        let transaction = values.get(1).and_then(Value::as_number).unwrap_or_default();
        let property = |name: &str| values.get(2).and_then(|object| object.get(name)?.as_str()).unwrap_or_default();
        Ok(match text(0) {
            "connect" => Self::Connect {
                transaction,
                app: property("app").to_owned(),
                encoder: property("flashVer").chars().filter(|char| !char.is_control()).take(64).collect(),
            },
            "createStream" => Self::CreateStream { transaction },
            "FCPublish" => Self::FcPublish { transaction },
            "releaseStream" | "_checkbw" => Self::Acknowledge { transaction },
            "publish" => Self::Publish { name: text(3).to_owned() },
            "FCUnpublish" | "deleteStream" | "closeStream" => Self::Unpublish,
            "play" | "play2" => Self::Play,
            _ => Self::Other,
        })
    }
}

/// Finds the key in what the publisher made of its URL: in `key=` of the stream name's or the application's query,
/// else the stream name itself, else what follows the first `/` of the application.
#[must_use]
pub fn find_key(app: &str, name: &str) -> StreamKey {
    let (app_path, app_query) = app.split_once('?').unwrap_or((app, ""));
    let (name_path, name_query) = name.split_once('?').unwrap_or((name, ""));
    let in_query = |query: &str| {
        let mut pairs = query.split(['&', '?']).filter_map(|pair| pair.split_once('='));
        // Some clients hang "/<stream name>" on to the end of the application's query.
        pairs
            .find(|(name, value)| *name == "key" && !value.is_empty())
            .map(|(_, value)| value.trim_end_matches('/').to_owned())
    };
    let in_path = || {
        let name = name_path.trim_matches('/');
        let name = name.rsplit('/').next().unwrap_or_default();
        if name.is_empty() { app_path.split_once('/').map_or("", |(_, rest)| rest.trim_matches('/')) } else { name }
            .to_owned()
    };
    let key = in_query(name_query).or_else(|| in_query(app_query)).unwrap_or_else(in_path);
    StreamKey(if key.len() > MAX_KEY_BYTES { String::new() } else { key })
}

fn object(properties: &[(&str, Value)]) -> Value {
    Value::Object(properties.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect())
}

fn text(text: &str) -> Value {
    Value::String(text.to_owned())
}

/// The answer to `connect`.
#[must_use]
pub fn connect_result(transaction: f64) -> Message {
    let server = object(&[("fmsVer", text("FMS/3,5,7,7009")), ("capabilities", Value::Number(31.0))]);
    let info = object(&[
        ("level", text("status")),
        ("code", text("NetConnection.Connect.Success")),
        ("description", text("Connection succeeded.")),
        ("objectEncoding", Value::Number(0.0)),
    ]);
    message::command(0, &[text("_result"), Value::Number(transaction), server, info])
}

/// The answer to `createStream`.
#[must_use]
pub fn create_stream_result(transaction: f64) -> Message {
    let id = Value::Number(f64::from(STREAM_ID));
    message::command(0, &[text("_result"), Value::Number(transaction), Value::Null, id])
}

/// An answer without content.
#[must_use]
pub fn empty_result(transaction: f64) -> Message {
    message::command(0, &[text("_result"), Value::Number(transaction), Value::Null, Value::Null])
}

/// `onFCPublish`, which FMLE waits for.
#[must_use]
pub fn on_fc_publish() -> Message {
    let info = object(&[("code", text("NetStream.Publish.Start")), ("description", text("FCPublish"))]);
    message::command(0, &[text("onFCPublish"), Value::Number(0.0), Value::Null, info])
}

/// `onStatus` with a level of `status` or `error`.
#[must_use]
pub fn on_status(level: &str, code: &str, description: &str) -> Message {
    let info = object(&[("level", text(level)), ("code", text(code)), ("description", text(description))]);
    message::command(STREAM_ID, &[text("onStatus"), Value::Number(0.0), Value::Null, info])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_is_found_wherever_people_put_it() {
        for (app, name) in [
            ("live", "K"),
            ("live/", "K"),
            ("live", "K?token=1"),
            ("live", "any?key=K"),
            ("live", "any?token=1&key=K"),
            ("live", "?key=K"),
            ("live?key=K", "any"),
            ("live?key=K", ""),
            ("live?key=K/", ""),
            ("live/K", ""),
            ("live", "live/K"),
        ] {
            assert_eq!(find_key(app, name).reveal(), "K", "app {app:?}, name {name:?}");
        }
        assert_eq!(find_key("live", "").reveal(), "");
        assert_eq!(find_key("live", &"k".repeat(MAX_KEY_BYTES + 1)).reveal(), "");
    }

    #[test]
    fn the_key_is_not_printed() {
        let request = PublishRequest { key: find_key("live", "sky_live_secret"), encoder: "obs".into() };
        assert!(!format!("{request:?}").contains("secret"));
    }
}

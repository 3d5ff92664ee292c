//! Stream ids: SRT Access Control's `#!::` form and the plain forms that people type.

/// Longest stream id that libsrt sends, bytes.
pub const MAX_STREAM_ID: usize = 512;
/// The application name that may stand before the key, as in RTMP.
const APPLICATION: &str = "live/";

/// Why a stream id does not say what to publish to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum StreamIdError {
    /// There is none.
    #[error("no stream id: use #!::r=live/<stream key>,m=publish")]
    Missing,
    /// It cannot be read.
    #[error("a stream id that cannot be read: use #!::r=live/<stream key>,m=publish")]
    Malformed,
    /// The caller wants to watch, or something else that is not publishing.
    #[error("only publishing (m=publish) is possible here")]
    NotPublishing,
}

/// The stream key in a stream id: `#!::r=live/<key>,m=publish` with its fields in any order, or `<key>`, `live/<key>`,
/// `publish:<key>`, `publish:live/<key>`, `publish/live/<key>`.
///
/// # Errors
/// When there is no key, or the caller does not want to publish. Errors never quote the id: it may hold a key.
pub fn publish_key(id: &str) -> Result<&str, StreamIdError> {
    if id.is_empty() {
        return Err(StreamIdError::Missing);
    }
    if id.len() > MAX_STREAM_ID {
        return Err(StreamIdError::Malformed);
    }
    let resource = match id.strip_prefix("#!::") {
        Some(fields) => resource(fields)?,
        None => plain_resource(id)?,
    };
    let resource = resource.strip_prefix('/').unwrap_or(resource);
    let key = resource.strip_prefix(APPLICATION).unwrap_or(resource);
    let well_formed = key.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-');
    if key.is_empty() || !well_formed { Err(StreamIdError::Malformed) } else { Ok(key) }
}

fn resource(fields: &str) -> Result<&str, StreamIdError> {
    let mut resource = None;
    for field in fields.split(',') {
        match field.trim().split_once('=') {
            Some(("r", value)) => resource = Some(value),
            Some(("m", "publish")) | Some(("t", "stream")) => {}
            Some(("m" | "t", _)) => return Err(StreamIdError::NotPublishing),
            Some(_) => {}
            None if field.trim().is_empty() => {}
            None => return Err(StreamIdError::Malformed),
        }
    }
    resource.ok_or(StreamIdError::Malformed)
}

fn plain_resource(id: &str) -> Result<&str, StreamIdError> {
    let (action, rest) = match id.split_once([':', '/']) {
        Some((action, rest)) => (action, rest),
        None => return Ok(id),
    };
    match action {
        "publish" => Ok(rest),
        "read" | "request" | "play" => Err(StreamIdError::NotPublishing),
        _ => Ok(id),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_found_in_every_form() {
        for id in [
            "#!::r=live/sky_live_1,m=publish",
            "#!::m=publish,r=live/sky_live_1",
            "#!::u=me,t=stream,m=publish,r=sky_live_1,h=host",
            "#!::r=/live/sky_live_1",
            "sky_live_1",
            "live/sky_live_1",
            "publish:sky_live_1",
            "publish:live/sky_live_1",
            "publish/live/sky_live_1",
            "publish/sky_live_1",
        ] {
            assert_eq!(publish_key(id), Ok("sky_live_1"), "{id}");
        }
    }

    #[test]
    fn what_is_no_publishing_is_told_apart() {
        use StreamIdError::{Malformed, Missing, NotPublishing};
        for (id, error) in [
            ("", Missing),
            ("#!::", Malformed),
            ("#!::m=publish", Malformed),
            ("#!::r=,m=publish", Malformed),
            ("#!::nonsense", Malformed),
            ("live/", Malformed),
            ("a b", Malformed),
            ("key\0", Malformed),
            ("#!::r=live/key,m=request", NotPublishing),
            ("#!::r=live/key,m=bidirectional", NotPublishing),
            ("#!::r=live/key,m=publish,t=file", NotPublishing),
            ("read:live/key", NotPublishing),
        ] {
            assert_eq!(publish_key(id), Err(error), "{id}");
        }
        assert_eq!(publish_key(&"k".repeat(513)), Err(Malformed));
    }
}

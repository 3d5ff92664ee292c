//! An answer to a `GET` or `HEAD`, before any HTTP version has its say: conditions, ranges and cache rules
//! (RFC 9110 §13 and §14, RFC 9111 §5.2).

use std::{fmt, ops::Range};

use axum::http::StatusCode;
use bytes::Bytes;
use sha2::{Digest, Sha256};

/// Pages of all sites may play our streams, and measure how that goes.
const OPEN_TO_ALL_SITES: [(&str, &str); 4] = [
    ("access-control-allow-origin", "*"),
    ("access-control-expose-headers", "Content-Length, Content-Range, Date, ETag"),
    ("timing-allow-origin", "*"),
    ("x-content-type-options", "nosniff"),
];
/// Seconds after which a player may ask again when the origin could not answer in time.
const RETRY_AFTER_SECONDS: &str = "1";

/// The request headers that bear on an answer.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Conditions<'a> {
    /// `If-None-Match`
    pub(super) if_none_match: Option<&'a str>,
    /// `Range`
    pub(super) range: Option<&'a str>,
    /// `If-Range`
    pub(super) if_range: Option<&'a str>,
}

/// A strong entity tag: two answers to the same URL have the same one only if their bytes are the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ETag(pub(super) u64);

impl fmt::Display for ETag {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "\"{:016x}\"", self.0)
    }
}

impl ETag {
    /// From a text's content.
    pub(super) fn of(text: &[u8]) -> Self {
        let digest = Sha256::digest(text);
        Self(digest.iter().take(8).fold(0, |tag, byte| tag << 8 | u64::from(*byte)))
    }

    /// Whether `text`, an entity tag with its quotes, is this one.
    fn is(self, text: &str) -> bool {
        text.strip_prefix('"')
            .and_then(|text| text.strip_suffix('"'))
            .filter(|text| text.len() == 16)
            .is_some_and(|text| u64::from_str_radix(text, 16) == Ok(self.0))
    }

    /// Whether an `If-None-Match` names this tag (weak comparison).
    pub(super) fn is_among(self, list: &str) -> bool {
        list.trim() == "*" || list.split(',').map(str::trim).any(|one| self.is(one.strip_prefix("W/").unwrap_or(one)))
    }
}

/// How long a cache may keep an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cache {
    /// Not at all.
    No,
    /// So many seconds.
    Seconds(u32),
    /// So many seconds, and only by whoever asked.
    Private(u32),
    /// For good: what this URL names never changes.
    Immutable,
}

impl fmt::Display for Cache {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::No => formatter.write_str("no-store"),
            Self::Seconds(seconds) => write!(formatter, "public, max-age={seconds}"),
            Self::Private(seconds) => write!(formatter, "private, max-age={seconds}"),
            Self::Immutable => formatter.write_str("public, max-age=31536000, immutable"),
        }
    }
}

/// Which bytes of how many an answer has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ContentRange {
    /// First and last byte; none when the range that was asked for cannot be satisfied.
    pub(super) bytes: Option<(u64, u64)>,
    /// Length of the whole.
    pub(super) whole: u64,
}

impl fmt::Display for ContentRange {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.bytes {
            Some((first, last)) => write!(formatter, "bytes {first}-{last}/{}", self.whole),
            None => write!(formatter, "bytes */{}", self.whole),
        }
    }
}

/// The bytes of an answer: shared, never copied on their way to a socket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Content {
    /// One piece.
    Whole(Bytes),
    /// Pieces to be sent one after the other.
    Pieces(Vec<Bytes>),
}

impl Content {
    /// Nothing.
    pub(super) const EMPTY: Self = Self::Whole(Bytes::new());

    /// The pieces in their order.
    pub(super) fn pieces(&self) -> &[Bytes] {
        match self {
            Self::Whole(bytes) => std::slice::from_ref(bytes),
            Self::Pieces(pieces) => pieces,
        }
    }

    /// Length in bytes.
    pub(super) fn len(&self) -> u64 {
        self.pieces().iter().map(|piece| piece.len() as u64).sum()
    }

    /// The bytes in `range`, which lies within the content.
    fn slice(self, range: &Range<u64>) -> Self {
        let pieces = match self {
            Self::Whole(bytes) => vec![bytes],
            Self::Pieces(pieces) => pieces,
        };
        let mut start = 0_u64;
        let mut cut = Vec::with_capacity(pieces.len());
        for piece in pieces {
            let end = start + piece.len() as u64;
            let (from, to) = (range.start.max(start), range.end.min(end));
            if from < to {
                let within = |at: u64| usize::try_from(at - start).unwrap_or(usize::MAX).min(piece.len());
                cut.push(piece.slice(within(from)..within(to)));
            }
            start = end;
        }
        Self::Pieces(cut)
    }
}

/// A header's value.
#[derive(Debug, Clone, Copy)]
pub(super) enum Value {
    Fixed(&'static str),
    Number(u64),
    Cache(Cache),
    ETag(ETag),
    Range(ContentRange),
}

impl fmt::Display for Value {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fixed(text) => formatter.write_str(text),
            Self::Number(number) => number.fmt(formatter),
            Self::Cache(cache) => cache.fmt(formatter),
            Self::ETag(etag) => etag.fmt(formatter),
            Self::Range(range) => range.fmt(formatter),
        }
    }
}

/// What is to be answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Answer {
    /// Status code.
    pub(super) status: StatusCode,
    /// `Content-Type`
    pub(super) content_type: &'static str,
    /// `Cache-Control`
    pub(super) cache: Cache,
    /// `ETag`
    pub(super) etag: Option<ETag>,
    /// Byte ranges can be asked for.
    pub(super) ranges: bool,
    /// `Content-Range`
    pub(super) content_range: Option<ContentRange>,
    /// `Content-Length`: of `content`, unless only the head was asked for.
    length: u64,
    /// The body.
    pub(super) content: Content,
}

impl Answer {
    /// A refusal with its reason in plain text.
    pub(super) fn refusal(status: StatusCode, cache: Cache, reason: impl fmt::Display) -> Self {
        let content = Content::Whole(Bytes::from(format!("{reason}\n")));
        let (content_type, length) = ("text/plain; charset=utf-8", content.len());
        Self { status, content_type, cache, etag: None, ranges: false, content_range: None, length, content }
    }

    /// Something playable.
    pub(super) fn found(content_type: &'static str, cache: Cache, etag: ETag, content: Content) -> Self {
        Self {
            status: StatusCode::OK,
            content_type,
            cache,
            etag: Some(etag),
            ranges: false,
            content_range: None,
            length: content.len(),
            content,
        }
    }

    /// The same without its body.
    pub(super) fn head_only(self) -> Self {
        Self { content: Content::EMPTY, ..self }
    }

    /// The same, and parts of it can be asked for.
    pub(super) fn with_ranges(self) -> Self {
        Self { ranges: true, ..self }
    }

    /// Tells every header of the answer.
    pub(super) fn headers(&self, mut add: impl FnMut(&'static str, Value)) {
        for (name, value) in OPEN_TO_ALL_SITES {
            add(name, Value::Fixed(value));
        }
        add("cache-control", Value::Cache(self.cache));
        if let Some(etag) = self.etag {
            add("etag", Value::ETag(etag));
        }
        if self.status == StatusCode::NOT_MODIFIED {
            return;
        }
        add("content-type", Value::Fixed(self.content_type));
        add("content-length", Value::Number(self.length));
        if self.ranges {
            add("accept-ranges", Value::Fixed("bytes"));
        }
        if let Some(range) = self.content_range {
            add("content-range", Value::Range(range));
        }
        if self.status == StatusCode::SERVICE_UNAVAILABLE {
            add("retry-after", Value::Fixed(RETRY_AFTER_SECONDS));
        }
    }

    /// Turns a 200 into the 304, 206 or 416 that the request's conditions make of it.
    pub(super) fn under(mut self, conditions: &Conditions<'_>) -> Self {
        let (StatusCode::OK, Some(etag)) = (self.status, self.etag) else { return self };
        if conditions.if_none_match.is_some_and(|list| etag.is_among(list)) {
            self.status = StatusCode::NOT_MODIFIED;
            return self.head_only();
        }
        let wanted = conditions.range.filter(|_| self.ranges && conditions.if_range.is_none_or(|tag| etag.is(tag)));
        let whole = self.content.len();
        match wanted.map_or(Wanted::Whole, |range| parse_range(range, whole)) {
            Wanted::Whole => self,
            Wanted::Range(range) => {
                self.status = StatusCode::PARTIAL_CONTENT;
                self.content_range = Some(ContentRange { bytes: Some((range.start, range.end - 1)), whole });
                self.length = range.end - range.start;
                self.content = self.content.slice(&range);
                self
            }
            Wanted::Unsatisfiable => Self {
                content_range: Some(ContentRange { bytes: None, whole }),
                ..Self::refusal(StatusCode::RANGE_NOT_SATISFIABLE, Cache::No, "no such bytes")
            },
        }
    }
}

/// What a `Range` header comes to.
#[derive(Debug, PartialEq, Eq)]
enum Wanted {
    Whole,
    Range(Range<u64>),
    Unsatisfiable,
}

/// Reads a `Range`. Several ranges, other units and malformed ones are ignored, as RFC 9110 §14.2 allows.
fn parse_range(text: &str, whole: u64) -> Wanted {
    let Some((first, last)) = text.trim().strip_prefix("bytes=").and_then(|range| range.split_once('-')) else {
        return Wanted::Whole;
    };
    let number = |text: &str| skylark_media::package::directives::decimal::<u64>(text.trim());
    let range = match (first.trim(), last.trim()) {
        ("", suffix) => match number(suffix) {
            Some(length) => whole.saturating_sub(length)..whole,
            None => return Wanted::Whole,
        },
        (first, "") => match number(first) {
            Some(first) => first..whole,
            None => return Wanted::Whole,
        },
        (first, last) => match (number(first), number(last)) {
            (Some(first), Some(last)) if first <= last => first..last.saturating_add(1).min(whole),
            _ => return Wanted::Whole,
        },
    };
    if range.is_empty() { Wanted::Unsatisfiable } else { Wanted::Range(range) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pieces() -> Answer {
        let content = Content::Pieces(vec![Bytes::from_static(b"0123"), Bytes::from_static(b"4567"), "89".into()]);
        Answer::found("video/mp4", Cache::Immutable, ETag(7), content).with_ranges()
    }

    fn bytes_of(answer: &Answer) -> Vec<u8> {
        match &answer.content {
            Content::Whole(bytes) => bytes.to_vec(),
            Content::Pieces(pieces) => pieces.concat(),
        }
    }

    #[test]
    fn ranges_are_cut_across_pieces() {
        for (range, first, last, bytes) in [
            ("bytes=0-", 0, 9, "0123456789"),
            ("bytes=2-5", 2, 5, "2345"),
            ("bytes=4-7", 4, 7, "4567"),
            ("bytes=-3", 7, 9, "789"),
            ("bytes=-30", 0, 9, "0123456789"),
            ("bytes=9-18446744073709551615", 9, 9, "9"),
        ] {
            let answer = pieces().under(&Conditions { range: Some(range), ..Conditions::default() });
            assert_eq!(answer.status, StatusCode::PARTIAL_CONTENT, "{range}");
            assert_eq!(answer.content_range, Some(ContentRange { bytes: Some((first, last)), whole: 10 }), "{range}");
            assert_eq!(bytes_of(&answer), bytes.as_bytes(), "{range}");
        }
    }

    #[test]
    fn ranges_that_cannot_be_met_are_refused_and_odd_ones_ignored() {
        for range in ["bytes=10-", "bytes=10-12", "bytes=-0"] {
            let answer = pieces().under(&Conditions { range: Some(range), ..Conditions::default() });
            assert_eq!(answer.status, StatusCode::RANGE_NOT_SATISFIABLE, "{range}");
            assert_eq!(answer.content_range, Some(ContentRange { bytes: None, whole: 10 }));
        }
        for range in ["bytes=5-2", "bytes=a-b", "bytes=0-1,3-4", "lines=1-2", "bytes", "bytes=-", "bytes=+1-2"] {
            let answer = pieces().under(&Conditions { range: Some(range), ..Conditions::default() });
            assert_eq!((answer.status, answer.content.len()), (StatusCode::OK, 10), "{range}");
        }
    }

    #[test]
    fn a_range_holds_only_for_the_tag_it_was_made_for() {
        let range = Some("bytes=0-1");
        let tag = ETag(7).to_string();
        let same = Conditions { range, if_range: Some(&tag), ..Conditions::default() };
        assert_eq!(pieces().under(&same).status, StatusCode::PARTIAL_CONTENT);
        for other in ["\"0000000000000008\"", "W/\"0000000000000007\"", "Sat, 21 Nov 2026 02:00:00 GMT"] {
            let other = Conditions { range, if_range: Some(other), ..Conditions::default() };
            assert_eq!(pieces().under(&other).status, StatusCode::OK);
        }
    }

    #[test]
    fn a_known_tag_is_answered_without_the_bytes() {
        for list in ["\"0000000000000007\"", "W/\"0000000000000007\"", "\"x\", \"0000000000000007\"", "*"] {
            let conditions = Conditions { if_none_match: Some(list), range: Some("bytes=0-1"), if_range: None };
            assert_eq!(pieces().under(&conditions).status, StatusCode::NOT_MODIFIED, "{list}");
        }
        for list in ["\"0000000000000008\"", "", "\"", "\"é\""] {
            let conditions = Conditions { if_none_match: Some(list), ..Conditions::default() };
            assert_eq!(pieces().under(&conditions).status, StatusCode::OK, "{list}");
        }
    }
}

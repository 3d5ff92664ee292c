//! `/live/…`: playlists, parts, segments and init segments (draft-pantos-hls-rfc8216bis).

use std::{sync::Arc, time::Duration};

use axum::http::StatusCode;
use skylark_media::{
    package::directives::Directives,
    unit::RenditionId,
    window::{Lookup, Reload},
};

use super::{
    answer::{Answer, Cache, Content, ETag},
    path::{File, LivePath},
    patience::{Impatient, Patience},
};
use crate::live::{Live, LiveStream, Published, Rendition};

const PLAYLIST_TYPE: &str = "application/vnd.apple.mpegurl";
const MEDIA_TYPE: &str = "video/mp4";
/// A request is held for at most so many target durations (rfc8216bis §6.2.5.2) …
const HOLD_TARGET_DURATIONS: u32 = 3;
/// … and not so long that hls.js gives up first: it waits 10 s for a first byte.
const HOLD_MAX: Duration = Duration::from_secs(9);
/// A playlist that was waited for is never asked for again with the same query, but by other viewers of a cache: it
/// may be kept for so many target durations (rfc8216bis appendix B.1).
const HELD_PLAYLIST_TARGET_DURATIONS: u32 = 6;
/// A playlist without `_HLS_msn`, the multivariant playlist: what everyone starts with. Seconds.
const PLAYLIST_SECONDS: u32 = 1;
/// What is not there may come. Seconds.
const MISSING_SECONDS: u32 = 1;

/// What a viewer of a private stream without a good ticket is told.
const NOT_ADMITTED: &str = "this stream is private: ask for a ticket, signed with a key that its host has let in";

/// Answers a `GET` of `/live/{path}`; holds it until what it asks for exists, if it soon will.
pub(super) async fn answer(live: &Live, path: &str, query: Option<&str>, patience: &mut Patience) -> Answer {
    match LivePath::parse(path) {
        None => missing("no such file"),
        Some(LivePath::Multivariant { stream, pass }) => multivariant(live, stream, pass),
        Some(LivePath::Rendition { stream, pass, broadcast, rendition, file }) => {
            let id = RenditionId(rendition);
            let Some(stream) = stream.parse().ok().and_then(|id| live.get(&id)) else {
                return missing("no such stream");
            };
            let Some(broadcast) = stream.broadcast(broadcast) else { return missing("no such broadcast") };
            let Some(rendition) = broadcast.rendition(id) else { return missing("no such rendition") };
            if let File::Segment(msn) = file
                && rendition.published().epochs.open(msn, pass)
                && let Some(late) = live.late_segment(&stream, &broadcast, id, msn).await
            {
                return immutable(Content::Whole(late));
            }
            match file {
                File::Playlist => match admit(live, &stream, pass) {
                    Ok(lasting) => {
                        let answer = playlist(&rendition, query.unwrap_or_default(), lasting, patience).await;
                        // Whoever was shown out while they waited must not learn of the new epoch.
                        admit(live, &stream, pass).map_or_else(|refusal| refusal, |_| answer)
                    }
                    Err(refusal) => refusal,
                },
                File::Init(number) => init(&rendition, number, pass),
                File::Segment(msn) => segment(&rendition, msn, pass, patience).await,
                File::Part(msn, part) => self::part(&rendition, (msn, part), pass, patience).await,
            }
        }
    }
}

/// How long an answer may be kept, given seconds.
type Lasting = fn(u32) -> Cache;

/// Whether whoever asks with `pass` may have playlists; they may be kept by anybody, or by the viewer alone.
fn admit(live: &Live, stream: &LiveStream, pass: Option<&str>) -> Result<Lasting, Answer> {
    match (stream.guarded().as_ref(), pass) {
        (None, None) => Ok(Cache::Seconds),
        (None, Some(_)) => Err(missing("no such broadcast")),
        (Some(gate), Some(ticket)) if gate.takes(ticket, live.clock().now()) => Ok(Cache::Private),
        (Some(_), _) => Err(Answer::refusal(StatusCode::FORBIDDEN, Cache::No, NOT_ADMITTED)),
    }
}

fn multivariant(live: &Live, stream: &str, pass: Option<&str>) -> Answer {
    let Some(stream) = stream.parse().ok().and_then(|id| live.get(&id)) else { return missing("no such stream") };
    let lasting = match admit(live, &stream, pass) {
        Ok(lasting) => lasting,
        Err(refusal) => return refusal,
    };
    let Some(broadcast) = stream.current() else { return missing("this stream is not live") };
    let text = broadcast.multivariant();
    if text.is_empty() {
        return missing("this stream has no picture yet");
    }
    let etag = ETag::of(&text);
    Answer::found(PLAYLIST_TYPE, lasting(PLAYLIST_SECONDS), etag, Content::Whole(text))
}

async fn playlist(rendition: &Rendition, query: &str, lasting: Lasting, patience: &mut Patience) -> Answer {
    let directives = match Directives::parse(query) {
        Ok(directives) => directives,
        Err(error) => return Answer::refusal(StatusCode::BAD_REQUEST, Cache::No, error),
    };
    let Some(msn) = directives.msn else {
        return listed(&rendition.published(), directives.skip, lasting(PLAYLIST_SECONDS));
    };
    let held = hold(rendition, patience, |published| match published.snapshot.reload(msn, directives.part) {
        Reload::Ready => Some(true),
        Reload::TooFar => Some(false),
        Reload::Wait => None,
    })
    .await;
    match held {
        Ok((published, true)) => {
            let seconds = HELD_PLAYLIST_TARGET_DURATIONS * published.snapshot.target_duration();
            listed(&published, directives.skip, lasting(seconds))
        }
        Ok((_, false)) => {
            Answer::refusal(StatusCode::BAD_REQUEST, Cache::No, "_HLS_msn or _HLS_part is too far in the future")
        }
        Err(impatient) => late(impatient),
    }
}

fn listed(published: &Published, skip: bool, cache: Cache) -> Answer {
    let delta = published.delta.as_ref().filter(|_| skip);
    let text = delta.unwrap_or(&published.playlist);
    let etag = ETag(if delta.is_some() { published.delta_etag } else { published.etag });
    Answer::found(PLAYLIST_TYPE, cache, etag, Content::Whole(text.clone()))
}

async fn part(rendition: &Rendition, at: (u64, u32), pass: Option<&str>, patience: &mut Patience) -> Answer {
    let find = |published: &Published| published.snapshot.part(at.0, at.1);
    media(rendition, (at.0, pass), patience, find, Content::Whole).await
}

async fn segment(rendition: &Rendition, msn: u64, pass: Option<&str>, patience: &mut Patience) -> Answer {
    media(rendition, (msn, pass), patience, |published| published.snapshot.segment(msn), Content::Pieces).await
}

fn init(rendition: &Rendition, number: u32, pass: Option<&str>) -> Answer {
    let published = rendition.published();
    match published.snapshot.init(number).filter(|_| published.epochs.open_init(pass)) {
        Some(bytes) => immutable(Content::Whole(bytes)),
        None => missing("no such init segment"),
    }
}

/// Media that may still have to be waited for, as a hinted part has to: of a segment, for those who ask with a pass.
async fn media<T>(
    rendition: &Rendition,
    (msn, pass): (u64, Option<&str>),
    patience: &mut Patience,
    find: impl Fn(&Published) -> Lookup<T>,
    content: impl FnOnce(T) -> Content,
) -> Answer {
    let held = hold(rendition, patience, |published| match find(published) {
        _ if !published.epochs.open(msn, pass) => Some(Err(Cache::No)),
        Lookup::Here(found) => Some(Ok(found)),
        Lookup::Gone => Some(Err(Cache::Seconds(MISSING_SECONDS))),
        // What a cache kept of this would soon be wrong.
        Lookup::NotYet => Some(Err(Cache::No)),
        Lookup::Wait => None,
    })
    .await;
    match held {
        Ok((_, Ok(found))) => immutable(content(found)),
        Ok((_, Err(cache))) => Answer::refusal(StatusCode::NOT_FOUND, cache, "not, or no longer, in this playlist"),
        Err(impatient) => late(impatient),
    }
}

/// What its URL names for ever: a tag from its length is enough to tell it from nothing else.
fn immutable(content: Content) -> Answer {
    let etag = ETag(content.len());
    Answer::found(MEDIA_TYPE, Cache::Immutable, etag, content).with_ranges()
}

/// Waits until `find` answers for what is published.
async fn hold<T>(
    rendition: &Rendition,
    patience: &mut Patience,
    find: impl Fn(&Published) -> Option<T>,
) -> Result<(Arc<Published>, T), Impatient> {
    let published = rendition.published();
    if let Some(found) = find(&published) {
        return Ok((published, found));
    }
    let limit = Duration::from_secs(u64::from(HOLD_TARGET_DURATIONS * published.snapshot.target_duration()));
    let mut changes = rendition.subscribe();
    let wait = async {
        loop {
            let published = Arc::clone(&changes.borrow_and_update());
            if let Some(found) = find(&published) {
                return Some((published, found));
            }
            changes.changed().await.ok()?;
        }
    };
    patience.wait(limit.min(HOLD_MAX), wait).await?.ok_or(Impatient::TooLong)
}

fn missing(reason: &str) -> Answer {
    Answer::refusal(StatusCode::NOT_FOUND, Cache::Seconds(MISSING_SECONDS), reason)
}

fn late(impatient: Impatient) -> Answer {
    let reason = match impatient {
        Impatient::TooLong => "nothing new came in time: ask again",
        Impatient::Stopping => "this origin is about to stop",
    };
    Answer::refusal(StatusCode::SERVICE_UNAVAILABLE, Cache::No, reason)
}

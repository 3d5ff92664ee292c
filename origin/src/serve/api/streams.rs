//! Streams that belong to a Nostr key: thin handlers over [`crate::streams`].

use axum::{
    Json,
    extract::{DefaultBodyLimit, Path, Query, State, rejection::QueryRejection},
    http::{HeaderValue, StatusCode, header, request::Parts},
    response::{IntoResponse, Redirect, Response},
    routing::{get, post, put},
};
use serde::Deserialize;
use skylark_protocol::{
    StreamId,
    api::{
        Analytics, AnalyticsPoint, ChangeStream, CreatedStream, FieldError, Guests, LeaveEnding, Phase, RotateKey,
        RotatedKey, Stream, StreamAccess, StreamDetails, StreamPage, Ticket, Viewers,
    },
    calendar::CalendarEntry,
    event::{PublicKey, kind},
    nip19::Entity,
};

use super::{Rooms, Shared, caller::Signed, failure::Failure, site_url};
use crate::{
    db::{Listing, OwnedStream, now_ms},
    secret::StreamKey,
    streams::{Refused, escrow, guests::Visitor, thumbnail},
};

/// Streams in one answer, if nothing else is asked for.
const DEFAULT_PAGE: u32 = 20;
/// Most streams in one answer.
const MAX_PAGE: u32 = 100;
/// Longest word that is searched for, characters.
const MAX_FILTER_CHARS: usize = 100;
/// Chat messages, or reactions, in one answer.
const MAX_EVENTS: usize = 100;
/// Most measurements in one answer.
const MAX_SAMPLES: u32 = 10_000;
/// Pictures are named by their content.
const THUMBNAIL_CACHE: &str = "public, max-age=31536000, immutable";
/// Those of private streams are in no cache but the viewer's.
const PRIVATE_THUMBNAIL_CACHE: &str = "private, max-age=31536000, immutable";

type Answer<T> = Result<Json<T>, Failure>;

/// Below `/api/v1/streams`.
pub(super) fn routes() -> axum::Router<Shared> {
    let thumbnail = put(set_thumbnail).layer(DefaultBodyLimit::max(thumbnail::MAX_BYTES)).get(get_thumbnail);
    let ending = put(leave_ending).layer(DefaultBodyLimit::max(escrow::MAX_EVENT_BYTES));
    axum::Router::new()
        .route("/", get(list))
        .route("/create", post(create))
        .route("/user/{pubkey}", get(list_of_user))
        .route("/{id}", get(describe).patch(change).delete(delete))
        .route("/{id}/start", post(start))
        .route("/{id}/stop", post(stop))
        .route("/{id}/pause", post(pause))
        .route("/{id}/resume", post(resume))
        .route("/{id}/key", post(rotate_key))
        .route("/{id}/ending", ending)
        .route("/{id}/ticket", post(ticket))
        .route("/{id}/guests", get(guests))
        .route("/{id}/guests/{pubkey}", put(let_in).delete(show_out))
        .route("/{id}/thumbnail", thumbnail)
        .route("/{id}/calendar", get(calendar))
        .route("/{id}/hls", get(playlist))
        .route("/{id}/chat", get(chat))
        .route("/{id}/reactions", get(reactions))
        .route("/{id}/viewers", get(viewers))
        .route("/{id}/analytics", get(analytics))
}

async fn create(State(shared): State<Shared>, signed: Signed) -> Result<Response, Failure> {
    let (details, rooms): (StreamDetails, _) = (signed.json()?, &shared.rooms);
    if rooms.streams.is_stranger(&signed.who).await? {
        shared.callers.pace_creation(&signed, rooms.streams.max_per_owner())?;
    }
    let (stream, key) = rooms.streams.create(&signed.who, details).await?;
    let stream = rooms.streams.describe(stream);
    let access = access(rooms, &signed.site, &stream.id, &key);
    Ok((StatusCode::CREATED, Json(CreatedStream { stream, access })).into_response())
}

async fn describe(State(rooms): State<Rooms>, Path(id): Path<String>, visitor: Visitor) -> Answer<Stream> {
    let stream = find(&rooms, &id, &visitor).await?;
    Ok(Json(rooms.streams.describe(stream)))
}

/// The stream with this id, if whoever asks may be told of it.
async fn find(rooms: &Rooms, id: &str, visitor: &Visitor) -> Result<OwnedStream, Failure> {
    let stream = rooms.streams.get(&stream_id(id)?).await?;
    rooms.streams.admit(visitor, &stream)?;
    Ok(stream)
}

async fn ticket(State(rooms): State<Rooms>, Path(id): Path<String>, signed: Signed) -> Answer<Ticket> {
    let id = stream_id(&id)?;
    let ticket = rooms.streams.ticket(&signed.who, &id).await?;
    let playlist = format!("/live/{id}/{}/index.m3u8", ticket.text);
    let stream = rooms.streams.describe(ticket.stream);
    Ok(Json(Ticket { stream, playlist, good_until_s: ticket.good_until_s }))
}

async fn guests(State(rooms): State<Rooms>, Path(id): Path<String>, signed: Signed) -> Answer<Guests> {
    Ok(Json(Guests { guests: rooms.streams.guests(&signed.who, &stream_id(&id)?).await? }))
}

async fn let_in(
    State(rooms): State<Rooms>,
    Path((id, guest)): Path<(String, String)>,
    signed: Signed,
) -> Result<StatusCode, Failure> {
    rooms.streams.let_in(&signed.who, &stream_id(&id)?, person(&guest)?).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn show_out(
    State(rooms): State<Rooms>,
    Path((id, guest)): Path<(String, String)>,
    signed: Signed,
) -> Result<StatusCode, Failure> {
    rooms.streams.show_out(&signed.who, &stream_id(&id)?, &person(&guest)?).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn change(State(rooms): State<Rooms>, Path(id): Path<String>, signed: Signed) -> Answer<Stream> {
    let change: ChangeStream = signed.json()?;
    let stream = rooms.streams.change(&signed.who, &stream_id(&id)?, change).await?;
    Ok(Json(rooms.streams.describe(stream)))
}

async fn delete(State(rooms): State<Rooms>, Path(id): Path<String>, signed: Signed) -> Result<StatusCode, Failure> {
    rooms.streams.delete(&signed.who, &stream_id(&id)?).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn start(State(rooms): State<Rooms>, Path(id): Path<String>, signed: Signed) -> Answer<Stream> {
    let stream = rooms.streams.start(&signed.who, &stream_id(&id)?).await?;
    Ok(Json(rooms.streams.describe(stream)))
}

async fn stop(State(rooms): State<Rooms>, Path(id): Path<String>, signed: Signed) -> Answer<Stream> {
    let stream = rooms.streams.stop(&signed.who, &stream_id(&id)?).await?;
    Ok(Json(rooms.streams.describe(stream)))
}

async fn pause(State(rooms): State<Rooms>, Path(id): Path<String>, signed: Signed) -> Answer<Stream> {
    let stream = rooms.streams.pause(&signed.who, &stream_id(&id)?).await?;
    Ok(Json(rooms.streams.describe(stream)))
}

async fn resume(State(rooms): State<Rooms>, Path(id): Path<String>, signed: Signed) -> Answer<Stream> {
    let stream = rooms.streams.resume(&signed.who, &stream_id(&id)?).await?;
    Ok(Json(rooms.streams.describe(stream)))
}

async fn rotate_key(State(rooms): State<Rooms>, Path(id): Path<String>, signed: Signed) -> Answer<RotatedKey> {
    let (id, rotate) = (stream_id(&id)?, signed.json_or_default::<RotateKey>()?);
    if let Some(from) = rotate.from {
        rooms.streams.take_key(&signed.who, &from, &id).await?;
        return Ok(Json(RotatedKey { access: None }));
    }
    let key = rooms.streams.rotate_key(&signed.who, &id).await?;
    Ok(Json(RotatedKey { access: Some(access(&rooms, &signed.site, &id, &key)) }))
}

async fn leave_ending(
    State(rooms): State<Rooms>,
    Path(id): Path<String>,
    signed: Signed,
) -> Result<StatusCode, Failure> {
    let LeaveEnding { event } = signed.json()?;
    let now_s = u64::try_from(now_ms() / 1000).unwrap_or_default();
    rooms.streams.leave_ending(&signed.who, &stream_id(&id)?, &event, now_s).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn set_thumbnail(State(rooms): State<Rooms>, Path(id): Path<String>, signed: Signed) -> Answer<Stream> {
    let (id, who) = (stream_id(&id)?, signed.who);
    rooms.streams.set_thumbnail(&who, &id, signed.into_body().to_vec()).await?;
    Ok(Json(rooms.streams.describe(rooms.streams.get(&id).await?)))
}

/// Which picture is meant.
#[derive(Debug, Deserialize)]
struct Version {
    v: Option<String>,
}

async fn get_thumbnail(
    State(rooms): State<Rooms>,
    Path(id): Path<String>,
    Query(version): Query<Version>,
) -> Result<Response, Failure> {
    let stream = rooms.streams.get(&stream_id(&id)?).await?;
    let picture = rooms.streams.thumbnail(&stream.id).await?;
    // Of a private stream, whoever was told its URL may see it: a browser cannot sign what it asks of a picture.
    if stream.details.private && version.v.as_ref() != Some(&picture.hash) {
        return Err(Failure::from(Refused::NotInvited));
    }
    let mut response = picture.bytes.into_response();
    let media_type = HeaderValue::from_str(&picture.media_type).unwrap_or(HeaderValue::from_static("image/jpeg"));
    response.headers_mut().insert(header::CONTENT_TYPE, media_type);
    for (name, value) in [
        (header::CACHE_CONTROL, if stream.details.private { PRIVATE_THUMBNAIL_CACHE } else { THUMBNAIL_CACHE }),
        // Whatever else the file may be, it is looked at as a picture only.
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'; sandbox"),
    ] {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    Ok(response)
}

/// A planned stream for calendars.
async fn calendar(State(rooms): State<Rooms>, Path(id): Path<String>, parts: Parts) -> Result<Response, Failure> {
    // Calendars cannot say who they are.
    let stream = find(&rooms, &id, &Visitor::Stranger).await?;
    let starts_at_s =
        stream.details.starts_at_s.filter(|_| stream.phase() == Phase::Planned).ok_or_else(|| {
            Failure::new(StatusCode::NOT_FOUND, "not-planned", "this stream is not planned for a date")
        })?;
    let site = rooms.site.as_asked(&parts)?;
    let entry = CalendarEntry {
        uid: &format!("{id}@{}", site_url::host(&site)),
        title: &stream.details.title,
        description: &stream.details.description,
        url: &format!("{site}/s/{id}"),
        starts_at_s,
        written_at_s: u64::try_from(stream.updated_at_ms / 1000).unwrap_or_default(),
    };
    let disposition = format!("attachment; filename=\"{id}.ics\"");
    let headers = [(header::CONTENT_TYPE, CalendarEntry::MEDIA_TYPE), (header::CONTENT_DISPOSITION, &disposition)];
    Ok((headers, entry.file()).into_response())
}

/// Players that know only this API find the playlist here.
async fn playlist(State(rooms): State<Rooms>, Path(id): Path<String>) -> Result<Redirect, Failure> {
    let status = super::find(&rooms, &id)?.status();
    status
        .playlist
        .map(|path| Redirect::temporary(&path))
        .ok_or_else(|| Failure::new(StatusCode::NOT_FOUND, "nothing-to-play", "there is nothing to play at the moment"))
}

async fn chat(State(rooms): State<Rooms>, Path(id): Path<String>, visitor: Visitor) -> Answer<Vec<nostr::Event>> {
    let stream = find(&rooms, &id, &visitor).await?;
    events(&rooms, &stream, &[kind::CHAT]).await
}

async fn reactions(State(rooms): State<Rooms>, Path(id): Path<String>, visitor: Visitor) -> Answer<Vec<nostr::Event>> {
    let stream = find(&rooms, &id, &visitor).await?;
    events(&rooms, &stream, &[kind::REACTION]).await
}

/// To write, and to hear what is new, there is the relay.
async fn events(rooms: &Rooms, stream: &OwnedStream, kinds: &[u16]) -> Answer<Vec<nostr::Event>> {
    Ok(Json(rooms.streams.events(stream, kinds, MAX_EVENTS).await?))
}

async fn viewers(State(rooms): State<Rooms>, Path(id): Path<String>, visitor: Visitor) -> Answer<Viewers> {
    let stream = find(&rooms, &id, &visitor).await?;
    Ok(Json(rooms.streams.viewers(&stream)))
}

async fn analytics(State(rooms): State<Rooms>, Path(id): Path<String>, signed: Signed) -> Answer<Analytics> {
    let (stream, samples) = rooms.streams.analytics(&signed.who, &stream_id(&id)?, MAX_SAMPLES).await?;
    let points = samples.into_iter().map(|sample| AnalyticsPoint {
        at_ms: sample.at_ms,
        viewers: sample.viewers,
        bitrate_bps: sample.bitrate_bps,
    });
    Ok(Json(Analytics { viewers: rooms.streams.viewers(&stream), points: points.collect() }))
}

/// What a list can be narrowed down to.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    phase: Option<Phase>,
    category: Option<String>,
    tag: Option<String>,
    title: Option<String>,
    after: Option<String>,
    limit: Option<u32>,
}

impl Wanted {
    fn listing(self, owner: Option<PublicKey>, private: bool) -> Result<Listing, Failure> {
        let mut wrong = Vec::new();
        for (field, text) in [("category", &self.category), ("tag", &self.tag), ("title", &self.title)] {
            if text.as_ref().is_some_and(|text| text.chars().count() > MAX_FILTER_CHARS) {
                wrong.push(FieldError::new(field, format!("has more than {MAX_FILTER_CHARS} characters")));
            }
        }
        let limit = self.limit.unwrap_or(DEFAULT_PAGE);
        if !(1..=MAX_PAGE).contains(&limit) {
            wrong.push(FieldError::new("limit", format!("is not 1 to {MAX_PAGE}")));
        }
        let after = self.after.as_deref().map(cursor);
        if after == Some(None) {
            wrong.push(FieldError::new("after", "is not what an answer had as next"));
        }
        if !wrong.is_empty() {
            return Err(Failure::fields(wrong));
        }
        let Self { phase, category, tag, title, .. } = self;
        Ok(Listing { owner, phase, category, tag, title, after: after.flatten(), private, limit })
    }
}

async fn list(State(rooms): State<Rooms>, wanted: Result<Query<Wanted>, QueryRejection>) -> Answer<StreamPage> {
    page(&rooms, wanted, None, false).await
}

async fn list_of_user(
    State(rooms): State<Rooms>,
    Path(user): Path<String>,
    wanted: Result<Query<Wanted>, QueryRejection>,
    visitor: Visitor,
) -> Answer<StreamPage> {
    let owner = person(&user)?;
    // Whoever signs is told of their own private streams, too.
    page(&rooms, wanted, Some(owner), visitor == Visitor::Key(owner)).await
}

fn person(text: &str) -> Result<PublicKey, Failure> {
    let known = match text.parse() {
        Ok(Entity::Profile(pubkey, _)) => Some(pubkey),
        _ => text.parse().ok(),
    };
    let reason = "is no public key: npub1…, or 64 hexadecimal digits";
    known.ok_or_else(|| Failure::fields(vec![FieldError::new("pubkey", reason)]))
}

async fn page(
    rooms: &Rooms,
    wanted: Result<Query<Wanted>, QueryRejection>,
    owner: Option<PublicKey>,
    private: bool,
) -> Answer<StreamPage> {
    let Query(wanted) = wanted.map_err(|error| Failure::bad_request("unreadable", error.body_text()))?;
    let listing = wanted.listing(owner, private)?;
    let streams = rooms.streams.list(&listing).await?;
    let is_full = streams.len() >= listing.limit as usize;
    let next = streams.last().filter(|_| is_full).map(|last| format!("{}-{}", last.created_at_ms, last.id));
    Ok(Json(StreamPage { streams, next }))
}

fn cursor(text: &str) -> Option<(i64, StreamId)> {
    let (at_ms, id) = text.split_once('-')?;
    Some((at_ms.parse().ok()?, id.parse().ok()?))
}

fn stream_id(text: &str) -> Result<StreamId, Failure> {
    text.parse().map_err(|_| Failure::no_such_stream())
}

/// Where and how to publish to a stream.
fn access(rooms: &Rooms, site: &str, id: &StreamId, key: &StreamKey) -> StreamAccess {
    let (host, key) = (site_url::host(site), key.reveal());
    let (rtmp, srt) = (rooms.ingest.rtmp, rooms.ingest.srt);
    StreamAccess {
        key: key.to_owned(),
        rtmp_url: format!("rtmp://{host}:{rtmp}/live"),
        srt_url: format!("srt://{host}:{srt}?streamid=#!::r=live/{key},m=publish"),
        playlist_url: format!("{site}/live/{id}/index.m3u8"),
        page_url: format!("{site}/s/{id}"),
    }
}

use std::net::SocketAddr;

use nostr::{EventBuilder, JsonUtil as _, Keys, Kind, SecretKey, Tag};
use skylark_protocol::event::Event;

use super::*;
use crate::{
    config::Config,
    ingest::Protocol,
    live::{LiveConfig, Refusal},
    store::Store,
};

fn keys(number: u8) -> Keys {
    Keys::new(SecretKey::from_slice(&[number; 32]).unwrap())
}

fn pubkey(keys: &Keys) -> PublicKey {
    PublicKey::from_bytes(keys.public_key().to_bytes())
}

fn titled(title: &str) -> StreamDetails {
    StreamDetails { title: title.into(), ..StreamDetails::default() }
}

/// The streams of a server that was started at that time, over what an earlier one left.
async fn opened(db: &Db, opened_at_ms: i64) -> Streams {
    opened_with(db, opened_at_ms, LiveConfig::default()).await
}

async fn opened_with(db: &Db, opened_at_ms: i64, live: LiveConfig) -> Streams {
    let live = Live::new(live, Store::memory(), db.clone());
    let (_, stop) = tokio::sync::watch::channel(false);
    let relay = Relay::new(Config::default().relay_config(), db.clone(), stop);
    let config = StreamsConfig { allow: Allow::Everybody, answer_time: Duration::ZERO, ..StreamsConfig::default() };
    let streams = Streams::open(config, db.clone(), live, relay).await.unwrap();
    Streams { opened_at_ms, ..Arc::into_inner(streams).unwrap() }
}

fn ending(host: &Keys, id: &StreamId, at_s: u64) -> Event {
    let ends = at_s.to_string();
    let tags = [["d", id.as_str()], ["status", "ended"], ["ends", &ends]].map(|tag| Tag::parse(tag).unwrap());
    let event = EventBuilder::new(Kind::LiveEvent, "").tags(tags).custom_created_at(at_s.into());
    serde_json::from_str(&event.sign_with_keys(host).unwrap().as_json()).unwrap()
}

async fn ends_on_the_relay(streams: &Streams) -> usize {
    streams.relay.query(&[nostr::Filter::new().kind(Kind::LiveEvent)]).await.unwrap().len()
}

#[tokio::test]
async fn a_stream_that_was_live_when_the_server_died_ends_after_its_time_out() {
    let (db, host) = (Db::memory().await.unwrap(), keys(1));
    let who = pubkey(&host);
    let before = opened(&db, now_ms()).await;
    let (stream, _) = before.create(&who, titled("a")).await.unwrap();
    before.start(&who, &stream.id).await.unwrap();
    let now_s = u64::try_from(now_ms() / 1000).unwrap();
    before.leave_ending(&who, &stream.id, &ending(&host, &stream.id, now_s), now_s).await.unwrap();
    db.mark_had_media(&stream.id).await.unwrap();
    drop(before);

    let just_started = opened(&db, now_ms()).await;
    just_started.look().await.unwrap();
    assert_eq!(just_started.get(&stream.id).await.unwrap().phase(), Phase::Live, "its publisher may come back");
    let later = opened(&db, now_ms() - 30_000).await;
    later.look().await.unwrap();
    assert_eq!(later.get(&stream.id).await.unwrap().phase(), Phase::Ended);
    assert_eq!(ends_on_the_relay(&later).await, 1);
    assert!(db.unsettled_endings(i64::MAX, 10).await.unwrap().is_empty(), "once");
}

#[tokio::test]
async fn a_stream_that_never_had_media_ends_when_its_host_is_silent() {
    let (db, host) = (Db::memory().await.unwrap(), keys(1));
    let who = pubkey(&host);
    let streams = opened(&db, now_ms()).await;
    let (stream, _) = streams.create(&who, titled("a")).await.unwrap();
    streams.start(&who, &stream.id).await.unwrap();
    let ago = |s: i64| now_ms() - s * 1000;
    for (silent_s, phase) in [(170, Phase::Live), (181, Phase::Ended)] {
        let update = sqlx::query("UPDATE owned_streams SET started_at_ms = ?").bind(ago(silent_s));
        update.execute(db.pool()).await.unwrap();
        opened(&db, ago(1000)).await.look().await.unwrap();
        assert_eq!(streams.get(&stream.id).await.unwrap().phase(), phase, "after {silent_s} s");
    }
}

#[tokio::test]
async fn a_preview_may_come_and_go_before_the_stream_is_live() {
    let db = Db::memory().await.unwrap();
    let streams = opened(&db, now_ms() - 1_000_000).await;
    let who = pubkey(&keys(1));
    let (stream, key) = streams.create(&who, titled("a")).await.unwrap();
    let peer: SocketAddr = "127.0.0.1:1935".parse().unwrap();
    drop(streams.live.admit(key.reveal(), Protocol::Rtmp, peer).await.unwrap());
    streams.look().await.unwrap();
    assert_eq!(streams.get(&stream.id).await.unwrap().phase(), Phase::Planned);
    assert!(streams.live.admit(key.reveal(), Protocol::Rtmp, peer).await.is_ok());
}

#[tokio::test]
async fn streams_that_ended_are_forgotten_after_their_time_and_others_are_kept() {
    let db = Db::memory().await.unwrap();
    let streams = opened(&db, now_ms()).await;
    let who = pubkey(&keys(1));
    let (old, key) = streams.create(&who, titled("old")).await.unwrap();
    let (recent, _) = streams.create(&who, titled("recent")).await.unwrap();
    let (planned, _) = streams.create(&who, titled("planned")).await.unwrap();
    for id in [&old.id, &recent.id] {
        streams.stop(&who, id).await.unwrap();
    }
    let hours = |hours: i64| now_ms() - hours * 3_600_000;
    let update = sqlx::query("UPDATE owned_streams SET ended_at_ms = ? WHERE stream_id = ?");
    update.bind(hours(25)).bind(old.id.as_str()).execute(db.pool()).await.unwrap();
    let sample = |at_ms| Sample { at_ms, viewers: 3, bitrate_bps: 5 };
    for at_ms in [hours(24 * 31), hours(1)] {
        db.add_sample(&recent.id, sample(at_ms), 7, 9).await.unwrap();
    }
    streams.clean().await.unwrap();
    assert!(matches!(streams.get(&old.id).await, Err(Refused::NoSuchStream)));
    assert!(streams.live.get(&old.id).is_none());
    let peer: SocketAddr = "127.0.0.1:1935".parse().unwrap();
    let refusal = streams.live.admit(key.reveal(), Protocol::Rtmp, peer).await.unwrap_err();
    assert_eq!(refusal, Refusal::UnknownKey);
    for id in [&recent.id, &planned.id] {
        assert!(streams.get(id).await.is_ok());
    }
    assert_eq!(db.samples(&recent.id, 10).await.unwrap().len(), 1, "measurements are kept for 30 days");
    let recent = streams.get(&recent.id).await.unwrap();
    assert_eq!((recent.peak_viewers, recent.total_viewers), (7, 9));
}

#[tokio::test]
async fn ended_streams_count_too_once_there_are_many() {
    let db = Db::memory().await.unwrap();
    let streams = opened(&db, now_ms()).await;
    let who = pubkey(&keys(1));
    let mut made = 0;
    while let Ok((stream, _)) = streams.create(&who, titled("a")).await {
        streams.stop(&who, &stream.id).await.unwrap();
        made += 1;
        assert!(made <= 100, "without end");
    }
    assert_eq!(made, 100);
}

#[tokio::test]
async fn strangers_leave_room_for_whom_the_server_belongs_to() {
    let db = Db::memory().await.unwrap();
    let owner = pubkey(&keys(1));
    db.set_owner(&owner).await.unwrap();
    let streams = opened_with(&db, now_ms(), LiveConfig { max_streams: 8, ..LiveConfig::default() }).await;
    for stranger in 2..6 {
        streams.create(&pubkey(&keys(stranger)), titled("a")).await.unwrap();
    }
    assert!(matches!(streams.create(&pubkey(&keys(7)), titled("a")).await, Err(Refused::Full)));
    for _ in 0..4 {
        streams.create(&owner, titled("a")).await.unwrap();
    }
    assert!(matches!(streams.create(&owner, titled("a")).await, Err(Refused::Full)), "there is an end for everybody");
}

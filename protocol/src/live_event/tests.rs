use super::*;
use crate::event::{Event, ReadError, tests::event};

const NOW: u64 = 1_700_000_000;

fn key(digits: &str) -> PublicKey {
    digits.repeat(32).parse().unwrap()
}

fn read(tags: &[&[&str]]) -> LiveEvent {
    let tags: Vec<&[&str]> = std::iter::once(&["d", "demo"] as &[&str]).chain(tags.iter().copied()).collect();
    LiveEvent::read(&event(30_311, &tags, "")).unwrap()
}

#[test]
fn the_example_of_the_nip() {
    let live = read(&[
        &["title", "Adult Swim Metalocalypse"],
        &["summary", "Live stream from IPTV-ORG collection"],
        &["streaming", "https://adultswim-vodlive.cdn.turner.com/live/metalocalypse/stream.m3u8"],
        &["starts", "1687182672"],
        &["status", "live"],
        &["t", "animation"],
        &["t", "iptv"],
        &["image", "https://i.imgur.com/CaKq6Mt.png"],
    ]);
    assert_eq!(live.host(), live.address.pubkey);
    assert_eq!((live.title.as_str(), live.starts), ("Adult Swim Metalocalypse", Some(1_687_182_672)));
    assert_eq!(live.hashtags, ["animation", "iptv"]);
    assert_eq!(live.state(NOW), Status::Live);
    assert!(matches!(live.source(NOW), Some(Source::Hls(url)) if url.ends_with("stream.m3u8")));
}

#[test]
fn a_service_is_believed_who_the_host_is_and_nobody_else() {
    let host = key("0b").to_string();
    let tags: &[&[&str]] =
        &[&["d", "x"], &["p", &host, "", "host"], &["service", "https://api-core.zap.stream/api/v1"]];
    let mut announced = event(30_311, tags, "");
    assert_eq!(LiveEvent::read(&announced).unwrap().host(), announced.pubkey, "somebody names somebody");
    announced.pubkey = SERVICES[0];
    let live = LiveEvent::read(&announced).unwrap();
    assert_eq!(live.host(), key("0b"));
    assert_eq!(live.service.as_deref(), Some("https://api-core.zap.stream/api/v1"));
}

#[test]
fn the_first_playable_playlist_wins_over_other_schemes() {
    let live = read(&[
        &["color", "gradient-1"],
        &["relays", "wss://a.example", "wss://b.example/", "wss://a.example/"],
        &["status", "live"],
        &["streaming", "wss+livekit://nostrnests.com:443"],
        &["streaming"],
        &["streaming", "https://nostrnests.com/api/v1/live/x/live.m3u8"],
        &["streaming", "https://other.example/live.m3u8"],
    ]);
    assert_eq!(live.relays, ["wss://a.example", "wss://b.example"]);
    assert!(matches!(live.source(NOW), Some(Source::Hls(url)) if url.starts_with("https://nostrnests.com")));
}

#[test]
fn an_ended_one_plays_its_recording() {
    let live = read(&[&["status", "ended"], &["ends", "1699999999"], &["recording", "https://a.example/r.mp4"]]);
    assert_eq!(live.source(NOW), Some(Source::File("https://a.example/r.mp4".into())));
    let legacy = read(&[&["status", "ended"], &["url", "https://a.example/r.m3u8"]]);
    assert_eq!(legacy.source(NOW), Some(Source::Hls("https://a.example/r.m3u8".into())));
}

#[test]
fn the_state_is_what_is_true_not_what_is_said() {
    let at = |tags: &[&[&str]], later_s| read(tags).state(NOW + later_s);
    let live: &[&[&str]] = &[&["status", "live"]];
    assert_eq!(at(live, STALE_AFTER_S - 1), Status::Live);
    assert_eq!(at(live, STALE_AFTER_S), Status::Ended, "nobody refreshed it");
    let planned: &[&[&str]] = &[&["status", "planned"], &["starts", "1700000600"]];
    assert_eq!(at(planned, 600 + MISSED_AFTER_S - 1), Status::Planned);
    assert_eq!(at(planned, 600 + MISSED_AFTER_S), Status::Ended, "it never began");
    for (word, state) in
        [("LIVE", Status::Live), (" live ", Status::Live), ("Planned", Status::Planned), ("paused", Status::Ended)]
    {
        assert_eq!(at(&[&["status", word]], 0), state, "{word}");
    }
    assert_eq!(at(&[], 0), Status::Ended, "no status");
    assert_eq!(at(&[&["status"]], 0), Status::Ended, "an empty status");
    let ahead = read(live);
    assert!(ahead.is_listable(NOW - FUTURE_LIMIT_S) && !ahead.is_listable(NOW - FUTURE_LIMIT_S - 1));
}

#[test]
fn participants_survive_odd_tags() {
    let (a, b, c, d, e) = (
        key("a1").to_string(),
        key("b1").to_string(),
        key("c1").to_string(),
        key("d1").to_string(),
        key("e1").to_string(),
    );
    let proof = "ab".repeat(64);
    let live = read(&[
        &["p"],
        &["p", ""],
        &["p", "not-a-key", "", "Host"],
        &["p", &a],
        &["p", &b.to_uppercase(), "wss://r.example", "HOST", &proof],
        &["p", &c, "", "Admin", "not-hex"],
        &["p", &d, "junk", "director", "ab"],
        &["p", &format!("{e},wss://r.example,speaker")],
        &["p", &a, "", "host"],
    ]);
    let roles: Vec<_> = live.participants.iter().map(|one| (one.pubkey, one.role.clone())).collect();
    assert_eq!(
        roles,
        [
            (key("a1"), Role::Host),
            (key("b1"), Role::Host),
            (key("c1"), Role::Moderator),
            (key("d1"), Role::Other("director".into())),
            (key("e1"), Role::Speaker),
        ]
    );
    assert_eq!(live.participants[1].relay.as_deref(), Some("wss://r.example"));
    assert_eq!(live.participants[1].proof.as_deref(), Some(proof.as_str()));
    assert!(live.participants[2..4].iter().all(|one| one.proof.is_none() && one.relay.is_none()), "junk is no proof");
    assert_eq!(live.moderators().collect::<Vec<_>>(), [key("c1")]);
}

#[test]
fn one_odd_tag_never_costs_the_event() {
    let live = read(&[
        &[],
        &[""],
        &["t", "Bitcoin"],
        &["t", "#bitcoin"],
        &["t", "igdb:1234"],
        &["t", ""],
        &["a", "junk"],
        &["relays", "wss://a.example,wss://b.example, https://no.example"],
        &["starts", "soon"],
        &["starts", "1700000000123"],
        &["ends", "1700000000.5"],
        &["current_participants", "-3"],
        &["total_participants", "many"],
        &["image", "javascript:alert(1)"],
        &["thumb", "https://a.example/t.webp?n=1"],
        &["goal", "junk"],
        &["pinned", "junk"],
        &["pinned", &"ab".repeat(32)],
        &["content_warning", "nudity"],
        &["title", "A\u{202e}B\n<script>"],
        &["status", "live"],
    ]);
    assert_eq!(live.hashtags, ["bitcoin"]);
    assert_eq!(live.categories, ["igdb:1234"]);
    assert_eq!(live.relays, ["wss://a.example", "wss://b.example"]);
    assert_eq!((live.starts, live.ends), (Some(NOW), Some(NOW)));
    assert_eq!((live.current_participants, live.total_participants), (None, None));
    assert_eq!((live.image, live.thumb.as_deref()), (None, Some("https://a.example/t.webp?n=1")));
    assert_eq!((live.goal, live.pinned.len()), (None, 1));
    assert_eq!(live.content_warning.as_deref(), Some("nudity"));
    assert_eq!(live.title, "AB <script>");
}

#[test]
fn what_cannot_be_addressed_is_no_live_event() {
    assert_eq!(LiveEvent::read(&event(30_311, &[&["title", "x"]], "")), Err(ReadError::Tag("d")));
    assert_eq!(LiveEvent::read(&event(1, &[&["d", "x"]], "")), Err(ReadError::Kind { wanted: 30_311, found: 1 }));
    assert!(LiveEvent::read(&event(30_311, &[&["d", ""]], "")).is_ok(), "an empty d is one");
    assert!(LiveEvent::read(&event(30_311, &[&["d"]], "")).is_ok(), "a d without a value is an empty one");
}

#[test]
fn giant_events_are_read_in_part() {
    let keys: Vec<String> = (0..3000_u32).map(|n| format!("{n:064x}")).collect();
    let long = "x".repeat(100_000);
    let mut tags: Vec<&[&str]> = vec![&["status", "live"]];
    let title = ["title", long.as_str()];
    tags.push(&title);
    let people: Vec<[&str; 2]> = keys.iter().map(|key| ["p", key.as_str()]).collect();
    tags.extend(people.iter().map(|tag| tag.as_slice()));
    let live = read(&tags);
    assert_eq!((live.participants.len(), live.title.len()), (1000, 200));
}

#[test]
fn known_sites_are_told_from_pages() {
    let of = |url: &str| Source::of(url);
    assert_eq!(of("https://www.youtube.com/watch?list=x&v=dQw4w9WgXcQ"), Some(Source::YouTube("dQw4w9WgXcQ".into())));
    assert_eq!(of("https://youtu.be/dQw4w9WgXcQ?t=1"), Some(Source::YouTube("dQw4w9WgXcQ".into())));
    assert_eq!(of("https://m.youtube.com/live/abc_-1"), Some(Source::YouTube("abc_-1".into())));
    assert_eq!(of("https://www.twitch.tv/somebody"), Some(Source::Twitch("somebody".into())));
    assert_eq!(
        of("https://a.example/LIVE.M3U8?token=1#x"),
        Some(Source::Hls("https://a.example/LIVE.M3U8?token=1#x".into()))
    );
    assert_eq!(
        of("https://youtube.com.evil.example/watch?v=x"),
        Some(Source::Page("https://youtube.com.evil.example/watch?v=x".into()))
    );
    assert!(matches!(of("https://youtube.com/watch?v=\u{e9}"), Some(Source::Page(_))));
    for none in ["moq://a.example/x", "javascript:alert(1)//.m3u8", "", "https://a.example/\"x.m3u8"] {
        assert_eq!(of(none), None, "{none}");
    }
}

fn draft() -> LiveEventDraft {
    let mut draft = LiveEventDraft::new("demo", Status::Live, "Évening");
    draft.streaming = vec!["https://live.example/live/demo/master.m3u8".into(), "https://b.example/x.m3u8".into()];
    draft.hashtags = vec!["music".into(), "igdb:12".into()];
    draft.relays = vec!["wss://live.example".into(), "wss://r.example".into()];
    draft.starts = Some(NOW);
    draft.current_participants = Some(3);
    let guest = Participant { pubkey: key("b1"), role: Role::Speaker, relay: None, proof: None };
    draft.participants = vec![guest];
    draft
}

fn signed(draft: &LiveEventDraft, created_at: u64) -> Event {
    let unsigned = draft.unsigned(key("0a"), created_at).unwrap();
    unsigned.with_signature(crate::event::Signature::from_bytes([1; 64]))
}

#[test]
fn what_we_announce_is_what_clients_look_for() {
    let announced = signed(&draft(), NOW);
    let first = |name: &str| announced.tags.iter().find(|tag| tag[0] == name).cloned().unwrap();
    assert_eq!(first("streaming")[1], "https://live.example/live/demo/master.m3u8");
    assert_eq!(first("p"), ["p", &key("0a").to_string(), "", "Host"]);
    assert_eq!(first("status")[1], "live");
    assert_eq!(first("relays"), ["relays", "wss://live.example", "wss://r.example"]);
    let live = LiveEvent::read(&announced).unwrap();
    assert_eq!(live.host(), key("0a"));
    let again = LiveEventDraft::from(&live);
    let unsigned = again.unsigned(key("0a"), NOW).unwrap();
    assert_eq!(LiveEvent::read(&unsigned.with_signature(announced.sig)).unwrap().participants, live.participants);
}

#[test]
fn the_ending_is_true_to_the_refresh_and_replaces_it() {
    let refresh = signed(&draft(), NOW);
    let ending = signed(&draft().ending(NOW), NOW + 1);
    assert!(ending.replaces(&refresh));
    let ended = LiveEvent::read(&ending).unwrap();
    assert_eq!((ended.status, ended.ends, ended.current_participants), (Status::Ended, Some(NOW + 1), None));
    assert_eq!(ended.address, LiveEvent::read(&refresh).unwrap().address);
}

#[test]
fn drafts_that_others_would_not_take_say_which_field() {
    let field = |change: fn(&mut LiveEventDraft)| {
        let mut draft = draft();
        change(&mut draft);
        draft.unsigned(key("0a"), NOW).unwrap_err().field
    };
    assert_eq!(field(|draft| draft.identifier.clear()), "identifier");
    assert_eq!(field(|draft| draft.title = " ".into()), "title");
    assert_eq!(field(|draft| draft.title = "é".repeat(101)), "title");
    assert_eq!(field(|draft| draft.summary = "x".repeat(501)), "summary");
    assert_eq!(field(|draft| draft.hashtags = vec!["x".repeat(51)]), "hashtags");
    assert_eq!(field(|draft| draft.image = Some("data:,x".into())), "image");
    assert_eq!(field(|draft| draft.streaming = vec!["/live/x.m3u8".into()]), "streaming");
    assert_eq!(field(|draft| draft.relays = vec!["https://r.example".into()]), "relays");
}

//! Playlists and media as players and caches ask for them.

use std::time::Duration;

use crate::{
    client::Client,
    stage::{INIT, Setting, Stage},
};

#[tokio::test]
async fn a_player_finds_its_way_from_the_stream_to_the_media() {
    let mut stage = Stage::start().await;
    let second = stage.part().await;
    stage.end_segment().await;
    let multivariant = stage.get(&format!("/live/{}/index.m3u8", stage.id)).await;
    assert_eq!((multivariant.status, multivariant.header("content-type")), (200, "application/vnd.apple.mpegurl"));
    let folder = format!("/live/{}/", stage.id);
    let listed = multivariant.text().lines().find(|line| !line.starts_with('#') && !line.is_empty()).unwrap();
    assert_eq!(format!("{folder}{listed}"), stage.path("index.m3u8"));

    let playlist = stage.get(&stage.path("index.m3u8")).await;
    assert_eq!(playlist.header("content-type"), "application/vnd.apple.mpegurl");
    for uri in ["init0.mp4", "0.m4s", "0.0.m4s", "0.1.m4s"] {
        assert!(playlist.text().contains(uri), "{uri} in {}", playlist.text());
    }
    let init = stage.get(&stage.path("init0.mp4")).await;
    assert_eq!((init.header("content-type"), init.body.as_slice()), ("video/mp4", INIT));
    let part = stage.get(&stage.path("0.1.m4s")).await;
    assert_eq!((part.header("content-type"), part.body.as_slice()), ("video/mp4", &*second));
    let segment = stage.get(&stage.path("0.m4s")).await;
    assert_eq!(segment.body.len(), 2 * second.len());
    assert!(segment.body.ends_with(&second));
}

#[tokio::test]
async fn a_reload_is_answered_when_its_part_is_there() {
    let mut stage = Stage::start().await;
    let mut viewers = Vec::new();
    for _ in 0..20 {
        let mut viewer = stage.connect().await;
        viewer.ask("GET", &stage.path("index.m3u8?_HLS_msn=0&_HLS_part=1"), &[]).await;
        viewers.push(viewer);
    }
    stage.part().await;
    for viewer in &mut viewers {
        let answer = viewer.answer().await.unwrap();
        assert_eq!(answer.status, 200);
        assert!(answer.text().contains("\"0.1.m4s\""), "{}", answer.text());
    }
}

#[tokio::test]
async fn a_reload_without_a_part_waits_for_the_whole_segment() {
    let mut stage = Stage::start().await;
    let mut viewer = stage.connect().await;
    viewer.ask("GET", &stage.path("index.m3u8?_HLS_msn=0"), &[]).await;
    stage.part().await;
    stage.end_segment().await;
    let answer = viewer.answer().await.unwrap();
    assert!(answer.text().lines().any(|line| line == "0.m4s"), "{}", answer.text());
}

#[tokio::test]
async fn the_hinted_part_is_held_and_then_sent_whole() {
    let mut stage = Stage::start().await;
    let playlist = stage.get(&stage.path("index.m3u8")).await;
    let hint = playlist.text().lines().find(|line| line.starts_with("#EXT-X-PRELOAD-HINT")).unwrap();
    assert!(hint.contains("\"0.1.m4s\""), "{hint}");
    let mut viewer = stage.connect().await;
    viewer.ask("GET", &stage.path("0.1.m4s"), &[]).await;
    let data = stage.part().await;
    let part = viewer.answer().await.unwrap();
    assert_eq!((part.status, part.body), (200, data.to_vec()));
}

#[tokio::test]
async fn an_abandoned_hint_is_gone() {
    let stage = Stage::start().await;
    let mut viewer = stage.connect().await;
    viewer.ask("GET", &stage.path("0.1.m4s"), &[]).await;
    stage.end_segment().await;
    assert_eq!(viewer.answer().await.unwrap().status, 404);
}

#[tokio::test]
async fn a_segment_can_be_had_for_a_while_after_it_left_the_playlist() {
    let mut stage = Stage::start().await;
    let mut oldest = stage.get(&stage.path("0.0.m4s")).await.body;
    oldest.extend_from_slice(&stage.part().await);
    let (mut listed, mut segments) = (true, 0);
    while listed {
        stage.end_segment().await;
        for _ in 0..10 {
            stage.part().await;
        }
        segments += 1;
        assert!(segments < 50, "the oldest segment is never let go");
        let playlist = stage.get(&stage.path("index.m3u8")).await;
        listed = playlist.text().lines().any(|line| line == "0.m4s");
    }
    let late = stage.get(&stage.path("0.m4s")).await;
    assert_eq!((late.status, late.header("content-type")), (200, "video/mp4"));
    assert!(late.body == oldest, "the segment as it was");
    for _ in 0..30 {
        stage.end_segment().await;
        for _ in 0..10 {
            stage.part().await;
        }
    }
    assert_eq!(stage.get(&stage.path("0.m4s")).await.status, 404, "not for ever");
}

#[tokio::test]
async fn impossible_reloads_are_refused_with_a_reason() {
    let stage = Stage::start().await;
    for query in [
        "_HLS_part=1",
        "_HLS_msn=x",
        "_HLS_msn=-1",
        "_HLS_msn=0&_HLS_part=x",
        "_HLS_msn=99999999999999999999",
        "_HLS_skip=maybe",
        "_HLS_msn=3",
        "_HLS_msn=0&_HLS_part=1000",
    ] {
        let answer = stage.get(&stage.path(&format!("index.m3u8?{query}"))).await;
        assert_eq!((answer.status, answer.header("content-type")), (400, "text/plain; charset=utf-8"), "{query}");
        assert!(answer.text().contains("_HLS_"), "{query}: {}", answer.text());
    }
}

#[tokio::test]
async fn what_is_not_there_is_not_found() {
    let stage = Stage::start().await;
    let missing = [
        "/live/aaaaaaaaaaaa/index.m3u8".to_owned(),
        "/live/nonsense/index.m3u8".to_owned(),
        format!("/live/{}/aaaaaaaa/0/index.m3u8", stage.id),
        format!("/live/{}/index.html", stage.id),
        stage.path("init7.mp4"),
        stage.path("../0/index.m3u8"),
        stage.folder.replace("/0/", "/1/") + "index.m3u8",
    ];
    for path in missing {
        let answer = stage.get(&path).await;
        assert_eq!((answer.status, answer.header("cache-control")), (404, "public, max-age=1"), "{path}");
    }
    // It will be there soon: a cache that remembered otherwise would be wrong for everybody.
    for path in [stage.path("0.9.m4s"), stage.path("7.m4s"), stage.path("7.3.m4s")] {
        let answer = stage.get(&path).await;
        assert_eq!((answer.status, answer.header("cache-control")), (404, "no-store"), "{path}");
    }
}

#[tokio::test]
async fn a_long_playlist_can_be_had_as_a_delta() {
    let mut stage = Stage::start().await;
    for _ in 0..14 {
        for _ in 0..7 {
            stage.part().await;
        }
        stage.end_segment().await;
    }
    let whole = stage.get(&stage.path("index.m3u8")).await;
    for skip in ["YES", "v2"] {
        let delta = stage.get(&stage.path(&format!("index.m3u8?_HLS_skip={skip}"))).await;
        assert!(delta.text().contains("#EXT-X-SKIP:SKIPPED-SEGMENTS="), "{}", delta.text());
        assert!(delta.body.len() < whole.body.len());
        assert_ne!(delta.header("etag"), whole.header("etag"));
    }
    assert!(!whole.text().contains("#EXT-X-SKIP"));
}

#[tokio::test]
async fn after_the_end_nothing_is_held() {
    let mut stage = Stage::with(Setting { reconnect_timeout: Duration::from_millis(1), ..Setting::default() }).await;
    let mut held = stage.connect().await;
    held.ask("GET", &stage.path("index.m3u8?_HLS_msn=0&_HLS_part=1"), &[]).await;
    stage.leave();
    let last = held.answer().await.unwrap();
    assert!(last.text().contains("#EXT-X-ENDLIST"), "{}", last.text());
    let late = stage.get(&stage.path("index.m3u8?_HLS_msn=5")).await;
    assert_eq!((late.status, late.text()), (200, last.text()));
    assert_eq!(stage.get(&stage.path("1.0.m4s")).await.status, 404);
}

#[tokio::test]
async fn caches_learn_what_they_may_keep() {
    let mut stage = Stage::start().await;
    stage.part().await;
    stage.end_segment().await;
    for file in ["0.0.m4s", "0.m4s", "init0.mp4"] {
        let answer = stage.get(&stage.path(file)).await;
        assert_eq!(answer.header("cache-control"), "public, max-age=31536000, immutable", "{file}");
        assert_eq!(answer.header("accept-ranges"), "bytes");
    }
    let polled = stage.get(&stage.path("index.m3u8")).await;
    assert_eq!(polled.header("cache-control"), "public, max-age=1");
    let waited = stage.get(&stage.path("index.m3u8?_HLS_msn=0&_HLS_part=1")).await;
    assert_eq!(waited.header("cache-control"), "public, max-age=24");
    assert!(httpdate::parse_http_date(waited.header("date")).is_ok());
}

#[tokio::test]
async fn a_known_etag_spares_the_bytes_until_something_changes() {
    let mut stage = Stage::start().await;
    for file in ["index.m3u8", "0.0.m4s", "init0.mp4"] {
        let path = stage.path(file);
        let etag = stage.get(&path).await.header("etag").to_owned();
        assert!(etag.starts_with('"') && etag.len() > 2, "{file}: {etag}");
        let again = stage.connect().await.get(&path, &[("if-none-match", &etag)]).await;
        assert_eq!((again.status, again.header("etag")), (304, etag.as_str()), "{file}");
    }
    let path = stage.path("index.m3u8");
    let before = stage.get(&path).await.header("etag").to_owned();
    stage.part().await;
    assert_eq!(stage.connect().await.get(&path, &[("if-none-match", &before)]).await.status, 200);
}

#[tokio::test]
async fn heads_tell_the_same_as_gets() {
    let stage = Stage::start().await;
    let mut client = stage.connect().await;
    for path in [stage.path("index.m3u8"), stage.path("0.0.m4s"), "/healthz".to_owned()] {
        let (head, get) = (client.head(&path).await, client.get(&path, &[]).await);
        assert_eq!(head.status, 200, "{path}");
        for header in ["content-length", "content-type", "etag", "cache-control"] {
            assert_eq!(head.header(header), get.header(header), "{header} of {path}");
        }
    }
}

#[tokio::test]
async fn byte_ranges_reach_across_the_parts_of_a_segment() {
    let mut stage = Stage::start().await;
    let second = stage.part().await;
    stage.end_segment().await;
    let (path, length) = (stage.path("0.m4s"), second.len());
    let mut client = stage.connect().await;
    let whole = client.get(&path, &[]).await;
    let range = client.get(&path, &[("range", &format!("bytes={}-{}", length - 5, length + 4))]).await;
    assert_eq!(range.status, 206);
    assert_eq!(range.header("content-range"), format!("bytes {}-{}/{}", length - 5, length + 4, 2 * length));
    assert_eq!(range.body, whole.body[length - 5..length + 5]);
    let stale = client.get(&path, &[("range", "bytes=0-1"), ("if-range", "\"0000000000000000\"")]).await;
    assert_eq!((stale.status, stale.body.len()), (200, 2 * length));
    let beyond = client.get(&path, &[("range", &format!("bytes={}-", 2 * length))]).await;
    assert_eq!((beyond.status, beyond.header("content-range")), (416, format!("bytes */{}", 2 * length).as_str()));
}

#[tokio::test]
async fn what_many_ask_for_is_the_same_for_all() {
    // Large enough to be sent from a file in memory once several have asked.
    let mut stage = Stage::with(Setting { part_bytes: 100_000, ..Setting::default() }).await;
    let data = stage.part().await;
    let path = stage.path("0.1.m4s");
    for _ in 0..10 {
        let mut client = stage.connect().await;
        client.ask("GET", &path, &[]).await;
        client.ask("GET", &path, &[("range", "bytes=5-9")]).await;
        client.ask("GET", &path, &[]).await;
        let (first, range, last) = (client.answer().await, client.answer().await, client.answer().await);
        assert!(first.unwrap().body == data && last.unwrap().body == data);
        assert_eq!(range.unwrap().body, data[5..10]);
        assert_eq!(client.head(&path).await.header("content-length"), "100000");
    }
}

#[tokio::test]
async fn pages_of_other_sites_may_play() {
    let stage = Stage::start().await;
    let mut client = stage.connect().await;
    let path = stage.path("0.0.m4s");
    let part = client.get(&path, &[("origin", "https://elsewhere.test")]).await;
    assert_eq!(part.header("access-control-allow-origin"), "*");
    assert!(part.header("access-control-expose-headers").contains("Date"));
    let missing = client.get("/live/aaaaaaaaaaaa/index.m3u8", &[]).await;
    assert_eq!(missing.header("access-control-allow-origin"), "*", "a script has to see the status of errors, too");
    client
        .ask("OPTIONS", &path, &[("origin", "https://elsewhere.test"), ("access-control-request-headers", "range")])
        .await;
    let preflight = client.answer().await.unwrap();
    assert_eq!(preflight.status, 204);
    assert!(preflight.header("access-control-allow-headers").contains("Range"));
    assert!(preflight.header("access-control-allow-methods").contains("GET"));
}

#[tokio::test]
async fn requests_that_come_together_are_answered_in_order() {
    let mut stage = Stage::start().await;
    let second = stage.part().await;
    let mut client = stage.connect().await;
    let request = |file: &str| format!("GET {} HTTP/1.1\r\nhost: origin.test\r\n\r\n", stage.path(file));
    client.send(request("0.1.m4s") + &request("index.m3u8") + &request("init0.mp4")).await;
    assert_eq!(client.answer().await.unwrap().body, second);
    assert!(client.answer().await.unwrap().text().starts_with("#EXTM3U"));
    assert_eq!(client.answer().await.unwrap().body, INIT);
}

#[tokio::test]
async fn a_connection_ends_when_the_client_wants_it_to() {
    let stage = Stage::start().await;
    let path = stage.path("init0.mp4");
    for request in [
        format!("GET {path} HTTP/1.0\r\n\r\n"),
        format!("GET {path} HTTP/1.1\r\nhost: origin.test\r\nconnection: close\r\n\r\n"),
    ] {
        let mut client = stage.connect().await;
        client.send(request).await;
        let answer = client.answer().await.unwrap();
        assert_eq!((answer.header("connection"), answer.body.as_slice()), ("close", INIT));
        assert!(client.answer().await.is_none());
    }
}

#[tokio::test]
async fn other_methods_are_refused_and_the_connection_goes_on() {
    let stage = Stage::start().await;
    let mut client: Client = stage.connect().await;
    let path = stage.path("init0.mp4");
    client.send(format!("POST {path} HTTP/1.1\r\nhost: origin.test\r\ncontent-length: 3\r\n\r\nabc")).await;
    let refused = client.answer().await.unwrap();
    assert_eq!((refused.status, refused.header("allow")), (405, "GET, HEAD, OPTIONS"));
    assert_eq!(client.get(&path, &[]).await.body, INIT);
}

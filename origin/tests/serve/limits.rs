//! Clients who are slow, greedy or broken cost only themselves.

use crate::stage::{Setting, Stage};

#[tokio::test]
async fn heads_that_never_end_are_refused() {
    let stage = Stage::start().await;
    for filling in [format!("x-filling: {}\r\n", "a".repeat(20_000)), "x-filling: a\r\n".repeat(100)] {
        let mut client = stage.connect().await;
        client.send(format!("GET / HTTP/1.1\r\nhost: origin.test\r\n{filling}\r\n")).await;
        assert_eq!(client.answer().await.unwrap().status, 431);
        assert!(client.answer().await.is_none());
    }
}

#[tokio::test]
async fn nonsense_is_refused() {
    let stage = Stage::start().await;
    for nonsense in
        ["\u{1}\u{2}\u{3}\r\n\r\n", "GET\r\n\r\n", "GET / HTTP/9.9\r\n\r\n", "GET / HTTP/1.1\r\nno colon\r\n\r\n"]
    {
        let mut client = stage.connect().await;
        client.send(nonsense).await;
        assert_eq!(client.answer().await.unwrap().status, 400, "{nonsense:?}");
        assert!(client.answer().await.is_none());
    }
}

#[tokio::test]
async fn a_head_that_trickles_in_is_not_waited_for() {
    let stage = Stage::start().await;
    let mut client = stage.connect().await;
    client.send("GET / HTTP/1.1\r\nhost: ").await;
    // From here on time passes as soon as everybody waits.
    tokio::time::pause();
    let start = tokio::time::Instant::now();
    assert!(client.answer().await.is_none());
    assert_eq!(start.elapsed().as_secs(), 20);
}

#[tokio::test]
async fn a_reload_is_not_held_for_ever() {
    let stage = Stage::start().await;
    let mut client = stage.connect().await;
    let path = stage.path("index.m3u8?_HLS_msn=0&_HLS_part=1");
    tokio::time::pause();
    let start = tokio::time::Instant::now();
    let answer = client.get(&path, &[]).await;
    assert_eq!((answer.status, answer.header("retry-after")), (503, "1"));
    assert_eq!(start.elapsed().as_secs(), 9);
    tokio::time::resume();
    assert_eq!(client.get(&stage.path("index.m3u8"), &[]).await.status, 200);
}

#[tokio::test]
async fn a_viewer_who_stops_reading_is_left_behind() {
    let mut stage = Stage::with(Setting { part_bytes: 8 << 20, ..Setting::default() }).await;
    for _ in 0..3 {
        stage.part().await;
    }
    stage.end_segment().await;
    let mut stuck = stage.connect().await;
    stuck.ask("GET", &stage.path("0.m4s"), &[]).await;
    // Somebody else is served meanwhile.
    assert_eq!(stage.get(&stage.path("0.0.m4s")).await.body.len(), 8 << 20);
    tokio::time::pause();
    tokio::time::sleep(std::time::Duration::from_secs(40)).await;
    let received = stuck.drain().await;
    assert!(received < 4 * (8 << 20), "the connection was closed before its end: {received}");
}

#[tokio::test]
async fn too_many_connections_are_turned_away_until_one_ends() {
    turns_away_the_third(Setting { max_connections: 2, ..Setting::default() }).await;
}

#[tokio::test]
async fn one_address_cannot_take_every_place() {
    turns_away_the_third(Setting { max_connections_per_address: 2, ..Setting::default() }).await;
}

/// Two connections are served, a third is not before one of them ends.
async fn turns_away_the_third(setting: Setting) {
    let stage = Stage::with(setting).await;
    let (mut first, mut second) = (stage.connect().await, stage.connect().await);
    assert_eq!(first.get("/healthz", &[]).await.status, 200);
    assert_eq!(second.get("/healthz", &[]).await.status, 200);
    let mut third = stage.connect().await;
    assert_eq!(third.answer().await.unwrap().status, 503);
    drop(first);
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(10);
    loop {
        let mut next = stage.connect().await;
        next.send("GET /healthz HTTP/1.1\r\nhost: origin.test\r\n\r\n").await;
        if next.answer().await.is_some_and(|answer| answer.status == 200) {
            break;
        }
        assert!(std::time::Instant::now() < deadline, "the place of the first is never free");
    }
}

#[tokio::test]
async fn a_stop_answers_those_who_wait_and_lets_the_rest_finish() {
    let stage = Stage::with(Setting { part_bytes: 8 << 20, ..Setting::default() }).await;
    let mut held = stage.connect().await;
    held.ask("GET", &stage.path("index.m3u8?_HLS_msn=0&_HLS_part=3"), &[]).await;
    let mut idle = stage.connect().await;
    assert_eq!(idle.get("/healthz", &[]).await.status, 200);
    let mut reading = stage.connect().await;
    reading.ask("GET", &stage.path("0.0.m4s"), &[]).await;
    let mut part = reading.answer_head().await.unwrap();
    stage.stop();
    reading.answer_body(&mut part).await.unwrap();
    assert_eq!((part.status, part.body.len()), (200, 8 << 20));
    let answer = held.answer().await.unwrap();
    assert_eq!((answer.status, answer.header("connection")), (503, "close"));
    assert!(idle.answer().await.is_none());
    let addr = stage.addr;
    stage.server.await.unwrap();
    assert!(tokio::net::TcpStream::connect(addr).await.is_err());
}

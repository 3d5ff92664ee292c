//! Ten RTMP publishers: CPU time beside nginx-rtmp's, and memory.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};

use super::{
    Row, STREAM, Verdict,
    nginx::Nginx,
    process::{tree_cpu_time, tree_proportional_set_size},
};
use crate::{
    hls::resolve,
    http::Http,
    origin::{Origin, StreamKey},
    playlist::MediaPlaylist,
    publish::{self, Publisher},
    wait,
};

/// Publishers at once, to each of the two.
const PUBLISHERS: usize = 10;
/// The window fills before anything is measured.
const WINDOW: Duration = Duration::from_secs(36);
const MIB: f64 = 1024.0 * 1024.0;

/// Both servers take the same publishers at the same time.
///
/// # Errors
/// When one of them does not work.
pub async fn measure(quick: bool) -> Result<Vec<Row>> {
    let clip = STREAM.file()?;
    let origin = Origin::start().await?;
    let nginx = Nginx::start().await?;
    let mut publishers: Vec<Publisher> = Vec::new();
    let mut keys = Vec::new();
    for index in 0..PUBLISHERS {
        let key = origin.create_key()?;
        publishers.push(publish::ffmpeg_rtmp(&clip, &origin.rtmp_url(&key))?);
        publishers.push(publish::ffmpeg_rtmp(&clip, &nginx.rtmp_url(&format!("stream{index}")))?);
        keys.push(key);
    }
    wait::until("all streams are live", Duration::from_secs(30), async || {
        let live = origin.client().fetch(&origin.url("/api/v1/streams/live")).await.ok()?;
        let live: skylark_protocol::LiveStreams = serde_json::from_slice(&live).ok()?;
        (live.streams.len() == PUBLISHERS && nginx.segments().ok()? >= PUBLISHERS).then_some(())
    })
    .await?;
    tokio::time::sleep(WINDOW).await;
    let measured = Duration::from_secs(if quick { 20 } else { 60 });
    let before = (tree_cpu_time(origin.id())?, tree_cpu_time(nginx.id())?);
    tokio::time::sleep(measured).await;
    let after = (tree_cpu_time(origin.id())?, tree_cpu_time(nginx.id())?);
    for publisher in &mut publishers {
        ensure!(publisher.is_running(), "a publisher ended too early:\n{}", publisher.log());
    }
    let minutes = measured.as_secs_f64() / 60.0 * PUBLISHERS as f64;
    let ours = (after.0 - before.0).as_secs_f64() / minutes;
    let theirs = (after.1 - before.1).as_secs_f64() / minutes;
    let memory = memory(&origin, &keys).await?;
    Ok(vec![
        Row {
            what: "RTMP ingest of 10 × 2.6 Mbit/s, CPU-seconds per stream-minute".to_owned(),
            ours: format!("{ours:.3}"),
            reference: format!("nginx-rtmp {theirs:.3}"),
            ratio: Some(ours / theirs),
            goal: "must 1.0×, aim 0.6×".to_owned(),
            verdict: Verdict::at_most(ours / theirs, 1.0, Some(0.6)),
        },
        memory,
    ])
}

/// Proportional set size against what the window holds.
async fn memory(origin: &Origin, keys: &[StreamKey]) -> Result<Row> {
    let mut window = 0.0;
    for key in keys {
        window += window_bytes(origin.client(), &origin.playlist(key)).await?;
    }
    let size = tree_proportional_set_size(origin.id())? as f64;
    Ok(Row {
        what: "memory (PSS) with those 10, window of 30 s, write-behind on".to_owned(),
        ours: format!("{:.1} MiB", size / MIB),
        reference: format!("window {:.1} MiB", window / MIB),
        ratio: None,
        goal: "must window + 20 MiB".to_owned(),
        verdict: Verdict::at_most(size, window + 20.0 * MIB, None),
    })
}

/// What the media playlist of a stream lists, bytes.
async fn window_bytes(http: &Http, multivariant: &str) -> Result<f64> {
    let text = String::from_utf8(http.fetch(multivariant).await?.to_vec())?;
    let media = text.lines().find(|line| !line.is_empty() && !line.starts_with('#')).context("no rendition")?;
    let media = resolve(multivariant, media);
    let playlist = MediaPlaylist::parse(&String::from_utf8(http.fetch(&media).await?.to_vec())?)?;
    let mut bytes = 0.0;
    for segment in &playlist.segments {
        let files: Vec<&String> = match &segment.uri {
            Some(uri) => vec![uri],
            None => segment.parts.iter().map(|part| &part.uri).collect(),
        };
        for file in files {
            let answer = http.request(hyper::Method::HEAD, &resolve(&media, file), &[]).await?;
            bytes += answer.header("content-length").parse::<f64>().context("content-length")?;
        }
    }
    Ok(bytes)
}

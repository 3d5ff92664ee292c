//! CPU time of capturing, composing, encoding and sending, beside `gst-launch` with a pipeline of the same shape.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use skylark_protocol::StreamState;

use super::{HD, Headless, SOON, scenes, stage::Stage};
use crate::{
    bench::{Row, Verdict, process::cpu_time},
    origin::{Origin, StreamKey},
    publish::Publisher,
};

/// What starts up is not measured.
const SETTLING: Duration = Duration::from_secs(6);

/// Turn by turn, so that a machine that gets slower does so for both.
pub(super) async fn measure(stage: &Stage, origin: &Origin, quick: bool) -> Result<Vec<Row>> {
    let (turns, measured) = if quick { (1, Duration::from_secs(10)) } else { (3, Duration::from_secs(20)) };
    let (mut bare, mut plain, mut watched) = (0.0, 0.0, 0.0);
    let mut latencies = Vec::new();
    for _ in 0..turns {
        let key = origin.create_key()?;
        let mut pipeline = launch(stage, origin, &key)?;
        bare += cores(origin, &key, &mut pipeline, measured).await? / f64::from(turns);
        drop(pipeline);
        for (cores_of, options) in [(&mut plain, &[][..]), (&mut watched, &["--watch"][..])] {
            let key = origin.create_key()?;
            let mut studio = Headless::start(&scenes(), stage, origin, &key, &[HD], options)?;
            *cores_of += cores(origin, &key, &mut studio.publisher, measured).await? / f64::from(turns);
            if options.is_empty() {
                let report = studio.report()?;
                latencies.push((report.of_picture("p50_ms")?, report.of_picture("p95_ms")?));
            }
        }
    }
    let row = |what: &str, ours: f64| Row {
        what: format!("Studio, CPU of one core: screen, camera, microphone, 720p30 x264 veryfast, SRT{what}"),
        ours: format!("{:.1} %", ours * 100.0),
        reference: format!("gst-launch {:.1} %", bare * 100.0),
        ratio: Some(ours / bare),
        goal: "must 1.25×, aim 1.05×".to_owned(),
        verdict: Verdict::at_most(ours / bare, 1.25, Some(1.05)),
    };
    // The worst of all turns.
    let p50 = latencies.iter().map(|(p50, _)| *p50).fold(0.0, f64::max);
    let p95 = latencies.iter().map(|(_, p95)| *p95).fold(0.0, f64::max);
    Ok(vec![
        row("", plain),
        row(", preview on", watched),
        Row {
            what: "Studio, capture to encoder out".to_owned(),
            ours: format!("p50 {p50:.0} ms, p95 {p95:.0} ms"),
            reference: String::new(),
            ratio: None,
            goal: "must p95 50 ms, aim 33 ms".to_owned(),
            verdict: Verdict::at_most(p95, 50.0, Some(33.0)),
        },
    ])
}

/// How many cores a publisher keeps busy.
async fn cores(origin: &Origin, key: &StreamKey, publisher: &mut Publisher, measured: Duration) -> Result<f64> {
    origin.wait_for_state(key, StreamState::Live, SOON).await.with_context(|| publisher.log())?;
    tokio::time::sleep(SETTLING).await;
    let before = cpu_time(publisher.id())?;
    tokio::time::sleep(measured).await;
    let busy = cpu_time(publisher.id())? - before;
    ensure!(publisher.is_running(), "it ended too early:\n{}", publisher.log());
    // Whoever leaves frames out has less to do.
    let frame_rate = origin.status(key).await?.health.map_or(0.0, |health| health.frame_rate);
    ensure!((frame_rate - 30.0).abs() < 1.0, "it sends {frame_rate:.1} frames a second");
    Ok(busy.as_secs_f64() / measured.as_secs_f64())
}

/// The same shape without a Studio around it.
fn launch(stage: &Stage, origin: &Origin, key: &StreamKey) -> Result<Publisher> {
    let url = origin.srt_url(key);
    let (address, stream_id) = url.split_once("?streamid=").context("an SRT address has a stream id")?;
    let stream_id = stream_id.split('&').next().unwrap_or_default();
    let display = stage.display();
    let pipeline = format!(
        "-q ximagesrc display-name={display} use-damage=false show-pointer=false ! video/x-raw,framerate=30/1 ! queue ! mix.sink_0 \
         videotestsrc is-live=true ! video/x-raw,format=YUY2,width=640,height=360,framerate=30/1 ! queue ! mix.sink_1 \
         compositor name=mix background=black sink_1::xpos=896 sink_1::ypos=504 sink_1::width=384 sink_1::height=216 ! \
         video/x-raw,format=I420,width=1280,height=720,framerate=30/1 ! queue ! \
         x264enc speed-preset=veryfast tune=zerolatency bitrate=2500 key-int-max=60 pass=cbr bframes=0 ! \
         video/x-h264,profile=high ! h264parse config-interval=-1 ! queue ! mux. \
         pulsesrc device=ss.monitor ! queue ! audioconvert ! audioresample ! audio/x-raw,rate=48000,channels=2 ! \
         avenc_aac bitrate=128000 ! aacparse ! queue ! mux. \
         mpegtsmux name=mux alignment=7 ! srtsink uri={address}?mode=caller streamid=\"{stream_id}\""
    );
    let mut command = stage.command("gst-launch-1.0");
    command.args(pipeline.split_whitespace());
    Publisher::spawn("gst-launch", &mut command)
}

//! How fast the API says how a stream is.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use tokio::task::JoinSet;

use super::{Row, STREAM, Verdict};
use crate::{hls::Player, origin::Origin, publish};

/// Requests a second.
const REQUESTS_PER_S: u32 = 200;

/// Requests come by the clock, not when the one before is answered.
///
/// # Errors
/// When one is not answered.
pub async fn measure(quick: bool) -> Result<Vec<Row>> {
    let requests = REQUESTS_PER_S * if quick { 5 } else { 30 };
    let origin = Origin::start().await?;
    let key = origin.create_key()?;
    let _publisher = publish::ffmpeg_rtmp(&STREAM.file()?, &origin.rtmp_url(&key))?;
    let mut player = Player::open(origin.client(), &origin.playlist(&key), Duration::from_secs(15)).await?;
    player.play_seconds(3.0).await?;
    let url = origin.url(&format!("/api/v1/streams/{}/status", key.stream));
    let mut answers = JoinSet::new();
    let begin = Instant::now();
    for number in 0..requests {
        let due = begin + Duration::from_secs(1) * number / REQUESTS_PER_S;
        tokio::time::sleep_until(due.into()).await;
        let (client, url) = (origin.client().clone(), url.clone());
        answers.spawn(async move {
            let asked = Instant::now();
            let answer = client.get(&url).await?;
            ensure!(answer.status == 200, "the API answers {}", answer.status);
            Ok(asked.elapsed())
        });
    }
    let mut times = answers.join_all().await.into_iter().collect::<Result<Vec<Duration>>>()?;
    let (median, p99) = (super::quantile_ms(&mut times, 0.5), super::quantile_ms(&mut times, 0.99));
    Ok(vec![Row {
        what: format!("API status call, {REQUESTS_PER_S} a second"),
        ours: format!("p50 {median:.1} ms, p99 {p99:.1} ms"),
        reference: String::new(),
        ratio: None,
        goal: "must p99 5 ms, aim 1 ms".to_owned(),
        verdict: Verdict::at_most(p99, 5.0, Some(1.0)),
    }])
}

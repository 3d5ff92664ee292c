//! What a viewer in Chromium gets of what a streamer does in the Studio's real window.
//!
//! A film plays on the streamer's screen: every frame of it carries its number, every second of it begins with a beep. The
//! Studio captures the screen, a microphone that hears the film, and a camera (of which the driver alone is not real).

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use e2e::{
    browser::{Browser, check_shown},
    clip::Clip,
    hls::{Player, resolve},
    origin::Origin,
    site::SOON,
    streamer::OPEN_TO_ALL,
    studio_on_air::{go_live, set_up, small_ladder, viewer_color, watch},
    studio_window::StudioWindow,
    wait,
};
use serde_json::{Value, json};

/// Sound and picture are this close when they reach a viewer: less than three frames, after a film player, a screen and a
/// sound server.
const SYNC_MS: f64 = 80.0;
/// Frames of the film per second.
const FRAME_RATE: u16 = 30;
/// Where the camera stands in the picture, and what is there while its scene is on air.
const CAMERA: (f64, f64) = (0.72, 0.85);
const IS_RED: &str = "r > 180 && g < 80 && b < 80";
/// Too little for all but the smallest quality.
const NARROW_BPS: u32 = 600_000;
/// No beep for so long is silence: there is one each second.
const SILENCE: Duration = Duration::from_millis(2500);

/// Two scenes: one that is still empty, and a green one for breaks.
fn two_scenes() -> Value {
    json!({
        "version": 1,
        "canvas": { "width": 640, "height": 360, "frame_rate": FRAME_RATE },
        "sources": [{ "id": 3, "name": "Curtain", "input": { "kind": "color", "color": [0, 160, 0, 255] } }],
        "scenes": [
            { "id": 1, "name": "Desk", "items": [] },
            { "id": 2, "name": "Break", "items": [{
                "id": 4, "source": 3, "is_visible": true, "place": { "x": 0, "y": 0, "width": 640, "height": 360 },
            }] },
        ],
        "program": 1,
        "next_id": 5,
    })
}

#[tokio::test]
async fn viewers_get_picture_and_sound_together_and_every_change_of_them() -> Result<()> {
    let origin = Origin::with_config(OPEN_TO_ALL).await?;
    let film = Clip { width: 1280, height: 720, ..Clip::default() }.file()?;
    let (scenes, settings) = (two_scenes(), small_ladder());
    let files = [("scenes.json", &scenes), ("settings.json", &settings)];
    let studio = StudioWindow::open_prepared(&files, 1280, 720).await?;
    set_up(&studio, &origin.url("")).await?;
    studio.choose("select[name='screen']", "screen").await?;
    studio.choose("select[name='camera']", "Fake Camera").await?;
    studio.choose("select[name='microphone']", "PulseAudio").await?;
    let link = go_live(&studio, "Film night").await?;
    let _film = studio.play(&film)?;
    let viewer = watch(&origin, &link).await?;
    viewer.listen().await?;
    check_picture_and_sound(&origin, &link, &viewer).await?;
    switch_scenes(&studio, &viewer).await?;
    mute(&studio, &viewer).await?;
    switch_qualities(&viewer).await?;
    narrow_the_network(&viewer).await?;
    studio.page().screenshot("studio-watched").await?;
    Ok(())
}

/// The film's numbers and beeps arrive, together, in the media and in the browser.
async fn check_picture_and_sound(origin: &Origin, link: &str, viewer: &Browser) -> Result<()> {
    viewer.wait_for("the viewer sees the camera", SOON, &viewer_color(CAMERA, IS_RED)).await?;
    let id = link.rsplit('/').next().context("the link names no stream")?;
    let multivariant = origin.url(&format!("/live/{id}/index.m3u8"));
    let text = origin.client().get(&multivariant).await?.text();
    let smallest = text.lines().rfind(|line| !line.starts_with('#') && !line.is_empty()).context("no rendition")?;
    let mut player = Player::open_media(origin.client(), resolve(&multivariant, smallest)).await?;
    viewer.wait_for("five beeps are heard", SOON, "return skylarkHeard.sounds_s.length >= 5").await?;
    let (seen, heard) = (viewer.recording().await?, viewer.heard().await?);
    // The screen without the film had numbers of its own, as it were.
    let first = seen.frames.iter().rposition(|frame| frame.media_time < heard.sounds_s[0]).unwrap_or(0);
    check_shown(&seen.frames[first..])?;
    let shown: Vec<_> = seen.frames.iter().map(|frame| (frame.media_time, frame.number)).collect();
    check_sync("in the browser", &shown, &heard.sounds_s)?;
    viewer.screenshot("studio-viewer").await?;
    let until = player.seconds() + 6.0;
    player.play_seconds(until).await?;
    let decoded = player.runs[0].decode()?;
    let sent: Vec<_> = decoded.frames.iter().map(|frame| (frame.time_s, frame.number)).collect();
    check_sync("in the media", &sent, &decoded.beeps_s)
}

/// Every second of the film begins with a beep: in the middle, they are close. A busy machine shows single frames late.
fn check_sync(place: &str, frames: &[(f64, u16)], beeps_s: &[f64]) -> Result<()> {
    let mut skews_ms: Vec<_> = beeps_s.iter().filter_map(|beep| skew_ms(frames, *beep)).collect();
    skews_ms.sort_by(f64::total_cmp);
    ensure!(skews_ms.len() >= 4, "{place}, only {} of {} beeps have a picture", skews_ms.len(), beeps_s.len());
    let middle = skews_ms[skews_ms.len() / 2];
    ensure!(middle.abs() < SYNC_MS, "{place}, sound minus picture, ms: {skews_ms:.0?}");
    Ok(())
}

/// Sound minus picture at a beep, by what the frames around it say about when their second of the film began.
fn skew_ms(frames: &[(f64, u16)], beep_s: f64) -> Option<f64> {
    let near = frames.iter().filter(|(time_s, _)| (time_s - beep_s).abs() < 0.4);
    let begin_s = |(time_s, number): &(f64, u16)| {
        let since_s = f64::from(number % FRAME_RATE) / f64::from(FRAME_RATE);
        // What is late in a second is shortly before the next one.
        time_s - if since_s > 0.5 { since_s - 1.0 } else { since_s }
    };
    let mut begins_s: Vec<_> = near.map(begin_s).collect();
    begins_s.sort_by(f64::total_cmp);
    begins_s.get(begins_s.len() / 2).map(|begin_s| (beep_s - begin_s) * 1000.0)
}

/// A click on a scene in the window is another picture at the viewer, and its sound goes on.
async fn switch_scenes(studio: &StudioWindow, viewer: &Browser) -> Result<()> {
    studio.page().click("#scenes [data-id='2'] .row-main").await?;
    viewer
        .wait_for("the viewer sees the other scene", SOON, &viewer_color(CAMERA, "g > 110 && r < 60 && b < 60"))
        .await?;
    viewer.screenshot("studio-viewer-scene").await?;
    let beeps = viewer.heard().await?.sounds_s.len();
    let heard = format!("return skylarkHeard.sounds_s.length > {beeps}");
    viewer.wait_for("the microphone is heard in every scene", SOON, &heard).await?;
    studio.page().click("#scenes [data-id='1'] .row-main").await?;
    let is_back = viewer_color(CAMERA, IS_RED);
    viewer.wait_for("the viewer sees the first scene again", SOON, &is_back).await?;
    Ok(())
}

async fn mute(studio: &StudioWindow, viewer: &Browser) -> Result<()> {
    let now_ms = "performance.timeOrigin + performance.now()";
    studio.page().click("#mixer .strip .mute").await?;
    let silence = format!("return {now_ms} - skylarkHeard.loud_at_ms > {}", SILENCE.as_millis());
    viewer.wait_for("the viewer hears silence", SOON, &silence).await?;
    viewer.wait_for_frames(30, SOON).await?;
    studio.page().screenshot("studio-muted").await?;
    studio.page().click("#mixer .strip .mute").await?;
    let loud = format!("return {now_ms} - skylarkHeard.loud_at_ms < 500");
    viewer.wait_for("the viewer hears it again", SOON, &loud).await?;
    Ok(())
}

/// Down, up and back to what the browser thinks best: the picture goes on without a stop.
async fn switch_qualities(viewer: &Browser) -> Result<()> {
    viewer.wait_for_frames(30, SOON).await?;
    let before = viewer.recording().await?;
    for (label, width) in [("180p", 320), ("360p", 640), ("270p", 480), ("360p", 640)] {
        choose_quality(viewer, label).await?;
        wait_for_width(viewer, &format!("=== {width}")).await?;
        viewer.wait_for_frames(30, SOON).await?;
    }
    let after = viewer.recording().await?;
    ensure!(after.page == before.page && after.errors.is_empty(), "{:?}", after.errors);
    let stops = &after.events[before.events.len()..];
    ensure!(!stops.iter().any(|(name, _)| name != "playing"), "the picture stopped: {stops:?}");
    Ok(())
}

/// A viewer's network gets narrow and wide again: the quality follows by itself.
async fn narrow_the_network(viewer: &Browser) -> Result<()> {
    choose_quality(viewer, "Auto").await?;
    wait_for_width(viewer, "=== 640").await?;
    viewer.narrow(Some(NARROW_BPS)).await?;
    wait_for_width(viewer, "< 640").await?;
    viewer.wait_for_frames(60, SOON).await?;
    viewer.narrow(None).await?;
    wait_for_width(viewer, "=== 640").await?;
    viewer.wait_for_frames(60, SOON).await?;
    Ok(())
}

async fn choose_quality(viewer: &Browser, label: &str) -> Result<()> {
    // The controls are away while the page waits for the picture.
    wait::until("the menu opens", SOON, async || {
        viewer.hover("#quality").await.ok()?;
        viewer.click("#quality").await.ok()
    })
    .await?;
    let choose = format!(
        "const choice = [...document.querySelectorAll('#quality-menu .choice')].find(each => each.innerText.includes({})); \
         choice?.click(); return !!choice",
        json!(label)
    );
    viewer.wait_for(&format!("{label} is offered"), SOON, &choose).await?;
    Ok(())
}

async fn wait_for_width(viewer: &Browser, width: &str) -> Result<()> {
    let is_wide = format!("return document.querySelector('video').videoWidth {width}");
    viewer.wait_for(&format!("the picture's width is {width}"), SOON, &is_wide).await?;
    Ok(())
}

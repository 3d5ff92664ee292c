//! The front page in Chromium: our streams, and live events that another server's relay knows.

use std::time::Duration;

use anyhow::Result;
use e2e::{
    browser::{Autoplay, Browser, Window},
    clip::Clip,
    origin::{Origin, StreamKey},
    publish,
    relay_client::{RelayClient, event, keys},
    streamer::{OPEN_TO_ALL, Streamer},
};
use serde_json::json;

const SOON: Duration = Duration::from_secs(30);

/// What the cards of a section are called.
const TITLES: &str = "const titles = section => [...document.querySelectorAll(`section[aria-label='${section}'] .card-title`)]\
    .map(title => title.textContent);";

/// A relay that carries anybody's live events.
async fn outside() -> Result<Origin> {
    Origin::with_config("[relay]\nscope = \"live\"\n").await
}

async fn announce(outside: &Origin, who: u64, name: &str, tags: &[&[&str]]) -> Result<()> {
    let mut relay = RelayClient::connect(&format!("ws://{}", outside.http)).await?;
    relay.publish(&event(&keys(who)?, 30311, tags, "")?).await?;
    relay.publish(&event(&keys(who)?, 0, &[], &json!({ "name": name }).to_string())?).await
}

/// Live events as other servers announce them.
async fn announce_many(outside: &Origin) -> Result<()> {
    let playlist = ["streaming", "https://media.example/live.m3u8"];
    let broken = ["image", "https://127.0.0.1:1/none.png"];
    let events: [(&str, &str, &[&str], &str); 5] = [
        ("Lofi beats to study to", "Chill Radio", &["t", "music"], "1203"),
        ("Speedrunning every level of a very old game until the sun comes up again", "Max", &["t", "gaming"], "87"),
        ("<img src=x onerror=hacked=1>\u{202e}", "<b>wide</b>", &["t", "music"], "3"),
        ("Bitcoin developer round table", "Satoshi & friends", &["t", "talk"], "41"),
        ("朝の散歩 🌅 Tokyo", "さくら", &["t", "irl"], "12"),
    ];
    for (who, (title, name, topic, viewers)) in (2..).zip(events) {
        let (title, viewers) = (["title", title], ["current_participants", viewers]);
        let tags: [&[&str]; 7] = [&["d", "a"], &["status", "live"], &title, topic, &viewers, &playlist, &broken];
        announce(outside, who, name, &tags).await?;
    }
    let starts = (nostr::Timestamp::now() + 5400).to_string();
    let planned: [&[&str]; 4] = [&["d", "b"], &["status", "planned"], &["title", "Evening jam"], &["starts", &starts]];
    announce(outside, 8, "Ann", &planned).await?;
    let recording = ["recording", "https://media.example/recording.mp4"];
    let ended: [&[&str]; 4] = [&["d", "c"], &["status", "ended"], &["title", "Last night's show"], &recording];
    announce(outside, 9, "Bob", &ended).await
}

async fn home(outside: &Origin) -> Result<Origin> {
    Origin::with_config(&format!("{OPEN_TO_ALL}[discovery]\nrelays = [\"ws://{}\"]\n", outside.http)).await
}

#[tokio::test]
async fn the_front_page_shows_what_is_live_here_and_elsewhere() -> Result<()> {
    let away = outside().await?;
    announce_many(&away).await?;
    let origin = home(&away).await?;
    let mut streamer = Streamer::new(&origin, 1).await?;
    let stream = streamer.create("Morning coffee").await?;
    let _publisher = publish::ffmpeg_rtmp(&Clip::default().file()?, &origin.rtmp_url(&stream))?;
    streamer.go_live(&stream, "Morning coffee").await?;

    let browser = Browser::open(Window::Desktop, Autoplay::MutedOnly).await?;
    browser.goto(&origin.url("/")).await?;
    let all = format!(
        "{TITLES} return titles('Live now').length === 6 && titles('Upcoming').length === 1 && \
        titles('Past streams').length === 1 && document.body.innerText.includes('Chill Radio')"
    );
    browser.wait_for("everything is shown", SOON, &all).await?;
    let titles = browser.script(&format!("{TITLES} return titles('Live now')")).await?;
    assert_eq!((&titles[0], &titles[1]), (&json!("Morning coffee"), &json!("Lofi beats to study to")), "ours first");
    browser
        .wait_for("pictures that cannot be loaded are gone", SOON, "return !document.querySelector('.card img')")
        .await?;
    browser.screenshot("discover").await?;
    assert_eq!(browser.script("return window.hacked ?? null").await?, json!(null));

    // A topic, words, and where.
    browser.click("[role='group'][aria-label='Topics'] .topic").await?;
    let two = format!("{TITLES} return titles('Live now').length === 2 && location.search === '?topic=music'");
    browser.wait_for("only the topic is shown", SOON, &two).await?;
    browser.goto(&origin.url("/?q=round")).await?;
    let one = format!("{TITLES} return titles('Live now').join() === 'Bitcoin developer round table'");
    browser.wait_for("a link to a search searches", SOON, &one).await?;
    browser.press("/").await?;
    browser.wait_for("a slash goes to the search", SOON, "return document.activeElement.id === 'search'").await?;
    browser.fill("#search", " xyz").await?;
    browser.wait_for_text("nothing like that", SOON).await?;
    browser.screenshot("discover-nothing").await?;
    browser.click("#clear").await?;
    browser.wait_for("everything is shown again", SOON, &all).await?;
    browser.click(".scope-choice:nth-child(2)").await?;
    let ours = format!("{TITLES} return titles('Live now').join() === 'Morning coffee'");
    browser.wait_for("only this server's are shown", SOON, &ours).await?;
    // Each refused picture is noted; nothing else is.
    let errors = browser.recording().await?.errors;
    assert!(errors.iter().all(|error| error.contains("none.png") || error.contains("img")), "{errors:?}");
    Ok(())
}

#[tokio::test]
async fn the_front_page_fits_a_phone_and_leads_to_the_streams() -> Result<()> {
    let away = outside().await?;
    announce_many(&away).await?;
    let origin = home(&away).await?;
    let browser = Browser::open(Window::Phone, Autoplay::MutedOnly).await?;
    browser.goto(&origin.url("/")).await?;
    let all = format!("{TITLES} return titles('Live now').length === 5 && titles('Upcoming').length === 1");
    browser.wait_for("everything is shown", SOON, &all).await?;
    browser.screenshot("discover-phone").await?;
    let width = browser.script("return [innerWidth, document.documentElement.scrollWidth]").await?;
    assert_eq!(width, json!([360, 360]), "nothing is wider than the phone");
    browser.script("document.querySelector(\"section[aria-label='Upcoming']\").scrollIntoView()").await?;
    browser.screenshot("discover-phone-below").await?;
    let small = "return [...document.querySelectorAll('button, .card')].filter(one => one.offsetParent).map(one => \
        one.getBoundingClientRect()).filter(box => Math.min(box.width, box.height) < 32).length";
    assert_eq!(browser.script(small).await?, json!(0), "everything can be hit with a finger");
    Ok(())
}

#[tokio::test]
async fn an_empty_front_page_says_so_until_somebody_is_live() -> Result<()> {
    let origin = Origin::start().await?;
    let browser = Browser::open(Window::Desktop, Autoplay::MutedOnly).await?;
    browser.goto(&origin.url("/")).await?;
    browser.wait_for_text("nobody is live right now", SOON).await?;
    browser.screenshot("discover-empty").await?;
    let key: StreamKey = origin.create_key()?;
    let _publisher = publish::ffmpeg_rtmp(&Clip::default().file()?, &origin.rtmp_url(&key))?;
    browser.wait_for_text(&key.stream, SOON).await?;
    Ok(())
}

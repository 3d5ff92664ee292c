//! Live events by their address in Chromium: those of other servers, and ours; links to them, and our player elsewhere.

use std::time::Duration;

use anyhow::{Result, ensure};
use e2e::{
    browser::{Autoplay, Browser, Window, check_shown},
    clip::Clip,
    origin::{Origin, StreamKey},
    publish,
    relay_client::{RelayClient, event, keys},
    streamer::{OPEN_TO_ALL, Streamer},
    wait,
};
use serde_json::json;
use skylark_protocol::{address::Address, event::PublicKey, nip19::Entity};

const SOON: Duration = Duration::from_secs(40);

/// A relay that carries anybody's live events, and a server that looks there.
async fn relay_and_home() -> Result<(Origin, Origin)> {
    let away = Origin::with_config("[relay]\nscope = \"live\"\n").await?;
    let home = Origin::with_config(&format!("{OPEN_TO_ALL}[discovery]\nrelays = [\"ws://{}\"]\n", away.http)).await?;
    Ok((away, home))
}

fn naddr(who: u64, identifier: &str, relays: &[String]) -> Result<String> {
    let pubkey = PublicKey::from_bytes(keys(who)?.public_key().to_bytes());
    Ok(Entity::naddr(&Address::live_event(pubkey, identifier), relays))
}

async fn relay(origin: &Origin) -> Result<RelayClient> {
    RelayClient::connect(&format!("ws://{}", origin.http)).await
}

#[tokio::test]
async fn a_stream_of_another_server_plays_here_and_its_viewers_talk() -> Result<()> {
    // Pages may load other people's streams only over TLS.
    let far = Origin::secure().await?;
    let key = far.create_key()?;
    let _publisher = publish::ffmpeg_rtmp(&Clip::default().file()?, &far.rtmp_url(&key))?;
    let (away, home) = relay_and_home().await?;
    let mut outside = relay(&away).await?;
    let (playlist, place) = (far.playlist(&key), format!("ws://{}", away.http));
    let tags: [&[&str]; 6] = [
        &["d", "a"],
        &["status", "live"],
        &["title", "From afar"],
        &["summary", "A stream of another server."],
        &["streaming", &playlist],
        &["relays", &place],
    ];
    outside.publish(&event(&keys(2)?, 30311, &tags, "")?).await?;
    outside.publish(&event(&keys(2)?, 0, &[], "{\"name\":\"Ann\"}")?).await?;
    let address = format!("30311:{}:a", keys(2)?.public_key());
    let said = |who: u64, text: &str| event(&keys(who)?, 1311, &[&["a", &address]], text);
    outside.publish(&said(10, "Hello from another app")?).await?;

    let browser = Browser::open(Window::Desktop, Autoplay::MutedOnly).await?;
    browser.goto(&home.url(&format!("/e/{}", naddr(2, "a", &[])?))).await?;
    let recording = browser.wait_for_frames(90, SOON).await?;
    // Before it begins, the picture is that of wherever media came first.
    check_shown(&recording.frames[10..])?;
    let is_said = |text: &str| {
        format!("return [...document.querySelectorAll('.said')].some(line => line.textContent === {})", json!(text))
    };
    browser.wait_for("what was said before is there", SOON, &is_said("Hello from another app")).await?;
    for text in ["From afar", "A stream of another server.", "Ann"] {
        browser.wait_for_text(text, SOON).await?;
    }
    outside.publish(&said(11, "And hello again")?).await?;
    browser.wait_for("what is said there is heard", SOON, &is_said("And hello again")).await?;

    browser.click_when_there("#chat-sign-in", SOON).await?;
    browser.click_when_there("[data-way='guest']", SOON).await?;
    browser.wait_for("the message field is there", SOON, "return !!document.querySelector('#chat-text')").await?;
    browser.fill("#chat-text", "Hello from this site").await?;
    browser.click("#chat-send").await?;
    browser.wait_for("it is said", SOON, &is_said("Hello from this site")).await?;
    browser.screenshot("event-elsewhere").await?;
    let chat = json!({"kinds": [1311], "#a": [address]});
    wait::until("the other server's relay has it", SOON, async || {
        let texts = relay(&away).await.ok()?.subscribe("chat", &chat).await.ok()?;
        texts.iter().any(|event| event.content == "Hello from this site").then_some(())
    })
    .await?;
    assert_eq!(browser.recording().await?.errors, Vec::<String>::new());

    // It ends there, and so it does here.
    let ended: [&[&str]; 3] = [&["d", "a"], &["status", "ended"], &["title", "From afar"]];
    let later = nostr::EventBuilder::new(nostr::Kind::from(30311), "")
        .tags(ended.iter().map(|tag| nostr::Tag::parse(tag.iter().copied())).collect::<Result<Vec<_>, _>>()?)
        .custom_created_at(nostr::Timestamp::now() + 1)
        .sign_with_keys(&keys(2)?)?;
    outside.publish(&later).await?;
    browser.wait_for_text("the stream has ended", SOON).await?;
    Ok(())
}

#[tokio::test]
async fn what_relays_make_up_is_not_believed() -> Result<()> {
    let (away, home) = relay_and_home().await?;
    let mut outside = relay(&away).await?;
    let liar = e2e::liar::Liar::start().await?;
    let tags: [&[&str]; 4] = [&["d", "a"], &["status", "live"], &["title", "Open"], &["relays", &liar.url()]];
    outside.publish(&event(&keys(2)?, 30311, &tags, "")?).await?;
    let address = format!("30311:{}:a", keys(2)?.public_key());
    let true_one = event(&keys(10)?, 1311, &[&["a", &address]], "Really said")?;
    liar.will_say(&true_one);
    liar.will_forge(&event(&keys(11)?, 1311, &[&["a", &address]], "Never said")?, "Forged");

    let browser = Browser::open(Window::Phone, Autoplay::MutedOnly).await?;
    browser.goto(&home.url(&format!("/e/{}", naddr(2, "a", &[])?))).await?;
    browser.wait_for_text("nobody says where", SOON).await?;
    let lines = "return document.querySelector('.chat-lines').textContent";
    browser.click_when_there("#chat-toggle", SOON).await?;
    browser.wait_for("what was really said is there", SOON, &format!("{lines}.includes('Really said')")).await?;
    let shown = browser.script(lines).await?;
    ensure!(!shown.to_string().contains("Forged"), "{shown}");
    browser.screenshot("event-phone").await?;
    Ok(())
}

#[tokio::test]
async fn each_sort_of_live_event_has_its_page() -> Result<()> {
    let (away, home) = relay_and_home().await?;
    let mut outside = relay(&away).await?;
    let now = nostr::Timestamp::now().as_secs();
    let (soon, page) = ((now + 3700).to_string(), "http://plain.example/live.m3u8");
    let events: [(&str, &[&[&str]]); 6] = [
        ("youtube", &[&["status", "live"], &["streaming", "https://youtu.be/dQw4w9WgXcQ"]]),
        ("twitch", &[&["status", "live"], &["streaming", "https://www.twitch.tv/somebody"]]),
        ("link", &[&["status", "live"], &["streaming", page]]),
        ("planned", &[&["status", "planned"], &["starts", &soon]]),
        ("ended", &[&["status", "ended"], &["recording", "https://127.0.0.1:1/show.mp4"]]),
        ("warned", &[&["status", "live"], &["streaming", page], &["content-warning", "Loud noises"]]),
    ];
    for (who, (identifier, tags)) in (20..).zip(events) {
        let (name, title) = (["d", identifier], ["title", identifier]);
        let tags: Vec<&[&str]> = [&name[..], &title[..]].into_iter().chain(tags.iter().copied()).collect();
        outside.publish(&event(&keys(who)?, 30311, &tags, "")?).await?;
    }
    let browser = Browser::open(Window::Desktop, Autoplay::MutedOnly).await?;
    let pages = [
        (
            "youtube",
            "document.querySelector('iframe')?.src.startsWith('https://www.youtube-nocookie.com/embed/dQw4w9WgXcQ')",
        ),
        ("twitch", "document.querySelector('iframe')?.src.includes('channel=somebody&parent=127.0.0.1')"),
        ("link", "document.querySelector('#away')?.href === 'http://plain.example/live.m3u8'"),
        ("planned", "/^1:0\\d:\\d\\d$/.test(document.querySelector('.countdown')?.textContent ?? '')"),
        ("ended", "document.querySelector('video[controls]')?.src === 'https://127.0.0.1:1/show.mp4'"),
        ("warned", "document.querySelector('#player').innerText.includes('Loud noises')"),
    ];
    for (who, (identifier, is_right)) in (20..).zip(pages) {
        browser.goto(&home.url(&format!("/e/{}", naddr(who, identifier, &[])?))).await?;
        browser.wait_for(identifier, SOON, &format!("return {is_right}")).await?;
        browser
            .wait_for(
                "its title is there",
                SOON,
                &format!("return document.querySelector('.facts h1')?.textContent === '{identifier}'"),
            )
            .await?;
        browser.screenshot(&format!("event-{identifier}")).await?;
    }
    browser.click("#accept").await?;
    browser.wait_for("what was hidden is shown", SOON, "return !!document.querySelector('#away')").await?;
    Ok(())
}

#[tokio::test]
async fn a_link_with_a_relay_leads_to_what_this_server_does_not_know() -> Result<()> {
    let away = Origin::with_config("[relay]\nscope = \"live\"\n").await?;
    let home = Origin::start().await?;
    let tags: [&[&str]; 3] = [&["d", "a"], &["status", "planned"], &["title", "Only there"]];
    relay(&away).await?.publish(&event(&keys(2)?, 30311, &tags, "")?).await?;
    let browser = Browser::open(Window::Desktop, Autoplay::MutedOnly).await?;
    let hint = [format!("ws://{}", away.http)];
    browser.goto(&home.url(&format!("/e/{}", naddr(2, "a", &hint)?))).await?;
    browser.wait_for_text("only there", SOON).await?;
    for nowhere in [naddr(3, "a", &hint)?, naddr(2, "a", &[])?, "naddr1nonsense".to_owned()] {
        browser.goto(&home.url(&format!("/e/{nowhere}"))).await?;
        browser.wait_for_text("no such stream", SOON).await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_stream_of_ours_is_shared_previewed_and_embedded() -> Result<()> {
    let home = Origin::with_config(OPEN_TO_ALL).await?;
    let mut streamer = Streamer::new(&home, 1).await?;
    let title = "Jam \"&\" <script>alert(1)</script>";
    let stream = streamer.create(title).await?;
    let _publisher = publish::ffmpeg_rtmp(&Clip::default().file()?, &home.rtmp_url(&stream))?;
    streamer.go_live(&stream, title).await?;

    let browser = Browser::open(Window::Desktop, Autoplay::MutedOnly).await?;
    browser.goto(&home.url(&format!("/e/{}", naddr(1, &stream.stream, &[])?))).await?;
    browser.wait_for_frames(30, SOON).await?;
    browser.click_when_there("#share-button", SOON).await?;
    let value = |id: &str| format!("return document.querySelector('#share-{id}')?.value");
    let link = browser.wait_for("the dialog is open", SOON, &value("link")).await?;
    assert_eq!(link, json!(home.page(&stream)));
    let address = browser.script(&value("naddr")).await?;
    ensure!(address.as_str().is_some_and(|text| text.starts_with("nostr:naddr1")), "{address}");
    let code = browser.script(&value("embed")).await?;
    let player = home.url(&format!("/embed/{}", stream.stream));
    ensure!(code.as_str().is_some_and(|code| code.contains(&format!("src=\"{player}\""))), "{code}");
    browser.screenshot("share").await?;

    check_preview(&home, &stream, &player).await?;
    // As a page of another site has it.
    let other = Origin::start().await?;
    browser.goto(&other.url("/healthz")).await?;
    let frame = format!(
        "const frame = document.createElement('iframe'); Object.assign(frame, {{ width: 640, height: 360, \
        allow: 'autoplay', src: '{player}' }}); document.body.replaceChildren(frame)"
    );
    browser.script(&frame).await?;
    browser.enter_frame(0).await?;
    let plays = "return document.querySelector('#player')?.dataset.state === 'playing' && document.querySelector('video').currentTime > 1";
    browser.wait_for("it plays in a frame", SOON, plays).await?;
    assert_eq!(
        browser.script("return [!!document.querySelector('.header'), !!document.querySelector('.chat')]").await?,
        json!([false, false])
    );
    browser.screenshot("embed").await?;
    Ok(())
}

/// What messengers make of a link.
async fn check_preview(home: &Origin, stream: &StreamKey, player: &str) -> Result<()> {
    let page = home.client().get(&home.page(stream)).await?;
    let html = page.text();
    let title = "Jam &quot;&amp;&quot; &lt;script&gt;alert(1)&lt;/script&gt;";
    for part in [
        format!("<meta property=\"og:title\" content=\"{title}\">"),
        format!("<meta property=\"og:video\" content=\"{player}\">"),
        format!("<link rel=\"canonical\" href=\"{}\">", home.page(stream)),
    ] {
        ensure!(html.contains(&part), "{part} is not in {html}");
    }
    ensure!(!html.contains("<script>"), "{html}");
    assert_eq!(page.header("x-frame-options"), "DENY");
    let embed = home.client().get(player).await?;
    ensure!(
        embed.header("content-security-policy").contains("frame-ancestors *")
            && embed.header("x-frame-options").is_empty()
    );
    Ok(())
}

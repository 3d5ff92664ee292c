//! A whole evening: a host with an extension, an encoder, and three viewers who talk.

use anyhow::Result;
use e2e::{
    browser::{Autoplay, Browser, Window},
    clip::Clip,
    origin::{Origin, StreamKey},
    publish,
    relay_client::{RelayClient, event, keys},
    signer::install_extension,
    site::{self, SOON},
    streamer::OPEN_TO_ALL,
};
use serde_json::json;

/// A state of the player.
fn state(name: &str) -> String {
    format!("return document.querySelector('#player')?.dataset.state === {}", json!(name))
}

/// Viewers in browsers of their own, each signed in as a guest.
async fn viewers(origin: &Origin, stream: &StreamKey) -> Result<[Browser; 3]> {
    let open = async |window| -> Result<Browser> {
        let viewer = Browser::open(window, Autoplay::MutedOnly).await?;
        site::watch(&viewer, origin, stream).await?;
        if window == Window::Phone {
            let opened = "const toggle = document.querySelector('#chat-toggle'); if (!toggle) return false; \
                if (toggle.ariaExpanded !== 'true') toggle.click(); return true";
            viewer.wait_for("the chat opens", SOON, opened).await?;
        }
        site::enter_as_guest(&viewer).await?;
        Ok(viewer)
    };
    Ok([open(Window::Desktop).await?, open(Window::Desktop).await?, open(Window::Phone).await?])
}

/// Somebody far away gave something: a receipt as a wallet writes it.
async fn zap(origin: &Origin, address: &str, host: &str) -> Result<()> {
    let (giver, wallet) = (keys(40)?, keys(41)?);
    let request = event(
        &giver,
        9734,
        &[&["p", host], &["a", address], &["amount", "21000000"], &["relays", "wss://r"]],
        "Bravo!",
    )?;
    let request = serde_json::to_string(&request)?;
    let receipt = event(
        &wallet,
        9735,
        &[&["p", host], &["a", address], &["bolt11", "lnbc210u1pjq"], &["description", &request]],
        "",
    )?;
    RelayClient::connect(&format!("ws://{}/", origin.http)).await?.publish(&receipt).await
}

/// People talk, answer, react and give; everybody sees it.
async fn talk(origin: &Origin, stream: &StreamKey, host: &Browser, [ann, ben, cem]: &[Browser; 3]) -> Result<()> {
    site::say(ann, "Hello from Ann").await?;
    for other in [ben, cem, host] {
        site::wait_for_line(other, "Hello from Ann").await?;
    }
    let reply = "const line = [...document.querySelectorAll('.line')].find(line => \
        line.querySelector('.said')?.textContent === 'Hello from Ann'); line.querySelector('[aria-label=Reply]').click()";
    ben.script(reply).await?;
    site::say(ben, "Hello Ann!").await?;
    cem.wait_for("Ben's answer names what it answers", SOON, "return !!document.querySelector('.answered')").await?;
    let react = "document.querySelectorAll('.moods button')[1].click()";
    cem.script(react).await?;
    ann.wait_for("a reaction floats", SOON, "return document.querySelector('.burst')?.textContent === '🔥'").await?;
    ann.screenshot("evening-reaction").await?;
    ann.wait_for("it is gone", SOON, "return !document.querySelector('.burst')").await?;
    let host_key = keys(1)?.public_key().to_hex();
    zap(origin, &format!("30311:{host_key}:{}", stream.stream), &host_key).await?;
    for viewer in [ann, cem] {
        viewer.wait_for_text("21,000 sats", SOON).await?;
    }
    let total = "return document.querySelector('#zapped')?.textContent === '⚡ 21,000 sats'";
    ann.wait_for("the sum is shown", SOON, total).await?;
    ann.wait_for_text("3 watching", SOON).await
}

/// The host pins, removes, slows down, and switches off; viewers see each.
async fn keep_order(host: &Browser, [ann, ben, cem]: &[Browser; 3]) -> Result<()> {
    site::choose(host, "Hello from Ann", &["Pin"]).await?;
    let pinned = "return document.querySelector('.pinned')?.innerText.includes('Hello from Ann')";
    for viewer in [ann, ben, cem, host] {
        viewer.wait_for("it is pinned", SOON, pinned).await?;
    }
    host.screenshot("evening-host").await?;
    ann.screenshot("evening-pinned").await?;
    cem.screenshot("evening-phone").await?;

    site::say(cem, "Something rude").await?;
    site::choose(ben, "Something rude", &["Report…", "Insults or hate"]).await?;
    host.wait_for_text("Reported by viewers", SOON).await?;
    site::choose(host, "Something rude", &["Remove message"]).await?;
    for viewer in [ann, ben, cem] {
        site::wait_until_gone(viewer, "Something rude").await?;
    }
    site::choose(ann, "Hello Ann!", &["Hide this person"]).await?;
    site::wait_until_gone(ann, "Hello Ann!").await?;
    site::wait_for_line(cem, "Hello Ann!").await?;

    host.script(
        "const slow = document.querySelector('select[name=slow]'); slow.value = '30'; \
        slow.dispatchEvent(new Event('change', { bubbles: true }))",
    )
    .await?;
    ann.wait_for_text("one message every 30 s", SOON).await?;
    // She has only just said something.
    ann.fill("#chat-text", "Too soon").await?;
    ann.click("#chat-send").await?;
    ann.wait_for_text("before you write again", SOON).await?;

    site::turn(host, "chat", false).await?;
    for viewer in [ann, ben, cem] {
        viewer.wait_for_text("The host has switched the chat off", SOON).await?;
    }
    ann.screenshot("evening-chat-off").await?;
    site::turn(host, "chat", true).await?;
    ben.wait_for("one can write again", SOON, "return !!document.querySelector('#chat-text')").await?;
    site::turn(host, "reactions", false).await?;
    ben.wait_for("one cannot react", SOON, "return document.querySelector('.moods')?.classList.contains('hidden')")
        .await?;

    site::choose(host, "Hello Ann!", &["Ban from chat"]).await?;
    site::wait_until_gone(cem, "Hello Ann!").await?;
    ben.wait_for_text("You cannot write in this chat", SOON).await
}

#[tokio::test]
async fn a_host_and_three_viewers_have_an_evening() -> Result<()> {
    let origin = Origin::with_config(OPEN_TO_ALL).await?;
    let host = Browser::open(Window::Desktop, Autoplay::MutedOnly).await?;
    install_extension(&host, &keys(1)?).await?;
    host.goto(&origin.url("/studio-web")).await?;
    site::choose_way(&host, "extension").await?;
    let stream = site::make_stream(&host, "Evening jam").await?;
    let _publisher = publish::ffmpeg_rtmp(&Clip::default().file()?, &origin.rtmp_url(&stream))?;
    site::go_live(&host).await?;
    let viewers = viewers(&origin, &stream).await?;
    for viewer in &viewers {
        viewer.wait_for("it plays", SOON, &state("playing")).await?;
    }
    talk(&origin, &stream, &host, &viewers).await?;
    keep_order(&host, &viewers).await?;

    host.click("#pause").await?;
    for viewer in &viewers {
        viewer.wait_for("the card is shown", SOON, &state("intermission")).await?;
        viewer.wait_for_text("Back soon", SOON).await?;
    }
    viewers[0].screenshot("evening-break").await?;
    let own = "return document.querySelector('#pause')?.textContent === 'Resume'";
    host.wait_for("the host can come back", SOON, own).await?;
    host.click("#pause").await?;
    for viewer in &viewers {
        viewer.wait_for("it plays again", SOON, &state("playing")).await?;
    }
    site::end(&host).await?;
    for viewer in &viewers {
        viewer.wait_for_text("the stream has ended", SOON).await?;
        assert_eq!(viewer.recording().await?.errors, Vec::<String>::new());
    }
    host.wait_for_text("That was it", SOON).await?;
    host.screenshot("evening-summary").await?;
    assert_eq!(host.recording().await?.errors, Vec::<String>::new());
    Ok(())
}

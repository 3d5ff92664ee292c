//! Chat beside a stream, in Chromium.

use std::time::Duration;

use anyhow::Result;
use e2e::{
    browser::{Autoplay, Browser, Window},
    origin::{Origin, StreamKey},
    streamer::{OPEN_TO_ALL, Streamer},
};
use serde_json::json;

const SOON: Duration = Duration::from_secs(20);

/// What the lines of the chat say.
const SAID: &str = "return [...document.querySelectorAll('.said')].map(line => line.textContent)";

async fn sign_in_as_guest(browser: &Browser) -> Result<()> {
    browser.click_when_there("#chat-sign-in", SOON).await?;
    browser.click_when_there("[data-way='guest']", SOON).await?;
    browser.wait_for("the message field is there", SOON, "return !!document.querySelector('#chat-text')").await?;
    Ok(())
}

async fn sign_in_with_key(browser: &Browser, nsec: &str) -> Result<()> {
    browser.click_when_there("#sign-in-button", SOON).await?;
    browser.click_when_there("[data-way='key']", SOON).await?;
    browser.fill("input[name='key']", nsec).await?;
    browser.click("#sign-in [type='submit']").await?;
    browser.wait_for("somebody is signed in", SOON, "return !!document.querySelector('#account')").await?;
    Ok(())
}

async fn say(browser: &Browser, text: &str) -> Result<()> {
    browser.fill("#chat-text", text).await?;
    browser.click("#chat-send").await
}

async fn wait_for_line(browser: &Browser, text: &str) -> Result<()> {
    let script =
        format!("return [...document.querySelectorAll('.said')].some(line => line.textContent === {})", json!(text));
    browser.wait_for(&format!("the chat says {text:?}"), SOON, &script).await?;
    Ok(())
}

async fn wait_until_gone(browser: &Browser, text: &str) -> Result<()> {
    let script =
        format!("return ![...document.querySelectorAll('.said')].some(line => line.textContent === {})", json!(text));
    browser.wait_for(&format!("the chat no longer says {text:?}"), SOON, &script).await?;
    Ok(())
}

async fn open(origin: &Origin, stream: &StreamKey, window: Window) -> Result<Browser> {
    let browser = Browser::open(window, Autoplay::MutedOnly).await?;
    browser.goto(&origin.page(stream)).await?;
    Ok(browser)
}

#[tokio::test]
async fn viewers_talk_and_the_host_keeps_order() -> Result<()> {
    let origin = Origin::with_config(OPEN_TO_ALL).await?;
    let mut streamer = Streamer::new(&origin, 1).await?;
    let stream = streamer.create("Evening jam").await?;
    streamer.announce(&stream, "Evening jam").await?;
    streamer.let_say(2, &stream, "Was here before you").await?;

    let viewer = open(&origin, &stream, Window::Desktop).await?;
    wait_for_line(&viewer, "Was here before you").await?;
    viewer.wait_for_text("Evening jam", SOON).await?;
    viewer.screenshot("chat-signed-out").await?;
    sign_in_as_guest(&viewer).await?;
    let host = open(&origin, &stream, Window::Desktop).await?;
    sign_in_with_key(&host, &streamer.nsec()?).await?;

    say(&viewer, "Hello from the first row").await?;
    wait_for_line(&host, "Hello from the first row").await?;
    say(&host, "Welcome!").await?;
    wait_for_line(&viewer, "Welcome!").await?;
    viewer.screenshot("chat-talk").await?;
    assert_eq!(
        viewer.script("return document.querySelector('#chat-text').value").await?,
        json!(""),
        "what was sent is not there to be sent again"
    );

    let menu = "const line = [...document.querySelectorAll('.line')].find(line => \
        line.querySelector('.said')?.textContent === 'Hello from the first row'); \
        line.querySelector('[aria-label=More]').click(); await new Promise(requestAnimationFrame); \
        [...line.querySelectorAll('.choice')].find(choice => choice.textContent === 'Remove message').click()";
    host.script(&format!("return (async () => {{ {menu} }})()")).await?;
    wait_until_gone(&host, "Hello from the first row").await?;
    wait_until_gone(&viewer, "Hello from the first row").await?;
    for browser in [&viewer, &host] {
        assert_eq!(browser.recording().await?.errors, Vec::<String>::new());
    }
    Ok(())
}

#[tokio::test]
async fn hostile_messages_are_only_text() -> Result<()> {
    let origin = Origin::with_config(OPEN_TO_ALL).await?;
    let mut streamer = Streamer::new(&origin, 1).await?;
    let stream = streamer.create("Evening jam").await?;
    streamer.announce(&stream, "<img src=x onerror=hacked=1> \u{202e}mag").await?;
    let hostile = [
        "<script>window.hacked = 1</script><img src=x onerror='window.hacked = 1'>",
        "javascript:window.hacked=1 https://example.com/\"onclick=\"window.hacked=1",
        &"W".repeat(490),
        "\u{202e}txet esrever\u{202d} and Z\u{351}\u{351}\u{351}\u{351}\u{351}\u{351}\u{351}\u{351}\u{351}\u{351}\u{351}\u{351}algo",
    ];
    for (who, text) in (10..).zip(hostile) {
        streamer.let_say(who, &stream, text).await?;
        let name = format!("<b>{}</b>\u{202e}", "wide ".repeat(40));
        streamer.introduce(who, &json!({ "name": name, "picture": "https://127.0.0.1:1/none.png" })).await?;
    }
    // More than a page shows at first, each in a second of its own, so that all agree which came last.
    for number in 0..120 {
        streamer.let_have_said(100 + number, &stream, &format!("message {number}"), 121 - number).await?;
    }
    // Again, at the end, where it is seen; by others, for nobody may write so fast.
    for (who, text) in (300..).zip(hostile) {
        streamer.let_say(who, &stream, text).await?;
        streamer.introduce(who, &json!({ "name": "<i>".repeat(60), "picture": "javascript:alert(1)" })).await?;
    }

    for (window, name) in [(Window::Desktop, "chat-hostile"), (Window::Phone, "chat-hostile-phone")] {
        let browser = open(&origin, &stream, window).await?;
        if window == Window::Phone {
            let toggled = "const toggle = document.querySelector('#chat-toggle'); if (!toggle) return false; \
                if (toggle.ariaExpanded !== 'true') toggle.click(); return true";
            browser.wait_for("the chat opens", SOON, toggled).await?;
        }
        wait_for_line(&browser, "message 119").await?;
        wait_for_line(&browser, hostile[0]).await?;
        browser.screenshot(name).await?;
        assert_eq!(browser.script("return window.hacked ?? null").await?, json!(null));
        let size = "return [document.documentElement.scrollWidth <= innerWidth, \
            [...document.querySelectorAll('.line')].every(line => line.scrollWidth <= line.clientWidth + 1)]";
        assert_eq!(browser.script(size).await?, json!([true, true]), "nothing pushes the page apart");
        let said = browser.script(SAID).await?;
        assert!(said.as_array().is_some_and(|lines| lines.len() >= 100), "{said}");
    }
    Ok(())
}

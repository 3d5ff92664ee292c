//! What people do on the site, in Chromium.

use std::time::Duration;

use anyhow::{Context as _, Result};
use serde_json::json;

use crate::{
    browser::Browser,
    origin::{Origin, StreamKey},
};

/// What does not happen within this time does not happen. A busy machine draws slowly.
pub const SOON: Duration = Duration::from_secs(40);

/// Waits until somebody is signed in.
///
/// # Errors
/// When nobody is in time.
pub async fn wait_for_account(browser: &Browser) -> Result<()> {
    browser.wait_for("somebody is signed in", SOON, "return !!document.querySelector('#account')").await?;
    Ok(())
}

/// Opens the dialog and chooses a way to sign in.
///
/// # Errors
/// When the page has none.
pub async fn choose_way(browser: &Browser, way: &str) -> Result<()> {
    browser.click_when_there("#sign-in-button", SOON).await?;
    browser.click_when_there(&format!("[data-way='{way}']"), SOON).await
}

/// Signs in with a key, from a button that asks for it.
///
/// # Errors
/// When the page has no such way.
pub async fn sign_in_with_key(browser: &Browser, button: &str, nsec: &str) -> Result<()> {
    browser.click_when_there(button, SOON).await?;
    browser.click_when_there("[data-way='key']", SOON).await?;
    browser.fill("input[name='key']", nsec).await?;
    browser.click("#sign-in [type='submit']").await
}

/// Makes a stream on the streamers' page, which is open and signed in; answers its id and key.
///
/// # Errors
/// When the page does not show them.
pub async fn make_stream(host: &Browser, title: &str) -> Result<StreamKey> {
    host.click_when_there("input[name='title']", SOON).await?;
    host.fill("input[name='title']", title).await?;
    host.click(".details-form [type='submit']").await?;
    wait_for_phase(host, "planned").await?;
    let key = "return document.querySelector('input[name=\"stream-key\"]')?.value";
    let key = host.wait_for("the key is shown", SOON, key).await?;
    let stream = host.script("return new URLSearchParams(location.search).get('stream')").await?;
    Ok(StreamKey {
        stream: stream.as_str().context("no stream in the address")?.to_owned(),
        key: key.as_str().context("no key")?.to_owned(),
    })
}

/// Waits until the streamers' page says so of its stream.
///
/// # Errors
/// When it does not in time.
pub async fn wait_for_phase(host: &Browser, phase: &str) -> Result<()> {
    let script = format!("return document.querySelector('#phase')?.dataset.phase === {}", json!(phase));
    host.wait_for(&format!("the stream is {phase}"), SOON, &script).await?;
    Ok(())
}

/// Goes live, as soon as there is a picture, and waits until everybody was told.
///
/// # Errors
/// When it does not go live.
pub async fn go_live(host: &Browser) -> Result<()> {
    host.wait_for("one may go live", SOON, "return document.querySelector('#go-live')?.disabled === false").await?;
    host.click("#go-live").await?;
    wait_for_phase(host, "live").await?;
    host.wait_for("everybody is told", SOON, "return document.querySelector('#end')?.disabled === false").await?;
    Ok(())
}

/// Ends the stream for good.
///
/// # Errors
/// When it does not end.
pub async fn end(host: &Browser) -> Result<()> {
    host.click("#end").await?;
    host.click_when_there("#end-now", SOON).await?;
    wait_for_phase(host, "ended").await
}

/// Opens a stream's page.
///
/// # Errors
/// When it cannot be loaded.
pub async fn watch(viewer: &Browser, origin: &Origin, stream: &StreamKey) -> Result<()> {
    viewer.goto(&origin.page(stream)).await
}

/// Signs in as a guest, from the chat.
///
/// # Errors
/// When the page has no such way.
pub async fn enter_as_guest(viewer: &Browser) -> Result<()> {
    viewer.click_when_there("#chat-sign-in", SOON).await?;
    viewer.click_when_there("[data-way='guest']", SOON).await?;
    viewer.wait_for("the message field is there", SOON, "return !!document.querySelector('#chat-text')").await?;
    Ok(())
}

/// Says something, and waits until it stands there.
///
/// # Errors
/// When it cannot be said.
pub async fn say(browser: &Browser, text: &str) -> Result<()> {
    browser.fill("#chat-text", text).await?;
    browser.click("#chat-send").await?;
    wait_for_line(browser, text).await
}

/// Waits until the chat says this.
///
/// # Errors
/// When it does not in time.
pub async fn wait_for_line(browser: &Browser, text: &str) -> Result<()> {
    browser.wait_for(&format!("the chat says {text:?}"), SOON, &format!("return {}", has_line(text))).await?;
    Ok(())
}

/// Waits until the chat no longer says this.
///
/// # Errors
/// When it still does.
pub async fn wait_until_gone(browser: &Browser, text: &str) -> Result<()> {
    browser
        .wait_for(&format!("the chat no longer says {text:?}"), SOON, &format!("return !{}", has_line(text)))
        .await?;
    Ok(())
}

fn has_line(text: &str) -> String {
    format!("[...document.querySelectorAll('.said')].some(line => line.textContent === {})", json!(text))
}

/// Chooses something in the menu of a message.
///
/// # Errors
/// When the message has no such choice.
pub async fn choose(browser: &Browser, message: &str, choices: &[&str]) -> Result<()> {
    let open = format!(
        "const line = [...document.querySelectorAll('.line')].find(line => \
         line.querySelector('.said')?.textContent === {}); if (!line) return false; \
         const more = line.querySelector('[aria-label=More]'); \
         if (more.ariaExpanded !== 'true') more.click(); return true",
        json!(message)
    );
    browser.wait_for(&format!("{message:?} has a menu"), SOON, &open).await?;
    for choice in choices {
        let script = format!(
            "const choice = [...document.querySelectorAll('.line-menu .choice')].find(choice => \
             choice.textContent === {}); choice?.click(); return !!choice",
            json!(choice)
        );
        browser.wait_for(&format!("{choice:?} can be chosen"), SOON, &script).await?;
    }
    Ok(())
}

/// Turns a switch of the streamers' page, and waits until that holds.
///
/// # Errors
/// When it does not.
pub async fn turn(host: &Browser, name: &str, is_on: bool) -> Result<()> {
    let input = format!("document.querySelector('.switch input[name=\"{name}\"]')");
    host.script(&format!("const input = {input}; if (input.checked !== {is_on}) input.click()")).await?;
    host.wait_for(&format!("{name} is {is_on}"), SOON, &format!("return {input}.checked === {is_on}")).await?;
    Ok(())
}

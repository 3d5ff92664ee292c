//! Every page as axe-core judges it: nothing in the way of those who use a keyboard or a screen reader.

use std::fs;

use anyhow::{Context as _, Result, ensure};
use e2e::{
    browser::{Autoplay, Browser, Window},
    clip::Clip,
    npm,
    origin::Origin,
    publish,
    relay_client::keys,
    signer::install_extension,
    site::{self, SOON},
    streamer::OPEN_TO_ALL,
};
use serde_json::Value;

/// Checks the page as it is now: no violation that axe calls serious or critical.
async fn check(browser: &Browser, what: &str) -> Result<()> {
    let axe = fs::read_to_string(npm::packages()?.join("node_modules/axe-core/axe.min.js"))?;
    browser.script(&format!("if (!window.axe) {{ {axe} }}")).await?;
    let script = "return (async () => { \
        const motion = document.getAnimations().filter(one => one.effect.getTiming().iterations !== Infinity); \
        await Promise.all(motion.map(one => one.finished.catch(() => {}))); \
        const { violations, passes } = await axe.run(document, { resultTypes: ['violations'] }); \
        if (passes.length < 10) return ['axe looked at nothing']; \
        return violations.filter(({ impact }) => ['serious', 'critical'].includes(impact)).map(({ id, nodes }) => \
            `${id}: ${nodes.slice(0, 6).map(({ html, failureSummary }) => `${html} ${failureSummary}`).join('; ')}`); })()";
    let violations = browser.script(script).await?;
    let violations = violations.as_array().context("axe answers no list")?;
    let told: Vec<_> = violations.iter().filter_map(Value::as_str).collect();
    ensure!(told.is_empty(), "{what}:\n{}", told.join("\n"));
    let widths = browser.script("return document.documentElement.scrollWidth <= innerWidth").await?;
    ensure!(widths == Value::Bool(true), "{what}: wider than the window");
    Ok(())
}

#[tokio::test]
async fn nobody_is_shut_out_of_a_page() -> Result<()> {
    let origin = Origin::with_config(OPEN_TO_ALL).await?;
    let host = Browser::open(Window::Desktop, Autoplay::MutedOnly).await?;
    install_extension(&host, &keys(1)?).await?;
    host.goto(&origin.url("/studio-web")).await?;
    host.wait_for("the page is there", SOON, "return !!document.querySelector('#dashboard-sign-in')").await?;
    check(&host, "streamers' page, signed out").await?;
    host.click("#dashboard-sign-in").await?;
    host.wait_for("the dialog is open", SOON, "return !!document.querySelector('#sign-in [data-way]')").await?;
    check(&host, "sign-in").await?;
    host.click("[data-way='key']").await?;
    check(&host, "sign-in with a key").await?;
    host.script("document.querySelector('#sign-in .dialog-actions [type=button]').click()").await?;
    host.click_when_there("[data-way='extension']", SOON).await?;
    site::wait_for_account(&host).await?;
    check(&host, "streams").await?;
    let stream = site::make_stream(&host, "Evening jam").await?;
    check(&host, "a planned stream").await?;

    let _publisher = publish::ffmpeg_rtmp(&Clip::default().file()?, &origin.rtmp_url(&stream))?;
    site::go_live(&host).await?;
    site::say(&host, "Welcome").await?;
    check(&host, "a live stream").await?;
    for window in [Window::Desktop, Window::Phone] {
        let viewer = Browser::open(window, Autoplay::MutedOnly).await?;
        viewer.goto(&origin.url("/")).await?;
        viewer.wait_for_text("Evening jam", SOON).await.ok();
        check(&viewer, &format!("front page, {window:?}")).await?;
        site::watch(&viewer, &origin, &stream).await?;
        let plays = "return document.querySelector('#player')?.dataset.state === 'playing'";
        viewer.wait_for("it plays", SOON, plays).await?;
        check(&viewer, &format!("watching, {window:?}")).await?;
        let opened = "const toggle = document.querySelector('#chat-toggle'); if (!toggle) return false; \
            if (toggle.ariaExpanded !== 'true') toggle.click(); return true";
        viewer.wait_for("the chat opens", SOON, opened).await?;
        site::wait_for_line(&viewer, "Welcome").await?;
        check(&viewer, &format!("watching with chat, {window:?}")).await?;
        site::enter_as_guest(&viewer).await?;
        viewer.script("document.querySelector('.line [aria-label=More]').click()").await?;
        viewer.wait_for("the menu is open", SOON, "return !!document.querySelector('.line-menu')").await?;
        check(&viewer, &format!("a message's menu, {window:?}")).await?;
    }
    let small = Browser::open(Window::Phone, Autoplay::MutedOnly).await?;
    install_extension(&small, &keys(1)?).await?;
    small.goto(&origin.url(&format!("/studio-web?stream={}", stream.stream))).await?;
    site::choose_way(&small, "extension").await?;
    site::wait_for_phase(&small, "live").await?;
    check(&small, "a live stream on its streamer's phone").await?;
    small.screenshot("dashboard-live-phone").await?;
    site::end(&host).await?;
    check(&host, "a stream that is over").await
}

//! The Studio's real window: what people do with mouse and keyboard, and what comes of it on screen and on disk.
//!
//! The camera is a library that answers for the kernel's V4L2 (`fakecam.c`): nokhwa's path is real, a driver is not.

use std::{fs, path::Path, time::Duration};

use anyhow::{Context as _, Result, ensure};
use e2e::{
    browser::{Autoplay, Browser, Window},
    npm,
    origin::Origin,
    site::SOON,
    streamer::OPEN_TO_ALL,
    studio_on_air::{go_live, set_up, wait_for_badge},
    studio_window::StudioWindow,
    wait,
};
use serde_json::{Value, json};

/// Alt, as WebDriver names keys.
const ALT: char = '\u{e00a}';
/// Arrow to the right.
const RIGHT: &str = "\u{e014}";

/// The place of the newest item of the only scene, as it is kept: x, y, width, height.
fn place(studio: &StudioWindow) -> Option<[i64; 4]> {
    let scenes = studio.scenes().ok()?;
    let place = &scenes["scenes"][0]["items"].as_array()?.last()?["place"];
    Some(["x", "y", "width", "height"].map(|name| place[name].as_i64().unwrap_or(i64::MIN)))
}

async fn wait_for_place(studio: &StudioWindow, what: &str, is_it: impl Fn([i64; 4]) -> bool) -> Result<[i64; 4]> {
    let mut last = None;
    let found = wait::until(what, SOON, async || {
        last = place(studio);
        last.filter(|place| is_it(*place))
    })
    .await;
    found.with_context(|| format!("it is at {last:?}"))
}

/// The colour of the live picture at a point, both 0 to 1; after as many frames as are drawn until then.
fn color_at(x: f64, y: f64) -> String {
    format!(
        "const canvas = document.querySelector('.picture-canvas'); if (!(canvas?.dataset.frames > 2)) return null; \
         const [red, green, blue] = canvas.getContext('2d').getImageData(canvas.width * {x}, canvas.height * {y}, 1, 1).data; \
         return [red, green, blue]"
    )
}

async fn wait_for_color(page: &Browser, what: &str, at: (f64, f64), is_it: &str) -> Result<()> {
    let script = format!(
        "const at = (() => {{ {} }})(); if (!at) return false; const [r, g, b] = at; return {is_it}",
        color_at(at.0, at.1)
    );
    page.wait_for(what, SOON, &script).await?;
    Ok(())
}

/// Nothing in the way of those who use a keyboard or a screen reader, as axe-core judges it.
async fn check_axe(page: &Browser, what: &str) -> Result<()> {
    let axe = fs::read_to_string(npm::packages()?.join("node_modules/axe-core/axe.min.js"))?;
    page.script(&format!("if (!window.axe) {{ {axe} }}")).await?;
    // WebKit's driver does not wait for promises of a script.
    page.script(
        "window.judged = null; axe.run(document, { resultTypes: ['violations'] }).then(found => window.judged = found)",
    )
    .await?;
    page.wait_for("axe has judged", SOON, "return !!window.judged").await?;
    let script = "return window.judged.violations.filter(({ impact }) => ['serious', 'critical'].includes(impact)).map(({ id, nodes }) => \
        `${id}: ${nodes.slice(0, 6).map(({ html, failureSummary }) => `${html} ${failureSummary}`).join('; ')}`)";
    let told = page.script(script).await?;
    let told: Vec<_> = told.as_array().context("axe answers no list")?.iter().filter_map(Value::as_str).collect();
    ensure!(told.is_empty(), "{what}:\n{}", told.join("\n"));
    Ok(())
}

async fn leave_wizard(studio: &StudioWindow) -> Result<()> {
    studio.page().click_when_there("#leave-wizard", SOON).await?;
    studio.page().wait_for("the wizard is closed", SOON, "return !document.querySelector('#wizard')").await?;
    Ok(())
}

async fn add(studio: &StudioWindow, kind: &str) -> Result<()> {
    studio.page().click_when_there("#add-source", SOON).await?;
    studio.page().click_when_there(&format!("[data-kind='{kind}']"), SOON).await?;
    studio.page().wait_for("it is selected", SOON, "return !!document.querySelector('.frame')").await?;
    Ok(())
}

#[tokio::test]
async fn a_first_start_leads_to_a_composed_scene() -> Result<()> {
    let origin = Origin::with_config(OPEN_TO_ALL).await?;
    let studio = StudioWindow::open(1280, 720).await?;
    let page = studio.page();
    page.wait_for("the wizard begins", SOON, "return document.querySelector('#wizard')?.dataset.step === 'identity'")
        .await?;
    page.screenshot("studio-wizard-identity").await?;
    check_axe(page, "the wizard, identity").await?;
    set_up(&studio, &origin.url("")).await?;
    // Back and forth again: what was chosen stays.
    page.click("#wizard footer button").await?;
    page.wait_for("the origin is still chosen", SOON, "return !!document.querySelector('#origin-chosen')").await?;
    page.screenshot("studio-wizard-origin").await?;
    page.click("#wizard-next").await?;
    studio.choose("select[name='screen']", "screen").await?;
    studio.choose("select[name='camera']", "Fake Camera").await?;
    studio.choose("select[name='microphone']", "PulseAudio").await?;
    // The camera's left half is red, and it stands in the lower right corner.
    wait_for_color(page, "the camera is to be seen", (0.72, 0.85), "r > 200 && g < 60 && b < 60").await?;
    page.screenshot("studio-wizard-capture").await?;
    check_axe(page, "the wizard, capture").await?;
    page.click("#wizard-next").await?;
    page.wait_for("everything is checked", SOON, "return document.querySelector('.checks')?.dataset.done === 'true'")
        .await?;
    page.screenshot("studio-wizard-check").await?;
    page.click("#wizard-next").await?;
    page.fill("#announcement input[name='title']", "Evening jam").await?;
    page.screenshot("studio-wizard-announce").await?;
    leave_wizard(&studio).await?;
    let scenes = studio.scenes()?;
    let kinds: Vec<_> = scenes["sources"]
        .as_array()
        .context("no sources")?
        .iter()
        .map(|source| source["input"]["kind"].clone())
        .collect();
    ensure!(kinds == [json!("screen"), json!("camera"), json!("microphone")], "{kinds:?}");
    let items = scenes["scenes"][0]["items"].as_array().context("no items")?;
    ensure!(items[0]["source"] == scenes["sources"][0]["id"], "the screen lies below the camera: {items:?}");
    page.screenshot("studio-composed").await?;
    check_axe(page, "the Studio").await
}

#[tokio::test]
async fn sources_are_placed_scaled_and_hidden_by_mouse_and_all_of_it_is_taken_back() -> Result<()> {
    let studio = StudioWindow::open(1280, 720).await?;
    let page = studio.page();
    leave_wizard(&studio).await?;
    add(&studio, "Test picture").await?;
    wait_for_place(&studio, "it fills the picture", |at| at == [0, 0, 1280, 720]).await?;
    let size = page
        .script(
            "const box = document.querySelector('#overlay').getBoundingClientRect(); return [box.width, box.height]",
        )
        .await?;
    let (width, height): (f64, f64) = serde_json::from_value(size)?;

    // The lower right corner goes to the middle, and snaps to it.
    let corner = studio.middle_of(".handle[data-h='1'][data-v='1']").await?;
    studio.drag(corner, (-width / 2.0 + 3.0, -height / 2.0 + 2.0)).await?;
    wait_for_place(&studio, "it is a quarter", |at| at == [0, 0, 640, 360]).await?;
    wait_for_color(page, "the rest is black", (0.75, 0.75), "r < 20 && g < 20 && b < 20").await?;

    let middle = studio.middle_of(".frame").await?;
    studio.drag(middle, (width / 4.0, height / 4.0)).await?;
    let moved = wait_for_place(&studio, "it is in the middle", |at| at[0] > 300).await?;
    ensure!(moved == [320, 180, 640, 360], "it snaps to the middle: {moved:?}");

    page.script("document.querySelector('#overlay').focus()").await?;
    page.press_on("#overlay", RIGHT).await?;
    wait_for_place(&studio, "an arrow key moves it by a pixel", |at| at == [321, 180, 640, 360]).await?;

    let edge = studio.middle_of(".handle[data-h='-1'][data-v='0']").await?;
    studio.drag_with(ALT, edge, (width / 8.0, 0.0)).await?;
    wait_for_place(&studio, "its left edge is cut off", |at| at[0] > 460 && at[2] < 500).await?;
    ensure!(studio.scenes()?["scenes"][0]["items"][0]["crop"]["left"].as_i64() > Some(100), "nothing is cropped");
    page.screenshot("studio-placed").await?;

    page.click("#sources .eye").await?;
    wait_for_color(page, "hidden is black", (0.5, 0.5), "r < 20 && g < 20 && b < 20").await?;
    for what in ["shown", "not cropped"] {
        page.click("#undo").await.with_context(|| what.to_owned())?;
    }
    wait_for_place(&studio, "two steps are taken back", |at| at == [321, 180, 640, 360]).await?;
    wait_for_color(page, "it is shown again", (0.5, 0.5), "r + g + b > 60").await?;
    // Moves that follow each other fast are one step, so nobody counts them.
    let undo = "const undo = document.querySelector('#undo'); if (!undo.disabled) undo.click(); \
        return undo.disabled && !document.querySelector('.row-line .eye')";
    page.wait_for("the scene is empty again", SOON, undo).await?;
    Ok(())
}

#[tokio::test]
async fn it_fits_a_small_and_a_very_large_window() -> Result<()> {
    for (width, height) in [(1280, 720), (3840, 2160)] {
        let studio = StudioWindow::open(width, height).await?;
        let page = studio.page();
        page.screenshot(&format!("studio-{width}-wizard")).await?;
        leave_wizard(&studio).await?;
        page.screenshot(&format!("studio-{width}-empty")).await?;
        add(&studio, "Test picture").await?;
        add(&studio, "Clock").await?;
        page.click("#add-source").await?;
        page.screenshot(&format!("studio-{width}-add")).await?;
        page.click("#add-source-dialog [aria-label='Close']").await?;
        page.click("#mixer .panel-empty .button").await?;
        page.wait_for("the microphone has a strip", SOON, "return !!document.querySelector('.strip .fader')").await?;
        page.click("#studio-mode").await?;
        page.wait_for(
            "there are two pictures",
            SOON,
            "return document.querySelectorAll('.picture-canvas').length === 2",
        )
        .await?;
        let is_drawn = "return [...document.querySelectorAll('.picture-canvas')].every(one => one.dataset.frames > 5)";
        page.wait_for("both are drawn", SOON, is_drawn).await?;
        page.screenshot(&format!("studio-{width}-two")).await?;
        check_axe(page, "studio mode").await?;
        page.click("#open-settings").await?;
        page.wait_for("the settings are open", SOON, "return !!document.querySelector('#settings .columns')").await?;
        page.screenshot(&format!("studio-{width}-settings")).await?;
        check_axe(page, "settings").await?;
        let fits = page.script("const root = document.documentElement; return root.scrollWidth <= innerWidth && root.scrollHeight <= innerHeight && innerWidth").await?;
        ensure!(fits.as_u64() == Some(u64::from(width)), "{width}: {fits}");
    }
    Ok(())
}

#[tokio::test]
async fn a_key_that_is_typed_in_leaves_nothing_behind() -> Result<()> {
    const SECRET: &str = "nsec1vl029mgpspedva04g90vltkh6fvh240zqtv9k0t9af8935ke9laqsnlfe5";
    const HEX: &str = "67dea2ed018072d675f5415ecfaed7d2597555e202d85b3d65ea4e58d2d92ffa";
    let studio = StudioWindow::open(1280, 720).await?;
    let page = studio.page();
    page.click_when_there("#import-identity", SOON).await?;
    page.fill("input[name='secret']", SECRET).await?;
    page.click(".secret-form [type='submit']").await?;
    page.wait_for("the identity is there", SOON, "return !!document.querySelector('.person.current')").await?;
    let leaks = page
        .script("return document.documentElement.outerHTML.includes('nsec1') || [...document.querySelectorAll('input')].some(one => one.value.includes('nsec1')) || JSON.stringify(localStorage).includes('nsec1')")
        .await?;
    ensure!(leaks == Value::Bool(false), "the page still has the key");
    page.screenshot("studio-wizard-imported").await?;
    for secret in [SECRET, HEX] {
        ensure!(
            find(studio.folder(), secret.as_bytes())?.is_none(),
            "it lies in {:?}",
            find(studio.folder(), secret.as_bytes())?
        );
    }
    Ok(())
}

/// A file below a folder that has these bytes in it.
fn find(folder: &Path, bytes: &[u8]) -> Result<Option<String>> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let kind = fs::symlink_metadata(&path)?.file_type();
        if kind.is_dir() {
            if let Some(found) = find(&path, bytes)? {
                return Ok(Some(found));
            }
        } else if kind.is_file()
            && fs::read(&path).is_ok_and(|content| content.windows(bytes.len()).any(|part| part == bytes))
        {
            return Ok(Some(path.display().to_string()));
        }
    }
    Ok(None)
}

#[tokio::test]
async fn from_the_wizard_to_viewers_and_to_the_end() -> Result<()> {
    let origin = Origin::with_config(OPEN_TO_ALL).await?;
    let studio = StudioWindow::open(1280, 720).await?;
    let page = studio.page();
    set_up(&studio, &origin.url("")).await?;
    studio.choose("select[name='camera']", "Fake Camera").await?;
    wait_for_color(page, "the camera is to be seen", (0.72, 0.85), "r > 200 && g < 60").await?;
    let link = go_live(&studio, "Evening jam").await?;
    let viewer = Browser::open(Window::Desktop, Autoplay::MutedOnly).await?;
    viewer.goto(&link).await?;
    let red = "const video = document.querySelector('video'); if (!(video?.videoWidth > 0)) return false; \
        const canvas = Object.assign(document.createElement('canvas'), { width: 160, height: 90 }); \
        const context = canvas.getContext('2d'); context.drawImage(video, 0, 0, 160, 90); \
        const [r, g, b] = context.getImageData(115, 76, 1, 1).data; return r > 180 && g < 80 && b < 80";
    viewer.wait_for("the viewer sees the camera", SOON, red).await?;
    page.wait_for(
        "the Studio counts its viewer",
        SOON,
        "return document.querySelector('[data-figure=viewers] dd')?.textContent === '1'",
    )
    .await?;
    page.wait_for_text("Received", Duration::from_secs(5)).await?;
    page.screenshot("studio-live").await?;
    check_axe(page, "the Studio while live").await?;
    page.click("#stop").await?;
    page.click_when_there("#stop-yes", SOON).await?;
    page.wait_for("the summary is there", SOON, "return !!document.querySelector('#summary')").await?;
    page.screenshot("studio-summary").await?;
    page.click("#dismiss").await?;
    wait_for_badge(&studio, "idle", SOON).await
}

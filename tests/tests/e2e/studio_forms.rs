//! The Studio's window where people fill something in: what a stream is called, keys, identities, files, devices.

use std::{
    fs,
    io::Read as _,
    process::{Command, Stdio},
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use e2e::{
    browser::{Autoplay, Browser, Window},
    http::Http,
    origin::Origin,
    other_program::{self, OtherProgram},
    relay_client::keys,
    signer::RemoteSigner,
    site::SOON,
    streamer::OPEN_TO_ALL,
    studio_window::StudioWindow,
    wait,
};
use nostr::ToBech32 as _;
use serde_json::{Value, json};

/// How long a file dialog may take to hand over what was chosen, before it is typed again.
const CHOSEN: Duration = Duration::from_secs(5);
/// Keys as X11 counts them.
const KEY_A: u32 = 0x61;
const KEY_B: u32 = 0x62;
const KEY_M: u32 = 0x6d;
const KEY_2: u32 = 0x32;
/// Keys as WebDriver counts them.
const ENTER: &str = "\u{e007}";
const DELETE: &str = "\u{e017}";
const DOWN: &str = "\u{e015}";

async fn leave_wizard(studio: &StudioWindow) -> Result<()> {
    studio.page().click_when_there("#leave-wizard", SOON).await?;
    studio.page().wait_for("the wizard is closed", SOON, "return !document.querySelector('#wizard')").await?;
    Ok(())
}

async fn add(studio: &StudioWindow, kind: &str) -> Result<()> {
    studio.page().click_when_there("#add-source", SOON).await?;
    studio.page().click_when_there(&format!("[data-kind='{kind}']"), SOON).await?;
    studio.page().wait_for("it is added", SOON, "return !document.querySelector('#add-source-dialog')").await?;
    Ok(())
}

/// Asks for another key for an action, as often as the window loses the keyboard in between, until one is waited for.
fn choose(action: &str) -> String {
    format!(
        "if (document.querySelector('.hotkey-keys.choosing')) return true; \
         const button = document.querySelector(\"[data-action='{action}'] .hotkey-keys\"); \
         if (button && !button.querySelector('[role=status]')) button.click(); return false"
    )
}

async fn open_settings(studio: &StudioWindow, page: &str) -> Result<()> {
    studio.page().click_when_there("#open-settings", SOON).await?;
    studio.page().click_when_there(&format!("[data-page='{page}']"), SOON).await
}

async fn close_dialog(studio: &StudioWindow) -> Result<()> {
    studio.page().click("dialog[open] [aria-label='Close']").await?;
    studio.page().wait_for("no dialog is open", SOON, "return !document.querySelector('dialog[open]')").await?;
    Ok(())
}

/// Replaces what stands in a field, as somebody does who selects it and types.
async fn replace(page: &Browser, css: &str, text: &str) -> Result<()> {
    page.script(&format!("const field = document.querySelector({}); field.focus(); field.select()", json!(css)))
        .await?;
    page.fill(css, text).await
}

async fn wait_for_scenes(studio: &StudioWindow, what: &str, is_it: impl Fn(&Value) -> bool) -> Result<()> {
    wait::until(what, SOON, async || studio.scenes().ok().filter(|scenes| is_it(scenes)).map(drop)).await
}

async fn wait_for_badge(page: &Browser, state: &str) -> Result<()> {
    let script = format!("return document.querySelector('#badge')?.dataset.state === {}", json!(state));
    page.wait_for(&format!("the badge says {state}"), SOON, &script).await?;
    Ok(())
}

/// A plain picture of one colour, as a file.
fn picture(studio: &StudioWindow, name: &str, color: &str) -> Result<String> {
    let path = studio.folder().join(name);
    let mut ffmpeg = Command::new("ffmpeg");
    ffmpeg.args(["-hide_banner", "-loglevel", "error", "-f", "lavfi", "-i", &format!("color={color}:size=1920x1080")]);
    ffmpeg.args(["-frames:v", "1"]).arg(&path);
    ensure!(ffmpeg.status()?.success(), "ffmpeg makes no picture");
    Ok(path.to_str().context("an odd path")?.to_owned())
}

/// Chooses a file in the form that is open, and waits until it is shown there.
async fn choose_picture(page: &Browser, form: &str, file: &str) -> Result<()> {
    let shown = format!("document.querySelector('{form} .thumbnail img')?.src ?? ''");
    let before = page.script(&format!("return {shown}")).await?;
    page.fill(&format!("{form} input[name='thumbnail']"), file).await?;
    page.wait_for("the picture is shown", SOON, &format!("return {shown} !== {before}")).await?;
    Ok(())
}

/// The only stream of an origin, as everybody may ask for it.
async fn stream(origin: &Origin, page_url: &str) -> Result<Value> {
    let id = page_url.rsplit('/').next().context("no id in the address")?;
    Http::default().get(&origin.url(&format!("/api/v1/streams/{id}"))).await?.json()
}

#[tokio::test]
async fn title_and_picture_change_while_it_is_live_and_a_key_goes_live_again() -> Result<()> {
    let origin = Origin::with_config(OPEN_TO_ALL).await?;
    let studio = StudioWindow::open(1280, 720).await?;
    let page = studio.page();
    page.click_when_there("#create-identity", SOON).await?;
    page.click_when_there("#backup-later", SOON).await?;
    page.click_when_there("#wizard-next:enabled", SOON).await?;
    page.fill("input[name='origin']", &origin.url("")).await?;
    page.click("#use-origin").await?;
    page.wait_for("the origin is chosen", SOON, "return !!document.querySelector('#origin-chosen')").await?;
    page.click("[data-go='announce']").await?;
    replace(page, "#announcement input[name='title']", "Evening jam").await?;
    choose_picture(page, "#announcement", &picture(&studio, "red.png", "red")?).await?;
    page.screenshot("studio-forms-announce").await?;
    page.click_when_there("#go-live-now:enabled", SOON).await?;
    wait_for_badge(page, "live").await?;
    page.click("#share-button").await?;
    let link = page.wait_for("the link is there", SOON, "return document.querySelector('#share-link')?.value").await?;
    let link = link.as_str().context("the link is no text")?;
    page.click("#share [aria-label='Close']").await?;
    let first = wait::until("the origin has the picture", SOON, async || {
        stream(&origin, link).await.ok()?["thumbnail"].as_str().map(str::to_owned)
    })
    .await?;

    let viewer = Browser::open(Window::Desktop, Autoplay::MutedOnly).await?;
    viewer.goto(link).await?;
    viewer.wait_for_text("Evening jam", SOON).await?;
    page.click("#describe-stream").await?;
    page.wait_for(
        "the form is filled in",
        SOON,
        "return document.querySelector('#description [name=title]')?.value === 'Evening jam'",
    )
    .await?;
    replace(page, "#description input[name='title']", "Night jam").await?;
    replace(page, "#description textarea[name='description']", "With the neighbours").await?;
    studio.choose("#description select[name='category']", "Music").await?;
    replace(page, "#description input[name='tags']", "#jazz, late").await?;
    choose_picture(page, "#description", &picture(&studio, "blue.png", "blue")?).await?;
    page.screenshot("studio-forms-describe").await?;
    page.click("#describe-now").await?;
    page.wait_for("the form is closed", SOON, "return !document.querySelector('#describe')").await?;
    page.wait_for_text("Night jam", SOON).await?;
    for text in ["Night jam", "With the neighbours", "#jazz"] {
        viewer.wait_for_text(text, SOON).await?;
    }
    let now = stream(&origin, link).await?;
    ensure!(now["details"]["category"] == json!("music") && now["details"]["chat"] == json!(true), "{now}");
    ensure!(now["thumbnail"].as_str().is_some_and(|second| second != first), "the picture is the first one: {now}");
    page.screenshot("studio-forms-live").await?;
    drop(viewer);

    // From now on a key does it, whatever program is in front.
    open_settings(&studio, "keys").await?;
    ensure!(other_program::focus(studio.display(), "Skylark Studio"), "the Studio has no window");
    page.wait_for("a key is asked for", SOON, &choose("broadcast")).await?;
    other_program::press(studio.display(), "ctrl+alt+b")?;
    let is_set = "return document.querySelector('[data-action=broadcast] .hotkey-keys')?.textContent === 'CtrlAltB'";
    page.wait_for("the key is set", SOON, is_set).await?;
    close_dialog(&studio).await?;
    let other = OtherProgram::open(studio.display())?;
    other.take_keyboard()?;
    wait::until("the system gives the key away", SOON, async || {
        // The other program gets it until then.
        other_program::press(studio.display(), "ctrl+alt+b").ok()?;
        (other.heard(KEY_B).ok()? == 0).then_some(())
    })
    .await?;
    page.wait_for("it is over", SOON, "return !!document.querySelector('#summary')").await?;
    page.click("#dismiss").await?;
    wait_for_badge(page, "idle").await?;
    other.take_keyboard()?;
    other_program::press(studio.display(), "ctrl+alt+b")?;
    wait_for_badge(page, "live").await?;
    page.wait_for_text("Night jam", SOON).await?;
    Ok(())
}

#[tokio::test]
async fn keys_work_while_another_program_is_in_front_and_can_be_chosen() -> Result<()> {
    let studio = StudioWindow::open(1280, 720).await?;
    let (page, display) = (studio.page(), studio.display());
    leave_wizard(&studio).await?;
    page.click("#mixer .panel-empty .button").await?;
    page.wait_for("the microphone has a strip", SOON, "return !!document.querySelector('.strip .fader')").await?;
    page.click("#add-scene").await?;
    wait_for_scenes(&studio, "there are two scenes", |now| now["scenes"].as_array().is_some_and(|all| all.len() == 2))
        .await?;
    let scenes = studio.scenes()?["scenes"].clone();
    let (first, second) = (scenes[0]["id"].clone(), scenes[1]["id"].clone());

    let other = OtherProgram::open(display)?;
    other.take_keyboard()?;
    other_program::press(display, "a")?;
    ensure!(other.heard(KEY_A)? == 1, "the other program has no keyboard");
    other_program::press(display, "ctrl+alt+2")?;
    wait_for_scenes(&studio, "the second scene is on air", |now| now["program"] == second).await?;
    other_program::press(display, "ctrl+alt+Prior")?;
    wait_for_scenes(&studio, "the scene before it is", |now| now["program"] == first).await?;
    other_program::press(display, "ctrl+alt+m")?;
    let is_muted = |now: &Value| now["sources"][0]["strip"]["is_muted"] == json!(true);
    wait_for_scenes(&studio, "the microphone is muted", is_muted).await?;
    other_program::press(display, "ctrl+alt+r")?;
    page.wait_for("it is recorded", SOON, "return document.querySelector('#record')?.ariaPressed === 'true'").await?;
    other_program::press(display, "ctrl+alt+r")?;
    page.wait_for("it is not", SOON, "return document.querySelector('#record')?.ariaPressed === 'false'").await?;
    // No replay is kept: nobody looks at the window, so it is written there.
    other_program::press(display, "ctrl+alt+s")?;
    page.wait_for("it is told", SOON, "return !!document.querySelector('[data-code=hotkey-failed]')").await?;

    open_settings(&studio, "keys").await?;
    ensure!(other_program::focus(display, "Skylark Studio"), "the Studio has no window");
    let choose = async || page.wait_for("a key is asked for", SOON, &choose("next-scene")).await;
    // While one is chosen, none is taken from others: one of them takes the key of a scene. It is told.
    let take = async || {
        choose().await.ok()?;
        other.take_key(KEY_2).ok()
    };
    wait::until("the other program takes a key", SOON, take).await?;
    other_program::press(display, "Escape")?;
    let refused =
        "return document.querySelector(\"[data-action='scene-2'] .trouble\")?.textContent.includes('Another program')";
    page.wait_for("the refused key is told", SOON, refused).await?;
    page.screenshot("studio-forms-keys-refused").await?;
    // A letter alone is none.
    choose().await?;
    other_program::press(display, "n")?;
    let told = "return document.querySelector('#settings .trouble-line')?.textContent.includes('Hold Ctrl')";
    page.wait_for("what is no key is told", SOON, told).await?;
    page.screenshot("studio-forms-keys-wrong").await?;
    // That of the microphones, which it does not unmute meanwhile.
    choose().await?;
    other_program::press(display, "ctrl+alt+m")?;
    let moved = "const keys = (action) => document.querySelector(`[data-action='${action}'] .hotkey-keys`)?.textContent; \
        return keys('next-scene') === 'CtrlAltM' && keys('mute-microphones') === 'None'";
    page.wait_for("one key does one thing", SOON, moved).await?;
    page.screenshot("studio-forms-keys").await?;
    ensure!(is_muted(&studio.scenes()?), "it was unmuted while a key was chosen");
    close_dialog(&studio).await?;
    other.take_keyboard()?;
    wait::until("the system gives the key away", SOON, async || {
        // The other program gets it until then.
        other_program::press(display, "ctrl+alt+m").ok()?;
        (other.heard(KEY_M).ok()? == 0).then_some(())
    })
    .await?;
    wait_for_scenes(&studio, "the next scene is on air", |now| now["program"] == second).await?;
    let kept = fs::read_to_string(studio.folder().join("home/.local/share/skylark/hotkeys.json"))?;
    ensure!(kept.contains("\"next_scene\"") && kept.contains("\"Ctrl+Alt+M\""), "{kept}");
    Ok(())
}

#[tokio::test]
async fn identities_are_made_backed_up_switched_and_signed_in_elsewhere() -> Result<()> {
    const PASSWORD: &str = "correct horse battery";
    let person = keys(78)?;
    let studio = StudioWindow::open(1280, 720).await?;
    let page = studio.page();
    page.click_when_there("#create-identity", SOON).await?;
    page.click_when_there("input[name='backup-password']", SOON).await?;
    page.fill("input[name='backup-password']", PASSWORD).await?;
    page.fill("input[name='backup-again']", "another one").await?;
    page.click(".backup [type='submit']").await?;
    page.wait_for_text("The two passwords differ", SOON).await?;
    page.fill("input[name='backup-password']", PASSWORD).await?;
    page.fill("input[name='backup-again']", PASSWORD).await?;
    page.click(".backup [type='submit']").await?;
    let backup = "return document.querySelector('textarea[name=ncryptsec]')?.value";
    let backup = page.wait_for("the backup is shown", SOON, backup).await?;
    let backup = backup.as_str().context("no text")?.to_owned();
    ensure!(backup.starts_with("ncryptsec1"), "{backup}");
    let file = studio.folder().join("backup.ncryptsec");
    let path = file.to_str().context("an odd path")?;
    page.click("#save-backup").await?;
    wait::until("the system asks where to keep it", SOON, async || {
        other_program::focus(studio.display(), "Save the backup").then_some(())
    })
    .await?;
    wait::until("the backup is a file", SOON, async || {
        // As with files that are opened.
        if other_program::focus(studio.display(), "Save the backup") {
            other_program::type_name(studio.display(), path).ok()?;
        }
        wait::until("it is there", CHOSEN, async || file.exists().then_some(())).await.ok()
    })
    .await?;
    ensure!(fs::read_to_string(&file)? == backup, "the file has something else");
    page.wait_for_text("Kept in", SOON).await?;
    page.screenshot("studio-forms-backup").await?;
    page.click(".backup .primary").await?;
    let current = "return document.querySelector('.person.current .person-main')?.dataset.npub";
    let made = page.wait_for("the new identity streams", SOON, current).await?;

    page.click("#import-identity").await?;
    page.fill("input[name='secret']", &person.secret_key().to_bech32()?).await?;
    page.click(".secret-form [type='submit']").await?;
    let imported = json!(person.public_key().to_bech32()?);
    page.wait_for("the imported one streams", SOON, &format!("{current} === {imported}")).await?;
    page.click(&format!(".person-main[data-npub={made}]")).await?;
    page.wait_for("the first one streams again", SOON, &format!("{current} === {made}")).await?;

    // The first one is removed, and comes back from its backup.
    page.script("document.querySelector('.person.current').querySelectorAll('.button')[1].click()").await?;
    page.click_when_there(".person.current .danger", SOON).await?;
    let one = "return document.querySelectorAll('.person').length === 1";
    page.wait_for("one is left, and it streams", SOON, &format!("{one} && {}", current.trim_start_matches("return ")))
        .await?;
    page.click_when_there("#import-identity", SOON).await?;
    for (password, done) in [
        ("wrong", "return !!document.querySelector('.secret-form .trouble-line')"),
        (PASSWORD, "return document.querySelectorAll('.person').length === 2"),
    ] {
        page.fill("input[name='secret']", &backup).await?;
        page.wait_for(
            "its password is asked for",
            SOON,
            "return document.querySelector('input[name=password]').checkVisibility()",
        )
        .await?;
        page.fill("input[name='password']", password).await?;
        page.click(".secret-form [type='submit']").await?;
        page.wait_for(password, SOON, done).await?;
    }
    page.wait_for("it streams", SOON, &format!("{current} === {made}")).await?;

    // A signer elsewhere.
    let owner = keys(79)?;
    let signer = RemoteSigner::start(&owner)?;
    page.click_when_there("#connect-bunker", SOON).await?;
    page.fill("input[name='secret']", "bunker://nobody").await?;
    page.click(".secret-form [type='submit']").await?;
    page.wait_for("a wrong address is told", SOON, "return !!document.querySelector('.secret-form .trouble-line')")
        .await?;
    page.screenshot("studio-forms-bunker").await?;
    page.fill("input[name='secret']", &signer.bunker).await?;
    page.click(".secret-form [type='submit']").await?;
    let remote = json!(owner.public_key().to_bech32()?);
    page.wait_for("the signer's owner streams", SOON, &format!("{current} === {remote}")).await?;
    let cards = page.script("return document.querySelector('.person.current').innerText").await?;
    ensure!(cards.as_str().is_some_and(|text| text.contains("Remote signer") && !text.contains("Back up")), "{cards}");
    page.screenshot("studio-forms-identities").await?;
    let leaks = page.script("const all = document.documentElement.outerHTML + JSON.stringify(localStorage) + [...document.querySelectorAll('input, textarea')].map(one => one.value); return /nsec1|bunker:.*secret=|ncryptsec1[a-z0-9]{20}/.test(all)").await?;
    ensure!(leaks == json!(false), "the page still has a secret");
    // The next start finds all of them.
    let kept = fs::read_to_string(studio.folder().join("home/.local/share/skylark/identities.json"))?;
    for npub in [&made, &imported, &remote] {
        let key = nostr::PublicKey::parse(npub.as_str().context("no npub")?)?.to_hex();
        ensure!(kept.contains(&key), "{npub} is not kept");
    }
    Ok(())
}

/// How loud it is on a device of the session's sound server: the highest sample of a second.
fn loudness(studio: &StudioWindow, device: &str) -> Result<f32> {
    let mut parec = Command::new("parec");
    parec.args(["--device", device, "--format=float32le", "--rate=48000", "--channels=1", "--latency-msec=50"]);
    parec.env("PULSE_SERVER", format!("unix:{}/pulse/native", studio.folder().display()));
    let mut recording = parec.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
    let mut bytes = vec![0; 4 * 48_000];
    let heard = recording.stdout.take().context("its output was asked for")?.read_exact(&mut bytes);
    recording.kill()?;
    recording.wait()?;
    heard?;
    let samples = bytes.as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes).abs());
    Ok(samples.fold(0.0, f32::max))
}

#[tokio::test]
async fn what_is_monitored_is_heard_on_the_chosen_device_and_a_pulled_one_is_told() -> Result<()> {
    let studio = StudioWindow::open(1280, 720).await?;
    let page = studio.page();
    let pactl = |arguments: &[&str]| -> Result<()> {
        let mut pactl = Command::new("pactl");
        pactl.env("PULSE_SERVER", format!("unix:{}/pulse/native", studio.folder().display()));
        ensure!(pactl.args(arguments).stdout(Stdio::null()).status()?.success(), "pactl {arguments:?} fails");
        Ok(())
    };
    pactl(&["load-module", "module-null-sink", "sink_name=ears", "sink_properties=device.description=Headphones"])?;
    leave_wizard(&studio).await?;
    add(&studio, "Test tone").await?;
    open_settings(&studio, "sound").await?;
    studio.choose("select[name='monitor']", "Headphones").await?;
    page.screenshot("studio-forms-sound").await?;
    close_dialog(&studio).await?;
    let monitor = "#mixer .strip:not(.program-strip) [aria-label='Monitor']";
    page.click_when_there(monitor, SOON).await?;
    // The tone is at -20 dB.
    let is_heard = async || loudness(&studio, "ears.monitor").ok().filter(|loudness| *loudness > 0.05);
    wait::until("the tone is in the headphones", SOON, is_heard).await?;
    ensure!(loudness(&studio, "ss.monitor")? < 0.001, "it is heard elsewhere, too");
    pactl(&["unload-module", "module-null-sink"])?;
    let told =
        "return document.querySelector('[data-code=monitor-failed]')?.textContent.includes('Choose another device')";
    page.wait_for("the pulled headphones are told", SOON, told).await?;
    let goes_on = "const meter = document.querySelector('.strip:not(.program-strip) .meter'); return Number(meter?.dataset.peak) > -25";
    page.wait_for("viewers hear it all the same", SOON, goes_on).await?;
    Ok(())
}

#[tokio::test]
async fn a_file_is_chosen_and_everything_is_done_with_the_keyboard() -> Result<()> {
    let studio = StudioWindow::open(1280, 720).await?;
    let (page, display) = (studio.page(), studio.display());
    let file = picture(&studio, "logo.png", "lime")?;
    leave_wizard(&studio).await?;
    // The system's own dialog, in which somebody types the path.
    page.click("#add-source").await?;
    page.click_when_there("[data-kind='Image']", SOON).await?;
    let is_chosen = |now: &Value| now["sources"][0]["input"]["path"] == json!(file);
    wait::until("the file is chosen", SOON, async || {
        // What is typed while the dialog builds itself is lost: then it is typed again.
        if other_program::focus(display, "Choose a picture") {
            other_program::type_path(display, &file).ok()?;
        }
        let chosen =
            wait::until("it is a source", CHOSEN, async || studio.scenes().ok().filter(|now| is_chosen(now)).map(drop));
        chosen.await.ok()
    })
    .await?;
    page.wait_for("it is selected", SOON, "return !!document.querySelector('.frame')").await?;
    let green = "const canvas = document.querySelector('.picture-canvas'); if (!(canvas?.dataset.frames > 2)) return null; \
        const [r, g, b] = canvas.getContext('2d').getImageData(canvas.width / 2, canvas.height / 2, 1, 1).data; return r < 60 && g > 180 && b < 60";
    page.wait_for("it is to be seen", SOON, green).await?;
    add(&studio, "Clock").await?;

    // Rows: arrow keys, rename, remove.
    ensure!(other_program::focus(display, "Skylark Studio"), "the Studio has no window");
    page.script("document.querySelector('#sources .row-main[tabindex=\"0\"]').focus()").await?;
    page.press_on("#sources .row-main:focus", DOWN).await?;
    let focused = "return document.activeElement?.closest('.row-line')?.innerText.includes('logo.png')";
    page.wait_for("the next row has the keyboard", SOON, focused).await?;
    page.press_on("#sources .row-main:focus", ENTER).await?;
    page.wait_for(
        "enter selects it",
        SOON,
        "return document.querySelector('#sources .row-line.current')?.innerText.includes('logo.png')",
    )
    .await?;
    page.press_on("#sources .row-main:focus", DELETE).await?;
    wait_for_scenes(&studio, "delete removes it", |now| {
        now["scenes"][0]["items"].as_array().is_some_and(|all| all.len() == 1)
    })
    .await?;

    // Dialogs: the keyboard goes in, stays there, and comes back to where it was.
    page.script("document.querySelector('#open-settings').focus()").await?;
    page.press_on("#open-settings", ENTER).await?;
    page.wait_for("the settings are open", SOON, "return !!document.querySelector('#settings[open]')").await?;
    let mut visited = Vec::new();
    for _ in 0..24 {
        other_program::press(display, "Tab")?;
        let at = "const at = document.activeElement; return at && at !== document.body ? [!!at.closest('#settings'), getComputedStyle(at).outlineStyle !== 'none' || !!at.closest('.tick, .file')?.matches(':focus-within'), at.name || at.dataset.page || at.ariaLabel || at.innerText] : null";
        let at = page.wait_for("something has the keyboard", SOON, at).await?;
        ensure!(at[0] == json!(true), "the keyboard leaves the dialog for {at} after {visited:?}");
        ensure!(at[1] == json!(true), "nobody sees that {at} has the keyboard");
        visited.push(at[2].as_str().unwrap_or_default().to_owned());
    }
    for expected in ["video", "keys", "canvas", "encoder", "auto"] {
        ensure!(visited.iter().any(|one| one == expected), "{expected} is not reached: {visited:?}");
    }
    other_program::press(display, "Escape")?;
    page.wait_for("escape closes it", SOON, "return !document.querySelector('dialog[open]')").await?;
    page.wait_for("the keyboard is back", SOON, "return document.activeElement?.id === 'open-settings'").await?;
    Ok(())
}

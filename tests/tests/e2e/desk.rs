//! What a streamer sets up on the desk, and what a viewer's own list of unwanted people goes through.

use anyhow::{Context as _, Result};
use e2e::{
    browser::{Autoplay, Browser, Window, output_folder},
    clip::Clip,
    origin::Origin,
    publish,
    relay_client::{RelayClient, event, keys},
    signer::install_extension,
    site::{self, SOON},
    streamer::{OPEN_TO_ALL, Streamer},
};
use serde_json::json;

/// A date far enough ahead, as the form takes it and as a calendar says it.
const STARTS: (&str, &str) = ("2031-05-06T19:30", "DTSTART:20310506T");

async fn host(origin: &Origin) -> Result<Browser> {
    let host = Browser::open(Window::Desktop, Autoplay::MutedOnly).await?;
    install_extension(&host, &keys(1)?).await?;
    host.goto(&origin.url("/studio-web")).await?;
    site::choose_way(&host, "extension").await?;
    Ok(host)
}

#[tokio::test]
async fn a_planned_stream_has_a_picture_and_a_place_in_the_calendar() -> Result<()> {
    let origin = Origin::with_config(OPEN_TO_ALL).await?;
    let host = host(&origin).await?;
    host.wait_for("the form is there", SOON, "return !!document.querySelector('input[name=starts]')").await?;
    let date = format!(
        "const input = document.querySelector('input[name=starts]'); input.value = {}; \
         input.dispatchEvent(new Event('input', {{ bubbles: true }}))",
        json!(STARTS.0)
    );
    host.script(&date).await?;
    let stream = site::make_stream(&host, "Jam, with friends").await?;
    let viewer = Browser::open(Window::Desktop, Autoplay::MutedOnly).await?;
    site::watch(&viewer, &origin, &stream).await?;
    viewer.wait_for_text("It begins on", SOON).await?;
    viewer.screenshot("watch-planned").await?;
    for browser in [&host, &viewer] {
        let file = "return (async () => { const link = document.querySelector('#calendar'); \
            return link && (await fetch(link.href)).text() })()";
        let file = browser.wait_for("there is a file for the calendar", SOON, file).await?;
        let file = file.as_str().context("no text")?;
        assert!(file.contains(STARTS.1) && file.contains("SUMMARY:Jam\\, with friends\r\n"), "{file}");
    }

    // A screenshot is a picture like any other.
    let picture = output_folder()?.join("watch-planned.png");
    host.fill("input[name='thumbnail']", picture.to_str().context("an odd path")?).await?;
    host.click_when_there("#send-thumbnail", SOON).await?;
    let shown = "const picture = document.querySelector('.thumbnail img'); \
        return picture?.src.includes('/thumbnail?v=') && picture.naturalWidth > 0 && picture.naturalWidth <= 1280";
    host.wait_for("the picture is kept, made smaller", SOON, shown).await?;

    host.script("document.querySelector('#order').scrollIntoView()").await?;
    host.screenshot("dashboard-order").await?;

    let _publisher = publish::ffmpeg_rtmp(&Clip::default().file()?, &origin.rtmp_url(&stream))?;
    site::go_live(&host).await?;
    host.click("#pause").await?;
    let card = "return document.querySelector('.message-picture')?.naturalWidth > 0";
    viewer.wait_for("the card shows the picture", SOON, card).await?;
    viewer.wait_for_text("Back soon", SOON).await?;
    viewer.screenshot("watch-break").await?;

    // The desk goes while its player plays.
    host.click("#account").await?;
    host.click_when_there("#sign-out", SOON).await?;
    host.wait_for_text("Your streams are yours", SOON).await?;
    site::choose_way(&host, "extension").await?;
    site::wait_for_phase(&host, "live").await?;
    assert_eq!(host.recording().await?.errors, Vec::<String>::new());
    Ok(())
}

#[tokio::test]
async fn other_relays_carry_what_the_desk_names_them_for() -> Result<()> {
    let outside = Origin::with_config("[relay]\nscope = \"live\"\n").await?;
    let origin = Origin::with_config(&format!("{OPEN_TO_ALL}[relay]\nmirror_private = true\n")).await?;
    let host = host(&origin).await?;
    let stream = site::make_stream(&host, "Everywhere").await?;
    let url = format!("ws://{}", outside.http);
    host.fill("textarea[name='relays']", &format!("{url}\nws://127.0.0.1:9")).await?;
    host.click("#relays [type='submit']").await?;
    host.wait_for_text("Connected. It has", SOON).await?;
    host.wait_for_text("Cannot be reached; it is tried again by itself.", SOON).await?;
    host.script("document.querySelector('#relays').scrollIntoView()").await?;
    host.screenshot("dashboard-relays").await?;
    let mut relay = RelayClient::connect(&format!("{url}/")).await?;
    let filter = json!({ "kinds": [30_311], "#d": [stream.stream] });
    e2e::wait::until("the other relay has the live event", SOON, async || {
        let found = relay.subscribe("stream", &filter).await.ok()?;
        (!found.is_empty()).then_some(())
    })
    .await
}

#[tokio::test]
async fn hiding_somebody_adds_to_ones_own_list_and_changes_nothing_else_of_it() -> Result<()> {
    let origin = Origin::with_config(OPEN_TO_ALL).await?;
    let mut streamer = Streamer::new(&origin, 1).await?;
    let stream = streamer.create("Evening jam").await?;
    streamer.announce(&stream, "Evening jam").await?;
    let (viewer_keys, other, rude) = (keys(5)?, keys(6)?.public_key().to_hex(), keys(7)?.public_key().to_hex());
    streamer.let_say(5, &stream, "I was here").await?;
    streamer.let_say(7, &stream, "Something rude").await?;
    let mut relay = RelayClient::connect(&format!("ws://{}/", origin.http)).await?;
    let list: &[&[&str]] = &[&["p", &other], &["t", "politics"], &["word", "spam"]];
    relay.publish(&event(&viewer_keys, 10_000, list, "sealed?iv=x")?).await?;

    let viewer = Browser::open(Window::Desktop, Autoplay::MutedOnly).await?;
    install_extension(&viewer, &viewer_keys).await?;
    site::watch(&viewer, &origin, &stream).await?;
    site::choose_way(&viewer, "extension").await?;
    site::wait_for_account(&viewer).await?;
    site::wait_for_line(&viewer, "Something rude").await?;
    // Its list is there once whoever is on it is hidden.
    viewer.wait_for_text("You have hidden people", SOON).await?;
    site::choose(&viewer, "Something rude", &["Hide this person"]).await?;
    site::wait_until_gone(&viewer, "Something rude").await?;
    let signed = "return window.skylarkSigned().includes(10000)";
    viewer.wait_for("the list is signed", SOON, signed).await?;
    let filter = json!({ "kinds": [10_000], "authors": [viewer_keys.public_key().to_hex()] });
    let kept = e2e::wait::until("the relay has the new list", SOON, async || {
        let found = relay.subscribe("list", &filter).await.ok()?;
        found.into_iter().find(|event| event.tags.len() == 4)
    })
    .await?;
    assert_eq!(kept.content, "sealed?iv=x");
    let tags: Vec<_> = kept.tags.iter().map(|tag| tag.as_slice().to_vec()).collect();
    assert_eq!(json!(tags), json!([["p", other], ["t", "politics"], ["word", "spam"], ["p", rude]]));

    viewer.goto(&origin.page(&stream)).await?;
    site::wait_for_line(&viewer, "I was here").await?;
    assert_eq!(viewer.script("return document.body.innerText.includes('Something rude')").await?, json!(false));
    Ok(())
}

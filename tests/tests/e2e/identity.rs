//! Streamers whose keys are elsewhere: in an extension, or in a signer that is reached over a relay.

use anyhow::{Context as _, Result};
use e2e::{
    browser::{Autoplay, Browser, Window},
    clip::Clip,
    origin::Origin,
    publish,
    relay_client::keys,
    signer::{RemoteSigner, install_extension, is_key_on_page, signed_by_extension},
    site::{self, SOON},
    streamer::OPEN_TO_ALL,
};

/// What a streamer signs in an evening: announcements, requests to the server, messages.
const SIGNED: [u64; 3] = [30_311, 27_235, 1311];

/// A whole evening of a host who is signed in on the streamers' page.
async fn evening(origin: &Origin, host: &Browser) -> Result<()> {
    site::wait_for_account(host).await?;
    let stream = site::make_stream(host, "Signed elsewhere").await?;
    let _publisher = publish::ffmpeg_rtmp(&Clip::default().file()?, &origin.rtmp_url(&stream))?;
    site::go_live(host).await?;
    site::say(host, "Good evening").await?;
    let viewer = Browser::open(Window::Desktop, Autoplay::MutedOnly).await?;
    site::watch(&viewer, origin, &stream).await?;
    site::wait_for_line(&viewer, "Good evening").await?;
    site::end(host).await?;
    viewer.wait_for_text("the stream has ended", SOON).await?;
    assert_eq!(host.recording().await?.errors, Vec::<String>::new());
    Ok(())
}

#[tokio::test]
async fn a_streamer_signs_with_an_extension() -> Result<()> {
    let (origin, keys) = (Origin::with_config(OPEN_TO_ALL).await?, keys(1)?);
    let host = Browser::open(Window::Desktop, Autoplay::MutedOnly).await?;
    install_extension(&host, &keys).await?;
    host.goto(&origin.url("/studio-web")).await?;
    site::choose_way(&host, "extension").await?;
    evening(&origin, &host).await?;
    let signed = signed_by_extension(&host).await?;
    assert!(SIGNED.iter().all(|kind| signed.contains(kind)), "{signed:?}");
    assert!(!is_key_on_page(&host, &keys).await?, "the page never sees the key");
    Ok(())
}

#[tokio::test]
async fn a_streamer_signs_with_a_bunker() -> Result<()> {
    let (origin, keys) = (Origin::with_config(OPEN_TO_ALL).await?, keys(1)?);
    let signer = RemoteSigner::start(&keys)?;
    let host = Browser::open(Window::Desktop, Autoplay::MutedOnly).await?;
    host.goto(&origin.url("/studio-web")).await?;
    site::choose_way(&host, "bunker").await?;
    host.fill("input[name='address']", &signer.bunker).await?;
    host.click("#sign-in [type='submit']").await?;
    evening(&origin, &host).await?;
    // A page that is loaded again still knows its signer.
    host.goto(&origin.url("/studio-web")).await?;
    site::make_stream(&host, "Another evening").await?;
    let signed = signer.signed();
    assert!(SIGNED.iter().all(|kind| signed.contains(kind)), "{signed:?}");
    assert!(!is_key_on_page(&host, &keys).await?, "the page never sees the key");
    Ok(())
}

#[tokio::test]
async fn a_streamer_signs_with_a_phone_that_scanned_the_code() -> Result<()> {
    let (origin, keys) = (Origin::with_config(OPEN_TO_ALL).await?, keys(1)?);
    let mut signer = RemoteSigner::start(&keys)?;
    let host = Browser::open(Window::Desktop, Autoplay::MutedOnly).await?;
    host.goto(&origin.url("/studio-web")).await?;
    site::choose_way(&host, "connect").await?;
    host.script("document.querySelector(\"input[name='address']\").select()").await?;
    host.fill("input[name='address']", &signer.relay).await?;
    host.click("#sign-in [type='submit']").await?;
    let uri =
        host.wait_for("there is a code", SOON, "return document.querySelector('.qr')?.getAttribute('href')").await?;
    host.screenshot("sign-in-code").await?;
    signer.scan(uri.as_str().context("no address")?)?;
    evening(&origin, &host).await?;
    let signed = signer.signed();
    assert!(SIGNED.iter().all(|kind| signed.contains(kind)), "{signed:?}");
    assert!(!is_key_on_page(&host, &keys).await?, "the page never sees the key");
    Ok(())
}

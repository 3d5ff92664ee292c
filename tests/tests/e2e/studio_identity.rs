//! Keys of the Studio: in a real keychain and nowhere else; or with a remote signer.

use std::{fs, path::PathBuf, process, time::Duration};

use anyhow::{Context as _, Result, ensure};
use e2e::{
    keyring::{Home, Keychain, has},
    relay_client::keys,
    signer::RemoteSigner,
};
use nostr::{Keys, ToBech32 as _};
use skylark_protocol::{
    event::{Event, PublicKey, UnsignedEvent},
    studio::{IdentityKind, KeychainState, Typed},
};
use skylark_studio::identity::Identities;

const PASSWORD: &str = "correct horse battery";

/// The key that is imported.
fn imported() -> Result<Keys> {
    Ok(Keys::parse("7f3b02c9d3704396ff9b3e0de1a1b1d06d1fd0b3f2c1a6c0a7f0a9e4d5c6b7a8")?)
}

fn pubkey(keys: &Keys) -> PublicKey {
    PublicKey::from_bytes(keys.public_key().to_bytes())
}

/// Every form that a key may be found in.
fn forms(keys: &Keys) -> Result<Vec<Vec<u8>>> {
    let hex = keys.secret_key().to_secret_hex();
    let nsec = keys.secret_key().to_bech32()?;
    let raw = keys.secret_key().to_secret_bytes().to_vec();
    let listed = raw.iter().map(u8::to_string).collect::<Vec<_>>().join(",");
    Ok(vec![hex.to_uppercase().into(), hex.into(), nsec.into(), raw, listed.into()])
}

fn data() -> Result<PathBuf> {
    Ok(PathBuf::from(std::env::var("XDG_DATA_HOME")?).join("skylark"))
}

fn chat(author: PublicKey) -> UnsignedEvent {
    let tags = vec![vec!["a".into(), format!("30311:{author}:abc")]];
    UnsignedEvent {
        pubkey: author,
        created_at: nostr::Timestamp::now().as_secs(),
        kind: 1311,
        tags,
        content: "hi".into(),
    }
}

fn is_true(event: &Event) -> Result<()> {
    let event: nostr::Event = nostr::JsonUtil::from_json(serde_json::to_string(event)?)?;
    Ok(event.verify()?)
}

/// Everything is said, as loudly as can be.
fn log_everything() {
    let filter = tracing_subscriber::EnvFilter::new("trace");
    tracing_subscriber::fmt().with_env_filter(filter).with_ansi(false).with_writer(std::io::stdout).init();
}

#[test]
fn keys_are_in_the_keychain_and_nowhere_else() -> Result<()> {
    let home = Home::new()?;
    let mut said = home.run(Keychain::Unlocked, "studio_identity::inside_keys_are_made_and_imported", &[])?;
    said += &home.run(Keychain::Unlocked, "studio_identity::inside_the_next_launch_signs", &[])?;
    let keys = imported()?;
    let (forms, public) = (forms(&keys)?, keys.public_key().to_hex());
    let needles: Vec<&[u8]> = forms.iter().map(Vec::as_slice).collect();
    assert_eq!(home.files_with(&[public.as_bytes()])?.len(), 1, "the list of public keys is a file");
    assert!(home.files_with(&[b"gnome-keyring", b"GnomeKeyring"])?.len() == 1, "the keychain is a file");
    assert_eq!(home.files_with(&needles)?, Vec::<PathBuf>::new());
    assert!(said.contains("TRACE") && needles.iter().all(|needle| !has(said.as_bytes(), needle)), "not in a log");
    assert!(!said.contains(PASSWORD));
    home.run(Keychain::Locked, "studio_identity::inside_a_locked_keychain_is_said_to_be_locked", &[])?;
    home.run(Keychain::Missing, "studio_identity::inside_a_missing_keychain_is_said_to_be_missing", &[])?;
    home.run(Keychain::Unlocked, "studio_identity::inside_what_is_forgotten_is_gone", &[])?;
    Ok(())
}

#[test]
fn nothing_is_kept_where_there_is_no_keychain() -> Result<()> {
    for (keychain, code) in [(Keychain::Locked, "keychain-locked"), (Keychain::Missing, "keychain-missing")] {
        let home = Home::new()?;
        home.run(keychain, "studio_identity::inside_nothing_can_be_kept", &[("EXPECTED", code)])?;
        assert_eq!(home.files_with(&[imported()?.public_key().to_hex().as_bytes()])?, Vec::<PathBuf>::new());
    }
    Ok(())
}

#[test]
fn a_remote_signer_signs_and_its_client_key_is_in_the_keychain() -> Result<()> {
    let home = Home::new()?;
    home.run(Keychain::Unlocked, "studio_identity::inside_a_remote_signer_signs", &[])?;
    Ok(())
}

#[tokio::test]
#[ignore = "runs inside a session"]
async fn inside_keys_are_made_and_imported() -> Result<()> {
    log_everything();
    let keys = imported()?;
    let identities = Identities::open(&data()?).await?;
    assert_eq!(identities.view().borrow().keychain, KeychainState::Ready);
    assert_eq!(identities.current(), None);
    let made = identities.create().await?;
    let nsec = Typed(keys.secret_key().to_bech32()?);
    assert_eq!(identities.import(nsec.clone(), None).await?, pubkey(&keys));
    assert_eq!(identities.import(nsec, None).await?, pubkey(&keys), "twice is once");
    let view = identities.view().borrow().clone();
    assert_eq!(view.cards.iter().map(|card| card.pubkey).collect::<Vec<_>>(), [made, pubkey(&keys)]);
    assert!(view.current == Some(pubkey(&keys)) && view.cards[1].npub.starts_with("npub1"));
    assert!(view.cards.iter().all(|card| card.kind == IdentityKind::Keychain));

    let backup = identities.back_up(pubkey(&keys), Typed(PASSWORD.into())).await?;
    identities.forget(pubkey(&keys)).await?;
    assert_eq!(identities.current(), Some(made), "another one streams then");
    assert_eq!(identities.sign(chat(pubkey(&keys))).await.unwrap_err().code, "unknown-identity");
    let wrong = identities.import(Typed(backup.clone()), Some(Typed("wrong horse battery".into()))).await;
    assert_eq!(wrong.unwrap_err().code, "wrong-password");
    assert_eq!(identities.import(Typed(backup), Some(Typed(PASSWORD.into()))).await?, pubkey(&keys));

    is_true(&identities.sign_for_window(chat(pubkey(&keys)), None).await?)?;
    assert_eq!(identities.sign_for_window(chat(made), None).await.unwrap_err().code, "not-current");
    let profile = UnsignedEvent { kind: 0, ..chat(pubkey(&keys)) };
    assert_eq!(identities.sign_for_window(profile, None).await.unwrap_err().code, "not-signed");

    let forms = forms(&keys)?;
    for file in ["cmdline", "environ"] {
        let content = fs::read(format!("/proc/{}/{file}", process::id()))?;
        assert!(forms.iter().all(|form| !has(&content, form)), "{file}");
    }
    Ok(())
}

#[tokio::test]
#[ignore = "runs inside a session"]
async fn inside_the_next_launch_signs() -> Result<()> {
    log_everything();
    let identities = Identities::open(&data()?).await?;
    assert_eq!((identities.all().len(), identities.current()), (2, Some(pubkey(&imported()?))));
    is_true(&identities.sign(chat(pubkey(&imported()?))).await?)?;
    let other = identities.all()[0];
    identities.choose(other).await?;
    is_true(&identities.sign_for_window(chat(other), None).await?)?;
    identities.choose(pubkey(&imported()?)).await?;
    Ok(())
}

#[tokio::test]
#[ignore = "runs inside a session"]
async fn inside_a_locked_keychain_is_said_to_be_locked() -> Result<()> {
    let identities = Identities::open(&data()?).await?;
    let state = identities.view().borrow().keychain.clone();
    ensure!(matches!(&state, KeychainState::Locked { advice } if advice.contains("Unlock")), "{state:?}");
    assert_eq!(identities.sign(chat(pubkey(&imported()?))).await.unwrap_err().code, "keychain-locked");
    assert_eq!(identities.view().borrow().cards.len(), 2, "who they are is known all the same");
    Ok(())
}

#[tokio::test]
#[ignore = "runs inside a session"]
async fn inside_a_missing_keychain_is_said_to_be_missing() -> Result<()> {
    let identities = Identities::open(&data()?).await?;
    let state = identities.view().borrow().keychain.clone();
    ensure!(matches!(&state, KeychainState::Missing { advice } if advice.contains("Install")), "{state:?}");
    assert_eq!(identities.create().await.unwrap_err().code, "keychain-missing");
    Ok(())
}

#[tokio::test]
#[ignore = "runs inside a session"]
async fn inside_what_is_forgotten_is_gone() -> Result<()> {
    let identities = Identities::open(&data()?).await?;
    for pubkey in identities.all() {
        identities.forget(pubkey).await?;
    }
    let again = Identities::open(&data()?).await?;
    assert_eq!((again.all().len(), again.current()), (0, None));
    // Not only off the list.
    let npub = imported()?.public_key().to_bech32()?;
    let kept = tokio::task::spawn_blocking(move || keyring::Entry::new("skylark-studio", &npub)?.get_secret()).await?;
    ensure!(matches!(kept, Err(keyring::Error::NoEntry)), "the keychain still has the key");
    Ok(())
}

#[tokio::test]
#[ignore = "runs inside a session"]
async fn inside_nothing_can_be_kept() -> Result<()> {
    let expected = std::env::var("EXPECTED")?;
    let identities = Identities::open(&data()?).await?;
    let nsec = Typed(imported()?.secret_key().to_bech32()?);
    let problem = identities.import(nsec, None).await.err().context("it was kept")?;
    assert_eq!(problem.code, expected);
    assert!(identities.all().is_empty());
    let state = identities.view().borrow().keychain.clone();
    assert_ne!(state, KeychainState::Ready);
    Ok(())
}

#[tokio::test]
#[ignore = "runs inside a session"]
async fn inside_a_remote_signer_signs() -> Result<()> {
    let person = keys(77)?;
    let signer = RemoteSigner::start(&person)?;
    let identities = Identities::open(&data()?).await?;
    for wrong in ["", "bunker://nobody", "nostrconnect://abc", "https://live.example"] {
        assert_eq!(identities.connect_bunker(Typed(wrong.into())).await.unwrap_err().code, "no-bunker", "{wrong}");
    }
    let refused = identities.connect_bunker(Typed(format!("{}0", signer.bunker))).await.unwrap_err();
    assert_eq!(refused.code, "bunker-refuses");
    assert_eq!(identities.connect_bunker(Typed(signer.bunker.clone())).await?, pubkey(&person));
    assert_eq!(identities.view().borrow().cards[0].kind, IdentityKind::Bunker);
    is_true(&identities.sign_for_window(chat(pubkey(&person)), None).await?)?;
    let backup = identities.back_up(pubkey(&person), Typed(PASSWORD.into())).await;
    assert_eq!(backup.unwrap_err().code, "key-elsewhere");

    // The next launch: the secret of the address is not needed any more.
    let again = Identities::open(&data()?).await?;
    is_true(&again.sign(chat(pubkey(&person))).await?)?;
    let mut kinds = Vec::new();
    e2e::wait::until("the signer has signed twice", Duration::from_secs(10), async || {
        kinds.extend(signer.signed());
        (kinds.len() >= 2).then_some(())
    })
    .await?;
    assert_eq!(kinds, [1311, 1311]);
    drop(signer);
    assert_eq!(again.sign(chat(pubkey(&person))).await.unwrap_err().code, "bunker-unreachable");
    Ok(())
}

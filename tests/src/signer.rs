//! Where people keep their keys: a browser extension and a remote signer, both made of nostr-tools alone.

use std::fs;

use anyhow::{Context as _, Result};
use nostr::{Keys, ToBech32 as _};
use serde_json::{Value, json};

use crate::{
    browser::Browser,
    npm::{self, Script},
};

const EXTENSION: &str = include_str!("../fixtures/nostr_tools/extension.js");
const SIGNER: &str = include_str!("../fixtures/nostr_tools/signer.mjs");

/// Gives a browser an extension that signs with these keys on every page it opens from now on.
///
/// # Errors
/// When the browser does not take it.
pub async fn install_extension(browser: &Browser, keys: &Keys) -> Result<()> {
    let tools = fs::read_to_string(npm::packages()?.join("node_modules/nostr-tools/lib/nostr.bundle.js"))?;
    let secret = keys.secret_key().to_secret_hex();
    let source = format!("(() => {{ {tools}\nconst SECRET = {};\n{EXTENSION} }})();", json!(secret));
    browser.command("Page.addScriptToEvaluateOnNewDocument", json!({ "source": source })).await?;
    Ok(())
}

/// The kinds of what the extension has signed on the page that is open.
///
/// # Errors
/// When there is no extension.
pub async fn signed_by_extension(browser: &Browser) -> Result<Vec<u64>> {
    let kinds = browser.script("return window.skylarkSigned()").await?;
    Ok(kinds.as_array().context("no list")?.iter().filter_map(Value::as_u64).collect())
}

/// Whether a page can find this key anywhere: in what it stores, in what it shows, in its own variables.
///
/// # Errors
/// When the page does not answer.
pub async fn is_key_on_page(browser: &Browser, keys: &Keys) -> Result<bool> {
    let forms = [keys.secret_key().to_secret_hex(), keys.secret_key().to_bech32()?];
    let script = "return (async () => { \
        const databases = await Promise.all((await indexedDB.databases()).map(async ({ name }) => name)); \
        const values = Object.getOwnPropertyNames(window).map((name) => { \
            try { return typeof window[name] === 'string' ? window[name] : ''; } catch { return ''; } }); \
        return JSON.stringify([{ ...localStorage }, { ...sessionStorage }, document.cookie, databases, values, \
            document.documentElement.outerHTML]); })()";
    let found = browser.script(script).await?;
    let found = found.as_str().context("no text")?;
    Ok(forms.iter().any(|form| found.contains(form.as_str())))
}

/// A signer elsewhere, with a relay of its own.
#[derive(Debug)]
pub struct RemoteSigner {
    script: Script,
    /// Its relay.
    pub relay: String,
    /// Its `bunker://` address.
    pub bunker: String,
}

impl RemoteSigner {
    /// Starts one that signs with these keys.
    ///
    /// # Errors
    /// When node cannot be started.
    pub fn start(keys: &Keys) -> Result<Self> {
        let script = Script::start("signer.mjs", SIGNER, &[&keys.secret_key().to_secret_hex()])?;
        let first = script.hear()?;
        let text = |name: &str| first[name].as_str().map(str::to_owned).context("it does not say where it is");
        Ok(Self { relay: text("relay")?, bunker: text("bunker")?, script })
    }

    /// Its owner scans a `nostrconnect://` address.
    ///
    /// # Errors
    /// When it has ended.
    pub fn scan(&mut self, uri: &str) -> Result<()> {
        self.script.tell(&json!({ "connect": uri }))
    }

    /// The kinds of what it has signed since this was asked last.
    #[must_use]
    pub fn signed(&self) -> Vec<u64> {
        self.script.heard().iter().filter_map(|line| line["signed"].as_u64()).collect()
    }
}
